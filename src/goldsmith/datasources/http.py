"""Data source `http`: asks a web server and gives back its answer."""

from __future__ import annotations

import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from goldsmith.components import Context, DataSource, attribute
from goldsmith.events import Warned
from goldsmith.hcl.diagnostics import Diagnostic, MachineError, UserError
from goldsmith.hcl.types import STRING, MapType, ObjectType, Type
from goldsmith.hcl.values import Value, object_of, string

if TYPE_CHECKING:
    from httpx2 import Headers, Response

METHODS = ("HEAD", "GET", "POST", "PUT", "DELETE", "OPTIONS", "PATCH")

_SILENCE_S, _WHOLE_S = 60.0, 600.0
_REDIRECTS = 10
_LARGEST = 64 << 20
_TEXT = ("application/json", "application/samlmetadata+xml")


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpConfig:
    """Attributes of a `data "http"` block; names and defaults are Packer's."""

    url: str = attribute("", "What is asked for.")
    method: str = attribute("GET", f"One of {', '.join(METHODS)}.")
    request_headers: Mapping[str, str] = attribute({}, "Headers of the request.")
    request_body: str = attribute("", "What is sent along.")


class Http(DataSource[HttpConfig]):
    """An object with `url`, `body` and `response_headers`. Packer calls the last `request_headers`: both names work."""

    Config: ClassVar[type[HttpConfig]] = HttpConfig
    outputs: ClassVar[Type] = ObjectType(
        {"url": STRING, "body": STRING, "request_headers": MapType(STRING), "response_headers": MapType(STRING)}
    )

    def check(self, config: HttpConfig, context: Context) -> None:
        """There must be a URL of a web server, and a method that is known."""
        faults = []
        if not config.url:
            faults.append(Diagnostic(code="http.settings", what="the `url` must be specified", next='Add "url".'))
        elif not config.url.startswith(("http://", "https://")):
            why = "only http:// and https:// can be asked"
            faults.append(Diagnostic(code="http.settings", what="the `url` names no web server", why=why))
        if config.method not in METHODS:
            what = f"the `method` must be one of [{' '.join(METHODS)}]"
            faults.append(Diagnostic(code="http.settings", what=what, next="Write it in capitals."))
        if faults:
            raise UserError(*faults)

    def read(self, config: HttpConfig, context: Context) -> Value:
        """Ask. Raises `UserError` for an answer other than 2xx, `MachineError` when there is none."""
        self.check(config, context)
        import httpx2

        try:
            response, content = _ask(config)
        except (httpx2.HTTPError, httpx2.InvalidURL, ssl.SSLError, UnicodeError) as error:
            raise MachineError(_fault("http.unreachable", config, str(error) or type(error).__name__)) from error
        if not response.is_success:
            what = f"HTTP request error. Response code: {response.status_code}"
            raise UserError(Diagnostic(code="http.status", what=what, next="Check the URL and who may read it."))
        return _value(config, response, content, context)


def _ask(config: HttpConfig) -> tuple[Response, bytes]:
    """The answer and its content; the content is left where the status is an error's."""
    from httpx2 import Client, Timeout

    ends = time.monotonic() + _WHOLE_S
    content = bytearray()
    headers = {"Accept-Encoding": "gzip", **config.request_headers}
    body = config.request_body.encode() if config.request_body else None
    # The system's certificates and SSL_CERT_FILE, as Packer; proxies come from the environment.
    with (
        Client(
            verify=ssl.create_default_context(),
            follow_redirects=True,
            max_redirects=_REDIRECTS,
            timeout=Timeout(_SILENCE_S),
        ) as client,
        client.stream(config.method, config.url, headers=headers, content=body) as response,
    ):
        for part in response.iter_bytes() if response.is_success else ():
            content += part
            if len(content) > _LARGEST:
                raise UserError(_fault("http.too-large", config, f"the answer has more than {_LARGEST >> 20} MiB"))
            if time.monotonic() > ends:
                raise MachineError(_fault("http.unreachable", config, f"it takes longer than {_WHOLE_S:g} seconds"))
        return response, bytes(content)


def _value(config: HttpConfig, response: Response, content: bytes, context: Context) -> Value:
    kind = response.headers.get("Content-Type", "")
    if not _is_text(kind):
        text = f'Content-Type is not recognized as a text type, got "{kind}"; binary data cannot be kept as a string'
        context.emit(Warned(build=context.build, text=text))
    headers = Value(MapType(STRING), {name: string(text) for name, text in _headers(response.headers).items()})
    body = string(content.decode(errors="replace"))
    return object_of({"url": string(config.url), "body": body, "request_headers": headers, "response_headers": headers})


def _is_text(kind: str) -> bool:
    type, _, parameters = kind.partition(";")
    name, _, charset = parameters.strip().partition("=")
    if name.strip().lower() == "charset" and charset.strip(' "').lower() not in ("", "utf-8", "us-ascii"):
        return False
    return type.strip().lower().startswith("text/") or type.strip().lower() in _TEXT


def _headers(headers: Headers) -> dict[str, str]:
    """Names as Go writes them; what is said several times is joined; what is only true of the packed answer is left out."""
    packed = headers.get("Content-Encoding") == "gzip"
    named = {"-".join(part.capitalize() for part in name.split("-")): text for name, text in headers.items()}
    return {
        name: text for name, text in sorted(named.items()) if not (packed and name in ("Content-Encoding", "Content-Length"))
    }


def _fault(code: str, config: HttpConfig, why: str) -> Diagnostic:
    host = config.url.split("//", 1)[-1].split("/", 1)[0].rpartition("@")[2]
    return Diagnostic(
        code=code, what=f"{config.method} from {host} failed", why=why, next="Check the URL, the network and the proxy."
    )
