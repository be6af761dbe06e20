"""Source `docker`: provisions a container and keeps it as an image, as an archive, or not at all."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from goldsmith.components import Artifact, Context, DirectSource, attribute
from goldsmith.containers import EXPORTED, IMPORTED, RegistrySettings, image_artifact, logged_in, whole_id
from goldsmith.hcl.diagnostics import Diagnostic, MachineError, UserError
from goldsmith.machines.container import Container
from goldsmith.machines.container_engine import ContainerEngine
from goldsmith.machines.machine import Machine
from goldsmith.packer_templates import UNKNOWN_TEXT, render
from goldsmith.scripts import printed, say
from goldsmith.sources.communicator import NO_HTTP_SERVER

_RUN = ("-d", "-i", "-t", "--entrypoint=/bin/sh", "--", "{{.Image}}")
_IS_NOT_THERE = "ERR_IMAGE_SHA256_NOT_FOUND"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dockerfile:
    """The block `build`: an image that is made from a Dockerfile first."""

    path: str = attribute("", "The Dockerfile.", names_file=True)
    build_dir: str = attribute("", "The directory that it copies from; its own when nothing is said.")
    arguments: Mapping[str, str] = attribute({}, "Values of its ARG instructions.")
    pull: bool = attribute(True, "Whether newer versions of the images that it builds on are fetched.")
    compress: bool = attribute(False, "Whether the directory is compressed on its way to the engine.")


@dataclass(frozen=True, slots=True, kw_only=True)
class DockerConfig(RegistrySettings):
    """Attributes of a `source "docker"` block; names and defaults are Packer's."""

    communicator: str = attribute("docker", 'How the container is reached: "docker" is the one way.', in_key=False)
    image: str = attribute("", "The image that the container is made of.")
    build: Dockerfile | None = attribute(None, "A Dockerfile in place of `image`.")
    commit: bool = attribute(False, "Whether the container becomes an image.")
    discard: bool = attribute(False, "Whether nothing is kept.")
    export_path: str = attribute("", "A tar archive that the container's files are written to.")
    pull: bool = attribute(True, "Whether the image is fetched first.")
    run_command: tuple[str, ...] = attribute(_RUN, "The arguments of `run`; they know {{.Image}}.", rendered=False)
    changes: tuple[str, ...] = attribute((), "Instructions of a Dockerfile for the committed image.")
    author: str = attribute("", "The author of the committed image.")
    message: str = attribute("", "The message of the commit.")
    platform: str = attribute("", "The platform of the image, such as linux/arm64.")
    privileged: bool = attribute(False, "Whether the container may do what the host may.")
    cap_add: tuple[str, ...] = attribute((), "Capabilities that the container has beside the usual ones.")
    cap_drop: tuple[str, ...] = attribute((), "Capabilities that it has not.")
    device: tuple[str, ...] = attribute((), "Devices of the host to show in it.")
    tmpfs: tuple[str, ...] = attribute((), "Directories of the container that are kept in memory.")
    volumes: Mapping[str, str] = attribute({}, "Directories of the host to show in it: {host: container}.")
    runtime: str = attribute("", "The engine's runtime.")
    exec_user: str = attribute("", "Who provisioners run as; the image's user when nothing is said.")
    pty: bool = attribute(False, "Whether commands get a terminal.")
    fix_upload_owner: bool = attribute(True, "Whether uploaded files become the user's whom provisioners run as.")
    container_dir: str = attribute("/packer-files", "Accepted: files are copied in, and no directory of the host is shown.")
    windows_container: bool = attribute(False, "Not supported.")


