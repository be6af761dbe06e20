"""Commands that make something again from files that others changed: handlers, which run once after these changes."""

from __future__ import annotations

from collections.abc import Mapping

from goldsmith.assist import guards
from goldsmith.assist.commands import Command
from goldsmith.assist.tasks import Converted, Inexact, Outcome, Rule

# What each command makes again, as the end of "Refresh …".
_REFRESHES: Mapping[str, str] = {
    "ldconfig": "the cache of shared libraries",
    "update-grub": "the configuration of GRUB",
    "update-grub2": "the configuration of GRUB",
    "grub2-mkconfig": "the configuration of GRUB",
    "grub-mkconfig": "the configuration of GRUB",
    "zipl": "the boot loader",
    "update-bootloader": "the boot loader",
    "update-initramfs": "the initial RAM disk",
    "mkinitramfs": "the initial RAM disk",
    "mkinitrd": "the initial RAM disk",
    "mkinitcpio": "the initial RAM disk",
    "dracut": "the initial RAM disk",
    "depmod": "the list of kernel modules",
    "udevadm": "the rules of udev",
    "restorecon": "the labels of SELinux",
    "fixfiles": "the labels of SELinux",
    "update-ca-certificates": "the certificates of authorities",
    "update-ca-trust": "the certificates of authorities",
    "netplan": "the configuration of the network",
    "systemd-tmpfiles": "temporary files",
    "systemd-sysusers": "the users of the system",
    "systemd-hwdb": "the data base of hardware",
    "newaliases": "the aliases of mail",
    "postmap": "a table of Postfix",
    "postalias": "a table of Postfix",
    "fc-cache": "the cache of fonts",
    "mandb": "the index of manual pages",
    "update-mime-database": "the types of files",
    "update-desktop-database": "the index of applications",
    "gtk-update-icon-cache": "the cache of icons",
    "glib-compile-schemas": "the schemas of settings",
    "dconf": "the data base of settings",
    "augenrules": "the rules of audit",
    "netfilter-persistent": "the rules of the firewall",
    "exportfs": "the exports of NFS",
    "dpkg-reconfigure": "the configuration of packages",
    "apparmor_parser": "the profiles of AppArmor",
    "apachectl": "Apache",
    "apache2ctl": "Apache",
    "nginx": "nginx",
    "pam-auth-update": "the configuration of PAM",
    "update-pciids": "the names of devices",
    "updatedb": "the index of files",
    "texhash": "the index of TeX",
    "mktexlsr": "the index of TeX",
    "install-info": "the index of info pages",
    "kernel-install": "the kernels that can be booted",
    "build-locale-archive": "the locales",
    "update-shells": "the list of shells",
}
# First words without which these programs do something else, or nothing.
_ONLY: Mapping[str, frozenset[str]] = {
    "udevadm": frozenset({"control", "trigger", "settle"}),
    "netplan": frozenset({"generate", "apply"}),
    "systemd-hwdb": frozenset({"update"}),
    "dconf": frozenset({"update"}),
    "netfilter-persistent": frozenset({"save", "reload", "start"}),
    "apachectl": frozenset({"graceful", "restart", "reload"}),
    "apache2ctl": frozenset({"graceful", "restart", "reload"}),
    "nginx": frozenset({"-s"}),
    "apparmor_parser": frozenset({"-r", "--replace", "-R", "--remove"}),
}


def _refresh(command: Command) -> Outcome:
    first = command.args[0].text if command.args else None
    if command.name in _ONLY and first not in _ONLY[command.name]:
        raise Inexact(f"what {command.name} {first or ''} changes is not known")
    name = f"Refresh {_REFRESHES[command.name]}"
    return Converted((guards.run(command, name, "refresh.made-again", kind="handler"),))


RULES: Mapping[str, Rule] = dict.fromkeys(_REFRESHES, _refresh)
