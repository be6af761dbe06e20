"""Real repositories: packages by rpmbuild, metadata by createrepo_c, indexes of apk, signatures by gpg and openssl."""

from __future__ import annotations

import gzip
import io
import json
import re
import shutil
import subprocess
import tarfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from goldsmith.events import ignore
from goldsmith.gates.contract import Result, Subject
from goldsmith.gates.judge import run_gate
from goldsmith.gates.patches import Patches, PatchesConfig
from goldsmith.machines.cancellation import Cancellation
from tests.sources.archive_workbench import Keys

DAY = 86_400
HOST = "repo.test"
ALMA = 'ID="almalinux"\nVERSION_ID="8.10"\nPRETTY_NAME="AlmaLinux 8.10"\n'
ALPINE = "ID=alpine\nVERSION_ID=3.23.0\n"


def is_able() -> bool:
    """Whether the programs that make rpm repositories are here."""
    return all(shutil.which(name) for name in ("rpmbuild", "rpm", "createrepo_c", "modifyrepo_c", "gpg"))


@dataclass(frozen=True, slots=True)
class Built:
    """A package to build: `curl 7.61-1`, for an architecture, of a module."""

    name: str
    version: str
    architecture: str = "x86_64"
    module: str = ""

    @property
    def file(self) -> str:
        return f"{self.name}-{self.version.rpartition(':')[2]}.{self.architecture}.rpm"


def build(place: Path, packages: Sequence[Built]) -> Mapping[Built, Path]:
    """Build packages with nothing in them, all in one run of rpmbuild."""
    place.mkdir(parents=True)
    specs = []
    for number, package in enumerate(packages):
        epoch, _, rest = package.version.rpartition(":")
        version, _, release = rest.rpartition("-")
        lines = {
            "Name": package.name,
            "Epoch": epoch,
            "Version": version,
            "Release": release,
            "Summary": package.name,
            "License": "MIT",
            "ModularityLabel": package.module,
            "BuildArch": "noarch" if package.architecture == "noarch" else "",
        }
        text = "".join(f"{name}: {value}\n" for name, value in lines.items() if value)
        spec = place / f"{number}.spec"
        spec.write_text(f"{text}%description\nfor tests\n%files\n")
        specs.append((package, spec))
    for target in sorted({package.architecture for package in packages} - {"noarch"}) or ["x86_64"]:
        chosen = [str(spec) for package, spec in specs if package.architecture in (target, "noarch")]
        run("rpmbuild", "--quiet", "-bb", "--target", target, "--define", f"_topdir {place}/top", *chosen)
    found = {path.name: path for path in place.rglob("*.rpm")}
    return {package: found[package.file] for package in packages}


def notice(id: str, packages: Sequence[Built], issued_s: float, kind: str = "security", severity: str = "Important") -> str:
    """An update as AlmaLinux announces it; its CVE is named after it."""
    issued = f"{datetime.fromtimestamp(issued_s, UTC):%Y-%m-%d %H:%M:%S}"
    listed = ""
    for package in packages:
        epoch, _, rest = package.version.rpartition(":")
        version, _, release = rest.rpartition("-")
        listed += (
            f'<package name="{package.name}" version="{version}" release="{release}" epoch="{epoch or 0}"'
            f' arch="{package.architecture}" src="x.src.rpm"><filename>{package.file}</filename></package>'
        )
    cve = f"CVE-{id.rpartition('-')[2].replace(':', '-')}"
    return (
        f'<update from="x@y" status="final" type="{kind}" version="2.0"><id>{id}</id><title>{kind} update &amp; more</title>'
        f'<issued date="{issued}"/><updated date="{issued}"/><severity>{severity}</severity>'
        f'<references><reference href="https://x" id="{cve}" type="cve" title="{cve}"/></references>'
        f'<description>&lt;b&gt;</description><pkglist><collection short="a"><name>a</name>{listed}</collection></pkglist>'
        f"</update>"
    )


