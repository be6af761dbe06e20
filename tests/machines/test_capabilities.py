"""What this host can do, tried for real."""

from __future__ import annotations

import os
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


def test_whoever_is_not_root_is_told_to_be_root_and_not_to_install_what_is_there() -> None:
    """As nobody, in a process of its own: a new user namespace is refused where the host does not allow it."""
    if os.geteuid() != 0:
        pytest.skip("only root can become somebody else")
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.setuid(65534)
            if not os.access(__file__, os.R_OK):
                os._exit(2)
            booted = next(capability for capability in capabilities() if capability.name == "booted tier")
            code = 0 if (booted.works, booted.provides) == (False, "run as root") else 1
        finally:
            os._exit(code)

    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code == 2:
        pytest.skip("the user nobody cannot read this checkout")
    assert code == 0
