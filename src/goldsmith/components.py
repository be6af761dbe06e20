"""What a source, provisioner, post-processor, data source and gate is, how each declares its settings, and finding it by name.

A component is a class with a `Config`: a frozen dataclass whose fields are made by `attribute()`. One declaration gives the
decoder, the defaults, the docs, the check of files and the step's key. Components are found by entry points, built-in ones
in the same way as foreign ones; one is imported only when a template names it.
"""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, Protocol, TypeAlias, TypeVar

from goldsmith.events import Emit
from goldsmith.hcl.ast import Expression
from goldsmith.hcl.body import Stranger
from goldsmith.hcl.diagnostics import Diagnostic, GoldsmithError, UserError, did_you_mean
from goldsmith.hcl.source import Range
from goldsmith.hcl.types import DYNAMIC, Type
from goldsmith.hcl.values import Value
from goldsmith.images.lock import Pins
from goldsmith.images.sealed import DiskConfig, SealedImage
from goldsmith.machines.cancellation import Cancellation
from goldsmith.machines.journal import Journal
from goldsmith.machines.machine import Machine

if TYPE_CHECKING:
    from importlib.metadata import EntryPoints

Kind: TypeAlias = Literal["source", "provisioner", "post-processor", "data", "gate"]


# ── settings ──────────────────────────────────────────────────────────────────────────────────────────────────────────


class Duration(float):
    """Seconds, written as a Go duration in templates: "10s", "1m30s", "500ms"."""


class Period(Duration):
    """Seconds, written as whole days or as a Go duration: "30d", "48h". For times that people count in days."""


class Unevaluated:
    """An expression that the component evaluates itself, with names of its own. Two are equal when their texts are."""

    def __init__(self, expression: Expression) -> None:
        self.expression = expression

    def __str__(self) -> str:
        return self.expression.range.text

    def __repr__(self) -> str:
        return f"Unevaluated({str(self)!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Unevaluated) and str(self) == str(other)

    def __hash__(self) -> int:
        return hash(str(self))

    def __deepcopy__(self, memory: object) -> Unevaluated:
        return self


@dataclass(frozen=True, slots=True)
class AttributeDeclaration:
    """What is known of one setting besides its name, type and default."""

    doc: str
    required: bool = False
    one_of: str = ""
    """Settings that share this word exclude each other."""
    names_file: bool = False
    """The value names local files or directories: they must exist, and their content enters the step's key."""
    rendered: bool = True
    """Whether `{{ }}` in the value is rendered before the component sees it."""
    in_key: bool = True
    """Whether the value enters the step's key."""
    label: bool = False
    """The value is the label of the block: `ignore "CVE-2024-1"`."""


REQUIRED: Any = object()
"""The default of an attribute that must be given."""


def attribute(
    default: Any,
    doc: str,
    *,
    one_of: str = "",
    names_file: bool = False,
    rendered: bool = True,
    in_key: bool = True,
    label: bool = False,
) -> Any:
    """A field of a component's `Config`. The result is Any because dataclass fields are declared so."""
    declaration = AttributeDeclaration(doc, default is REQUIRED, one_of, names_file, rendered, in_key, label)
    if default is REQUIRED:
        return field(metadata={"goldsmith": declaration})
    if isinstance(default, dict):
        # Dataclasses refuse a default that could be changed in place: each instance gets its own.
        return field(default_factory=default.copy, metadata={"goldsmith": declaration})
    return field(default=default, metadata={"goldsmith": declaration})


@dataclass(frozen=True, slots=True)
class Setting:
    """One evaluated attribute and where it stands."""

    value: Value
    where: Range | None = None
    unevaluated: Expression | None = None
    """What stands there, when the component evaluates it itself; `value` is unknown then."""


@dataclass(frozen=True, slots=True)
class Settings:
    """An evaluated block: what a template says to one component. Attributes and blocks keep the order of the source."""

    attributes: Mapping[str, Setting] = field(default_factory=dict)
    blocks: tuple[tuple[str, Settings], ...] = ()
    where: Range | None = None
    """The header of the block."""
    strangers: tuple[Stranger, ...] = ()
    """Names in the block that the component does not have."""
    label: str = ""
    """The label of a block that has one."""


def not_one_of(name: str, value: str, choices: tuple[str, ...]) -> Diagnostic:
    """The fault of a setting whose value is none of a closed set."""
    return Diagnostic(
        code="source.invalid-value",
        what=f'"{value}" is no value of "{name}"',
        why=f"it is one of: {', '.join(choices)}",
        next=did_you_mean(value, choices) or f'Write "{choices[0]}".',
    )


