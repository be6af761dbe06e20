# SPDX-License-Identifier: GPL-3.0-or-later
"""Connection plug-in: runs commands and moves files in the machine of a Goldsmith build, over a unix socket."""

from __future__ import annotations

import json
import os
import socket

from ansible.errors import AnsibleConnectionFailure, AnsibleFileNotFound
from ansible.module_utils.common.text.converters import to_bytes, to_text
from ansible.plugins.connection import ConnectionBase

DOCUMENTATION = """
name: machine
short_description: The machine of a Goldsmith build
description:
  - Hands commands and files to the goldsmith process that started ansible-playbook.
author: Goldsmith
extends_documentation_fragment:
  - connection_pipelining
options:
  remote_user:
    description: Who commands run as, as far as become is concerned.
    default: root
    type: str
    vars:
      - name: ansible_user
"""


class Connection(ConnectionBase):
    """One request is one connection: a length-prefixed JSON header, then the bytes that it announces."""

    transport = "goldsmith.image.machine"
    has_pipelining = True

    def _connect(self):
        self._connected = True
        return self

    def exec_command(self, cmd, in_data=None, sudoable=True):
        super().exec_command(cmd, in_data=in_data, sudoable=sudoable)
        answer, rest = _ask({"do": "run", "command": to_text(cmd, errors="surrogateescape")}, to_bytes(in_data or b""))
        return answer["code"], rest[: answer["out"]], rest[answer["out"] :]

    def put_file(self, in_path, out_path):
        super().put_file(in_path, out_path)
        if not os.path.exists(to_bytes(in_path)):
            raise AnsibleFileNotFound(f"file or module does not exist: {to_text(in_path)}")
        _ask({"do": "put", "from": os.path.abspath(to_text(in_path)), "to": to_text(out_path)})

    def fetch_file(self, in_path, out_path):
        super().fetch_file(in_path, out_path)
        _ask({"do": "get", "from": to_text(in_path), "to": os.path.abspath(to_text(out_path))})

    def close(self):
        self._connected = False


def _ask(request, payload=b""):
    try:
        with _connected() as peer:
            header = json.dumps({**request, "size": len(payload)}).encode()
            peer.sendall(len(header).to_bytes(4, "big") + header + payload)
            with peer.makefile("rb") as stream:
                answer = json.loads(stream.read(int.from_bytes(stream.read(4), "big")))
                rest = stream.read()
    except (OSError, ValueError, KeyError) as error:
        raise AnsibleConnectionFailure(f"the Goldsmith build does not answer: {error}") from error
    if "error" in answer:
        raise AnsibleConnectionFailure(answer["error"])
    return answer, rest


def _connected():
    directory, name = os.path.split(os.environ["GOLDSMITH_SOCKET"])
    peer = socket.socket(socket.AF_UNIX)
    # A socket's path has at most 107 bytes; through the open directory it is short wherever that directory is.
    handle = os.open(directory, os.O_PATH | os.O_DIRECTORY)
    try:
        peer.connect(f"/proc/self/fd/{handle}/{name}")
    finally:
        os.close(handle)
    return peer
