"""The same `qemu` template by Goldsmith and by Debian's packer: from the start, unchanged, and with its last step changed.

    python -m benchmarks.states IMAGE

IMAGE is a qcow2 disk that lets root in with a key given as a systemd credential and that asks for an address by DHCP, such as
`examples/fleet/base/output/base.qcow2`. Both run the machine without KVM. Needs packer 1.6 or later, and a quiet host.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.measuring import GOLDSMITH, Failed, Line, machine, timed

STEPS = 6
TEMPLATE = """
variable "last" {
  type    = string
  default = "one"
}

source "qemu" "vm" {
  disk_image           = true
  iso_url              = "%(image)s"
  iso_checksum         = "none"
  accelerator          = "tcg"
  headless             = true
  memory               = 1024
  cpus                 = 2
  disk_size            = "4G"
  format               = "qcow2"
  boot_wait            = "1s"
  ssh_username         = "root"
  ssh_private_key_file = "%(key)s"
  ssh_timeout          = "30m"
  shutdown_command     = "systemctl poweroff"
  output_directory     = "output"
  qemuargs = [
    ["-cpu", "qemu64"],
    ["-smbios", "type=11,value=io.systemd.credential:ssh.authorized_keys.root=%(public)s"],
  ]
}

build {
  sources = ["source.qemu.vm"]
%(steps)s
  provisioner "shell" {
    inline = ["echo ${var.last} > /srv/last"]
  }
}
"""
STEP = """
  provisioner "shell" {
    inline = ["mkdir -p /srv/step-%(number)d", "seq 1 20000 | sha256sum > /srv/step-%(number)d/sum", "sync"]
  }
"""


def main(image: Path) -> None:
    """Measure both and print the table."""
    if shutil.which("packer") is None:
        raise Failed("packer is not installed: apt-get install --no-install-recommends packer")
    with tempfile.TemporaryDirectory(prefix="goldsmith-states-") as name:
        place = Path(name)
        write_template(place, image)
        environment = {**os.environ, "GOLDSMITH_CACHE": str(place / "cache"), "CHECKPOINT_DISABLE": "1"}
        environment |= {"PACKER_CACHE_DIR": str(place / "packer-cache")}

        def build(program: str, last: str) -> float:
            command = [program, "build", "-force", "-var", f"last={last}", "vm.pkr.hcl"]
            return timed(command, place, environment)

        cold = build(GOLDSMITH, "one")
        unchanged = [build(GOLDSMITH, "one") for _ in range(3)]
        changed = [build(GOLDSMITH, f"more {number}") for number in range(3)]
        theirs = build("packer", "one")
    print(machine())
    print(Line("packer, from the start", [theirs]))
    print(Line("Goldsmith, from the start", [cold]))
    print(Line("Goldsmith / packer", [cold / theirs], unit="", goal=0.9))
    print(Line("Goldsmith, last of six steps changed", changed))
    print(Line("packer / Goldsmith", [theirs / value for value in changed], unit="", goal=8, more_is_better=True))
    print(Line("Goldsmith, unchanged", unchanged, goal=1))


def write_template(place: Path, image: Path) -> None:
    """The template for both, with a throw-away key."""
    key = place / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "states", "-f", str(key)], check=True)
    steps = "".join(STEP % {"number": number} for number in range(1, STEPS))
    public = key.with_suffix(".pub").read_text().strip()
    values = {"image": image.resolve(), "key": key, "public": public, "steps": steps}
    (place / "vm.pkr.hcl").write_text(TEMPLATE % values)


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]))
    except Failed as error:
        print(error)
        sys.exit(1)
