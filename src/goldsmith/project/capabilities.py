"""What `goldsmith doctor` looks at: the machine's capabilities and the programs that components start."""

from __future__ import annotations

from goldsmith.machines.capabilities import Capability
from goldsmith.machines.capabilities import capabilities as machine_capabilities


def capabilities() -> tuple[Capability, ...]:
    """All capabilities, each probed for real."""
    return (*machine_capabilities(), _ansible(), _aws())


def _ansible() -> Capability:
    from goldsmith.provisioners.ansible_program import find_ansible, version

    found = find_ansible()
    return Capability(
        name="Ansible",
        works=found is not None,
        detail=f"ansible-core {version(found)} in {found}" if found else "ansible-playbook was not found",
        why='provisioner "ansible"',
        provides="./bootstrap, or python3 -m venv /opt/ansible && /opt/ansible/bin/pip install ansible-core",
        required=False,
    )


def _aws() -> Capability:
    from importlib.metadata import PackageNotFoundError, version

    try:
        found = f"boto3 {version('boto3')}"
    except PackageNotFoundError:
        found = ""
    return Capability(
        name="AWS",
        works=bool(found),
        detail=found or "the Python package boto3 is not installed",
        why="the amazon-* sources and data sources",
        provides='uv pip install "goldsmith[aws]"',
        required=False,
    )
