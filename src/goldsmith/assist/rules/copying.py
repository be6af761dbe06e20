"""Files are copied, moved and installed: cp, mv, install."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from goldsmith.assist import guards
from goldsmith.assist.commands import Argument, Command, Text, Variable, Word
from goldsmith.assist.rules.globs import Make, over
from goldsmith.assist.rules.modes import created_mode
from goldsmith.assist.rules.options import Grammar, Parsed, text
from goldsmith.assist.rules.paths import (
    DIRECTORIES,
    ITEM,
    MODES,
    absolute,
    inside,
    is_directory,
    missing_parents,
    name_of,
    parent,
)
from goldsmith.assist.rules.phrases import shortened
from goldsmith.assist.rules.writing import copy_of, write
from goldsmith.assist.tasks import Converted, Inexact, Outcome, Rule, Task

COPY = "ansible.builtin.copy"
FILE = "ansible.builtin.file"

_CP = Grammar.of(
    """
    -a --archive, -r -R --recursive, -f --force, -v --verbose, -n --no-clobber, -u, --update?, -i --interactive, -d, -p,
    --preserve?, --no-preserve=, -L --dereference, -P --no-dereference, -H, -T --no-target-directory, -t= --target-directory=,
    -x --one-file-system, -b, --backup?, -S= --suffix=, -l --link, -s --symbolic-link, --parents, --reflink?, --sparse=,
    --remove-destination, --strip-trailing-slashes, -Z, --context?, --attributes-only, --copy-contents
    """
)
_MV = Grammar.of(
    """
    -f --force, -v --verbose, -n --no-clobber, -u, --update?, -i --interactive, -T --no-target-directory,
    -t= --target-directory=, -b, --backup?, -S= --suffix=, -Z --context, --strip-trailing-slashes
    """
)
_INSTALL = Grammar.of(
    """
    -d --directory, -D, -m= --mode=, -o= --owner=, -g= --group=, -t= --target-directory=, -T --no-target-directory,
    -v --verbose, -p --preserve-timestamps, -C --compare, -c, -s --strip, --strip-program=, -b, --backup?, -S= --suffix=,
    -Z, --context?
    """
)
_SAID = (
    *("-a", "-r", "-f", "-v", "-n", "-d", "-p", "--preserve", "--no-preserve", "-L", "-P", "-T", "-t", "-x", "--reflink"),
    "--remove-destination",
)
_ROOTS_OWN = ("/etc/", "/usr/", "/boot/", "/lib/", "/lib64/", "/bin/", "/sbin/")
"""Where all belongs to root, so that keeping the owner and giving the file to root are the same."""


@dataclass(frozen=True, slots=True)
class _Way:
    """From where to where."""

    sources: tuple[Word, ...]
    target: Word
    """Absolute."""
    is_inside: bool
    """The target is a directory that gets them; else it is what one source becomes, or that is not known."""


def _way(command: Command, parsed: Parsed) -> _Way:
    directory = parsed.value("-t")
    if directory is not None:
        return _Way(parsed.operands, absolute(command, directory), True)
    if len(parsed.operands) < 2:
        raise Inexact("it names no target")
    *sources, last = parsed.operands
    target = absolute(command, last)
    if last.glob:
        raise Inexact("where it goes depends on what is there")
    is_inside = not parsed.has("-T") and (len(sources) > 1 or is_directory(command, last) or any(word.glob for word in sources))
    return _Way(tuple(sources), target, is_inside)


def _cp(command: Command) -> Outcome:
    parsed = _CP.parse(command)
    parsed.only(*_SAID)
    way = _way(command, parsed)
    if _keeps_owner(parsed):
        _refuse_foreign_owners(command, way)
    if not way.is_inside and way.sources[0].text == "/dev/null":
        return write(command, way.target, Word(()), is_added=False)
    if parsed.has("-a", "-r"):
        return Converted(tuple(_trees(command, parsed, way)))
    if not way.is_inside and way.target.text in MODES:
        return Converted(copy_of(command, absolute(command, way.sources[0]), way.target))
    forced: dict[str, Argument] = {"force": False} if parsed.has("-n") else {}
    return Converted(over(command, way.sources, "copying.cp", _copying(way, {"mode": "preserve", **forced})))


def _keeps_owner(parsed: Parsed) -> bool:
    kept, dropped = parsed.value("--preserve"), parsed.value("--no-preserve")
    if dropped is not None and any(name in text(dropped) for name in ("ownership", "all")):
        return False
    if kept is not None:
        return any(name in text(kept) for name in ("ownership", "all"))
    return parsed.has("-a", "-p", "--preserve")


def _refuse_foreign_owners(command: Command, way: _Way) -> None:
    for source in way.sources:
        path = absolute(command, source)
        if not path.startswith(_ROOTS_OWN) or path.text in MODES:
            raise Inexact(f"it keeps the owners of {source.label}, which the module does not")


def _copying(way: _Way, given: Mapping[str, Argument]) -> Make:
    def make(path: Word, label: str) -> Task:
        into = way.target
        if way.is_inside:
            into = _with_slash(way.target) if path is ITEM else inside(way.target, name_of(path))
        arguments: dict[str, Argument] = {"src": path, "dest": into, "remote_src": True, **given}
        return Task(f"Copy {label} to {shortened(way.target.label)}", COPY, arguments, "copying.copy")

    return make


def _with_slash(path: Word) -> Word:
    """The module takes a target with a slash for a directory."""
    return path if path.text == "/" else path + Word.of("/")


def _trees(command: Command, parsed: Parsed, way: _Way) -> Iterator[Task]:
    if parsed.has("-n"):
        raise Inexact("which files of a tree are there decides what is copied")
    follows: dict[str, Argument] = {"local_follow": parsed.has("-L")}
    for source in way.sources:
        path = absolute(command, source)
        if _means_contents(source) or parsed.has("-T"):
            yield _contents(path, way.target, follows)
        elif way.is_inside:
            into = replace(way, sources=(source,))
            yield from over(command, [source], "copying.tree", _tree(into, follows))
        elif name_of(path) == name_of(way.target):
            beside = parent(way.target)
            if beside is None:
                raise Inexact(f"whether {way.target.label} is there decides where the copy goes")
            yield _tree(_Way((source,), beside, True), follows)(path, shortened(path.label))
        elif path.text and (way.target.text or "").startswith(path.text):
            yield from _beside(command, path, way.target, follows)
        else:
            raise Inexact(f"whether {way.target.label} is there decides where the copy goes")


def _means_contents(source: Word) -> bool:
    last = source.pieces[-1] if source.pieces else None
    return isinstance(last, Text) and (last.value == "." or last.value.endswith("/."))


def _contents(path: Word, target: Word, given: Mapping[str, Argument]) -> Task:
    # The module gives its mode to the target itself, which cp leaves as it is.
    mode = MODES.get(target.text or "", "0755") if target.text in DIRECTORIES else ""
    arguments: dict[str, Argument] = {
        "src": _with_slash(path),
        "dest": target,
        "remote_src": True,
        "mode": mode or "preserve",
        **given,
    }
    name = f"Copy what is in {shortened(path.label)} to {shortened(target.label)}"
    return Task(name, COPY, arguments, "copying.contents")


def _tree(way: _Way, given: Mapping[str, Argument]) -> Make:
    def make(path: Word, label: str) -> Task:
        arguments: dict[str, Argument] = {
            "src": path,
            "dest": _with_slash(way.target),
            "remote_src": True,
            "mode": "preserve",
            **given,
        }
        return Task(f"Copy {label} into {shortened(way.target.label)}", COPY, arguments, "copying.tree")

    return make


def _beside(command: Command, path: Word, target: Word, given: Mapping[str, Argument]) -> Iterator[Task]:
    """A copy beside the original, such as `x.orig`: what the original is, file or directory, is asked for."""
    if command.context.loop is not None:
        raise Inexact(f"whether {path.label} is a directory would be asked in each round of a loop")
    register = guards.registered(command, "original")
    yield Task(f"Look at {path.label}", "ansible.builtin.stat", {"path": path}, "copying.look", register=register)
    source = path + Word((Variable(f"'/' if {register}.stat.isdir else ''", "registered"),))
    arguments: dict[str, Argument] = {"src": source, "dest": target, "remote_src": True, "mode": "preserve", **given}
    yield Task(f"Copy {shortened(path.label)} to {shortened(target.label)}", COPY, arguments, "copying.beside")


def _mv(command: Command) -> Outcome:
    parsed = _MV.parse(command)
    parsed.only("-f", "-v", "-n", "-T", "-t")
    way = _way(command, parsed)
    tasks: list[Task] = []
    options = tuple(Word.of(option) for option in ("-f", "-n", "-T") if parsed.has(option))
    into = _with_slash(way.target) if way.is_inside else way.target

    def make(path: Word, label: str) -> Task:
        # No `creates`: what is moved may take the place of another file.
        moved = replace(command, args=(*options, path, into), source=command.source)
        return guards.run(moved, f"Move {label} to {shortened(way.target.label)}", "copying.move", removes=path)

    tasks += over(command, way.sources, "copying.move", make)
    return Converted(tuple(tasks))


def _install(command: Command) -> Outcome:
    parsed = _INSTALL.parse(command)
    parsed.only("-d", "-D", "-m", "-o", "-g", "-t", "-T", "-v", "-p", "-C", "-c")
    given = parsed.value("-m")
    attributes: dict[str, Argument] = {"mode": "0755" if given is None else created_mode(given)}
    for option, name in (("-o", "owner"), ("-g", "group")):
        value = parsed.value(option)
        if value is not None:
            attributes[name] = value
    if parsed.has("-d"):
        return Converted(tuple(_directories(command, parsed.operands, attributes)))
    way = _way(command, parsed)
    tasks: list[Task] = []
    if parsed.has("-D"):
        above = way.target if way.is_inside else parent(way.target)
        if above is None or (above.text is None and given is not None):
            raise Inexact(f"which directories are above {way.target.label} depends on a value")
        if above.text not in DIRECTORIES:
            tasks += _directories(command, [above], {"mode": "0755"})
    content = _given_content(command, way)
    if content is None:
        return Converted((*tasks, *over(command, way.sources, "copying.install", _copying(way, attributes))))
    if way.is_inside:
        raise Inexact("it names no file to write")
    written: dict[str, Argument] = {"dest": way.target, "content": content, **attributes}
    return Converted((*tasks, Task(f"Write {shortened(way.target.label)}", COPY, written, "copying.install-text")))


def _given_content(command: Command, way: _Way) -> Word | None:
    source = way.sources[0].text
    if source == "/dev/null":
        return Word(())
    if source in ("/dev/stdin", "/dev/fd/0"):
        if command.stdin is None or command.stdin.unknown is not None:
            raise Inexact("what it is fed is known only when it runs")
        return command.stdin
    return None


def _directories(command: Command, words: Sequence[Word], attributes: Mapping[str, Argument]) -> Iterator[Task]:
    """`install -d` gives 0755 to the directories above, whatever the umask is."""
    above: dict[str, None] = {}
    if dict(attributes) != {"mode": "0755"}:
        above = dict.fromkeys(path for word in words for path in missing_parents(absolute(command, word)))
    yield from over(command, [Word.of(path) for path in above], "copying.install-directory", _directory({"mode": "0755"}))
    yield from over(command, words, "copying.install-directory", _directory(attributes))


def _directory(attributes: Mapping[str, Argument]) -> Make:
    return lambda path, label: Task(
        f"Create directory {label}", FILE, {"path": path, "state": "directory", **attributes}, "copying.install-directory"
    )


RULES: Mapping[str, Rule] = {"cp": _cp, "mv": _mv, "install": _install}
