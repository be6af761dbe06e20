"""What `goldsmith doctor` looks at: the machine's capabilities and the programs that components start."""

from __future__ import annotations

from goldsmith.machines.capabilities import Capability
from goldsmith.machines.capabilities import capabilities as machine_capabilities


def capabilities() -> tuple[Capability, ...]:
    """All capabilities, each probed for real."""
    return (*machine_capabilities(), _ansible())


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
