"""A server that speaks WinRM (MS-WSMV) for the real client; commands are answered by a small Windows of its own.

It knows the scripts by which files travel, and a few commands. That Windows itself would do the same is not proven by it.
"""

from __future__ import annotations

import base64
import io
import re
import threading
import uuid
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from xml.etree import ElementTree

USER, PASSWORD = "Administrator", "open sesame"
_S, _A = "http://www.w3.org/2003/05/soap-envelope", "http://schemas.xmlsoap.org/ws/2004/08/addressing"
_R, _W = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell", "http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd"
_TRANSFER = "http://schemas.xmlsoap.org/ws/2004/09/transfer"
_NAMES = {"s": _S, "a": _A, "r": _R, "w": _W}
_TIMED_OUT = (
    "<s:Fault><s:Code><s:Value>s:Receiver</s:Value></s:Code><s:Reason><s:Text>no output yet</s:Text></s:Reason><s:Detail>"
    '<f:WSManFault xmlns:f="http://schemas.microsoft.com/wbem/wsman/1/wsmanfault" Code="2150858793" Machine="x">'
    "<f:Message>no output yet</f:Message></f:WSManFault></s:Detail></s:Fault>"
)

Answer = tuple[int, bytes, bytes]
"""Exit code, standard output, standard error."""


@dataclass
class Started:
    """A command that was started in a shell."""

    line: str
    environment: Mapping[str, str]
    directory: str
    stdin: bytes = b""
    is_fed: bool = False
    ended: bool = False


@dataclass
class Windows:
    """Files, and what commands do that are none of the scripts for files."""

    files: dict[str, bytes] = field(default_factory=dict)
    ran: list[Started] = field(default_factory=list)
    """Every command that was not a script for files."""
    answer: Callable[[Started], Answer | None] = lambda command: (0, b"", b"")
    """None: it does not end by itself."""
    boots: int = 1

    def run(self, command: Started) -> Answer | None:
        """What a command says once its input is complete."""
        script = decoded(command.line)
        paths = [path.replace("''", "'").replace("\\", "/") for path in re.findall(r"'((?:[^']|'')*)'", script)]
        if "[IO.File]::Create" in script:
            written = b"".join(base64.b64decode(line) for line in command.stdin.split(b"\r\n"))
            self.files[paths[-1]] = written
            return 0, b"", b""
        if "[IO.File]::OpenRead" in script:
            return self._read(paths[1])
        if "Expand-Archive" in script:
            return self._expand(*paths[2:4])
        if "CreateFromDirectory" in script:
            return self._pack(*paths[-2:])
        if script.startswith("Remove-Item"):
            for path in paths:
                self.files.pop(path, None)
            return 0, b"", b""
        if script == "cd":
            return 0, b"C:\\Users\\Administrator\r\n", b""
        if "LastBootUpTime" in script:
            return 0, f"{self.boots}\r\n".encode(), b""
        self.ran.append(command)
        return self.answer(command)

    def _read(self, path: str) -> Answer:
        if path not in self.files:
            return 2, b"", b"No such file\r\n"
        data = self.files[path]
        lines = [base64.b64encode(data[start : start + 49152]) for start in range(0, len(data), 49152)]
        return 0, b"".join(line + b"\r\n" for line in lines), b""

    def _expand(self, directory: str, archive: str) -> Answer:
        with zipfile.ZipFile(io.BytesIO(self.files.pop(archive))) as packed:
            for name in packed.namelist():
                if not name.endswith("/"):
                    self.files[f"{directory}/{name}"] = packed.read(name)
        return 0, b"", b""

    def _pack(self, directory: str, archive: str) -> Answer:
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w") as packed:
            for path, data in self.files.items():
                if path.startswith(f"{directory}/"):
                    # As .NET before 4.6.1 did.
                    packed.writestr(path.removeprefix(f"{directory}/").replace("/", "\\"), data)
        if not stream.getvalue()[22:]:
            return 2, b"", b"No such file\r\n"
        self.files[archive] = stream.getvalue()
        return 0, b"", b""


def decoded(line: str) -> str:
    """The script of an -EncodedCommand, or the line itself."""
    found = re.search(r"-EncodedCommand (\S+)", line)
    return base64.b64decode(found[1]).decode("utf-16-le") if found else line


