"""Archives under the public names of distributions: a local proxy answers for their servers, so that nothing is told where
to look instead. What it serves is signed here, or fetched from a real archive."""

from __future__ import annotations

import hashlib
import http.server
import lzma
import re
import subprocess
import threading
import urllib.error
import urllib.request
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from pathlib import Path

from tests.sources.archive_workbench import DATE, Keys


@dataclass
class PublicArchive:
    """A directory laid out as a distribution's server: pool by component, several suites, compressed indexes, by-hash."""

    root: Path
    keys: Keys
    pool: dict[str, dict[str, str]] = field(default_factory=dict)
    """Stanzas by component and file name."""

    def put(self, deb: Path, component: str) -> None:
        """Take a package in."""
        target = self.root / "pool" / component / deb.name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(deb.read_bytes())
        control = subprocess.run(["dpkg-deb", "--field", str(deb)], capture_output=True, text=True, check=True).stdout
        digest = hashlib.sha256(deb.read_bytes()).hexdigest()
        place = f"Filename: pool/{component}/{deb.name}\nSize: {deb.stat().st_size}\nSHA256: {digest}\n"
        self.pool.setdefault(component, {})[deb.name] = control.rstrip("\n") + "\n" + place

    def publish(
        self, suite: str, components: Iterable[str], *, architecture: str = "amd64", date: int = DATE, valid_until: int = 0
    ) -> None:
        """Write and sign a suite that has all packages put in so far; suites before it stay as they are."""
        directory = self.root / "dists" / suite
        sums = []
        for component in components:
            content = "\n".join(self.pool.get(component, {}).values()).encode()
            packed = lzma.compress(content)
            for name, data in (("Packages", content), ("Packages.xz", packed)):
                sums.append(f" {hashlib.sha256(data).hexdigest()} {len(data)} {component}/binary-{architecture}/{name}")
            index = directory / component / f"binary-{architecture}"
            (index / "by-hash/SHA256").mkdir(parents=True, exist_ok=True)
            (index / "Packages.xz").write_bytes(packed)
            (index / "by-hash/SHA256" / hashlib.sha256(packed).hexdigest()).write_bytes(packed)
        until = f"Valid-Until: {formatdate(valid_until, usegmt=True)}\n" if valid_until else ""
        release = (
            f"Origin: Test\nSuite: {suite}\nCodename: {suite.partition('-')[0]}\nDate: {formatdate(date, usegmt=True)}\n{until}"
            f"Acquire-By-Hash: yes\nArchitectures: {architecture}\nComponents: {' '.join(components)}\nSHA256:\n"
        )
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "InRelease").write_text(self.keys.clearsign(release + "\n".join(sums) + "\n"))


@dataclass
class Proxy:
    """An HTTP proxy on loopback."""

    url: str
    server: http.server.ThreadingHTTPServer
    asked: list[str]

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()


def proxy(served: Mapping[str, Path | str], redirected: Mapping[str, str] | None = None) -> Proxy:
    """Answer for addresses that begin with a key: with the files of a directory, or with what another server has there.
    Other addresses do not exist; nothing else is reached. `redirected` maps beginnings to where they have moved."""
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            asked.append(self.path)
            for old, new in (redirected or {}).items():
                if self.path.startswith(old):
                    return self._send(302, b"", {"Location": new + self.path.removeprefix(old)})
            for beginning, place in served.items():
                if self.path.startswith(beginning):
                    content = _content(place, self.path.removeprefix(beginning))
                    return self._send(404 if content is None else 200, content or b"")
            return self._send(404, b"")

        def _send(self, code: int, content: bytes, headers: Mapping[str, str] | None = None) -> None:
            self.send_response(code)
            for name, value in {"Content-Length": str(len(content)), **(headers or {})}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    return Proxy(f"http://127.0.0.1:{server.server_address[1]}", server, asked)


def _content(place: Path | str, name: str) -> bytes | None:
    if isinstance(place, Path):
        path = place / re.sub("%([0-9a-fA-F]{2})", lambda code: chr(int(code[1], 16)), name.lstrip("/"))
        return path.read_bytes() if path.is_file() else None
    try:
        # Through no proxy: this is the proxy.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(place + name, timeout=60) as answer:
            content: bytes = answer.read()
            return content
    except urllib.error.URLError:
        return None
