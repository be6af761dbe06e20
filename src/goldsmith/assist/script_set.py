"""The scripts that a conversion is given: files, all scripts of a directory, and the helpers beside them that they load."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from goldsmith.assist.shell import Script, interpreter
from goldsmith.hcl.diagnostics import Diagnostic, UserError

_SHELLS = frozenset({"bash", "sh", "dash", "ash", "rbash"})
_LARGEST = 4 << 20
"""Bytes: what is larger is an installer with an archive behind its first lines."""
_SOURCED = re.compile(rb"(?m)(?:^|[;&|({]|\bthen|\bdo|\belse)[ \t]*(?:source|\.)[ \t]+([^\n;&|]+)")
_PLACE_OF_SCRIPT = re.compile(r"^.*(?:\)|\}|\$\w+)/?")
"""What a variable or $(dirname "$0") stands for is most often the directory of the script."""


def read_scripts(paths: Sequence[Path], environment: Mapping[str, str] | None = None) -> tuple[Script, ...]:
    """The scripts that are named, and the helpers beside them that they load.

    Those at the top of a directory run in the order of their names; those below it, and those that others load, are there
    to be loaded. Raises `UserError` for a path that does not exist or cannot be read, a file that is too large and a
    directory without scripts. Whether a file is a shell script is told when it is parsed.
    """
    listed = [(file.resolve(), runs) for path in paths for file, runs in _files(path)]
    named = dict(listed)
    twice = next((file for file in named if sum(file == other for other, _ in listed) > 1), None)
    if twice is not None:
        raise _fault("script.twice", f'two scripts are called "{twice.name}"', "Name each once; a directory names all in it.")
    texts = {file: _read(file) for file in named}
    helpers = _helpers(texts)
    root = _common([*texts, *helpers])
    loaded = {helper for helper in helpers if len(texts) > 1 or helper not in texts}
    return tuple(
        Script(
            file.relative_to(root).as_posix(),
            text,
            is_entry=named.get(file, False) and file not in loaded,
            environment=dict(environment or {}),
        )
        for file, text in {**texts, **helpers}.items()
    )


def lay_out(scripts: Sequence[Script], directory: Path) -> None:
    """Write scripts below a directory so that they find each other. As in Packer, CR LF becomes LF."""
    for script in scripts:
        path = directory / script.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(script.text.replace(b"\r\n", b"\n"))
        path.chmod(0o755)


def _files(path: Path) -> Iterator[tuple[Path, bool]]:
    """The scripts of a path, each with whether it runs by itself."""
    if path.is_dir():
        found = [file for file in sorted(path.rglob("*")) if file.is_file() and not _is_hidden(file, path) and _is_script(file)]
        if not any(file.parent == path for file in found):
            what = f'there is no script right in "{path}"'
            raise _fault("script.no-scripts", what, "Name files, or a directory that has some at its top.")
        yield from ((file, file.parent == path) for file in found)
    elif path.is_file():
        yield path, True
    elif path.exists():
        raise _fault("script.not-a-file", f'"{path}" is no regular file', "Name a script.")
    else:
        raise _fault("script.missing", f'"{path}" does not exist', "Name a script, a directory of scripts or a template.")


def _is_hidden(file: Path, below: Path) -> bool:
    return any(part.startswith(".") for part in file.relative_to(below).parts)


def _is_script(file: Path) -> bool:
    if file.suffix in (".sh", ".bash"):
        return True
    with file.open("rb") as opened:
        start = opened.read(200)
    return start.startswith(b"#!") and interpreter(start)[0] in _SHELLS


def _read(file: Path) -> bytes:
    try:
        if file.stat().st_size > _LARGEST:
            what = f'"{file}" is larger than {_LARGEST >> 20} MiB'
            raise _fault(
                "script.too-large", what, "A script with an archive behind it cannot be converted; name the script alone."
            )
        return file.read_bytes()
    except OSError as error:
        raise _fault(
            "script.unreadable", f'"{file}" cannot be read: {error.strerror}', "Check the path and its rights."
        ) from error


def _helpers(texts: Mapping[Path, bytes]) -> dict[Path, bytes]:
    """The scripts that those load, and that these load, as far as they lie beside them."""
    found: dict[Path, bytes] = {}
    waiting = list(texts.items())
    while waiting:
        file, text = waiting.pop()
        for helper in _loaded_by(file, text):
            if helper not in found and helper != file:
                found[helper] = texts[helper] if helper in texts else _read(helper)
                waiting.append((helper, found[helper]))
    return dict(sorted(found.items()))


def _loaded_by(file: Path, text: bytes) -> Iterator[Path]:
    for match in _SOURCED.finditer(text):
        name = os.fsdecode(match[1]).replace('"', "").replace("'", "")
        tail = next(iter(_PLACE_OF_SCRIPT.sub("", name).split()), "")
        for place in (file.parent / tail, file.parent.parent / tail):
            if tail and not tail.startswith("/") and place.is_file():
                yield place.resolve()
                break


def _common(files: Iterable[Path]) -> Path:
    return Path(os.path.commonpath([file.parent for file in files]))


def _fault(code: str, what: str, next: str) -> UserError:
    return UserError(Diagnostic(code=code, what=what, next=next))
