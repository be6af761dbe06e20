"""The rights of the instance: a profile that is there, or one that is made for the build."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

from goldsmith.amazon.account import Account
from goldsmith.amazon.holding import Holdings
from goldsmith.amazon.instance_settings import InstanceSettings, Policy
from goldsmith.amazon.release import Thing, passing_over
from goldsmith.components import Context
from goldsmith.scripts import say

_SETTLING_S = 10.0
"""IAM tells of a new profile everywhere only after a while; EC2 refuses to use it before."""


@contextmanager
def instance_profile(config: InstanceSettings, name: str, account: Account, context: Context, held: Holdings) -> Iterator[str]:
    """The name of the profile for the length of the block; empty for none."""
    policy = config.temporary_iam_instance_profile_policy_document
    if config.iam_instance_profile or policy is None:
        if config.iam_instance_profile and not config.skip_profile_validation:
            with account.telling(f"Couldn't find specified instance profile {config.iam_instance_profile}: the call"):
                account.iam().get_instance_profile(InstanceProfileName=config.iam_instance_profile)
        yield config.iam_instance_profile
        return
    said = "Deleting temporary instance profile..."
    with held.hold(Thing(kind="instance-profile", name=name), said=said):
        say(context, f"Creating temporary instance profile for this instance: {name}")
        _make(policy, name, account)
        context.cancellation.wait(min(_SETTLING_S, account.quick.delay_s * 4))
        yield name


def _make(policy: Policy, name: str, account: Account) -> None:
    iam = account.iam()
    trust = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    for call, request in (
        (iam.create_instance_profile, {"InstanceProfileName": name}),
        (iam.create_role, {"RoleName": name, "Description": "Temporary role for Packer", "AssumeRolePolicyDocument": document}),
        (iam.put_role_policy, {"RoleName": name, "PolicyName": name, "PolicyDocument": _text(policy)}),
        (iam.add_role_to_instance_profile, {"InstanceProfileName": name, "RoleName": name}),
    ):
        # The name is ours alone: what is there already was made by a call whose answer was lost.
        with account.telling("Creating temporary instance profile"), passing_over("EntityAlreadyExists"):
            call(**request)


def _text(policy: Policy) -> str:
    statements = [{"Effect": item.Effect, "Action": item.Action, "Resource": item.Resource} for item in policy.Statement]
    return json.dumps({"Version": policy.Version or "2012-10-17", "Statement": statements})
