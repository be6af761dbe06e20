"""The sandbox machine: a tree of layers in namespaces of its own, where commands run and nothing is booted."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Literal

from goldsmith.hcl.diagnostics import Diagnostic, MachineError
from goldsmith.machines import outbound
from goldsmith.machines.cancellation import Cancellation
from goldsmith.machines.first_process import FirstProcess, started
from goldsmith.machines.following import follow
from goldsmith.machines.journal import Journal
from goldsmith.machines.machine import DISCONNECTED, OutputSink
from goldsmith.machines.outbound import WayOut
from goldsmith.machines.request import Cache, Command, RootPlan
from goldsmith.machines.rooted import Rooted
from goldsmith.machines.standard_input import standard_input

ENVIRONMENT = {
    "DEBIAN_FRONTEND": "noninteractive",
    "HOME": "/root",
    "LANG": "C.UTF-8",
    "LC_ALL": "C.UTF-8",
    "LOGNAME": "root",
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "SHELL": "/bin/sh",
    "SYSTEMD_OFFLINE": "1",  # without it `systemctl start` fails, which ends a script that stops at errors
    "TERM": "dumb",
    "TZ": "UTC",
    "USER": "root",
}
"""What each command finds in its environment. Of the host's, only what the way out needs is added (`outbound`)."""

HOST_NAME = "localhost"
"""The name that every tree can resolve."""

NO_SERVICES = b"#!/bin/sh\n# No service starts while an image is built.\nexit 101\n"
"""`/usr/sbin/policy-rc.d`: the answer 101 forbids the action (invoke-rc.d(8))."""

POLICY_FILE = "/usr/sbin/policy-rc.d"

_ACTING = ("confinement.py", "kernel.py", "sandbox_init.py", "sandbox_root.py")


def _profile_digest() -> str:
    digest = hashlib.sha256(json.dumps([ENVIRONMENT, HOST_NAME, NO_SERVICES.decode(), outbound.RESOLVER.decode()]).encode())
    for name in _ACTING:
        digest.update((Path(__file__).parent / name).read_bytes())
    return digest.hexdigest()


PROFILE_DIGEST: str = _profile_digest()
"""Names everything about a sandbox that can change what a step does: environment, mounts, system calls, capabilities."""


