"""The instance: started on demand or on the spot market, waited for, watched and stopped."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from goldsmith.amazon.account import Account, wait_for
from goldsmith.amazon.api import Instance
from goldsmith.amazon.holding import Holdings
from goldsmith.amazon.instance_settings import InstanceSettings
from goldsmith.amazon.launch import Launch, fleet_request, launch_request, template_request
from goldsmith.amazon.release import Thing
from goldsmith.aws import error_code
from goldsmith.components import Context
from goldsmith.hcl.diagnostics import Diagnostic, GoldsmithError, MachineError, UserError
from goldsmith.scripts import printed, say

_WATCH_S = 15.0
_CONSOLE_LINES = 30
_NOT_YET = ("InvalidInstanceID.NotFound", "InvalidInstanceID.Malformed")
_SPOT_ENDS = ("Server.SpotInstanceTermination", "Server.SpotInstanceShutdown", "Server.SpotInstanceStop")


@contextmanager
def started(config: InstanceSettings, launch: Launch, account: Account, context: Context, held: Holdings) -> Iterator[str]:
    """An instance for the length of the block; its id."""
    keeps = tuple(device.device_name for device in config.launch_block_device_mappings)
    said = "Terminating the source AWS instance..."
    if not config.is_spot:
        say(context, "Launching a source AWS instance...")
        with held.hold(Thing(kind="instance", name=launch.token, keeps=keeps), said=said):
            with account.telling("Error launching source instance: the call"):
                reservation = account.ec2().run_instances(**launch_request(config, launch))
            yield reservation["Instances"][0]["InstanceId"]
        return
    name = f"packer-fleet-launch-template-{launch.token}"
    with held.hold(Thing(kind="launch-template", name=name, keeps=keeps), said=said):
        yield _spot(config, launch, name, account, context)


def _spot(config: InstanceSettings, launch: Launch, name: str, account: Account, context: Context) -> str:
    types = ", ".join(config.spot_instance_types or (config.instance_type,))
    say(context, f"Launching a spot AWS instance ({types})...")
    with account.telling("Creating the launch template"):
        template = account.ec2().create_launch_template(**template_request(config, launch, name))["LaunchTemplate"]
    with account.telling("Requesting the spot instance"):
        fleet = account.ec2().create_fleet(**fleet_request(config, launch, template["LaunchTemplateId"]))
    for found in fleet.get("Instances", ()):
        for instance in found["InstanceIds"]:
            return instance
    errors = [f"{error.get('ErrorCode', '')}: {error.get('ErrorMessage', '')}" for error in fleet.get("Errors", ())]
    raise MachineError(
        Diagnostic(
            code="amazon.no-spot",
            what="no spot instance could be had",
            why="; ".join(dict.fromkeys(errors)) or "EC2 gives no reason",
            next="Name more spot_instance_types, another zone or a higher spot_price, or use instance_type.",
        )
    )


class Watch:
    """Looks after one instance."""

    def __init__(self, instance_id: str, account: Account, context: Context) -> None:
        self.id = instance_id
        self._account = account
        self._context = context
        self._asked_at = 0.0
        self._was_there = True

    def running(self, *, with_address: bool) -> Instance:
        """Wait until it runs. Raises `MachineError` with code `amazon.instance-ended` when it ends instead."""
        say(self._context, f"Instance ID: {self.id}")
        say(self._context, f"Waiting for instance ({self.id}) to become ready...")

        def ready() -> Instance | None:
            instance = self.look()
            if instance is None:
                return None
            self._refuse_ended(instance)
            reachable = not with_address or instance.get("PrivateIpAddress") or instance.get("PublicIpAddress")
            return instance if instance["State"]["Name"] == "running" and reachable else None

        return wait_for(ready, f"instance {self.id} to become ready", self._account.quick, self._context.cancellation)

    def look(self) -> Instance | None:
        """What EC2 tells of it; None while it is too new to be known everywhere."""
        try:
            with self._account.telling(f"Querying the instance {self.id}"):
                answer = self._account.ec2().describe_instances(InstanceIds=[self.id])
        except UserError as error:
            if error_code(error) in _NOT_YET:
                return None
            raise
        for reservation in answer["Reservations"]:
            for instance in reservation["Instances"]:
                return instance
        return None

    def is_there(self) -> bool:
        """Whether it still runs, as far as is known: EC2 is asked now and then."""
        if time.monotonic() > self._asked_at + _WATCH_S:
            self._asked_at = time.monotonic()
            try:
                instance = self.look()
            except GoldsmithError:
                return self._was_there
            self._was_there = instance is None or instance["State"]["Name"] in ("pending", "running")
        return self._was_there

    @contextmanager
    def explaining(self) -> Iterator[None]:
        """What fails because the instance ended is told so; when nobody could log in, its console is kept with the log."""
        try:
            yield
        except GoldsmithError as error:
            with suppress(GoldsmithError):
                instance = self.look()
                ended = self._end_of(instance) if instance is not None else None
                if ended is None and any(item.code.startswith("ssh.") for item in error.diagnostics):
                    self._keep_console()
                if ended is not None:
                    ended.leave = error.leave
                    error = ended
            raise error

    def stop(self, *, by_itself: bool) -> None:
        """Stop it, or wait until it was stopped, as it must be before it is imaged."""
        if by_itself:
            say(self._context, "Automatic instance stop disabled. Please stop instance manually.")
        else:
            say(self._context, "Stopping the source instance...")
            with self._account.telling("Stopping the instance"):
                self._account.ec2().stop_instances(InstanceIds=[self.id])
        say(self._context, "Waiting for the instance to stop...")

        def stopped() -> bool | None:
            instance = self.look()
            state = instance["State"]["Name"] if instance is not None else ""
            if instance is not None and state in ("shutting-down", "terminated"):
                self._refuse_ended(instance)
            return True if state == "stopped" else None

        wait_for(stopped, f"instance {self.id} to stop", self._account.quick, self._context.cancellation)

    def _refuse_ended(self, instance: Instance) -> None:
        if (ended := self._end_of(instance)) is not None:
            raise ended

    def _end_of(self, instance: Instance) -> MachineError | None:
        """What to say of an instance that runs no more; None of one that does."""
        state = instance["State"]["Name"]
        if state in ("pending", "running"):
            return None
        reason = instance.get("StateReason", {})
        code, message = reason.get("Code", ""), reason.get("Message", "")
        spot = code in _SPOT_ENDS
        return MachineError(
            Diagnostic(
                code="amazon.spot-interrupted" if spot else "amazon.instance-ended",
                what=f"EC2 took the spot instance {self.id} away" if spot else f"the instance {self.id} is {state}",
                why=": ".join(filter(None, (code, message))) or instance.get("StateTransitionReason", ""),
                next="Build again, on more spot_instance_types or on instance_type."
                if spot
                else "The reason tells what to change: a limit, a key of KMS, a disk, or a step that shut it down.",
            )
        )

    def _keep_console(self) -> None:
        """The last lines of its serial console: for the log of the build."""
        with self._account.telling("Reading the console"):
            text = self._account.ec2().get_console_output(InstanceId=self.id).get("Output", "")
        show = printed(self._context)
        for line in text.splitlines()[-_CONSOLE_LINES:]:
            show("out", f"console: {line}")


def host_of(instance: Instance, interface: str) -> str:
    """The address of an instance, by `ssh_interface`. Raises `MachineError` when it has none of that kind."""
    by_interface = {
        "public_ip": instance.get("PublicIpAddress"),
        "private_ip": instance.get("PrivateIpAddress"),
        "public_dns": instance.get("PublicDnsName"),
        "private_dns": instance.get("PrivateDnsName"),
        "ipv6": instance.get("Ipv6Address"),
    }
    usual = instance.get("PublicIpAddress") or instance.get("PrivateIpAddress")
    host = by_interface[interface] if interface else usual
    if not host:
        raise MachineError(
            Diagnostic(
                code="amazon.no-address",
                what=f"the instance has no {interface or 'address'}",
                why="its subnet gives it none",
                next="Set associate_public_ip_address, or another ssh_interface.",
            )
        )
    return host
