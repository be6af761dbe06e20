"""`goldsmith scan` of layers, disks and trees alike: one answer from each; what is damaged, gone or in motion is no PASS."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from goldsmith.cli.app import run
from goldsmith.gates.steadiness import CHANGED, state_of
from goldsmith.images import LayerStore
from goldsmith.images.beneath import note_beneath
from tests.cli.test_cli_scan import VULNERABLE, disk, needs_tools, scanned
from tests.gates.advisory_workbench import CLEAN, Host, package, tree
from tests.gates.hardened_tree import make_hardened

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
BUSYBOX = Path("/bin/busybox")


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    monkeypatch.setenv("GOLDSMITH_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    host = Host(tmp_path / "cache")
    host.advise(*VULNERABLE)
    return host


def findings(report: Any) -> list[tuple[str, str, str, str]]:
    return sorted(
        (result["gate"], item["id"].rpartition("/")[2], item["path"], item["effect"])
        for result in report["results"]
        for item in result["facts"]["findings"]
        if item["rule"] != "not-searched"
    )


def in_layers(root: Path, place: Path) -> Path:
    """The tree as three layers: the first has a package too many, the second an older list, the third sets it right."""
    shutil.copytree(root, place / "1-base", symlinks=True)
    (place / "1-base/etc/leftover.pem").write_text("-----BEGIN PRIVATE KEY-----\n")
    (place / "2-step/var/lib/dpkg").mkdir(parents=True)
    (place / "2-step/var/lib/dpkg/status").write_text(package("bash", "1"))
    (place / "2-step/etc").mkdir()
    os.mknod(place / "2-step/etc/leftover.pem", 0o020600, os.makedev(0, 0))
    shutil.copytree(root / "var", place / "3-top/var")
    return place


CONTENTS = st.dictionaries(
    st.sampled_from(["etc/app.conf", "srv/x.env", "root/.netrc", "opt/id_rsa", "home/a/.ssh/authorized_keys"]),
    st.sampled_from(
        [
            b"password = hunter2hunter2\n",
            b"machine x login y password z8s7d6f5g4\n",
            b"-----BEGIN PRIVATE KEY-----\n" + b"MIIEvQIBADANBgkqhkiG9w0BAQEF\n" * 4 + b"-----END PRIVATE KEY-----\n",
            b"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJhkE4ViSEqrcQ9sHgmfBn8bPnDPoXg6wnQ8YpV1Xu5a a@b\n",
            b"plain\n",
        ]
    ),
)


@needs_root
@needs_tools
@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(contents=CONTENTS, packages=st.lists(st.sampled_from(CLEAN), min_size=1, max_size=3, unique=True))
def test_tree_raw_qcow2_and_layers_give_the_same_findings(
    host: Host, capsys: pytest.CaptureFixture[str], contents: dict[str, bytes], packages: list[str]
) -> None:
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)
        root = tree(place / "root", packages)
        for name, content in contents.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes(content)
        targets = [root, disk(place, root, "partition"), disk(place, root, "qcow2"), in_layers(root, place / "layers")]

        reports = [scanned(capsys, "-gates=vulnerabilities,secrets", str(target)) for target in targets]

    assert len({json.dumps([code, findings(report)]) for code, report in reports}) == 1
    assert [report["subject"]["kind"] for _, report in reports] == ["directory", "disk", "disk", "layers"]


CAPABILITY = bytes.fromhex("0100000200200000000000000000000000000000")
"""cap_net_raw+ep, as the kernel keeps it (struct vfs_cap_data of capability.h)."""


def add_special_inodes(root: Path) -> None:
    """What `debugfs rdump` loses: special modes, owners, capabilities, device nodes, pipes."""
    for name in ("usr/local/bin/helper", "usr/local/bin/ping", "srv/nobodys"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("x")
    os.chown(root / "srv/nobodys", 4242, 100_000)
    (root / "usr/local/bin/helper").chmod(0o6755)
    (root / "usr/local/bin/ping").chmod(0o755)
    os.setxattr(root / "usr/local/bin/ping", "security.capability", CAPABILITY)
    (root / "srv/drop").mkdir()
    (root / "srv/drop").chmod(0o777)
    os.mknod(root / "srv/null", 0o020666, os.makedev(1, 3))
    os.mkfifo(root / "srv/pipe")


@needs_root
@needs_tools
def test_every_static_gate_sees_the_same_in_tree_raw_qcow2_and_layers(
    host: Host, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = make_hardened(tmp_path / "root")
    add_special_inodes(root)
    layers = tmp_path / "layers"
    (layers / "2-top/etc").mkdir(parents=True)
    subprocess.run(["cp", "-a", root, layers / "1-base"], check=True)
    (layers / "1-base/etc/hostname").write_text("other\n")
    shutil.copy2(root / "etc/hostname", layers / "2-top/etc/hostname")
    targets = [root, disk(tmp_path, root, "bare"), disk(tmp_path, root, "qcow2"), layers]

    reports = [scanned(capsys, "-gates=vulnerabilities,secrets,hardening", str(target)) for target in targets]

    told = {(item["id"], item["path"]) for item in reports[0][1]["results"][2]["facts"]["findings"]}
    assert {("GS-048", "srv/drop"), ("GS-050", "usr/local/bin/helper"), ("GS-049", "srv/nobodys")} <= told
    assert "GS-051" not in {name for name, _ in told}
    assert [seen(report) for report in reports[1:]] == [seen(reports[0])] * 3


def seen(scan: tuple[int, Any]) -> Any:
    """The exit code, and all that gates say but times, and the names of layers and of what was scanned."""
    told = [
        {name: item[name] for name in ("gate", "verdict", "failing", "reasons")}
        | {name: item["facts"][name] for name in ("examined", "evaluated", "errors", "skipped", "floors", "doubts", "measures")}
        | {"findings": [{**finding, "layer": ""} for finding in item["facts"]["findings"]]}
        for item in scan[1]["results"]
    ]
    return scan[0], told


@needs_root
def test_a_finding_in_layers_names_the_layer_that_brought_the_package(
    host: Host, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base = tree(tmp_path / "layers" / ("a" * 64), CLEAN[:1])
    top = tmp_path / "layers" / ("b" * 64)
    (top / "var/lib/dpkg").mkdir(parents=True)
    (top / "var/lib/dpkg/status").write_text("\n".join(CLEAN))
    assert base.is_dir()

    _, report = scanned(capsys, str(tmp_path / "layers"))

    assert {item["layer"] for item in report["results"][0]["facts"]["findings"]} == {f"sha256:{'b' * 64}"}


@needs_root
def test_what_a_stopped_step_left_is_scanned_with_the_layers_beneath(
    host: Host, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = LayerStore(tmp_path / "cache/layers")
    layer = store.adopt(tree(tmp_path / "base"), [], epoch=1_700_000_000)
    upper = tmp_path / "cache/work/123/upper"
    (upper / "etc").mkdir(parents=True)
    (upper / "etc/motd").write_text("stopped\n")
    note_beneath(upper, [layer.diff_id])

    code, report = scanned(capsys, str(upper))
    assert (code, report["packages"], report["subject"]["kind"]) == (2, 3, "layers")
    assert scanned(capsys, "sandbox")[0] == 2

    upper.with_name("upper.layers.json").write_text("{")
    assert run(["scan", str(upper)]) == 1
    assert "layer.note" in capsys.readouterr().out
    shutil.rmtree(upper.parent)
    assert run(["scan", "sandbox"]) == 1
    assert "no step runs" in capsys.readouterr().out


@needs_root
@pytest.mark.skipif(not BUSYBOX.exists(), reason="needs /bin/busybox")
def test_the_root_of_a_process_is_its_own_and_not_the_hosts(
    host: Host, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tree(tmp_path / "root")
    shutil.copy(BUSYBOX, root / "busybox")
    (root / "proc").mkdir()
    inside = f"mount -t proc proc {root}/proc && exec chroot {root} /busybox sleep 60"
    with subprocess.Popen(["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", inside]) as outer:
        try:
            children = Path(f"/proc/{outer.pid}/task/{outer.pid}/children")
            while not (found := children.read_text().split()) or not Path(f"/proc/{found[0]}/root").samefile(root):
                time.sleep(0.01)
            code, report = scanned(capsys, "-gates=vulnerabilities,secrets", f"/proc/{found[0]}/root")
        finally:
            outer.kill()

    assert (code, report["packages"]) == (2, 3)
    assert report["results"][1]["verdict"] == "pass"
    assert report["results"][1]["facts"]["examined"] < 10


def test_a_tree_in_motion_is_an_error(host: Host, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = tree(tmp_path / "root")
    over = threading.Event()

    def write() -> None:
        with (root / "etc/log").open("a") as file:
            while not over.wait(0.001):
                file.write("x")
                file.flush()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        code, report = scanned(capsys, "-gates=vulnerabilities,secrets", str(root))
    finally:
        over.set()
        writer.join()

    assert code == 3
    assert all(CHANGED in result["reasons"] for result in report["results"])


def test_links_of_other_builds_are_no_change(tmp_path: Path) -> None:
    root = tree(tmp_path / "root")
    before = state_of([root])
    os.link(root / "etc/os-release", tmp_path / "another")

    assert state_of([root]) == before
    (root / "etc/os-release").write_text("ID=other\n")
    assert state_of([root]) != before


@needs_tools
@pytest.mark.parametrize("end", [4 << 20, 1 << 20, 3000])
def test_a_disk_that_was_cut_off_is_no_image(host: Host, tmp_path: Path, capsys: pytest.CaptureFixture[str], end: int) -> None:
    root = tree(tmp_path / "root")
    (root / "usr").mkdir()
    (root / "usr/large").write_bytes(os.urandom(6 << 20))
    image = disk(tmp_path, root, "bare")
    os.truncate(image, end)

    assert run(["scan", str(image)]) in (1, 3)
    assert "PASS" not in capsys.readouterr().out
