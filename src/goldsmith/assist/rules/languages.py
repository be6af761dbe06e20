"""Packages of Node, Ruby, Rust and Perl: npm, yarn, gem, cargo, cpanm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from goldsmith.assist import guards
from goldsmith.assist.commands import Argument, Command, Text, Word
from goldsmith.assist.rules.options import Grammar, text
from goldsmith.assist.rules.phrases import said
from goldsmith.assist.tasks import Converted, Dropped, Inexact, Outcome, Rule, Task

_NPM = Grammar.of(
    """
    -g --global, --production, --omit=, --ignore-scripts, --unsafe-perm, --no-optional, -f --force, --registry=,
    --no-bin-links, -s --silent, -q --quiet, --loglevel=, --no-audit, --no-fund, --no-progress, --legacy-peer-deps, --save,
    -S, -D --save-dev, -E --save-exact, --no-save, --prefix=, --prefer-offline, --no-update-notifier, -y --yes, --location=,
    --verbose, --no-package-lock, --only=, --include=, -d, --cache=
    """
)
_NPM_FLAGS = {
    "--production": "production",
    "--ignore-scripts": "ignore_scripts",
    "--unsafe-perm": "unsafe_perm",
    "--no-optional": "no_optional",
    "-f": "force",
    "--no-bin-links": "no_bin_links",
}
_NPM_HARMLESS = (
    "-s",
    "-q",
    "--loglevel",
    "--no-audit",
    "--no-fund",
    "--no-progress",
    "--no-update-notifier",
    "-y",
    "--verbose",
    "-d",
)


def _npm(command: Command) -> Outcome:
    parsed = _NPM.parse(command)
    verb = text(parsed.operands[0]) if parsed.operands else ""
    if verb == "cache":
        return Dropped("languages.npm-cache", "what npm keeps for itself is no part of an image")
    verbs = {
        "install": "present",
        "i": "present",
        "add": "present",
        "ci": "present",
        "uninstall": "absent",
        "rm": "absent",
    }
    if verb not in verbs:
        raise Inexact(f"no module does what npm {verb} does")
    parsed.only("-g", "--omit", "--only", "--registry", "--prefix", "--save", "-S", "--location", *_NPM_FLAGS, *_NPM_HARMLESS)
    shared: dict[str, Argument] = {argument: True for option, argument in _NPM_FLAGS.items() if parsed.has(option)}
    for option in ("--omit", "--only"):
        value = parsed.value(option)
        if value is not None:
            if text(value) not in ("dev", "prod", "production"):
                raise Inexact(f"the module does not know {option} of npm")
            shared["production"] = True
    registry = parsed.value("--registry")
    if registry is not None:
        shared["registry"] = registry
    location = parsed.value("--location")
    if parsed.has("-g") or (location is not None and text(location) == "global"):
        shared["global"] = True
    if parsed.value("--prefix") is not None and "global" in shared:
        raise Inexact("where npm installs for all is a setting that the module does not change")
    if "global" not in shared:
        shared["path"] = parsed.value("--prefix") or command.directory
    names = parsed.operands[1:]
    if verb == "ci":
        shared["ci"] = True
    if not names:
        if "global" in shared:
            raise Inexact("it names no package")
        return Converted(
            (_npm_task(f"Install what {_label_of(shared['path'])} requires by npm", shared | {"state": verbs[verb]}),)
        )
    if any(word.is_split or word.glob for word in names):
        raise Inexact("how many packages are meant is known only on the machine")
    tasks: list[Task] = []
    for number, name in enumerate(names):
        if name.label.endswith("@latest") and verbs[verb] == "present":
            tasks += _npm_newest(command, name, names, number, "global" in shared)
        else:
            tasks.append(_npm_task(f"{_said(verbs[verb])} {name.label} by npm", {**_versioned(name, verbs[verb]), **shared}))
    return Converted(tuple(tasks))


def _npm_newest(command: Command, name: Word, names: Sequence[Word], number: int, is_global: bool) -> tuple[Task, ...]:
    """The newest version is asked for, and compared with the one that is there."""
    plain, _ = split_at(name, "@")
    newest, present = guards.registered(command, f"npm_newest_{number}"), guards.registered(command, f"npm_present_{number}")
    others = [item for place, item in enumerate(names) if place != number]
    alone = replace(command, args=tuple(word for word in command.args if not any(word is other for other in others)))
    scope: list[str | Word] = ["-g"] if is_global else []
    return (
        guards.query(
            command,
            f"Ask for the newest {plain.label}",
            "languages.npm-newest",
            ["npm", "view", plain, "version"],
            register=newest,
        ),
        guards.query(
            command,
            f"Look up the version of {plain.label}",
            "languages.npm-present",
            ["npm", "ls", *scope, "--depth=0", plain],
            register=present,
        ),
        guards.run(
            alone,
            f"Install the newest {plain.label} by npm",
            "languages.npm-latest",
            when=(f"({guards.expression(plain)} ~ '@' ~ {newest}.stdout) not in {present}.stdout.split()",),
        ),
    )


def _said(state: str) -> str:
    return {"present": "Install", "latest": "Update", "absent": "Remove"}[state]


def _label_of(path: Argument) -> str:
    return path.label if isinstance(path, Word) else "the directory"


def _versioned(name: Word, state: str) -> dict[str, Argument]:
    """`@scope/name@version`; the module asks for `latest` by a state."""
    label = name.label
    at = label.rfind("@")
    if at <= 0 or label.startswith(("git+", "http", "file:", "/", ".")):
        return {"name": name, "state": state}
    before, after = split_at(name, "@")
    if after.text == "latest" and state == "present":
        raise Inexact("which version is the newest is known only when it is asked for")
    return {"name": before, "version": after, "state": state}


def split_at(word: Word, separator: str) -> tuple[Word, Word]:
    """The parts before and after the last separator in the word's text."""
    for index in range(len(word.pieces) - 1, -1, -1):
        piece = word.pieces[index]
        if isinstance(piece, Text) and separator in piece.value:
            head, _, tail = piece.value.rpartition(separator)
            before = Word(word.pieces[:index], word.source) + Word.of(head)
            return before, Word.of(tail) + Word(word.pieces[index + 1 :], "")
    return word, Word(())


