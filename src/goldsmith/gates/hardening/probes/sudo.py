"""Probes of sudo: what its files say together, included directories in the order of sudoers(5)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from goldsmith.gates.hardening.scene import Arguments, Fault, Scene

MAIN = "etc/sudoers"


def sudoers_lines(scene: Scene, path: str = MAIN, depth: int = 0) -> Iterator[tuple[str, int, str]]:
    """(file, line, text) in the order in which sudo reads them; names with a dot or `~` in a directory do not count.

    `#` begins a comment unless a number follows: that is a user by uid.
    """
    if depth > 16:
        raise ValueError(f"/{path}: includes go in circles")
    # A joined line keeps its number: what it took in is left as empty lines.
    joined = re.sub(r"(?:.*\\\n)+.*", _one_line, scene.tree.text(path) or "")
    for number, text in enumerate(joined.splitlines(), 1):
        line = re.sub(r"(^|\s)#(?!\d|include).*", "", text).strip()
        include = re.match(r"[#@]include(dir)?\s+(\S+)", line)
        if include is None:
            if line:
                yield path, number, line
            continue
        place = include[2].strip('"')
        place = place if place.startswith("/") else f"{path.rpartition('/')[0]}/{place}"
        for found in scene.tree.glob(place + ("/*" if include[1] else "")):
            name = found.rpartition("/")[2]
            if not include[1] or not ("." in name or name.endswith("~")):
                yield from sudoers_lines(scene, found, depth + 1)


def _one_line(match: re.Match[str]) -> str:
    return match[0].replace("\\\n", " ") + "\n" * match[0].count("\n")


def _defaults(scene: Scene) -> dict[str, tuple[str, bool]]:
    """The global defaults: name, value, and whether they are on; later ones win."""
    found: dict[str, tuple[str, bool]] = {}
    for _, _, line in sudoers_lines(scene):
        if not re.match(r"Defaults\s", line):
            continue
        for item in re.findall(r'(?:[^,"]|"[^"]*")+', line[8:]):
            name, _, value = item.strip().partition("=")
            found[name.strip("! +-")] = (value.strip().strip('"'), not item.strip().startswith("!"))
    return found


def sudo_defaults(scene: Scene, arguments: Arguments) -> Iterator[Fault]:
    """One of `any_of` is on."""
    found = _defaults(scene)
    if not any(found.get(name, ("", False))[1] for name in arguments.texts("any_of")):
        yield Fault(f"no `Defaults {arguments.texts('any_of')[0]}`", MAIN)


def sudo_without(scene: Scene, arguments: Arguments) -> Iterator[Fault]:
    """No rule lets somebody act without a password."""
    for path, number, line in sudoers_lines(scene):
        if "NOPASSWD" in line or re.search(r"!\s*authenticate", line):
            yield Fault(f"no password is asked: {line[:80]}", path, number)
