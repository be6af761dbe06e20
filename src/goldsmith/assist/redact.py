"""Reversible redaction: secrets leave a text before it leaves the machine, and what comes back names them again.

`⟦SECRET_1:password⟧` stands for the same secret in every text that one `Redactor` has seen.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from goldsmith.assist.secret_places import GAP, SecretKind, SecretSpan
from goldsmith.assist.secret_spans import secret_spans
from goldsmith.gates.contract import KnownSecret
from goldsmith.gates.secrets.known import KnownSearch, forms
from goldsmith.hcl.diagnostics import Diagnostic, Refused

PLACEHOLDER = re.compile(r"⟦SECRET_(?P<number>\d+):(?P<kind>password|token|key|hash)⟧")
SHORTEST_ELSEWHERE = 6
"""Characters: a shorter value is hidden where it stands as a secret, and not where the same letters are a word."""


@dataclass(frozen=True, slots=True)
class Hidden:
    """A secret and what stands for it."""

    placeholder: str
    kind: SecretKind
    variable: str
    """The variable of a vault that holds it: "vault_db_password"."""
    value: str = field(repr=False)


class Redactor:
    """Hides secrets in any number of texts; the same secret has the same placeholder in all of them.

    `known` are values that are secret wherever they stand, such as the sensitive variables of a template.
    """

    def __init__(self, known: Sequence[KnownSecret] = ()) -> None:
        self._known = tuple(secret for secret in known if secret.value)
        self._by_value: dict[str, Hidden] = {}
        self._taken: set[int] = set()

    @property
    def hidden(self) -> tuple[Hidden, ...]:
        """All secrets so far, in the order of their numbers."""
        return tuple(self._by_value.values())

    def redact(self, text: str, path: str = "", *, whole: bool = False) -> str:
        """The text with a placeholder for each secret. `path` is its file's name; `whole`: all of it is a secret."""
        self._taken |= {int(match["number"]) for match in PLACEHOLDER.finditer(text)} - self._numbers()
        if whole:
            return self._hide(text, SecretSpan(0, len(text), "password", path)) if text else ""
        for secret in sorted(self._known, key=lambda item: -len(item.value)):
            if secret.value in text:
                text = text.replace(secret.value, self._hide(secret.value, SecretSpan(0, 0, "password", secret.name)))
        parts, last = [], 0
        masked = PLACEHOLDER.sub(lambda match: GAP * len(match[0]), text)
        for span in secret_spans(masked, path):
            for piece in re.finditer(f"[^{GAP}]+", masked[span.start : span.end]):
                start, end = span.start + piece.start(), span.start + piece.end()
                parts += [text[last:start], self._hide(text[start:end], span)]
                last = end
        return self._elsewhere("".join(parts) + text[last:])

    def vaulted(self, text: str) -> str:
        """An answer with `{{ vault_… }}` in place of placeholders: never the secret itself. Unknown ones stay."""
        return self._replaced(text, {item.placeholder: f"{{{{ {item.variable} }}}}" for item in self.hidden})

    def restored(self, text: str) -> str:
        """The text as it was, for comparison on this machine."""
        return self._replaced(text, {item.placeholder: item.value for item in self.hidden})

    def check(self, data: bytes, known: Sequence[KnownSecret] = ()) -> None:
        """The last look at bytes that are about to leave, for every hidden and known secret in every usual encoding.

        Raises `Refused` with code `redact.secret-in-request` when one is in them.
        """
        wanted = [KnownSecret(name=item.variable, value=item.value) for item in self.hidden]
        wanted += [*self._known, *known]
        search = KnownSearch(forms([item for item in wanted if len(item.value) >= SHORTEST_ELSEWHERE]))
        for form, _ in search.find(data):
            raise Refused(
                Diagnostic(
                    code="redact.secret-in-request",
                    what=f'the request holds the secret "{form.secret}", {form.encoding}; it was not sent',
                    why="a sensitive value of the project was found in the bytes that were about to leave",
                    next="Take it out of the input, or report how it was written there.",
                )
            )

    def _hide(self, value: str, span: SecretSpan) -> str:
        known = self._by_value.get(value)
        if known is None:
            number = next(number for number in range(1, len(self._by_value) + len(self._taken) + 2) if self._is_free(number))
            placeholder = f"⟦SECRET_{number}:{span.kind}⟧"
            known = Hidden(placeholder, span.kind, self._variable(span), value)
            self._by_value[value] = known
        return known.placeholder

    def _numbers(self) -> set[int]:
        return {int(match["number"]) for item in self.hidden if (match := PLACEHOLDER.fullmatch(item.placeholder))}

    def _is_free(self, number: int) -> bool:
        return number not in self._taken and number not in self._numbers()

    def _variable(self, span: SecretSpan) -> str:
        name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|[^A-Za-z0-9]+", "_", span.name).strip("_").lower() or span.kind
        name = name if name.startswith("vault_") else f"vault_{name}"
        taken = {item.variable for item in self.hidden}
        return next(item for item in (name, *(f"{name}_{number}" for number in range(2, len(taken) + 3))) if item not in taken)

    def _elsewhere(self, text: str) -> str:
        """Hide what is known to be secret also where nothing says so, in whatever encoding."""
        long = [item for item in self.hidden if len(item.value) >= SHORTEST_ELSEWHERE]
        for item in sorted(long, key=lambda item: -len(item.value)):
            text = self._outside(text, item.value, item.placeholder)
        for form in sorted(forms([KnownSecret(name=i.placeholder, value=i.value) for i in long]), key=lambda f: -len(f.data)):
            encoded = form.data.decode("utf-8", "surrogateescape")
            if len(form.data) >= SHORTEST_ELSEWHERE and encoded in text and "\0" not in encoded:
                text = self._outside(text, encoded, self._hide(encoded, SecretSpan(0, 0, "key", form.secret and "encoded")))
        return text

    @staticmethod
    def _outside(text: str, value: str, placeholder: str) -> str:
        """Replace a value, but not inside of placeholders."""
        found, last = [], 0
        for match in PLACEHOLDER.finditer(text):
            found += [text[last : match.start()].replace(value, placeholder), match[0]]
            last = match.end()
        return "".join(found) + text[last:].replace(value, placeholder)

    @staticmethod
    def _replaced(text: str, by: Mapping[str, str]) -> str:
        return PLACEHOLDER.sub(lambda match: by.get(match[0], match[0]), text)
