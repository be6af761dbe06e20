#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module `apt` without python3-apt: it asks dpkg-query and acts by apt-get, and changes nothing else in the tree."""

from __future__ import annotations

import fnmatch
import glob
import hashlib
import os
import re
import time
import urllib.request

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: apt
short_description: Manages Debian packages without Python bindings
description:
  - Takes the options of ansible.builtin.apt. C(changed) is decided by the package database before and after.
author: Goldsmith
options: {}
"""

LISTS = "/var/lib/apt/lists"
PLANNED = re.compile(r"^(Inst|Remv|Purg) ", re.MULTILINE)


def arguments():
    return {
        "allow_change_held_packages": {"type": "bool", "default": False},
        "allow_downgrade": {
            "type": "bool",
            "default": False,
            "aliases": ["allow-downgrade", "allow_downgrades", "allow-downgrades"],
        },
        "allow_unauthenticated": {"type": "bool", "default": False, "aliases": ["allow-unauthenticated"]},
        "auto_install_module_deps": {"type": "bool", "default": True},
        "autoclean": {"type": "bool", "default": False},
        "autoremove": {"type": "bool", "default": False},
        "cache_valid_time": {"type": "int", "default": 0},
        "clean": {"type": "bool", "default": False},
        "deb": {"type": "path"},
        "default_release": {"type": "str", "aliases": ["default-release"]},
        "dpkg_options": {"type": "str", "default": "force-confdef,force-confold"},
        "fail_on_autoremove": {"type": "bool", "default": False},
        "force": {"type": "bool", "default": False},
        "force_apt_get": {"type": "bool", "default": False},
        "install_recommends": {"type": "bool", "aliases": ["install-recommends"]},
        "lock_timeout": {"type": "int", "default": 60},
        "only_upgrade": {"type": "bool", "default": False},
        "package": {"type": "list", "elements": "str", "aliases": ["pkg", "name"]},
        "policy_rc_d": {"type": "int"},
        "purge": {"type": "bool", "default": False},
        "state": {"type": "str", "default": "present", "choices": ["absent", "build-dep", "fixed", "latest", "present"]},
        "update_cache": {"type": "bool", "aliases": ["update-cache"]},
        "update_cache_retries": {"type": "int", "default": 5},
        "update_cache_retry_max_delay": {"type": "int", "default": 12},
        "upgrade": {"type": "str", "default": "no", "choices": ["dist", "full", "no", "safe", "yes"]},
    }


def main():
    module = AnsibleModule(
        arguments(),
        supports_check_mode=True,
        mutually_exclusive=[["deb", "package", "upgrade"]],
        required_one_of=[["autoremove", "deb", "package", "update_cache", "upgrade"]],
    )
    module.run_command_environ_update = {
        "DEBIAN_FRONTEND": "noninteractive",
        "DEBIAN_PRIORITY": "critical",
        "LC_ALL": "C.UTF-8",
    }
    Apt(module).act()


class Apt:
    """One call of the module."""

    def __init__(self, module):
        self.module = module
        self.asked = module.params
        self.out, self.err = [], []
        self.changed = False

    def act(self):
        refreshed = self.refresh_lists()
        if self.asked["clean"]:
            self.apt_get("clean", [])
        before = self.database()
        self.change_packages()
        self.changed = self.changed or self.database() != before
        nothing_else = not (
            self.asked["package"] or self.asked["deb"] or self.asked["upgrade"] != "no" or self.asked["autoremove"]
        )
        if nothing_else:
            self.changed = self.changed or refreshed
        self.module.exit_json(
            changed=self.changed,
            cache_updated=refreshed,
            cache_update_time=int(lists_age()),
            stdout="".join(self.out),
            stderr="".join(self.err),
        )

    def change_packages(self):
        if self.asked["upgrade"] != "no":
            self.upgrade()
        if self.asked["deb"]:
            self.install_file(self.asked["deb"])
        names = [name.strip() for entry in self.asked["package"] or () for name in entry.split(",") if name.strip()]
        if names == ["*"] and self.asked["state"] == "latest":
            self.upgrade()
        elif names or self.asked["state"] == "fixed":
            self.reach_state(names)
        if self.asked["autoremove"]:
            self.apt_get("autoremove", self.purging())
        if self.asked["autoclean"]:
            self.apt_get("autoclean", [])

    def reach_state(self, names):
        state = self.asked["state"]
        if state == "absent":
            self.remove(names)
        elif state == "build-dep":
            self.apt_get("build-dep", [*self.options(), "--", *names])
        elif state == "fixed":
            self.apt_get("install", [*self.options(), "--fix-broken", "--", *names])
        elif state == "latest" and self.asked["only_upgrade"]:
            self.install(names, "--only-upgrade")
        elif state == "latest":
            self.install(names)
        else:
            installed = Installed(self.module)
            self.install([name for name in names if not installed.satisfies(name)])

    def install(self, names, *options):
        if names:
            self.apt_get("install", [*self.options(), *options, "--", *names])

    def install_file(self, deb):
        if "://" in deb:
            target = os.path.join(self.module.tmpdir, os.path.basename(deb.split("?")[0]))
            with urllib.request.urlopen(deb) as source, open(target, "wb") as file:
                file.write(source.read())
            deb = target
        if not os.path.exists(deb):
            self.module.fail_json(msg=f"the package file {deb} does not exist")
        fields = "${Package}:${Architecture}=${Version}"
        _, told, _ = self.module.run_command(["dpkg-deb", "--show", "--showformat", fields, deb], check_rc=True)
        if not Installed(self.module).satisfies(told.replace(":all=", "=")) or self.asked["force"]:
            self.install([os.path.abspath(deb)])

    def remove(self, names):
        installed = Installed(self.module)
        wanted = [name.partition("=")[0] for name in names]
        present = [name for name in wanted if installed.has_traces(name, with_configuration=self.asked["purge"])]
        if present:
            self.apt_get("remove", [*self.purging(), *self.options(), "--", *present])

    def upgrade(self):
        if self.asked["upgrade"] in ("dist", "full"):
            self.apt_get("dist-upgrade", self.options())
        else:
            self.apt_get("upgrade", [*self.options(), "--with-new-pkgs"])

    def purging(self):
        return ["--purge"] if self.asked["purge"] else []

    def options(self):
        asked, options = self.asked, []
        if asked["default_release"]:
            options += ["-t", asked["default_release"]]
        if asked["install_recommends"] is not None:
            options += ["-o", f"APT::Install-Recommends={'yes' if asked['install_recommends'] else 'no'}"]
        if asked["allow_unauthenticated"] or asked["force"]:
            options += ["--allow-unauthenticated"]
        if asked["allow_downgrade"] or asked["force"]:
            options += ["--allow-downgrades"]
        if asked["allow_change_held_packages"] or asked["force"]:
            options += ["--allow-change-held-packages"]
        if asked["force"]:
            options += ["--allow-remove-essential"]
        return options + (["--no-remove"] if asked["fail_on_autoremove"] else [])

    def apt_get(self, verb, rest):
        """Run apt-get; in check mode it only tells what it would do, and that decides `changed`."""
        command = ["apt-get", "-y", "-o", f"DPkg::Lock::Timeout={self.asked['lock_timeout']}"]
        for option in filter(None, self.asked["dpkg_options"].split(",")):
            command += ["-o", f"Dpkg::Options::=--{option}"]
        if self.module.check_mode:
            if verb in ("clean", "autoclean"):
                return
            command.append("--simulate")
        code, out, err = self.module.run_command([*command, verb, *rest])
        self.out.append(out)
        self.err.append(err)
        if code:
            self.module.fail_json(msg=f"'apt-get {verb}' failed: {err.strip() or out.strip()}", stdout=out, stderr=err, rc=code)
        self.changed = self.changed or bool(self.module.check_mode and PLANNED.search(out))

    def refresh_lists(self):
        """`apt-get update` when it is asked for and the lists are not fresh; returns whether they changed."""
        if not (self.asked["update_cache"] or self.asked["cache_valid_time"]):
            return False
        if time.time() - lists_age() < self.asked["cache_valid_time"]:
            return False
        if self.module.check_mode:
            return True
        before = lists_content()
        for attempt in range(max(self.asked["update_cache_retries"], 1)):
            code, out, err = self.module.run_command(["apt-get", "update"])
            if code == 0 and "Err:" not in out:
                return lists_content() != before
            time.sleep(min(2**attempt, self.asked["update_cache_retry_max_delay"]))
        return self.module.fail_json(msg=f"Failed to update apt cache: {err.strip() or out.strip()}", stdout=out, rc=code)

    def database(self):
        shown = "${binary:Package} ${Version} ${db:Status-Abbrev}\n"
        return self.module.run_command(["dpkg-query", "--show", "--showformat", shown])[1]


class Installed:
    """What the package database says."""

    def __init__(self, module):
        shown = "${Package}\t${Architecture}\t${Version}\t${db:Status-Abbrev}\t${Provides}\n"
        _, told, _ = module.run_command(["dpkg-query", "--show", "--showformat", shown])
        self.entries, self.provided = [], set()
        for line in told.splitlines():
            name, architecture, version, status, provides = line.split("\t")
            self.entries.append((name, architecture, version, status.strip()))
            if status.startswith("ii"):
                self.provided.update(re.findall(r"(?:^|, )([^ ,]+)", provides))

    def satisfies(self, wanted):
        """Whether `name[:architecture][=version]` is installed, or provided when no version is asked for."""
        name, _, version = wanted.partition("=")
        if "/" in name or any(character in name for character in "*?["):
            return False  # a release, or a pattern that apt-get must expand
        name, _, architecture = name.partition(":")
        for entry in self.entries:
            right = entry[0] == name and (not architecture or architecture in (entry[1], "any"))
            if right and entry[3].endswith("i") and (not version or fnmatch.fnmatchcase(entry[2], version)):
                return True
        return not version and name in self.provided

    def has_traces(self, wanted, *, with_configuration):
        """Whether anything that matches is installed; with `with_configuration`, left configuration counts too."""
        name = wanted.partition(":")[0]
        states = ("i", "c", "U", "F", "H", "W", "t") if with_configuration else ("i", "U", "F", "H", "W", "t")
        return any(fnmatch.fnmatchcase(entry[0], name) and entry[3][1:2] in states for entry in self.entries)


def lists_age():
    """When the lists were last brought up to date, in seconds since 1970; 0 when there are none."""
    stamps = ["/var/lib/apt/periodic/update-success-stamp", *glob.glob(f"{LISTS}/*Release")]
    return max((os.stat(path).st_mtime for path in stamps if os.path.exists(path)), default=0)


def lists_content():
    digest = hashlib.sha256()
    for path in sorted(glob.glob(f"{LISTS}/*Release")):
        with open(path, "rb") as file:
            digest.update(path.encode() + b"\0" + hashlib.sha256(file.read()).digest())
    return digest.hexdigest()


if __name__ == "__main__":
    main()
