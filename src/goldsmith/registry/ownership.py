"""Whose a store is: one registry deletes there, so that another one's blobs never look like nobody's."""

from __future__ import annotations

import json

from goldsmith.hcl.diagnostics import Diagnostic, UserError
from goldsmith.registry.blobs import BlobStore
from goldsmith.registry.db import Database

NOTE = "registry.json"


def claim(database: Database, store: BlobStore) -> None:
    """Make the store this registry's, or find that it is. Raises `UserError` when it is another one's."""
    own = identity(database)
    while True:
        found = owner(store)
        if found == own:
            return
        if found:
            raise _foreign(store)
        if store.replace_note(NOTE, None, json.dumps({"registry": own}).encode()):
            return


def identity(database: Database) -> str:
    """The name of the registry; a backup has the same."""
    with database.read() as reader:
        row = reader.first("SELECT name FROM identity WHERE id = 1")
    assert row is not None
    return row.text("name")


def owner(store: BlobStore) -> str:
    """The name of the registry that a store belongs to; empty when it is nobody's."""
    content = store.note(NOTE)
    if content is None:
        return ""
    try:
        return str(json.loads(content)["registry"])
    except (ValueError, KeyError, TypeError) as error:
        what = f'"{NOTE}" in the store "{store.name}" does not say whose the store is'
        next = "Write it anew from a copy, or remove it and run a command of the registry that the store belongs to."
        raise UserError(Diagnostic(code="store.owner", what=what, why=str(error), next=next)) from error


def _foreign(store: BlobStore) -> UserError:
    return UserError(
        Diagnostic(
            code="store.foreign",
            what=f'the store "{store.name}" belongs to another registry',
            why="each would take the other one's blobs for left-overs and delete them",
            next="Give each registry a store of its own in its store block, and bring versions over with goldsmith pull. "
            f'If that registry is gone for good, remove "{NOTE}" there.',
        )
    )
