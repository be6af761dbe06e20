"""Talks to a QEMU over its control socket (QMP): one JSON object a line."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from pathlib import Path

from goldsmith.hcl.diagnostics import Diagnostic, MachineError


class Qmp:
    """A connection to a running QEMU; used by one thread."""

    def __init__(self, path: Path, timeout_s: float = 10.0) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(timeout_s)
        self._lines = self._socket.makefile("rb")
        try:
            self._socket.connect(str(path))
            self._read()
            self.execute("qmp_capabilities")
        except BaseException:
            self.close()
            raise

    def execute(self, command: str, arguments: Mapping[str, object] | None = None) -> object:
        """Run a command and return its answer. Raises `MachineError` with code `vm.refused` or `vm.gone`."""
        request = {"execute": command, "arguments": dict(arguments or {})}
        try:
            self._socket.sendall(json.dumps(request).encode() + b"\n")
            while True:
                answer = self._read()
                if "return" in answer:
                    return answer["return"]
                if "error" in answer:
                    raise MachineError(Diagnostic(code="vm.refused", what=f"QEMU refused {command}", why=str(answer["error"])))
        except OSError as error:
            raise MachineError(Diagnostic(code="vm.gone", what="QEMU does not answer", why=str(error))) from error

    def close(self) -> None:
        """End the connection; QEMU goes on."""
        self._lines.close()
        self._socket.close()

    def _read(self) -> Mapping[str, object]:
        line = self._lines.readline()
        if not line:
            raise OSError("it closed its control socket")
        answer = json.loads(line)
        assert isinstance(answer, dict)
        return answer
