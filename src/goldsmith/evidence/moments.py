"""Points in time as documents write them."""

from __future__ import annotations

import time


def moment(seconds: int) -> str:
    """Seconds since 1970 as RFC 3339 in UTC."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
