"""The source `docker` and its post-processors, with a real podman."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from goldsmith.components import Artifact, Context
from goldsmith.hcl.diagnostics import UserError
from goldsmith.images.oci import to_oci
from goldsmith.postprocessors.docker_tag import DockerTag, DockerTagConfig
from goldsmith.sources.docker import Docker, DockerConfig, Dockerfile
from tests.machines.podman_workbench import SMALL, Podman

GOLDSMITH = Path(sys.executable).with_name("goldsmith")
TEMPLATE = """
source "docker" "small" {
  docker_path = "%(docker)s"
  image       = "%(image)s"
  pull        = false
  %(outcome)s
}
build {
  sources = ["docker.small"]
  provisioner "file" {
    content     = "hello from a file"
    destination = "/tmp/greeting"
  }
  provisioner "shell" {
    environment_vars = ["WHOM=it's me"]
    inline           = ["echo \\"$(cat /tmp/greeting), $WHOM\\" > /etc/greeting; ls -n /tmp/greeting", "id -u"]
  }
  %(more)s
}
"""


@pytest.mark.parametrize(
    ("config", "codes"),
    [
        (DockerConfig(), ["docker.no-image", "docker.outcome"]),
        (DockerConfig(image="a", build=Dockerfile(path="Dockerfile"), commit=True), ["docker.two-images"]),
        (DockerConfig(build=Dockerfile(), commit=True), ["docker.no-dockerfile"]),
        (DockerConfig(image="a", commit=True, discard=True), ["docker.outcome"]),
        (DockerConfig(image="a", export_path="."), ["docker.export-path"]),
        (DockerConfig(image="a", discard=True, changes=("USER ann",)), ["docker.changes"]),
        (DockerConfig(image="a", commit=True, windows_container=True), ["docker.windows"]),
        (DockerConfig(image="a", commit=True, communicator="ssh"), ["docker.communicator"]),
        (DockerConfig(image="a", commit=True, ecr_login=True), ["docker.no-server"]),
        (DockerConfig(image="a", commit=True, communicator="<unknown>"), []),
    ],
)
def test_what_contradicts_itself_is_told_at_once(
    config: DockerConfig, codes: list[str], new_context: Callable[..., Context]
) -> None:
    told: list[str] = []
    try:
        Docker().check(config, new_context())
    except UserError as error:
        told = [diagnostic.code for diagnostic in error.diagnostics]

    assert told == codes


def test_post_processors_take_images_of_the_engine_only(new_context: Callable[..., Context]) -> None:
    with pytest.raises(UserError, match=r"Unknown artifact type: fnoeding\.null"):
        DockerTag().process(
            DockerTagConfig(repository="x"), Artifact(builder_id="fnoeding.null", id="Null", text=""), new_context()
        )


def test_a_missing_engine_is_told_with_what_to_install(tmp_path: Path) -> None:
    told = build(tmp_path, "commit = true", docker="/nowhere/docker", code=1)

    assert 'there is no program "/nowhere/docker" here' in told
    assert "apt-get install --no-install-recommends podman" in told


@pytest.fixture(scope="module")
def podman(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Podman]:
    with Podman(tmp_path_factory.mktemp("podman")) as running:
        yield running


def write(directory: Path, outcome: str, docker: object, more: str = "", image: str = SMALL) -> None:
    text = TEMPLATE % {"docker": docker, "outcome": outcome, "more": more, "image": image}
    (directory / "small.pkr.hcl").write_text(text)


def environment(directory: Path) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "HOME": str(directory), "GOLDSMITH_CACHE": str(directory / "cache")}


def build(directory: Path, outcome: str, *, docker: object, more: str = "", code: int = 0, image: str = SMALL) -> str:
    write(directory, outcome, docker, more, image)
    done = subprocess.run(
        [GOLDSMITH, "build", "."], cwd=directory, env=environment(directory), capture_output=True, text=True, check=False
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.slow
def test_a_container_becomes_an_image_that_is_tagged_and_saved(podman: Podman, tmp_path: Path) -> None:
    more = f"""
      post-processors {{
        post-processor "docker-tag" {{
          docker_path = "{podman.program}"
          repository  = "localhost/greeter"
          tags        = ["1", "new"]
        }}
        post-processor "docker-save" {{
          docker_path = "{podman.program}"
          path        = "out/greeter.tar"
        }}
      }}
    """
    told = build(
        tmp_path, 'commit = true\n  changes = ["CMD [\\"cat\\", \\"/etc/greeting\\"]"]', docker=podman.program, more=more
    )

    assert podman.podman("run", "--rm", "localhost/greeter:new") == "hello from a file, it's me"
    # The container's own shell is no entry point of the image.
    assert podman.podman("inspect", "--format", "{{json .Config.Entrypoint}}", "localhost/greeter:1") == '["/bin/env"]'
    assert "Imported Docker image: localhost/greeter:new with tags localhost/greeter:1 localhost/greeter:new" in told
    assert tarfile.is_tarfile(tmp_path / "out/greeter.tar")
    assert podman.podman("ps", "--all", "--quiet") == ""


@pytest.mark.slow
def test_a_container_is_exported_and_imported_again(podman: Podman, tmp_path: Path) -> None:
    more = f"""
      post-processor "docker-import" {{
        docker_path = "{podman.program}"
        repository  = "localhost/again"
        tag         = "2"
        changes     = ["USER ann"]
      }}
    """
    build(tmp_path, 'export_path = "out/small.tar"\n  exec_user = "ann"', docker=podman.program, more=more, code=1)
    told = build(tmp_path, 'export_path = "out/small.tar"', docker=podman.program, more=more)

    assert podman.podman("run", "--rm", "localhost/again:2", "cat", "/etc/greeting") == "hello from a file, it's me"
    assert podman.podman("run", "--rm", "localhost/again:2", "id", "-u") == "1000"
    assert "Exported Docker file: out/small.tar" in told or "Imported Docker image: localhost/again:2" in told
    assert not (tmp_path / "out/small.tar").exists(), "the archive is not kept unless asked for"


@pytest.mark.slow
def test_uploaded_files_belong_to_who_provisions(podman: Podman, tmp_path: Path) -> None:
    write(tmp_path, 'discard = true\n  exec_user = "ann"', podman.program)
    template = tmp_path / "small.pkr.hcl"
    template.write_text(template.read_text().replace("> /etc/greeting", ">> /tmp/greeting"))
    done = subprocess.run(
        [GOLDSMITH, "build", "."], cwd=tmp_path, env=environment(tmp_path), capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout
    assert "1000     1000" in done.stdout


@pytest.mark.slow
def test_a_dockerfile_is_built_first(podman: Podman, tmp_path: Path) -> None:
    (tmp_path / "image").mkdir()
    (tmp_path / "image/word").write_text("copied")
    (tmp_path / "image/Dockerfile").write_text(f"FROM {SMALL}\nARG WORD\nENV WORD=$WORD\nCOPY word /etc/word\n")
    write(tmp_path, "discard = true", podman.program)
    template = tmp_path / "small.pkr.hcl"
    text = template.read_text().replace(
        f'image       = "{SMALL}"', 'build {\n path = "image/Dockerfile"\n pull = false\n arguments = { WORD = "golden" }\n}'
    )
    template.write_text(text.replace('"id -u"', '"cat /etc/word; echo and $WORD"'))
    done = subprocess.run(
        [GOLDSMITH, "build", "."], cwd=tmp_path, env=environment(tmp_path), capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "docker.small: copiedand golden" in done.stdout


@pytest.mark.slow
def test_no_container_stays_behind_a_step_that_fails_or_an_image_that_is_not_there(podman: Podman, tmp_path: Path) -> None:
    failing = 'provisioner "shell" {\n inline = ["exit 7"]\n}'

    assert "exit status: 7" in build(tmp_path, "commit = true", docker=podman.program, more=failing, code=1)
    told = build(tmp_path, "commit = true", docker=podman.program, code=1, image="localhost/nothing:1")

    assert "container.failed" in told
    assert podman.podman("ps", "--all", "--quiet") == ""


@pytest.mark.slow
def test_clean_removes_the_container_of_a_killed_build(podman: Podman, tmp_path: Path) -> None:
    write(tmp_path, "discard = true", podman.program, 'provisioner "shell" {\n inline = ["echo waiting", "sleep 300"]\n}')
    with subprocess.Popen(
        [GOLDSMITH, "build", "."], cwd=tmp_path, env=environment(tmp_path), stdout=subprocess.PIPE, text=True
    ) as running:
        assert running.stdout is not None
        assert any("waiting" in line for line in running.stdout)
        running.send_signal(signal.SIGKILL)
    assert podman.podman("ps", "--quiet") != ""

    done = subprocess.run(
        [GOLDSMITH, "clean"], cwd=tmp_path, env=environment(tmp_path), capture_output=True, text=True, check=True
    )

    assert "Released" in done.stdout
    deadline = time.monotonic() + 20
    while podman.podman("ps", "--all", "--quiet") and time.monotonic() < deadline:
        time.sleep(0.2)
    assert podman.podman("ps", "--all", "--quiet") == ""


@pytest.mark.slow
def test_a_sealed_tree_is_an_image_that_podman_starts(podman: Podman, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    for name in ("bin", "etc", "tmp"):
        (tree / name).mkdir(parents=True)
    shutil.copy("/bin/busybox", tree / "bin/busybox")
    (tree / "bin/sh").symlink_to("busybox")
    (tree / "etc/greeting").write_text("from a sealed tree")

    to_oci(tree, tmp_path / "sealed.oci", name="golden:1", architecture="amd64", epoch=1_700_000_000, work=tmp_path)
    podman.podman("load", "--input", str(tmp_path / "sealed.oci"))

    assert podman.podman("run", "--rm", "localhost/golden:1", "busybox", "cat", "/etc/greeting") == "from a sealed tree"
