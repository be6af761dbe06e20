"""The same web image by Debian's packer: qemu source under TCG, the same Ansible role and script over ssh."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from benchmarks.measuring import GOLDSMITH, ROOT, Environment, Failed, Line, run, timed

PROJECT = """
image "peer" {
  template = "base"
}

image "web" {
  template = "web"
}
"""

PYTHON = """
  provisioner "shell" {
    # Packer's way needs Python and its apt bindings in the machine; Goldsmith's does not. Both get the same base.
    inline = ["apt-get update", "apt-get install -y --no-install-recommends python3 python3-apt"]
  }
"""

PACKER = """
source "qemu" "web" {
  disk_image           = true
  iso_url              = "%(disk)s"
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
  ssh_timeout          = "20m"
  shutdown_command     = "systemctl poweroff"
  output_directory     = "%(output)s"
  qemuargs             = [
    ["-cpu", "qemu64"],
    ["-smbios", "type=11,value=io.systemd.credential:ssh.authorized_keys.root=%(public)s"],
  ]
}

build {
  sources = ["source.qemu.web"]

  provisioner "shell" {
    # A sealed image names no resolver; this is the one that QEMU's network offers.
    inline = ["echo nameserver 10.0.2.3 > /etc/resolv.conf"]
  }

  provisioner "ansible" {
    playbook_file   = "%(fleet)s/web/site.yml"
    extra_arguments = ["--extra-vars", "site_title=Peer"]
    user            = "root"
    # Straight to the machine: quicker for packer, and today's ssh refuses the ssh-rsa key of its proxy.
    use_proxy       = false
  }

  provisioner "shell" {
    script = "%(fleet)s/web/scripts/check-site.sh"
  }

  provisioner "file" {
    source      = "%(fleet)s/web/etc/motd"
    destination = "/etc/motd"
  }
}
"""


def web_by_packer(fleet: Path, environment: Environment) -> Iterator[Line]:
    """Both sides from a warm base to a qcow2 file: ours twice, theirs once, since it takes minutes."""
    if shutil.which("packer") is None:
        raise Failed("packer is not installed: apt-get install --no-install-recommends packer")
    project = fleet.parent / "peer"
    shutil.copytree(fleet, project, ignore=shutil.ignore_patterns(".goldsmith", "output", "goldsmith.hcl", "*.lock"))
    (project / "goldsmith.hcl").write_text(PROJECT)
    build = project / "base/build.pkr.hcl"
    build.write_text(build.read_text().replace('  provisioner "file"', PYTHON + '\n  provisioner "file"', 1))
    source = project / "web/source.pkr.hcl"
    source.write_text(source.read_text().replace('"base"', '"peer"'))
    run([GOLDSMITH, "build", "-no-gates", "base"], project, environment)
    command = [GOLDSMITH, "build", "-no-gates"]
    ours = [timed([*command, "-var", f"title=Peer {number}", "web"], project, environment) for number in (1, 2)]
    yield Line("web by Goldsmith, all steps on a warm base", ours)
    theirs = timed(["packer", "build", str(packer_template(project))], project, packer_environment(environment))
    yield Line("web by packer 1.6.6, same base, qemu under TCG", [theirs])
    yield Line("packer / Goldsmith", [theirs / min(ours), theirs / max(ours)], unit="", goal=10, more_is_better=True)


def packer_template(project: Path) -> Path:
    """The template for packer, with a throw-away key that the machine gets as a systemd credential."""
    key = project / "peer-key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "peer", "-f", str(key)], check=True)
    values = {
        "disk": project / "base/output/base.qcow2",
        "key": key,
        "public": key.with_suffix(".pub").read_text().strip(),
        "output": project / "packer-output",
        "fleet": project,
    }
    path = project / "peer.pkr.hcl"
    path.write_text(PACKER % values)
    return path


def packer_environment(environment: Environment) -> Environment:
    """Packer finds the same Ansible that Goldsmith uses, and asks nobody about new versions."""
    path = f"{ROOT / '.tools/ansible/bin'}:{environment['PATH']}"
    return {**environment, "PATH": path, "CHECKPOINT_DISABLE": "1", "ANSIBLE_HOST_KEY_CHECKING": "False"}
