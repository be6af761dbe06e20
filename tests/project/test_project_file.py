"""goldsmith.hcl: read as it is meant, and every fault told at once with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from goldsmith.hcl.diagnostics import UserError
from goldsmith.project import Project, expiry_policy, load_project, project_for
from goldsmith.project.policy import policy_document
from goldsmith.registry import KeepRule

GOOD = """
image "base" {
  template = "base"
  ports    = ["tcp/22"]
}

gate "secrets" {}
gate "boot" { within = "90s" }

channel "staging" { requires = ["secrets"] }
channel "prod" {
  after    = "staging"
  soak     = "1h"
  requires = ["secrets", "boot"]
}

retention {
  keep_last = 3
  keep_for  = "30d"
}
"""


def load(root: Path, text: str = GOOD) -> Project:
    (root / "base").mkdir(exist_ok=True)
    (root / "goldsmith.hcl").write_text(text)
    return load_project(root / "goldsmith.hcl")


def faults(root: Path, text: str) -> list[tuple[str, int]]:
    with pytest.raises(UserError) as refused:
        load(root, text)
    return [(item.code, item.where.start.line if item.where else 0) for item in refused.value.diagnostics]


def test_a_project_is_read_with_its_defaults(tmp_path: Path) -> None:
    project = load(tmp_path)

    assert project.images["base"].declared.ports == ("tcp/22",)
    assert project.retention is not None
    assert project.retention.keep_last == 3
    assert project.registry_url == f"sqlite:///{tmp_path}/.goldsmith/registry.db"
    assert list(project.channels) == ["staging", "prod"]


def test_a_policy_document_says_all_that_the_channel_demands(tmp_path: Path) -> None:
    document = policy_document(load(tmp_path), "prod")

    assert document["after"] == "staging"
    assert document["soak_s"] == 3600
    assert document["requires"] == [
        {"gate": "secrets", "max_age_s": 0, "strict": False},
        {"gate": "boot", "max_age_s": 0, "strict": False},
    ]


def test_the_nearest_project_file_above_a_template_is_its_project(tmp_path: Path) -> None:
    load(tmp_path)
    deep = tmp_path / "base" / "x"
    deep.mkdir()

    found = project_for(deep)

    assert found is not None
    assert found.root == tmp_path


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    text = 'imagee "x" {}\nimage "base" {\n  template = "bse"\n}\ngate "secretss" {}\nchannel "prod" {\n  after = "stagin"\n}\n'

    assert faults(tmp_path, text) == [
        ("project.unknown-block", 1),
        ("project.template-missing", 3),
        ("project.unknown-gate", 5),
        ("project.unknown-channel", 7),
    ]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ('image "a" {\n  template = "base"\n}\nimage "a" {\n  template = "base"\n}\n', "project.duplicate"),
        ('image {\n  template = "base"\n}\n', "project.labels"),
        ('image "A b" {\n  template = "base"\n}\n', "project.name"),
        ('channel "a" {\n  after = "b"\n}\nchannel "b" {\n  after = "a"\n}\n', "project.channel-cycle"),
        ('channel "a" {\n  requires = ["boot"]\n}\n', "project.unknown-gate"),
        ('retention {\n  keep_for = "soon"\n}\n', "project.duration"),
        ('cache {\n  limit = "much"\n}\n', "project.size"),
        ('store {\n  url = "ftp://x"\n}\n', "store.url"),
        ("template = 1\n", "project.unknown-argument"),
    ],
)
def test_each_fault_has_its_code(tmp_path: Path, text: str, code: str) -> None:
    assert code in {found for found, _ in faults(tmp_path, text)}


def test_an_unknown_attribute_gets_a_suggestion(tmp_path: Path) -> None:
    with pytest.raises(UserError) as refused:
        load(tmp_path, 'image "base" {\n  template = "base"\n  port = ["tcp/22"]\n}\n')

    assert "ports" in refused.value.diagnostics[0].next


def test_an_image_may_be_kept_by_rules_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "goldsmith.hcl").write_text(
        'image "web" {\n  template = "."\n  keep_last = 9\n}\n'
        'image "base" {\n  template = "."\n}\nretention {\n  keep_for = "30d"\n}\n'
    )

    policy = expiry_policy(load_project(tmp_path / "goldsmith.hcl"))

    assert policy.rule("web") == KeepRule(keep_last=9, keep_for_s=30 * 86_400)
    assert policy.rule("base") == KeepRule(keep_last=policy.keep_last, keep_for_s=30 * 86_400)
    assert policy.rule("of another project") is None


def test_without_a_retention_block_only_images_and_channels_with_rules_let_anything_go(tmp_path: Path) -> None:
    (tmp_path / "goldsmith.hcl").write_text(
        'image "web" {\n  template = "."\n  retain_at_least = 2\n}\nimage "base" {\n  template = "."\n}\n'
        'channel "prod" {\n  keep_last = 3\n  keep_for = "365d"\n}\n'
    )

    policy = expiry_policy(load_project(tmp_path / "goldsmith.hcl"))

    assert policy.rule("web") == KeepRule(retain_at_least=2)
    assert policy.rule("base") is None
    assert policy.channels["prod"] == KeepRule(keep_last=3, keep_for_s=365 * 86_400)


def test_a_duration_of_an_image_that_is_none_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "goldsmith.hcl").write_text('image "web" {\n  template = "."\n  keep_for = "soon"\n}\n')

    with pytest.raises(UserError, match="no duration"):
        load_project(tmp_path / "goldsmith.hcl")
