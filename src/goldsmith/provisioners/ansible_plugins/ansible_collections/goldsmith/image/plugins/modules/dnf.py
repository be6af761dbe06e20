#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module `dnf` without libdnf's bindings: it asks rpm, acts by the system's own dnf, and changes nothing else in the tree."""

from __future__ import annotations

import os
import re

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: dnf
short_description: Manages packages of Red Hat's kin without Python bindings
description:
  - Takes the options of ansible.builtin.dnf but C(list). C(changed) is decided by the package database before and after.
author: Goldsmith
options: {}
"""

PROGRAMS = ("dnf", "dnf5", "yum", "microdnf", "tdnf")
LISTS = ("enablerepo", "disablerepo", "exclude", "enable_plugin", "disable_plugin")
FLAGS = ("allowerasing", "bugfix", "cacheonly", "nobest", "security", "skip_broken")


def arguments():
    flags = ("allow_downgrade", "autoremove", "disable_gpg_check", "download_only", "update_only", *FLAGS)
    return {
        **{name: {"type": "bool", "default": False} for name in flags},
        **{name: {"type": "list", "elements": "str", "default": []} for name in LISTS},
        **{name: {"type": "str"} for name in ("conf_file", "disable_excludes", "download_dir", "releasever")},
        "best": {"type": "bool"},
        "install_repoquery": {"type": "bool", "default": True},
        "install_weak_deps": {"type": "bool", "default": True},
        "installroot": {"type": "str", "default": "/"},
        "lock_timeout": {"type": "int", "default": 30},
        "name": {"type": "list", "elements": "str", "aliases": ["pkg"], "default": []},
        "sslverify": {"type": "bool", "default": True},
        "state": {"type": "str", "choices": ["absent", "present", "installed", "removed", "latest"]},
        "update_cache": {"type": "str", "aliases": ["expire-cache"], "default": "no"},
        "use_backend": {"type": "str", "default": "auto"},
        "validate_certs": {"type": "bool", "default": True},
    }


def main():
    module = AnsibleModule(arguments(), supports_check_mode=True, required_one_of=[["name", "update_cache", "autoremove"]])
    module.run_command_environ_update = {"LC_ALL": "C.UTF-8"}
    Dnf(module).act()


class Dnf:
    """One call of the module."""

    def __init__(self, module):
        self.module = module
        self.asked = module.params
        self.root = [] if self.asked["installroot"] == "/" else ["--root", self.asked["installroot"]]
        self.program = next((path for name in PROGRAMS if (path := module.get_bin_path(name))), None)
        self.out = []
        self.changed = False
        if self.program is None:
            module.fail_json(msg=f"none of {', '.join(PROGRAMS)} is installed")

    def act(self):
        if self.asked["update_cache"] == "expire-cache":
            self.run("clean", ["expire-cache"])
        elif self.module.boolean(self.asked["update_cache"]):
            self.run("makecache", [])
        before = self.database()
        names = [name.strip() for entry in self.asked["name"] for name in self.split(entry) if name.strip()]
        self.reach(names, self.asked["state"] or ("absent" if self.asked["autoremove"] else "present"))
        self.changed = self.changed or self.database() != before
        self.module.exit_json(changed=self.changed, results=self.out, stdout="".join(self.out))

    @staticmethod
    def split(entry):
        """An entry may hold several names; a URL may have commas of its own."""
        return [entry] if "://" in entry else entry.split(",")

    def reach(self, names, state):
        if state in ("absent", "removed"):
            self.remove(names)
        elif names == ["*"]:
            self.run("upgrade", [])
        elif state == "latest":
            present = [name for name in names if self.has(name)]
            self.run_for("upgrade", present)
            if not self.asked["update_only"]:
                self.run_for("install", [name for name in names if name not in present])
        elif not self.asked["update_only"]:
            self.run_for("install", [name for name in names if self.asked["download_only"] or not self.has(name)])

    def remove(self, names):
        present = [name for name in names if self.has(name, installed_only=True)]
        if present:
            self.run("remove", [*([] if self.asked["autoremove"] else ["--noautoremove"]), "--", *present])
        elif self.asked["autoremove"] and not names:
            self.run("autoremove", [])

    def has(self, name, installed_only=False):
        """Whether rpm knows of what is asked for: a name with or without version and architecture, or what it provides."""
        if name.startswith("@") or re.search(r"[*?\[<>=]", name):
            return installed_only  # dnf alone knows what these stand for
        if name.endswith(".rpm") and os.path.exists(name):
            code, name, _ = self.module.run_command(["rpm", "-qp", "--nosignature", "--qf", "%{NEVRA}", name])
            if code:
                return False
        elif "://" in name:
            return False
        if self.rpm("-q", name) == 0:
            return True
        return not installed_only and self.rpm("-q", "--whatprovides", name) == 0

    def rpm(self, *words):
        return self.module.run_command(["rpm", *self.root, *words])[0]

    def database(self):
        out = self.module.run_command(["rpm", *self.root, "-qa", "--qf", r"%{NEVRA} %{INSTALLTIME}\n"])[1]
        return sorted(out.splitlines())

    def run_for(self, verb, names):
        if names:
            self.run(verb, ["--", *names])

    def run(self, verb, rest):
        """Run dnf; in check mode it only tells what it would do, and that decides `changed`."""
        is_dry = self.module.check_mode and verb not in ("clean", "makecache")
        agreed = "--assumeno" if is_dry else "-y"
        code, out, err = self.module.run_command([self.program, agreed, *self.options(), verb, *rest])
        self.out.append(out)
        if is_dry:
            self.changed = self.changed or "Transaction Summary" in out
        elif code:
            said = err.strip() or out.strip()
            self.module.fail_json(
                msg=f"'{os.path.basename(self.program)} {verb}' failed: {said}", stdout=out, stderr=err, rc=code
            )

    def options(self):
        asked = self.asked
        options = [f"--{name.replace('_', '-')}" for name in FLAGS if asked[name]]
        if asked["best"]:
            options.append("--best")
        if asked["disable_gpg_check"]:
            options.append("--nogpgcheck")
        if not asked["install_weak_deps"]:
            options.append("--setopt=install_weak_deps=0")
        if not (asked["sslverify"] and asked["validate_certs"]):
            options.append("--setopt=sslverify=0")
        if asked["download_only"]:
            options.append("--downloadonly")
        for name, option in (
            ("conf_file", "config"),
            ("disable_excludes", "disableexcludes"),
            ("download_dir", "downloaddir"),
            ("releasever", "releasever"),
        ):
            if asked[name]:
                options.append(f"--{option}={asked[name]}")
        if asked["installroot"] != "/":
            options.append(f"--installroot={asked['installroot']}")
        for name in LISTS:
            options += [f"--{name.replace('_', '')}={value}" for value in asked[name]]
        return options


if __name__ == "__main__":
    main()
