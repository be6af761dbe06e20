"""Post-processor `vagrant`: boxes read back by tar and qemu-img, and compared with what Packer puts into its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from goldsmith.components import Artifact, Context
from goldsmith.events import Event, Output
from goldsmith.hcl.diagnostics import UserError
from goldsmith.hcl.values import from_plain
from goldsmith.postprocessors.vagrant import Vagrant, VagrantConfig
from tests.postprocessors.boxes import unpacked

pytestmark = pytest.mark.skipif(shutil.which("qemu-img") is None, reason="needs qemu-img (qemu-utils)")


def disk(path: Path, size: str, format: str = "qcow2") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["qemu-img", "create", "-q", "-f", format, str(path), size], check=True)
    subprocess.run(["qemu-io", "-f", format, "-c", "write -P 7 1M 1M", str(path)], check=True, capture_output=True)
    return path


@pytest.fixture
def image(context: Context) -> Artifact:
    """What a build of ours leaves: the same disk in two formats."""
    files = tuple(disk(context.cwd / f"output/web.{format}", "1500M", format) for format in ("qcow2", "raw"))
    return Artifact(builder_id="goldsmith.disk", id="sha256:1", text="", files=files)


def made_of(*files: Path, builder: str = "transcend.qemu") -> Artifact:
    return Artifact(builder_id=builder, id="", text="", files=files)


def same_disk(one: Path, other: Path) -> bool:
    return subprocess.run(["qemu-img", "compare", str(one), str(other)], capture_output=True, check=False).returncode == 0


def refused(config: VagrantConfig, artifact: Artifact, context: Context) -> tuple[str, str]:
    with pytest.raises(UserError) as caught:
        Vagrant().process(config, artifact, context)
    return caught.value.diagnostics[0].code, str(caught.value)


def test_a_disk_becomes_a_box_for_libvirt(image: Artifact, context: Context) -> None:
    done = Vagrant().process(VagrantConfig(architecture="amd64"), image, context)

    assert done.artifact is not None
    assert done.artifact.text == "'libvirt' provider box: packer_a_libvirt_amd64.box"
    assert (done.artifact.builder_id, done.artifact.id) == ("mitchellh.post-processor.vagrant", "libvirt")
    assert (done.keep_input, done.must_keep) == (False, False)
    box = unpacked(context.cwd / "packer_a_libvirt_amd64.box")
    assert sorted(path.name for path in box.iterdir()) == ["Vagrantfile", "box.img", "metadata.json"]
    assert json.loads((box / "metadata.json").read_text()) == {
        "architecture": "amd64",
        "format": "qcow2",
        "provider": "libvirt",
        "virtual_size": 2,
    }
    assert 'libvirt.driver = "kvm"' in (box / "Vagrantfile").read_text()
    assert same_disk(box / "box.img", image.files[0])
    assert list(context.work.iterdir()) == []


@pytest.mark.parametrize("size,gib", [("1G", 1), ("1025M", 2), ("10G", 10), ("512M", 1)])
def test_the_size_is_told_in_whole_gib(size: str, gib: int, context: Context) -> None:
    file = disk(context.cwd / "d.qcow2", size)

    Vagrant().process(VagrantConfig(output="x.box"), made_of(file), context)

    assert json.loads((unpacked(context.cwd / "x.box") / "metadata.json").read_text())["virtual_size"] == gib


def test_a_raw_disk_is_made_qcow2_because_vagrant_reads_nothing_else(image: Artifact, context: Context) -> None:
    Vagrant().process(VagrantConfig(output="x.box"), replace(image, files=image.files[1:]), context)

    box = unpacked(context.cwd / "x.box")
    told = json.loads(
        subprocess.run(["qemu-img", "info", "--output=json", box / "box.img"], capture_output=True, check=True).stdout
    )
    assert told["format"] == json.loads((box / "metadata.json").read_text())["format"] == "qcow2"
    assert same_disk(box / "box.img", image.files[1])


def test_a_guest_cannot_pass_its_raw_disk_off_as_another_format(context: Context) -> None:
    inner = disk(context.cwd / "inner.qcow2", "10M")
    outer = context.cwd / "outer.raw"
    outer.write_bytes(inner.read_bytes().ljust(4 << 20, b"\0"))

    Vagrant().process(VagrantConfig(output="x.box"), made_of(outer), context)

    box = unpacked(context.cwd / "x.box")
    raw = context.cwd / "back.raw"
    subprocess.run(["qemu-img", "convert", "-O", "raw", box / "box.img", raw], check=True)
    assert raw.read_bytes() == outer.read_bytes()


def test_the_same_disk_gives_the_same_box(image: Artifact, context: Context) -> None:
    for number, name in enumerate(("a.box", "b.box")):
        os.utime(image.files[0], (number * 1000, number * 1000))
        image.files[0].chmod(0o600 | number)
        Vagrant().process(VagrantConfig(output=name), image, context)

    assert (context.cwd / "a.box").read_bytes() == (context.cwd / "b.box").read_bytes()


def test_the_level_and_what_it_says(image: Artifact, context: Context, events: list[Event]) -> None:
    Vagrant().process(VagrantConfig(output="deep/none.box", compression_level=0), image, context)
    Vagrant().process(VagrantConfig(output="deep/best.box", compression_level=9), image, context)

    assert (context.cwd / "deep/none.box").read_bytes()[257:262] == b"ustar"
    assert (context.cwd / "deep/best.box").read_bytes()[:2] == b"\x1f\x8b"
    assert [event.text for event in events if isinstance(event, Output)][:5] == [
        "Creating Vagrant box for 'libvirt' provider",
        f"Copying from artifact: {image.files[0]}",
        "Compressing: Vagrantfile",
        "Compressing: box.img",
        "Compressing: metadata.json",
    ]


def test_files_and_a_vagrantfile_are_added(image: Artifact, context: Context) -> None:
    (context.cwd / "info.json").write_text('{"author": "me"}')
    (context.cwd / "Vagrantfile.tpl").write_text("# {{.Provider}} {{.BuildName}} {{.ArtifactId}} {{.Architecture}}\n")
    config = VagrantConfig(
        output="{{.Provider}}-{{.SourceAMI}}.box",
        include=("info.json",),
        vagrantfile_template="Vagrantfile.tpl",
        architecture="arm64",
    )

    Vagrant().process(config, image, replace(context, generated={"SourceAMI": "ami-1"}))

    box = unpacked(context.cwd / "libvirt-ami-1.box")
    assert (box / "info.json").read_text() == '{"author": "me"}'
    assert "\n# libvirt a sha256:1 arm64\n" in (box / "Vagrantfile").read_text()


def test_metadata_of_the_templates_own_win(image: Artifact, context: Context) -> None:
    (context.cwd / "own").mkdir()
    (context.cwd / "own/metadata.json").write_text('{"own": true}')

    Vagrant().process(VagrantConfig(output="x.box", include=("own/metadata.json",)), image, context)

    assert (unpacked(context.cwd / "x.box") / "metadata.json").read_text() == '{"own": true}'


def test_settings_for_one_provider_replace_the_common_ones(image: Artifact, context: Context) -> None:
    override = from_plain({"libvirt": {"output": "theirs.box", "compression_level": 0}, "virtualbox": {"output": "no.box"}})

    Vagrant().process(VagrantConfig(output="common.box", override=override), image, context)

    assert (context.cwd / "theirs.box").read_bytes()[257:262] == b"ustar"
    assert not (context.cwd / "common.box").exists()


def test_files_of_artifice_need_the_provider(context: Context) -> None:
    files = (disk(context.cwd / "d.img", "1G"), context.cwd / "d.sha256")
    files[1].write_text("sum")
    artifact = made_of(*files, builder="packer.post-processor.artifice")

    assert refused(VagrantConfig(), artifact, context)[0] == "vagrant.artifact"
    Vagrant().process(VagrantConfig(provider_override="libvirt", output="x.box"), artifact, context)
    assert same_disk(unpacked(context.cwd / "x.box") / "box.img", files[0])


def test_a_file_is_a_box_of_the_provider_file(artifact: Artifact, context: Context) -> None:
    Vagrant().process(VagrantConfig(output="x.box", architecture="amd64"), artifact, context)

    box = unpacked(context.cwd / "x.box")
    assert sorted(path.name for path in box.iterdir()) == ["Vagrantfile", "metadata.json", "one", "two"]
    assert json.loads((box / "metadata.json").read_text()) == {"architecture": "amd64", "provider": "file"}


@pytest.mark.parametrize(
    ("builder", "code", "message"),
    [
        ("mitchellh.amazonebs", "vagrant.provider", "boxes for the provider aws cannot be made"),
        ("packer.post-processor.docker-import", "vagrant.provider", "boxes for the provider docker cannot be made"),
        ("fnoeding.null", "vagrant.artifact", "Unknown artifact type, can't build box: fnoeding.null"),
    ],
)
def test_artifacts_that_no_box_can_be_made_of(builder: str, code: str, message: str, context: Context) -> None:
    found, why = refused(VagrantConfig(), made_of(builder=builder), context)

    assert found == code
    assert message in why
    assert list(context.cwd.iterdir()) == []


def test_a_disk_that_lacks_its_base_is_refused(context: Context) -> None:
    base = disk(context.cwd / "base.qcow2", "1G")
    top = context.cwd / "top.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-b", base, "-F", "qcow2", top], check=True)

    code, why = refused(VagrantConfig(), made_of(top), context)

    assert code == "vagrant.backing-file"
    assert "base.qcow2" in why


def test_two_disks_are_not_chosen_between(context: Context) -> None:
    files = tuple(disk(context.cwd / name, "1G") for name in ("a.qcow2", "b.qcow2"))
    artifact = made_of(*files)

    assert refused(VagrantConfig(), artifact, context)[0] == "vagrant.disk"
    Vagrant().process(VagrantConfig(output="x.box"), replace(artifact, state={"diskName": "b.qcow2"}), context)
    assert (context.cwd / "x.box").exists()


@pytest.mark.parametrize(("domain", "driver"), [("tcg", "qemu"), ("none", "qemu"), ("kvm", "kvm")])
def test_the_driver_is_that_of_the_machine(domain: str, driver: str, image: Artifact, context: Context) -> None:
    Vagrant().process(VagrantConfig(output="x.box"), replace(image, state={"domainType": domain}), context)

    assert f'libvirt.driver = "{driver}"' in (unpacked(context.cwd / "x.box") / "Vagrantfile").read_text()


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (VagrantConfig(provider_override="qemu"), "The given provider_override qemu is not valid."),
        (VagrantConfig(provider_override="aws"), "boxes for the provider aws cannot be made"),
        (VagrantConfig(compression_level=10), "Invalid compression level. Expected an integer from -1 to 9."),
        (VagrantConfig(vagrantfile_template="none"), "vagrantfile_template 'none' does not exist"),
        (VagrantConfig(override=from_plain({"libvirt": "x"})), "override must be an object of objects"),
        (VagrantConfig(override=from_plain({"libvirt": {"otput": "x"}})), 'Error overriding config for libvirt: "otput"'),
        (VagrantConfig(override=from_plain({"libvirt": {"output": 3}})), 'Error overriding config for libvirt: "output"'),
    ],
)
def test_wrong_settings_are_the_users_error(config: VagrantConfig, message: str, context: Context) -> None:
    with pytest.raises(UserError) as caught:
        Vagrant().check(config, context)

    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("config", "code"),
    [
        (VagrantConfig(include=("none",)), "vagrant.include"),
        (VagrantConfig(vagrantfile_template="none", vagrantfile_template_generated=True), "vagrant.vagrantfile"),
        (VagrantConfig(output="{{nosuch}}.box"), "vagrant.template"),
    ],
)
def test_what_fails_on_the_way_leaves_nothing(config: VagrantConfig, code: str, image: Artifact, context: Context) -> None:
    before = sorted(context.cwd.iterdir())
    checked = replace(config, vagrantfile_template_generated=True)

    assert refused(checked, image, context)[0] == code
    assert sorted(context.cwd.iterdir()) == before
    assert list(context.work.iterdir()) == []
