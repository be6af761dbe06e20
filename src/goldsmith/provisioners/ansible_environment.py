"""The programs that a playbook needs: Ansible on the host, and a Python that runs inside any machine without being in it."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from goldsmith.hcl.diagnostics import Diagnostic, UserError

PYTHON = "/run/goldsmith-python"
"""Where a sandbox shows the host's Python, read-only; /run is never in an image."""
INTERPRETER = f"{PYTHON}/python"

CHECKOUT = Path(__file__).parents[3]

_WRAPPER = """#!/bin/sh
exec {python}/lib/{loader} --library-path {python}/lib --argv0 {python}/bin/python3 {python}/bin/python3 "$@"
"""
_LIBRARY = re.compile(r"^\s*(?:\S+ => )?(/\S+) \(0x", re.MULTILINE)


def find_ansible(command: str = "ansible-playbook") -> Path | None:
    """Ansible: where GOLDSMITH_ANSIBLE says, in the tools of this checkout, or on the PATH; None when it is nowhere."""
    named = os.environ.get("GOLDSMITH_ANSIBLE")
    places = [Path(named)] if named else [CHECKOUT / ".tools/ansible/bin"]
    for place in places:
        if (place / command).is_file():
            return place / command
    found = shutil.which(command)
    return Path(found) if found else None


def required_ansible(command: str) -> Path:
    """The program, or `UserError` with code `ansible.missing`."""
    found = Path(command) if "/" in command and Path(command).is_file() else find_ansible(command)
    if found is None:
        raise UserError(
            Diagnostic(
                code="ansible.missing",
                what=f'"{command}" is not installed',
                why='the provisioner "ansible" runs it',
                next="Run ./bootstrap, or install ansible-core and name its directory in GOLDSMITH_ANSIBLE.",
            )
        )
    return found


def ansible_version(program: Path) -> str:
    """The version of ansible-core beside a program, read from its installed metadata; "unknown" when there is none."""
    libraries = program.resolve().parent.parent / "lib"
    for metadata in sorted(libraries.glob("python3*/*-packages/ansible_core-*.dist-info")):
        return metadata.name.removeprefix("ansible_core-").removesuffix(".dist-info")
    return "unknown"


def portable_python(cache: Path) -> Path:
    """A directory with this host's Python, its standard library and every shared library that they need.

    It is made once for a Python and kept in the cache. Shown in a sandbox at `PYTHON`, it runs with its own loader, so the
    machine needs no Python and no library.
    """
    binary = Path(sys.executable).resolve()
    stamp = f"{binary.stat().st_mtime_ns}-{sysconfig.get_python_version()}"
    final = cache / f"python-{stamp}"
    if final.is_dir():
        return final
    making = cache / f".python-{secrets.token_hex(8)}"
    try:
        _make(making, binary)
        making.rename(final)
    except OSError:
        if not final.is_dir():
            raise
    finally:
        shutil.rmtree(making, ignore_errors=True)
    return final


def _make(place: Path, binary: Path) -> None:
    library = Path(sysconfig.get_path("stdlib"))
    skipped = shutil.ignore_patterns("test", "idlelib", "tkinter", "*-packages", "config-*", "__pycache__", "ensurepip")
    shutil.copytree(library, place / "lib" / library.name, ignore=skipped, symlinks=False, ignore_dangling_symlinks=True)
    (place / "bin").mkdir()
    shutil.copy2(binary, place / "bin/python3")
    needed = _libraries([binary, *library.glob("lib-dynload/*.so")])
    for path in needed:
        shutil.copy2(path, place / "lib" / path.name)
    loader = next(path.name for path in needed if path.name.startswith("ld-"))
    wrapper = place / "python"
    wrapper.write_text(_WRAPPER.format(python=PYTHON, loader=loader))
    wrapper.chmod(0o755)


def _libraries(programs: list[Path]) -> set[Path]:
    told = subprocess.run(["ldd", *map(str, programs)], capture_output=True, text=True, check=False).stdout
    return {Path(path) for path in _LIBRARY.findall(told)}
