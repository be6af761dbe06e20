"""Tells a web server of events: CloudEvents 1.0 in JSON, signed as Standard Webhooks say.

https://github.com/cloudevents/spec, https://github.com/standard-webhooks/standard-webhooks
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import ipaddress
import json
import socket
import ssl
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from goldsmith.evidence.moments import moment
from goldsmith.hcl.diagnostics import Diagnostic, MachineError, UserError
from goldsmith.registry.entities import LoggedEvent
from goldsmith.registry.targets.contract import GoneForGood

if TYPE_CHECKING:
    from httpx2 import Response

WITHIN_S = 10
"""How long a delivery may take as a whole."""
GONE = 410
SECRET_PREFIX = "whsec_"
SHORTEST_SECRET, LONGEST_SECRET = 24, 64
"""Bytes (Standard Webhooks)."""
SOURCE = "urn:goldsmith:registry"


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """A web server that hears of events. Only https, and no address inside of the own networks, unless that is allowed."""

    url: str
    secret: str
    """`whsec_` and base64."""
    allow_http: bool = False
    allow_private: bool = False

    def tell(self, event: LoggedEvent) -> None:
        """Post an event; the same event has the same id and body each time.

        Raises `UserError` for settings that do not do, `MachineError` when it did not arrive, `GoneForGood` for 410.
        """
        body = cloud_event(event)
        headers = signed_headers(self.secret, identity(event), int(time.time()), body)
        import httpx2

        try:
            response = asyncio.run(asyncio.wait_for(self._post(body, headers), WITHIN_S))
        except TimeoutError as error:
            raise MachineError(self._fault(f"it took longer than {WITHIN_S} s")) from error
        except (httpx2.HTTPError, httpx2.InvalidURL, ssl.SSLError, OSError, UnicodeError) as error:
            raise MachineError(self._fault(str(error) or type(error).__name__)) from error
        if response.status_code == GONE:
            raise GoneForGood(self._fault("it answers 410: it wants to hear no more of this"))
        if not response.is_success:
            kind = "it redirects, and that is not followed: " if response.is_redirect else ""
            raise MachineError(self._fault(f"{kind}it answers {response.status_code}"))

    async def _post(self, body: bytes, headers: Mapping[str, str]) -> Response:
        """Post to an address that was looked at: asking for it again could give another one."""
        from httpx2 import AsyncClient, ConnectError, Timeout

        parts = urlsplit(self.url)
        if parts.scheme != "https" and not (self.allow_http and parts.scheme == "http"):
            raise UserError(self._fault("it is no https address", "Use https, or allow_http = true in a network of your own."))
        host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
        sent = {**headers, "Host": parts.netloc.rpartition("@")[2]}
        unreachable: ConnectError | None = None
        # A proxy would do the looking up, and could not be told which addresses are refused.
        client = AsyncClient(verify=ssl.create_default_context(), trust_env=False, timeout=Timeout(WITHIN_S))
        async with client:
            for address in await self._addresses(host, port):
                url = parts._replace(netloc=f"{address}:{port}").geturl()
                request = client.build_request("POST", url, content=body, headers=sent, extensions={"sni_hostname": host})
                try:
                    # What it says besides its status does not matter, however long it is: it is not read.
                    return await client.send(request, stream=True, follow_redirects=False)
                except ConnectError as error:
                    unreachable = error
        assert unreachable is not None
        raise unreachable

    async def _addresses(self, host: str, port: int) -> Sequence[str]:
        """Where the host is, as URLs write it."""
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        addresses = [str(item[4][0]) for item in found]
        own = [address for address in addresses if not is_public(address)]
        if own and not self.allow_private:
            why = f"{host} is {own[0]}, an address inside of a network"
            raise UserError(self._fault(why, "allow_private = true allows that, for a server of your own."))
        return [f"[{address}]" if ":" in address else address for address in addresses]

    def _fault(self, why: str, next: str = "It is tried again; see goldsmith registry targets.") -> Diagnostic:
        # The path may hold a token.
        host = urlsplit(self.url).hostname or "the webhook"
        return Diagnostic(code="webhook.failed", what=f"{host} was not told", why=why, next=next)


def is_public(address: str) -> bool:
    """Whether an IP address belongs to the whole internet; one that wraps another is what it wraps."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if inner is None and ip in _NAT64:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
    return ip.is_global and not ip.is_multicast


_NAT64 = ipaddress.ip_network("64:ff9b::/96")


def cloud_event(event: LoggedEvent) -> bytes:
    """The event as CloudEvents 1.0 JSON; `sequence` lets a reader see gaps."""
    about = [str(event.data[name]) for name in ("image", "channel") if event.data.get(name)]
    document = {
        "specversion": "1.0",
        "id": identity(event),
        "source": SOURCE,
        "type": f"goldsmith.{event.type}",
        "time": moment(event.at // 1_000_000),
        "sequence": str(event.seq),
        "datacontenttype": "application/json",
        "data": {**event.data, "actor": event.actor, "request": event.request},
    }
    if about or event.data.get("version"):
        document["subject"] = "@".join(about) or str(event.data["version"])
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def identity(event: LoggedEvent) -> str:
    """The id of an event: the same at each try, another for another event."""
    return f"evt_{event.seq}_{event.hash[:16]}"


def signed_headers(secret: str, id: str, at: int, body: bytes) -> Mapping[str, str]:
    """The headers by which a receiver knows who sent a body, and when (seconds since 1970). Raises `UserError`."""
    signature = hmac.digest(secret_bytes(secret), f"{id}.{at}.".encode() + body, hashlib.sha256)
    return {
        "content-type": "application/cloudevents+json; charset=utf-8",
        "webhook-id": id,
        "webhook-timestamp": str(at),
        "webhook-signature": f"v1,{base64.b64encode(signature).decode()}",
    }


def secret_bytes(secret: str) -> bytes:
    """The key in `whsec_…`. Raises `UserError` without showing it."""
    try:
        key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not secret.startswith(SECRET_PREFIX) or not SHORTEST_SECRET <= len(key) <= LONGEST_SECRET:
        what = "the secret of the webhook is none"
        length = f"{SHORTEST_SECRET} to {LONGEST_SECRET}"
        why = f"the variable that secret_env names must hold {SECRET_PREFIX} and {length} bytes in base64"
        next = f'Make one: echo "{SECRET_PREFIX}$(openssl rand -base64 32)"; tell it to the receiver too.'
        raise UserError(Diagnostic(code="webhook.secret", what=what, why=why, next=next))
    return key
