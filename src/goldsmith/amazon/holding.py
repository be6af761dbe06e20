"""What a build holds in AWS: written to the journal before it is taken, released when it is not needed any more."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict

from goldsmith.amazon.account import Account
from goldsmith.amazon.release import Thing, release
from goldsmith.aws import AssumeRole, AwsAccess
from goldsmith.components import Context
from goldsmith.events import Warned
from goldsmith.hcl.diagnostics import GoldsmithError
from goldsmith.machines.cancellation import Cancellation
from goldsmith.machines.release import Kind
from goldsmith.scripts import say


class Holdings:
    """The things of one build."""

    def __init__(self, account: Account, context: Context) -> None:
        self._account = account
        self._context = context
        self._left = False
        self._succeeded = False

    @contextmanager
    def hold(self, thing: Thing, *, said: str = "", is_result: bool = False) -> Iterator[None]:
        """Hold a thing for the length of the block. With `is_result` it stays when the block ends well.

        What cannot be released is told and stays in the journal, so that `goldsmith clean` tries again; what went wrong
        before is what is raised. Nothing is released when `-on-error` wants things left as they are.
        """
        error: BaseException | None = None

        def let_go() -> None:
            if not (self._left or (is_result and error is None)):
                self._release(thing, said)

        try:
            with self._context.journal.take(KIND, _handle(thing, self._account), let_go):
                try:
                    yield
                except BaseException as raised:
                    error = raised
                    self._left = self._left or self._context.leaves(raised)
                    raise
        except _StillHeld:
            if error is not None:
                raise error from None

    def _release(self, thing: Thing, said: str) -> None:
        if said:
            say(self._context, said)
        try:
            # A build that is being cancelled still waits for what it releases.
            release(thing, self._account, Cancellation())
        except GoldsmithError as error:
            text = f"the {thing.kind} {thing.name} could not be released: {error}"
            self._context.emit(Warned(build=self._context.build, text=text, next="goldsmith clean"))
            raise _StillHeld from error


class _StillHeld(Exception):
    """A thing could not be released; it stays in the journal."""


KIND = "aws"
"""The kind of these things in the journal."""


def _handle(thing: Thing, account: Account) -> str:
    """What finds the thing again, without any secret: access by keys of the template comes from the environment then."""
    access = account.access
    way = {
        "region": account.region,
        "profile": access.profile,
        "shared_credentials_file": access.shared_credentials_file,
        "custom_endpoint_ec2": access.custom_endpoint_ec2,
    }
    role = {"role_arn": access.assume_role.role_arn, "external_id": access.assume_role.external_id}
    return json.dumps({"thing": asdict(thing), "access": way, "role": role})


def _release_left(handle: str) -> bool:
    """Release what a killed run left, with the credentials of whoever runs now."""
    told = json.loads(handle)
    thing = told["thing"]
    access = AwsAccess(**told["access"], assume_role=AssumeRole(**told["role"]))
    return release(Thing(**{**thing, "keeps": tuple(thing["keeps"])}), Account(access), Cancellation())


LEFTOVER = Kind("JSON", _release_left, outlives_boot=True)
"""How the journal releases these things."""
