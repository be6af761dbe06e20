"""CDs and floppy disks made of a template's files and texts: answer files, seeds of cloud-init, drivers."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from goldsmith.components import Context
from goldsmith.hcl.diagnostics import Diagnostic, UserError
from goldsmith.images.tools import run_tool
from goldsmith.machines.iso import write_iso

_FLOPPY_KIB = "1440"


def write_cd(path: Path, label: str, files: Sequence[str], texts: Mapping[str, str], cwd: Path) -> None:
    """Write a CD. A directory comes with its name, with a slash behind it only its contents do; texts win.

    Raises `UserError` with code `media.missing` or `media.unfit`.
    """
    content: dict[str, bytes | Path] = dict(_collected(files, cwd, "cd_files"))
    content |= {name.lstrip("/"): text.encode() for name, text in texts.items()}
    try:
        write_iso(path, label, content)
    except ValueError as error:
        raise UserError(_fault("media.unfit", "the CD cannot be made", str(error))) from error


def write_floppy(path: Path, label: str, files: Sequence[str], texts: Mapping[str, str], context: Context) -> None:
    """Write a floppy disk of 1.44 MB. A file lies at its top, a directory comes with its contents; texts win.

    Raises `UserError` with code `media.missing`, and `MachineError` when it is too much for one disk.
    """
    run_tool(["mkfs.vfat", "-C", "-n", label.upper()[:11], str(path), _FLOPPY_KIB], cancellation=context.cancellation)
    staged = path.with_name("floppy")
    for name, source in _collected(files, context.cwd, "floppy_files"):
        _stage(staged / name).write_bytes(source.read_bytes())
    for name, text in texts.items():
        _stage(staged / name.lstrip("/")).write_bytes(text.encode())
    names = sorted(str(item) for item in staged.iterdir())
    run_tool(["mcopy", "-s", "-Q", "-i", str(path), *names, "::/"], cancellation=context.cancellation)
    shutil.rmtree(staged)


def matching(pattern: str, cwd: Path) -> list[Path]:
    """The files and directories that a pattern means, sorted; a pattern without wild cards means itself."""
    path = Path(pattern)
    start = Path(path.anchor) if path.is_absolute() else cwd
    return sorted(start.glob(str(path.relative_to(path.anchor) if path.is_absolute() else path)))


def _collected(names: Sequence[str], cwd: Path, setting: str) -> Iterator[tuple[str, Path]]:
    for name in names:
        found = matching(name, cwd)
        if not found:
            what = f'"{name}" in {setting} is no file or directory'
            raise UserError(_fault("media.missing", what, f'it is looked up from "{cwd}"'))
        for item in found:
            yield from _below(item, keeps_name=not name.endswith("/"))


def _below(item: Path, *, keeps_name: bool) -> Iterator[tuple[str, Path]]:
    if not item.is_dir():
        yield item.name, item
        return
    top = item.parent if keeps_name else item
    for path in sorted(item.rglob("*")):
        if path.is_file():
            yield str(path.relative_to(top)), path


def _stage(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _fault(code: str, what: str, why: str) -> Diagnostic:
    return Diagnostic(code=code, what=what, why=why, next="Check the names in the template.")
