"""The options of apt-get, apt and aptitude, and the arguments of the apt module that say the same."""

from __future__ import annotations

import re
from dataclasses import replace

from goldsmith.assist.commands import Argument, Command, Word
from goldsmith.assist.rules.options import Grammar, Parsed, text
from goldsmith.assist.tasks import Inexact

GRAMMAR = Grammar.of(
    "-y --yes --assume-yes",
    "-q --quiet",
    "-f --fix-broken",
    "-m --fix-missing --ignore-missing",
    "-d --download-only",
    "-s --simulate --just-print --dry-run --recon --no-act --print-uris",
    "-o= --option=",
    "-c= --config-file=",
    "-t= --target-release= --default-release=",
    "-V --verbose-versions",
    "-u --show-upgraded",
    "-a= --host-architecture=",
    "--no-install-recommends --without-recommends",
    "--install-recommends --with-recommends",
    "--install-suggests",
    "--no-install-suggests",
    "--only-upgrade",
    "--no-upgrade",
    "--reinstall",
    "--purge",
    "--auto-remove --autoremove",
    "--no-auto-remove --no-autoremove",
    "--allow-unauthenticated",
    "--allow-downgrades",
    "--allow-change-held-packages",
    "--allow-remove-essential",
    "--allow-insecure-repositories",
    "--allow-releaseinfo-change",
    "--force-yes",
    "--no-remove",
    "--ignore-hold",
    "--with-new-pkgs",
    "--without-new-pkgs",
    "--no-show-upgraded",
    "--show-progress",
    "--no-download",
    "--list-cleanup",
    "--no-list-cleanup",
    "--error-on=",
    "--trivial-only",
    "--safe-resolver",
    "--full-resolver",
    abbreviates=False,
)
_HARMLESS = (
    *("-y", "-q", "-m", "-o", "-V", "-u", "--no-show-upgraded", "--show-progress", "--list-cleanup", "--no-list-cleanup"),
    *("--error-on", "--no-install-suggests", "--no-auto-remove", "--allow-releaseinfo-change", "--safe-resolver"),
    *("--full-resolver", "--with-new-pkgs", "--without-new-pkgs"),
)
_SAID = (
    *("-t", "--no-install-recommends", "--install-recommends", "--allow-unauthenticated", "--allow-downgrades"),
    *("--allow-change-held-packages", "--force-yes", "--no-remove", "-f", "--only-upgrade", "--purge", "--auto-remove"),
)
_IGNORED = re.compile(
    r"acquire::|debug|quiet|binary::apt|apt::(?:color|get::|cmd::|acquire)|dpkg::(?:use-pty|progress)|apt::periodic"
)
_FLAGS = {
    "--allow-unauthenticated": "allow_unauthenticated",
    "--allow-downgrades": "allow_downgrade",
    "--allow-change-held-packages": "allow_change_held_packages",
    "--force-yes": "force",
    "--no-remove": "fail_on_autoremove",
}


def parse(command: Command) -> Parsed:
    """Options and operands; the quiet levels `-q=2` and aptitude's letters for recommends are put right first."""
    words = [word for word in command.args if not re.fullmatch(r"-q=\d|--quiet=\d|-q{2,}", word.text or "")]
    if command.name == "aptitude":
        letters = {"-R": "--without-recommends", "-r": "--with-recommends"}
        words = [Word.of(letters[word.text or ""]) if word.text in letters else word for word in words]
    return GRAMMAR.parse(replace(command, args=tuple(words)))


def arguments(parsed: Parsed) -> dict[str, Argument]:
    """What the options say, as arguments of the module; raises `Inexact` for one that it does not know."""
    parsed.only(*_HARMLESS, *_SAID)
    found: dict[str, Argument] = {name: True for option, name in _FLAGS.items() if parsed.has(option)}
    release = parsed.value("-t")
    if release is not None:
        found["default_release"] = release.after("=") if release.startswith("=") else release
    wish = parsed.last("--no-install-recommends", "--install-recommends")
    if wish is not None:
        found["install_recommends"] = wish == "--install-recommends"
    kept: list[str] = []
    for value in parsed.values("-o"):
        found |= _setting(text(value).lstrip("="), kept)
    if kept:
        found["dpkg_options"] = ",".join(kept)
    return found


def _setting(given: str, kept: list[str]) -> dict[str, Argument]:
    """The argument for a `-o Name=Value`; options for dpkg are added to `kept`."""
    name, equals, value = given.partition("=")
    lower = name.lower().rstrip(":")
    if lower == "dpkg::options" and value.startswith("--"):
        kept.append(value.removeprefix("--"))
        return {}
    if lower == "dpkg::lock::timeout" and re.fullmatch(r"-?\d+", value):
        return {"lock_timeout": int(value)} if not value.startswith("-") else {}
    if lower in ("apt::install-recommends", "apt::install-suggests"):
        wanted = value.lower() in ("true", "yes", "1", "on", "with", "enable")
        if lower == "apt::install-recommends":
            return {"install_recommends": wanted}
        if not wanted:
            return {}
    if equals and _IGNORED.match(lower):
        return {}
    raise Inexact(f"the setting {given} of apt has no equal in a task")
