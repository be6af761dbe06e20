"""Versions: registered once, numbered, found by every kind of name."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from goldsmith.hcl.diagnostics import MachineError, Refused, UserError
from goldsmith.registry import ArtifactFile, RetentionPolicy, digest_of, open_registry
from tests.registry.registry_workbench import ACTOR, Bench, digest, document, policy


def test_versions_are_numbered_within_their_image(bench: Bench) -> None:
    refs = [bench.build("web", 1).ref, bench.build("base", 1).ref, bench.build("web", 2).ref]

    assert refs == ["web:1", "base:1", "web:2"]


def test_a_version_is_named_by_the_digest_of_its_document(bench: Bench) -> None:
    assert bench.build("web", 1).digest == digest_of(document("web", 1))


def test_registering_a_known_digest_again_changes_nothing(bench: Bench) -> None:
    first = bench.build("web", 1)
    before = bench.types()

    again = bench.build("web", 1)

    assert (again.ref, again.existed, first.existed) == (first.ref, True, False)
    assert bench.types() == before


def test_another_encoding_of_a_known_version_is_one_more_artifact(bench: Bench) -> None:
    bench.build("web", 1)
    qcow2 = bench.file("web.qcow2", b"QFI")

    again = bench.registry.register(
        "web", document("web", 1), artifacts=[ArtifactFile("qcow2", qcow2)], packages={}, builder="test", actor=ACTOR
    )

    assert again.existed
    assert [item.kind for item in bench.registry.show("web").artifacts] == ["raw", "qcow2"]


def test_the_bytes_of_an_artifact_are_in_the_store_and_read_only(bench: Bench) -> None:
    bench.build("web", 1)
    artifact = bench.registry.show("web").artifacts[0]

    path = bench.blob(artifact.digest)

    assert artifact.in_store
    assert path.read_bytes() == (bench.root / "output/web-1.raw").read_bytes()
    assert path.stat().st_mode & 0o777 == 0o444


def test_a_file_that_is_not_what_the_build_said_is_not_registered(bench: Bench) -> None:
    made = bench.file("web.raw", b"altered")
    artifact = ArtifactFile("raw", made, digest("what the build wrote"))

    with pytest.raises(MachineError, match="not the file that it was"):
        bench.registry.register("web", document("web", 1), artifacts=[artifact], packages={}, builder="test", actor=ACTOR)

    assert bench.registry.images() == ()


def test_a_parent_that_is_not_registered_is_refused(bench: Bench) -> None:
    with pytest.raises(UserError, match="parent of image") as caught:
        bench.registry.register(
            "web", document("web", 1, digest("gone")), artifacts=[], packages={}, builder="test", actor=ACTOR
        )

    assert caught.value.diagnostics[0].code == "registry.unknown-parent"


@pytest.mark.parametrize(
    ("field", "value"),
    [("image", "other"), ("parent", "latest"), ("inputs", None), ("layers", ["sha256:short"]), ("disks", {"amd64": "disk"})],
)
def test_a_document_that_contradicts_itself_is_refused(
    bench: Bench, field: str, value: str | list[str] | dict[str, str] | None
) -> None:
    wrong = {**document("web", 1), field: value}

    with pytest.raises(UserError, match=f"wrong in {field}"):
        bench.registry.register("web", wrong, artifacts=[], packages={}, builder="test", actor=ACTOR)


@pytest.mark.parametrize("name", ["", "web@prod", "web:1", "sha256:00", "-web", "we b", "w" * 101, "wéb"])
def test_a_name_that_a_reference_could_not_carry_is_refused(bench: Bench, name: str) -> None:
    bench.build("web", 1)

    with pytest.raises(UserError, match="is no name for an image"):
        bench.registry.register(name, document(name, 1), artifacts=[], packages={}, builder="test", actor=ACTOR)
    with pytest.raises(UserError, match="is no name for a channel"):
        bench.channel("web", name, policy())


def test_a_document_with_a_float_is_refused(bench: Bench) -> None:
    wrong = {**document("web", 1), "boot": {"seconds": 1.5}}

    with pytest.raises(UserError, match=r"canonical at \$\.boot\.seconds"):
        bench.registry.register("web", wrong, artifacts=[], packages={}, builder="t", actor=ACTOR)  # type: ignore[arg-type]  # the test


def test_a_version_is_found_by_image_number_channel_and_digest(bench: Bench) -> None:
    first, second = bench.build("web", 1), bench.build("web", 2)
    bench.channel("web", "dev", policy())
    bench.promote("web", "dev", "web:1")

    found = [bench.registry.resolve(name).number for name in ("web", "web:1", "web@dev", first.digest, second.digest[:20])]

    assert found == [2, 1, 1, 1, 2]


@pytest.mark.parametrize(
    ("reference", "code", "next"),
    [
        ("wbe", "registry.unknown-image", 'Did you mean "web"?'),
        ("web:7", "registry.unknown-version", "goldsmith show web"),
        ("web:x", "registry.unknown-version", "goldsmith show web"),
        ("web@pord", "registry.unknown-channel", 'Did you mean "prod"?'),
        ("sha256:abc", "registry.short-digest", "8 hexadecimal digits"),
        ("sha256:0123456789", "registry.unknown-digest", "goldsmith images"),
    ],
)
def test_a_name_that_means_nothing_gets_a_near_one(bench: Bench, reference: str, code: str, next: str) -> None:
    bench.build("web", 1)
    bench.channel("web", "prod", policy())

    with pytest.raises(UserError) as caught:
        bench.registry.resolve(reference)

    assert caught.value.diagnostics[0].code == code
    assert next in caught.value.diagnostics[0].next


def test_an_empty_channel_is_refused_with_the_command_that_fills_it(bench: Bench) -> None:
    bench.build("web", 1)
    bench.channel("web", "prod", policy())

    with pytest.raises(Refused) as caught:
        bench.registry.resolve("web@prod")

    assert caught.value.diagnostics[0].next == "goldsmith promote web prod"


def test_images_tell_their_newest_version_channels_and_size(bench: Bench) -> None:
    base = bench.build("base", 1)
    bench.build("web", 1, base)
    bench.build("web", 2, base)
    bench.channel("web", "dev", policy())
    bench.promote("web", "dev", "web:1")

    summaries = {item.name: item for item in bench.registry.images()}

    web = summaries["web"]
    assert (web.versions, web.newest and web.newest.number, dict(web.channels)) == (2, 2, {"dev": 1})
    assert web.size == sum((bench.root / f"output/web-{build}.raw").stat().st_size for build in (1, 2))


def test_show_tells_everything_about_a_version(bench: Bench) -> None:
    base = bench.build("base", 1)
    web = bench.build("web", 1, base)
    bench.channel("web", "dev", policy())
    bench.prove(web, "boot")
    bench.promote("web", "dev", "web")
    bench.registry.pin("web", "hold", "carol", actor=ACTOR)

    detail = bench.registry.show("web")

    assert detail.parent == base
    assert [item.gate for item in detail.evidence] == ["boot"]
    assert [item.name for item in detail.channels] == ["dev"]
    assert detail.pins == ("hold by carol",)
    assert [event.type for event in detail.history] == ["promotion.committed", "evidence.accepted", "version.registered"]
    assert bench.registry.show("base").children == (web,)


def test_a_deleted_version_that_is_built_again_gets_its_bytes_back(bench: Bench) -> None:
    bench.build("web", 1)
    bench.build("web", 2)
    bench.registry.expire(RetentionPolicy(keep_last=1, keep_for_s=0, grace_s=0, bytes_wait_s=0), actor=ACTOR)
    assert bench.registry.resolve("web:1").storage == "deleted"

    again = bench.build("web", 1)

    assert (again.number, again.storage, again.existed) == (1, "present", True)
    assert bench.registry.blobs.is_intact(bench.registry.show("web:1").artifacts[0].digest)


def test_a_url_of_another_database_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="mysql") as caught:
        open_registry("mysql://user:secret@db/goldsmith", tmp_path)

    assert "sqlite:///" in caught.value.diagnostics[0].next
    assert "secret" not in str(caught.value)


def test_a_registry_of_an_unwritable_place_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(MachineError, match="cannot be made"):
        open_registry(f"sqlite:///{tmp_path}/file/registry.db", tmp_path / "store")


def test_importing_the_room_does_not_load_sqlalchemy() -> None:
    program = (
        "import sys, goldsmith.registry as r; r.RetentionPolicy; r.open_registry; print([m for m in sys.modules if m in M])"
    )
    program = program.replace("M])", "('sqlalchemy', 'alembic', 'pydantic')])")

    assert subprocess.check_output([sys.executable, "-c", program], text=True).strip() == "[]"


def test_opening_an_existing_registry_does_not_load_alembic(bench: Bench) -> None:
    bench.build("web", 1)
    program = f"""
import sys
from pathlib import Path
from goldsmith.registry import open_registry
with open_registry({bench.url!r}, Path({str(bench.root / "store")!r})) as registry:
    print(len(registry.images()), "alembic" in sys.modules)
"""

    assert subprocess.check_output([sys.executable, "-c", program], text=True).split() == ["1", "False"]


def test_every_public_name_exists() -> None:
    import goldsmith.registry as room

    assert [name for name in room.__all__ if not hasattr(room, name)] == []
    assert room.__all__ == sorted(room.__all__, key=lambda name: (not name.isupper(), not name[0].isupper(), name))
