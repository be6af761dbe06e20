"""The source `bootstrap` against a small signed archive: locks, faults of the archive, and what a lock saves."""

from __future__ import annotations

import hashlib
import json
import shutil
import socket
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from goldsmith.components import Base, Context, ImageLookup
from goldsmith.events import Event, Output, Warned
from goldsmith.hcl.diagnostics import GoldsmithError, MachineError, UserError
from goldsmith.images.lock import LockedPackage
from goldsmith.machines.cancellation import Cancellation, Cancelled
from goldsmith.sources.bootstrap import Bootstrap, BootstrapConfig, resolve
from goldsmith.sources.indexes import STAMP
from goldsmith.sources.stock import package_stock
from tests.sources.archive_workbench import DATE, Keys, Pinned, Repository, Server


class NoImages:
    """A lookup that this source must not ask."""

    def find(self, image: str, *, channel: str, version: str, digest: str) -> None:
        raise AssertionError


IMAGES: ImageLookup = NoImages()  # type: ignore[assignment]  # it never returns


@pytest.fixture
def config(server: Server, repository: Repository) -> BootstrapConfig:
    return BootstrapConfig(
        release="bookworm",
        suites=("bookworm",),
        mirrors=(server.url,),
        packages=("tool",),
        keyring=str(repository.keys.public),
        architecture="amd64",
    )


def code_of(error: GoldsmithError) -> str:
    diagnostic = error.diagnostics[0]
    assert diagnostic.what and diagnostic.why and diagnostic.next, "each error says what, why and what next"
    return diagnostic.code


def test_a_resolution_names_each_package_exactly(
    config: BootstrapConfig, server: Server, new_context: Callable[..., Context]
) -> None:
    lock = resolve(config, new_context())

    assert [(package.name, package.version) for package in lock.packages] == [
        ("apt", "2:2.6"),
        ("essential-thing", "1.0"),
        ("libthing", "1.2-3+deb12u1"),
        ("tool", "1.0"),
    ]
    assert lock.packages[2].url == f"{server.url}/pool/libthing_1.2-3%2bdeb12u1_amd64.deb"
    assert all(len(package.sha256) == 64 and package.size > 0 for package in lock.packages)
    assert lock.epoch == DATE
    assert [(suite.url, suite.suite, suite.date) for suite in lock.suites] == [(server.url, "bookworm", DATE)]


def test_a_new_resolution_is_noted_and_told(
    config: BootstrapConfig, new_context: Callable[..., Context], events: list[Event]
) -> None:
    pins = Pinned()

    base = Bootstrap().base(config, new_context(pins), IMAGES)

    assert [lock.digest for lock in pins.noted] == [base.lock_digest]
    assert any(isinstance(event, Output) and "Resolved 4 packages" in event.text for event in events)


def test_a_lock_needs_no_archive_and_no_time(
    config: BootstrapConfig, server: Server, new_context: Callable[..., Context]
) -> None:
    pins = Pinned()
    first = Bootstrap().base(config, new_context(pins), IMAGES)
    server.stop()
    started = time.perf_counter()

    again = Bootstrap().base(config, new_context(pins), IMAGES)

    assert time.perf_counter() - started < 0.05
    assert again.lock_digest == first.lock_digest and again.lists_cache == first.lists_cache
    assert again.step is not None and first.step is not None and again.step.inputs == first.step.inputs
    assert len(pins.noted) == 1


def test_a_changed_request_does_not_use_the_lock(config: BootstrapConfig, new_context: Callable[..., Context]) -> None:
    pins = Pinned()
    Bootstrap().base(config, new_context(pins), IMAGES)

    Bootstrap().base(replace(config, packages=("tool", "unneeded")), new_context(pins), IMAGES)

    assert len(pins.noted) == 2
    assert "unneeded" in {package.name for package in pins.noted[1].packages}


def test_the_order_of_packages_and_their_place_change_no_lock(
    config: BootstrapConfig, new_context: Callable[..., Context]
) -> None:
    pins = Pinned()
    Bootstrap().base(replace(config, packages=("tool", "unneeded")), new_context(pins), IMAGES)

    Bootstrap().base(replace(config, packages=("unneeded", "tool"), hostname="other"), new_context(pins), IMAGES)

    assert len(pins.noted) == 1


