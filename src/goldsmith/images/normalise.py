"""Normalising a tree: removing what must not be in an image, saying what was removed, refusing what may not be there."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from goldsmith.hcl.diagnostics import Diagnostic, UserError
from goldsmith.images.rules import Rule, Stage, matcher, rule_of
from goldsmith.images.tree import Entry, scan

SHADOW = "etc/shadow"
_SECONDS_A_DAY = 86400
_PRIVATE_KEY = re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----")
_HOMES = re.compile(rb"^(?:[^:\n]*:){5}/([^:\n]+):", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Removed:
    """Something that normalising deleted, emptied or changed."""

    path: str
    """With a leading slash."""
    rule: str


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that may not be in an image, and that no rule removes."""

    path: str
    rule: str
    why: str


def normalise(tree: Path, epoch: int, stage: Stage = "seal", entries: Sequence[Entry] | None = None) -> list[Removed]:
    """Apply the rules to a tree, and set every time later than `epoch` to it (whole seconds).

    Files are replaced and never written into, so a tree may share its files with others by hard links. `entries` is what
    `scan` has said of the tree, when the caller knows it already. Returns what was removed, sorted by path.
    """
    known = scan(tree) if entries is None else entries
    expression = matcher(stage, homes(tree))
    removed: list[Removed] = []
    gone = b""
    for entry in known:
        if gone and entry.path.startswith(gone):
            continue
        rule = None if entry.kind == "whiteout" else rule_of(entry.path, expression)
        if rule is not None and _apply(rule, entry):
            removed.append(Removed("/" + os.fsdecode(entry.path), rule.name))
            gone = entry.path + b"/" if rule.action == "delete" else b""
    removed += _clamp_password_days(tree, epoch)
    clamp_times(known, epoch, shared=stage == "seal")
    return sorted(removed, key=_path)


def refuse(tree: Path) -> list[Finding]:
    """What may not be in a sealed tree, sorted by path; empty for a tree that may be sealed."""
    expression = matcher("seal", homes(tree))
    findings: list[Finding] = []
    for entry in scan(tree):
        found = _reappeared(entry, expression) or _forbidden(entry)
        if found is not None:
            findings.append(Finding("/" + os.fsdecode(entry.path), *found))
    return findings


def homes(tree: Path) -> tuple[str, ...]:
    """The home directories that the tree's users have or may get, as expressions' literals relative to the tree."""
    try:
        return homes_in(_read(inside(tree, "etc/passwd")))
    except (OSError, UserError):
        return homes_in(b"")


def homes_in(passwd: bytes) -> tuple[str, ...]:
    """The same for the content of a passwd(5) file."""
    found = {os.fsdecode(home) for home in _HOMES.findall(passwd) if home.startswith((b"home/", b"srv/", b"var/lib/", b"opt/"))}
    return tuple(sorted(found | {"root", "home/*", "etc/skel"}))


def inside(tree: Path, path: str) -> Path:
    """Where a path of the tree is on the host. Raises `UserError` when a link of the tree leads away from it.

    Without this, a tree whose /etc is a link to /etc would have the host's files changed.
    """
    place = tree
    for name in path.split("/")[:-1]:
        place = place / name
        if place.is_symlink():
            raise UserError(_leads_away(place, tree))
    return tree / path


def clamp_times(entries: Sequence[Entry], epoch: int, *, shared: bool = False) -> None:
    """Give each entry that is still there the time it had when it was listed, at most `epoch`, in whole seconds.

    With `shared`, a file with several names is left alone: some of them are a layer's, which never changes.
    """
    latest = epoch * 1_000_000_000
    for entry in entries:
        wanted = min(entry.status.st_mtime_ns, latest) // 1_000_000_000 * 1_000_000_000
        if entry.kind == "whiteout" or (wanted == entry.status.st_mtime_ns and entry.kind != "directory"):
            continue
        if shared and entry.kind != "directory" and entry.status.st_nlink > 1:
            continue
        try:
            os.utime(entry.place, ns=(wanted, wanted), follow_symlinks=False)
        except FileNotFoundError:
            continue


def replace_file(path: Path, content: bytes, mode: int = 0o644, owner: tuple[int, int] = (0, 0)) -> None:
    """Put a file at `path` as a new inode, in one step."""
    temporary = path.with_name(f".{secrets.token_hex(8)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            os.fchown(file.fileno(), *owner)
            os.fchmod(file.fileno(), mode)
        temporary.rename(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _apply(rule: Rule, entry: Entry) -> bool:
    if rule.action == "truncate":
        if entry.kind != "file" or entry.status.st_size == 0:
            return False
        status = entry.status
        replace_file(Path(os.fsdecode(entry.place)), b"", stat.S_IMODE(status.st_mode), (status.st_uid, status.st_gid))
        return True
    if entry.kind == "directory":
        shutil.rmtree(entry.place)
    else:
        os.unlink(entry.place)
    return True


def _clamp_password_days(tree: Path, epoch: int) -> list[Removed]:
    """The day of a password's last change is the day of the build for users that the build added."""
    path = inside(tree, SHADOW)
    if not path.is_file() or path.is_symlink():
        return []
    before, status = path.read_bytes(), path.stat()
    after = b"".join(_clamped_line(line, epoch // _SECONDS_A_DAY) for line in before.splitlines(keepends=True))
    if after == before:
        return []
    replace_file(path, after, stat.S_IMODE(status.st_mode), (status.st_uid, status.st_gid))
    seconds = min(int(status.st_mtime), epoch)
    os.utime(path, (seconds, seconds))
    return [Removed("/" + SHADOW, "password-days")]


def _clamped_line(line: bytes, day: int) -> bytes:
    fields = line.split(b":")
    if len(fields) > 2 and fields[2].isdigit() and int(fields[2]) > day:
        fields[2] = b"%d" % day
    return b":".join(fields)


def _reappeared(entry: Entry, expression: re.Pattern[bytes]) -> tuple[str, str] | None:
    rule = rule_of(entry.path, expression)
    if rule is None or (rule.action == "truncate" and (entry.kind != "file" or entry.status.st_size == 0)):
        return None
    return rule.name, rule.reason


def _forbidden(entry: Entry) -> tuple[str, str] | None:
    head, _, name = entry.path.rpartition(b"/")
    if entry.kind == "socket":
        return "socket", "a socket means nothing without the process that made it"
    if name.startswith(b".wh."):
        return "reserved-name", 'names that begin with ".wh." mean a deletion in the format of layers'
    if name.endswith((b".dpkg-tmp", b".dpkg-new")) and not head.startswith(b"usr/share/doc"):
        return "half-installed", "the package manager was interrupted while it replaced this file"
    if head in (b"proc", b"sys"):
        return "kernel-file-system", "a file here is hidden by the kernel's own file system as soon as the machine runs"
    if entry.path == b"usr/sbin/policy-rc.d" and entry.kind == "file":
        return "builder-policy", "it keeps services from starting and belongs to a build only"
    if head == b"etc/ssh" and entry.kind == "file" and _PRIVATE_KEY.search(Path(os.fsdecode(entry.place)).read_bytes()):
        return "host-keys", "it holds a private key; host keys are made at the first boot"
    return None


def _read(path: Path) -> bytes:
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb") as file:
        return file.read()


def _leads_away(place: Path, tree: Path) -> Diagnostic:
    return Diagnostic(
        code="image.linked-directory",
        what=f'"/{place.relative_to(tree)}" of the image is a link, not a directory',
        why="files below it decide what is sealed, and the link may lead out of the image",
        next="Make it a directory in the step that replaced it.",
    )


def _path(item: Removed) -> str:
    return item.path
