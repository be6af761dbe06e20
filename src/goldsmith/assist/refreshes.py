"""What refresh commands read, by which a task knows that it has to ask for one, and who needs what they make."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from goldsmith.assist.commands import Argument, Word
from goldsmith.assist.tasks import Task

SERVICES = ("ansible.builtin.systemd_service", "ansible.builtin.service", "ansible.builtin.sysvinit")
_DOWNLOADS = ("ansible.builtin.get_url", "ansible.builtin.uri", "ansible.builtin.git", "ansible.builtin.pip")


@dataclass(frozen=True, slots=True)
class Refresh:
    """A refresh command, or a restart."""

    reads: tuple[str, ...]
    """Beginnings of paths: a task that writes below one notifies the handler."""
    needed_by: tuple[str, ...] = ()
    """Modules, besides every command and shell line, before which it must have run."""
    is_needed_by_commands: bool = True


def _refresh(paths: str, needed_by: tuple[str, ...] = ()) -> Refresh:
    return Refresh(tuple(paths.split()), needed_by)


_APACHE = _refresh("/etc/apache2 /etc/httpd")
_CERTIFICATES = _refresh(
    "/usr/local/share/ca-certificates /usr/share/ca-certificates /etc/ca-certificates /etc/pki/ca-trust /usr/share/pki",
    _DOWNLOADS,
)
_GRUB = _refresh("/etc/default/grub /etc/grub.d /boot /etc/kernel")
_INITRAMFS = _refresh(
    "/etc/initramfs-tools /etc/dracut /etc/modprobe.d /etc/modules /etc/crypttab /usr/share/initramfs-tools /lib/modules "
    "/usr/lib/modules /usr/lib/dracut /etc/fstab /etc/mkinitcpio"
)
_LABELS = _refresh("/")
_LIBRARIES = _refresh("/etc/ld.so.conf /lib /usr/lib /usr/local /opt")
_TEX = _refresh("/usr/share/texmf /usr/local/share/texmf /etc/texmf")
_UNITS = _refresh("/etc/systemd /lib/systemd /usr/lib/systemd /usr/local/lib/systemd /run/systemd /etc/init.d", SERVICES)

REFRESHES: Mapping[str, Refresh] = {
    "apache2ctl": _APACHE,
    "apachectl": _APACHE,
    "apparmor_parser": _refresh("/etc/apparmor"),
    "augenrules": _refresh("/etc/audit"),
    "daemon-reexec": _UNITS,
    "daemon-reload": _UNITS,
    "dconf": _refresh("/etc/dconf"),
    "depmod": _refresh("/lib/modules /usr/lib/modules /etc/depmod.d"),
    "dkms": _refresh("/usr/src /etc/dkms"),
    "dracut": _INITRAMFS,
    "exportfs": _refresh("/etc/exports"),
    "fc-cache": _refresh("/usr/share/fonts /usr/local/share/fonts /etc/fonts"),
    "fixfiles": _LABELS,
    "glib-compile-schemas": _refresh("/usr/share/glib-2.0"),
    "grub-mkconfig": _GRUB,
    "grub2-mkconfig": _GRUB,
    "gtk-update-icon-cache": _refresh("/usr/share/icons"),
    "install-info": _refresh("/usr/share/info /usr/local/share/info"),
    "kernel-install": _refresh("/etc/kernel /lib/modules /usr/lib/modules"),
    "ldconfig": _LIBRARIES,
    "locale-gen": _refresh("/etc/locale.gen /var/lib/locales"),
    "mandb": _refresh("/usr/share/man /usr/local/share/man /usr/local/man"),
    "mkinitcpio": _INITRAMFS,
    "mkinitramfs": _INITRAMFS,
    "mkinitrd": _INITRAMFS,
    "mktexlsr": _TEX,
    "netfilter-persistent": _refresh("/etc/iptables"),
    "netplan": _refresh("/etc/netplan"),
    "newaliases": _refresh("/etc/aliases /etc/mail"),
    "nginx": _refresh("/etc/nginx"),
    "pam-auth-update": _refresh("/usr/share/pam-configs"),
    "postalias": _refresh("/etc/aliases /etc/postfix"),
    "postmap": _refresh("/etc/postfix"),
    "restorecon": _LABELS,
    "sysctl": _refresh("/etc/sysctl /usr/lib/sysctl.d /run/sysctl.d"),
    "systemd-hwdb": _refresh("/etc/udev/hwdb /usr/lib/udev/hwdb /lib/udev/hwdb"),
    "systemd-sysusers": _refresh("/etc/sysusers.d /usr/lib/sysusers.d"),
    "systemd-tmpfiles": _refresh("/etc/tmpfiles.d /usr/lib/tmpfiles.d"),
    "texhash": _TEX,
    "udevadm": _refresh("/etc/udev /lib/udev /usr/lib/udev"),
    "update-bootloader": _GRUB,
    "update-ca-certificates": _CERTIFICATES,
    "update-ca-trust": _CERTIFICATES,
    "update-desktop-database": _refresh("/usr/share/applications /usr/local/share/applications"),
    "update-grub": _GRUB,
    "update-grub2": _GRUB,
    "update-initramfs": _INITRAMFS,
    "update-mime-database": _refresh("/usr/share/mime"),
    "update-shells": _refresh("/etc/shells /usr/share/debianutils/shells.d"),
    "zipl": _refresh("/etc/zipl.conf /boot"),
}
"""By the program of the handler; reloading systemd's units is "daemon-reload"."""


def refresh_of(task: Task) -> Refresh | None:
    """What a handler reads, and who needs it; None where nobody knows."""
    if task.module in SERVICES:
        return REFRESHES["daemon-reload"] if "name" not in task.args else _restart(task.args["name"])
    return REFRESHES.get(_program(task))


def _restart(unit: Argument) -> Refresh | None:
    """A service reads what lies below its name in /etc, and its own unit."""
    text = unit.text if isinstance(unit, Word) else unit
    if not isinstance(text, str):
        return None
    name = re.sub(r"\.(?:service|socket|timer|target)$|@.*$", "", text)
    stems = dict.fromkeys([name, name.removesuffix("d"), f"{name}d", name.removeprefix("systemd-")])
    places = [f"/etc/{stem}" for stem in stems if len(stem) > 1]
    places += [f"/etc/{place}/{name}" for place in ("default", "sysconfig", "init.d", "conf.d")]
    places += [f"{place}/systemd/system/{name}" for place in ("/etc", "/lib", "/usr/lib")]
    if name.startswith("systemd-"):
        places.append("/etc/systemd")
    return Refresh(tuple(places), (), is_needed_by_commands=False)


def _program(task: Task) -> str:
    words = task.args.get("argv", task.args.get("cmd", ""))
    if isinstance(words, Sequence) and not isinstance(words, str):
        first = words[0] if words else ""
    else:
        text = words.text if isinstance(words, Word) else str(words)
        first = next((word for word in _split(text or "") if not re.match(r"set$|[-+]\w*$|pipefail$", word)), "")
    return ((first.text or "") if isinstance(first, Word) else str(first)).rpartition("/")[2]


def _split(line: str) -> list[str]:
    try:
        return shlex.split(line)
    except ValueError:
        return []
