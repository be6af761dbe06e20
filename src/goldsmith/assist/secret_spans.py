"""Where secrets stand in a text of any kind: by the role of an argument, by the name of a value, by form, and by chance itself.

It rather finds too much: what is hidden for nothing costs a reader a moment, what is not hidden is out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

from goldsmith.assist.secret_places import SecretKind, SecretSpan, kind_of, secret_arguments, secret_input, takes_secrets
from goldsmith.assist.spelled import Spelled, SpelledCommand, commands_in
from goldsmith.gates.secrets.generic import LARGEST_TEXT, NAME, find_assigned
from goldsmith.gates.secrets.rules import entropy, rule_set

_NAMES = (
    rf"(?:{NAME}|(?:account|shared|secret|auth|encryption|license|master|signing|client)_?key|auth(?:entication)?|passcode"
    r"|connection_?string|webhook(?:_?url)?|bearer|otp|sas)"
)
_KEY = rf"(?P<name>[A-Za-z0-9_.-]{{0,60}}?{_NAMES})[_-]?\d*"
_VALUE = r"(?:\"(?P<a>(?:[^\"\\\n]|\\.)+)\"|'(?P<b>(?:[^'\\\n]|\\.|'')+)'|(?P<c>[^\s\"'#;,)}\]]+))"
_EXPRESSIONS: tuple[tuple[str, SecretKind | None], ...] = (
    (rf"(?i)(?<![A-Za-z0-9]){_KEY}[\"'\]]{{0,2}}[ \t]*(?::=|=>|\?=|\+=|[:=])[ \t]*(?:!!?\w+[ \t]+)?{_VALUE}", None),
    (rf"(?im)^[ \t]*(?:-[ \t]+)?[\"']?{_KEY}[\"']?[ \t]*(?::[ \t]+|[ \t]=[ \t]*)(?P<a>[^\s\"'{{\[|>&*!#][^\n]*?)(?:[ \t]+#[^\n]*)?$", None),
    (rf"(?im)^[ \t]*(?:export[ \t]+)?{_KEY}=(?P<a>[^\s\"']\S*)", None),
    (rf"(?im)^(?P<indent>[ \t]*)(?:-[ \t]+)?[\"']?{_KEY}[\"']?[ \t]*:[ \t]*[|>][-+\d]*[ \t]*\n(?P<a>(?:(?P=indent)[ \t]+\S[^\n]*\n?|[ \t]*\n)+)", None),
    (rf"(?is)\b{_KEY}[ \t]*=[ \t]*<<-?[\"']?(?P<mark>\w+)[\"']?\n(?P<a>.*?)\n[ \t]*(?P=mark)\b", None),
    (rf"(?is)\b(?:variable|local)\s+\"{_KEY}\"\s*\{{[^}}]*?\bdefault\s*=\s*\"(?P<a>(?:[^\"\\\n]|\\.)+)\"", None),
    (rf"(?i)\$\{{{_KEY}:?[-=+](?P<a>[^}}\s]+)\}}", None),
    (rf"(?i)<{_KEY}(?:\s[^<>]*)?>(?P<a>[^<>]+)</", None),
    (rf"(?i)\b(?:key|name)=\"{_KEY}\"[^<>\n]*?\bvalue=\"(?P<a>[^\"\n]+)\"", None),
    (rf"(?im)^[ \t]*(?:ENV|ARG|set|setx|default)\s+{_KEY}[ \t]+{_VALUE}", None),
    (rf"(?i)\b{NAME}\s+(?:is|was)\s*:?\s+[\"'`]?(?!(?:not|set|the|required|stored|changed|empty|disabled|wrong|needed|given|taken|made|read|used|kept|never|asked|unknown|known|written|hidden|sent|valid|invalid|correct|missing)\b)(?P<a>\S{{4,}}?)[\"'`]?(?=[\s.,;)]|$)", "password"),
    (rf"(?i)\b{_KEY}=\$\(\s*(?:echo|printf)\s+{_VALUE}", None),
    (r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----(?P<a>[\s\S]+?)(?:-----END [A-Z0-9 ]+-----|\Z)", "key"),
    (r"(?m)^PuTTY-User-Key-File-\d:(?P<a>[\s\S]+?Private-MAC:[^\n]*)", "key"),
    (r"(?P<a>\$(?:1|2[abxy]?|5|6|7|y|gy|sha1|apr1|argon2id?|pbkdf2[\w-]*|scrypt)\$[^\s:\"'<>]{8,})", "hash"),
    (r"(?P<a>\{(?:SSHA|SSHA256|SSHA512|SHA|SMD5|MD5|CRYPT|PBKDF2[\w-]*)\}[^\s\"'<>]{8,})", "hash"),
    (r"(?P<a>grub\.pbkdf2\.sha512\.\d+\.[0-9A-F.]+)", "hash"),
    (r"(?i)\b[a-z][a-z0-9+.-]*://[^\s/:@\"'<>]*:(?P<a>[^\s/@\"'<>]+)@", "password"),
    (r"(?i)\bhttps?://(?P<a>[^\s/:@\"'<>${}]{20,})@", "token"),
    (r"(?i)\b(?:proxy-)?authorization[\"']?\s*[:=]\s*[\"']?(?:(?:bearer|basic|token|digest|apikey|negotiate|aws4-hmac-sha256)\s+)?(?P<a>[^\s\"'<>]+)", "token"),
    (r"(?i)\b(?:bearer|basic)\s+(?P<a>[A-Za-z0-9+/=._~-]{12,})", "token"),
    (r"(?i)\bidentified\s+(?:with\s+\S+\s+)?(?:by|as)\s+(?:password\s+)?[\"'](?P<a>[^\"'\n]+)[\"']", "password"),
    (r"(?i)\bpassword\s*\(\s*[\"'](?P<a>[^\"'\n]+)[\"']\s*\)|\b(?:with|role\s+\S+)\s+(?:encrypted\s+)?password\s+[\"'](?P<b>[^\"'\n]+)[\"']", "password"),
    (r"(?i)\bmachine\s+\S+\s+(?:login\s+\S+\s+)?password\s+(?P<a>\S+)", "password"),
    (r"(?m)^[^\s:#]+:(?:\d{2,5}|\*):[^\s:]+:[^\s:]+:(?P<a>\S+)$", "password"),
    (r"(?im)^[ \t]*(?:rootpw|bootloader\b.*--password=?|user\b.*--password=?|luks\b.*--passphrase=?)\s*(?:--(?:plaintext|iscrypted)\s+)*(?P<a>[^\s-]\S*)", "password"),
    (r"(?im)\bpass(?:wd|word)\S*\s+password\s+(?P<a>\S[^\n]*)", "password"),
    (r"(?ims)^[ \t]*chpasswd:\s*\n(?P<a>(?:[ \t]+[^\n]*\n?)+)", "password"),
    (r"(?i)assword[^\n]*\n?[^\n]*?\bsend\s+(?:--\s+)?\"(?P<a>[^\"\\\n]+)(?:\\[rn])+\"", "password"),
    (r"(?i)\b(?:ConvertTo-SecureString\s+(?:-String\s+)?|net\s+user\s+\S+\s+)[\"']?(?P<a>[^\s\"'/-][^\s\"']*)", "password"),
)  # fmt: skip
"""Each with the kind of what it finds; None: the name that stands beside tells."""
_PATTERNS = tuple((re.compile(pattern), kind) for pattern, kind in _EXPRESSIONS)
_CHPASSWD_ENTRY = re.compile(
    r"(?m)^[ \t-]*[\"']?[a-z_][a-z0-9_-]*:(?P<secret>(?!\s)[^\s\"']+)|\bpassword:\s*[\"']?(?P<value>[^\s\"',}]+)"
)
_REFERENCE = re.compile(
    r"(?is)\s*(?:\$\{?[a-z_][a-z0-9_]*\}?|\$\(.*|`.*|\{\{.*\}\}|\{%.*%\}|\$\{\s*[a-z][a-z0-9_.\[\]\"*-]*\s*\}|%\{?[a-z_]+\}?%?|<[^<>]*>"
    r"|(?:var|local|data|each|self|module|path|build|source)\.[a-z0-9_.\[\]\"*-]+|(?:vault|sensitive|env|lookup|file|base64decode|trimspace|aws_secretsmanager\w*)\(.*"
    r"|true|false|yes|no|none|null|nil|on|off|undef|\*+|x{3,}|\.{3}|-|!vault|!reference|\||>-?|\[|\{|\(|\\|\$|⟦[^⟧]*⟧|string|bool|number|\ufffc)\s*"
)
"""What stands for a value and is none."""
_ECHOES = frozenset({"echo", "printf", "yes", "print", "cat"})
_RANDOM = re.compile(r"(?<![A-Za-z0-9+/_.~-])(?:[A-Fa-f0-9]{32,128}|[A-Za-z0-9+/_~-]{20,200}={0,2})(?![A-Za-z0-9+/_~-])")
_CHECKSUM_SIZES = frozenset({32, 40, 56, 64, 96, 128})
_BESIDE_A_CHECKSUM = re.compile(
    r"(?i)sha-?\d|shasum|sha(?:224|256|384|512)|md5|checksum|digest|hash|b2sum|commit|\brev(?:ision)?\b|fingerprint|recv-keys?|keyserver|git\b|version|@|uuid|partition"
)
_AROUND = 160
"""Characters before and after a text of hexadecimal digits in which a word of checksums counts."""


@lru_cache(maxsize=4096)
def secret_spans(text: str, path: str = "") -> tuple[SecretSpan, ...]:
    """The secrets of a text, in order; none overlap. `path` tells rules for files of a certain name apart.

    Conversion asks for the same statements again and again.
    """
    found = [*_of_commands(text), *_of_patterns(text), *_of_forms(path, text), *_random(text)]
    return _merged(span for span in found if not _REFERENCE.fullmatch(text, span.start, span.end))


def _of_commands(text: str) -> Iterator[SecretSpan]:
    for command in commands_in(text):
        texts = [word.text for word in command.words]
        for place, name in enumerate([text.rpartition("/")[2] for text in texts]):
            if place and not takes_secrets(name):
                continue
            if place == 0:
                yield from _arguments("", command.words, texts)
            yield from _arguments(name, command.words[place + 1 :], texts[place + 1 :])
            for given in _inputs(command):
                for span in secret_input(name, texts[place + 1 :], given.text):
                    yield SecretSpan(*given.place(span.start, span.end), span.kind)


def _arguments(name: str, words: list[Spelled], texts: list[str]) -> Iterator[SecretSpan]:
    for item in secret_arguments(name, texts):
        start, end = words[item.index].place(item.start, item.end)
        yield SecretSpan(start, end, item.kind, item.name)


def _inputs(command: SpelledCommand) -> Iterator[Spelled]:
    """What the command is given to read: here-documents, and what `echo` and `printf` before a pipe write."""
    yield from command.inputs
    for feeder in command.feeders:
        names = [word.text.rpartition("/")[2] for word in feeder.words]
        start = next((place for place, name in enumerate(names) if name in _ECHOES), None)
        if start is None:
            continue
        written = [word for word in feeder.words[start + 1 :] if not word.text.startswith("-")]
        is_filled = names[start] == "printf" and bool(written) and "%" in written[0].text
        for place, word in enumerate(written):
            yield word.replaced("\\n", "\n")
            if is_filled and place and ":" not in word.text:
                # The words that printf puts in: as a line of chpasswd, whose user is told by the format.
                yield Spelled("x:" + word.text, [word.offsets[0], word.offsets[0], *word.offsets] if word.text else [0, 0])


def _of_patterns(text: str) -> Iterator[SecretSpan]:
    for pattern, kind in _PATTERNS:
        for match in pattern.finditer(text):
            groups = match.groupdict()
            group = next(name for name in ("a", "b", "c") if groups.get(name) is not None)
            name = groups.get("name") or ""
            start, end = match.span(group)
            if "chpasswd" in match[0][:12].lower():
                yield from (
                    SecretSpan(*entry.span(entry.lastgroup or ""), "password")
                    for entry in _CHPASSWD_ENTRY.finditer(text, start, end)
                )
            else:
                yield SecretSpan(start, start + len(text[start:end].rstrip()), kind or kind_of(name), name)


def _of_forms(path: str, text: str) -> Iterator[SecretSpan]:
    """Tokens of known form, and what the secrets gate finds by names."""
    data = text.encode("utf-8", "surrogateescape")

    def character(offset: int) -> int:
        return offset if len(data) == len(text) else len(data[:offset].decode("utf-8", "surrogateescape"))

    for token in rule_set().find(path, data):
        start = character(token.start)
        yield SecretSpan(start, start + len(token.secret.decode("utf-8", "surrogateescape")), "token")
    for item in find_assigned(path, data) if len(data) <= LARGEST_TEXT else ():
        start = character(item.start)
        yield SecretSpan(start, start + len(item.value.decode("utf-8", "surrogateescape")), kind_of(item.name), item.name)


def _random(text: str) -> Iterator[SecretSpan]:
    """Texts that nobody would write by hand; checksums are told by their length and a word beside them."""
    for match in _RANDOM.finditer(text):
        word = match[0]
        if re.fullmatch(r"[0-9a-fA-F]+", word):
            beside = text[max(0, match.start() - _AROUND) : match.end() + _AROUND]
            if len(word) < 32 or (len(word) in _CHECKSUM_SIZES and _BESIDE_A_CHECKSUM.search(beside)):
                continue
        elif not _looks_random(word):
            continue
        yield SecretSpan(match.start(), match.end(), "token")


def _looks_random(word: str) -> bool:
    classes = sum(bool(re.search(pattern, word)) for pattern in ("[a-z]", "[A-Z]", "[0-9]"))
    if "/" in word and (len(word) < 40 or word.startswith("/") or len(max(word.split("/"), key=len)) < 12):
        return False
    changes = len(re.findall(r"[a-z][A-Z0-9]|[A-Z][0-9]|[0-9][A-Za-z]", word))
    return classes == 3 and entropy(word.encode()) > 3.6 and changes * 6 >= len(word)


def _merged(spans: Iterable[SecretSpan]) -> tuple[SecretSpan, ...]:
    """Overlapping spans as one, that of the first which has a name."""
    merged: list[SecretSpan] = []
    for span in sorted(spans, key=lambda item: (item.start, -item.end)):
        if span.start >= span.end:
            continue
        last = merged[-1] if merged else None
        if last is None or span.start >= last.end:
            merged.append(span)
        else:
            named = last if last.name or not span.name else span
            merged[-1] = SecretSpan(last.start, max(last.end, span.end), named.kind, named.name)
    return tuple(merged)
