"""The key of a step: a digest of everything that its result depends on, and of nothing else."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import TypeAlias

from goldsmith.components import Component, Context, Provisioner, declarations
from goldsmith.hcl.diagnostics import Diagnostic, UserError

Document: TypeAlias = Mapping[str, object]
"""JSON-like data with sorted keys and without floats: what a key is the digest of."""

SCHEMA = 1


@dataclass(frozen=True, slots=True)
class StepKey:
    """A key and the document that it stands for; the document explains a miss. It holds no secret."""

    key: str
    document: Document


def step_key(document: Document) -> StepKey:
    """The BLAKE3 of the canonical JSON of `document`."""
    from blake3 import blake3

    complete = {"schema": SCHEMA, **document}
    return StepKey(blake3(canonical(complete)).hexdigest(), complete)


def canonical(document: object) -> bytes:
    """Canonical JSON: sorted keys, no spaces."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()


class Redaction:
    """Replaces secrets by keyed fingerprints, and the template's directory by a fixed word, in what enters a key."""

    def __init__(self, project_key: bytes, secrets: Iterable[str], root: Path) -> None:
        self._secrets = {
            secret: hmac.new(project_key, secret.encode(), hashlib.sha256).hexdigest()
            for secret in sorted({s for s in secrets if s}, key=len, reverse=True)
        }
        self._places = sorted({str(root), str(root.resolve())} - {".", "/"}, key=len, reverse=True)

    def text(self, text: str) -> str:
        """`text` without secrets and without the place of the template."""
        for secret, fingerprint in self._secrets.items():
            text = text.replace(secret, f"<secret {fingerprint}>")
        for place in self._places:
            text = text.replace(place + "/", "<root>/")
        return text

    def data(self, data: object) -> object:
        """The same for every string in JSON-like data; dataclasses become objects, tuples become lists."""
        if isinstance(data, str):
            return self.text(data)
        if isinstance(data, float):
            return repr(float(data))
        if isinstance(data, Mapping):
            return {self.text(str(name)): self.data(value) for name, value in sorted(data.items())}
        if isinstance(data, list | tuple):
            return [self.data(item) for item in data]
        if isinstance(data, Path):
            return self.text(str(data))
        if is_dataclass(data) and not isinstance(data, type):
            return {item.name: self.data(getattr(data, item.name)) for item in fields(data)}
        return data


def options_of(config: object, redaction: Redaction) -> Document:
    """The settings of a component that enter its key; those that name files are entered by `files_of`."""
    return {
        name: redaction.data(getattr(config, name))
        for name, declaration in declarations(type(config))
        if declaration.in_key and not declaration.names_file
    }


def files_of(component: Component[object], config: object, context: Context) -> list[Document]:
    """Name and content digest of each file and directory that a component's settings name."""
    named: list[tuple[str, Path]] = []
    for name, declaration in declarations(type(config)):
        if declaration.names_file:
            named += [(name, context.cwd / text) for text in _texts(getattr(config, name))]
    if isinstance(component, Provisioner):
        named += [("further", context.cwd / path) for path in component.files(config, context)]
    return [{"as": purpose, "name": path.name, **content_of(path)} for purpose, path in named]


def _texts(value: object) -> list[str]:
    if isinstance(value, str | Path):
        return [str(value)] if str(value) else []
    if isinstance(value, tuple | list):
        return [str(item) for item in value if str(item)]
    return []


def content_of(path: Path) -> Document:
    """Digest and mode of a file, or of all that is below a directory (relative path, mode, digest; no times).

    Raises `UserError` with code `build.unreadable-input` when something cannot be read.
    """
    try:
        if not path.is_dir():
            return _file_content(path)
        entries = sorted(
            (str((Path(where) / name).relative_to(path)), _file_content(Path(where) / name))
            for where, _, names in os.walk(path)
            for name in names
            if not name.endswith(".pyc")
        )
    except OSError as error:
        raise UserError(
            Diagnostic(
                code="build.unreadable-input",
                what=f'a step needs "{path}", which cannot be read',
                why=error.strerror or str(error),
                next="Check the name and the permissions.",
            )
        ) from error
    return {"tree": hashlib.sha256(canonical(entries)).hexdigest()}


def _file_content(path: Path) -> Document:
    from blake3 import blake3

    if path.is_symlink() and not path.exists():
        return {"link": str(path.readlink())}
    hasher = blake3()
    hasher.update_mmap(path)
    return {"digest": hasher.hexdigest(), "mode": oct(path.stat().st_mode & 0o7777)}


@cache
def implementation(*modules: str) -> str:
    """Digest of the source code of the named modules: a corrected component never reuses an old layer."""
    digest = hashlib.sha256()
    for name in modules:
        module = sys.modules.get(name) or __import__(name, fromlist=["_"])
        path = Path(str(module.__file__))
        # A room counts with its data: the units and scripts that sealing writes are not Python.
        below = (item for item in path.parent.rglob("*") if item.is_file() and "__pycache__" not in item.parts)
        sources = sorted(below) if path.name == "__init__.py" else [path]
        for source in sources:
            digest.update(source.name.encode() + b"\0" + source.read_bytes())
    return digest.hexdigest()


def changed_fields(before: Document, now: Document) -> tuple[str, ...]:
    """Which parts of a key's document differ, in words: `inputs: setup.sh`, `options: inline`."""
    changes: list[str] = []
    for name in sorted({*before, *now} - {"schema"}):
        old, new = before.get(name), now.get(name)
        if old != new:
            changes += _inner_changes(name, old, new)
    return tuple(changes)


def _inner_changes(name: str, old: object, new: object) -> list[str]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        return [f"{name}: {key}" for key in sorted({*old, *new}) if old.get(key) != new.get(key)]
    if isinstance(old, list) and isinstance(new, list):
        told = {_item_name(item) for item in new if item not in old} | {_item_name(item) for item in old if item not in new}
        return [f"{name}: {item}" for item in sorted(told)] or [f"{name}: order"]
    return [name]


def _item_name(item: object) -> str:
    return str(item.get("name", item)) if isinstance(item, Mapping) else str(item)
