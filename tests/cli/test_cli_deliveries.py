"""Targets at the command line: the project file declares them, commands that move channels tell them, nobody is waited for."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import standardwebhooks

from goldsmith.cli.app import run
from goldsmith.project import load_project, open_registry
from goldsmith.registry import JSON, ArtifactFile
from tests.datasources.conftest import aws, moto  # noqa: F401  # fixtures
from tests.datasources.web_server import Answer, WebServer

SECRET = "whsec_" + base64.b64encode(b"k" * 32).decode()
PROJECT = """
image "web" {{ template = "." }}
channel "dev" {{}}
webhook "ops" {{
  url           = "{url}"
  secret_env    = "OPS_SECRET"
  allow_http    = true
  allow_private = true
}}
ssm_parameter "web" {{
  image   = "web"
  channel = "dev"
  name    = "/web/dev"
  region  = "eu-central-1"
}}
"""


@pytest.fixture
def hook() -> Iterator[WebServer]:
    with WebServer({"/hook": Answer(500)}) as server:
        yield server


@pytest.fixture
def place(tmp_path: Path, hook: WebServer, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with web:1 and web:2, and a webhook that is out of order at first."""
    (tmp_path / "goldsmith.hcl").write_text(PROJECT.format(url=hook.url("/hook")))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPS_SECRET", SECRET)
    with open_registry(load_project(tmp_path / "goldsmith.hcl")) as registry:
        for number in (1, 2):
            disk = "sha256:" + hashlib.sha256(str(number).encode()).hexdigest()
            document: dict[str, JSON] = {"image": "web", "parent": None, "inputs": "", "layers": [], "disks": {"amd64": disk}}
            path = tmp_path / f"{number}.raw"
            path.write_bytes(b"disk" * number)
            files = [ArtifactFile("raw", path)]
            registry.register("web", document, artifacts=files, packages={}, builder="user:ci", actor="user:ci")
    return tmp_path


def test_a_target_that_is_out_of_order_holds_up_no_promotion(
    place: Path, hook: WebServer, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["promote", "web", "dev", "web:1"]) == 0
    assert run(["registry", "targets"]) == 2

    told = capsys.readouterr()
    assert "webhook.ops has not got it yet: 127.0.0.1 was not told: it answers 500" in told.err
    assert "ssm_parameter.web has not got it yet: web:1 has no artifact in aws eu-central-1" in told.err
    assert "1 wait, tried 1 times" in told.out
    hook.answers["/hook"] = Answer(204)
    assert run(["registry", "deliver"]) == 0  # nothing is due yet
    assert run(["registry", "deliver", "-retry"]) == 2  # the parameter still has nothing to hold
    bodies = [json.loads(asked.body) for asked in hook.asked]
    assert [body["type"] for body in bodies] == ["goldsmith.promotion.committed"] * 2
    standardwebhooks.Webhook(SECRET).verify(hook.asked[-1].body, dict(hook.asked[-1].headers))
    assert SECRET not in "".join(capsys.readouterr())


def test_what_is_tried_out_says_what_would_move_and_tells_nobody(
    place: Path, hook: WebServer, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["promote", "-dry-run", "web", "dev", "web:1"]) == 0

    told = capsys.readouterr().out
    assert "ssm_parameter.web: the parameter /web/dev in eu-central-1 cannot follow: web:1 has no artifact" in told
    assert "webhook.ops is told" in told
    assert hook.asked == []


def test_revocations_and_freezes_are_told(place: Path, hook: WebServer) -> None:
    hook.answers["/hook"] = Answer(204)
    for reference in ("web:1", "web:2"):
        assert run(["promote", "web", "dev", reference]) == 0
    assert run(["rollback", "-dry-run", "web", "dev"]) == 0
    assert run(["revoke", "-dry-run", "-reason=bad", "web:2"]) == 0
    assert run(["revoke", "-reason=bad", "web:2"]) == 0
    assert run(["freeze", "-reason=held", "web", "dev"]) == 0

    types = [json.loads(asked.body)["type"].removeprefix("goldsmith.") for asked in hook.asked]
    assert types == ["promotion.committed", "promotion.committed", "revocation.declared", "channel.frozen"]


@pytest.mark.parametrize(
    ("block", "code"),
    [
        ('webhook "x" { url = "https://a.example/" }', "template.missing-argument"),
        ('ssm_parameter "x" { image = "wbe", channel = "dev", name = "/x", region = "r" }', "project.unknown-image"),
        ('launch_template "x" { image = "web", channel = "prod", template = "t", region = "r" }', "project.unknown-channel"),
        ('launch_template "x" { image = "web", channel = "dev", template = "t" }', "project.no-region"),
    ],
)
def test_a_target_that_cannot_be_meant_is_a_fault(
    place: Path, block: str, code: str, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (place / "goldsmith.hcl").read_text()
    (place / "goldsmith.hcl").write_text(text + block.replace(", ", "\n").replace("{ ", "{\n").replace(" }", "\n}\n"))

    assert run(["promote", "web", "dev", "web:1"]) == 1

    assert code in capsys.readouterr().out


@pytest.mark.slow
def test_parameter_and_launch_template_follow_promotion_and_rollback(
    place: Path,
    hook: WebServer,
    aws: str,  # noqa: F811
    capsys: pytest.CaptureFixture[str],
) -> None:
    import boto3

    ec2 = boto3.client("ec2", endpoint_url=aws, region_name="eu-central-1")
    ssm = boto3.client("ssm", endpoint_url=aws, region_name="eu-central-1")
    ec2.create_launch_template(LaunchTemplateName="web", LaunchTemplateData={"ImageId": "ami-0", "InstanceType": "t3.nano"})
    block = 'launch_template "web" {\n image = "web"\n channel = "dev"\n template = "web"\n region = "eu-central-1"\n}\n'
    (place / "goldsmith.hcl").write_text((place / "goldsmith.hcl").read_text() + block)
    hook.answers["/hook"] = Answer(204)
    for number in (1, 2):
        assert run(["copies", f"-add=aws:123456789012:eu-central-1:ami-{number}", f"web:{number}"]) == 0
        assert run(["promote", "web", "dev", f"web:{number}"]) == 0

    def held() -> tuple[str, str]:
        found = ec2.describe_launch_template_versions(LaunchTemplateName="web", Versions=["$Default"])
        template = found["LaunchTemplateVersions"][0]["LaunchTemplateData"]["ImageId"]
        return ssm.get_parameter(Name="/web/dev")["Parameter"]["Value"], template

    assert held() == ("ami-2", "ami-2")
    capsys.readouterr()
    assert run(["rollback", "-dry-run", "web", "dev"]) == 0
    told = capsys.readouterr().out
    assert "ssm_parameter.web: the parameter /web/dev in eu-central-1 goes from ami-2 to ami-1" in told
    assert "launch_template.web: the launch template web in eu-central-1 goes from ami-2 to ami-1" in told
    assert held() == ("ami-2", "ami-2")
    assert run(["rollback", "web", "dev"]) == 0
    assert held() == ("ami-1", "ami-1")
    assert run(["registry", "targets"]) == 0

    ssm.put_parameter(Name="/web/dev", Value="ami-9", Type="String", DataType="aws:ec2:image", Overwrite=True)
    capsys.readouterr()
    assert run(["registry", "deliver", "-check"]) == 0
    assert "ssm_parameter.web: it held ami-9 instead of ami-1" in capsys.readouterr().err
    assert held() == ("ami-1", "ami-1")