@dataclass
class RpmRepository:
    """A repository in a directory that mirrors its host."""

    root: Path
    keys: Keys
    built: Mapping[Built, Path]

    def publish(
        self,
        packages: Sequence[Built],
        notices: Sequence[str] | None = (),
        *,
        modules: str = "",
        keys: Keys | None = None,
        signed: bool = True,
        options: Sequence[str] = (),
        revision: int = 0,
    ) -> None:
        """Write the metadata of these packages; without a list of notices it has no updateinfo."""
        shutil.rmtree(self.root, ignore_errors=True)
        self.root.mkdir(parents=True)
        for package in packages:
            shutil.copyfile(self.built[package], self.root / package.file)
        at = str(revision or int(time.time()))
        dated = ("--revision", at, "--set-timestamp-to-revision")
        run("createrepo_c", "--quiet", "--no-database", *dated, *options, str(self.root))
        if notices is not None:
            self._add("updateinfo", f'<?xml version="1.0" encoding="UTF-8"?>\n<updates>{"".join(notices)}</updates>\n')
        if modules:
            self._add("modules", modules)
        if revision:
            self._date(revision)
        if signed:
            self.sign(keys or self.keys)

    def sign(self, keys: Keys) -> None:
        """Write the signature of what is there now."""
        signature = self.repomd.with_name("repomd.xml.asc")
        signature.unlink(missing_ok=True)
        gpg = ["gpg", "--homedir", str(keys.home), "--batch", "--armor", "--detach-sign", "--output", str(signature)]
        run(*gpg, str(self.repomd))

    @property
    def repomd(self) -> Path:
        """Its table of contents."""
        return self.root / "repodata/repomd.xml"

    def part(self, kind: str) -> Path:
        """One of its lists."""
        return next(self.repomd.parent.glob(f"*-{kind}.*"))

    def _add(self, kind: str, text: str) -> None:
        name = {"updateinfo": "updateinfo.xml", "modules": "modules.yaml"}[kind]
        path = self.root.parent / f"{self.root.name}-{name}"
        path.write_text(text)
        target = path.with_name(name)
        shutil.copyfile(path, target)
        run("modifyrepo_c", "--mdtype", kind, str(target), str(self.repomd.parent))
        target.unlink()
        path.unlink()

    def _date(self, revision: int) -> None:
        """What modifyrepo_c adds is dated by the clock."""

        self.repomd.write_text(
            re.sub(r"<timestamp>\d+</timestamp>", f"<timestamp>{revision}</timestamp>", self.repomd.read_text())
        )


@dataclass
class ApkRepository:
    """A repository of apk in a directory that mirrors its host."""

    root: Path
    """`…/v3.23/main`"""
    key: Path
    """The private key; its public half has the same name and `.pub`."""

    def publish(
        self,
        packages: Mapping[str, str],
        *,
        architecture: str = "x86_64",
        built_s: float = 0,
        signed: bool = True,
        key: Path | None = None,
        kind: str = "RSA",
    ) -> None:
        """Write and sign the index as `apk index` and `abuild-sign` do."""
        records = "".join(
            f"C:Q1AAAAAAAAAAAAAAAAAAAAAAAAAAA=\nP:{name}\nV:{version}\nA:{architecture}\nS:100\nI:200\nT:x\nU:https://x\nL:MIT\n"
            f"o:{name}\nm:x <x@x>\nt:{int(built_s or time.time())}\nc:0\n\n"
            for name, version in packages.items()
        )
        body = _tar({"DESCRIPTION": b"test", "APKINDEX": records.encode()})
        self.index(architecture).parent.mkdir(parents=True, exist_ok=True)
        self.index(architecture).write_bytes((self._signature(body, key or self.key, kind) if signed else b"") + body)

    def index(self, architecture: str = "x86_64") -> Path:
        """Where the index is."""
        return self.root / architecture / "APKINDEX.tar.gz"

    def _signature(self, body: bytes, key: Path, kind: str) -> bytes:
        digest = {"RSA": "-sha1", "RSA256": "-sha256"}[kind]
        command = ["openssl", "dgst", digest, "-sign", str(key)]
        signature = subprocess.run(command, input=body, capture_output=True, check=True).stdout
        # abuild-tar --cut: the end of the archive is left out, so that both members unpack to one.
        return _tar({f".SIGN.{kind}.{key.name}.pub": signature}, is_cut=True)


