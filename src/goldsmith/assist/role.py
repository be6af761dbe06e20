"""A role on disk: its tasks, handlers, defaults, files and documentation, the same bytes each time."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from goldsmith.assist.ansible_yaml import Node, document, dump, task_list
from goldsmith.assist.arguments import Names
from goldsmith.assist.commands import Word
from goldsmith.assist.contents import extracted
from goldsmith.assist.playbook import playbook, provisioner, requirements
from goldsmith.assist.repeats import repeated
from goldsmith.assist.task_yaml import loop_node, task_node
from goldsmith.assist.tasks import Task


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """A variable that the role is given."""

    variable: str
    """What expressions call it; the role puts its own name before it, but for `vault_…`, a secret that stood in a script."""
    name: str = ""
    """What the script calls it; empty for `vault_…`."""
    default: Word | None = None
    """What the script takes when nothing is given; None where something must be."""
    is_secret: bool = False
    origin: str = ""
    """Where it stands in the scripts: "setup.sh:3"."""


@dataclass(frozen=True, slots=True)
class ScriptTasks:
    """The tasks that a script became, in order."""

    script: str
    tasks: tuple[Task, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """What a role is made of before it is written."""

    name: str
    scripts: tuple[ScriptTasks, ...]
    handlers: tuple[Task, ...] = ()
    inputs: tuple[Input, ...] = ()
    notes: tuple[str, ...] = ()
    """Lines for the README: what was dropped, what stays shell, what a person should look at."""
    own_names: frozenset[str] = field(default_factory=frozenset)
    """Registered results and variables of loops."""

    @property
    def tasks(self) -> Iterator[Task]:
        """All tasks, those of handlers too."""
        for script in self.scripts:
            yield from script.tasks
        yield from self.handlers

    @property
    def names(self) -> Names:
        """What its variables are called."""
        inputs = {item.variable for item in self.inputs if not item.variable.startswith("vault_")}
        return Names.of(self.name, inputs | self.own_names)


def role_name(text: str) -> str:
    """A name that Ansible takes for a role, made of any text."""
    name = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")
    return name if name[:1].isalpha() else f"role_{name}".rstrip("_")


def role_files(role: Role) -> dict[str, bytes]:
    """The files of a role and its playbook, by their paths below the output directory.

    Raises `ValueError` when a word of a task has no value.
    """
    names = role.names
    base = f"roles/{role.name}"
    files: dict[str, bytes] = {}
    texts: dict[str, str] = {}
    for script, file in zip(role.scripts, _task_files(role.scripts), strict=True):
        tasks = [_settled(task, names, base, files) for task in script.tasks]
        texts |= _script_files(file, script.script, tasks, names)
    texts["tasks/main.yml"] = _main(role.scripts, tuple(_task_files(role.scripts)))
    if role.handlers:
        texts["handlers/main.yml"] = _tasks(role.handlers, names, "")
    texts |= _input_files(role, names)
    texts["meta/main.yml"] = _meta(role)
    texts["README.md"] = _readme(role, names)
    files |= {f"{base}/{path}": text.encode() for path, text in texts.items()}
    facts = any("ansible_facts" in text for path, text in texts.items() if path != "README.md")
    facts = facts or any(b"ansible_facts" in data for path, data in files.items() if "/templates/" in path)
    files["playbook.yml"] = playbook(role.name, facts).encode()
    if collections := requirements(task.module for task in role.tasks):
        files["requirements.yml"] = collections.encode()
    return dict(sorted(files.items()))


def _settled(task: Task, names: Names, base: str, files: dict[str, bytes]) -> Task:
    moved = extracted(task, names, {path.removeprefix(f"{base}/") for path in files})
    if moved is None:
        return task
    task, path, data = moved
    files[f"{base}/{path}"] = data
    return task


def _script_files(file: str, script: str, tasks: Sequence[Task], names: Names) -> dict[str, str]:
    """The file of a script's tasks, and one for each loop whose body is repeated as a whole."""
    texts: dict[str, str] = {}
    written: list[tuple[str, Mapping[str, Node]]] = []
    for part in repeated(tasks):
        if isinstance(part, Task):
            written.append((_origin(part), task_node(part, names)))
            continue
        body = f"{file.removesuffix('.yml')}_loop_{len(texts) + 1}.yml"
        texts[f"tasks/{body}"] = _tasks(part.tasks, names, f"For each item of a loop of {script}.")
        node: dict[str, Node] = {"name": f"Repeat for each {part.loop.variable}", "ansible.builtin.include_tasks": body}
        written.append((_origin(part.tasks[0]), node | loop_node(part.loop, names)))
    return {f"tasks/{file}": task_list(written, f"From {script}."), **texts}


