"""apt as a tool of this host: run with a configuration of its own, so that neither side sees the other's state."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from goldsmith.hcl.diagnostics import Diagnostic, GoldsmithError, MachineError, UserError, did_you_mean
from goldsmith.images.tools import tool
from goldsmith.machines.cancellation import Cancellation
from goldsmith.sources.archive import RELEASES, ArchiveSuite

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_HELPER = "/usr/lib/apt/apt-helper"
_QUOTED = set('\\|{}[]<>"^~_=!@#$%^&*')
"""What apt writes as %xx in the names of its lists."""


@dataclass(frozen=True, slots=True)
class Download:
    """One file to fetch: it is accepted only with this digest."""

    url: str
    target: Path
    sha256: str


class Apt:
    """apt with everything below one directory: sources, lists, an empty package database. The host's way out to the
    network (proxies, certificates, passwords) is taken over; nothing else of its configuration is."""

    def __init__(self, directory: Path, architecture: str, cancellation: Cancellation) -> None:
        self.lists = directory / "lists"
        self._directory = directory
        self._cancellation = cancellation
        for name in ("lists/partial", "archives/partial", "etc/apt.conf.d", "etc/preferences.d", "etc/sources.list.d"):
            (directory / name).mkdir(parents=True, exist_ok=True)
        (directory / "status").touch()
        configuration = directory / "apt.conf"
        if not configuration.exists():
            configuration.write_text(_configuration(directory, architecture) + self._way_out())

    def update(self, sources: str, distribution: str, release: str, snapshot: str = "") -> None:
        """Fetch the signed indexes of the sources. Raises when one is unreachable, unsigned, of another key or expired."""
        (self._directory / "etc/sources.list").write_text(sources)
        code, _, errors = self._run(["apt-get", "update", "-q", "-o", "APT::Update::Error-Mode=any"])
        # A warning is a failure as well: apt goes on with old lists where we must not.
        if code != 0 or re.search(r"(?m)^(E: |W: .*(?:GPG|Failed to fetch|not signed))", errors):
            raise index_fault(errors, distribution, release, snapshot)

    def downloads(self, packages: Sequence[str]) -> list[str]:
        """What apt would fetch to install packages on an empty system: lines of 'URL' NAME SIZE SHA256:HEX."""
        code, output, errors = self._run(["apt-get", "install", "--yes", "-q", "--print-uris", "--", *packages])
        if code != 0:
            raise _resolution_fault(errors, output, self.lists)
        return [line for line in output.splitlines() if line.startswith("'")]

    def fetch(self, downloads: Sequence[Download], watch: Callable[[], None]) -> str:
        """Fetch files, checking each digest, and return what apt complained about; `watch` is called meanwhile."""
        words = [word for item in downloads for word in (item.url, str(item.target), f"SHA256:{item.sha256}")]
        return self._run([_HELPER, "download-file", *words], watch)[2] if words else ""

    def _way_out(self) -> str:
        _, output, _ = self._run(["apt-config", "dump"], environment={})
        kept = [line for line in output.splitlines() if re.match(r"Acquire::(http|https|socks)::", line, re.IGNORECASE)]
        return "\n".join([*kept, 'Dir::Etc::netrc "/etc/apt/auth.conf";', 'Dir::Etc::netrcparts "/etc/apt/auth.conf.d";', ""])

    def _run(
        self, argv: Sequence[str], watch: Callable[[], None] | None = None, environment: dict[str, str] | None = None
    ) -> tuple[int, str, str]:
        chosen = {"APT_CONFIG": str(self._directory / "apt.conf")} if environment is None else environment
        proxies = {name: value for name, value in os.environ.items() if name.lower().endswith("_proxy")}
        if shutil.which(argv[0], path=_PATH) is None:
            raise MachineError(_missing(argv[0]))
        # It ends with the thread that started it, whatever ends that: nothing is left to write into a dead run's directory.
        with subprocess.Popen(
            [tool("setpriv"), "--pdeathsig", "KILL", "--", *argv],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,
            env={"PATH": _PATH, "LC_ALL": "C.UTF-8", **proxies, **chosen},
        ) as process:
            try:
                output, errors = self._communicate(process, watch)
            except BaseException:
                process.kill()
                raise
        return process.returncode, output, errors

    def _communicate(self, process: subprocess.Popen[str], watch: Callable[[], None] | None) -> tuple[str, str]:
        while True:
            try:
                return process.communicate(timeout=0.2)
            except subprocess.TimeoutExpired:
                self._cancellation.check()
                if watch is not None:
                    watch()


def list_prefix(item: ArchiveSuite, url: str) -> str:
    """How apt begins the names of the lists of a suite that is reached at `url`."""
    place = re.sub(r"^[a-z+]+:(//)?([^/@]*@)?", "", url.rstrip("/")) + f"/dists/{item.suite}/"
    quoted = "".join(f"%{ord(letter):02x}" if letter in _QUOTED else letter for letter in place)
    return quoted.replace("/", "_")


def index_fault(errors: str, distribution: str = "", release: str = "", snapshot: str = "") -> GoldsmithError:
    """The error that apt's complaints about an index mean."""
    told = _told(errors)
    for pattern, code, what, next_step in _INDEX_FAULTS:
        if re.search(pattern, errors):
            if code == "archive.unknown-release":
                what = f'the archive has no release "{release}"' if release else what
                known = RELEASES.get(distribution, ())
                next_step = (did_you_mean(release, known) if release not in known else "") or next_step
                if snapshot:
                    what = f'there is no snapshot of "{release}" at {snapshot}'
                    next_step = "Name a time since the release came out; the service says which snapshots it has."
            kind = MachineError if code in ("archive.unreachable", "disk.full") else UserError
            return kind(Diagnostic(code=code, what=what, why=told, next=next_step))
    what, again = "the indexes of the archive could not be fetched", 'Try again, or name another mirror in "mirrors".'
    return MachineError(Diagnostic(code="archive.failed", what=what, why=told, next=again))


