"""The replaying proxy: the only way out of a sandbox; what a server answered once is what every later request gets.

In the sandbox every name has one address, where the proxy listens for HTTP and for HTTPS; for the latter it has a certificate
of an authority of its own, which the sandbox is shown. Programs that obey `http_proxy` reach other ports too.
"""

from __future__ import annotations

import hashlib
import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property, partial
from http.cookiejar import CookieJar, DefaultCookiePolicy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias
from urllib.parse import urlsplit, urlunsplit

from goldsmith.assist.authority import Authority
from goldsmith.assist.recordings import Answer, Asked, Recordings
from goldsmith.hcl.diagnostics import Diagnostic, MachineError
from goldsmith.machines.inside import add_loopback_address, in_network_of, listening
from goldsmith.machines.name_server import serve
from goldsmith.machines.outbound import APT_CONFIG, CA_BUNDLE, CA_VARIABLES, RESOLVER_FILE, HostSettings

if TYPE_CHECKING:
    from httpx2 import Client, Response

ADDRESS = "198.18.0.1"
"""Of every name, in the sandbox: a block for measurements between networks (RFC 2544) that no server has."""
HTTP_PORT, HTTPS_PORT, PROXY_PORT, NAME_PORT = 80, 443, 3128, 53

_WGETRC = "/run/goldsmith/wgetrc"
_MORE_CA_VARIABLES = ("AWS_CA_BUNDLE", "CARGO_HTTP_CAINFO", "DENO_CERT", "PERL_LWP_SSL_CA_FILE")
_TRUSTED_PLACES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem")
"""The bundles of Debian and of Red Hat: programs that were started without these variables, as by sudo, read them."""
_ANCHORS = ("/usr/local/share/ca-certificates/goldsmith-replay.crt", "/etc/pki/ca-trust/source/anchors/goldsmith-replay.pem")
"""Where such a bundle is made anew from."""
_HOPS = frozenset(
    {"connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te", "trailer", "upgrade"}
    | {"transfer-encoding", "content-length", "date", "alt-svc", "strict-transport-security"}
)
_NOT_PASSED_ON = frozenset({"host", "accept-encoding", "range", "expect"})
_SILENCE_S = 30.0
_BLOCK = 1 << 16
_LARGEST_BODY = 256 << 20