def _npm_task(name: str, args: Mapping[str, Argument]) -> Task:
    return Task(name, "community.general.npm", args, "languages.npm")


_YARN = Grammar.of(
    """
    --production --prod, --frozen-lockfile, --non-interactive, --silent -s, --ignore-scripts, --registry=, --cwd=,
    --ignore-engines, --network-timeout=, --prefix=, --no-progress
    """
)


def _yarn(command: Command) -> Outcome:
    parsed = _YARN.parse(command)
    parsed.only("--production", "--non-interactive", "--silent", "--ignore-scripts", "--registry", "--cwd", "--no-progress")
    operands = list(parsed.operands)
    shared: dict[str, Argument] = {}
    if operands and operands[0].text == "global":
        shared["global"] = True
        operands.pop(0)
    else:
        shared["path"] = parsed.value("--cwd") or command.directory
    verb = text(operands.pop(0)) if operands else "install"
    if parsed.has("--production"):
        shared["production"] = True
    if parsed.has("--ignore-scripts"):
        shared["ignore_scripts"] = True
    registry = parsed.value("--registry")
    if registry is not None:
        shared["registry"] = registry
    states = {"install": "present", "add": "present", "remove": "absent"}
    if verb not in states or (verb != "install") != bool(operands):
        raise Inexact(f"no module does what yarn {verb} does")
    module = "community.general.yarn"
    if not operands:
        return Converted((Task("Install what a project requires by yarn", module, shared, "languages.yarn"),))
    tasks = [
        Task(
            f"{_said(states[verb])} {name.label} by yarn",
            module,
            {**_versioned(name, states[verb]), **shared},
            "languages.yarn",
        )
        for name in operands
    ]
    return Converted(tuple(tasks))


_GEM = Grammar.of(
    """
    -v= --version=, -N --no-document, --no-ri, --no-rdoc, --document?, -i= --install-dir=, -n= --bindir=, --user-install,
    --no-user-install, --pre --prerelease, -f --force, --source= -s=, -q --quiet, -V --verbose, --conservative,
    -E --env-shebang, --platform=, -a --all, -x --executables, -I --ignore-dependencies, --system
    """
)


