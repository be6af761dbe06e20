"""Go's text/template, as far as templates use it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

_ACTION = re.compile(r"""\{\{(-\s)?((?:"(?:\\.|[^"\\])*"|`[^`]*`|[^"`])*?)(\s-)?\}\}""", re.DOTALL)
_WORD = re.compile(r'\s*("(?:[^"\\]|\\.)*"|`[^`]*`|[^\s|]+|\|)')


def render(template: str, functions: Mapping[str, Callable[..., object]], data: Mapping[str, object] | None) -> str:
    """The text with every action replaced. Raises ValueError with the reason."""

    def replace(match: re.Match[str]) -> str:
        return str(_pipeline(match[2].strip(), functions, data))

    check(template, functions)
    return _ACTION.sub(replace, template)


def check(template: str, functions: Mapping[str, Callable[..., object]]) -> None:
    """Raises ValueError when the template cannot be parsed."""
    rest = _ACTION.sub("", template)
    if "{{" in rest:
        raise ValueError("unclosed action")
    for match in _ACTION.finditer(template):
        words = _WORD.findall(match[2])
        if words and words[0][0] not in '."`|$(' and not words[0][0].isdigit() and words[0] not in functions:
            raise ValueError(f'function "{words[0]}" not defined')


def _pipeline(text: str, functions: Mapping[str, Callable[..., object]], data: Mapping[str, object] | None) -> object:
    words = _WORD.findall(text)
    value: object = ""
    piped = False
    while words:
        end = words.index("|") if "|" in words else len(words)
        command, words = words[:end], words[end + 1 :]
        arguments = [_term(word, data) for word in command[1:]] + ([value] if piped else [])
        if command[0] in functions:
            value = functions[command[0]](*arguments)
        else:
            value = _term(command[0], data)
        piped = True
    return value


def _term(word: str, data: Mapping[str, object] | None) -> object:
    if word.startswith("`"):
        return word[1:-1]
    if word.startswith('"'):
        return word[1:-1].encode().decode("unicode_escape")
    if word.startswith("."):
        return (data or {}).get(word[1:], "<no value>")
    return int(word)
