# SPDX-License-Identifier: GPL-3.0-or-later
"""Callback plug-in: tells Goldsmith which tasks failed, and puts Goldsmith's modules in place of those that need bindings."""

from __future__ import annotations

import json
import os
import time

from ansible.plugins.callback import CallbackBase
from ansible.plugins.loader import module_loader
from ansible.utils.collection_loader._collection_finder import _get_collection_metadata

DOCUMENTATION = """
name: report
type: aggregate
short_description: Reports failed tasks to a Goldsmith build
description:
  - Writes one JSON line for each failed task to the file that the build names.
  - Writes one for every task, with its times, to the file that GOLDSMITH_TASKS names, if it is set.
  - Lets apt and apt_repository be the modules of this collection, which need no python3-apt in the machine.
author: Goldsmith
"""

MODULES = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "modules")


class CallbackModule(CallbackBase):
    """Loaded in the main process before the first task; its workers are forks of that."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "goldsmith.image.report"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self._started = 0.0
        _replace_modules()

    def v2_runner_on_start(self, host, task):
        self._started = time.time()

    def v2_runner_on_ok(self, result):
        self._note(result, "ok")

    def v2_runner_on_skipped(self, result):
        self._note(result, "skipped")

    def v2_runner_on_failed(self, result, ignore_errors=False):
        self._note(result, "failed")
        if not ignore_errors:
            _report(result, "failed")

    def v2_runner_on_unreachable(self, result):
        self._note(result, "unreachable")
        _report(result, "unreachable")

    def _note(self, result, kind):
        path = os.environ.get("GOLDSMITH_TASKS")
        if not path:
            return
        task = result._task
        told = {"name": task.get_name().strip(), "place": task.get_path() or "", "kind": kind}
        told |= {"changed": bool(result._result.get("changed")), "started": self._started, "ended": time.time()}
        with open(path, "a", encoding="utf-8") as file:
            file.write(json.dumps(told) + "\n")


def _replace_modules():
    # `apt` and the package and service actions look for a module by its plain name: a directory of modules serves them.
    module_loader.add_directory(MODULES)
    # `ansible.builtin.apt` means the built-in one, unless its collection redirects the name.
    routing = _get_collection_metadata("ansible.builtin").setdefault("plugin_routing", {}).setdefault("modules", {})
    for entry in sorted(os.listdir(MODULES)):
        name, ending = os.path.splitext(entry)
        if ending == ".py":
            routing[name] = {"redirect": f"goldsmith.image.{name}"}


def _report(result, kind):
    shown = result._result
    if shown.get("_ansible_no_log") or "censored" in shown:
        message = "the output is hidden by no_log"
    else:
        message = str(shown.get("msg", "")).strip()
        items = [str(item.get("msg", "")) for item in shown.get("results", ()) if isinstance(item, dict) and item.get("failed")]
        message = "; ".join([message, *items]) if items else message
        said = str(shown.get("stderr", "")).strip()
        message += f"\n{said}" if said and said not in message else ""
    line = {"kind": kind, "task": result._task.get_name().strip(), "host": result._host.get_name(), "message": message}
    with open(os.environ["GOLDSMITH_REPORT"], "a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")
