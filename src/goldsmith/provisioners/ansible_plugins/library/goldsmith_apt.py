#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
"""Manages apt packages with the system's own programs: no Python bindings are needed in the target."""

from __future__ import annotations

import fnmatch
import os
import time

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = """
module: goldsmith_apt
short_description: manages apt packages with apt-get and dpkg-query
description: [Takes the parameters of ansible.builtin.apt.]
author: Goldsmith
options: {}
"""

LISTS = "/var/lib/apt/lists"
ARGUMENTS = {
    "name": {"type": "list", "elements": "str", "aliases": ["package", "pkg"]},
    "deb": {"type": "path"},
    "state": {"default": "present", "choices": ["present", "absent", "latest", "build-dep", "fixed", "installed", "removed"]},
    "update_cache": {"type": "bool", "aliases": ["update-cache"]},
    "update_cache_retries": {"type": "int", "default": 5},
    "update_cache_retry_max_delay": {"type": "int", "default": 12},
    "cache_valid_time": {"type": "int", "default": 0},
    "upgrade": {"default": "no", "choices": ["dist", "full", "no", "safe", "yes"]},
    "purge": {"type": "bool", "default": False},
    "default_release": {"aliases": ["default-release"]},
    "install_recommends": {"type": "bool", "aliases": ["install-recommends"]},
    "force": {"type": "bool", "default": False},
    "autoremove": {"type": "bool", "default": False},
    "autoclean": {"type": "bool", "default": False},
    "clean": {"type": "bool", "default": False},
    "only_upgrade": {"type": "bool", "default": False},
    "fail_on_autoremove": {"type": "bool", "default": False},
    "force_apt_get": {"type": "bool", "default": False},
    "allow_unauthenticated": {"type": "bool", "default": False, "aliases": ["allow-unauthenticated"]},
    "allow_downgrade": {
        "type": "bool",
        "default": False,
        "aliases": ["allow-downgrade", "allow_downgrades", "allow-downgrades"],
    },
    "allow_change_held_packages": {"type": "bool", "default": False},
    "dpkg_options": {"default": "force-confdef,force-confold"},
    "policy_rc_d": {"type": "int"},
    "lock_timeout": {"type": "int", "default": 60},
    "auto_install_module_deps": {"type": "bool", "default": True},
}


def main():
    module = AnsibleModule(
        argument_spec=ARGUMENTS,
        mutually_exclusive=[["deb", "name"]],
        supports_check_mode=True,
    )
    given = module.params
    before = installed(module)
    updated = update(module, given)
    output = upgrade(module, given) + change(module, given, before)
    for wanted, command in (("autoremove", "autoremove"), ("autoclean", "autoclean"), ("clean", "clean")):
        if given[wanted] and not (wanted == "autoremove" and given["name"]):
            output += apt_get(module, given, command)
    after = installed(module)
    # In check mode nothing happened: what apt would do is read from its simulation.
    changed = before != after or (module.check_mode and ("\nInst " in "\n" + output or "\nRemv " in "\n" + output))
    module.exit_json(changed=changed, cache_updated=updated, stdout=output, cache_update_time=int(time.time()))


def installed(module):
    """{name: (architecture, version)} of what is installed."""
    shown = "${db:Status-Status} ${binary:Package} ${Architecture} ${Version}\n"
    _, told, _ = module.run_command(["dpkg-query", "-W", "-f", shown], check_rc=True)
    rows = [line.split() for line in told.splitlines() if line.startswith("installed ")]
    return {row[1].split(":")[0]: (row[2], row[3]) for row in rows}


def update(module, given):
    """Fetch the lists when that is asked for and they are older than allowed; returns whether it was done."""
    if not given["update_cache"] and not given["cache_valid_time"]:
        return False
    if given["cache_valid_time"] and age_of_lists() < given["cache_valid_time"]:
        return False
    if module.check_mode:
        return False
    for attempt in range(given["update_cache_retries"] + 1):
        code, _, errors = module.run_command(["apt-get", "-q", "update"])
        if code == 0:
            return True
        if attempt < given["update_cache_retries"]:
            time.sleep(min(2**attempt, given["update_cache_retry_max_delay"]))
    return module.fail_json(msg=f"Failed to update apt cache: {errors.strip()}")


def age_of_lists():
    try:
        names = [os.path.join(LISTS, name) for name in os.listdir(LISTS) if name.endswith("_InRelease")]
        return time.time() - max(os.stat(name).st_mtime for name in names)
    except (OSError, ValueError):
        return float("inf")


def upgrade(module, given):
    if given["upgrade"] == "no":
        return ""
    command = "dist-upgrade" if given["upgrade"] in ("dist", "full") else "upgrade"
    return apt_get(module, given, command)


def change(module, given, before):
    state = {"installed": "present", "removed": "absent"}.get(given["state"], given["state"])
    if state == "fixed":
        return apt_get(module, given, "install", "-f")
    if given["deb"]:
        return apt_get(module, given, "install", given["deb"])
    names = given["name"] or []
    if not names:
        return ""
    if state == "build-dep":
        return apt_get(module, given, "build-dep", *names)
    if state == "absent":
        gone = [name for name in names if any(fnmatch.fnmatch(known, name.split(":")[0]) for known in before)]
        command = ["purge"] if given["purge"] else ["remove"]
        return apt_get(module, given, *command, *gone) if gone else ""
    if state == "present":
        names = [name for name in names if not is_there(name, before)]
    return apt_get(module, given, "install", *names) if names else ""


def is_there(name, before):
    """Whether `name`, `name=version` or a pattern is installed already. A name with a release is left to apt."""
    package, _, version = name.partition("=")
    package = package.split(":")[0]
    if version:
        return package in before and fnmatch.fnmatch(before[package][1], version)
    if "/" in name or "*" in name:
        return False
    return package in before


def apt_get(module, given, *arguments):
    command = ["apt-get", "-q", "-y", "-o", f"DPkg::Lock::Timeout={given['lock_timeout']}"]
    for option in filter(None, given["dpkg_options"].split(",")):
        command += ["-o", f"Dpkg::Options::=--{option.strip()}"]
    if given["install_recommends"] is not None:
        command += ["-o", f"APT::Install-Recommends={'yes' if given['install_recommends'] else 'no'}"]
    if given["default_release"]:
        command += ["-t", given["default_release"]]
    for wanted, flags in (
        ("only_upgrade", ["--only-upgrade"]),
        ("allow_unauthenticated", ["--allow-unauthenticated"]),
        ("allow_downgrade", ["--allow-downgrades"]),
        ("allow_change_held_packages", ["--allow-change-held-packages"]),
        ("force", ["--allow-downgrades", "--allow-remove-essential", "--allow-change-held-packages"]),
        ("autoremove", ["--auto-remove"]),
        ("fail_on_autoremove", ["--no-remove"]),
    ):
        command += flags if given[wanted] else []
    command += ["--simulate"] if module.check_mode else []
    code, told, errors = module.run_command([*command, *arguments])
    if code != 0:
        module.fail_json(
            msg=f"'{' '.join(['apt-get', *arguments])}' failed: {errors.strip()}", stdout=told, stderr=errors, rc=code
        )
    return told


if __name__ == "__main__":
    main()
