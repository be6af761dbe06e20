"""Reading JSON text with the place of every value, and with everything that is wrong told in one go."""

from __future__ import annotations

import re
from collections.abc import Callable

from goldsmith.hcl.diagnostics import Diagnostic, UserError, did_you_mean
from goldsmith.hcl.faults import fault
from goldsmith.hcl.json_lexer import COMMENT, END, NUMBER, OPEN_STRING, STRANGE, STRING, WORD, JsonLexer
from goldsmith.hcl.json_nodes import JsonArray, JsonNode, JsonObject, JsonProperty, JsonScalar
from goldsmith.hcl.json_strings import decoded
from goldsmith.hcl.limits import DEEPEST_JSON, LARGEST_FILE_BYTES, MOST_FAULTS
from goldsmith.hcl.numerals import Number, written_number
from goldsmith.hcl.source import Range, SourceFile


def read_json(source: SourceFile) -> tuple[JsonNode | None, tuple[Diagnostic, ...]]:
    """Read a JSON text.

    Returns its value and everything that is wrong, in the order of the text. With faults, the value holds what could be
    read; it is None when that is nothing. Numbers keep every digit, objects every property, in order, even when a name comes
    again. Never raises: what is nested too deeply or too long is a fault as well.
    """
    if len(source.text) > LARGEST_FILE_BYTES:
        why = f"It has {len(source.text):,} characters; up to {LARGEST_FILE_BYTES:,} are read."
        error = fault("json-too-long", "JSON text is too long", source.range(0, 1), why, "Split it into several files.")
        return None, error.diagnostics
    reader = _Reader(source)
    value: JsonNode | None = None
    try:
        value = reader.document()
    except UserError as error:
        reader.faults += error.diagnostics
    return value, tuple(sorted(reader.faults, key=lambda item: item.where.first if item.where else 0))


_NUMERAL = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_WORDS = {"true": True, "false": False, "null": None}
_CLOSERS = ("}", "]")


