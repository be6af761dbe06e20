"""What a sandbox leaves in its layer: what the commands changed, and nothing of the sandbox itself."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from goldsmith.hcl.diagnostics import MachineError
from goldsmith.machines import Journal, Sandbox
from goldsmith.machines.sandbox import NO_SERVICES
from tests.machines.machine_workbench import MakeSandbox, Said, names_below


@pytest.fixture
def upper(tmp_path: Path) -> Path:
    return tmp_path / "upper"


def leave(sandbox: Sandbox) -> None:
    sandbox.__exit__(None, None, None)


def test_a_sandbox_that_did_nothing_leaves_nothing(make_sandbox: MakeSandbox, upper: Path, tree: Path, tmp_path: Path) -> None:
    before = names_below(tree)
    machine = make_sandbox(
        network="outbound", binds={"/opt/shown/file": Path("/etc/hostname")}, shared_caches={"/var/c": tmp_path}
    )
    machine.run(["ls", "/proc", "/sys", "/dev", "/run", "/tmp", "/etc/resolv.conf", "/usr/sbin/policy-rc.d", "/opt/shown/file"])
    leave(machine)

    assert names_below(upper) == set()
    assert names_below(tree) == before


def test_steps_that_changed_nothing_leave_one_layer_that_may_be_there_twice(
    make_sandbox: MakeSandbox, said: Said, tmp_path: Path
) -> None:
    first, between = tmp_path / "first", tmp_path / "between"
    for directory, text in ((first, "first"), (between, "between")):
        directory.mkdir()
        (directory / "told").write_text(text)

    machine = make_sandbox(first, between, first)

    assert machine.run(["cat", "/told"], output=said) == 0
    assert said.out == ["first"]


def test_what_a_command_changed_is_in_the_upper_and_the_tree_is_as_it_was(
    make_sandbox: MakeSandbox, upper: Path, tree: Path
) -> None:
    machine = make_sandbox()
    machine.run(["sh", "-c", "mkdir /srv; echo x > /srv/file; rm /bin/wget"])
    leave(machine)

    assert (upper / "srv" / "file").read_text() == "x\n"
    whiteout = (upper / "bin" / "wget").lstat()
    assert stat.S_ISCHR(whiteout.st_mode)
    assert whiteout.st_rdev == 0
    assert (tree / "bin" / "wget").is_symlink()


def test_a_copied_directory_looks_like_the_original(make_sandbox: MakeSandbox, upper: Path, said: Said) -> None:
    machine = make_sandbox(network="outbound")
    machine.run(["stat", "-c", "%a %Y", "/etc"], output=said)
    machine.run(["chmod", "751", "/etc"])  # copies it up unchanged
    leave(machine)

    assert said.out == ["751 1000000"]
    copied = (upper / "etc").stat()
    assert (stat.S_IMODE(copied.st_mode), int(copied.st_mtime)) == (0o751, 1_000_000)


def test_services_may_not_start(sandbox: Sandbox) -> None:
    assert sandbox.run(["/usr/sbin/policy-rc.d", "nginx", "start"]) == 101


@pytest.mark.parametrize("touch", ["chmod 700", "chown 1", "touch"])
def test_the_sandbox_s_own_files_never_reach_the_layer(make_sandbox: MakeSandbox, upper: Path, touch: str) -> None:
    machine = make_sandbox(network="outbound")
    machine.run(["sh", "-c", f"{touch} /etc/resolv.conf /usr/sbin/policy-rc.d"])
    leave(machine)

    assert not {name for name in names_below(upper) if name.endswith(("resolv.conf", "policy-rc.d"))}


def test_a_script_may_replace_or_remove_the_sandbox_s_own_files(make_sandbox: MakeSandbox, upper: Path) -> None:
    machine = make_sandbox(network="outbound")
    replace = (
        "set -e; ln -snf ../run/resolve/stub.conf /etc/resolv.conf; rm /usr/sbin/policy-rc.d; test ! -e /usr/sbin/policy-rc.d"
    )
    assert machine.run(["sh", "-c", replace]) == 0
    leave(machine)

    assert (upper / "etc" / "resolv.conf").readlink() == Path("../run/resolve/stub.conf")


def test_a_tree_s_own_resolver_stays_below_the_sandbox_s(make_sandbox: MakeSandbox, tmp_path: Path, said: Said) -> None:
    layer = tmp_path / "layer"
    (layer / "etc").mkdir(parents=True)
    (layer / "etc" / "resolv.conf").symlink_to("../run/nowhere")

    machine = make_sandbox(layer, network="outbound")
    machine.run(["cat", "/etc/resolv.conf"], output=said)
    leave(machine)

    assert said.out == ["nameserver 10.0.2.3"]
    assert (layer / "etc" / "resolv.conf").is_symlink()


def test_a_hundred_layers_can_be_stacked(make_sandbox: MakeSandbox, tmp_path: Path, said: Said) -> None:
    layers = [tmp_path / ("long-name-of-a-layer" * 8) / str(number) for number in range(100)]
    for number, layer in enumerate(layers):
        (layer / "srv").mkdir(parents=True)
        (layer / "srv" / f"{number}").touch()
        (layer / "top").write_text(f"{number}\n")

    machine = make_sandbox(*layers)
    machine.run(["sh", "-c", "ls /srv | wc -l; cat /top"], output=said)

    assert said.out == ["100", "99"]


def test_paths_that_mean_something_to_overlayfs_are_fine(tree: Path, journal: Journal, tmp_path: Path) -> None:
    odd = tmp_path / "a:b,c=d\\e"
    odd.mkdir()
    with Sandbox([tree], odd / "upper", odd / "work", journal=journal, network="none") as machine:
        machine.run(["touch", "/made"])
    assert (odd / "upper" / "made").exists()


def test_a_shared_cache_is_read_and_added_to_without_a_change_of_the_host_s(
    make_sandbox: MakeSandbox, upper: Path, tmp_path: Path, said: Said
) -> None:
    cache = tmp_path / "cache"
    cache.mkdir()
    (cache / "old.deb").write_text("old")

    machine = make_sandbox(shared_caches={"/var/cache/apt/archives": cache})
    script = "cd /var/cache/apt/archives; cat old.deb; echo new > new.deb; rm old.deb"
    assert machine.run(["sh", "-ec", script], output=said) == 0
    added = machine.cache_upper("/var/cache/apt/archives")
    leave(machine)

    assert said.out == ["old"]
    assert (added / "new.deb").read_text() == "new\n"
    assert names_below(cache) == {"old.deb"}
    assert names_below(upper) == set()


def test_what_is_shown_is_read_only(make_sandbox: MakeSandbox, tmp_path: Path, said: Said) -> None:
    shown = tmp_path / "shown"
    shown.mkdir()
    (shown / "file").write_text("host")

    machine = make_sandbox(binds={"/run/tools": shown, "/opt/tools/one": shown / "file"})
    script = (
        "cat /run/tools/file /opt/tools/one; echo x > /run/tools/file || rm /opt/tools/one || touch /run/tools/new || echo kept"
    )
    machine.run(["sh", "-c", script], output=said)

    assert said.out == ["hosthostkept"]
    assert (shown / "file").read_text() == "host"
    assert names_below(shown) == {"file"}


def test_the_root_of_the_layer_has_the_mode_of_the_tree_s(make_sandbox: MakeSandbox, upper: Path, said: Said) -> None:
    before = os.umask(0o077)
    try:
        machine = make_sandbox()
    finally:
        os.umask(before)
    machine.run(["sh", "-c", "stat -c %a /; umask"], output=said)
    assert said.out == ["755", "0022"]


def test_a_failed_step_leaves_its_changes_where_they_can_be_looked_at(make_sandbox: MakeSandbox, upper: Path) -> None:
    machine = make_sandbox()
    with pytest.raises(MachineError):
        machine.run(["sh", "-c", "echo half > /half; sleep 90"], timeout_s=0.2)
    leave(machine)
    assert (upper / "half").read_text() == "half\n"


def test_the_answer_to_services_is_the_documented_one() -> None:
    assert NO_SERVICES.endswith(b"exit 101\n")
