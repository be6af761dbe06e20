"""Package archives: which suites an image takes packages from, where they are reached and what the image is told of them."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from goldsmith.hcl.diagnostics import Diagnostic, MachineError, UserError

Distribution: TypeAlias = Literal["debian", "ubuntu"]

RELEASES: Mapping[str, tuple[str, ...]] = {
    "debian": ("bullseye", "bookworm", "trixie", "forky", "sid", "oldstable", "stable", "testing", "unstable"),
    "ubuntu": ("focal", "jammy", "noble", "plucky", "questing", "devel"),
}
"""Releases that a misspelt name is compared with; any other is tried as well."""

KEYRINGS: Mapping[str, tuple[str, str]] = {
    "debian": ("/usr/share/keyrings/debian-archive-keyring.gpg", "debian-archive-keyring"),
    "ubuntu": ("/usr/share/keyrings/ubuntu-archive-keyring.gpg", "ubuntu-keyring"),
}
"""The archive keys of each distribution, and the package that has them."""

ARCHITECTURES: Mapping[str, tuple[str, ...]] = {
    "debian": ("amd64", "arm64", "armel", "armhf", "i386", "mips64el", "ppc64el", "riscv64", "s390x"),
    "ubuntu": ("amd64", "arm64", "armhf", "ppc64el", "riscv64", "s390x"),
}
"""The architectures that a distribution makes whole systems for."""

_PUBLIC: Mapping[str, tuple[str, str]] = {
    "debian": ("http://deb.debian.org/debian", "http://deb.debian.org/debian-security"),
    "ubuntu": ("http://archive.ubuntu.com/ubuntu", "http://security.ubuntu.com/ubuntu"),
    "ubuntu-ports": ("http://ports.ubuntu.com/ubuntu-ports", "http://ports.ubuntu.com/ubuntu-ports"),
}
_SNAPSHOTS: Mapping[str, tuple[str, str]] = {
    "debian": (
        "http://snapshot.debian.org/archive/debian/{}",
        "http://snapshot.debian.org/archive/debian-security/{}",
    ),
    "ubuntu": ("http://snapshot.ubuntu.com/ubuntu/{}", "http://snapshot.ubuntu.com/ubuntu/{}"),
}
_MACHINES: Mapping[str, tuple[str, str]] = {
    "x86_64": ("amd64", "x86_64"),
    "aarch64": ("arm64", "aarch64"),
    "armv7l": ("armhf", "arm"),
    "ppc64le": ("ppc64el", "ppc64le"),
    "riscv64": ("riscv64", "riscv64"),
    "s390x": ("s390x", "s390x"),
    "i686": ("i386", "i386"),
}
"""Machine names of the kernel: Debian's word for each and that of its qemu-user."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveSuite:
    """A suite of an archive. What is recorded is the address that everyone may know; a build may reach it elsewhere."""

    recorded: str
    """The address in the lock, in the image's own sources and in the provenance."""
    reached: str
    """Where this host fetches it: the same, or a mirror of its own."""
    suite: str
    components: tuple[str, ...]

    def sources_line(self, keyring: Path, architecture: str, *, past: bool) -> str:
        """A line for the package manager of this host. A `past` archive is a snapshot: its validity has ended by nature."""
        options = [f"arch={architecture}", f"signed-by={keyring}"] + (["check-valid-until=no"] if past else [])
        return f"deb [{' '.join(options)}] {fetchable(self.reached)} {self.suite} {' '.join(self.components)}\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveRequest:
    """Which suites are wanted. `mirrors` and `snapshot` are what a template declares; empty means the usual."""

    distribution: Distribution
    release: str
    mirrors: tuple[str, ...] = ()
    security_mirror: str = ""
    security: bool = True
    components: tuple[str, ...] = ()
    suites: tuple[str, ...] = ()
    """The exact suites, or empty: the release, its updates and its security fixes."""
    snapshot: str = ""
    ports: bool = False
    """Whether the architecture is served by Ubuntu's archive of ports."""

    @property
    def archive_name(self) -> str:
        """The distribution's word for the archive, as in the path of its mirrors."""
        return "ubuntu-ports" if self.ports else self.distribution


def suites(request: ArchiveRequest, host_sources: Path = Path("/etc/apt")) -> tuple[tuple[ArchiveSuite, ...], ...]:
    """The suites of a request, once for each mirror to try, in order.

    The first declared mirror is recorded, each is reached. Without one, the public archive is recorded, and it is reached by
    GOLDSMITH_MIRROR_DEBIAN (or _UBUNTU, _UBUNTU_PORTS; with _SECURITY behind it for the security archive), else by what the
    host's own package manager uses for the distribution, else directly.
    """
    if request.snapshot:
        main, security = (text.format(request.snapshot) for text in _SNAPSHOTS[request.distribution])
        return (_of_mirror(request, (main, main), (security, security)),)
    public_main, public_security = _PUBLIC[request.archive_name]
    recorded_security = request.security_mirror or (
        request.mirrors[0] if request.mirrors and request.distribution == "ubuntu" else public_security
    )
    own = _mirrors_of_host(request, host_sources)
    reached_security = (
        recorded_security if request.security_mirror or recorded_security != public_security else own[1] or public_security
    )
    pairs = [(request.mirrors[0], mirror) for mirror in request.mirrors] or [(public_main, own[0] or public_main)]
    return tuple(_of_mirror(request, pair, (recorded_security, reached_security)) for pair in pairs)


