"""crontab(5): the jobs with the variables that hold for them, whichever file they stand in."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterator

from goldsmith.assist.decoders.contract import Decoder, Facts, Undecodable, lines_of
from goldsmith.assist.stacked import StackedTree

_SYSTEM, _USERS = ("etc/crontab", "etc/cron.d/*"), ("var/spool/cron/crontabs/*", "var/spool/cron/*")
_READ = re.compile(r"[A-Za-z0-9_-]+")
"""Names of files in cron.d that cron reads (cron(8))."""
_VARIABLE = re.compile(r"(\w+|\"\w+\"|'\w+')\s*=\s*(.*)")
_JOB = re.compile(r"(@\w+|(?:\S+\s+){4}\S+)\s+(.+)")


def _read(tree: StackedTree) -> Facts:
    found: Counter[str] = Counter()
    facts: dict[str, str] = {}
    for path in tree.matching(*_SYSTEM, *_USERS):
        name = path.rpartition("/")[2]
        if tree.entries[path].kind != "file":
            continue
        if path.startswith("etc/cron.d/") and not _READ.fullmatch(name):
            facts[f"/{path}, which cron does not read"] = hashlib.sha256(tree.read(path) or b"").hexdigest()
            continue
        found.update(_jobs(tree.text(path) or "", path, "" if path.startswith("etc/") else name))
    return {**facts, **{job: str(count) for job, count in found.items()}}


def _jobs(text: str, path: str, user: str) -> Iterator[str]:
    variables: dict[str, str] = {}
    for line in lines_of(text):
        if match := _VARIABLE.fullmatch(line):
            variables[match[1].strip("\"'")] = match[2].strip()
            continue
        match = _JOB.fullmatch(line)
        if match is None:
            raise Undecodable(f"/{path} has a line that is no job")
        who, command = (user, match[2]) if user else [*match[2].split(None, 1), ""][:2]
        holds = " ".join(f"{name}={value}" for name, value in sorted(variables.items()))
        yield f"job of {who} at {' '.join(match[1].split())}: {command.strip()} [{holds}]"


DECODER = Decoder("cron", (*_SYSTEM, *_USERS), _read)
