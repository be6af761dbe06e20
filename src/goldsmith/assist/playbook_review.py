"""What a playbook, a role or a file of variables for Ansible would give away."""

from __future__ import annotations

import re
from collections.abc import Iterator

import yaml

from goldsmith.assist.remarks import Remark, Remarks
from goldsmith.assist.script_review import review_script
from goldsmith.gates.secrets.generic import NAME, is_placeholder
from goldsmith.hcl.diagnostics import Diagnostic, UserError

_CREDENTIAL = re.compile(rf"(?i)(?:^|[_.-]|[a-z0-9]){NAME}$")
_MENTION = re.compile(rf"(?i)\{{\{{[^}}]*?\b[a-z0-9_.]*?{NAME}\b[^}}]*\}}\}}")
_LITERAL_HASHED = re.compile(r"\{\{\s*['\"]([^'\"]{4,})['\"]\s*\|\s*(?:ansible\.builtin\.)?password_hash")
_SHELLS = frozenset({"shell", "command", "raw", "script"})
_DOWNLOADS = frozenset({"get_url", "uri", "unarchive"})
_WORDS = frozenset({
    "name", "when", "register", "notify", "tags", "loop", "with_items", "become", "become_user", "vars", "block",
    "rescue", "always", "no_log", "changed_when", "failed_when", "until", "retries", "delay", "environment", "args",
    "delegate_to", "ignore_errors", "hosts", "roles", "tasks", "handlers", "pre_tasks", "post_tasks", "vars_files",
    "gather_facts", "run_once", "loop_control", "listen",
})  # fmt: skip
"""Keywords of tasks and plays: what stands beside them is the module."""
_HIDE = "Add no_log: true."


def is_vaulted(text: str) -> bool:
    """Whether a whole file is encrypted by ansible-vault."""
    return text.startswith("$ANSIBLE_VAULT;")


def review_playbook(remarks: Remarks) -> Iterator[Remark]:
    """The remarks about a file in YAML. Raises `UserError` when it cannot be read."""
    try:
        documents = list(yaml.compose_all(remarks.text, Loader=yaml.CSafeLoader))
    except yaml.YAMLError as error:
        mark = error.problem_mark if isinstance(error, yaml.MarkedYAMLError) else None
        place = f" line {mark.line + 1}, column {mark.column + 1}" if mark is not None else ""
        what = f'"{remarks.file}"{place} is not YAML'
        why = error.problem or "" if isinstance(error, yaml.MarkedYAMLError) else ""
        raise UserError(Diagnostic(code="review.yaml", what=what, why=why, next="Mend the file.")) from error
    for document in documents:
        yield from _node(document, remarks, False, 0)


def _node(node: yaml.Node | None, remarks: Remarks, hidden: bool, depth: int) -> Iterator[Remark]:
    """Plays, tasks and variables, wherever they stand. `hidden`: no_log holds here."""
    if depth > 100 or node is None:
        return
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _node(item, remarks, hidden, depth + 1)
        return
    if not isinstance(node, yaml.MappingNode):
        return
    entries = {key.value: value for key, value in node.value if isinstance(key, yaml.ScalarNode)}
    hidden = hidden or _is_true(entries.get("no_log"))
    module = _module(entries)
    if module is not None:
        yield from _task(node, module, entries, remarks, hidden)
    for key, value in node.value:
        name = str(key.value) if isinstance(key, yaml.ScalarNode) else ""
        if name == module:
            continue
        if isinstance(value, yaml.ScalarNode):
            yield from _variable(name, value, remarks)
        else:
            yield from _node(value, remarks, hidden, depth + 1)


def _module(entries: dict[str, yaml.Node]) -> str | None:
    """The module of a task: the first word that is no keyword, in a mapping that looks like a task."""
    looks = {"name", "when", "register", "notify", "no_log", "become", "tags", "loop", "args"} & entries.keys()
    words = [name for name in entries if name not in _WORDS and not name.startswith("with_")]
    dotted = [name for name in words if name.count(".") == 2 or name in _SHELLS | _DOWNLOADS]
    if len(words) != 1 or not (looks or dotted) or {"hosts", "block"} & entries.keys():
        return dotted[0] if dotted else None
    is_call = isinstance(entries[words[0]], yaml.MappingNode) or dotted
    return words[0] if is_call and not _CREDENTIAL.search(words[0]) else None


def _variable(name: str, value: yaml.ScalarNode, remarks: Remarks) -> Iterator[Remark]:
    if not _is_literal(name, value):
        return
    what = f'"{name}" has its value here, and it is not encrypted'
    fix = "Encrypt it: ansible-vault encrypt_string; or hand it over when the playbook runs."
    yield remarks.at(value.start_mark.index, "ansible.unvaulted", "fail", what, fix, value.value)


def _task(node: yaml.Node, module: str, entries: dict[str, yaml.Node], remarks: Remarks, hidden: bool) -> Iterator[Remark]:
    arguments = entries[module]
    short = module.rpartition(".")[2]
    named = list(_named(arguments))
    for name, value in named:
        if _is_literal(name, value):
            what = f'"{name}" of the module {short} has its value here'
            fix = "Take it from a variable that ansible-vault encrypts, and add no_log: true."
            yield remarks.at(value.start_mark.index, "ansible.literal-secret", "fail", what, fix, value.value)
        hashed = _LITERAL_HASHED.search(value.value)
        if hashed is not None:
            what = "a password stands in the task, though its hash is used"
            fix = "Take it from a variable that ansible-vault encrypts."
            yield remarks.at(value.start_mark.index, "ansible.literal-secret", "fail", what, fix, hashed[1])
    environment = list(_named(entries["environment"])) if "environment" in entries else []
    secret = next(
        (value for name, value in (*named, *environment) if _MENTION.search(value.value) or _is_literal(name, value)), None
    )
    if secret is not None and not hidden and short not in ("set_fact", "include_vars", "assert", "include_role", "import_role"):
        what = f"a secret is given to the module {short}, which Ansible writes to its log"
        yield remarks.at(node.start_mark.index, "ansible.no-log", "warn", what, _HIDE)
    if short in _SHELLS and isinstance(arguments, yaml.ScalarNode):
        yield from review_script(remarks, arguments.start_mark.index, arguments.value)
    if short in ("get_url", "unarchive"):
        given = dict(named)
        url = given.get("url") or given.get("src")
        if url is not None and "://" in url.value and "checksum" not in given:
            what = "a download is not checked"
            fix = "Add checksum: sha256:…; for unarchive, get_url with a checksum first."
            yield remarks.at(node.start_mark.index, "ansible.download-without-checksum", "warn", what, fix)


def _named(node: yaml.Node, name: str = "") -> Iterator[tuple[str, yaml.ScalarNode]]:
    """Each scalar below a node, with the name that it is given to."""
    if isinstance(node, yaml.ScalarNode):
        yield name, node
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _named(item, name)
    elif isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield from _named(value, str(key.value) if isinstance(key, yaml.ScalarNode) else "")


def _is_literal(name: str, value: yaml.ScalarNode) -> bool:
    text = value.value
    if not _CREDENTIAL.search(name) or value.tag.startswith("!vault") or value.tag.endswith((":bool", ":null", ":int")):
        return False
    return (
        bool(text.strip()) and "{{" not in text and not is_placeholder(text.encode()) and not text.startswith("$ANSIBLE_VAULT")
    )


def _is_true(node: yaml.Node | None) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.value.lower() in ("true", "yes", "on", "1")
