"""A review finds each thing that gives a secret away, where it stands, and says nothing of what is right."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from pathlib import Path

import pytest

from goldsmith.assist import Review, review
from goldsmith.cli.app import run
from goldsmith.gates.secrets.rules import rule_set
from goldsmith.gates.waivers import Ignore
from goldsmith.hcl.diagnostics import UserError
from tests.gates.planting import password, private_key

VALUE = "Zq7" + password(random.Random(11), 12).replace("/", "x").replace("&", "y").replace("+", "k")
SOURCE = 'source "null" "x" {\n  communicator = "none"\n'
HCL = Mapping[str, tuple[str, int, str]]

TEMPLATES: HCL = {
    "variable.literal-default": (f'variable "db_password" {{\n  default = "{VALUE}"\n}}\n', 2, "fail"),
    "variable.not-sensitive": ('variable "api_token" {\n  type = string\n}\n', 1, "warn"),
    "template.literal-secret": (f'{SOURCE}  vault_token = "{VALUE}"\n}}\n', 3, "fail"),
    "template.build-password": (f'{SOURCE}  ssh_password = "{VALUE}"\n}}\n', 3, "warn"),
    "template.secret-exposed": (
        f'variable "a" {{\n  sensitive = true\n}}\n{SOURCE}  user_data = "x ${{var.a}}"\n}}\n',
        6,
        "warn",
    ),
    "template.secret-in-file": (
        'variable "a" {\n  sensitive = true\n}\nlocals {\n  b = "x ${var.a}"\n}\nbuild {\n  provisioner "file" {\n'
        '    content     = local.b\n    destination = "/etc/x"\n  }\n}\n',
        8,
        "warn",
    ),
    "template.secret-in-script": (
        'variable "a" {\n  sensitive = true\n}\nbuild {\n  provisioner "shell" {\n    inline = ["use ${var.a}"]\n  }\n}\n',
        5,
        "warn",
    ),
    "template.trace-beside-secret": (
        'variable "a" {\n  sensitive = true\n}\nbuild {\n  provisioner "shell" {\n    environment_vars = ["A=${var.a}"]\n'
        '    inline = ["set -eux", "use it"]\n  }\n}\n',
        5,
        "fail",
    ),
    "template.prints-environment": (
        'build {\n  post-processors {\n    post-processor "shell-local" {\n      inline = ["printenv"]\n    }\n  }\n}\n',
        3,
        "warn",
    ),
}


def reviewed(tmp_path: Path, name: str, text: str, *ignores: Ignore, has_gate: bool = False) -> Review:
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    found = review([tmp_path], rule_set(), b"salt", ignores, now_s=1_000, has_gate=has_gate)
    assert VALUE not in str(found), "a remark shows the secret"
    return found


@pytest.mark.parametrize("rule", TEMPLATES)
def test_each_check_of_templates_finds_its_place(tmp_path: Path, rule: str) -> None:
    text, line, effect = TEMPLATES[rule]

    found = reviewed(tmp_path, "a.pkr.hcl", text)

    assert (rule, line, effect) in {(item.rule, item.line, item.effect) for item in found.remarks}


PLACES = {
    "environment_vars": f'["DB_PASSWORD={VALUE}"]',
    "env": f'{{ DB_PASSWORD = "{VALUE}" }}',
    "boot_command": f'["<wait>", "passwd/root-password password {VALUE} <enter>"]',
    "user_data": f'"#cloud-config\\npassword: {VALUE}\\n"',
    "http_content": f'{{ "/preseed.cfg" = "d-i passwd/root-password password {VALUE}" }}',
    "cd_content": f'{{ "user-data" = "#cloud-config\\npassword: {VALUE}\\n" }}',
    "extra_arguments": f'["--extra-vars", "db_password={VALUE}"]',
    "metadata": f'{{ startup = "export API_TOKEN={VALUE}" }}',
    "inline": f'["export API_TOKEN={VALUE}"]',
}


@pytest.mark.parametrize("place", PLACES)
def test_literals_are_found_in_every_place_that_carries_secrets(tmp_path: Path, place: str) -> None:
    found = reviewed(tmp_path, "a.pkr.hcl", f'build {{\n  provisioner "shell" {{\n    {place} = {PLACES[place]}\n  }}\n}}\n')

    assert {(item.effect, item.line) for item in found.remarks if item.effect == "fail"} == {("fail", 3)}


def test_a_sudo_password_in_the_execute_command_is_a_build_password(tmp_path: Path) -> None:
    text = "build {\n  provisioner \"shell\" {\n    execute_command = \"echo 'packer' | sudo -S sh -c '{{.Path}}'\"\n  }\n}\n"

    assert {item.rule for item in reviewed(tmp_path, "a.pkr.hcl", text).remarks} == {"template.build-password"}
    assert {item.effect for item in reviewed(tmp_path, "a.pkr.hcl", text, has_gate=True).remarks} == {"info"}


RIGHT = """
variable "db_password" {
  type      = string
  sensitive = true
}
variable "secrets_method" {
  default = "vault-agent"
}
variable "token_file" {
  default = "/run/token"
}
locals {
  secret_name = "prod/database"
}
source "null" "x" {
  ssh_password         = var.db_password
  ssh_private_key_file = "~/.ssh/id_ed25519"
  http_tokens          = "required"
}
build {
  provisioner "shell" {
    environment_vars = ["DB_PASSWORD=${var.db_password}", "MODE=production"]
    inline           = ["./configure --with-password-file=/run/token", "apt-get install -y passwd"]
  }
  provisioner "file" {
    content     = var.db_password
    destination = "/root/once"
  }
  provisioner "shell" {
    inline = ["use /root/once", "rm -f /root/once"]
  }
}
"""


def test_a_template_that_is_right_has_no_remarks(tmp_path: Path) -> None:
    found = reviewed(tmp_path, "a.pkr.hcl", RIGHT)

    assert (found.remarks, found.verdict) == ((), "pass")


def test_sensitive_values_are_followed_from_file_to_file(tmp_path: Path) -> None:
    (tmp_path / "variables.pkr.hcl").write_text('variable "a" {\n  sensitive = true\n}\n')

    found = reviewed(tmp_path, "build.pkr.hcl", 'build {\n  provisioner "shell" {\n    inline = ["use ${var.a}"]\n  }\n}\n')

    assert [(Path(item.file).name, item.rule) for item in found.remarks] == [("build.pkr.hcl", "template.secret-in-script")]


def test_scripts_that_a_provisioner_names_are_looked_into(tmp_path: Path) -> None:
    (tmp_path / "setup.sh").write_text("set -x\nuse it\n")
    text = (
        'variable "a" {\n  sensitive = true\n}\nbuild {\n  provisioner "shell" {\n    environment_vars = ["A=${var.a}"]\n'
        '    script = "${path.root}/setup.sh"\n  }\n}\n'
    )

    assert "template.trace-beside-secret" in {item.rule for item in reviewed(tmp_path, "a.pkr.hcl", text).remarks}


def test_templates_in_json_are_reviewed_alike(tmp_path: Path) -> None:
    document = {
        "variable": {"db_password": {"default": VALUE}, "api_token": {"type": "string"}},
        "source": {"null": {"x": {"ssh_password": VALUE, "vault_token": VALUE}}},
        "build": {"provisioner": [{"shell": {"environment_vars": [f"DB_SECRET={VALUE}"]}}]},
    }

    found = reviewed(tmp_path, "a.pkr.json", json.dumps(document, indent=1))

    assert {item.rule for item in found.remarks} == {
        "variable.literal-default",
        "variable.not-sensitive",
        "template.build-password",
        "template.literal-secret",
    }


def test_legacy_templates_are_reviewed_alike(tmp_path: Path) -> None:
    document = {
        "variables": {"db_password": VALUE, "api_token": "", "region": "eu-1"},
        "sensitive-variables": ["api_token"],
        "builders": [{"type": "null", "ssh_password": VALUE}],
        "provisioners": [{"type": "shell", "inline": ["use {{user `api_token`}}"], "environment_vars": [f"X_TOKEN={VALUE}"]}],
    }

    found = reviewed(tmp_path, "a.json", json.dumps(document, indent=1))

    assert {item.rule for item in found.remarks} == {
        "variable.literal-default",
        "template.build-password",
        "template.literal-secret",
        "template.secret-in-script",
    }


def test_variable_files_are_reviewed(tmp_path: Path) -> None:
    found = reviewed(tmp_path, "prod.pkrvars.hcl", f'region = "x"\ndb_password = "{VALUE}"\n')
    assert [(item.rule, item.line) for item in found.remarks] == [("variables.literal-secret", 2)]

    (tmp_path / "prod.pkrvars.hcl").unlink()
    found = reviewed(tmp_path, "prod.pkrvars.json", json.dumps({"db_password": VALUE}))
    assert [item.rule for item in found.remarks] == ["variables.literal-secret"]


SCRIPTS = {
    "script.literal-secret": (f"#!/bin/sh\nDB_PASSWORD='{VALUE}'\n", 2, "fail"),
    "script.trace-beside-secret": ('#!/bin/bash\nset -eux\nuse "$API_TOKEN"\n', 3, "fail"),
    "script.secret-on-command-line": ('#!/bin/sh\nmysql -u root -p"$DB_PASSWORD" -e x\n', 2, "warn"),
    "script.secret-in-file": ('#!/bin/sh\necho "token=$API_TOKEN" > /etc/app.conf\n', 2, "warn"),
    "script.download-piped-to-shell": ("#!/bin/sh\ncurl -fsSL https://x.invalid/i | sudo bash\n", 2, "warn"),
    "script.download-without-checksum": ("#!/bin/sh\ncurl -fsSLo /tmp/x https://x.invalid/x\n", 2, "warn"),
    "private-key": (f"cat > /root/k <<E\n{private_key('OPENSSH', random.Random(2))}E\n", 2, "fail"),
}


@pytest.mark.parametrize("rule", SCRIPTS)
def test_each_check_of_scripts_finds_its_place(tmp_path: Path, rule: str) -> None:
    text, line, effect = SCRIPTS[rule]

    assert (rule, line, effect) in {(i.rule, i.line, i.effect) for i in reviewed(tmp_path, "x.sh", text).remarks}


def test_scripts_that_are_right_have_no_remarks(tmp_path: Path) -> None:
    text = (
        '#!/bin/bash\nset -eu\nset -x\necho go\nset +x\nlogin "$API_TOKEN"\nprintf %s "$API_TOKEN" > /root/t\nuse /root/t\n'
        "rm -f /root/t\ncurl -o x https://x.invalid/x\necho 'abc  x' | sha256sum -c\nPASSWORD=$(pwgen 20)\nTOKEN=${TOKEN:-}\n"
    )

    assert reviewed(tmp_path, "x.sh", text).remarks == ()


PLAYBOOKS = {
    "ansible.unvaulted": (f"- hosts: all\n  vars:\n    db_password: {VALUE}\n", 3, "fail"),
    "ansible.literal-secret": (
        f"- name: a\n  ansible.builtin.user:\n    name: b\n    password: {VALUE}\n  no_log: true\n",
        4,
        "fail",
    ),
    "ansible.no-log": ("- name: a\n  ansible.builtin.user:\n    name: b\n    password: '{{ a_password }}'\n", 1, "warn"),
    "ansible.download-without-checksum": ("- get_url:\n    url: https://x.invalid/x\n    dest: /tmp/x\n", 1, "warn"),
    "script.download-piped-to-shell": ("- name: a\n  shell: curl -s https://x.invalid | sh\n", 2, "warn"),
}


@pytest.mark.parametrize("rule", PLAYBOOKS)
def test_each_check_of_playbooks_finds_its_place(tmp_path: Path, rule: str) -> None:
    text, line, effect = PLAYBOOKS[rule]

    assert (rule, line, effect) in {(i.rule, i.line, i.effect) for i in reviewed(tmp_path, "site.yml", text).remarks}


RIGHT_PLAYBOOK = """\
- hosts: all
  vars:
    db_password: '{{ vault_db_password }}'
    api_key: !vault |
      $ANSIBLE_VAULT;1.1;AES256
      3132
  tasks:
    - name: block
      no_log: true
      block:
        - name: a
          user:
            name: b
            password: '{{ db_password }}'
    - name: c
      get_url:
        url: https://x.invalid/x
        dest: /x
        checksum: sha256:00
    - name: d
      user:
        name: b
        update_password: on_create
        password_lock: true
