"""The one place that knows a library for models: a filled prompt goes out, an answer that passed all checks comes back.

No tools are given, nothing is chatted about. What leaves is looked at as the bytes that leave, and is refused when a secret
stands in them. A library for models is imported only when a model is asked.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeAlias

from goldsmith.assist.answer_store import AnswerStore, KeptAnswer, question_key
from goldsmith.assist.filling import Filled
from goldsmith.assist.model_accounts import Accounts, Call, Outcome
from goldsmith.assist.model_errors import refusal, told
from goldsmith.assist.model_settings import ModelSettings, Provider
from goldsmith.assist.shapes import AnswerFault, Json
from goldsmith.extras import need
from goldsmith.gates.contract import KnownSecret
from goldsmith.hcl.diagnostics import Diagnostic, GoldsmithError, MachineError, Refused, UserError
from goldsmith.registry.canonical import digest_of_bytes

if TYPE_CHECKING:
    from httpx2 import AsyncClient, Request
    from pydantic_ai.messages import ModelMessage, ModelResponse
    from pydantic_ai.models import Model, ModelRequestParameters

MOST_ROUNDS = 3
"""Attempts that a model has: after each but the last it is told what was wrong."""
_ANSWER = "answer"
_CHARACTERS_PER_TOKEN = 3
"""Fewer than any tokenizer needs on average, so that the budget is kept."""
_SDKS: Mapping[Provider, str] = {
    "anthropic": "anthropic",
    "openai": "openai",
    "azure": "openai",
    "compatible": "openai",
    "google": "google.genai",
    "bedrock": "boto3",
}
Check: TypeAlias = Callable[[Mapping[str, Json]], Iterable[AnswerFault]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """An answer that passed all checks."""

    value: Mapping[str, Json]
    origin: str
    """Who gave it: "anthropic:NAME"."""
    key: str
    """What `prompt replay` takes."""
    request_hash: str
    tokens: int = 0
    rounds: int = 1
    cached: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What a call needs besides a model: where answers are kept, where it is accounted for, which values never leave."""

    answers: AnswerStore
    accounts: Accounts
    known: Sequence[KnownSecret] = ()


def ask(
    filled: Filled,
    settings: ModelSettings,
    desk: Desk,
    *,
    purpose: str,
    check: Check = lambda answer: (),
    use_cache: bool = True,
) -> Draft:
    """The answer of a model to a prompt.

    `check` goes on where the schema ends: each fault is told to the model, three rounds in all. Raises `UserError` for a
    missing extra or key, `Refused` for a secret in the request, an empty budget, or a model that refuses, `MachineError`
    when it cannot be reached in time or never answers so that the answer holds.
    """
    call = _call(filled, settings, purpose)
    key = question_key(
        filled.prompt.id,
        filled.prompt.version,
        settings.label,
        dict(filled.prompt.model),
        dict(filled.values),
        call.schema_hash,
    )
    kept = desk.answers.find(key) if use_cache else None
    if kept is not None and not list(_faults(filled, kept.value, check)):
        desk.accounts.settle("", replace(call, cache_hit=True, outcome="accepted", request_hash=kept.request))
        return Draft(value=kept.value, origin=kept.model, key=key, request_hash=kept.request, cached=True)
    return asyncio.run(_rounds(filled, settings, desk, call, key, check))


def show_request(filled: Filled, settings: ModelSettings, desk: Desk) -> bytes:
    """The exact bytes that `ask` would send in its first round; nothing is sent. Raises as `ask` does."""
    wire = _Wire(filled, desk.known, sends=False)

    async def once() -> None:
        async with wire.client(settings) as client:
            await _request(_model(settings, client, wire), _first(filled, settings), filled, settings, 0)

    try:
        asyncio.run(once())
    except Exception as error:  # whatever a library makes of a request that was kept from leaving
        if wire.stopped is not None:
            raise wire.stopped from error
        if not wire.bodies:
            raise told(error, settings) from error
    return wire.bodies[0]


