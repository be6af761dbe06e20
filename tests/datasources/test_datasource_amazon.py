"""The data sources of AWS, asked of a server that answers as AWS does."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from goldsmith.aws import AssumeRole, AwsAccess, VaultEngine, access_faults
from goldsmith.components import Context, DataSource
from goldsmith.datasources.amazon_ami import AmazonAmi, AmiConfig
from goldsmith.datasources.amazon_parameterstore import AmazonParameterStore, ParameterConfig
from goldsmith.datasources.amazon_secretsmanager import AmazonSecretsManager, SecretConfig
from goldsmith.hcl.diagnostics import GoldsmithError, MachineError, UserError
from goldsmith.hcl.values import Value, to_plain
from tests.datasources.web_server import Answer, WebServer


def api(service: str, address: str, region: str = "eu-central-1") -> Any:
    import boto3

    return boto3.client(service, endpoint_url=address, region_name=region)


def told(source: DataSource[Any], config: object, context: Context) -> Mapping[str, Value]:
    value = source.read(config, context)
    assert value.type == source.outputs
    assert isinstance(value.raw, Mapping)
    return value.raw


def plain(values: Mapping[str, Value]) -> dict[str, object]:
    return {name: to_plain(value) for name, value in values.items()}


def refused(source: DataSource[Any], config: object, context: Context) -> tuple[str, str]:
    """The code of the fault and what is said of it."""
    with pytest.raises(GoldsmithError) as caught:
        source.read(config, context)
    return caught.value.diagnostics[0].code, str(caught.value)


# ── amazon-ami ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def images(aws: str, request: pytest.FixtureRequest) -> list[str]:
    """Two AMIs of ours, whose names begin with the name of the test."""
    ec2 = api("ec2", aws)
    instance = ec2.run_instances(ImageId="ami-12c6146b", MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]
    made = []
    for number in (1, 2):
        image = ec2.create_image(InstanceId=instance, Name=f"{request.node.name}-{number}")["ImageId"]
        ec2.create_tags(Resources=[image], Tags=[{"Key": "b", "Value": "2"}, {"Key": "a", "Value": "ü"}])
        made.append(image)
    return made


def test_an_ami_is_found_by_its_filters(images: list[str], context: Context, request: pytest.FixtureRequest) -> None:
    config = AmiConfig(filters={"name": f"{request.node.name}-1"}, owners=("self",))

    found = plain(told(AmazonAmi(), config, context))

    assert found["id"] == images[0]
    assert found["name"] == f"{request.node.name}-1"
    assert found["tags"] == {"a": "ü", "b": "2"}
    assert str(found["creation_date"]).endswith("Z")
    assert str(found["owner"]).isdigit()


def test_globs_and_several_results(images: list[str], context: Context, request: pytest.FixtureRequest) -> None:
    config = AmiConfig(filters={"name": f"{request.node.name}-*"}, owners=("self",))

    code, why = refused(AmazonAmi(), config, context)
    newest = plain(told(AmazonAmi(), replace(config, most_recent=True), context))

    assert code == "ami.several"
    assert "set most_recent to true" in why
    assert newest["id"] in images


def test_the_newest_of_amazons_own_images_is_chosen(aws: str, context: Context) -> None:
    config = AmiConfig(filters={"virtualization-type": "hvm"}, owners=("amazon",), most_recent=True)

    found = plain(told(AmazonAmi(), config, context))

    dates = [image["CreationDate"] for image in api("ec2", aws).describe_images(Owners=["amazon"])["Images"]]
    assert len(dates) > 100
    assert found["creation_date"] == max(dates)
    assert found["owner_name"] == "amazon"


_TOLD = """<DescribeImagesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><imagesSet>{}</imagesSet>
</DescribeImagesResponse>"""
_IMAGE = "<item><imageId>{}</imageId><creationDate>{}</creationDate></item>"


def test_the_newest_is_told_by_its_date_and_of_equal_ones_always_the_same(aws: str, web: WebServer, context: Context) -> None:
    dates = {"ami-2": "2024-01-02T00:00:00.000Z", "ami-9": "2023-12-31T23:59:59.000Z", "ami-3": "2024-01-02T00:00:00.000Z"}
    config = AmiConfig(owners=("self",), most_recent=True, custom_endpoint_ec2=web.url("/"))

    chosen = set()
    for order in (sorted(dates), sorted(dates, reverse=True)):
        items = "".join(_IMAGE.format(image, dates[image]) for image in order)
        web.answers["/"] = Answer(headers=(("Content-Type", "text/xml"),), body=_TOLD.format(items).encode())
        chosen.add(plain(told(AmazonAmi(), config, context))["id"])

    assert chosen == {"ami-3"}
    assert b"IncludeDeprecated=false" in web.asked[0].body


def test_no_ami_names_what_was_looked_for(aws: str, context: Context) -> None:
    code, why = refused(AmazonAmi(), AmiConfig(filters={"name": "no-such"}, owners=("self",)), context)

    assert code == "ami.none"
    assert 'name = "no-such"' in why


@pytest.mark.parametrize(
    ("config", "messages"),
    [
        (AmiConfig(), ["The `filters` must be specified", "you must declare an owner"]),
        (AmiConfig(filters={"name": "x"}), ["you must declare an owner"]),
        (AmiConfig(owners=("self",), access_key="a"), ["must both be either set or not set"]),
        (AmiConfig(owners=("self",), vault_aws_engine=VaultEngine(name="r")), ["vault_aws_engine is not supported"]),
    ],
)
def test_wrong_settings_are_all_told(config: AmiConfig, messages: list[str], context: Context) -> None:
    with pytest.raises(UserError) as caught:
        AmazonAmi().check(config, context)

    assert len(caught.value.diagnostics) == len(messages)
    assert all(message in str(caught.value) for message in messages)


# ── amazon-parameterstore ─────────────────────────────────────────────────────────────────────────────────────────────


def test_a_parameter_is_read(aws: str, context: Context) -> None:
    ssm = api("ssm", aws)
    for value in ("one", "two"):
        ssm.put_parameter(Name="/plain", Type="String", Value=value, Overwrite=True)

    values = told(AmazonParameterStore(), ParameterConfig(name="/plain"), context)
    first = told(AmazonParameterStore(), ParameterConfig(name="/plain:1"), context)

    assert plain(values)["value"] == "two"
    assert plain(values)["version"] == "2"
    assert str(plain(values)["arn"]).endswith(":parameter/plain")
    assert plain(first)["value"] == "one"
    assert not any(value.is_sensitive_anywhere for value in values.values())


def test_a_secure_string_is_sensitive(aws: str, context: Context) -> None:
    api("ssm", aws).put_parameter(Name="/secure", Type="SecureString", Value="s3cret", Overwrite=True)

    open = told(AmazonParameterStore(), ParameterConfig(name="/secure", with_decryption=True), context)
    closed = told(AmazonParameterStore(), ParameterConfig(name="/secure"), context)

    assert to_plain(open["value"]) == "s3cret"
    assert open["value"].sensitive
    assert to_plain(closed["value"]) != "s3cret"
    assert closed["value"].sensitive
    assert not open["arn"].sensitive


@pytest.mark.parametrize(
    ("name", "message"),
    [("/none", 'The parameter name "/none" not found'), ("/there:9", 'The parameter version "/there:9" not found')],
)
def test_a_parameter_that_is_not_there(name: str, message: str, aws: str, context: Context) -> None:
    api("ssm", aws).put_parameter(Name="/there", Type="String", Value="x", Overwrite=True)

    assert refused(AmazonParameterStore(), ParameterConfig(name=name), context) == ("parameterstore.missing", message)


# ── amazon-secretsmanager ─────────────────────────────────────────────────────────────────────────────────────────────


def secret(aws: str, name: str, **content: str | bytes) -> str:
    """Make a secret, or a new version of it; returns the version."""
    manager = api("secretsmanager", aws)
    try:
        made = manager.create_secret(Name=name, **content)
    except manager.exceptions.ResourceExistsException:
        made = manager.put_secret_value(SecretId=name, **content)
    return str(made["VersionId"])


@pytest.mark.parametrize(
    ("text", "key", "value"),
    [
        ("plain text", "", "plain text"),
        ("0123", "", "0123"),
        ('{"user": "u", "pin": 00.50}', "", '{"user": "u", "pin": 00.50}'),
        ('{"user": "u", "pin": 10.50}', "", "u"),
        ('{"user": "u", "pin": 10.50}', "pin", "10.50"),
        ('{"a": 12345678901234567890}', "a", "12345678901234567890"),
        ("{}", "", ""),
        ("[1]", "", "[1]"),
    ],
)
def test_a_secret_is_read_whole_or_by_key(text: str, key: str, value: str, aws: str, context: Context) -> None:
    version = secret(aws, "app", SecretString=text)

    values = told(AmazonSecretsManager(), SecretConfig(name="app", key=key), context)

    assert plain(values) == {"value": value, "secret_string": text, "secret_binary": "", "version_id": version}
    assert [name for name, item in values.items() if item.sensitive] == ["secret_binary", "secret_string", "value"]


def test_an_earlier_version_is_read_by_id_or_stage(aws: str, context: Context) -> None:
    first = secret(aws, "versions", SecretString="1")
    secret(aws, "versions", SecretString="2")

    by_id = told(AmazonSecretsManager(), SecretConfig(name="versions", version_id=first), context)
    by_stage = told(AmazonSecretsManager(), SecretConfig(name="versions", version_stage="AWSPREVIOUS"), context)

    assert plain(by_id)["value"] == plain(by_stage)["value"] == "1"


@pytest.mark.parametrize(("content", "value"), [("ü".encode(), "ü"), (b"\xff\x00", "/wA=")])
def test_a_binary_secret_is_text_or_base64(content: bytes, value: str, aws: str, context: Context) -> None:
    secret(aws, "binary", SecretBinary=content)

    assert plain(told(AmazonSecretsManager(), SecretConfig(name="binary"), context))["secret_binary"] == value


@pytest.mark.parametrize(
    ("config", "code", "message"),
    [
        (SecretConfig(name="no"), "secretsmanager.missing", 'Secrets Manager Secret "no" Version "AWSCURRENT" not found'),
        (SecretConfig(name="keyed", version_stage="X"), "secretsmanager.missing", 'Version "X" not found'),
        (SecretConfig(name="keyed", key="usr"), "secretsmanager.key", 'the secret "keyed" has no key "usr"'),
        (SecretConfig(name="keyed", key="flag"), "secretsmanager.value", "Unsupported secret value type"),
    ],
)
def test_what_a_secret_cannot_give(config: SecretConfig, code: str, message: str, aws: str, context: Context) -> None:
    secret(aws, "keyed", SecretString='{"user": "hidden", "flag": true}')

    found, why = refused(AmazonSecretsManager(), config, context)

    assert found == code
    assert message in why
    assert "hidden" not in why


# ── access ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_region_decides_what_is_found(aws: str, context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    api("ssm", aws, "us-west-2").put_parameter(Name="/west", Type="String", Value="w", Overwrite=True)

    assert refused(AmazonParameterStore(), ParameterConfig(name="/west"), context)[0] == "parameterstore.missing"
    told(AmazonParameterStore(), ParameterConfig(name="/west", region="us-west-2"), context)
    monkeypatch.delenv("AWS_REGION")
    assert refused(AmazonParameterStore(), ParameterConfig(name="/west"), context)[0] == "aws.region"
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-west-2")
    told(AmazonParameterStore(), ParameterConfig(name="/west"), context)


def test_a_profile_gives_region_and_credentials(
    aws: str, context: Context, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    api("ssm", aws, "us-east-2").put_parameter(Name="/east", Type="String", Value="e", Overwrite=True)
    for name in ("AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    (tmp_path / "config").write_text("[profile ci]\nregion = us-east-2\n")
    (tmp_path / "own").write_text("[ci]\naws_access_key_id = a\naws_secret_access_key = b\n")

    without = refused(
        AmazonParameterStore(), ParameterConfig(name="/east", profile="ci", skip_metadata_api_check=True), context
    )
    config = ParameterConfig(name="/east", profile="ci", shared_credentials_file=str(tmp_path / "own"))

    assert without[0] == "aws.credentials"
    assert plain(told(AmazonParameterStore(), config, context))["value"] == "e"
    assert refused(AmazonParameterStore(), ParameterConfig(name="/east", profile="no"), context)[0] == "aws.profile"


@pytest.mark.parametrize("skip", [False, True])
def test_the_instances_own_role_may_be_left_out(
    skip: bool, aws: str, web: WebServer, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_EC2_METADATA_DISABLED"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", web.url("/"))

    code, _ = refused(AmazonParameterStore(), ParameterConfig(name="/x", skip_metadata_api_check=skip), context)

    assert code == "aws.credentials"
    assert bool(web.asked) != skip


def test_a_refusal_is_decoded_when_asked(aws: str, web: WebServer, context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    encoded = "<Response><Errors><Error><Code>UnauthorizedOperation</Code><Message>You are not authorized. Encoded"
    body = f"{encoded} authorization failure message: abc-123</Message></Error></Errors></Response>"
    decoded = "<DecodeAuthorizationMessageResponse><DecodeAuthorizationMessageResult><DecodedMessage>no ec2 for you"
    ends = "</DecodedMessage></DecodeAuthorizationMessageResult></DecodeAuthorizationMessageResponse>"
    web.answers["/ec2"] = Answer(403, (("Content-Type", "text/xml"),), body.encode())
    web.answers["/sts"] = Answer(200, (("Content-Type", "text/xml"),), f"{decoded}{ends}".encode())
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", web.url("/sts"))
    config = AmiConfig(owners=("self",), custom_endpoint_ec2=web.url("/ec2"))

    assert "abc-123" in refused(AmazonAmi(), config, context)[1]
    code, why = refused(AmazonAmi(), replace(config, decode_authorization_messages=True), context)

    assert code == "aws.denied"
    assert "no ec2 for you" in why
    assert b"EncodedMessage=abc-123" in web.asked[-1].body


def test_a_role_is_taken_on(aws: str, context: Context) -> None:
    role = AssumeRole(role_arn="arn:aws:iam::111122223333:role/reader", session_name="build", tags={"a": "b"})
    api("ssm", aws).put_parameter(Name="/mine", Type="String", Value="m", Overwrite=True)

    mine = plain(told(AmazonParameterStore(), ParameterConfig(name="/mine"), context))
    code, _ = refused(AmazonParameterStore(), ParameterConfig(name="/mine", assume_role=role), context)

    # The other account has no such parameter: it was asked with the role's credentials.
    assert mine["value"] == "m"
    assert code == "parameterstore.missing"


def test_the_code_of_a_device_is_asked_for_by_an_error(
    aws: str, context: Context, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    (tmp_path / "credentials").write_text("[base]\naws_access_key_id = a\naws_secret_access_key = b\n")
    (tmp_path / "config").write_text(
        "[profile mfa]\nsource_profile = base\nrole_arn = arn:aws:iam::111122223333:role/reader\n"
        "mfa_serial = arn:aws:iam::123456789012:mfa/me\nregion = eu-central-1\n"
    )

    without, _ = refused(AmazonParameterStore(), ParameterConfig(name="/x", profile="mfa"), context)
    code, _ = refused(AmazonParameterStore(), ParameterConfig(name="/x", profile="mfa", mfa_code="123456"), context)

    assert (without, code) == ("aws.mfa", "parameterstore.missing")


def test_an_api_like_ec2_is_asked_at_its_own_address(
    moto: str, aws: str, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    config = AmiConfig(filters={"name": "no-such"}, owners=("self",), custom_endpoint_ec2=moto)

    assert refused(AmazonAmi(), config, context)[0] == "ami.none"


def test_nobody_there_is_a_fault_of_the_network(aws: str, context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")

    with pytest.raises(MachineError) as caught:
        AmazonParameterStore().read(ParameterConfig(name="/x", max_retries=1), context)

    assert caught.value.diagnostics[0].code == "aws.unreachable"


def test_no_fault_tells_the_secret_key(aws: str, context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    config = ParameterConfig(name="/x", access_key="AKIAEXAMPLE", secret_key="hidden/key", max_retries=1)

    _, why = refused(AmazonParameterStore(), config, context)

    assert "hidden/key" not in why


def test_keys_come_in_pairs() -> None:
    assert [fault.code for fault in access_faults(AwsAccess(secret_key="x"))] == ["aws.credentials"]
    assert list(access_faults(AwsAccess(secret_key="x", access_key="y"))) == []


def test_without_boto3_the_install_line_is_told(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)

    code, _ = refused(AmazonParameterStore(), ParameterConfig(name="/x", region="us-east-1"), context)

    assert code == "extra.missing"


def test_boto3_is_loaded_only_when_aws_is_asked() -> None:
    script = (
        "import sys\n"
        "import goldsmith.datasources.amazon_ami, goldsmith.datasources.amazon_parameterstore\n"
        "import goldsmith.datasources.amazon_secretsmanager, goldsmith.datasources.http\n"
        "print([name for name in ('boto3', 'botocore', 'httpx2') if name in sys.modules])"
    )

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
