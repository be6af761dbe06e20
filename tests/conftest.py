"""What holds for all tests: one profile of property tests, and which slow tests share a process."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadFileScheduling  # type: ignore[import-untyped] # it has no types

# Machines and their load differ, so no example has a deadline, and slow generation is no fault of a test. Fixtures that are
# shared by the examples of a test are meant: each example makes its own place in them.
# In CI the same examples are tried each time, so that a change fails by itself alone; at a desk new ones are looked for.
settings.register_profile(
    "goldsmith",
    deadline=None,
    derandomize="CI" in os.environ,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("goldsmith")


class BySharing(LoadFileScheduling):  # type: ignore[misc]
    """Tests of a file run in one process, and all end-to-end tests, which share a fleet that takes minutes to make."""

    def _split_scope(self, nodeid: str) -> str:
        scope: str = super()._split_scope(nodeid)
        return "tests/e2e" if scope.startswith("tests/e2e/") else scope


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> BySharing | None:
    """The scheduler of `--dist loadfile`."""
    return BySharing(config, log) if config.getvalue("dist") == "loadfile" else None