@pytest.mark.parametrize(("locked", "code"), [(False, "lock.missing"), (True, "lock.outdated")])
def test_a_lock_that_must_hold_is_never_made(
    config: BootstrapConfig, server: Server, new_context: Callable[..., Context], locked: bool, code: str
) -> None:
    pins = Pinned(must_hold=True)
    if locked:
        pins.lock = resolve(replace(config, packages=()), new_context())
    server.requests.clear()

    with pytest.raises(UserError) as caught:
        Bootstrap().base(config, new_context(pins), IMAGES)

    assert code_of(caught.value) == code
    assert not pins.noted and not server.requests


def test_packages_are_fetched_once_and_shown_under_apts_names(
    config: BootstrapConfig, server: Server, new_context: Callable[..., Context]
) -> None:
    from goldsmith.sources.bootstrap import _request
    from goldsmith.sources.resolution import Archive

    context = new_context()
    archive = Archive(_request(config, context), context)
    packages = archive.resolve().packages

    archive.fetch(packages)
    server.requests.clear()
    archive.fetch(packages)

    assert not server.requests
    shown = {path.name for path in archive.packages.view.glob("*.deb")}
    assert shown == {
        "apt_2%3a2.6_amd64.deb",
        "essential-thing_1.0_amd64.deb",
        "libthing_1.2-3+deb12u1_amd64.deb",
        "tool_1.0_amd64.deb",
    }


def test_packages_are_had_by_their_digest_in_the_lists_and_what_is_gone_is_left_out(
    config: BootstrapConfig, server: Server, repository: Repository, new_context: Callable[..., Context]
) -> None:
    from goldsmith.sources.bootstrap import _request
    from goldsmith.sources.resolution import Archive

    context = new_context()
    archive = Archive(_request(config, context), context)
    lists, _ = archive.refresh()
    tool, gone = repository.root / "pool/tool_1.0_amd64.deb", repository.root / "pool/libthing_1.2-3+deb12u1_amd64.deb"
    digests = [hashlib.sha256(path.read_bytes()).hexdigest() for path in (tool, gone)]
    gone.unlink()

    found = archive.offered(lists, [*digests, "0" * 64])

    assert {digest: path.read_bytes() for digest, path in found.items()} == {digests[0]: tool.read_bytes()}
    server.requests.clear()
    archive.offered(lists, digests[:1])
    assert not server.requests


@pytest.mark.parametrize(("change", "code"), [("remove", "lock.package-gone"), ("replace", "archive.mismatch")])
def test_a_locked_package_that_the_mirror_lost_is_named(
    config: BootstrapConfig, repository: Repository, new_context: Callable[..., Context], tmp_path: Path, change: str, code: str
) -> None:
    base = Bootstrap().base(config, new_context(Pinned()), IMAGES)
    package = repository.root / "pool/libthing_1.2-3+deb12u1_amd64.deb"
    if change == "remove":
        package.unlink()
    else:
        package.write_bytes(package.read_bytes()[:-1] + b"!")
    assert base.step is not None

    with pytest.raises(MachineError) as caught:
        base.step.make(tmp_path / "tree")

    assert code_of(caught.value) == code
    assert "libthing 1.2-3+deb12u1" in caught.value.diagnostics[0].what
    assert "goldsmith lock -upgrade" in caught.value.diagnostics[0].next
    assert base.packages_cache is not None and not (base.packages_cache / package.name).exists()


# ── faults of the archive ─────────────────────────────────────────────────────────────────────────────────────────────


def test_an_unknown_release_is_told_with_a_suggestion(config: BootstrapConfig, new_context: Callable[..., Context]) -> None:
    with pytest.raises(UserError) as caught:
        resolve(replace(config, release="bokworm", suites=("bokworm",)), new_context())

    assert code_of(caught.value) == "archive.unknown-release"
    assert caught.value.diagnostics[0].next == 'Did you mean "bookworm"?'


def test_an_archive_of_another_key_is_refused(
    config: BootstrapConfig, two_keys: tuple[Keys, Keys], new_context: Callable[..., Context]
) -> None:
    with pytest.raises(UserError) as caught:
        resolve(replace(config, keyring=str(two_keys[1].public)), new_context())

    assert code_of(caught.value) == "archive.wrong-key"