def make_rsa(place: Path) -> Path:
    """A key of apk's kind with its public half beside it."""
    place.parent.mkdir(parents=True, exist_ok=True)
    run("openssl", "genrsa", "-out", str(place), "2048")
    run("openssl", "rsa", "-in", str(place), "-pubout", "-out", f"{place}.pub")
    return place


@dataclass
class Image:
    """A tree with packages and repositories, and the host that judges it."""

    root: Path
    config: PatchesConfig = field(default_factory=lambda: PatchesConfig(mirror="mirror"))

    @property
    def tree(self) -> Path:
        """The image."""
        return self.root / "tree"

    @property
    def cache(self) -> Path:
        """The host's."""
        return self.root / "cache"

    @property
    def mirror(self) -> Path:
        """What stands for the world."""
        return self.root / "mirror"

    def write(self, path: str, content: str | bytes) -> Path:
        """Put a file into the image."""
        place = self.tree / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content if isinstance(content, bytes) else content.encode())
        return place

    def judge(self, config: PatchesConfig | None = None, later_s: int = 0) -> Result:
        """Run the gate, as it were some time later."""
        work = self.root / "work"
        work.mkdir(exist_ok=True)
        subject = Subject(
            image="t",
            disk_digest="sha256:00",
            tree=self.tree,
            disk=None,
            cache=self.cache,
            root=self.root,
            work=work,
            now_s=int(time.time()) + later_s,
        )
        return run_gate(Patches(), config or self.config, subject, ignore, Cancellation())

    def forget_when_fetched(self, ago_s: int = 2 * DAY) -> None:
        """Kept indexes were found current so long ago."""
        for path in self.cache.rglob("goldsmith-fetched"):
            path.write_text(json.dumps({"at": int(time.time()) - ago_s}))


def rpm_image(image: Image, built: Mapping[Built, Path], packages: Sequence[Built], keys: Keys, release: str = ALMA) -> Image:
    """Have rpm itself install packages into the image, and name one repository."""
    image.write("etc/os-release", release)
    files = [str(built[package]) for package in packages]
    where = ("--root", str(image.tree), "--dbpath", "/var/lib/rpm")
    run("rpm", *where, "-i", "--nodeps", "--noscripts", "--nosignature", "--ignorearch", *files)
    image.write("etc/pki/rpm-gpg/RPM-GPG-KEY-test", armoured(keys))
    image.write(
        "etc/yum.repos.d/test.repo",
        "[baseos]\nname=Test $releasever\n"
        f"baseurl=https://{HOST}/alma/$releasever/$basearch/os\n"
        "enabled=1\ngpgcheck=1\ngpgkey=file:///etc/pki/rpm-gpg/RPM-GPG-KEY-test\n",
    )
    return image


def apk_image(image: Image, packages: Mapping[str, str], key: Path) -> Image:
    """An Alpine with packages and the repositories main and community."""
    image.write("etc/os-release", ALPINE)
    records = "".join(f"P:{name}\nV:{version}\nA:x86_64\no:{name}\n\n" for name, version in packages.items())
    image.write("lib/apk/db/installed", records)
    image.write(f"etc/apk/keys/{key.name}.pub", Path(f"{key}.pub").read_bytes())
    image.write("etc/apk/repositories", f"https://{HOST}/alpine/v3.23/main\n#https://{HOST}/alpine/edge/main\n")
    return image


def armoured(keys: Keys) -> str:
    """The public key as a text."""
    return run("gpg", "--homedir", str(keys.home), "--batch", "--armor", "--export")


def run(*command: str) -> str:
    """Run a program that must succeed; returns what it prints."""
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def _tar(files: Mapping[str, bytes], *, is_cut: bool = False) -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    whole = data.getvalue()
    if is_cut:
        whole = whole[: sum(512 + -(-len(content) // 512) * 512 for content in files.values())]
    return gzip.compress(whole, mtime=0)
