"""Feed `alpine`: the security database of each branch and repository."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence

from goldsmith.gates.advisories.feeds.feed import Feed
from goldsmith.gates.advisories.feeds.fetching import Document, Fetcher
from goldsmith.gates.advisories.schema import Advisory, Record

_URL = "https://secdb.alpinelinux.org/"
_BRANCH = re.compile(r'href="(?:\./|/)?(v\d+\.\d+|edge)/?"')
_NEVER = "0"
"""The version that says: no build of Alpine's ever had the fault."""


def fetch(fetcher: Fetcher) -> Sequence[Document]:
    """The databases of all branches that the index names."""
    branches = sorted(set(_BRANCH.findall(fetcher.get(_URL).path.read_text(errors="replace"))))
    if not branches:
        raise ValueError("the index names no branch")
    return [fetcher.get(f"{_URL}{branch}/{repository}.json") for branch in branches for repository in _repositories(branch)]


def _repositories(branch: str) -> Sequence[str]:
    """Branches before 3.3 had no community repository."""
    return ("main", "community") if branch == "edge" or int(branch.partition(".")[2]) >= 3 else ("main",)


def read(documents: Sequence[Document]) -> Iterator[Record]:
    """{distroversion, packages: [{pkg: {name, secfixes: {version: [ids]}}}]}."""
    for document in documents:
        database = json.loads(document.path.read_bytes())
        eco = f"alpine {database['distroversion'].removeprefix('v')}"
        for item in database["packages"]:
            package = item["pkg"]
            for fixed, texts in package["secfixes"].items():
                if fixed == _NEVER:
                    continue
                for id in sorted({name for text in texts or () for name in _names(text)}):
                    yield Advisory(
                        eco=eco, package=package["name"], vulnerability=id, scheme="apk", fixed=fixed, status="fixed"
                    )


def _names(text: str) -> Sequence[str]:
    """The CVEs of an entry such as `CVE-2019-0190 XSA-280`, or its first word when it names none."""
    words = text.replace("(+", " ").replace(",", " ").split()
    return [word for word in words if word.startswith("CVE-")] or words[:1]


FEED = Feed(id="alpine", name="Alpine Secdb", url=_URL, fetch=fetch, read=read)
