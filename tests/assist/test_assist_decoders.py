"""Decoders: what files mean. Equal where another text means the same, and never equal where it does not."""

from __future__ import annotations

import gzip
import os
import shutil
import subprocess
from collections.abc import Mapping
from datetime import date
from pathlib import Path

import pytest

from goldsmith.assist.compare import differences
from goldsmith.assist.decoders.shadow import decoder
from goldsmith.assist.judging import Judged, judge
from goldsmith.assist.noise import Mask
from goldsmith.assist.stacked import StackedTree
from tests.assist.layered_trees import GROUP, PASSWD, SHADOW, pair

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="needs root: owners of trees are compared")
Files = Mapping[str, "str | bytes | None"]


def judged(one: StackedTree, other: StackedTree, *passwords: str) -> list[Judged]:
    return list(judge(differences(one, other), one, other, mask=Mask(), today=date(2026, 11, 26), passwords=passwords))


def verdicts(tmp_path: Path, one: Files, other: Files, *passwords: str) -> set[str]:
    directories = ("sysctl.d", "modules-load.d", "security/limits.d", "cron.d", "sudoers.d")
    below: dict[str, str | bytes] = {f"etc/{name}/": "" for name in directories}
    below |= {"usr/lib/systemd/system/a.service": "[Unit]", "lib": "-> usr/lib", "usr/share/zoneinfo/UTC": "TZif"}
    return {item.verdict for item in judged(*pair(tmp_path, one, other, below), *passwords)}


