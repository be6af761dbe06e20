"""What holds for all tests: one profile of property tests, and which slow tests share a process."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

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


@pytest.hookimpl(tryfirst=True)  # xdist reads the marks in the same hook
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Slow tests that share what takes long run in one process (`--dist loadgroup`): those of a file, all of the fleet."""
    for item in items:
        if item.get_closest_marker("slow"):
            fixtures = item.fixturenames if isinstance(item, pytest.Function) else []
            item.add_marker(pytest.mark.xdist_group("fleet" if "fleet" in fixtures else item.nodeid.partition("::")[0]))
