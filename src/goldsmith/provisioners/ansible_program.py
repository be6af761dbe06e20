"""Ansible on the host: where it is installed, in which version, and running it."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import goldsmith
from goldsmith.components import Context
from goldsmith.hcl.diagnostics import Diagnostic, UserError
from goldsmith.scripts import printed

_HOW = (
    "Run ./bootstrap in Goldsmith's checkout, or: python3 -m venv ~/ansible && ~/ansible/bin/pip install "
    "'ansible-core>=2.19,<2.20' && export GOLDSMITH_ANSIBLE=~/ansible/bin/ansible-playbook"
)


def find_ansible() -> Path | None:
    """`ansible-playbook`: what GOLDSMITH_ANSIBLE names, else that of the checkout, else the first in PATH."""
    named = os.environ.get("GOLDSMITH_ANSIBLE")
    if named:
        return _program(named)
    checkout = Path(goldsmith.__file__).parents[2] / ".tools" / "ansible" / "bin" / "ansible-playbook"
    return checkout if os.access(checkout, os.X_OK) else _program("ansible-playbook")


def program(command: str, default: str, cwd: Path) -> Path:
    """The program that a setting names, or the one of that name beside `ansible-playbook` when it is the default.

    Raises `UserError` that says how to install Ansible.
    """
    if command != default:
        found = _program(str(cwd / command) if "/" in command else command)
    else:
        playbook = find_ansible()
        found = playbook and (playbook if default == playbook.name else _beside(playbook, default))
    if found is None:
        raise UserError(
            Diagnostic(
                code="ansible.missing",
                what=f'provisioner "ansible" needs {command}, which is not installed',
                why="it is looked up by GOLDSMITH_ANSIBLE, in the checkout's .tools/ansible and in PATH",
                next=_HOW,
            )
        )
    return found


def version(playbook: Path) -> str:
    """The version of the ansible-core that a program belongs to, read from its metadata; a digest of the program if none."""
    for directory in _packages(playbook):
        for entry in directory.glob("ansible_core-*-info"):
            return entry.name.removeprefix("ansible_core-").removesuffix("-info").removesuffix(".dist").removesuffix(".egg")
    return f"sha256:{hashlib.sha256(playbook.read_bytes()).hexdigest()}"


def execute(command: Sequence[str], given: Mapping[str, str], context: Context) -> int:
    """Run a program of Ansible in the working directory and show its output; returns its exit code."""
    from goldsmith.machines import Local

    # The environment is the host's, without what would steer Ansible or its Python past us.
    steering = [name for name in os.environ if name.startswith(("ANSIBLE_", "PYTHON")) or name == "VIRTUAL_ENV"]
    unset = [word for name in sorted(steering) if name not in given for word in ("-u", name)]
    return Local().run(
        ["env", *unset, *command],
        env=given,
        output=printed(context),
        cwd=str(context.cwd),
        cancellation=context.cancellation,
    )


def _packages(playbook: Path) -> Iterator[Path]:
    for place in (playbook, playbook.resolve()):
        prefix = place.parent.parent
        yield from prefix.glob("lib/python3*/site-packages")
        yield from prefix.glob("lib/python3*/dist-packages")


def _program(name: str) -> Path | None:
    found = shutil.which(name)
    return Path(found).absolute() if found else None


def _beside(playbook: Path, name: str) -> Path | None:
    near = playbook.with_name(name)
    return near if near.exists() else _program(name)
