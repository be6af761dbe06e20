"""The seed that cloud-init reads at first boot (datasource NoCloud): a small ISO image beside the machine's disk."""

from __future__ import annotations

import io
import json
from pathlib import Path


def write_seed(path: Path, *, instance: str, login: str, public_key: str) -> None:
    """Write the seed of one machine: its instance id, and the key and sudo rule of the login.

    The label and the names of the files are those of cloud-init's documentation, "NoCloud". JSON is YAML.
    """
    import pycdlib

    user: dict[str, object] = {"name": login, "ssh_authorized_keys": [public_key]}
    if login != "root":
        user |= {"sudo": "ALL=(ALL) NOPASSWD:ALL", "shell": "/bin/sh"}
    user_data = {"users": [user], "disable_root": login != "root", "ssh_pwauth": False}
    files = {
        "user-data": "#cloud-config\n" + json.dumps(user_data) + "\n",
        "meta-data": json.dumps({"instance-id": instance, "local-hostname": "boot-gate"}) + "\n",
    }
    image = pycdlib.PyCdlib()
    image.new(interchange_level=3, joliet=3, rock_ridge="1.09", vol_ident="cidata")
    for number, (name, text) in enumerate(files.items()):
        content = text.encode()
        place = f"/FILE{number}.;1"
        image.add_fp(io.BytesIO(content), len(content), iso_path=place, rr_name=name, joliet_path=f"/{name}")
    image.write(str(path))
    image.close()
