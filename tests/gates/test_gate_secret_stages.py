"""What each stage of the secrets gate rests on: where sums come from, the raw disk, and what makes the result an ERROR."""

from __future__ import annotations

import base64
import hashlib
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from goldsmith.events import ignore
from goldsmith.gates.contract import Examination, Facts, KnownSecret, Result, Subject
from goldsmith.gates.judge import result_as_json, run_gate
from goldsmith.gates.secrets import Secrets, SecretsConfig
from goldsmith.gates.secrets.generic import find_assigned
from goldsmith.gates.secrets.packaged import packaged_files
from goldsmith.gates.secrets.passwords import tried
from goldsmith.gates.waivers import Ignore
from goldsmith.images import LayerStore
from goldsmith.machines.cancellation import Cancellation
from goldsmith.sources.deb import sums_of

SECRET = KnownSecret(name="the build's", value="hand-over-4711/x")
WORDS = b'password = "Correct-horse-9"\n'
"""A line that the gate warns of in a file that no package brought."""


def put(tree: Path, path: str, content: bytes) -> Path:
    place = tree / path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(content)
    return place


def subject_of(tree: Path, **more: object) -> Subject:
    digest = "sha256:" + "0" * 64
    subject = Subject(image="t", disk_digest=digest, tree=tree, disk=None, known_secrets=(SECRET,), now_s=1)
    return replace(subject, **more)  # type: ignore[arg-type]  # names of fields


def facts(subject: Subject, config: SecretsConfig | None = None) -> Facts:
    """Each look is an examination of its own: the tree may have changed since the last one."""
    again = replace(subject, examination=Examination())
    return Secrets().examine(again, config or SecretsConfig(), ignore, Cancellation())


def judged(subject: Subject, config: SecretsConfig | None = None) -> Result:
    return run_gate(Secrets(), config or SecretsConfig(), subject, ignore, Cancellation())


# ── sums of packages ──────────────────────────────────────────────────────────────────────────────────────────────────


