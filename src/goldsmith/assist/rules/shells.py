"""Shells that read a script from the network (`curl URL | bash`): it is fetched into a file, and runs when that is new."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from dataclasses import replace

from goldsmith.assist import guards
from goldsmith.assist.commands import Command, Word
from goldsmith.assist.rules.installers import installed
from goldsmith.assist.tasks import Converted, Inexact, Outcome, Rule

_DOWNLOADERS = {"curl": "-o", "wget": "-O"}


def _reads_script(command: Command) -> Outcome:
    """`bash`, `bash -`, `bash -s -- ARGUMENTS`, with `-e` and the like."""
    script = next((word for word in command.args if not word.startswith("-")), None)
    if not command.feeds and script is not None and not any(word.text in ("-c", "-s", "-o") for word in command.args[:1]):
        return installed(command, script)
    if len(command.feeds) != 1 or command.feeds[0].name not in _DOWNLOADERS or command.redirects:
        raise Inexact(f"what {command.name} runs is known only when the script runs")
    options, arguments = _split(command)
    fetch = command.feeds[0]
    path = Word.of(f"/tmp/{_file_name(fetch)}")
    download = _download(fetch, path)
    if not isinstance(download, Converted) or len(download.tasks) != 1 or download.tasks[0].module != "ansible.builtin.get_url":
        raise Inexact("what is fetched for the shell is not fetched by a task")
    register = guards.registered(command, "fetched")
    get = replace(download.tasks[0], register=register, notes=("pin what is fetched, and check it: it runs as it is",))
    inner = replace(command, args=(*options, path, *arguments), feeds=())
    run = guards.run(inner, f"Run {path.label}", "shells.fetched", when=(f"{register} is succeeded and {register} is changed",))
    return Converted((get, run))


def _split(command: Command) -> tuple[tuple[Word, ...], tuple[Word, ...]]:
    """Options of the shell, and arguments of the script that it reads."""
    options: list[Word] = []
    words = list(command.args)
    while words:
        word = words.pop(0)
        known = word.text
        if known == "-":
            continue
        if known in ("-s", "--"):
            while words and words[0].text == "--":
                words.pop(0)
            return tuple(options), tuple(words)
        if known is None or not re.fullmatch(r"-[a-zA-Z]+", known) or "c" in known or "o" in known:
            raise Inexact(f"what {command.name} runs is known only when the script runs")
        options.append(word)
    return tuple(options), ()


def _file_name(fetch: Command) -> str:
    address = next((word.label for word in fetch.args if "://" in word.label), "")
    name = posixpath.basename(address.partition("?")[0].rstrip("/").partition("://")[2])
    plain = re.sub(r"[^\w.-]", "", name)
    return f"{plain or 'script'}-{fetch.id}"


def _download(fetch: Command, path: Word) -> Outcome:
    from goldsmith.assist.rules import rule_for

    rule = rule_for(fetch.name)
    if rule is None:
        raise Inexact(f"no rule knows what {fetch.name} fetches")
    return rule(replace(fetch, args=(*fetch.args, Word.of(_DOWNLOADERS[fetch.name]), path)))


RULES: Mapping[str, Rule] = dict.fromkeys(("bash", "sh", "dash", "zsh", "ksh"), _reads_script)
