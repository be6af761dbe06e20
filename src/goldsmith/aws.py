"""Access to AWS: the settings that all amazon components share, and the calls that we make, each as a small protocol."""

from __future__ import annotations

import functools
import os
import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, TypedDict, cast

from goldsmith.components import attribute
from goldsmith.extras import need
from goldsmith.hcl.diagnostics import Diagnostic, MachineError, UserError

_RETRIES = 10
_CONNECT_S, _READ_S = 30, 60


# ── settings ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class AssumeRole:
    """The block `assume_role`: a role that is taken on with the credentials at hand."""

    role_arn: str = attribute("", "The role.")
    duration_seconds: int = attribute(0, "How long the role is held; 0 for an hour.")
    external_id: str = attribute("", "The id that the role's owner asks for.")
    policy: str = attribute("", "A policy as JSON that restricts the role further.")
    policy_arns: tuple[str, ...] = attribute((), "Policies that restrict the role further.")
    session_name: str = attribute("", "How the session is named in the owner's log.")
    tags: Mapping[str, str] = attribute({}, "Tags of the session.")
    transitive_tag_keys: tuple[str, ...] = attribute((), "Tags that further sessions keep.")


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultEngine:
    """The block `vault_aws_engine`: known, and refused."""

    name: str = attribute("", "The role in Vault.")
    role_arn: str = attribute("", "The role in AWS.")
    ttl: str = attribute("", "How long the credentials live.")
    engine_name: str = attribute("", "Where the secrets engine is mounted.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Polling:
    """The block `aws_polling`: how components that wait for a resource ask for it."""

    max_attempts: int = attribute(0, "How often to ask.")
    delay_seconds: int = attribute(0, "Seconds between two questions.")


@dataclass(frozen=True, slots=True, kw_only=True)
class AwsAccess:
    """The attributes that every amazon component has; names and defaults are Packer's."""

    access_key: str = attribute("", "An access key; with secret_key.", in_key=False)
    secret_key: str = attribute("", "Its secret.", in_key=False)
    token: str = attribute("", "The session token of temporary credentials.", in_key=False)
    region: str = attribute("", "The region; else AWS_REGION, AWS_DEFAULT_REGION or the profile's.")
    profile: str = attribute("", "A profile of the shared files.", in_key=False)
    shared_credentials_file: str = attribute("", "Where the shared credentials are, if not in ~/.aws.", in_key=False)
    assume_role: AssumeRole = attribute(AssumeRole(), "A role to take on.")
    mfa_code: str = attribute("", "The code of the device that the profile's role asks for.", in_key=False)
    custom_endpoint_ec2: str = attribute("", "The address of an API like EC2's.")
    insecure_skip_tls_verify: bool = attribute(False, "Whether any certificate is taken.")
    max_retries: int = attribute(0, f"How often a call is tried again; {_RETRIES} when nothing is said.", in_key=False)
    decode_authorization_messages: bool = attribute(False, "Whether encoded refusals are decoded.", in_key=False)
    skip_credential_validation: bool = attribute(False, "Accepted; credentials are tried by the first call.", in_key=False)
    skip_metadata_api_check: bool = attribute(False, "Whether the instance's own role is left out.", in_key=False)
    vault_aws_engine: VaultEngine | None = attribute(None, "Not supported.")
    aws_polling: Polling | None = attribute(None, "How to wait for resources.", in_key=False)


def access_faults(access: AwsAccess) -> Iterator[Diagnostic]:
    """What is wrong with the settings, as far as that can be told without asking AWS."""
    if bool(access.access_key) != bool(access.secret_key):
        yield Diagnostic(
            code="aws.credentials",
            what="`access_key` and `secret_key` must both be either set or not set.",
            next="Leave both out to use the environment, a profile or the instance's role.",
        )
    if access.vault_aws_engine is not None:
        yield Diagnostic(
            code="aws.vault",
            what="vault_aws_engine is not supported",
            why="credentials of Vault's AWS engine cannot be fetched yet",
            next="Fetch them first and pass them as AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN.",
        )


# ── the calls that we make ────────────────────────────────────────────────────────────────────────────────────────────


class Tag(TypedDict):
    """A tag of a resource."""

    Key: str
    Value: str


class Filter(TypedDict):
    """A filter of a query."""

    Name: str
    Values: Sequence[str]


class MachineImage(TypedDict, total=False):
    """What EC2 tells of an AMI."""

    ImageId: str
    Name: str
    CreationDate: str
    OwnerId: str
    ImageOwnerAlias: str
    Tags: Sequence[Tag]


class MachineImages(TypedDict):
    """The answer to `describe_images`."""

    Images: Sequence[MachineImage]


class Ec2(Protocol):
    """EC2, as far as we use it."""

    def describe_images(self, *, Filters: Sequence[Filter], Owners: Sequence[str], IncludeDeprecated: bool) -> MachineImages:
        """The images that match."""


class Parameter(TypedDict, total=False):
    """What the parameter store tells of a parameter."""

    Value: str
    Version: int
    ARN: str
    Type: str


class ParameterAnswer(TypedDict):
    """The answer to `get_parameter`."""

    Parameter: Parameter


class ParameterStore(Protocol):
    """The parameter store of Systems Manager, as far as we use it."""

    def get_parameter(self, *, Name: str, WithDecryption: bool) -> ParameterAnswer:
        """One parameter."""


class SecretAnswer(TypedDict, total=False):
    """The answer to `get_secret_value`."""

    SecretString: str
    SecretBinary: bytes
    VersionId: str


class SecretsManager(Protocol):
    """The Secrets Manager, as far as we use it."""

    def get_secret_value(self, **version: str) -> SecretAnswer:
        """One version of a secret: SecretId, and VersionId or VersionStage."""


class RegistryToken(TypedDict):
    """What logs in to a registry of images: "user:password" in base64."""

    authorizationToken: str


class RegistryTokens(TypedDict):
    """The answer of a private registry."""

    authorizationData: Sequence[RegistryToken]


class PublicRegistryToken(TypedDict):
    """The answer of the public registry."""

    authorizationData: RegistryToken


class ImageRegistry(Protocol):
    """The Elastic Container Registry, as far as we use it."""

    def get_authorization_token(self) -> RegistryTokens:
        """A token for the account's registry."""


class PublicImageRegistry(Protocol):
    """The public registry, as far as we use it."""

    def get_authorization_token(self) -> PublicRegistryToken:
        """A token."""


def ec2(access: AwsAccess) -> Ec2:
    """EC2 in the region of `access`. Raises as `_session` does."""
    return cast("Ec2", AwsSession(access).client("ec2"))


def parameter_store(access: AwsAccess) -> ParameterStore:
    """The parameter store in the region of `access`. Raises as `_session` does."""
    return cast("ParameterStore", AwsSession(access).client("ssm"))


def secrets_manager(access: AwsAccess) -> SecretsManager:
    """The Secrets Manager in the region of `access`. Raises as `_session` does."""
    return cast("SecretsManager", AwsSession(access).client("secretsmanager"))


Answer: TypeAlias = Mapping[str, object]
"""What any call answers: texts, numbers, times, lists and further answers by name."""


def client(service: str, access: AwsAccess) -> object:
    """Any service in the region of `access`, for callers that state its calls in a protocol. Raises as `_session` does."""
    return AwsSession(access).client(service)


def items(answer: Answer, name: str) -> list[Answer]:
    """A list of an answer. Raises `MachineError` for one that is missing: it must not be taken for an empty one."""
    found = answer.get(name)
    if not isinstance(found, list) or not all(isinstance(item, Mapping) for item in found):
        what = f'AWS gave an answer without "{name}"'
        raise MachineError(Diagnostic(code="aws.answer", what=what, next="Run it again, and look at the health of AWS."))
    return found


def image_registry(access: AwsAccess) -> ImageRegistry:
    """The registry of container images in the region of `access`. Raises as `_session` does."""
    return cast("ImageRegistry", client("ecr", access))


def public_image_registry(access: AwsAccess) -> PublicImageRegistry:
    """Amazon's public registry of container images. Raises as `_session` does."""
    return cast("PublicImageRegistry", client("ecr-public", access))


# ── sessions ──────────────────────────────────────────────────────────────────────────────────────────────────────────


class AwsSession:
    """One identity in AWS, and a client for each service and region that is asked of it. Threads may share it."""

    def __init__(self, access: AwsAccess) -> None:
        self.access = access
        self._lock = threading.Lock()
        self._opened: Any = None
        self._clients: dict[tuple[str, str], object] = {}

    @property
    def region(self) -> str:
        """The region that is meant where none is named. Raises as `client` does."""
        with self._lock, aws_errors("opening AWS", self.access):
            return str(self._session().region_name)

    def client(self, service: str, region: str = "", *, connections: int = 10) -> object:
        """boto3's client of a service, which has no types: the caller knows it by a protocol of its own.

        `connections` is how many calls may run at once. Raises `UserError`: no boto3, no region, no such profile, role refused.
        """
        with self._lock, aws_errors(f"opening the AWS service {service}", self.access):
            key = (service, region)
            if key not in self._clients:
                endpoint = self.access.custom_endpoint_ec2 if service == "ec2" else ""
                named = {"region_name": region or None, "endpoint_url": endpoint or None}
                options = _options(self.access, connections)
                self._clients[key] = self._session().client(service, **named, **options)
            return self._clients[key]

    def _session(self) -> Any:
        if self._opened is None:
            self._opened = _session(self.access)
        return self._opened


def _options(access: AwsAccess, connections: int = 10) -> dict[str, Any]:
    from botocore.config import Config

    retries = {"mode": "standard", "total_max_attempts": (access.max_retries or _RETRIES) + 1}
    config = Config(connect_timeout=_CONNECT_S, read_timeout=_READ_S, retries=retries, max_pool_connections=connections)
    return {"config": config, "verify": False if access.insecure_skip_tls_verify else None}


def _session(access: AwsAccess) -> Any:
    """A session of boto3, which has no types. Raises `UserError`: no boto3, no region, no such profile, role refused."""
    boto3 = need("boto3", extra="aws")
    base = boto3.Session(
        botocore_session=_bare_session(access),
        aws_access_key_id=access.access_key or None,
        aws_secret_access_key=access.secret_key or None,
        aws_session_token=access.token or None,
        region_name=access.region or os.environ.get("AWS_REGION") or None,
        profile_name=access.profile or None,
    )
    if not base.region_name:
        raise UserError(
            Diagnostic(
                code="aws.region",
                what="no AWS region is set",
                next='Set "region", AWS_REGION, or the region of the profile.',
            )
        )
    if not access.assume_role.role_arn:
        return base
    given = base.client("sts", **_options(access)).assume_role(**_role_request(access.assume_role))["Credentials"]
    return boto3.Session(
        aws_access_key_id=given["AccessKeyId"],
        aws_secret_access_key=given["SecretAccessKey"],
        aws_session_token=given["SessionToken"],
        region_name=base.region_name,
    )


def _bare_session(access: AwsAccess) -> object:
    from botocore.session import Session

    session = Session(profile=access.profile or None)
    session.register_component("data_loader", _loader())
    if access.shared_credentials_file:
        session.set_config_variable("credentials_file", access.shared_credentials_file)
    if access.access_key:
        return session
    chain = session.get_component("credential_provider")
    if access.skip_metadata_api_check:
        chain.remove("iam-role")
    # By itself botocore asks for the code on the terminal, behind the back of the renderers.
    chain.get_provider("assume-role")._prompter = _answer(access.mfa_code)
    return session


@functools.cache
def _loader() -> object:
    """Reads the models of services, each once for all sessions: EC2's alone takes 90 ms."""
    from botocore.loaders import create_loader

    return create_loader()


def _answer(code: str) -> Callable[[str], str]:
    def answer(prompt: str) -> str:
        if not code:
            raise UserError(
                Diagnostic(
                    code="aws.mfa",
                    what="the role of the profile asks for the code of a device",
                    next='Pass it as "mfa_code", best from a variable.',
                )
            )
        return code

    return answer


def _role_request(role: AssumeRole) -> dict[str, object]:
    request: dict[str, object] = {
        "RoleArn": role.role_arn,
        "RoleSessionName": role.session_name or "goldsmith",
        "DurationSeconds": role.duration_seconds,
        "ExternalId": role.external_id,
        "Policy": role.policy,
        "PolicyArns": [{"arn": arn} for arn in role.policy_arns],
        "Tags": [{"Key": key, "Value": value} for key, value in sorted(role.tags.items())],
        "TransitiveTagKeys": list(role.transitive_tag_keys),
    }
    return {name: value for name, value in request.items() if value}


# ── errors ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@contextmanager
def aws_errors(doing: str, access: AwsAccess) -> Iterator[None]:
    """Tell what AWS and its library raise as `UserError` or `MachineError`; `doing` completes "… failed"."""
    need("boto3", extra="aws")
    from botocore import exceptions, parsers

    try:
        yield
    except exceptions.ClientError as error:
        raise UserError(_refusal(doing, access, error.response["Error"], error.operation_name)) from error
    except (exceptions.NoCredentialsError, exceptions.PartialCredentialsError, exceptions.CredentialRetrievalError) as error:
        raise UserError(_fault("aws.credentials", doing, error, _CREDENTIALS)) from error
    except (exceptions.ProfileNotFound, exceptions.ConfigNotFound, exceptions.ConfigParseError) as error:
        raise UserError(_fault("aws.profile", doing, error, 'Check "profile" and the files in ~/.aws.')) from error
    except (exceptions.HTTPClientError, exceptions.ConnectionError) as error:
        raise MachineError(_fault("aws.unreachable", doing, error, "Check the network, the region and the proxy.")) from error
    except parsers.ResponseParserError as error:
        next = "Check the address of the API, and whether a proxy answers in its place."
        raise MachineError(_fault("aws.unreachable", doing, error, next)) from error
    except (exceptions.BotoCoreError, ValueError) as error:
        raise UserError(_fault("aws.settings", doing, error, "Check the settings of the block.")) from error


_CREDENTIALS = "Set access_key and secret_key, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile."


def _fault(code: str, doing: str, error: Exception, next: str) -> Diagnostic:
    return Diagnostic(code=code, what=f"{doing} failed", why=str(error), next=next)


def error_code(error: UserError) -> str:
    """The code that AWS gave for what it refused, or empty."""
    cause = error.__cause__
    response: Mapping[str, Mapping[str, str]] = getattr(cause, "response", {})
    return str(response.get("Error", {}).get("Code", ""))


_REFUSALS: tuple[tuple[str, str, str], ...] = (
    (
        "aws.expired",
        "ExpiredToken|ExpiredTokenException|RequestExpired|TokenRefreshRequired",
        "Log in again.",
    ),
    ("aws.credentials", "InvalidClientTokenId|InvalidAccessKeyId|UnrecognizedClientException|SignatureDoesNotMatch", ""),
    (
        "aws.quota",
        r"\w*LimitExceeded|\w*QuotaExceeded|\w*LimitExceededException|MaxSpotInstanceCountExceeded|ResourceCountExceeded",
        "Release what is not needed, or ask for more in Service Quotas.",
    ),
    (
        "aws.capacity",
        r"Insufficient\w*Capacity|Unsupported|UnfulfillableCapacity|SpotMaxPriceTooLow",
        "Try another availability zone or another type of instance, or try later.",
    ),
    (
        "aws.unavailable",
        r"Internal\w*|ServiceUnavailable|Unavailable|5\d\d",
        "Try again later.",
    ),
)
"""What kinds of refusal there are: our code, AWS's codes as an expression, and what to do."""
_THROTTLED = r"RequestLimitExceeded|Throttling|\w*Throttl\w*Exception|TooManyRequests\w*|SlowDown"
_DENIED = re.compile(
    r"(?:(?P<who>arn:\S+) is )?not authorized to perform: (?P<action>[\w:*-]+)(?: on resource: (?P<on>[^\s,]+))?"
)


def _refusal(doing: str, access: AwsAccess, told: Mapping[str, str], operation: str) -> Diagnostic:
    code, message = told.get("Code", "unknown"), told.get("Message", "")
    why = f"{code}: {message}"
    if code in ("UnauthorizedOperation", "AccessDenied", "AccessDeniedException"):
        return _denial(doing, access, why, operation)
    if re.fullmatch(_THROTTLED, code):
        next = f"Try again later, or raise max_retries (it is {access.max_retries or _RETRIES})."
        return Diagnostic(code="aws.throttled", what=f"{doing} failed", why=why, next=next)
    for ours, codes, next in _REFUSALS:
        if re.fullmatch(codes, code):
            return Diagnostic(code=ours, what=f"{doing} failed", why=why, next=next or _CREDENTIALS)
    return Diagnostic(code="aws.refused", what=f"{doing} failed", why=why, next="Check the name and the permissions.")


def _denial(doing: str, access: AwsAccess, why: str, operation: str) -> Diagnostic:
    """A missing permission: which action, on what, and for whom."""
    encoded = re.search(r"Encoded authorization failure message: (\S+)", why)
    if encoded and access.decode_authorization_messages:
        why = why.replace(encoded[1], _decoded(encoded[1], access))
    named = _DENIED.search(why)
    action = named["action"] if named else operation
    on = f" on {named['on'].rstrip('.')}" if named and named["on"] else ""
    who = f" to {named['who']}" if named and named["who"] else ""
    hint = " decode_authorization_messages = true tells more." if encoded and not access.decode_authorization_messages else ""
    what = f"{doing} failed: the action {action} is not allowed"
    return Diagnostic(code="aws.denied", what=what, why=why, next=f"Allow {action}{on}{who}.{hint}")


def _decoded(message: str, access: AwsAccess) -> str:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        sts = _session(access).client("sts", **_options(access))
        return str(sts.decode_authorization_message(EncodedMessage=message)["DecodedMessage"])
    except (BotoCoreError, ClientError) as error:
        return f"{message} (it could not be decoded: {error})"
