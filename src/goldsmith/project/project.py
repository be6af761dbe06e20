"""`goldsmith.hcl` read into a typed project."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from goldsmith.aws import access_faults
from goldsmith.components import find, names
from goldsmith.gates.contract import Declared, Gate
from goldsmith.hcl import Scope, functions, parse, read_source
from goldsmith.hcl.body import Block, Schema
from goldsmith.hcl.diagnostics import Diagnostic, GoldsmithError, Severity, UserError, did_you_mean
from goldsmith.hcl.native_body import NativeBody
from goldsmith.hcl.source import Range
from goldsmith.hcl.values import object_of, string
from goldsmith.project.conditions import check_conditions
from goldsmith.project.declarations import (
    DAY_S,
    ApproverConfig,
    CacheConfig,
    ChannelConfig,
    FollowerConfig,
    ImageConfig,
    InventoryConfig,
    LaunchTemplateConfig,
    RegistryConfig,
    RetentionConfig,
    SecurityConfig,
    SigningConfig,
    SsmParameterConfig,
    StoreConfig,
    WebhookConfig,
)
from goldsmith.project.state import PROJECT_FILE, State, find_project, is_fleet
from goldsmith.registry import check_store_url
from goldsmith.template import decode, settings_of

T = TypeVar("T")
TargetConfig: TypeAlias = WebhookConfig | SsmParameterConfig | LaunchTemplateConfig


@dataclass(frozen=True, kw_only=True)
class ImageDeclaration:
    """An `image` block."""

    name: str
    config: ImageConfig
    where: Range
    template: Path

    @property
    def declared(self) -> Declared:
        """What the image says that it offers."""
        return Declared(ports=self.config.ports, services=self.config.services, login=self.config.login)


@dataclass(frozen=True, kw_only=True)
class GateUse:
    """A `gate` block: the gate and its configuration."""

    name: str
    gate: type[Gate[Any]]
    config: object


@dataclass(frozen=True, kw_only=True)
class Project:
    """A project file, decoded. Paths are absolute."""

    path: Path
    images: Mapping[str, ImageDeclaration]
    gates: Mapping[str, GateUse]
    channels: Mapping[str, ChannelConfig]
    approvers: Mapping[str, ApproverConfig] = field(default_factory=dict)
    security: Mapping[str, SecurityConfig] = field(default_factory=dict)
    targets: Mapping[str, TargetConfig] = field(default_factory=dict)
    """Who hears of changes or follows channels, by block and name: `webhook.ops`."""
    retention: RetentionConfig | None = None
    """None without a block: then only rules of images and channels let anything go."""
    inventories: Mapping[str, InventoryConfig] = field(default_factory=dict)
    signing: SigningConfig = field(default_factory=SigningConfig)
    store_url: str
    """`file://` and an absolute path, or the URL of an object store."""
    mirrors: tuple[str, ...] = ()
    """URLs of the stores that every registered version is copied to."""
    remakes_disks: bool = False
    """Whether layers are stored in place of disks."""
    registry_url: str
    checkpoints: Path
    """Where signed states of the registry's log are put."""
    cache_limit_bytes: int

    @property
    def root(self) -> Path:
        """The directory of the project file."""
        return self.path.parent

    @property
    def state(self) -> State:
        """Where the project keeps what it makes."""
        return State(self.root / ".goldsmith")

    @property
    def fingerprints(self) -> Path:
        """Where the key for fingerprints of secrets is: with a store on a disk, so that who shares the store shares the key."""
        return Path(self.store_url.removeprefix("file://")) if self.store_url.startswith("file://") else self.state.root

    @property
    def has_registry(self) -> bool:
        """Whether the registry is there already; one behind a server is taken to be."""
        prefix = "sqlite:///"
        return not self.registry_url.startswith(prefix) or Path(self.registry_url.removeprefix(prefix)).exists()

    def image_of(self, template: Path) -> ImageDeclaration | None:
        """The image that a template directory or file belongs to."""
        resolved = template.resolve()
        return next((image for image in self.images.values() if image.template.resolve() == resolved), None)

    def variable_files(self, image: ImageDeclaration) -> tuple[Path, ...]:
        """The variable files that the project gives the template of an image."""
        return tuple(self.root / name for name in image.config.var_files)


def load_project(path: Path) -> Project:
    """Read a project file. Raises `UserError` with every fault in it."""
    body, faults = parse(read_source(path))
    if any(fault.severity is Severity.ERROR for fault in faults):
        raise UserError(*faults)
    return _Reader(path.resolve(), body).read()


