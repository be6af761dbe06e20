"""One task as it stands in a file of tasks or handlers, with what its context asks for: conditions, loop, failures, retries."""

from __future__ import annotations

from collections.abc import Mapping

from goldsmith.assist.ansible_yaml import Node
from goldsmith.assist.arguments import Names
from goldsmith.assist.commands import Argument, Loop, Word
from goldsmith.assist.tasks import Task

NO_PROGRAM = frozenset(
    f"ansible.builtin.{name}"
    for name in (
        *("assert", "blockinfile", "copy", "cron", "fail", "file", "find", "group", "lineinfile", "meta", "replace", "service"),
        *("set_fact", "slurp", "stat", "systemd_service", "template", "user", "dpkg_selections", "debconf", "hostname"),
    )
)
"""Modules that neither reach a network nor run what a script names: the environment of the command means nothing to them."""


META = "ansible.builtin.meta"
"""Takes one word, which a task has as its argument "do"."""


def task_node(task: Task, names: Names) -> dict[str, Node]:
    """A task as YAML. Raises `ValueError` when a word of it has no value."""
    args = names.node(task.args)
    node: dict[str, Node] = {
        "name": task.name,
        task.module: args["do"] if task.module == META and isinstance(args, dict) else args,
    }
    if conditions := _conditions(task, names):
        node["when"] = conditions[0] if len(conditions) == 1 else conditions
    node |= _loop(task, names)
    node |= _result(task, names)
    if task.notify:
        node["notify"] = [handler.name for handler in task.notify]
    if environment := _environment(task, names):
        node["environment"] = environment
    if task.become_user is not None:
        node |= {"become": True, "become_user": names.node(task.become_user)}
    if task.no_log:
        node["no_log"] = True
    return node


def _conditions(task: Task, names: Names) -> list[Node]:
    said = [condition.expression or "false" for condition in task.context.conditions]
    return [names.expression(text) for text in dict.fromkeys([*said, *task.when])]


def _loop(task: Task, names: Names) -> dict[str, Node]:
    if task.context.loop is not None:
        return loop_node(task.context.loop, names)
    return {} if task.loop is None else {"loop": names.node(task.loop)}


def loop_node(loop: Loop, names: Names) -> dict[str, Node]:
    """The keywords of a task that is done for each item of a loop."""
    items: Argument = loop.items if isinstance(loop.items, tuple) else Word((loop.items,))
    control: dict[str, Node] = {} if loop.variable == "item" else {"loop_control": {"loop_var": names.name(loop.variable)}}
    return {"loop": names.node(items), **control}


def _result(task: Task, names: Names) -> dict[str, Node]:
    node: dict[str, Node] = {}
    register = task.register or task.context.registers or (f"{names.role}_result" if task.context.retries else "")
    if register:
        node["register"] = names.name(register)
    if task.context.retries:
        attempts, delay = task.context.retries
        node |= {"until": f"{names.name(register)} is succeeded", "retries": attempts, "delay": delay}
    # A command that is left out because of its guard changes nothing: a constant would say that it does.
    is_guarded = task.changed_when is True and not {"creates", "removes"}.isdisjoint(task.args)
    if task.changed_when is not None and not is_guarded:
        node["changed_when"] = _judged(task.changed_when, names)
    failed_when = False if task.failed_when is None and task.context.may_fail else task.failed_when
    if failed_when is not None:
        node["failed_when"] = _judged(failed_when, names)
    return node


def _judged(value: str | bool, names: Names) -> Node:
    return names.expression(value) if isinstance(value, str) else value


def _environment(task: Task, names: Names) -> Mapping[str, Node]:
    if task.module in NO_PROGRAM:
        return {}
    return {name: names.node(value) for name, value in task.environment.items()}
