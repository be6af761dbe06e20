"""Which model may be asked, where it is and what may be sent to it: the user's settings, never a template's or a project's.

They stand in `goldsmith/model.toml` below XDG_CONFIG_HOME or ~/.config; `GOLDSMITH_MODEL…` variables go before the file, and
`-model` before both. A key is never written there: only the name of the variable that holds it.
"""

from __future__ import annotations

import ipaddress
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias, get_args
from urllib.parse import urlsplit

from goldsmith.hcl.diagnostics import Diagnostic, UserError, did_you_mean

Provider: TypeAlias = Literal["anthropic", "openai", "azure", "bedrock", "google", "compatible"]
Level: TypeAlias = Literal["off", "local", "redacted", "full"]

NONE = "none"
DEFAULT = "default"
"""The words of `-model` that name no model."""
_PROVIDERS: tuple[Provider, ...] = get_args(Provider)
_LEVELS: tuple[Level, ...] = get_args(Level)
_KEY_VARIABLES: Mapping[Provider, str] = {
    "anthropic": "ANTHROPIC_API_KEY",
    "openai": "OPENAI_API_KEY",
    "azure": "AZURE_OPENAI_API_KEY",
    "google": "GOOGLE_API_KEY",
    "compatible": "",
    "bedrock": "",
}
"""Bedrock takes AWS's own credentials; a server of one's own often wants none."""
_NAMES = (
    "model",
    "base_url",
    "key_variable",
    "level",
    "budget",
    "timeout",
    "stream",
    "answer",
    "local_hosts",
    "region",
    "api_version",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSettings:
    """The model to ask."""

    provider: Provider
    name: str
    base_url: str = ""
    key_variable: str = ""
    key: str = field(default="", repr=False)
    level: Level = "redacted"
    budget: int = 200_000
    """Tokens that a project may use in a day (UTC), in and out together."""
    timeout_s: int = 120
    """Seconds for one request, with its repetitions and its last byte."""
    stream: bool = False
    answer: Literal["tool", "text"] = "tool"
    """How an answer of a shape is asked for: by a tool that is called, or by words alone."""
    region: str = ""
    api_version: str = ""

    @property
    def label(self) -> str:
        """ "anthropic:NAME"."""
        return f"{self.provider}:{self.name}"


def settings_path(environment: Mapping[str, str] = os.environ) -> Path:
    """Where the file of settings is looked for."""
    return Path(environment.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "goldsmith" / "model.toml"


def read_model_settings(choice: str = "", environment: Mapping[str, str] = os.environ) -> ModelSettings | None:
    """The settings that hold, or None where no model is to be asked. Raises `UserError` with what is wrong with them.

    `choice` is what `-model` says: "PROVIDER:NAME", "default" or nothing for the configured one, or "none".
    """
    given = {**_of_file(settings_path(environment)), **_of_environment(environment)}
    model = choice if choice not in ("", DEFAULT) else str(given.get("model", ""))
    if model in ("", NONE) or given.get("level") == "off":
        return None
    name, separator, model_name = model.partition(":")
    provider = next((item for item in _PROVIDERS if item == name), None)
    if not separator or provider is None or not model_name:
        next_ = did_you_mean(name, _PROVIDERS) or f"Providers: {', '.join(_PROVIDERS)}."
        raise _wrong(f'"{model}" is no PROVIDER:NAME', next_)
    base_url = str(given.get("base_url", ""))
    if provider in ("compatible", "azure") and not base_url:
        raise _wrong(f"{provider} needs base_url", "Set GOLDSMITH_MODEL_URL, for example http://127.0.0.1:11434/v1.")
    key_variable = str(given.get("key_variable", "")) or _KEY_VARIABLES[provider]
    return ModelSettings(
        provider=provider,
        name=model_name,
        base_url=base_url,
        key_variable=key_variable,
        key=environment.get(key_variable, "") if key_variable else "",
        level=_level(given, base_url),
        budget=_whole(given, "budget", 200_000),
        timeout_s=_whole(given, "timeout", 120),
        stream=str(given.get("stream", "false")).lower() in ("true", "1"),
        answer="text" if given.get("answer") == "text" else "tool",
        region=str(given.get("region", "")),
        api_version=str(given.get("api_version", "")),
    )


def is_local(host: str, listed: tuple[str, ...] = ()) -> bool:
    """Whether a host is this machine, or one that the user has listed as a place where data may go unredacted."""
    if host in listed or host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _level(given: Mapping[str, object], base_url: str) -> Level:
    hosts = given.get("local_hosts", ())
    listed = tuple(map(str, hosts)) if isinstance(hosts, list | tuple) else tuple(str(hosts).split(","))
    local = bool(base_url) and is_local(urlsplit(base_url).hostname or "", listed)
    named = str(given.get("level", ""))
    if not named:
        return "local" if local else "redacted"
    level = next((item for item in _LEVELS if item == named), None)
    if level is None:
        raise _wrong(f'"{named}" is no level', f"Levels: {', '.join(_LEVELS)}.")
    if level == "local" and not local:
        why = f'"{urlsplit(base_url).hostname or "the provider"}" is not this machine, and stands not in local_hosts'
        raise UserError(
            Diagnostic(code="model.not-local", what="the level local does not hold here", why=why, next="Take redacted.")
        )
    return level


def _whole(given: Mapping[str, object], name: str, otherwise: int) -> int:
    text = str(given.get(name, otherwise))
    if not text.isdecimal() or int(text) < 1:
        raise _wrong(f'"{name}" is "{text}"', "Write a whole number above 0.")
    return int(text)


def _of_file(path: Path) -> dict[str, object]:
    try:
        found = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise _wrong(f'"{path}" cannot be read', str(error)) from error
    for name in found:
        if name not in _NAMES:
            raise _wrong(f'"{path}" has the unknown key "{name}"', did_you_mean(name, _NAMES) or f"Keys: {', '.join(_NAMES)}.")
    return found


def _of_environment(environment: Mapping[str, str]) -> dict[str, object]:
    variables = {name: f"GOLDSMITH_MODEL_{name.upper()}" for name in _NAMES} | {
        "model": "GOLDSMITH_MODEL",
        "base_url": "GOLDSMITH_MODEL_URL",
    }
    return {name: environment[variable] for name, variable in variables.items() if environment.get(variable)}


def _wrong(what: str, next: str) -> UserError:
    return UserError(Diagnostic(code="model.settings", what=what, next=next))
