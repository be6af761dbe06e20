"""A registry for each test, which must be sound when the test ends."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.registry.registry_oracle import judge
from tests.registry.registry_workbench import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    report = made.registry.verify_chain()
    made.registry.close()
    assert report.faults == ()
    assert judge(tmp_path / "registry.db", tmp_path / "store") == []
