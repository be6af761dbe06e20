"""The seed that cloud-init reads at first boot (datasource NoCloud): a small ISO image beside the machine's disk."""

from __future__ import annotations

import json
from pathlib import Path

from goldsmith.machines.iso import write_iso


def write_seed(path: Path, *, instance: str, login: str, public_key: str) -> None:
    """Write the seed of one machine: its instance id, and the key and sudo rule of the login.

    The label and the names of the files are those of cloud-init's documentation, "NoCloud". JSON is YAML.
    """
    user: dict[str, object] = {"name": login, "ssh_authorized_keys": [public_key]}
    if login != "root":
        user |= {"sudo": "ALL=(ALL) NOPASSWD:ALL", "shell": "/bin/sh"}
    user_data = {"users": [user], "disable_root": login != "root", "ssh_pwauth": False}
    files = {
        "user-data": f"#cloud-config\n{json.dumps(user_data)}\n".encode(),
        "meta-data": f"{json.dumps({'instance-id': instance, 'local-hostname': 'boot-gate'})}\n".encode(),
    }
    write_iso(path, "cidata", files)
