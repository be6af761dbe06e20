"""Sources from git, their settings, and patches."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import replace

from goldsmith.assist import guards
from goldsmith.assist.commands import Argument, Command, Word
from goldsmith.assist.rules.options import Grammar, text
from goldsmith.assist.rules.paths import inside as inside_of
from goldsmith.assist.rules.phrases import said
from goldsmith.assist.tasks import Converted, Inexact, Outcome, Rule, Task

_GIT = Grammar.of(
    "-C=, -c=, --git-dir=, --work-tree=, -p --paginate, --no-pager, --bare, --exec-path?, --namespace=", permutes=False
)


def _git(command: Command) -> Outcome:
    parsed = _GIT.parse(command)
    parsed.only("-C", "-c", "--no-pager")
    if not parsed.operands:
        raise Inexact("git without a verb only prints")
    verb, rest = text(parsed.operands[0]), parsed.operands[1:]
    inside = command
    for directory in parsed.values("-C"):
        inside = replace(inside, directory=inside.path(directory))
    inside = replace(inside, args=rest)
    rule = _VERBS.get(verb)
    if rule is None or (parsed.has("-c") and verb != "clone"):
        raise Inexact(f"no module does what git {verb} does")
    return rule(command, inside)


_CLONE = Grammar.of(
    """
    --depth=, -b= --branch=, --recursive? --recurse-submodules?, --single-branch, --no-single-branch, -q --quiet, --bare,
    --mirror, -o= --origin=, -v --verbose, --progress, --shallow-submodules, -j= --jobs=, --no-tags, --filter=,
    -c= --config=, -l --local, -s --shared, --reference=, --separate-git-dir=, -n --no-checkout, --sparse, --template=,
    --shallow-since=, -u=
    """
)


def _clone(command: Command, inside: Command) -> Outcome:
    """The module fetches submodules unless it is told not to, and moves an old clone on unless `update` is off."""
    parsed = _CLONE.parse(inside)
    parsed.only(*("--depth", "-b", "--recursive", "--single-branch", "-q", "--bare", "-o", "-v", "--progress", "-j"))
    if not 1 <= len(parsed.operands) <= 2:
        raise Inexact("git clone takes an address and a directory")
    source = parsed.operands[0]
    target = inside.path(parsed.operands[1] if len(parsed.operands) == 2 else _named_by(source, parsed.has("--bare")))
    args: dict[str, Argument] = {"repo": source, "dest": target, "update": False}
    branch = parsed.value("-b")
    args["version"] = "HEAD" if branch is None else branch
    if not parsed.has("--recursive"):
        args["recursive"] = False
    if parsed.has("--single-branch"):
        args["single_branch"] = True
    if parsed.has("--bare"):
        args["bare"] = True
    for option, argument in {"--depth": "depth", "-o": "remote"}.items():
        value = parsed.value(option)
        if value is not None:
            args[argument] = value
    notes = () if branch is not None else ("pin the commit that was seen",)
    return Converted((Task(f"Clone {source.label}", "ansible.builtin.git", args, "sources.git-clone", notes=notes),))


def _named_by(source: Word, bare: bool) -> Word:
    """The directory that git names by the last part of an address."""
    last = source.pieces[-1] if source.pieces else None
    end = getattr(last, "value", None)
    if end is None or ("/" not in end and len(source.pieces) > 1):
        raise Inexact("the directory is named by a value that only the playbook knows")
    name = posixpath.basename(end.rstrip("/")).removesuffix(".git") or posixpath.basename(posixpath.dirname(end.rstrip("/")))
    return Word.of((name.rpartition(":")[2] or name) + (".git" if bare else ""))


def _checkout(command: Command, inside: Command) -> Outcome:
    """Compared are the commits that HEAD and the name stand for."""
    parsed = Grammar.of("-q --quiet, -f --force, -b=, -B=, --detach -d, --recurse-submodules, --progress").parse(inside)
    parsed.only("-q", "-f", "--detach")
    if len(parsed.operands) != 1 or parsed.operands[0].text == ".":
        raise Inexact("single files are taken from a commit, or a branch is made")
    name = parsed.operands[0]
    known = guards.registered(command, "commits")
    words: list[str | Word] = ["git", "rev-parse", "HEAD", name + Word.of("^{commit}")]
    look = guards.query(inside, f"Look up the commit of {name.label}", "sources.git-commit", words, register=known)
    when = f"{known}.stdout_lines | unique | length > 1 or {known}.rc != 0"
    return Converted((look, guards.run(command, f"Check out {name.label}", "sources.git-checkout", when=(when,))))


def _pull(command: Command, inside: Command) -> Outcome:
    known = guards.registered(command, "pull")
    task = guards.run(
        command,
        "Move a clone on",
        "sources.git-pull",
        changed_when=f"'Already up to date' not in {known}.stdout",
        register=known,
    )
    return Converted((task,))


def _printing(command: Command, inside: Command) -> Outcome:
    """`fetch` and `submodule update` print a line for each thing that they take."""
    verb = next((word.text for word in inside.args if not word.startswith("-")), "")
    if command.args and any(word.text == "submodule" for word in command.args) and verb != "update":
        raise Inexact(f"no module does what git submodule {verb} does")
    known = guards.registered(command, "taken")
    task = guards.run(
        command,
        "Take what is new of a clone",
        "sources.git-fetch",
        changed_when=f"{known}.stdout ~ {known}.stderr != ''",
        register=known,
    )
    return Converted((task,))


_CONFIG = Grammar.of("--global, --system, --local, -f= --file=, --add, --unset, --unset-all, --replace-all, --get, -l --list")


def _config(command: Command, inside: Command) -> Outcome:
    parsed = _CONFIG.parse(inside)
    parsed.only("--global", "--system", "--local", "-f", "--add", "--unset", "--unset-all", "--replace-all")
    operands = list(parsed.operands)
    if operands and operands[0].text in ("set", "unset"):
        raise Inexact("the newer verbs of git config are not known to the module")
    removes = parsed.has("--unset", "--unset-all")
    if len(operands) != (1 if removes else 2):
        raise Inexact("git config without a value only shows one")
    args: dict[str, Argument] = {"name": operands[0]}
    scope = parsed.last("--global", "--system")
    path = parsed.value("-f")
    if path is not None:
        args |= {"scope": "file", "file": inside.path(path)}
    elif scope is not None:
        args["scope"] = scope.removeprefix("--")
    else:
        args |= {"scope": "local", "repo": inside.directory}
    if removes:
        args["state"] = "absent"
    else:
        args["value"] = operands[1]
        if parsed.has("--add"):
            args["add_mode"] = "add"
    words = "Remove" if removes else "Set"
    return Converted((Task(f"{words} git's {operands[0].label}", "community.general.git_config", args, "sources.git-config"),))


def _init(command: Command, inside: Command) -> Outcome:
    parsed = Grammar.of("-q --quiet", "--bare", "-b= --initial-branch=", "--shared?", "--template=").parse(inside)
    parsed.only("-q", "-b")
    directory = inside.path(parsed.operands[0]) if parsed.operands else inside.directory
    name = f"Make the repository {directory.label}"
    return Converted((guards.run(command, name, "sources.git-init", creates=inside_of(directory, Word.of(".git"))),))


def _apply(command: Command, inside: Command) -> Outcome:
    """A patch that can be taken back was applied before."""
    parsed = Grammar.of("-p=, -v --verbose, --whitespace=, --directory=, -3 --3way, --ignore-whitespace").parse(inside)
    if not parsed.operands:
        raise Inexact("what the patch is, is known only when the script runs")
    known = guards.registered(command, "applied")
    words: list[str | Word] = ["git", "apply", "--reverse", "--check", *inside.args]
    label = said(parsed.operands)
    look = guards.query(inside, f"Look whether {label} was applied", "sources.git-applied", words, register=known)
    return Converted((look, guards.run(command, f"Apply {label}", "sources.git-apply", when=(f"{known}.rc != 0",))))


def _large_files(command: Command, inside: Command) -> Outcome:
    """`git lfs install` writes filters into the user's settings."""
    if [word.text for word in inside.args if not word.startswith("-")] != ["install"]:
        raise Inexact("no module does what git lfs does")
    known = guards.registered(command, "lfs")
    scope = "--system" if any(word.text == "--system" for word in inside.args) else "--global"
    words: list[str | Word] = ["git", "config", scope, "filter.lfs.clean"]
    look = guards.query(inside, "Look for the filters of large files", "sources.git-lfs-state", words, register=known)
    return Converted(
        (look, guards.run(command, "Set the filters of large files", "sources.git-lfs", when=(f"{known}.rc != 0",)))
    )