async def _rounds(filled: Filled, settings: ModelSettings, desk: Desk, call: Call, key: str, check: Check) -> Draft:
    messages = _first(filled, settings)
    faults: Sequence[AnswerFault] = ()
    tokens = 0
    wire = _Wire(filled, desk.known)
    async with wire.client(settings) as client:
        model = _model(settings, client, wire)
        for number in range(1, MOST_ROUNDS + 1):
            size = sum(len(str(message)) for message in messages) // _CHARACTERS_PER_TOKEN + filled.prompt.max_tokens
            account = _Account(desk.accounts, desk.accounts.reserve(settings.budget, size), replace(call, round=number))
            started = time.monotonic()
            try:
                response = await _request(model, messages, filled, settings, 2)
            except Exception as error:
                stopped = wire.stopped or told(error, settings)
                outcome: Outcome = "stopped" if wire.stopped else "refused" if isinstance(stopped, Refused) else "failed"
                account.close(outcome, wire, started)
                if stopped is error:
                    raise
                raise stopped from error
            tokens += response.usage.input_tokens + response.usage.output_tokens
            given, faults = _read(response, filled, check)
            if response.finish_reason == "content_filter":
                account.close("refused", wire, started, response)
                raise refusal(settings)
            if not faults:
                account.close("accepted", wire, started, response)
                answer = KeptAnswer(
                    prompt=filled.prompt.id,
                    version=filled.prompt.version,
                    model=settings.label,
                    answer=json.dumps(given, sort_keys=True, ensure_ascii=False),
                    request=wire.digest,
                )
                desk.answers.keep(key, answer)
                return Draft(
                    value=given, origin=settings.label, key=key, request_hash=wire.digest, tokens=tokens, rounds=number
                )
            account.close("cut-off" if response.finish_reason == "length" else "invalid", wire, started, response)
            messages = [*messages, response, _feedback(response, faults)]
    raise MachineError(
        Diagnostic(
            code="model.no-answer",
            what=f"{settings.label} gave no answer that holds, in {MOST_ROUNDS} rounds",
            why="; ".join(str(fault) for fault in faults[:5]),
            next="The result without a model stands. Try another model, or give the prompt less at a time.",
        )
    )


# ── what goes out ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _first(filled: Filled, settings: ModelSettings) -> list[ModelMessage]:
    from pydantic_ai.messages import ModelRequest, SystemPromptPart, UserPromptPart

    system = filled.system
    if settings.answer == "text":
        system += f"\n# Schema of the answer\n{json.dumps(filled.answer.model_json_schema(), ensure_ascii=False)}\n"
    return [ModelRequest(parts=[SystemPromptPart(content=system), UserPromptPart(content=filled.user)])]


def _feedback(response: ModelResponse, faults: Sequence[AnswerFault]) -> ModelMessage:
    from pydantic_ai.messages import ModelRequest, ToolCallPart, ToolReturnPart, UserPromptPart

    told = "\n".join(f"- {fault}" for fault in faults[:20])
    text = f"The answer does not hold:\n{told}\nGive the whole answer again, mended."
    calls = [part for part in response.parts if isinstance(part, ToolCallPart)]
    if not calls:
        return ModelRequest(parts=[UserPromptPart(content=text)])
    # Every call needs a reply of its own, or the next request is turned away.
    replies = [
        ToolReturnPart(tool_name=part.tool_name, content=text, tool_call_id=part.tool_call_id, outcome="retried")
        for part in calls
    ]
    return ModelRequest(parts=replies)


async def _request(
    model: Model, messages: Sequence[ModelMessage], filled: Filled, settings: ModelSettings, repetitions: int
) -> ModelResponse:
    from pydantic_ai.direct import model_request, model_request_stream
    from pydantic_ai.settings import ModelSettings as Parameters

    parameters = Parameters(
        max_tokens=filled.prompt.max_tokens,
        request_timeout=float(settings.timeout_s),
        timeout=float(settings.timeout_s),
        max_retries=repetitions,
    )
    temperature = filled.prompt.model.get("temperature")
    if isinstance(temperature, int | float):
        parameters["temperature"] = float(temperature)
    asked = _asked(filled, settings)
    if not settings.stream:
        return await model_request(model, list(messages), model_settings=parameters, model_request_parameters=asked)
    async with model_request_stream(model, list(messages), model_settings=parameters, model_request_parameters=asked) as stream:
        async for _ in stream:
            pass
        return stream.get()