class WindowsServer:
    """Listens on a port of 127.0.0.1. A context manager."""

    def __init__(self, windows: Windows) -> None:
        self.windows = windows
        self.is_down = False
        """Whether connections are cut, as while it restarts."""
        self.shells: dict[str, tuple[Mapping[str, str], str]] = {}
        self.commands: dict[str, Started] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    def __enter__(self) -> WindowsServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def act(self, envelope: ElementTree.Element) -> tuple[int, str]:
        """The status and the body of the answer to an envelope."""
        action = (envelope.findtext("s:Header/a:Action", "", _NAMES)).rpartition("/")[2]
        body = envelope.find("s:Body", _NAMES)
        assert body is not None
        selected = envelope.findtext("s:Header/w:SelectorSet/w:Selector", "", _NAMES)
        match action:
            case "Create":
                return 200, self._create(body)
            case "Command":
                return 200, self._command(body, selected)
            case "Send":
                return 200, self._send(body)
            case "Receive":
                return self._receive(body)
            case "Signal":
                self.commands[body[0].attrib["CommandId"]].ended = True
                return 200, f'<r:SignalResponse xmlns:r="{_R}"/>'
            case "Delete":
                self.shells.pop(selected)
                return 200, ""
        raise AssertionError(action)

    def _create(self, body: ElementTree.Element) -> str:
        id = str(uuid.uuid4()).upper()
        shell = body[0]
        environment = {item.attrib["Name"]: item.text or "" for item in shell.findall("r:Environment/r:Variable", _NAMES)}
        self.shells[id] = environment, shell.findtext("r:WorkingDirectory", "", _NAMES)
        return f'<r:Shell xmlns:r="{_R}"><r:ShellId>{id}</r:ShellId></r:Shell>' + (
            f'<t:ResourceCreated xmlns:t="{_TRANSFER}"><a:ReferenceParameters xmlns:a="{_A}">'
            f'<w:SelectorSet xmlns:w="{_W}"><w:Selector Name="ShellId">{id}</w:Selector></w:SelectorSet>'
            "</a:ReferenceParameters></t:ResourceCreated>"
        )

    def _command(self, body: ElementTree.Element, shell: str) -> str:
        id = str(uuid.uuid4()).upper()
        self.commands[id] = Started(body[0].findtext("r:Command", "", _NAMES), *self.shells[shell])
        return f'<r:CommandResponse xmlns:r="{_R}"><r:CommandId>{id}</r:CommandId></r:CommandResponse>'

    def _send(self, body: ElementTree.Element) -> str:
        stream = body[0][0]
        command = self.commands[stream.attrib["CommandId"]]
        command.stdin += base64.b64decode(stream.text or "")
        command.is_fed = command.is_fed or stream.attrib.get("End") == "True"
        return f'<r:SendResponse xmlns:r="{_R}"/>'

    def _receive(self, body: ElementTree.Element) -> tuple[int, str]:
        id = body[0][0].attrib["CommandId"]
        command = self.commands[id]
        assert command.is_fed
        answer = self.windows.run(command)
        if answer is None:
            return 500, _TIMED_OUT
        code, out, err = answer
        streams = "".join(
            f'<r:Stream Name="{name}" CommandId="{id}">{base64.b64encode(data).decode()}</r:Stream>'
            for name, data in (("stdout", out), ("stderr", err))
            if data
        )
        state = (
            f'<r:CommandState CommandId="{id}" State="{_R}/CommandState/Done"><r:ExitCode>{code}</r:ExitCode></r:CommandState>'
        )
        return 200, f'<r:ReceiveResponse xmlns:r="{_R}">{streams}{state}</r:ReceiveResponse>'


def _handler(server: WindowsServer) -> type[BaseHTTPRequestHandler]:
    expected = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            data = self.rfile.read(int(self.headers["Content-Length"]))
            if server.is_down:
                self.close_connection = True
                return
            if self.headers.get("Authorization") != expected:
                self._answer(401, "")
                return
            envelope = ElementTree.fromstring(data)
            status, body = server.act(envelope)
            message = envelope.findtext("s:Header/a:MessageID", "", _NAMES)
            head = f'<s:Header><a:RelatesTo xmlns:a="{_A}">{message}</a:RelatesTo></s:Header>'
            self._answer(status, f'<s:Envelope xmlns:s="{_S}">{head}<s:Body>{body}</s:Body></s:Envelope>')

        def _answer(self, status: int, text: str) -> None:
            self.send_response(status)
            if status == 401:
                self.send_header("WWW-Authenticate", 'Basic realm="WSMAN"')
            self.send_header("Content-Type", "application/soap+xml;charset=UTF-8")
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, format: str, *args: object) -> None:
            pass

    return Handler
