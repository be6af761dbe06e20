"""What systemd starts, has under another name, or has masked: links by where they lead to."""

from __future__ import annotations

import hashlib

from goldsmith.assist.decoders.contract import Decoder, Facts
from goldsmith.assist.stacked import StackedTree

_LINKS = ("etc/systemd/system/*", "etc/systemd/user/*")
_WANTS = tuple(f"etc/systemd/{whose}/*.{kind}/*" for whose in ("system", "user") for kind in ("wants", "requires", "upholds"))


def _read(tree: StackedTree) -> Facts:
    facts: dict[str, str] = {}
    for path in tree.matching(*_WANTS, *_LINKS):
        kind = tree.entries[path].kind
        if kind == "link":
            # /lib may be a link to /usr/lib: the unit that is reached counts.
            end = tree.resolved(path)
            facts[f"link {path}"] = "masked" if end == "dev/null" else f"to /{end}"
        elif kind == "file":
            facts[f"file {path}"] = hashlib.sha256(tree.read(path) or b"").hexdigest()
        elif not path.endswith((".wants", ".requires", ".upholds")):
            facts[f"{kind} {path}"] = "there"
    return facts


DECODER = Decoder("units", (*_LINKS, *_WANTS), _read)
