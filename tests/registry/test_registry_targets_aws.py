"""Parameters and launch templates that follow a channel: on a server that answers as AWS does, and what only AWS does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from goldsmith.aws import AwsAccess
from goldsmith.hcl.diagnostics import GoldsmithError, MachineError, Refused, UserError
from goldsmith.registry import ArtifactRecord, Resolved, Version
from goldsmith.registry.targets import ssm_parameter
from goldsmith.registry.targets.launch_template import LaunchTemplate
from goldsmith.registry.targets.ssm_parameter import SsmParameter
from tests.datasources.conftest import aws, moto  # noqa: F401  # fixtures

REGION = "eu-central-1"
AMIS = ("ami-0a", "ami-0b", "ami-0c")
NOWHERE = "http://127.0.0.1:1"
ACCESS = AwsAccess(region=REGION, max_retries=1)


def api(service: str, address: str) -> Any:
    import boto3

    return boto3.client(service, endpoint_url=address, region_name=REGION)


def stranger(service: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A client whose answers a test gives."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    return api(service, NOWHERE)


def channel(number: int, ami: str, region: str = REGION, state: str = "published") -> Resolved:
    version = Version(
        id=number,
        image="web",
        number=number,
        digest="sha256:" + f"{number:064}",
        parent=None,
        inputs_digest="",
        created_at=0,
        builder="user:ci",
        storage="present",
    )
    copy = ArtifactRecord(kind="ami", digest="sha256:1", size=1, external_id=ami, platform="aws", region=region, state=state)
    return Resolved(image="web", channel="prod", generation=number, version=version, artifacts=(copy,))


@pytest.fixture
def ssm(aws: str) -> Any:  # noqa: F811
    return api("ssm", aws)


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    return f"/goldsmith/{request.node.name}/ami".replace("[", "-").replace("]", "")


def read(ssm: Any, name: str) -> dict[str, Any]:
    return dict(ssm.get_parameter(Name=name)["Parameter"])


def code_of(caught: pytest.ExceptionInfo[GoldsmithError]) -> str:
    return caught.value.diagnostics[0].code


# ── parameters ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.slow
def test_a_parameter_follows_and_is_written_only_when_it_must_be(ssm: Any, name: str) -> None:
    parameter = SsmParameter(name=name, access=ACCESS)
    assert parameter.held() == ""

    assert parameter.follow(channel(1, AMIS[0])) == AMIS[0]
    parameter.follow(channel(1, AMIS[0]))
    parameter.follow(channel(2, AMIS[1]))
    parameter.follow(channel(3, AMIS[1]))

    told = read(ssm, name)
    assert (told["Value"], told["Version"], told["DataType"]) == (AMIS[1], 2, "aws:ec2:image")
    assert parameter.held() == AMIS[1]


@pytest.mark.slow
def test_a_version_without_an_ami_in_the_region_leaves_the_parameter_alone(ssm: Any, name: str) -> None:
    parameter = SsmParameter(name=name, access=ACCESS)
    parameter.follow(channel(1, AMIS[0]))

    with pytest.raises(Refused) as caught:
        parameter.follow(channel(2, AMIS[1], region="us-east-1"))

    assert code_of(caught) == "resolve.elsewhere"
    assert "it is in: aws us-east-1" in str(caught.value)
    assert read(ssm, name)["Value"] == AMIS[0]


@pytest.mark.slow
def test_a_parameter_of_another_data_type_is_refused_before_it_is_written(ssm: Any, name: str) -> None:
    ssm.put_parameter(Name=name, Type="String", Value="old", DataType="text")

    with pytest.raises(UserError) as caught:
        SsmParameter(name=name, access=ACCESS).follow(channel(1, AMIS[0]))
    assert code_of(caught) == "ssm.data-type"
    assert read(ssm, name)["Value"] == "old"

    SsmParameter(name=name, access=ACCESS, data_type="text").follow(channel(1, AMIS[0]))
    assert read(ssm, name)["Value"] == AMIS[0]


@pytest.mark.slow
def test_a_label_on_the_oldest_of_a_hundred_versions_is_told_or_moved(ssm: Any, name: str) -> None:
    for number in range(100):
        ssm.put_parameter(Name=name, Type="String", Value=AMIS[number % 2], DataType="aws:ec2:image", Overwrite=True)
    ssm.label_parameter_version(Name=name, ParameterVersion=1, Labels=["stable", "v1"])
    parameter = SsmParameter(name=name, access=ACCESS)

    with pytest.raises(UserError) as caught:
        parameter.follow(channel(1, AMIS[2]))

    assert code_of(caught) == "ssm.label-blocks"
    assert "its label stable, v1" in str(caught.value)
    assert "--parameter-version 100 --labels stable v1" in caught.value.diagnostics[0].next
    replace(parameter, move_labels=True).follow(channel(1, AMIS[2]))
    assert read(ssm, name)["Value"] == AMIS[2]
    history = ssm.get_paginator("get_parameter_history").paginate(Name=name).build_full_result()["Parameters"]
    assert {item["Version"]: item["Labels"] for item in history if item["Labels"]} == {100: ["stable", "v1"]}


@pytest.fixture
def stubbed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Answers that a real parameter store gives, one after the other."""
    from botocore.stub import Stubber

    client = stranger("ssm", monkeypatch)
    monkeypatch.setattr(ssm_parameter, "parameter_store", lambda access: client)
    with Stubber(client) as stub:
        yield stub
        stub.assert_no_pending_responses()


