"""Which argument of which command is a secret, and what of its standard input: the one table that tells.

Redaction hides what stands there, review warns of it, and conversion makes a vault variable of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, TypeAlias

from goldsmith.assist.commands import Text, Word
from goldsmith.gates.secrets.generic import NAME

SecretKind: TypeAlias = Literal["password", "token", "key", "hash"]

GAP = "\ufffc"
"""Stands in `flat` text for one piece that is not known from the script."""

_CREDENTIAL = re.compile(rf"(?i)(?:^|[_.-]|[a-z0-9]){NAME}$")
_TOKENS = re.compile(r"(?i)token|bearer|jwt|sas$|activation")
_KEYS = re.compile(r"(?i)key$|credential|psk")


@dataclass(frozen=True, slots=True)
class SecretArgument:
    """Where a secret stands in the arguments of a command."""

    index: int
    """Which argument, from 0; the name of the command is none."""
    start: int
    end: int
    """Characters of the argument's flat text."""
    kind: SecretKind
    name: str = ""
    """What it is called there: "DB_PASSWORD", "registration-token"."""


@dataclass(frozen=True, slots=True)
class SecretSpan:
    """Where a secret stands in a text."""

    start: int
    end: int
    kind: SecretKind
    name: str = ""


def is_credential(name: str) -> bool:
    """Whether a name says that its value is a credential: `db_password` does, `secrets_method` does not."""
    return _CREDENTIAL.search(name) is not None


def kind_of(name: str) -> SecretKind:
    """What kind of credential a name speaks of."""
    return "token" if _TOKENS.search(name) else "key" if _KEYS.search(name) else "password"


def flat(word: Word) -> str:
    """The text of a word, with `GAP` for each piece that is not known from the script."""
    return "".join(piece.value if isinstance(piece, Text) else GAP for piece in word.pieces)


def secret_arguments(name: str, args: Sequence[str]) -> tuple[SecretArgument, ...]:
    """The secrets among the arguments of a command, by its name without a directory; `args` are flat texts."""
    found: dict[tuple[int, int], SecretArgument] = {}
    for item in _candidates(name, args):
        if item.start < item.end and (item.index, item.start) not in found:
            found[item.index, item.start] = item
    return tuple(sorted(found.values(), key=lambda item: (item.index, item.start)))


def secret_input(name: str, args: Sequence[str], text: str) -> tuple[SecretSpan, ...]:
    """The secrets in what a command is given on its standard input."""
    reading = _INPUTS.get(name)
    if reading is None or (reading.asked and not _asks(args, reading.asked)):
        return ()
    return tuple(
        SecretSpan(*match.span("secret"), reading.kind)
        for match in reading.pattern.finditer(text)
        if match.start("secret") < match.end("secret")
    )


def takes_secrets(name: str) -> bool:
    """Whether a command, by its name without a directory, stands in the table."""
    return name in _OPTIONS or name in _OPERANDS or name in _INPUTS or name in _OPERANDS_BY_NAME


# ── shapes of values ──────────────────────────────────────────────────────────────────────────────────────────────────