def _tasks(tasks: Sequence[Task], names: Names, comment: str) -> str:
    return task_list([(_origin(task), task_node(task, names)) for task in tasks], comment)


def _origin(task: Task) -> str:
    lines = map(str, task.places)
    return ", ".join(dict.fromkeys(lines))


def _task_files(scripts: Sequence[ScriptTasks]) -> Iterator[str]:
    taken = {"main"}
    for script in scripts:
        stem = re.sub(r"[^A-Za-z0-9_-]", "_", PurePosixPath(script.script).stem).strip("_") or "script"
        name, number = stem, 1
        while name in taken:
            number += 1
            name = f"{stem}_{number}"
        taken.add(name)
        yield f"{name}.yml"


def _main(scripts: Sequence[ScriptTasks], files: Sequence[str]) -> str:
    imports: list[tuple[str, Mapping[str, Node]]] = [
        ("", {"name": f"Do what {script.script} does", "ansible.builtin.import_tasks": file})
        for script, file in zip(scripts, files, strict=True)
    ]
    return task_list(imports)


def _input_files(role: Role, names: Names) -> dict[str, str]:
    if not role.inputs:
        return {}
    defaults = [item for item in role.inputs if item.default is not None and not item.is_secret]
    specs = {names.name(item.variable): _spec(item, names) for item in role.inputs}
    main: Node = {"short_description": f"What {role.name} is given", "options": specs}
    files = {"meta/argument_specs.yml": document({"argument_specs": {"main": main}})}
    if defaults:
        stated = [f"# {item.origin}\n{dump({names.name(item.variable): names.node(item.default or '')})}" for item in defaults]
        files["defaults/main.yml"] = "---\n" + "".join(stated)
    return files


def _spec(item: Input, names: Names) -> dict[str, Node]:
    spec: dict[str, Node] = {"type": "str", "description": _described(item)}
    if item.is_secret:
        spec["no_log"] = True
    if item.default is None or item.is_secret:
        spec["required"] = True
    else:
        spec["default"] = names.node(item.default)
    return spec


def _described(item: Input) -> str:
    if not item.name:
        return f"The secret that stands in the script at {item.origin}."
    return f"{item.name} of the script, at {item.origin}."


def _meta(role: Role) -> str:
    scripts = ", ".join(script.script for script in role.scripts)
    info: dict[str, Node] = {
        "author": "goldsmith convert",
        "description": f"Does what these scripts do: {scripts}",
        "license": "that of the scripts",
        "min_ansible_version": "2.19",
    }
    return document({"galaxy_info": info, "dependencies": []})


def _readme(role: Role, names: Names) -> str:
    parts = [f"# {role.name}\n\n", "Made by `goldsmith convert`. It does what these scripts do:\n\n"]
    parts += [f"- `{script.script}`: {len(script.tasks)} tasks\n" for script in role.scripts]
    if role.inputs:
        parts += ["\n## Variables\n\n| variable | default | in the script |\n|---|---|---|\n"]
        parts += [f"| `{names.name(item.variable)}` | {_told(item, names)} | {item.origin} |\n" for item in role.inputs]
    if any(item.is_secret for item in role.inputs):
        parts += ["\nSecrets have no default: give them by ansible-vault.\n"]
    parts += ["\n## In a template\n\n```hcl\n", provisioner(f"{role.name}/playbook.yml"), "```\n"]
    if role.notes:
        parts += ["\n## To know\n\n", *(f"- {note}\n" for note in role.notes)]
    return "".join(parts)


def _told(item: Input, names: Names) -> str:
    if item.is_secret or item.default is None:
        return "must be given"
    return f"`{names.node(item.default)}`" if item.default.pieces else "empty"