def project_for(place: Path) -> Project | None:
    """The project that a template, or a working directory, belongs to: the nearest project file above it."""
    path = find_project(place if place.is_dir() else place.parent)
    return load_project(path) if path is not None else None


def templates_meant(template: Path, project: Project | None) -> tuple[tuple[Path, ImageDeclaration | None], ...]:
    """What the argument of a command means: all templates of a project, or one, each with the image that it makes."""
    if project is None:
        return ((template, None),)
    if is_fleet(template):
        return tuple((image.template, image) for image in project.images.values())
    return ((template, project.image_of(template)),)


def gate_faults(project: Project) -> list[Diagnostic]:
    """What is wrong with the files that gate blocks name: tests, rules, VEX documents."""
    faults: list[Diagnostic] = []
    for use in project.gates.values():
        try:
            use.gate().check_files(use.config, project.root)
        except GoldsmithError as error:
            faults += error.diagnostics
    return faults


TARGETS: Mapping[str, type[TargetConfig]] = {
    "launch_template": LaunchTemplateConfig,
    "ssm_parameter": SsmParameterConfig,
    "webhook": WebhookConfig,
}
_LABELLED = ("approver", "channel", "gate", "image", "inventory", "security", *TARGETS)
BLOCKS = tuple(sorted((*_LABELLED, "cache", "registry", "retention", "signing", "store")))


