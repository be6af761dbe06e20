"""Probes of the ssh server by its effective configuration: the first value of a keyword counts, `Match` blocks apart."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field

from goldsmith.gates.hardening.scene import Arguments, Fault, Scene, holds

MAIN = "etc/ssh/sshd_config"
DEFAULTS = {
    "permitrootlogin": "prohibit-password",
    "passwordauthentication": "yes",
    "kbdinteractiveauthentication": "yes",
    "pubkeyauthentication": "yes",
    "permitemptypasswords": "no",
    "maxauthtries": "6",
    "logingracetime": "120",
    "clientaliveinterval": "0",
    "clientalivecountmax": "3",
    "maxsessions": "10",
    "maxstartups": "10:30:100",
    "hostbasedauthentication": "no",
    "ignorerhosts": "yes",
    "permituserenvironment": "no",
    "x11forwarding": "no",
    "allowagentforwarding": "yes",
    "allowtcpforwarding": "yes",
    "loglevel": "info",
    "banner": "none",
    "usepam": "no",
}
"""What OpenSSH 9.2 does without the keyword: sshd_config(5)."""

ALIASES = {
    "challengeresponseauthentication": "kbdinteractiveauthentication",
    "skeyauthentication": "kbdinteractiveauthentication",
}
REPEATED = frozenset({"allowusers", "allowgroups", "denyusers", "denygroups", "acceptenv", "hostkey", "port", "listenaddress"})
_DEEPEST = 16


@dataclass(frozen=True, slots=True)
class Value:
    """A value and where it was set."""

    text: str
    path: str
    line: int


@dataclass(slots=True)
class SshdSettings:
    """Effective values: of all connections, and those that a `Match` block says of its own."""

    everywhere: dict[str, Value] = field(default_factory=dict)
    matched: list[tuple[str, str, Value]] = field(default_factory=list)
    """(criteria, keyword, value)."""


def read_sshd(scene: Scene) -> SshdSettings:
    """Read the configuration as sshd does: `Include` where it stands. Raises `ValueError` when it cannot be read."""
    settings = SshdSettings()
    if scene.tree.text(MAIN) is None:
        raise ValueError(f"/{MAIN} is missing")
    _read(scene, MAIN, "", settings, 0)
    return settings


def _read(scene: Scene, path: str, match: str, settings: SshdSettings, depth: int) -> str:
    """Read one file in a scope, and return the scope after it. A `Match` in an included file ends with that file."""
    if depth > _DEEPEST:
        raise ValueError(f"/{path}: includes go too deep")
    for number, line in scene.lines(path):
        try:
            keyword, *words = shlex.split(line.replace("=", " ", 1) if "=" in line.split()[0] else line, comments=True)
        except ValueError as error:
            raise ValueError(f"/{path} line {number}: {error}") from error
        keyword = ALIASES.get(keyword.lower(), keyword.lower())
        if words[:1] == ["="]:
            words = words[1:]
        if keyword == "include":
            for pattern in words:
                place = pattern if pattern.startswith("/") else f"etc/ssh/{pattern}"
                for included in scene.tree.glob(place):
                    _read(scene, included, match, settings, depth + 1)
        elif keyword == "match":
            match = "" if [word.lower() for word in words] == ["all"] else " ".join(words)
        else:
            _set(settings, match, keyword, Value(" ".join(words), path, number))
    return match


def _set(settings: SshdSettings, match: str, keyword: str, value: Value) -> None:
    if match:
        settings.matched.append((match, keyword, value))
    elif keyword in REPEATED and keyword in settings.everywhere:
        before = settings.everywhere[keyword]
        settings.everywhere[keyword] = Value(f"{before.text} {value.text}", before.path, before.line)
    else:
        settings.everywhere.setdefault(keyword, value)


def sshd(scene: Scene, arguments: Arguments) -> Iterator[Fault]:
    """The effective `values` are as wanted, and no `Match` block says otherwise."""
    settings = read_sshd(scene)
    for name, wanted in arguments.table("values").items():
        keyword = name.lower()
        value = settings.everywhere.get(keyword, Value(DEFAULTS.get(keyword, ""), MAIN, 0))
        if not holds(value.text, wanted):
            yield Fault(f"{name} is {value.text or 'not set'}, {wanted} is wanted", value.path, value.line)
        for criteria, other, inner in settings.matched:
            if other == keyword and not holds(inner.text, wanted):
                told = f"{name} is {inner.text} for `Match {criteria}`, {wanted} is wanted"
                yield Fault(told, inner.path, inner.line)


def sshd_startups(scene: Scene, arguments: Arguments) -> Iterator[Fault]:
    """MaxStartups drops connections from `start`, by `rate` percent, and all from `full`."""
    value = read_sshd(scene).everywhere.get("maxstartups", Value(DEFAULTS["maxstartups"], MAIN, 0))
    parts = value.text.split(":")
    wanted = [arguments.number("start"), arguments.number("rate"), arguments.number("full")]
    got = [int(part) if part.isdigit() else 0 for part in parts]
    if len(got) != 3 or not (0 < got[0] <= wanted[0] and got[1] >= wanted[1] and 0 < got[2] <= wanted[2]):
        yield Fault(f"MaxStartups is {value.text}, {':'.join(map(str, wanted))} is wanted", value.path, value.line)


def sshd_algorithms(scene: Scene, arguments: Arguments) -> Iterator[Fault]:
    """Each list of `lists` is set, and has only algorithms that are allowed there."""
    settings = read_sshd(scene)
    for name, allowed in arguments.table("lists").items():
        value = settings.everywhere.get(name.lower())
        if value is None:
            yield Fault(f"{name} is not set: the default has weak ones", MAIN)
            continue
        if value.text[:1] in "+-^":
            yield Fault(f"{name} changes the default list, which has weak ones: write the whole list", value.path, value.line)
            continue
        weak = [item for item in value.text.split(",") if item not in allowed.split()]
        if weak or not value.text:
            yield Fault(f"{name} has {', '.join(weak) or 'no algorithm'}", value.path, value.line)


def sshd_allow_list(scene: Scene, arguments: Arguments) -> Iterator[Fault]:
    """Who may log in is listed, and of groups only those that the project names."""
    settings = read_sshd(scene)
    wanted, groups = scene.wishes.ssh_groups, settings.everywhere.get("allowgroups")
    others = sorted(set(groups.text.split()) - wanted) if groups else []
    if wanted and groups is None:
        yield Fault(f"AllowGroups is not set: only {', '.join(sorted(wanted))} may log in", MAIN)
    elif wanted and groups is not None and others:
        yield Fault(f"AllowGroups lets {', '.join(others)} in", groups.path, groups.line)
    elif not any(settings.everywhere.get(name) for name in ("allowusers", "allowgroups")):
        yield Fault("neither AllowUsers nor AllowGroups is set", MAIN)


def sshd_banner(scene: Scene, arguments: Arguments) -> Iterator[Fault]:
    """A banner is shown, and its file is there."""
    value = read_sshd(scene).everywhere.get("banner", Value("none", MAIN, 0))
    if value.text.lower() == "none" or not (scene.tree.text(value.text.lstrip("/")) or "").strip():
        yield Fault(f"no banner is shown: Banner is {value.text}", value.path, value.line)
