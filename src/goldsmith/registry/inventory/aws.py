"""What uses images in AWS: instances, launch templates and configurations, scaling groups and parameters, region by region."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Protocol, TypeAlias, cast

from goldsmith.aws import Answer, AwsAccess, AwsSession, aws_errors, error_code, items
from goldsmith.hcl.diagnostics import Diagnostic, GoldsmithError, MachineError, UserError
from goldsmith.registry.engines import host_clock
from goldsmith.registry.inventory.ids import names_in, texts
from goldsmith.registry.inventory.reading import SHARED, Known, Limits, Place, Reading, Reference, taken

PLATFORM = "aws"
_RESOLVE = "resolve:ssm:"
_AT_ONCE = 10
"""How many parameters one call may name."""
_AMAZONS = "/aws/"
"""Parameters below it are Amazon's own, and so are the images that they name."""


class _Ec2(Protocol):
    def describe_instances(self, **page: object) -> Answer: ...
    def describe_launch_templates(self, **page: object) -> Answer: ...
    def describe_launch_template_versions(self, **page: object) -> Answer: ...
    def describe_image_attribute(self, *, ImageId: str, Attribute: str) -> Answer: ...


class _AutoScaling(Protocol):
    def describe_auto_scaling_groups(self, **page: object) -> Answer: ...
    def describe_launch_configurations(self, **page: object) -> Answer: ...


class _Parameters(Protocol):
    def describe_parameters(self, **page: object) -> Answer: ...
    def get_parameters(self, *, Names: Sequence[str]) -> Answer: ...


class _Tokens(Protocol):
    def get_caller_identity(self) -> Answer: ...


_Call: TypeAlias = Callable[..., Answer]


@dataclass(frozen=True, slots=True, kw_only=True)
class AwsSource:
    """One account in some regions. Each region is a place of its own."""

    name: str
    access: AwsAccess
    regions: tuple[str, ...] = ()
    """All that are to be looked at; empty: that of the access."""
    account: str = ""
    """The account that must answer; empty: any."""
    limits: Limits = field(default_factory=Limits)
    clock: Callable[[], int] = host_clock

    def read(self, known: Known) -> Iterator[Reading]:
        """One reading for each region."""
        session = AwsSession(self.access)
        for wanted in self.regions or (self.access.region,):
            try:
                region = wanted or session.region
                account = self._account(session, region)
            except GoldsmithError as error:
                now = self.clock()
                place = Place(self.name, PLATFORM, self.account, wanted)
                yield Reading(place=place, started=now, finished=now, limits=self.limits, trouble=error.diagnostics)
                continue
            look = partial(_Region(session, region).references, known.get((PLATFORM, account, region), ()))
            yield taken(Place(self.name, PLATFORM, account, region), self.limits, self.clock, look)

    def access_in(self, region: str) -> AwsAccess:
        """How a region is reached."""
        return replace(self.access, region=region)

    def _account(self, session: AwsSession, region: str) -> str:
        tokens = cast("_Tokens", session.client("sts", region))
        with aws_errors("asking AWS which account this is", self.access):
            account = str(tokens.get_caller_identity()["Account"])
        if self.account and account != self.account:
            what = f"the credentials are of account {account}, not of {self.account}"
            raise UserError(Diagnostic(code="inventory.account", what=what, next='Check "profile" and "assume_role".'))
        return account


