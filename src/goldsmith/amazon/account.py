"""Who a build is in AWS: the clients that it uses, and how long it waits for what it asked for."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TypeVar, cast

from goldsmith.amazon.api import Ec2, Iam, Ssm
from goldsmith.aws import AwsAccess, AwsSession, aws_errors
from goldsmith.hcl.diagnostics import Diagnostic, MachineError
from goldsmith.machines.cancellation import Cancellation

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Patience:
    """How long something is waited for: seconds between two questions, and how often is asked."""

    delay_s: float
    attempts: int


QUICK = Patience(3, 200)
"""Ten minutes, for instances and networks."""
SLOW = Patience(15, 480)
"""Two hours, for AMIs, snapshots and copies."""


class Account:
    """An identity in AWS with the clients of each region. Threads may share it."""

    def __init__(self, access: AwsAccess) -> None:
        self.access = access
        self._session = AwsSession(access)

    @property
    def region(self) -> str:
        """The region of the build."""
        return self._session.region

    def ec2(self, region: str = "") -> Ec2:
        """EC2 in a region; in the build's own when none is named."""
        return cast("Ec2", self._session.client("ec2", "" if region == self.region else region))

    def iam(self) -> Iam:
        """IAM."""
        return cast("Iam", self._session.client("iam"))

    def ssm(self) -> Ssm:
        """Session Manager in the build's region."""
        return cast("Ssm", self._session.client("ssm"))

    def service(self, name: str, connections: int) -> object:
        """Another service in the build's region, for many calls at once."""
        return self._session.client(name, connections=connections)

    def telling(self, doing: str) -> AbstractContextManager[None]:
        """Tell what AWS raises as our errors; `doing` completes "… failed"."""
        return aws_errors(doing, self.access)

    @property
    def quick(self) -> Patience:
        """For instances and networks."""
        return self._patience(QUICK)

    @property
    def slow(self) -> Patience:
        """For AMIs, snapshots and copies."""
        return self._patience(SLOW)

    def _patience(self, usual: Patience) -> Patience:
        # The template says it, or the environment, as for Packer.
        polling = self.access.aws_polling
        said = (polling.delay_seconds, polling.max_attempts) if polling else (0, 0)
        environment = [_number(os.environ.get(name, "")) for name in ("AWS_POLL_DELAY_SECONDS", "AWS_MAX_ATTEMPTS")]
        return Patience(said[0] or environment[0] or usual.delay_s, said[1] or environment[1] or usual.attempts)


def wait_for(ask: Callable[[], T | None], what: str, patience: Patience, cancellation: Cancellation) -> T:
    """What `ask` answers once that is not None. Raises `MachineError` with code `amazon.timeout`, and `Cancelled`."""
    for attempt in range(patience.attempts):
        if attempt:
            cancellation.wait(patience.delay_s)
        if (answer := ask()) is not None:
            return answer
    waited = patience.delay_s * patience.attempts
    raise MachineError(
        Diagnostic(
            code="amazon.timeout",
            what=f"Timeout waiting for {what}",
            why=f"it was asked for {patience.attempts} times within {waited:g} s",
            next="Raise max_attempts or delay_seconds in aws_polling { } (or AWS_MAX_ATTEMPTS, AWS_POLL_DELAY_SECONDS).",
        )
    )


def _number(text: str) -> int:
    return int(text) if text.isdigit() else 0
