"""What this host can do, tried for real."""

from __future__ import annotations

from pathlib import Path

import pytest

from goldsmith.machines.capabilities import Capability, capabilities


@pytest.fixture(scope="module")
def found() -> dict[str, Capability]:
    return {capability.name: capability for capability in capabilities()}


def test_each_capability_says_what_needs_it_and_what_provides_it(found: dict[str, Capability]) -> None:
    for capability in found.values():
        assert capability.detail and capability.why and capability.provides, capability.name


def test_the_areas_of_a_build_are_covered(found: dict[str, Capability]) -> None:
    wanted = {
        "namespaces",
        "overlayfs",
        "sandbox",
        "sandbox network",
        "QEMU",
        "KVM",
        "mmdebstrap",
        "mke2fs",
        "mcopy",
        "qemu-img",
    }
    assert wanted <= set(found)


def test_a_tool_that_is_not_there_is_missing_with_its_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("shutil.which", lambda program, path=None: None)
    missing = {capability.name: capability for capability in capabilities()}
    assert not missing["mmdebstrap"].works
    assert missing["mmdebstrap"].provides.endswith("mmdebstrap")
    assert not missing["sandbox network"].works


def test_a_tool_that_is_too_old_does_not_count(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    old = tmp_path / "mke2fs"
    old.write_text("#!/bin/sh\necho 'mke2fs 1.46.2 (28-Feb-2021)' >&2\n")
    old.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    found = {capability.name: capability for capability in capabilities()}["mke2fs"]
    assert not found.works
    assert "1.47 or newer" in found.detail
