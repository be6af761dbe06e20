"""Where apt finds packages and whose keys it trusts: add-apt-repository, apt-key, and keyrings that gpg makes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from goldsmith.assist import guards
from goldsmith.assist.commands import Argument, Command, Word
from goldsmith.assist.rules.downloads import fed_by
from goldsmith.assist.rules.options import Grammar, text
from goldsmith.assist.rules.paths import absolute
from goldsmith.assist.rules.phrases import shortened
from goldsmith.assist.tasks import Converted, Inexact, Outcome, Rule, Task

KEY = "ansible.builtin.apt_key"

_ADD = Grammar.of(
    """
    -y --yes, -n --no-update, -u --update, -r --remove, -s --enable-source, -m --massive-debug, -d --debug, -k= --keyserver=,
    -P= --ppa=, -C= --cloud=, -U= --uri=, -S= --sourceslist=, -c= --component=, -p= --pocket=, -L --list, --dry-run, -l --login
    """
)
_APT_KEY = Grammar.of(
    "--keyring=, --keyserver=, --recv-keys --recv, --fetch-keys, -q --quiet, --no-tty, --batch, --keyserver-options="
)
_GPG = Grammar.of(
    """
    -o= --output=, --dearmor, --yes, --batch, --no-tty, -q --quiet, -v --verbose, --no-default-keyring, --keyring=, --import,
    --keyserver=, --recv-keys --receive-keys, --export, -a --armor, --homedir=, --no-options, --trust-model=, --fetch-keys,
    --keyserver-options=, --no-verbose, --no-autostart, --primary-keyring=, --status-fd=
    """,
    abbreviates=False,
)


def _add_repository(command: Command) -> Outcome:
    parsed = _ADD.parse(command)
    parsed.only("-y", "-n", "-u", "-r", "-S", "-P")
    given = [*parsed.values("-S"), *(Word.of("ppa:") + name for name in parsed.values("-P"))] or list(parsed.operands)
    if len(given) != 1:
        # Words of one line that the script did not quote.
        given = [sum((Word.of(" ") + word for word in given[1:]), given[0])] if given else []
    if not given:
        raise Inexact("it names no repository")
    (line,) = given
    if line.startswith("ppa:"):
        return Converted((_personal(command, line, parsed.has("-r")),))
    if not line.startswith(("deb ", "deb-src ")):
        raise Inexact(f"what of {line.label} is enabled already depends on the machine")
    arguments: dict[str, Argument] = {"repo": line, "state": "absent" if parsed.has("-r") else "present"}
    if parsed.has("-n"):
        arguments["update_cache"] = False
    verb = "Remove" if parsed.has("-r") else "Add"
    name = f"{verb} the repository {shortened(line.label)}"
    return Converted((Task(name, "goldsmith.image.apt_repository", arguments, "repositories_apt.add"),))


def _personal(command: Command, line: Word, is_removed: bool) -> Task:
    """An archive of Launchpad: its key and address are Launchpad's to tell, so the command stays, and runs once."""
    owner, _, archive = text(line).removeprefix("ppa:").partition("/")
    files = Word.of(f"/etc/apt/sources.list.d/{owner}-*-{archive or 'ppa'}-*")
    verb = "Remove" if is_removed else "Add"
    name = f"{verb} the repository {line.label}"
    if is_removed:
        return guards.run(command, name, "repositories_apt.ppa", removes=files)
    return guards.run(command, name, "repositories_apt.ppa", creates=files)


def _apt_key(command: Command) -> Outcome:
    parsed = _APT_KEY.parse(command)
    if not parsed.operands:
        raise Inexact("it names no action")
    verb, *rest = parsed.operands
    keyring = parsed.value("--keyring")
    common: dict[str, Argument] = {} if keyring is None else {"keyring": absolute(command, keyring)}
    action = text(verb)
    if action == "add" and len(rest) == 1:
        return Converted((_added(command, rest[0], common),))
    if action == "adv" and parsed.has("--recv-keys"):
        server = parsed.value("--keyserver")
        if server is None:
            raise Inexact("the server of the key is not named")
        return Converted(tuple(_received(key, {**common, "keyserver": server}) for key in rest))
    if action == "adv" and parsed.has("--fetch-keys"):
        return Converted(tuple(_trusted(key, {"url": key, **common}) for key in rest))
    if action in ("del", "rm", "remove"):
        return Converted(tuple(_received(key, {**common, "state": "absent"}) for key in rest))
    raise Inexact(f"no task does what apt-key {action} does")


def _added(command: Command, source: Word, common: Mapping[str, Argument]) -> Task:
    if source.text != "-":
        return _trusted(source, {"file": absolute(command, source), **common})
    download = fed_by(command)
    if download is not None and not set(download.options) - {"validate_certs"}:
        return _trusted(download.url, {"url": download.url, **download.options, **common})
    if download is None and command.stdin is not None and command.stdin.unknown is None:
        return Task("Trust the key of the script", KEY, {"data": command.stdin, **common}, "repositories_apt.key")
    raise Inexact("what it is fed is known only when it runs")


def _trusted(source: Word, arguments: Mapping[str, Argument]) -> Task:
    return Task(f"Trust the key {shortened(source.label.partition('?')[0])}", KEY, arguments, "repositories_apt.key")


def _received(key: Word, arguments: Mapping[str, Argument]) -> Task:
    verb = "Forget" if arguments.get("state") == "absent" else "Trust"
    return Task(f"{verb} the key {shortened(key.label)}", KEY, {"id": key, **arguments}, "repositories_apt.key")


def _gpg(command: Command) -> Outcome:
    """A keyring that is made from a key: it is made once, and not again while it is there."""
    parsed = _GPG.read(command.args)
    outputs = [*parsed.values("-o"), *_redirected(command)]
    if parsed.has("--dearmor", "--export") and len(outputs) == 1:
        target = absolute(command, outputs[0])
    elif parsed.has("--recv-keys", "--import", "--fetch-keys") and len(parsed.values("--keyring")) == 1:
        target = _keyring(command, parsed.values("--keyring")[0])
    else:
        raise Inexact("what gpg leaves behind is not known")
    name = f"Make the keyring {shortened(target.label)}"
    return Converted((guards.run(command, name, "repositories_apt.keyring", creates=target),))


def _redirected(command: Command) -> Iterator[Word]:
    for redirect in command.redirects:
        if redirect.fd == 1 and redirect.operator in (">", ">|"):
            yield redirect.target
        elif redirect.operator not in (">&", "<&", "<"):
            raise Inexact(f"gpg is redirected ({redirect.operator} {redirect.target.source})")


def _keyring(command: Command, value: Word) -> Word:
    for prefix in ("gnupg-ring:", "kbx:"):
        if value.startswith(prefix):
            value = value.after(prefix)
    if not value.startswith("/"):
        raise Inexact("the keyring is a file of gpg's own directory")
    return absolute(command, value)


RULES: Mapping[str, Rule] = {
    "add-apt-repository": _add_repository,
    "apt-add-repository": _add_repository,
    "apt-key": _apt_key,
    "gpg": _gpg,
    "gpg2": _gpg,
}
