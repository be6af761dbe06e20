"""Packages of Debian from repositories: apt-get, apt, aptitude, apt-mark."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TypeAlias

from goldsmith.assist.commands import Argument, Command, Text, Word
from goldsmith.assist.rules.apt_options import arguments, parse
from goldsmith.assist.rules.globs import over
from goldsmith.assist.rules.options import Grammar, Parsed, text
from goldsmith.assist.rules.package_lists import package_lists
from goldsmith.assist.rules.paths import ITEM
from goldsmith.assist.rules.phrases import said
from goldsmith.assist.tasks import Converted, Dropped, Inexact, Outcome, Rule, Task

APT = "goldsmith.image.apt"
UPDATE = Task("Update the package lists", APT, {"update_cache": True}, "packages_apt.update")

_Verb: TypeAlias = Callable[[Command, Parsed, Sequence[Word]], Outcome]
_MARK = Grammar.of("-q --quiet", "-y --yes --assume-yes", "-s --simulate", "-f= --file=", "-c= --config-file=", "-o= --option=")
_EXPRESSION = re.compile(r"[$^|()~]|\.[*+?]|\?[a-z]")


def _apt(command: Command) -> Outcome:
    parsed = parse(command)
    if not parsed.operands:
        raise Inexact("it names no action")
    verb, *names = parsed.operands
    action = _VERBS.get(text(verb))
    if action is None:
        raise Inexact(f"no task does what {command.name} {verb.label} does")
    if parsed.has("-s"):
        return Dropped("packages_apt.simulate", "it only says what it would do")
    if parsed.has("-d"):
        return Dropped("packages_apt.download", "it only fills the package cache, which no image keeps")
    return action(command, parsed, names)


def _install(command: Command, parsed: Parsed, names: Sequence[Word]) -> Outcome:
    common = arguments(parsed)
    files = [name for name in names if _is_file(name)]
    removed = [_before_sign(name) for name in names if (name.text or "").endswith("-")]
    wanted = [name for name in names if name not in files and not (name.text or "").endswith("-")]
    tasks: list[Task] = []
    for packages in package_lists([_before_sign(name) if (name.text or "").endswith("+") else name for name in wanted]):
        state: dict[str, Argument] = {"name": packages.names, "state": "present"}
        if parsed.has("--only-upgrade"):
            state |= {"state": "latest", "only_upgrade": True}
        elif parsed.has("-f"):
            state["state"] = "fixed"
        verb = "Upgrade" if parsed.has("--only-upgrade") else "Install"
        tasks.append(Task(f"{verb} {packages.label}", APT, {**state, **common}, "packages_apt.install"))
    tasks += over(command, files, "packages_apt.install-file", package_file(common))
    if removed:
        tasks.append(_removal(removed, said(removed), common))
    if not tasks and parsed.has("-f"):
        broken: dict[str, Argument] = {"name": (), "state": "fixed", **common}
        tasks.append(Task("Complete broken installations of packages", APT, broken, "packages_apt.fix-broken"))
    if not tasks:
        raise Inexact("it names no package")
    return Converted(_with_autoremove(tasks, parsed))


def package_file(common: Mapping[str, Argument]) -> Callable[[Word, str], Task]:
    """Makes the task that installs a package from a file."""
    return lambda path, label: Task(f"Install {label}", APT, {"deb": path, **common}, "packages_apt.install-file")


def _is_file(name: Word) -> bool:
    return name.startswith(("/", "./", "../")) or _ends_with_deb(name)


def _ends_with_deb(name: Word) -> bool:
    last = name.pieces[-1] if name.pieces else None
    return isinstance(last, Text) and last.value.endswith(".deb")


def _before_sign(name: Word) -> Word:
    return Word.of(text(name)[:-1])


def _remove(command: Command, parsed: Parsed, names: Sequence[Word]) -> Outcome:
    if any(name.text and (name.text.endswith("+") or _EXPRESSION.search(name.text)) for name in names):
        raise Inexact("which packages an expression names is apt's to say")
    common = arguments(parsed)
    if not names:
        raise Inexact("it names no package")
    purged: dict[str, Argument] = {"purge": True} if _purges(parsed) else {}
    tasks = [_removal(packages.names, packages.label, {**purged, **common}) for packages in package_lists(names)]
    return Converted(_with_autoremove(tasks, parsed))


def _purges(parsed: Parsed) -> bool:
    return parsed.has("--purge") or parsed.operands[0].text in ("purge", "autopurge")


def _removal(names: Argument, label: str, common: Mapping[str, Argument]) -> Task:
    return Task(f"Remove {label}", APT, {"name": names, "state": "absent", **common}, "packages_apt.remove")


def _with_autoremove(tasks: Sequence[Task], parsed: Parsed) -> tuple[Task, ...]:
    if not parsed.has("--auto-remove"):
        return tuple(tasks)
    return (*tasks[:-1], replace(tasks[-1], args={**tasks[-1].args, "autoremove": True}))


def _autoremove(command: Command, parsed: Parsed, names: Sequence[Word]) -> Outcome:
    given = arguments(parsed)
    removed: dict[str, Argument] = {"autoremove": True, **({"purge": True} if _purges(parsed) else {}), **given}
    if not names:
        return Converted((Task("Remove packages that nothing needs", APT, removed, "packages_apt.autoremove"),))
    return Converted(tuple(_removal(packages.names, packages.label, removed) for packages in package_lists(names)))


def _update(command: Command, parsed: Parsed, names: Sequence[Word]) -> Outcome:
    del command, parsed, names  # Options of an update say how lists are fetched, and all of them are fetched.
    return Converted((UPDATE,))


def _upgrade(kind: str) -> _Verb:
    def upgrade(command: Command, parsed: Parsed, names: Sequence[Word]) -> Outcome:
        common = arguments(parsed)
        if not names:
            rule = f"packages_apt.upgrade-{kind}"
            return Converted((Task("Upgrade all packages", APT, {"upgrade": kind, **common}, rule),))
        state: dict[str, Argument] = {"state": "latest", "only_upgrade": True, **common}
        return Converted(
            tuple(
                Task(f"Upgrade {packages.label}", APT, {"name": packages.names, **state}, "packages_apt.upgrade-some")
                for packages in package_lists(names)
            )
        )

    return upgrade


def _build_dependencies(command: Command, parsed: Parsed, names: Sequence[Word]) -> Outcome:
    common = arguments(parsed)
    return Converted(
        tuple(
            Task(
                f"Install what building {packages.label} needs",
                APT,
                {"name": packages.names, "state": "build-dep", **common},
                "packages_apt.build-dep",
            )
            for packages in package_lists(names)
        )
    )


def _clean(command: Command, parsed: Parsed, names: Sequence[Word]) -> Outcome:
    del command, parsed, names
    return Dropped("pipeline.package-cache", "sealing removes the package cache of every image")


def _hold(selection: str) -> _Verb:
    def hold(command: Command, parsed: Parsed, names: Sequence[Word]) -> Outcome:
        return Converted(tuple(selections(command, [(name, selection) for name in names])))

    return hold


def selections(command: Command, wanted: Sequence[tuple[Word, str]]) -> Iterator[Task]:
    """Tasks that say of packages how dpkg and apt treat them: hold, install, deinstall, purge."""
    for selection in dict.fromkeys(selection for _, selection in wanted):
        names = [replace(name, glob=False) for name, chosen in wanted if chosen == selection]
        verb = {"hold": "Hold", "install": "Let upgrades change"}.get(selection, f"Select for {selection}:")
        for packages in package_lists(names):
            task = partial(_selection, selection, f"{verb} {packages.label}")
            if isinstance(packages.names, tuple) and (len(packages.names) == 1 or command.context.loop is not None):
                yield from (task(name) for name in packages.names)
            elif command.context.loop is not None:
                raise Inexact("a list of packages is held in each round of a loop, and a task loops once")
            else:
                yield replace(task(ITEM), loop=packages.names)


def _selection(selection: str, said_as: str, name: Argument) -> Task:
    arguments_: dict[str, Argument] = {"name": name, "selection": selection}
    return Task(said_as, "ansible.builtin.dpkg_selections", arguments_, "packages_apt.selection")


def _mark(command: Command) -> Outcome:
    parsed = _MARK.parse(command)
    parsed.only("-q", "-y")
    if not parsed.operands:
        raise Inexact("it names no action")
    verb, *names = parsed.operands
    if not names:
        raise Inexact("it names no package")
    action = text(verb)
    if action in ("hold", "unhold"):
        chosen = "hold" if action == "hold" else "install"
        return Converted(tuple(selections(command, [(name, chosen) for name in names])))
    if action not in ("auto", "manual"):
        raise Inexact(f"no task does what apt-mark {action} does")
    register = f"marked_{command.id}"
    told = f"{register}.stdout_lines | reject('search', ' already ') | list | length > 0"
    arguments_: dict[str, Argument] = {"argv": ("apt-mark", action, *(replace(name, glob=False) for name in names))}
    how = "automatically" if action == "auto" else "manually"
    return Converted(
        (
            Task(
                f"Mark {said(names)} as {how} installed",
                "ansible.builtin.command",
                arguments_,
                "packages_apt.mark",
                kind="guard",
                register=register,
                changed_when=told,
                environment={"LC_ALL": "C"},
            ),
        )
    )


_VERBS: Mapping[str, _Verb] = {
    "install": _install,
    "remove": _remove,
    "purge": _remove,
    "autoremove": _autoremove,
    "auto-remove": _autoremove,
    "autopurge": _autoremove,
    "update": _update,
    "upgrade": _upgrade("safe"),
    "safe-upgrade": _upgrade("safe"),
    "dist-upgrade": _upgrade("dist"),
    "full-upgrade": _upgrade("dist"),
    "build-dep": _build_dependencies,
    "clean": _clean,
    "autoclean": _clean,
    "auto-clean": _clean,
    "distclean": _clean,
    "hold": _hold("hold"),
    "unhold": _hold("install"),
}

RULES: Mapping[str, Rule] = {"apt-get": _apt, "apt": _apt, "aptitude": _apt, "apt-mark": _mark}
