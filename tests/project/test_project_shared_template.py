"""Two images of a project may share a template and differ in their variable files."""

from __future__ import annotations

from pathlib import Path

from tests.project.small_project import SMALL, make_small_project

PROJECT = """
image "base" {
  template = "base"
}
image "one" {
  template  = "small"
  var_files = ["one.pkrvars.hcl"]
}
image "two" {
  template  = "small"
  var_files = ["two.pkrvars.hcl"]
}
"""


def test_images_that_share_a_template_are_built_and_planned_each_with_its_own_values(tmp_path: Path) -> None:
    project = make_small_project(tmp_path / "project", tmp_path / "cache", PROJECT)
    own = SMALL.replace("${path.root}/output", "${path.root}/output-${var.text}")
    (project.root / "small/small.pkr.hcl").write_text(own)
    for name in ("one", "two"):
        (project.root / f"{name}.pkrvars.hcl").write_text(f'text = "{name}"\n')

    told = project.goldsmith("build", ".")

    assert "one:1" in told
    assert "two:1" in told
    assert (project.root / "small/output-one/small.qcow2").is_file()
    assert (project.root / "small/output-two/small.qcow2").is_file()
    assert "2 to run" not in project.goldsmith("plan", ".")
    assert "0 to run" in project.goldsmith("plan", ".")


def test_a_template_is_validated_with_the_values_that_its_project_gives(tmp_path: Path) -> None:
    project = make_small_project(tmp_path / "project", tmp_path / "cache", PROJECT)
    own = SMALL + 'variable "given" {\n  type = string\n}\n'
    (project.root / "small/small.pkr.hcl").write_text(own)
    for name in ("one", "two"):
        (project.root / f"{name}.pkrvars.hcl").write_text(f'given = "{name}"\n')

    assert "The configuration is valid." in project.goldsmith("validate", ".")
    assert "The configuration is valid." in project.goldsmith("validate", "small")
