"""Writes what a conversion made, and never over what a person changed without being told to."""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from goldsmith.hcl.diagnostics import Diagnostic, MachineError, UserError

ACCOUNT = "conversion.json"
"""Holds the digests of the files that were written with it, by which a later run knows them as its own."""
PATCH = "template.patch"
"""The change of a template that uses the role."""
_LONGEST_DIFF = 40


def with_digests(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """The files, their digests added to the account among them."""
    account = json.loads(files[ACCOUNT])
    account["files"] = {path: hashlib.sha256(data).hexdigest() for path, data in sorted(files.items()) if path != ACCOUNT}
    return {**files, ACCOUNT: (json.dumps(account, indent=2) + "\n").encode()}


def write_files(files: Mapping[str, bytes], directory: Path, *, force: bool = False) -> tuple[str, ...]:
    """Write files below a directory and return the paths of those that changed.

    What an earlier run wrote and nobody changed since is replaced, and removed where it is no longer made. Raises `UserError`
    with a diff when a file would be overwritten that is not so, unless `force`, and when the directory cannot be used.
    """
    if directory.exists() and not directory.is_dir():
        raise UserError(
            Diagnostic(
                code="convert.output", what=f'"{directory}" is no directory', next="Name a directory that is to be made."
            )
        )
    before = _ours(directory)
    changed = {path: data for path, data in files.items() if _content(directory / path) != data}
    foreign = [path for path in changed if (directory / path).exists() and not _is_ours(directory, path, before)]
    if foreign and not force:
        raise UserError(*(_overwritten(directory / path, changed[path]) for path in foreign))
    stale = [path for path in before if path not in files and _is_ours(directory, path, before)]
    try:
        for path, data in changed.items():
            _write(directory / path, data)
        for path in stale:
            (directory / path).unlink()
    except OSError as error:
        raise MachineError(
            Diagnostic(code="convert.write", what=f'"{error.filename}" cannot be written', why=error.strerror or str(error))
        ) from error
    return (*changed, *stale)


def _ours(directory: Path) -> Mapping[str, str]:
    try:
        digests = json.loads((directory / ACCOUNT).read_bytes())["files"]
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    inside = isinstance(digests, dict) and all(
        not Path(path).is_absolute() and ".." not in Path(path).parts for path in digests
    )
    return digests if inside else {}


def _is_ours(directory: Path, path: str, before: Mapping[str, str]) -> bool:
    content = _content(directory / path)
    if path == ACCOUNT:
        return bool(before)
    return content is not None and hashlib.sha256(content).hexdigest() == before.get(path)


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


def _overwritten(path: Path, data: bytes) -> Diagnostic:
    diff = list(_diff(path, data))
    shown = diff[:_LONGEST_DIFF] + ([f"… {len(diff) - _LONGEST_DIFF} more lines"] if len(diff) > _LONGEST_DIFF else [])
    return Diagnostic(
        code="convert.would-overwrite",
        what=f'"{path}" is there already and differs from what would be written',
        why="\n".join(shown),
        next="Give another directory by -o, or -force to overwrite it.",
    )


def _diff(path: Path, data: bytes) -> Iterator[str]:
    there = (_content(path) or b"").decode(errors="replace").splitlines()
    wanted = data.decode(errors="replace").splitlines()
    return difflib.unified_diff(there, wanted, "as it is", "as it would be", lineterm="", n=1)


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # A reader never sees half a file, and a kill leaves the old one.
    new = path.with_name(f".{path.name}.new")
    new.write_bytes(data)
    new.replace(path)
