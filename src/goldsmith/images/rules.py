"""The audited list of what must not be in an image: each rule with its paths, what is done about them, and why."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias

Action: TypeAlias = Literal["delete", "truncate"]
Stage: TypeAlias = Literal["layer", "seal"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What is done about the names that match one of `patterns`.

    A pattern is a path from the root of the tree without the leading slash: `*` stands for any part of one name, `**/`
    for any directories, and `~` for every home directory.
    """

    name: str
    patterns: tuple[str, ...]
    action: Action
    reason: str
    in_layers: bool = True
    """False: only sealing applies it, because a later step may still use what is there."""


RULES: tuple[Rule, ...] = (
    Rule(
        name="identity",
        patterns=("etc/machine-id",),
        action="truncate",
        reason="every machine gets an id of its own at its first boot",
    ),
    Rule(
        name="identity-copies",
        patterns=("var/lib/dbus/machine-id",),
        action="delete",
        reason="D-Bus reads /etc/machine-id when it has no copy",
    ),
    Rule(
        name="host-keys",
        patterns=("etc/ssh/ssh_host_*",),
        action="delete",
        reason="two machines with one host key can pass for each other; keys are made at the first boot",
    ),
    Rule(
        name="service-keys",
        patterns=(
            "etc/ssl/private/ssl-cert-snakeoil.key",
            "etc/ssl/certs/ssl-cert-snakeoil.pem",
            "etc/salt/pki/minion/*",
            "etc/puppetlabs/puppet/ssl/*",
            "var/lib/puppet/ssl/*",
            "var/lib/kubelet/pki/*",
            "var/lib/tailscale/*",
            "var/lib/samba/private/*",
        ),
        action="delete",
        reason="a key that identifies one machine must not be shared by all",
    ),
    Rule(
        name="seeds",
        patterns=(
            "var/lib/systemd/random-seed",
            "var/lib/systemd/credential.secret",
            "var/lib/urandom/*",
            "boot/**/random-seed",
        ),
        action="delete",
        reason="machines that start from one seed can be predicted",
    ),
    Rule(
        name="histories",
        patterns=(
            "~/.*_history",
            "~/.lesshst",
            "~/.viminfo",
            "~/.wget-hsts",
            "~/.ssh/known_hosts",
            "~/.ssh/known_hosts.old",
            "~/.sudo_as_admin_successful",
        ),
        action="delete",
        reason="what the builder typed and reached is nobody's business",
    ),
    Rule(
        name="home-caches",
        patterns=("~/.cache", "~/.ansible"),
        action="delete",
        reason="left by tools that the build ran",
        in_layers=False,
    ),
    Rule(
        name="package-logs",
        patterns=(
            "var/log/dpkg.log*",
            "var/log/alternatives.log*",
            "var/log/apt/*",
            "var/log/bootstrap.log",
            "var/log/installer",
        ),
        action="delete",
        reason="they hold the time of each package's installation",
    ),
    Rule(
        name="journals",
        patterns=("var/log/journal/*", "var/log/**/*.journal", "var/log/**/*.gz", "var/log/**/*.xz", "var/log/**/*.old"),
        action="delete",
        reason="logs of the build",
    ),
    Rule(
        name="logs",
        patterns=("var/log/**/*",),
        action="truncate",
        reason="logs of the build; owner and mode stay, because services need them",
    ),
    Rule(
        name="package-caches",
        patterns=(
            "var/cache/apt/*.bin",
            "var/cache/apt/archives/*.deb",
            "var/cache/apt/archives/lock",
            "var/cache/apt/archives/partial/*",
            "var/lib/apt/lists/*",
            "var/cache/yum/*",
            "var/cache/dnf/*",
            "var/lib/rpm/__db.*",
        ),
        action="delete",
        reason="downloads and indexes of the build",
    ),
    Rule(
        name="builder-configuration",
        patterns=("etc/dpkg/dpkg.cfg.d/99mmdebstrap", "etc/apt/apt.conf.d/99mmdebstrap"),
        action="delete",
        reason="options that only the bootstrap needs",
    ),
    Rule(
        name="backups",
        patterns=(
            "etc/passwd-",
            "etc/group-",
            "etc/shadow-",
            "etc/gshadow-",
            "etc/subuid-",
            "etc/subgid-",
            "etc/.pwd.lock",
            "var/lib/dpkg/*-old",
            "var/lib/ucf/*-old",
            "var/lib/ucf/*.[0-9]",
            "var/cache/debconf/*-old",
            "var/lib/dpkg/lock*",
        ),
        action="delete",
        reason="the state before the last change differs from build to build, and may hold old password hashes",
    ),
    Rule(
        name="caches",
        patterns=(
            "var/cache/ldconfig/aux-cache",
            "var/cache/man/*",
            "var/cache/fontconfig/*",
            "var/lib/mlocate/*",
            "var/lib/plocate/*",
        ),
        action="delete",
        reason="made again when needed; holds times and inode numbers",
    ),
    Rule(
        name="leases",
        patterns=(
            "var/lib/dhcp/*.leases*",
            "var/lib/dhclient/*",
            "var/lib/NetworkManager/*",
            "etc/udev/rules.d/70-persistent-net.rules",
            "etc/.resolv.conf.systemd-resolved.bak",
        ),
        action="delete",
        reason="network state of the machine that built",
    ),
    Rule(
        name="cloud-instance",
        patterns=(
            "var/lib/cloud/instance",
            "var/lib/cloud/instances/*",
            "var/lib/cloud/data/*",
            "var/lib/cloud/sem/*",
            "var/lib/cloud/seed/*",
        ),
        action="delete",
        reason="cloud-init would take the new machine for one that it knows",
    ),
    Rule(
        name="spools",
        patterns=(
            "var/spool/cron/atjobs/*",
            "var/spool/postfix/*/*",
            "var/mail/*",
            "var/crash/*",
            "var/lib/systemd/coredump/*",
        ),
        action="delete",
        reason="mail, jobs and crashes of the build",
    ),
    Rule(
        name="temporary",
        patterns=("tmp/*", "var/tmp/*", "run/*", "lost+found/*"),
        action="delete",
        reason="temporary files of the build",
        in_layers=False,
    ),
    Rule(
        name="left-behind",
        patterns=("root/*.log", "**/.nfs[0-9a-f]*", "**/core.[0-9]*[0-9]", "swapfile", "swap.img"),
        action="delete",
        reason="remains of a build or of a crash",
        in_layers=False,
    ),
)
"""The first rule that matches a name decides, so a narrower pattern stands above a wider one."""


