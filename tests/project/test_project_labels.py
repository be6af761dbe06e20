"""What a template's `hcp_packer_registry` says is kept with the version and shown."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from goldsmith.cli.app import run
from goldsmith.project import load_project
from goldsmith.project.records import labels_text, open_registry, record_labels
from goldsmith.registry import ArtifactFile
from goldsmith.template import load, load_options
from tests.registry.registry_workbench import ACTOR, document

TEMPLATE = """
hcp_packer_registry {
  bucket_name   = "web-server"
  description   = "With nginx."
  bucket_labels = { os = "debian" }
  build_labels  = { commit = "4f2a" }
}
source "null" "a" { communicator = "none" }
build {
  sources = ["null.a"]
}
"""


def test_the_labels_of_a_template_are_shown_with_its_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "web").mkdir()
    (tmp_path / "web" / "a.pkr.hcl").write_text(TEMPLATE)
    (tmp_path / "goldsmith.hcl").write_text('image "web" { template = "web" }\n')
    (tmp_path / "disk").write_bytes(b"bytes")
    project = load_project(tmp_path / "goldsmith.hcl")
    version = open_registry(project).register(
        "web", document("web", 1), artifacts=[ArtifactFile("raw", tmp_path / "disk")], packages={}, builder="t", actor=ACTOR
    )

    record_labels(project, version.digest, labels_text(load(tmp_path / "web", load_options()).plan()))

    assert run(["show", "web"]) == 0
    shown = capsys.readouterr().out
    assert "bucket    web-server" in shown
    assert "about     With nginx." in shown
    assert "label     os = debian\n" in shown and "label     commit = 4f2a\n" in shown
    assert run(["show", "-json", "web"]) == 0
    assert json.loads(capsys.readouterr().out)["labels"] == {
        "bucket": "web-server",
        "description": "With nginx.",
        "image": {"os": "debian"},
        "version": {"commit": "4f2a"},
    }
