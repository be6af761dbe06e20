"""What uses images in AWS, asked of a server that answers as AWS does; and taking images away, by recorded answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import pytest
from boto3 import Session
from botocore.stub import Stubber

from goldsmith.aws import AwsAccess, AwsSession
from goldsmith.hcl.diagnostics import GoldsmithError
from goldsmith.registry import Place, Reading
from goldsmith.registry.aws_images import AwsImages
from goldsmith.registry.inventory import AwsSource

REGION = "eu-central-1"
ACCOUNT = "123456789012"
SHOWN = {"IncludeDeprecated": True, "IncludeDisabled": True}


def read(known: tuple[str, ...] = (), **settings: Any) -> Reading:
    source = AwsSource(name="prod", access=AwsAccess(region=REGION), **settings)
    (reading,) = source.read({("aws", ACCOUNT, REGION): known})
    return reading


def trouble(reading: Reading) -> str:
    return " ".join(f"{item.what}: {item.why}" for item in reading.trouble)


def uses(reading: Reading) -> set[tuple[str, str]]:
    assert reading.trouble == ()
    return {(item.kind, item.external_id) for item in reading.references}


def client(service: str) -> Any:
    return Session(region_name=REGION).client(service)


@pytest.fixture
def cloud(aws: str) -> Iterator[dict[str, str]]:
    """Five images, each in use by something else; gone again with the test, since the server is shared."""
    ec2, scaling, ssm = client("ec2"), client("autoscaling"), client("ssm")
    names = ("run", "template", "old", "behind", "parameter", "configured", "idle")
    images = {name: ec2.register_image(Name=f"retention-{name}", RootDeviceName="/dev/sda1")["ImageId"] for name in names}
    started = ec2.run_instances(ImageId=images["run"], MinCount=3, MaxCount=3)["Instances"]
    ec2.stop_instances(InstanceIds=[started[0]["InstanceId"]])
    ssm.put_parameter(Name="/web/ami", Value=images["parameter"], Type="String")
    ssm.put_parameter(Name="web-behind", Value=images["behind"], Type="String")
    for number in range(12):
        ssm.put_parameter(Name=f"/other/{number}", Value="x", Type="String")
    template = ec2.create_launch_template(LaunchTemplateName="web", LaunchTemplateData={"ImageId": images["old"]})
    id = template["LaunchTemplate"]["LaunchTemplateId"]
    for image in (images["template"], "resolve:ssm:web-behind", "resolve:ssm:/nothing/here"):
        ec2.create_launch_template_version(LaunchTemplateId=id, LaunchTemplateData={"ImageId": image})
    scaling.create_launch_configuration(
        LaunchConfigurationName="lc", ImageId=images["configured"], InstanceType="t2.micro", SecurityGroups=[]
    )
    group = {"MinSize": 0, "MaxSize": 0, "AvailabilityZones": [f"{REGION}a"]}
    scaling.create_auto_scaling_group(AutoScalingGroupName="by-lc", LaunchConfigurationName="lc", **group)
    scaling.create_auto_scaling_group(
        AutoScalingGroupName="by-template", LaunchTemplate={"LaunchTemplateId": id, "Version": "1"}, **group
    )
    yield images
    for name in ("by-lc", "by-template"):
        scaling.delete_auto_scaling_group(AutoScalingGroupName=name, ForceDelete=True)
    scaling.delete_launch_configuration(LaunchConfigurationName="lc")
    ec2.delete_launch_template(LaunchTemplateId=id)
    ec2.terminate_instances(InstanceIds=[item["InstanceId"] for item in started])
    for parameter in ("/web/ami", "web-behind", *(f"/other/{number}" for number in range(12))):
        ssm.delete_parameter(Name=parameter)
    for image in images.values():
        ec2.deregister_image(ImageId=image)


@pytest.mark.slow
def test_everything_that_starts_machines_is_a_use_and_sharing_is_told(cloud: dict[str, str]) -> None:
    permission = {"Add": [{"UserId": "210987654321"}]}
    client("ec2").modify_image_attribute(ImageId=cloud["idle"], LaunchPermission=permission)

    reading = read(known=(cloud["idle"],))

    found = uses(reading)
    assert {(kind, image) for kind, image in found if image in cloud.values()} == {
        ("instance", cloud["run"]),
        ("launch-template", cloud["old"]),
        ("launch-template", cloud["template"]),
        ("launch-template", cloud["behind"]),
        ("launch-configuration", cloud["configured"]),
        ("auto-scaling-group", cloud["configured"]),
        ("auto-scaling-group", cloud["old"]),
        ("auto-scaling-group", cloud["template"]),
        ("auto-scaling-group", cloud["behind"]),
        ("parameter", cloud["parameter"]),
        ("parameter", cloud["behind"]),
        ("shared-with", cloud["idle"]),
    }
    assert reading.place == Place("prod", "aws", ACCOUNT, REGION)
    assert sum(item.count for item in reading.references if item.external_id == cloud["run"]) == 3
    shares = [(item.place, item.count) for item in reading.references if item.kind == "shared-with"]
    assert shares == [("210987654321", 0)]


def test_another_account_than_the_one_that_is_meant_is_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, {REGION: Said()})

    assert "are of account 123456789012, not of 999999999999" in trouble(read(account="999999999999"))


# ── pages ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

EMPTY: Mapping[str, Mapping[str, object]] = {
    "describe_instances": {"Reservations": []},
    "describe_launch_templates": {"LaunchTemplates": []},
    "describe_launch_template_versions": {"LaunchTemplateVersions": []},
    "describe_launch_configurations": {"LaunchConfigurations": []},
    "describe_auto_scaling_groups": {"AutoScalingGroups": []},
    "describe_parameters": {"Parameters": []},
    "get_parameters": {"Parameters": []},
    "get_caller_identity": {"Account": ACCOUNT},
}


@dataclass
class Said:
    """A client that says what a test wants, page by page."""

    answers: dict[str, list[object]] = field(default_factory=dict)
    asked: list[str | None] = field(default_factory=list)

    def __getattr__(self, name: str) -> Callable[..., object]:
        def call(**arguments: object) -> object:
            pages = self.answers.get(name)
            if not pages:
                return EMPTY[name]
            self.asked.append(arguments.get("NextToken"))  # type: ignore[arg-type]  # tests give texts
            answer = pages.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer

        return call


def test_a_region_that_is_down_is_told_beside_those_that_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    from botocore.exceptions import EndpointConnectionError

    said = {
        REGION: Said({"describe_instances": [{"Reservations": [reservation(1)]}]}),
        "us-east-1": Said({"describe_instances": [EndpointConnectionError(endpoint_url="https://ec2.us-east-1")]}),
    }
    answering(monkeypatch, said)

    up, down = AwsSource(name="prod", access=AwsAccess(), regions=(REGION, "us-east-1")).read({})

    assert uses(up) == {("instance", "ami-00000001")}
    assert (down.place.region, down.references) == ("us-east-1", ())
    assert "Could not connect" in trouble(down)


def test_an_image_of_ours_that_is_gone_is_shared_with_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    said = Said({"describe_image_attribute": [refusal("InvalidAMIID.NotFound"), refusal("AuthFailure")]})
    answering(monkeypatch, {REGION: said})

    assert uses(read(known=("ami-00000001",))) == set()
    assert "AuthFailure" in trouble(read(known=("ami-00000001",)))


def reservation(number: int) -> dict[str, object]:
    return {"Instances": [{"ImageId": f"ami-{number:08}", "InstanceId": f"i-{number}"}]}


def answering(monkeypatch: pytest.MonkeyPatch, said: Mapping[str, Said]) -> None:
    """AWS answers, in each region, as told."""
    monkeypatch.setattr(AwsSession, "client", lambda self, service, region="": said[region])


def paged(monkeypatch: pytest.MonkeyPatch, **answers: list[object]) -> tuple[Reading, Said]:
    said = Said(answers)
    answering(monkeypatch, {REGION: said})
    return read(), said


def refusal(code: str) -> Exception:
    from botocore.exceptions import ClientError

    error: Exception = ClientError({"Error": {"Code": code, "Message": "no"}}, "DescribeInstances")
    return error


def test_pages_are_read_to_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    pages: list[object] = [{"Reservations": [reservation(n)], "NextToken": f"t{n}"} for n in range(3)]
    reading, said = paged(monkeypatch, describe_instances=[*pages, {"Reservations": [reservation(3)]}])

    assert uses(reading) == {("instance", f"ami-{n:08}") for n in range(4)}
    assert said.asked == [None, "t0", "t1", "t2"]


@pytest.mark.parametrize("call", [name for name in EMPTY if name.startswith("describe") and "versions" not in name])
@pytest.mark.parametrize("code", ["UnauthorizedOperation", "RequestLimitExceeded", "InternalError"])
def test_any_listing_that_is_refused_makes_the_look_incomplete(monkeypatch: pytest.MonkeyPatch, call: str, code: str) -> None:
    pages: dict[str, list[object]] = {call: [refusal(code)]}
    reading, _ = paged(monkeypatch, **pages)

    assert code in trouble(reading)
    assert reading.references == ()


@pytest.mark.parametrize(
    ("second", "words"),
    [
        (refusal("UnauthorizedOperation"), "UnauthorizedOperation"),
        ({}, 'without "Reservations"'),
        ({"Reservations": None}, 'without "Reservations"'),
        ({"Reservations": [{}]}, 'without "Instances"'),
        ({"Reservations": [{"Instances": [{"InstanceId": "i-1"}]}]}, 'without "ImageId"'),
        ({"Reservations": [], "NextToken": "t0"}, "does not end"),
    ],
)
def test_a_page_that_is_lost_makes_the_look_incomplete(monkeypatch: pytest.MonkeyPatch, second: object, words: str) -> None:
    first = {"Reservations": [reservation(0)], "NextToken": "t0"}

    reading, _ = paged(monkeypatch, describe_instances=[first, second])

    assert words in trouble(reading)


# ── taking images away ────────────────────────────────────────────────────────────────────────────────────────────────

IMAGE, SNAPSHOT = "ami-0123456789abcdef0", "snap-0123456789abcdef0"


def image(state: str, **more: object) -> dict[str, object]:
    mappings = [
        {"DeviceName": "/dev/sda1", "Ebs": {"SnapshotId": SNAPSHOT}},
        {"DeviceName": "/dev/sdb", "VirtualName": "ephemeral0"},
    ]
    return {"Images": [{"ImageId": IMAGE, "State": state, "BlockDeviceMappings": mappings, **more}]}


@cache
def silent_client() -> Any:
    """A client that is never let onto the network: making one takes a while."""
    return Session(region_name=REGION, aws_access_key_id="x", aws_secret_access_key="x").client("ec2")


@contextmanager
def told(*answers: tuple[str, dict[str, object] | str]) -> Iterator[AwsImages]:
    """EC2 as it answers, call by call: an answer, or the code of a refusal. All of the answers must be asked for."""
    ec2 = silent_client()
    with Stubber(ec2) as stub:
        for operation, answer in answers:
            if isinstance(answer, str):
                stub.add_client_error(operation, answer)
            else:
                stub.add_response(operation, answer)
        yield AwsImages(AwsAccess(region=REGION), ec2)
        stub.assert_no_pending_responses()


def test_an_image_is_disabled_and_its_snapshots_are_noted() -> None:
    with told(
        ("describe_images", image("available")), ("disable_image", {"Return": True}), ("describe_images", image("disabled"))
    ) as ec2:
        assert ec2.disable(IMAGE) == (SNAPSHOT,)


def test_an_image_that_is_disabled_already_is_not_disabled_again() -> None:
    with told(("describe_images", image("disabled"))) as ec2:
        assert ec2.disable(IMAGE) == (SNAPSHOT,)


@pytest.mark.parametrize("answer", ["InvalidAMIID.NotFound", "InvalidAMIID.Unavailable", {"Images": []}, image("deregistered")])
def test_an_image_that_is_gone_is_told_to_be(answer: dict[str, object] | str) -> None:
    with told(("describe_images", answer)) as ec2:
        assert ec2.disable(IMAGE) is None
    with told(("describe_images", answer)) as ec2:
        ec2.deregister(IMAGE)


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ([("describe_images", "UnauthorizedOperation")], "UnauthorizedOperation"),
        ([("describe_images", {})], 'without "Images"'),
        ([("describe_images", image("available")), ("disable_image", "OperationNotPermitted")], "OperationNotPermitted"),
        (
            [("describe_images", image("available")), ("disable_image", {}), ("describe_images", image("available"))],
            "is not disabled yet",
        ),
    ],
)
def test_an_image_that_was_not_seen_to_be_disabled_stays(
    answers: list[tuple[str, dict[str, object] | str]], words: str
) -> None:
    with told(*answers) as ec2, pytest.raises(GoldsmithError, match=words):
        ec2.disable(IMAGE)


def test_a_disabled_image_is_deregistered_and_seen_to_be_gone() -> None:
    with told(
        ("describe_images", image("disabled")), ("deregister_image", {}), ("describe_images", "InvalidAMIID.NotFound")
    ) as ec2:
        ec2.deregister(IMAGE)


@pytest.mark.parametrize("protection", ["enabled-with-cooldown", "enabled-without-cooldown", "disabled until 2027-01-31"])
def test_an_image_that_is_protected_stays_and_the_command_that_lifts_it_is_told(protection: str) -> None:
    protected = image("disabled", DeregistrationProtection=protection)

    with told(("describe_images", protected)) as ec2, pytest.raises(GoldsmithError) as refused:
        ec2.deregister(IMAGE)

    assert refused.value.diagnostics[0].code == "expire.copy-protected"
    assert f"disable-image-deregistration-protection --image-id {IMAGE}" in refused.value.diagnostics[0].next


def test_an_image_that_is_still_there_after_it_was_deregistered_is_not_gone() -> None:
    answers: list[tuple[str, dict[str, object] | str]] = [("describe_images", image("disabled")), ("deregister_image", {})]

    with told(*answers, ("describe_images", image("disabled"))) as ec2, pytest.raises(GoldsmithError, match="still there"):
        ec2.deregister(IMAGE)


def test_a_snapshot_is_deleted_and_seen_to_be_gone() -> None:
    answers: tuple[dict[str, object] | str, ...] = ({}, "InvalidSnapshot.NotFound")
    for answer in answers:
        with told(("delete_snapshot", answer), ("describe_snapshots", "InvalidSnapshot.NotFound")) as ec2:
            ec2.delete_snapshot(SNAPSHOT)


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ([("delete_snapshot", "InvalidSnapshot.InUse")], "InvalidSnapshot.InUse"),
        ([("delete_snapshot", "OperationNotPermitted")], "OperationNotPermitted"),
        ([("delete_snapshot", {}), ("describe_snapshots", {"Snapshots": [{"SnapshotId": SNAPSHOT}]})], "is still there"),
        ([("delete_snapshot", {}), ("describe_snapshots", "UnauthorizedOperation")], "UnauthorizedOperation"),
    ],
)
def test_a_snapshot_that_is_in_use_or_locked_stays(answers: list[tuple[str, dict[str, object] | str]], words: str) -> None:
    with told(*answers) as ec2, pytest.raises(GoldsmithError, match=words):
        ec2.delete_snapshot(SNAPSHOT)