def _asked(filled: Filled, settings: ModelSettings) -> ModelRequestParameters:
    from pydantic_ai.models import ModelRequestParameters
    from pydantic_ai.tools import ToolDefinition

    if settings.answer == "text":
        return ModelRequestParameters()
    tool = ToolDefinition(
        name=_ANSWER,
        description="Give the answer.",
        parameters_json_schema=filled.answer.model_json_schema(),
        kind="output",
    )
    return ModelRequestParameters(output_mode="tool", output_tools=[tool], allow_text_output=False)


def _model(settings: ModelSettings, client: AsyncClient, wire: _Wire) -> Model:
    """The library's model for a provider. Raises `UserError` when its SDK or its key is missing."""
    need("pydantic_ai", extra="ai")
    sdk = _SDKS[settings.provider]
    try:
        __import__(sdk)
    except ImportError as error:
        package = {"google.genai": "google-genai"}.get(sdk, sdk)
        what = f"{settings.provider} needs the Python package {package}"
        raise UserError(
            Diagnostic(code="extra.missing", what=what, why=str(error), next=f"uv pip install {package}")
        ) from error
    key = settings.key or ("none" if settings.provider == "compatible" else "")
    if not key and settings.provider != "bedrock":
        what = f"there is no key for {settings.label}"
        next = f"Set the variable {settings.key_variable}, or name another with GOLDSMITH_MODEL_KEY_VARIABLE."
        raise UserError(Diagnostic(code="model.no-key", what=what, next=next))
    url = settings.base_url or None
    match settings.provider:
        case "anthropic":
            from pydantic_ai.models.anthropic import AnthropicModel
            from pydantic_ai.providers.anthropic import AnthropicProvider

            return AnthropicModel(settings.name, provider=AnthropicProvider(api_key=key, base_url=url, http_client=client))
        case "azure":
            from pydantic_ai.models.openai import OpenAIChatModel
            from pydantic_ai.providers.azure import AzureProvider

            azure = AzureProvider(
                azure_endpoint=settings.base_url, api_version=settings.api_version or None, api_key=key, http_client=client
            )
            return OpenAIChatModel(settings.name, provider=azure)
        case "google":
            from pydantic_ai.models.google import GoogleModel
            from pydantic_ai.providers.google import GoogleProvider

            return GoogleModel(settings.name, provider=GoogleProvider(api_key=key, http_client=client, base_url=url))
        case "bedrock":
            from pydantic_ai.models.bedrock import BedrockConverseModel
            from pydantic_ai.providers.bedrock import BedrockProvider

            return BedrockConverseModel(settings.name, provider=BedrockProvider(bedrock_client=wire.bedrock(settings)))
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai import OpenAIProvider

    return OpenAIChatModel(settings.name, provider=OpenAIProvider(api_key=key, base_url=url, http_client=client))