_WHOLE = re.compile(r"(?s)(?P<secret>.+)")
_AFTER_COLON = re.compile(r"(?s)[^:]*:(?P<secret>.+)")
_AFTER_PERCENT = re.compile(r"(?s)[^%]*%(?P<secret>.+)")
_AFTER_COMMA = re.compile(r"(?s)[^,]*,(?P<secret>.+)")
_AFTER_EQUALS = re.compile(r"(?s)[^=]*=(?P<secret>.+)")
_OPENSSL = re.compile(r"(?s)pass:(?P<secret>.+)")
_SQLPLUS = re.compile(r"[^/@\s]+/(?P<secret>[^@]+)@.*")
_HEADER = re.compile(
    r"(?i)\A\s*(?:authorization|proxy-authorization|cookie|[a-z0-9-]*(?:token|api-?key|secret|password|auth(?:-key)?))\s*:\s*"
    r"(?:(?:bearer|basic|token|digest|apikey|negotiate)\s+)?(?P<secret>\S.*)"
)
_NAMED = re.compile(rf"(?is)\A-{{0,2}}(?P<name>[a-z0-9_.-]*?{NAME})\d*=(?P<secret>.+)\Z")
_NAMED_INSIDE = re.compile(rf"(?i)(?<![a-z0-9_.-])(?P<name>[a-z0-9_.-]*?{NAME})\d*=(?P<secret>[^&;,\s]+)")
_USER_INFO = re.compile(
    r"(?i)\b[a-z][a-z0-9+.-]*://[^\s/:@\"']*:(?P<secret>[^\s/@\"']+)@|\bhttps?://(?P<token>[^\s/:@\"']{20,})@"
)
_SQL = re.compile(
    r"(?i)\b(?:identified\s+(?:with\s+\S+\s+)?(?:by|as)|password(?:\s*=\s*|\s*\(\s*|\s+))\s*(?:password\s+)?[\"'](?P<secret>[^\"']+)[\"']"
)
_JSON = re.compile(rf"(?i)[\"'](?P<name>[a-z0-9_.-]*?{NAME})[\"']\s*:\s*[\"'](?P<secret>(?:[^\"'\\]|\\.)+)[\"']")


@dataclass(frozen=True, slots=True)
class _Option:
    """An option whose value is a secret, or has one."""

    flags: str
    """As it is written, several with spaces between them."""
    kind: SecretKind = "password"
    shape: re.Pattern[str] = _WHOLE
    attached: bool = False
    """Its value never is the next word: `mysql -pVALUE`."""
    when: str = ""
    """Holds only where one of these words is an argument."""


@dataclass(frozen=True, slots=True)
class _Operand:
    """An operand that is a secret: so many words after a word, or the last one."""

    after: str = ""
    """Several alternatives with spaces between them."""
    count: int = 1
    """0: the last operand; -1: all operands after the word, of which what follows "=" is the secret."""
    kind: SecretKind = "password"
    asked: str = ""
    """Holds only where one of these flags is given."""


@dataclass(frozen=True, slots=True)
class _Input:
    """What of the standard input is a secret."""

    pattern: re.Pattern[str]
    asked: str = ""
    """Holds only where one of these flags or words is an argument."""
    kind: SecretKind = "password"


def _each(names: str, *rules: _Option) -> dict[str, tuple[_Option, ...]]:
    return dict.fromkeys(names.split(), rules)