Render: TypeAlias = Callable[[str], str]
"""Renders the `{{ }}` of a string; raises ValueError with the reason."""


# ── artifacts ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """What a source or a post-processor made. Words and ids are Packer's, because manifests and scripts read them."""

    builder_id: str
    id: str
    text: str
    """The sentence of the summary."""
    files: tuple[Path, ...] = ()
    state: Mapping[str, str] = field(default_factory=dict)
    image: SealedImage | None = None
    """The sealed disk behind the artifact, when the source made one."""

    def destroy(self, cwd: Path) -> None:
        """Remove the files; relative names are those in `cwd`. Repeating it changes nothing."""
        for path in self.files:
            (cwd / path).unlink(missing_ok=True)


# ── what a component is given ─────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class LegacyValues:
    """What only the `{{ }}` of a legacy JSON template know."""

    variables: Mapping[str, str]
    """The user variables, rendered."""
    directory: Path
    """The directory of the template, absolute: `{{template_dir}}`."""
    sensitive: frozenset[str] = frozenset()
    """The names of variables whose values are never shown."""


@dataclass(frozen=True, kw_only=True)
class Context:
    """What every component may know of the build it works in."""

    build: str
    """The full build name: `buildname.type.name`."""
    type: str
    """The source's type."""
    name: str
    """The name of the source block (Packer: PACKER_BUILD_NAME)."""
    root: Path
    """The template's directory: relative names are looked up there only where Packer does so; else from `cwd`."""
    cwd: Path
    """The directory the command was started in."""
    work: Path
    """A private directory of this run, on the host; journaled, removed at the end."""
    emit: Emit
    cancellation: Cancellation
    run_uuid: str
    """PACKER_RUN_UUID."""
    force: bool = False
    debug: bool = False
    """`-debug`: a person looks at the machine before each provisioner."""
    on_error: str = "cleanup"
    secrets: tuple[str, ...] = ()
    """Every sensitive string of the template, for scrubbing; never written anywhere."""
    generated: Mapping[str, str] = field(default_factory=dict)
    """`build.*` values of this run."""
    clock_s: int = 0
    """The one time of this run: seconds since 1970."""
    ask: Callable[[str], str] | None = None
    """Asks the person at the terminal and returns the answer; None when there is no one."""
    image: str = ""
    """The image of the project that is built, or empty outside of a project."""
    pins: Pins | None = None
    """The lock of what is built; None when nothing keeps one."""
    legacy: LegacyValues | None = None
    """None in a template in HCL."""
    cache: Path = Path("/nonexistent")
    """The directory that all projects of this host share: downloaded packages, indexes, layers."""
    journal: Journal = field(default_factory=lambda: Journal(Path("/nonexistent")))
    """Where everything that must be released is written down before it is taken."""
    logs: Path = Path("/nonexistent")
    """The directory in which logs of what failed are kept for a person."""

    def leaves(self, error: BaseException | None) -> bool:
        """Whether `-on-error` wants what a build holds left as it is after `error`; what was cancelled is always cleaned up."""
        if not isinstance(error, GoldsmithError | OSError):
            return False
        return getattr(error, "leave", False) or self.on_error in ("abort", "run-cleanup-provisioner")


C = TypeVar("C")


class Component(ABC, Generic[C]):
    """Base of all components. One instance is made per use and used by one thread."""

    Config: ClassVar[type[Any]]
    """A frozen dataclass of `attribute()` fields."""

    def check(self, config: C, context: Context) -> None:
        """Examine a configuration without doing anything (`validate`). Raises `UserError` with all faults."""


# ── sources ───────────────────────────────────────────────────────────────────────────────────────────────────────────


class MakeTree(Protocol):
    """Fills an empty directory with a tree. What is said goes to `emit`; without one, to the context of the source."""

    def __call__(self, tree: Path, emit: Emit | None = None, /) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseStep:
    """The step that makes the lowest own layer of a layered source."""

    name: str
    inputs: Mapping[str, object]
    """JSON-like data that, with the configuration, decides the content: resolved packages, digests, tool versions."""
    make: MakeTree


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """Where the provisioners of a layered source begin."""

    layers: tuple[str, ...] = ()
    """Digests of existing layers, lowest first; each is in the layer store."""
    parent: str | None = None
    """Version digest of the parent."""
    step: BaseStep | None = None
    """What makes the first own layer; None when the parent's layers are all there is."""
    lock_digest: str = ""
    epoch: int = 0
    """The time stamp that sealing clamps to: the newest time of what the archive delivered."""
    materials: tuple[Mapping[str, object], ...] = ()
    """resolvedDependencies of the provenance: {uri, digest: {sha256}}."""
    packages_cache: Path | None = None
    """Downloaded packages for reuse. A sandbox shows them as the package manager's archive, below an overlay: what a step
    adds there is thrown away with it, unless `keep_packages` takes it."""
    lists_cache: Path | None = None
    """The package manager's lists, shown likewise."""
    keep_packages: Callable[[Path], None] | None = None
    """Takes over what a step downloaded (a directory of packages) after checking it against the signed lists."""
    keyring: Path | None = None
    """The archive keys that the source trusted."""
    lists_now: Callable[[], Path] | None = None
    """Fetches the archive's signed indexes of today, for the gate that looks for newer packages; the lock stays as it is."""
    lists_before: Callable[[], Sequence[Path]] | None = None
    """The signed indexes of other days that this host still has: they tell since when an update is offered."""
    offered: Callable[[Path, Sequence[str]], Mapping[str, Path]] | None = None
    """Packages of the archive by their SHA-256 in the signed indexes of a directory: their changelogs tell what they fix."""