class Docker(DirectSource[DockerConfig]):
    """Provisioners run by `exec` in a container that is removed in the end, however the build ends."""

    Config: ClassVar[type[DockerConfig]] = DockerConfig

    def check(self, config: DockerConfig, context: Context) -> None:
        """Packer's checks: one place to start from, one thing to make."""
        if found := tuple(_faults(config, context)):
            raise UserError(*found)

    def generated_names(self) -> tuple[str, ...]:
        """The id of the image that the build starts from."""
        return ("ImageSha256",)

    def run(self, config: DockerConfig, context: Context, provision: Callable[[Machine, Mapping[str, str]], None]) -> Artifact:
        """Make the container, run the provisioners in it, and keep what is wanted."""
        self.check(config, context)
        with logged_in(config, context) as engine:
            image = _built(config, config.build, engine, context) if config.build else _pulled(config, engine, context)
            with _running(config, image, engine, context) as id:
                machine = Container(
                    engine,
                    id,
                    user=config.exec_user,
                    terminal=config.pty,
                    gives_to_user=config.fix_upload_owner,
                )
                provision(machine, _generated(id, _sha256(image, engine), context))
                return _kept(config, id, image, engine, context)


def _faults(config: DockerConfig, context: Context) -> Iterator[Diagnostic]:
    yield from config.registry_faults()
    if not config.image and config.build is None:
        yield _fault(
            "docker.no-image", "image must be specified if build is not", 'Write image = "debian:12", or a build block.'
        )
    if config.image and config.build is not None:
        yield _fault("docker.two-images", "cannot specify both image and build", "Remove one of the two.")
    if config.build is not None and not config.build.path:
        yield _fault("docker.no-dockerfile", "a build block needs a path", "Name the Dockerfile.")
    ways = [config.commit, config.discard, bool(config.export_path)]
    if sum(ways) != 1:
        what = "exactly one of commit, discard and export_path must be set"
        yield _fault("docker.outcome", what, "Write commit = true for an image, export_path for an archive.")
    if config.export_path and (context.cwd / config.export_path).is_dir():
        what = "export_path must be a file, not a directory"
        yield _fault("docker.export-path", what, f"Write a name in it: {config.export_path}/image.tar")
    if config.changes and not config.commit:
        yield _fault("docker.changes", "changes needs commit = true", "Remove one of the two.")
    if config.windows_container:
        what = "Windows containers are not supported"
        yield _fault("docker.windows", what, "Build them with Packer on a Windows host.")
    if config.communicator not in ("docker", UNKNOWN_TEXT):
        what = f'a container is not reached by the communicator "{config.communicator}"'
        yield _fault("docker.communicator", what, "Leave communicator out.")


def _fault(code: str, what: str, next: str) -> Diagnostic:
    return Diagnostic(code=code, what=what, next=next)


def _pulled(config: DockerConfig, engine: ContainerEngine, context: Context) -> str:
    if config.pull:
        say(context, f"Pulling Docker image: {config.image}")
        call = ["pull", *_platform(config), config.image]
        engine.ask(call, output=printed(context), cancellation=context.cancellation)
    return config.image


def _built(config: DockerConfig, dockerfile: Dockerfile, engine: ContainerEngine, context: Context) -> str:
    """Build the Dockerfile; returns the id of the image."""
    say(context, f"Building base image from {dockerfile.path}")
    path = context.cwd / dockerfile.path
    told = context.work / f"image-{secrets.token_hex(4)}"
    arguments = [f"--build-arg={name}={value}" for name, value in dockerfile.arguments.items()]
    flags = [*(["--pull"] if dockerfile.pull else []), *(["--compress"] if dockerfile.compress else [])]
    directory = context.cwd / dockerfile.build_dir if dockerfile.build_dir else path.parent
    call = ["build", "--iidfile", str(told), *flags, *_platform(config), *arguments, "-f", str(path), str(directory)]
    engine.ask(call, output=printed(context), cancellation=context.cancellation)
    return whole_id(told.read_text().strip())


@contextmanager
def _running(config: DockerConfig, image: str, engine: ContainerEngine, context: Context) -> Iterator[str]:
    """A container of the image; removed at the end of the block, or by the next run when this one is killed."""
    words = [_rendered(word, image, context) for word in config.run_command]
    name = _name_in(words) or f"goldsmith-{secrets.token_hex(6)}"
    named = [] if _name_in(words) else ["--name", name]
    call = ["run", *named, *_options(config), *words]
    with context.journal.take("container", f"{engine.program} {name}"):
        say(context, "Starting docker container...")
        say(context, f"Run command: {engine.program} {' '.join(call)}")
        id = engine.ask(call, cancellation=context.cancellation).strip().rpartition("\n")[2]
        say(context, f"Container ID: {id}")
        yield id
        say(context, f"Killing the container: {id}")


