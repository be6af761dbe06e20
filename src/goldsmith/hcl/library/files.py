"""Functions on files and paths."""

from __future__ import annotations

import base64
import os
import re
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from goldsmith.hcl.equality import set_of
from goldsmith.hcl.library.arguments import TEXT, named, of, text
from goldsmith.hcl.library.strings import normal_form
from goldsmith.hcl.limits import LARGEST_READ_BYTES, MOST_FILES_SEEN
from goldsmith.hcl.reading import read_regular
from goldsmith.hcl.scope import Function, FunctionFault
from goldsmith.hcl.types import BOOL, STRING, SetType
from goldsmith.hcl.values import Value, boolean, string


@dataclass(frozen=True, slots=True)
class Reach:
    """Where functions find files: relative to `root`, and with a `fence` only inside of that directory."""

    root: Path
    fence: Path | None = None

    def place(self, path: str) -> Path:
        """The file that a function's path argument names: `~` expanded, and relative to `root`.

        Raises FunctionFault when it lies outside of the fence, symbolic links followed.
        """
        place = Path(os.path.normpath(self.root / expanded(path)))
        if not self.allows(place):
            raise FunctionFault(f"{place} is outside of {self.fence}, and -sandboxed-files allows nothing else", 0)
        return place

    def allows(self, place: Path) -> bool:
        """Whether a file is inside of the fence, symbolic links followed."""
        if self.fence is None:
            return True
        try:
            real, fence = Path(os.path.realpath(place)), Path(os.path.realpath(self.fence))
        except (OSError, ValueError):
            return False
        return real == fence or fence in real.parents


def functions(reach: Reach) -> tuple[Function, ...]:
    """All functions of this family; relative paths are taken from the root, but for abspath and filebase64 (as in Packer)."""
    path = named("path", TEXT)
    pure: dict[str, Callable[[str], str]] = {
        "abspath": lambda given: str(Path(os.path.abspath(given))),  # noqa: PTH100 (Path.absolute keeps "..")
        "basename": _basename,
        "dirname": _dirname,
        "pathexpand": expanded,
    }
    in_cwd = Reach(Path(), reach.fence)
    return (
        *(of(name, _pure(act), path, result=STRING) for name, act in pure.items()),
        of("file", lambda given: string(read_text(reach.place(text(given[0])))), path, result=STRING),
        of("filebase64", lambda given: string(_base64(_cwd_place(in_cwd, text(given[0])))), path, result=STRING),
        of("fileexists", lambda given: boolean(_exists(reach.place(text(given[0])))), path, result=BOOL),
        of("fileset", partial(_fileset, reach), path, named("pattern", TEXT), result=SetType(STRING), cost=_FILESET_WORK),
    )


_FILESET_WORK = 10_000
"""A directory of a hundred files takes about 10 milliseconds."""


def expanded(path: str) -> str:
    """The path with a leading `~` replaced by the home directory. Raises FunctionFault for `~user`."""
    if not path.startswith("~"):
        return path
    if len(path) > 1 and path[1] not in "/\\":
        raise FunctionFault("failed to expand ~: cannot expand user-specific home dir", 0)
    return str(Path.home()) + path[1:]


def read_text(path: Path) -> str:
    """The content of a file of UTF-8 text. Raises FunctionFault when there is no such file or it is not that."""
    try:
        return normal_form(_read(path).decode())
    except UnicodeDecodeError as fault:
        raise FunctionFault(f"contents of {path} are not valid UTF-8; use filebase64 for a file that is not text", 0) from fault


def _read(path: Path) -> bytes:
    try:
        return read_regular(path, LARGEST_READ_BYTES)
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


def _cwd_place(in_cwd: Reach, path: str) -> Path:
    """The path as it is: filebase64 does not expand `~`."""
    place = Path(path)
    if not in_cwd.allows(place):
        raise FunctionFault(f"{place} is outside of {in_cwd.fence}, and -sandboxed-files allows nothing else", 0)
    return place


def _base64(path: Path) -> str:
    return base64.b64encode(_read(path)).decode()


def _exists(path: Path) -> bool:
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return False
    except (OSError, ValueError) as fault:
        reason = fault.strerror if isinstance(fault, OSError) else str(fault)
        raise FunctionFault(f"failed to stat {path}: {reason}", 0) from fault
    if not stat.S_ISREG(mode):
        raise FunctionFault(f"{path} is not a regular file", 0)
    return True


def _fileset(reach: Reach, given: Sequence[Value]) -> Value:
    """The paths, relative to a directory, of the regular files in it that match a pattern."""
    base = reach.place(text(given[0]))
    matches = _matcher(text(given[1]))
    try:
        found = [_shown(path) for path in _files_below(base) if matches(_shown(path)) and _is_file(reach, base / path)]
    except (OSError, ValueError) as fault:
        raise FunctionFault(f"failed to read {base}: {fault}", 0) from fault
    return set_of(map(string, found), STRING)


def _shown(path: str) -> str:
    """The path as text: a name need not be UTF-8, while all text is."""
    return path if path.isascii() else path.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _files_below(base: Path) -> Iterator[str]:
    seen = 0
    for directory, _, names in os.walk(base):
        seen += 1 + len(names)
        if seen > MOST_FILES_SEEN:
            raise FunctionFault(f"there are more than {MOST_FILES_SEEN:,} files in {base}", 0)
        inside = Path(directory).relative_to(base)
        yield from ((inside / name).as_posix() for name in names)


def _is_file(reach: Reach, path: Path) -> bool:
    return reach.allows(path) and os.path.isfile(path)  # noqa: PTH113 (Path.is_file raises where a directory is closed)


def _matcher(glob: str) -> Callable[[str], bool]:
    import re2

    options = re2.Options()
    options.log_errors = False
    try:
        pattern = re2.compile(_translated(os.path.normpath(glob)), options)
    except (re2.error, ValueError) as fault:
        raise FunctionFault(f'the pattern "{glob}" is not valid: syntax error in pattern', 1) from fault
    return lambda path: bool(pattern.fullmatch(path))


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
    # RE2 takes linear time whatever the pattern; a hostile one would keep Python's own engine busy for ever.
    if found["alternatives"]:
        return "(?:" + "|".join(_translated(part) for part in found["alternatives"][1:-1].split(",")) + ")"
    if found["set"]:
        negated = "^/" if found["not"] else ""
        return f"[{negated}{re.escape(found['set']).replace(chr(92) + '-', '-')}]"
    if found["deep"]:
        return "(?:[^/]+/)*"
    return ".*" if found["tail"] else "[^/]*" if found["star"] else "[^/]"
