"""Keeps a parameter of AWS Systems Manager at the AMI that a channel points at."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypedDict, cast

from goldsmith.aws import AwsAccess, aws_errors, error_code, parameter_store
from goldsmith.hcl.diagnostics import Diagnostic, MachineError, UserError
from goldsmith.registry.resolve import Resolved

AMI = "aws:ec2:image"
PAUSES_S = (0.2, 0.5, 1, 2, 4, 8, 15)
"""Between looks at what was written: AWS takes a value first and tries whether there is such an AMI afterwards."""


class _Parameter(TypedDict, total=False):
    Value: str
    Version: int
    DataType: str
    Labels: Sequence[str]


class _Answer(TypedDict):
    Parameter: _Parameter


class _History(TypedDict, total=False):
    Parameters: Sequence[_Parameter]
    NextToken: str


class Parameters(Protocol):
    """The parameter store, as far as this target uses it."""

    def get_parameter(self, *, Name: str) -> _Answer:
        """The newest version."""

    def put_parameter(self, *, Name: str, Value: str, Type: str, DataType: str, Overwrite: bool, Description: str) -> object:
        """Write a version."""

    def get_parameter_history(self, *, Name: str, NextToken: str = ...) -> _History:
        """All versions that are kept, the oldest first."""

    def label_parameter_version(self, *, Name: str, ParameterVersion: int, Labels: Sequence[str]) -> object:
        """Put labels on a version; they leave the one that they are on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SsmParameter:
    """A parameter that holds the id of an AMI."""

    name: str
    access: AwsAccess
    """With the region, which decides too which AMI of a version is meant."""
    data_type: str = AMI
    """`aws:ec2:image`, which AWS validates, or `text`; it cannot be changed once the parameter is there."""
    move_labels: bool = False
    """Whether labels on the oldest of 100 versions, which would block every further write, go to the newest."""
    sleep: Callable[[float], None] = time.sleep

    def place(self) -> str:
        """Where it is, for people."""
        return f"parameter {self.name} in {self.access.region}"

    def would_hold(self, channel: Resolved) -> str:
        """The AMI of the channel's version in the region."""
        return channel.in_place("aws", self.access.region).external_id

    def held(self) -> str:
        """The AMI that it holds; empty when there is no such parameter."""
        return (self._read(self._api()) or {}).get("Value", "")

    def follow(self, channel: Resolved) -> str:
        """Write the AMI, unless it is there, and look until it can be read; gives it.

        Raises `UserError` when AWS or the parameter's data type refuses it, `MachineError` when it was written and is not
        there: AWS found no such AMI, or has not looked yet.
        """
        api, ami = self._api(), self.would_hold(channel)
        before = self._read(api)
        if before is not None and before.get("DataType", self.data_type) != self.data_type:
            raise self._other_type(before.get("DataType", ""))
        if before is None or before.get("Value") != ami:
            self._write(api, ami, f"{channel.version.ref} {channel.channel}, generation {channel.generation}")
            self._wait(api, ami)
        return ami

    def _api(self) -> Parameters:
        return cast("Parameters", parameter_store(self.access))

    def _read(self, api: Parameters) -> _Parameter | None:
        try:
            with aws_errors(f'reading the parameter "{self.name}"', self.access):
                return api.get_parameter(Name=self.name)["Parameter"]
        except UserError as error:
            if error_code(error) == "ParameterNotFound":
                return None
            raise

    def _write(self, api: Parameters, ami: str, description: str) -> None:
        try:
            self._put(api, ami, description)
        except UserError as error:
            if error_code(error) != "ParameterMaxVersionLimitExceeded":
                raise
            self._free_oldest(api, error)
            self._put(api, ami, description)

    def _put(self, api: Parameters, ami: str, description: str) -> None:
        with aws_errors(f'writing the parameter "{self.name}"', self.access):
            api.put_parameter(
                Name=self.name,
                Value=ami,
                Type="String",
                DataType=self.data_type,
                Overwrite=True,
                Description=description,
            )

    def _wait(self, api: Parameters, ami: str) -> None:
        for pause in PAUSES_S:
            if (self._read(api) or {}).get("Value") == ami:
                return
            self.sleep(pause)
        what = f'the parameter "{self.name}" was written, and does not hold {ami}'
        why = "AWS takes a value first and looks for the AMI afterwards: it found none there, or has not looked yet"
        raise MachineError(
            Diagnostic(code="ssm.not-converged", what=what, why=why, next="Check the AMI; it is tried again by itself.")
        )

    def _free_oldest(self, api: Parameters, refusal: UserError) -> None:
        """Take the labels off the oldest version: AWS keeps 100, and never drops one that has a label."""
        versions = self._history(api)
        oldest = versions[0] if versions else _Parameter()
        labels = list(oldest.get("Labels", ()))
        if not labels:
            raise refusal
        named, newest = ", ".join(labels), versions[-1].get("Version", 0)
        if not self.move_labels:
            what = f'the parameter "{self.name}" takes no further value'
            why = f"it has 100 versions, and the oldest, {oldest.get('Version')}, cannot go because of its label {named}"
            next = (
                f"aws ssm label-parameter-version --name {self.name} --parameter-version {newest} --labels {' '.join(labels)}"
                ", or move_labels = true, when nothing relies on where the label is"
            )
            raise UserError(Diagnostic(code="ssm.label-blocks", what=what, why=why, next=next)) from refusal
        with aws_errors(f'moving the label {named} of the parameter "{self.name}"', self.access):
            api.label_parameter_version(Name=self.name, ParameterVersion=newest, Labels=labels)

    def _history(self, api: Parameters) -> list[_Parameter]:
        with aws_errors(f'reading the versions of the parameter "{self.name}"', self.access):
            page = api.get_parameter_history(Name=self.name)
            versions = list(page.get("Parameters", ()))
            while token := page.get("NextToken", ""):
                page = api.get_parameter_history(Name=self.name, NextToken=token)
                versions += page.get("Parameters", ())
        return sorted(versions, key=lambda version: version.get("Version", 0))

    def _other_type(self, found: str) -> UserError:
        what = f'the parameter "{self.name}" has the data type {found}, not {self.data_type}'
        next = f'Delete the parameter, name another one, or set data_type = "{found}".'
        return UserError(
            Diagnostic(code="ssm.data-type", what=what, why="AWS lets nobody change the data type later", next=next)
        )
