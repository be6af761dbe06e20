"""Probes of users, groups and passwords."""

from __future__ import annotations

import re
import stat
from collections import Counter
from collections.abc import Iterator

from goldsmith.gates.hardening.probes.sudo import sudoers_lines
from goldsmith.gates.hardening.scene import Arguments, Fault, Scene, holds

PASSWD, SHADOW, GROUP = "etc/passwd", "etc/shadow", "etc/group"
LOGIN_DEFS = "etc/login.defs"
_HASH = re.compile(r"\$|_|[./0-9A-Za-z]{13}$")
"""What crypt(5) takes for a hash: with a prefix, or 13 signs of DES. Anything else fits no password."""

FIRST_PERSON = 1000
NOBODY = 65534


def no_builder(scene: Scene, arguments: Arguments) -> Iterator[Fault]:
    """No account and no sudo rule of those that builders use is left."""
    names = set(arguments.texts("names")) - {scene.subject.declared.login}
    for user in scene.accounts.users:
        if user.name in names:
            yield Fault(f'the account "{user.name}" of a builder is left', PASSWD)
    for path, number, line in sudoers_lines(scene):
        for name in sorted(names & set(re.split(r"[\s,=:%()]+", line.partition("NOPASSWD")[0]))):
            yield Fault(f"a sudo rule of a builder is left: {name}", path, number)


def root_locked(scene: Scene, arguments: Arguments) -> Iterator[Fault]:
    """Nobody logs in as root with a password."""
    passwords = dict(scene.accounts.passwords)
    if "root" not in passwords:
        yield Fault("root has no line in /etc/shadow", SHADOW)
    elif not passwords["root"].startswith(("!", "*")):
        yield Fault("root has a password or none at all", SHADOW)


def no_password(scene: Scene, arguments: Arguments) -> Iterator[Fault]:
    """No account, root included, has a password that lets somebody in, or an empty one."""
    for name, stored in scene.accounts.passwords:
        if not stored or _HASH.match(stored):
            yield Fault(f'the account "{name}" has {"a password" if stored else "an empty password"}', SHADOW)


def one_root(scene: Scene, arguments: Arguments) -> Iterator[Fault]:
    """Only root has uid 0."""
    for user in scene.accounts.users:
        if user.uid == 0 and user.name != "root":
            yield Fault(f'"{user.name}" has uid 0', PASSWD)
    if not any(user.uid == 0 and user.name == "root" for user in scene.accounts.users):
        yield Fault("there is no root with uid 0", PASSWD)


def unique(scene: Scene, arguments: Arguments) -> Iterator[Fault]:
    """No two accounts or groups share a name or a number."""
    accounts = scene.accounts
    for what, path, values in (
        ("uid", PASSWD, [str(user.uid) for user in accounts.users if user.uid]),
        ("user name", PASSWD, [user.name for user in accounts.users]),
        ("gid", GROUP, [str(group.gid) for group in accounts.groups]),
        ("group name", GROUP, [group.name for group in accounts.groups]),
    ):
        for value, count in Counter(values).items():
            if count > 1:
                yield Fault(f"{count} have the {what} {value}", path)


def shadowed(scene: Scene, arguments: Arguments) -> Iterator[Fault]:
    """Passwords are in /etc/shadow alone, and each account has a line there."""
    known = {name for name, _ in scene.accounts.passwords}
    for user in scene.accounts.users:
        if user.password != "x" or user.name not in known:
            yield Fault(f'the password of "{user.name}" is not in /etc/shadow', PASSWD)


def service_shells(scene: Scene, arguments: Arguments) -> Iterator[Fault]:
    """Accounts of services have no login shell."""
    for user in scene.accounts.users:
        is_service = 0 < user.uid < FIRST_PERSON or user.uid == NOBODY
        if is_service and user.can_log_in:
            yield Fault(f'the service account "{user.name}" has the shell {user.shell or "/bin/sh"}', PASSWD)


def homes(scene: Scene, arguments: Arguments) -> Iterator[Fault]:
    """Each person's home is there, theirs, and open to nobody else."""
    for user in scene.accounts.users:
        if not (FIRST_PERSON <= user.uid < NOBODY or user.uid == 0) or not user.can_log_in:
            continue
        path = user.home.lstrip("/")
        status = scene.tree.status(path)
        if status is None or not stat.S_ISDIR(status.st_mode):
            yield Fault(f'the home {user.home} of "{user.name}" is not there', PASSWD)
        elif status.st_uid != user.uid:
            yield Fault(f'{user.home} does not belong to "{user.name}"', path)
        elif status.st_mode & 0o027:
            yield Fault(f"{user.home} is open to others: mode {stat.S_IMODE(status.st_mode):04o}", path)


def empty_group(scene: Scene, arguments: Arguments) -> Iterator[Fault]:
    """Nobody is a member of `group`."""
    wanted = arguments.text("group")
    for group in scene.accounts.groups:
        if group.name != wanted:
            continue
        members = {*group.members, *(user.name for user in scene.accounts.users if user.gid == group.gid)}
        for name in sorted(members):
            yield Fault(f'"{name}" is in the group {wanted}', GROUP)


def login_defs(scene: Scene, arguments: Arguments) -> Iterator[Fault]:
    """The settings of /etc/login.defs are as wanted; the last line of a name counts."""
    found: dict[str, tuple[str, int]] = {}
    for number, line in scene.lines(LOGIN_DEFS):
        name, _, value = line.replace("\t", " ").partition(" ")
        found[name] = (value.strip(), number)
    for name, wanted in arguments.table("values").items():
        value, number = found.get(name, ("", 0))
        if not holds(value, wanted):
            yield Fault(f"{name} is {value or 'not set'}, {wanted} is wanted", LOGIN_DEFS, number)


def shell_timeout(scene: Scene, arguments: Arguments) -> Iterator[Fault]:
    """Idle shells end: TMOUT is set and between 1 and `most` seconds."""
    last: tuple[str, str, int] | None = None
    for path in ["etc/profile", *scene.tree.glob("etc/profile.d/*.sh"), "etc/bash.bashrc"]:
        for number, line in scene.lines(path):
            match = re.search(r"\bTMOUT=(\d+)", line)
            if match:
                last = (match[1], path, number)
    if last is None:
        yield Fault("TMOUT is set nowhere", "etc/profile.d")
    elif not 1 <= int(last[0]) <= arguments.number("most"):
        yield Fault(f"TMOUT is {last[0]}, 1 to {arguments.number('most')} is wanted", last[1], last[2])