def _gem(command: Command) -> Outcome:
    parsed = _GEM.parse(command)
    parsed.only(
        *("-v", "-N", "--no-ri", "--no-rdoc", "-i", "-n", "--user-install", "--no-user-install", "--pre", "-f", "--source"),
        "-q",
        "-V",
    )
    verb = text(parsed.operands[0]) if parsed.operands else ""
    if verb not in ("install", "uninstall") or len(parsed.operands) < 2:
        raise Inexact(f"no module does what gem {verb} does")
    # Documentation is installed unless it is refused; the module's default is to refuse, and to install for one user.
    documents = not parsed.has("-N", "--no-ri", "--no-rdoc")
    shared: dict[str, Argument] = {"user_install": parsed.has("--user-install")}
    if verb == "install" and documents:
        shared["include_doc"] = True
    for option, argument in {"-v": "version", "-i": "install_dir", "-n": "bindir", "--source": "repository"}.items():
        value = parsed.value(option)
        if value is not None:
            shared[argument] = value
    shared |= {argument: True for option, argument in {"--pre": "pre_release", "-f": "force"}.items() if parsed.has(option)}
    state = "present" if verb == "install" else "absent"
    tasks = [
        Task(
            f"{_said(state)} {name.label} by gem",
            "community.general.gem",
            _gem_name(name, shared) | {"state": state},
            "languages.gem",
        )
        for name in parsed.operands[1:]
    ]
    return Converted(tuple(tasks))


def _gem_name(name: Word, shared: Mapping[str, Argument]) -> dict[str, Argument]:
    if ":" in name.label and not name.label.startswith(("http", "/")):
        before, after = split_at(name, ":")
        return {"name": before, **shared, "version": after}
    return {"name": name, **shared}


_CARGO = Grammar.of(
    """
    --version= --vers=, --locked, --root=, -f --force, --git=, --tag=, --branch=, --rev=, --path=, -q --quiet,
    --features= -F=, --all-features, --no-default-features, -j= --jobs=
    """
)


def _cargo(command: Command) -> Outcome:
    parsed = _CARGO.parse(command)
    parsed.only("--version", "--locked", "--root", "-q", "-j", "--features")
    verb = text(parsed.operands[0]) if parsed.operands else ""
    names = parsed.operands[1:]
    if verb not in ("install", "uninstall") or not names:
        raise Inexact(f"no module does what cargo {verb} does")
    args: dict[str, Argument] = {"name": list(names), "state": "present" if verb == "install" else "absent"}
    for option, argument in {"--version": "version", "--root": "path"}.items():
        value = parsed.value(option)
        if value is not None:
            args[argument] = value
    if parsed.values("--features"):
        args["features"] = [part for value in parsed.values("--features") for part in text(value).replace(",", " ").split()]
    if parsed.has("--locked"):
        args["locked"] = True
    return Converted(
        (
            Task(
                f"{_said(str(args['state']))} {said(names)} by cargo",
                "community.general.cargo",
                args,
                "languages.cargo",
            ),
        )
    )


def _cpanm(command: Command) -> Outcome:
    parsed = Grammar.of("-n --notest, -q --quiet, -f --force, --sudo, -S, --installdeps, -l= --local-lib=, --mirror=").parse(
        command
    )
    parsed.only("-n", "-q", "-S", "--sudo", "-l", "--mirror")
    shared: dict[str, Argument] = {"mode": "new", "notest": True} if parsed.has("-n") else {"mode": "new"}
    for option, argument in {"-l": "locallib", "--mirror": "mirror"}.items():
        value = parsed.value(option)
        if value is not None:
            shared[argument] = value
    tasks = [
        Task(f"Install {name.label} by cpanm", "community.general.cpanm", {"name": name, **shared}, "languages.cpanm")
        for name in parsed.operands
    ]
    if not tasks:
        raise Inexact("it names no module of Perl")
    return Converted(tuple(tasks))


RULES: Mapping[str, Rule] = {
    "npm": _npm,
    "yarn": _yarn,
    "gem": _gem,
    "cargo": _cargo,
    "cpanm": _cpanm,
}
