"""Packages of Red Hat's and its kin: dnf, yum, microdnf, tdnf, rpm."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeAlias

from goldsmith.assist import guards
from goldsmith.assist.commands import Argument, Command, Text, Word
from goldsmith.assist.rules.globs import matches
from goldsmith.assist.rules.options import Grammar, Parsed, text
from goldsmith.assist.rules.package_lists import package_lists
from goldsmith.assist.rules.paths import absolute
from goldsmith.assist.rules.phrases import said, shortened
from goldsmith.assist.rules.repositories_rpm import configured, copr, locked
from goldsmith.assist.tasks import Converted, Dropped, Inexact, Outcome, Rule, Task

DNF = "goldsmith.image.dnf"

Verb: TypeAlias = Callable[[Command, Parsed, Sequence[Word]], Outcome]

GRAMMAR = Grammar.of(
    """
    -y --assumeyes, --assumeno, -q --quiet, -v --verbose, -C --cacheonly, -d= --debuglevel=, -e= --errorlevel=, -b --best,
    --nobest, --allowerasing, --skip-broken, --nogpgcheck --no-gpgchecks, --nodocs, --noplugins, -R= --randomwait=,
    --enablerepo= --enable-repo=, --disablerepo= --disable-repo=, --repo= --repoid=, --from-repofile=, --setopt=,
    -x= --exclude= --excludepkgs=, --releasever=, --installroot=, -c= --config=, --downloadonly, --downloaddir= --destdir=,
    --security, --sec-severity=,
    --refresh, --disableexcludes= --disableexcludepkgs=, --enableplugin=, --disableplugin=, --forcearch=, --obsoletes,
    --noautoremove, --allowdowngrade, --bugfix, --advisory= --advisories=, --color=, --arch=, --save, --add-repo=,
    --set-enabled --enable, --set-disabled --disable, --dump, --repofrompath=, --with-optional, --skip-unavailable,
    --tolerant, --rpmverbosity=, --disable-plugin=, --enable-plugin=, --nodeps, --best-effort
    """
)
_HARMLESS = (
    *("-y", "-q", "-v", "-d", "-e", "-R", "--noplugins", "--refresh", "--color", "--obsoletes", "--noautoremove"),
    *("--disableplugin", "--enableplugin", "--tolerant", "--rpmverbosity", "--disable-plugin", "--enable-plugin"),
)
_QUIET_SETTINGS = frozenset(
    {"skip_if_unavailable", "retries", "timeout", "fastestmirror", "max_parallel_downloads", "minrate", "keepcache"}
)
"""What changes how packages are fetched, and not which."""
_LISTS = {"--enablerepo": "enablerepo", "--disablerepo": "disablerepo", "-x": "exclude"}
_FLAGS = {
    "--allowerasing": "allowerasing",
    "--skip-broken": "skip_broken",
    "--skip-unavailable": "skip_broken",
    "--nogpgcheck": "disable_gpg_check",
    "-C": "cacheonly",
    "--security": "security",
    "--bugfix": "bugfix",
    "--nobest": "nobest",
    "-b": "best",
}
_VALUES = {
    "--releasever": "releasever",
    "--installroot": "installroot",
    "-c": "conf_file",
    "--disableexcludes": "disable_excludes",
}


def _dnf(command: Command) -> Outcome:
    parsed = GRAMMAR.parse(command)
    if not parsed.operands:
        raise Inexact("it names no action")
    verb, *names = parsed.operands
    action = _VERBS.get(text(verb))
    if action is None:
        raise Inexact(f"no task does what {command.name} {verb.label} does")
    if parsed.has("--assumeno"):
        return Dropped("packages_rpm.simulate", "it only says what it would do")
    return action(command, parsed, names)


def _arguments(parsed: Parsed) -> dict[str, Argument]:
    parsed.only(*_HARMLESS, *_LISTS, *_FLAGS, *_VALUES, "--setopt", "--repo")
    found: dict[str, Argument] = {name: True for option, name in _FLAGS.items() if parsed.has(option)}
    for option, name in _LISTS.items():
        values = parsed.values(option)
        if values:
            found[name] = tuple(part for value in values for part in _parts(value))
    for option, name in _VALUES.items():
        value = parsed.value(option)
        if value is not None:
            found[name] = value
    if parsed.has("--repo"):
        found |= {
            "disablerepo": ("*",),
            "enablerepo": tuple(part for value in parsed.values("--repo") for part in _parts(value)),
        }
    for value in parsed.values("--setopt"):
        found |= _setting(text(value))
    return found


def _parts(value: Word) -> Iterator[Word]:
    known = value.text
    yield from ((Word.of(part) for part in re.split(r"[, ]+", known) if part) if known is not None else (value,))


def _setting(given: str) -> dict[str, Argument]:
    name, _, value = given.partition("=")
    is_true = value.strip().lower() in ("1", "true", "yes", "on")
    if name in ("install_weak_deps", "best", "skip_broken"):
        return {name: is_true}
    if name in _QUIET_SETTINGS:
        return {}
    if name == "gpgcheck" and not is_true:
        return {"disable_gpg_check": True}
    raise Inexact(f"the setting {given} has no equal in a task")


def _install(command: Command, parsed: Parsed, names: Sequence[Word]) -> Outcome:
    return Converted(tuple(_states(command, _arguments(parsed), names, "present", "Install")))


def _remove(command: Command, parsed: Parsed, names: Sequence[Word]) -> Outcome:
    given = _arguments(parsed)
    if command.name not in ("tdnf", "microdnf") and not parsed.has("--noautoremove"):
        # clean_requirements_on_remove is on in dnf, and the module switches it off.
        given["autoremove"] = True
    return Converted(tuple(_states(command, given, names, "absent", "Remove")))


def _update(command: Command, parsed: Parsed, names: Sequence[Word]) -> Outcome:
    given: dict[str, Argument] = {**_arguments(parsed), "update_only": True}
    if names:
        return Converted(tuple(_states(command, given, names, "latest", "Upgrade")))
    state: dict[str, Argument] = {"name": "*", "state": "latest", **given}
    return Converted((Task("Upgrade all packages", DNF, state, "packages_rpm.upgrade-all"),))


def _states(command: Command, given: Mapping[str, Argument], names: Sequence[Word], state: str, verb: str) -> Iterator[Task]:
    if not names:
        raise Inexact("it names no package")
    rule = f"packages_rpm.{verb.lower()}"
    found = [word for word in names if word.glob and (word.startswith(("/", "./")) or (word.text or "").endswith(".rpm"))]
    others = [_as_name(command, word) for word in names if word not in found]
    local: dict[str, Argument] = {"disable_gpg_check": True} if any(_is_package_file(word) for word in others) else {}
    for packages in package_lists(others):
        arguments: dict[str, Argument] = {"name": packages.names, "state": state, **given, **local}
        yield Task(f"{verb} {packages.label}", DNF, arguments, rule)
    for index, word in enumerate(found):
        finds, paths = matches(command, word, rule, chr(ord("a") + index))
        yield from finds
        every: dict[str, Argument] = {"name": paths, "state": state, **given, "disable_gpg_check": True}
        yield Task(f"{verb} {shortened(word.label)}", DNF, every, rule)


def _as_name(command: Command, word: Word) -> Word:
    if word.startswith("./") or (_is_package_file(word) and not word.startswith("/") and "://" not in word.label):
        return absolute(command, word)
    return word


def _is_package_file(word: Word) -> bool:
    """dnf checks no signature of a package that is named by its file or address; the module does unless it is told."""
    last = word.pieces[-1] if word.pieces else None
    return "://" in word.label or (isinstance(last, Text) and last.value.endswith(".rpm"))


def _group(command: Command, parsed: Parsed, names: Sequence[Word]) -> Outcome:
    if not names:
        raise Inexact("it names no group")
    verb = text(names[0])
    state = {"install": "present", "remove": "absent", "update": "latest", "upgrade": "latest"}.get(verb)
    if state is None:
        raise Inexact(f"no task does what group {verb} does")
    return _groups(state)(command, parsed, names[1:])


def _groups(state: str) -> Verb:
    def act(command: Command, parsed: Parsed, names: Sequence[Word]) -> Outcome:
        given = _arguments(parsed)
        if state == "latest":
            given["update_only"] = True
        every = [word if word.startswith("@") else Word.of("@") + word for word in names]
        verb = {"present": "Install", "absent": "Remove", "latest": "Upgrade"}[state]
        labels = said([word.after("@") for word in every])
        arguments: dict[str, Argument] = {"name": tuple(every), "state": state, **given}
        return Converted((Task(f"{verb} the group {labels}", DNF, arguments, "packages_rpm.group"),))

    return act


def _module(command: Command, parsed: Parsed, names: Sequence[Word]) -> Outcome:
    if len(names) < 2:
        raise Inexact("it names no module")
    verb, *modules = names
    action = text(verb)
    if action == "install":
        every = tuple(Word.of("@") + word for word in modules)
        arguments: dict[str, Argument] = {"name": every, "state": "present", **_arguments(parsed)}
        return Converted((Task(f"Install the module {said(modules)}", DNF, arguments, "packages_rpm.module-install"),))
    if action not in ("enable", "disable", "reset"):
        raise Inexact(f"no task does what module {action} does")
    register = guards.registered(command, "modules")
    # All three say "Nothing to do." when it is so.
    done = f"'Nothing to do' not in {register}.stdout"
    name = f"{action.capitalize()} the module {said(modules)}"
    return Converted((guards.run(command, name, "packages_rpm.module", changed_when=done, register=register),))


def _autoremove(command: Command, parsed: Parsed, names: Sequence[Word]) -> Outcome:
    given: dict[str, Argument] = {"autoremove": True, **_arguments(parsed)}
    if names:
        return Converted(tuple(_states(command, given, names, "absent", "Remove")))
    return Converted((Task("Remove packages that nothing needs", DNF, given, "packages_rpm.autoremove"),))


def _downgrade(command: Command, parsed: Parsed, names: Sequence[Word]) -> Outcome:
    if not names or not all(re.search(r"-\d[^-]*(?:-[^-]+)?$", word.label) for word in names):
        raise Inexact("to which version it goes back depends on the repositories")
    given: dict[str, Argument] = {**_arguments(parsed), "allow_downgrade": True}
    return Converted(tuple(_states(command, given, names, "present", "Install")))


def _swap(command: Command, parsed: Parsed, names: Sequence[Word]) -> Outcome:
    if len(names) != 2:
        raise Inexact("it names no two packages")
    given: dict[str, Argument] = {**_arguments(parsed), "allowerasing": True}
    return Converted(
        (
            *_states(command, given, names[1:], "present", "Install"),
            *_states(command, _arguments(parsed), names[:1], "absent", "Remove"),
        )
    )


def _cache(command: Command, parsed: Parsed, names: Sequence[Word]) -> Outcome:
    del command, parsed, names
    return Dropped("pipeline.package-cache", "sealing removes the package cache of every image")


_VERBS: Mapping[str, Verb] = {
    **dict.fromkeys(("install", "in", "localinstall", "install-n", "install-na", "install-nevra"), _install),
    **dict.fromkeys(("remove", "erase", "rm"), _remove),
    **dict.fromkeys(("update", "upgrade", "up", "localupdate", "update-minimal", "upgrade-minimal"), _update),
    **dict.fromkeys(("clean", "makecache", "mc"), _cache),
    "group": _group,
    "groups": _group,
    "groupinstall": _groups("present"),
    "groupremove": _groups("absent"),
    "groupupdate": _groups("latest"),
    "module": _module,
    "autoremove": _autoremove,
    "downgrade": _downgrade,
    "swap": _swap,
    "config-manager": configured,
    "copr": copr,
    "versionlock": locked,
}


def _config_manager(command: Command) -> Outcome:
    parsed = GRAMMAR.parse(command)
    return configured(command, parsed, parsed.operands)


RULES: Mapping[str, Rule] = {
    "dnf": _dnf,
    "dnf5": _dnf,
    "dnf-3": _dnf,
    "yum": _dnf,
    "microdnf": _dnf,
    "tdnf": _dnf,
    "yum-config-manager": _config_manager,
}
