"""Structural detectors: what a file is by its path and shape, whatever its content says."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Detector:
    """A kind of file that must not be in an image."""

    rule: str
    path: re.Pattern[str]
    """Of the path without its leading slash."""
    detail: str
    fix: str
    is_one: Callable[[bytes], bool] = bool
    """Whether this content is one; by default any content is."""


_PRIVATE_KEY = re.compile(rb"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----\s+[A-Za-z0-9+/=\s:,-]{60,}")
_HOMES = r"(?:root|home/[^/]+|var/lib/[^/]+)"


def _path(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def _has_login_hash(data: bytes) -> bool:
    return any(b"$" in line.split(b":")[1][:1] for line in data.splitlines() if line.count(b":") >= 2)


def _has_private_key(data: bytes) -> bool:
    return _PRIVATE_KEY.search(data) is not None


def _has_key_line(data: bytes) -> bool:
    return re.search(rb"^[^#\n]*(?:ssh-|ecdsa-|sk-)\S+ AAAA", data, re.MULTILINE) is not None


def _is_identity(data: bytes) -> bool:
    return data.strip() not in (b"", b"uninitialized")


def _has_userinfo(data: bytes) -> bool:
    return re.search(rb"^[^#\n]*\w+://[^/\s:@]+:[^/\s@]+@", data, re.MULTILINE) is not None


def _has_no_password_rule(data: bytes) -> bool:
    return re.search(rb"^[^#\n]*NOPASSWD", data, re.MULTILINE) is not None


def _has_aws_secret(data: bytes) -> bool:
    return b"aws_secret_access_key" in data


def _has_docker_auth(data: bytes) -> bool:
    return re.search(rb'"auth"\s*:\s*"[A-Za-z0-9+/=]{8,}"', data) is not None


def _has_unit_secret(data: bytes) -> bool:
    pattern = rb"^Environment=.*(?:PASSWORD|PASSWD|SECRET|TOKEN|API_?KEY)[A-Z_]*=[^\s\"'$%{]{4,}"
    return re.search(pattern, data, re.MULTILINE | re.IGNORECASE) is not None


def _has_npm_token(data: bytes) -> bool:
    return re.search(rb"_(?:authToken|auth|password)\s*=\s*[^\s$]{8,}", data) is not None


_HOST = "Delete it in the template; sealing makes it again at first boot."
_LEFT = "Delete it in the step that leaves it."

DETECTORS = (
    Detector("ssh-host-key", _path(r"etc/ssh/ssh_host_[^/]*_key$"), "a private host key of sshd", _HOST),
    Detector(
        "machine-id", _path(r"(etc|var/lib/dbus)/machine-id$"), "a machine id that all clones would share", _HOST, _is_identity
    ),
    Detector(
        "random-seed", _path(r"var/lib/(systemd/random-seed|urandom/.+)$"), "a random seed that all clones would share", _HOST
    ),
    Detector("credential-secret", _path(r"var/lib/systemd/credential\.secret$"), "the key of systemd's credentials", _HOST),
    Detector("authorized-keys", _path(r".*/\.ssh/authorized_keys2?$"), "a key that may log in", _LEFT, _has_key_line),
    Detector("login-hash", _path(r"etc/shadow-?$"), "an account with a password", "Lock it: passwd -l NAME.", _has_login_hash),
    Detector(
        "sudo-without-password", _path(r"etc/sudoers(\.d/.+)?$"), "a sudo rule without password", _LEFT, _has_no_password_rule
    ),
    Detector(
        "cloud-state", _path(r"var/lib/cloud/(instance|instances|data|sem|seed)/"), "state of the building instance", _LEFT
    ),
    Detector("dhcp-lease", _path(r"var/lib/(dhcp|dhcpcd|NetworkManager)/.*lease"), "a network lease of the builder", _LEFT),
    Detector("netrc", _path(rf"{_HOMES}/\.netrc$"), "logins of a home directory", _LEFT),
    Detector("apt-auth", _path(r"etc/apt/auth\.conf(\.d/.+)?$"), "a login for a package archive", _LEFT),
    Detector(
        "apt-source",
        _path(r"etc/apt/(sources\.list(\.d/.+)?|apt\.conf(\.d/.+)?)$"),
        "a login in an archive's address",
        _LEFT,
        _has_userinfo,
    ),
    Detector("pgpass", _path(rf"{_HOMES}/\.pgpass$"), "a database password", _LEFT),
    Detector("my-cnf", _path(rf"{_HOMES}/\.my\.cnf$"), "a database password", _LEFT),
    Detector("wifi", _path(r"etc/(NetworkManager/system-connections/.+|wpa_supplicant/.+\.conf)$"), "a network's key", _LEFT),
    Detector("docker-login", _path(r".*/\.docker/config\.json$"), "a registry login", _LEFT, _has_docker_auth),
    Detector("aws-credentials", _path(r".*/\.aws/credentials$"), "AWS credentials", _LEFT, _has_aws_secret),
    Detector("gcloud-credentials", _path(r".*/\.config/gcloud/.*(credentials|access_tokens).*$"), "Google credentials", _LEFT),
    Detector("azure-credentials", _path(r".*/\.azure/(accessTokens|msal_token_cache)[^/]*$"), "Azure credentials", _LEFT),
    Detector("kubeconfig", _path(r"(.*/\.kube/config|etc/kubernetes/[^/]+\.conf)$"), "a login of a cluster", _LEFT),
    Detector("npm-token", _path(r".*/\.npmrc$"), "an npm token", _LEFT, _has_npm_token),
    Detector("pypirc", _path(r".*/\.pypirc$"), "a PyPI login", _LEFT),
    Detector("git-credentials", _path(r".*/\.git-credentials$"), "a git login", _LEFT),
    Detector("vault-token", _path(r".*/\.vault-token$"), "a Vault token", _LEFT),
    Detector("terraform-credentials", _path(r".*/\.terraform\.d/credentials.*$"), "a Terraform login", _LEFT),
    Detector("history", _path(rf"{_HOMES}/\.(bash|zsh|sh|mysql|psql|python|lesshs)_?(history|t)$"), "a command history", _LEFT),
    Detector("dot-env", _path(r"(?!usr/).*/\.env(\.[a-z]+)?$"), "an environment file of an application", _LEFT),
    Detector("ansible-residue", _path(rf"{_HOMES}/\.ansible/"), "what Ansible leaves behind", _LEFT),
    Detector(
        "core-dump",
        _path(r"(.*/core(\.\d+)?|var/lib/systemd/coredump/.+)$"),
        "a memory dump",
        _LEFT,
        lambda data: data[:4] == b"\x7fELF",
    ),
    Detector(
        "unit-secret",
        _path(r"(etc|usr/lib|lib)/systemd/system/.+"),
        "a secret in a unit's environment",
        _LEFT,
        _has_unit_secret,
    ),
    Detector("keytab", _path(r".*\.keytab$|etc/krb5\.keytab$"), "a Kerberos key", _LEFT, lambda data: data[:1] == b"\x05"),
    Detector("keystore", _path(r".*\.(p12|pfx|jks|kdbx)$"), "a key store", _LEFT),
    Detector("wireguard", _path(r"etc/wireguard/.+\.conf$"), "a WireGuard key", _LEFT, lambda data: b"PrivateKey" in data),
    Detector("snake-oil", _path(r"etc/ssl/private/ssl-cert-snakeoil\.key$"), "a TLS key that all clones would share", _HOST),
)
"""The table of gates.md section 6."""

PRIVATE_KEY = Detector("private-key", _path(r".*"), "a private key", _LEFT, _has_private_key)
"""Looked for in every file that is not its package's."""


def detect(path: str, data: bytes) -> Iterator[Detector]:
    """The detectors that recognise a file by its path."""
    for detector in DETECTORS:
        if detector.path.match(path) and detector.is_one(data):
            yield detector
