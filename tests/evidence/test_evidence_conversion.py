"""Certificates of converted roles: they speak of exactly one state of a role, and provenance carries them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from goldsmith.components import Context
from goldsmith.evidence import load_or_create_signer, sign
from goldsmith.evidence.conversion import BESIDE_PLAYBOOK, certificate_beside, conversion_statement, role_digest
from goldsmith.provisioners.ansible import Ansible, AnsibleConfig
from tests.sources.archive_workbench import new_context_in


@pytest.fixture
def converted(tmp_path: Path) -> Path:
    """A directory with a playbook, a role and its certificate."""
    directory = tmp_path / "out"
    for name, text in (("playbook.yml", "[]"), ("roles/web/tasks/main.yml", "[]"), ("roles/web/files/a", "1")):
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    statement = conversion_statement(directory, {"verdict": "proven", "parent": "sha256:1"})
    place = directory / BESIDE_PLAYBOOK
    place.parent.mkdir()
    place.write_bytes(sign(statement, load_or_create_signer(tmp_path / "a.key")).bundle)
    return directory


CHANGES: list[Callable[[Path], object]] = [
    lambda out: (out / "roles/web/files/a").write_text("2"),
    lambda out: (out / "roles/web/files/a").chmod(0o755),
    lambda out: (out / "roles/web/files/b").write_text(""),
    lambda out: (out / "roles/web/files/b").symlink_to("a"),
    lambda out: (out / "roles/web/files/a").rename(out / "roles/web/files/c"),
    lambda out: (out / "playbook.yml").write_text("- hosts: all"),
    lambda out: (out / "roles/other").mkdir(),
    lambda out: (out / BESIDE_PLAYBOOK).write_text("{}"),
    lambda out: (out / BESIDE_PLAYBOOK).unlink(),
]


def test_a_certificate_counts_for_the_role_as_it_was_proven_and_no_other(converted: Path) -> None:
    found = certificate_beside(converted / "playbook.yml")
    assert found is not None
    assert (found.verdict, found.parent) == ("proven", "sha256:1")
    assert {role.name: role.sha256 for role in found.roles}["roles/web"] == role_digest(converted / "roles/web")

    for number, change in enumerate(CHANGES):
        copy = converted.parent / f"copy{number}"
        _copy(converted, copy)
        assert certificate_beside(copy / "playbook.yml") is not None
        change(copy)
        assert certificate_beside(copy / "playbook.yml") is None, number


def _copy(source: Path, target: Path) -> None:
    for path in sorted(source.rglob("*")):
        copied = target / path.relative_to(source)
        if path.is_dir():
            copied.mkdir(parents=True)
        else:
            copied.write_bytes(path.read_bytes())


def test_the_ansible_provisioner_tells_provenance_of_the_certificate(converted: Path, tmp_path: Path) -> None:
    context: Context = replace(new_context_in(tmp_path, [], None, cache=tmp_path / "cache"), cwd=converted)
    settings = AnsibleConfig(playbook_file="playbook.yml")

    (material,) = Ansible().materials(settings, context)

    assert material["uri"] == "urn:goldsmith:conversion"
    annotations = material["annotations"]
    assert isinstance(annotations, dict)
    assert annotations["verdict"] == "proven"
    assert annotations["sha256 of roles/web"] == role_digest(converted / "roles/web")
    (converted / "roles/web/files/a").write_text("changed")
    assert list(Ansible().materials(settings, context)) == []
