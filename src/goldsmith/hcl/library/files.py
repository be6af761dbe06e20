"""Functions on files and paths."""

from __future__ import annotations

import base64
import os
import re
import stat
from collections.abc import Callable, Sequence
from pathlib import Path

from goldsmith.hcl.equality import set_of
from goldsmith.hcl.function import Function, FunctionFault
from goldsmith.hcl.library.arguments import TEXT, named, of, text
from goldsmith.hcl.library.strings import normal_form
from goldsmith.hcl.types import BOOL, STRING, SetType
from goldsmith.hcl.values import Value, boolean, string


def functions(root: Path) -> tuple[Function, ...]:
    """All functions of this family; relative paths are taken from `root`, but for abspath and filebase64 (as in Packer)."""
    path = named("path", TEXT)
    pure: dict[str, Callable[[str], str]] = {
        "abspath": lambda given: str(Path(os.path.abspath(given))),  # noqa: PTH100 (Path.absolute keeps "..")
        "basename": _basename,
        "dirname": _dirname,
        "pathexpand": expanded,
    }
    return (
        *(of(name, _pure(act), path, result=STRING) for name, act in pure.items()),
        of("file", lambda given: string(read_text(root, text(given[0]))), path, result=STRING),
        of("filebase64", _filebase64, path, result=STRING),
        of("fileexists", lambda given: boolean(_exists(within(root, text(given[0])))), path, result=BOOL),
        of("fileset", lambda given: _fileset(root, given), path, named("pattern", TEXT), result=SetType(STRING)),
    )


def within(root: Path, path: str) -> Path:
    """The place that a function's path argument names: `~` expanded, and relative to `root`."""
    return Path(os.path.normpath(root / expanded(path)))


def expanded(path: str) -> str:
    """The path with a leading `~` replaced by the home directory. Raises FunctionFault for `~user`."""
    if not path.startswith("~"):
        return path
    if len(path) > 1 and path[1] not in "/\\":
        raise FunctionFault("failed to expand ~: cannot expand user-specific home dir", 0)
    return str(Path.home()) + path[1:]


def read_text(root: Path, path: str) -> str:
    """The content of a file of UTF-8 text. Raises FunctionFault when there is no such file or it is not that."""
    try:
        return normal_form(_read(within(root, path)).decode())
    except UnicodeDecodeError as fault:
        raise FunctionFault(
            f"contents of {within(root, path)} are not valid UTF-8; use filebase64 for a file that is not text", 0
        ) from fault


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError) as fault:
        raise FunctionFault(f"no file exists at {path}", 0) from fault
    except (OSError, ValueError) as fault:
        reason = fault.strerror if isinstance(fault, OSError) else str(fault)
        raise FunctionFault(f"failed to read {path}: {reason}", 0) from fault


def _pure(act: Callable[[str], str]) -> Callable[[Sequence[Value]], Value]:
    return lambda given: string(act(text(given[0])))


def _basename(path: str) -> str:
    """As in Go: of "" it is ".", of "/" it is "/", and a slash at the end does not count."""
    return path.rstrip("/").rpartition("/")[2] or ("/" if path else ".")


def _dirname(path: str) -> str:
    directory = path.rpartition("/")[0] or ("/" if path.startswith("/") else ".")
    return re.sub("^//+", "/", os.path.normpath(directory))


def _filebase64(given: Sequence[Value]) -> Value:
    return string(base64.b64encode(_read(Path(text(given[0])))).decode())


def _exists(path: Path) -> bool:
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as fault:
        raise FunctionFault(f"failed to stat {path}: {fault.strerror}", 0) from fault
    if not stat.S_ISREG(mode):
        raise FunctionFault(f"{path} is not a regular file", 0)
    return True


def _fileset(root: Path, given: Sequence[Value]) -> Value:
    """The paths, relative to a directory, of the regular files in it that match a pattern."""
    base = within(root, text(given[0]))
    pattern = re.compile(_translated(os.path.normpath(text(given[1]))))
    found: list[Value] = []
    for directory, _, names in os.walk(base):
        for name in names:
            path = Path(directory, name)
            relative = path.relative_to(base).as_posix()
            if pattern.fullmatch(relative) and path.is_file():
                found.append(string(relative))
    return set_of(found, STRING)


_GLOB = re.compile(
    r"(?P<deep>\*\*/)|(?P<tail>\*\*)|(?P<star>\*)|(?P<any>\?)|\[(?P<not>[!^]?)(?P<set>[^\]]+)\]|(?P<alternatives>\{[^{}]*\})"
)


def _translated(glob: str) -> str:
    """The regular expression of a glob with `*`, `?`, `[a-z]`, `{a,b}` and `**` for any number of directories."""
    parts: list[str] = []
    at = 0
    for found in _GLOB.finditer(glob):
        parts += re.escape(glob[at : found.start()]), _wildcard(found)
        at = found.end()
    return "".join([*parts, re.escape(glob[at:])])


def _wildcard(found: re.Match[str]) -> str:
    if found["alternatives"]:
        return "(?:" + "|".join(_translated(part) for part in found["alternatives"][1:-1].split(",")) + ")"
    if found["set"]:
        negated = "^/" if found["not"] else ""
        return f"[{negated}{re.escape(found['set']).replace(chr(92) + '-', '-')}]"
    if found["deep"]:
        return "(?:[^/]+/)*"
    return ".*" if found["tail"] else "[^/]*" if found["star"] else "[^/]"