class _Reader:
    """Collects the blocks of one project file and all that is wrong with them."""

    def __init__(self, path: Path, body: NativeBody) -> None:
        self.path = path
        self.body = body
        self.faults: list[Diagnostic] = []
        root = path.parent
        self.scope = Scope({"path": object_of({"root": string(str(root))})}, functions(root, 0))

    def read(self) -> Project:
        for name, attribute in self.body.attributes.items():
            self._fault("project.unknown-argument", f'Unsupported argument "{name}"', attribute.name_range)
        for block in self.body.blocks:
            self._check_block(block)
        images = self._images()
        gates = self._gates()
        channels = self._labelled("channel", ChannelConfig)
        self._check_channels(channels, gates)
        approvers = self._labelled("approver", ApproverConfig)
        self._check_approvers(channels, approvers)
        targets = self._targets(images, channels)
        retention = self._single("retention", RetentionConfig)
        inventories = self._labelled("inventory", InventoryConfig)
        self._check_inventories(inventories)
        signing = self._single("signing", SigningConfig) or SigningConfig()
        store = self._single("store", StoreConfig) or StoreConfig()
        registry = self._single("registry", RegistryConfig) or RegistryConfig(url="sqlite:///.goldsmith/registry.db")
        self._check_disks(store)
        cache = self._single("cache", CacheConfig) or CacheConfig()
        project = Project(
            path=self.path,
            images=images,
            gates=gates,
            channels={name: config for name, (config, _) in channels.items()},
            approvers={name: config for name, (config, _) in approvers.items()},
            security={name: config for name, (config, _) in self._labelled("security", SecurityConfig).items()},
            targets=targets,
            retention=retention,
            inventories={name: config for name, (config, _) in inventories.items()},
            signing=signing,
            store_url=self._checked(lambda: self._store_url(store.url), ""),
            mirrors=tuple(self._checked(lambda url=url: self._store_url(url), "") for url in store.mirrors),
            remakes_disks=store.disks == "remake",
            registry_url=self._registry_url(registry),
            checkpoints=self.path.parent / (registry.checkpoints or ".goldsmith/checkpoints"),
            cache_limit_bytes=self._checked(lambda: size_bytes(cache.limit), 0),
        )
        own = [image.config.keep_for for image in images.values()] + [item.keep_for for item in project.channels.values()]
        general = [retention.keep_for, retention.grace, retention.disabled] if retention else []
        self._checked(lambda: [seconds(text) for text in (*general, *own) if text], [])
        if self.faults:
            raise UserError(*self.faults)
        return project

    def _fault(self, code: str, what: str, where: Range | None = None, why: str = "", next: str = "") -> None:
        self.faults.append(Diagnostic(code=code, what=what, where=where, why=why, next=next))

    def _checked(self, act: Any, otherwise: T) -> T:
        try:
            return act()  # type: ignore[no-any-return]  # the callable decides the type
        except UserError as error:
            self.faults += error.diagnostics
            return otherwise

    def _check_block(self, block: Block) -> None:
        if block.type not in BLOCKS:
            suggestion = did_you_mean(block.type, BLOCKS) or f"{PROJECT_FILE} knows: {', '.join(BLOCKS)}."
            self._fault("project.unknown-block", f'Unsupported block type "{block.type}"', block.type_range, next=suggestion)
            return
        wanted = 1 if block.type in _LABELLED else 0
        if len(block.labels) != wanted:
            self._fault(
                "project.labels",
                f'"{block.type}" takes {"one name" if wanted else "no name"}',
                block.range,
                next=f"Write {block.type} {chr(34) + 'name' + chr(34) + ' ' if wanted else ''}{{ … }}",
            )

    def _decoded(self, block: Block, config: type[T]) -> T | None:
        return self._checked(lambda: decode(config, settings_of(block, config, self.scope), None, self.path.parent), None)

    def _labelled(self, type: str, config: type[T]) -> dict[str, tuple[T, Block]]:
        found: dict[str, tuple[T, Block]] = {}
        for block in self.body.blocks_of(type):
            if len(block.labels) != 1:
                continue
            name = block.labels[0]
            if not re.fullmatch(r"[a-z0-9]([a-z0-9._-]*[a-z0-9])?", name):
                self._fault("project.name", f'"{name}" is no name for {type}', block.range, next="Use a-z, 0-9, - and _.")
            elif name in found:
                self._fault("project.duplicate", f'{type} "{name}" is declared twice', block.range)
            elif (decoded := self._decoded(block, config)) is not None:
                found[name] = (decoded, block)
        return found

    def _single(self, type: str, config: type[T]) -> T | None:
        blocks = list(self.body.blocks_of(type))
        for extra in blocks[1:]:
            self._fault("project.duplicate", f'"{type}" may stand only once', extra.range)
        return self._decoded(blocks[0], config) if blocks else None

    def _images(self) -> dict[str, ImageDeclaration]:
        images: dict[str, ImageDeclaration] = {}
        for name, (config, block) in self._labelled("image", ImageConfig).items():
            template = self.path.parent / config.template
            if not template.exists():
                nearby = [path.name for path in self.path.parent.iterdir() if path.is_dir()]
                self._fault(
                    "project.template-missing",
                    f'image "{name}" names the template "{config.template}", which does not exist',
                    _place(block, "template"),
                    why=f'It is looked up in "{self.path.parent}".',
                    next=did_you_mean(config.template, nearby),
                )
            images[name] = ImageDeclaration(name=name, config=config, where=block.range, template=template)
        return images

    def _gates(self) -> dict[str, GateUse]:
        gates: dict[str, GateUse] = {}
        for block in self.body.blocks_of("gate"):
            if len(block.labels) != 1:
                continue
            name = block.labels[0]
            gate = self._checked(lambda name=name: find("gate", name), None)
            if gate is None:
                known = names("gate")
                self._fault(
                    "project.unknown-gate",
                    f'there is no gate "{name}"',
                    block.label_ranges[0],
                    next=did_you_mean(name, known) or f"Known gates: {', '.join(known)}.",
                )
                continue
            assert issubclass(gate, Gate)
            config = self._decoded(block, gate.Config)
            if name in gates:
                self._fault("project.duplicate", f'gate "{name}" is declared twice', block.range)
            elif config is not None:
                gates[name] = GateUse(name=name, gate=gate, config=config)
        return gates

    def _check_channels(self, channels: dict[str, tuple[ChannelConfig, Block]], gates: Mapping[str, GateUse]) -> None:
        for name, (config, block) in channels.items():
            if config.after and config.after not in channels:
                where = _place(block, "after")
                suggestion = did_you_mean(config.after, channels)
                self._fault("project.unknown-channel", f'there is no channel "{config.after}"', where, next=suggestion)
            elif _runs_in_a_circle(name, channels):
                self._fault("project.channel-cycle", f'channel "{name}" comes after itself', block.range)
            for gate in config.requires:
                if gate not in gates:
                    self._fault(
                        "project.unknown-gate",
                        f'channel "{name}" requires the gate "{gate}", which the project does not have',
                        _place(block, "requires"),
                        next=did_you_mean(gate, gates) or f'Add gate "{gate}" {{}}.',
                    )
            self._checked(lambda config=config: check_conditions(config), None)

    def _check_approvers(
        self, channels: dict[str, tuple[ChannelConfig, Block]], approvers: dict[str, tuple[ApproverConfig, Block]]
    ) -> None:
        for name, (config, block) in channels.items():
            for approver in config.approvers:
                if approver not in approvers:
                    self._fault(
                        "project.unknown-approver",
                        f'channel "{name}" names the approver "{approver}", whom the project does not have',
                        _place(block, "approvers"),
                        next=did_you_mean(approver, approvers)
                        or f'Add approver "{approver}" {{ key = "keys/{approver}.pub" }}.',
                    )
            able = len(config.approvers or approvers)
            if config.approvals > able:
                self._fault(
                    "project.too-few-approvers",
                    f'channel "{name}" wants {config.approvals} approvals, and {able} may approve',
                    _place(block, "approvals"),
                    next='Add approver "NAME" { key = "keys/NAME.pub" }; goldsmith approve -new-key keys/NAME.key makes both.',
                )

    def _targets(self, images: Mapping[str, object], channels: Mapping[str, object]) -> Mapping[str, TargetConfig]:
        found: dict[str, TargetConfig] = {}
        for type, config_type in TARGETS.items():
            for name, (config, block) in self._labelled(type, config_type).items():
                found[f"{type}.{name}"] = config
                if isinstance(config, FollowerConfig):
                    self._check_follower(config, block, images, channels)
        return found

    def _check_follower(
        self, config: FollowerConfig, block: Block, images: Mapping[str, object], channels: Mapping[str, object]
    ) -> None:
        for kind, name, known in (("image", config.image, images), ("channel", config.channel, channels)):
            if name not in known:
                what = f'there is no {kind} "{name}"'
                self._fault(f"project.unknown-{kind}", what, _place(block, kind), next=did_you_mean(name, known))
        if not config.region:
            what = f'"{block.type}" names no region'
            self._fault("project.no-region", what, block.range, next="Add region: it says which AMI of a version is meant.")

    def _store_url(self, url: str) -> str:
        check_store_url(url)
        return f"file://{self.path.parent / url.removeprefix('file://')}" if url.startswith("file://") else url

    def _check_inventories(self, inventories: dict[str, tuple[InventoryConfig, Block]]) -> None:
        for name, (config, block) in inventories.items():
            if not any((config.aws, config.libvirt, config.terraform, config.feed)):
                next = 'Add one block of "aws", "libvirt", "terraform" and "feed".'
                self._fault("project.inventory", f'inventory "{name}" says nowhere to look', block.range, next=next)
            if config.libvirt is not None and not config.libvirt.uris + config.libvirt.files:
                what = f'"libvirt" of inventory "{name}" names no host'
                self._fault("project.inventory", what, block.range, next='Add "uris" or "files".')
            if config.minimum < 0 or not 0 <= config.at_least <= 1:
                what = f'"minimum" of inventory "{name}" must not be negative, and "at_least" lies between 0 and 1'
                self._fault("project.inventory", what, block.range)
            for fault in access_faults(config.aws) if config.aws else ():
                self._fault(fault.code, fault.what, block.range, fault.why, fault.next)

    def _check_disks(self, config: StoreConfig) -> None:
        if config.disks not in ("keep", "remake"):
            what = f'"{config.disks}" says nothing of how disks are stored'
            block = next(self.body.blocks_of("store"))
            self._fault("project.store-disks", what, _place(block, "disks"), next='Write disks = "keep" or "remake".')

    def _registry_url(self, config: RegistryConfig) -> str:
        if config.url.startswith("sqlite:///"):
            return f"sqlite:///{self.path.parent / config.url.removeprefix('sqlite:///')}"
        return config.url


