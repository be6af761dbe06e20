"""`goldsmith advisories` as people and scripts use it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.test_command_line import goldsmith
from tests.gates.feed_documents import all_documents


@pytest.fixture
def mirror(tmp_path: Path) -> Path:
    """A directory with the documents of all feeds, as a mirror of them."""
    for place, content in all_documents().items():
        path = tmp_path / "mirror" / (f"{place}index.html" if place.endswith("/") else place)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return tmp_path / "mirror"


def test_advisories_are_fetched_shown_and_passed_on(tmp_path: Path, mirror: Path) -> None:
    fetched = goldsmith("advisories", "update", "-mirror", str(mirror), "-only=debian,kev", cwd=tmp_path)
    assert (fetched.returncode, fetched.stderr) == (0, "")
    assert "debian: 6 records\nkev: 1 records\n" in fetched.stdout

    shown = goldsmith("advisories", "status", cwd=tmp_path)
    assert (shown.returncode, "debian (debian 12)" in shown.stdout) == (0, True)

    given = goldsmith("advisories", "export", "usb", cwd=tmp_path)
    file = next((tmp_path / "usb").glob("*.sqlite"))
    assert "-key advisories.pub" in given.stdout

    (tmp_path / "elsewhere").mkdir()
    there = tmp_path / "elsewhere"
    refused = goldsmith("advisories", "import", str(file), cwd=there)
    assert (refused.returncode, "evidence.unknown-key" in refused.stdout + refused.stderr) == (1, True)

    taken = goldsmith("advisories", "import", "-key", str(tmp_path / "usb/advisories.pub"), str(file), cwd=there)
    assert taken.returncode == 0, taken.stdout + taken.stderr
    status = json.loads(goldsmith("advisories", "status", "-json", cwd=there).stdout)
    assert status["digest"] == f"sha256:{file.stem}"
    assert {feed["eco"] for feed in status["feeds"] if feed["id"] == "debian"} == {"debian 12", "debian 13"}


def test_a_feed_that_cannot_be_had_is_told_and_ends_with_1(tmp_path: Path, mirror: Path) -> None:
    (mirror / "security-tracker.debian.org/tracker/data/json").write_text("{")

    done = goldsmith("advisories", "update", "-mirror", str(mirror), "-only", "debian,kev", "-json", cwd=tmp_path)

    told = json.loads(done.stdout)
    assert done.returncode == 1
    assert {item["feed"]: item["state"] for item in told["feeds"]} == {"debian": "failed", "kev": "updated"}


def test_a_damaged_file_is_told_with_the_way_out(tmp_path: Path, mirror: Path) -> None:
    goldsmith("advisories", "update", "-mirror", str(mirror), "-only=kev", cwd=tmp_path)
    path = next((tmp_path / ".cache/advisories").glob("*.sqlite"))
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-4096])

    done = goldsmith("advisories", "status", cwd=tmp_path)

    told = done.stdout + done.stderr
    assert (done.returncode, "advisories.altered" in told, "goldsmith advisories update" in told) == (1, True, True)


def test_a_host_without_advisories_says_how_to_get_them(tmp_path: Path) -> None:
    done = goldsmith("advisories", "status", cwd=tmp_path)

    assert (done.returncode, "goldsmith advisories update" in done.stdout + done.stderr) == (1, True)


def test_a_feed_that_is_not_known_gets_a_suggestion(tmp_path: Path) -> None:
    done = goldsmith("advisories", "update", "-only=debain", cwd=tmp_path)

    assert (done.returncode, 'Did you mean "debian"?' in done.stdout + done.stderr) == (1, True)
