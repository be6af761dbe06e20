"""The role that comes with the package: every drop-in is there, and names controls that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from goldsmith.gates.hardening.controls import all_controls
from goldsmith.provisioners.ansible_environment import PLUGINS

ROLE = PLUGINS / "ansible_collections/goldsmith/image/roles/hardening"
TEMPLATES = sorted(path for path in (ROLE / "templates").rglob("*.j2"))


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_a_drop_in_names_the_controls_that_it_serves(template: Path) -> None:
    named = re.findall(r"GS-\d{3}", template.read_text())

    assert named
    assert set(named) <= set(all_controls())


def test_every_drop_in_has_a_template_and_is_removed_by_the_same_list() -> None:
    variables = yaml.safe_load((ROLE / "vars/main.yml").read_text())
    wanted = {item["template"] for item in variables["hardening_dropins"]}
    wanted |= {f"pam/{name}.j2" for name in variables["hardening_pam_profiles"]} | {"mount.j2"}

    assert {str(path.relative_to(ROLE / "templates")) for path in TEMPLATES} == wanted
    removing = (ROLE / "tasks/absent.yml").read_text()
    for name in ("hardening_dropins", "hardening_pam_profiles", "hardening_mounts", "hardening_modes", "hardening_allow_lists"):
        assert name in removing
