"""From units to packages: what faces the network, what an enabled service runs, and what files cannot tell."""

from __future__ import annotations

import json
import struct
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from goldsmith.cli.app import run
from goldsmith.gates.exposure import Exposure, Reached, exposures
from goldsmith.gates.inventory import read_inventory
from tests.gates.advisory_workbench import Host, advisory, package, told, tree


def elf(needed: Sequence[str] = (), names: Sequence[str] = (), interpreter: str = "", run_path: str = "") -> bytes:
    """A 64-bit shared object with a dynamic section: all that a linker asks of it."""
    strings = b"\0" + b"".join(f"{name}\0".encode() for name in (*needed, *names, run_path))
    place = 64 + 3 * 56
    entries = b"".join(struct.pack("<QQ", 1, strings.index(f"\0{name}\0".encode()) + 1) for name in needed)
    if run_path:
        entries += struct.pack("<QQ", 29, strings.index(f"\0{run_path}\0".encode()) + 1)
    count = len(entries) // 16 + 3
    interp = place + 16 * count + len(strings)
    entries += struct.pack("<QQQQQQ", 5, place + 16 * count, 10, len(strings), 0, 0)
    end = interp + len(interpreter) + 1
    head = b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HHIQQQIHHHHHH", 3, 62, 1, 0, 64, 0, 0, 64, 56, 3, 64, 0, 0)
    segments = b"".join(
        struct.pack("<IIQQQQQQ", kind, 5, offset, offset, offset, size, size, 8)
        for kind, offset, size in ((1, 0, end), (2, place, 16 * count), (3 if interpreter else 4, interp, len(interpreter) + 1))
    )
    return head + segments + entries + strings + interpreter.encode() + b"\0"


LIB = "usr/lib/x86_64-linux-gnu"
UNITS = "usr/lib/systemd/system"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    names = ("webd", "libweb", "libc6", "jobd", "toold", "python3", "app", "libpam0g", "libpam-modules", "tuned", "unused")
    root = tree(tmp_path / "root", tuple(package(name, "1-1") for name in names))
    (root / LIB / "security").mkdir(parents=True)
    (root / "lib").symlink_to("usr/lib")
    write(root, "libc6", f"{LIB}/libc.so.6", elf())
    write(root, "libc6", "usr/lib64/ld.so", elf())
    write(root, "libweb", f"{LIB}/libweb.so.1.2", elf(["libc.so.6"]))
    (root / LIB / "libweb.so.1").symlink_to("libweb.so.1.2")
    write(root, "libpam0g", f"{LIB}/libpam.so.0", elf())
    write(root, "libpam-modules", f"{LIB}/security/pam_unix.so", elf(["libc.so.6"]))
    write(root, "webd", "usr/sbin/webd", elf(["libweb.so.1", "libpam.so.0"], ["listen"], "/usr/lib64/ld.so"))
    write(root, "jobd", "usr/sbin/jobd", elf(["libc.so.6"], ["listen"]))
    write(root, "toold", "usr/sbin/toold", elf())
    write(root, "python3", "usr/bin/python3.11", elf(["libc.so.6"]))
    (root / "usr/bin/python3").symlink_to("python3.11")
    write(root, "app", "opt/app/serve", b"#!/usr/bin/env python3\nimport socket\n")
    write(root, "tuned", "usr/sbin/tuned", elf([], ["listen"]))
    write(root, "unused", "usr/bin/unused", elf([], ["listen"]))
    unit(root, "webd.service", "After=network.target\n[Service]\nExecStart=-/usr/sbin/webd -f\n")
    unit(root, "jobd.service", "After=network.target\n[Service]\nPrivateNetwork=yes\nExecStart=/usr/sbin/jobd\n")
    unit(root, "app.service", "After=network-online.target\n[Service]\nExecStart=/bin/sh -c 'exec /opt/app/serve'\n")
    unit(root, "tool.timer", "[Timer]\nUnit=tool.service\n", wanted_by="timers.target")
    unit(root, "tool.service", "After=network.target\n[Service]\nExecStart=/usr/sbin/toold\n", wanted_by="")
    unit(root, "tuned.service", "After=network.target\n[Service]\nExecStart=/usr/sbin/tuned\n", wanted_by="")
    return root


def write(root: Path, owner: str, path: str, content: bytes) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_bytes(content)
    (root / "var/lib/dpkg/info").mkdir(exist_ok=True)
    with (root / f"var/lib/dpkg/info/{owner}.list").open("a") as file:
        file.write(f"/{path}\n")


def unit(root: Path, name: str, text: str, wanted_by: str = "multi-user.target") -> None:
    (root / UNITS).mkdir(parents=True, exist_ok=True)
    (root / UNITS / name).write_text(f"[Unit]\n{text}")
    if wanted_by:
        link = root / f"etc/systemd/system/{wanted_by}.wants" / name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(f"/{UNITS}/{name}")


def reached(root: Path) -> dict[str, Reached]:
    return {item.name: found for item, found in exposures(root, read_inventory([root])).items()}


