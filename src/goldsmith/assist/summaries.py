"""What changed paths mean: the packages, users, groups and units behind them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from goldsmith.assist.changes import Changes
from goldsmith.gates.inventory import Stack
from goldsmith.gates.inventory.layering import DATABASES, SYSTEM_READERS

_UNIT = r"(?P<unit>[^/]+\.(?:service|socket|timer|target|mount|path|slice|device|swap|automount))"
_WANTED = re.compile(rf"/etc/systemd/(?:system|user)/[^/]+\.(?:wants|requires|upholds)/{_UNIT}")
_DEFINED = re.compile(rf"(?:/etc|/usr/local/lib|/usr/lib|/lib)/systemd/(?:system|user)/{_UNIT}(?:\.d/[^/]+)?")
_NOWHERE = "/dev/null"


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What a command did, in the words of who runs machines: each begins with "+" (new), "-" (gone) or "~" (not the same)."""

    packages: tuple[str, ...] = ()
    """With their versions: "+nginx 1.22.1-9", "~curl 7.88.1-1 -> 7.88.1-2"."""
    users: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    """Their files: "+nginx.service"; "enabled ssh.service", "disabled ssh.service", "masked x.service" for links."""

    def then(self, later: Summary) -> Summary:
        """What was done first and later, as one."""
        return Summary(
            packages=(*self.packages, *later.packages),
            users=(*self.users, *later.users),
            groups=(*self.groups, *later.groups),
            units=(*self.units, *later.units),
        )


class Observer:
    """Tells what changes mean; it remembers what was there, so it is shown all changes of a run, in order."""

    def __init__(self, upper: Path, lowers: Sequence[Path]) -> None:
        self._roots = (*lowers, upper)
        self._upper = upper
        below = Stack(lowers)
        self._packages = _packages(below)
        self._accounts = {name: _accounts(below, name) for name in ("passwd", "group", "shadow")}

    def tell(self, changes: Changes) -> Summary:
        """What the changes since the last call mean."""
        touched = changes.touched
        packages: tuple[str, ...] = ()
        users: tuple[str, ...] = ()
        groups: tuple[str, ...] = ()
        if any(path.lstrip("/").startswith(DATABASES) for path in touched):
            packages = self._packages_since()
        if not {"/etc/passwd", "/etc/shadow"}.isdisjoint(touched):
            users = _united(self._accounts_since("passwd"), self._accounts_since("shadow"))
        if "/etc/group" in touched:
            groups = self._accounts_since("group")
        return Summary(packages=packages, users=users, groups=groups, units=self._units(changes))

    def _packages_since(self) -> tuple[str, ...]:
        before, self._packages = self._packages, _packages(Stack(self._roots))
        return _differences(before, self._packages, versions=True)

    def _accounts_since(self, name: str) -> tuple[str, ...]:
        before, self._accounts[name] = self._accounts[name], _accounts(Stack(self._roots), name)
        return _differences(before, self._accounts[name])

    def _units(self, changes: Changes) -> tuple[str, ...]:
        told = []
        came = (*changes.added, *(item.path for item in changes.changed if "type" in item.fields))
        for path in came:
            if found := _WANTED.fullmatch(path):
                told.append(f"enabled {found['unit']}")
            elif found := _DEFINED.fullmatch(path):
                told.append(f"{'masked ' if self._is_masked(path) else '+'}{found['unit']}")
        for path in changes.removed:
            if found := _WANTED.fullmatch(path):
                told.append(f"disabled {found['unit']}")
            elif found := _DEFINED.fullmatch(path):
                told.append(f"-{found['unit']}")
        told += [
            f"~{found['unit']}"
            for item in changes.changed
            if (found := _DEFINED.fullmatch(item.path)) and item.path not in came
        ]
        return tuple(sorted(set(told)))

    def _is_masked(self, path: str) -> bool:
        place = self._upper / path.lstrip("/")
        return place.is_symlink() and str(place.readlink()) == _NOWHERE


def _packages(stack: Stack) -> Mapping[str, str]:
    """Versions by name; the name says the architecture too where several have it installed."""
    found = [package for read in SYSTEM_READERS.values() for package in read(stack).packages]
    times = Counter(package.name for package in found)
    return {item.name if times[item.name] == 1 else f"{item.name}:{item.architecture}": item.version for item in found}


def _accounts(stack: Stack, name: str) -> Mapping[str, str]:
    """The lines of an account file by the names that they begin with."""
    try:
        text = (stack.read(f"etc/{name}") or b"").decode(errors="surrogateescape")
    except OSError:
        return {}
    return {line.partition(":")[0]: line for line in text.splitlines() if ":" in line}


def _differences(before: Mapping[str, str], now: Mapping[str, str], *, versions: bool = False) -> tuple[str, ...]:
    gone = [f"-{name} {before[name]}" if versions else f"-{name}" for name in before.keys() - now.keys()]
    came = [f"+{name} {now[name]}" if versions else f"+{name}" for name in now.keys() - before.keys()]
    other = [name for name in before.keys() & now.keys() if before[name] != now[name]]
    return tuple(
        sorted([*gone, *came, *(f"~{name} {before[name]} -> {now[name]}" if versions else f"~{name}" for name in other)])
    )


def _united(users: tuple[str, ...], passwords: tuple[str, ...]) -> tuple[str, ...]:
    """A new user has a new password too: that is told once."""
    named = {item[1:] for item in users}
    return tuple(sorted({*users, *(f"~{item[1:]}" for item in passwords if item[1:] not in named)}))