def _name_in(words: list[str]) -> str:
    """The name that the template's own `run_command` gives."""
    for word, following in zip(words, [*words[1:], ""], strict=True):
        if word == "--":
            break
        if word == "--name":
            return following
        if word.startswith("--name="):
            return word.removeprefix("--name=")
    return ""


def _options(config: DockerConfig) -> list[str]:
    many = {"--device": config.device, "--cap-add": config.cap_add, "--cap-drop": config.cap_drop, "--tmpfs": config.tmpfs}
    return [
        *(["--privileged"] if config.privileged else []),
        *_platform(config),
        *(word for option, values in many.items() for value in values for word in (option, value)),
        *(["--runtime", config.runtime] if config.runtime else []),
        *(word for host, guest in config.volumes.items() for word in ("-v", f"{host}:{guest}")),
    ]


def _platform(config: DockerConfig) -> list[str]:
    return ["--platform", config.platform] if config.platform else []


def _rendered(word: str, image: str, context: Context) -> str:
    try:
        return render(word, context, {"Image": image})
    except ValueError as error:
        raise UserError(_fault("docker.run-command", f'"{word}" in run_command is no template: {error}', "Mend it.")) from error


def _sha256(image: str, engine: ContainerEngine) -> str:
    try:
        return whole_id(engine.ask(["inspect", "--format", "{{.Id}}", image]).strip())
    except MachineError:
        return _IS_NOT_THERE


def _generated(id: str, image: str, context: Context) -> Mapping[str, str]:
    empty = dict.fromkeys(("Host", "User", "Password", "SSHPublicKey", "SSHPrivateKey"), "")
    return {
        **NO_HTTP_SERVER,
        **empty,
        "ID": id,
        "Port": "0",
        "ConnType": "docker",
        "PackerRunUUID": context.run_uuid,
        "ImageSha256": image,
    }


def _kept(config: DockerConfig, id: str, image: str, engine: ContainerEngine, context: Context) -> Artifact:
    if config.commit:
        return _committed(config, id, image, engine, context)
    if config.export_path:
        return _exported(config.export_path, id, engine, context)
    say(context, "The container is discarded.")
    return Artifact(builder_id=EXPORTED, id="Container", text="The container was discarded")


def _committed(config: DockerConfig, id: str, image: str, engine: ContainerEngine, context: Context) -> Artifact:
    say(context, "Committing the container")
    changes = [*config.changes, *_restored(config, image, engine)]
    call = [
        "commit",
        *(["--author", config.author] if config.author else []),
        *(word for change in changes for word in ("--change", change)),
        *(["--message", config.message] if config.message else []),
        id,
    ]
    made = whole_id(engine.ask(call).strip().rpartition("\n")[2])
    say(context, f"Image ID: {made}")
    return image_artifact(IMPORTED, made, engine)


def _restored(config: DockerConfig, image: str, engine: ContainerEngine) -> Iterator[str]:
    """What the container was started with in place of the image's own: its shell is no entry point of what is made."""
    for instruction, field in (("ENTRYPOINT", "Entrypoint"), ("CMD", "Cmd")):
        if not any(change.lstrip().upper().startswith(instruction) for change in config.changes):
            words = json.loads(engine.ask(["inspect", "--format", f"{{{{json .Config.{field}}}}}", image])) or []
            yield f"{instruction} {json.dumps([words] if isinstance(words, str) else words)}"


def _exported(name: str, id: str, engine: ContainerEngine, context: Context) -> Artifact:
    say(context, f"Exporting the container to {name}")
    path = context.cwd / name
    path.parent.mkdir(parents=True, exist_ok=True)
    engine.ask(["export", "--output", str(path), id], cancellation=context.cancellation)
    return Artifact(builder_id=EXPORTED, id="Container", text=f"Exported Docker file: {name}", files=(Path(name),))
