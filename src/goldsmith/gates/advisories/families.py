"""How each distribution's and language's advisories are looked up: by which name, which version, in which order."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from goldsmith.gates.advisories.versions import Scheme
from goldsmith.gates.inventory.package import Distribution, Package, PackageKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """The matching rule of a family of distributions."""

    scheme: Scheme
    eco: Callable[[str], str]
    """From the release to the ecosystem of the advisories file."""
    name: Literal["source", "binary"] = "source"
    version: Literal["source", "installed"] = "source"
    modular: bool = False
    """Packages of a module are known as `name:stream::package`."""
    streams: bool = False
    """Packages of a module are known as `name:stream::package` besides their own name."""
    flavours: bool = False
    """An advisory counts for packages of its own flavour only: ksplice, fips."""
    scoped: bool = False
    """An advisory counts where its CPEs meet those of the image's repositories."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Language:
    """The matching rule of a kind of language package."""

    eco: str
    scheme: Scheme


def _named(name: str, digits: int) -> Callable[[str], str]:
    """`name` and the first numbers of a release."""
    return lambda release: f"{name} {'.'.join(release.split()[0].split('.')[:digits])}" if release.split() else name


def _alpine(release: str) -> str:
    return "alpine edge" if "edge" in release or "_alpha" in release else _named("alpine", 2)(release)


def _amazon(release: str) -> str:
    first = re.split(r"[ .]", release)[0]
    return f"amazon {first if first in ('2', '2022', '2023') else '1'}"


def _suse(release: str) -> str:
    return f"suse linux enterprise {release}"


LANGUAGES: Mapping[PackageKind, Language] = {
    "pypi": Language(eco="pypi", scheme="pep440"),
    "npm": Language(eco="npm", scheme="semver"),
    "golang": Language(eco="go", scheme="semver"),
    "cargo": Language(eco="crates.io", scheme="semver"),
    "maven": Language(eco="maven", scheme="maven"),
    "gem": Language(eco="rubygems", scheme="gem"),
}

_RED_HAT = Family(scheme="rpm", eco=lambda _: "redhat", name="binary", version="installed", modular=True, scoped=True)

FAMILIES: Mapping[str, Family] = {
    "debian": Family(scheme="dpkg", eco=_named("debian", 1)),
    "ubuntu": Family(scheme="dpkg", eco=_named("ubuntu", 2)),
    "alpine": Family(scheme="apk", eco=_alpine, version="installed"),
    "photon": Family(scheme="rpm", eco=_named("photon", 2), version="installed"),
    "azurelinux": Family(scheme="rpm", eco=_named("azurelinux", 2)),
    "amazon": Family(scheme="rpm", eco=_amazon, name="binary", version="installed"),
    "suse": Family(scheme="rpm", eco=_suse, name="binary", version="installed"),
    "opensuse-leap": Family(scheme="rpm", eco=_named("opensuse leap", 2), name="binary", version="installed"),
    "opensuse-tumbleweed": Family(scheme="rpm", eco=lambda _: "opensuse tumbleweed", name="binary", version="installed"),
    "oracle": Family(scheme="rpm", eco=_named("oracle", 1), name="binary", version="installed", streams=True, flavours=True),
    "alma": Family(scheme="rpm", eco=_named("alma", 1), name="binary", version="installed", modular=True),
    "rocky": Family(scheme="rpm", eco=_named("rocky", 1), name="binary", version="installed", modular=True),
    "redhat": _RED_HAT,
    "centos": _RED_HAT,
}
"""By the family of the distribution. Sources of the rules: each vendor's own data, and how known scanners read them."""


def family_of(distribution: Distribution) -> Family | None:
    """The rule for a distribution, None when there is none."""
    if distribution.family == "opensuse":
        return FAMILIES["opensuse-tumbleweed" if "tumbleweed" in distribution.id else "opensuse-leap"]
    return FAMILIES.get(distribution.family)


def ecosystem(distribution: Distribution) -> str:
    """What the advisories file calls this release; "" when no rule is known."""
    family = family_of(distribution)
    if family is None:
        return ""
    if distribution.family == "suse" and "micro" in distribution.id:
        return f"suse linux enterprise micro {distribution.release}"
    return family.eco(distribution.release)


def support_name(distribution: Distribution) -> str:
    """The name under which the end of a release's support is kept: as `ecosystem`, but for Red Hat by release."""
    family = family_of(distribution)
    if family is not None and family.scoped:
        return _named(distribution.family, 1)(distribution.release)
    return ecosystem(distribution)


def looked_up(package: Package, family: Family) -> tuple[str, str]:
    """The name and the version by which a distribution package is matched."""
    name = package.source_name or package.name if family.name == "source" else package.name
    version = package.source_version or package.version if family.version == "source" else package.version
    return in_stream(package, name) if family.modular else name, version


def in_stream(package: Package, name: str) -> str:
    """The name of a package of a module, `name:stream::package`; as it is when it is of none."""
    module, _, rest = package.module.partition(":")
    return f"{module}:{rest.partition(':')[0]}::{name}" if module else name


def looked_up_in_language(package: Package) -> str:
    """The name by which a language package is matched."""
    return re.sub(r"[-_.]+", "-", package.name).lower() if package.kind == "pypi" else package.name


def flavour(version: str) -> str:
    """What a build of Oracle's is made for besides the plain system: `ksplice1`, `fips`; "" for the plain one."""
    found = re.search(r"\.(ksplice\d*)\.|[._](fips)\b|_(fips)$", version)
    return next((item for item in found.groups() if item), "") if found else ""


def default_repositories(release: str) -> tuple[str, ...]:
    """The repositories of a Red Hat system that says nothing of its own."""
    major = release.split(".")[0]
    if major in ("6", "7"):
        return (f"rhel-{major}-server-rpms", f"rhel-{major}-server-extras-rpms")
    return (f"rhel-{major}-for-x86_64-baseos-rpms", f"rhel-{major}-for-x86_64-appstream-rpms")


def repository_name(content_set: str) -> str:
    """A content set as Red Hat's map knows it: `__8` says nothing, `__9_DOT_2` names a minor release and stays."""
    return re.sub(r"__\d+$", "", content_set)