STATUS = (
    "Package: a\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1\nConffiles:\n /etc/a 0\n\n"
    "Package: b\nStatus: hold ok installed\nArchitecture: all\nVersion: 2\n"
)
AUTO = "Package: b\nArchitecture: amd64\nAuto-Installed: 1\n\n"
ONE_LINE = "deb [arch=amd64,arm64 signed-by=/etc/apt/keyrings/a.asc] http://a.example/debian/ stable main extra\n"
PARAGRAPH = (
    "X-Repolib-Name: a\nTypes: deb\nURIs: http://a.example/debian\nSuites: stable\n# comment\n"
    "Components: extra main\nArchitectures: amd64 arm64\nSigned-By: /etc/apt/keyrings/a.asc\n"
)
WANTS = "etc/systemd/system/multi-user.target.wants/a.service"
LIST, SOURCES = "etc/apt/sources.list.d/a.list", "etc/apt/sources.list.d/a.sources"
UFW = (
    "*filter\n### RULES ###\n### tuple ### allow tcp 22 0.0.0.0/0 any 0.0.0.0/0 in comment=7373\n"
    "-A ufw-user-input -p tcp --dport 22 -j ACCEPT\n"
)
ALTERNATIVE = "auto\n/usr/bin/awk\nawk.1\n/usr/share/man/awk.1\n\n/usr/bin/mawk\n5\n/usr/share/man/mawk.1\n"
SAME: list[tuple[str, Files, Files]] = [
    ("accounts", {"etc/passwd": PASSWD}, {"etc/passwd": "".join(reversed(PASSWD.splitlines(True)))}),
    ("groups", {"etc/group": GROUP + "a:x:7:b,c\n"}, {"etc/group": "a:x:7:c,b\n" + GROUP}),
    ("shadow", {"etc/shadow": SHADOW}, {"etc/shadow": SHADOW.replace("19000", "19001")}),
    ("dpkg", {"var/lib/dpkg/status": STATUS}, {"var/lib/dpkg/status": "\n\n".join(reversed(STATUS.split("\n\n")))}),
    ("one line and paragraph", {LIST: ONE_LINE}, {SOURCES: PARAGRAPH}),
    ("units", {WANTS: "-> /lib/systemd/system/a.service"}, {WANTS: "-> /usr/lib/systemd/system/a.service"}),
    (
        "sysctl",
        {"etc/sysctl.conf": "net.a=1\nnet.b = 2\n"},
        {"etc/sysctl.d/60-a.conf": "net/a = 1", "etc/sysctl.d/x.conf": "net.b=2\n"},
    ),
    ("modules", {"etc/modules": "a\n"}, {"etc/modules-load.d/a.conf": "# x\na\n"}),
    (
        "limits",
        {"etc/security/limits.conf": "* soft nofile 9\n"},
        {"etc/security/limits.d/a.conf": "*  soft nofile  9\n"},
    ),
    (
        "cron",
        {"etc/cron.d/a": "A=1\n1 2 * * * root x  y\n"},
        {"etc/crontab": "# c\nA=1\n1  2 * * * root x  y\n", "etc/cron.d/a": "#\n"},
    ),
    (
        "crontab",
        {"var/spool/cron/crontabs/web": "@daily a\n"},
        {"var/spool/cron/crontabs/web": "# (installed on …)\n@daily a\n"},
    ),
    (
        "sudoers",
        {"etc/sudoers": "root ALL=(ALL) ALL\nweb ALL=(ALL) \\\n NOPASSWD: ALL\n"},
        {
            "etc/sudoers": "root  ALL=(ALL)  ALL\n#includedir /etc/sudoers.d\n",
            "etc/sudoers.d/web": "web ALL=(ALL)  NOPASSWD: ALL\n",
        },
    ),
    ("ufw", {"etc/ufw/user.rules": UFW}, {"etc/ufw/user.rules": UFW.replace(" comment=7373", "")}),
    (
        "alternatives",
        {"var/lib/dpkg/alternatives/awk": ALTERNATIVE + "\n"},
        {"var/lib/dpkg/alternatives/awk": ALTERNATIVE + "\n\n"},
    ),
    ("locale", {"etc/default/locale": 'LANG="C.UTF-8"\n'}, {"etc/default/locale": "#  x\nLANG=C.UTF-8\n"}),
    ("time zone", {"etc/localtime": "-> /usr/share/zoneinfo/UTC"}, {"etc/localtime": "-> ../usr/share/zoneinfo/UTC"}),
    ("fstab", {"etc/fstab": "a /b ext4 ro 0 0\n"}, {"etc/fstab": "# x\na\t/b\text4\tro\n"}),
    (
        "debconf",
        {"var/cache/debconf/config.dat": "Name: a\nValue: 1\nOwners: b, c\n\n"},
        {"var/cache/debconf/config.dat": "Name: a\nOwners: c, b\nValue: 1\n\n"},
    ),
    (
        "yum",
        {"etc/yum.repos.d/a.repo": "[a]\nbaseurl=http://a\n"},
        {"etc/yum.repos.d/b.repo": "# b\n[a]\nbaseurl = http://a\n"},
    ),
    (
        "pip",
        {"opt/v/a-1.dist-info/RECORD": "x", "opt/v/a-1.dist-info/METADATA": ""},
        {"opt/v/a-1.dist-info/RECORD": "y", "opt/v/a-1.dist-info/METADATA": ""},
    ),
]
OTHER: list[tuple[str, Files, Files]] = [
    ("another shell", {"etc/passwd": PASSWD}, {"etc/passwd": PASSWD.replace("nologin", "bash")}),
    ("another group id", {"etc/passwd": PASSWD}, {"etc/passwd": PASSWD.replace(":999:999:", ":999:50:")}),
    ("a second root", {"etc/passwd": PASSWD}, {"etc/passwd": PASSWD + "toor:x:0:0::/:/bin/sh\n"}),
    ("a user twice", {"etc/passwd": PASSWD}, {"etc/passwd": PASSWD + PASSWD}),
    ("one more member", {"etc/group": GROUP}, {"etc/group": GROUP.replace("staff:x:50:", "staff:x:50:web")}),
    ("an empty password", {"etc/shadow": SHADOW}, {"etc/shadow": SHADOW.replace("web:!:", "web::")}),
    (
        "not locked",
        {"etc/shadow": SHADOW.replace("web:!:", "web:!*:")},
        {"etc/shadow": SHADOW.replace("web:!:", "web:*:")},
    ),
    ("ageing", {"etc/shadow": SHADOW}, {"etc/shadow": SHADOW.replace("99999", "90")}),
    ("must change", {"etc/shadow": SHADOW}, {"etc/shadow": SHADOW.replace("19000", "0")}),
    (
        "another version",
        {"var/lib/dpkg/status": STATUS},
        {"var/lib/dpkg/status": STATUS.replace("Version: 1", "Version: 1.1")},
    ),
    ("no hold", {"var/lib/dpkg/status": STATUS}, {"var/lib/dpkg/status": STATUS.replace("hold", "install")}),
    (
        "by hand",
        {"var/lib/dpkg/status": STATUS, "var/lib/apt/extended_states": AUTO},
        {"var/lib/dpkg/status": STATUS, "var/lib/apt/extended_states": ""},
    ),
    ("other components", {LIST: ONE_LINE}, {SOURCES: PARAGRAPH.replace(" main", "")}),
    ("another host", {LIST: ONE_LINE}, {SOURCES: PARAGRAPH.replace("a.example", "b.example")}),
    ("trusted without a key", {LIST: ONE_LINE}, {SOURCES: PARAGRAPH + "Trusted: yes\n"}),
    ("switched off", {LIST: ONE_LINE}, {SOURCES: PARAGRAPH + "Enabled: no\n"}),
    ("an odd line", {LIST: ONE_LINE + "deb x\n"}, {SOURCES: PARAGRAPH}),
    ("masked", {WANTS: "-> /lib/systemd/system/a.service"}, {WANTS: "-> /dev/null"}),
    ("not enabled", {WANTS: "-> /lib/systemd/system/a.service"}, {}),
    ("another value", {"etc/sysctl.conf": "a.b=1\n"}, {"etc/sysctl.d/a.conf": "a.b=2\n"}),
    (
        "overridden",
        {"etc/sysctl.d/1.conf": "a.b=1\n", "etc/sysctl.d/2.conf": "a.b=2\n"},
        {"etc/sysctl.d/1.conf": "a.b=2\n", "etc/sysctl.d/2.conf": "a.b=1\n"},
    ),
    ("a file that says nothing", {}, {"etc/sysctl.d/1.conf": "# x\n"}),
    (
        "order of limits",
        {"etc/security/limits.conf": "* - a 1\n* - a 2\n"},
        {"etc/security/limits.conf": "* - a 2\n* - a 1\n"},
    ),
    ("another hour", {"etc/cron.d/a": "1 2 * * * root x\n"}, {"etc/cron.d/a": "1 3 * * * root x\n"}),
    ("another user", {"etc/cron.d/a": "1 2 * * * root x\n"}, {"etc/cron.d/a": "1 2 * * * web x\n"}),
    ("another path", {"etc/cron.d/a": "PATH=/a\n1 2 * * * root x\n"}, {"etc/cron.d/a": "1 2 * * * root x\n"}),
    ("unread by cron", {"etc/cron.d/a": "1 2 * * * root x\n"}, {"etc/cron.d/a.sh": "1 2 * * * root x\n"}),
    ("order of rules", {"etc/sudoers": "a ALL=ALL\nb ALL=ALL\n"}, {"etc/sudoers": "b ALL=ALL\na ALL=ALL\n"}),
    (
        "unread by sudo",
        {"etc/sudoers": "#includedir /etc/sudoers.d\na ALL=ALL\n"},
        {"etc/sudoers": "#includedir /etc/sudoers.d\n", "etc/sudoers.d/a.x": "a ALL=ALL\n"},
    ),
    ("another port", {"etc/ufw/user.rules": UFW}, {"etc/ufw/user.rules": UFW.replace("--dport 22", "--dport 2222")}),
    (
        "chosen by hand",
        {"var/lib/dpkg/alternatives/awk": ALTERNATIVE + "\n"},
        {"var/lib/dpkg/alternatives/awk": ALTERNATIVE.replace("auto", "manual") + "\n"},
    ),
    ("another zone", {"etc/localtime": "-> /usr/share/zoneinfo/UTC"}, {"etc/localtime": "-> /usr/share/zoneinfo/GMT"}),
    ("another option", {"etc/fstab": "a /b ext4 ro 0 0\n"}, {"etc/fstab": "a /b ext4 rw 0 0\n"}),
    (
        "another answer",
        {"var/cache/debconf/config.dat": "Name: a\nValue: 1\n"},
        {"var/cache/debconf/config.dat": "Name: a\nValue: 2\n"},
    ),
    (
        "another repository",
        {"etc/yum.repos.d/a.repo": "[a]\ngpgcheck=1\n"},
        {"etc/yum.repos.d/a.repo": "[a]\ngpgcheck=0\n"},
    ),
    (
        "another code",
        {"opt/v/a-1.dist-info/RECORD": "x", "opt/v/a.py": ""},
        {"opt/v/a-1.dist-info/RECORD": "y", "opt/v/a.py": "1"},
    ),
]


