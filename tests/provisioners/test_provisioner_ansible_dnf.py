"""The module goldsmith.image.dnf with a real dnf and rpm on a tree of its own: states, changes and failures."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from goldsmith.provisioners.ansible_environment import PLUGINS
from goldsmith.provisioners.ansible_program import find_ansible
from tests.gates.repository_workbench import Built, build

MODULE = PLUGINS / "ansible_collections/goldsmith/image/plugins/modules/dnf.py"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        find_ansible() is None or not all(shutil.which(name) for name in ("dnf", "rpm", "rpmbuild", "createrepo_c")),
        reason="needs ansible, dnf, rpm, rpmbuild and createrepo_c",
    ),
]


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with two releases of a package, and others."""
    place = tmp_path_factory.mktemp("dnf")
    names = (("hello", "1.0-1"), ("hello", "2.0-1"), ("world", "1.0-1"), ("moon", "1.0-1"))
    build(place / "built", [Built(name, version, "noarch") for name, version in names])
    served = place / "served"
    served.mkdir()
    for package in (place / "built").rglob("*.rpm"):
        shutil.copy(package, served)
    subprocess.run(["createrepo_c", "-q", served], check=True, capture_output=True)
    return served


class Machine:
    """A tree that dnf installs into, with one repository."""

    def __init__(self, place: Path, repository: Path) -> None:
        self.root, self.place = place / "root", place
        self.root.mkdir()
        self.configuration = place / "dnf.conf"
        self.configuration.write_text(
            f"[main]\ngpgcheck=0\nplugins=0\nreposdir={place}/none\ncachedir={place}/cache\npersistdir={place}/state\n"
            f"logdir={place}\n[here]\nname=here\nbaseurl=file://{repository}\n"
        )

    def dnf(self, *, check: bool = False, **asked: Any) -> dict[str, Any]:
        """What the module answers."""
        program = find_ansible()
        assert program is not None
        common = {"installroot": str(self.root), "conf_file": str(self.configuration), "releasever": "9"}
        given = {
            "ANSIBLE_MODULE_ARGS": {**common, **asked, "_ansible_check_mode": check, "_ansible_remote_tmp": str(self.place)}
        }
        done = subprocess.run(
            [program.with_name("python"), MODULE], input=json.dumps(given), capture_output=True, text=True, check=False
        )
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    @property
    def packages(self) -> list[str]:
        """What is installed."""
        told = subprocess.run(
            ["rpm", "--root", self.root, "-qa", "--qf", "%{NAME}-%{VERSION}\\n"], capture_output=True, text=True, check=True
        )
        return sorted(told.stdout.split())


@pytest.fixture
def machine(tmp_path: Path, repository: Path) -> Machine:
    return Machine(tmp_path, repository)


def test_packages_are_installed_upgraded_and_removed_and_a_second_run_changes_nothing(machine: Machine) -> None:
    assert machine.dnf(name=["hello-1.0", "world"])["changed"] is True
    assert machine.packages == ["hello-1.0", "world-1.0"]
    assert machine.dnf(name=["hello", "world"], state="present")["changed"] is False
    assert machine.dnf(name="hello", state="latest", check=True)["changed"] is True
    assert machine.packages == ["hello-1.0", "world-1.0"]
    assert machine.dnf(name="hello,moon", state="latest")["changed"] is True
    assert machine.packages == ["hello-2.0", "moon-1.0", "world-1.0"]
    assert machine.dnf(name=["world", "nothing"], state="absent")["changed"] is True
    assert machine.dnf(name=["world"], state="absent")["changed"] is False
    assert machine.packages == ["hello-2.0", "moon-1.0"]


def test_a_package_file_is_installed_once_and_an_update_alone_installs_nothing(machine: Machine, repository: Path) -> None:
    file = next(repository.glob("world-*.rpm"))

    assert machine.dnf(name=str(file), disable_gpg_check=True)["changed"] is True
    assert machine.dnf(name=str(file), disable_gpg_check=True)["changed"] is False
    assert machine.dnf(name="moon", state="latest", update_only=True)["changed"] is False
    assert machine.packages == ["world-1.0"]


def test_what_dnf_cannot_do_is_told_in_its_words(machine: Machine) -> None:
    answer = machine.dnf(name="no-such-package", exclude=["moon"], enablerepo=["here"])

    assert answer["failed"] is True
    assert "no-such-package" in answer["msg"]


def test_options_reach_dnf(machine: Machine) -> None:
    assert machine.dnf(name="moon", exclude=["moon"])["failed"] is True
    assert machine.dnf(name="moon", disablerepo=["*"], skip_broken=True).get("failed") is True
    assert machine.dnf(name="moon", install_weak_deps=False, nobest=True, allowerasing=True)["changed"] is True
