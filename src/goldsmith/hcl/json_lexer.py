"""The tokens of JSON, and of what people write for JSON."""

from __future__ import annotations

import re

STRING, OPEN_STRING, NUMBER, WORD, STRANGE, COMMENT, END = "string", "open", "number", "word", "strange", "comment", "end"
_TOKEN = re.compile(
    r"""[ \t\r\n]*+(?:
    (?P<punctuation>[{}\[\],:=])
    |(?P<string>"(?:[^"\\\n\r]|\\[^\n\r])*+")
    |(?P<open>"(?:[^"\\\n\r]|\\[^\n\r])*+\\?)
    |(?P<number>[-+.0-9][-+.0-9eE]*+)
    |(?P<word>[^\W\d]\w*+)
    |(?P<comment>\#[^\n]*+|//[^\n]*+|/\*(?:[^*]|\*(?!/))*+(?:\*/)?)
    |(?P<strange>[^\s{}\[\],:="]++|.)
    |(?P<end>\Z))""",
    re.VERBOSE | re.DOTALL,
)


class JsonLexer:
    """A place in a JSON text: the token at hand.

    Numbers and words are taken as they come, right or wrong, so that what was meant can be told. `kind` of punctuation, and
    of the `=` that is none, is the character itself.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.kind = END
        self.first = self.after = 0
        self.advance()

    @property
    def word(self) -> str:
        """The text of the token."""
        return self.text[self.first : self.after]

    def advance(self) -> None:
        """Step to the next token; at the end of the text, stay."""
        found = _TOKEN.match(self.text, self.after)
        assert found is not None  # the last alternatives take everything
        kind = str(found.lastgroup)
        self.first, self.after = found.span(kind)
        self.kind = found.group(kind) if kind == "punctuation" else kind