def test_an_unsigned_archive_is_refused(
    config: BootstrapConfig, repository: Repository, new_context: Callable[..., Context]
) -> None:
    repository.publish(signed=False)

    with pytest.raises(UserError) as caught:
        resolve(config, new_context())

    assert code_of(caught.value) == "archive.unsigned"


def test_an_index_that_was_changed_after_signing_is_refused(
    config: BootstrapConfig, repository: Repository, new_context: Callable[..., Context]
) -> None:
    index = repository.root / "dists/bookworm/InRelease"
    index.write_text(index.read_text().replace("Origin: Test", "Origin: Evil"))

    with pytest.raises(UserError) as caught:
        resolve(config, new_context())

    assert code_of(caught.value) in ("archive.wrong-key", "archive.unsigned")


def test_an_index_past_its_validity_is_refused(
    config: BootstrapConfig, repository: Repository, new_context: Callable[..., Context]
) -> None:
    repository.publish(date=DATE - 20 * 86400, valid_until=DATE - 10 * 86400)

    with pytest.raises(UserError) as caught:
        resolve(config, new_context())

    assert code_of(caught.value) == "archive.expired"


def test_an_archive_that_cannot_be_reached_is_told(config: BootstrapConfig, new_context: Callable[..., Context]) -> None:
    with pytest.raises(MachineError) as caught:
        resolve(replace(config, mirrors=(f"http://127.0.0.1:{unused_port()}/debian",)), new_context())

    assert code_of(caught.value) == "archive.unreachable"


def test_the_next_mirror_answers_when_the_first_cannot_be_reached(
    config: BootstrapConfig, server: Server, new_context: Callable[..., Context], tmp_path: Path
) -> None:
    from goldsmith.sources.bootstrap import _request
    from goldsmith.sources.resolution import Archive

    dead = f"http://127.0.0.1:{unused_port()}"
    context = new_context()
    archive = Archive(_request(replace(config, mirrors=(dead, server.url)), context), context)

    lock = archive.resolve()
    archive.fetch(lock.packages)

    assert {suite.url for suite in lock.suites} == {dead}, "the first mirror is what is recorded"
    assert not archive.packages.missing(lock.packages)


def test_an_unknown_package_is_told_with_a_suggestion(config: BootstrapConfig, new_context: Callable[..., Context]) -> None:
    with pytest.raises(UserError) as caught:
        resolve(replace(config, packages=("libthin",)), new_context())

    assert code_of(caught.value) == "archive.unknown-package"
    assert caught.value.diagnostics[0].next == 'Did you mean "libthing"?'


def test_packages_that_do_not_fit_together_are_told(
    config: BootstrapConfig, repository: Repository, new_context: Callable[..., Context]
) -> None:
    repository.add("broken", Depends="not-in-the-archive")
    repository.publish()

    with pytest.raises(UserError) as caught:
        resolve(replace(config, packages=("broken",)), new_context())

    assert code_of(caught.value) == "archive.unsatisfiable"
    assert "not-in-the-archive" in caught.value.diagnostics[0].why


def test_a_stop_ends_the_resolution(config: BootstrapConfig, new_context: Callable[..., Context]) -> None:
    cancellation = Cancellation()
    context = new_context(cancellation=cancellation)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        cancellation.request()

        with pytest.raises(Cancelled):
            resolve(replace(config, mirrors=(f"http://127.0.0.1:{silent.getsockname()[1]}",)), context)


def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


# ── indexes ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_indexes_carry_the_time_when_they_were_fetched(config: BootstrapConfig, new_context: Callable[..., Context]) -> None:
    base = Bootstrap().base(config, new_context(Pinned()), IMAGES)

    assert base.lists_cache is not None
    assert abs(json.loads((base.lists_cache / STAMP).read_text())["at"] - time.time()) < 30
    assert {path.name.split("dists_")[-1] for path in base.lists_cache.glob("*_dists_*")} == {
        "bookworm_InRelease",
        "bookworm_main_binary-amd64_Packages",
    }


def refreshed(base: Base) -> Path:
    """The indexes of today, when the last ones are too old."""
    assert base.lists_cache is not None
    assert base.lists_now is not None
    (base.lists_cache / STAMP).write_text('{"at": 1}')
    return base.lists_now()


