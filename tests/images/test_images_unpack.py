"""Foreign layer tars: what is refused, with the name of the entry."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from goldsmith.hcl.diagnostics import UserError
from goldsmith.images import LayerStore
from goldsmith.images.layer import digest_of
from goldsmith.images.tree import scan
from goldsmith.images.unpack import unpack_tar


def entry(
    name: str, kind: bytes = tarfile.REGTYPE, target: str = "", content: bytes = b"", headers: dict[str, str] | None = None
) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = kind, target, len(content)
    info.pax_headers = headers or {}
    return info


def archive(path: Path, *entries: tarfile.TarInfo) -> Path:
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as file:
        for info in entries:
            file.addfile(info, io.BytesIO(b"x" * info.size))
    return path


def directory(name: str) -> tarfile.TarInfo:
    return entry(name, tarfile.DIRTYPE)


HOSTILE: dict[str, Callable[[], list[tarfile.TarInfo]]] = {
    "absolute": lambda: [entry("/etc/passwd")],
    "dots": lambda: [directory("a"), entry("a/../../x")],
    "no-directory": lambda: [entry("a/x")],
    "through-a-link": lambda: [entry("a", tarfile.SYMTYPE, "/etc"), entry("a/x")],
    "hard-link-out": lambda: [entry("a", tarfile.LNKTYPE, "/etc/passwd")],
    "hard-link-up": lambda: [entry("a", tarfile.LNKTYPE, "../../etc/passwd")],
    "hard-link-to-directory": lambda: [directory("d"), entry("a", tarfile.LNKTYPE, "d")],
    "twice": lambda: [entry("a"), entry("a")],
    "directory-then-link": lambda: [directory("a"), entry("a", tarfile.SYMTYPE, "/etc")],
    "unknown-xattr": lambda: [entry("a", headers={"SCHILY.xattr.trusted.overlay.redirect": "/x"})],
    "unknown-header": lambda: [entry("a", headers={"GNU.sparse.major": "9"})],
    "whiteout-device": lambda: [entry("a", tarfile.CHRTYPE)],
    "unknown-kind": lambda: [entry("a", b"V")],
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_entry_is_refused_and_named(name: str, tmp_path: Path, store: LayerStore) -> None:
    entries = HOSTILE[name]()
    tar = archive(tmp_path / "layer.tar", *entries)

    with pytest.raises(UserError) as caught:
        store.unpack(tar, "sha256:" + "0" * 64)

    assert caught.value.diagnostics[0].code == "layer.refused"
    assert f'"{entries[-1].name}"' in caught.value.diagnostics[0].what
    assert store.least_recently_used() == []
    assert list((store.root / "moving").iterdir()) == []


def test_a_broken_archive_is_refused(tmp_path: Path) -> None:
    tar = archive(tmp_path / "layer.tar", entry("a", content=b"x" * 5000))
    tar.write_bytes(tar.read_bytes()[:2000])

    with pytest.raises(UserError, match="cannot be unpacked"):
        unpack_tar(tar, tmp_path / "out")


def test_a_layer_with_another_digest_is_not_kept(tmp_path: Path, store: LayerStore) -> None:
    tar = archive(tmp_path / "layer.tar", entry("a"))

    with pytest.raises(UserError) as caught:
        store.unpack(tar, "sha256:" + "0" * 64)

    assert caught.value.diagnostics[0].code == "layer.digest"
    assert store.least_recently_used() == []


def test_whiteouts_of_other_tools_become_overlay_marks(tmp_path: Path) -> None:
    tar = archive(tmp_path / "layer.tar", directory("d"), entry("d/.wh..wh..opq"), entry("d/x"), entry(".wh.gone"))

    unpack_tar(tar, tmp_path / "out")

    marks = {item.path: (item.kind, item.opaque) for item in scan(tmp_path / "out")}
    assert marks == {b"d": ("directory", True), b"d/x": ("file", False), b"gone": ("whiteout", False)}
    assert digest_of(scan(tmp_path / "out")).startswith("sha256:")
