"""The Python of a sandbox: what it runs warm is what a fresh one runs, and it stays usable whatever happens to the server."""

from __future__ import annotations

import io
import time
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest

from goldsmith.provisioners.target_python import INTERPRETER, shown
from goldsmith.provisioners.warm_python import SOCKET
from tests.provisioners.provisioner_machine import TreeMachine

LOOK = """
import atexit, os, signal, sys
mask = os.umask(0)
print(os.getcwd(), oct(mask), os.getresuid(), os.getgroups())
print(sorted(pair for pair in os.environ.items() if 'NOBODY' not in pair[0]))
print(__name__, sys.argv, sys.path, sys.flags, sys.executable, globals().get("__file__"), sorted(globals()))
print(signal.getsignal(signal.SIGCHLD), signal.getsignal(signal.SIGPIPE), sys.stdin.read(), sorted(os.listdir("/proc/self/fd")))
atexit.register(print, "at the end")
print("an error", file=sys.stderr)
"""


@dataclass
class Ran:
    """What a program did."""

    code: int
    said: list[tuple[Literal["out", "err"], str]] = field(default_factory=list)


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    return shown(tmp_path_factory.mktemp("python"))


@pytest.fixture
def machine(tree: Path, tmp_path: Path, python: Mapping[str, Path]) -> Iterator[TreeMachine]:
    with TreeMachine([tree], tmp_path / "scratch", shown=python) as machine:
        yield machine


def run(machine: TreeMachine, program: str, *words: str, before: str = "", **more: str) -> Ran:
    said: list[tuple[Literal["out", "err"], str]] = []
    shell = ["/bin/sh", "-c", f'{before}\n{INTERPRETER} "$@"', "sh", *words]
    code = machine.run(shell, stdin=program.encode(), env=more, output=lambda stream, line: said.append((stream, line)))
    return Ran(code, sorted(said))


def fresh(machine: TreeMachine, program: str, **more: str) -> Ran:
    """As a Python runs it that finds no server: one with a variable that the server has not."""
    return run(machine, program, PYTHONNOBODY="1", **more)


def test_a_program_finds_what_it_finds_in_a_fresh_python(machine: TreeMachine) -> None:
    settings = {"before": "cd /srv; umask 027", "GIVEN": "a b\nc"}

    first, second = run(machine, LOOK, **settings), run(machine, LOOK, **settings)

    assert first == second == fresh(machine, LOOK, **settings)
    assert {("err", "an error"), ("out", "at the end")} <= set(first.said)


@pytest.mark.parametrize(
    "program",
    [
        "raise SystemExit",
        "raise SystemExit('no')",
        "import sys; sys.exit(7)",
        "import os; os._exit(8)",
        "import os, signal; os.kill(os.getpid(), signal.SIGTERM)",
        "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
        "import threading; threading.Timer(0.1, print, ['late']).start()",
        "import os; os.fork() or os._exit(0); print('parent')",
        "import subprocess; print(subprocess.run(['/bin/sh', '-c', 'echo $0; exit 3'], capture_output=True))",
        "import sys; sys.stdout.write('no line end')",
        "print('ä')",
        "",
    ],
)
def test_it_ends_as_a_fresh_one_ends(machine: TreeMachine, program: str) -> None:
    run(machine, "pass")

    assert run(machine, program) == fresh(machine, program)


@pytest.mark.parametrize("program", ["1 / 0", "not python at all", "x = ("])
def test_an_error_is_told_as_a_fresh_one_tells_it(machine: TreeMachine, program: str) -> None:
    warm, cold = run(machine, program), fresh(machine, program)

    assert warm.code == cold.code == 1
    assert {line for _, line in cold.said if "Error" in line} <= {line for _, line in warm.said}


def test_code_that_a_program_brings_along_is_its_own(machine: TreeMachine) -> None:
    def said(answer: int) -> list[str]:
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as file:
            file.writestr("brought.py", f"import fractions\nanswer = {answer}\ncount = 0\n")
        program = f"import sys; open('/tmp/a.zip', 'wb').write({archive.getvalue()!r}); sys.path.insert(0, '/tmp/a.zip')\n"
        program += "import brought; brought.count += 1; print(brought.answer, brought.count, 'fractions' in sys.modules)"
        return [line for _, line in run(machine, program).said]

    assert said(1) == said(1) == ["1 1 True"]
    assert said(2) == ["2 1 True"]


def test_who_is_not_root_gets_a_python_of_his_own(machine: TreeMachine) -> None:
    run(machine, "pass")
    program = "import os; print(os.getresuid(), os.getgroups())"
    nobody = "user=65534, group=65534, extra_groups=[]"
    become = f"import subprocess; subprocess.run(['{INTERPRETER}'], {nobody}, input=b{program!r})"

    assert run(machine, become).said == [("out", "(65534, 65534, 65534) []")]


@pytest.mark.parametrize("harm", [f"rm {SOCKET}", f"rm {SOCKET}; mkdir {SOCKET}", f"rm {SOCKET}; touch {SOCKET}", "kill -9 -1"])
def test_without_its_server_a_program_still_runs(machine: TreeMachine, harm: str) -> None:
    run(machine, "pass")
    machine.run(["/bin/sh", "-c", harm])

    assert [run(machine, "print(6 * 7)").said for _ in range(2)] == [[("out", "42")]] * 2


def test_a_daemon_outlives_the_program_and_does_not_hold_it(machine: TreeMachine) -> None:
    program = "import subprocess; subprocess.Popen(['/bin/sh', '-c', 'sleep 1; echo > /srv/later'], stdout=-3, stderr=-3)"

    assert run(machine, program).code == 0
    assert machine.names_in("/srv") == []
    for _ in range(100):
        if machine.names_in("/srv"):
            return
        time.sleep(0.1)
    pytest.fail("the daemon was ended")
