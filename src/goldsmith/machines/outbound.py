"""The way out of a sandbox: a network of its own in user space, and what this host needs to reach others."""

from __future__ import annotations

import functools
import os
import select
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from goldsmith.hcl.diagnostics import Diagnostic, MachineError
from goldsmith.machines.journal import Journal, process_handle

RESOLVER = b"nameserver 10.0.2.3\n"
"""The address where slirp4netns passes questions on to the host's resolver, even when that listens on the loopback only."""

UNREACHABLE = ("169.254.169.254",)
"""The metadata service of clouds: it would hand the host's identity to a script."""

APT_CONFIG, CA_BUNDLE = "/run/goldsmith/apt.conf", "/run/goldsmith/ca-certificates.crt"

_READY_WITHIN_S = 10.0
RESOLVER_FILE = "/etc/resolv.conf"
_PROXIES = ("http_proxy", "https_proxy", "ftp_proxy", "all_proxy", "no_proxy")
CA_VARIABLES = ("SSL_CERT_FILE", "CURL_CA_BUNDLE", "GIT_SSL_CAINFO", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "PIP_CERT")
_APT_SETTINGS = ("acquire::check-valid-until", "acquire::check-date")


@dataclass(frozen=True, slots=True)
class HostSettings:
    """What commands need besides a route. Nothing of it is written to the tree."""

    environment: dict[str, str] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    """Files on `/run`."""
    shown: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    """Files that the tree seems to hold, with mode and content."""


class WayOut(Protocol):
    """What stands between a sandbox and the network, in place of a network of its own."""

    @property
    def settings(self) -> HostSettings:
        """What its commands need, asked for once, before the sandbox starts."""

    def connected(self, first_process: int, mapped_user: bool) -> AbstractContextManager[None]:
        """Serves the network namespace of a process for the length of the block."""


@functools.cache
def host_settings() -> HostSettings:
    """The proxies, the apt settings and the certificates that this host itself uses.

    A proxy that listens on the host's loopback is passed on as it is, but a sandbox cannot reach the host's loopback.
    """
    environment = {name: os.environ[name] for lower in _PROXIES for name in (lower, lower.upper()) if name in os.environ}
    files: dict[str, bytes] = {}
    apt = _apt_settings()
    bundle = Path(os.environ.get("SSL_CERT_FILE", "/nonexistent"))
    if bundle.is_file():
        files[CA_BUNDLE] = bundle.read_bytes()
        environment.update(dict.fromkeys(CA_VARIABLES, CA_BUNDLE))
        apt += f'Acquire::https::CaInfo "{CA_BUNDLE}";\n'
    if apt:
        files[APT_CONFIG] = apt.encode()
        environment["APT_CONFIG"] = APT_CONFIG
    return HostSettings(environment, files, {RESOLVER_FILE: (0o644, RESOLVER)})


@contextmanager
def connected(first_process: int, mapped_user: bool, log: Path, journal: Journal) -> Iterator[None]:
    """Connect the network namespace of a process: connections go out, none come in, the host's loopback is refused.

    Raises `MachineError` when slirp4netns is missing or fails. The process is journaled, and ends by itself when the
    caller does.
    """
    program = shutil.which("slirp4netns")
    if program is None:
        raise _failed("slirp4netns is not installed", "apt-get install --no-install-recommends slirp4netns")
    ready, tell_ready = os.pipe()
    stays, lives = os.pipe()
    namespace = f"/proc/{first_process}/ns"
    command = [program, "--configure", "--mtu=65520", "--disable-host-loopback"]
    command += [f"--ready-fd={tell_ready}", f"--exit-fd={stays}", "--netns-type=path"]
    command += [f"--userns-path={namespace}/user"] if mapped_user else []
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, f"{namespace}/net", "tap0"],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            pass_fds=(tell_ready, stays),
            start_new_session=True,
        )
    os.close(tell_ready)
    os.close(stays)
    try:
        with journal.take("process", process_handle(process.pid)):
            _wait(ready, log)
            yield
    finally:
        os.close(ready)
        os.close(lives)
        process.kill()
        process.wait()


def _wait(ready: int, log: Path) -> None:
    readable, _, _ = select.select([ready], [], [], _READY_WITHIN_S)
    if not readable or os.read(ready, 1) != b"1":
        said = "; ".join(log.read_text(errors="replace").split("\n")).strip("; ")
        raise _failed(said or f"no answer within {_READY_WITHIN_S:.0f} s", "Run `goldsmith doctor`.")


def _apt_settings() -> str:
    """The lines of the host's apt configuration that say how archives are reached and whether their dates count."""
    if shutil.which("apt-config") is None:
        return ""
    dump = subprocess.run(["apt-config", "dump"], capture_output=True, text=True, check=False).stdout
    return "".join(f"{line}\n" for line in dump.splitlines() if _is_about_reaching(line.partition(" ")[0].lower()))


def _is_about_reaching(name: str) -> bool:
    parts = name.split("::")
    return name in _APT_SETTINGS or (parts[0] == "acquire" and len(parts) > 2 and parts[2] == "proxy")


def _failed(why: str, following: str) -> MachineError:
    return MachineError(
        Diagnostic(code="sandbox.no-network", what="the sandbox has no way to the network", why=why, next=following)
    )
