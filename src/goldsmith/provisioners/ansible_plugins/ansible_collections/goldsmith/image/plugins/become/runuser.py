# SPDX-License-Identifier: GPL-3.0-or-later
"""Become plug-in: root turns into another user by runuser(1), which every Linux tree has; sudo need not be there."""

from __future__ import annotations

import shlex

from ansible.plugins.become import BecomeBase

DOCUMENTATION = """
name: runuser
short_description: Become another user in the machine of a Goldsmith build
description:
  - Commands in a sandbox run as root, so that no password and no sudo is needed.
author: Goldsmith
options:
  become_user:
    description: Who to become.
    default: root
    keyword:
      - name: become_user
    vars:
      - name: ansible_become_user
  become_exe:
    description: The program.
    default: runuser
    keyword:
      - name: become_exe
    vars:
      - name: ansible_become_exe
  become_flags:
    description: Further options of the program.
    default: ''
    keyword:
      - name: become_flags
    vars:
      - name: ansible_become_flags
  become_pass:
    description: Not needed.
    required: false
    vars:
      - name: ansible_become_password
      - name: ansible_become_pass
"""


class BecomeModule(BecomeBase):
    """`runuser -u USER -- COMMAND`."""

    name = "goldsmith.image.runuser"

    def build_become_command(self, cmd, shell):
        super().build_become_command(cmd, shell)
        if not cmd:
            return cmd
        user, flags = shlex.quote(self.get_option("become_user")), self.get_option("become_flags")
        return f"{self.get_option('become_exe')} {flags} -u {user} -- {self._build_success_command(cmd, shell)}"
