"""Probes of files: what must not be there, who owns what, and modes; the walk over all inodes serves most of them."""

from __future__ import annotations

import os
import re
import socket
import stat
from collections.abc import Iterator
from fnmatch import fnmatchcase, translate

from goldsmith.gates.hardening.scene import Arguments, Fault, NotEvaluated, Scene
from goldsmith.gates.secrets.packaged import packaged_files
from goldsmith.images.tree import shown

LARGEST_PROGRAM = 256 << 20
"""Bytes of a file whose content is compared with its package's."""


def absent(scene: Scene, arguments: Arguments) -> Iterator[Fault]:
    """None of `paths` is there."""
    for pattern in arguments.texts("paths"):
        for path in scene.tree.glob(pattern):
            yield Fault(f"/{shown(path)} is in the image", shown(path))


def present(scene: Scene, arguments: Arguments) -> Iterator[Fault]:
    """At least one of `paths` is there."""
    if not any(scene.tree.glob(pattern) for pattern in arguments.texts("paths")):
        yield Fault(f"none of {', '.join('/' + path for path in arguments.texts('paths'))} is there")


def no_file_named(scene: Scene, arguments: Arguments) -> Iterator[Fault]:
    """No file anywhere has one of `names`, below `except` aside."""
    spared = arguments.texts("except")
    for name in arguments.texts("names"):
        for found, paths in scene.walk.named.items():
            if not fnmatchcase(found, name):
                continue
            for path in paths:
                if not any(path.startswith(prefix) for prefix in spared):
                    yield Fault(f"/{path} is in the image", path)


def core_files(scene: Scene, arguments: Arguments) -> Iterator[Fault]:
    """No memory dump lies about, and dumps of processes are off."""
    for name, paths in scene.walk.named.items():
        for path in paths:
            if (name == "core" or re.fullmatch(r"core\.\d+", name)) and _is_dump(scene, path):
                yield Fault(f"/{path} is a memory dump", path)
    limits = [*scene.tree.glob("etc/security/limits.d/*.conf"), "etc/security/limits.conf"]
    lines = [line.split() for path in limits for _, line in scene.lines(path)]
    if not any(line[0] == "*" and line[1] in ("hard", "-") and line[2:4] == ["core", "0"] for line in lines if len(line) > 3):
        yield Fault("no limit says that processes leave no core: `* hard core 0`", "etc/security/limits.conf")


def _is_dump(scene: Scene, path: str) -> bool:
    status = scene.tree.status(path)
    if status is None or not stat.S_ISREG(status.st_mode):
        return False
    with open(f"{scene.tree.root}/{path}", "rb") as file:
        head = file.read(18)
    return head[:4] == b"\x7fELF" and head[16:17] == b"\x04"


def empty_directories(scene: Scene, arguments: Arguments) -> Iterator[Fault]:
    """Nothing is in any of `paths`."""
    for path in arguments.texts("paths"):
        for found in [*scene.tree.glob(f"{path}/*"), *scene.tree.glob(f"{path}/.*")]:
            yield Fault(f"/{shown(found)} was left behind", shown(found))


def modes(scene: Scene, arguments: Arguments) -> Iterator[Fault]:
    """Each path of `paths` that is there has at most this mode and belongs to root; `groups` may own some."""
    groups = {"root", *arguments.texts("groups")}
    allowed = {group.gid for group in scene.accounts.groups if group.name in groups}
    for pattern, mode in arguments.table("paths").items():
        for path in scene.tree.glob(pattern):
            status = scene.tree.status(path)
            if status is None:
                continue
            extra = stat.S_IMODE(status.st_mode) & ~int(mode, 8)
            if extra:
                told = f"/{shown(path)} has mode {stat.S_IMODE(status.st_mode):04o}, at most {mode} is wanted"
                yield Fault(told, shown(path))
            if status.st_uid != 0 or status.st_gid not in allowed:
                yield Fault(f"/{shown(path)} belongs to {status.st_uid}:{status.st_gid}, not to root", shown(path))


def allow_lists(scene: Scene, arguments: Arguments) -> Iterator[Fault]:
    """Where a program of `lists` is, the file beside it says who may use it."""
    for program, path in arguments.table("lists").items():
        if scene.tree.has(program) and scene.tree.text(path) is None:
            yield Fault(f"/{path} is missing: everybody may use /{program}", path)


