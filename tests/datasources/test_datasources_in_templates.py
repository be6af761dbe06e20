"""Data sources in templates: when they are read, in which order, and what becomes of their values."""

from __future__ import annotations

from pathlib import Path
from typing import Unpack

import pytest

from goldsmith.build.keys import Redaction, canonical, options_of
from goldsmith.components import Context
from goldsmith.hcl.diagnostics import UserError
from goldsmith.hcl.values import to_plain
from goldsmith.template import Plan, Template, load, load_options
from goldsmith.template.options import PartialOptions
from tests.datasources.web_server import Answer, WebServer

BUILD = """
source "null" "n" { communicator = "none" }
build {
  sources = ["null.n"]
  provisioner "shell-local" { inline = ["echo ${local.told}"] }
}
"""


def loaded(root: Path, text: str, **options: Unpack[PartialOptions]) -> Template:
    (root / "t.pkr.hcl").write_text(text)
    chosen: PartialOptions = {"environment": {}, "cwd": root, **options}
    return load(root, load_options(**chosen))


def codes(error: pytest.ExceptionInfo[UserError]) -> list[str]:
    return [item.code for item in error.value.diagnostics]


def test_data_variables_and_locals_are_read_in_the_order_of_their_needs(web: WebServer, tmp_path: Path) -> None:
    web.answers["/first/a"] = Answer(body=b'{"next": "/second"}')
    web.answers["/second"] = Answer(body=b"end")

    template = loaded(
        tmp_path,
        """
        locals { told = upper(data.http.second.body) }
        data "http" "second" { url = "${var.server}${local.next}" }
        locals { next = jsondecode(data.http.first.body).next }
        data "http" "first" { url = "${var.server}/first/${data.null.name.output}" }
        data "null" "name" { input = "a" }
        variable "server" { type = string }
        """,
        variables=(("server", web.url("")),),
    )

    assert to_plain(template.locals["told"]) == "END"
    assert [asked.path for asked in web.asked] == ["/first/a", "/second"]


def test_nothing_is_asked_when_a_template_is_only_checked(web: WebServer, tmp_path: Path) -> None:
    text = f"""
    data "http" "a" {{ url = "{web.url("/a")}" }}
    data "http" "b" {{
      url    = "${{data.http.a.body}}/b"
      method = data.http.a.response_headers["X-Method"]
    }}
    locals {{ told = data.http.b.body }}
    """

    plan = loaded(tmp_path, text + BUILD, evaluate_data=False).plan()

    assert web.asked == []
    assert plan.failed == ()
    assert not loaded(tmp_path, text, evaluate_data=False).locals["told"].is_known


def test_a_fault_stands_at_the_block_and_is_told_once(web: WebServer, tmp_path: Path) -> None:
    text = f'\ndata "http" "a" {{ url = "{web.url("/none")}" }}\nlocals {{ told = data.http.a.body }}\n'

    with pytest.raises(UserError) as caught:
        loaded(tmp_path, text)

    assert codes(caught) == ["http.status"]
    where = caught.value.diagnostics[0].where
    assert where is not None
    assert where.start.line == 2


def test_all_faults_of_data_sources_are_told_in_one_run(web: WebServer, tmp_path: Path) -> None:
    text = f"""
    data "http" "a" {{ url = "{web.url("/none")}" }}
    data "http" "b" {{ method = "GIT" }}
    data "htpp" "c" {{}}
    data "amazon-ami" "d" {{ filters = {{ name = "x" }} }}
    """

    with pytest.raises(UserError) as caught:
        loaded(tmp_path, text)

    assert sorted(codes(caught)) == [
        "ami.settings",
        "http.settings",
        "http.settings",
        "http.status",
        "template.unknown-component",
    ]


def test_a_warning_of_a_data_source_is_a_warning_of_the_template(web: WebServer, tmp_path: Path) -> None:
    web.answers["/a"] = Answer(headers=(("Content-Type", "image/png"),), body=b"\x89")

    template = loaded(tmp_path, f'data "http" "a" {{ url = "{web.url("/a")}" }}')

    assert [item.code for item in template.warnings] == ["template.component-warning"]


def test_what_needs_a_value_that_only_builds_have_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        loaded(tmp_path, 'data "http" "a" { url = "http://127.0.0.1/${packer.iterationID}" }')

    assert codes(caught) == ["template.unknown-data"]


SECRET = """
variable "token" {
  type      = string
  sensitive = true
}
data "null" "a" { input = var.token }
data "http" "b" { url = "${var.server}/x?token=${var.token}" }
variable "server" {}
locals { told = "${data.null.a.output} ${data.http.b.url} ${data.http.b.body}" }
"""


def test_what_comes_back_of_a_sensitive_argument_is_sensitive(web: WebServer, tmp_path: Path) -> None:
    web.answers["/x?token=s3cret"] = Answer(body=b"open")

    template = loaded(tmp_path, SECRET, variables=(("token", "s3cret"), ("server", web.url(""))))

    assert [item.sensitive for item in template.data["http", "b"].items()] == [False, False, False, True]
    assert template.locals["told"].sensitive


def plan_of(body: bytes, web: WebServer, root: Path) -> Plan:
    web.answers["/x?token=s3cret"] = Answer(body=body)
    return loaded(root, SECRET + BUILD, variables=(("token", "s3cret"), ("server", web.url("")))).plan()


def key_of(plan: Plan, context: Context) -> bytes:
    (use,) = plan.builds[0].provisioners
    return canonical(options_of(use.config(context), Redaction(b"key", plan.secrets, plan.root)))


def test_a_value_enters_the_keys_of_steps_and_a_secret_by_its_fingerprint(
    web: WebServer, tmp_path: Path, context: Context
) -> None:
    first = key_of(plan_of(b"one", web, tmp_path), context)
    again = key_of(plan_of(b"one", web, tmp_path), context)
    changed = key_of(plan_of(b"two", web, tmp_path), context)

    assert first == again
    assert first != changed
    assert b"s3cret" not in first


@pytest.mark.parametrize(
    "block",
    [
        'data "http" "a" { url = "http://127.0.0.1:1${var.token}/" }',
        'data "amazon-parameterstore" "a" { name = var.token }',
        """
        source "null" "n" { communicator = "none" }
        build {
          sources = ["null.n"]
          post-processor "checksum" { checksum_types = [var.token] }
        }
        """,
    ],
)
def test_no_fault_tells_what_is_sensitive(block: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_REGION", raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    text = f'variable "token" {{\n type = string\n sensitive = true\n}}\n{block}'

    with pytest.raises(UserError) as caught:
        plan = loaded(tmp_path, text, variables=(("token", "s3cret"),)).plan()
        raise plan.failed[0][1]

    assert "s3cret" not in str(caught.value)


def test_a_secret_that_only_a_data_source_knows_is_scrubbed(aws: str, tmp_path: Path) -> None:
    import boto3

    boto3.client("secretsmanager", endpoint_url=aws, region_name="eu-central-1").create_secret(
        Name="scrubbed", SecretString='{"password": "only-aws-knows"}'
    )

    template = loaded(
        tmp_path,
        """
        data "amazon-secretsmanager" "a" { name = "scrubbed" }
        source "null" "n" { communicator = "none" }
        build {
          sources = ["null.n"]
          provisioner "shell-local" { inline = ["echo ${data.amazon-secretsmanager.a.value}"] }
        }
        """,
    )

    assert "only-aws-knows" in template.plan().secrets
