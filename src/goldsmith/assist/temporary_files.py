"""Files that a script makes only to put them elsewhere: written or fetched, checked, then moved, copied or unpacked."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from goldsmith.assist.commands import Argument, Word
from goldsmith.assist.folded import merged, same_context
from goldsmith.assist.tasks import Task

_COPY, _TEMPLATE, _GET = "ansible.builtin.copy", "ansible.builtin.template", "ansible.builtin.get_url"
_UNARCHIVE, _FILE = "ansible.builtin.unarchive", "ansible.builtin.file"
_PASSING = ("/tmp/", "/var/tmp/", "/run/", "/dev/shm/")
_ONLY_FETCHED = frozenset({"url", "dest", "mode", "owner", "group", "force"})
"""Arguments of a download that say nothing but where from and where to."""
_VERIFY = "downloads.verify"
_SUM = re.compile(r"(sha\d+|md5)sum")


def without_temporary_files(tasks: Sequence[Task]) -> list[Task]:
    """The tasks where what makes a file in passing puts it right where it is wanted."""
    result = list(tasks)
    for maker in tasks:
        place = next((place for place, task in enumerate(result) if task is maker), None)
        path = _made(maker)
        if place is None or path is None:
            continue
        users = [task for task in result[place + 1 :] if _names(task, path)]
        changed = _with_checksum(maker, users)
        if changed is not maker:
            result[place] = changed
            result = [task for task in result if task is not users[0]]
            maker, users = changed, users[1:]
        folded = _put_where_wanted(maker, users, path)
        if folded is None:
            continue
        first, *rest = users
        removals = [task for task in rest if _removes(task, path)]
        for task in removals:
            folded = merged(folded, folded, task)
        gone = [maker, *removals]
        result = [folded if task is first else task for task in result if not any(task is item for item in gone)]
    return result


def _made(task: Task) -> str | None:
    """The path of a file that a task makes out of what the role or a server has."""
    is_maker = task.module in (_TEMPLATE, _GET) or (task.module == _COPY and "content" in task.args)
    if not is_maker or task.loop is not None or task.register or task.context.registers:
        return None
    return _text(task.args.get("dest"))


def _put_where_wanted(maker: Task, users: Sequence[Task], path: str) -> Task | None:
    """The first user as a task that does what the maker does too; None where it is not the same."""
    if not users or not same_context(maker, users[0]):
        return None
    user, *rest = users
    if _is_move(user, path):
        target = _words(user)[-1]
        # What is moved away is not there any more: later tasks speak of another file of that name.
        return merged(_at(maker, target), maker, user)
    if not all(_removes(task, path) for task in rest) or not (rest or path.startswith(_PASSING)):
        return None
    if user.module == _COPY and _text(user.args.get("src")) == path and user.args.get("remote_src") and user.loop is None:
        attributes = {
            name: value for name, value in user.args.items() if name in ("owner", "group", "mode") and value != "preserve"
        }
        made = _at(maker, user.args["dest"])
        return merged(replace(made, args={**made.args, **attributes}), maker, user)
    if maker.module == _GET and set(maker.args) <= _ONLY_FETCHED:
        return _from_server(maker, user, path)
    return None


def _at(maker: Task, target: Argument) -> Task:
    label = target.label if isinstance(target, Word) else str(target)
    verb = "Fetch" if maker.module == _GET else "Write"
    return replace(maker, name=f"{verb} {label}", args={**maker.args, "dest": target})


def _from_server(maker: Task, user: Task, path: str) -> Task | None:
    """What unpacks or installs a file that was fetched does so from the server."""
    url = maker.args["url"]
    if user.module == _UNARCHIVE and _text(user.args.get("src")) == path:
        return merged(replace(user, args={**user.args, "src": url, "remote_src": True}), maker, user)
    if user.module.endswith(".apt") and _text(user.args.get("deb")) == path:
        return merged(replace(user, args={**user.args, "deb": url}), maker, user)
    names = user.args.get("name")
    if user.module.endswith(".dnf") and isinstance(names, Sequence) and [_text(name) for name in names] == [path]:
        return merged(replace(user, args={**user.args, "name": [url]}), maker, user)
    return None


def _with_checksum(maker: Task, users: Sequence[Task]) -> Task:
    """The download with the checksum that the next command compares its file with."""
    if maker.module != _GET or "checksum" in maker.args or not users or users[0].rule != _VERIFY:
        return maker
    verify, path = users[0], _text(maker.args.get("dest"))
    told = verify.args.get("stdin")
    program = _SUM.fullmatch(_text(_words(verify)[0]) or "") if _words(verify) else None
    if program is None or not same_context(maker, verify) or not isinstance(told, str | Word) or path is None:
        return maker
    digest = _digest(Word.of(told) if isinstance(told, str) else told, path)
    if digest is None:
        return maker
    checksum = Word.of(f"{program[1]}:") + digest
    return merged(replace(maker, args={**maker.args, "checksum": checksum}), maker, verify)


def _digest(told: Word, path: str) -> Word | None:
    """The digest of `DIGEST  PATH`, where that is the only line."""
    end = re.compile(rf"[ \t]+\*?{re.escape(path)}\n?\Z")
    *front, last = told.pieces or (None,)
    text = getattr(last, "value", None)
    match = end.search(text) if isinstance(text, str) else None
    if match is None or not isinstance(text, str):
        return None
    digest = Word(tuple(piece for piece in front if piece is not None)) + Word.of(text[: match.start()])
    is_plain = digest.text is None or re.fullmatch(r"[0-9a-fA-F]{32,128}", digest.text) is not None
    return digest if is_plain and digest.pieces else None


def _is_move(task: Task, path: str) -> bool:
    words = _words(task)
    return task.rule == "copying.move" and task.loop is None and len(words) >= 3 and _text(words[-2]) == path


def _removes(task: Task, path: str) -> bool:
    return (
        task.module == _FILE
        and task.args.get("state") == "absent"
        and _text(task.args.get("path")) == path
        and task.loop is None
    )


def _words(task: Task) -> list[Argument]:
    words = task.args.get("argv")
    return list(words) if isinstance(words, Sequence) and not isinstance(words, str) else []


def _names(task: Task, path: str) -> bool:
    """Whether a task speaks of a path, wherever in its arguments."""
    return any(re.search(rf"(?<![\w.-]){re.escape(path)}(?![\w.-])", text) for text in _texts((task.args, task.loop or "")))


def _texts(argument: object) -> Iterator[str]:
    match argument:
        case str():
            yield argument
        case Word():
            yield "".join(getattr(piece, "value", "\0") for piece in argument.pieces)
        case dict():
            for value in argument.values():
                yield from _texts(value)
        case list() | tuple():
            for item in argument:
                yield from _texts(item)


def _text(argument: object) -> str | None:
    return argument.text if isinstance(argument, Word) else argument if isinstance(argument, str) else None
