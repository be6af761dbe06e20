"""The step cache: which key left which layer, which layers made which sealed disk; bounded, shared by concurrent builds."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from goldsmith.build.keys import Document, StepKey
from goldsmith.build.states import STATES, StateStore
from goldsmith.events import CacheEvicted, Emit
from goldsmith.gates.repositories.store import DIRECTORY as REPOSITORIES
from goldsmith.gates.repositories.store import RepositoryStore
from goldsmith.images import Layer, LayerStore, SealedImage
from goldsmith.images.usage import Stock, alone, disk_usage
from goldsmith.images.whole import write_whole
from goldsmith.sources.download import DOWNLOADS, download_stock
from goldsmith.sources.stock import abandoned, package_stock

DEFAULT_LIMIT_BYTES = 20_000_000_000

PACKAGES, TOOLS = "packages", "tools"
"""Where sources keep what they download, and provisioners what they show to sandboxes."""
_SHARED = (PACKAGES, TOOLS, DOWNLOADS, STATES, REPOSITORIES)
"""What processes share in ways that only they know of."""
_COUNTED = ("images", *_SHARED)


@dataclass(frozen=True, slots=True, kw_only=True)
class CachedStep:
    """What a step left when it last ran."""

    layer: str
    took_s: float
    document: Document


def fingerprint_key(directory: Path) -> bytes:
    """The key for fingerprints of secrets that is kept in a directory; made at first use, readable by the owner only."""
    path = directory / "fingerprint.key"
    if not path.exists():
        directory.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(f".{secrets.token_hex(4)}")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(32))
        try:
            os.link(temporary, path)
        except FileExistsError:
            pass
        finally:
            temporary.unlink()
    return path.read_bytes()


class StepCache:
    """Below one directory: `steps/` (key → layer), `images/` (key → sealed disk), `layers/`, `states/` and others.

    `packages/`, `downloads/` and `tools/` are other rooms'; they count for the limit and are pruned with the rest.

    An entry is written to a temporary name and renamed, so a half-made one is never seen. Whoever makes an entry holds the
    lock of its key, so two builds make a step once.
    """

    def __init__(self, root: Path, limit_bytes: int = DEFAULT_LIMIT_BYTES) -> None:
        self.root = root
        self.limit_bytes = limit_bytes
        for name in ("steps", "images", "last", "work", "locks"):
            (root / name).mkdir(parents=True, exist_ok=True)
        self.layers = LayerStore(root / "layers")
        self.states = StateStore(root / STATES)

    def project_key(self) -> bytes:
        """The key of this cache under which secrets are fingerprinted; made at first use, readable by the owner only."""
        return fingerprint_key(self.root)

    @contextmanager
    def locked(self, key: str) -> Iterator[None]:
        """Hold the lock of a key; waits while another build makes the same entry."""
        with (self.root / "locks" / key).open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def step(self, key: StepKey) -> CachedStep | None:
        """The layer that a step with this key left, when it is still there."""
        path = self.root / "steps" / key.key
        data = _read_json(path)
        if data is None or not self.layers.has(str(data["layer"])):
            return None
        os.utime(path)
        document = data["document"]
        assert isinstance(document, Mapping)
        return CachedStep(layer=str(data["layer"]), took_s=float(str(data["took_s"])), document=document)

    def keep_step(self, key: StepKey, layer: str, took_s: float) -> None:
        """Remember that a step with this key left `layer`."""
        _write_json(self.root / "steps" / key.key, {"layer": layer, "took_s": round(took_s, 3), "document": key.document})

    def sealed(self, key: StepKey) -> SealedImage | None:
        """The sealed disk that was made under this key, when all its files are still there and of the recorded size."""
        directory = self.root / "images" / key.key
        data = _read_json(directory / "image.json")
        if data is None:
            return None
        sizes = data.pop("sizes")
        assert isinstance(sizes, Mapping)
        files = {name: directory / Path(name) for name in sizes}
        if any(not path.is_file() or path.stat().st_size != sizes[name] for name, path in files.items()):
            return None
        os.utime(directory / "image.json")
        return _sealed_from(data, directory)

    def keep_sealed(self, key: StepKey, image: SealedImage) -> SealedImage:
        """Move the files of a sealed disk into the cache; the result names them there. They are read-only from then on.

        They are gathered in the directory that they are in, which is journaled: nothing is left when this is cut short.
        """
        final = self.root / "images" / key.key
        making = next(iter(image.files.values())).parent / f"image-{secrets.token_hex(8)}"
        making.mkdir()
        sizes: dict[str, int] = {}
        files: dict[str, str] = {}
        for format, path in image.files.items():
            target = making / path.name
            path.rename(target)
            target.chmod(0o444)
            sizes[target.name] = target.stat().st_size
            files[format] = target.name
        record = {**asdict(image), "files": files, "sizes": sizes}
        _write_json(making / "image.json", record)
        try:
            making.rename(final)
        except OSError:
            shutil.rmtree(making) if (final / "image.json").exists() else _replace(making, final)
        kept = self.sealed(key)
        assert kept is not None
        return kept

    def last_documents(self, position: str) -> Mapping[str, Document]:
        """The key documents that the steps of a build had when it last ran, by step name."""
        data = _read_json(self.root / "last" / position)
        return {} if data is None else {name: value for name, value in data.items() if isinstance(value, Mapping)}

    def keep_documents(self, position: str, documents: Mapping[str, Document]) -> None:
        """Remember the key documents of a build, to explain what changed next time."""
        _write_json(self.root / "last" / position, dict(documents))

    def size_bytes(self) -> int:
        """How much layers, sealed disks, states, downloads, and the Pythons shown to sandboxes take."""
        return self.layers.size_bytes() + sum(disk_usage(self.root / name) for name in _COUNTED)

    def prune(self, emit: Emit, limit_bytes: int | None = None) -> int:
        """Remove what was used least recently until the cache fits; returns the bytes freed. Disks go first: layers make them.

        A layer that a build uses is kept, and a disk that is being made. Packages, indexes, Pythons, downloaded images and
        states of machines are kept while any other process works with some of them.
        """
        limit = self.limit_bytes if limit_bytes is None else limit_bytes
        repositories = RepositoryStore(self.root)
        with ExitStack() as held:
            free = {name: held.enter_context(alone(self.root / name)) for name in _SHARED}
            if free[PACKAGES]:
                abandoned(self.root / PACKAGES).remove()
            if free[REPOSITORIES]:
                repositories.abandoned().remove()
            if free[STATES]:
                self.states.remove_abandoned()
            excess = self.size_bytes() - limit
            freed = self._evict_images(excess, emit)
            if freed < excess:
                kinds: Mapping[str, Callable[[], Iterator[Stock]]] = {
                    PACKAGES: lambda: package_stock(self.root / PACKAGES),
                    TOOLS: self._tools,
                    DOWNLOADS: lambda: download_stock(self.root / DOWNLOADS),
                    STATES: self.states.stock,
                    REPOSITORIES: repositories.stock,
                }
                stock = [item for name, items in kinds.items() if free[name] for item in items()]
                freed += self._evict_by_use(excess - freed, stock, emit)
        return freed

    def _tools(self) -> Iterator[Stock]:
        for path in (self.root / TOOLS).glob("*"):
            if path.is_dir():
                used = path.stat().st_mtime
                yield Stock(name=f"tool {path.name}", used_s=used, size=disk_usage(path), paths=(path,))

    def _evict_images(self, excess: int, emit: Emit) -> int:
        freed = 0
        for used, path in sorted((_last_used(path), path) for path in (self.root / "images").glob("*")):
            if freed >= excess:
                break
            freed += self._evict_image(path, emit, used)
        return freed

    def _evict_by_use(self, excess: int, stock: Sequence[Stock], emit: Emit) -> int:
        freed = 0
        held: list[tuple[float, Stock | Layer]] = [(item.used_s, item) for item in stock]
        held += [(self.layers.used_s(layer.diff_id), layer) for layer in self.layers.least_recently_used()]
        for _, item in sorted(held, key=lambda pair: pair[0]):
            if freed >= excess:
                break
            name = item.name if isinstance(item, Stock) else item.diff_id
            if isinstance(item, Stock):
                item.remove()
            elif not self.layers.remove(item.diff_id):
                continue
            emit(CacheEvicted(key=name, size=item.size, reason="least recently used"))
            freed += item.size
        return freed

    def _evict_image(self, path: Path, emit: Emit, used: float) -> int:
        with (self.root / "locks" / path.name).open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return 0
            size = disk_usage(path)
            shutil.rmtree(path, ignore_errors=True)
        age_days = int((time.time() - used) / 86400)
        emit(CacheEvicted(key=path.name, size=size, reason=f"not used for {age_days} days"))
        return size


def _sealed_from(data: dict[str, object], directory: Path) -> SealedImage:
    files, layers, removed = data.pop("files"), data.pop("layers"), data.pop("removed")
    assert isinstance(files, Mapping)
    assert isinstance(layers, list)
    assert isinstance(removed, list)
    return SealedImage(
        layers=tuple(str(layer) for layer in layers),
        files={str(format): directory / str(name) for format, name in files.items()},
        removed=tuple((str(path), str(rule)) for path, rule in removed),
        **data,  # type: ignore[arg-type]  # the record was written from the same dataclass
    )


def _read_json(path: Path) -> dict[str, object] | None:
    try:
        data = json.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except ValueError:
        path.unlink(missing_ok=True)
        return None
    return data if isinstance(data, dict) else None


def _write_json(path: Path, data: Mapping[str, object]) -> None:
    write_whole(path, json.dumps(data, sort_keys=True, default=str))


def _replace(making: Path, final: Path) -> None:
    shutil.rmtree(final, ignore_errors=True)
    making.rename(final)


def _last_used(directory: Path) -> float:
    try:
        return (directory / "image.json").stat().st_mtime
    except FileNotFoundError:
        return 0.0
