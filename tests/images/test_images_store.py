"""The layer store: whole layers only, shared by processes, none removed while it is used."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from goldsmith.hcl.diagnostics import MachineError
from goldsmith.images import LayerStore
from tests.images.image_workbench import EPOCH, write


def adopted(store: LayerStore, directory: Path, content: str) -> str:
    write(directory / f"upper-{content}", {"x": content})
    return store.adopt(directory / f"upper-{content}", (), EPOCH).diff_id


def test_an_adopted_layer_is_there_and_its_upper_directory_is_gone(store: LayerStore, tmp_path: Path) -> None:
    write(tmp_path / "upper", {"x": "content"})

    layer = store.adopt(tmp_path / "upper", (), EPOCH)

    assert (store.path(layer.diff_id) / "x").read_text() == "content"
    assert (layer.files, layer.size, store.size_bytes()) == (1, 7, 7)
    assert store.layer(layer.diff_id) == layer
    assert store.verify(layer.diff_id)
    assert not (tmp_path / "upper").exists()


def test_equal_layers_are_kept_once(store: LayerStore, tmp_path: Path) -> None:
    assert adopted(store, tmp_path, "same") == adopted(store, tmp_path, "same")
    assert len(store.least_recently_used()) == 1


def test_a_changed_byte_is_found(store: LayerStore, tmp_path: Path) -> None:
    digest = adopted(store, tmp_path, "good")
    path = store.path(digest) / "x"
    path.write_text("evil")
    os.utime(path, (EPOCH, EPOCH))

    assert not store.verify(digest)


def started_again(store: LayerStore, digest: str) -> None:
    """Make a layer look as if the host had started since it was made."""
    (store.root / "proofs" / digest.removeprefix("sha256:")).write_text("an earlier start")


def test_a_whole_layer_is_still_there_after_the_host_started_again(store: LayerStore, tmp_path: Path) -> None:
    digest = adopted(store, tmp_path, "good")
    started_again(store, digest)

    assert store.has(digest)
    (store.root / "trees" / digest.removeprefix("sha256:") / "x").write_text("not read again")
    assert store.has(digest)


def test_a_layer_that_a_power_cut_damaged_is_no_layer_and_can_be_made_again(store: LayerStore, tmp_path: Path) -> None:
    digest = adopted(store, tmp_path, "good")
    (store.root / "trees" / digest.removeprefix("sha256:") / "x").write_text("")
    started_again(store, digest)

    assert not store.has(digest)
    with pytest.raises(MachineError, match="is not on this host"):
        store.path(digest)
    assert adopted(store, tmp_path, "good") == digest
    assert store.verify(digest)


def test_layers_are_listed_by_last_use(store: LayerStore, tmp_path: Path) -> None:
    first, second = adopted(store, tmp_path, "1"), adopted(store, tmp_path, "2")
    store.path(first)

    assert [layer.diff_id for layer in store.least_recently_used()] == [second, first]


def test_a_layer_in_use_is_not_removed_until_it_is_released(store: LayerStore, tmp_path: Path) -> None:
    digest = adopted(store, tmp_path, "used")
    store.path(digest)
    other = LayerStore(store.root)

    assert not other.remove(digest)
    assert not store.remove(digest)
    store.release(digest)
    assert other.remove(digest)
    assert not store.has(digest)
    assert other.remove(digest)
    with pytest.raises(MachineError, match="is not on this host"):
        store.path(digest)


def test_a_process_that_ends_no_longer_uses_its_layers(store: LayerStore, tmp_path: Path) -> None:
    digest = adopted(store, tmp_path, "used")
    program = f"from goldsmith.images import LayerStore; from pathlib import Path; s = LayerStore(Path({str(store.root)!r}));"
    program += f"s.path({digest!r}); print('holds', flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"holds\n"
        assert not store.remove(digest)
        process.send_signal(signal.SIGKILL)

    assert store.remove(digest)


def test_many_threads_may_adopt_the_same_layer(store: LayerStore, tmp_path: Path) -> None:
    for number in range(8):
        write(tmp_path / f"upper{number}", {f"file{index}": "x" for index in range(200)})

    with ThreadPoolExecutor(8) as pool:
        layers = list(pool.map(lambda number: LayerStore(store.root).adopt(tmp_path / f"upper{number}", (), EPOCH), range(8)))

    assert len({layer.diff_id for layer in layers}) == 1
    assert store.verify(layers[0].diff_id)
    assert list((store.root / "moving").iterdir()) == []


def test_a_layer_on_another_file_system_is_copied_whole(store: LayerStore, tmp_path: Path) -> None:
    other = Path("/dev/shm") / f"goldsmith-{tmp_path.name}-{os.getpid()}"
    if Path("/dev/shm").stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("/dev/shm is on the file system of the test")
    write(other, {"a/x": "one"})
    os.link(other / "a/x", other / "second")
    os.setxattr(other / "a", "trusted.overlay.opaque", b"y")
    write(tmp_path / "lower", {"a/hidden": "x", "gone": "x"})
    os.mknod(other / "gone", 0o20600, 0)

    layer = store.adopt(other, [tmp_path / "lower"], EPOCH)

    assert not other.exists()
    assert store.verify(layer.diff_id)
    assert (store.path(layer.diff_id) / "second").stat().st_nlink == 2


def test_what_a_killed_process_left_is_swept(store: LayerStore) -> None:
    program = textwrap.dedent(f"""
        import os, signal
        from pathlib import Path
        from goldsmith.images import LayerStore
        with LayerStore(Path({str(store.root)!r}))._private_directory() as directory:
            (directory / "half").write_text("x")
            os.kill(os.getpid(), signal.SIGKILL)
    """)
    subprocess.run([sys.executable, "-c", program], check=False)
    assert len(list((store.root / "moving").iterdir())) == 1

    LayerStore(store.root)

    assert list((store.root / "moving").iterdir()) == []


def test_a_tree_without_a_record_is_no_layer_and_is_replaced(store: LayerStore, tmp_path: Path) -> None:
    digest = adopted(store, tmp_path, "cut")
    (store.root / "records" / digest.removeprefix("sha256:")).unlink()
    assert not store.has(digest)

    assert adopted(store, tmp_path, "cut") == digest
    assert store.verify(digest)


def test_someone_else_than_root_is_told_so(store: LayerStore, tmp_path: Path) -> None:
    program = textwrap.dedent(f"""
        import os, sys
        from pathlib import Path
        from goldsmith.hcl.diagnostics import MachineError
        from goldsmith.images import LayerStore
        store = LayerStore(Path({str(store.root)!r}))
        os.setuid(65534)
        try:
            store.adopt(Path({str(tmp_path)!r}), (), 0)
        except MachineError as error:
            sys.exit(0 if error.diagnostics[0].code == "images.not-root" else 1)
        sys.exit(2)
    """)

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
