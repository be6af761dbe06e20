"""The feeds that the advisories file is made from."""

from goldsmith.gates.advisories.feeds import alpine, debian, end_of_life, epss, errata, kev, languages, red_hat, ubuntu
from goldsmith.gates.advisories.feeds.feed import Feed
from goldsmith.gates.advisories.feeds.fetching import Document, Fetcher

FEEDS: tuple[Feed, ...] = (
    debian.FEED,
    ubuntu.FEED,
    alpine.FEED,
    red_hat.FEED,
    *errata.FEEDS,
    *languages.FEEDS,
    kev.FEED,
    epss.FEED,
    end_of_life.FEED,
)

__all__ = ["FEEDS", "Document", "Feed", "Fetcher"]
