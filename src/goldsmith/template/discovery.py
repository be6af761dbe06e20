"""Finds the files of a template: `*.pkr.hcl` and `*.pkr.json`, and the variable files that are read without being asked for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from goldsmith.hcl.diagnostics import Diagnostic, UserError, did_you_mean

_ENDINGS = (".pkr.hcl", ".pkr.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateFiles:
    """The files that make one template."""

    root: Path
    """`path.root`: the directory as it was named, so usually a relative one."""
    templates: tuple[Path, ...]
    """`*.pkr.hcl`, then `*.pkr.json`, each by name."""
    variable_files: tuple[Path, ...]
    """`*.auto.pkrvars.hcl`, then `*.auto.pkrvars.json`, each by name; none when one file was named."""


def discover(path: Path) -> TemplateFiles:
    """The files of the template that `path` names: a directory (not below it), or one file.

    Raises `UserError` when there is none.
    """
    if not path.is_dir():
        return TemplateFiles(root=path.parent, templates=(_template(path),), variable_files=())
    found = files_in(path)
    if not found.templates:
        raise _none_found(path, 'A directory is a template when it has a file whose name ends in ".pkr.hcl" or ".pkr.json".')
    return found


def files_in(directory: Path) -> TemplateFiles:
    """The files of a template in a directory; there may be none. Raises `UserError` when it cannot be read."""
    names = _names(directory)
    return TemplateFiles(
        root=directory,
        templates=_ending(names, _ENDINGS, directory),
        variable_files=_ending(names, (".auto.pkrvars.hcl", ".auto.pkrvars.json"), directory),
    )


def _ending(names: list[str], endings: tuple[str, ...], directory: Path) -> tuple[Path, ...]:
    return tuple(directory / name for ending in endings for name in names if name.endswith(ending))


def is_legacy(path: Path) -> bool:
    """Whether Packer reads what `path` names as a legacy JSON template: "-" (standard input), or a file of another ending."""
    if path == Path("-"):
        return True
    return path.exists() and not path.is_dir() and not path.name.endswith(_ENDINGS)


def _names(directory: Path) -> list[str]:
    try:
        return sorted(entry.name for entry in directory.iterdir() if not entry.is_dir())
    except OSError as error:
        raise UserError(
            Diagnostic(
                code="template.unreadable",
                what=f'Cannot read hcl directory "{directory}"',
                why=error.strerror or str(error),
                next="Check the permissions of the directory.",
            )
        ) from error


def _template(path: Path) -> Path:
    if path.is_symlink() and not path.exists():
        raise _none_found(path, f'"{path}" is a link to "{path.readlink()}", which leads to no file.')
    if not path.exists():
        nearby = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
        raise _none_found(path, f'"{path}" does not exist. {did_you_mean(path.name, nearby)}'.rstrip())
    return path


def _none_found(path: Path, why: str) -> UserError:
    return UserError(
        Diagnostic(
            code="template.not-found",
            what=f"Could not find any config file in {path}",
            why=why,
            next="Name a directory with .pkr.hcl or .pkr.json files, or one such file, or a legacy JSON template.",
        )
    )