_INDEX_FAULTS = (
    (
        r"No space left on device",
        "disk.full",
        "there is no room for the indexes of the archive",
        "Free space on the file system of the build's work directory.",
    ),
    (
        r"NO_PUBKEY|BADSIG|EXPKEYSIG|REVKEYSIG|following signatures (were|couldn't)|no good signature",
        "archive.wrong-key",
        "the archive is not signed by a key that is trusted for it",
        'Give the right key file as "keyring", or check the mirror: it may have been tampered with.',
    ),
    (
        r"is expired|Release file .* invalid since|is not valid yet",
        "archive.expired",
        "the archive's index is out of its time of validity",
        'Use a mirror that is up to date, check this host\'s clock, or name a "snapshot".',
    ),
    (
        r"(?i)could not resolve|could not connect|unable to connect|connection (failed|refused|reset|timed out)"
        r"|network is unreachable|temporary failure|\b50[0-9] +[A-Z][a-z]",
        "archive.unreachable",
        "the archive cannot be reached",
        'Check the network and the proxy of this host\'s apt, or name another mirror in "mirrors".',
    ),
    (
        r"is not signed|Clearsigned file isn't valid|NOSPLIT|unsigned file",
        "archive.unsigned",
        "the archive is not signed",
        "Use a mirror with an InRelease file; unsigned packages are never installed.",
    ),
    (
        r"does not have a Release file|404 +Not Found|Failed to stat|File not found",
        "archive.unknown-release",
        "the archive does not have what the template asks for",
        'Check "release", "suites", "components" and "mirrors".',
    ),
)
"""What apt says, in the order in which causes outweigh their consequences."""


def _resolution_fault(errors: str, output: str, lists: Path) -> UserError:
    unknown = re.search(r"Unable to locate package (\S+)", errors)
    if unknown is None:
        return UserError(
            Diagnostic(
                code="archive.unsatisfiable",
                what="the packages cannot be installed together",
                why=_told(output.partition("unmet dependencies:")[2] or errors),
                next='Change "packages", or add the suite or component that has what is missing.',
            )
        )
    indexes = (path.read_text(errors="replace") for path in lists.glob("*_Packages"))
    known = {name for text in indexes for name in re.findall(r"(?m)^Package: (\S+)", text)}
    return UserError(
        Diagnostic(
            code="archive.unknown-package",
            what=f'the archive has no package "{unknown[1]}"',
            why="none of the release's suites and components lists it",
            next=did_you_mean(unknown[1], known) or 'Check the name and "components".',
        )
    )


def _told(errors: str) -> str:
    lines = [line.strip() for line in errors.splitlines() if line.strip()]
    return "\n".join(dict.fromkeys(lines))[-2000:]


def _missing(program: str) -> Diagnostic:
    return Diagnostic(
        code="tool.missing",
        what=f'"{program}" is not installed',
        why="packages are resolved and fetched with apt",
        next="apt-get install --no-install-recommends apt" if shutil.which("dpkg") else "Use a Debian or Ubuntu host.",
    )


def _configuration(directory: Path, architecture: str) -> str:
    return f"""\
Dir "{directory}";
Dir::State "{directory}";
Dir::State::lists "{directory}/lists";
Dir::State::status "{directory}/status";
Dir::Cache "{directory}";
Dir::Cache::archives "{directory}/archives";
Dir::Etc "{directory}/etc";
Dir::Log "{directory}";
Dir::Bin::methods "/usr/lib/apt/methods";
APT::Architecture "{architecture}";
APT::Architectures {{ "{architecture}"; }};
APT::Install-Recommends "false";
APT::Install-Suggests "false";
APT::Sandbox::User "root";
APT::Get::AllowUnauthenticated "false";
Acquire::AllowInsecureRepositories "false";
Acquire::AllowWeakRepositories "false";
Acquire::AllowDowngradeToInsecureRepositories "false";
Acquire::Check-Valid-Until "true";
Acquire::ForceHash "sha256";
Acquire::GzipIndexes "false";
Acquire::Languages "none";
Acquire::PDiffs "false";
Acquire::Retries "1";
Acquire::http::Timeout "30";
Acquire::https::Timeout "30";
"""
