"""Enabled services of systemd: what each runs, and whether it is likely to listen on the network."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from goldsmith.gates.tree import Tree

_PLACES = ("etc/systemd/system", "usr/local/lib/systemd/system", "usr/lib/systemd/system", "lib/systemd/system")
_WANTS = ("wants", "requires", "upholds")
_PREFIXES = "@-:+!|"
"""What may stand before the program in `ExecStart=` (systemd.service(5))."""
_SHELLS = ("sh", "bash", "dash", "busybox")
_NETWORK_TARGETS = frozenset({"network.target", "network-online.target", "nss-lookup.target"})
_ORDER = ("After", "Before", "Wants", "Requires")
_ABSOLUTE = re.compile(r"(?<![\w.])/(?:usr|opt|bin|sbin|srv|lib)[\w./+@-]*")
Settings: TypeAlias = Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A unit that starts with the system."""

    name: str
    programs: tuple[str, ...]
    """Paths without a leading slash, as the unit names them."""
    has_socket: bool
    """systemd listens for it on a port."""
    speaks_of_network: bool
    """It is ordered by the network's targets."""
    is_timed: bool
    """Only a timer starts it: it does not wait for anybody."""
    is_local: bool
    """It is kept from the network: PrivateNetwork, or no address family but AF_UNIX and the like."""


def enabled_services(tree: Tree) -> tuple[Service, ...]:
    """Services that a target, a timer or a socket starts, by name. A masked unit starts nothing."""
    sockets: set[str] = set()
    names: set[str] = set()
    timed: set[str] = set()
    for unit in _enabled(tree):
        settings = _settings(tree, unit)
        stem, _, kind = unit.rpartition(".")
        if kind == "service":
            names.add(unit)
        elif kind in ("timer", "socket", "path"):
            started = (settings.get("Unit") or settings.get("Service") or [f"{stem}.service"])[-1]
            (timed if kind == "timer" else names).add(started)
            listens = (item for key in ("ListenStream", "ListenDatagram") for item in settings.get(key, ()))
            if kind == "socket" and any(map(_is_port, listens)):
                sockets.add(started)
    found = sorted(name for name in names | timed if _file(tree, name))
    return tuple(_service(tree, name, name in sockets, name not in names) for name in found)


def text_of(tree: Tree, path: str) -> str:
    """The text of a file; empty for what is not there or cannot be read, which starts nothing either."""
    try:
        return tree.text(path) or ""
    except OSError:
        return ""


def _enabled(tree: Tree) -> Iterator[str]:
    for place in _PLACES:
        for kind in _WANTS:
            for path in tree.glob(f"{place}/*.{kind}/*"):
                yield path.rpartition("/")[2]
    yield from (path.rpartition("/")[2] for path in tree.glob("etc/systemd/system/*.service"))


def _service(tree: Tree, name: str, has_socket: bool, is_timed: bool) -> Service:
    settings = _settings(tree, name)
    families = " ".join(settings.get("RestrictAddressFamilies", ())).split()
    only_local = bool(families) and not families[0].startswith("~") and not {"AF_INET", "AF_INET6", "AF_PACKET"} & set(families)
    ordered = [target for key in _ORDER for line in settings.get(key, ()) for target in line.split()]
    return Service(
        name=name,
        programs=tuple(dict.fromkeys(path for line in _commands(settings) for path in _programs(line))),
        has_socket=has_socket,
        speaks_of_network=not _NETWORK_TARGETS.isdisjoint(ordered),
        is_timed=is_timed,
        is_local=only_local or (settings.get("PrivateNetwork") or ["no"])[-1].lower() in ("yes", "true", "on", "1"),
    )


def _commands(settings: Settings) -> Iterator[str]:
    for key in ("ExecStartPre", "ExecStart", "ExecStartPost", "ExecReload"):
        yield from settings.get(key, ())


def _programs(line: str) -> Iterator[str]:
    """The program of a command line; of a shell also what its words name."""
    try:
        words = shlex.split(line.lstrip(_PREFIXES), posix=True)
    except ValueError:
        words = line.lstrip(_PREFIXES).split()
    if not words:
        return
    program = words[0]
    yield program.lstrip("/") if program.startswith("/") else f"usr/bin/{program}"
    if program.rpartition("/")[2] in _SHELLS:
        for word in words[1:]:
            yield from (found[0].lstrip("/") for found in _ABSOLUTE.finditer(word))
    else:
        yield from (word.lstrip("/") for word in words[1:] if word.startswith("/") and _ABSOLUTE.fullmatch(word))


def _settings(tree: Tree, unit: str) -> Settings:
    """The settings of a unit and its drop-ins by name, in order; an empty value takes back those before it."""
    found: dict[str, list[str]] = {}
    path = _file(tree, unit)
    files = [path] if path else []
    files += [item for place in reversed(_PLACES) for item in tree.glob(f"{place}/{unit}.d/*.conf")]
    for file in files:
        text = text_of(tree, file).replace("\\\n", " ")
        for line in text.splitlines():
            key, separator, value = line.strip().partition("=")
            if separator and not line.lstrip().startswith(("#", ";")):
                if not value.strip():
                    found.pop(key.strip(), None)
                else:
                    found.setdefault(key.strip(), []).append(value.strip())
    return found


def _file(tree: Tree, unit: str) -> str:
    """The file of a unit, of `name@instance.service` that of its template; "" when there is none, or it is masked."""
    stem, dot, kind = unit.rpartition(".")
    names = [unit, f"{stem.partition('@')[0]}@{dot}{kind}"] if "@" in stem else [unit]
    for place in _PLACES:
        for name in names:
            path = f"{place}/{name}"
            if tree.has(path):
                return path if text_of(tree, path) else ""
    return ""


def _is_port(listen: str) -> bool:
    """`22`, `0.0.0.0:22`, `[::]:22`; no path, no abstract name, and not of this host alone."""
    return not listen.startswith(("/", "@", "%", "vsock:", "127.", "localhost", "[::1]"))
