"""Source `amazon-ebs`: an instance on EC2 is provisioned and becomes an AMI."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from goldsmith.amazon.account import Account
from goldsmith.amazon.api import Image, Instance
from goldsmith.amazon.artifact import ami_artifact
from goldsmith.amazon.checks import image_faults, instance_faults
from goldsmith.amazon.holding import Holdings
from goldsmith.amazon.image_settings import ImageSettings
from goldsmith.amazon.imaging import Imaging, Words
from goldsmith.amazon.instance import Watch, host_of, started
from goldsmith.amazon.instance_settings import InstanceSettings
from goldsmith.amazon.key_pair import check_name_is_free as check_key_name
from goldsmith.amazon.key_pair import make_key_pair
from goldsmith.amazon.launch import Launch
from goldsmith.amazon.network import Network, chosen_groups, find_network, group_sources, make_group
from goldsmith.amazon.profile import instance_profile
from goldsmith.amazon.release import Thing
from goldsmith.amazon.session_manager import check_plugin, forwarded
from goldsmith.amazon.source_image import check_name_is_free, check_regions, deregister_old, find_source
from goldsmith.amazon.tagging import Tags, source_values
from goldsmith.amazon.windows_password import windows_password
from goldsmith.aws import AwsAccess, access_faults
from goldsmith.components import Artifact, Context, DirectSource, not_one_of
from goldsmith.hcl.diagnostics import Diagnostic, UserError
from goldsmith.machines.machine import Machine
from goldsmith.machines.ssh_access import Door
from goldsmith.packer_templates import UNKNOWN_TEXT
from goldsmith.scripts import say
from goldsmith.sources.communicator import CommunicatorSettings, connected, generated
from goldsmith.sources.no_machine import NoMachine
from goldsmith.sources.temporary_key import forget_key
from goldsmith.sources.winrm_communicator import connected_by_winrm, generated_for_winrm, winrm_access


@dataclass(frozen=True, slots=True, kw_only=True)
class AmazonEbsConfig(AwsAccess, CommunicatorSettings, InstanceSettings, ImageSettings):
    """Attributes of a `source "amazon-ebs"` block; names and defaults are Packer's."""


class AmazonEbs(DirectSource[AmazonEbsConfig]):
    """Makes AMIs. Whatever it takes in AWS is journaled, and released when the build ends, fails or is killed."""

    Config: ClassVar[type[AmazonEbsConfig]] = AmazonEbsConfig

    def check(self, config: AmazonEbsConfig, context: Context) -> None:
        """Packer's checks of the settings; what only AWS knows is asked for when the build begins."""
        faults = [
            *access_faults(config),
            *config.communicator_faults(),
            *instance_faults(config),
            *image_faults(config),
            *_key_faults(config),
        ]
        if faults:
            raise UserError(*faults)

    def generated_names(self) -> tuple[str, ...]:
        """What is known of the source AMI."""
        return tuple(source_values({}, ""))

    def run(
        self, config: AmazonEbsConfig, context: Context, provision: Callable[[Machine, Mapping[str, str]], None]
    ) -> Artifact:
        """Build. Raises `UserError` and `MachineError`; nothing is left in AWS then, unless `-on-error` wants it."""
        self.check(config, context)
        if context.force:
            config = replace(config, force_deregister=True)
        return _Build(config, context).run(provision)


