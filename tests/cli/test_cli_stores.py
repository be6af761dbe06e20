"""push, pull, resume and scrub at the command line, on real stores with signed evidence."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from goldsmith.cli.app import run
from goldsmith.evidence import PROVENANCE, TEST_RESULT, Statement, Subject, load_or_create_signer
from goldsmith.images import disk_digest, file_digest
from goldsmith.project import load_project, open_registry
from goldsmith.project.registration import attest_all
from goldsmith.project.statements import Claim, sign_claims
from goldsmith.registry import JSON, ArtifactFile, digest_of

PROJECT = 'image "web" {\n  template = "."\n}\nchannel "dev" {\n  requires = ["boot"]\n}\ngate "boot" {}\n'
RESULT = {"gate": "boot", "verdict": "pass", "failing": [], "config_digest": "", "finished": 1_700_000_000}


def make(place: Path, text: str = PROJECT) -> Path:
    place.mkdir()
    (place / "goldsmith.hcl").write_text(text)
    return place


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with web:1, proven and signed."""
    place = make(tmp_path / "made")
    monkeypatch.chdir(place)
    project = load_project(place / "goldsmith.hcl")
    path = place / "web.raw"
    path.write_bytes(b"the disk" * 1000)
    layer = "sha256:" + "1" * 64
    document: dict[str, JSON] = {
        "image": "web",
        "parent": None,
        "inputs": "",
        "layers": [layer],
        "disks": {"amd64": disk_digest(path)},
    }
    subjects = tuple(
        Subject(name=name, sha256=digest.removeprefix("sha256:"))
        for name, digest in (("version", digest_of(document)), ("disk", disk_digest(path)), ("web.raw", file_digest(path)))
    )
    details = {"runDetails": {"metadata": {"finishedOn": "2026-01-02T03:04:05Z"}}}
    claims = [
        Claim(statement=Statement(subjects=subjects, predicate_type=PROVENANCE, predicate=details), gate="provenance"),
        Claim(
            statement=Statement(subjects=subjects[:2], predicate_type=TEST_RESULT, predicate={"goldsmith_result": RESULT}),
            gate="boot",
        ),
    ]
    with open_registry(project) as registry:
        files = [ArtifactFile("raw", path)]
        version = registry.register("web", document, artifacts=files, packages={}, builder="user:ci", actor="user:ci")
        attest_all(registry, version, sign_claims(claims, load_or_create_signer(place / project.signing.key)))
    return place


def test_a_version_travels_to_another_project_with_its_proof(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["push", "web:1", f"file://{tmp_path}/mirror"]) == 0
    monkeypatch.chdir(make(tmp_path / "other"))

    assert run(["pull", "web", f"file://{tmp_path}/mirror"]) == 1
    assert "[pull.unproven]" in capsys.readouterr().out
    assert run(["pull", "-key", str(made / "keys/goldsmith.pub"), "web", f"file://{tmp_path}/mirror"]) == 0

    assert "2 signed statements" in capsys.readouterr().out
    assert run(["promote", "web", "dev"]) == 0
    assert run(["registry", "check", "-deep"]) == 0
    assert run(["pull", "-key", str(made / "keys/goldsmith.pub"), "web", f"file://{tmp_path}/mirror"]) == 0
    assert "was here already" in capsys.readouterr().out


def test_a_push_to_a_place_that_cannot_be_written_is_kept_and_resumed(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mirror = tmp_path / "mirror"
    mirror.write_text("a file is in the way")

    assert run(["push", "web:1", f"file://{mirror}"]) == 1
    told = capsys.readouterr().out
    assert "[push.pending]" in told
    assert "goldsmith resume" in told
    assert run(["resume"]) == 1
    mirror.unlink()

    assert run(["resume"]) == 0

    assert f"web:1 is in file://{mirror}" in capsys.readouterr().out
    assert not (made / ".goldsmith/pending").exists()
    assert run(["resume"]) == 0
    assert "Nothing is pending" in capsys.readouterr().out


def test_an_object_store_that_is_down_keeps_the_push(
    made: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in (("AWS_ENDPOINT_URL", "http://127.0.0.1:1"), ("AWS_ACCESS_KEY_ID", "a"), ("AWS_SECRET_ACCESS_KEY", "b")):
        monkeypatch.setenv(name, value)

    assert run(["push", "web:1", "s3://bucket/images"]) == 1

    told = capsys.readouterr().out
    assert "[store.unreachable]" in told
    assert "[push.pending]" in told
    assert len(list((made / ".goldsmith/pending").iterdir())) == 1
    assert run(["registry", "check", "-deep"]) == 0


def test_a_spoilt_blob_is_told_and_mended(made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["push", "web:1", f"file://{tmp_path}/mirror"]) == 0
    blob = made / ".goldsmith/store/blobs" / file_digest(made / "web.raw").replace(":", "/")
    blob.chmod(0o644)
    blob.write_bytes(b"?" * 8000)

    assert run(["registry", "scrub"]) == 1
    assert "[store.damaged]" in capsys.readouterr().out
    assert run(["registry", "scrub", f"-from=file://{tmp_path}/mirror"]) == 0

    assert "came back from" in capsys.readouterr().out
    assert blob.read_bytes() == (made / "web.raw").read_bytes()


def test_mirrors_of_the_store_block_serve_for_repair(made: Path, tmp_path: Path) -> None:
    mirror = tmp_path / "mirror"
    assert run(["push", "web:1", f"file://{mirror}"]) == 0
    (made / "goldsmith.hcl").write_text(PROJECT + f'store {{\n  mirrors = ["file://{mirror}"]\n}}\n')
    (made / ".goldsmith/store/blobs" / file_digest(made / "web.raw").replace(":", "/")).unlink()

    assert run(["registry", "scrub", "-repair"]) == 0
    assert run(["registry", "check", "-deep"]) == 0


def test_a_damaged_record_of_a_push_is_told(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = made / ".goldsmith/pending/push-web-1"
    place.mkdir(parents=True)
    (place / "push.json").write_text("{}")

    assert run(["resume"]) == 1

    assert "[pending.unreadable]" in capsys.readouterr().out
    shutil.rmtree(place)


def test_the_index_names_all_versions(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["registry", "index"]) == 0

    assert "names 1 versions" in capsys.readouterr().out
