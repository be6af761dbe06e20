"""A planted tree: every secret is found, in plain, base64, gzip and URL form, and none is shown in any report."""

from __future__ import annotations

import base64
import gzip
import json
import random
import re
import subprocess
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest

from goldsmith.events import Event
from goldsmith.gates.contract import Facts, KnownSecret, Result, Subject
from goldsmith.gates.judge import result_as_json, run_gate, summary
from goldsmith.gates.secrets import Secrets, SecretsConfig
from goldsmith.gates.secrets.rules import OWN
from goldsmith.machines.cancellation import Cancellation
from tests.gates.planting import password, private_key, token

TOKENS = (
    *("github-token", "github-fine-grained-token", "gitlab-personal-token", "npm-token", "pypi-token", "rubygems-key"),
    *("dockerhub-token", "aws-access-key", "google-api-key", "google-oauth-secret", "azure-client-secret", "azure-storage-key"),
    *("digitalocean-token", "vault-service-token", "terraform-token", "age-key", "tailscale-key", "slack-bot-token"),
    *("slack-webhook", "stripe-key", "sendgrid-key", "newrelic-user-key", "grafana-service-token", "anthropic-key"),
    *("openai-key", "huggingface-token", "telegram-bot-token", "json-web-token"),
)


@dataclass(frozen=True)
class Planted:
    """One secret in a tree."""

    name: str
    path: str
    content: bytes
    value: str
    """What no report may show; empty when the file as a whole is the finding."""


def planted(seed: int) -> Iterator[Planted]:
    """Tokens, keys, passwords and structures; values are made of the seed."""
    yield from _tokens(random.Random(f"tokens {seed}"))
    yield from _keys(random.Random(f"keys {seed}"))
    yield from _passwords(random.Random(f"passwords {seed}"))
    yield from _structures(random.Random(f"structures {seed}"))


def _tokens(chance: random.Random) -> Iterator[Planted]:
    rules = {str(rule["id"]): rule for rule in tomllib.loads(OWN.read_text())["rules"]}
    for number, name in enumerate(TOKENS):
        value = token(rules[name], chance)
        line = f"first line\nsetting: '{value}'\n".encode()
        if number % 4 == 1:
            yield Planted(f"{name} in gzip", f"var/log/app/{number}.log.gz", gzip.compress(line), value)
        elif number % 4 == 3:
            yield Planted(f"{name} in a binary", f"opt/tool/{number}", b"\x7fELF" + bytes(200) + b" " + line, value)
        else:
            yield Planted(name, f"srv/app/{number}.conf", line, value)


def _keys(chance: random.Random) -> Iterator[Planted]:
    for kind, path in (
        ("OPENSSH", "home/deploy/.ssh/id_ed25519"),
        ("RSA", "etc/ssl/private/web.pem"),
        ("EC", "opt/app/tls.txt"),
        ("", "usr/local/etc/key"),
        ("ENCRYPTED", "srv/ca.pem"),
    ):
        text = private_key(kind, chance)
        yield Planted(f"{kind} key", path, text.encode(), text.splitlines()[3])
    text = private_key("", chance)
    written = json.dumps({"type": "service_account", "private_key": text})
    yield Planted("key in JSON", "opt/app/account.json", written.encode(), text.splitlines()[3])
    text = private_key("RSA", chance)
    yield Planted("key in gzip", "root/backup.gz", gzip.compress(text.encode()), text.splitlines()[3])