@functools.cache
def matcher(stage: Stage, homes: tuple[str, ...]) -> re.Pattern[bytes]:
    """One expression for all rules of a stage; the name of the group that matched is `rule_<index in RULES>`."""
    parts = [
        b"(?P<rule_%d>%s)" % (index, b"|".join(_expressions(rule.patterns, homes)))
        for index, rule in enumerate(RULES)
        if rule.in_layers or stage == "seal"
    ]
    return re.compile(b"|".join(parts), re.DOTALL)


def rule_of(path: bytes, expression: re.Pattern[bytes]) -> Rule | None:
    """The rule for a path, or None."""
    match = expression.fullmatch(path)
    if match is None:
        return None
    assert match.lastgroup is not None
    return RULES[int(match.lastgroup.removeprefix("rule_"))]


def _expressions(patterns: Iterable[str], homes: tuple[str, ...]) -> list[bytes]:
    expanded: list[str] = []
    for pattern in patterns:
        if pattern.startswith("~/"):
            expanded += [home + pattern[1:] for home in homes]
        else:
            expanded.append(pattern)
    return [path_expression(pattern) for pattern in expanded]


def path_expression(pattern: str) -> bytes:
    """A regular expression for a pattern of paths without `~` (see `Rule`)."""
    pieces = re.split(r"(\*\*/|\*|\[[^]]*\])", pattern)
    return b"".join(_piece(piece) for piece in pieces)


def _piece(piece: str) -> bytes:
    if piece == "**/":
        return rb"(?:[^/]+/)*"
    if piece == "*":
        return rb"[^/]*"
    return piece.encode() if piece.startswith("[") else re.escape(piece).encode()