Origin: TypeAlias = Literal["fetched", "replayed", "refused"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One request that the sandbox made, and what it got."""

    method: str
    url: str
    """Without user names and passwords."""
    status: int
    """0 when no server answered."""
    sha256: str = ""
    size: int = 0
    origin: Origin = "fetched"
    """Refused is what was not recorded, where only recordings are played."""
    fault: str = ""
    command: int = 0
    """What the listener of the proxy said when the request came."""


class Proxy:
    """A `WayOut`. `fetches` allows what is not recorded to be fetched by this host, and recorded; else it is refused.

    `work` is a private directory; `trees` are the layers of the sandbox, lowest first, whose own certificates stay trusted.
    """

    def __init__(self, recordings: Recordings, work: Path, *, fetches: bool, trees: tuple[Path, ...] = ()) -> None:
        self.recordings = recordings
        self.authority = Authority(work)
        self.fetches = fetches
        self.listener: Callable[[str], int] = lambda url: 0
        """Is told each address before it is answered, and returns the `command` of the exchange."""
        self.exchanges: list[Exchange] = []
        self._trees = trees
        self._changed = threading.Condition()
        self._open = 0

    @cached_property
    def settings(self) -> HostSettings:
        """Proxies, certificates, and where the programs look for them."""
        proxy = f"http://{ADDRESS}:{PROXY_PORT}"
        environment = {name: proxy for lower in ("http_proxy", "https_proxy") for name in (lower, lower.upper())}
        environment |= dict.fromkeys(("no_proxy", "NO_PROXY"), "localhost,127.0.0.1,::1")
        environment |= dict.fromkeys((*CA_VARIABLES, *_MORE_CA_VARIABLES), CA_BUNDLE)
        environment |= {"APT_CONFIG": APT_CONFIG, "WGETRC": _WGETRC}
        certificate = self.authority.certificate
        files = {
            CA_BUNDLE: certificate,
            APT_CONFIG: f'Acquire::https::CaInfo "{CA_BUNDLE}";\n'.encode(),
            _WGETRC: f"ca_certificate = {CA_BUNDLE}\n".encode(),
        }
        shown = {RESOLVER_FILE: (0o644, f"nameserver {ADDRESS}\n".encode())}
        for place in _TRUSTED_PLACES:
            if (bundle := self._in_tree(place)) is not None:
                shown[place] = (0o644, bundle + certificate)
        for place in _ANCHORS:
            if any((tree / place.lstrip("/")).parent.is_dir() for tree in self._trees):
                shown[place] = (0o644, certificate)
        return HostSettings(environment, files, shown)

    @contextmanager
    def connected(self, first_process: int, mapped_user: bool) -> Iterator[None]:
        """Listen in the network of a sandbox. Raises `MachineError` where that cannot be done."""
        if mapped_user:
            raise _not_connected("only root can listen in a sandbox's network", "Run this as root.")
        try:
            http, https, proxy, names = in_network_of(first_process, _sockets)
        except OSError as error:
            raise _not_connected(str(error), "Run `goldsmith doctor`.") from error
        with ExitStack() as held:
            client = held.enter_context(_client())
            for server_socket, scheme in ((http, "http"), (https, "https"), (proxy, "http")):
                held.enter_context(self._serving(server_socket, scheme, client))
            thread = threading.Thread(target=serve, args=(names, _address_of), name="names", daemon=True)
            thread.start()
            try:
                yield
                with self._changed:
                    self._changed.wait_for(lambda: self._open == 0, _SILENCE_S)
            finally:
                _end_names(first_process, names, thread)

    @contextmanager
    def _serving(self, server_socket: socket.socket, scheme: str, client: Client) -> Iterator[None]:
        server = _Server(server_socket, partial(_Handler, self, scheme, client))
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, name="proxy", daemon=True)
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            server.server_close()
            thread.join()

    @contextmanager
    def answering(self) -> Iterator[None]:
        """One request is being answered: the sandbox's network is not taken away before it is noted."""
        with self._changed:
            self._open += 1
        try:
            yield
        finally:
            with self._changed:
                self._open -= 1
                self._changed.notify_all()

    def note(self, exchange: Exchange) -> None:
        """Remember an exchange."""
        with self._changed:
            self.exchanges.append(exchange)

    def _in_tree(self, place: str) -> bytes | None:
        for tree in reversed(self._trees):
            path = tree / place.lstrip("/")
            if path.is_file() and not path.is_symlink():
                return path.read_bytes()
        return None


def without_user(url: str) -> str:
    """An address without the user name and password that may stand in it."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def _sockets() -> tuple[socket.socket, socket.socket, socket.socket, socket.socket]:
    add_loopback_address(ADDRESS)
    names = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    names.bind((ADDRESS, NAME_PORT))
    http, https, proxy = (listening(ADDRESS, port) for port in (HTTP_PORT, HTTPS_PORT, PROXY_PORT))
    return http, https, proxy, names


def _address_of(name: str) -> str | None:
    return "127.0.0.1" if name == "localhost" else ADDRESS


def _end_names(first_process: int, names: socket.socket, thread: threading.Thread) -> None:
    def say() -> None:
        names.sendto(b"", (ADDRESS, NAME_PORT))

    say()
    thread.join()
    names.close()


def _client() -> Client:
    from httpx2 import Client, Timeout

    # No cookie of one request may reach a server with another: that is between the clients and their servers.
    none = CookieJar(DefaultCookiePolicy(allowed_domains=[]))
    return Client(verify=ssl.create_default_context(), follow_redirects=False, timeout=Timeout(_SILENCE_S), cookies=none)


def _not_connected(why: str, next: str) -> MachineError:
    return MachineError(Diagnostic(code="proxy.not-connected", what="the sandbox has no way to the proxy", why=why, next=next))


# ── the server ────────────────────────────────────────────────────────────────────────────────────────────────────────


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, listening: socket.socket, handler: Callable[..., BaseHTTPRequestHandler]) -> None:
        super().__init__((ADDRESS, 0), handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listening

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up in the middle of an answer is no fault of the run."""


class _Handler(BaseHTTPRequestHandler):
    """One connection of a client."""

    protocol_version = "HTTP/1.1"
    _is_begun = _has_body = _is_chunked = False
    server_version, sys_version = "goldsmith", ""
    timeout = 120

    def __init__(self, proxy: Proxy, scheme: str, client: Client, *arguments: object) -> None:
        self._proxy, self._scheme, self._client = proxy, scheme, client
        self._command = 0
        super().__init__(*arguments)  # type: ignore[arg-type]  # what the server gives its handlers

    def setup(self) -> None:
        """Greet by TLS where that is spoken from the start."""
        super().setup()
        if self._scheme == "https":
            self._speak_tls(ADDRESS)

    def finish(self) -> None:
        """Close what was put around the connection as well."""
        super().finish()
        self.connection.close()

    def log_message(self, format: str, *arguments: object) -> None:
        """Exchanges are told by the proxy."""

    def do_CONNECT(self) -> None:
        """A client asks for a tunnel; what comes through it is read here all the same."""
        self.send_response(200)
        self.end_headers()
        self._scheme = "https"
        self._speak_tls(self.path.rpartition(":")[0].strip("[]"))
        self.close_connection = False  # HTTP/1.0, which some speak here, would end it

    def do_GET(self) -> None:
        """Answer from the recordings, or fetch and record."""
        with self._proxy.answering():
            self._answer()

    do_HEAD = do_POST = do_PUT = do_DELETE = do_OPTIONS = do_PATCH = do_GET

    def _answer(self) -> None:
        try:
            body = self._body()
        except ValueError as error:
            self.close_connection = True
            self._say(400, f"the request cannot be read: {error}")
            return
        url = self._url()
        self._command = self._proxy.listener(without_user(url))
        digest = hashlib.sha256(body).hexdigest() if body else ""
        asked = Asked(method=self.command, url=url, accept=_kinds(self.headers.get("Accept", "")), body_sha256=digest)
        answer = self._proxy.recordings.find(asked)
        if answer is not None:
            self._replay(answer)
        elif self._proxy.fetches and not _is_this_host(url):
            self._fetch(asked, body)
        else:
            self._refuse(asked)

    def _speak_tls(self, host: str) -> None:
        self.connection = self._proxy.authority.context(host).wrap_socket(self.connection, server_side=True)
        self.rfile = self.connection.makefile("rb", -1)
        self.wfile = self.connection.makefile("wb", 0)

    def _url(self) -> str:
        if self.path.startswith(("http://", "https://")):
            return _plain(self.path)
        return _plain(f"{self._scheme}://{self.headers.get('Host', ADDRESS)}{self.path}")

    def _body(self) -> bytes:
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            return self._chunks()
        length = int(self.headers.get("Content-Length") or 0)
        if length > _LARGEST_BODY:
            raise ValueError(f"{length} bytes are sent")
        return self.rfile.read(length)

    def _chunks(self) -> bytes:
        body = bytearray()
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
            if len(body) > _LARGEST_BODY:
                raise ValueError(f"more than {_LARGEST_BODY} bytes are sent")
        while self.rfile.readline().strip():
            continue
        return bytes(body)

    def _replay(self, answer: Answer) -> None:
        self._note(answer.asked.url, answer.status, "replayed", answer.sha256, answer.size)
        self._begin(answer.status, answer.headers, answer.size)
        with self._proxy.recordings.path(answer).open("rb") as file:
            while data := file.read(_BLOCK):
                self._pass_on(data)

    def _fetch(self, asked: Asked, body: bytes) -> None:
        """Ask the server, and give the client each part of the answer as it comes."""
        from httpx2 import HTTPError, InvalidURL

        try:
            with self._client.stream(asked.method, asked.url, headers=self._passed(), content=body or None) as response:
                self._record(asked, response)
        except (HTTPError, InvalidURL, ssl.SSLError, UnicodeError) as error:
            why = f"{type(error).__name__}: {error}"
            self._note(asked.url, 0, "fetched", fault=why)
            if self._is_begun:
                self.close_connection = True  # all that is left to say is that the answer is not whole
            else:
                self._say(502, f"{without_user(asked.url)} cannot be reached: {why}")

    def _record(self, asked: Asked, response: Response) -> None:
        status = response.status_code
        headers = tuple((name, value) for name, value in response.headers.multi_items() if name.lower() not in _HOPS)
        varies = "accept" in {part.strip() for part in response.headers.get("Vary", "").lower().split(",")}
        length = response.headers.get("Content-Length")
        with self._proxy.recordings.recording(asked, status, headers, varies) as recording:
            self._begin(status, headers, int(length) if length is not None and length.isdigit() else None)
            for data in response.iter_raw(_BLOCK):
                recording.write(data)
                self._pass_on(data)
        self._note(asked.url, status, "fetched", recording.sha256, recording.size)
        self._end()

    def _refuse(self, asked: Asked) -> None:
        why = "it is this host's own" if self._proxy.fetches else "it was not recorded, and only recordings are played"
        self._note(asked.url, 0, "refused", fault=why)
        self._say(504, f"{asked.method} {without_user(asked.url)} is refused: {why}")

    def _passed(self) -> dict[str, str]:
        """The headers that reach the server. What would make an answer partial, empty or compressed does not."""
        named = {name: value for name, value in self.headers.items() if name.lower() not in _HOPS | _NOT_PASSED_ON}
        return {name: value for name, value in named.items() if not name.lower().startswith("if-")} | {
            "Accept-Encoding": "identity"
        }

    # ── answers ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def _begin(self, status: int, headers: Sequence[tuple[str, str]], size: int | None) -> None:
        """Send the head of an answer; without a size its end is told by an empty chunk, or by closing."""
        self._is_begun = True
        self._has_body = self.command != "HEAD" and status not in (204, 304)
        self._is_chunked = size is None and self._has_body and self.request_version == "HTTP/1.1"
        with suppress(OSError):
            self.send_response_only(status)
            for name, value in headers:
                self.send_header(name, value)
            if self._is_chunked:
                self.send_header("Transfer-Encoding", "chunked")
            elif size is not None and status not in (204, 304):
                self.send_header("Content-Length", str(size))
            else:
                self.send_header("Connection", "close")
            self.end_headers()

    def _pass_on(self, data: bytes) -> None:
        # A client that leaves early, as `head` makes it, does not keep the answer from being recorded.
        if not self._has_body:
            return
        try:
            self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data) if self._is_chunked else data)
        except OSError:
            self._has_body, self.close_connection = False, True

    def _end(self) -> None:
        if self._is_chunked and self._has_body:
            with suppress(OSError):
                self.wfile.write(b"0\r\n\r\n")

    def _say(self, status: int, text: str) -> None:
        body = f"goldsmith: {text}\n".encode()
        self._begin(status, (("Content-Type", "text/plain; charset=utf-8"),), len(body))
        self._pass_on(body)

    def _note(self, url: str, status: int, origin: Origin, sha256: str = "", size: int = 0, fault: str = "") -> None:
        exchange = Exchange(
            method=self.command,
            url=without_user(url),
            status=status,
            sha256=sha256,
            size=size,
            origin=origin,
            fault=fault,
            command=self._command,
        )
        self._proxy.note(exchange)


def _plain(url: str) -> str:
    """An address as it is recorded: without a fragment, a user, or the port that its scheme has anyway."""
    parts = urlsplit(without_user(url))
    usual = {"http": ":80", "https": ":443"}[parts.scheme]
    return urlunsplit(parts._replace(netloc=parts.netloc.lower().removesuffix(usual), path=parts.path or "/", fragment=""))


def _is_this_host(url: str) -> bool:
    """Whether an address leads to the loopback of this host, or to the metadata service of a cloud that the host is in."""
    parts = urlsplit(url)
    try:
        found = socket.getaddrinfo(parts.hostname, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return False  # who asks is told that by the attempt
    addresses = [ipaddress.ip_address(str(item[4][0]).partition("%")[0]) for item in found]
    return any(address.is_loopback or address.is_link_local or address.is_unspecified for address in addresses)


def _kinds(accept: str) -> str:
    return "" if accept.strip() == "*/*" else accept.strip()