def _passwords(chance: random.Random) -> Iterator[Planted]:
    forms = (
        ("etc/app/config.ini", "db_password = {}\n"),
        ("etc/app/config.yml", 'database:\n  password: "{}"\n'),
        ("etc/app/config.json", '{{"client_secret": "{}"}}\n'),
        ("etc/default/app", "API_KEY='{}'\n"),
        ("srv/app/settings.py", 'SECRET_TOKEN = "{}"\n'),
        ("usr/local/bin/backup", "#!/bin/sh\nmysqldump -u root -p{} all\n"),
        ("usr/local/bin/fetch", "#!/bin/sh\ncurl -u admin:{} https://x.invalid\n"),
        ("usr/local/bin/copy", "#!/bin/sh\nsshpass -p {} scp a b:\n"),
        ("usr/local/bin/dump", "#!/bin/sh\nPGPASSWORD={} pg_dump x\n"),
        ("usr/local/bin/users", "#!/bin/sh\necho 'admin:{}' | chpasswd\n"),
        ("usr/local/bin/sign", "#!/bin/sh\nopenssl rsa -passin pass:{} -in k\n"),
        ("srv/app/init.sql", "CREATE USER a IDENTIFIED BY '{}';\n"),
        ("root/ks.cfg", "rootpw --plaintext {}\n"),
        ("root/preseed.cfg", "d-i passwd/root-password password {}\n"),
        ("srv/app/urls", "postgres://app:{}@db.invalid/app\n"),
        ("etc/app/hosts", "machine x login y password {}\n"),
        ("srv/app/app.properties", "spring.datasource.password={}\n"),
        ("srv/app/psk.conf", "wpa_psk={}\n"),
    )
    for path, form in forms:
        value = "Q" + "".join(chance.choices("abcdefghkmnpqrstuvwxyzABCDEFGH23456789", k=15))
        yield Planted(f"password in {path}", path, form.format(value).encode(), value)


def _structures(chance: random.Random) -> Iterator[Planted]:
    value = "".join(chance.choices("abcdefghkmnpqrstuvwxyz23456789", k=18))
    files = (
        ("etc/ssh/ssh_host_rsa_key", private_key("OPENSSH", chance)),
        ("etc/machine-id", f"{chance.getrandbits(128):032x}\n"),
        ("var/lib/systemd/random-seed", str(chance.random())),
        ("home/packer/.ssh/authorized_keys", "ssh-ed25519 AAAAC3Nz packer\n"),
        ("etc/sudoers.d/90-cloud", "packer ALL=(ALL) NOPASSWD:ALL\n"),
        ("root/.netrc", f"machine a login b password {value}\n"),
        ("root/.pgpass", f"*:*:*:app:{value}\n"),
        (
            "home/a/.docker/config.json",
            json.dumps({"auths": {"x": {"auth": base64.b64encode(f"u:{value}".encode()).decode()}}}),
        ),
        ("root/.aws/credentials", f"[default]\naws_secret_access_key = {value}\n"),
        ("root/.kube/config", f"users:\n- user:\n    token: {value}\n"),
        ("root/.npmrc", f"//registry.invalid/:_authToken={value}\n"),
        ("root/.git-credentials", f"https://u:{value}@git.invalid\n"),
        ("root/.vault-token", value),
        ("etc/apt/auth.conf.d/x.conf", f"machine a login b password {value}\n"),
        ("etc/NetworkManager/system-connections/wifi", f"[wifi-security]\npsk={value}\n"),
        ("root/.bash_history", "ls\n"),
        ("srv/app/.env", f"KEY={value}\n"),
        ("etc/systemd/system/app.service", f"[Service]\nEnvironment=DB_PASSWORD={value}\n"),
        ("var/lib/cloud/instance/user-data.txt", "#cloud-config\n"),
        ("etc/krb5.keytab", "\x05\x02data"),
        ("etc/wireguard/wg0.conf", f"[Interface]\nPrivateKey = {value}\n"),
        ("var/lib/dhcp/dhclient.eth0.leases", "lease {}\n"),
    )
    for path, content in files:
        yield Planted(f"structure {path}", path, content.encode("latin-1"), value if value in content else "")


def known_forms(chance: random.Random) -> tuple[str, dict[str, bytes]]:
    """A secret of the build, and the files that hold it in each form."""
    value = password(chance, 24)
    return value, {
        "plain": f"x {value} y".encode(),
        "url": quote(value, safe="").encode(),
        "url in lower case": re.sub("%..", lambda escape: escape[0].lower(), quote(value, safe="")).encode(),
        "json": json.dumps({"a": value}).encode(),
        "hex": value.encode().hex().encode(),
        "base64": base64.b64encode(b"u:" + value.encode()),
        "base64 for addresses": base64.urlsafe_b64encode(b"us:" + value.encode()),
        "utf-16": value.encode("utf-16-le"),
        "gzip": gzip.compress(value.encode()),
        "gzip of base64": gzip.compress(base64.b64encode(value.encode())),
        "gzip in gzip": gzip.compress(gzip.compress(value.encode())),
        "two gzip streams": gzip.compress(b"first") + gzip.compress(value.encode()),
    }


