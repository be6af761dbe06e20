"""Machines of libvirt hosts, running and defined: which files their disks are made of."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

from goldsmith.hcl.diagnostics import Diagnostic, MachineError, UserError
from goldsmith.registry.engines import host_clock
from goldsmith.registry.inventory.documents import expanded
from goldsmith.registry.inventory.ids import names_in
from goldsmith.registry.inventory.reading import Known, Limits, Place, Reading, Reference, taken

_LONGEST_S = 120
_SOURCES = ("file", "dev", "name", "dir", "volume")
"""Attributes of a disk's source that name where its bytes are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LibvirtSource:
    """Hosts that `virsh` reaches, and definitions in files. Each host is a place of its own."""

    name: str
    uris: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    """Names and patterns of domain XML."""
    root: Path
    limits: Limits = field(default_factory=Limits)
    clock: Callable[[], int] = host_clock

    def read(self, known: Known) -> Iterator[Reading]:
        """One reading for each host, and one for all files."""
        for uri in self.uris:
            look = _Host(uri).references
            yield taken(Place(self.name, "libvirt", region=uri), self.limits, self.clock, look)
        if self.files:
            yield taken(Place(self.name, "libvirt", region="files"), self.limits, self.clock, self._of_files)

    def _of_files(self) -> Iterator[Reference]:
        for path in expanded(self.files, self.root):
            try:
                text = Path(path).read_text()
            except (OSError, UnicodeError) as error:
                raise UserError(_fault(f'"{path}" could not be read', str(error))) from error
            yield from _of_domain(text, path, _local_chain)


@dataclass(frozen=True, slots=True)
class _Host:
    """A libvirt host, asked read-only."""

    uri: str

    def references(self) -> Iterator[Reference]:
        """What every domain uses: a running one by its disks as they are, and by those that its next start will have."""
        chain = _local_chain if self._is_here else self._remote_chain
        for uuid in self._virsh("list", "--all", "--uuid").split():
            for options in ((), ("--inactive",)):
                text = self._virsh("dumpxml", *options, uuid)
                yield from _of_domain(text, f"domain {uuid} of {self.uri}", chain)

    @property
    def _is_here(self) -> bool:
        """Whether the host's files are this one's: an address without a host name."""
        return self.uri.partition("://")[2].startswith("/")

    def _remote_chain(self, path: str) -> Iterator[str]:
        """The backing files of a file of another host, as its storage pools know them."""
        seen = {path}
        while True:
            volume = _parsed(self._virsh("vol-dumpxml", path), path)
            path = volume.findtext("backingStore/path") or ""
            if not path or path in seen:
                return
            seen.add(path)
            yield path

    def _virsh(self, *words: str) -> str:
        program = shutil.which("virsh")
        if program is None:
            raise MachineError(_fault("virsh is not installed", "", "apt-get install --no-install-recommends libvirt-clients"))
        return _run([program, "--readonly", "--quiet", "-c", self.uri, *words])


def _of_domain(text: str, where: str, chain: Callable[[str], Iterator[str]]) -> Iterator[Reference]:
    """The files that a domain needs, the digests that its definition names, and at least itself."""
    domain = _parsed(text, where)
    if domain.tag != "domain":
        raise UserError(_fault(f"{where} is no definition of a domain", f"its first element is {domain.tag}"))
    place = domain.findtext("name") or where
    names = {item.text or "" for tag in ("kernel", "initrd", "loader") for item in domain.findall(f"os/{tag}")}
    for disk in domain.findall("devices/disk"):
        names |= set(_sources(disk))
        names |= {file for start in _open_ends(disk) for file in chain(start)}
    names |= {file for name in names if name.startswith("/") for file in (str(Path(name).resolve()),)}
    yield Reference(external_id=domain.findtext("uuid") or place, kind="domain", place=place)
    for name in names_in([*names, text]) | names - {""}:
        yield Reference(external_id=name, kind="domain", place=place)


def _sources(disk: ElementTree.Element) -> Iterator[str]:
    """Where a disk's bytes are, its backing chain and mirrors included as far as the definition tells."""
    for source in disk.iter("source"):
        for attribute in _SOURCES:
            if name := source.get(attribute):
                yield f"{source.get('pool')}/{name}" if attribute == "volume" else name


def _open_ends(disk: ElementTree.Element) -> Iterator[str]:
    """Files whose backing files the definition leaves out. An empty `backingStore` says that there is none."""
    source, driver = disk.find("source"), disk.find("driver")
    if source is None or disk.find("backingStore") is not None or (driver is not None and driver.get("type") == "raw"):
        return
    if path := source.get("file") or source.get("dev"):
        yield path


def _local_chain(path: str) -> Iterator[str]:
    """The backing files of a file of this host; one that is not there uses nothing."""
    if not os.path.lexists(path):  # a link to nowhere is something that cannot be told
        return
    program = shutil.which("qemu-img")
    if program is None:
        raise MachineError(_fault("qemu-img is not installed", "", "apt-get install --no-install-recommends qemu-utils"))
    # -U: a running machine holds a lock on it.
    told = _run([program, "info", "-U", "--backing-chain", "--output=json", path])
    try:
        yield from (str(item["filename"]) for item in json.loads(told)[1:])
    except (ValueError, KeyError, TypeError) as error:
        raise MachineError(_fault(f'qemu-img says nothing readable of "{path}"', str(error))) from error


def _parsed(text: str, where: str) -> ElementTree.Element:
    try:
        return ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise UserError(_fault(f"{where} is no XML, or was cut short", str(error))) from error


def _run(command: Sequence[str]) -> str:
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            timeout=_LONGEST_S,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "LC_ALL": "C"},
        )
    except (OSError, subprocess.TimeoutExpired, UnicodeError) as error:
        raise MachineError(_fault(f"{' '.join(command)} failed", str(error))) from error
    if done.returncode != 0:
        raise MachineError(_fault(f"{' '.join(command)} failed", done.stderr.strip()[-500:]))
    return done.stdout


def _fault(what: str, why: str, next: str = "") -> Diagnostic:
    return Diagnostic(code="inventory.libvirt", what=what, why=why, next=next)
