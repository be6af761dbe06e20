"""The socket over which Ansible's connection plug-in uses a machine: run a command, put a file, get a file.

One connection carries one request and its answer: four bytes with the length of a JSON header, the header, and the bytes
that it announces. Files are named, not sent: both ends are on this host.
"""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from goldsmith.hcl.diagnostics import GoldsmithError
from goldsmith.machines.cancellation import Cancellation, Cancelled
from goldsmith.machines.machine import Machine, OutputSink

_LONGEST_HEADER = 1 << 24
_LOOK_S = 0.1
"""How often the server looks whether it is to stop."""


@contextmanager
def served(machine: Machine, directory: Path, cancellation: Cancellation) -> Iterator[Path]:
    """Serve the machine, one request after the other, at a socket in `directory`, which nobody else may enter."""
    path = directory / "machine.sock"
    stop = threading.Event()
    with _listening(path) as server:
        thread = threading.Thread(target=_serve, args=(server, machine, cancellation, stop), name="ansible bridge")
        thread.start()
        try:
            yield path
        finally:
            stop.set()
            thread.join()
            path.unlink(missing_ok=True)


@contextmanager
def _listening(path: Path) -> Iterator[socket.socket]:
    # A socket's path has at most 107 bytes; through the open directory it is short wherever that directory is.
    handle = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(f"/proc/self/fd/{handle}/{path.name}")
            server.listen(16)
            server.settimeout(_LOOK_S)
            yield server
    finally:
        os.close(handle)


def _serve(server: socket.socket, machine: Machine, cancellation: Cancellation, stop: threading.Event) -> None:
    while not stop.is_set():
        try:
            peer, _ = server.accept()
        except TimeoutError:
            continue
        # A peer that goes away in the middle was ended together with its play.
        with peer, suppress(ConnectionError), peer.makefile("rb") as stream:
            peer.sendall(_answer(stream, machine, cancellation))


def _answer(stream: BinaryIO, machine: Machine, cancellation: Cancellation) -> bytes:
    try:
        request = _Request.read(stream)
        answer, payload = _act(request, machine, cancellation)
    except Cancelled:
        answer, payload = {"error": "the build was stopped"}, b""
    except (GoldsmithError, OSError, ValueError, KeyError) as error:
        answer, payload = {"error": str(error) or type(error).__name__}, b""
    header = json.dumps(answer).encode()
    return len(header).to_bytes(4, "big") + header + payload


@dataclass(frozen=True, slots=True)
class _Request:
    do: str
    words: dict[str, str]
    payload: bytes

    @classmethod
    def read(cls, stream: BinaryIO) -> _Request:
        length = int.from_bytes(stream.read(4), "big")
        if length > _LONGEST_HEADER:
            raise ValueError("the header of the request is too long")
        header = json.loads(stream.read(length))
        words = {str(name): str(value) for name, value in header.items()}
        return cls(words["do"], words, stream.read(int(words["size"])))


def _act(request: _Request, machine: Machine, cancellation: Cancellation) -> tuple[dict[str, object], bytes]:
    words = request.words
    if request.do == "put":
        machine.put(Path(words["from"]), words["to"])
        return {}, b""
    if request.do == "get":
        machine.get(words["from"], Path(words["to"]))
        return {}, b""
    if request.do != "run":
        raise ValueError(f'a machine cannot "{request.do}"')
    said = _Said()
    command = ["/bin/sh", "-c", words["command"]]
    code = machine.run(command, stdin=request.payload, output=said.sink, cwd="/", cancellation=cancellation)
    out, err = said.bytes("out"), said.bytes("err")
    return {"code": code, "out": len(out)}, out + err


@dataclass(slots=True)
class _Said:
    lines: dict[str, list[str]] = field(default_factory=lambda: {"out": [], "err": []})

    @property
    def sink(self) -> OutputSink:
        return lambda stream, line: self.lines[stream].append(line)

    def bytes(self, stream: str) -> bytes:
        return "".join(f"{line}\n" for line in self.lines[stream]).encode(errors="surrogateescape")
