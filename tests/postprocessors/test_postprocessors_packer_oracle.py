"""Packer as a witness: the same templates, built by both, leave the same files and say the same of their artifacts."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.postprocessors.boxes import unpacked

SOURCE = """
source "file" "f" {
  content = "hello"
  target  = "out/deep/o.txt"
}
source "file" "copied" {
  source = "script"
  target = "copy"
}
source "null" "n" { communicator = "none" }
"""

CASES = {
    "manifest": """
      post-processor "manifest" {
        custom_data = {
          z = "<&> ü {{ .BuildName }}"
          a = "{{ build_name }} {{ build_type }}"
        }
      }
      post-processor "manifest" {
        output     = "stripped.json"
        strip_path = true
        strip_time = true
      }
      post-processor "manifest" { output = "stripped.json" }
    """,
    "checksum": """
      post-processor "checksum" {
        checksum_types = ["md5", "sha1", "sha224", "sha256", "sha384", "sha512"]
        output         = "sums/{{.BuildName}}-{{.BuilderType}}.{{.ChecksumType}}"
      }
      post-processor "checksum" {}
      post-processors {
        post-processor "checksum" { output = "chain.md5" }
        post-processor "checksum" {
          checksum_types = ["sha256", "md5"]
          output         = "both"
        }
        post-processor "manifest" {}
      }
    """,
    "keeping": """
      post-processors {
        post-processor "checksum" { keep_input_artifact = false }
        post-processor "compress" { keep_input_artifact = true }
        post-processor "manifest" {}
      }
    """,
    "not keeping": """
      post-processors {
        post-processor "compress" {}
        post-processor "compress" { output = "x.tar.gz.lz4" }
        post-processor "manifest" {}
      }
    """,
    "artifice": """
      provisioner "shell-local" { inline = ["mkdir -p made; echo 1 > made/a; echo 22 > made/b"] }
      post-processors {
        post-processor "artifice" { files = ["made/b", "none*", "made/a"] }
        post-processor "checksum" { output = "made.sum" }
        post-processor "manifest" {}
      }
    """,
    "artifice without keeping": """
      provisioner "shell-local" { inline = ["echo 1 > a"] }
      post-processor "artifice" {
        files               = ["a"]
        keep_input_artifact = false
      }
    """,
    "shell-local": """
      post-processor "shell-local" {
        inline              = ["echo $PACKER_BUILD_NAME $PACKER_BUILDER_TYPE $A > told", "exit 3"]
        environment_vars    = ["A=it's"]
        valid_exit_codes    = [0, 3]
        keep_input_artifact = false
      }
      post-processor "shell-local" {
        execute_command    = ["/bin/bash", "-c", "{{.Vars}} {{.Script}} '{{.Vars}}'"]
        inline             = ["echo $A $(basename $0 | cut -c1-7) > more; test -n \\"$BASH_VERSION\\""]
        environment_vars   = ["A=1"]
        env_var_format     = "%s='%s' "
        inline_shebang     = "/bin/bash -e"
        tempfile_extension = "sh"
        only_on            = ["linux"]
      }
      post-processor "shell-local" {
        only_on = ["windows"]
        inline  = ["touch never"]
      }
      post-processor "shell-local" { command = "echo x > command" }
      post-processor "shell-local" { scripts = ["script"] }
      post-processor "manifest" {}
    """,
    "a script that fails": """
      post-processor "shell-local" { inline = ["exit 4"] }
      post-processor "manifest" {}
    """,
}


@dataclass(frozen=True)
class Outcome:
    """What a build left and said."""

    code: int
    artifacts: list[str]
    files: dict[str, str]
    """Content by name; the mode too where the template sets it."""


def built(program: list[str], template: str, place: Path) -> Outcome:
    place.mkdir()
    (place / "t.pkr.hcl").write_text(template)
    (place / "script").write_text("#!/bin/sh\necho ran > by-script\n")
    (place / "script").chmod(0o755)
    before = {*place.rglob("*")}
    environment = {
        "HOME": str(place.parent),
        "PATH": os.environ["PATH"],
        "CHECKPOINT_DISABLE": "1",
        "PACKER_NO_COLOR": "1",
        "PACKER_CACHE_DIR": str(place.parent / "packer-cache"),
    }
    command = [*program, "build", "-parallel-builds=1", "."]
    done = subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, check=False)
    told = re.findall(r"^--> (.*)$", done.stdout.partition("artifacts of successful builds")[2], re.MULTILINE)
    made = sorted(path for path in place.rglob("*") if path.is_file() and path not in before)
    return Outcome(done.returncode, told, {str(path.relative_to(place)): content(path) for path in made})


def content(path: Path) -> str:
    """The content without what differs from run to run; of an archive, what is in it."""
    data = path.read_bytes()
    if path.suffix == ".lz4":
        return subprocess.run(["lz4", "-dc", path], capture_output=True, check=True).stdout[:2].hex()
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            return str({name: archive.read(name) for name in archive.namelist()})
    if tarfile.is_tarfile(path):
        with tarfile.open(path) as tar:
            return str([(entry.name, entry.size, entry.mode, entry.mtime, entry.uid) for entry in tar])
    text = re.sub(r'(_run_uuid": ")[^"]*|(build_time": )\d+', r"\1\2", data.decode(errors="replace"))
    # What a compressor makes of the same bytes may be longer or shorter.
    text = re.sub(r'("name": "(?:packer_|x\.)[^"]*",\s+"size": )\d+', r"\1", text)
    return f"{path.stat().st_mode & 0o777:o} {text}"


@pytest.fixture(scope="module")
def packer() -> str:
    found = shutil.which("packer")
    if found is None:
        pytest.skip("Debian's packer, the witness for post-processors, is not installed")
    return found


def goldsmith() -> list[str]:
    return [str(Path(sys.executable).with_name("goldsmith"))]


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("sources", ['"file.f"', '"null.n"'])
def test_both_leave_the_same(name: str, sources: str, packer: str, tmp_path: Path) -> None:
    template = f"{SOURCE}\nbuild {{\n  sources = [{sources}]\n{CASES[name]}\n}}\n"

    theirs = built([packer], template, tmp_path / "packer")
    ours = built(goldsmith(), template, tmp_path / "goldsmith")

    assert (ours.code, ours.artifacts) == (theirs.code, theirs.artifacts)
    assert ours.files == theirs.files


# Puts the machine into ACPI state S5, as a power button does: mov dx,0x604; mov ax,0x2000; out dx,ax; hlt.
_POWER_OFF = bytes([0xBA, 0x04, 0x06, 0xB8, 0x00, 0x20, 0xEF, 0xF4]).ljust(510, b"\0") + b"\x55\xaa"

_BOX = """
source "qemu" "off" {
  iso_url          = "off.img"
  iso_checksum     = "none"
  disk_image       = true
  disk_size        = "1500M"
  accelerator      = "tcg"
  headless         = true
  disable_vnc      = true
  communicator     = "none"
  shutdown_timeout = "15m"
}
build {
  sources = ["qemu.off"]
  post-processor "vagrant" {
    output              = "x.box"
    keep_input_artifact = true
    include             = ["t.pkr.hcl"]
  }
}
"""


@pytest.mark.skipif(shutil.which("qemu-system-x86_64") is None, reason="needs qemu-system-x86")
def test_a_box_holds_what_packers_holds(packer: str, tmp_path: Path) -> None:
    theirs, ours = tmp_path / "packer", tmp_path / "goldsmith"
    tmp_path.joinpath("off.img").write_bytes(_POWER_OFF.ljust(1 << 20, b"\0"))
    outcome = built([packer], _BOX.replace('"off.img"', f'"{tmp_path}/off.img"'), theirs)
    disk = theirs / "output-off/packer-off"
    chain = f"""
      provisioner "shell-local" {{ inline = ["cp {disk} packer-off"] }}
      post-processors {{
        post-processor "artifice" {{ files = ["packer-off"] }}
        post-processor "vagrant" {{
          output            = "x.box"
          provider_override = "libvirt"
          include           = ["t.pkr.hcl"]
        }}
      }}
    """
    assert outcome.code == 0
    assert built(goldsmith(), f'{SOURCE}\nbuild {{\n  sources = ["null.n"]\n{chain}\n}}\n', ours).code == 0

    our_box, their_box = unpacked(ours / "x.box"), unpacked(theirs / "x.box")

    assert sorted(path.name for path in our_box.iterdir()) == sorted(path.name for path in their_box.iterdir())
    our_metadata = json.loads((our_box / "metadata.json").read_text())
    # Newer than the witness.
    del our_metadata["architecture"]
    assert our_metadata == json.loads((their_box / "metadata.json").read_text())
    assert (our_box / "box.img").read_bytes() == (their_box / "box.img").read_bytes()
