"""The other end of Ansible's connection: serves commands and copies on the build's machine over a unix socket."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from io import BufferedReader, BufferedWriter
from pathlib import Path
from typing import Literal

from goldsmith.hcl.diagnostics import GoldsmithError
from goldsmith.machines.cancellation import Cancellation, Cancelled
from goldsmith.machines.machine import Machine


@contextmanager
def served(machine: Machine, path: Path, cancellation: Cancellation) -> Iterator[None]:
    """Serve requests at `path` while the block runs, one after the other: a machine is for one at a time."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()
    path.chmod(0o600)
    thread = threading.Thread(target=_serve, args=(listener, machine, cancellation), name="ansible-line", daemon=True)
    thread.start()
    try:
        yield
    finally:
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()
        path.unlink(missing_ok=True)


def _serve(listener: socket.socket, machine: Machine, cancellation: Cancellation) -> None:
    while True:
        try:
            line, _ = listener.accept()
        except OSError:
            return
        with line, line.makefile("rb") as requests, line.makefile("wb") as answers, suppress(OSError, ValueError):
            _answer(requests, answers, machine, cancellation)


def _answer(requests: BufferedReader, answers: BufferedWriter, machine: Machine, cancellation: Cancellation) -> None:
    request = json.loads(requests.readline())
    content = requests.read(request["size"])
    try:
        answer, told = _act(request, content, machine, cancellation)
    except (GoldsmithError, Cancelled, OSError) as error:
        answer, told = {"error": str(error) or "the build was cancelled"}, b""
    answers.write(json.dumps({**answer, "size": len(told)}).encode() + b"\n" + told)


def _act(
    request: Mapping[str, str], content: bytes, machine: Machine, cancellation: Cancellation
) -> tuple[Mapping[str, object], bytes]:
    match request["do"]:
        case "put":
            machine.put(Path(request["source"]), request["destination"])
            return {}, b""
        case "get":
            machine.get(request["source"], Path(request["destination"]))
            return {}, b""
    lines: dict[str, list[str]] = {"out": [], "err": []}

    def listen(kind: Literal["out", "err"], line: str) -> None:
        lines[kind].append(line + "\n")

    command = ["/bin/sh", "-c", request["command"]]
    code = machine.run(command, stdin=content, output=listen, cancellation=cancellation)
    output = "".join(lines["out"]).encode()
    return {"code": code, "output": len(output)}, output + "".join(lines["err"]).encode()
