"""Each thing that was wrong with a really booted disk has exactly the right finding, by what its clones said."""

from __future__ import annotations

from itertools import chain

import pytest

from goldsmith.gates.boot.judging import answered, judge_clone, judge_pair, wanted
from goldsmith.gates.contract import Declared, Finding
from tests.gates.boot_mutants import MUTATIONS
from tests.gates.boot_recordings import names, recorded

DECLARED = Declared(ports=("tcp/22",), services=("ssh.service", "fleet-agent.timer"))


def findings(name: str) -> list[Finding]:
    first, second = recorded(name)
    return [*chain.from_iterable(judge_clone(clone, DECLARED) for clone in (first, second)), *judge_pair(first, second)]


def test_every_mutation_is_recorded() -> None:
    assert set(names()) == {"sound", *MUTATIONS}


def test_a_sound_disk_has_no_findings_and_answers_everything() -> None:
    assert findings("sound") == []
    assert [(clone.firmware, clone.accelerator) for clone in recorded("sound")] == [("uefi", "tcg"), ("bios", "tcg")]
    assert all(answered(clone) == wanted() for clone in recorded("sound"))


@pytest.mark.parametrize("name", MUTATIONS)
def test_one_thing_wrong_is_one_finding(name: str) -> None:
    found = findings(name)

    assert {item.rule for item in found} == MUTATIONS[name].rules, [item.detail for item in found]
    assert {item.effect for item in found} == {"fail"}
    if MUTATIONS[name].subject:
        assert {item.subject for item in found} == {MUTATIONS[name].subject}


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("failed-unit", "the-reason"),
        ("missing-initramfs", "Unable to mount root fs"),
        ("bad-root", "(initramfs)"),
        ("kernel-panic", "Attempted to kill init"),
        ("no-ssh", "login:"),
        ("hanging-unit", "hang.service"),
    ],
)
def test_a_finding_says_why(name: str, words: str) -> None:
    assert any(words in item.detail for item in findings(name))
