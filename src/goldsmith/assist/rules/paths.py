"""Paths that operands name: made absolute, joined, and what is known of them in any image."""

from __future__ import annotations

import posixpath
from dataclasses import replace

from goldsmith.assist.commands import Command, Text, Variable, Word
from goldsmith.assist.expressions import atom
from goldsmith.assist.rules.options import text
from goldsmith.assist.tasks import Inexact

ITEM = Word((Variable("item", "loop"),), "item")
"""What a task's own loop gives."""

DIRECTORIES = frozenset(
    path
    for line in """
    / /boot /dev /etc /home /media /mnt /opt /proc /root /run /srv /sys /tmp /usr /var
    /bin /sbin /lib /lib64 /usr/bin /usr/sbin /usr/lib /usr/libexec /usr/share /usr/src /usr/include /usr/games
    /usr/local /usr/local/bin /usr/local/sbin /usr/local/lib /usr/local/share /usr/local/etc /usr/local/src /usr/local/include
    /usr/share/doc /usr/share/man /usr/share/keyrings /usr/lib/systemd /usr/lib/systemd/system /lib/systemd/system
    /lib/systemd /etc/systemd /etc/systemd/system /etc/systemd/network /etc/ssh /etc/ssl /etc/ssl/certs /etc/pki /etc/skel
    /etc/apt /etc/apt/apt.conf.d /etc/apt/preferences.d /etc/apt/sources.list.d /etc/apt/trusted.gpg.d /etc/apt/keyrings
    /etc/yum.repos.d /etc/pki/rpm-gpg /etc/cron.d /etc/cron.daily /etc/cron.hourly /etc/cron.weekly /etc/cron.monthly
    /etc/default /etc/init.d /etc/logrotate.d /etc/modprobe.d /etc/modules-load.d /etc/pam.d /etc/profile.d /etc/rc.d
    /etc/security /etc/security/limits.d /etc/sudoers.d /etc/sysconfig /etc/sysctl.d /etc/udev /etc/udev/rules.d
    /etc/sysconfig/network-scripts /etc/update-motd.d /etc/network /etc/tmpfiles.d /etc/ld.so.conf.d /etc/dnf /etc/cloud
    /etc/cloud/cloud.cfg.d /etc/ssh/sshd_config.d /etc/kernel /etc/dpkg /etc/dpkg/dpkg.cfg.d /etc/rsyslog.d
    /var/cache /var/lib /var/lock /var/log /var/mail /var/opt /var/run /var/spool /var/tmp /var/spool/cron
    """.splitlines()
    for path in line.split()
)
"""Directories that distributions make: what is copied, moved or linked to one of them lands inside."""

MODES = {
    "/etc/sudoers": "0440",
    "/etc/gshadow": "",
    "/etc/shadow": "",
    "/etc/ssh/sshd_config": "",
    "/root": "0700",
    "/tmp": "1777",
    "/var/tmp": "1777",
    "/etc/sudoers.d": "",
}
"""What has another mode in an image than a new file would have; empty where distributions differ."""

PRESENT = frozenset(MODES) | {
    *("/etc/bash.bashrc", "/etc/bashrc", "/etc/default/grub", "/etc/environment", "/etc/fstab", "/etc/group", "/etc/hosts"),
    *("/etc/login.defs", "/etc/nsswitch.conf", "/etc/passwd", "/etc/profile", "/etc/resolv.conf", "/etc/ssh/ssh_config"),
    *("/etc/security/limits.conf", "/root/.bashrc", "/root/.profile", "/root/.bash_profile"),
}
"""What an image has when a script adds to it."""


def absolute(command: Command, word: Word) -> Word:
    """The path that an operand names, without a slash at its end; raises `Inexact` where the directory is unknown."""
    path = command.path(word)
    if path.unknown is not None:
        raise Inexact(path.unknown)
    known = path.text
    if known is not None:
        return replace(path, pieces=(Text(_normal(known)),)) if known else path
    return _without_slash(path)


def _normal(path: str) -> str:
    return posixpath.normpath(path).replace("//", "/")


def _without_slash(path: Word) -> Word:
    last = path.pieces[-1]
    if not isinstance(last, Text) or not last.value.endswith("/"):
        return path
    left = last.value.rstrip("/")
    return replace(path, pieces=(*path.pieces[:-1], Text(left)) if left else path.pieces[:-1])


def ends_with_slash(word: Word) -> bool:
    """Whether an operand says by its last character that it is a directory."""
    last = word.pieces[-1] if word.pieces else Text("")
    return isinstance(last, Text) and (last.value.endswith("/") or last.value in (".", "..") or last.value.endswith("/."))


def is_directory(command: Command, word: Word) -> bool:
    """Whether an operand is surely a directory: it says so, or every image has it. False does not mean that it is none."""
    return ends_with_slash(word) or absolute(command, word).text in DIRECTORIES


def name_of(word: Word) -> Word:
    """What follows the last slash of a path; raises `Inexact` where a value decides it."""
    pieces = _without_slash(word).pieces
    for index in range(len(pieces) - 1, -1, -1):
        piece = pieces[index]
        if isinstance(piece, Text) and "/" in piece.value:
            rest = piece.value.rpartition("/")[2]
            return Word(((Text(rest),) if rest else ()) + pieces[index + 1 :], word.source)
    if len(pieces) == 1 and isinstance(pieces[0], Variable):
        return Word((Variable(f"{atom(pieces[0].expression)} | basename", pieces[0].kind),), word.source)
    return Word(pieces, word.source)


def inside(directory: Word, name: Word) -> Word:
    """A path in a directory."""
    if directory.text == "/":
        return Word.of("/") + name
    return _without_slash(directory) + Word.of("/") + name


def parent(path: Word) -> Word | None:
    """The directory of an absolute path, or None where a value decides it."""
    for index in range(len(path.pieces) - 1, -1, -1):
        piece = path.pieces[index]
        if isinstance(piece, Text) and "/" in piece.value:
            before = piece.value.rpartition("/")[0]
            pieces = path.pieces[:index] + ((Text(before),) if before else ())
            return Word(pieces or (Text("/"),))
    return None


def relative(target: str, link: str) -> str:
    """The target of a link as it is told from the link's own directory."""
    return posixpath.relpath(target, posixpath.dirname(link))


def missing_parents(path: Word) -> tuple[str, ...]:
    """The directories above a path that not every image has, from the top; raises `Inexact` where a value decides them."""
    above: list[str] = []
    current = posixpath.dirname(text(path))
    while current not in DIRECTORIES:
        above.append(current)
        current = posixpath.dirname(current)
    return tuple(reversed(above))