_VERBS = {
    "lfs": _large_files,
    "clone": _clone,
    "checkout": _checkout,
    "switch": _checkout,
    "pull": _pull,
    "fetch": _printing,
    "submodule": _printing,
    "config": _config,
    "init": _init,
    "apply": _apply,
}

_PATCH = Grammar.of(
    """
    -p= --strip=, -i= --input=, -d= --directory=, -N --forward, -R --reverse, -s --quiet --silent, -b --backup, -f --force,
    -t --batch, -E --remove-empty-files, -l --ignore-whitespace, --binary, -u --unified, --dry-run, -F= --fuzz=,
    -r= --reject-file=, --verbose
    """
)


def _patch(command: Command) -> Outcome:
    inputs = [item for item in command.redirects if item.operator == "<"]
    parsed = _PATCH.parse(replace(command, redirects=tuple(item for item in command.redirects if item not in inputs)))
    parsed.only("-p", "-i", "-d", "-N", "-s", "-t", "-E", "-l", "--binary", "-R", "-u", "--verbose")
    source = parsed.value("-i") or (inputs[0].target if inputs else None)
    operands = list(parsed.operands)
    if source is None and len(operands) == 2:
        source = operands.pop()
    if source is None or command.feeds or command.stdin is not None or len(operands) > 1:
        raise Inexact("what the patch is, is known only when the script runs")
    directory = parsed.value("-d")
    base = command.path(directory) if directory is not None else command.directory
    inside = replace(command, directory=base)
    args: dict[str, Argument] = {"src": inside.path(source), "remote_src": True}
    args |= {"dest": inside.path(operands[0])} if operands else {"basedir": base}
    strip = parsed.value("-p")
    if strip is not None:
        args["strip"] = strip
    elif not operands:
        raise Inexact("without -p patch takes the last part of each path, which the module does not")
    if parsed.has("-R"):
        args["state"] = "absent"
    if parsed.has("-l"):
        args["ignore_whitespace"] = True
    if parsed.has("--binary"):
        args["binary"] = True
    return Converted((Task(f"Apply {source.label}", "ansible.posix.patch", args, "sources.patch"),))


RULES: Mapping[str, Rule] = {"git": _git, "patch": _patch}