_OPTIONS: Mapping[str, tuple[_Option, ...]] = {
    **_each("useradd usermod adduser groupadd groupmod", _Option("-p --password", "hash")),
    **_each("mysql mysqladmin mysqldump mysqlimport mysqlcheck mysqlshow mariadb mariadb-admin mariadb-dump mariadb-check",
            _Option("-p", attached=True)),
    **_each("curl", _Option("-u --user -U --proxy-user", shape=_AFTER_COLON), _Option("-H --header --proxy-header", "token", _HEADER),
            _Option("-b --cookie", "token"), _Option("--oauth2-bearer", "token"), _Option("-E --cert", shape=_AFTER_COLON),
            _Option("--pass --tlspassword --proxy-pass --proxy-tlspassword")),
    **_each("wget wget2", _Option("--header", "token", _HEADER)),
    **_each("http https", _Option("-a --auth", shape=_AFTER_COLON)),
    **_each("ab siege hey", _Option("-A -a", shape=_AFTER_COLON), _Option("-H", "token", _HEADER)),
    **_each("aria2c", _Option("--http-passwd --ftp-passwd --rpc-secret"), _Option("--header", "token", _HEADER)),
    **_each("lftp", _Option("-u --user", shape=_AFTER_COMMA)),
    **_each("ncftpput ncftpget ncftp rdesktop", _Option("-p")),
    **_each("sshpass", _Option("-p")),
    **_each("openssl", _Option("-passin -passout -pass -password -passwd -srppass", shape=_OPENSSL), _Option("-k -K -psk", "key")),
    **_each("docker podman buildah nerdctl helm crane oras", _Option("-p --password", when="login"),
            _Option("--creds", shape=_AFTER_COLON)),
    **_each("skopeo", _Option("-p --password", when="login"), _Option("--creds --src-creds --dest-creds", shape=_AFTER_COLON),
            _Option("--src-registry-token --dest-registry-token --registry-token", "token")),
    **_each("redis-cli", _Option("-a --pass")),
    **_each("mongo mongosh mongodump mongorestore mongoimport mongoexport", _Option("-p --password")),
    **_each("sqlcmd bcp", _Option("-P")),
    **_each("ldapadd ldapmodify ldapsearch ldapdelete ldapwhoami ldapmodrdn", _Option("-w")),
    **_each("ldappasswd", _Option("-w -s -a")),
    **_each("slappasswd", _Option("-s")),
    **_each("kadmin kadmin.local", _Option("-w -pw")),
    **_each("az", _Option("-p", when="login"), _Option("--account-key --key", "key"), _Option("--sas-token", "token"),
            _Option("--connection-string", "key")),
    **_each("twine", _Option("-p --password")),
    **_each("7z 7za 7zr 7zz", _Option("-p", attached=True)),
    **_each("unrar rar", _Option("-p -hp", attached=True)),
    **_each("zip unzip zipcloak", _Option("-P --password")),
    **_each("gpg gpg2", _Option("--passphrase")),
    **_each("keytool jarsigner apksigner", _Option("-storepass -keypass -srcstorepass -deststorepass -srckeypass -destkeypass -new")),
    **_each("pk12util certutil", _Option("-W -K -f")),
    **_each("smbclient rpcclient net winexe smbget smbcacls smbpasswd wmic", _Option("-U --user", shape=_AFTER_PERCENT)),
    **_each("ipmitool", _Option("-P"), _Option("-k -y", "key")),
    **_each("snmpwalk snmpget snmpset snmpbulkwalk snmptrap", _Option("-c -A -X")),
    **_each("SUSEConnect", _Option("-r --regcode", "token")),
    **_each("subscription-manager rhnreg_ks rhc", _Option("--activationkey --activation-key", "token")),
    **_each("kubeadm", _Option("--certificate-key", "key")),
    **_each("tailscale", _Option("--authkey --auth-key", "key")),
    **_each("netbird", _Option("-k --setup-key", "key")),
    **_each("x11vnc vncserver", _Option("-passwd")),
    **_each("xfreerdp wlfreerdp", _Option("/p:", attached=True)),
    **_each("s3cmd", _Option("--secret_key", "key")),
    **_each("mosquitto_pub mosquitto_sub", _Option("-P --pw")),
    **_each("grafana-cli", _Option("--adminPassword")),
    **_each("psexec winrs", _Option("-p")),
}  # fmt: skip
"""Options by command. Long options that are named like a credential are secrets of any command and stand nowhere here."""

_OPERANDS: Mapping[str, tuple[_Operand, ...]] = {
    "openssl": (_Operand("passwd", 0),),
    "mkpasswd": (_Operand(),),
    "htpasswd": (_Operand("", 0, asked="-b -nb -bn -cb -bc -bB -nbB -Bb -nbBC -cbB -Bbn"),),
    "mosquitto_passwd": (_Operand("", 0, asked="-b"),),
    "mysqladmin": (_Operand("password"),),
    "rabbitmqctl": (_Operand("add_user change_password authenticate_user", 2),),
    "pro": (_Operand("attach", kind="token"),),
    "ua": (_Operand("attach", kind="token"),),
    "vault": (_Operand("login", kind="token"), _Operand("put patch write", -1), _Operand("unseal", kind="key")),
    "cloudflared": (_Operand("install", kind="token"),),
    "mc": (_Operand("set add", 4),),
    "wpa_passphrase": (_Operand("", 2),),
    "composer": (_Operand("http-basic", 3),),
    "rclone": (_Operand("obscure"),),
}
_OPERANDS_BY_NAME = frozenset({
    "ARG", "ENV", "augtool", "aws", "bundle", "composer", "conda", "crudini", "dconf", "etcdctl", "firebase", "gcloud", "git",
    "gsettings", "heroku", "nmcli", "npm", "occ", "openstack", "pip", "pip3", "pnpm", "poetry", "rclone", "redis-cli", "setx",
    "wp", "yarn",
})  # fmt: skip
"""Commands with operands in pairs: a name, then its value."""

