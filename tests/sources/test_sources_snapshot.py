"""The snapshot services: an archive as it was, whose indexes have expired by now."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from goldsmith.components import Context
from goldsmith.hcl.diagnostics import MachineError, UserError
from goldsmith.sources.bootstrap import Bootstrap, BootstrapConfig, resolve
from tests.sources.archive_workbench import DATE, Keys, Pinned, Repository
from tests.sources.distribution_workbench import Proxy, PublicArchive, proxy

SERVICE = "http://snapshot.debian.org/archive"
ASKED, TAKEN = "20260301T000000Z", "20260228T210000Z"
"""The time that a template names, and that of the snapshot before it."""


@pytest.fixture
def past(repository: Repository, tmp_path: Path, two_keys: tuple[Keys, Keys]) -> PublicArchive:
    """An archive whose indexes were valid until two days after they were made."""
    archive = PublicArchive(tmp_path / "past", two_keys[0])
    for deb in repository.root.glob("pool/*.deb"):
        archive.put(deb, "main")
    for suite in ("bookworm", "bookworm-updates", "bookworm-security"):
        archive.publish(suite, ("main",), date=DATE, valid_until=int(time.time()) - 86_400)
    return archive


@pytest.fixture
def service(past: PublicArchive, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    """snapshot.debian.org: it sends whoever asks for any time on to the snapshot before it."""
    names = ("debian", "debian-security")
    made = proxy(
        {f"{SERVICE}/{name}/{TAKEN}": past.root for name in names},
        {f"{SERVICE}/{name}/{ASKED}": f"{SERVICE}/{name}/{TAKEN}" for name in names},
    )
    monkeypatch.setenv("http_proxy", made.url)
    yield made
    made.stop()


@pytest.fixture
def config(past: PublicArchive) -> BootstrapConfig:
    return BootstrapConfig(
        release="bookworm", packages=("tool",), snapshot=ASKED, keyring=str(past.keys.public), architecture="amd64"
    )


def test_a_past_archive_is_accepted_and_locked_under_its_time(
    config: BootstrapConfig, service: Proxy, new_context: Callable[..., Context]
) -> None:
    lock = resolve(config, new_context())

    assert lock.epoch == DATE
    assert {item.url for item in lock.suites} == {f"{SERVICE}/debian/{ASKED}", f"{SERVICE}/debian-security/{ASKED}"}
    assert {package.url.partition("/pool/")[0] for package in lock.packages} <= {item.url for item in lock.suites}


@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("mmdebstrap") is None, reason="needs root and mmdebstrap")
def test_locked_packages_are_fetched_from_the_snapshot(
    config: BootstrapConfig, service: Proxy, new_context: Callable[..., Context], tmp_path: Path
) -> None:
    pins = Pinned()
    base = Bootstrap().base(config, new_context(pins), None)  # type: ignore[arg-type]  # this source looks up no image
    (tmp_path / "tree").mkdir()
    assert base.step is not None and pins.lock is not None

    with pytest.raises(MachineError, match="the root file system could not be made"):
        base.step.make(tmp_path / "tree")  # these packages make no system, but they were all fetched

    fetched = {path.rpartition("/")[2] for path in service.asked if "/pool/" in path and TAKEN in path}
    assert fetched == {package.url.rpartition("/")[2] for package in pins.lock.packages}


def test_without_the_snapshot_the_same_archive_has_expired(
    config: BootstrapConfig, past: PublicArchive, new_context: Callable[..., Context], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = proxy({"http://old.test/debian": past.root})
    monkeypatch.setenv("http_proxy", made.url)

    with pytest.raises(UserError) as caught:
        resolve(
            replace(config, snapshot="", mirrors=("http://old.test/debian",), security_mirror="http://old.test/debian"),
            new_context(),
        )

    made.stop()
    assert caught.value.diagnostics[0].code == "archive.expired"


def test_a_time_without_snapshot_is_told(config: BootstrapConfig, service: Proxy, new_context: Callable[..., Context]) -> None:
    with pytest.raises(UserError) as caught:
        resolve(replace(config, snapshot="19990101T000000Z"), new_context())

    told = caught.value.diagnostics[0]
    assert told.code == "archive.unknown-release"
    assert "19990101T000000Z" in told.what and "snapshot" in told.next


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("mmdebstrap") is None, reason="needs root and mmdebstrap")
def test_a_debian_is_made_from_the_layout_of_the_snapshot_service(
    tmp_path: Path, new_context: Callable[..., Context], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Debian's real archive with its real keys, under the addresses of its snapshot service."""
    made = proxy(
        {
            f"{SERVICE}/debian/{ASKED}": "http://deb.debian.org/debian",
            f"{SERVICE}/debian-security/{ASKED}": "http://deb.debian.org/debian-security",
        }
    )
    monkeypatch.setenv("http_proxy", made.url)
    config = BootstrapConfig(release="bookworm", snapshot=ASKED, architecture="amd64")
    pins = Pinned()
    try:
        base = Bootstrap().base(config, new_context(pins), None)  # type: ignore[arg-type]  # this source looks up no image
    except (MachineError, UserError) as error:
        pytest.skip(f"the Debian archive cannot be used here: {error}")
    tree = tmp_path / "tree"
    tree.mkdir()
    assert base.step is not None

    base.step.make(tree)
    made.stop()

    sources = (tree / "etc/apt/sources.list.d/debian.sources").read_text()
    assert f"URIs: {SERVICE}/debian/{ASKED}\n" in sources and sources.count("Check-Valid-Until: no\n") == 2
    assert (tree / "etc/debian_version").read_text().startswith("12.")
    assert pins.lock is not None and all(SERVICE in package.url for package in pins.lock.packages)
