"""Escapes in texts: `$'…'`, `printf` and the `echo` that expands backslashes."""

from __future__ import annotations

import re

_ONE = {
    "a": "\a",
    "b": "\b",
    "e": "\x1b",
    "E": "\x1b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "v": "\v",
    "\\": "\\",
    "'": "'",
    '"': '"',
    "?": "?",
}
_QUOTED = re.compile(r"\\(?:([abeEfnrtv\\'\"?])|([0-7]{1,3})|x([0-9a-fA-F]{1,2})|[uU]([0-9a-fA-F]{1,8})|c(.))", re.DOTALL)
_PRINTF = re.compile(r"\\(?:([abeEfnrtv\\\"])|(?:0?)([0-7]{1,3})|x([0-9a-fA-F]{1,2})|[uU]([0-9a-fA-F]{1,8}))")
_ECHO = re.compile(r"\\(?:([abeEfnrtv\\])|0([0-7]{0,3})|x([0-9a-fA-F]{1,2})|[uU]([0-9a-fA-F]{1,8}))")
_DASH_ECHO = re.compile(r"\\(?:([abfnrtv\\])|0([0-7]{0,3}))")


def ansi(text: str) -> str:
    """The text of `$'…'`."""
    return _replace(_QUOTED, text)


def printf(text: str) -> str:
    """The escapes of printf's format."""
    return _replace(_PRINTF, text)


def echo(text: str, *, is_bash: bool) -> tuple[str, bool]:
    """The escapes of `echo -e` in bash, or of any echo in dash; and whether a `\\c` ends the output."""
    head, cut, _ = _split_at_end(text)
    return _replace(_ECHO if is_bash else _DASH_ECHO, head), cut


def _split_at_end(text: str) -> tuple[str, bool, str]:
    position = 0
    while (found := text.find("\\", position)) >= 0:
        if text[found + 1 : found + 2] == "c":
            return text[:found], True, text[found + 2 :]
        position = found + 2
    return text, False, ""


def _replace(pattern: re.Pattern[str], text: str) -> str:
    data, last = b"", 0
    for match in pattern.finditer(text):
        data += text[last : match.start()].encode("utf-8", "surrogateescape") + _bytes(match)
        last = match.end()
    data += text[last:].encode("utf-8", "surrogateescape")
    return data.decode("utf-8", "surrogateescape")


def _bytes(match: re.Match[str]) -> bytes:
    if match[1] is not None:
        return _ONE[match[1]].encode()
    if match[2] is not None:
        return bytes([int(match[2] or "0", 8) & 0xFF])
    if match[3] is not None:
        return bytes([int(match[3], 16)])
    if match[4] is not None:
        return chr(min(int(match[4], 16), 0x10FFFF)).encode("utf-8", "surrogatepass")
    return bytes([ord(match[5][0]) & 0x1F])
