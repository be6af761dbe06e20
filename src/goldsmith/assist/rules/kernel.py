"""The running kernel: parameters, modules and modules that dkms builds. Nothing of it but dkms is left in an image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from goldsmith.assist import guards
from goldsmith.assist.commands import Argument, Command, Word
from goldsmith.assist.rules.options import Grammar, text
from goldsmith.assist.tasks import Converted, Inexact, Outcome, Rule, Task

_SYSCTL = Grammar.of("-w --write, -q --quiet, -e --ignore, -p? --load?, --system, -a --all, -n --values, -N --names, -b, -f")


def _sysctl(command: Command) -> Outcome:
    """`-p` and `--system` read the files again; a value that is only set lives until the machine stops, and in no file."""
    parsed = _SYSCTL.parse(command)
    if parsed.has("-p", "--system"):
        return Converted((guards.run(command, "Read the kernel's parameters", "kernel.sysctl-read", kind="handler"),))
    tasks: list[Task] = []
    for number, word in enumerate(parsed.operands):
        key, equals, value = text(word).partition("=") if word.text is not None else word.label.partition("=")
        if not equals:
            raise Inexact("sysctl without a value only shows one")
        now = guards.registered(command, f"sysctl_{number}")
        key = key.strip()
        wanted = word.after(word.label.partition("=")[0] + "=") if word.text is None else Word.of(value)
        look = guards.query(command, f"Look up {key}", "kernel.sysctl-value", ["sysctl", "-n", key], register=now)
        tasks.append(look)
        when = f"{now}.stdout.split() != ({guards.expression(wanted)}).split()"
        tasks.append(guards.run(_alone(command, word), f"Set {key}", "kernel.sysctl-set", when=(when,)))
    return Converted(tuple(tasks))


def _alone(command: Command, word: Word) -> Command:
    return replace(command, args=(Word.of("-w"), word))


_MODPROBE = Grammar.of("-a --all, -r --remove, -q --quiet, -v --verbose, -f --force, -i --ignore-install, -b, -S=")


def _modprobe(command: Command) -> Outcome:
    parsed = _MODPROBE.parse(command)
    parsed.only("-a", "-r", "-q", "-v", "-b")
    if not parsed.operands:
        raise Inexact("it names no module")
    if parsed.has("-r"):
        return Converted(tuple(_module(name, {"state": "absent"}, "Unload") for name in parsed.operands))
    if parsed.has("-a") or len(parsed.operands) == 1:
        return Converted(tuple(_module(name, {"state": "present"}, "Load") for name in parsed.operands))
    name, *params = parsed.operands
    joined = params[0]
    for param in params[1:]:
        joined = joined + Word.of(" ") + param
    return Converted((_module(name, {"state": "present", "params": joined}, "Load"),))


def _rmmod(command: Command) -> Outcome:
    parsed = Grammar.of("-f --force", "-v --verbose", "-s --syslog").parse(command)
    parsed.only("-v", "-s")
    return Converted(tuple(_module(name, {"state": "absent"}, "Unload") for name in parsed.operands))


def _module(name: Word, args: Mapping[str, Argument], words: str) -> Task:
    task = f"{words} the kernel module {name.label}"
    return Task(task, "community.general.modprobe", {"name": name, **args}, "kernel.modprobe")


_DKMS = Grammar.of(
    """
    -m=, -v=, -k= --kernelver=, -a= --arch=, --all, --force, --no-depmod, --no-initrd, --no-clean-kernel, -q --quiet,
    --verbose, -j=, --no-prepare-kernel, --kernelsourcedir=, -c=, --dkmstree=, --sourcetree=
    """
)
# What `dkms status` says once the verb has done its work; building and installing include what comes before.
_DONE: Mapping[str, tuple[str, ...]] = {
    "add": ("added", "built", "installed"),
    "build": ("built", "installed"),
    "install": ("installed",),
}


def _dkms(command: Command) -> Outcome:
    parsed = _DKMS.parse(command)
    verb = text(parsed.operands[0]) if parsed.operands else ""
    if verb == "autoinstall":
        return Converted((guards.run(command, "Build the kernel modules", "kernel.dkms-autoinstall", kind="handler"),))
    if verb not in (*_DONE, "remove"):
        raise Inexact(f"what dkms {verb} leaves behind is not known")
    words: list[str | Word] = ["dkms", "status"]
    for option in ("-m", "-v", "-k"):
        value = parsed.value(option)
        if value is not None:
            words += [option, value]
    named = parsed.operands[1:]
    if len(named) > 1 or (named and (named[0].startswith("/") or named[0].startswith("."))) or (not named and len(words) == 2):
        raise Inexact("which module is meant stands in a file, or is not known")
    words += named
    known = guards.registered(command, "dkms")
    label = (parsed.value("-m") or (named[0] if named else Word.of("modules"))).label
    look = guards.query(command, f"Look up the state of {label} in dkms", "kernel.dkms-status", words, register=known)
    done = f"{known}.stdout is search('{'|'.join(_DONE.get(verb, ()))}')"
    when = f"{known}.stdout | length > 0" if verb == "remove" else f"not {done}"
    return Converted((look, guards.run(command, f"{verb.capitalize()} {label} by dkms", f"kernel.dkms-{verb}", when=(when,))))


RULES: Mapping[str, Rule] = {
    "sysctl": _sysctl,
    "modprobe": _modprobe,
    "rmmod": _rmmod,
    "dkms": _dkms,
}
