"""Models by the real SDKs, against a server that speaks their protocols: what leaves, what is taken, what each failure says."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from goldsmith.assist.answer_store import AnswerStore
from goldsmith.assist.filling import Filled, fill
from goldsmith.assist.model import Desk, ask, show_request
from goldsmith.assist.model_accounts import Accounts
from goldsmith.assist.model_settings import ModelSettings, Provider
from goldsmith.assist.prompts import Library
from goldsmith.assist.shapes import AnswerFault
from goldsmith.gates.contract import KnownSecret
from goldsmith.hcl.diagnostics import GoldsmithError, MachineError, Refused, UserError
from tests.assist.model_stub import Says, Stub, stub

pytestmark = pytest.mark.slow  # the SDKs take seconds to import, and wait before they ask again

PROTOCOLS: tuple[tuple[Provider, bool], ...] = (("openai", False), ("openai", True), ("anthropic", False), ("anthropic", True))
GOOD = {
    "summary": "Upgrade it.",
    "items": [{"finding": "fix-1", "action": "upgrade", "layer": "base", "effort": "minutes", "why": "It is exposed."}],
}
INVENTED = {"summary": "Upgrade it.", "items": [{**GOOD["items"][0], "finding": "fix-9"}]}  # type: ignore[dict-item]  # a list of mappings


def filled(note: str = "") -> Filled:
    findings = [{"id": "fix-1", "tier": "ACT", "package": "openssl", "note": note}]
    return fill(Library().get("scan-explain"), {"findings": findings})


def settings_of(server: Stub, provider: Provider = "openai", stream: bool = False, **more: object) -> ModelSettings:
    url = server.url if provider == "anthropic" else f"{server.url}/v1"
    settings = ModelSettings(
        provider=provider, name="stub", base_url=url, key_variable="KEY", key="sk-0123456789", stream=stream, timeout_s=20
    )
    return replace(settings, **more)  # type: ignore[arg-type]  # fields of the settings


def desk(place: Path, *known: KnownSecret) -> Desk:
    return Desk(answers=AnswerStore(place / "answers"), accounts=Accounts(place / "accounts"), known=known)


def calls(place: Path) -> list[dict[str, object]]:
    lines = [
        json.loads(line) for path in sorted((place / "accounts").glob("*.jsonl")) for line in path.read_text().splitlines()
    ]
    return [line["call"] for line in lines if "call" in line]


@pytest.mark.parametrize(("provider", "stream"), PROTOCOLS)
def test_an_answer_is_taken_and_accounted_for(provider: Provider, stream: bool, tmp_path: Path) -> None:
    with stub([Says(value=GOOD)]) as server:
        draft = ask(filled(), settings_of(server, provider, stream), desk(tmp_path), purpose="test")

    assert draft.value == GOOD
    assert (draft.origin, draft.rounds, draft.tokens, draft.cached) == (f"{provider}:stub", 1, 100, False)
    call = calls(tmp_path)[-1]
    assert (call["outcome"], call["tokens_in"], call["tokens_out"], call["request_hash"]) == (
        "accepted",
        70,
        30,
        draft.request_hash,
    )
    assert not any(name.startswith("x-stainless") for name in server.headers[0])


@pytest.mark.parametrize(("provider", "stream"), PROTOCOLS)
def test_what_is_wrong_goes_back_three_rounds_at_most(provider: Provider, stream: bool, tmp_path: Path) -> None:
    script = [Says(value=INVENTED), Says(value={"summary": 1}), Says(value=GOOD)]
    with stub(script) as server:
        draft = ask(filled(), settings_of(server, provider, stream), desk(tmp_path), purpose="test")
        assert (draft.value, draft.rounds) == (GOOD, 3)
        assert "items.0.finding: Input should be 'fix-1'" in server.bodies[1].decode()

        server.script[:] = [Says(value=INVENTED)]
        with pytest.raises(MachineError) as caught:
            ask(filled("other"), settings_of(server, provider, stream), desk(tmp_path), purpose="test")

    assert caught.value.diagnostics[0].code == "model.no-answer"
    assert len(server.requests) == 6
    assert [call["outcome"] for call in calls(tmp_path)] == ["invalid", "invalid", "accepted", "invalid", "invalid", "invalid"]


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
def test_a_server_that_is_busy_is_asked_again(provider: Provider, tmp_path: Path) -> None:
    busy = [
        Says(kind="status", status=429),
        Says(kind="status", status=529 if provider == "anthropic" else 500),
        Says(value=GOOD),
    ]
    with stub(busy) as server:
        draft = ask(filled(), settings_of(server, provider), desk(tmp_path), purpose="test")

    assert draft.value == GOOD
    assert len(server.requests) == 3


FAILURES: tuple[tuple[Says, str], ...] = (
    (Says(kind="status", status=429), "model.rate-limited"),
    (Says(kind="status", status=500), "model.failed"),
    (Says(kind="status", status=529), "model.overloaded"),
    (Says(kind="status", status=401), "model.no-access"),
    (Says(kind="status", status=404), "model.unknown"),
    (Says(kind="status", status=400), "model.rejected"),
    (Says(kind="cut-off", value=GOOD), "model.no-answer"),
    (Says(kind="wrong-tool", value=GOOD), "model.no-answer"),
    (Says(kind="text", value="I would upgrade openssl."), "model.no-answer"),
    (Says(kind="refusal"), "model.refused"),
    (Says(kind="reset"), "model.unreachable"),
    (Says(kind="redirect", value="http://127.0.0.1:9/v1/steal"), "model."),
    (Says(kind="broken", value=GOOD), "model."),
)


@pytest.mark.parametrize(("provider", "stream"), PROTOCOLS)
def test_every_failure_is_told_and_costs_what_it_cost(provider: Provider, stream: bool, tmp_path: Path) -> None:
    for number, (says, code) in enumerate(FAILURES):
        place = tmp_path / str(number)
        with stub([says]) as server, pytest.raises(GoldsmithError) as caught:
            ask(filled(), settings_of(server, provider, stream), desk(place), purpose="test")

        told = caught.value.diagnostics[0]
        assert told.code.startswith(code), (says, told)
        assert "sk-0123456789" not in f"{told}"
        assert calls(place), says
        assert not AnswerStore(place / "answers").find("sha256:" + "0" * 64)


@pytest.mark.parametrize(("provider", "stream"), PROTOCOLS)
def test_a_server_that_drips_is_left(provider: Provider, stream: bool, tmp_path: Path) -> None:
    with stub([Says(kind="drip", value=GOOD)]) as server, pytest.raises(MachineError) as caught:
        ask(filled(), settings_of(server, provider, stream, timeout_s=1), desk(tmp_path), purpose="test")

    assert caught.value.diagnostics[0].code == "model.slow"


def test_an_answer_in_words_is_read_where_tools_are_not_known(tmp_path: Path) -> None:
    with stub([Says(kind="text", value=f"Here it is:\n```json\n{json.dumps(GOOD)}\n```\nDone.")]) as server:
        settings = settings_of(server, "compatible", answer="text", key="", key_variable="")
        draft = ask(filled(), settings, desk(tmp_path), purpose="test")

    assert draft.value == GOOD
    assert "tools" not in server.requests[0]
    assert "fix-1" in server.requests[0]["messages"][0]["content"]


def test_the_same_question_is_not_asked_twice_and_replays_letter_by_letter(tmp_path: Path) -> None:
    place = desk(tmp_path)
    with stub([Says(value=GOOD)]) as server:
        settings = settings_of(server)
        first = ask(filled(), settings, place, purpose="test")
        again = ask(filled(), settings, place, purpose="test")
        anew = ask(filled(), settings, place, purpose="test", use_cache=False)
        other = ask(filled("another note"), settings, place, purpose="test")

    assert len(server.requests) == 3
    assert (again.value, again.cached, again.key) == (first.value, True, first.key)
    assert (anew.cached, other.key != first.key) == (False, True)
    assert place.answers.replay(first.key).value == GOOD
    assert [call["cache_hit"] for call in calls(tmp_path)] == [False, True, False, False]
    with pytest.raises(UserError):
        place.answers.replay("0" * 64)


def test_the_budget_of_a_day_is_a_hard_stop(tmp_path: Path) -> None:
    with stub([Says(value=GOOD)]) as server:
        place, settings = desk(tmp_path), settings_of(server, budget=9_000)
        ask(filled(), settings, place, purpose="test")
        with pytest.raises(Refused) as caught:
            ask(filled("x" * 20_000), settings, place, purpose="test")

    assert caught.value.diagnostics[0].code == "model.over-budget"
    assert len(server.requests) == 1
    assert place.accounts.used_today() == 100


def test_tokens_that_a_killed_process_set_aside_stay_set_aside(tmp_path: Path) -> None:
    accounts = Accounts(tmp_path)
    accounts.reserve(1_000, 900)

    with pytest.raises(Refused):
        accounts.reserve(1_000, 200)


def test_a_request_is_shown_byte_by_byte_and_not_sent(tmp_path: Path) -> None:
    with stub([Says(value=GOOD)]) as server:
        for provider in ("openai", "anthropic"):
            settings = settings_of(server, provider)
            prompt = filled()
            shown = show_request(prompt, settings, desk(tmp_path))
            before = len(server.bodies)
            assert before == 0 or provider == "anthropic"
            ask(prompt, settings, desk(tmp_path / provider), purpose="test")
            assert server.bodies == [*server.bodies[:before], shown]


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
def test_a_known_secret_stops_the_call_before_a_byte_leaves(provider: Provider, tmp_path: Path) -> None:
    secret = KnownSecret(name="var.license", value="four plain words here")
    with stub([Says(value=GOOD)]) as server, pytest.raises(Refused) as caught:
        ask(filled("four plain words here"), settings_of(server, provider), desk(tmp_path, secret), purpose="test")

    assert caught.value.diagnostics[0].code == "redact.secret-in-request"
    assert server.bodies == []
    assert calls(tmp_path)[-1]["outcome"] == "stopped"


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
def test_planted_secrets_are_in_no_outgoing_byte(provider: Provider, tmp_path: Path) -> None:
    from tests.assist.test_assist_redact import SCRIPTS, SECRETS, TEXTS

    script = "\n".join((SCRIPTS, *TEXTS))
    for number, secret in enumerate(SECRETS[:2]):
        with stub([Says(value=INVENTED), Says(value=GOOD)]) as server:
            ask(
                filled(script.replace("{S}", secret)),
                settings_of(server, provider),
                desk(tmp_path / str(number)),
                purpose="test",
            )
        assert len(server.bodies) == 2
        for body in server.bodies:
            assert secret.encode() not in body and secret not in json.dumps(json.loads(body), ensure_ascii=False)


def test_a_check_of_the_caller_is_a_step_of_the_ladder(tmp_path: Path) -> None:
    seen: list[object] = []

    def check(answer: object) -> list[AnswerFault]:
        seen.append(answer)
        return [AnswerFault("items.0", "no such package")] if len(seen) == 1 else []

    with stub([Says(value=GOOD)]) as server:
        draft = ask(filled(), settings_of(server), desk(tmp_path), purpose="test", check=check)

    assert draft.rounds == 2
    assert "no such package" in server.bodies[1].decode()


def test_a_missing_key_is_told_before_anything_starts(tmp_path: Path) -> None:
    settings = ModelSettings(provider="anthropic", name="x", key_variable="ANTHROPIC_API_KEY")

    with pytest.raises(UserError) as caught:
        ask(filled(), settings, desk(tmp_path), purpose="test")

    assert caught.value.diagnostics[0].code == "model.no-key"
