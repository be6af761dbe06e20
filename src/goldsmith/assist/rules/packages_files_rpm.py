"""Package files and keys that rpm itself is given."""

from __future__ import annotations

from collections.abc import Mapping

from goldsmith.assist.commands import Argument, Command, Word
from goldsmith.assist.rules.globs import matches, over
from goldsmith.assist.rules.options import Grammar
from goldsmith.assist.rules.package_lists import holds_several, package_lists
from goldsmith.assist.rules.packages_rpm import DNF
from goldsmith.assist.rules.paths import absolute
from goldsmith.assist.rules.phrases import said, shortened
from goldsmith.assist.tasks import Converted, Dropped, Inexact, Outcome, Rule, Task

_RPM = Grammar.of(
    """
    -i --install, -U --upgrade, -F --freshen, -e --erase, -v --verbose, -h --hash, --percent, --quiet, --import, --test,
    --nodeps, --force, --replacepkgs, --replacefiles, --oldpackage, --nosignature, --nodigest, --noscripts, --notriggers,
    --allmatches, --excludedocs, --includedocs, --justdb, --root=, --prefix=, --relocate=, --define= -D=, --ignorearch,
    --ignoreos, --ignoresize, --noorder, --rebuilddb, --initdb, --allfiles, --setperms, --setugids, --reinstall
    """
)
_HARMLESS = ("-v", "-h", "--percent", "--quiet", "--nosignature", "--nodigest", "--replacepkgs", "--ignoresize")


def _rpm(command: Command) -> Outcome:
    parsed = _RPM.parse(command)
    if parsed.has("--test"):
        return Dropped("packages_files_rpm.test", "it only says what it would do")
    if parsed.has("--import"):
        parsed.only("--import", *_HARMLESS)
        return Converted(_keys(command, parsed.operands))
    if not parsed.operands:
        raise Inexact("it names no package")
    if parsed.has("-e"):
        parsed.only("-e", "--allmatches", *_HARMLESS)
        return Converted(
            tuple(
                Task(f"Remove {packages.label}", DNF, {"name": packages.names, "state": "absent"}, "packages_files_rpm.remove")
                for packages in package_lists(parsed.operands)
            )
        )
    if not parsed.has("-i", "-U"):
        raise Inexact("no task does what rpm does here")
    parsed.only("-i", "-U", *_HARMLESS)
    return Converted(tuple(_installed(command, parsed.operands)))


def _installed(command: Command, operands: tuple[Word, ...]) -> list[Task]:
    """rpm takes packages whose signatures nobody can check; the module does when it is told."""
    tasks: list[Task] = []
    plain = [
        word if holds_several(word) or _is_address(word) else absolute(command, word) for word in operands if not word.glob
    ]
    for packages in package_lists(plain):
        arguments: dict[str, Argument] = {"name": packages.names, "state": "present", "disable_gpg_check": True}
        tasks.append(Task(f"Install {packages.label}", DNF, arguments, "packages_files_rpm.install"))
    for index, word in enumerate(word for word in operands if word.glob):
        finds, paths = matches(command, word, "packages_files_rpm.install", chr(ord("a") + index))
        every: dict[str, Argument] = {"name": paths, "state": "present", "disable_gpg_check": True}
        tasks += [*finds, Task(f"Install {shortened(word.label)}", DNF, every, "packages_files_rpm.install")]
    return tasks


def _keys(command: Command, operands: tuple[Word, ...]) -> tuple[Task, ...]:
    """Tasks that have keys trusted, which are files or addresses."""
    if not operands:
        raise Inexact("it names no key")
    files = [word for word in operands if not _is_address(word)]
    addresses = [word for word in operands if _is_address(word)]
    tasks = over(command, files, "packages_files_rpm.key", _key)
    return (*tasks, *(_key(word, said([word])) for word in addresses))


def _key(key: Word, label: str) -> Task:
    return Task(f"Trust the key {label}", "ansible.builtin.rpm_key", {"key": key, "state": "present"}, "packages_files_rpm.key")


def _is_address(word: Word) -> bool:
    return "://" in word.label


RULES: Mapping[str, Rule] = {"rpm": _rpm}