def answers(stub: Any, values: Sequence[str], *, written: int, ami: str) -> None:
    """What is read, and after how many reads the value is written."""
    for place, value in enumerate(values):
        if place == written:
            expected = {
                "Name": "/x",
                "Value": ami,
                "Type": "String",
                "DataType": "aws:ec2:image",
                "Overwrite": True,
                "Description": "web:1 prod, generation 1",
            }
            stub.add_response("put_parameter", {"Version": 2, "Tier": "Standard"}, expected)
        stub.add_response("get_parameter", {"Parameter": {"Value": value, "DataType": "aws:ec2:image"}}, {"Name": "/x"})


def test_a_value_that_aws_validates_later_is_waited_for(stubbed: Any) -> None:
    answers(stubbed, ["ami-old", "ami-old", "ami-old", "ami-new"], written=1, ami="ami-new")
    pauses: list[float] = []

    SsmParameter(name="/x", access=ACCESS, sleep=pauses.append).follow(channel(1, "ami-new"))

    assert pauses == [0.2, 0.5]


def test_an_ami_that_aws_does_not_find_leaves_the_old_value_and_is_told(stubbed: Any) -> None:
    reads = ["ami-old", *["ami-old"] * len(ssm_parameter.PAUSES_S)]
    answers(stubbed, reads, written=1, ami="ami-none")

    with pytest.raises(MachineError) as caught:
        SsmParameter(name="/x", access=ACCESS, sleep=lambda pause: None).follow(channel(1, "ami-none"))

    assert code_of(caught) == "ssm.not-converged"


def test_a_refusal_of_aws_is_told(stubbed: Any) -> None:
    stubbed.add_client_error("get_parameter", "AccessDeniedException", "not authorized to perform: ssm:GetParameter")

    with pytest.raises(UserError, match="ssm:GetParameter"):
        SsmParameter(name="/x", access=ACCESS).follow(channel(1, "ami-new"))


# ── launch templates ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def template(aws: str, request: pytest.FixtureRequest) -> tuple[Any, str]:  # noqa: F811
    """EC2, and a template of the test's own that starts the first AMI."""
    ec2 = api("ec2", aws)
    data = {"ImageId": AMIS[0], "InstanceType": "t3.small", "UserData": "eA=="}
    made = ec2.create_launch_template(LaunchTemplateName=request.node.name, LaunchTemplateData=data)
    return ec2, made["LaunchTemplate"]["LaunchTemplateId"]


def versions(ec2: Any, template: str) -> list[tuple[int, bool, str]]:
    found = ec2.describe_launch_template_versions(LaunchTemplateId=template)["LaunchTemplateVersions"]
    return [(item["VersionNumber"], item["DefaultVersion"], item["LaunchTemplateData"]["ImageId"]) for item in found]


@pytest.mark.slow
def test_a_launch_template_follows_by_id_and_by_name(template: tuple[Any, str], request: pytest.FixtureRequest) -> None:
    ec2, id = template
    target = LaunchTemplate(template=id, access=ACCESS)

    assert target.follow(channel(1, AMIS[0])) == AMIS[0]
    assert target.follow(channel(2, AMIS[1])) == AMIS[1]
    assert target.follow(channel(2, AMIS[1])) == AMIS[1]
    assert LaunchTemplate(template=request.node.name, access=ACCESS).follow(channel(3, AMIS[2])) == AMIS[2]

    assert versions(ec2, id) == [(1, False, AMIS[0]), (2, False, AMIS[1]), (3, True, AMIS[2])]
    assert target.held() == AMIS[2]


@pytest.mark.slow
def test_a_launch_template_that_is_not_there_is_told(aws: str) -> None:  # noqa: F811
    with pytest.raises(UserError, match="lt-0123456789abcdef0"):
        LaunchTemplate(template="lt-0123456789abcdef0", access=ACCESS).follow(channel(1, AMIS[0]))


def test_what_is_asked_of_ec2_keeps_the_rest_of_the_template_and_is_the_same_when_it_is_asked_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from botocore.stub import ANY, Stubber

    client = stranger("ec2", monkeypatch)
    monkeypatch.setattr("goldsmith.registry.targets.launch_template.ec2", lambda access: client)
    tokens = []
    client.meta.events.register(
        "provide-client-params.ec2.CreateLaunchTemplateVersion", lambda params, **_: tokens.append(params["ClientToken"])
    )
    named = {"LaunchTemplateId": "lt-1"}
    old = {"LaunchTemplateVersions": [{"VersionNumber": 7, "LaunchTemplateData": {"ImageId": "ami-old"}}]}
    asked = {
        **named,
        "SourceVersion": "7",
        "VersionDescription": "web:1 prod, generation 1",
        "ClientToken": ANY,
        "LaunchTemplateData": {"ImageId": "ami-new"},
    }
    with Stubber(client) as stub:
        for _ in range(2):
            stub.add_response("describe_launch_template_versions", old, {**named, "Versions": ["$Default"]})
            stub.add_response("create_launch_template_version", {"LaunchTemplateVersion": {"VersionNumber": 8}}, asked)
            stub.add_response("modify_launch_template", {}, {**named, "DefaultVersion": "8"})
            stub.add_response("describe_launch_template_versions", old, {**named, "Versions": ["$Default"]})
            with pytest.raises(MachineError) as caught:
                LaunchTemplate(template="lt-1", access=ACCESS).follow(channel(1, "ami-new"))

    assert code_of(caught) == "launch-template.not-converged"
    assert len(tokens) == 2
    assert len(set(tokens)) == 1
