"""Escape sequences in quoted strings and templates."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

_QUOTED = re.compile(r"\\(?:u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))|(\$\$|%%)\{")
_PLAIN = re.compile(r"(\$\$|%%)\{")
_SIMPLE = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\"}

Report = Callable[[int, int, str], None]
"""Takes the offsets, within the text, of a faulty sequence and what is wrong with it."""


def unquoted(text: str, report: Report) -> str:
    """What the inside of a quoted string stands for. Faulty sequences are reported and kept as they are."""
    if "\\" not in text and "{" not in text:
        return normalized(text)

    def meaning(found: re.Match[str]) -> str:
        four, eight, selector, doubled = found.groups()
        if doubled:
            return f"{doubled[0]}{{"
        if selector in _SIMPLE:
            return _SIMPLE[selector]
        code = int(four or eight or "0", 16)
        why = _refusal(selector, code)
        if why:
            report(found.start(), found.end(), why)
            return found.group()
        return chr(code)

    return normalized(_QUOTED.sub(meaning, text))


def unescaped(text: str) -> str:
    """What a stretch of a heredoc or bare template stands for: only `$${` and `%%{` are escapes there."""
    return normalized(_PLAIN.sub(lambda found: f"{found.group(1)[0]}{{", text) if "{" in text else text)


def normalized(text: str) -> str:
    """The text in Unicode normal form C, which all strings of the language have."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def _refusal(selector: str | None, code: int) -> str:
    """Why an escape sequence means nothing, or an empty string."""
    if selector == "u":
        return "The \\u escape sequence must be followed by four hexadecimal digits."
    if selector == "U":
        return "The \\U escape sequence must be followed by eight hexadecimal digits."
    if selector is not None:
        return f'The symbol "{selector}" is not a valid escape sequence selector.'
    if 0xD800 <= code <= 0xDFFF or code > 0x10FFFF:
        return f"Cannot encode character U+{code:04x} in UTF-8."
    return ""
