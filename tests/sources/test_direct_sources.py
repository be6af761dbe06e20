"""The sources `null`, `file` and `image`, and the data source `null`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from goldsmith.components import Base, Context, find, names
from goldsmith.datasources.null import Null as NullData
from goldsmith.datasources.null import NullConfig as NullDataConfig
from goldsmith.events import Event, Output, Warned
from goldsmith.hcl.diagnostics import MachineError, UserError
from goldsmith.hcl.values import number, object_of, string
from goldsmith.machines.machine import Machine
from goldsmith.sources.file import File, FileConfig
from goldsmith.sources.image import Image, ImageConfig
from goldsmith.sources.null import Null, NullConfig


def no_provisioners(machine: Machine, generated: Mapping[str, str]) -> None:
    """What a build without provisioners does."""


def test_null_makes_packers_artifact(new_context: Callable[..., Context]) -> None:
    artifact = Null().run(NullConfig(communicator="none"), new_context(), no_provisioners)

    assert (artifact.builder_id, artifact.id, artifact.files) == ("fnoeding.null", "Null", ())
    assert artifact.text == "Did not export anything. This is the null builder"


def test_null_tells_all_that_is_missing_to_log_in(new_context: Callable[..., Context]) -> None:
    with pytest.raises(UserError) as caught:
        Null().check(NullConfig(ssh_file_transfer_method="rsync", ssh_local_tunnels=("80",)), new_context())

    codes = [diagnostic.code for diagnostic in caught.value.diagnostics]
    assert codes == [
        "communicator.no-user",
        "source.invalid-value",
        "source.invalid-value",
        "null.no-host",
        "communicator.no-credentials",
    ]


def test_null_needs_to_know_who_logs_in_to_windows(new_context: Callable[..., Context]) -> None:
    with pytest.raises(UserError) as caught:
        Null().check(NullConfig(communicator="winrm", winrm_host="example.test"), new_context())

    assert [diagnostic.code for diagnostic in caught.value.diagnostics] == [
        "communicator.no-user",
        "communicator.no-credentials",
    ]


def test_null_takes_a_communicator_that_is_not_known_yet(new_context: Callable[..., Context]) -> None:
    Null().check(NullConfig(communicator="<unknown>"), new_context())


def test_nothing_acts_on_the_machine_that_null_has_not(new_context: Callable[..., Context], tmp_path: Path) -> None:
    def provision(machine: Machine, generated: Mapping[str, str]) -> None:
        assert generated["ConnType"] == "none"
        assert generated["PackerRunUUID"] == "11111111-2222-3333-4444-555555555555"
        acts: tuple[Callable[[], object], ...] = (
            lambda: machine.run(["touch", str(tmp_path / "touched")]),
            lambda: machine.put(b"text", str(tmp_path / "put")),
            lambda: machine.put_tree(tmp_path, str(tmp_path / "tree")),
            lambda: machine.get("/etc/hostname", tmp_path / "got"),
            lambda: machine.get_tree("/etc", tmp_path / "etc"),
        )
        for act in acts:
            with pytest.raises(MachineError) as caught:
                act()
            assert caught.value.diagnostics[0].code == "machine.none"

    Null().run(NullConfig(communicator="none"), new_context(), provision)

    assert not {"touched", "put", "tree", "got", "etc"} & {path.name for path in tmp_path.iterdir()}


def test_file_writes_a_content(new_context: Callable[..., Context], tmp_path: Path) -> None:
    artifact = File().run(FileConfig(target="out.txt", content="hello"), new_context(), no_provisioners)

    assert (tmp_path / "out.txt").read_text() == "hello"
    assert (tmp_path / "out.txt").stat().st_mode & 0o777 == 0o600
    assert (artifact.builder_id, artifact.id, artifact.text) == ("packer.file", "File", "Stored file: out.txt")


def test_file_copies_a_source(new_context: Callable[..., Context], tmp_path: Path, events: list[Event]) -> None:
    (tmp_path / "in.bin").write_bytes(b"\0\xff" * 10)

    File().run(FileConfig(target="out.bin", source="in.bin"), new_context(), no_provisioners)

    assert (tmp_path / "out.bin").read_bytes() == b"\0\xff" * 10
    assert [event.text for event in events if isinstance(event, Output)] == ["Copying in.bin to out.bin", "Copied 20 bytes"]


def test_file_runs_provisioners_when_the_file_is_there(new_context: Callable[..., Context], tmp_path: Path) -> None:
    seen: list[tuple[bool, Mapping[str, str]]] = []

    File().run(
        FileConfig(target="out.txt", content="x"),
        new_context(),
        lambda machine, generated: seen.append(((tmp_path / "out.txt").exists(), generated)),
    )

    assert seen == [(True, {})]


def test_the_artifact_of_file_is_removed_with_it(new_context: Callable[..., Context], tmp_path: Path) -> None:
    artifact = File().run(FileConfig(target="out.txt", content="x"), new_context(), no_provisioners)

    artifact.destroy(tmp_path)
    artifact.destroy(tmp_path)

    assert not (tmp_path / "out.txt").exists()


def test_file_refuses_both_content_and_source(new_context: Callable[..., Context]) -> None:
    with pytest.raises(UserError) as caught:
        File().check(FileConfig(target="", content="x", source="y"), new_context())

    assert [diagnostic.code for diagnostic in caught.value.diagnostics] == ["file.no-target", "file.content-and-source"]


def test_file_warns_of_an_empty_target(new_context: Callable[..., Context], events: list[Event]) -> None:
    File().check(FileConfig(target="out.txt"), new_context())

    assert [type(event) for event in events] == [Warned]


def test_file_makes_directories_and_opens_a_copy_but_not_a_text(new_context: Callable[..., Context], tmp_path: Path) -> None:
    context = new_context()
    for config in (FileConfig(target="a/b/text", content="x"), FileConfig(target="a/c/copy", source="a/b/text")):
        File().run(config, context, no_provisioners)

    assert oct((context.cwd / "a/b/text").stat().st_mode & 0o777) == "0o600"
    assert oct((context.cwd / "a/c/copy").stat().st_mode & 0o777) == "0o644"


def test_file_says_where_it_cannot_write(new_context: Callable[..., Context]) -> None:
    context = new_context()
    (context.cwd / "file").touch()

    with pytest.raises(UserError) as caught:
        File().run(FileConfig(target="file/out.txt", content="x"), context, no_provisioners)

    assert caught.value.diagnostics[0].code == "file.unwritable"
    assert "file/out.txt" in caught.value.diagnostics[0].what


class Asked:
    """A lookup that remembers what it was asked."""

    def __init__(self) -> None:
        self.questions: list[tuple[str, str, str, str]] = []

    def find(self, image: str, *, channel: str, version: str, digest: str) -> Base:
        self.questions.append((image, channel, version, digest))
        return Base(layers=("sha256:1",), parent="sha256:2")


def test_image_builds_on_what_the_project_finds(new_context: Callable[..., Context]) -> None:
    asked = Asked()

    base = Image().base(ImageConfig(parent="base", channel="prod"), new_context(), asked)

    assert asked.questions == [("base", "prod", "", "")]
    assert (base.layers, base.parent, base.step) == (("sha256:1",), "sha256:2", None)


@pytest.mark.parametrize(
    ("config", "built_first"),
    [
        (ImageConfig(parent="base"), "base"),
        (ImageConfig(parent="base", channel="prod"), None),
        (ImageConfig(parent="base", version="4"), None),
        (ImageConfig(parent="base", digest="sha256:0"), None),
    ],
)
def test_only_a_parent_of_this_run_is_built_first(config: ImageConfig, built_first: str | None) -> None:
    assert Image().parent_image(config) == built_first


def test_image_checks_its_disk(new_context: Callable[..., Context]) -> None:
    with pytest.raises(UserError) as caught:
        Image().check(ImageConfig(parent="base", boot="bios", formats=("qcow",)), new_context())

    assert len(caught.value.diagnostics) == 2
    assert caught.value.diagnostics[1].next == 'Did you mean "qcow2"?'


def test_the_disk_is_as_the_block_says() -> None:
    config = ImageConfig(parent="base", formats=("raw",), disk_size="4G", boot="none", hostname="web", vm_name="disk")

    disk = Image().disk(config)

    assert (disk.formats, disk.size, disk.boot, disk.hostname, disk.vm_name) == (("raw",), "4G", "none", "web", "disk")


@pytest.mark.parametrize(("given", "output"), [(string("text"), "text"), (number(4), "4")])
def test_data_null_gives_back_its_input(new_context: Callable[..., Context], given: object, output: str) -> None:
    value = NullData().read(NullDataConfig(input=given), new_context())  # type: ignore[arg-type]  # a Value each time

    assert value == object_of({"output": string(output)})


def test_data_null_keeps_a_secret_secret(new_context: Callable[..., Context]) -> None:
    assert NullData().read(NullDataConfig(input=string("hush").marked()), new_context()).is_sensitive_anywhere


def test_all_sources_are_found_by_their_names() -> None:
    assert {"bootstrap", "file", "image", "null"} <= set(names("source"))
    assert find("source", "null") is Null and find("data", "null") is NullData
