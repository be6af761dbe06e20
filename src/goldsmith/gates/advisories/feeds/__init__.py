"""The feeds that the advisories file is made from."""

from goldsmith.gates.advisories.feeds import (
    alpine,
    amazon,
    azure_linux,
    debian,
    end_of_life,
    epss,
    errata,
    kev,
    languages,
    oracle,
    photon,
    red_hat,
    ubuntu,
)
from goldsmith.gates.advisories.feeds.feed import Feed
from goldsmith.gates.advisories.feeds.fetching import Document, Fetcher

FEEDS: tuple[Feed, ...] = (
    debian.FEED,
    ubuntu.FEED,
    alpine.FEED,
    red_hat.FEED,
    *errata.FEEDS,
    oracle.FEED,
    amazon.FEED,
    azure_linux.FEED,
    photon.FEED,
    *languages.FEEDS,
    kev.FEED,
    epss.FEED,
    end_of_life.FEED,
)

__all__ = ["FEEDS", "Document", "Feed", "Fetcher"]