@dataclass(frozen=True, slots=True)
class _Region:
    """One region, looked at from one end to the other. What it is refused or loses on the way is raised."""

    session: AwsSession
    region: str

    @property
    def access(self) -> AwsAccess:
        """What errors are told by."""
        return self.session.access

    def references(self, ours: Collection[str]) -> Iterator[Reference]:
        """Every use of an image, and with whom `ours` are shared."""
        ec2 = cast("_Ec2", self.session.client("ec2", self.region))
        parameters = cast("_Parameters", self.session.client("ssm", self.region))
        groups = cast("_AutoScaling", self.session.client("autoscaling", self.region))
        yield from self._instances(ec2)
        templates = dict(self._templates(ec2, parameters))
        for place, images in templates.items():
            yield from _uses(images, "launch-template", f"{place[0]}:{place[1]}")
        yield from self._scaling(groups, templates)
        yield from self._parameters(parameters)
        yield from self._shares(ec2, ours)

    def _instances(self, ec2: _Ec2) -> Iterator[Reference]:
        """Instances in all states: a stopped one starts from its own disks, but who replaces it needs the image."""
        for reservation in self._pages(ec2.describe_instances, "Reservations", "instances", MaxResults=1000):
            for instance in items(reservation, "Instances"):
                yield from _uses([_text(instance, "ImageId")], "instance", _text(instance, "InstanceId"))

    def _templates(self, ec2: _Ec2, parameters: _Parameters) -> Iterator[tuple[tuple[str, str], Sequence[str]]]:
        """The images of every version of every launch template, by the template's id and the version."""
        for template in self._pages(ec2.describe_launch_templates, "LaunchTemplates", "launch templates", MaxResults=200):
            id = _text(template, "LaunchTemplateId")
            versions = self._pages(
                ec2.describe_launch_template_versions,
                "LaunchTemplateVersions",
                f"versions of {id}",
                LaunchTemplateId=id,
                MaxResults=200,
            )
            for version in versions:
                number = str(version.get("VersionNumber"))
                yield (id, number), self._images_of(version.get("LaunchTemplateData"), parameters)

    def _images_of(self, data: object, parameters: _Parameters) -> Sequence[str]:
        """The images that a template names, those that a parameter stands for included."""
        images = _amis(data)
        for text in texts(data):
            if text.startswith(_RESOLVE) and not text.startswith(_RESOLVE + _AMAZONS):
                images |= self._behind(text.removeprefix(_RESOLVE), parameters)
        return sorted(images)

    def _behind(self, parameter: str, parameters: _Parameters) -> frozenset[str]:
        with aws_errors(f'reading the parameter "{parameter}"', self.access):
            # A parameter that is not there starts no machine; it is answered as invalid, not as an error.
            return _amis(items(parameters.get_parameters(Names=[parameter]), "Parameters"))

    def _scaling(self, groups: _AutoScaling, templates: Mapping[tuple[str, str], Sequence[str]]) -> Iterator[Reference]:
        configured: dict[str, Collection[str]] = {}
        listing = groups.describe_launch_configurations
        for item in self._pages(listing, "LaunchConfigurations", "launch configurations", MaxRecords=100):
            name = _text(item, "LaunchConfigurationName")
            configured[name] = _amis(item)
            yield from _uses(configured[name], "launch-configuration", name)
        by_template: dict[str, set[str]] = {}
        for (id, _), images in templates.items():
            by_template.setdefault(id, set()).update(images)
        for group in self._pages(
            groups.describe_auto_scaling_groups, "AutoScalingGroups", "auto scaling groups", MaxRecords=100
        ):
            # Which version of its template a group starts may change any time, so that each of them is its.
            named = set(texts(group))
            started = set(_amis(group)).union(*(by_template[id] for id in named & by_template.keys()))
            started |= set(configured.get(str(group.get("LaunchConfigurationName", "")), ()))
            yield from _uses(started, "auto-scaling-group", _text(group, "AutoScalingGroupName"))

    def _parameters(self, parameters: _Parameters) -> Iterator[Reference]:
        """Parameters that hold an image's id. Encrypted ones are not read."""
        listing = self._pages(parameters.describe_parameters, "Parameters", "parameters", MaxResults=50)
        names = [_text(item, "Name") for item in listing if item.get("Type") != "SecureString"]
        for start in range(0, len(names), _AT_ONCE):
            with aws_errors("reading parameters", self.access):
                answer = parameters.get_parameters(Names=names[start : start + _AT_ONCE])
            for item in items(answer, "Parameters"):
                yield from _uses(_amis(item.get("Value")), "parameter", _text(item, "Name"))

    def _shares(self, ec2: _Ec2, ours: Collection[str]) -> Iterator[Reference]:
        for image in sorted(ours):
            try:
                with aws_errors(f"asking with whom {image} is shared", self.access):
                    answer = ec2.describe_image_attribute(ImageId=image, Attribute="launchPermission")
            except UserError as error:
                if error_code(error).startswith("InvalidAMIID."):
                    continue
                raise
            for permission in items(answer, "LaunchPermissions"):
                for account in texts(permission):
                    yield Reference(external_id=image, kind=SHARED, place=account, count=0)

    def _pages(self, call: _Call, name: str, what: str, **arguments: object) -> Iterator[Answer]:
        """All items of a listing. A page that cannot be had, or has no list in it, must not look like the last one."""
        token: str | None = None
        seen: set[str] = set()
        while True:
            with aws_errors(f"listing {what}", self.access):
                answer = call(**arguments, **({"NextToken": token} if token else {}))
            yield from items(answer, name)
            token = cast("str | None", answer.get("NextToken"))
            if not token:
                return
            if token in seen:
                why = "a page names one before it as the next"
                raise MachineError(Diagnostic(code="inventory.pages", what=f"the listing of {what} does not end", why=why))
            seen.add(token)


def _uses(images: Collection[str], kind: str, place: str) -> Iterator[Reference]:
    for image in images:
        yield Reference(external_id=image, kind=kind, place=place)


def _amis(value: object) -> frozenset[str]:
    return frozenset(name for name in names_in(value) if name.startswith("ami-"))


def _text(answer: Answer, name: str) -> str:
    value = answer.get(name)
    if not isinstance(value, str):
        raise MachineError(Diagnostic(code="inventory.answer", what=f'AWS gave an answer without "{name}"'))
    return value
