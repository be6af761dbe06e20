"""Points in time as they are written on the command line."""

from __future__ import annotations

from datetime import UTC, datetime


def moment_of(text: str) -> int:
    """Microseconds since 1970 of an ISO 8601 time; one without a zone is UTC. Raises `UserError`."""
    from goldsmith.hcl.diagnostics import Diagnostic, UserError

    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        what = f'"{text}" is no point in time'
        raise UserError(Diagnostic(code="time", what=what, next="Write it as 2027-01-31T12:00Z.")) from error
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return int(aware.timestamp()) * 1_000_000


def ago(moment: int) -> str:
    """How long ago a point in time is, in microseconds since 1970."""
    import time

    from goldsmith.registry.fitness import spoken

    return f"{spoken(max(int(time.time()) - moment // 1_000_000, 0))} ago"
