"""What dpkg and debconf are told: package files, architectures, selections, diversions, answers to questions."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from goldsmith.assist.commands import Argument, Command, Text, Word
from goldsmith.assist.rules.globs import over
from goldsmith.assist.rules.lines import lines_of
from goldsmith.assist.rules.options import Grammar, text, texts
from goldsmith.assist.rules.package_lists import package_lists
from goldsmith.assist.rules.packages_apt import APT, package_file, selections
from goldsmith.assist.rules.paths import absolute
from goldsmith.assist.rules.phrases import said
from goldsmith.assist.tasks import Converted, Inexact, Outcome, Rule, Task

COMMAND = "ansible.builtin.command"

_DPKG = Grammar.of(
    "-i --install",
    "-r --remove",
    "-P --purge",
    "-a --pending",
    "-E --skip-same-version",
    "-G --refuse-downgrade",
    "-B --auto-deconfigure",
    "-R --recursive",
    "--no-triggers",
    "--unpack",
    "--configure",
    "--add-architecture",
    "--remove-architecture",
    "--set-selections",
    "--clear-selections",
    "--no-debsig",
    "--no-pager",
    abbreviates=False,
)
_ACTIONS = (
    *("-i", "-r", "-P", "--configure", "--add-architecture", "--remove-architecture", "--set-selections"),
    *("--unpack", "--clear-selections"),
)
_CONFFILES = frozenset({"confold", "confnew", "confdef", "confmiss", "overwrite"})
_DIVERT = Grammar.of(
    "--add",
    "--remove",
    "--rename",
    "--no-rename",
    "--local",
    "--package=",
    "--divert=",
    "--quiet",
    "--test",
    abbreviates=False,
)
_DEBCONF = Grammar.of("-v --verbose", "-u --unseen", "-c --checkonly")
_TYPES = frozenset(["boolean", "error", "multiselect", "note", "password", "seen", "select", "string", "text", "title"])


def _dpkg(command: Command) -> Outcome:
    forced = [word for word in command.args if word.startswith(("--force-", "--refuse-"))]
    parsed = _DPKG.parse(replace(command, args=tuple(word for word in command.args if word not in forced)))
    actions = [action for action in _ACTIONS if parsed.has(action)]
    if len(actions) != 1:
        raise Inexact("it names no action, or several")
    parsed.only(actions[0], "-a", "-E", "-G", "-B", "--no-debsig", "--no-pager")
    action, operands = actions[0], parsed.operands
    if action == "-i":
        common = _forced(texts(forced))
        return Converted(over(command, operands, "packages_dpkg.install", package_file(common)))
    if forced and action in ("-r", "-P"):
        raise Inexact("a package is removed although others need it")
    if action in ("-r", "-P"):
        return Converted(tuple(_removals(operands, is_purge=action == "-P")))
    if action == "--configure" and parsed.has("-a"):
        return Converted((_configure(command, texts(forced)),))
    if action.endswith("-architecture"):
        return Converted(tuple(_architectures(command, action, operands)))
    if action == "--set-selections" and command.stdin is not None:
        return Converted(tuple(selections(command, tuple(_chosen(command.stdin)))))
    raise Inexact(f"no task does what dpkg {action} does")


def _forced(options: Sequence[str]) -> dict[str, Argument]:
    wanted = [item for option in options for item in option.removeprefix("--force-").split(",")]
    others = [item for item in wanted if item not in _CONFFILES]
    if others or any(option.startswith("--refuse-") for option in options):
        raise Inexact(f"the module does not force {' and '.join(others) or 'less'}")
    return {"dpkg_options": ",".join(f"force-{item}" for item in wanted)} if wanted else {}


def _removals(names: Sequence[Word], *, is_purge: bool) -> Iterator[Task]:
    if not names:
        raise Inexact("it names no package")
    purged: dict[str, Argument] = {"purge": True} if is_purge else {}
    for packages in package_lists(names):
        state: dict[str, Argument] = {"name": packages.names, "state": "absent", **purged}
        yield Task(f"Remove {packages.label}", APT, state, "packages_dpkg.remove")


def _configure(command: Command, forced: Sequence[str]) -> Task:
    register = f"configured_{command.id}"
    return Task(
        "Configure all packages that are unpacked",
        COMMAND,
        {"argv": ("dpkg", *forced, "--configure", "-a")},
        "packages_dpkg.configure",
        kind="guard",
        register=register,
        changed_when=f"{register}.stdout | length > 0",
        environment={"DEBIAN_FRONTEND": "noninteractive"},
    )


def _architectures(command: Command, action: str, names: Sequence[Word]) -> Iterator[Task]:
    if command.context.loop is not None:
        raise Inexact("an architecture is added in each round of a loop")
    register = f"architectures_{command.id}"
    yield Task(
        "Look up the foreign architectures",
        COMMAND,
        {"argv": ("dpkg", "--print-foreign-architectures")},
        "packages_dpkg.architectures",
        kind="guard",
        register=register,
        changed_when=False,
    )
    verb, absence = ("Add", " not") if action.startswith("--add") else ("Remove", "")
    for name in texts(names):
        yield Task(
            f"{verb} the architecture {name}",
            COMMAND,
            {"argv": ("dpkg", action, name)},
            "packages_dpkg.architecture",
            kind="guard",
            changed_when=True,
            when=(f"'{name}'{absence} in {register}.stdout_lines",),
        )


def _chosen(lines: Word) -> Iterator[tuple[Word, str]]:
    for line in filter(_is_meant, lines_of(lines)):
        name, *selection = text(line).split()
        if selection not in (["hold"], ["install"], ["deinstall"], ["purge"]):
            raise Inexact(f"{line.label} is no selection of a package")
        yield Word.of(name), selection[0]


def _is_meant(line: Word) -> bool:
    """Whether a line is neither empty nor a comment."""
    return (line.text is None or line.text.strip() != "") and not line.startswith("#")


def _debconf(command: Command) -> Outcome:
    parsed = _DEBCONF.parse(command)
    parsed.only("-v", "-u")
    if parsed.operands or command.stdin is None:
        raise Inexact("the answers are not in the script")
    if command.context.loop is not None and command.stdin.text is not None:
        raise Inexact("the same answers are given in each round of a loop")
    unseen: dict[str, Argument] = {"unseen": True} if parsed.has("-u") else {}
    return Converted(tuple(_answer(line, unseen) for line in lines_of(command.stdin) if _is_meant(line)))


def _answer(line: Word, unseen: Mapping[str, Argument]) -> Task:
    """One line: package, question, type and value; only the value may be what the playbook knows."""
    first = line.pieces[0] if line.pieces else None
    match = re.match(r"\s*(\S+)[ \t]+(\S+)[ \t]+(\S+)[ \t]*", first.value if isinstance(first, Text) else "")
    if match is None or match[3] not in _TYPES:
        raise Inexact(f"{line.label} is no answer to a question of a package")
    value = line.after(match[0])
    arguments: dict[str, Argument] = {"name": match[1], "question": match[2], "vtype": match[3], "value": value, **unseen}
    return Task(
        f"Answer {match[2]} of {match[1]}",
        "ansible.builtin.debconf",
        arguments,
        "packages_dpkg.debconf",
        no_log=match[3] == "password",
    )


def _divert(command: Command) -> Outcome:
    parsed = _DIVERT.parse(command)
    if len(parsed.operands) != 1:
        raise Inexact("it names no file to divert")
    path = absolute(command, parsed.operands[0])
    arguments: dict[str, Argument] = {"path": path}
    if parsed.has("--remove"):
        arguments["state"] = "absent"
    for option, name in (("--divert", "divert"), ("--package", "holder")):
        value = parsed.value(option)
        if value is not None:
            arguments[name] = value
    if parsed.has("--rename"):
        arguments["rename"] = True
    parsed.only("--add", "--remove", "--rename", "--no-rename", "--local", "--package", "--divert", "--quiet")
    verb = "Stop diverting" if parsed.has("--remove") else "Divert"
    return Converted((Task(f"{verb} {said([path])}", "community.general.dpkg_divert", arguments, "packages_dpkg.divert"),))


RULES: Mapping[str, Rule] = {"dpkg": _dpkg, "debconf-set-selections": _debconf, "dpkg-divert": _divert}
