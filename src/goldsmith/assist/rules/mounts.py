"""Mounts, file systems and swap. What a script mounts stands in no fstab, so the tasks leave that file alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from goldsmith.assist import guards
from goldsmith.assist.commands import Argument, Command, Word
from goldsmith.assist.rules.options import Grammar, Parsed, text
from goldsmith.assist.tasks import Converted, Inexact, Outcome, Rule, Task

_MOUNT = Grammar.of(
    """
    -a --all, -t= --types=, -o= --options=, -B --bind, -R --rbind, -r --read-only, -w --rw --read-write, -n --no-mtab,
    -v --verbose, -L= --label=, -U= --uuid=, -m --mkdir, --make-private, --make-rprivate, --make-slave, --make-rslave,
    --make-shared, --make-rshared, --source=, --target=, -M --move, -O=, -s
    """
)
_MODULE = "ansible.posix.mount"


def _mount(command: Command) -> Outcome:
    parsed = _MOUNT.parse(command)
    parsed.only("-t", "-o", "-B", "-R", "-r", "-w", "-n", "-v")
    options = _options(parsed)
    if "remount" in options:
        return Converted((_remount(command, parsed, options),))
    if len(parsed.operands) != 2:
        raise Inexact("what is mounted where stands in /etc/fstab")
    source, path = parsed.operands
    if source.glob or path.glob:
        raise Inexact("what is mounted is known only on the machine")
    kind: Argument = parsed.value("-t") or ("none" if "bind" in options or "rbind" in options else "auto")
    args: dict[str, Argument] = {"src": source, "path": command.path(path), "fstype": kind, "state": "ephemeral"}
    if options:
        args["opts"] = _joined(parsed, options)
    return Converted((Task(f"Mount {source.label}", _MODULE, args, "mounts.mount"),))


def _options(parsed: Parsed) -> list[str]:
    options = [part for value in parsed.values("-o") for part in (value.text or value.label).split(",")]
    flags = {"-B": "bind", "-R": "rbind", "-r": "ro", "-w": "rw"}
    return options + [name for option, name in flags.items() if parsed.has(option)]


def _joined(parsed: Parsed, options: list[str]) -> Argument:
    values = parsed.values("-o")
    if all(value.text is not None for value in values):
        return ",".join(options)
    if len(values) == 1 and not parsed.has("-B", "-R", "-r", "-w"):
        return values[0]
    raise Inexact("several lists of mount options are known only on the machine")


def _remount(command: Command, parsed: Parsed, options: list[str]) -> Task:
    if len(parsed.operands) != 1:
        raise Inexact("a module mounts again by the path only")
    path = command.path(parsed.operands[0])
    rest = ",".join(option for option in options if option != "remount")
    args: dict[str, Argument] = {"path": path, "state": "remounted"}
    if rest:
        args["opts"] = rest
    return Task(f"Mount {path.label} again", _MODULE, args, "mounts.remount")


def _umount(command: Command) -> Outcome:
    parsed = Grammar.of(
        """
        -l --lazy, -f --force, -R --recursive, -a --all, -d --detach-loop, -n, -r, -v, -q --quiet, -A --all-targets,
        -t= --types=
        """
    ).parse(command)
    if not parsed.operands:
        raise Inexact("it names no path")
    if parsed.has("-l", "-f", "-R") or any(path.startswith("/dev/") for path in parsed.operands):
        return _umount_found(command, parsed)
    parsed.only("-d", "-n", "-v", "-q")
    tasks = []
    for path in parsed.operands:
        if path.glob:
            raise Inexact("which paths are meant is known only on the machine")
        args: dict[str, Argument] = {"path": command.path(path), "state": "unmounted"}
        tasks.append(Task(f"Unmount {path.label}", _MODULE, args, "mounts.umount"))
    return Converted(tuple(tasks))


def _umount_found(command: Command, parsed: Parsed) -> Outcome:
    """In ways that the module does not know: where something is mounted."""
    if len(parsed.operands) != 1 or parsed.has("-a", "-A"):
        raise Inexact("a task unmounts one path, or one device")
    path = parsed.operands[0]
    known = guards.registered(command, "mounted")
    words: list[str | Word] = ["findmnt", path]
    look = guards.query(command, f"Look whether {path.label} is mounted", "mounts.findmnt", words, register=known)
    return Converted((look, guards.run(command, f"Unmount {path.label}", "mounts.umount-found", when=(f"{known}.rc == 0",))))


def _swapon(command: Command) -> Outcome:
    parsed = Grammar.of("-a --all", "-p= --priority=", "-d? --discard?", "-v --verbose", "-f --fixpgsz", "-e").parse(command)
    parsed.only("-p", "-v", "-d")
    tasks: list[Task] = []
    for number, path in enumerate(parsed.operands):
        known = guards.registered(command, f"swap_{number}")
        words: list[str | Word] = ["swapon", "--show=NAME", "--noheadings"]
        tasks.append(guards.query(command, "Look up what is swapped to", "mounts.swaps", words, register=known))
        when = f"{guards.expression(command.path(path))} not in {known}.stdout_lines"
        tasks.append(guards.run(_with(command, path, parsed), f"Swap to {path.label}", "mounts.swapon", when=(when,)))
    if not tasks:
        raise Inexact("what is swapped to stands in /etc/fstab")
    return Converted(tuple(tasks))


def _with(command: Command, path: Word, parsed: Parsed) -> Command:
    gone = [word for word in parsed.operands if word is not path]
    return replace(command, args=tuple(word for word in command.args if not any(word is other for other in gone)))


def _mkswap(command: Command) -> Outcome:
    parsed = Grammar.of("-f --force", "-L= --label=", "-U= --uuid=", "-c --check", "-p= --pagesize=", "-q --quiet").parse(
        command
    )
    if len(parsed.operands) != 1:
        raise Inexact("it names no file or device")
    path = parsed.operands[0]
    known = guards.registered(command, "swap")
    words: list[str | Word] = ["blkid", "-p", "-o", "value", "-s", "TYPE", path]
    look = guards.query(command, f"Look up what {path.label} holds", "mounts.signature", words, register=known)
    make = guards.run(command, f"Make {path.label} a swap area", "mounts.mkswap", when=(f"{known}.stdout != 'swap'",))
    return Converted((look, make))


def _fallocate(command: Command) -> Outcome:
    parsed = Grammar.of("-l= --length=", "-o= --offset=", "-x --posix", "-v --verbose", "-n --keep-size").parse(command)
    parsed.only("-l", "-x", "-v")
    if len(parsed.operands) != 1:
        raise Inexact("it names no file")
    path = command.path(parsed.operands[0])
    return Converted((guards.run(command, f"Reserve space for {path.label}", "mounts.fallocate", creates=path),))


_MKFS = Grammar.of("-t= --type=, -F, -f, -L=, -U=, -m=, -q, -V --verbose, -O=, -E=, -b=, -i=, -N=, -I=")
_FORCED = {"-F", "-f"}


def _mkfs(command: Command) -> Outcome:
    """`filesystem` passes its options on, and leaves a device alone that has this file system."""
    parsed = _MKFS.parse(command)
    kind = command.name.partition(".")[2] or (text(value) if (value := parsed.value("-t")) else "ext2")
    if kind not in ("ext2", "ext3", "ext4", "xfs", "btrfs", "vfat", "swap", "f2fs") or len(parsed.operands) != 1:
        raise Inexact(f"no module makes the file system {kind}, or the device is not the only operand")
    options: list[str] = []
    for option in parsed.options:
        if option.name not in ("-t", *_FORCED):
            options += [option.name] if option.value is None else [option.name, text(option.value)]
    device = parsed.operands[0]
    args: dict[str, Argument] = {"fstype": kind, "dev": device}
    if options:
        args["opts"] = " ".join(options)
    if any(option.name in _FORCED for option in parsed.options):
        args["force"] = True
    return Converted((Task(f"Make a file system on {device.label}", "community.general.filesystem", args, "mounts.mkfs"),))


RULES: Mapping[str, Rule] = {
    "mount": _mount,
    "umount": _umount,
    "swapon": _swapon,
    "mkswap": _mkswap,
    "fallocate": _fallocate,
    "mkfs": _mkfs,
    "mkfs.ext2": _mkfs,
    "mkfs.ext3": _mkfs,
    "mkfs.ext4": _mkfs,
    "mkfs.xfs": _mkfs,
    "mkfs.btrfs": _mkfs,
    "mkfs.vfat": _mkfs,
}