def examine(tree: Path, *known: KnownSecret) -> tuple[Result, list[Event]]:
    """Run and judge the gate as the pipeline does, keeping what it said on the way."""
    events: list[Event] = []
    subject = Subject(image="t", disk_digest="sha256:00", tree=tree, disk=None, known_secrets=known, salt=b"salt", now_s=1)
    return run_gate(Secrets(), SecretsConfig(), subject, events.append, Cancellation()), events


def put(tree: Path, path: str, content: bytes) -> None:
    place = tree / path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(content)


@pytest.mark.parametrize("seed", range(3))
def test_every_planted_secret_is_reported_and_none_is_shown(tmp_path: Path, seed: int) -> None:
    items = list(planted(seed))
    value, files = known_forms(random.Random(f"known {seed}"))
    for item in items:
        put(tmp_path, item.path, item.content)
    for name, content in files.items():
        put(tmp_path, f"srv/known/{name}", content)
    assert len(items) + len(files) >= 60

    result, events = examine(tmp_path, KnownSecret(name="the build's", value=value))

    told = {finding.path for finding in result.facts.findings}
    assert [item.name for item in items if f"/{item.path}" not in told] == []
    known = {finding.path for finding in result.facts.findings if finding.rule == "known-secret"}
    assert known == {f"/srv/known/{name}" for name in files}
    reports = [
        json.dumps(result_as_json(result), default=str),
        repr(result),
        summary(result),
        *result.reasons,
        *map(repr, events),
    ]
    for secret in (value, *(item.value for item in items if item.value)):
        assert not any(secret in report for report in reports), "a report shows a secret"


def test_each_token_is_found_by_its_own_rule(tmp_path: Path) -> None:
    for item in _tokens(random.Random(5)):
        put(tmp_path, item.path, item.content)

    result, _ = examine(tmp_path)

    assert set(TOKENS) <= {finding.rule for finding in result.facts.findings}


# ── one thing wrong ─────────────────────────────────────────────────────────────────────────────────────────────────────

CLEAN = {
    "etc/machine-id": b"",
    "etc/hostname": b"localhost\n",
    "etc/shadow": b"root:*:19000:0:99999:7:::\ndaemon:!:19000::::::\napp:!*:1::::::\n",
    "etc/passwd": b"root:x:0:0:root:/root:/bin/bash\n",
    "etc/sudoers": b"root ALL=(ALL:ALL) ALL\n# NOPASSWD is a bad idea\n",
    "etc/apt/sources.list": b"deb http://deb.debian.org/debian bookworm main\n",
    "etc/ssh/sshd_config": b"PermitRootLogin prohibit-password\nToken = $TOKEN\npassword: changeme\n",
    "etc/pam.d/common-password": b"password requisite pam_deny.so\n",
    "etc/environment": b"LANG=C.UTF-8\n",
    "etc/systemd/system/app.service": b"[Service]\nEnvironment=MODE=production\nLoadCredential=password:/run/password\n",
    "etc/resolv.conf": b"nameserver 127.0.0.53\n",
    "root/.bashrc": b"export PASSWORD_STORE_DIR=~/.store\n",
    "usr/share/app/readme": b"Set the password: it is asked for at first start.\ntoken: <your token>\nsecret = ${SECRET}\n",
    "srv/app/config.yml": b"password_file: /run/secrets/db\ntoken: '{{ vault_token }}'\napi_key: null\n",
    "var/log/app.log.gz": gzip.compress(b"started\n"),
}
LINE = b"ssh-rsa AAAAB3Nz builder\n"


