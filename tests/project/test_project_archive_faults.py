"""A build whose archive cannot be had or not be trusted: a clear error, exit code 1, a registry as before."""

from __future__ import annotations

import http.server
import re
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.project.small_project import SmallProject
from tests.sources.archive_workbench import Keys, Repository, make_keys

TEMPLATE = """
source "bootstrap" "base" {
  release  = "bookworm"
  suites   = ["bookworm"]
  mirrors  = ["%s"]
  keyring  = "%s"
  packages = ["tool"]
  boot     = "none"
}
build {
  sources = ["source.bootstrap.base"]
}
"""


@pytest.fixture(scope="module")
def two_keys(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Keys, Keys]]:
    for program in ("apt-get", "dpkg-deb", "gpg", "mmdebstrap"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    made = make_keys(tmp_path_factory.mktemp("k")), make_keys(tmp_path_factory.mktemp("o"))
    yield made
    for keys in made:
        subprocess.run(["gpgconf", "--homedir", str(keys.home), "--kill", "all"], check=True)


@dataclass
class Mirror:
    """An archive served on loopback; `spoil` may change what is answered for a path, or end the connection."""

    repository: Repository
    other: Keys
    project: SmallProject
    server: http.server.ThreadingHTTPServer
    spoil: Callable[[str, bytes], tuple[int, bytes, int]] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def build(self, url: str = "") -> str:
        """Build; it must fail, say so well, and leave registry and pending images alone."""
        self.project.root.joinpath("base").mkdir(exist_ok=True)
        keyring = self.repository.keys.public
        (self.project.root / "base/base.pkr.hcl").write_text(TEMPLATE % (url or self.url, keyring))
        told = self.project.goldsmith("build", "base", code=1)
        assert self.project.goldsmith("images").strip().splitlines()[-1:] in ([], ["There is no image yet."]) or (
            "base" not in self.project.goldsmith("images")
        )
        assert self.project.pending() == []
        assert list((self.project.cache / "work").iterdir()) == []
        return told


@pytest.fixture
def mirror(tmp_path: Path, two_keys: tuple[Keys, Keys]) -> Iterator[Mirror]:
    repository = Repository(tmp_path / "archive", two_keys[0])
    for name, fields in (("essential-thing", {"Essential": "yes"}), ("apt", {}), ("tool", {})):
        repository.add(name, **fields)
    repository.publish()
    root = tmp_path / "project"
    root.mkdir()
    (root / "goldsmith.hcl").write_text('image "base" {\n  template = "base"\n}\n')
    held: list[Mirror] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = repository.root / self.path.lstrip("/")
            found = path.is_file()
            content = path.read_bytes() if found else b""
            code, length = (200 if found else 404), len(content)
            if held[0].spoil is not None:
                code, content, length = held[0].spoil(self.path, content)
            self.send_response(code)
            self.send_header("Content-Length", str(length))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    held.append(Mirror(repository, two_keys[1], SmallProject(root, tmp_path / "cache"), server))
    yield held[0]
    server.shutdown()
    server.server_close()


def check_told(told: str, code: str, *words: str) -> None:
    """The code, and a next step that is a sentence of its own."""
    assert f"[{code}]" in told, told
    for word in words:
        assert word in told, told


@pytest.mark.slow  # apt tries again for half a minute
def test_a_mirror_that_is_down(mirror: Mirror) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"

    check_told(mirror.build(url), "archive.unreachable", "name another mirror")


def test_a_mirror_that_has_nothing(mirror: Mirror) -> None:
    mirror.spoil = lambda path, content: (404, b"nothing here", 12)

    check_told(mirror.build(), "archive.unknown-release", 'Check "release"')


def test_a_mirror_that_fails(mirror: Mirror) -> None:
    mirror.spoil = lambda path, content: (503, b"", 0)

    check_told(mirror.build(), "archive.unreachable")


def test_a_mirror_that_answers_everything_with_a_page(mirror: Mirror) -> None:
    page = b"<html><body>Please log in.</body></html>\n" * 20
    mirror.spoil = lambda path, content: (200, page, len(page))

    told = mirror.build()

    assert re.search(r"\[archive\.(unsigned|wrong-key|failed)\]", told), told


@pytest.mark.slow  # apt tries again for half a minute
def test_an_index_that_breaks_off(mirror: Mirror) -> None:
    def half(path: str, content: bytes) -> tuple[int, bytes, int]:
        return (200, content[: len(content) // 2], len(content)) if path.endswith("Packages") else _as_is(content)

    mirror.spoil = half

    assert re.search(r"\[archive\.[a-z-]+\]", mirror.build())


@pytest.mark.slow  # apt tries again for half a minute
def test_an_index_that_is_not_the_signed_one(mirror: Mirror) -> None:
    mirror.spoil = lambda path, content: _as_is(
        content.replace(b"Version: 1.0", b"Version: 6.6") if path.endswith("Packages") else content
    )

    assert re.search(r"\[archive\.[a-z-]+\]", mirror.build())


def test_an_archive_of_another_key(mirror: Mirror) -> None:
    mirror.repository.publish(keys=mirror.other)

    check_told(mirror.build(), "archive.wrong-key", "keyring")


def test_an_unsigned_archive(mirror: Mirror) -> None:
    mirror.repository.publish(signed=False)

    check_told(mirror.build(), "archive.unsigned", "unsigned packages are never installed")


@pytest.mark.parametrize("kind", ["gone", "half", "altered"])
def test_a_package_that_is_not_what_the_index_promised(mirror: Mirror, kind: str) -> None:
    def spoilt(path: str, content: bytes) -> tuple[int, bytes, int]:
        if not path.endswith(".deb"):
            return _as_is(content)
        if kind == "gone":
            return 404, b"", 0
        if kind == "half":
            return 200, content[: len(content) // 2], len(content)
        return _as_is(content[:-1] + bytes([content[-1] ^ 1]))

    mirror.spoil = spoilt

    told = mirror.build()

    assert re.search(r"\[(archive\.mismatch|lock\.package-gone|archive\.unreachable)\]", told), told
    assert not list((mirror.project.cache / "packages/debs").glob("*.deb"))


def test_packages_that_make_no_system_leave_a_log_that_is_named(mirror: Mirror) -> None:
    """The tiny archive has no dpkg: making the root file system fails after everything was fetched and checked."""
    told = mirror.build()

    log = re.search(r"its log is (\S+)", told)
    assert log is not None, told
    kept = Path(log[1]).read_text()
    assert "E: " in kept, kept  # apt's or mmdebstrap's own words
    check_told(told, "rootfs.failed")


def _as_is(content: bytes) -> tuple[int, bytes, int]:
    return (200, content, len(content)) if content else (404, b"", 0)
