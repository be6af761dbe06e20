"""Archives are unpacked: tar, unzip, and what unpacks single files."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from goldsmith.assist import guards
from goldsmith.assist.commands import Argument, Command, Text, Word
from goldsmith.assist.rules.downloads import fed_by
from goldsmith.assist.rules.options import Grammar, Parsed
from goldsmith.assist.rules.paths import DIRECTORIES, absolute
from goldsmith.assist.rules.phrases import shortened
from goldsmith.assist.tasks import Converted, Inexact, Outcome, Rule, Task

UNPACK = "ansible.builtin.unarchive"

_TAR = Grammar.of(
    """
    -x --extract --get, -c --create, -t --list, -r --append, -u --update, -A --catenate --concatenate, --delete, -d --diff,
    -f= --file=, -C= --directory=, -z --gzip --gunzip --ungzip, -j --bzip2, -J --xz, -Z --compress --uncompress, --zstd, --lzma,
    --lzip, --lzop, -a --auto-compress, -I= --use-compress-program=, -v --verbose, -p --preserve-permissions --same-permissions,
    --no-same-permissions, --same-owner, -o --no-same-owner, --strip-components= --strip=, --exclude=, -X= --exclude-from=,
    --wildcards, --no-wildcards, --anchored, --no-anchored, -m --touch, -k --keep-old-files, --skip-old-files, --overwrite,
    --overwrite-dir, --no-overwrite-dir, --keep-newer-files, -U --unlink-first, --recursive-unlink, -O --to-stdout,
    -T= --files-from=, --transform= --xform=, --one-top-level?, --xattrs, --xattrs-include=, --selinux, --acls, --numeric-owner,
    --owner=,
    --group=, --mode=, --warning=, --checkpoint?, --checkpoint-action=, --delay-directory-restore, --no-delay-directory-restore,
    -h,
    --dereference, -S --sparse, -P --absolute-names, -w --interactive, -B --read-full-records, -i --ignore-zeros, --totals,
    --force-local, --record-size=, -b= --blocking-factor=, -l --check-links, -R --block-number, --null, --verbatim-files-from
    """
)
_TAR_SAID = (
    *("-x", "-f", "-C", "-z", "-j", "-J", "-Z", "--zstd", "--lzma", "--lzip", "--lzop", "-a", "-I", "-v", "-p", "--same-owner"),
    *("-m", "--overwrite", "--warning", "--checkpoint", "--checkpoint-action", "--force-local", "--totals", "-B", "--exclude"),
    *("--keep-newer-files", "-S", "-l", "-b"),
)
_TAR_PASSED = (
    *("--no-same-permissions", "-o", "--strip-components", "--wildcards", "--no-anchored", "--anchored", "--transform"),
    *(
        "--xattrs",
        "--selinux",
        "--acls",
        "--numeric-owner",
        "-U",
        "--recursive-unlink",
        "--no-overwrite-dir",
        "--xattrs-include",
    ),
)
_LONG = {"-o": "--no-same-owner", "-U": "--unlink-first"}
_UNZIP = Grammar.of(
    """
    -o, -q, -qq, -n, -u, -f, -j, -a, -aa, -b, -C, -L, -LL, -M, -X, -K, -D, -DD, -W, -V, -U, -UU, -:, -^, -v, -l, -t, -p, -c, -z,
    -Z, -T, -x, -d=, -P=, -O=, -I=
    """,
    abbreviates=False,
)


def _tar(command: Command) -> Outcome:
    parsed = _TAR.parse(replace(command, args=_with_dashes(command.args)))
    if not parsed.has("-x"):
        raise Inexact("an archive is made, whose bytes differ each time")
    parsed.only(*_TAR_SAID, *_TAR_PASSED)
    source, is_secret, options = _source(command, parsed.value("-f"))
    target = _directory(command, parsed.values("-C"))
    arguments: dict[str, Argument] = {"src": source, "dest": target, "remote_src": True, **options}
    passed = tuple(_passed(parsed))
    if passed:
        arguments["extra_opts"] = passed
    if parsed.has("--keep-newer-files"):
        arguments["keep_newer"] = True
    if parsed.values("--exclude"):
        arguments["exclude"] = parsed.values("--exclude")
    if parsed.operands:
        arguments["include"] = tuple(replace(word, glob=False) for word in parsed.operands)
    name = f"Unpack {_label(source)} in {shortened(target.label)}"
    return Converted((Task(name, UNPACK, arguments, "archives.tar", no_log=is_secret),))


def _with_dashes(args: Sequence[Word]) -> tuple[Word, ...]:
    """`tar xzfC a.tgz /opt`: letters without a dash take their values from the words that follow, in their order."""
    first = args[0] if args else Word(())
    letters = first.text
    if letters is None or not re.fullmatch(r"[A-Za-z]+", letters):
        return tuple(args)
    rest = list(args[1:])
    words: list[Word] = []
    for letter in letters:
        words.append(Word.of(f"-{letter}"))
        if _TAR.takes.get(_TAR.names.get(f"-{letter}", "")) == "needed":
            if not rest:
                raise Inexact(f"the letter {letter} lacks its value")
            words.append(rest.pop(0))
    return (*words, *rest)


def _source(command: Command, file: Word | None) -> tuple[Word, bool, Mapping[str, Argument]]:
    """The archive: a file of the machine, or an address that the command is fed from."""
    if file is not None and file.text != "-":
        if file.glob:
            raise Inexact("which archive is unpacked depends on what is there")
        return absolute(command, file), False, {}
    download = fed_by(command)
    if download is None:
        raise Inexact("what it is fed is known only when it runs")
    if set(download.options) - {"validate_certs", "timeout", "http_agent"}:
        raise Inexact("the module cannot say to the server what the command says")
    certificates = download.options.get("validate_certs")
    return download.url, download.is_secret, {} if certificates is None else {"validate_certs": certificates}


def _directory(command: Command, directories: Sequence[Word]) -> Word:
    where = command
    for directory in directories:
        where = replace(where, directory=absolute(where, directory))
    if where.directory.unknown is not None:
        raise Inexact(where.directory.unknown)
    return where.directory


def _passed(parsed: Parsed) -> Iterator[Word]:
    for option in parsed.options:
        if option.name in _TAR_PASSED:
            spelled = Word.of(_LONG.get(option.name, option.name))
            yield spelled if option.value is None else spelled + Word.of("=") + option.value


def _label(source: Word) -> str:
    return shortened(source.label.partition("?")[0])


def _unzip(command: Command) -> Outcome:
    words, excluded = list(command.args), []
    for index, word in enumerate(words):
        if word.text == "-x":
            end = next((at for at in range(index + 1, len(words)) if words[at].startswith("-")), len(words))
            excluded, words = words[index + 1 : end], [*words[:index], *words[end:]]
            break
    parsed = _UNZIP.parse(replace(command, args=tuple(words)))
    parsed.only("-o", "-q", "-qq", "-d", "-X", "-K", "-D", "-DD", "-u", "-n")
    if not parsed.operands:
        raise Inexact("it names no archive")
    archive, *members = parsed.operands
    if archive.glob:
        raise Inexact("which archive is unpacked depends on what is there")
    source = absolute(command, archive)
    target = _directory(command, parsed.values("-d"))
    arguments: dict[str, Argument] = {"src": source, "dest": target, "remote_src": True}
    if members:
        arguments["include"] = tuple(replace(word, glob=False) for word in members)
    if excluded:
        arguments["exclude"] = tuple(replace(word, glob=False) for word in excluded)
    unpack = Task(f"Unpack {_label(source)} in {shortened(target.label)}", UNPACK, arguments, "archives.unzip")
    return Converted((*_made(command, parsed, target), unpack))


def _made(command: Command, parsed: Parsed, target: Word) -> Iterator[Task]:
    """unzip makes the directory that `-d` names, the module does not; one that is there keeps its mode."""
    if parsed.value("-d") is None or target.text in DIRECTORIES or command.context.loop is not None:
        return
    register = guards.registered(command, "target")
    look: dict[str, Argument] = {"path": target}
    yield Task(f"Look for {target.label}", "ansible.builtin.stat", look, "archives.look", register=register)
    made: dict[str, Argument] = {"path": target, "state": "directory", "mode": f"{0o777 & ~command.umask:04o}"}
    when = (f"not {register}.stat.exists",)
    yield Task(f"Create directory {target.label}", "ansible.builtin.file", made, "archives.directory", when=when)


_SINGLE = Grammar.of(
    """
    -d --decompress --uncompress, -k --keep, -f --force, -q --quiet, -v --verbose, -c --stdout --to-stdout, -n --no-name,
    -N --name, -1 --fast, -2, -3, -4, -5, -6, -7, -8, -9 --best, -t --test, -l --list, -z --compress, -e --extreme,
    -T= --threads=, -S= --suffix=, -r --recursive, --rm, --no-progress, -s --small
    """
)
_SUFFIXES = {
    **dict.fromkeys(("gzip", "gunzip"), ".gz"),
    **dict.fromkeys(("bzip2", "bunzip2"), ".bz2"),
    **dict.fromkeys(("xz", "unxz"), ".xz"),
    **dict.fromkeys(("zstd", "unzstd"), ".zst"),
}


def _single(command: Command) -> Outcome:
    parsed = _SINGLE.parse(command)
    parsed.only("-d", "-k", "-f", "-q", "-v", "-n", "-N", "--rm", "--no-progress", "-9", "-T", "-1", "-6", "-e", "-z")
    if len(parsed.operands) != 1 or parsed.operands[0].glob:
        raise Inexact("it is given no single file")
    (file,) = parsed.operands
    suffix = _SUFFIXES[command.name]
    is_unpacked = parsed.has("-d") or command.name.startswith(("gun", "bun", "un"))
    keeps = parsed.has("-k") or (suffix == ".zst" and not parsed.has("--rm"))
    path = absolute(command, file)
    verb = "Unpack" if is_unpacked else "Compress"
    made = _without(path, suffix) if is_unpacked else path + Word.of(suffix)
    name = f"{verb} {shortened(path.label)}"
    if keeps:
        return Converted((guards.run(command, name, "archives.file", creates=made),))
    return Converted((guards.run(command, name, "archives.file", removes=path),))


def _without(path: Word, suffix: str) -> Word:
    last = path.pieces[-1] if path.pieces else None
    if not isinstance(last, Text) or not last.value.endswith(suffix):
        raise Inexact(f"what {path.label} becomes is not clear from its name")
    left = last.value.removesuffix(suffix)
    return replace(path, pieces=(*path.pieces[:-1], *((Text(left),) if left else ())))


RULES: Mapping[str, Rule] = {"tar": _tar, "bsdtar": _tar, "unzip": _unzip, **dict.fromkeys(_SUFFIXES, _single)}
