"""The template of a specification, as `goldsmith fmt` leaves it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence

from goldsmith.assist.image_spec import AmazonEbs, Archive, CloudImage, Disk, ImageSpec, Parent, Qemu
from goldsmith.hcl.format import format_source

BOOTS: Mapping[str, tuple[str, ...]] = {
    "debian": ("linux-image-cloud-amd64", "initramfs-tools"),
    "ubuntu": ("linux-image-virtual", "initramfs-tools"),
}
"""What makes a system from the archive boot, by distribution."""
RUNS = ("systemd-sysv", "udev", "dbus", "systemd-resolved", "iproute2", "ca-certificates", "openssh-server")
"""What every machine is given besides: an init system, a network, names and a way in."""
LOGINS = {"debian": "debian", "ubuntu": "ubuntu"}
"""The user of a machine that builds, in the distributions' own images."""
_AMAZON_LOGINS = {"debian": "admin", "ubuntu": "ubuntu"}
_OWNERS = {"debian": "136693071363", "ubuntu": "099720109477"}
"""The accounts by which the distributions publish AMIs: wiki.debian.org/Cloud/AmazonEC2Image, documentation.ubuntu.com/aws."""
NUMBERS = {"bullseye": "11", "bookworm": "12", "trixie": "13", "focal": "20.04", "jammy": "22.04", "noble": "24.04"}
"""The numbers of releases that have images for clouds."""


def template_files(spec: ImageSpec) -> dict[str, str]:
    """The files of the template by their path beside `goldsmith.hcl`."""
    name = spec.name
    files = {f"{name}/{name}.pkr.hcl": format_source("\n".join(_template(spec)) + "\n")}
    if isinstance(spec.start, CloudImage) and any(isinstance(source, Qemu) for source in spec.sources):
        files[f"{name}/finish.sh"] = _finish(LOGINS[spec.start.distribution])
    return files


def hcl(text: str) -> str:
    """A text as a literal of HCL, in which nothing is put in."""
    escaped = json.dumps(text, ensure_ascii=False)
    return re.sub(r"\$(?=\{)|%(?=\{)", lambda sign: sign[0] * 2, escaped)


def _template(spec: ImageSpec) -> Iterator[str]:
    addresses = []
    for source in spec.sources:
        match spec.start, source:
            case Archive() as start, Disk():
                addresses.append(f"source.bootstrap.{spec.name}")
                yield from _bootstrap(spec, start, source)
            case Parent() as start, Disk():
                addresses.append(f"source.image.{spec.name}")
                yield from _layer(spec, start, source)
            case CloudImage() as start, Qemu():
                addresses.append(f"source.qemu.{spec.name}")
                yield from _qemu(spec, start, source)
            case CloudImage() as start, AmazonEbs():
                addresses.append(f"source.amazon-ebs.{spec.name}")
                yield from _amazon(spec, start, source)
    yield from _build(spec, addresses)


def _bootstrap(spec: ImageSpec, start: Archive, disk: Disk) -> Iterator[str]:
    yield from ("locals {", f"boot = {_list(BOOTS[start.distribution])}", f"run  = {_list(RUNS)}", "}", "")
    yield from (
        f'source "bootstrap" {hcl(spec.name)} {{',
        f"distribution = {hcl(start.distribution)}",
        f"release = {hcl(start.release)}",
        "packages = concat(local.boot, local.run)",
    )
    yield from _disk(spec, disk)


def _layer(spec: ImageSpec, start: Parent, disk: Disk) -> Iterator[str]:
    yield from (f'source "image" {hcl(spec.name)} {{', f"parent = {hcl(start.image)}")
    if start.channel is not None:
        yield f"channel = {hcl(start.channel)}"
    yield from _disk(spec, disk)


def _disk(spec: ImageSpec, disk: Disk) -> Iterator[str]:
    yield from (f"hostname = {hcl(spec.name)}", f"formats = {_list(disk.formats)}")
    if disk.disk_gb is not None:
        yield f'disk_size = "{disk.disk_gb}G"'
    yield from ('output_directory = "${path.root}/output"', "}", "")


def _qemu(spec: ImageSpec, start: CloudImage, source: Qemu) -> Iterator[str]:
    login, (url, sums) = LOGINS[start.distribution], _cloud_image(start)
    yield from (
        "# The distribution's own image; its checksum is the one that is published beside it.",
        f'source "qemu" {hcl(spec.name)} {{',
        "disk_image = true",
        f"iso_url = {hcl(url)}",
        f"iso_checksum = {hcl('file:' + sums)}",
        f'disk_size = "{source.disk_gb}G"',
        f"format = {hcl(source.format)}",
        f"memory = {source.memory_mb}",
        "cpus = 2",
        "headless = true",
        f"ssh_username = {hcl(login)}",
        'ssh_timeout = "20m"',
        'output_directory = "${path.root}/output"',
        f"vm_name = {hcl(f'{spec.name}.{source.format}')}",
        "",
        "# cloud-init reads its seed from a CD of this name; the key is this build's, and is gone in the end.",
        'cd_label = "cidata"',
        "cd_content = {",
        '"meta-data" = "instance-id: build\\nlocal-hostname: build\\n"',
        f'"user-data" = {hcl(_seed(login))}',
        "}",
        "",
        "# What only a machine that is about to end can remove: the right to log in, its identity, its logs.",
        'shutdown_command = "sudo sh /tmp/finish.sh"',
        "}",
        "",
    )


