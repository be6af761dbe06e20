"""A sandbox of a user who is not root: a user namespace, and the ids that the administrator gave."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.machines.machine_workbench import BUSYBOX, can_make_sandboxes

NOBODY = "65534"

RUNS = """
import sys
from pathlib import Path
from goldsmith.hcl.diagnostics import MachineError
from goldsmith.machines import Journal, Sandbox
root = Path(sys.argv[1])
try:
    with Sandbox([root / "tree"], root / "upper", root / "work", journal=Journal(root / "journal"), network="none") as machine:
        machine.put(b"put", "/bin/put")
        script = "cd /bin; b=busybox; $b touch file; $b chown 1000:1000 file; $b rm old; $b stat -c '%u %g %n' *"
        sys.exit(machine.run(["busybox", "sh", "-c", script], output=lambda stream, line: print(line)))
except MachineError as error:
    sys.exit(error.diagnostics[0].code)
"""


@pytest.fixture
def place(tree: Path) -> Iterator[Path]:
    """A directory of the user nobody with a tree in it."""
    if reason := can_make_sandboxes():
        pytest.skip(reason)
    if shutil.which("newuidmap") is None:
        pytest.skip("needs newuidmap: apt-get install --no-install-recommends uidmap")
    if subprocess.run(as_nobody("test", "-r", __file__), check=False).returncode:
        pytest.skip("the user nobody cannot read this checkout")
    with tempfile.TemporaryDirectory(prefix="goldsmith-test-") as name:
        (Path(name) / "tree" / "bin").mkdir(parents=True)
        (Path(name) / "tree" / "bin" / "old").touch()
        shutil.copy(BUSYBOX, Path(name) / "tree" / "bin")
        subprocess.run(["chown", "-R", f"{NOBODY}:{NOBODY}", name], check=True)
        yield Path(name)


def as_nobody(*command: str) -> list[str]:
    return ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", *command]


def run(place: Path, ids: str) -> subprocess.CompletedProcess[str]:
    """Run as nobody, with `ids` as what this mount namespace sees of /etc/subuid and /etc/subgid."""
    (place / "ids").write_text(ids)
    shown = "mount --bind $0 /etc/subuid && mount --bind $0 /etc/subgid"
    command = ["unshare", "--mount", "sh", "-c", f'{shown} && exec "$@"', str(place / "ids")]
    script = as_nobody(sys.executable, "-c", RUNS, str(place))
    return subprocess.run(
        [*command, *script], capture_output=True, text=True, check=False, env={"PATH": "/usr/bin:/bin:/usr/sbin:/sbin"}
    )


def test_a_user_with_a_range_of_ids_gets_root_and_other_owners(place: Path) -> None:
    ended = run(place, "nobody:100000:65536\n")

    assert ended.returncode == 0, ended.stderr
    assert "1000 1000 file" in ended.stdout.splitlines()
    assert "0 0 put" in ended.stdout.splitlines()
    assert (place / "upper" / "bin" / "file").stat().st_uid == 100999
    assert (place / "upper" / "bin" / "old").is_char_device()
    assert not list((place / "journal").iterdir())


def test_a_user_without_a_range_is_told_how_to_get_one(place: Path) -> None:
    ended = run(place, "")
    assert ended.stderr.strip() == "sandbox.no-id-range"
