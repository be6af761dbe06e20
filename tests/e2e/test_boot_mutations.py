"""One thing wrong in a disk, one finding: each mutation is really booted. `pytest -m mutations` takes half an hour.

With GOLDSMITH_RECORDINGS=tests/gates/boot_recordings in the environment, what the machines said is kept there: by it
`tests/gates/test_gate_boot_recordings.py` tries the judging in every run of the tests.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from goldsmith.components import Duration
from goldsmith.events import ignore
from goldsmith.gates.boot import Boot, BootConfig
from goldsmith.gates.boot.console import readable
from goldsmith.gates.boot.record import read_clone
from goldsmith.gates.contract import Declared, Result, Subject
from goldsmith.gates.judge import run_gate
from goldsmith.machines.cancellation import Cancellation
from tests.e2e.workspace import FLEET, Workspace
from tests.gates.boot_mutants import MUTATIONS, mutant
from tests.gates.boot_recordings import kept

pytestmark = pytest.mark.mutations

DECLARED = Declared(ports=("tcp/22",), services=("ssh.service", "fleet-agent.timer"))
SHORT = BootConfig(within_tcg=Duration(240), reboot=False)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory, shared_cache: Path) -> Iterator[Subject]:
    """The base of the example fleet as a raw disk with its tree."""
    root = tmp_path_factory.mktemp("mutations")
    shutil.copytree(FLEET, root / "fleet")
    space = Workspace(root / "fleet", shared_cache)
    space.goldsmith("build", "-no-gates", "base")
    disk, tree = root / "base.raw", root / "tree"
    subprocess.run(["qemu-img", "convert", "-O", "raw", space.root / "base/output/base.qcow2", disk], check=True)
    tree.mkdir()
    partitions = json.loads(subprocess.run(["sfdisk", "-J", disk], capture_output=True, check=True).stdout)
    start = partitions["partitiontable"]["partitions"][-1]["start"] * 512
    subprocess.run(["debugfs", "-R", f"rdump / {tree}", f"{disk}?offset={start}"], capture_output=True, check=True)
    kernel = next(tree.glob("boot/vmlinuz-*")).name
    boot = {"kernel": f"boot/{kernel}", "initrd": f"boot/initrd.img-{kernel.removeprefix('vmlinuz-')}", "cmdline": ""}
    yield Subject(
        image="base",
        disk_digest="sha256:aa",
        tree=tree,
        disk=disk,
        disk_format="raw",
        boot=boot,
        declared=DECLARED,
        cache=shared_cache,
        root=root,
        now_s=int(time.time()),
    )
    shutil.rmtree(root, ignore_errors=True)


def examined(subject: Subject, name: str) -> Result:
    result = run_gate(Boot(), SHORT, subject, ignore, Cancellation())
    place = os.environ.get("GOLDSMITH_RECORDINGS")
    if place:
        clones = []
        for firmware in ("uefi", "bios"):
            clone = read_clone(json.loads(result.facts.artefacts[f"{firmware}-probes.json"].read_text()))
            serial = result.facts.artefacts[f"{firmware}-serial.log"].read_text(errors="replace")
            clones.append(kept(replace(clone, console=readable(serial))))
        Path(place, f"{name}.json").write_text(json.dumps([clone.as_json() for clone in clones], indent=1) + "\n")
    return result


def test_the_sound_disk_passes(sound: Subject, tmp_path: Path) -> None:
    result = examined(replace(sound, work=tmp_path), "sound")

    assert result.verdict == "pass", result.reasons


@pytest.mark.parametrize("name", MUTATIONS)
def test_one_thing_wrong_is_one_finding(sound: Subject, tmp_path: Path, name: str) -> None:
    assert sound.disk is not None
    disk = mutant(sound.disk, name, tmp_path / "mutant")

    result = examined(replace(sound, disk=disk, work=tmp_path), name)

    disk.unlink()
    assert result.verdict == "fail", result.reasons
    assert {finding.rule for finding in result.facts.findings} == MUTATIONS[name].rules, result.reasons
    if MUTATIONS[name].subject:
        assert {finding.subject for finding in result.facts.findings} == {MUTATIONS[name].subject}
