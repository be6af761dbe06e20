"""Getting images: from servers that behave and from others, from mirrors, from this host."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from goldsmith.components import Context
from goldsmith.hcl.diagnostics import GoldsmithError
from goldsmith.machines.cancellation import Cancelled
from goldsmith.sources import download
from goldsmith.sources.download import Wanted, download_stock, obtain
from tests.sources.image_server import ImageServer, image_server

CONTENT = os.urandom(300_000)
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "_PAUSE_S", 0.0)


@pytest.fixture
def web() -> Iterator[ImageServer]:
    with image_server(CONTENT) as server:
        yield server


@pytest.fixture
def context(new_context: Callable[..., Context]) -> Context:
    return new_context()


def wanted(*urls: str, checksum: str = f"sha256:{DIGEST}", target: str = "") -> Wanted:
    return Wanted(urls=urls, checksum=checksum, extension="qcow2", target=target)


def refused(wish: Wanted, context: Context) -> str:
    with pytest.raises(GoldsmithError) as caught:
        obtain(wish, context)
    return caught.value.diagnostics[0].code


def test_an_image_is_fetched_once(web: ImageServer, context: Context) -> None:
    first, second = obtain(wanted(web.url), context), obtain(wanted(web.url), context)

    assert first.path.read_bytes() == CONTENT
    assert first == second
    assert first.sha256 == DIGEST
    assert len(web.requests) == 1


def test_a_fetch_that_breaks_off_goes_on_where_it_ended(web: ImageServer, context: Context) -> None:
    web.cuts = 2

    assert obtain(wanted(web.url), context).path.read_bytes() == CONTENT
    assert [status for _, _, status in web.requests] == [200, 206, 206]
    assert web.requests[1][1] == f"bytes={len(CONTENT) // 2}-"


def test_an_image_that_changed_meanwhile_is_fetched_anew(web: ImageServer, context: Context) -> None:
    part = obtain_partly(web, context)
    web.content = CONTENT[::-1]
    web.etag = '"2"'
    digest = hashlib.sha256(web.content).hexdigest()
    part.rename(part.with_name(part.name.replace(name_for(DIGEST), name_for(digest))))

    assert obtain(wanted(web.url, checksum=digest), context).path.read_bytes() == web.content


def test_a_server_without_ranges_is_asked_from_the_start(web: ImageServer, context: Context) -> None:
    web.cuts, web.ranges = 1, False

    assert obtain(wanted(web.url), context).path.read_bytes() == CONTENT


def test_a_server_that_never_delivers_all_is_given_up(web: ImageServer, context: Context) -> None:
    web.cuts, web.ranges = 99, False

    assert refused(wanted(web.url), context) == "iso.truncated"


def test_a_wrong_image_is_refused_and_removed(web: ImageServer, context: Context) -> None:
    web.content = CONTENT[:-1] + b"?"

    assert refused(wanted(web.url), context) == "iso.checksum"
    assert [*download_stock(context.cache / "downloads")] == []


def test_mirrors_are_tried_in_turn(web: ImageServer, context: Context) -> None:
    with image_server(b"another file") as wrong:
        urls = ("http://127.0.0.1:1/disk.qcow2", wrong.url, f"{web.url}/missing", web.url)

        assert obtain(wanted(*urls), context).path.read_bytes() == CONTENT


def test_when_all_mirrors_fail_each_is_told(web: ImageServer, context: Context) -> None:
    with pytest.raises(GoldsmithError) as caught:
        obtain(wanted("http://127.0.0.1:1/a", f"{web.url}/missing"), context)

    told = caught.value.diagnostics[0]
    assert told.code == "iso.unobtainable"
    assert "127.0.0.1:1" in told.why
    assert "404" in told.why


def test_sums_are_fetched_from_the_server(web: ImageServer, context: Context, tmp_path: Path) -> None:
    (tmp_path / "SUMS").write_text(f"{DIGEST}  disk.qcow2\n")

    assert obtain(wanted(web.url, checksum="file:SUMS"), context).sha256 == DIGEST
    with image_server(f"{DIGEST}  disk.qcow2\n".encode()) as sums:
        assert obtain(wanted(web.url, checksum=f"file:{sums.url}"), context).sha256 == DIGEST


def test_without_a_checksum_the_server_says_whether_it_has_a_newer_image(web: ImageServer, context: Context) -> None:
    wish = wanted(web.url, checksum="none")
    obtain(wish, context)
    obtain(wish, context)
    web.content, web.etag = b"newer", '"2"'

    assert obtain(wish, context).path.read_bytes() == b"newer"
    assert [status for _, _, status in web.requests][:2] == [200, 304]


def test_an_image_of_this_host_is_used_where_it_is(context: Context, tmp_path: Path) -> None:
    (tmp_path / "disk.qcow2").write_bytes(CONTENT)

    for url in ("disk.qcow2", f"file://{tmp_path}/disk.qcow2", str(tmp_path / "disk.qcow2")):
        assert obtain(wanted(url), context).path.samefile(tmp_path / "disk.qcow2")
    (tmp_path / "disk.qcow2").write_bytes(b"changed")
    assert refused(wanted("disk.qcow2"), context) == "iso.checksum"
    assert refused(wanted("absent.qcow2"), context) == "iso.missing"


def test_a_target_path_is_where_the_image_is_put(web: ImageServer, context: Context, tmp_path: Path) -> None:
    assert obtain(wanted(web.url, target="images/own.iso"), context).path == tmp_path / "images/own.iso"
    assert obtain(wanted(web.url, target="images"), context).path.parent == tmp_path / "images"


def test_a_password_in_an_address_is_not_shown(context: Context) -> None:
    with pytest.raises(GoldsmithError) as caught:
        obtain(wanted("http://me:hidden@127.0.0.1:1/x"), context)

    assert "hidden" not in str(caught.value) + caught.value.diagnostics[0].why


def test_a_strange_address_is_refused(context: Context) -> None:
    assert refused(wanted("s3://bucket/x"), context) == "iso.scheme"


def test_a_cancelled_fetch_ends(web: ImageServer, context: Context) -> None:
    context.cancellation.request()

    with pytest.raises(Cancelled):
        obtain(wanted(web.url), context)


def test_downloads_are_stock_that_can_be_removed(web: ImageServer, context: Context) -> None:
    path = obtain(wanted(web.url), context).path

    (item,) = download_stock(context.cache / "downloads")
    item.remove()

    assert item.size >= len(CONTENT)
    assert not path.exists()
    assert obtain(wanted(web.url), replace(context, run_uuid="2")).path.read_bytes() == CONTENT


def name_for(digest: str) -> str:
    return hashlib.sha1(digest.encode()).hexdigest()


def obtain_partly(web: ImageServer, context: Context) -> Path:
    """What a fetch leaves that was cut short and given up."""
    web.cuts, web.ranges = 99, False
    refused(wanted(web.url, checksum=DIGEST), context)
    web.cuts, web.ranges = 0, True
    (part,) = (context.cache / "downloads").glob("*.part")
    return part
