"""Maven coordinates of a Java archive, by its pom.properties, its manifest and its file name."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_NAMED = re.compile(r"(?P<artifact>.+?)[-_](?P<version>v?\d+(?:[.\-+_][0-9A-Za-z]+)*)")
_DOTTED = re.compile(r"[a-z][a-z0-9_-]*(?:\.[A-Za-z0-9_-]+)+")
_VERSIONS = ("Implementation-Version", "Bundle-Version", "Specification-Version")

_GROUPS: Sequence[tuple[str, str]] = (
    ("spring-boot", "org.springframework.boot"),
    ("spring-security-oauth2", "org.springframework.security"),
    ("spring-security", "org.springframework.security"),
    ("spring-session", "org.springframework.session"),
    ("spring-data", "org.springframework.data"),
    ("spring-cloud", "org.springframework.cloud"),
    ("spring-integration", "org.springframework.integration"),
    ("spring-batch", "org.springframework.batch"),
    ("spring-ws", "org.springframework.ws"),
    ("spring-hateoas", "org.springframework.hateoas"),
    ("spring-kafka", "org.springframework.kafka"),
    ("spring-rabbit", "org.springframework.amqp"),
    ("spring-amqp", "org.springframework.amqp"),
    ("spring-ldap", "org.springframework.ldap"),
    ("spring", "org.springframework"),
    ("tomcat-embed", "org.apache.tomcat.embed"),
    ("tomcat", "org.apache.tomcat"),
    ("catalina", "org.apache.tomcat"),
    ("groovy", "org.codehaus.groovy"),
    ("kotlin", "org.jetbrains.kotlin"),
    ("hibernate", "org.hibernate"),
    ("lucene", "org.apache.lucene"),
    ("kafka", "org.apache.kafka"),
    ("mysql-connector-j", "com.mysql"),
    ("bcprov", "org.bouncycastle"),
    ("bcpkix", "org.bouncycastle"),
    ("bcutil", "org.bouncycastle"),
    ("bctls", "org.bouncycastle"),
    ("reactor", "io.projectreactor"),
    ("micrometer", "io.micrometer"),
    ("okhttp", "com.squareup.okhttp3"),
    ("okio", "com.squareup.okio"),
    ("asm", "org.ow2.asm"),
)
"""Groups of well-known projects that other tools than Maven build, whose archives hold no pom.properties. The first that
begins the artifact counts. Source: their pages in Maven Central."""


@dataclass(frozen=True, slots=True)
class Coordinates:
    """What names a library; "" for what is not known."""

    group: str
    artifact: str
    version: str
    is_guess: bool = False
    """The group is not known, or only what the manifest lets one think."""

    @property
    def name(self) -> str:
        """`group:artifact`, the artifact alone when its group is not known."""
        return f"{self.group}:{self.artifact}" if self.group else self.artifact


def properties(content: bytes) -> Coordinates:
    """The coordinates in a pom.properties."""
    found = dict(
        re.findall(r"^(groupId|artifactId|version)[ \t]*[=:][ \t]*(.*?)[ \t\r]*$", content.decode(errors="replace"), re.M)
    )
    return Coordinates(found.get("groupId", ""), found.get("artifactId", ""), found.get("version", ""))


def identify(stem: str, of_maven: Sequence[Coordinates], manifest: Mapping[str, str]) -> tuple[Coordinates, ...]:
    """The libraries of an archive: its own, and those whose pom.properties were packed into it with them.

    `stem` is the file's name without its ending.
    """
    known = tuple(dict.fromkeys(item for item in of_maven if item.artifact))
    own = _own(stem, manifest)
    if any(item.artifact in (own.artifact, stem) for item in known):
        return tuple(item if item.version else _with_version(item, own) for item in known)
    # A renamed archive still has its own pom.properties: then they, and nothing else, give its version.
    is_renamed = len(known) == 1 and own.version in ("", known[0].version)
    return known if is_renamed or (known and not own.version) else (*known, own)


def _with_version(item: Coordinates, own: Coordinates) -> Coordinates:
    return Coordinates(item.group, item.artifact, own.version if item.artifact == own.artifact else "")


def _own(stem: str, manifest: Mapping[str, str]) -> Coordinates:
    """What the file name says, and where it says nothing, the manifest."""
    named = _NAMED.fullmatch(stem)
    artifact = named["artifact"] if named else stem
    stated = next((text for key in _VERSIONS if (text := manifest.get(key, "").split(" ")[0])), "")
    version = named["version"] if named else stated if stated[:1].isdigit() else ""
    for prefix, group in _GROUPS:
        if artifact == prefix or artifact.startswith(prefix + "-"):
            return Coordinates(group, artifact, version)
    return Coordinates(_stated_group(artifact, manifest), artifact, version, is_guess=True)


def _stated_group(artifact: str, manifest: Mapping[str, str]) -> str:
    vendor = manifest.get("Implementation-Vendor-Id", "")
    if _DOTTED.fullmatch(vendor):
        return vendor
    bundle = manifest.get("Bundle-SymbolicName", "").split(";")[0].strip()
    return bundle.removesuffix(f".{artifact}") if _DOTTED.fullmatch(bundle) else ""
