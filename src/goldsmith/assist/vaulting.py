"""Secrets that stand in scripts become variables of the vault: commands get the variable before any rule sees them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from goldsmith.assist.commands import Command, Piece, Place, Text, Variable, Word
from goldsmith.assist.secret_places import GAP, SecretSpan, flat, is_credential, secret_arguments, secret_input
from goldsmith.assist.secret_spans import secret_spans
from goldsmith.gates.secrets.rules import rule_set

HIDDEN = "<secret>"
_LONG = 8
"""Characters from which a secret is looked for everywhere: shorter ones, such as "vagrant", are ordinary words elsewhere."""


@dataclass(slots=True)
class Vault:
    """The secrets found so far, each with the variable that stands for it."""

    places: dict[str, Place] = field(default_factory=dict)
    """Where each variable's secret stands first."""
    used_inputs: set[str] = field(default_factory=set)
    """Variables that a script is given and uses as a secret."""
    _names: dict[str, str] = field(default_factory=dict)

    @property
    def values(self) -> Mapping[str, str]:
        """From secrets to the names of their variables."""
        return self._names

    def variable(self, secret: str, name: str, place: Place) -> Variable:
        """The variable that stands for a secret."""
        if secret not in self._names:
            self._names[secret] = self._free(name)
            self.places[self._names[secret]] = place
        return Variable(self._names[secret], "input")

    def _free(self, name: str) -> str:
        base = re.sub(r"[^a-z0-9]+", "_", f"vault_{name.lower()}").strip("_")
        found, number = base, 1
        while found in self.places:
            number += 1
            found = f"{base}_{number}"
        return found

    def stored(self, command: Command) -> Command:
        """The command with variables in place of the secrets among its words and in what it reads."""
        texts = [flat(word) for word in command.args]
        spans: dict[int, list[SecretSpan]] = {}
        for item in secret_arguments(command.name, texts):
            spans.setdefault(item.index, []).append(SecretSpan(item.start, item.end, item.kind, item.name))
        args = tuple(
            self._word(word, [*spans.get(index, []), *_certain(texts[index])], command)
            for index, word in enumerate(command.args)
        )
        stdin = command.stdin
        if stdin is not None:
            text = flat(stdin)
            stdin = self._word(stdin, [*secret_input(command.name, texts, text), *_certain(text)], command)
        environment = {
            name: self._word(word, [SecretSpan(0, len(flat(word)), "password", name)] if is_credential(name) else [], command)
            for name, word in command.environment.items()
        }
        feeds = tuple(self.stored(feeding) for feeding in command.feeds)
        return replace(command, args=args, stdin=stdin, environment=environment, feeds=feeds)

    def script(self, text: Word, command: Command) -> Word:
        """Lines of shell with variables in place of the secrets in them."""
        return self._word(text, _certain(flat(text)), command)

    def hidden(self, text: str) -> str:
        """A text of a script without its secrets."""
        for secret in sorted(self._names, key=len, reverse=True):
            if _is_telling(secret):
                text = text.replace(secret, HIDDEN)
        for span in reversed(secret_spans(text)):
            text = text[: span.start] + HIDDEN + text[span.end :]
        return text

    def _word(self, word: Word, spans: Iterable[SecretSpan], command: Command) -> Word:
        text = flat(word)
        known = {value: name for value, name in self._names.items() if _is_telling(value) and value in text}
        found = [span for span in spans if span.start < span.end]
        found += [
            SecretSpan(*match.span(), "password", known[match[0]])
            for value in known
            for match in re.finditer(re.escape(value), text)
        ]
        end = 0
        result = Word((), word.source, word.glob, word.is_split)
        for span in sorted(found, key=lambda item: (item.start, -item.end)):
            if span.start < end:
                continue
            result += _cut(word, end, span.start)
            for piece in _cut(word, span.start, span.end).pieces:
                result += Word((self._piece(piece, span, command),))
            end = span.end
        result = result + _cut(word, end, len(text))
        return replace(result, source=result.label if end else word.source, glob=word.glob, is_split=word.is_split)

    def _piece(self, piece: Piece, span: SecretSpan, command: Command) -> Piece:
        if isinstance(piece, Text):
            name = span.name or f"{command.name}_{span.kind}"
            return self.variable(piece.value, name.removeprefix("vault_"), command.place)
        if isinstance(piece, Variable):
            self.used_inputs.add(piece.expression)
        return piece


def _cut(word: Word, start: int, end: int) -> Word:
    """The part of a word between two places of its flat text."""
    pieces: list[Piece] = []
    place = 0
    for piece in word.pieces:
        length = len(piece.value) if isinstance(piece, Text) else len(GAP)
        first, last = max(start - place, 0), min(end - place, length)
        if first < last:
            pieces.append(Text(piece.value[first:last]) if isinstance(piece, Text) else piece)
        place += length
    return Word(tuple(pieces))


def _certain(text: str) -> Iterator[SecretSpan]:
    """The secrets that a text itself tells, but for those that merely look random: a checksum is no secret."""
    if len(text) < _LONG:
        return
    tokens = {
        token.secret.decode("utf-8", "surrogateescape")
        for token in rule_set().find("", text.encode("utf-8", "surrogateescape"))
    }
    for span in secret_spans(text):
        if span.name or span.kind != "token" or text[span.start : span.end] in tokens:
            yield span


def _is_telling(secret: str) -> bool:
    classes = sum(re.search(pattern, secret) is not None for pattern in ("[a-z]", "[A-Z]", "[0-9]", r"[^A-Za-z0-9]"))
    return len(secret) >= _LONG and classes > 1


def secret_variables(pieces: Sequence[Variable], secret: frozenset[str]) -> bool:
    """Whether one of these variables holds a secret."""
    return any(name.startswith("vault_") or name in secret for piece in pieces for name in re.findall(r"\w+", piece.expression))
