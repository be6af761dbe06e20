"""Repositories as servers give them: mirrors that are gone, lists of mirrors, metalinks, and what plain http is worth."""

from __future__ import annotations

import hashlib
import os
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from goldsmith.gates.contract import Result
from goldsmith.gates.patches import PatchesConfig
from tests.gates.repository_workbench import (
    ApkRepository,
    Built,
    Image,
    RpmRepository,
    apk_image,
    build,
    is_able,
    make_rsa,
    rpm_image,
)
from tests.sources.archive_workbench import Keys, Server, make_keys, serve

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not is_able(), reason="needs rpm, createrepo-c and gpg: ./bootstrap tests"),
]
CURL, CURL_2 = Built("curl", "7.61-1.el8"), Built("curl", "7.61-2.el8")
APK = {"musl": "1.2.5-r9"}


@pytest.fixture(scope="module")
def served_keys(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keys]:
    keys = make_keys(tmp_path_factory.mktemp("k"))
    yield keys
    subprocess.run(["gpgconf", "--homedir", str(keys.home), "--kill", "all"], check=True)


@pytest.fixture(scope="module")
def served_stock(tmp_path_factory: pytest.TempPathFactory) -> Mapping[Built, Path]:
    return build(tmp_path_factory.mktemp("rpms") / "built", (CURL, CURL_2))


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Server]:
    (tmp_path / "world").mkdir()
    server = serve(tmp_path / "world")
    yield server
    server.stop()


def named(image: Image, words: str) -> Result:
    """The verdict on an image that names its repository so."""
    image.write("etc/yum.repos.d/test.repo", f"[baseos]\n{words}\ngpgkey=file:///etc/pki/rpm-gpg/RPM-GPG-KEY-test\n")
    image.forget_when_fetched()
    return image.judge(PatchesConfig())


def metalink(place: Path, content: bytes, *urls: str) -> None:
    listed = "".join(f'<url protocol="http" type="http" preference="100">{url}repodata/repomd.xml</url>' for url in urls)
    place.write_text(
        '<metalink version="3.0" xmlns="http://www.metalinker.org/" xmlns:mm0="http://fedorahosted.org/mirrormanager">'
        '<files><file name="repomd.xml"><mm0:timestamp>1</mm0:timestamp><verification>'
        f'<hash type="md5">0</hash><hash type="sha256">{hashlib.sha256(content).hexdigest()}</hash></verification>'
        f"<resources>{listed}</resources></file></files></metalink>"
    )


def test_repositories_of_rpm_are_read_from_servers_by_every_way_that_names_them(
    tmp_path: Path, world: Server, served_keys: Keys, served_stock: Mapping[Built, Path]
) -> None:
    image = rpm_image(Image(tmp_path), served_stock, (CURL,), served_keys)
    good = RpmRepository(tmp_path / "world/good", served_keys, served_stock)
    behind = RpmRepository(tmp_path / "world/behind", served_keys, served_stock)
    behind.publish((CURL,), revision=int(time.time()) - 86_400)
    good.publish((CURL, CURL_2))

    assert named(image, f"baseurl={world.url}/gone {world.url}/good").verdict == "warn"

    (tmp_path / "world/list").write_text(f"# mirrors\n{world.url}/gone/\n{world.url}/good/\n")
    assert named(image, f"mirrorlist={world.url}/list").verdict == "warn"

    metalink(tmp_path / "world/meta", good.repomd.read_bytes(), f"{world.url}/behind/", f"{world.url}/good/")
    result = named(image, f"metalink={world.url}/meta")
    assert [finding.id for finding in result.facts.findings] == ["curl 7.61-2.el8"], result

    metalink(tmp_path / "world/meta-2", b"another", f"{world.url}/good/")
    result = named(image, f"metalink={world.url}/meta-2")
    assert result.verdict == "error"
    assert "is not the one that the metalink names" in "; ".join(result.reasons)


def test_plain_http_vouches_for_nothing(
    tmp_path: Path, world: Server, served_keys: Keys, served_stock: Mapping[Built, Path]
) -> None:
    image = rpm_image(Image(tmp_path), served_stock, (CURL,), served_keys)
    RpmRepository(tmp_path / "world/good", served_keys, served_stock).publish((CURL,), signed=False)
    image.write("etc/yum.repos.d/test.repo", f"[baseos]\nbaseurl={world.url}/good\n")

    assert image.judge(PatchesConfig(unsigned="warn")).verdict == "error"


def test_what_has_not_changed_is_not_fetched_again(
    tmp_path: Path, world: Server, served_keys: Keys, served_stock: Mapping[Built, Path]
) -> None:
    image = rpm_image(Image(tmp_path), served_stock, (CURL,), served_keys)
    RpmRepository(tmp_path / "world/good", served_keys, served_stock).publish((CURL,))

    assert named(image, f"baseurl={world.url}/good").verdict == "pass"
    first = len(world.requests)
    assert image.judge(PatchesConfig()).verdict == "pass"
    assert len(world.requests) == first

    image.forget_when_fetched()
    world.requests.clear()
    assert image.judge(PatchesConfig()).verdict == "pass"
    assert not any("primary" in request for request in world.requests), world.requests


def test_repositories_of_apk_are_read_from_servers(tmp_path: Path, world: Server) -> None:
    key = make_rsa(tmp_path / "rsa/devel-1.rsa")
    image = apk_image(Image(tmp_path), APK, key)
    image.write("etc/apk/repositories", f"{world.url}/alpine/v3.23/main\n")
    repository = ApkRepository(tmp_path / "world/alpine/v3.23/main", key)
    repository.publish(APK)

    assert image.judge(PatchesConfig()).verdict == "pass"
    image.forget_when_fetched()
    repository.publish({"musl": "1.2.5-r10"})
    # A server that tells times in seconds only must see that it is another one.
    os.utime(repository.index(), (time.time() + 5, time.time() + 5))
    assert image.judge(PatchesConfig()).failing == ("musl 1.2.5-r10",)
