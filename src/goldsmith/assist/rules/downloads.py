"""Files that come from the network: curl and wget, and what reads their output."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from goldsmith.assist import guards
from goldsmith.assist.commands import Argument, Command, Text, Word
from goldsmith.assist.rules.modes import file_mode
from goldsmith.assist.rules.options import Grammar, Parsed, text
from goldsmith.assist.rules.paths import DIRECTORIES, absolute, ends_with_slash, inside, name_of, parent
from goldsmith.assist.rules.phrases import shortened
from goldsmith.assist.tasks import Converted, Dropped, Inexact, Outcome, Rule, Task

GET = "ansible.builtin.get_url"

_CURL = Grammar.of(
    """
    -o= --output=, -O --remote-name, --remote-name-all, --output-dir=, --create-dirs, -f --fail, --fail-with-body, --fail-early,
    -s --silent, -S --show-error, -L --location, --location-trusted, -k --insecure, -H= --header=, -u= --user=,
    -A= --user-agent=, -e= --referer=, -b= --cookie=, -m= --max-time=, --connect-timeout=, --retry=, --retry-delay=,
    --retry-max-time=, --retry-connrefused, --retry-all-errors, -v --verbose, -i --include, -I --head, -w= --write-out=,
    -# --progress-bar, --no-progress-meter, --compressed, -C= --continue-at=, -N --no-buffer, -4 --ipv4, -6 --ipv6,
    -0 --http1.0, --http1.1, --http2, -1 --tlsv1, --tlsv1.0, --tlsv1.1, --tlsv1.2, --tlsv1.3, --tls-max=, --proto=,
    --proto-redir=, --proto-default=, --ciphers=, --limit-rate=, -Y= --speed-limit=, -y= --speed-time=, --noproxy=,
    -g --globoff, --url=, -X= --request=, -d= --data=, --data-raw=, --data-binary=, --data-urlencode=, --json=, -F= --form=,
    -T= --upload-file=, -J --remote-header-name, -x= --proxy=, --cacert=, --capath=, -E= --cert=, --key=, -r= --range=,
    -z= --time-cond=, -K= --config=, -D= --dump-header=, -c= --cookie-jar=, --max-redirs=, --resolve=, --connect-to=,
    -n --netrc, --netrc-file=, --netrc-optional, -G --get, -R --remote-time, -q --disable, --anyauth, --basic, --stderr=,
    --trace-time, -Z --parallel, --keepalive-time=, --unix-socket=, --interface=, --dns-servers=, --path-as-is, --no-keepalive,
    --trace=, --trace-ascii=, --ssl-reqd, --oauth2-bearer=, --aws-sigv4=, --remove-on-error, --no-clobber, --rate=
    """
)
_CURL_SAID = (
    *("-o", "-O", "--remote-name-all", "--output-dir", "--create-dirs", "-k", "-H", "-u", "-A", "-e", "-b", "-m", "--url"),
    *("--connect-timeout", "-g"),
)
_CURL_HARMLESS = (
    *("-f", "--fail-with-body", "--fail-early", "-s", "-S", "-L", "--location-trusted", "--retry", "--retry-delay", "-v"),
    *("--retry-max-time", "--retry-connrefused", "--retry-all-errors", "-w", "-#", "--no-progress-meter", "--compressed"),
    *("-N", "-4", "-6", "-0", "--http1.1", "--http2", "-1", "--tlsv1.0", "--tlsv1.1", "--tlsv1.2", "--tlsv1.3", "--tls-max"),
    *("--proto", "--proto-redir", "--proto-default", "--ciphers", "--limit-rate", "-Y", "-y", "--noproxy", "--max-redirs"),
    *("-R", "-q", "--anyauth", "--basic", "-Z", "--keepalive-time", "--no-keepalive", "--path-as-is", "--rate", "-C"),
    *("--remove-on-error", "--trace-time", "--ssl-reqd"),
)
_WGET = Grammar.of(
    """
    -O= --output-document=, -P= --directory-prefix=, -q --quiet, -nv --no-verbose, -v --verbose, -d --debug, -c --continue,
    -N --timestamping, -nc --no-clobber, -t= --tries=, -T= --timeout=, --connect-timeout=, --read-timeout=, --dns-timeout=,
    --no-check-certificate, --header=, --user= --http-user=, --password= --http-password= --http-passwd=, -U= --user-agent=,
    --referer=, --progress=, --show-progress, -S --server-response, --no-cookies, --no-cache, --waitretry=, -w= --wait=,
    --random-wait, --retry-connrefused, --retry-on-http-error=, --retry-on-host-error, -4 --inet4-only, -6 --inet6-only,
    --secure-protocol=, --https-only, --limit-rate=, --max-redirect=, --no-hsts, --auth-no-challenge, --no-proxy,
    --compression=, --no-dns-cache, --content-disposition, --trust-server-names, -o= --output-file=, -a= --append-output=,
    --spider, --post-data=, --post-file=, --method=, --body-data=, -i= --input-file=, -r --recursive, -m --mirror, -l= --level=,
    -A= --accept=, -R= --reject=, -nd --no-directories, -np --no-parent, -nH --no-host-directories, --cut-dirs=, -x, -k, -p,
    -b --background, -e= --execute=, --ca-certificate=, --certificate=, --private-key=, --no-netrc, -E --adjust-extension,
    --no-use-server-timestamps, -nq, --load-cookies=, --prefer-family=, --no-config, --config=
    """
)
_WGET_SAID = (
    *("-O", "-P", "--no-check-certificate", "--header", "--user", "--password", "-U", "--referer", "-T", "--connect-timeout"),
    *("-o", "-a"),
)
_WGET_HARMLESS = (
    *("-q", "-nv", "-v", "-d", "-c", "-N", "-nc", "-t", "--read-timeout", "--dns-timeout", "--progress", "--show-progress"),
    *("-S", "--no-cookies", "--no-cache", "--waitretry", "-w", "--random-wait", "--retry-connrefused", "-4", "-6", "--no-hsts"),
    *("--retry-on-http-error", "--retry-on-host-error", "--secure-protocol", "--https-only", "--limit-rate", "--max-redirect"),
    *("--auth-no-challenge", "--no-proxy", "--compression", "--no-dns-cache", "--no-netrc", "--no-use-server-timestamps"),
    *("--prefer-family", "--no-config", "-nd"),
)


@dataclass(frozen=True, slots=True)
class Download:
    """One address, what is said to its server, and the file that it goes to."""

    url: Word
    target: Word | None
    """Absolute; None where it goes to standard output."""
    options: Mapping[str, Argument] = field(default_factory=dict)
    """Arguments of `get_url` besides `url`, `dest` and `mode`."""
    is_secret: bool = False
    """A credential is among the options."""


def fed_by(command: Command) -> Download | None:
    """The download that the command reads, where it reads nothing else."""
    if len(command.feeds) != 1 or command.feeds[0].name not in ("curl", "wget"):
        return None
    found = tuple(_downloads(command.feeds[0]))
    return found[0] if len(found) == 1 and found[0].target is None else None


def get(command: Command, download: Download, target: Word) -> tuple[Task, ...]:
    """The task that brings a download into a file; one that is there already is not fetched again."""
    mode = file_mode(command, target)
    arguments: dict[str, Argument] = {"url": download.url, "dest": target, "mode": mode.value, **download.options}
    task = Task(f"Download {shortened(target.label)}", GET, arguments, "downloads.get", no_log=download.is_secret)
    return (*mode.asked, task)


def _download(command: Command) -> Outcome:
    found = tuple(_downloads(command))
    if any(item.target is None for item in found):
        return _looked_at(command)
    kept = [item for item in found if item.target is not None and item.target.text != "/dev/null"]
    if not kept:
        return _looked_at(command)
    tasks: list[Task] = []
    for item in kept:
        assert item.target is not None
        tasks += [*_directories(command, item.target), *get(command, item, item.target)]
    return Converted(tuple(tasks))


def _looked_at(command: Command) -> Outcome:
    """Something is asked for and not kept in a file."""
    if command.context.registers:
        words = [word for word in command.args if "://" in word.label]
        what = shortened(words[0].label.split("?")[0]) if words else "an address"
        return Converted((guards.run(command, f"Ask {what}", "downloads.ask", changed_when=False),))
    return Dropped("downloads.look", "what it asks for is kept nowhere")


def _directories(command: Command, target: Word) -> Iterator[Task]:
    if not any(word.text == "--create-dirs" for word in command.args):
        return
    directory = parent(target)
    if directory is None:
        raise Inexact("which directories it makes depends on a value")
    if directory.text not in DIRECTORIES:
        arguments: dict[str, Argument] = {"path": directory, "state": "directory", "mode": "0755"}
        yield Task(f"Create directory {directory.label}", "ansible.builtin.file", arguments, "downloads.directory")


def _downloads(command: Command) -> Iterator[Download]:
    output = _redirected(command)
    yield from (_by_curl if command.name == "curl" else _by_wget)(command, output)


def _redirected(command: Command) -> Word | None:
    outputs = [item for item in command.redirects if item.fd == 1 and item.operator in (">", ">|")]
    if len(outputs) > 1 or any(item not in outputs and not item.target.startswith("/var/log/") for item in command.redirects):
        raise Inexact(f"{command.name} is redirected")
    return absolute(command, outputs[0].target) if outputs else None


def _by_curl(command: Command, output: Word | None) -> Iterator[Download]:
    parsed = _CURL.read(command.args)
    if parsed.has("-I"):
        return
    parsed.only(*_CURL_SAID, *_CURL_HARMLESS)
    addresses = [*parsed.values("--url"), *parsed.operands]
    targets = _curl_targets(command, parsed, len(addresses))
    options, is_secret = _curl_options(parsed)
    for address, target in zip(addresses, targets, strict=True):
        if not parsed.has("-g") and re.search(r"[\[{]", address.text or ""):
            raise Inexact("one address stands for several")
        where = target if target is None or target.pieces else _named(command, parsed.value("--output-dir"), _path_of(address))
        yield Download(_with_scheme(address), where or output, options, is_secret)


def _curl_targets(command: Command, parsed: Parsed, count: int) -> list[Word | None]:
    """For each address its file, an empty word where the address names it, None for standard output."""
    found: list[Word | None] = []
    for option in parsed.options:
        if option.name == "-o" and option.value is not None:
            directory = parsed.value("--output-dir")
            value = option.value
            if value.text == "-":
                found.append(None)
            else:
                found.append(absolute(command, inside(directory, value) if directory else value))
        elif option.name == "-O":
            found.append(Word(()))
    if parsed.has("--remote-name-all"):
        found += [Word(())] * (count - len(found))
    return (found + [None] * count)[:count]


def _named(command: Command, directory: Word | None, address: Word) -> Word:
    if ends_with_slash(address):
        raise Inexact(f"{address.source} names no file")
    where = absolute(command, directory) if directory is not None else command.directory
    if where.unknown is not None:
        raise Inexact(where.unknown)
    return inside(where, name_of(address))


def _path_of(address: Word) -> Word:
    """An address without its question, which is no part of the name that curl gives."""
    for index, piece in enumerate(address.pieces):
        if isinstance(piece, Text) and re.search(r"[?#]", piece.value):
            before = re.split(r"[?#]", piece.value)[0]
            return replace(address, pieces=(*address.pieces[:index], *((Text(before),) if before else ())))
    return address


def _with_scheme(address: Word) -> Word:
    first = address.pieces[0] if address.pieces else None
    if isinstance(first, Text) and "://" not in first.value:
        return Word.of("http://") + address
    return address


def _curl_options(parsed: Parsed) -> tuple[Mapping[str, Argument], bool]:
    found: dict[str, Argument] = {}
    if parsed.has("-k"):
        found["validate_certs"] = False
    headers = _headers(parsed.values("-H"))
    for option, name in (("-e", "Referer"), ("-b", "Cookie")):
        value = parsed.value(option)
        if value is not None:
            headers[name] = value
    agent, user = parsed.value("-A"), parsed.value("-u")
    if agent is not None:
        found["http_agent"] = agent
    if user is not None:
        found |= _credentials(user)
    limit = parsed.value("--connect-timeout") or parsed.value("-m")
    if limit is not None and re.fullmatch(r"\d+", limit.text or ""):
        found["timeout"] = int(text(limit))
    if headers:
        found["headers"] = headers
    return found, user is not None or _is_credential(headers)


def _headers(values: tuple[Word, ...]) -> dict[str, Argument]:
    found: dict[str, Argument] = {}
    for value in values:
        first = value.pieces[0] if value.pieces else None
        match = re.match(r"([\w-]+):\s*", first.value) if isinstance(first, Text) else None
        if match is None:
            raise Inexact(f"{value.source} is no header with a name")
        found[match[1]] = value.after(match[0])
    return found


def _is_credential(headers: Mapping[str, Argument]) -> bool:
    return any(re.search(r"(?i)authorization|token|key|cookie", name) for name in headers)


def _credentials(user: Word) -> dict[str, Argument]:
    for index, piece in enumerate(user.pieces):
        if isinstance(piece, Text) and ":" in piece.value:
            before, _, after = piece.value.partition(":")
            name = Word((*user.pieces[:index], *((Text(before),) if before else ())))
            secret = Word((*((Text(after),) if after else ()), *user.pieces[index + 1 :]))
            return {"url_username": name, "url_password": secret, "force_basic_auth": True}
    raise Inexact("a password would be asked for")


def _by_wget(command: Command, output: Word | None) -> Iterator[Download]:
    parsed = _WGET.read(command.args)
    if parsed.has("--spider"):
        return
    parsed.only(*_WGET_SAID, *_WGET_HARMLESS)
    for option in ("-o", "-a"):
        log = parsed.value(option)
        if log is not None and log.text != "/dev/null" and not log.startswith("/var/log/"):
            raise Inexact(f"its messages go to {log.label}")
    document = parsed.value("-O")
    if document is not None and len(parsed.operands) != 1:
        raise Inexact("several addresses are written into one file")
    options, is_secret = _wget_options(parsed)
    for address in parsed.operands:
        if document is None:
            target: Word | None = _named(command, parsed.value("-P"), address)
        else:
            target = output if document.text == "-" else absolute(command, document)
        yield Download(_with_scheme(address), target, options, is_secret)


def _wget_options(parsed: Parsed) -> tuple[Mapping[str, Argument], bool]:
    found: dict[str, Argument] = {}
    if parsed.has("--no-check-certificate"):
        found["validate_certs"] = False
    headers = _headers(parsed.values("--header"))
    referer, agent = parsed.value("--referer"), parsed.value("-U")
    if referer is not None:
        headers["Referer"] = referer
    if agent is not None:
        found["http_agent"] = agent
    user, secret = parsed.value("--user"), parsed.value("--password")
    if user is not None and secret is not None:
        found |= {"url_username": user, "url_password": secret, "force_basic_auth": True}
    limit = parsed.value("--connect-timeout") or parsed.value("-T")
    if limit is not None and re.fullmatch(r"\d+", limit.text or ""):
        found["timeout"] = int(text(limit))
    if headers:
        found["headers"] = headers
    return found, secret is not None or _is_credential(headers)


RULES: Mapping[str, Rule] = {"curl": _download, "wget": _download}
