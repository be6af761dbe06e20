"""Which distribution an image is, and which release of it, from what it says of itself."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping

from goldsmith.gates.inventory.package import Distribution
from goldsmith.gates.inventory.stack import Stack
from goldsmith.hcl.diagnostics import Diagnostic, MachineError

OS_RELEASE = ("etc/os-release", "usr/lib/os-release")
LONGEST = 1 << 20
"""Bytes of a file that says what a distribution is."""

_FAMILIES: Mapping[str, str] = {
    "debian": "debian",
    "ubuntu": "ubuntu",
    "alpine": "alpine",
    "rhel": "redhat",
    "centos": "centos",
    "almalinux": "alma",
    "rocky": "rocky",
    "ol": "oracle",
    "amzn": "amazon",
    "sles": "suse",
    "sled": "suse",
    "sles_sap": "suse",
    "sle_hpc": "suse",
    "sle-micro": "suse",
    "sl-micro": "suse",
    "suse-microos": "suse",
    "opensuse": "opensuse",
    "opensuse-leap": "opensuse-leap",
    "opensuse-tumbleweed": "opensuse-tumbleweed",
    "opensuse-microos": "opensuse-tumbleweed",
    "photon": "photon",
    "azurelinux": "azurelinux",
    "mariner": "azurelinux",
}
"""`ID` of os-release to the family whose packages it has. `ID_LIKE` is never enough: who rebuilds packages has other versions
and other fixes; what is listed here installs the very packages of its family."""
_ROLLING = frozenset({"opensuse-tumbleweed"})
"""Families of which there is one release, the newest."""
_UNSUPPORTED: Mapping[str, str] = {
    "fedora": "Fedora's advisories are not among the feeds",
    "wolfi": "Wolfi's advisories are not among the feeds",
    "chainguard": "Chainguard's advisories are not among the feeds",
    "arch": "Arch Linux has no releases whose advisories could be read",
    "gentoo": "Gentoo's packages are built on the machine itself",
    "nixos": "NixOS has no package database in the image",
    "raspbian": "Raspbian rebuilds Debian's packages with versions of its own",
    "linuxmint": "Linux Mint mixes Ubuntu's packages with its own",
    "kali": "Kali follows Debian testing, which has no advisories of its own",
    "bottlerocket": "Bottlerocket has no package database in the image",
    "flatcar": "Flatcar has no package database in the image",
    "cos": "Container-Optimized OS has no package database in the image",
}
"""Known systems of which nothing can be proven, and why."""
_OLD_FILES: Mapping[str, str] = {
    "etc/oracle-release": "ol",
    "etc/centos-release": "centos",
    "etc/redhat-release": "rhel",
}
"""What systems from before os-release (of 2012) say of themselves, the most special first."""
_OLD_NAMES: Mapping[str, str] = {"CentOS": "centos", "Red Hat Enterprise Linux": "rhel", "Oracle Linux": "ol", "Amazon": "amzn"}
_REPOSITORY = re.compile(r"/(edge|v\d+\.\d+)/")


def read_distribution(stack: Stack) -> Distribution:
    """The distribution of an image.

    Raises `MachineError` with code `inventory.unknown-distribution`, or `inventory.unsupported-distribution` for one that is
    known, but of which nothing can be said.
    """
    fields = next((_fields(text) for name in OS_RELEASE if (text := _text(stack, name))), None) or _old(stack)
    id, release = fields.get("ID", ""), fields.get("VERSION_ID", "")
    if id in _UNSUPPORTED:
        raise _unsupported(id, _UNSUPPORTED[id])
    family = _FAMILIES.get(id)
    if family is None:
        raise _unknown(f'its os-release says ID="{id}"' if id else "its os-release has no ID")
    if family == "alpine":
        release = _alpine(stack, release)
    if not re.match(r"\d", release) and release != "edge" and family not in _ROLLING:
        raise _unsupported(id, f'its os-release says VERSION_ID="{release}", which is no release')
    codename, name = fields.get("VERSION_CODENAME", ""), fields.get("PRETTY_NAME", "")
    return Distribution(id=id, family=family, release=release, codename=codename, name=name)


def family_of_id(id: str) -> str:
    """The family whose packages a system with this `ID` has; the `ID` itself when it is not known."""
    return _FAMILIES.get(id, id)


def _old(stack: Stack) -> Mapping[str, str]:
    """`CentOS release 6.10 (Final)`, as fields of os-release."""
    for name, id in _OLD_FILES.items():
        found = re.match(r"(.+?) (?:Linux )?(?:\w+ )?release ([\d.]+)", _text(stack, name))
        if found is not None:
            known = next((other for start, other in _OLD_NAMES.items() if found[1].startswith(start)), id)
            return {"ID": known, "VERSION_ID": found[2], "PRETTY_NAME": _text(stack, name).strip()}
    looked = " nor ".join(f"/{name}" for name in (*OS_RELEASE, *_OLD_FILES))
    raise _unknown(f"neither {looked} is there")


def _alpine(stack: Stack, release: str) -> str:
    """The release that apk installs from, which may be newer than the one that the image began as; edge is the newest."""
    text = _text(stack, "etc/apk/repositories")
    # What has a tag is asked for by name only ("@edge https://…"): the system as a whole is not from there.
    lines = [line.strip() for line in text.splitlines() if not line.strip().startswith(("#", "@"))]
    found = {match[1].removeprefix("v") for line in lines if (match := _REPOSITORY.search(f"{line}/"))}
    if "edge" in found:
        return "edge"
    newest = max(found, key=lambda item: [int(part) for part in item.split(".")], default=release)
    return release if release == newest or release.startswith(newest + ".") else newest


def _text(stack: Stack, name: str) -> str:
    try:
        return (stack.read(name, LONGEST) or b"").decode(errors="replace")
    except OSError as error:
        raise _unknown(f'"/{name}" cannot be read: {error.strerror}') from error


def _fields(text: str) -> Mapping[str, str]:
    fields: dict[str, str] = {}
    for line in text.splitlines():
        key, separator, value = line.partition("=")
        if separator and not line.startswith("#"):
            fields[key.strip()] = _unquoted(value)
    return fields


def _unquoted(value: str) -> str:
    try:
        return "".join(shlex.split(value, comments=True))
    except ValueError:
        return value.strip()


def _unsupported(id: str, why: str) -> MachineError:
    return MachineError(
        Diagnostic(
            code="inventory.unsupported-distribution",
            what=f'nothing can be proven of an image of "{id}"',
            why=why,
            next=f"Gates know: {', '.join(sorted(_FAMILIES))}.",
        )
    )


def _unknown(why: str) -> MachineError:
    return MachineError(
        Diagnostic(
            code="inventory.unknown-distribution",
            what="the distribution of the image is not known",
            why=why,
            next=f"Gates know: {', '.join(sorted(_FAMILIES))}.",
        )
    )
