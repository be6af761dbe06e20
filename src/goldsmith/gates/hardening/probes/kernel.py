"""Probes of what the kernel is told: parameters, modules, command line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fnmatch import fnmatchcase

from goldsmith.gates.hardening.scene import Arguments, Fault, Scene, holds

SYSCTL_PLACES = ("etc/sysctl.d", "run/sysctl.d", "usr/local/lib/sysctl.d", "usr/lib/sysctl.d")
MODPROBE_PLACES = ("etc/modprobe.d", "run/modprobe.d", "usr/local/lib/modprobe.d", "usr/lib/modprobe.d")


def drop_ins(scene: Scene, places: tuple[str, ...]) -> list[str]:
    """The files that count, in their order: a name in an earlier place hides the same name in later ones."""
    found: dict[str, str] = {}
    for place in places:
        for path in scene.tree.glob(f"{place}/*.conf"):
            found.setdefault(path.rpartition("/")[2], path)
    return [found[name] for name in sorted(found)]


def read_sysctl(scene: Scene) -> dict[str, tuple[str, str, int]]:
    """Value, file and line of each parameter as systemd-sysctl applies them: the last one counts."""
    values: dict[str, tuple[str, str, int]] = {}
    for path in drop_ins(scene, SYSCTL_PLACES):
        for number, line in scene.lines(path):
            name, equals, value = line.lstrip("-").partition("=")
            if equals:
                key = _key(name.strip())
                values.pop(key, None)
                values[key] = (" ".join(value.split()), path, number)
    return values


def _key(name: str) -> str:
    """With the separators that systemd takes: when the first one is a slash, slashes separate and dots stay."""
    first = re.search(r"[./]", name)
    if first is not None and first[0] == "/":
        return name.replace(".", "\0").replace("/", ".").replace("\0", "/")
    return name


def sysctl(scene: Scene, arguments: Arguments) -> Iterator[Fault]:
    """Each parameter is set as wanted. A name without signs counts before one with `*`, which never goes past a dot."""
    values = read_sysctl(scene)
    patterns = [key for key in values if any(sign in key for sign in "*?[")]
    for name, wanted in arguments.table("values").items():
        key = name if name in values else next((item for item in reversed(patterns) if _fits(name, item)), "")
        value, path, line = values.get(key, ("", "etc/sysctl.d", 0))
        if not holds(value, wanted):
            yield Fault(f"{name} is {value or 'not set'}, {wanted} is wanted", path, line)


def _fits(name: str, pattern: str) -> bool:
    parts, wanted = name.split("."), pattern.split(".")
    return len(parts) == len(wanted) and all(map(fnmatchcase, parts, wanted))


def modules_off(scene: Scene, arguments: Arguments) -> Iterator[Fault]:
    """Each module is blocked twice: `install X /bin/false` and `blacklist X`."""
    installs: dict[str, str] = {}
    blacklisted: set[str] = set()
    for path in drop_ins(scene, MODPROBE_PLACES):
        for _, line in scene.lines(path):
            words = line.split()
            if words[0] == "install" and len(words) > 2:
                installs[words[1].replace("-", "_")] = words[2]
            elif words[0] == "blacklist" and len(words) > 1:
                blacklisted.add(words[1].replace("-", "_"))
    for module in arguments.texts("modules"):
        name = module.replace("-", "_")
        command = installs.get(name, "")
        if command.rpartition("/")[2] not in ("false", "true") or name not in blacklisted:
            yield Fault(f"the module {module} can be loaded: it needs `install {module} /bin/false` and `blacklist {module}`")


def command_line(scene: Scene, arguments: Arguments) -> Iterator[Fault]:
    """The kernel is started with each of `words`."""
    found = set(scene.subject.boot.get("cmdline", "").split())
    for path in ["etc/default/grub", *scene.tree.glob("etc/default/grub.d/*.cfg"), "etc/kernel/cmdline"]:
        for _, text in scene.lines(path):
            name, equals, value = text.partition("=")
            if path.endswith("/cmdline"):
                found |= set(text.split())
            elif equals and name in ("GRUB_CMDLINE_LINUX", "GRUB_CMDLINE_LINUX_DEFAULT"):
                found |= set(value.strip("\"'").split())
    for word in arguments.texts("words"):
        if word not in found:
            yield Fault(f"the kernel's command line has no {word}", "etc/default/grub")
    for word in arguments.texts("never"):
        if word in found:
            yield Fault(f"the kernel's command line has {word}", "etc/default/grub")