def test_earlier_states_of_the_archive_are_found_and_nobody_elses(
    config: BootstrapConfig, repository: Repository, new_context: Callable[..., Context]
) -> None:
    first = Bootstrap().base(config, new_context(), IMAGES)
    repository.publish(date=DATE + 60)
    second = refreshed(first)
    root = second.parent
    (root / "0123456789abcdef0123456789abcdef").mkdir()  # empty: names no state
    altered = root / "fedcba9876543210fedcba9876543210"
    shutil.copytree(second, altered)  # a state under the name of none

    assert first.lists_before is not None
    assert set(first.lists_before()) == {first.lists_cache, second}


def test_an_older_state_of_the_archive_can_be_pruned_and_the_newest_never(
    config: BootstrapConfig, repository: Repository, new_context: Callable[..., Context], tmp_path: Path
) -> None:
    first = Bootstrap().base(config, new_context(), IMAGES)
    assert first.lists_cache is not None
    repository.add("tool", "2.0")
    repository.publish(date=DATE + 60)
    second = refreshed(first)
    before = {path.name: path.read_bytes() for path in second.iterdir()}

    stock = list(package_stock(tmp_path / "cache/packages"))
    for item in stock:
        item.remove()

    assert [item.name for item in stock] == [f"index {first.lists_cache.name[:12]}"]
    assert stock[0].size > 0
    assert not first.lists_cache.exists()
    assert {path.name: path.read_bytes() for path in second.iterdir()} == before
    assert all(path.stat().st_nlink > 1 for path in (tmp_path / "cache/packages/indexes/content").iterdir())


def test_a_refresh_leaves_the_lock_and_what_was_fetched_before(
    config: BootstrapConfig, repository: Repository, new_context: Callable[..., Context]
) -> None:
    pins = Pinned()
    before = Bootstrap().base(config, new_context(pins), IMAGES)
    repository.add("tool", "2.0")
    repository.publish(date=DATE + 60)

    lists = refreshed(before)
    after = Bootstrap().base(config, new_context(pins), IMAGES)

    assert len(pins.noted) == 1
    assert after.lists_cache == before.lists_cache != lists
    assert "Version: 2.0" in next(lists.glob("*_Packages")).read_text()


def test_a_refresh_of_an_unchanged_archive_renews_the_stamp(
    config: BootstrapConfig, new_context: Callable[..., Context]
) -> None:
    base = Bootstrap().base(config, new_context(), IMAGES)
    lists = base.lists_cache
    assert lists is not None

    assert refreshed(base) == lists
    assert json.loads((lists / STAMP).read_text())["at"] > 1


def test_on_another_host_a_lock_uses_the_indexes_that_can_be_had(
    config: BootstrapConfig, server: Server, new_context: Callable[..., Context], events: list[Event]
) -> None:
    pins = Pinned()
    Bootstrap().base(config, new_context(pins), IMAGES)

    elsewhere = Bootstrap().base(config, new_context(pins, cache="other"), IMAGES)
    server.stop()
    offline = Bootstrap().base(config, new_context(pins, cache="third"), IMAGES)

    assert elsewhere.lists_cache is not None and elsewhere.lists_cache.is_dir()
    assert offline.lists_cache is None and offline.keep_packages is None
    assert any(isinstance(event, Warned) for event in events)


