"""What went wrong in a build is told without its secrets."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def test_an_error_of_a_build_shows_no_secret(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "t.pkr.hcl").write_text(
        """
        variable "token" {
          type      = string
          sensitive = true
        }
        source "file" "f" {
          target  = "file/${var.token}"
          content = "x"
        }
        build { sources = ["file.f"] }
        """
    )
    command = [str(Path(sys.executable).with_name("goldsmith")), "build", "-var", "token=s3cret", "."]

    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert "file/<sensitive>" in done.stdout
    assert "s3cret" not in done.stdout + done.stderr
