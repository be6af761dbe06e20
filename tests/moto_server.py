"""A server that answers as AWS does, in an environment of its own, and the environment of somebody who has access to it."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import pytest

MOTO = Path(__file__).resolve().parents[1] / ".tools/moto/bin/moto_server"


@contextmanager
def moto_server() -> Iterator[str]:
    """The address of a moto server; the test is skipped where moto is not installed."""
    if not MOTO.exists():
        pytest.skip("moto, which answers as AWS does, is not installed; `make test` installs it")
    # It ends with the tests, whatever ends them.
    command = ["setpriv", "--pdeathsig", "KILL", "--", str(MOTO), "-H", "127.0.0.1", "-p", "0"]
    environment = {"PATH": os.environ["PATH"], "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment) as server:
        try:
            assert server.stderr is not None
            for line in server.stderr:
                if found := re.search(r"Running on (http://\S+)", line):
                    # It tells of each request, and stands still once nobody reads that.
                    Thread(target=lambda stream: all(map(bool, stream)), args=(server.stderr,), daemon=True).start()
                    yield found[1]
                    break
            else:
                pytest.fail("the moto server does not start")
        finally:
            server.kill()


def aws_environment(address: str, directory: Path) -> dict[str, str]:
    """The environment of somebody with access to AWS at an address."""
    return {
        "AWS_ENDPOINT_URL": address,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_REGION": "eu-central-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": str(directory / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(directory / "credentials"),
        "NO_PROXY": "127.0.0.1,localhost",
    }