def _amazon(spec: ImageSpec, start: CloudImage, source: AmazonEbs) -> Iterator[str]:
    yield from (
        f'data "amazon-ami" {hcl(spec.name)} {{',
        f"region = {hcl(source.region)}",
        f'owners = ["{_OWNERS[start.distribution]}"]',
        "most_recent = true",
        "filters = {",
        f"name = {hcl(_ami_name(start))}",
        'root-device-type = "ebs"',
        'virtualization-type = "hvm"',
        "}",
        "}",
        "",
        f'source "amazon-ebs" {hcl(spec.name)} {{',
        f"region = {hcl(source.region)}",
        f"instance_type = {hcl(source.instance_type)}",
        f"source_ami = data.amazon-ami.{spec.name}.id",
        f'ami_name = "{spec.name}-${{formatdate("YYYYMMDDhhmmss", timestamp())}}"',
        f"ami_description = {hcl(spec.purpose)}",
        f"encrypt_boot = {str(source.encrypt).lower()}",
        f"ssh_username = {hcl(_AMAZON_LOGINS[start.distribution])}",
        "}",
        "",
    )


def _build(spec: ImageSpec, addresses: Sequence[str]) -> Iterator[str]:
    yield from ("build {", f"description = {hcl(spec.purpose)}", f"sources = {_list(addresses)}")
    yield from ("", 'provisioner "ansible" {', 'playbook_file = "${path.root}/playbook.yml"')
    if spec.roles:
        yield 'galaxy_file = "${path.root}/requirements.yml"'
    yield "}"
    if spec.scripts:
        yield from ("", 'provisioner "shell" {', "scripts = [")
        yield from (f'"${{path.root}}/{script.path}",' for script in spec.scripts)
        yield "]"
        if isinstance(spec.start, CloudImage):
            yield "execute_command = \"sudo sh -c '{{ .Vars }} {{ .Path }}'\""
        yield "}"
    if any(isinstance(source, Qemu) for source in spec.sources):
        yield from ("", 'provisioner "file" {', f'only = ["qemu.{spec.name}"]', 'source = "${path.root}/finish.sh"')
        yield from ('destination = "/tmp/finish.sh"', "}")
    yield "}"


def _list(texts: Sequence[str]) -> str:
    return f"[{', '.join(hcl(text) for text in texts)}]"


def _cloud_image(start: CloudImage) -> tuple[str, str]:
    """The address of the distribution's newest image of a release, and that of its checksums."""
    if start.distribution == "debian":
        base = f"https://cloud.debian.org/images/cloud/{start.release}/latest"
        return f"{base}/debian-{NUMBERS.get(start.release, start.release)}-generic-{start.arch}.qcow2", f"{base}/SHA512SUMS"
    base = f"https://cloud-images.ubuntu.com/{start.release}/current"
    return f"{base}/{start.release}-server-cloudimg-{start.arch}.img", f"{base}/SHA256SUMS"


def _ami_name(start: CloudImage) -> str:
    number = NUMBERS.get(start.release, start.release)
    if start.distribution == "debian":
        return f"debian-{number}-{start.arch}-*"
    return f"ubuntu/images/hvm-ssd*/ubuntu-{start.release}-{number}-{start.arch}-server-*"


def _seed(login: str) -> str:
    return (
        f"#cloud-config\nusers:\n  - name: {login}\n    sudo: ALL=(ALL) NOPASSWD:ALL\n    shell: /bin/bash\n"
        '    ssh_authorized_keys: ["{{ .SSHPublicKey }}"]\n'
    )


def _finish(login: str) -> str:
    return f"""#!/bin/sh
# Takes away what no two machines may share and what only this build needed, and turns the machine off.
set -eu
cloud-init clean --logs --seed
rm -f /etc/sudoers.d/90-cloud-init-users /etc/ssh/ssh_host_*
: >/etc/machine-id
# Its end writes the seed; nobody writes it again.
systemctl stop systemd-random-seed.service
rm -f /var/lib/systemd/random-seed
rm -rf /var/log/journal/* /home/{login}/.ssh /home/{login}/.bash_history /root/.bash_history /tmp/* /var/tmp/*
find /var/log -type f -exec truncate -s 0 {{}} +
systemctl poweroff
"""
