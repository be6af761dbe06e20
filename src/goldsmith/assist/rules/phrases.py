"""Parts of the sentences that name tasks."""

from __future__ import annotations

from collections.abc import Sequence

from goldsmith.assist.commands import Word

_SHOWN = 4
_LENGTH = 60


def said(words: Sequence[Word]) -> str:
    """The words as a list in a sentence: "a, b and c"; long lists and words are cut."""
    labels = [shortened(word.label) for word in words]
    if len(labels) > _SHOWN + 1:
        return f"{', '.join(labels[:_SHOWN])} and {len(labels) - _SHOWN} more"
    return " and ".join([", ".join(labels[:-1]), labels[-1]] if labels[1:] else labels)


def shortened(label: str) -> str:
    """A label that fits in a sentence."""
    flat = " ".join(label.replace("{{", "{ {").split())
    return flat if len(flat) <= _LENGTH else f"{flat[: _LENGTH - 1].rstrip()}…"
