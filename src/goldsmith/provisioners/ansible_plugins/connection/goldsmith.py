# SPDX-License-Identifier: GPL-3.0-or-later
"""Connects Ansible to the machine of a Goldsmith build, through a unix socket of the process that builds."""

from __future__ import annotations

import json
import os
import socket

from ansible.errors import AnsibleConnectionFailure, AnsibleFileNotFound
from ansible.plugins.connection import ConnectionBase
from ansible.plugins.loader import module_loader

DOCUMENTATION = """
name: goldsmith
short_description: the machine of a Goldsmith build
description: [Runs commands and copies files in the machine that a Goldsmith build works on.]
author: Goldsmith
options: {}
"""

# The modules whose own version needs Python bindings in the target, and what stands in for them.
REPLACED = dict.fromkeys(("apt", "ansible.builtin.apt", "ansible.legacy.apt"), "ansible.legacy.goldsmith_apt")

_find_plugin_with_context = module_loader.find_plugin_with_context


def _find_replaced(name, *arguments, **options):
    return _find_plugin_with_context(REPLACED.get(name, name), *arguments, **options)


module_loader.find_plugin_with_context = _find_replaced


class Connection(ConnectionBase):
    """One connection for each request: the other side serves them one after the other."""

    transport = "goldsmith"
    has_pipelining = True

    def _connect(self):
        self._connected = True
        return self

    def exec_command(self, cmd, in_data=None, sudoable=True):
        super().exec_command(cmd, in_data=in_data, sudoable=sudoable)
        answer, content = self._ask({"do": "run", "command": cmd}, in_data or b"")
        split = answer["output"]
        return answer["code"], content[:split], content[split:]

    def put_file(self, in_path, out_path):
        super().put_file(in_path, out_path)
        if not os.path.exists(in_path):
            raise AnsibleFileNotFound(f"there is no file {in_path}")
        self._ask({"do": "put", "source": os.path.realpath(in_path), "destination": out_path})

    def fetch_file(self, in_path, out_path):
        super().fetch_file(in_path, out_path)
        self._ask({"do": "get", "source": in_path, "destination": os.path.abspath(out_path)})

    def close(self):
        self._connected = False

    def _ask(self, request, content=b""):
        with socket.socket(socket.AF_UNIX) as line:
            line.connect(os.environ["GOLDSMITH_MACHINE"])
            line.sendall(json.dumps({**request, "size": len(content)}).encode() + b"\n" + content)
            with line.makefile("rb") as answers:
                head = answers.readline()
                if not head:
                    raise AnsibleConnectionFailure("the build has ended")
                answer = json.loads(head)
                if "error" in answer:
                    raise AnsibleConnectionFailure(answer["error"])
                return answer, answers.read(answer["size"])
