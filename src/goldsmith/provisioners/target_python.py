"""A Python that a sandbox may use and an image never keeps: the host's own, with its libraries and its own loader.

It lies at a private path outside of the layer and runs in any tree, whatever C library that tree has, because it brings
its dynamic loader with it. It sets no variable: what it starts is not changed by it.
"""

from __future__ import annotations

import hashlib
import os
import py_compile
import re
import secrets
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from goldsmith.hcl.diagnostics import Diagnostic, MachineError
from goldsmith.images.usage import use

PLACE = "/run/goldsmith/python"
"""Where a sandbox shows it. /run is not a part of the layer."""

INTERPRETER = f"{PLACE}/bin/python3"

_WARM_SOURCE = Path(__file__).with_name("warm_python.py")
_WARM = "warm_python.pyc"
_VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"

# Through the loader, Python would take the loader for itself; --argv0 gives it a name from which it finds its modules.
# A program that comes by standard input, as Ansible's modules do, is run by a Python that is warm.
_FRESH = f"{PLACE}/bin/loader --library-path {PLACE}/bin --argv0 {INTERPRETER} {PLACE}/bin/python{_VERSION} -B"
_WRAPPER = f"""#!/bin/sh
[ $# -gt 0 ] || exec {_FRESH} -I -S {PLACE}/bin/{_WARM} run {_FRESH}
exec {_FRESH} "$@"
"""


def shown(directory: Path) -> Mapping[str, Path]:
    """What to show in a sandbox, as {path in the machine: host path}; made below `directory` when it is not there yet.

    Raises `MachineError` when this host's Python does not tell which libraries it needs.
    """
    use(directory)
    stdlib = Path(sysconfig.get_path("stdlib"))
    executable = Path(sys.base_prefix, "bin", f"python{_VERSION}").resolve()
    return {f"{PLACE}/bin": _programs(directory, executable, stdlib), f"{PLACE}/lib/python{_VERSION}": stdlib}


def _programs(directory: Path, executable: Path, stdlib: Path) -> Path:
    target = directory / f"python-{_identity(executable)}"
    if target.is_dir():
        os.utime(target)
        return target
    modules = sorted((stdlib / "lib-dynload").glob("*.so"))
    made = directory / f".python-{secrets.token_hex(4)}"
    made.mkdir(parents=True)
    try:
        loader, libraries = _needed([executable, *modules])
        shutil.copy(loader, made / "loader")
        for library in libraries:
            shutil.copy(library, made / library.name)
        shutil.copy(executable, made / f"python{_VERSION}")
        py_compile.compile(str(_WARM_SOURCE), str(made / _WARM), doraise=True)
        (made / "python3").write_text(_WRAPPER)
        (made / "python3").chmod(0o755)
        _rename_unless_there(made, target)
    finally:
        shutil.rmtree(made, ignore_errors=True)
    return target


def _identity(executable: Path) -> str:
    stat = executable.stat()
    told = f"{executable} {stat.st_size} {stat.st_mtime_ns} {sys.version} {_WRAPPER} {_WARM_SOURCE.read_text()}"
    return hashlib.sha256(told.encode()).hexdigest()[:16]


def _rename_unless_there(made: Path, target: Path) -> None:
    try:
        made.rename(target)
    except OSError:
        # Another build was faster and made the same.
        if not target.is_dir():
            raise


def _needed(programs: Sequence[Path]) -> tuple[Path, tuple[Path, ...]]:
    """The dynamic loader and the libraries of the programs."""
    told = subprocess.run(["ldd", *map(str, programs)], capture_output=True, text=True, check=False).stdout
    loaders = re.findall(r"^\s+(/\S*/ld-\S+) \(", told, re.MULTILINE)
    if not loaders:
        raise MachineError(
            Diagnostic(
                code="ansible.python",
                what="this host's Python cannot be shown to Ansible's modules in a sandbox",
                why=f"ldd names no dynamic loader for {programs[0]}",
                next="Run Goldsmith with the Python of the distribution: ./bootstrap sets it up.",
            )
        )
    return Path(loaders[0]), tuple(_existing(re.findall(r"=> (/\S+) \(", told)))


def _existing(names: Sequence[str]) -> Iterator[Path]:
    for name in sorted(set(names)):
        path = Path(name)
        if path.exists():
            yield path