@dataclass
class _Wire:
    """Sees each request as the bytes that are about to leave, and keeps from leaving what must not."""

    filled: Filled
    known: Sequence[KnownSecret]
    sends: bool = True
    bodies: list[bytes] = field(default_factory=list)
    stopped: GoldsmithError | None = None

    @property
    def digest(self) -> str:
        """Of the newest request."""
        return digest_of_bytes(self.bodies[-1]) if self.bodies else ""

    def look(self, url: str, body: bytes) -> None:
        """Raises what stops the request, and remembers it: a library may hide it in an error of its own."""
        try:
            self.filled.redactor.check(url.encode() + b"\n" + body, self.known)
        except GoldsmithError as error:
            self.stopped = error
            raise
        self.bodies.append(body)
        if not self.sends:
            raise _NotSent

    def client(self, settings: ModelSettings) -> AsyncClient:
        """An HTTP client that shows its requests; redirections are not followed, for they may lead anywhere."""
        from httpx2 import AsyncClient

        async def before(request: Request) -> None:
            self.look(str(request.url), await request.aread())
            # What an SDK tells of this machine is nobody's business.
            for name in [name for name in request.headers if name.lower().startswith("x-stainless-")]:
                del request.headers[name]

        return AsyncClient(event_hooks={"request": [before]}, timeout=settings.timeout_s)

    def bedrock(self, settings: ModelSettings) -> Any:
        """A client of AWS's SDK that shows its requests."""
        boto3 = need("boto3", extra="aws")
        from botocore.config import Config

        client = boto3.client(
            "bedrock-runtime",
            region_name=settings.region or None,
            endpoint_url=settings.base_url or None,
            config=Config(read_timeout=settings.timeout_s, retries={"total_max_attempts": 3}),
        )

        def before(request: Any, **_: object) -> None:
            body = request.body or b""
            self.look(str(request.url), body.encode() if isinstance(body, str) else bytes(body))

        client.meta.events.register("before-send.bedrock-runtime", before)
        return client


class _NotSent(Exception):
    """The request was only to be seen."""


# ── what comes back ───────────────────────────────────────────────────────────────────────────────────────────────────


def _read(response: ModelResponse, filled: Filled, check: Check) -> tuple[Mapping[str, Json], tuple[AnswerFault, ...]]:
    """The answer of a response and what is wrong with it."""
    from pydantic_ai.messages import ToolCallPart

    if response.finish_reason == "length":
        return {}, (AnswerFault("", "it was cut off: say it in fewer words"),)
    calls = [part for part in response.parts if isinstance(part, ToolCallPart)]
    wrong = [part.tool_name for part in calls if part.tool_name != _ANSWER]
    if wrong:
        return {}, (AnswerFault("", f'there is no tool "{wrong[0]}", only "{_ANSWER}"'),)
    if len(calls) > 1:
        return {}, (AnswerFault("", f"{len(calls)} answers were given, and one is wanted"),)
    given = calls[0].args_as_json_str() if calls else response.text or ""
    value, faults = filled.read(given)
    return value, faults or tuple(check(value))


def _faults(filled: Filled, value: Mapping[str, Json], check: Check) -> Iterable[AnswerFault]:
    """Whether an answer that was kept still holds."""
    found, faults = filled.read(value)
    return faults or check(found)


# ── accounting ────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass
class _Account:
    """One round that is under way."""

    accounts: Accounts
    reservation: str
    call: Call

    def close(self, outcome: Outcome, wire: _Wire, started: float, response: ModelResponse | None = None) -> None:
        """Write down how it went."""
        usage = response.usage if response is not None else None
        done = replace(
            self.call,
            outcome=outcome,
            request_hash=wire.digest,
            latency_ms=int((time.monotonic() - started) * 1000),
            tokens_in=usage.input_tokens if usage else 0,
            tokens_out=usage.output_tokens if usage else 0,
            tokens_cached=usage.cache_read_tokens if usage else 0,
            cost_micro_usd=_cost(response),
        )
        self.accounts.settle(self.reservation, done)


def _cost(response: ModelResponse | None) -> int:
    """Millionths of a dollar by the library's list of prices; -1 where it does not know the model."""
    if response is None:
        return -1
    try:
        return int(response.cost().total_price * 1_000_000)
    except (LookupError, AssertionError, ValueError):
        return -1


def _call(filled: Filled, settings: ModelSettings, purpose: str) -> Call:
    def hashed(value: object) -> str:
        return "sha256:" + hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()

    return Call(
        purpose=purpose,
        prompt=filled.prompt.id,
        version=filled.prompt.version,
        provider=settings.provider,
        model=settings.name,
        level=settings.level,
        prompt_hash=hashed(filled.instructions),
        input_hash=hashed(dict(filled.values)),
        schema_hash=hashed(filled.answer.model_json_schema()),
        redactions=len(filled.redactor.hidden),
    )
