"""A web server that delivers one image, and may be told to misbehave."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class ImageServer(ThreadingHTTPServer):
    """Delivers `content`, with an ETag. The first `cuts` answers end in the middle."""

    daemon_threads = True
    content = b""
    etag = '"1"'
    cuts = 0
    ranges = True
    requests: list[tuple[str, str, int]]
    """What was asked for: path, the range, and the status of the answer."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/disk.qcow2"

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is no fault."""


class _Handler(BaseHTTPRequestHandler):
    server: ImageServer

    def do_GET(self) -> None:
        server = self.server
        wanted = self.headers.get("Range", "")
        status, body = 200, server.content
        if self.path.endswith("missing"):
            status, body = 404, b""
        elif self.headers.get("If-None-Match") == server.etag:
            status, body = 304, b""
        elif wanted and server.ranges and self.headers.get("If-Range") == server.etag:
            status, body = 206, server.content[int(wanted.removeprefix("bytes=").removesuffix("-")) :]
        server.requests.append((self.path, wanted, status))
        self.send_response(status)
        self.send_header("ETag", server.etag)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if server.cuts > 0 and status in (200, 206):
            server.cuts -= 1
            body = body[: len(body) // 2]
        self.wfile.write(body)
        self.wfile.flush()
        self.close_connection = True

    def log_message(self, format: str, *arguments: object) -> None:
        """Tests look at `requests`."""


@contextmanager
def image_server(content: bytes) -> Iterator[ImageServer]:
    server = ImageServer(("127.0.0.1", 0), _Handler)
    server.content, server.requests = content, []
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
