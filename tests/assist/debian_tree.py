"""A small Debian made of packages of this host, without a network: enough for dpkg, apt, users and units."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest

from goldsmith.assist.parent import Parent
from tests.machines.machine_workbench import can_make_sandboxes

PACKAGES = (
    *("base-files", "base-passwd", "bash", "coreutils", "dash", "debconf", "debianutils", "diffutils", "dpkg", "findutils"),
    *("grep", "gzip", "hostname", "libc-bin", "login", "mawk", "passwd", "perl-base", "sed", "tar", "util-linux", "adduser"),
    *("apt", "systemd", "libcap2-bin", "tzdata", "debian-archive-keyring", "unzip", "openssl", "procps", "make", "curl", "git"),
    *("xz-utils", "bzip2", "ca-certificates"),
)
_LEFT_OUT = ("/usr/share/doc", "/usr/share/man", "/usr/share/locale", "/usr/share/info", "/usr/share/lintian", "/usr/lib/udev")
_MERGED = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
_EMPTY = (
    *("dev", "proc", "sys", "run", "tmp", "root", "srv", "opt", "home", "var/tmp", "var/mail", "usr/src", "usr/local/bin"),
    *("usr/local/sbin", "usr/local/lib", "usr/local/share", "etc/apt/sources.list.d", "etc/sudoers.d", "etc/cron.d"),
    *("etc/modules-load.d", "etc/modprobe.d", "etc/sysctl.d", "var/lib/dpkg/info"),
)
_IDENTITY = ("-c", "user.name=nobody", "-c", "user.email=nobody@test")
_FIXTURES = {
    "app.conf": "[web]\nport = 80\nroot = /var/www\n# debug\nkey=value\n",
    "run.sh": "#!/bin/sh\necho run\n",
    "conf/a.conf": "a\n",
    "conf/b.conf": "b\n",
    "old/a.txt": "a\n",
    "old/b.txt": "b\n",
    "old/c.txt": "c\n",
    "old/x.log": "x\n",
    "old/y.log": "y\n",
    "older/deep/z": "z\n",
    "letters.txt": "aaa\nbab\n",
    "sshd.conf": "Port 22\nX11Forwarding no\n",
    "key.asc": "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmDMEZ\n-----END PGP PUBLIC KEY BLOCK-----\n",
    "installer.run": '#!/bin/sh\nprefix=${1#--prefix=}\nmkdir -p "$prefix/bin"\necho installed > "$prefix/bin/app"\n',
    "source/configure": (
        '#!/bin/sh\nto=${1#--prefix=}\nprintf "install:\\n\\tmkdir -p $to\\n\\techo built > $to/app\\n" > rules.mk\n'
    ),
    "source/Makefile": "all:\n\ttouch built\n-include rules.mk\n",
}
_SHADOWED = "*:20000:0:99999:7:::"
REPOSITORY, FIXTURES = "opt/repository", "opt/fixtures"


def debian_parent(root: Path) -> Parent:
    """The tree as a parent; the test is skipped where this host is no Debian, or makes no sandboxes."""
    if reason := can_make_sandboxes():
        pytest.skip(reason)
    if os.geteuid() != 0 or shutil.which("dpkg-query") is None or shutil.which("dpkg-deb") is None:
        pytest.skip("needs root on a Debian")
    make_debian_tree(root)
    return Parent(name="small-debian", lowers=(root,), epoch=1_790_000_000)


def make_debian_tree(root: Path) -> None:
    """Fill an empty directory."""
    wanted = _with_dependencies(PACKAGES)
    for name in _EMPTY:
        (root / name).mkdir(parents=True)
    for name in _MERGED:
        (root / "usr" / name).mkdir(parents=True)
        (root / name).symlink_to(f"usr/{name}")
    for path in sorted(_files(wanted)):
        _copy(path, root / path.lstrip("/"))
    _accounts(root)
    _database(root, wanted)
    for name in ("resolv.conf", "environment"):
        (root / "etc" / name).touch()
    (root / "etc/machine-id").touch()
    (root / "etc/hosts").write_text("127.0.0.1 localhost\n")
    (root / "etc/sudoers").write_text("root ALL=(ALL:ALL) ALL\n@includedir /etc/sudoers.d\n")
    make_repository(root / REPOSITORY)
    make_fixtures(root / FIXTURES)
    source = f"deb [trusted=yes] file:/{REPOSITORY} ./\n"
    (root / "etc/apt/sources.list.d/own.list").write_text(source)
    subprocess.run(["ldconfig", "-r", str(root)], check=True)


def make_repository(place: Path) -> None:
    """A few packages of ours: a program, its library, and a service."""
    service = "[Service]\nExecStart=/usr/bin/tool\n[Install]\nWantedBy=multi-user.target\n"
    _package(place, "libtool-own", "1.2-1", {"usr/lib/libtool-own/data": "data\n"})
    _package(place, "tool", "2.0-1", {"usr/bin/tool": "#!/bin/sh\necho tool\n"}, depends="libtool-own", recommends="tool-extra")
    _package(place, "tool-extra", "1.0", {"usr/share/tool-extra/a": "a\n"})
    _package(place, "toold", "3.1", {"lib/systemd/system/toold.service": service, "etc/toold.conf": "port = 80\n# comment\n"})
    index = ""
    for deb in sorted(place.glob("*.deb")):
        control = subprocess.run(["dpkg-deb", "-f", str(deb)], capture_output=True, text=True, check=True).stdout
        digest = subprocess.run(["sha256sum", str(deb)], capture_output=True, text=True, check=True).stdout.split()[0]
        index += f"{control.strip()}\nFilename: ./{deb.name}\nSize: {deb.stat().st_size}\nSHA256: {digest}\n\n"
    (place / "Packages").write_text(index)


def make_fixtures(place: Path) -> None:
    """What the scripts of the suite work on."""
    for name, text in _FIXTURES.items():
        path = place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755 if text.startswith("#!") else 0o644)
    (place / "empty").mkdir()
    app = place / "app"
    for name in ("bin/app", "etc/app.conf"):
        (app / name).parent.mkdir(parents=True, exist_ok=True)
        (app / name).write_text(f"#!/bin/sh\n# {name}\n")
    with tarfile.open(place / "app.tar.gz", "w:gz", format=tarfile.PAX_FORMAT) as archive:
        archive.add(app, "app-1.0", filter=_of_root)
    with zipfile.ZipFile(place / "app.zip", "w") as zipped:
        for path in sorted(app.rglob("*")):
            zipped.write(path, path.relative_to(app))
    if shutil.which("git") is not None:
        for command in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-q", "-m", "one"], ["tag", "v1"]):
            subprocess.run(["git", *_IDENTITY, *command], cwd=app, check=True)
        subprocess.run(["git", "clone", "-q", "--bare", str(app), str(place / "app.git")], check=True)
    shutil.rmtree(app)


def _of_root(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = member.mtime = 0
    member.uname = member.gname = "root"
    return member


def _package(place: Path, name: str, version: str, files: dict[str, str], **fields: str) -> None:
    tree = place / f"tree-{name}"
    for path, text in files.items():
        file = tree / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(0o755 if path.startswith("usr/bin") else 0o644)
    (tree / "DEBIAN").mkdir()
    more = "".join(f"{field.capitalize()}: {value}\n" for field, value in fields.items())
    (tree / "DEBIAN/control").write_text(
        f"Package: {name}\nVersion: {version}\nArchitecture: all\nMaintainer: Nobody <nobody@test>\n{more}Description: own\n"
    )
    if configured := [path for path in files if path.startswith("etc/")]:
        (tree / "DEBIAN/conffiles").write_text("".join(f"/{path}\n" for path in configured))
    subprocess.run(["dpkg-deb", "--root-owner-group", "-b", str(tree), str(place)], check=True, capture_output=True)
    shutil.rmtree(tree)


def _with_dependencies(names: tuple[str, ...]) -> tuple[str, ...]:
    asked = ["dpkg-query", "-W", "-f=${Package}|${db:Status-Status}|${Pre-Depends},${Depends}|${Provides}\n"]
    told = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
    depends: dict[str, list[str]] = {}
    provided: dict[str, str] = {}
    for line in told.splitlines():
        name, status, needed, provides = line.split("|", 3) if line.count("|") == 3 else _split(line)
        if status == "installed":
            depends[name] = re.findall(r"(?:^|[,|]) *([a-z0-9][a-z0-9+.-]+)", needed)
            provided |= dict.fromkeys(re.findall(r"([a-z0-9][a-z0-9+.-]+)(?: \([^)]*\))?", provides), name)
    found: set[str] = set()
    waiting = [name for name in names if name in depends]
    while waiting:
        name = waiting.pop()
        name = name if name in depends else provided.get(name, "")
        if name and name not in found:
            found.add(name)
            waiting += depends[name]
    return tuple(sorted(found))


def _split(line: str) -> tuple[str, str, str, str]:
    """Alternatives stand between bars as well."""
    name, status, rest = line.split("|", 2)
    needed, _, provides = rest.rpartition("|")
    return name, status, needed, provides


def _files(packages: tuple[str, ...]) -> set[str]:
    told = subprocess.run(["dpkg-query", "-L", *packages], capture_output=True, text=True, check=True).stdout
    return {line for line in told.splitlines() if line.startswith("/") and not line.startswith(_LEFT_OUT) and line != "/."}


def _copy(path: str, place: Path) -> None:
    source = Path(path)
    if source.is_symlink():
        if not place.is_symlink() and not place.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            place.symlink_to(source.readlink())
    elif source.is_dir():
        place.mkdir(parents=True, exist_ok=True)
    elif source.is_file() and not place.exists():
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, place)


def _accounts(root: Path) -> None:
    master = root / "usr/share/base-passwd"
    shutil.copy(master / "passwd.master", root / "etc/passwd")
    shutil.copy(master / "group.master", root / "etc/group")
    users = [line.split(":")[0] for line in (root / "etc/passwd").read_text().splitlines()]
    groups = [line.split(":")[0] for line in (root / "etc/group").read_text().splitlines()]
    passwd = (root / "etc/passwd").read_text()
    (root / "etc/passwd").write_text(re.sub(r"(?m)^([^:]+):[^:]*:", r"\1:x:", passwd))
    (root / "etc/group").write_text(re.sub(r"(?m)^([^:]+):[^:]*:", r"\1:x:", (root / "etc/group").read_text()))
    (root / "etc/shadow").write_text("".join(f"{name}:{_SHADOWED}\n" for name in users))
    (root / "etc/gshadow").write_text("".join(f"{name}:*::\n" for name in groups))
    for name in ("shadow", "gshadow"):
        os.chown(root / "etc" / name, 0, 42)
        (root / "etc" / name).chmod(0o640)
    for kind in ("account", "auth", "password", "session", "session-noninteractive"):
        (root / f"etc/pam.d/common-{kind}").write_text(f"{kind.partition('-')[0]} required pam_unix.so\n")
    for name in ("subuid", "subgid", "hostname", "fstab"):
        (root / "etc" / name).touch()


def _database(root: Path, packages: tuple[str, ...]) -> None:
    status = Path("/var/lib/dpkg/status").read_text(errors="surrogateescape")
    chosen = [stanza.strip("\n") for stanza in status.split("\n\n") if _name(stanza) in packages]
    (root / "var/lib/dpkg/status").write_text("\n\n".join(chosen) + "\n", errors="surrogateescape")
    for path in Path("/var/lib/dpkg/info").iterdir():
        names = {name.partition(":")[0] for name in (path.name, path.stem, path.name.partition(".")[0])}
        if names & {"format", *packages}:
            shutil.copy2(path, root / "var/lib/dpkg/info")
    for name in ("alternatives", "triggers", "updates", "parts"):
        (root / "var/lib/dpkg" / name).mkdir(exist_ok=True)
    for name in ("var/lib/apt/lists/partial", "var/cache/apt/archives/partial", "var/log/apt", "var/cache/debconf", "var/tmp"):
        (root / name).mkdir(parents=True, exist_ok=True)
    for name, mode in (("config", 0o644), ("passwords", 0o600), ("templates", 0o644)):
        (root / f"var/cache/debconf/{name}.dat").touch(mode)
    for name in ("var/lib/apt/lists/partial", "var/cache/apt/archives/partial"):
        (root / name).chmod(0o700)
        os.chown(root / name, 42, 0)
    for place in ("var/lib/dpkg/alternatives/awk", "etc/alternatives/awk", "usr/bin/awk"):
        _copy(f"/{place}", root / place)
    _triggers(Path("/var/lib/dpkg/triggers"), root / "var/lib/dpkg/triggers", packages)


def _triggers(source: Path, target: Path, packages: tuple[str, ...]) -> None:
    """Who is interested in what; without the list of what waits, dpkg would call all of them."""
    for name in ("Unincorp", "Lock"):
        (target / name).touch()
    for path in source.iterdir():
        lines = [] if path.name in ("Unincorp", "Lock") else path.read_text().splitlines(keepends=True)
        kept = [line for line in lines if line.split()[-1].partition("/")[0].partition(":")[0] in packages]
        if kept or path.name == "File":
            (target / path.name).write_text("".join(kept))


def _name(stanza: str) -> str:
    match = re.search(r"(?m)^Package: (\S+)$", stanza)
    return match[1] if match else ""