class _Build:
    """One build, from the check of its name to its AMIs."""

    def __init__(self, config: AmazonEbsConfig, context: Context) -> None:
        self.config = config
        self.context = context
        self.account = Account(config)
        self.held = Holdings(self.account, context)
        self.token = str(uuid.uuid4())
        """In the name of everything temporary, so that it is found again."""

    def run(self, provision: Callable[[Machine, Mapping[str, str]], None]) -> Artifact:
        config, account, context = self.config, self.account, self.context
        regions = list(dict.fromkeys([*([] if config.skip_save_build_region else [""]), *config.ami_regions]))
        if config.by_session_manager:
            check_plugin()
        check_regions(config, account)
        if not (config.skip_create_ami or config.force_deregister):
            say(context, f"Prevalidating AMI Name: {config.ami_name}")
            check_name_is_free(config.ami_name, regions, account)
        source = find_source(config, account, context)
        tags = Tags(context, source, account.region)
        words = self._words(tags)
        seen = source_values(source, account.region)
        with ExitStack() as results, self._instance(source, tags) as (watch, key):
            instance = watch.running(with_address=config.communicator != "none")
            with watch.explaining():
                self._provision(provision, watch, instance, key, seen)
            amis: dict[str, str] = {}
            if not config.is_spot:
                watch.stop(by_itself=config.disable_stop_instance)
                self._modify(watch.id)
            if config.skip_create_ami:
                say(context, "Skipping AMI creation...")
            else:
                if config.force_deregister:
                    deregister_old(config.ami_name, regions, config, account, context)
                amis = Imaging(config, words, account, context, self.held, results).of_instance(watch.id)
        return ami_artifact(amis, account, seen)

    def _words(self, tags: Tags) -> Words:
        config = self.config
        run_tags = {} if config.skip_ami_run_tags else tags.of("run_tags", config.run_tags, config.run_tag)
        return Words(
            description=tags.text("ami_description", config.ami_description),
            run_tags=run_tags,
            tags=tags.of("tags", config.tags, config.tag),
            snapshot_tags=tags.of("snapshot_tags", config.snapshot_tags, config.snapshot_tag),
        )

    @contextmanager
    def _instance(self, source: Image, tags: Tags) -> Iterator[tuple[Watch, str]]:
        """The instance with all that it needs, and the private key that logs in when one was made."""
        config, account, context = self.config, self.account, self.context
        run_tags = tags.of("run_tags", config.run_tags, config.run_tag)
        network = find_network(config, account, context)
        with ExitStack() as held:
            key_name, key = self._key(run_tags, held)
            groups = self._groups(network, run_tags, held)
            name = f"packer-{self.token}"
            profile = held.enter_context(instance_profile(config, name, account, context, self.held))
            launch = Launch(
                token=self.token,
                image_id=source["ImageId"],
                key_name=key_name,
                groups=groups,
                network=network,
                profile=profile,
                user_data=self._user_data(),
                # The console of EC2 shows this name; Packer gives it too.
                tags={"Name": "Packer Builder", **run_tags},
                volume_tags=tags.of("run_volume_tags", config.run_volume_tags, config.run_volume_tag),
                spot_tags=tags.of("spot_tags", config.spot_tags, config.spot_tag),
                fleet_tags=tags.of("fleet_tags", config.fleet_tags, config.fleet_tag),
            )
            instance_id = held.enter_context(started(config, launch, account, context, self.held))
            yield Watch(instance_id, account, context), key

    def _key(self, tags: dict[str, str], held: ExitStack) -> tuple[str, str]:
        """The name of the key pair in EC2, and the private key of one that was made."""
        config, account, context = self.config, self.account, self.context
        if not _needs_temporary_key(config):
            return config.ssh_keypair_name, ""
        name = config.temporary_key_pair_name or f"packer_{self.token}"
        if config.temporary_key_pair_name:
            check_key_name(name, account)
        say(context, f"Creating temporary keypair: {name}")
        held.enter_context(self.held.hold(Thing(kind="key-pair", name=name), said="Deleting temporary keypair..."))
        key = make_key_pair(name, config.temporary_key_pair_type, tags, account)
        if context.debug:
            self._show_key(key, held)
        return name, key

    def _show_key(self, key: str, held: ExitStack) -> None:
        """With `-debug` a person may log in too."""
        path = Path(self.context.cwd / f"ec2_{self.context.name}.pem")
        say(self.context, f"Saving key for debug purposes: {path.name}")
        held.enter_context(self.context.journal.take("file", str(path)))
        path.touch(0o600)
        path.write_text(key)

    def _groups(self, network: Network, tags: dict[str, str], held: ExitStack) -> tuple[str, ...]:
        config, account, context = self.config, self.account, self.context
        groups = chosen_groups(config, account, context)
        if groups:
            return groups
        name = f"packer_{self.token}"
        port = 0 if config.by_session_manager else config.port
        sources = group_sources(config) if port else ()
        say(context, f"Creating temporary security group for this instance: {name}")
        held.enter_context(self.held.hold(Thing(kind="security-group", name=name), said="Deleting temporary security group..."))
        if port:
            told = " ".join(sources)
            say(context, f"Authorizing access to port {port} from [{told}] in the temporary security groups...")
        return (make_group(name, port, network.vpc_id, tags, sources, account),)

    def _user_data(self) -> str:
        if not self.config.user_data_file:
            return self.config.user_data
        return (self.context.cwd / self.config.user_data_file).read_text()

    def _provision(
        self,
        provision: Callable[[Machine, Mapping[str, str]], None],
        watch: Watch,
        instance: Instance,
        key: str,
        seen: dict[str, str],
    ) -> None:
        config, context = self.config, self.context
        if config.communicator == "none":
            seen.update({"ID": watch.id, "ConnType": "none", "PackerRunUUID": context.run_uuid})
            provision(NoMachine("amazon-ebs"), seen)
            return
        with ExitStack() as way:
            if config.by_session_manager:
                context.cancellation.wait(config.pause_before_ssm)
                ports = config.port, config.session_manager_port
                host, port = "127.0.0.1", way.enter_context(forwarded(watch.id, *ports, self.account, context))
            else:
                host, port = host_of(instance, config.ssh_interface), config.port
            if config.communicator == "winrm":
                password = config.winrm_password or self._windows_password(watch, key)
                way_in = winrm_access(config, host, port, password)
                windows = way.enter_context(connected_by_winrm(config, way_in, context, watch.is_there))
                seen.update(generated_for_winrm(way_in, watch.id, context.run_uuid))
                provision(windows, seen)
                return
            access = config.access(context, host, port, key)
            door = Door(access, config.timeout_s, watch.is_there)
            machine = way.enter_context(connected(config, door, context))
            seen.update(generated(config, access, watch.id, context.run_uuid))
            provision(machine, seen)
            if key:
                forget_key(machine, key, context)

    def _windows_password(self, watch: Watch, key: str) -> str:
        config = self.config
        own = config.ssh_private_key_file
        private_key = key or (self.context.cwd / Path(own).expanduser()).read_text()
        return windows_password(watch.id, private_key, config.windows_password_timeout, self.account, self.context)

    def _modify(self, instance_id: str) -> None:
        """What is changed while the instance is stopped, so that the AMI has it."""
        config, ec2 = self.config, self.account.ec2()
        if config.sriov_support:
            say(self.context, "Enabling Enhanced Networking (SR-IOV)...")
            with self.account.telling("Error enabling Enhanced Networking (SR-IOV): the call"):
                ec2.modify_instance_attribute(InstanceId=instance_id, SriovNetSupport={"Value": "simple"})
        if config.ena_support is not None:
            say(self.context, f"{'Enabling' if config.ena_support else 'Disabling'} Enhanced Networking (ENA)...")
            with self.account.telling("Error changing Enhanced Networking (ENA): the call"):
                ec2.modify_instance_attribute(InstanceId=instance_id, EnaSupport={"Value": config.ena_support})


def _key_faults(config: CommunicatorSettings) -> Iterator[Diagnostic]:
    """What is wrong with the keys that log in."""
    if config.ssh_keypair_name and not (config.ssh_private_key_file or config.ssh_agent_auth):
        yield Diagnostic(
            code="amazon.settings",
            what="A private_key_file must be provided when ssh_keypair_name is specified, or ssh_agent_auth.",
            why="EC2 keeps the public half only",
            next="Write ssh_private_key_file.",
        )
    if config.temporary_key_pair_type not in ("", UNKNOWN_TEXT, *_KEY_TYPES):
        yield not_one_of("temporary_key_pair_type", config.temporary_key_pair_type, _KEY_TYPES)


_KEY_TYPES = ("rsa", "ed25519")
"""What EC2 makes."""


def _needs_temporary_key(config: CommunicatorSettings) -> bool:
    """Whether nothing else is given that logs in."""
    if config.communicator == "winrm":
        # Windows encrypts its password for the key pair that it was started with.
        return not (config.winrm_password or config.ssh_keypair_name)
    given = config.ssh_keypair_name or config.ssh_private_key_file or config.ssh_password or config.ssh_agent_auth
    return config.communicator == "ssh" and not given
