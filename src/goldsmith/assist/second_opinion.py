"""A model's second opinion on reviewed files: suspicions beside the findings of the checks, which stay as they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from goldsmith.assist.filling import fill
from goldsmith.assist.model import Desk, ask
from goldsmith.assist.model_settings import ModelSettings
from goldsmith.assist.prompts import Library
from goldsmith.assist.redact import Redactor
from goldsmith.assist.remarks import Remark, Remarks
from goldsmith.assist.review import Review
from goldsmith.assist.shapes import Json
from goldsmith.gates.secrets.rules import RuleSet
from goldsmith.hcl import read_source

LARGEST_FILE = 60_000
"""Characters of a file that is shown to a model."""
MOST_FILES = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class SecondOpinion:
    """What to ask, and whom."""

    settings: ModelSettings
    desk: Desk
    library: Library
    rules: RuleSet
    salt: bytes

    def added_to(self, found: Review) -> Review:
        """The review with a warning for each suspicion; no remark is taken away or changed. Raises as `ask` does."""
        added = [remark for path in self.shown(found) for remark in self._suspicions(path, found)]
        remarks = sorted((*found.remarks, *added), key=lambda item: (item.file, item.line, item.column, item.rule))
        return replace(found, remarks=tuple(remarks))

    @staticmethod
    def shown(found: Review) -> tuple[str, ...]:
        """The files that a model is shown: not too large, and not too many."""
        return tuple([path for path in found.files if Path(path).stat().st_size <= LARGEST_FILE][:MOST_FILES])

    def _suspicions(self, path: str, found: Review) -> Iterator[Remark]:
        source = read_source(Path(path))
        redactor = Redactor(self.desk.known)
        hides = self.settings.level == "redacted"
        lines = (redactor.redact(source.text, path) if hides else source.text).split("\n")
        numbered = "\n".join(f"{number}| {line}" for number, line in enumerate(lines, 1))
        said: list[Json] = [
            {"rule": item.rule, "line": item.line, "what": item.what} for item in found.remarks if item.file == path
        ]
        filled = fill(self.library.get("template-review"), {"text": numbered, "found": said}, redactor, hides=hides)
        draft = ask(filled, self.settings, self.desk, purpose="review")
        given = draft.value.get("suspicions")
        for item in given if isinstance(given, Sequence) else ():
            if isinstance(item, Mapping):
                yield self._remark(Remarks(path, source.text, self.rules, self.salt), lines, redactor, item, draft.origin)

    @staticmethod
    def _remark(remarks: Remarks, lines: Sequence[str], redactor: Redactor, item: Mapping[str, Json], origin: str) -> Remark:
        """Where its words stand; the line that it names may be off."""
        quote = str(item.get("quote", "")).partition("| ")[2] or str(item.get("quote", ""))
        named = int(str(item.get("line", 1))) - 1
        places = [number for number, line in enumerate(lines) if quote.split("\n")[0] in line]
        place = min(places, key=lambda number: abs(number - named), default=min(max(named, 0), len(lines) - 1))
        # A hidden secret may have stood on several lines: the place in the file is that of the text as it was.
        before = redactor.restored("\n".join([*lines[:place], ""]))
        rule = f"model.{item.get('kind')}"
        what = f"{item.get('why')} (suspected by {origin}, {item.get('sure')})"
        return remarks.at(len(before), rule, "warn", what, "Look at it; a model may be wrong.")
