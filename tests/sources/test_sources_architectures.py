"""A system of another architecture, its programs run by qemu-user. The emulator is registered in a user namespace only, where
newer kernels keep registrations apart: this host never sees it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from goldsmith.images.image import architecture_of
from goldsmith.sources.archive import host_architecture

EMULATOR = shutil.which("qemu-aarch64-static")

REGISTER = r"""
mount -t binfmt_misc none /proc/sys/fs/binfmt_misc
printf '%s' ':qemu-aarch64:M::\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00:'\
'\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff:'"$1"':OCF' \
  > /proc/sys/fs/binfmt_misc/register
exec "$2" -c "$3" "$4"
"""

MAKE = """
import sys
from pathlib import Path
from goldsmith.sources.bootstrap import Bootstrap, BootstrapConfig
from tests.sources.archive_workbench import Pinned, new_context_in
place = Path(sys.argv[1])
config = BootstrapConfig(release="bookworm", architecture="arm64", boot="none")
base = Bootstrap().base(config, new_context_in(place, [], Pinned()), None)
(place / "tree").mkdir()
base.step.make(place / "tree")
"""


@pytest.mark.slow
@pytest.mark.skipif(EMULATOR is None, reason="qemu-user-static is not installed")
@pytest.mark.skipif(os.geteuid() != 0 or host_architecture() != "amd64", reason="needs root on amd64")
def test_an_arm64_debian_is_made_by_an_emulator(tmp_path: Path) -> None:
    """Takes some minutes: each program of each package's scripts is emulated."""
    command = ["unshare", "--user", "--mount", "--propagation", "private", "sh", "-c", 'read go; exec "$@"', "sh"]
    inside = ["setpriv", "--reuid=0", "--regid=0", "--clear-groups", "sh", "-ec", REGISTER, "sh"]
    root = Path(__file__).parents[2]
    process = subprocess.Popen(
        [*command, *inside, str(EMULATOR), sys.executable, MAKE, str(tmp_path)],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=root,
        text=True,
    )
    _map_all_ids(process.pid)
    _, said = process.communicate("go\n")
    if "unreachable" in said or "binfmt_misc" in said:
        pytest.skip(f"this cannot be tried here: {said[-300:]}")

    assert process.returncode == 0, said[-2000:]
    assert architecture_of(tmp_path / "tree") == "arm64"
    assert not Path("/proc/sys/fs/binfmt_misc/qemu-aarch64").exists()


def _map_all_ids(process: int) -> None:
    """Wait until the process is in a user namespace of its own, and let each id be itself there."""
    own = Path("/proc/self/ns/user").readlink()
    while Path(f"/proc/{process}/ns/user").readlink() == own:
        pass
    for name in ("uid_map", "gid_map"):
        Path(f"/proc/{process}/{name}").write_text("0 0 4294967295\n")
