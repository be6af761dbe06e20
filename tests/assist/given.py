"""Commands as rules are given them, and tasks as Ansible's documentation of its modules allows them."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TypedDict

from goldsmith.assist.commands import Argument, Command, Context, Loop, Place, Redirect, Text, Variable, Word
from goldsmith.assist.rules import rule_for
from goldsmith.assist.tasks import Converted, Dropped, Outcome, Residue, Task

TOOLS = Path(__file__).parents[2] / ".tools" / "ansible" / "bin"
IN_LOOP = Context(loop=Loop("item", (Word.of("a"), Word.of("b"))))
_TOKEN = re.compile(r"\d?(?:>>|>\||>|<)|(?:'[^']*'|\"[^\"]*\"|[^\s'\"<>])+")
_PART = re.compile(r"\"?\$(\w+)\"?|('[^']*'|\"[^\"$]*\")|([^'\"$]+)")
_REDIRECT = re.compile(r"(\d?)(>>|>\||>|<)")
_MODULES = """
    ansible.builtin: apt apt_key apt_repository command copy deb822_repository debconf dnf dpkg_selections file find get_url
    ansible.builtin: getent lineinfile replace rpm_key shell stat unarchive yum_repository
    community.general: apk copr dnf_config_manager dnf_versionlock dpkg_divert ini_file pacman portage snap yum_versionlock
    community.general: zypper zypper_repository
    ansible.builtin: git group iptables pip reboot service shell systemd_service sysvinit user
    ansible.posix: acl firewalld mount patch seboolean
    community.crypto: openssh_keypair
    community.docker: docker_compose_v2 docker_compose_v2_pull docker_container docker_image_build docker_image_pull
    community.docker: docker_network docker_volume
    community.general: alternatives apache2_module capabilities cargo cpanm filesystem gem git_config locale_gen make modprobe
    community.general: npm pipx redhat_subscription rhsm_release rhsm_repository sefcontext selinux_permissive seport ufw yarn
"""
_OURS = {
    "goldsmith.image.apt_repository": "ansible.builtin.apt_repository",
    "goldsmith.image.apt": "ansible.builtin.apt",
    "goldsmith.image.dnf": "ansible.builtin.dnf",
}


def command(line: str, **given: object) -> Command:
    """A command of a line: words with quotes as shlex reads them, `$name` as a variable, redirections set apart."""
    words: list[Word] = []
    redirects: list[Redirect] = []
    tokens = _TOKEN.findall(line)
    while tokens:
        token = tokens.pop(0)
        match = _REDIRECT.fullmatch(token)
        if match is None:
            words.append(_word(token))
        else:
            operator, fd = match[2], int(match[1] or match[2] != "<")
            redirects.append(Redirect(operator, fd, _word(tokens.pop(0))))  # type: ignore[arg-type]  # one of its literals
    made = Command(1, words[0].text or "", tuple(words[1:]), Place("a.sh", 1, 1, 0, len(line)), line)
    return replace(made, redirects=tuple(redirects), **given)  # type: ignore[arg-type]  # tests name what they set


def _word(token: str) -> Word:
    pieces: list[Text | Variable] = []
    for name, quoted, plain in _PART.findall(token):
        if name:
            pieces.append(Variable(name, "input"))
        elif quoted or plain:
            pieces.append(Text(shlex.split(quoted)[0] if quoted else plain))
    whole = sum((Word((piece,)) for piece in pieces if not isinstance(piece, Text) or piece.value), Word(()))
    outside = re.sub(r"'[^']*'|\"[^\"]*\"", "", token)
    return replace(whole, source=token, glob=bool(re.search(r"[*?\[]", outside)), is_split="$" in outside)


def outcome(line: str, **given: object) -> Outcome:
    """What the rule for a command says."""
    asked = command(line, **given)
    rule = rule_for(asked.name)
    assert rule is not None, f"no rule for {asked.name}"
    return rule(asked)


def tasks(line: str, **given: object) -> tuple[Task, ...]:
    """The tasks of a command that is converted; each is what its module's documentation allows."""
    found = outcome(line, **given)
    assert isinstance(found, Converted), found
    for task in found.tasks:
        check(task)
    return found.tasks


