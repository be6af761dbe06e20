"""From services to packages: which are in what faces the network, which in what an enabled service runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

from goldsmith.gates.exposure.linking import Linker, Loaded
from goldsmith.gates.exposure.services import Service, enabled_services
from goldsmith.gates.inventory import Inventory, Package, Stack
from goldsmith.gates.inventory.ownership import Owner, owners_of
from goldsmith.gates.tree import Tree

_INTERPRETERS: Mapping[str, str] = {"python": "pypi", "node": "npm", "ruby": "gem", "java": "maven"}
"""Programs that run a language, to the packages that they may load."""
_PAM, _PAM_MODULES = "libpam.so", ("lib/*/security/pam_*.so", "usr/lib/*/security/pam_*.so", "lib64/security/pam_*.so")
_KERNEL = ("linux-image", "kernel", "linux-")


class Exposure(IntEnum):
    """How near a package is to an attacker. Found from files, so it misses what is loaded at run time: likely, not sure."""

    NETWORK = 1
    """In a program that listens on the network, or in a library of it."""
    SERVICE = 2
    """In an enabled service, or in a library of it."""
    INSTALLED = 3
    """Neither, as far as files tell."""
    UNKNOWN = 4
    """Not looked at. Counts as facing the network in the tiers: what is not known must not lower anything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """Where a package stands, and by which way it is reached."""

    exposure: Exposure
    way: str = ""
    """`ssh.service runs /usr/sbin/sshd, which loads /usr/lib/…/libcrypto.so.3`; empty when nothing reaches it."""


@dataclass(frozen=True, slots=True)
class _Way:
    exposure: Exposure
    service: str
    program: str
    path: str

    @property
    def told(self) -> str:
        loads = f", which loads /{self.path}" if self.path != self.program else ""
        return f"{self.service} runs /{self.program}{loads}"


def exposures(root: Path, inventory: Inventory) -> Mapping[Package, Reached]:
    """Each package of a tree with its exposure. Without units of systemd nothing is known of any, and none is in it."""
    tree = Tree(root)
    services = enabled_services(tree)
    if not services:
        return {}
    ways = _ways(tree, services)
    owners, _ = owners_of(Stack([root]), frozenset(ways))
    by_owner: dict[tuple[str, str], list[tuple[Owner, _Way]]] = {}
    for path, owner in owners.items():
        by_owner.setdefault((owner.kind, owner.name), []).append((owner, ways[path]))
    languages = dict(_languages(ways))
    return {package: _reached(package, by_owner, ways, languages) for package in inventory.packages}


def _reached(
    package: Package,
    by_owner: Mapping[tuple[str, str], Sequence[tuple[Owner, _Way]]],
    ways: Mapping[str, _Way],
    languages: Mapping[str, _Way],
) -> Reached:
    own = [way for owner, way in by_owner.get((package.kind, package.name), ()) if owner.is_(package)]
    if package.path in ways:
        own.append(ways[package.path])
    if package.kind in languages:
        own.append(languages[package.kind])
    if not own:
        is_kernel = package.kind == "generic" or any(package.name.startswith(name) and "image" in name for name in _KERNEL)
        if is_kernel:
            return Reached(exposure=Exposure.NETWORK, way="the kernel handles every packet")
        return Reached(exposure=Exposure.INSTALLED)
    best = min(own, key=lambda way: (way.exposure, way.service, way.path))
    return Reached(exposure=best.exposure, way=best.told)


def _ways(tree: Tree, services: Sequence[Service]) -> Mapping[str, _Way]:
    """By real path, the nearest way on which a file is loaded."""
    linker = Linker(tree)
    found: dict[str, _Way] = {}
    for service in services:
        for program in service.programs:
            loaded = linker.loaded(program)
            if not loaded:
                continue
            exposure = Exposure.NETWORK if _faces_network(service, loaded, linker) else Exposure.SERVICE
            for item in (*loaded, *_modules(tree, loaded, linker)):
                way = _Way(exposure, service.name, loaded[0].path, item.path)
                if item.path not in found or exposure < found[item.path].exposure:
                    found[item.path] = way
    return found


def _faces_network(service: Service, loaded: Sequence[Loaded], linker: Linker) -> bool:
    """systemd listens for it; or it is ordered by the network and is a program that takes connections, or a script."""
    if service.is_local:
        return False
    if service.has_socket:
        return True
    is_script = len(loaded) > 1 and loaded[1].by == loaded[0].path and not linker.is_program(loaded[0].path)
    return service.speaks_of_network and not service.is_timed and (is_script or linker.listens(loaded[0].path))


def _modules(tree: Tree, loaded: Sequence[Loaded], linker: Linker) -> Iterator[Loaded]:
    """What is loaded by name at run time, where it is known: PAM modules by whoever has libpam."""
    if any(_PAM in item.path for item in loaded):
        for pattern in _PAM_MODULES:
            for path in tree.glob(pattern):
                yield from linker.loaded(path)


def _languages(ways: Mapping[str, _Way]) -> Iterator[tuple[str, _Way]]:
    """The nearest way to the interpreter of each language: what it may load is likely reached with it."""
    ordered = sorted(ways.items(), key=lambda item: -item[1].exposure)
    for path, way in ordered:
        name = path.rpartition("/")[2]
        for program, kind in _INTERPRETERS.items():
            if name.startswith(program) and not name.endswith((".so", ".py")):
                yield kind, way
