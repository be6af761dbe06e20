"""The HTTP server of a build: answer files for a machine that installs itself, from a directory or from texts."""

from __future__ import annotations

import errno
import io
import posixpath
import random
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import unquote, urlsplit

from goldsmith.hcl.diagnostics import Diagnostic, MachineError

Say = Callable[[str], None]
PATIENCE_S = 60.0
"""How long a request may take to come."""


@contextmanager
def serving(
    content: Path | Mapping[str, str], address: str, ports: tuple[int, int], say: Say, *, patience_s: float = PATIENCE_S
) -> Iterator[int]:
    """Serve a directory, or texts by their path, until the block ends; the port is one of the range.

    `say` is told each request. Who sends nothing more for `patience_s` is hung up on. Raises `MachineError` with code
    `http.no-port` when every port of the range is taken.
    """
    handler: Callable[..., SimpleHTTPRequestHandler]
    if isinstance(content, Path):
        handler = partial(_Directory, say, directory=str(content))
    else:
        handler = partial(_Texts, say, {"/" + path.lstrip("/"): text.encode() for path, text in content.items()})
    server = _bound(handler, address, ports)
    server.patience_s = patience_s
    thread = threading.Thread(target=server.serve_forever, name="http", daemon=True)
    thread.start()
    try:
        yield int(server.server_address[1])
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    patience_s = PATIENCE_S

    def get_request(self) -> tuple[socket.socket, Any]:
        """The next connection, with the time that it may be silent."""
        connection, address = super().get_request()
        connection.settimeout(self.patience_s)
        return connection, address

    def handle_error(self, request: object, client_address: object) -> None:
        """A machine that hangs up in the middle of an answer is no fault of the build."""


class _Directory(SimpleHTTPRequestHandler):
    """Answers from a directory, and from nowhere else."""

    def __init__(self, say: Say, *arguments: object, directory: str) -> None:
        self._say = say
        super().__init__(*arguments, directory=directory)  # type: ignore[arg-type]  # what the server gives its handlers

    def log_message(self, format: str, *arguments: object) -> None:
        """Tell the build what was asked for."""
        self._say(f"HTTP: {format % arguments}")


class _Texts(_Directory):
    """Answers from texts."""

    def __init__(self, say: Say, texts: Mapping[str, bytes], *arguments: object) -> None:
        self._texts = texts
        super().__init__(say, *arguments, directory="/nonexistent")

    def send_head(self) -> BinaryIO | None:
        """The headers, and the text that follows them."""
        path = posixpath.normpath(unquote(urlsplit(self.path).path))
        text = self._texts.get(path)
        if text is None:
            self.send_error(HTTPStatus.NOT_FOUND, "nothing of this name in http_content")
            return None
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", self.guess_type(path))
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        return io.BytesIO(text)


def _bound(handler: Callable[..., SimpleHTTPRequestHandler], address: str, ports: tuple[int, int]) -> _Server:
    """A server on the first port that is free, from a place of the range that chance decides: builds start at once."""
    first, last = ports
    numbers = [*range(first, last + 1)]
    start = random.randrange(len(numbers))
    for port in numbers[start:] + numbers[:start]:
        try:
            return _Server((address, port), handler)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise MachineError(_fault(f"{address} port {port}: {error.strerror}")) from error
    raise MachineError(_fault(f"every port from {first} to {last} is taken on {address}"))


def _fault(why: str) -> Diagnostic:
    return Diagnostic(
        code="http.no-port",
        what="the HTTP server of the build cannot start",
        why=why,
        next="Free a port, or set http_port_min, http_port_max and http_bind_address.",
    )
