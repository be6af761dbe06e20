"""Source `bootstrap`: a Debian or Ubuntu root file system from the packages of its archive."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Literal

from goldsmith.components import REQUIRED, Base, BaseStep, Context, ImageLookup, LayeredSource, attribute, not_one_of
from goldsmith.events import Emit, Output, Warned
from goldsmith.hcl.diagnostics import Diagnostic, GoldsmithError, UserError
from goldsmith.images.boot import LOADERS_FOR, no_loader
from goldsmith.images.lock import ImageLock
from goldsmith.images.sealed import DiskConfig
from goldsmith.packer_templates import UNKNOWN_TEXT
from goldsmith.sources.archive import (
    ARCHITECTURES,
    KEYRINGS,
    RELEASES,
    ArchiveRequest,
    host_architecture,
    keyring,
    require_runnable,
    runtime_sources,
    suites,
)
from goldsmith.sources.disk import DiskSettings
from goldsmith.sources.resolution import Archive, PackageRequest
from goldsmith.sources.rootfs import EMULATOR, RootfsRequest, make_rootfs, reads_zstd, tool_versions


@dataclass(frozen=True, slots=True, kw_only=True)
class BootstrapConfig(DiskSettings):
    """Attributes of a `source "bootstrap"` block."""

    distribution: str = attribute("debian", 'The distribution: "debian" or "ubuntu".')
    release: str = attribute(REQUIRED, "The release's code name, such as bookworm or noble.")
    mirrors: tuple[str, ...] = attribute((), "Archives to use, the first that answers; default: the distribution's own.")
    security: bool = attribute(True, "Whether the release's security suite is used.")
    security_mirror: str = attribute("", "The archive of the security suite; default: the distribution's own.")
    components: tuple[str, ...] = attribute((), "Parts of the archive; default: main, and universe on Ubuntu.")
    suites: tuple[str, ...] = attribute((), "The exact suites, in place of the release, its updates and security fixes.")
    snapshot: str = attribute("", "The archive as it was at a time, such as 20260301T000000Z, from the snapshot service.")
    packages: tuple[str, ...] = attribute((), "Packages to install besides the essential ones.")
    architecture: str = attribute("", "The architecture, such as amd64; default: this host's.")
    variant: str = attribute("minbase", 'What is always installed. Only "minbase": essential and required packages and apt.')
    keyring: str = attribute("", "A file of archive keys; default: the distribution's own.")


_IN_MAIN_ARCHIVE = ("amd64", "i386")
"""What archive.ubuntu.com serves; the other architectures are at ports.ubuntu.com."""


class Bootstrap(LayeredSource[BootstrapConfig]):
    """Builds that start from packages of an archive."""

    Config: ClassVar[type[BootstrapConfig]] = BootstrapConfig

    def check(self, config: BootstrapConfig, context: Context) -> None:
        """Find every fault that shows without network."""
        faults = [*_faults(config), *config.faults()]
        if faults:
            raise UserError(*faults)

    def base(self, config: BootstrapConfig, context: Context, images: ImageLookup) -> Base:
        """The locked packages; without a lock that fits, what the archive offers now."""
        self.check(config, context)
        request = _request(config, context)
        require_runnable(request.architecture)
        archive = Archive(request, context)
        lock = _lock(archive, context)
        lists = _lists(archive, lock, context)
        return Base(
            step=_step(config, lock, archive, context),
            lock_digest=lock.digest,
            epoch=lock.epoch,
            materials=_materials(lock),
            packages_cache=archive.packages.view,
            lists_cache=lists,
            keep_packages=(lambda directory: _keep(archive, lists, directory)) if lists else None,
            keyring=request.keyring,
            lists_now=archive.lists_of_today,
            lists_before=archive.earlier_lists,
            offered=archive.offered,
        )

    def disk(self, config: BootstrapConfig) -> DiskConfig:
        """How the sealed disk is to look."""
        return config.disk()


def resolve(config: BootstrapConfig, context: Context) -> ImageLock:
    """What the archive offers now for a configuration, whatever is locked: `goldsmith lock -upgrade`."""
    Bootstrap().check(config, context)
    return Archive(_request(config, context), context).resolve()


def _faults(config: BootstrapConfig) -> list[Diagnostic]:
    faults = []
    if config.distribution not in RELEASES:
        faults.append(not_one_of("distribution", config.distribution, tuple(RELEASES)))
    known = _known_architectures(config)
    if config.architecture not in ("", UNKNOWN_TEXT, *known):
        faults.append(not_one_of("architecture", config.architecture, known))
    if config.variant != "minbase":
        faults.append(not_one_of("variant", config.variant, ("minbase",)))
    for name, values, pattern, example in (
        ("release", (config.release, *config.suites), r"[a-z0-9][a-z0-9./-]*", "bookworm"),
        ("packages", config.packages, r"[a-z0-9][a-z0-9+.-]+(=[A-Za-z0-9.+:~-]+|/[a-z0-9-]+)?", "openssh-server"),
        ("components", config.components, r"[a-z0-9][a-z0-9./-]*", "main"),
        ("hostname", (config.hostname,), r"[A-Za-z0-9]([A-Za-z0-9.-]{0,62}[A-Za-z0-9])?", "golden"),
        ("snapshot", (config.snapshot,) if config.snapshot else (), r"\d{8}T\d{6}Z", "20260301T000000Z"),
        ("mirrors", (*config.mirrors, *filter(None, [config.security_mirror])), r"(https?|file|copy)://?[^\s\[\]]+", "an URL"),
    ):
        given = (value for value in values if value != UNKNOWN_TEXT)
        faults += [_malformed(name, value, example) for value in given if not re.fullmatch(pattern, value)]
    return [*faults, *_contradictions(config)]


def _contradictions(config: BootstrapConfig) -> list[Diagnostic]:
    """Values that are right by themselves and cannot go together."""
    faults = []
    architecture = config.architecture or host_architecture()
    others = [name for name, releases in RELEASES.items() if config.release in releases]
    if others and config.distribution in RELEASES and config.distribution not in others:
        faults.append(
            Diagnostic(
                code="bootstrap.other-distribution",
                what=f'"{config.release}" is no release of {config.distribution}',
                why=f"it is one of {others[0]}",
                next=f'Write distribution = "{others[0]}".',
            )
        )
    if config.snapshot and (config.mirrors or config.security_mirror):
        name = "mirrors" if config.mirrors else "security_mirror"
        faults.append(
            Diagnostic(
                code="bootstrap.snapshot-and-mirrors",
                what=f'"snapshot" and "{name}" exclude each other',
                why="a snapshot is served by the snapshot service only",
                next="Remove one of them.",
            )
        )
    if config.snapshot and _is_port(config):
        faults.append(
            Diagnostic(
                code="bootstrap.snapshot-of-ports",
                what=f"there is no snapshot of Ubuntu for {architecture}",
                why="this release knows Ubuntu's snapshot service for amd64 only",
                next='Remove "snapshot": the lock file pins the packages as well.',
            )
        )
    if config.boot == "hybrid" and architecture != LOADERS_FOR and architecture in _known_architectures(config):
        faults.append(no_loader(architecture))
    return faults


def _known_architectures(config: BootstrapConfig) -> tuple[str, ...]:
    return ARCHITECTURES.get(config.distribution, ARCHITECTURES["debian"])


def _is_port(config: BootstrapConfig) -> bool:
    architecture = config.architecture or host_architecture()
    return config.distribution == "ubuntu" and architecture not in (*_IN_MAIN_ARCHIVE, UNKNOWN_TEXT)


def _malformed(name: str, value: str, example: str) -> Diagnostic:
    return Diagnostic(
        code="source.invalid-value",
        what=f'"{value}" in "{name}" is malformed',
        why=f"a value looks like: {example}",
        next="Correct the value.",
    )


def _request(config: BootstrapConfig, context: Context) -> PackageRequest:
    distribution: Literal["debian", "ubuntu"] = "ubuntu" if config.distribution == "ubuntu" else "debian"
    return PackageRequest(
        archive=ArchiveRequest(
            distribution=distribution,
            release=config.release,
            mirrors=config.mirrors,
            security_mirror=config.security_mirror,
            security=config.security,
            components=config.components,
            suites=config.suites,
            snapshot=config.snapshot,
            ports=_is_port(config),
        ),
        packages=config.packages,
        architecture=config.architecture or host_architecture(),
        keyring=keyring(distribution, config.keyring, context.cwd),
    )


def _lock(archive: Archive, context: Context) -> ImageLock:
    pins = context.pins
    lock = pins.lock if pins else None
    if lock is not None and lock.request == archive.request.digest:
        return lock
    if pins is not None and pins.must_hold:
        raise UserError(_no_lock(lock is not None, context))
    made = archive.resolve()
    if pins is not None:
        pins.note(made)
    reason = "the template asks for something else than the lock" if lock else "nothing was locked"
    text = f"Resolved {len(made.packages)} packages from the archive: {reason}"
    context.emit(Output(build=context.build, text=text))
    return made


def _no_lock(outdated: bool, context: Context) -> Diagnostic:
    name = context.image or context.build
    if outdated:
        return Diagnostic(
            code="lock.outdated",
            what=f'the lock of "{name}" is for another request',
            why="release, mirrors, components, packages or architecture changed in the template since it was written",
            next="Move the lock on purpose: goldsmith lock -upgrade",
        )
    return Diagnostic(
        code="lock.missing",
        what=f'nothing is locked for "{name}"',
        why="-locked lets no build resolve packages",
        next="Write the lock first: goldsmith lock",
    )


def _lists(archive: Archive, lock: ImageLock, context: Context) -> Path | None:
    """The indexes that the lock was made from; on a host that never had them, the newest that can be had."""
    path = archive.indexes.path(lock.suites)
    if path.is_dir():
        return path
    newest = archive.indexes.newest()
    if newest is not None:
        return newest
    try:
        return archive.refresh()[0]
    except GoldsmithError as error:
        context.emit(
            Warned(
                build=context.build,
                text=f"The archive's indexes are not here and cannot be fetched: {error.diagnostics[0].what}",
                next="Steps that install packages must run apt-get update themselves.",
            )
        )
        return None


def _step(config: BootstrapConfig, lock: ImageLock, archive: Archive, context: Context) -> BaseStep:
    request = archive.request
    signed_by, own_keys = _keys(config, request)
    sources = runtime_sources(suites(request.archive)[0], signed_by, past=bool(config.snapshot))

    def make(tree: Path, emit: Emit | None = None, /) -> None:
        archive.fetch(lock.packages)
        prepared = archive.packages.prepare(lock.packages, fast=reads_zstd(lock.packages, config.distribution))
        rootfs = RootfsRequest(
            packages=lock.packages,
            prepared=prepared,
            wanted=tuple(re.split("[=/]", name)[0] for name in config.packages),
            architecture=request.architecture,
            epoch=lock.epoch,
            sources=sources,
            sources_name=config.distribution,
            keyring=own_keys,
        )
        make_rootfs(rootfs, tree, replace(context, emit=emit or context.emit))

    return BaseStep(
        name="archive packages",
        inputs={
            "request": lock.request,
            "packages": [f"{package.name} {package.version} {package.sha256}" for package in lock.packages],
            "sources": sources,
            "tools": _tools(request.architecture),
            "architecture": request.architecture,
        },
        make=make,
    )


def _tools(architecture: str) -> dict[str, str]:
    """The programs that act: for another architecture the emulator as well."""
    own = architecture == host_architecture()
    return {name: version for name, version in tool_versions().items() if name != EMULATOR or not own}


def _keys(config: BootstrapConfig, request: PackageRequest) -> tuple[str, Path | None]:
    """Where the image finds the archive's keys, and the file to put there unless a package brings it."""
    if not config.keyring:
        return KEYRINGS[config.distribution][0], None
    return f"/etc/apt/keyrings/{config.distribution}{request.keyring.suffix}", request.keyring


def _materials(lock: ImageLock) -> tuple[dict[str, object], ...]:
    taken = [(f"{item.url}/dists/{item.suite}/InRelease", item.sha256) for item in lock.suites]
    taken += [(item.url, item.sha256) for item in lock.packages]
    return tuple({"uri": uri, "digest": {"sha256": sha256}} for uri, sha256 in taken)


def _keep(archive: Archive, lists: Path, directory: Path) -> None:
    archive.packages.keep(directory, lists)