def _mutations() -> dict[str, tuple[str, bytes]]:
    chance = random.Random(21)
    github = token(next(rule for rule in tomllib.loads(OWN.read_text())["rules"] if rule["id"] == "github-token"), chance)
    value = "Qx7" + "".join(chance.choices("abcdefgh23456", k=14))
    return {
        "private-key": ("srv/deploy", private_key("RSA", chance).encode()),
        "ssh-host-key": ("etc/ssh/ssh_host_ecdsa_key", b"x"),
        "machine-id": ("etc/machine-id", b"0123456789abcdef0123456789abcdef\n"),
        "random-seed": ("var/lib/systemd/random-seed", b"x"),
        "authorized-keys": ("root/.ssh/authorized_keys", LINE),
        "login-hash": ("etc/shadow", b"root:$y$j9T$abc$defghijk:19000:0:99999:7:::\n"),
        "sudo-without-password": ("etc/sudoers.d/x", b"a ALL=NOPASSWD: ALL\n"),
        "github-token": ("opt/app/x", f"t={github}\n".encode()),
        "known-secret": ("opt/app/y", b"hand-over-4711"),
        "known-password": ("etc/shadow", b""),
        "apt-source": ("etc/apt/sources.list", f"deb https://u:{value}@x.invalid/ a b\n".encode()),
        "unit-secret": ("etc/systemd/system/app.service", f"[Service]\nEnvironment=APP_TOKEN={value}\n".encode()),
        "cloud-state": ("var/lib/cloud/seed/nocloud/user-data", b"x"),
        "cloud-log": ("var/log/cloud-init.log", b"x"),
        "dhcp-lease": ("var/lib/dhcp/dhclient.leases", b"x"),
        "history": ("root/.bash_history", b"x"),
        "dot-env": ("srv/app/.env", b"A=b\n"),
        "wifi": ("etc/wpa_supplicant/w.conf", f"  psk={value}\n".encode()),
        "pypirc": ("root/.pypirc", f"password = {value}\n".encode()),
        "gcloud-credentials": ("root/.config/gcloud/credentials.db", b"x"),
        "terraform-credentials": ("root/.terraform.d/credentials.tfrc.json", b'{"token": "x"}'),
        "core-dump": ("var/lib/systemd/coredump/core.x", b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x04\0" + bytes(50)),
        "keystore": ("srv/app/x.p12", b"\x30\x82\x01\x00\x02\x01\x03\x30"),
        "gpg-key": ("root/.gnupg/private-keys-v1.d/a.key", b"(private"),
        "url-with-password": ("opt/app/z", f"amqp://u:{value}@x.invalid\n".encode()),
        "mail-login": ("etc/postfix/sasl_passwd", f"[smtp.invalid]:587 user:{value}\n".encode()),
        "group-password": ("etc/gshadow", b"staff:$6$abcdefgh$x::\n"),
        "proxy-login": ("etc/environment", f"http_proxy=http://u:{value}@x.invalid:3128\n".encode()),
    }


MUTATIONS = _mutations()


@pytest.fixture
def clean(tmp_path: Path) -> Path:
    for path, content in CLEAN.items():
        put(tmp_path, path, content)
    return tmp_path


def facts_of(tree: Path) -> Facts:
    return examine(tree, KnownSecret(name="s", value="hand-over-4711"))[0].facts


def test_the_clean_tree_passes(clean: Path) -> None:
    result, _ = examine(clean, KnownSecret(name="s", value="hand-over-4711"))

    assert (result.verdict, result.facts.findings) == ("pass", ())


@pytest.mark.parametrize("rule", MUTATIONS)
def test_a_tree_with_one_thing_wrong_fails_for_that(clean: Path, rule: str) -> None:
    path, content = MUTATIONS[rule]
    if rule == "known-password":
        command = ["openssl", "passwd", "-6", "hand-over-4711"]
        content = b"root:!" + subprocess.run(command, capture_output=True, check=True).stdout.strip() + b":1::::::\n"
    put(clean, path, content)

    result, _ = examine(clean, KnownSecret(name="s", value="hand-over-4711"))

    assert result.verdict == "fail"
    failing = {finding.rule for finding in result.facts.findings if finding.effect == "fail"}
    assert rule in failing
    assert {finding.path for finding in result.facts.findings} == {f"/{path}"}