class _Reader:
    """Reads by recursive descent. A fault is noted and mended on the spot, so that reading goes on behind it."""

    def __init__(self, source: SourceFile) -> None:
        self.source = source
        self.lexer = JsonLexer(source.text)
        self.faults: list[Diagnostic] = []
        self.depth = 0
        self.brackets_fail = False
        """Whether a bracket was wrong: that others are missing in the end only follows from it."""
        self.comments_told = False
        self._skip_comments()

    def document(self) -> JsonNode | None:
        value = self._value()
        if self.lexer.kind != END and not self.faults:
            why = "Extra characters appear after the JSON value."
            self._note(
                "extra-characters", "Extraneous data after value", why, "A file holds one value: remove what follows it."
            )
        return value

    def _value(self) -> JsonNode | None:
        """Read the value at hand; None after noting that there is none."""
        match self.lexer.kind:
            case "{":
                return self._nested(self._object)
            case "[":
                return self._nested(self._array)
            case "string" | "open":
                return JsonScalar(self._string(), self._step())
            case "number":
                return JsonScalar(self._number(), self._step())
            case "word":
                return JsonScalar(self._keyword(), self._step())
        self._missing_value()
        return None

    # ── objects and arrays ────────────────────────────────────────────────────────────────────────────────────────────

    def _nested(self, read: Callable[[Range], JsonNode]) -> JsonNode:
        opening = self._here()
        if self.depth == DEEPEST_JSON:
            why = f"There are more than {DEEPEST_JSON} levels of brackets."
            raise fault(
                "json-too-deep", "JSON value is nested too deeply", opening, why, "Check the brackets before this place."
            )
        self._step()
        self.depth += 1
        node = read(opening)
        self.depth -= 1
        return node

    def _object(self, opening: Range) -> JsonObject:
        properties: list[JsonProperty] = []
        while not self._closes("}", opening):
            item = self._property()
            if item is not None:
                properties.append(item)
            self._separator("}", "A comma must appear between each property definition in an object.")
        return JsonObject(tuple(properties), opening.to(self._step()))

    def _array(self, opening: Range) -> JsonArray:
        items: list[JsonNode] = []
        while not self._closes("]", opening):
            item = self._value()
            if item is not None:
                items.append(item)
            self._separator("]", "A comma must appear between each value in an array.")
        return JsonArray(tuple(items), opening.to(self._step()))

    def _closes(self, closer: str, opening: Range) -> bool:
        """Whether the container ends here, as it should or not."""
        if self.lexer.kind == closer:
            return True
        if self.lexer.kind in _CLOSERS:
            self._mismatched(closer)
            return True
        if self.lexer.kind == END and not self.brackets_fail:
            self.brackets_fail = True
            what, word = ("Unclosed object", "brace") if closer == "}" else ("Unclosed array", "bracket")
            why = f"There is no closing {word} for it before the end of the file."
            self._note("unclosed", what, why, "Add it; it may be missing in a value inside this one.", opening)
        return self.lexer.kind == END

    def _mismatched(self, closer: str) -> None:
        self.brackets_fail = True
        if closer == "}":
            why = "A JSON object must be closed with a brace, not a bracket."
            self._note("mismatched", "Mismatched braces", why, 'Write "}", or add the braces that are missing before.')
        else:
            why = "A JSON array must be closed with a bracket, not a brace."
            self._note("mismatched", "Mismatched brackets", why, 'Write "]", or add the brackets that are missing before.')

    def _separator(self, closer: str, why: str) -> None:
        """Read what is between two items. What cannot stand there is noted and, if it begins no item, passed over."""
        comma = self._here()
        if self.lexer.kind == ",":
            self._step()
            if self.lexer.kind == closer:
                word = "an object" if closer == "}" else "an array"
                what = f"Trailing comma in {word.split()[1]}"
                self._note("trailing-comma", what, f"No comma may follow the last item of {word}.", "Remove it.", comma)
        elif self.lexer.kind == ":" and closer == "]":
            what, why = "Invalid array value", "A colon is not used to introduce values in a JSON array."
            self._note("array-colon", what, why, "Use braces for an object, a comma for a further value.")
            self._step()
        elif self.lexer.kind not in (*_CLOSERS, END):
            self._note("missing-comma", "Missing attribute separator comma", why, "Write a comma before it.")
            if self.lexer.kind in (":", "="):
                self._step()

    def _property(self) -> JsonProperty | None:
        """Read `"name": value`; None after noting that it is none."""
        name, where = self._name()
        if not self._colon():
            return None
        value = self._value()
        return JsonProperty(name, where, value) if value is not None else None

    def _name(self) -> tuple[str, Range]:
        if self.lexer.kind in (STRING, OPEN_STRING):
            return self._string(), self._step()
        what, why = "Invalid object property name", "A JSON object property name must be a string."
        hint = f'Write "{self.lexer.word}".' if self.lexer.kind == WORD else "Put it into double quotes."
        self._note("property-name", what, why, hint)
        where = self._here()
        if self.lexer.kind in (WORD, NUMBER, STRANGE):
            return self.lexer.word, self._step()
        if self.lexer.kind in ("{", "["):
            self._value()
        return "", where

    def _colon(self) -> bool:
        """Read the colon of a property. Whether a value is to follow."""
        kind = self.lexer.kind
        if kind in (",", *_CLOSERS):
            why = "A JSON object attribute must have a value, introduced by a colon."
            self._note("missing-value", "Missing object value", why, "For a list without names, use brackets.")
            return False
        if kind == "=":
            why = "JSON uses a colon as its name/value delimiter, not an equals sign."
            self._note("missing-colon", "Missing property value colon", why, 'Write ":".')
        elif kind not in (":", END):
            why = "A colon must appear between an object property's name and its value."
            self._note("missing-colon", "Missing property value colon", why, "Write a colon before it.")
        if kind in (":", "="):
            self._step()
        return self.lexer.kind != END

    # ── single values ─────────────────────────────────────────────────────────────────────────────────────────────────

    def _string(self) -> str:
        start = self.lexer.first + 1
        closed = self.lexer.kind == STRING
        if not closed:
            why = "The string is not closed on its line."
            self._note("invalid-string", "Invalid JSON string", why, 'Close it; a line break inside is written "\\n".')
        inside = self.lexer.word[1 : -1 if closed else None]
        text, faults = decoded(inside)
        for first, after, why in faults:
            where = self.source.range(start + first, start + after)
            self._note("invalid-string", "Invalid JSON string", why, where=where)
        return text

    def _number(self) -> Number:
        if _NUMERAL.fullmatch(self.lexer.word):
            try:
                return written_number(self.lexer.word)
            except ValueError:
                pass
        why = "There is a syntax error in the given JSON number."
        self._note("invalid-number", "Invalid JSON number", why, "Write digits such as -12, 0.5 or 1e6, or quote it.")
        return 0

    def _keyword(self) -> bool | None:
        word = self.lexer.word
        if word not in _WORDS:
            why = f'"{word}" is not a valid JSON keyword.'
            hint = did_you_mean(word.lower(), _WORDS) or "Put text into double quotes."
            self._note("invalid-keyword", "Invalid JSON keyword", why, hint)
        return _WORDS.get(word)

    def _missing_value(self) -> None:
        kind = self.lexer.kind
        if kind == END:
            if self.depth == 0:
                why = "The JSON data ends before any value."
                self._note("missing-value", "Missing value", why, "Write an object: { … }.")
            return
        what = "Missing JSON value" if kind in (",", *_CLOSERS) else "Invalid start of value"
        why = "A JSON value must start with a brace, a bracket, a number, a string, or a keyword."
        self._note("missing-value", what, why, 'Use double quotes (") to enclose strings.' if kind == STRANGE else "")
        if kind in (":", "=", STRANGE):
            self._step()

    # ── tokens ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _here(self) -> Range:
        return self.source.range(self.lexer.first, self.lexer.after)

    def _step(self) -> Range:
        """Step over the token at hand and return where it was."""
        where = self._here()
        self.lexer.advance()
        self._skip_comments()
        return where

    def _skip_comments(self) -> None:
        while self.lexer.kind == COMMENT:
            if not self.comments_told:
                self.comments_told = True
                self._note("comment", "Comments are not allowed", "JSON has no comments.", 'Write a property: "//": "…".')
            self.lexer.advance()

    def _note(self, code: str, what: str, why: str, next: str = "", where: Range | None = None) -> None:
        """Note a fault, at the token at hand or at another place."""
        self.faults += fault(f"json-{code}", what, where or self._here(), why, next).diagnostics
        if len(self.faults) >= MOST_FAULTS:
            why = f"After {MOST_FAULTS} errors, the rest is not read."
            raise fault("json-too-many", "Too many errors", self._here(), why, "Check that this is a JSON file.")
