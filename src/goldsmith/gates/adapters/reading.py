"""Finds and reads the report files that a gate block or a command line names."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from goldsmith.gates.adapters.report import ForeignReport
from goldsmith.hcl.diagnostics import Diagnostic, UserError

LARGEST = 1 << 30
"""Bytes of a report: one of trivy with all packages of a large image has 30 MB."""
_MADE_BY = "trivy rootfs --format json --list-all-pkgs, grype -o json, or osv-scanner --format json --all-packages"


def report_files(root: Path, patterns: Sequence[str], image: str) -> tuple[Path, ...]:
    """The files that patterns name, sorted; `{image}` in them is the image's name. Raises `UserError` when one names none.

    A report that is missing is a second opinion that was not given: it must not count as one without findings.
    """
    found: set[Path] = set()
    for pattern in patterns:
        name = pattern.replace("{image}", image)
        named = {Path(name)} if Path(name).is_absolute() else set(root.glob(name))
        files = {path for path in named if path.is_file()}
        if not files:
            raise UserError(
                Diagnostic(
                    code="report.missing",
                    what=f'"reports" names "{name}", and there is no such file',
                    why=f'it is looked up in "{root}"',
                    next=f"Make it by {_MADE_BY}; or mend the name.",
                )
            )
        found |= files
    return tuple(sorted(found))


def read_report(path: Path) -> ForeignReport:
    """Read a report of trivy, grype or osv-scanner. Raises `UserError` with code `report.unreadable` and the place."""
    from pydantic import ValidationError

    from goldsmith.gates.adapters.grype import is_grype, read_grype
    from goldsmith.gates.adapters.osv_scanner import is_osv_scanner, read_osv_scanner
    from goldsmith.gates.adapters.trivy import is_trivy, read_trivy

    content, file_s = _content(path)
    document = _document(path, content)
    kinds = ((is_trivy, read_trivy), (is_grype, read_grype), (is_osv_scanner, read_osv_scanner))
    read = next((reader for is_this, reader in kinds if is_this(document)), None)
    if read is None:
        raise _unreadable(path, "it is of none of trivy (SchemaVersion), grype (descriptor) and osv-scanner (results)")
    try:
        return read(document, path.name, "sha256:" + hashlib.sha256(content).hexdigest(), file_s)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        more = f"; and {error.error_count() - 1} more" if error.error_count() > 1 else ""
        raise _unreadable(path, f"at {_place(first['loc'])}: {first['msg']}{more}") from error
    except ValueError as error:
        raise _unreadable(path, str(error)) from error


def _content(path: Path) -> tuple[bytes, int]:
    try:
        status = path.stat()
        if status.st_size > LARGEST:
            raise _unreadable(path, f"it has more than {LARGEST:,} bytes")
        return path.read_bytes(), int(status.st_mtime)
    except OSError as error:
        raise _unreadable(path, error.strerror or str(error)) from error


def _document(path: Path, content: bytes) -> Mapping[str, object]:
    try:
        found = json.loads(content)
    except json.JSONDecodeError as error:
        raise _unreadable(path, f"line {error.lineno}, column {error.colno}: {error.msg}") from error
    except (ValueError, RecursionError) as error:
        raise _unreadable(path, f"it is no JSON: {error}") from error
    if not isinstance(found, dict):
        raise _unreadable(path, "line 1, column 1: it is no JSON object")
    return found


def _place(location: Sequence[int | str]) -> str:
    """`Results[3].Vulnerabilities[0].PkgName`."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location).lstrip(".") or "the whole"


def _unreadable(path: Path, why: str) -> UserError:
    return UserError(
        Diagnostic(
            code="report.unreadable",
            what=f'"{path}" cannot be used as the report of a scanner',
            why=why,
            next=f"Make it again by {_MADE_BY}.",
        )
    )
