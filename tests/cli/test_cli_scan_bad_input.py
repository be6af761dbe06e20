"""What bad input gets from `goldsmith scan`: an ERROR or a clear refusal, in bounded time and memory, never a silent PASS."""

from __future__ import annotations

import gzip
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from goldsmith.cli.app import run
from tests.cli.test_cli_scan import VULNERABLE, scanned
from tests.gates.advisory_workbench import Host, tree

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
STATUS, RELEASE = "var/lib/dpkg/status", "etc/os-release"


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    monkeypatch.setenv("GOLDSMITH_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    host = Host(tmp_path / "cache")
    host.advise()
    return host


def garbage(root: Path) -> None:
    (root / STATUS).write_bytes(bytes(range(256)) * 100)


def cut(root: Path) -> None:
    (root / STATUS).write_bytes((root / STATUS).read_bytes()[:-25])


def fifo(root: Path) -> None:
    (root / STATUS).unlink()
    os.mkfifo(root / STATUS)


def link_to_the_host(name: str) -> Callable[[Path], None]:
    def act(root: Path) -> None:
        if (root / name).is_dir():
            shutil.rmtree(root / name)
        else:
            (root / name).unlink()
        (root / name).symlink_to(f"/{name}")

    return act


@pytest.mark.parametrize(
    "harm",
    [
        garbage,
        cut,
        fifo,
        lambda root: (root / STATUS).write_text(""),
        lambda root: (root / RELEASE).unlink(),
        lambda root: (root / RELEASE).write_text("ID=frobnix\nVERSION_ID=1\n"),
        link_to_the_host(STATUS),
        link_to_the_host(RELEASE),
        link_to_the_host("var/lib/dpkg"),
        link_to_the_host("etc"),
    ],
    ids=[
        *("garbage", "cut off", "fifo", "empty", "no release", "unknown release"),
        *("status out of the tree", "release out of the tree", "database out of the tree", "etc out of the tree"),
    ],
)
def test_a_tree_of_which_nothing_is_known_is_an_error(
    host: Host, tmp_path: Path, capsys: pytest.CaptureFixture[str], harm: Callable[[Path], None]
) -> None:
    root = tree(tmp_path / "root")
    harm(root)

    code, report = scanned(capsys, str(root))

    assert (code, report["verdict"]) == (3, "error")
    assert report["results"][0]["reasons"][0]


def sparse(root: Path) -> None:
    for name in ("big", "big.gz", "big.jar"):
        with (root / "srv" / name).open("wb") as file:
            file.truncate(1 << 40)


def bombs(root: Path) -> None:
    data = gzip.compress(bytes(400 << 20), 1)
    (root / "srv/bomb.gz").write_bytes(data)
    (root / "srv/nested.gz").write_bytes(gzip.compress(gzip.compress(gzip.compress(data))))


def odd_names(root: Path) -> None:
    for name in (b"\xff\xfe.conf", b"a\nb", b"\x1b[31mred", "\u202etxt".encode()):
        (root / "srv" / os.fsdecode(name)).write_bytes(b"password = Q7hunter2hunter2x\n")


def devices(root: Path) -> None:
    os.mknod(root / "srv/zero", 0o020666, os.makedev(1, 5))
    os.mknod(root / "srv/disk", 0o060666, os.makedev(8, 0))
    os.mkfifo(root / "srv/fifo")


def loops(root: Path) -> None:
    (root / "srv/a").symlink_to("b")
    (root / "srv/b").symlink_to("a")
    (root / "srv/self").symlink_to(".")
    (root / "srv/up").symlink_to("../../../../../../..")


@needs_root
@pytest.mark.parametrize("harm", [sparse, bombs, odd_names, devices, loops])
def test_what_is_hostile_beside_the_packages_hides_nothing_of_them(
    host: Host, tmp_path: Path, capsys: pytest.CaptureFixture[str], harm: Callable[[Path], None]
) -> None:
    host.advise(*VULNERABLE)
    root = tree(tmp_path / "root")
    (root / "srv").mkdir()
    harm(root)

    code, report = scanned(capsys, "-gates=vulnerabilities,secrets", str(root))

    verdicts = {item["gate"]: item["verdict"] for item in report["results"]}
    assert (code, verdicts["vulnerabilities"]) == (2, "fail")
    looked_at, skipped = _looked_at(report)
    assert looked_at + skipped > 2
    for form in ("table", "trivy", "sarif", "html"):
        assert run(["scan", f"-format={form}", "-gates=vulnerabilities,secrets", str(root)]) == 2
        assert "\x1b" not in capsys.readouterr().out


def _looked_at(report: Any) -> tuple[int, int]:
    facts = next(item["facts"] for item in report["results"] if item["gate"] == "secrets")
    return facts["evaluated"], sum(item["count"] for item in facts["skipped"])


def test_versions_that_are_none_in_somebody_elses_bill_are_an_error(
    host: Host, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    purls = ("pkg:deb/debian/curl@not a version?distro=debian-12", "pkg:deb/debian/x@;rm -rf?distro=debian-12")
    document = {"bomFormat": "CycloneDX", "components": [{"name": "x", "type": "library", "purl": purl} for purl in purls]}
    (tmp_path / "bom.json").write_text(json.dumps(document))

    code, report = scanned(capsys, "bom.json")

    assert code == 3
    assert "is no version in the sense of dpkg" in report["results"][0]["reasons"][0]


def test_a_sparse_terabyte_without_a_file_system_is_refused_at_once(
    host: Host, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with (tmp_path / "huge.raw").open("wb") as file:
        file.truncate(1 << 40)

    assert run(["scan", "huge.raw"]) == 1
    assert "disk.no-root" in capsys.readouterr().out