def test_other_texts_with_the_same_meaning_are_equal(tmp_path: Path) -> None:
    for name, one, other in SAME:
        assert verdicts(tmp_path, one, other) == {"semantic"}, name
        assert verdicts(tmp_path, other, one) == {"semantic"}, name


def test_texts_with_another_meaning_are_not(tmp_path: Path) -> None:
    for name, one, other in OTHER:
        assert "unexplained" in verdicts(tmp_path, one, other), name
        assert "unexplained" in verdicts(tmp_path, other, one), name


def hashed(password: str, kind: str, salt: str) -> str:
    command = ["openssl", "passwd", f"-{kind}", "-salt", salt, "-stdin"]
    return subprocess.run(command, input=password, capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_two_hashes_are_equal_only_where_both_verify_a_known_password(tmp_path: Path) -> None:
    def shadow(stored: str) -> Files:
        return {"etc/shadow": SHADOW.replace("web:!:", f"web:{stored}:")}

    one, again, kind = hashed("vagrant", "6", "aa"), hashed("vagrant", "6", "bb"), hashed("vagrant", "5", "cc")
    other = hashed("injected", "6", "aa")

    for stored in (again, kind):
        assert verdicts(tmp_path, shadow(one), shadow(stored), "root", "vagrant") == {"semantic"}
        assert verdicts(tmp_path, shadow(one), shadow(stored), "root") == {"unexplained"}
    for stored in (other, f"!{again}", "*", ""):
        assert verdicts(tmp_path, shadow(one), shadow(stored), "vagrant") == {"unexplained"}
    (item,) = judged(*pair(tmp_path, shadow(one), shadow(other)), "vagrant")
    assert one not in "".join(item.facts) and other not in "".join(item.facts)
    assert "vagrant" not in "".join(decoder(["vagrant"]).read(pair(tmp_path, shadow(one), {})[0]).values())


@pytest.mark.skipif(shutil.which("gpg") is None, reason="gpg is not installed")
def test_a_key_is_the_same_armoured_or_not(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    gpg = ["gpg", "--homedir", str(home), "--batch", "--quiet"]
    try:
        keys: list[bytes] = []
        for name in ("a@example.org", "b@example.org"):
            make = ["--passphrase", "", "--quick-generate-key", name, "ed25519", "sign", "never"]
            subprocess.run([*gpg, *make], check=True, capture_output=True)
            exports = ([*gpg, "--export", name], [*gpg, "--armor", "--export", name])
            keys += [subprocess.run(export, check=True, capture_output=True).stdout for export in exports]
    finally:
        subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "all"], check=True)
    binary, armoured, another, _ = keys
    trees = tmp_path / "trees"
    trees.mkdir()

    path, trusted = "etc/apt/keyrings/a.gpg", "etc/apt/trusted.gpg.d/a"
    assert verdicts(trees, {path: binary}, {path: armoured}) == {"unexplained"}
    assert verdicts(trees, {path: binary}, {path: binary[:2] + binary[2:]}) == set()
    assert verdicts(trees, {f"{trusted}.gpg": binary}, {f"{trusted}.asc": armoured}) == {"semantic"}
    assert verdicts(trees, {path: binary}, {path: another}) == {"unexplained"}
    assert verdicts(trees, {path: binary}, {path: binary + another}) == {"unexplained"}
    assert verdicts(trees, {path: binary}, {path: binary[:-3]}) == {"unexplained"}