def made_package(root: Path, files: Mapping[str, bytes], conffiles: tuple[str, ...] = (), compression: str = "xz") -> Path:
    """A real .deb; as debhelper does, its list of sums leaves out configuration files."""
    tree = root / "package"
    for path, content in files.items():
        put(tree, path, content)
    control = "Package: app\nVersion: 1:2.0-1\nArchitecture: all\nMaintainer: x <x@x.invalid>\nDescription: x\n"
    put(tree, "DEBIAN/control", control.encode())
    put(tree, "DEBIAN/conffiles", "".join(f"/{path}\n" for path in conffiles).encode())
    listed = {path: content for path, content in files.items() if path not in conffiles}
    sums = "".join(f"{hashlib.md5(content, usedforsecurity=False).hexdigest()}  {path}\n" for path, content in listed.items())
    put(tree, "DEBIAN/md5sums", sums.encode())
    target = root / "cache/packages/archives/trust/app_1%3a2.0-1_all.deb"
    target.parent.mkdir(parents=True)
    subprocess.run(
        ["dpkg-deb", f"-Z{compression}", "--root-owner-group", "-b", str(tree), str(target)],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return target


STATUS = b"Package: app\nStatus: install ok installed\nArchitecture: all\nVersion: 1:2.0-1\n\n"
FILES = {"usr/share/app/example": WORDS, "etc/app.conf": WORDS + b"# configuration\n"}


@pytest.fixture
def installed(tmp_path: Path) -> Subject:
    """A built image with one package, which is in the cache of the host."""
    made_package(tmp_path, FILES, ("etc/app.conf",))
    tree = tmp_path / "tree"
    put(tree, "var/lib/dpkg/status", STATUS)
    for path, content in FILES.items():
        put(tree, path, content)
    return subject_of(tree, cache=tmp_path / "cache", layers=("sha256:" + "0" * 64,))


@pytest.mark.parametrize("compression", ["xz", "gzip", "zstd", "none"])
def test_the_sums_of_a_package_are_those_of_its_files(tmp_path: Path, compression: str) -> None:
    with made_package(tmp_path, FILES, ("etc/app.conf",), compression).open("rb") as package:
        assert sums_of(package) == {path: hashlib.md5(data, usedforsecurity=False).hexdigest() for path, data in FILES.items()}


@pytest.mark.parametrize("size", [0, 30, 200])
def test_a_package_that_is_cut_off_has_no_sums(tmp_path: Path, size: int) -> None:
    path = made_package(tmp_path, FILES)
    path.write_bytes(path.read_bytes()[:size])

    with path.open("rb") as package, pytest.raises(ValueError, match=r"it is|it has|end"):
        sums_of(package)


def test_files_that_are_as_their_package_brought_them_are_left_out(installed: Subject) -> None:
    found = facts(installed)

    assert found.findings == ()
    assert [item.count for item in found.skipped if "unchanged files" in item.reason] == [2]


def test_a_changed_file_of_a_package_is_examined_and_counted(installed: Subject) -> None:
    put(installed.tree, "etc/app.conf", WORDS + b"# changed\n")

    found = facts(installed)

    assert [finding.path for finding in found.findings] == ["/etc/app.conf"]
    assert found.measures["packaged_files_modified"] == 1


def test_the_image_cannot_vouch_for_its_own_files(installed: Subject) -> None:
    hidden = put(installed.tree, "usr/share/app/hidden", WORDS)
    digest = hashlib.md5(hidden.read_bytes(), usedforsecurity=False).hexdigest()
    put(installed.tree, "var/lib/dpkg/info/app.md5sums", f"{digest}  usr/share/app/hidden\n".encode())

    assert {finding.path for finding in facts(installed).findings} == {"/usr/share/app/hidden"}
    foreign = facts(replace(installed, layers=()))
    assert any("the examined tree itself" in message for message in foreign.messages), (
        "a foreign tree is believed, and it is said"
    )


def test_a_package_of_which_nothing_is_known_is_examined_in_full_and_named(installed: Subject) -> None:
    put(installed.tree, "var/lib/dpkg/status", STATUS.replace(b"1:2.0-1", b"1:2.0-2"))

    found = facts(installed)

    assert {finding.path for finding in found.findings} == {"/usr/share/app/example", "/etc/app.conf"}
    assert any("of 1 packages nothing is known: app" in message for message in found.messages)


def test_merged_directories_and_diversions_are_followed(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    put(tree, "usr/bin/tool", b"tool")
    put(tree, "usr/bin/sh.distrib", b"shell")
    (tree / "bin").symlink_to("usr/bin")
    put(tree, "var/lib/dpkg/diversions", b"/usr/bin/sh\n/usr/bin/sh.distrib\ndash\n")
    sums = {name: hashlib.md5(name.encode(), usedforsecurity=False).hexdigest() for name in ("tool", "shell")}
    put(tree, "var/lib/dpkg/info/a.md5sums", f"{sums['tool']}  bin/tool\n{sums['shell']}  usr/bin/sh\n".encode())

    known = packaged_files(subject_of(tree))
    shell = str(put(tmp_path, "shell", b"shell"))

    assert known.is_unchanged("usr/bin/tool", str(put(tmp_path, "tool", b"tool")))
    assert known.is_unchanged("usr/bin/sh.distrib", shell)
    assert not known.is_unchanged("usr/bin/sh", shell)


def test_sums_of_apk_are_understood(tmp_path: Path) -> None:
    digest = base64.b64encode(hashlib.sha1(b"x", usedforsecurity=False).digest()).decode()
    put(tmp_path, "lib/apk/db/installed", f"P:a\nF:usr/share\nR:x\nZ:Q1{digest}\n".encode())

    assert packaged_files(subject_of(tmp_path)).is_unchanged("usr/share/x", str(put(tmp_path, "usr/share/x", b"x")))


APK = """P:app
V:{version}
A:x86_64
F:usr/share/app
R:example
Z:Q1{sha1}

"""


def test_an_image_of_another_family_cannot_vouch_for_its_own_files_either(tmp_path: Path) -> None:
    store = LayerStore(tmp_path / "cache/layers")
    sha1 = base64.b64encode(hashlib.sha1(WORDS, usedforsecurity=False).digest()).decode()
    upper = tmp_path / "upper"
    put(upper, "lib/apk/db/installed", APK.format(version="1-r0", sha1=sha1).encode())
    tree = tmp_path / "tree"
    put(tree, "lib/apk/db/installed", APK.format(version="1-r0", sha1=sha1).encode())
    put(tree, "usr/share/app/example", WORDS)
    lowest = store.adopt(upper, [], 0).diff_id
    subject = subject_of(tree, layers=(lowest,), cache=tmp_path / "cache")

    assert facts(subject).findings == ()

    put(tree, "lib/apk/db/installed", APK.format(version="1-r1", sha1=sha1).encode())
    found = facts(subject)
    assert [finding.path for finding in found.findings] == ["/usr/share/app/example"]
    assert any("of 1 packages nothing is known: app" in message for message in found.messages)


def test_known_secrets_are_searched_for_in_packaged_files_too(installed: Subject) -> None:
    known = replace(installed, known_secrets=(KnownSecret(name="s", value="Correct-horse-9"),))

    assert {finding.rule for finding in facts(known).findings} == {"known-secret"}


# ── the raw disk ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    """A sparse disk with a deleted secret across the border of two chunks, and one far behind."""
    path = tmp_path / "disk.raw"
    with path.open("wb") as file:
        file.truncate(64 << 20)
        file.seek((8 << 20) - 5)
        file.write(SECRET.value.encode())
        file.seek(40 << 20)
        file.write(SECRET.value.encode().hex().encode())
    return path


@pytest.mark.parametrize("format", ["raw", "qcow2"])
def test_deleted_secrets_are_found_on_the_disk_of_a_build_that_booted(tmp_path: Path, disk: Path, format: str) -> None:
    if format == "qcow2":
        target = tmp_path / "disk.qcow2"
        subprocess.run(["qemu-img", "convert", "-O", "qcow2", str(disk), str(target)], check=True)
        disk = target
    (tmp_path / "work").mkdir()
    put(tmp_path, "tree/etc/hostname", b"localhost\n")
    subject = subject_of(tmp_path / "tree", disk=disk, disk_format=format, work=tmp_path / "work")

    assert facts(subject).findings == (), "nothing booted from it"
    found = facts(replace(subject, booted_build=True)).findings

    assert [(finding.rule, finding.detail.split(" at ")[1].split(" of ")[0]) for finding in found] == [
        ("known-secret-on-disk", f"byte {(8 << 20) - 5}"),
        ("known-secret-on-disk", f"byte {40 << 20}"),
    ]


def test_a_disk_that_is_not_there_or_broken_is_an_error(tmp_path: Path) -> None:
    put(tmp_path, "tree/a", b"x")
    broken = put(tmp_path, "disk.qcow2", b"no disk")
    subject = subject_of(tmp_path / "tree", booted_build=True, work=tmp_path, disk_format="qcow2")

    assert judged(subject).verdict == "error"
    assert judged(replace(subject, disk=broken)).verdict == "error"


# ── errors, rescans, waivers ──────────────────────────────────────────────────────────────────────────────────────────


def test_sensitive_values_that_are_not_handed_over_make_an_error(tmp_path: Path) -> None:
    put(tmp_path, "a", b"x")
    subject = subject_of(tmp_path, sensitive=("db_password",))

    assert judged(subject).verdict == "pass"
    result = judged(replace(subject, known_secrets=()))
    assert (result.verdict, "db_password" in result.reasons[0]) == ("error", True)
    again = judged(replace(subject, known_secrets=(), is_rescan=True))
    assert again.verdict == "pass"
    assert any("its own evidence stands" in item.reason for item in again.facts.skipped)


def test_an_empty_tree_and_unreadable_rules_are_errors(tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    assert judged(subject_of(tmp_path / "tree")).verdict == "error"

    put(tmp_path, "tree/a", b"x")
    put(tmp_path, "own.toml", b"[[rules]]\nid = 'a'\nregex = '''(?<=x)'''")
    result = judged(subject_of(tmp_path / "tree", root=tmp_path), SecretsConfig(rules=("own.toml",)))
    assert result.verdict == "error"


def test_rules_of_the_project_hold(tmp_path: Path) -> None:
    put(tmp_path, "tree/a", b"ours-123456\n")
    put(tmp_path, "own.toml", b"[[rules]]\nid = 'ours'\nregex = '''ours-[0-9]{6}'''\nkeywords = ['ours']")
    subject = subject_of(tmp_path / "tree", root=tmp_path)

    assert {finding.rule for finding in facts(subject, SecretsConfig(rules=("own.toml",))).findings} == {"ours"}


def test_other_rules_or_secrets_make_an_old_result_void(tmp_path: Path) -> None:
    put(tmp_path, "own.toml", b"[[rules]]\nid = 'ours'\nregex = 'x'")
    subject = subject_of(tmp_path, root=tmp_path)
    digests = {
        Secrets().data_digests(subject, SecretsConfig()),
        Secrets().data_digests(subject, SecretsConfig(rules=("own.toml",))),
        Secrets().data_digests(replace(subject, known_secrets=()), SecretsConfig()),
        Secrets().data_digests(replace(subject, salt=b"other"), SecretsConfig()),
    }

    assert len(digests) == 4
    assert SECRET.value not in str(digests)


def test_a_finding_is_ignored_by_its_fingerprint_with_reason_owner_and_day(tmp_path: Path) -> None:
    put(tmp_path, "a", b"x " + SECRET.value.encode())
    now = int(datetime.now(UTC).timestamp())
    subject = subject_of(tmp_path, salt=b"salt", now_s=now)
    (finding,) = facts(subject).findings
    until = (datetime.now(UTC) + timedelta(days=60)).date().isoformat()
    ignored = Ignore(finding=finding.fingerprint, reason="known", owner="me", until=until)

    result = judged(subject, SecretsConfig(ignore=(ignored,)))

    assert result.verdict == "pass"
    assert [item.by for item in result.facts.ignored] == ["me"]
    assert judged(replace(subject, salt=b"other"), SecretsConfig(ignore=(ignored,))).verdict == "fail"


def test_the_same_secret_has_the_same_fingerprint_wherever_it_stands(tmp_path: Path) -> None:
    put(tmp_path, "a", b"x " + SECRET.value.encode())
    put(tmp_path, "b", base64.b64encode(SECRET.value.encode()))

    assert len({finding.fingerprint for finding in facts(subject_of(tmp_path)).findings}) == 1


@pytest.mark.parametrize("kind", ["1", "5", "6"])
def test_passwords_are_tried_on_every_kind_of_hash(kind: str) -> None:
    command = ["openssl", "passwd", f"-{kind}", "Open-sesame"]
    stored = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    assert tried("Open-sesame", stored) == "fits"
    assert tried("Open-sesamE", stored) == "does not"


def test_yescrypt_is_known(tmp_path: Path) -> None:
    # Of libcrypt's own test data: crypt("", "$y$j9T$") has no salt, so the hash is made here from a setting.
    from goldsmith.gates.secrets.passwords import _libcrypt

    stored = _libcrypt().crypt(b"Open-sesame", b"$y$j9T$abcdefghij./ABCDEFGH$").decode()

    assert stored.startswith("$y$j9T$")
    assert (tried("Open-sesame", stored), tried("other", stored)) == ("fits", "does not")


def test_an_unknown_kind_of_hash_is_counted_as_skipped(tmp_path: Path) -> None:
    put(tmp_path, "etc/shadow", b"a:$unknown$abc$def:1::::::\n")

    found = facts(subject_of(tmp_path))

    assert [item.sample for item in found.skipped if "kind of hash" in item.reason] == [("a",)]


def test_names_that_are_not_text_and_pipes_are_borne(tmp_path: Path) -> None:
    import os

    Path(os.fsdecode(os.fsencode(str(tmp_path)) + b"/caf\xe9")).write_bytes(SECRET.value.encode())
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")

    result = judged(subject_of(tmp_path))

    assert [finding.path for finding in result.facts.findings] == ["/caf\\xe9"]
    assert [item.count for item in result.facts.skipped if "pipes" in item.reason] == [1]
    assert str(result_as_json(result)).encode()


def test_compiled_python_is_skipped_only_beside_its_source(tmp_path: Path) -> None:
    line = b"\0postgres://u:Correct-horse-9@db.invalid/x\0"
    put(tmp_path, "usr/lib/a/__pycache__/m.cpython-311.pyc", line)
    assert {finding.rule for finding in facts(subject_of(tmp_path)).findings} == {"url-with-password"}

    put(tmp_path, "usr/lib/a/m.py", b"pass\n")
    assert facts(subject_of(tmp_path)).findings == ()


PLACEHOLDERS = (
    "$PASSWORD",
    "${PASSWORD}",
    "{{ password }}",
    "<password>",
    "xxxxxxxx",
    "changeme",
    "example-password",
    "/etc/secret",
    "none    ",
    "********",
    "ENV_NAME",
    "123456",
    "os.environ['X']",
    "the password of the user",
    "vault:secret/x#y",
)


@pytest.mark.parametrize("value", PLACEHOLDERS)
def test_placeholders_are_no_values(value: str) -> None:
    assert list(find_assigned("etc/x", f'password = "{value}"\n'.encode())) == []


@pytest.mark.parametrize("line", ["secrets_method = kubernetes-x", "password_length: Aa345678", "token_type=Bearer-x1"])
def test_names_that_only_begin_like_credentials_are_none(line: str) -> None:
    assert list(find_assigned("etc/x", line.encode())) == []


HOSTILE = {
    "one word": b"a" * 900_000,
    "empty lines": b"\n" * 900_000,
    "half an address": b"a.b-" * 200_000,
    "blanks": b" " * 900_000,
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_content_comes_to_an_end(tmp_path: Path, kind: str) -> None:
    """An expression that is quadratic in the length of a line or a gap would take hours here."""
    for path in ("etc/environment", "etc/apt/apt.conf", "etc/postfix/sasl_passwd", "root/ks.cfg", "root/.netrc", "etc/shadow"):
        put(tmp_path, path, HOSTILE[kind])

    assert facts(subject_of(tmp_path)).errors == 0
