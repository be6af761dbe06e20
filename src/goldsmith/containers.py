"""What all docker components share: the engine's settings, logging in to a registry, and an image that the engine keeps."""

from __future__ import annotations

import base64
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from goldsmith.aws import AwsAccess, aws_errors, image_registry, public_image_registry
from goldsmith.components import Artifact, Context, attribute
from goldsmith.hcl.diagnostics import Diagnostic, MachineError, UserError
from goldsmith.machines.container_engine import ContainerEngine
from goldsmith.scripts import say

IMPORTED = "packer.post-processor.docker-import"
"""The builder id of an image that the engine keeps."""
TAGGED = "packer.post-processor.docker-tag"
EXPORTED = "packer.docker"
"""The builder id of a container's file system as a tar archive."""
TAGS = "docker_tags"
"""The state of an artifact that holds the names of its image, with blanks between them."""

_ECR = re.compile(r"(?:https?://)?(\d+)\.dkr\.ecr\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?(?:/.*)?")
_PUBLIC_ECR = "public.ecr.aws"


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSettings:
    """The attribute that every docker component has."""

    docker_path: str = attribute("docker", 'The engine: "docker", "podman", or a path of one of them.', in_key=False)

    def engine(self) -> ContainerEngine:
        """The engine, with the credentials that the user has."""
        return ContainerEngine(program=self.docker_path)


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrySettings(EngineSettings):
    """The attributes of components that log in to a registry; names and defaults are Packer's."""

    login: bool = attribute(False, "Whether to log in first.", in_key=False)
    login_username: str = attribute("", "The user.", in_key=False)
    login_password: str = attribute("", "That user's password.", in_key=False)
    login_server: str = attribute("", "The registry; the engine's own when nothing is said.", in_key=False)
    ecr_login: bool = attribute(False, "Whether to log in to Amazon's registry at login_server.", in_key=False)
    aws_access_key: str = attribute("", "An access key; with aws_secret_key.", in_key=False)
    aws_secret_key: str = attribute("", "Its secret.", in_key=False)
    aws_token: str = attribute("", "The session token of temporary credentials.", in_key=False)
    aws_profile: str = attribute("", "A profile of the shared files.", in_key=False)
    aws_force_use_public_ecr: bool = attribute(False, "Whether login_server is Amazon's public registry by another name.")

    def registry_faults(self) -> Iterator[Diagnostic]:
        """What is wrong with the settings."""
        if self.ecr_login and not self.login_server:
            yield Diagnostic(
                code="docker.no-server",
                what="ECR login requires login server to be provided.",
                next="Write login_server, such as 123456789012.dkr.ecr.eu-west-1.amazonaws.com.",
            )

    def wants_login(self) -> bool:
        """Whether there is anything to log in for."""
        return self.login or self.ecr_login


@dataclass(frozen=True, kw_only=True)
class ContainerImage(Artifact):
    """An image that the engine keeps."""

    engine: ContainerEngine

    def destroy(self, cwd: Path) -> None:
        """Remove the image from the engine, unless something else of it needs the image."""
        with suppress(MachineError):
            self.engine.ask(["rmi", self.id])


def image_artifact(builder_id: str, id: str, engine: ContainerEngine, tags: tuple[str, ...] = ()) -> ContainerImage:
    """An image of the engine as an artifact, in Packer's words."""
    named = f" with tags {' '.join(tags)}" if tags else ""
    state = {TAGS: " ".join(tags)} if tags else {}
    return ContainerImage(builder_id=builder_id, id=id, text=f"Imported Docker image: {id}{named}", state=state, engine=engine)


def tags_of(artifact: Artifact) -> tuple[str, ...]:
    """The names that an image was given."""
    return tuple(artifact.state.get(TAGS, "").split())


def require_image(artifact: Artifact, act: str, builder_ids: tuple[str, ...] = (IMPORTED, TAGGED)) -> None:
    """Raise `UserError` for an artifact that is not what a post-processor of docker acts on."""
    if artifact.builder_id not in builder_ids:
        raise UserError(
            Diagnostic(
                code="docker.artifact",
                what=f"Unknown artifact type: {artifact.builder_id}",
                why=f"Can only {act} from Docker builder artifacts",
                next='Put it behind a source "docker" that commits, or behind docker-import or docker-tag.',
            )
        )


def whole_id(id: str) -> str:
    """The id of an image as docker writes it; podman leaves the name of the digest away."""
    return id if ":" in id else f"sha256:{id}"


@contextmanager
def logged_in(settings: RegistrySettings, context: Context) -> Iterator[ContainerEngine]:
    """The engine, logged in for the length of the block if that is wanted.

    Credentials are kept in a private directory: builds that run side by side, and the user's own, are not disturbed. Raises
    `UserError` and `MachineError` when AWS, the engine or the registry refuses.
    """
    if not settings.wants_login():
        yield settings.engine()
        return
    directory = context.work / f"docker-login-{secrets.token_hex(4)}"
    with suppress(FileNotFoundError):
        # What the user has set up of hosts and other registries stays in force.
        ignored = shutil.ignore_patterns("cli-plugins", "buildx", "scout")
        shutil.copytree(Path.home() / ".docker", directory, ignore=ignored, symlinks=True)
    directory.mkdir(mode=0o700, exist_ok=True)
    private = {"DOCKER_CONFIG": str(directory), "REGISTRY_AUTH_FILE": str(directory / "config.json")}
    engine = ContainerEngine(program=settings.docker_path, environment=private)
    server = [settings.login_server] if settings.login_server else []
    try:
        user, password = _credentials(settings, context)
        say(context, "Logging in...")
        engine.ask(["login", "--username", user, "--password-stdin", *server], stdin=password.encode())
        yield engine
    finally:
        with suppress(MachineError):
            engine.ask(["logout", *server])
        shutil.rmtree(directory, ignore_errors=True)


def _credentials(settings: RegistrySettings, context: Context) -> tuple[str, str]:
    if not settings.ecr_login:
        return settings.login_username, settings.login_password
    say(context, "Fetching ECR credentials...")
    access = AwsAccess(
        access_key=settings.aws_access_key,
        secret_key=settings.aws_secret_key,
        token=settings.aws_token,
        profile=settings.aws_profile,
        region=_ecr_region(settings),
    )
    with aws_errors("logging in to the registry", access):
        if _is_public(settings):
            token = public_image_registry(access).get_authorization_token()["authorizationData"]["authorizationToken"]
        else:
            token = image_registry(access).get_authorization_token()["authorizationData"][0]["authorizationToken"]
    user, _, password = base64.b64decode(token).decode().partition(":")
    return user, password


def _is_public(settings: RegistrySettings) -> bool:
    return settings.aws_force_use_public_ecr or _PUBLIC_ECR in settings.login_server


def _ecr_region(settings: RegistrySettings) -> str:
    if _is_public(settings):
        return "us-east-1"  # the one region where Amazon gives tokens for it
    match = _ECR.fullmatch(settings.login_server)
    if match is None:
        raise UserError(
            Diagnostic(
                code="docker.no-ecr",
                what=f'"{settings.login_server}" is no registry of Amazon',
                why="ecr_login asks AWS for a token, by the account and the region in the name",
                next="A name looks like: 123456789012.dkr.ecr.eu-west-1.amazonaws.com",
            )
        )
    return match[2]
