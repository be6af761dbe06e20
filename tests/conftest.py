"""What holds for all tests: one profile of property tests."""

from __future__ import annotations

import os

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