def test_packages_are_reached_through_services_libraries_scripts_and_modules(root: Path) -> None:
    found = reached(root)

    assert {name: item.exposure.name for name, item in found.items()} == {
        "webd": "NETWORK",
        "libweb": "NETWORK",
        "libc6": "NETWORK",
        "libpam0g": "NETWORK",
        "libpam-modules": "NETWORK",
        "app": "NETWORK",
        "python3": "NETWORK",
        "jobd": "SERVICE",
        "toold": "SERVICE",
        "tuned": "INSTALLED",
        "unused": "INSTALLED",
    }
    assert found["libweb"].way == f"webd.service runs /usr/sbin/webd, which loads /{LIB}/libweb.so.1.2"


def test_a_socket_on_a_port_faces_the_network_for_its_service(root: Path) -> None:
    unit(root, "tuned.socket", "[Socket]\nListenStream=8080\n", wanted_by="sockets.target")
    assert reached(root)["tuned"].exposure is Exposure.NETWORK

    (root / UNITS / "tuned.socket").write_text("[Unit]\n[Socket]\nListenStream=/run/tuned\nListenStream=127.0.0.1:80\n")
    (root / UNITS / "tuned.service").write_text("[Service]\nExecStart=/usr/sbin/tuned\n")
    assert reached(root)["tuned"].exposure is Exposure.SERVICE


def test_a_masked_unit_and_one_that_a_drop_in_changes(root: Path) -> None:
    (root / "etc/systemd/system/jobd.service").symlink_to("/dev/null")
    drop_in = root / "etc/systemd/system/webd.service.d"
    drop_in.mkdir()
    (drop_in / "x.conf").write_text("[Service]\nExecStart=\nExecStart=/usr/bin/unused\n")

    found = reached(root)

    assert found["jobd"].exposure is Exposure.INSTALLED
    assert (found["webd"].exposure, found["unused"].exposure) == (Exposure.INSTALLED, Exposure.NETWORK)


def test_libraries_are_found_beside_the_program_and_where_the_tree_says(root: Path) -> None:
    write(root, "unused", "opt/web/lib/libown.so", elf())
    write(root, "tuned", "opt/more/libmore.so", elf())
    (root / "etc/ld.so.conf.d").mkdir()
    (root / "etc/ld.so.conf.d/more.conf").write_text("/opt/more\n")
    write(root, "webd", "opt/web/bin/webd", elf(["libown.so", "libmore.so"], ["listen"], run_path="$ORIGIN/../lib"))
    unit(root, "own.service", "After=network.target\n[Service]\nExecStart=/opt/web/bin/webd\n")

    found = reached(root)

    assert found["unused"].exposure is found["tuned"].exposure is Exposure.NETWORK


@pytest.mark.parametrize(
    "harm",
    [
        lambda root: (root / "usr/sbin/webd").write_bytes(b"\x7fELF\x02\x01" + b"\xff" * 400),
        lambda root: (root / "usr/sbin/webd").write_bytes(b"#!"),
        lambda root: ((root / "usr/sbin/webd").unlink(), (root / "usr/sbin/webd").symlink_to("webd")),
        lambda root: ((root / "usr/sbin/webd").unlink(), subprocess.run(["mkfifo", root / "usr/sbin/webd"], check=True)),
        lambda root: (root / UNITS / "webd.service").write_text('[Service]\nExecStart=/bin/sh -c "unclosed\nExecStart=\\\n'),
        lambda root: (root / "usr/sbin/webd").write_bytes(elf(["../../../../../../etc/shadow", "/etc/passwd"], ["listen"])),
    ],
    ids=["garbage", "no interpreter", "circle", "fifo", "unit", "names that lead out"],
)
def test_what_cannot_be_read_ends_no_explanation(root: Path, harm: object) -> None:
    harm(root)  # type: ignore[operator]  # one of the functions above

    assert reached(root)["jobd"].exposure is Exposure.SERVICE


def test_without_units_nothing_is_known(tmp_path: Path) -> None:
    assert reached(tree(tmp_path / "root")) == {}


def test_explain_puts_what_faces_the_network_first_and_says_why(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GOLDSMITH_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    names = {"CVE-2024-1": "unused", "CVE-2024-2": "jobd", "CVE-2024-3": "libweb"}
    records = [advisory(id, "1-2", source=name) for id, name in names.items()]
    Host(tmp_path / "cache").advise(*records, *(told(id) for id in names))

    assert run(["explain", "-format=json", str(root)]) == 0
    fixes = json.loads(capsys.readouterr().out)["fixes"]
    assert [(fix["package"], fix["tier"], fix["exposure"]) for fix in fixes] == [
        ("libweb", "ACT", "network"),
        ("jobd", "PLAN", "service"),
        ("unused", "PLAN", "installed"),
    ]
    assert fixes[0]["reached_by"].startswith("webd.service runs /usr/sbin/webd")
    for form in ("text", "html"):
        run(["explain", f"-format={form}", str(root)])
        assert "likely reachable from the network: webd.service runs" in capsys.readouterr().out
