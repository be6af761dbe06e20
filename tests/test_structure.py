"""The house itself: rooms import upwards only, public names exist, nobody but the command line prints."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from graphlib import TopologicalSorter
from pathlib import Path
from types import ModuleType

import pytest

SOURCE = Path(__file__).parents[1] / "src/goldsmith"

FLOORS = (
    {"rooms"},
    {"hcl"},
    {"events"},
    {"machines"},
    {"images"},
    {"evidence"},
    {"components"},
    {"extras"},
    {"aws"},
    {"amis"},
    {"packer_templates"},
    {"scripts"},
    {"local_scripts"},
    {"containers"},
    {"amazon"},
    {"sources", "provisioners", "postprocessors", "datasources"},
    {"gates"},
    {"template"},
    {"build"},
    {"registry"},
    {"project"},
    {"assist"},
    {"cli"},
)
"""From the ground up: a room may import its own and those before it; rooms of one floor know nothing of each other."""


def files() -> list[Path]:
    return sorted(path for path in SOURCE.rglob("*.py") if "ansible_plugins" not in path.parts)


def room_of(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def floor_of(room: str) -> int:
    return next(number for number, rooms in enumerate(FLOORS) if room in rooms)


def imported_rooms(path: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("goldsmith."):
            yield node.module.split(".")[1], node.lineno


@pytest.mark.parametrize("path", files(), ids=lambda path: str(path.relative_to(SOURCE)))
def test_a_room_imports_only_rooms_above_it(path: Path) -> None:
    room = room_of(path)
    if room == "__init__":
        return
    wrong = [
        f"line {line}: {other}" for other, line in imported_rooms(path) if other != room and floor_of(other) >= floor_of(room)
    ]

    assert wrong == []


def test_no_files_import_each_other_in_a_circle() -> None:
    modules = {".".join(("goldsmith", *path.relative_to(SOURCE).with_suffix("").parts)): path for path in files()}
    order = TopologicalSorter({name: set(imported_modules(path, modules)) for name, path in modules.items()})

    order.prepare()  # raises CycleError, which names the circle


def imported_modules(path: Path, modules: Mapping[str, Path]) -> Iterator[str]:
    """The files that a file names in its imports, also in those for types alone; a room's `__init__` only passes names on."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            named = {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
            yield from named & modules.keys()


@pytest.mark.parametrize("path", files(), ids=lambda path: str(path.relative_to(SOURCE)))
def test_a_file_says_in_its_first_line_what_it_is_about(path: Path) -> None:
    text = path.read_text()
    if text.strip():
        assert ast.get_docstring(ast.parse(text)), "the file has no docstring"


@pytest.mark.parametrize("path", files(), ids=lambda path: str(path.relative_to(SOURCE)))
def test_only_the_command_line_prints_and_leaves(path: Path) -> None:
    if room_of(path) == "cli" or path.name == "sandbox_init.py":
        return  # the sandbox's first process is a program of its own
    calls = [
        f"line {node.lineno}: {ast.unparse(node.func)}"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("print", "sys.exit", "exit")
    ]

    assert calls == []


@pytest.mark.parametrize("room", sorted(room for rooms in FLOORS for room in rooms if (SOURCE / room).is_dir()))
def test_what_a_room_says_it_offers_is_there(room: str) -> None:
    from importlib import import_module

    module = import_module(f"goldsmith.{room}")
    offered = getattr(module, "__all__", [])

    files = [name for name in offered if (SOURCE / room / f"{name}.py").exists()]
    for name in files:
        import_module(f"goldsmith.{room}.{name}")
    assert [name for name in files if isinstance(getattr(module, name), ModuleType)] == [], "a file stands in its place"
    assert [name for name in offered if not hasattr(module, name)] == []
    assert list(offered) == sorted(offered, key=lambda name: (not name.isupper(), name[0].islower(), name))


def test_every_component_that_is_named_can_be_loaded() -> None:
    from typing import get_args

    from goldsmith.components import Kind, find, names

    for kind in get_args(Kind):
        for name in names(kind):
            assert find(kind, name) is not None, f"{kind} {name}"