def test_a_private_mirror_is_reached_and_never_recorded(
    server: Server,
    repository: Repository,
    new_context: Callable[..., Context],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    repository.publish("bookworm-security")
    monkeypatch.setenv("GOLDSMITH_MIRROR_DEBIAN", server.url)
    monkeypatch.setenv("GOLDSMITH_MIRROR_DEBIAN_SECURITY", server.url)
    config = BootstrapConfig(
        release="bookworm", suites=("bookworm", "bookworm-security"), packages=("tool",), keyring=str(repository.keys.public)
    )
    pins = Pinned()

    base = Bootstrap().base(replace(config, architecture="amd64"), new_context(pins), IMAGES)

    told = json.dumps([base.materials, base.step.inputs if base.step else None], default=str) + repr(pins.lock)
    assert server.url not in told and "127.0.0.1" not in told
    assert pins.lock is not None and {package.url.split("/pool")[0] for package in pins.lock.packages} <= {
        "http://deb.debian.org/debian",
        "http://deb.debian.org/debian-security",
    }
    assert base.lists_cache is not None
    assert (base.lists_cache / "deb.debian.org_debian_dists_bookworm_InRelease").is_file()


# ── what a step downloaded ────────────────────────────────────────────────────────────────────────────────────────────


def test_a_step_cannot_poison_the_package_cache(
    config: BootstrapConfig, repository: Repository, new_context: Callable[..., Context], tmp_path: Path
) -> None:
    base = Bootstrap().base(config, new_context(Pinned()), IMAGES)
    genuine = (repository.root / "pool/unneeded_1.0_amd64.deb").read_bytes()
    downloaded = tmp_path / "upper"
    (downloaded / "partial").mkdir(parents=True)
    (downloaded / "anything.deb").write_bytes(genuine)
    (downloaded / "tool_1.0_amd64.deb").write_bytes(genuine[:-1] + b"!")
    (downloaded / "apt_2%3a2.6_amd64.deb").symlink_to("/etc/passwd")
    (downloaded / "dir.deb").mkdir()
    assert base.keep_packages is not None and base.packages_cache is not None

    base.keep_packages(downloaded)

    kept = {path.name: path.read_bytes() for path in base.packages_cache.glob("*.deb")}
    assert kept == {"unneeded_1.0_amd64.deb": genuine}, "only what the signed index names, under the name that it gives"
    store = base.packages_cache.parent.parent / "debs"
    assert len(list(store.iterdir())) == 1, "nothing else stays in the store"


def test_what_one_key_vouched_for_is_not_shown_where_another_is_trusted(
    config: BootstrapConfig,
    repository: Repository,
    two_keys: tuple[Keys, Keys],
    new_context: Callable[..., Context],
) -> None:
    ours = Bootstrap().base(config, new_context(Pinned()), IMAGES)
    repository.publish(keys=two_keys[1])

    theirs = Bootstrap().base(replace(config, keyring=str(two_keys[1].public)), new_context(Pinned()), IMAGES)

    assert ours.packages_cache != theirs.packages_cache
    assert ours.lists_cache != theirs.lists_cache


# ── settings ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_all_faults_of_a_block_are_told_at_once(new_context: Callable[..., Context]) -> None:
    config = BootstrapConfig(
        distribution="debain",
        release="book worm",
        packages=("-o", "openssh-server"),
        architecture="AMD 64",
        hostname="-x-",
        snapshot="yesterday",
        mirrors=("ftp://mirror",),
        variant="maxbase",
        boot="floppy",
        formats=("qcow3",),
    )

    with pytest.raises(UserError) as caught:
        Bootstrap().check(config, new_context())

    told = " ".join(diagnostic.what for diagnostic in caught.value.diagnostics)
    for value in ("debain", "book worm", '"-o"', "AMD 64", "-x-", "yesterday", "ftp://mirror", "maxbase", "floppy", "qcow3"):
        assert value in told
    assert "openssh-server" not in told


def test_a_value_that_is_not_known_yet_is_no_fault(new_context: Callable[..., Context]) -> None:
    Bootstrap().check(BootstrapConfig(release="<unknown>", packages=("<unknown>",)), new_context())


def test_missing_archive_keys_name_the_package_that_has_them(
    new_context: Callable[..., Context], monkeypatch: pytest.MonkeyPatch
) -> None:
    from goldsmith.sources import archive

    monkeypatch.setattr(archive, "KEYRINGS", {"ubuntu": ("/nonexistent/keys.gpg", "ubuntu-keyring")})

    with pytest.raises(UserError) as caught:
        resolve(BootstrapConfig(distribution="ubuntu", release="noble"), new_context())

    assert code_of(caught.value) == "archive.keyring-missing"
    assert "ubuntu-keyring" in caught.value.diagnostics[0].next


def test_materials_name_indexes_and_packages(
    config: BootstrapConfig, server: Server, new_context: Callable[..., Context]
) -> None:
    base = Bootstrap().base(config, new_context(Pinned()), IMAGES)

    assert base.materials[0]["uri"] == f"{server.url}/dists/bookworm/InRelease"
    assert len(base.materials) == 1 + 4


def test_a_locked_package_has_the_name_that_apt_gives_it() -> None:
    from goldsmith.sources.debstore import archive_name

    package = LockedPackage(name="a", version="1:2~3-4", architecture="all", sha256="", size=0, url="")

    assert archive_name(package) == "a_1%3a2~3-4_all.deb"
