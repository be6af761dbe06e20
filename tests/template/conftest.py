"""Fixtures of the tests of templates: components that are found as installed ones are, and templates written on the spot."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from goldsmith.components import Context
from goldsmith.events import ignore
from goldsmith.machines.cancellation import Cancellation
from tests.template.template_workplace import Say, Workplace

# An installed package needs no more than these two files to offer components.
_ENTRY_POINTS = """\
[goldsmith.sources]
mock = tests.template.template_doubles:MockSource
amazon-ebs = tests.template.template_doubles:MockSource
virtualbox-iso = tests.template.template_doubles:MockSource

[goldsmith.provisioners]
mock = tests.template.template_doubles:MockProvisioner
shell = tests.template.template_doubles:MockProvisioner
file = tests.template.template_doubles:MockProvisioner

[goldsmith.postprocessors]
mock = tests.template.template_doubles:MockPostProcessor
amazon-import = tests.template.template_doubles:MockPostProcessor
manifest = tests.template.template_doubles:MockPostProcessor

[goldsmith.datasources]
mock = tests.template.template_doubles:MockData
amazon-ami = tests.template.template_doubles:MockAmi
"""


@pytest.fixture(autouse=True)
def doubles(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package that offers the doubles, found before the built-in components."""
    place = tmp_path_factory.mktemp("doubles")
    metadata = place / "goldsmith_doubles-1.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: goldsmith-doubles\nVersion: 1\n")
    (metadata / "entry_points.txt").write_text(_ENTRY_POINTS)
    monkeypatch.syspath_prepend(place)


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workplace:
    monkeypatch.chdir(tmp_path)
    return Workplace(tmp_path)


@pytest.fixture
def context(tmp_path: Path) -> Context:
    return Context(
        build="mock.a",
        type="mock",
        name="a",
        root=tmp_path,
        cwd=tmp_path,
        work=tmp_path,
        emit=ignore,
        cancellation=Cancellation(),
        run_uuid="6f2e",
        clock_s=1_700_000_000,
    )


@pytest.fixture
def conformance() -> Path:
    """Packer's own test rows; they lie beside the repository and are no part of it."""
    beside = Path(__file__).resolve().parents[3] / "shared" / "conformance"
    place = Path(os.environ.get("GOLDSMITH_CONFORMANCE", beside)) / "packer"
    if not place.is_dir():
        pytest.skip(f"Packer's test rows are not at {place}; GOLDSMITH_CONFORMANCE names another place")
    return place


@pytest.fixture
def whats() -> Say:
    """The summaries of diagnostics."""
    return lambda diagnostics: [item.what for item in diagnostics]