def _place(block: Block, name: str) -> Range:
    """Where the value of an attribute stands that a block is known to have."""
    return block.body.content(Schema(attributes=(name,))).attributes[name].expression.range


def _runs_in_a_circle(name: str, channels: Mapping[str, tuple[ChannelConfig, Block]]) -> bool:
    seen: set[str] = set()
    current = name
    while current in channels and current not in seen:
        seen.add(current)
        current = channels[current][0].after
    return current == name and bool(channels[name][0].after)


_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": DAY_S}
_BYTES = {"MB": 10**6, "GB": 10**9}


def seconds(text: str) -> int:
    """Seconds of "90d", "12h", "30m" or "0s". Raises `UserError`."""
    match = re.fullmatch(r"(\d+)([smhd])", text)
    if match is None:
        raise UserError(Diagnostic(code="project.duration", what=f'"{text}" is no duration', next='Write for example "90d".'))
    return int(match[1]) * _SECONDS[match[2]]


def size_bytes(text: str) -> int:
    """Bytes of "20GB" or "500MB". Raises `UserError`."""
    match = re.fullmatch(r"(\d+)(MB|GB)", text)
    if match is None:
        raise UserError(Diagnostic(code="project.size", what=f'"{text}" is no size', next='Write for example "20GB".'))
    return int(match[1]) * _BYTES[match[2]]
