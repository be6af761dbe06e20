"""The layers of this host: unpacked directories under their digests, ready to be lower directories of an overlay."""

from __future__ import annotations

import fcntl
import functools
import json
import os
import secrets
import shutil
import threading
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from goldsmith.hcl.diagnostics import Diagnostic, GoldsmithError, MachineError, UserError
from goldsmith.images.layer import Layer, describe, digest_of, normalise_upper
from goldsmith.images.space import room_needed
from goldsmith.images.tarstream import write_tar
from goldsmith.images.tree import scan

_DIRECTORIES = ("trees", "records", "proofs", "moving")


class LayerStore:
    """Below one directory: `trees/<hex>/` (a layer as it is), `records/<hex>` (what is known of it), `proofs/`, `moving/`.

    Nothing is flushed to the disk, which would cost seconds: instead a layer that was made before the host started last is
    read and compared with its digest when it is first asked for, and is no layer when a power cut or a copy damaged it.

    Many processes share a store. A layer appears whole, by one rename; a layer whose `path` a process has asked for is in
    use until that process ends or calls `release`, and is not removed.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._trees, self._records, self._proofs, self._moving = (root / name for name in _DIRECTORIES)
        for directory in (self._trees, self._records, self._proofs, self._moving):
            directory.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._leases: dict[str, int] = {}
        weakref.finalize(self, _close, self._leases)
        self._sweep()

    def adopt(self, upper: Path, lowers: Sequence[Path], epoch: int) -> Layer:
        """Make an overlay's upper directory a layer on top of `lowers` (lowest first) and take it into the store.

        The directory is normalised in place and is gone afterwards. No time in the layer is later than `epoch`.
        Raises `UserError` when it cannot be a layer, `MachineError` without the rights or the space to keep it.
        """
        _need_root()
        layer = normalise_upper(upper, lowers, epoch)
        if self.has(layer.diff_id):
            shutil.rmtree(upper)
            return layer
        with room_needed(self.root, "a layer"), self._on_this_file_system(upper) as directory:
            directory.chmod(0o755)
            self._publish(directory, layer)
        return layer

    def has(self, diff_id: str) -> bool:
        """Whether a layer is there, whole."""
        name = _hex(diff_id)
        if not ((self._records / name).is_file() and (self._trees / name).is_dir()):
            return False
        return self._is_proven(name) or self._prove(name)

    def layer(self, diff_id: str) -> Layer:
        """What is known of a layer. Raises `MachineError` with code `layer.missing`."""
        layer = self._read(_hex(diff_id))
        if layer is None:
            raise self._missing(diff_id)
        return layer

    def path(self, diff_id: str) -> Path:
        """The directory of a layer, named by the digest's hex digits; nothing may write to it.

        Marks the layer as used now and as in use. Raises `MachineError` with code `layer.missing`.
        """
        name = _hex(diff_id)
        with self._lock:
            if name not in self._leases:
                self._leases[name] = self._lease(diff_id)
            os.utime(self._leases[name])
        return self._trees / name

    def release(self, diff_id: str) -> None:
        """Say that this process no longer uses a layer."""
        with self._lock:
            descriptor = self._leases.pop(_hex(diff_id), None)
        if descriptor is not None:
            os.close(descriptor)

    def remove(self, diff_id: str) -> bool:
        """Remove a layer; False when it is in use. A layer that is not there counts as removed."""
        name = _hex(diff_id)
        descriptor = self._open_record(name)
        if descriptor is None:
            return True
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        else:
            # Without its record a layer does not exist, so the order decides that none is ever seen half removed.
            (self._records / name).unlink(missing_ok=True)
            (self._proofs / name).unlink(missing_ok=True)
            with self._private_directory() as directory, suppress(FileNotFoundError):
                (self._trees / name).rename(directory / name)
        finally:
            os.close(descriptor)
        return True

    def verify(self, diff_id: str) -> bool:
        """Whether the layer's content still has its digest. Reads all of it."""
        return digest_of(scan(self.path(diff_id))) == diff_id

    def export_tar(self, diff_id: str, path: Path) -> None:
        """Write a layer as an OCI layer tar, compressed with zstd; the uncompressed stream has the digest `diff_id`."""
        from goldsmith.images.compression import open_writer

        with open_writer(path) as file:
            write_tar(scan(self.path(diff_id)), file.write)

    def unpack(self, tar: Path, diff_id: str) -> Layer:
        """Take a layer from an OCI layer tar (plain or zstd). Nothing is kept unless its content has the digest `diff_id`.

        Raises `UserError` with the name of the entry for a tar that may not be unpacked, or with code `layer.digest`.
        """
        from goldsmith.images.unpack import unpack_tar

        _need_root()
        if self.has(diff_id):
            return self.layer(diff_id)
        with room_needed(self.root, "a layer"), self._private_directory() as directory:
            unpack_tar(tar, directory / "layer")
            layer = describe(scan(directory / "layer"))
            if layer.diff_id != diff_id:
                raise UserError(_other_digest(tar, layer.diff_id, diff_id))
            self._publish(directory / "layer", layer)
        return layer

    def least_recently_used(self) -> list[Layer]:
        """All layers, the one whose last use is longest ago first."""
        used = sorted((record.stat().st_mtime_ns, record.name) for record in self._records.iterdir())
        return [layer for _, name in used if (layer := self._read(name)) is not None]

    def used_s(self, diff_id: str) -> float:
        """When a layer was used last, seconds since 1970; 0 when it is not there."""
        try:
            return (self._records / _hex(diff_id)).stat().st_mtime
        except FileNotFoundError:
            return 0.0

    def size_bytes(self) -> int:
        """Bytes of file content of all layers, as recorded when they were made."""
        return sum(layer.size for layer in self.least_recently_used())

    def _lease(self, diff_id: str) -> int:
        """A descriptor of the layer's record that holds a shared lock: as long as it is open, the layer stays."""
        descriptor = self._open_record(_hex(diff_id)) if self.has(diff_id) else None
        if descriptor is None:
            raise self._missing(diff_id)
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        # Whoever removed the layer in between held the lock until now.
        if not self.has(diff_id):
            os.close(descriptor)
            raise self._missing(diff_id)
        return descriptor

    def _publish(self, directory: Path, layer: Layer) -> None:
        name = _hex(layer.diff_id)
        try:
            directory.rename(self._trees / name)
        except OSError:
            # Another process was quicker, or a tree without a record is left of a removal that was cut short.
            if self.has(layer.diff_id):
                return
            with self._private_directory() as aside:
                (self._trees / name).rename(aside / name)
                directory.rename(self._trees / name)
        self._put(self._proofs / name, _boot_id())
        self._put(self._records / name, json.dumps({"files": layer.files, "size": layer.size}))

    def _put(self, path: Path, text: str) -> None:
        temporary = self._moving / f"{path.name}.{secrets.token_hex(4)}"
        temporary.write_text(text)
        temporary.rename(path)

    def _is_proven(self, name: str) -> bool:
        """Whether the layer was made or checked since the host started."""
        try:
            return (self._proofs / name).read_text() == _boot_id()
        except FileNotFoundError:
            return False

    def _prove(self, name: str) -> bool:
        try:
            whole = digest_of(scan(self._trees / name)) == f"sha256:{name}"
        except (OSError, GoldsmithError):
            whole = False
        if whole:
            self._put(self._proofs / name, _boot_id())
        else:
            self.remove(name)
        return whole

    @contextmanager
    def _on_this_file_system(self, upper: Path) -> Iterator[Path]:
        """`upper` itself, or a copy in the store when it is on another file system. Gone in the end."""
        if upper.stat().st_dev == self.root.stat().st_dev:
            yield upper
            shutil.rmtree(upper, ignore_errors=True)
            return
        from goldsmith.images.merge import copy_layer

        with self._private_directory() as directory:
            copy_layer(upper, directory / "layer")
            yield directory / "layer"
        shutil.rmtree(upper)

    @contextmanager
    def _private_directory(self) -> Iterator[Path]:
        """A directory that is removed in the end, or by the next store that opens when this process is killed."""
        directory = self._moving / secrets.token_hex(8)
        directory.mkdir()
        descriptor = os.open(directory, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield directory
        finally:
            shutil.rmtree(directory, ignore_errors=True)
            os.close(descriptor)

    def _sweep(self) -> None:
        for path in self._moving.iterdir():
            if path.is_dir():
                _remove_abandoned(path)

    def _open_record(self, name: str) -> int | None:
        try:
            return os.open(self._records / name, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return None

    def _read(self, name: str) -> Layer | None:
        try:
            data = json.loads((self._records / name).read_bytes())
            return Layer(diff_id=f"sha256:{name}", files=int(data["files"]), size=int(data["size"]))
        except (FileNotFoundError, ValueError, KeyError):
            return None

    def _missing(self, diff_id: str) -> MachineError:
        return MachineError(
            Diagnostic(
                code="layer.missing",
                what=f"the layer {diff_id} is not on this host",
                why=f'it is not in "{self.root}"; it was removed, or another build is removing it now',
                next="Build again: the steps that made it run once more.",
            )
        )


@functools.cache
def _boot_id() -> str:
    """Changes whenever the host starts."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def _hex(diff_id: str) -> str:
    return diff_id.removeprefix("sha256:")


def _close(leases: dict[str, int]) -> None:
    for descriptor in leases.values():
        os.close(descriptor)
    leases.clear()


def _remove_abandoned(directory: Path) -> None:
    try:
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(directory, ignore_errors=True)
    except BlockingIOError:
        return
    finally:
        os.close(descriptor)


def _other_digest(tar: Path, found: str, wanted: str) -> Diagnostic:
    return Diagnostic(
        code="layer.digest",
        what=f'"{tar}" is not the layer {wanted}',
        why=f"its content has the digest {found}",
        next="Fetch it again from where it was exported.",
    )


def _need_root() -> None:
    if os.geteuid() != 0:
        raise MachineError(
            Diagnostic(
                code="images.not-root",
                what="layers can only be kept by root",
                why="the files of an image belong to many users, and only root may give files away",
                next="Run the same command with sudo.",
            )
        )