def keyring(distribution: Distribution, declared: str, base: Path) -> Path:
    """The file of archive keys. Raises `UserError` with code `archive.keyring-missing` when there is none."""
    usual, package = KEYRINGS[distribution]
    path = base / declared if declared else Path(usual)
    if path.is_file():
        return path.resolve()
    raise UserError(
        Diagnostic(
            code="archive.keyring-missing",
            what=f'the archive keys "{path}" do not exist',
            why=f"packages of {distribution} are accepted only when its archive signed them",
            next="Check the name." if declared else f"apt-get install --no-install-recommends {package}",
        )
    )


def host_architecture() -> str:
    """The distribution's word for this host's processor."""
    machine = platform.machine()
    return _MACHINES.get(machine, (machine, machine))[0]


def require_runnable(architecture: str, binfmt: Path = Path("/proc/sys/fs/binfmt_misc")) -> None:
    """Raise `MachineError` when programs of an architecture cannot run here, not even through qemu-user."""
    if architecture == host_architecture():
        return
    emulator = dict(_MACHINES.values()).get(architecture)
    found = _registration(binfmt / f"qemu-{emulator}") if emulator else ""
    # Without F the kernel looks for the emulator inside the image, where it is not.
    if found.startswith("enabled") and re.search(r"(?m)^flags: \w*F", found):
        return
    reason = (
        f"qemu-user is registered for {architecture} without the flag F"
        if found
        else f"no qemu-user is registered for {architecture}"
    )
    raise MachineError(
        Diagnostic(
            code="archive.foreign-architecture",
            what=f"an image for {architecture} cannot be made on this {host_architecture()} host",
            why=f"the packages' own scripts must run, and {reason} in {binfmt}",
            next="apt-get install --no-install-recommends qemu-user-static binfmt-support",
        )
    )


def fetchable(url: str) -> str:
    """The address as the package manager copies it: `file:` would be used in place, out of our hands."""
    return "copy:" + url.removeprefix("file:").removeprefix("//") if url.startswith("file:") else url


def translated(url: str, chosen: Iterable[ArchiveSuite], *, to_recorded: bool) -> str:
    """A package's address moved from where it is reached to what is recorded, or back."""
    for item in chosen:
        reached, recorded = fetchable(item.reached).rstrip("/"), item.recorded.rstrip("/")
        old, new = (reached, recorded) if to_recorded else (recorded, reached)
        if url.startswith(old + "/"):
            return new + url.removeprefix(old)
    return url


def runtime_sources(chosen: Sequence[ArchiveSuite], signed_by: str, *, past: bool) -> str:
    """What the finished image's package manager uses, in deb822 form."""
    stanzas: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for item in chosen:
        stanzas.setdefault((item.recorded, item.components), []).append(item.suite)
    validity = "Check-Valid-Until: no\n" if past else ""
    return "\n".join(
        f"Types: deb\nURIs: {url}\nSuites: {' '.join(names)}\nComponents: {' '.join(components)}\n"
        f"{validity}Signed-By: {signed_by}\n"
        for (url, components), names in stanzas.items()
    )


def _of_mirror(request: ArchiveRequest, main: tuple[str, str], security: tuple[str, str]) -> tuple[ArchiveSuite, ...]:
    components = request.components or (("main",) if request.distribution == "debian" else ("main", "universe"))
    names = request.suites or _usual_suites(request)
    return tuple(
        ArchiveSuite(recorded=recorded, reached=reached, suite=name, components=components)
        for name in names
        for recorded, reached in [security if name.endswith(("-security", "/updates")) else main]
    )


def _usual_suites(request: ArchiveRequest) -> tuple[str, ...]:
    release = request.release
    if release in ("sid", "unstable"):
        return (release,)
    security = (f"{release}-security",) if request.security else ()
    return (release, f"{release}-updates", *security)


def _mirrors_of_host(request: ArchiveRequest, directory: Path) -> tuple[str, str]:
    """The (main, security) mirrors of this host, empty where it has none."""
    name = request.archive_name
    variable = f"GOLDSMITH_MIRROR_{name.replace('-', '_').upper()}"
    main, security = os.environ.get(variable, ""), os.environ.get(f"{variable}_SECURITY", "")
    for url, suite, signed_by in _declared_on_host(directory):
        # A vendor's archive may be laid out like the distribution's; its own key tells them apart.
        is_own = re.search(rf"/{name}(-security)?(/|$)", url) is not None
        if not is_own or (signed_by and f"{request.distribution}-archive" not in signed_by):
            continue
        if "-security" in suite:
            security = security or url
        elif "-" not in suite and "-security" not in url:
            main = main or url
    return main, security


def _declared_on_host(directory: Path) -> Iterator[tuple[str, str, str]]:
    """(URL, suite, keys) of each source of the host's package manager."""
    for path in [directory / "sources.list", *sorted((directory / "sources.list.d").glob("*"))]:
        if path.suffix == ".list" and path.is_file():
            for match in re.finditer(r"(?m)^\s*deb\s+(?:\[([^]]*)\]\s*)?(\S+)\s+(\S+)", path.read_text(errors="replace")):
                signed_by = re.search(r"signed-by=(\S+)", match[1] or "")
                yield match[2].rstrip("/"), match[3], signed_by[1] if signed_by else ""
        elif path.suffix == ".sources" and path.is_file():
            yield from _deb822_sources(path.read_text(errors="replace"))


def _deb822_sources(text: str) -> Iterator[tuple[str, str, str]]:
    for stanza in re.split(r"\n\s*\n", text):
        fields = {name.lower(): value.strip() for name, value in re.findall(r"(?m)^([A-Za-z-]+):(.*)$", stanza)}
        if "deb" not in fields.get("types", "").split() or fields.get("enabled", "yes") == "no":
            continue
        for url in fields.get("uris", "").split():
            for suite in fields.get("suites", "").split():
                yield url.rstrip("/"), suite, fields.get("signed-by", "")


def _registration(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