def task(line: str, **given: object) -> Task:
    """The one task of a command."""
    (found,) = tasks(line, **given)
    return found


def arguments(line: str, **given: object) -> dict[str, object]:
    """The arguments of the one task of a command, words as they are shown."""
    return {name: shown(value) for name, value in task(line, **given).args.items()}


def residue(line: str, **given: object) -> str:
    """Why a command stays shell."""
    found = outcome(line, **given)
    assert isinstance(found, Residue), found
    return found.reason


def dropped(line: str, **given: object) -> str:
    """Why a command needs no task."""
    found = outcome(line, **given)
    assert isinstance(found, Dropped), found
    return found.reason


def shown(value: Argument | None) -> object:
    """A value with its variables in braces."""
    if isinstance(value, Word):
        return "".join(item.value if isinstance(item, Text) else f"{{{{ {_expression(item)} }}}}" for item in value.pieces)
    if isinstance(value, Mapping):
        return {name: shown(item) for name, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [shown(item) for item in value]
    return value


def _expression(piece: object) -> str:
    assert isinstance(piece, Variable), piece
    return piece.expression


def check(task: Task) -> None:
    """Fails for what Ansible or its linter would refuse in a task."""
    assert re.match(r"[A-Z]", task.name) and "{{" not in task.name and len(task.name) < 160, task.name
    assert re.fullmatch(r"[a-z_]+\.[a-z-]+", task.rule), task.rule
    options = _documentation().get(_OURS.get(task.module, task.module))
    assert options is not None, f"{task.module} is not installed"
    for name, value in task.args.items():
        if task.module == "ansible.builtin.command" and name == "argv":
            continue
        assert name in options, f"{task.module} has no option {name}"
        choices = options[name].get("choices")
        if choices and isinstance(value, str | bool):
            assert value in choices, f"{task.module}: {name} is not {value}"
    for name, option in options.items():
        assert not option.get("required") or {name, *option.get("aliases", ())} & set(task.args), f"{task.module} lacks {name}"
    _check_lint(task)


def _check_lint(task: Task) -> None:
    """ansible-lint's rules that depend on a single task: no-changed-when, risky-file-permissions, package-latest."""
    arguments = task.args
    if task.module in ("ansible.builtin.command", "ansible.builtin.shell"):
        assert task.changed_when is not None or {"creates", "removes"} & set(arguments), task
        assert task.kind != "module"
    if task.module in ("ansible.builtin.copy", "ansible.builtin.get_url", "ansible.builtin.template"):
        assert "mode" in arguments, task
    if task.module == "ansible.builtin.file" and arguments.get("state") in ("directory", "touch"):
        assert "mode" in arguments or arguments.get("recurse"), task
    if arguments.get("create") is True:
        assert "mode" in arguments, task
    if "mode" in arguments:
        assert isinstance(arguments["mode"], str | Word) and arguments["mode"], task
    if arguments.get("state") == "latest":
        assert arguments.get("only_upgrade") or arguments.get("update_only"), task


def _modules() -> list[str]:
    found: list[str] = []
    for line in _MODULES.split("\n")[1:-1]:
        collection, _, names = line.strip().partition(": ")
        found += [f"{collection}.{name}" for name in names.split()]
    return found


class _Option(TypedDict, total=False):
    choices: Sequence[str | bool]
    required: bool
    aliases: Sequence[str]


@cache
def _documentation() -> Mapping[str, Mapping[str, _Option]]:
    asked = subprocess.run([str(TOOLS / "ansible-doc"), "-j", "-t", "module", *_modules()], capture_output=True, check=True)
    return {name: found["doc"].get("options", {}) for name, found in json.loads(asked.stdout).items()}
