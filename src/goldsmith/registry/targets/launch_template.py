"""Keeps the default version of an EC2 launch template at the AMI that a channel points at."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypedDict, cast

from goldsmith.aws import AwsAccess, aws_errors, ec2
from goldsmith.hcl.diagnostics import Diagnostic, MachineError
from goldsmith.registry.resolve import Resolved


class _Version(TypedDict, total=False):
    VersionNumber: int
    LaunchTemplateData: Mapping[str, object]


class _Versions(TypedDict, total=False):
    LaunchTemplateVersions: Sequence[_Version]


class _Created(TypedDict):
    LaunchTemplateVersion: _Version


class Templates(Protocol):
    """EC2, as far as this target uses it."""

    def describe_launch_template_versions(self, *, Versions: Sequence[str], **template: str) -> _Versions:
        """Versions of a template: numbers, `$Default`, `$Latest`."""

    def create_launch_template_version(
        self,
        *,
        SourceVersion: str,
        VersionDescription: str,
        ClientToken: str,
        LaunchTemplateData: Mapping[str, str],
        **template: str,
    ) -> _Created:
        """A version like another one, but for some of its data."""

    def modify_launch_template(self, *, DefaultVersion: str, **template: str) -> object:
        """Make a version the default one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchTemplate:
    """A launch template whose default version starts the AMI of a channel."""

    template: str
    """Its id, `lt-…`, or its name."""
    access: AwsAccess
    """With the region, which decides too which AMI of a version is meant."""

    def place(self) -> str:
        """Where it is, for people."""
        return f"launch template {self.template} in {self.access.region}"

    def would_hold(self, channel: Resolved) -> str:
        """The AMI of the channel's version in the region."""
        return channel.in_place("aws", self.access.region).external_id

    def held(self) -> str:
        """The AMI of the default version."""
        return self._ami(self._default(self._api()))

    def follow(self, channel: Resolved) -> str:
        """Make a version with the AMI from the default one, unless that has it, and make it the default; gives the AMI.

        What else the template says stays. Raises `UserError` when AWS refuses, `MachineError` when it reads back otherwise.
        """
        api, ami = self._api(), self.would_hold(channel)
        before = self._default(api)
        if self._ami(before) == ami:
            return ami
        number = self._version_with(api, ami, before, channel)
        with aws_errors(f"setting the default of the {self.place()}", self.access):
            api.modify_launch_template(DefaultVersion=str(number), **self._named)
        if (found := self._ami(self._default(api))) != ami:
            what = f"the {self.place()} starts {found}, not {ami}"
            next = "Something else writes to it too; it is tried again by itself."
            raise MachineError(Diagnostic(code="launch-template.not-converged", what=what, next=next))
        return ami

    def _version_with(self, api: Templates, ami: str, before: _Version, channel: Resolved) -> int:
        # The same token for the same step: a try whose answer was lost made the version already.
        step = f"{self.template} {before.get('VersionNumber')} {ami} {channel.version.digest} {channel.generation}"
        with aws_errors(f"adding a version to the {self.place()}", self.access):
            made = api.create_launch_template_version(
                SourceVersion=str(before.get("VersionNumber")),
                VersionDescription=f"{channel.version.ref} {channel.channel}, generation {channel.generation}",
                ClientToken=hashlib.sha256(step.encode()).hexdigest()[:64],
                LaunchTemplateData={"ImageId": ami},
                **self._named,
            )
        return made["LaunchTemplateVersion"].get("VersionNumber", 0)

    def _default(self, api: Templates) -> _Version:
        with aws_errors(f"reading the {self.place()}", self.access):
            found = api.describe_launch_template_versions(Versions=["$Default"], **self._named)
            return next(iter(found.get("LaunchTemplateVersions", ())), _Version())

    def _ami(self, version: _Version) -> str:
        return str(version.get("LaunchTemplateData", {}).get("ImageId", ""))

    def _api(self) -> Templates:
        return cast("Templates", ec2(self.access))

    @property
    def _named(self) -> Mapping[str, str]:
        kind = "LaunchTemplateId" if self.template.startswith("lt-") else "LaunchTemplateName"
        return {kind: self.template}
