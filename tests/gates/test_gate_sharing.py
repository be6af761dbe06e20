"""What the gates of one examination share is read once, and never kept longer than the examination."""

from __future__ import annotations

import gc
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from weakref import ref

import pytest

from goldsmith.gates.contract import Examination, Subject
from goldsmith.gates.inventory import inventory_of
from goldsmith.gates.secrets.packaged import packaged_files
from goldsmith.gates.sharing import read_once
from goldsmith.hcl.diagnostics import MachineError
from tests.gates.advisory_workbench import tree


def subject_of(root: Path) -> Subject:
    return Subject(image="t", disk_digest="sha256:00", tree=root, disk=None)


def test_gates_of_one_examination_share_inventory_and_sums(tmp_path: Path) -> None:
    subject = subject_of(tree(tmp_path / "tree"))
    of_another_gate = replace(subject, work=tmp_path)

    assert inventory_of(of_another_gate) is inventory_of(subject)
    assert packaged_files(of_another_gate) is packaged_files(subject)


def test_another_examination_sees_the_tree_as_it_is_now(tmp_path: Path) -> None:
    subject = subject_of(tree(tmp_path / "tree"))
    before = inventory_of(subject)
    status = subject.tree / "var/lib/dpkg/status"
    status.write_text(status.read_text().replace("7.88.1-11", "7.88.1-12"))

    assert inventory_of(subject) is before
    now = inventory_of(replace(subject, examination=Examination()))
    assert {item.version for item in now.packages if item.name == "curl"} == {"7.88.1-12"}


def test_gates_that_ask_at_the_same_time_wait_for_one_reading(tmp_path: Path) -> None:
    begun, go_on = threading.Event(), threading.Event()
    readings: list[Path] = []

    @read_once
    def read(subject: Subject) -> int:
        readings.append(subject.tree)
        begun.set()
        assert go_on.wait(10)
        return len(readings)

    subject = subject_of(tmp_path)
    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(read, subject)
        assert begun.wait(10)
        others = [pool.submit(read, replace(subject, work=tmp_path / name)) for name in "abc"]
        go_on.set()
        assert [item.result() for item in (first, *others)] == [1, 1, 1, 1]


def test_an_error_goes_to_each_gate(tmp_path: Path) -> None:
    subject = subject_of(tmp_path)

    for _ in range(2):
        with pytest.raises(MachineError, match="the distribution of the image is not known"):
            inventory_of(subject)


class Sums:
    """Something that was read."""


@pytest.mark.parametrize("fails", [False, True])
def test_what_was_read_goes_with_the_examination(tmp_path: Path, fails: bool) -> None:
    @read_once
    def read(subject: Subject) -> Sums:
        if fails:
            raise ValueError("unreadable")
        return Sums()

    subject = subject_of(tmp_path)
    with suppress(ValueError):
        kept = ref(read(subject))
        assert kept() is not None
    examination = ref(subject.examination)

    del subject
    gc.collect()

    assert examination() is None
    assert fails or kept() is None
