"""Text to tokens: code, quoted templates, heredocs and bare templates."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field

IDENTIFIER = "identifier"
NUMBER = "number"
NEWLINE = "newline"
COMMENT = "comment"
OPEN_QUOTE = "open quote"
CLOSE_QUOTE = "close quote"
QUOTED = "quoted text"
OPEN_HEREDOC = "open heredoc"
CLOSE_HEREDOC = "close heredoc"
TEXT = "text"
INTERPOLATION = "${"
CONTROL = "%{"
SEQUENCE_END = "end of template sequence"
INVALID = "invalid"
END = "end of file"

# Problems that the lexer meets; other invalid tokens are characters.
BROKEN_STRING = "line break in a quoted string"
BROKEN_COMMENT = "comment without end"


@dataclass(slots=True)
class Tokens:
    """Tokens in parallel lists: kind, offset of the first character, offset after the last one.

    Operators and brackets are their own kind. `problems` are (kind, start, end) of what no text may hold.
    The last token is END.
    """

    kinds: list[str] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    problems: list[tuple[str, int, int]] = field(default_factory=list)

    def add(self, kind: str, start: int, end: int) -> None:
        """Append a token."""
        self.kinds.append(kind)
        self.starts.append(start)
        self.ends.append(end)


def lex(text: str) -> Tokens:
    """The tokens of a configuration file or an expression. Text that is no token becomes INVALID; nothing is raised."""
    return _Lexer(text, "code").run()


def lex_template(text: str) -> Tokens:
    """The tokens of a text that is one bare template."""
    return _Lexer(text, "bare").run()


# Written as unrolled loops, where each character can be read in one way only: hostile input takes linear time.
# (Possessive groups would say it shorter, but Python before 3.11.5 matches them wrongly.)
_LITERAL = r"[^$%\r\n]*(?:(?:\$\$\{|%%\{|[$%](?!\{))[^$%\r\n]*)*"
_QUOTED_LITERAL = r'[^$%"\\\r\n]*(?:(?:\\[^\r\n]|\$\$\{|%%\{|[$%](?!\{))[^$%"\\\r\n]*)*'

_CODE = re.compile(
    r"[ \t]*+(?:"
    r"(?P<identifier>[A-Za-z_][A-Za-z0-9_-]*+(?![^\x00-\x7f]))"
    rf'|(?P<string>"{_QUOTED_LITERAL}")'
    r"|(?P<newline>\r?\n)"
    r"|(?P<comment>(?:\#|//)[^\n]*+\n?|/\*(?s:.*?)\*/)"
    r"|(?P<unclosed>/\*(?s:.*))"
    r"|(?P<heredoc><<-?[^\W\d][\w\x80-\U0010ffff-]*+\r?\n)"
    r"|(?P<operator>==|!=|>=|<=|&&|\|\||::|\.\.\.|=>|[\[\]().,*/%+\-=<>!?:{])"
    r"|(?P<close>~?\})"
    r"|(?P<number>[0-9](?:\.*(?:[0-9]|[eE][+-]?[0-9]))*)"
    r'|(?P<quote>")'
    r"|(?P<end>\Z)"
    r"|(?P<other>(?s:.)))"
)
_QUOTED = re.compile(_QUOTED_LITERAL)
_LINE = re.compile(rf"{_LITERAL}(?:\r?\n)?")
_SEQUENCE = re.compile(r"[$%]\{~?")


@dataclass(slots=True)
class _Frame:
    """What the text at hand is inside of. `depth` counts open braces of code, `marker` ends a heredoc."""

    mode: str
    depth: int = 0
    marker: str = ""
    at_line_start: bool = True


class _Lexer:
    def __init__(self, text: str, mode: str) -> None:
        self.text = text
        self.at = 0
        self.tokens = Tokens()
        self.frames = [_Frame(mode)]

    def run(self) -> Tokens:
        self.at = len(self.text) - len(self.text.removeprefix("\ufeff"))
        steps = {"code": self._code, "quoted": self._quoted, "heredoc": self._lines, "bare": self._lines}
        while self.at < len(self.text):
            steps[self.frames[-1].mode]()
        self.tokens.add(END, len(self.text), len(self.text))
        return self.tokens

    def _code(self) -> None:
        """Read code until a template starts or ends."""
        match, add, text = _CODE.match, self.tokens.add, self.text
        frames = len(self.frames)
        while len(self.frames) == frames and (found := match(text, self.at)):
            kind = found.lastgroup or "end"
            start, self.at = found.span(kind)
            if kind == "operator":
                operator = text[start : self.at]
                add(operator, start, self.at)
                self.frames[-1].depth += operator == "{"
            elif kind in (IDENTIFIER, NEWLINE, COMMENT, NUMBER):
                add(kind, start, self.at)
            elif kind == "string":
                self._string(start)
            elif kind == "end":
                return
            else:
                self._rare(kind, start)

    def _string(self, start: int) -> None:
        """A quoted string without templates: the common case, read at once."""
        self.tokens.add(OPEN_QUOTE, start, start + 1)
        if self.at - start > 2:
            self.tokens.add(QUOTED, start + 1, self.at - 1)
        self.tokens.add(CLOSE_QUOTE, self.at - 1, self.at)

    def _rare(self, kind: str, start: int) -> None:
        if kind == "close":
            self._close(start)
        elif kind == "quote":
            self.tokens.add(OPEN_QUOTE, start, self.at)
            self.frames.append(_Frame("quoted"))
        elif kind == "heredoc":
            self._open_heredoc(start)
        elif kind == "unclosed":
            self.tokens.problems.append((BROKEN_COMMENT, start, start + 2))
        else:
            self._other(start)

    def _close(self, start: int) -> None:
        frame = self.frames[-1]
        trims = self.text[start] == "~"
        if frame.depth == 0 and len(self.frames) > 1:
            self.frames.pop()
            self.tokens.add(SEQUENCE_END, start, self.at)
            return
        frame.depth = max(0, frame.depth - 1)
        self.tokens.add(SEQUENCE_END if trims else "}", start, self.at)

    def _open_heredoc(self, start: int) -> None:
        marker = self.text[start : self.at].lstrip("<-").rstrip("\r\n")
        if not is_identifier(marker):
            self.at = start + 1
            self.tokens.add("<", start, self.at)
            return
        self.tokens.add(OPEN_HEREDOC, start, self.at)
        self.frames.append(_Frame("heredoc", marker=marker))

    def _other(self, start: int) -> None:
        """An identifier with letters beyond ASCII, or a character that the language does not have."""
        self.at = _identifier_end(self.text, start)
        if self.at > start:
            self.tokens.add(IDENTIFIER, start, self.at)
            return
        self.at = start + 1
        self._invalid(start)

    def _invalid(self, start: int) -> None:
        self.tokens.add(INVALID, start, self.at)
        self.tokens.problems.append((self.text[start : self.at], start, self.at))

    def _quoted(self) -> None:
        start = self.at
        if (found := _QUOTED.match(self.text, start)) and found.end() > start:
            self.at = found.end()
            self.tokens.add(QUOTED, start, self.at)
        elif self.text[start] == '"':
            self.at += 1
            self.tokens.add(CLOSE_QUOTE, start, self.at)
            self.frames.pop()
        elif self.text[start] in "\r\n":
            self._break_string(start)
        elif self.text[start] in "$%":
            self._sequence()
        else:
            self.at += 1  # a backslash before a line break or the end: what follows is reported
            self.tokens.add(QUOTED, start, self.at)

    def _break_string(self, start: int) -> None:
        """A string ends at the line break, and so do all strings around it: the next line most likely is code again."""
        self.tokens.problems.append((BROKEN_STRING, start, start))
        self.tokens.add(CLOSE_QUOTE, start, start)
        self.frames.pop()
        while len(self.frames) > 2 and self.frames[-2].mode == "quoted":
            self.tokens.add(SEQUENCE_END, start, start)
            self.tokens.add(CLOSE_QUOTE, start, start)
            del self.frames[-2:]

    def _lines(self) -> None:
        """One line, or the part of it before a template sequence, of a heredoc or a bare template."""
        start, frame = self.at, self.frames[-1]
        found = _LINE.match(self.text, start)
        self.at = found.end() if found else start
        piece = self.text[start : self.at]
        if not piece and self.text[start] == "\r":
            self.at += 1
            self._invalid(start)
        elif not piece:
            frame.at_line_start = False
            self._sequence()
        elif frame.marker and frame.at_line_start and piece.endswith("\n") and piece.strip() == frame.marker:
            line_end = start + len(piece.rstrip("\n").removesuffix("\r"))
            self.tokens.add(CLOSE_HEREDOC, start, line_end)
            self.tokens.add(NEWLINE, line_end, self.at)
            self.frames.pop()
        else:
            frame.at_line_start = piece.endswith("\n")
            self.tokens.add(TEXT, start, self.at)

    def _sequence(self) -> None:
        found = _SEQUENCE.match(self.text, self.at)
        assert found is not None  # the literal patterns stop nowhere else
        self.tokens.add(INTERPOLATION if self.text[self.at] == "$" else CONTROL, self.at, found.end())
        self.at = found.end()
        self.frames.append(_Frame("code"))


# ID_Start and ID_Continue of UAX #31, which the grammar refers to: categories, and characters added for stability.
_START = frozenset(("Lu", "Ll", "Lt", "Lm", "Lo", "Nl"))
_CONTINUE = _START | {"Mn", "Mc", "Nd", "Pc"}
_ALSO_START = frozenset("\u1885\u1886\u2118\u212e\u309b\u309c")
_ALSO_CONTINUE = _ALSO_START | frozenset("\u00b7\u0387\u1369\u136a\u136b\u136c\u136d\u136e\u136f\u1370\u1371\u19da")


def _identifier_end(text: str, start: int) -> int:
    """The offset after the identifier at `start`; `start` when there is none."""
    if text[start] != "_" and text[start] not in _ALSO_START and unicodedata.category(text[start]) not in _START:
        return start
    end = start + 1
    while end < len(text) and _continues(text[end]):
        end += 1
    return end


def _continues(letter: str) -> bool:
    return letter == "-" or letter in _ALSO_CONTINUE or unicodedata.category(letter) in _CONTINUE


def is_identifier(text: str) -> bool:
    """Whether the text is one identifier, as names of attributes, blocks and object items are without quotes."""
    return bool(text) and _identifier_end(text, 0) == len(text)
