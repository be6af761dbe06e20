"""passwd(5), group(5), gshadow(5), subuid(5): accounts by name; the order of lines does not count."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from goldsmith.assist.decoders.contract import Decoder, Facts, Undecodable, unambiguous
from goldsmith.assist.stacked import StackedTree

_RANGES = ("etc/subuid", "etc/subgid")
_FIELDS = {"etc/passwd": 7, "etc/group": 4, "etc/gshadow": 4}


def fingerprint(secret: str) -> str:
    """What stands for a secret where it is shown: twelve digits of its SHA-256, empty for an empty one."""
    return hashlib.sha256(secret.encode(errors="surrogateescape")).hexdigest()[:12] if secret else ""


def records(tree: StackedTree, path: str, fields: int) -> Iterator[list[str]]:
    """The lines of a file with so many fields. Raises `Undecodable` for any other line."""
    for number, line in enumerate((tree.text(path) or "").splitlines(), 1):
        found = line.split(":")
        if len(found) != fields or not found[0]:
            raise Undecodable(f"/{path} line {number} does not have {fields} fields")
        yield found


def _read(tree: StackedTree) -> Facts:
    return unambiguous(_facts(tree))


def _facts(tree: StackedTree) -> Iterator[tuple[str, str]]:
    for name, mark, uid, gid, comment, home, shell in records(tree, "etc/passwd", _FIELDS["etc/passwd"]):
        told = f"uid {uid}, group {tree.group(int(gid)) if gid.isdigit() else gid} ({gid}), {home}, {shell}, {comment!r}"
        yield f"user {name}", told + ("" if mark == "x" else f", password {_shown(mark)}")
    for name, mark, gid, members in records(tree, "etc/group", _FIELDS["etc/group"]):
        told = f"gid {gid}, members {_sorted(members) or 'none'}"
        yield f"group {name}", told + ("" if mark == "x" else f", password {_shown(mark)}")
    for name, mark, admins, members in records(tree, "etc/gshadow", _FIELDS["etc/gshadow"]):
        told = f"password {_shown(mark)}, administrators {_sorted(admins) or 'none'}, members {_sorted(members) or 'none'}"
        yield f"group shadow {name}", told
    for path in _RANGES:
        for name, start, count in records(tree, path, 3):
            yield f"{path.rpartition('/')[2]} {name} {start}", count


def _shown(mark: str) -> str:
    return repr(mark) if mark in ("", "*", "!", "!!", "!*") else fingerprint(mark)


def _sorted(names: str) -> str:
    return ",".join(sorted(name for name in names.split(",") if name))


DECODER = Decoder("accounts", (*_FIELDS, *_RANGES), _read)
