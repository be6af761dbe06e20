"""Own generic patterns: `password = …` and its kin, for credentials that have no format of their own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

LARGEST_TEXT = 1_000_000

NAME = r"(?:pass(?:word|wd|phrase)?|pwd|secret|token|api_?key|access_?key|private_?key|psk|become_pass|credentials?)"
"""How names of credentials end; a word that follows, as in `secrets_method`, makes it something else."""

_KEY = rb"(?P<key>[A-Za-z0-9_.-]{0,40}?" + NAME.encode() + rb")"
_ASSIGNMENT = re.compile(
    rb"""(?ix) (?:^|[\s"'{,;(_.-]) """
    + _KEY
    + rb"""
    ["']? [ \t]* (?::=|=>|[:=]) [ \t]* (?:["'](?P<quoted>[^"'\n]{6,200})["'] | (?P<bare>[^\s"'\#;,)}]{6,200}))""",
    re.MULTILINE,
)
_PLACEHOLDER = re.compile(
    rb"""(?ix) ^ (?: [$%<{*/.~(\[@!&|].* | x{3,}.* | .*(?:\{\{|\$\{|\$\(|<[a-z_ -]+>|%\().* | changeme.* | change[-_ ]me.* | example.*
    | (?:none|null|nil|true|false|yes|no|disabled|enabled|required|optional|default|undefined|sufficient|requisite|include|prompt
    | ask|never|always|prohibit-password|string|redacted|hidden|secret|password|passwd|token|placeholder|dummy|unset|empty)
    | [a-z_.-]+:/[^/].* | your.* | my[-_]?(?:password|secret|token|key) | insert.* | replace.* | todo.* | [a-z_.]+\(.* | [a-z]+(?:\.[a-z_]+)+ | \d+
    | (?-i:[A-Z][A-Z_]+) | self\..* | os\.environ.* | env[:.].* | vault:.* | !vault.* | \*+ | \.+ | -+ | sha\d+:? | -----begin.* ) $"""
)
_WORDS = re.compile(rb"[a-z]{2,}(?:[ _-][a-z]{2,}){1,8}[.:]?", re.IGNORECASE)
"""Prose, or a name made of words: `password: the user's own`."""

_COMMANDS = re.compile(
    rb"""(?x) \b(?: curl\b[^\n|;]{0,200}?\s(?:-u|--user)[ =]?["']?[^\s:"']{1,60}:(?P<curl>[^\s"'@$]{4,100})
    | sshpass\s+-p\s*["']?(?P<sshpass>[^\s"'$-][^\s"'$]{3,100})
    | mysql(?:admin|dump)?\b[^\n|;]{0,200}?\s-p(?P<mysql>[^\s"'$]{4,100})
    | openssl\b[^\n|;]{0,200}?-pass(?:in|out)?\s+["']?pass:(?P<openssl>[^\s"'$]{4,100})
    | (?:PGPASSWORD|MYSQL_PWD|SSHPASS|REDISCLI_AUTH)=["']?(?P<env>[^\s"'$]{4,100})
    | IDENTIFIED\ (?:WITH\ \w+\ )?BY\ ["'](?P<sql>[^"'$]{4,100})
    | useradd\b[^\n|;]{0,200}?\s(?:-p|--password)[ =]["']?(?P<useradd>[^\s"'$][^\s"']{3,150}) )"""
)
_NETRC = re.compile(rb"(?m)^[ \t]*machine\s+\S+\s+login\s+\S+\s+password\s+(?P<netrc>\S{4,200})")
_CHPASSWD = re.compile(
    rb"(?m)^[ \t]*(?:-\s*)?[\"']?(?:root|[a-z][a-z0-9_-]{0,30}):(?P<value>[^\s:$!*\"'/<{][^\s:\"']{5,})[\"']?\s*$"
)
_ECHOED = re.compile(
    rb"echo\s+[\"']?[A-Za-z0-9_.-]{1,40}:(?P<value>[^\s\"'$|:]{4,100})[\"']?\s*\|\s*(?:sudo\s+)?(?:/usr/sbin/)?chpasswd"
)
_PRESEED = re.compile(rb"(?m)^[ \t]*(?:d-i\s+)?passwd/(?:root|user)-password(?:-crypted)?\s+password\s+(?P<value>\S{4,})")
_KICKSTART = re.compile(
    rb"(?m)^[ \t]*(?:rootpw|user\b.*--password=?)\s+(?:--(?:plaintext|iscrypted)\s+)*(?P<value>[^\s-]\S{3,})"
)
_SEED = re.compile(
    r"(^|/)(cloud-init|kickstart|preseed|user-data|ks|anaconda-ks)[^/]*(\.cfg|\.ya?ml|\.ks)?$|(^|/)cloud\.cfg\.d/"
)


@dataclass(frozen=True, slots=True)
class Assigned:
    """A credential by its place: the name that it is given to, where its value stands, and the value for fingerprints only."""

    name: str
    start: int
    value: bytes


def find_assigned(path: str, data: bytes) -> Iterator[Assigned]:
    """Each text in a file that looks like a credential because of where it stands."""
    if len(data) > LARGEST_TEXT or b"\0" in data[:4096]:
        return
    for match in _ASSIGNMENT.finditer(data):
        group = "quoted" if match["quoted"] is not None else "bare"
        if not is_placeholder(match[group]):
            yield Assigned(match["key"].decode(errors="replace"), match.start(group), match[group])
    for pattern in (_COMMANDS, _NETRC):
        for match in pattern.finditer(data):
            name = match.lastgroup or ""
            if not is_placeholder(match[name]):
                yield Assigned(name, match.start(name), match[name])
    yield from _of_installers(path, data)


def is_placeholder(value: bytes) -> bool:
    """Whether a value stands for another one, or is a word of the language around it."""
    value = value.strip()
    return not value or _PLACEHOLDER.match(value) is not None or _WORDS.fullmatch(value) is not None


def _of_installers(path: str, data: bytes) -> Iterator[Assigned]:
    patterns = [_ECHOED, _PRESEED]
    if _SEED.search(path):
        patterns += [_CHPASSWD, _KICKSTART]
    for pattern in patterns:
        for match in pattern.finditer(data):
            if not is_placeholder(match["value"]):
                yield Assigned("chpasswd", match.start("value"), match["value"])
