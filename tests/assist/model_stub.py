"""A server that speaks OpenAI's and Anthropic's protocols from a script of answers, in JSON and as a stream of events."""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal


@dataclass(frozen=True, kw_only=True)
class Says:
    """One answer of the script."""

    kind: Literal["answer", "text", "wrong-tool", "status", "cut-off", "broken", "refusal", "drip", "reset", "redirect"] = (
        "answer"
    )
    value: object = None
    status: int = 200


@dataclass
class Stub:
    """The server: what it has still to say and what it was asked."""

    script: list[Says]
    url: str = ""
    requests: list[dict[str, Any]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    def next(self) -> Says:
        return self.script.pop(0) if len(self.script) > 1 else self.script[0]


@contextmanager
def stub(script: Sequence[Says]) -> Iterator[Stub]:
    """Serve a script; its last answer is given again and again."""
    state = Stub(list(script))
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(state))
    server.daemon_threads = True
    state.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _handler(state: Stub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: object) -> None:
            """Nothing is told."""

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            state.bodies.append(body)
            state.headers.append({name.lower(): value for name, value in self.headers.items()})
            state.requests.append(json.loads(body))
            says = state.next()
            wire = _Anthropic() if self.path.endswith("/messages") else _OpenAI()
            if says.kind == "reset":
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.close_connection = True
                self.connection.close()
            elif says.kind == "redirect":
                self._send(307, b"", "text/plain", {"Location": str(says.value)})
            elif says.kind == "status":
                self._send(
                    says.status, json.dumps(wire.error(says.status)).encode(), "application/json", {"retry-after-ms": "1"}
                )
            elif state.requests[-1].get("stream"):
                self._stream(wire.events(says), says.kind == "drip")
            else:
                content = json.dumps(wire.whole(says)).encode()
                self._send(
                    200,
                    content[: len(content) // 2] if says.kind == "broken" else content,
                    "application/json",
                    {},
                    says.kind == "drip",
                )

        def _send(self, status: int, content: bytes, type: str, headers: dict[str, str], slow: bool = False) -> None:
            self.send_response(status)
            self.send_header("Content-Type", type)
            self.send_header("Content-Length", str(len(content)))
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            for start in range(0, len(content), 1 if slow else len(content) or 1):
                if slow:
                    time.sleep(0.05)
                self._write(content[start : start + (1 if slow else len(content))])

        def _stream(self, events: Sequence[str], slow: bool) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Connection", "close")
            self.end_headers()
            self.close_connection = True
            for event in events:
                if slow:
                    time.sleep(0.3)
                self._write(event.encode())

        def _write(self, content: bytes) -> None:
            try:
                self.wfile.write(content)
                self.wfile.flush()
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True

    return Handler


class _OpenAI:
    """`/chat/completions`."""

    def error(self, status: int) -> object:
        return {"error": {"message": "the stub says so", "type": "server_error", "code": None}}

    def whole(self, says: Says) -> dict[str, Any]:
        finish = {"cut-off": "length", "refusal": "content_filter", "text": "stop"}.get(says.kind, "tool_calls")
        return {
            "id": "1", "object": "chat.completion", "created": 1, "model": "stub",
            "usage": {"prompt_tokens": 70, "completion_tokens": 30, "total_tokens": 100},
            "choices": [{"index": 0, "finish_reason": finish, "message": self._message(says)}],
        }  # fmt: skip

    def _message(self, says: Says) -> dict[str, Any]:
        if says.kind == "text":
            return {"role": "assistant", "content": str(says.value)}
        if says.kind == "refusal":
            return {"role": "assistant", "content": "", "refusal": "I will not."}
        arguments = json.dumps(says.value)
        call = {
            "name": "shell" if says.kind == "wrong-tool" else "answer",
            "arguments": arguments[: len(arguments) // 2] if says.kind == "cut-off" else arguments,
        }
        return {"role": "assistant", "content": None, "tool_calls": [{"id": "c1", "type": "function", "function": call}]}

    def events(self, says: Says) -> list[str]:
        choice = self.whole(says)["choices"][0]
        message = choice["message"]
        for number, call in enumerate(message.get("tool_calls", ())):
            call["index"] = number
        base = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "stub"}
        chunks = [
            {**base, "choices": [{"index": 0, "delta": message, "finish_reason": None}]},
            {**base, "choices": [{"index": 0, "delta": {}, "finish_reason": choice["finish_reason"]}]},
            {**base, "choices": [], "usage": {"prompt_tokens": 70, "completion_tokens": 30, "total_tokens": 100}},
        ]
        if says.kind == "broken":
            return [f"data: {json.dumps(chunks[0])[:40]}\n\n"]
        return [*(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks), "data: [DONE]\n\n"]


class _Anthropic:
    """`/v1/messages`."""

    def error(self, status: int) -> object:
        return {
            "type": "error",
            "error": {"type": "overloaded_error" if status == 529 else "api_error", "message": "the stub says so"},
        }

    def whole(self, says: Says) -> dict[str, Any]:
        stop = {"cut-off": "max_tokens", "refusal": "refusal", "text": "end_turn"}.get(says.kind, "tool_use")
        return {
            "id": "1", "type": "message", "role": "assistant", "model": "stub", "stop_reason": stop, "stop_sequence": None,
            "content": self._content(says), "usage": {"input_tokens": 70, "output_tokens": 30},
        }  # fmt: skip

    def _content(self, says: Says) -> list[dict[str, Any]]:
        if says.kind == "text":
            return [{"type": "text", "text": str(says.value)}]
        if says.kind == "refusal":
            return []
        value = {} if says.kind == "cut-off" else says.value
        return [{"type": "tool_use", "id": "c1", "name": "shell" if says.kind == "wrong-tool" else "answer", "input": value}]

    def events(self, says: Says) -> list[str]:
        message = self.whole(says)
        events: list[dict[str, Any]] = [{"type": "message_start", "message": {**message, "content": [], "stop_reason": None}}]
        for number, block in enumerate(message["content"]):
            is_tool = block["type"] == "tool_use"
            start = {**block, "input": {}} if is_tool else {"type": "text", "text": ""}
            delta = (
                {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}
                if is_tool
                else {"type": "text_delta", "text": block["text"]}
            )
            events += [
                {"type": "content_block_start", "index": number, "content_block": start},
                {"type": "content_block_delta", "index": number, "delta": delta},
                {"type": "content_block_stop", "index": number},
            ]
        events += [
            {
                "type": "message_delta",
                "delta": {"stop_reason": message["stop_reason"], "stop_sequence": None},
                "usage": {"output_tokens": 30},
            },
            {"type": "message_stop"},
        ]
        if says.kind == "broken":
            return [f"event: message_start\ndata: {json.dumps(events[0])[:30]}\n\n"]
        return [f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events]
