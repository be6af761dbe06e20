"""What a script would give away: literals, traces, command lines, files that stay, and downloads that nobody checks."""

from __future__ import annotations

import re
from collections.abc import Iterator

from goldsmith.assist.remarks import Remark, Remarks
from goldsmith.assist.secret_places import secret_arguments, takes_secrets
from goldsmith.assist.spelled import commands_in
from goldsmith.gates.secrets.generic import NAME

_SECRET = rf"\$\{{?[A-Za-z0-9_]*?{NAME}\}}?(?![A-Za-z0-9_])"
"""A variable whose name says that it is a credential."""
_USE = re.compile(_SECRET, re.IGNORECASE)
_TRACE = re.compile(r"^\s*set\s+-[a-z]*x[a-z]*\b|^#!.*\s-[a-z]*x[a-z]*\b|^\s*set\s+-o\s+xtrace\b", re.MULTILINE)
_UNTRACE = re.compile(r"^\s*(?:\{\s*)?set\s+\+[a-z]*x|^\s*set\s+\+o\s+xtrace", re.MULTILINE)
_OWN_COMMANDS = frozenset({"echo", "printf", "export", "local", "declare", "readonly", "test", "[", "read", "set", ""})
"""The shell does these itself, without a process whose arguments others see."""
_WRITTEN = re.compile(
    rf"^[^#\n]*{_SECRET}[^\n|]*?(?:>>?|\|\s*(?:sudo\s+)?tee(?:\s+-a)?)\s*[\"']?(?P<path>[^\s\"'&;|()]+)",
    re.IGNORECASE | re.MULTILINE,
)
_HERE = re.compile(
    r"^[^#\n]*?(?:>>?|tee(?:\s+-a)?)\s*[\"']?(?P<path>[^\s\"'&;|()<]+)[\"']?\s*<<-?\s*[\"']?(?P<mark>\w+)[\"']?[^\n]*\n(?P<body>.*?)^\s*(?P=mark)\s*$"
    r"|^[^#\n]*?<<-?\s*[\"']?(?P<mark2>\w+)[\"']?\s*(?:>>?|\|\s*(?:sudo\s+)?tee(?:\s+-a)?)\s*[\"']?(?P<path2>[^\s\"'&;|()]+)[^\n]*\n(?P<body2>.*?)^\s*(?P=mark2)\s*$",
    re.MULTILINE | re.DOTALL,
)
_PIPED = re.compile(
    r"^[^#\n]*\b(?:curl|wget)\b[^\n|]*\|\s*(?:sudo\s+(?:-\S+\s+)*)?(?:/(?:usr/)?bin/)?(?:ba|da|z|k)?sh\b", re.MULTILINE
)
_DOWNLOAD = re.compile(
    r"^[^#\n]*\b(?:curl\b[^\n|]*\s(?:-[a-zA-Z]*[oO]\b|--output\b|--remote-name\b)|wget\b(?![^\n|]*(?:-O\s*-|-qO-)))[^\n|]*https?://",
    re.MULTILINE,
)
_CHECKED = re.compile(
    r"\b(?:sha(?:1|224|256|384|512)sum|shasum|b2sum|gpgv?\b[^\n]*--verify|gpgv|cosign\s+verify|minisign|openssl\s+dgst)\b"
)
_KEEPS_NOTHING = re.compile(r"^(?:/dev/|/run/|/proc/|&)")


def review_script(remarks: Remarks, start: int = 0, text: str | None = None) -> Iterator[Remark]:
    """The remarks about a script, or about a text of the file that is one and stands at `start`."""
    script = remarks.text if text is None else text

    def place(offset: int) -> int:
        return offset if text is None else start

    yield from remarks.assigned("script.literal-secret", start, text)
    yield from (
        remarks.at(
            place(offset),
            "script.trace-beside-secret",
            "fail",
            "commands are traced (set -x) where a secret is used, so it is printed",
            "Write set +x before it.",
        )
        for offset in _traced(script)
    )
    for offset in _handed_over(script):
        what = "a secret is handed over on a command line, where every process sees it"
        fix = "Hand it over by standard input, a file or the environment."
        yield remarks.at(place(offset), "script.secret-on-command-line", "warn", what, fix)
    for offset, path in _written(script):
        what = f'a secret is written to "{path}", and nothing removes it'
        yield remarks.at(
            place(offset), "script.secret-in-file", "warn", what, "Remove the file, or have it made at first boot."
        )
    for match in _PIPED.finditer(script):
        what = "what a server sends is run unseen"
        fix = "Download it, compare its SHA-256, then run it."
        yield remarks.at(place(match.start()), "script.download-piped-to-shell", "warn", what, fix)
    if not _CHECKED.search(script):
        for match in _DOWNLOAD.finditer(script):
            what = "a download is not checked"
            yield remarks.at(
                place(match.start()), "script.download-without-checksum", "warn", what, "Compare its SHA-256: sha256sum -c."
            )


def has_trace(script: str) -> bool:
    """Whether a script traces its commands anywhere."""
    return _TRACE.search(script) is not None


def _traced(script: str) -> Iterator[int]:
    """Where the first secret of each traced stretch stands."""
    for trace in _TRACE.finditer(script):
        end = _UNTRACE.search(script, trace.end())
        used = _USE.search(script, trace.end(), end.start() if end else len(script))
        if used is not None:
            yield used.start()


def _handed_over(script: str) -> Iterator[int]:
    """Where a variable with a secret is an argument, by the role of the argument; in a header it may be a part of it."""
    found: set[int] = set()
    for command in commands_in(script):
        texts = [word.text for word in command.words]
        for start in (number for number, text in enumerate(texts) if _is_command(number, text)):
            for item in secret_arguments(texts[start].rpartition("/")[2], texts[start + 1 :]):
                word = command.words[start + 1 + item.index]
                if _USE.search(word.text, item.start, item.end) and not _is_remark(script, word.offsets[item.start]):
                    found.add(word.offsets[item.start])
    yield from sorted(found)


def _is_command(number: int, text: str) -> bool:
    name = text.rpartition("/")[2]
    return takes_secrets(name) or (number == 0 and name not in _OWN_COMMANDS and "=" not in name)


def _is_remark(script: str, offset: int) -> bool:
    return script[script.rfind("\n", 0, offset) + 1 : offset].lstrip().startswith("#")


def _written(script: str) -> Iterator[tuple[int, str]]:
    found = [(match.start(), match["path"]) for match in _WRITTEN.finditer(script)]
    for match in _HERE.finditer(script):
        body, path = match["body"] or match["body2"], match["path"] or match["path2"]
        if body and _USE.search(body):
            found.append((match.start(), path))
    for offset, path in found:
        removed = re.compile(rf"\b(?:rm|shred)\b[^\n]*{re.escape(path)}").search(script, offset)
        if removed is None and not _KEEPS_NOTHING.match(path):
            yield offset, path
