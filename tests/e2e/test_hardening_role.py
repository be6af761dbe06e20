"""The role goldsmith.image.hardening on a fresh Debian: it meets the baseline, changes nothing twice, and can be undone."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.workspace import Workspace

pytestmark = pytest.mark.slow

PROJECT = """
image "hard" { template = "hard" }
image "undone" { template = "undone" }
gate "hardening" { minimum = 0.95 }
channel "prod" { requires = ["hardening"] }
signing { key = "keys/goldsmith.key" }
"""
PLAYBOOK = """
- name: Harden the image
  hosts: default
  gather_facts: false
  roles: [goldsmith.image.hardening]
"""
SOURCE = """
source "bootstrap" "image" {
  distribution     = "debian"
  release          = "bookworm"
  packages         = ["linux-image-cloud-amd64", "systemd-sysv", "openssh-server", "cron"]
  hostname         = "golden"
  output_directory = "${path.root}/output"
}
"""
ROLE = 'provisioner "ansible" { playbook_file = "${path.root}/../hardening.yml" }'
ROLE_ABSENT = """
  provisioner "ansible" {
    playbook_file   = "${path.root}/../hardening.yml"
    extra_arguments = ["-e", "hardening_state=absent"]
  }
"""
HARD = f'{SOURCE}\nbuild {{\n  sources = ["source.bootstrap.image"]\n  {ROLE}\n  {ROLE}\n}}\n'
UNDONE = f"""{SOURCE}
build {{
  sources = ["source.bootstrap.image"]
  provisioner "shell" {{ inline = ["cp -a /etc /srv/etc"] }}
  {ROLE}
  {ROLE_ABSENT}
  provisioner "shell" {{ inline = ["diff -r --no-dereference /srv/etc /etc && rm -r /srv/etc", "stat -c '%a %n' /etc/cron.d"] }}
}}
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, shared_cache: Path) -> Iterator[tuple[Workspace, str]]:
    space = Workspace(tmp_path_factory.mktemp("hardening"), shared_cache)
    space.write("goldsmith.hcl", PROJECT)
    space.write("hardening.yml", PLAYBOOK)
    space.write("hard/hard.pkr.hcl", HARD)
    space.write("undone/undone.pkr.hcl", UNDONE)
    yield space, space.goldsmith("build", ".", code=2)


def result_of(space: Workspace, image: str) -> dict[str, object]:
    (evidence,) = (space.root / image / "output").glob("*.evidence.jsonl")
    for line in evidence.read_text().splitlines():
        predicate = json.loads(base64.b64decode(json.loads(line)["dsseEnvelope"]["payload"]))["predicate"]
        if "goldsmith_result" in predicate:
            result = predicate["goldsmith_result"]
            assert isinstance(result, dict)
            return result
    raise AssertionError(f"{image} has no result of a gate")


def score_of(result: dict[str, object]) -> int:
    facts = result["facts"]
    assert isinstance(facts, dict)
    return int(facts["measures"]["score_permille"])


def test_a_fresh_debian_with_the_role_meets_the_baseline(built: tuple[Workspace, str]) -> None:
    space, _ = built
    result = result_of(space, "hard")

    assert result["verdict"] in ("pass", "warn")
    assert score_of(result) >= 950
    assert "moved to hard:1" in space.goldsmith("promote", "hard", "prod")


def test_a_second_run_of_the_role_changes_nothing(built: tuple[Workspace, str]) -> None:
    _, told = built
    recaps = re.findall(r"default +: ok=\d+ +changed=(\d+)", told)

    assert "0" in recaps, told
    assert re.search(r"Layer \w+: 0 files", told), told


def test_undone_the_image_is_as_before_and_refused_at_prod(built: tuple[Workspace, str]) -> None:
    space, told = built
    result = result_of(space, "undone")

    assert "755 /etc/cron.d" in told
    assert result["verdict"] == "fail"
    assert score_of(result) < 800
    assert "hardening" in space.goldsmith("promote", "undone", "prod", code=2)
