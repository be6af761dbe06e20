"""A small signed archive on loopback: its keys, its packages, its server."""

from __future__ import annotations

import functools
import hashlib
import http.server
import shutil
import subprocess
import threading
from dataclasses import dataclass, field
from email.utils import formatdate
from pathlib import Path

from goldsmith.components import Context
from goldsmith.events import Event
from goldsmith.images.lock import ImageLock
from goldsmith.machines.cancellation import Cancellation

DATE = 1_790_000_000


@dataclass
class Pinned:
    """The pins of one image, in memory."""

    lock: ImageLock | None = None
    must_hold: bool = False
    noted: list[ImageLock] = field(default_factory=list)

    def note(self, lock: ImageLock) -> None:
        self.lock = lock
        self.noted.append(lock)


@dataclass(frozen=True)
class Keys:
    """A signing key in a directory of its own, and its public half."""

    home: Path
    public: Path

    def clearsign(self, text: str) -> str:
        command = ["gpg", "--homedir", str(self.home), "--batch", "--clearsign"]
        return subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout


def make_keys(directory: Path) -> Keys:
    """A new key; its agent is ended by whoever removes the directory."""
    home = directory / "gpg"
    home.mkdir(parents=True, mode=0o700)
    gpg = ["gpg", "--homedir", str(home), "--batch", "--quiet"]
    subprocess.run([*gpg, "--passphrase", "", "--quick-gen-key", "archive@test", "ed25519", "sign", "0"], check=True)
    public = directory / "archive-keys.gpg"
    subprocess.run([*gpg, "--output", str(public), "--export", "archive@test"], check=True)
    return Keys(home, public)


@dataclass
class Repository:
    """An archive with one component; packages are real .debs."""

    root: Path
    keys: Keys
    pool: dict[str, str] = field(default_factory=dict)
    """Stanzas by file name."""

    def add(self, name: str, version: str = "1.0", content: str = "", **fields: str) -> Path:
        """Build a package with one file and put it into the pool."""
        tree = self.root.parent / f"tree-{name}"
        shutil.rmtree(tree, ignore_errors=True)
        (tree / "DEBIAN").mkdir(parents=True)
        (tree / "usr/share" / name).mkdir(parents=True)
        (tree / "usr/share" / name / "about").write_text(content or f"This is {name}.\n" * 50)
        extra = "".join(f"{key.replace('_', '-')}: {value}\n" for key, value in fields.items())
        control = (
            f"Package: {name}\nVersion: {version}\nArchitecture: amd64\nMaintainer: Nobody <nobody@test>\n{extra}"
            f"Description: a package for tests\n of more than one line\n"
        )
        (tree / "DEBIAN/control").write_text(control)
        path = self.root / "pool" / f"{name}_{version.rpartition(':')[2]}_amd64.deb"
        path.parent.mkdir(parents=True, exist_ok=True)
        built = self.root.parent / "built.deb"
        subprocess.run(
            ["dpkg-deb", "--build", "--root-owner-group", "-Zxz", str(tree), str(built)], check=True, capture_output=True
        )
        built.rename(path)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        self.pool[path.name] = f"{control}Filename: pool/{path.name}\nSize: {path.stat().st_size}\nSHA256: {digest}\n"
        return path

    def publish(
        self, suite: str = "bookworm", *, signed: bool = True, date: int = DATE, valid_until: int = 0, keys: Keys | None = None
    ) -> None:
        """Write the index of a suite, and sign it."""
        directory = self.root / "dists" / suite
        index = directory / "main/binary-amd64/Packages"
        index.parent.mkdir(parents=True, exist_ok=True)
        index.write_text("\n".join(self.pool.values()))
        content = index.read_bytes()
        until = f"Valid-Until: {formatdate(valid_until, usegmt=True)}\n" if valid_until else ""
        release = (
            f"Origin: Test\nSuite: {suite}\nCodename: {suite}\nDate: {formatdate(date, usegmt=True)}\n{until}"
            f"Architectures: amd64\nComponents: main\nSHA256:\n"
            f" {hashlib.sha256(content).hexdigest()} {len(content)} main/binary-amd64/Packages\n"
        )
        for name in ("InRelease", "Release"):
            (directory / name).unlink(missing_ok=True)
        if signed:
            (directory / "InRelease").write_text((keys or self.keys).clearsign(release))
        else:
            (directory / "Release").write_text(release)


@dataclass
class Server:
    """A web server on loopback."""

    url: str
    server: http.server.ThreadingHTTPServer
    requests: list[str]

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()


def serve(root: Path) -> Server:
    """Serve a directory until `stop`."""
    requests: list[str] = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            requests.append(str(args[0]) if args else format)

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=str(root)))
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    return Server(f"http://127.0.0.1:{server.server_address[1]}", server, requests)


def new_context_in(
    place: Path,
    events: list[Event],
    pins: Pinned | None = None,
    *,
    cache: Path | None = None,
    cancellation: Cancellation | None = None,
) -> Context:
    """A context that works in a directory."""
    work = place / "work"
    work.mkdir(exist_ok=True)
    return Context(
        build="bootstrap.base",
        type="bootstrap",
        name="base",
        root=place,
        cwd=place,
        work=work,
        emit=events.append,
        cancellation=cancellation or Cancellation(),
        run_uuid="11111111-2222-3333-4444-555555555555",
        pins=pins,
        cache=cache or place / "cache",
    )