_LINE = r"(?m)^[ \t]*"
_INPUTS: Mapping[str, _Input] = {
    "chpasswd": _Input(re.compile(_LINE + r"[^\s:#]+:(?P<secret>[^\n]+?)[ \t]*$")),
    "newusers": _Input(re.compile(_LINE + r"[^\s:#]+:(?P<secret>[^:\n]+)")),
    "passwd": _Input(re.compile(_LINE + r"(?P<secret>[^\n]+?)[ \t]*$")),
    "smbpasswd": _Input(re.compile(_LINE + r"(?P<secret>[^\n]+?)[ \t]*$")),
    "vncpasswd": _Input(re.compile(_LINE + r"(?P<secret>[^\n]+?)[ \t]*$")),
    "kinit": _Input(re.compile(_LINE + r"(?P<secret>[^\n]+?)[ \t]*$")),
    "realm": _Input(re.compile(_LINE + r"(?P<secret>[^\n]+?)[ \t]*$"), "join"),
    "adcli": _Input(re.compile(_LINE + r"(?P<secret>[^\n]+?)[ \t]*$"), "--stdin-password"),
    "cryptsetup": _Input(re.compile(r"(?s)(?P<secret>\S.*?)\s*$"), kind="key"),
    "mkpasswd": _Input(re.compile(_LINE + r"(?P<secret>[^\n]+?)[ \t]*$")),
    "htpasswd": _Input(re.compile(_LINE + r"(?P<secret>[^\n]+?)[ \t]*$"), "-i"),
    "grub-mkpasswd-pbkdf2": _Input(re.compile(_LINE + r"(?P<secret>[^\n]+?)[ \t]*$")),
    "grub2-mkpasswd-pbkdf2": _Input(re.compile(_LINE + r"(?P<secret>[^\n]+?)[ \t]*$")),
    "sudo": _Input(re.compile(r"(?s)(?P<secret>\S[^\n]*)"), "-S --stdin"),
    "su": _Input(re.compile(r"(?s)(?P<secret>\S[^\n]*)")),
    "openssl": _Input(re.compile(r"(?s)(?P<secret>\S[^\n]*)"), "-stdin stdin"),
    "docker": _Input(re.compile(r"(?s)(?P<secret>\S.*?)\s*$"), "--password-stdin", "token"),
    "podman": _Input(re.compile(r"(?s)(?P<secret>\S.*?)\s*$"), "--password-stdin", "token"),
    "helm": _Input(re.compile(r"(?s)(?P<secret>\S.*?)\s*$"), "--password-stdin", "token"),
    "gh": _Input(re.compile(r"(?s)(?P<secret>\S.*?)\s*$"), "--with-token", "token"),
    "gpg": _Input(re.compile(r"(?s)(?P<secret>\S[^\n]*)"), "--passphrase-fd"),
    "debconf-set-selections": _Input(re.compile(_LINE + r"\S+\s+\S+\s+password\s+(?P<secret>[^\n]+?)[ \t]*$")),
    **dict.fromkeys(("mysql", "mariadb", "psql", "sqlplus", "sqlcmd"), _Input(_SQL)),
}  # fmt: skip


# ── finding ───────────────────────────────────────────────────────────────────────────────────────────────────────────

_LONG = re.compile(r"--?(?P<name>[A-Za-z][A-Za-z0-9_.-]{2,}?)(?:=(?P<value>.*))?", re.DOTALL)
_NO_VALUE = re.compile(
    r"(?i)(?:disabled?|no|without|skip|ask|prompt|change|show|generate)-?|(?:stdin|file|path|fd|env|never|ask)$"
)


def _candidates(name: str, args: Sequence[str]) -> Iterator[SecretArgument]:
    for option in _OPTIONS.get(name, ()):
        if not option.when or _asks(args, option.when):
            for flag in option.flags.split():
                yield from _of_option(args, option, flag)
    for operand in _OPERANDS.get(name, ()):
        yield from _of_operand(args, operand)
    yield from _of_long_options(args)
    if name in _OPERANDS_BY_NAME:
        yield from _of_pairs(args)
    for index, text in enumerate(args):
        yield from _inside(index, text)


