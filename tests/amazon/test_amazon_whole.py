"""Whole builds of `amazon-ebs` from the command line, on instances that are real systems with a real sshd."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.amazon.cloud import Cloud

pytestmark = pytest.mark.slow

GOLDSMITH = Path(sys.executable).with_name("goldsmith")
SEED = Path(__file__).with_name("seed.pkr.hcl")
JAMMY = "ubuntu/images/hvm-ssd/ubuntu-jammy-22.04-amd64-server-2024{:04}"


def environment(root: Path) -> dict[str, str]:
    aws = {name: value for name, value in os.environ.items() if name.startswith("AWS_") or name == "NO_PROXY"}
    polling = {"AWS_POLL_DELAY_SECONDS": "1", "AWS_MAX_ATTEMPTS": "30"}
    return {"PATH": os.environ["PATH"], "HOME": str(root), **aws, **polling}


def publish(cloud: Cloud) -> str:
    """Canonical's images, the newest last."""
    made = [cloud.images.publish("us-east-1", JAMMY.format(number), owner="099720109477") for number in (101, 301)]
    return made[-1]


def test_the_seed_template_builds_as_it_stands(cloud_with_machines: Cloud, tmp_path: Path) -> None:
    cloud, newest = cloud_with_machines, publish(cloud_with_machines)
    shutil.copy(SEED, tmp_path / "golden.pkr.hcl")

    done = subprocess.run(
        [str(GOLDSMITH), "build", "golden.pkr.hcl"],
        cwd=tmp_path,
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    found = re.search(r"AMIs were created:\nus-east-1: (ami-\w+)\n", done.stdout)
    assert found, done.stdout
    image = cloud.images.region("us-east-1").images[found[1]]
    manifest = json.loads((tmp_path / "manifest.json").read_text())["builds"][0]
    assert manifest["artifact_id"] == f"us-east-1:{found[1]}"
    assert manifest["custom_data"] == {"source_ami": newest}
    assert {"Key": "Base_AMI_ID", "Value": newest} in image["Tags"]
    assert {"Key": "Purpose", "Value": "packer-build"} in image["Tags"]
    assert image["BlockDeviceMappings"][0]["Ebs"]["Encrypted"]
    assert cloud.left().keys() == {"image", "snapshot"}