def machine_id(scene: Scene, arguments: Arguments) -> Iterator[Fault]:
    """The machine id is made at first boot."""
    for path in ("etc/machine-id", "var/lib/dbus/machine-id"):
        text = scene.tree.text(path)
        if text is not None and text.strip() not in ("", "uninitialized"):
            yield Fault(f"/{path} has an id: every clone would have the same", path, 1)


def neutral_hostname(scene: Scene, arguments: Arguments) -> Iterator[Fault]:
    """The host name is of no machine: not this host's, no address, no domain."""
    name = (scene.tree.text("etc/hostname") or "").strip()
    if name and name == socket.gethostname() and name not in ("localhost", scene.subject.image):
        yield Fault(f'the host name "{name}" is that of the machine that built the image', "etc/hostname", 1)
    elif re.search(r"\.|^ip-\d|\d+-\d+-\d+-\d+|^[0-9a-f]{12}$", name):
        yield Fault(f'the host name "{name}" is that of one machine', "etc/hostname", 1)


def world_writable(scene: Scene, arguments: Arguments) -> Iterator[Fault]:
    """Nobody but its owner and group may write a file; directories that all may write are sticky."""
    for path in scene.walk.world_writable:
        yield Fault(f"everybody may write /{path}", path)
    for path in scene.walk.not_sticky:
        yield Fault(f"everybody may write the directory /{path}, and it is not sticky", path)


def unowned(scene: Scene, arguments: Arguments) -> Iterator[Fault]:
    """Each file belongs to a user and a group of the image."""
    users = {user.uid for user in scene.accounts.users}
    groups = {group.gid for group in scene.accounts.groups}
    for (uid, gid), path in scene.walk.owners.items():
        if uid not in users or gid not in groups:
            yield Fault(f"/{path} belongs to {uid}:{gid}, of whom the image knows nothing", path)


def privileged(scene: Scene, arguments: Arguments) -> Iterator[Fault]:
    """setuid, setgid and capabilities only on the files of the list, and those that the project allows."""
    allowed = {*arguments.texts("allowed"), *scene.wishes.setuid}
    for path in scene.walk.privileged:
        if not any(fnmatchcase(path, pattern.lstrip("/")) for pattern in allowed):
            told = f"/{path} runs with rights that its caller has not, and is on no list{_since(scene, path)}"
            yield Fault(told, path)


def _since(scene: Scene, path: str) -> str:
    subject = scene.subject
    if not (subject.parent_layers and subject.roots):
        return ""
    is_new = any(os.path.lexists(layer / path) for layer in subject.roots[subject.parent_layers :])
    return ": it is new against the parent" if is_new else ": it came with the parent"


def unmodified(scene: Scene, arguments: Arguments) -> Iterator[Fault]:
    """Packaged programs, libraries of PAM and units have the content that their packages say, as far as that is known.

    For a built image the sums come from verified packages, not from the image, which could have changed them too.
    """
    known = packaged_files(scene.subject)
    fits = re.compile("|".join(translate(pattern) for pattern in arguments.texts("below"))).match
    paths = [path for path in known.sums if fits(path)]
    if not paths:
        raise NotEvaluated("nothing is known of what the packages brought")
    for path in paths:
        directory, _, name = path.rpartition("/")
        place = scene.tree.real(directory)
        found = f"{scene.tree.root}/{place}/{name}"
        # A missing file does no harm; a link in its place is another program.
        if place is None or not os.path.lexists(found):
            continue
        if not stat.S_ISREG(os.lstat(found).st_mode):
            yield Fault(f"/{shown(path)} is a link, where its package brought a file", shown(path))
            continue
        if os.lstat(found).st_size > LARGEST_PROGRAM:
            yield Fault(f"/{shown(path)} is larger than any packaged program", shown(path))
            continue
        if not known.is_unchanged(path, found):
            yield Fault(f"/{shown(path)} is not what its package brought", shown(path))


def recorded(scene: Scene, arguments: Arguments) -> Iterator[Fault]:
    """The image's content is recorded where the image cannot change it: its layers and its digest; or it has AIDE."""
    has_digest = scene.subject.has_disk_digest and bool(scene.subject.layers)
    if not has_digest and scene.tree.status("usr/bin/aide") is None:
        yield Fault("no baseline of its files is recorded: the image has no layers, and no aide")