def cpio(files: Mapping[str, bytes]) -> bytes:
    """A "newc" archive."""
    out = b""
    for number, (name, data) in enumerate([*files.items(), ("TRAILER!!!", b"")]):
        numbers = [number, 0o100644, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0]
        head = b"070701" + b"".join(b"%08x" % item for item in numbers) + name.encode() + b"\0"
        out += head + bytes(-len(head) % 4) + data + bytes(-len(data) % 4)
    return out


def test_an_initramfs_is_compared_by_what_is_in_it(tmp_path: Path) -> None:
    early = cpio({"kernel/microcode": b"m"})

    def image(files: Mapping[str, bytes], time: int) -> Files:
        return {"boot/initrd.img-6": early + bytes(512) + gzip.compress(cpio(files), mtime=time)}

    assert verdicts(tmp_path, image({"init": b"1"}, 1), image({"init": b"1"}, 2)) == {"semantic"}
    assert verdicts(tmp_path, image({"init": b"1"}, 1), image({"init": b"2"}, 1)) == {"unexplained"}
    assert verdicts(tmp_path, image({"init": b"1"}, 1), {"boot/initrd.img-6": early + b"junk"}) == {"unexplained"}


@pytest.mark.skipif(shutil.which("ldconfig") is None, reason="ldconfig is not installed")
def test_the_loaders_cache_tells_which_libraries_it_knows(tmp_path: Path) -> None:
    caches = []
    for number, directories in enumerate((["/lib"], ["/usr/lib/x86_64-linux-gnu"])):
        (tmp_path / "conf").write_text("\n".join(directories))
        cache = tmp_path / f"cache{number}"
        subprocess.run(["ldconfig", "-X", "-N", "-f", str(tmp_path / "conf"), "-C", str(cache)], check=False)
        subprocess.run(["ldconfig", "-X", "-f", str(tmp_path / "conf"), "-C", str(cache)], check=False)
        caches.append(cache.read_bytes() if cache.exists() else b"")
    if not all(caches):
        pytest.skip("this ldconfig writes no caches")
    place = "etc/ld.so.cache"

    same = verdicts(tmp_path, {place: caches[1]}, {place: caches[1] + b"\0"})
    cut = verdicts(tmp_path, {place: caches[1]}, {place: caches[1][:200]})

    assert same == {"semantic"}
    assert cut == {"unexplained"}


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_a_clone_is_its_commits_and_references_however_they_are_packed(tmp_path: Path) -> None:
    def git(*words: str, cwd: Path) -> None:
        identity = ("-c", "user.name=nobody", "-c", "user.email=nobody@test")
        subprocess.run(["git", *identity, *words], cwd=cwd, check=True, capture_output=True)

    source = tmp_path / "source"
    source.mkdir()
    git("init", "-q", "-b", "main", cwd=source)
    for number in (1, 2):
        (source / "a").write_text(str(number))
        git("add", ".", cwd=source)
        git("commit", "-q", "-m", f"{number}", cwd=source)
    clones = {
        "whole": ["clone", "-q", str(source), "c"],
        "packed": ["clone", "-q", f"file://{source}", "c"],
        "shallow": ["clone", "-q", "--depth=1", f"file://{source}", "c"],
        "another": ["clone", "-q", str(source), "c"],
    }
    trees = {}
    for name, words in clones.items():
        place = tmp_path / name
        (place / "opt").mkdir(parents=True)
        git(*words, cwd=place / "opt")
        trees[name] = place
    git("update-ref", "refs/heads/main", "HEAD~1", cwd=trees["another"] / "opt/c")

    def found(one: str, other: str) -> set[str]:
        return {item.verdict for item in judged(StackedTree([trees[one]]), StackedTree([trees[other]]))}

    assert found("whole", "packed") == {"semantic"}
    assert "unexplained" in found("whole", "shallow")
    assert "unexplained" in found("whole", "another")
    pack = next((trees["packed"] / "opt/c/.git/objects/pack").glob("*.pack"))
    pack.chmod(0o644)
    pack.write_bytes(pack.read_bytes()[:-1] + b"x")
    pack.chmod(0o444)
    assert "unexplained" in found("whole", "packed")