def _of_option(args: Sequence[str], option: _Option, flag: str) -> Iterator[SecretArgument]:
    is_short = len(flag) == 2
    for index, text in enumerate(args):
        follows = text == flag or (is_short and not option.attached and _ends_cluster(text, flag[1]))
        if follows and not option.attached:
            if index + 1 < len(args):
                yield from _shaped(index + 1, args[index + 1], 0, option)
        elif text.startswith(flag + "=") and not is_short:
            yield from _shaped(index, text, len(flag) + 1, option)
        elif (is_short or option.attached) and text.startswith(flag) and len(text) > len(flag) and not text.startswith("--"):
            yield from _shaped(index, text, len(flag), option)


def _ends_cluster(text: str, letter: str) -> bool:
    """`-sSfu` before its value: single letters, the last of which takes it."""
    return re.fullmatch(rf"-[A-Za-z]{{1,8}}{re.escape(letter)}", text) is not None


def _shaped(index: int, text: str, start: int, option: _Option) -> Iterator[SecretArgument]:
    match = option.shape.fullmatch(text, start)
    if match is not None:
        yield SecretArgument(index, *match.span("secret"), option.kind)


def _of_operand(args: Sequence[str], rule: _Operand) -> Iterator[SecretArgument]:
    if rule.asked and not _asks(args, rule.asked):
        return
    first = 0
    if rule.after:
        wanted = rule.after.split()
        first = next((place + 1 for place, text in enumerate(args) if text in wanted), len(args))
    operands = [place for place in range(first, len(args)) if not args[place].startswith("-")]
    if rule.count == -1:
        for place in operands:
            match = _AFTER_EQUALS.fullmatch(args[place])
            if match is not None:
                yield SecretArgument(place, *match.span("secret"), kind_of(args[place].partition("=")[0]))
    elif rule.count == 0 and operands:
        yield SecretArgument(operands[-1], 0, len(args[operands[-1]]), rule.kind)
    elif 0 < rule.count <= len(operands):
        place = operands[rule.count - 1]
        yield SecretArgument(place, 0, len(args[place]), rule.kind)


def _of_long_options(args: Sequence[str]) -> Iterator[SecretArgument]:
    """`--db-password VALUE`, `-token=VALUE`: of any command."""
    for index, text in enumerate(args):
        match = _LONG.fullmatch(text)
        if match is None or not is_credential(match["name"]) or _NO_VALUE.match(match["name"]):
            continue
        if match["value"] is not None:
            yield SecretArgument(index, match.start("value"), len(text), kind_of(match["name"]), match["name"])
        elif index + 1 < len(args) and not args[index + 1].startswith("-"):
            yield SecretArgument(index + 1, 0, len(args[index + 1]), kind_of(match["name"]), match["name"])


def _of_pairs(args: Sequence[str]) -> Iterator[SecretArgument]:
    for index, (name, value) in enumerate(pairwise(args)):
        if is_credential(name) and not name.startswith("-") and not value.startswith("-"):
            yield SecretArgument(index + 1, 0, len(value), kind_of(name), re.split(r"[/.:]", name)[-1])


_INSIDE = (_USER_INFO, _SQL, _JSON, _NAMED, _NAMED_INSIDE, _HEADER)


def _inside(index: int, text: str) -> Iterator[SecretArgument]:
    """User-info of addresses, `NAME=value`, SQL and JSON in one argument of any command."""
    for pattern in _INSIDE:
        for match in pattern.finditer(text):
            groups = match.groupdict()
            group = "secret" if groups["secret"] is not None else "token"
            name = groups.get("name") or ""
            kind: SecretKind = "token" if group == "token" or pattern is _HEADER else kind_of(name) if name else "password"
            yield SecretArgument(index, *match.span(group), kind, name)


def _asks(args: Sequence[str], words: str) -> bool:
    return not frozenset(words.split()).isdisjoint(args)
