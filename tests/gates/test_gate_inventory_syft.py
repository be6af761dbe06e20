"""The inventory beside that of syft, where syft is right."""

from __future__ import annotations

import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pygohcl
import pytest
from benchmarks.syft_peer import find_syft, read_with_syft

from goldsmith.gates.inventory import read_inventory
from tests.gates.advisory_workbench import tree
from tests.gates.test_gate_inventory_java import archive, manifest, pom

SYFT = find_syft()
OPAQUE = "UNKNOWN"
"""What syft calls the version of a package that has none; ours skip and count it."""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Debian tree with what this system has of each kind."""
    root = tree(tmp_path_factory.mktemp("syft") / "root")
    venv.create(root / "opt/venv", with_pip=True, symlinks=True)
    (root / "usr/local/bin").mkdir(parents=True)
    shutil.copy(next(Path(pygohcl.__file__).parent.parent.glob("**/pygohcl*.so")), root / "usr/local/bin/hcl")
    shutil.copy(Path(sys.prefix).parent / ".tools/bin/uv", root / "usr/local/bin/uv")
    jars = {
        "commons-codec-1.9.jar": pom("commons-codec", "commons-codec", "1.9") | manifest(),
        "spring-core-5.3.17.jar": manifest(Implementation_Title="spring-core", Implementation_Version="5.3.17"),
    }
    (root / "srv").mkdir()
    libraries: dict[str, str | bytes] = {f"WEB-INF/lib/{name}": archive(files) for name, files in jars.items()}
    (root / "srv/shop-1.0.war").write_bytes(archive({**pom("org.shop", "shop", "1.0"), **manifest(), **libraries}))
    npm = Path(shutil.which("npm") or "/nonexistent").resolve().parent.parent / "node_modules"
    if npm.is_dir():
        shutil.copytree(npm, root / "usr/lib/node_modules", symlinks=True)
    if shutil.which("gem"):
        homes = subprocess.run(["gem", "environment", "gempath"], capture_output=True, check=True, text=True).stdout
        for home in (Path(text, "specifications") for text in homes.strip().split(":")):
            if home.is_dir():
                shutil.copytree(home, root / home.relative_to("/"), symlinks=True)
    return root


@pytest.mark.skipif(SYFT is None, reason="syft is not installed (uv sync --group syft)")
def test_the_inventory_is_that_of_syft(root: Path) -> None:
    assert SYFT is not None
    _, theirs = read_with_syft(SYFT, root)

    inventory = read_inventory([root])

    ours = {
        (item.kind, item.name.lower() if item.kind == "pypi" else item.name, item.version)
        for item in inventory.packages
        if item.kind != "generic"
    }
    assert inventory.faults == ()
    assert sorted(ours ^ {item for item in theirs if item[2] not in (OPAQUE, "(devel)")}) == []
    assert {"deb", "pypi", "golang", "cargo", "maven"} <= {kind for kind, _, _ in ours}
