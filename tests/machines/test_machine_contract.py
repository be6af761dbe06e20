"""What every machine does in the same way, whatever it is."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from goldsmith.hcl.diagnostics import MachineError
from goldsmith.machines import Local, Remote, Sandbox
from goldsmith.machines.cancellation import Cancellation, Cancelled
from goldsmith.machines.container import Container
from goldsmith.machines.machine import Machine
from goldsmith.machines.ssh_access import Access, Door
from tests.machines.machine_workbench import Said, names_below
from tests.machines.podman_workbench import SMALL, Podman
from tests.machines.ssh_workbench import PASSWORD, SshServer, ssh_tree


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    with SshServer(ssh_tree(tmp_path_factory)) as running:
        yield running


@pytest.fixture(scope="module")
def podman(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Podman]:
    with Podman(tmp_path_factory.mktemp("podman")) as running:
        yield running


@pytest.fixture(
    params=[
        "local",
        "sandbox",
        pytest.param("remote", marks=pytest.mark.slow),
        pytest.param("remote by sftp", marks=pytest.mark.slow),
        pytest.param("remote with a terminal", marks=pytest.mark.slow),
        pytest.param("container", marks=pytest.mark.slow),
    ]
)
def machine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Machine]:
    kind = str(request.param)
    if kind == "local":
        yield Local()
    elif kind == "sandbox":
        sandbox = request.getfixturevalue("sandbox")
        assert isinstance(sandbox, Sandbox)
        yield sandbox
    elif kind == "container":
        podman = request.getfixturevalue("podman")
        assert isinstance(podman, Podman)
        id = podman.podman("run", "-d", "-i", "--entrypoint=/bin/sh", SMALL)
        yield Container(podman.engine, id)
        podman.podman("rm", "--force", "--time", "0", id)
    else:
        server = request.getfixturevalue("server")
        assert isinstance(server, SshServer)
        access = Access(host="127.0.0.1", port=server.port, user="root", password=PASSWORD)
        with Remote(Door(access, 20), pty=kind.endswith("terminal"), by_sftp=kind.endswith("sftp")) as remote:
            yield remote


@pytest.fixture
def place(machine: Machine, tmp_path: Path) -> str:
    """A directory that exists in the machine."""
    directory = str(tmp_path / "place") if isinstance(machine, Local) else "/tmp/place"
    machine.run(["rm", "-rf", directory])
    assert machine.run(["mkdir", directory]) == 0
    return directory


def test_exit_codes_are_those_of_a_shell(machine: Machine) -> None:
    assert machine.run(["true"]) == 0
    assert machine.run(["sh", "-c", "exit 7"]) == 7
    assert machine.run(["sh", "-c", "kill -9 $$"]) == 137
    assert machine.run(["/nothing/here"]) == 127
    assert machine.run(["/etc"]) == 126


def test_words_reach_the_command_as_they_are(machine: Machine, said: Said) -> None:
    words = ["a b", "it's", '"$HOME"', "*", "", "\\n", "%s", "ü"]
    machine.run(["printf", "<%s>\\n", *words], output=said)
    assert said.out == [f"<{word}>" for word in words]


def test_the_environment_is_given(machine: Machine, said: Said) -> None:
    machine.run(["sh", "-c", 'echo "$ONE|$TWO"; pwd'], env={"ONE": "a 'b' $c", "TWO": "x\ny"}, cwd="/tmp", output=said)
    assert said.out == ["a 'b' $c|x", "y", "/tmp"]


def test_nothing_of_this_host_is_inherited(machine: Machine, said: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OF_THE_HOST", "secret")
    machine.run(["sh", "-c", "echo got:$OF_THE_HOST"], output=said)
    assert said.out == ["got:secret" if isinstance(machine, Local) else "got:"]


def test_standard_input_is_what_is_given_and_else_empty(machine: Machine, said: Said) -> None:
    if isinstance(machine, Remote) and machine.has_terminal:
        pytest.skip("a terminal echoes its input")
    machine.run(["cat"], stdin=b"one\ntwo", output=said)
    machine.run(["cat"], output=said)
    assert said.out == ["one", "two"]


def test_a_command_does_not_see_how_it_came(machine: Machine, said: Said) -> None:
    machine.run(["sh", "-c", "env; cat /proc/$$/cmdline | tr '\\0' ' '"], env={"A": "1"}, output=said)
    assert not [line for line in said.out if "goldsmith-" in line]


def test_a_slow_command_is_ended_with_its_children(machine: Machine, said: Said) -> None:
    with pytest.raises(MachineError) as caught:
        machine.run(["sh", "-c", "sleep 86301 & sleep 86301"], timeout_s=0.7)
    assert caught.value.diagnostics[0].code == "machine.timeout"
    assert not sleepers(machine, "86301")


def test_a_cancelled_command_is_ended(machine: Machine) -> None:
    cancellation = Cancellation()
    threading.Timer(0.7, cancellation.request).start()
    began = time.monotonic()
    with pytest.raises(Cancelled):
        machine.run(["sh", "-c", "trap '' TERM; sleep 86302; sleep 86302"], cancellation=cancellation)
    assert time.monotonic() - began < 5
    assert not sleepers(machine, "86302")


def test_files_keep_their_bytes_and_get_their_mode(machine: Machine, place: str, tmp_path: Path, said: Said) -> None:
    content = bytes(range(256)) * 5000
    (tmp_path / "source").write_bytes(content)
    (tmp_path / "source").chmod(0o751)

    machine.put(tmp_path / "source", f"{place}/as it's")
    machine.put(b"", f"{place}/empty", mode=0o600)
    machine.get(f"{place}/as it's", tmp_path / "back")
    machine.run(["stat", "-c", "%a %s", f"{place}/as it's", f"{place}/empty"], output=said)

    assert (tmp_path / "back").read_bytes() == content
    assert said.out == ["751 1280000", "600 0"]


def test_directories_are_copied_there_and_back(machine: Machine, place: str, tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "below" / "empty").mkdir(parents=True)
    (source / "below" / "file").write_text("x")
    (source / "below" / "file").chmod(0o640)
    (source / "link").symlink_to("/nowhere")
    (source / "skipped.pyc").write_text("")

    machine.put_tree(source, f"{place}/made/there", exclude=["*.pyc"])
    machine.get_tree(f"{place}/made/there", tmp_path / "back")

    assert names_below(tmp_path / "back") == names_below(source) - {"skipped.pyc"}
    assert (tmp_path / "back" / "link").readlink() == Path("/nowhere")
    assert (tmp_path / "back" / "below" / "file").stat().st_mode & 0o777 == 0o640


def test_what_is_not_there_is_told(machine: Machine, place: str, tmp_path: Path) -> None:
    acts: tuple[Callable[[], None], ...] = (
        lambda: machine.get(f"{place}/no", tmp_path / "x"),
        lambda: machine.put(b"x", f"{place}/no/file"),
        lambda: machine.get_tree(f"{place}/no", tmp_path / "y"),
    )
    for act in acts:
        with pytest.raises(MachineError) as caught:
            act()
        assert caught.value.diagnostics[0].code == "machine.no-such-file"


def sleepers(machine: Machine, seconds: str) -> list[str]:
    """The processes of the machine that sleep so long, after a moment in which they may end."""
    look = f"for f in /proc/[0-9]*/cmdline; do tr '\\0' ' ' <$f; echo; done 2>/dev/null | grep -x 'sleep {seconds} '"
    for _ in range(20):
        said = Said()
        assert machine.run(["sh", "-c", look], output=said) <= 1, said.lines
        if not said.out:
            break
        time.sleep(0.1)
    return said.out
