"""Feed `epss`: how likely each vulnerability is exploited within 30 days (FIRST's model)."""

from __future__ import annotations

import csv
import gzip
import re
from collections.abc import Iterator, Sequence
from itertools import chain

from goldsmith.gates.advisories.feeds.feed import DAY_S, Feed, moment
from goldsmith.gates.advisories.feeds.fetching import Document
from goldsmith.gates.advisories.schema import Likelihood, Record

_URL = "https://epss.empiricalsecurity.com/epss_scores-current.csv.gz"
_HEAD = re.compile(r"#model_version:(?P<model>[^,]+),score_date:(?P<date>\S+)")


def read(documents: Sequence[Document]) -> Iterator[Record]:
    """`#model_version:…,score_date:…`, then lines of cve, epss, percentile."""
    with gzip.open(documents[0].path, "rt", encoding="ascii", newline="") as lines:
        model, date_s = _head(next(lines, ""))
        names = next(lines, "")
        for row in csv.DictReader(chain([names], lines)):
            score, percentile = float(row["epss"]), float(row["percentile"])
            if not (0 <= score <= 1 and 0 <= percentile <= 1):
                raise ValueError(f"{row['cve']} has the score {score}")
            yield Likelihood(vulnerability=row["cve"], score=score, percentile=percentile, model=model, date_s=date_s)


def published(documents: Sequence[Document]) -> int:
    """The day of the scores."""
    with gzip.open(documents[0].path, "rt", encoding="ascii") as lines:
        return _head(next(lines, ""))[1]


def _head(line: str) -> tuple[str, int]:
    found = _HEAD.match(line)
    if found is None:
        raise ValueError("its first line names no model and no day")
    return found["model"], moment(found["date"])


FEED = Feed(
    id="epss",
    name="Exploit Prediction Scoring System",
    url="https://www.first.org/epss/",
    fetch=lambda fetcher: (fetcher.get(_URL),),
    read=read,
    published=published,
    quiet_s=3 * DAY_S,
)
