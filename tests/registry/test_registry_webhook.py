"""Webhooks: what a receiver gets is CloudEvents and verifies by Standard Webhooks; where it may go is held to."""

from __future__ import annotations

import base64
import json
import ssl
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import standardwebhooks
from hypothesis import given
from hypothesis import strategies as st

from goldsmith.hcl.diagnostics import MachineError, UserError
from goldsmith.registry import LoggedEvent
from goldsmith.registry.targets import webhook
from goldsmith.registry.targets.contract import GoneForGood
from goldsmith.registry.targets.webhook import Webhook, cloud_event, identity, is_public, signed_headers
from tests.datasources.web_server import Answer, WebServer, certificate

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
EVENT = LoggedEvent(
    seq=41,
    at=1_800_000_000_123_456,
    actor="user:carol",
    type="promotion.committed",
    request="7",
    data={"image": "web", "channel": "prod", "version": "sha256:ab", "generation": 4, "reason": "ü"},
    hash="0123456789abcdef" * 4,
)


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WebServer]:
    """A receiver with a certificate that is trusted here."""
    trusted = certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(trusted)
    with WebServer({"/hook": Answer(204)}, tls=tls) as running:
        yield running


def hook(server: WebServer, path: str = "/hook", **changes: Any) -> Webhook:
    return replace(Webhook(url=server.url(path, "localhost"), secret=SECRET, allow_private=True), **changes)


def test_what_a_receiver_gets_verifies_and_is_a_cloud_event(server: WebServer) -> None:
    hook(server).tell(EVENT)
    hook(server).tell(EVENT)

    first, second = server.asked
    told = standardwebhooks.Webhook(SECRET).verify(first.body, dict(first.headers))
    assert (first.method, first.headers["Host"]) == ("POST", server.url("", "localhost").removeprefix("https://"))
    assert first.headers["content-type"] == "application/cloudevents+json; charset=utf-8"
    assert (first.body, first.headers["webhook-id"]) == (second.body, second.headers["webhook-id"])
    assert told == {
        "specversion": "1.0",
        "id": "evt_41_0123456789abcdef",
        "source": "urn:goldsmith:registry",
        "type": "goldsmith.promotion.committed",
        "subject": "web@prod",
        "time": "2027-01-15T08:00:00Z",
        "sequence": "41",
        "datacontenttype": "application/json",
        "data": {**EVENT.data, "actor": "user:carol", "request": "7"},
    }


@given(body=st.binary(), id=st.text("abc_0", min_size=1), key=st.binary(min_size=24, max_size=64))
def test_signatures_are_those_of_standard_webhooks(body: bytes, id: str, key: bytes) -> None:
    import time

    text = base64.b64encode(body)
    secret = "whsec_" + base64.b64encode(key).decode()
    headers = signed_headers(secret, id, int(time.time()), text)

    standardwebhooks.Webhook(secret).verify(text, dict(headers), json_parse=False)
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        standardwebhooks.Webhook(secret).verify(text + b"x", dict(headers), json_parse=False)


@pytest.mark.parametrize(
    ("status", "headers", "why"),
    [
        (500, (), "it answers 500"),
        (404, (), "it answers 404"),
        (302, (("Location", "/hook"),), "it redirects, and that is not followed: it answers 302"),
        (307, (("Location", "http://169.254.169.254/"),), "it answers 307"),
    ],
)
def test_an_answer_that_is_no_yes_is_no_delivery(
    server: WebServer, status: int, headers: tuple[tuple[str, str], ...], why: str
) -> None:
    server.answers["/x"] = Answer(status, headers)

    with pytest.raises(MachineError, match=why):
        hook(server, "/x").tell(EVENT)

    assert len(server.asked) == 1


def test_one_that_says_410_wants_no_more(server: WebServer) -> None:
    server.answers["/x"] = Answer(410)

    with pytest.raises(GoneForGood):
        hook(server, "/x").tell(EVENT)


def test_a_certificate_that_is_not_trusted_is_refused(server: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")

    with pytest.raises(MachineError, match="certificate"):
        hook(server).tell(EVENT)

    assert server.asked == []


def test_private_addresses_and_plain_http_must_be_allowed(server: WebServer) -> None:
    with pytest.raises(UserError, match=r"localhost is (127\.0\.0\.1|::1), an address inside of a network"):
        hook(server, allow_private=False).tell(EVENT)
    with WebServer({"/hook": Answer()}) as plain:
        with pytest.raises(UserError, match="no https address"):
            hook(plain).tell(EVENT)
        assert plain.asked == []
        hook(plain, allow_http=True).tell(EVENT)
        assert len(plain.asked) == 1
    with pytest.raises(UserError, match="no https address"):
        hook(server, url="ftp://localhost/", allow_http=True).tell(EVENT)
    assert server.asked == []


def test_a_receiver_that_dawdles_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    monkeypatch.setattr(webhook, "WITHIN_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        with pytest.raises(MachineError):
            Webhook(url=url, secret=SECRET, allow_http=True, allow_private=True).tell(EVENT)


def test_one_that_is_not_there_is_told_without_its_path() -> None:
    with pytest.raises(MachineError) as caught:
        Webhook(url="https://127.0.0.1:1/T0KEN", secret=SECRET, allow_private=True).tell(EVENT)

    assert "127.0.0.1 was not told" in str(caught.value)
    assert "T0KEN" not in str(caught.value)


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_MTIz", "no prefix", "whsec_!!!!", "whsec_" + "QUFB" * 30])
def test_a_secret_that_is_none_is_refused_without_showing_it(server: WebServer, secret: str) -> None:
    with pytest.raises(UserError) as caught:
        hook(server, secret=secret).tell(EVENT)

    assert caught.value.diagnostics[0].code == "webhook.secret"
    assert server.asked == []


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1%eth0",
        "fd00::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
        "2002:a00:1::",
    ],
)
def test_addresses_inside_of_networks_are_known(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["1.1.1.1", "93.184.215.14", "2606:4700:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101"])
def test_addresses_of_the_internet_are_known(address: str) -> None:
    assert is_public(address)


def test_an_event_without_a_channel_has_its_version_as_subject() -> None:
    event = replace(EVENT, type="revocation.declared", data={"version": "sha256:ab"})

    assert json.loads(cloud_event(event))["subject"] == "sha256:ab"
    assert "subject" not in json.loads(cloud_event(replace(event, data={})))
    assert identity(event) == identity(EVENT) != identity(replace(EVENT, seq=42))
