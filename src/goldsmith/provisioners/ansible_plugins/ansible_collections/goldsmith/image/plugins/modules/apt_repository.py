#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module `apt_repository` without python3-apt: one-line sources in /etc/apt/sources.list.d."""

from __future__ import annotations

import glob
import os
import re

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: apt_repository
short_description: Adds and removes APT repositories without Python bindings
description:
  - Takes the options of ansible.builtin.apt_repository. Launchpad archives (ppa) are refused.
author: Goldsmith
options: {}
"""

DIRECTORY = "/etc/apt/sources.list.d"


def arguments():
    return {
        "codename": {"type": "str"},
        "filename": {"type": "str"},
        "install_python_apt": {"type": "bool", "default": True},
        "mode": {"type": "raw"},
        "repo": {"type": "str", "required": True},
        "state": {"type": "str", "default": "present", "choices": ["absent", "present"]},
        "update_cache": {"type": "bool", "default": True, "aliases": ["update-cache"]},
        "update_cache_retries": {"type": "int", "default": 5},
        "update_cache_retry_max_delay": {"type": "int", "default": 12},
        "validate_certs": {"type": "bool", "default": True},
    }


def main():
    module = AnsibleModule(arguments(), supports_check_mode=True)
    repo = module.params["repo"].strip()
    if repo.startswith("ppa:"):
        module.fail_json(
            msg="a ppa needs Launchpad's answers; write its line and key: https://help.launchpad.net/Packaging/PPA"
        )
    if not re.match(r"deb(-src)?\s", repo):
        module.fail_json(msg=f"Invalid repository string: {repo}")
    holders = [path for path in sources() if repo_lines(path, repo)]
    changed = bool(holders) if module.params["state"] == "absent" else not holders
    if changed and not module.check_mode:
        add(module, repo) if module.params["state"] == "present" else remove(module, repo, holders)
        refresh(module)
    module.exit_json(changed=changed, repo=repo, state=module.params["state"])


def sources():
    return ["/etc/apt/sources.list", *sorted(glob.glob(f"{DIRECTORY}/*.list"))]


def repo_lines(path, repo):
    return [line for line in read(path) if line.partition("#")[0].split() == repo.split()]


def read(path):
    if not os.path.exists(path):
        return []
    with open(path, encoding="utf-8") as file:
        return file.read().splitlines()


def add(module, repo):
    name = module.params["filename"] or suggested(repo)
    path = name if name.startswith("/") else f"{DIRECTORY}/{name}"
    path = path if path.endswith(".list") else f"{path}.list"
    write(module, path, [*read(path), repo])


def suggested(repo):
    """The name that ansible.builtin.apt_repository gives the file: the address without scheme, in words."""
    words = [word for word in re.sub(r"\[[^\]]*\]", "", repo).split()[1:] if word]
    address = re.sub(r"^[^:]+://", "", words[0]).rpartition("@")[2]
    parts = [address, *words[1:2]] if len(words) < 2 else [address]
    return "_".join(re.sub(r"[^a-zA-Z0-9]", " ", " ".join(parts)).split())


def remove(module, repo, holders):
    for path in holders:
        rest = [line for line in read(path) if line.partition("#")[0].split() != repo.split()]
        if rest or path == "/etc/apt/sources.list":
            write(module, path, rest)
        else:
            os.unlink(path)


def write(module, path, lines):
    existed = os.path.exists(path)
    temporary = os.path.join(module.tmpdir, os.path.basename(path))
    with open(temporary, "w", encoding="utf-8") as file:
        file.write("".join(f"{line}\n" for line in lines))
    module.atomic_move(temporary, path)
    if module.params["mode"] is not None or not existed:
        module.set_mode_if_different(path, module.params["mode"] or "0644", False)


def refresh(module):
    if module.params["update_cache"]:
        code, out, err = module.run_command(["apt-get", "update"])
        if code:
            module.fail_json(msg=f"Failed to update apt cache: {err.strip() or out.strip()}", rc=code)


if __name__ == "__main__":
    main()
