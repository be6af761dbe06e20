"""Structural detectors: what a file is by its path and shape, whatever its content says."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from goldsmith.gates.contract import Effect
from goldsmith.gates.secrets.expressions import expression
from goldsmith.gates.secrets.shapes import (
    has_private_key,
    has_resolver_of_this_host,
    has_usable_password,
    is_core_dump,
    is_der_key,
    is_identity,
    is_key_store,
    is_keytab,
    is_this_host,
    matching,
)

if TYPE_CHECKING:
    import re2

_HOMES = r"(?:root|home/[^/]+|var/(?:lib|opt|www)/[^/]+|opt/[^/]+|srv/[^/]+|etc/skel|usr/local/[^/]+)"
_HOST = "Delete it in the template; sealing makes it again at first boot."
_LEFT = "Delete it in the step that leaves it."
_PROGRAMS = ("usr/lib/", "usr/share/")
_LOGIN = "Give the machine its login at first boot, from outside."


@dataclass(frozen=True, slots=True)
class Detector:
    """A kind of file that must not be in an image."""

    rule: str
    path: str
    """An expression for the whole path without its leading slash."""
    detail: str
    fix: str
    is_one: Callable[[bytes], bool] = bool
    """Whether this content is one; by default any content is."""
    effect: Effect = "fail"
    spared: tuple[str, ...] = ()
    """Directories below which it is none."""


_USERINFO = matching(rb"^[^#\n]*\w+://[^/\s:@]*:[^/\s@$<{]+@")
_ENVIRONMENT = matching(
    rb"(?i)^\s*(?:Set|Pass)?Environment=.*(?:PASSWORD|PASSWD|SECRET|TOKEN|API_?KEY|PASSPHRASE)[A-Z_]*=[^\s\"'$%{]{4,}",
)

_KEYS = (
    Detector("ssh-host-key", r"etc/ssh/ssh_host_[^/]*_key", "a private host key of sshd", _HOST),
    Detector("snake-oil", r"etc/ssl/private/ssl-cert-snakeoil\.key", "a TLS key that all clones would share", _HOST),
    Detector("keytab", r".*\.keytab|etc/krb5\.keytab", "a Kerberos key", _LEFT, is_keytab),
    Detector("keystore", r".*\.(p12|pfx|jks|keystore|kdbx)", "a key store", _LEFT, is_key_store),
    Detector("der-key", r".*\.(der|key|pk8|p8)", "a private key", _LEFT, is_der_key),
    Detector("gpg-key", r".*/(secring\.gpg|private-keys-v1\.d/.+\.key)", "a private key of GnuPG", _LEFT),
    Detector("wireguard", r"etc/wireguard/.+\.conf", "a WireGuard key", _LOGIN, matching(rb"^\s*PrivateKey\s*=")),
    Detector("age-key", rf"{_HOMES}/\.config/sops/age/keys\.txt", "a key of age", _LEFT),
    Detector(
        "ipsec-secrets",
        r"etc/(ipsec\.secrets|ipsec\.d/.+\.secrets|racoon/psk\.txt)",
        "a key of IPsec",
        _LEFT,
        matching(rb"^[^#\n]*\b(?:PSK|XAUTH|EAP|RSA|ECDSA)\b.*\S|^[0-9a-fA-F.:]+\s+\S{6,}"),
    ),
    Detector(
        "agent-key",
        r"etc/(salt/pki/(minion|master)/(minion|master)\.pem|chef/[^/]+\.pem|puppetlabs/puppet/ssl/private_keys/.+)"
        r"|var/lib/(puppet/ssl/private_keys/.+|waagent/.+\.prv|amazon/ssm/Vault/.+)",
        "the identity of an agent",
        _LEFT,
    ),
    Detector(
        "acme-account", r"etc/letsencrypt/accounts/.+/private_key\.json", "an account key of a certificate authority", _LEFT
    ),
    Detector("dnssec-key", r"(etc|var/cache)/bind/.+\.private|etc/bind/rndc\.key", "a key of a name server", _HOST),
)
_ACCESS = (
    Detector(
        "authorized-keys",
        r".*/\.ssh/authorized_keys2?|etc/ssh/authorized_keys(\.d/.+|/.+)?",
        "a key that may log in",
        _LOGIN,
        matching(rb"^[^#\n]*(?:ssh-|ecdsa-|sk-)\S+ AAAA"),
    ),
    Detector(
        "login-hash",
        r"etc/shadow-?",
        "an account with a password, or with an empty one",
        "Lock it: passwd -l NAME.",
        has_usable_password,
    ),
    Detector(
        "group-password",
        r"etc/gshadow-?",
        "a group with a password",
        "Remove it: gpasswd -r NAME.",
        matching(rb"^[^:\n]+:[$./0-9A-Za-z][^:\n]{7,}:"),
    ),
    Detector(
        "sudo-without-password", r"etc/sudoers(\.d/.+)?", "a sudo rule without password", _LEFT, matching(rb"^[^#\n]*NOPASSWD")
    ),
    Detector(
        "builder-account",
        r"etc/passwd",
        "the account of a builder",
        "Remove it: userdel -r NAME.",
        matching(rb"^(?:packer|vagrant|packer-build|image-builder):"),
        "warn",
    ),
    Detector(
        "hosts-equiv", rf"etc/hosts\.equiv|etc/shosts\.equiv|{_HOMES}/\.(rhosts|shosts)", "hosts that are let in unasked", _LEFT
    ),
)
_IDENTITY = (
    Detector("machine-id", r"(etc|var/lib/dbus)/machine-id", "a machine id that all clones would share", _HOST, is_identity),
    Detector(
        "random-seed",
        r"var/lib/(systemd/random-seed|urandom/.+|misc/random-seed)|boot/(?:.*/)?random-seed",
        "a random seed that all clones would share",
        _HOST,
    ),
    Detector("credential-secret", r"var/lib/systemd/credential\.secret", "the key of systemd's credentials", _HOST),
    Detector("credential", r"(etc|usr/lib|var/lib)/credstore(\.encrypted)?/.+", "a credential for services", _LEFT),
    Detector(
        "cloud-state",
        r"var/lib/cloud/(instance|instances|data|sem|seed)(/.+)?|var/lib/waagent/ovf-env\.xml",
        "state of the building instance",
        "Run: cloud-init clean --logs --seed.",
    ),
    Detector(
        "cloud-log",
        r"var/log/(cloud-init(-output)?\.log|waagent\.log|amazon/.+|google-.*\.log)(\..+)?",
        "a log of the building instance",
        "Run: cloud-init clean --logs.",
    ),
    Detector(
        "dhcp-lease",
        r"var/lib/(dhcp|dhcpcd|dhclient|NetworkManager|systemd/network)/.*leases?.*|var/lib/dhcpcd5?/.+\.lease",
        "a network lease of the builder",
        _LEFT,
    ),
    Detector(
        "builder-hostname", r"etc/(hostname|mailname)", "the name of the machine that built the image", _HOST, is_this_host
    ),
    Detector(
        "builder-resolver",
        r"etc/resolv\.conf",
        "name servers of the machine that built the image",
        _HOST,
        has_resolver_of_this_host,
    ),
    Detector(
        "iscsi-name",
        r"etc/iscsi/initiatorname\.iscsi",
        "an iSCSI name that all clones would share",
        _HOST,
        matching(rb"^InitiatorName=iqn"),
    ),
)
_MACHINE_LOGINS = (
    Detector("netrc", rf"{_HOMES}/[._]netrc|etc/netrc", "logins of a home directory", _LEFT),
    Detector("apt-auth", r"etc/apt/auth\.conf(\.d/.+)?", "a login for a package archive", _LEFT, matching(rb"^[^#\n]*\bpassword\b")),
    Detector("apt-source", r"etc/apt/(sources\.list(\.d/.+)?|apt\.conf(\.d/.+)?)|etc/yum\.repos\.d/.+|etc/(yum|dnf/dnf)\.conf"
             r"|etc/apk/repositories|etc/zypp/.+", "a login in an archive's address", _LEFT, _USERINFO),
    Detector("rpm-auth", r"etc/(yum\.repos\.d/.+|yum\.conf|dnf/dnf\.conf|zypp/credentials\.d/.+)", "a login for a package archive",
             _LEFT, matching(rb"^\s*(?:proxy_)?password\s*=\s*[^\s$]{3,}")),
    Detector("pip-login", rf"({_HOMES}/(\.config/pip/|\.pip/)|etc/)pip\.conf", "a login in an index's address", _LEFT, _USERINFO),
    Detector("pgpass", rf"{_HOMES}/\.pgpass", "a database password", _LEFT, matching(rb"^[^#\n]+:[^#\n]+:[^\n]+$")),
    Detector("my-cnf", rf"({_HOMES}/\.(my|mylogin)\.cnf|etc/mysql/debian\.cnf)", "a database password", _LEFT,
             lambda data: b"\0" in data or matching(rb"^\s*password\s*=\s*[^\s]{3,}")(data)),
    Detector("wifi", r"etc/(NetworkManager/system-connections/.+|wpa_supplicant/.+\.conf|netplan/.+\.ya?ml|hostapd/.+\.conf)",
             "a network's key", _LOGIN, matching(rb"^\s*[\"']?(?:psk|wpa_psk|wpa_passphrase|password|wep-key\d|private-key-password)[\"']?\s*[=:]\s*\S{6,}")),
    Detector("dial-in", r"etc/ppp/(chap|pap)-secrets", "a login of a network provider", _LEFT, matching(rb"^\s*[^#\s]\S*\s+\S+\s+\S{3,}")),
    Detector("directory-login", r"etc/(sssd/(sssd\.conf|conf\.d/.+)|nslcd\.conf|ldap\.secret|libnss-ldap\.secret|pam_ldap\.secret)",
             "a login of a directory", _LEFT, matching(rb"^\s*(?:ldap_default_authtok|bindpw)\s*[= ]\s*\S{3,}|\A\S{6,}\s*\z")),
    Detector("samba-secrets", r"var/lib/samba/private/secrets\.tdb|etc/samba/.*cred.*", "a login of a domain", _LEFT),
    Detector("mail-login", r"etc/(postfix/sasl_passwd(\.db|\.lmdb)?|exim4/passwd\.client|msmtprc|ssmtp/ssmtp\.conf)",
             "a login of a mail server", _LEFT, matching(rb"^[^#\n]*\S+:\S{4,}|^\s*(?:password|AuthPass)\s*[= ]\s*\S{3,}|\A[^#]*\0")),
)  # fmt: skip
_SERVICE_LOGINS = (
    Detector("docker-login", r".*/\.docker/config\.json|.*/\.config/containers/auth\.json|.*/\.dockercfg|var/lib/kubelet/config\.json",
             "a registry login", _LEFT, matching(rb'"(?:auth|identitytoken)"\s*:\s*"[A-Za-z0-9+/=._-]{8,}"')),
    Detector("aws-credentials", r".*/\.aws/(credentials|config|cli/cache/.+|sso/cache/.+)|.*/\.(boto|s3cfg|passwd-s3fs)|etc/(boto\.cfg|passwd-s3fs)",
             "AWS credentials", _LEFT, matching(rb"aws_secret_access_key|secret_key\s*=|SecretAccessKey|accessToken|\A[A-Z0-9]{16,}:\S{30,}")),
    Detector("gcloud-credentials", r".*/\.config/gcloud/.*(credentials|access_tokens|adc).*|.*/application_default_credentials\.json",
             "Google credentials", _LEFT),
    Detector("azure-credentials", r".*/\.azure/(accessTokens|msal_token_cache|service_principal_entries)[^/]*|.*/\.azure/azureProfile\.json",
             "Azure credentials", _LEFT),
    Detector("cloud-login", r".*/\.(oci/(config|.+\.pem)|aliyun/config\.json|bluemix/config\.json|fly/config\.yml|config/(doctl/config\.yaml"
             r"|hcloud/cli\.toml|linode-cli|scw/config\.yaml|openstack/clouds\.yaml|rclone/rclone\.conf|heroku/.+))", "a login of a cloud", _LEFT),
    Detector("kubeconfig", r".*/\.kube/config|etc/kubernetes/[^/]+\.conf|etc/rancher/[^/]+/[^/]+\.yaml", "a login of a cluster", _LEFT,
             matching(rb"(?:token|client-key-data|password):\s*\S{6,}")),
    Detector("npm-token", r".*/\.(npmrc|yarnrc(\.yml)?)|etc/npmrc", "an npm token", _LEFT,
             matching(rb"(?:_authToken|_auth|_password|npmAuthToken|npmAuthIdent)[\"']?\s*[=:]\s*[\"']?[^\s$\"']{8,}")),
    Detector("pypirc", r".*/\.pypirc", "a PyPI login", _LEFT, matching(rb"^\s*password\s*[=:]\s*\S{4,}")),
    Detector("registry-login", r".*/\.(cargo/credentials(\.toml)?|gem/credentials|m2/settings(-security)?\.xml|gradle/gradle\.properties"
             r"|composer/auth\.json|config/composer/auth\.json|nuget/NuGet/NuGet\.Config|config/helm/registry/config\.json|bundle/config)",
             "a login of a package registry", _LEFT, matching(rb"(?i)token|password|api_key|auth|BUNDLE_\w+:\s*\S+:\S+")),
    Detector("git-credentials", r".*/\.git-credentials|.*/\.config/(git/credentials|gh/hosts\.yml|glab-cli/config\.yml|hub)",
             "a git login", _LEFT, matching(rb"://[^/\s:@]*:\S+@|token:\s*\S{6,}")),
    Detector("vault-token", r".*/\.vault-token", "a Vault token", _LEFT),
    Detector("terraform-credentials", r".*/\.terraform\.d/credentials.*|.*/\.terraformrc|.*\.tfstate(\.backup)?", "a Terraform login or state",
             _LEFT, matching(rb'"?token"?\s*[=:]|"terraform_version"')),
    Detector("vault-password", r".*/\.?vault[-_]pass(word)?(\.txt)?", "a password of ansible-vault", _LEFT),
)  # fmt: skip
_RESIDUE = (
    Detector("history", rf"{_HOMES}/\.((bash|zsh|sh|ash|ksh|mysql|psql|python|sqlite|rediscli|node_repl|php|irb|gdb|mongo|fish)_history|lesshst|viminfo|histfile|Rhistory)"
             rf"|{_HOMES}/\.local/(share/fish/fish_history|state/.+history)", "a command history", _LEFT),
    Detector("dot-env", r"(.*/)?\.env(\.[a-z]+)?", "an environment file of an application", _LEFT,
             matching(rb"^[^#\n]*=\s*\S"), spared=_PROGRAMS),
    Detector("git-repository", r"(.*/)?\.git/config", "a git repository with its history", _LEFT, bool, "warn", _PROGRAMS),
    Detector("git-address", r"(?:.*/)?\.git/config", "a login in the address of a git repository", _LEFT, _USERINFO),
    Detector("ansible-residue", rf"{_HOMES}/\.ansible/.+|(var/)?tmp/\.?ansible.*|var/log/ansible\.log", "what Ansible leaves behind", _LEFT),
    Detector("build-log", r"(var/)?tmp/(packer-|script_\d|packer\.log|install).*|var/log/(packer|installer|anaconda)(\.log|/.+)"
             r"|root/(anaconda|original)-ks\.cfg|var/log/(syslog|messages|auth\.log|secure)(\..+)?", "a log or script of the build", _LEFT, bool, "warn"),
    Detector("core-dump", r"(.*/)?core(\.\d+)?|var/lib/(systemd/coredump|apport)/.+|var/crash/.+", "a memory dump", _LEFT, is_core_dump),
    Detector("unit-secret", r"(etc|usr/lib|lib|usr/local/lib|run)/systemd/(system|user)/.+|etc/systemd/.+\.conf(\.d/.+)?",
             "a secret in a unit's environment", "Use LoadCredential=, or a file that is made at first boot.", _ENVIRONMENT),
    Detector("proxy", r"etc/(environment|profile\.d/.+|apt/apt\.conf(\.d/.+)?|wgetrc|default/.+|yum\.conf|dnf/dnf\.conf)", "a proxy of the builder", _LEFT,
             matching(rb"(?i)^\s*(?:export\s+)?[\"']?(?:https?|ftp|all)_proxy[\"']?\s*[= ]\s*[\"']?\w+://|^\s*Acquire::https?::Proxy\s+\"?\w+://|^\s*proxy\s*=\s*\w+://"), "warn"),
    Detector("proxy-login", r"etc/(environment|profile\.d/.+|apt/apt\.conf(\.d/.+)?|wgetrc)", "a login in a proxy's address", _LEFT, _USERINFO),
)  # fmt: skip

DETECTORS = (*_KEYS, *_ACCESS, *_IDENTITY, *_MACHINE_LOGINS, *_SERVICE_LOGINS, *_RESIDUE)
"""Keys, access, identity, logins of the machine and of services, residue."""

PRIVATE_KEY = Detector("private-key", r".*", "a private key", _LEFT, has_private_key)
"""Looked for in every file that is not its package's."""

_COMPILED = tuple((re.compile(detector.path, re.DOTALL), detector) for detector in DETECTORS)


@cache
def _any() -> re2._Regexp[bytes]:
    """All paths at once, between zeros, for the thousands that are none of them."""
    return expression(("(?s)\\x00(?:" + "|".join(f"(?:{detector.path})" for detector in DETECTORS) + ")\\x00").encode())


def is_telling(*paths: str) -> bool:
    """Whether any detector may ask for a file of one of these paths; for many paths at once it is sometimes so without need."""
    return _any().search("\0".join(("", *paths, "")).encode(errors="surrogateescape")) is not None


def detect(path: str, data: bytes) -> Iterator[Detector]:
    """The detectors that recognise a file by its path and content."""
    if not is_telling(path):
        return
    for pattern, detector in _COMPILED:
        if pattern.fullmatch(path) and not path.startswith(detector.spared) and detector.is_one(data):
            yield detector