class Sandbox:
    """A machine of kind `sandbox`, for the length of a `with` block.

    The root is an overlay of `lowers` (lowest first) with `upper` on top, which holds what commands changed and nothing of
    the sandbox itself; `work` is a scratch directory on the file system of `upper`. `binds` shows host files or directories
    read-only; `shared_caches` shows host directories that seem writable: what is added goes to `cache_upper(place)`.
    `network` is none, a way out to all that this host reaches, or what stands in its place. `epoch` is given to commands as
    SOURCE_DATE_EPOCH.

    Commands share one process and network namespace, `/run` and `/tmp` until the block ends; then every process in it is
    ended, also when this process is killed. Root in it is confined against accidents; against a hostile template use `vm`.
    """

    kind: Literal["sandbox", "vm", "remote", "local"] = "sandbox"

    def __init__(
        self,
        lowers: Sequence[Path],
        upper: Path,
        work: Path,
        *,
        journal: Journal,
        network: Literal["none", "outbound"] | WayOut,
        binds: Mapping[str, Path] | None = None,
        shared_caches: Mapping[str, Path] | None = None,
        epoch: int | None = None,
    ) -> None:
        # An overlay refuses a layer that is there twice, and steps that change nothing all leave the same one. The upper
        # of two is enough: what it says hides what the lower one says.
        self._lowers = list(reversed(dict.fromkeys(path.resolve() for path in reversed(lowers))))
        self._upper = upper.resolve()
        self._work = work.resolve()
        self._journal = journal
        self._network = network
        self._binds = {place: path.resolve() for place, path in (binds or {}).items()}
        self._caches = {place: path.resolve() for place, path in (shared_caches or {}).items()}
        self._environment = ENVIRONMENT | ({} if epoch is None else {"SOURCE_DATE_EPOCH": str(epoch)})
        self._held = ExitStack()
        self._turn = threading.Lock()
        self._first: FirstProcess | None = None
        self._is_connected = network == "none"

    def __enter__(self) -> Sandbox:
        """Start the sandbox. Raises `MachineError` when this host cannot make one, or a directory is missing."""
        try:
            plan = self._plan()
        except OSError as error:
            raise _not_prepared(error) from error
        with ExitStack() as held:
            held.callback(self._strike_shown, plan["shown"])
            self._first = held.enter_context(started(plan, self._work / "sandbox.log", self._journal))
            self._held = held.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._held.close()
        self._first = None

    def run(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        stdin: bytes | None = None,
        output: OutputSink | None = None,
        timeout_s: float | None = None,
        cwd: str = "/",
        cancellation: Cancellation | None = None,
    ) -> int:
        """See `Machine.run`. When a command is cut off, all processes of the sandbox are ended, daemons too."""
        with self._turn:
            if cancellation is not None:
                cancellation.check()
            first = self._connected()
            command = Command(argv=list(argv), env=self._environment | dict(env or {}), cwd=cwd)
            with _streams(stdin) as (theirs, out, err):
                if not first.send(command, theirs):
                    return DISCONNECTED
                for descriptor in theirs:
                    os.close(descriptor)
                theirs.clear()
                try:
                    follow({out: "out", err: "err"}, first.ended, output=output, timeout_s=timeout_s, cancellation=cancellation)
                except BaseException:
                    first.end_all()
                    raise
            return first.status()

    def put(self, source: Path | bytes, destination: str, *, mode: int | None = None) -> None:
        """See `Machine.put`."""
        with self._rooted() as rooted:
            rooted.put(source, destination, mode)

    def put_tree(self, source: Path, destination: str, *, exclude: Sequence[str] = ()) -> None:
        """See `Machine.put_tree`. `exclude` are shell patterns for a name or a relative path."""
        with self._rooted() as rooted:
            rooted.put_tree(source, destination, exclude)

    def get(self, source: str, destination: Path) -> None:
        """See `Machine.get`."""
        with self._rooted() as rooted:
            rooted.get(source, destination)

    def get_tree(self, source: str, destination: Path) -> None:
        """See `Machine.get_tree`. Devices, sockets and pipes are left out."""
        with self._rooted() as rooted:
            rooted.get_tree(source, destination)

    def cache_upper(self, place: str) -> Path:
        """The host directory with what was added at a shared cache; `place` is a key of `shared_caches`."""
        return self._work / f"cache-{list(self._caches).index(place)}" / "upper"

    def place(self, path: str) -> Path:
        """Where this host sees a directory of the running sandbox and what is mounted there; its links may lead anywhere."""
        return Path(f"/proc/{self._running().pid}/root{path}")

    def _plan(self) -> RootPlan:
        self._check_paths()
        settings = self._settings()
        self._environment |= settings.environment
        shown = {POLICY_FILE: (0o755, NO_SERVICES), **settings.shown}
        return RootPlan(
            lowers=[str(path) for path in self._lowers],
            upper=str(self._made(self._upper)),
            work=str(self._made(self._work / "overlay")),
            scratch=str(self._scratch()),
            binds={place: str(path) for place, path in self._binds.items()},
            caches=[self._cache(place, path) for place, path in self._caches.items()],
            shown=shown,
            run_files=settings.files,
            unreachable=list(outbound.UNREACHABLE),
            host_name=HOST_NAME,
            mapped_user=os.geteuid() != 0,
        )

    def _settings(self) -> outbound.HostSettings:
        if isinstance(self._network, str):
            return outbound.host_settings() if self._network == "outbound" else outbound.HostSettings()
        return self._network.settings

    def _check_paths(self) -> None:
        for path in (*self._lowers, *self._caches.values(), *self._binds.values()):
            if not path.exists():
                raise MachineError(
                    Diagnostic(
                        code="sandbox.missing-path",
                        what=f"{path} does not exist",
                        why="the sandbox was to show it",
                        next="If it is a layer, `goldsmith build -no-cache` makes it again.",
                    )
                )

    def _made(self, directory: Path) -> Path:
        """Make a directory; a new upper looks like the tree's own root, so that nobody is kept out of it."""
        if not directory.exists():
            directory.mkdir(parents=True)
        if directory == self._upper and self._lowers and not any(directory.iterdir()):
            _imitate(self._lowers[-1], directory)
        return directory

    def _scratch(self) -> Path:
        for name in ("root", "scratch"):
            self._made(self._work / name)
        return self._work

    def _cache(self, place: str, lower: Path) -> Cache:
        upper = self._made(self.cache_upper(place))
        _imitate(lower, upper)
        return Cache(place=place, lower=str(lower), upper=str(upper), work=str(self._made(upper.parent / "work")))

    def _connected(self) -> FirstProcess:
        """The first process, with the network that the commands may use: only commands need one."""
        first = self._running()
        if not self._is_connected:
            self._held.enter_context(self._connection(first.pid, os.geteuid() != 0))
            self._is_connected = True
        return first

    def _connection(self, pid: int, mapped_user: bool) -> AbstractContextManager[None]:
        if isinstance(self._network, str):
            return outbound.connected(pid, mapped_user, self._work / "network.log", self._journal)
        return self._network.connected(pid, mapped_user)

    def _running(self) -> FirstProcess:
        if self._first is None:
            raise RuntimeError("a sandbox is used inside its `with` block only")
        return self._first

    @contextmanager
    def _rooted(self) -> Iterator[Rooted]:
        root = os.open(f"/proc/{self._running().pid}/root", os.O_PATH | os.O_DIRECTORY)
        try:
            yield Rooted(root, "sandbox")
        finally:
            os.close(root)

    def _strike_shown(self, shown: Mapping[str, tuple[int, bytes]]) -> None:
        """Take copies of the sandbox's own files out of the upper: a change of mode or owner is enough to make one."""
        for path, (_, content) in shown.items():
            copy = self._upper / path.lstrip("/")
            if copy.is_symlink() or not copy.is_file() or copy.parent.resolve() != copy.parent:
                continue
            if copy.read_bytes() == content:
                copy.unlink()


def _imitate(original: Path, directory: Path) -> None:
    """Give a directory the mode and, as far as this user may, the owner of another."""
    found = original.stat()
    directory.chmod(stat.S_IMODE(found.st_mode))
    if os.geteuid() == 0:
        os.chown(directory, found.st_uid, found.st_gid)


def _not_prepared(error: OSError) -> MachineError:
    return MachineError(
        Diagnostic(
            code="sandbox.not-prepared",
            what="the directories of a sandbox could not be made",
            why=str(error),
            next="Look at the free space and the permissions there.",
        )
    )


@contextmanager
def _streams(stdin: bytes | None) -> Iterator[tuple[list[int], int, int]]:
    """The command's three descriptors, which the caller closes and clears once sent, and our ends of output and error."""
    theirs: list[int] = []
    ours: list[int] = []
    try:
        theirs.append(standard_input(stdin))
        for _ in ("output", "error"):
            reads, writes = os.pipe()
            ours.append(reads)
            theirs.append(writes)
        yield theirs, ours[0], ours[1]
    finally:
        for descriptor in (*theirs, *ours):
            os.close(descriptor)