class ImageLookup(Protocol):
    """How the `image` source finds a parent; the project gives it."""

    def find(self, image: str, *, channel: str, version: str, digest: str) -> Base:
        """The base to build on. Raises `UserError` when there is no such image, version or channel."""


class LayeredSource(Component[C]):
    """A source whose builds are made of layers in a sandbox and sealed into a disk."""

    boots_from_disk: ClassVar[bool] = False
    """Whether a machine runs from the very disk that is delivered: its free blocks are then searched for secrets too."""

    @abstractmethod
    def base(self, config: C, context: Context, images: ImageLookup) -> Base:
        """Resolve where the build starts. May use the network; must be quick when nothing changed."""

    def parent_image(self, config: C) -> str | None:
        """The image of the project that must be built before this one, or None."""
        return None

    @abstractmethod
    def disk(self, config: C) -> DiskConfig:
        """How the sealed disk is to look."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineBase:
    """What a machine is before the first provisioner."""

    inputs: Mapping[str, object]
    """JSON-like data that decides it: settings, digests of what it starts from, versions of the tools."""
    files: tuple[Path, ...] = ()
    """Files and directories whose content decides it as well."""
    below: tuple[Path, ...] = ()
    """Files that kept states lie on: without them, or when they have changed, a state is of no use."""
    generated: Mapping[str, str] = field(default_factory=dict)
    """The `build.*` values that are the same in each run."""
    materials: tuple[Mapping[str, object], ...] = ()
    """resolvedDependencies of the provenance: {uri, digest: {sha256}}."""
    firmware: Literal["bios", "uefi"] = "bios"
    """What starts the machine."""
    digest: str = ""
    """`sha256:<hex>` of what it starts from."""
    keeps_nothing: str = ""
    """Why states of this machine cannot be kept; empty when they can."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MachinePlace:
    """What a machine is given besides its settings."""

    journal: Journal
    logs: Path
    """Where the screen and the console of a machine that fails are kept."""
    state: Path | None = None
    """A kept state to go on from; None to start from the beginning."""


class RunningMachine(Protocol):
    """A machine that runs, and whose state can be kept."""

    @property
    def machine(self) -> Machine:
        """Where provisioners act."""

    @property
    def generated(self) -> Mapping[str, str]:
        """The `build.*` values of this run."""

    def keep(self, directory: Path) -> None:
        """Keep the state of this moment in an empty directory of the same file system as the cache.

        The machine pauses meanwhile, and goes on. Raises `MachineError` when it cannot be kept; the build goes on then.
        """

    def export(self, directory: Path) -> Mapping[str, Path]:
        """Turn the machine off and write its disks into an empty directory; returns them by what they are.

        `qcow2` or `raw` is the disk that it boots from. Raises `MachineError` when it does not turn off.
        """


class MachineSource(Component[C]):
    """A source that runs a machine whose state after each step is kept: a later build goes on from the newest that fits."""

    @abstractmethod
    def base(self, config: C, context: Context) -> MachineBase:
        """Get what the machine starts from. May use the network; must be quick when nothing changed."""

    @abstractmethod
    def machine(
        self, config: C, context: Context, base: MachineBase, place: MachinePlace
    ) -> AbstractContextManager[RunningMachine]:
        """The running machine; everything of it is released with the block."""

    @abstractmethod
    def export_inputs(self, config: C, context: Context) -> Mapping[str, object]:
        """JSON-like data that decides, with the state of the machine, what `export` writes."""

    @abstractmethod
    def deliver(self, config: C, context: Context, files: Mapping[str, Path]) -> Artifact:
        """Put what `export` wrote where the template wants it. What is there already, and the same, is left alone."""

    @abstractmethod
    def check_place(self, config: C, context: Context, files: Mapping[str, Path]) -> None:
        """Raise `UserError` when the place of the result is taken by something else than `files`, and may not be."""