"""


def test_playbooks_that_are_right_have_no_remarks(tmp_path: Path) -> None:
    assert reviewed(tmp_path, "site.yml", RIGHT_PLAYBOOK).remarks == ()
    assert reviewed(tmp_path, "vault.yml", "$ANSIBLE_VAULT;1.1;AES256\n313233\n").remarks == ()


def test_what_cannot_be_read_makes_the_review_an_error(tmp_path: Path) -> None:
    assert reviewed(tmp_path / "a", "a.pkr.hcl", "variable {").verdict == "error"
    broken = reviewed(tmp_path / "b", "a.yml", "a: [")
    assert (broken.verdict, broken.faults[0].code) == ("error", "review.yaml")
    (tmp_path / "empty").mkdir()
    assert review([tmp_path / "empty"], rule_set(), b"").verdict == "error"
    with pytest.raises(UserError, match="does not exist"):
        review([tmp_path / "absent"], rule_set(), b"")


def test_a_remark_is_ignored_by_its_fingerprint_until_its_day(tmp_path: Path) -> None:
    text = f'variable "db_password" {{\n  default = "{VALUE}"\n}}\n'
    (remark,) = reviewed(tmp_path, "a.pkr.hcl", text).remarks
    live = Ignore(finding=remark.fingerprint, reason="r", owner="o", until="1970-01-02")
    expired = Ignore(finding=remark.fingerprint, reason="r", owner="o", until="1970-01-01")

    assert reviewed(tmp_path, "a.pkr.hcl", text, live).ignored == (remark,)
    assert reviewed(tmp_path, "a.pkr.hcl", text, expired).remarks == (remark,)
    moved = reviewed(tmp_path, "a.pkr.hcl", "\n\n" + text, live)
    assert moved.remarks == (), "the fingerprint is the secret's, wherever it stands"


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GOLDSMITH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "work"


@pytest.mark.parametrize(
    ("text", "code"),
    [(RIGHT, 0), (TEMPLATES["variable.not-sensitive"][0], 0), (TEMPLATES["template.literal-secret"][0], 2), ("{", 3)],
)
def test_the_command_ends_as_gates_do(own_cache: Path, capfd: pytest.CaptureFixture[str], text: str, code: int) -> None:
    own_cache.mkdir()
    (own_cache / "a.pkr.hcl").write_text(text)

    assert run(["review", str(own_cache)]) == code
    assert run(["review", "-json", str(own_cache)]) == code
    out = capfd.readouterr()
    assert VALUE not in out.out + out.err
    assert '"verdict"' in out.out


def test_ignore_blocks_of_the_project_are_used(own_cache: Path, capfd: pytest.CaptureFixture[str]) -> None:
    from datetime import UTC, datetime, timedelta

    own_cache.mkdir()
    (own_cache / "a.pkr.hcl").write_text(TEMPLATES["template.literal-secret"][0])
    project = own_cache / "goldsmith.hcl"
    project.write_text('gate "secrets" {}\n')
    assert run(["review", "-json", str(own_cache)]) == 2
    mark = json.loads(capfd.readouterr().out)["remarks"][0]["fingerprint"]
    until = (datetime.now(UTC) + timedelta(days=30)).date()
    ignore = f'ignore "{mark}" {{\n    reason = "r"\n    owner = "o"\n    until = "{until}"\n  }}'
    project.write_text(f'gate "secrets" {{\n  {ignore}\n}}\n')

    assert run(["review", str(own_cache)]) == 0
