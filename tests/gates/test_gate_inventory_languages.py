"""Packages of Python, Node and Ruby: what their own tools list, and what broken metadata gets."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypedDict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldsmith.gates.inventory import Found, Stack
from goldsmith.gates.inventory.gem import read_gems
from goldsmith.gates.inventory.node import read_node
from goldsmith.gates.inventory.python import read_python


class Node(TypedDict, total=False):
    """A package as `npm ls --json` shows it."""

    version: str
    dependencies: dict[str, Node]


METADATA = """Metadata-Version: 2.1
Name: Flask_Thing
Version: 1.2.3
License-Expression: BSD-3-Clause
Classifier: License :: OSI Approved :: Apache Software License

Name: not this
"""
GEM = """# -*- encoding: utf-8 -*-
# stub: rake 13.0.6 ruby lib

Gem::Specification.new do |s|
  s.name = "rake".freeze
  s.version = "13.0.6"
  s.licenses = ["MIT".freeze, "Ruby"]
end
"""


def read(reader: Callable[[Stack], Found], root: Path, **files: str) -> Found:
    for name, content in files.items():
        write(root, name, content)
    return reader(Stack([root]))


def write(root: Path, name: str, content: str | bytes) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())


def named(found: Found) -> list[tuple[str, str]]:
    return [(item.name, item.version) for item in found.packages]


def test_python_packages_are_those_that_pip_lists(tmp_path: Path) -> None:
    venv.create(tmp_path / "venv", with_pip=True, symlinks=True)
    listed = subprocess.run(
        [tmp_path / "venv/bin/python", "-m", "pip", "list", "--format=json", "--disable-pip-version-check"],
        capture_output=True,
        check=True,
    )

    found = read_python(Stack([tmp_path]))

    installed = [item for item in found.packages if "/site-packages/" in item.path and item.path.count("/") == 5]
    assert sorted((item.name, item.version) for item in installed) == sorted(
        (item["name"], item["version"]) for item in json.loads(listed.stdout)
    )
    assert found.faults == ()


def test_python_packages_of_this_environment_are_those_that_uv_lists_with_all_their_files() -> None:
    root = Path(sys.prefix)
    uv = root.parent / ".tools/bin/uv"
    listed = subprocess.run([uv, "pip", "list", "--format=json", "--python", sys.executable], capture_output=True, check=True)

    found = read_python(Stack([root]))

    site = f"lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages/"
    installed = {item.name: item for item in found.packages if item.path.startswith(site) and item.path.count("/") == 4}
    normal = {item.lower().replace("_", "-").replace(".", "-") for item in installed}
    assert normal == {item["name"].lower().replace("_", "-").replace(".", "-") for item in json.loads(listed.stdout)}
    assert {"bin/pytest", f"{site}pytest/__init__.py"} <= set(installed["pytest"].files)
    assert installed["pytest"].licences == ("MIT",)


@pytest.mark.skipif(not Path("/usr/lib/python3/dist-packages").is_dir(), reason="this system has no Python packages of Debian")
def test_python_packages_of_debian_are_those_that_python_finds() -> None:
    from importlib.metadata import distributions

    place = Path("/usr/lib/python3/dist-packages")

    found = read_python(Stack([place]))

    top = [item for item in found.packages if item.path.count("/") <= 1]
    assert sorted((item.name, item.version) for item in top) == sorted(
        (item.name, item.version) for item in distributions(path=[str(place)])
    )


@pytest.mark.parametrize(
    "name",
    [
        "site-packages/flask_thing-1.2.3.dist-info/METADATA",
        "dist-packages/Flask_Thing-1.2.3.egg-info",
        "dist-packages/Flask_Thing-1.2.3.egg-info/PKG-INFO",
        "site-packages/flask_thing-1.2.3.egg/EGG-INFO/PKG-INFO",
    ],
)
def test_each_form_of_metadata_is_read(tmp_path: Path, name: str) -> None:
    found = read(read_python, tmp_path, **{name: METADATA})

    assert named(found) == [("Flask_Thing", "1.2.3")]
    assert found.packages[0].licences == ("BSD-3-Clause",)
    assert found.packages[0].path == name


@pytest.mark.parametrize(
    ("field", "licences"),
    [
        ("License: MIT License", ("MIT License",)),
        ("License: UNKNOWN\nClassifier: License :: OSI Approved :: BSD License", ("BSD License",)),
        ("License: UNKNOWN", ()),
    ],
)
def test_licences_come_from_what_there_is(tmp_path: Path, field: str, licences: tuple[str, ...]) -> None:
    text = f"Name: a\r\nVersion: 1\r\n{field}\r\n\r\nLicense: no\r\n"

    assert read(read_python, tmp_path, **{"a-1.dist-info/METADATA": text}).packages[0].licences == licences


def test_files_of_a_python_package_stay_in_the_image(tmp_path: Path) -> None:
    record = "../../../bin/tool,sha256=x,1\npkg/__init__.py,,\n../../../../../etc/passwd,,\n/srv/data,,\n"
    base = "usr/lib/site-packages/a-1.dist-info"

    found = read(read_python, tmp_path, **{f"{base}/METADATA": METADATA, f"{base}/RECORD": record})

    assert found.packages[0].files == ("bin/tool", "srv/data", "usr/lib/site-packages/pkg/__init__.py")


def test_python_archives_are_counted_as_not_looked_into(tmp_path: Path) -> None:
    found = read(read_python, tmp_path, **{"usr/share/python-wheels/pip-23.0-py3-none-any.whl": "PK"})

    assert [(item.count, item.sample) for item in found.skipped] == [
        (1, ("usr/share/python-wheels/pip-23.0-py3-none-any.whl",))
    ]


def test_a_copy_that_a_package_brings_along_counts(tmp_path: Path) -> None:
    place = "lib/site-packages/setuptools/_vendor/flask_thing-1.2.3.dist-info/METADATA"

    assert read(read_python, tmp_path, **{place: METADATA}).packages[0].path == place


@pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed")
def test_node_packages_are_those_that_npm_lists(tmp_path: Path) -> None:
    modules = {
        "": {"name": "app", "version": "1.0.0", "dependencies": {"@own/part": "^2.0.0", "other": "1.0.0"}},
        "node_modules/@own/part/": {"name": "@own/part", "version": "2.1.0"},
        "node_modules/other/": {"name": "other", "version": "1.0.0", "dependencies": {"part": "0.1.0", "@own/part": "1.0.0"}},
        "node_modules/part/": {"name": "part", "version": "0.1.0"},
        "node_modules/other/node_modules/@own/part/": {"name": "@own/part", "version": "1.0.0"},
    }
    for place, described in modules.items():
        write(tmp_path, f"app/{place}package.json", json.dumps(described))
    listed = subprocess.run(["npm", "ls", "--all", "--json"], cwd=tmp_path / "app", check=True, capture_output=True).stdout

    found = read_node(Stack([tmp_path]))

    assert sorted(named(found)) == sorted(_listed(json.loads(listed)))
    assert len(found.packages) == 4


def _listed(node: Node) -> Iterator[tuple[str, str]]:
    for name, item in node.get("dependencies", {}).items():
        yield name, item["version"]
        yield from _listed(item)


def test_npm_itself_is_read_as_it_is_installed() -> None:
    home = Path(shutil.which("npm") or "/nonexistent").resolve().parent.parent
    if not (home / "node_modules").is_dir():
        pytest.skip("npm is not installed with its own modules")
    installed = [
        path for path in (*home.glob("node_modules/*"), *home.glob("node_modules/@*/*")) if (path / "package.json").is_file()
    ]

    found = read_node(Stack([home]))

    assert {(json.loads((path / "package.json").read_text())["name"]) for path in installed} <= {
        item.name for item in found.packages
    }
    assert found.faults == ()


@pytest.mark.parametrize(
    "place", ["app/node_modules/@scope/thing", "usr/share/nodejs/@scope/thing", "a/node_modules/b/node_modules/c"]
)
def test_modules_are_found_where_node_looks(tmp_path: Path, place: str) -> None:
    text = json.dumps({"name": "@scope/thing", "version": "1.0.0", "licenses": [{"type": "MIT"}, {"type": "ISC"}]})

    found = read(read_node, tmp_path, **{f"{place}/package.json": text, "srv/app/package.json": text})

    assert [(item.name, item.version, item.path, item.licences) for item in found.packages] == [
        ("@scope/thing", "1.0.0", f"{place}/package.json", ("MIT", "ISC"))
    ]


@pytest.mark.parametrize("text", ['{"type": "module"}', '{"name": "x", "version": 1}', '{"name": "", "version": "1.0.0"}'])
def test_a_package_json_that_describes_no_package_is_skipped_and_counted(tmp_path: Path, text: str) -> None:
    found = read(read_node, tmp_path, **{"node_modules/a/dist/package.json": text})

    assert (found.packages, found.faults, [item.count for item in found.skipped]) == ((), (), [1])


def test_broken_json_is_a_fault_where_node_would_read_it_and_skipped_below(tmp_path: Path) -> None:
    broken = {f"node_modules/{place}/package.json": "{" for place in ("resolve", "@scope/a", "resolve/test/malformed")}

    found = read(read_node, tmp_path, **broken, **{"node_modules/deep/package.json": "[" * 100_000})

    assert [fault.split('"')[1] for fault in found.faults] == [
        "/node_modules/@scope/a/package.json",
        "/node_modules/deep/package.json",
        "/node_modules/resolve/package.json",
    ]
    assert [item.sample for item in found.skipped] == [("node_modules/resolve/test/malformed/package.json",)]


@pytest.mark.skipif(shutil.which("gem") is None, reason="Ruby is not installed")
def test_gems_are_those_that_gem_lists() -> None:
    paths = (
        subprocess.run(["gem", "environment", "gempath"], capture_output=True, check=True, text=True).stdout.strip().split(":")
    )
    listed = subprocess.run(["gem", "list", "--local"], capture_output=True, check=True, text=True).stdout
    wanted = {
        (line.split(" ")[0], version.removeprefix("default: ").split(" ")[0])
        for line in listed.splitlines()
        for version in line.partition("(")[2].rstrip(")").split(", ")
    }
    roots = [Path(path) for path in paths if Path(path, "specifications").is_dir()]

    found = [read_gems(Stack([root.parent])) for root in roots]

    assert {pair for item in found for pair in named(item)} >= wanted
    assert [fault for item in found for fault in item.faults] == []


@pytest.mark.parametrize("place", ["specifications", "specifications/default"])
def test_gems_are_read_without_running_ruby(tmp_path: Path, place: str) -> None:
    found = read(read_gems, tmp_path, **{f"var/lib/gems/{place}/rake-13.0.6.gemspec": GEM, "gems/rake/rake.gemspec": GEM})

    assert [(item.name, item.version, item.licences) for item in found.packages] == [("rake", "13.0.6", ("MIT", "Ruby"))]


def test_a_specification_without_a_stub_is_read_by_what_it_assigns(tmp_path: Path) -> None:
    text = "Gem::Specification.new do |spec|\n  spec.name = 'a-b'\n  spec.version = Gem::Version.new(\"1.0.pre\")\nend\n"

    assert named(read(read_gems, tmp_path, **{"x/specifications/a-b-1.0.pre.gemspec": text})) == [("a-b", "1.0.pre")]


@pytest.mark.parametrize(
    ("reader", "name", "content"),
    [
        (read_python, "a-1.dist-info/METADATA", "Metadata-Version: 2.1\n\nName: a\nVersion: 1\n"),
        (read_python, "a-1.egg-info", ""),
        (read_node, "node_modules/a/package.json", "\xff"),
        (read_gems, "x/specifications/a.gemspec", "Gem::Specification.new { |s| s.name = NAME }"),
    ],
)
def test_broken_metadata_is_a_fault_that_names_the_file(
    tmp_path: Path, reader: Callable[[Stack], Found], name: str, content: str
) -> None:
    found = read(reader, tmp_path, **{name: content})

    assert found.packages == ()
    assert len(found.faults) == 1
    assert f'"/{name}"' in found.faults[0]


@pytest.mark.parametrize(
    ("reader", "name"),
    [
        (read_python, "a-1.dist-info/METADATA"),
        (read_node, "node_modules/a/package.json"),
        (read_gems, "x/specifications/a.gemspec"),
    ],
)
def test_a_huge_file_is_a_fault_and_not_read(tmp_path: Path, reader: Callable[[Stack], Found], name: str) -> None:
    write(tmp_path, name, b"")
    with (tmp_path / name).open("r+b") as file:
        file.truncate(1 << 40)

    found = read(reader, tmp_path)

    assert "cannot be read: it is no file of at most" in found.faults[0]


@given(content=st.binary(max_size=300))
@pytest.mark.parametrize(
    ("reader", "name"),
    [
        (read_python, "a-1.dist-info/METADATA"),
        (read_python, "a-1.dist-info/RECORD"),
        (read_node, "node_modules/a/package.json"),
        (read_gems, "x/specifications/a.gemspec"),
    ],
)
def test_no_bytes_make_a_reader_fall(
    tmp_path_factory: pytest.TempPathFactory, reader: Callable[[Stack], Found], name: str, content: bytes
) -> None:
    root = tmp_path_factory.mktemp("tree")
    write(root, "a-1.dist-info/METADATA", METADATA)
    write(root, name, content)

    read(reader, root)
