"""What is known to be vulnerable: the advisories file, how it is fed, and how an inventory is matched with it."""

from goldsmith.gates.advisories.database import Database, open_database
from goldsmith.gates.advisories.matching import match
from goldsmith.gates.advisories.vulnerability import FeedUsed, Matches, Score, Severity, Status, Vulnerability

__all__ = ["Database", "FeedUsed", "Matches", "Score", "Severity", "Status", "Vulnerability", "match", "open_database"]