class DirectSource(Component[C]):
    """A source that runs from start to end each time: nothing of it is cached."""

    @abstractmethod
    def run(self, config: C, context: Context, provision: Callable[[Machine, Mapping[str, str]], None]) -> Artifact:
        """Make the artifact. `provision(machine, generated)` runs the provisioners once the machine is there."""

    def generated_names(self) -> tuple[str, ...]:
        """The `build.*` names that this source adds."""
        return ()


# ── provisioners ──────────────────────────────────────────────────────────────────────────────────────────────────────


class Provisioner(Component[C]):
    """A step that changes a machine."""

    cacheable: ClassVar[bool] = True
    """Whether the result may be kept as a layer. False: runs every time."""
    acts_on_machine: ClassVar[bool] = True
    """False: acts on the host only and gets a `local` machine; what it leaves on the host reaches later steps as input."""

    @abstractmethod
    def run(self, config: C, machine: Machine, context: Context) -> None:
        """Act. Raises `MachineError` or `UserError` on failure."""

    def inputs(self, config: C, context: Context) -> Mapping[str, object]:
        """Further JSON-like inputs of the step's key, beyond the configuration and the files that it names."""
        return {}

    def files(self, config: C, context: Context) -> Sequence[Path]:
        """Further files and directories whose content enters the key, beyond attributes with `names_file`."""
        return ()

    def materials(self, config: C, context: Context) -> Sequence[Mapping[str, object]]:
        """What the provenance of an image tells of this step besides its key: {uri, digest: {sha256}, annotations}."""
        return ()

    def tools(self, config: C, context: Context) -> AbstractContextManager[Mapping[str, Path]] | None:
        """Directories of the host to show in a sandbox, read-only, as {path in the machine: host path}; None for none."""
        return None


# ── post-processors and data sources ──────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class Processed:
    """What a post-processor returns."""

    artifact: Artifact | None
    """None ends the chain silently."""
    keep_input: bool
    """Whether the input artifact is kept when the user says nothing."""
    must_keep: bool = False
    """The user's `keep_input_artifact = false` is ignored."""


class PostProcessor(Component[C]):
    """A step that turns one artifact into another."""

    @abstractmethod
    def process(self, config: C, artifact: Artifact, context: Context) -> Processed:
        """Act on the artifact."""


class DataSource(Component[C]):
    """A block that reads something from outside while a template is prepared."""

    outputs: ClassVar[Type] = DYNAMIC
    """The type of what `read` returns: all that is known of it when a template is only checked."""

    @abstractmethod
    def read(self, config: C, context: Context) -> Value:
        """The object that the template sees as data.TYPE.NAME."""


# ── finding ───────────────────────────────────────────────────────────────────────────────────────────────────────────

_GROUPS: Mapping[Kind, str] = {
    "source": "goldsmith.sources",
    "provisioner": "goldsmith.provisioners",
    "post-processor": "goldsmith.postprocessors",
    "data": "goldsmith.datasources",
    "gate": "goldsmith.gates",
}


def names(kind: Kind) -> tuple[str, ...]:
    """The names of all components of a kind, sorted; none is imported."""
    return tuple(sorted({point.name for point in _installed(tuple(sys.path), _GROUPS[kind])}))


def find(kind: Kind, name: str) -> type[Component[Any]] | None:
    """The class of a component, or None when nothing of that name is installed.

    Raises `UserError` with code `component.broken` naming the package when the component cannot be imported.
    """
    for point in _installed(tuple(sys.path), _GROUPS[kind]).select(name=name):
        try:
            loaded = point.load()
        except ImportError as error:
            package = point.dist.name if point.dist else "unknown"
            raise UserError(
                Diagnostic(
                    code="component.broken",
                    what=f'{kind} "{name}" of the package {package} cannot be loaded',
                    why=str(error),
                    next=f"Install or remove the package {package}.",
                )
            ) from error
        assert isinstance(loaded, type) and issubclass(loaded, Component)
        return loaded
    return None


@cache
def _installed(path: tuple[str, ...], group: str) -> EntryPoints:
    """Of all packages on `path`: reading them takes 6 ms, and a project asks for many components."""
    from importlib.metadata import entry_points

    return entry_points(group=group)


def declarations(config: type[Any]) -> Iterator[tuple[str, AttributeDeclaration]]:
    """The declared settings of a `Config`, in order."""
    from dataclasses import fields

    for item in fields(config):
        yield item.name, item.metadata["goldsmith"]
