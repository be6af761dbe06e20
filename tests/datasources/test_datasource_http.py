"""Data source `http`, asked of a real server."""

from __future__ import annotations

import gzip
import ssl
from pathlib import Path

import pytest

from goldsmith.components import Context
from goldsmith.datasources.http import Http, HttpConfig
from goldsmith.events import Event, Warned
from goldsmith.hcl.diagnostics import MachineError, UserError
from goldsmith.hcl.values import to_plain
from tests.datasources.web_server import Answer, WebServer, certificate


def read(config: HttpConfig, context: Context) -> dict[str, object]:
    told = to_plain(Http().read(config, context))
    assert isinstance(told, dict)
    return dict(told)


def test_the_answer_is_given_back(web: WebServer, context: Context, events: list[Event]) -> None:
    headers = (("content-type", "application/json"), ("X-Twice", "a"), ("X-Twice", "b"))
    web.answers["/v"] = Answer(headers=headers, body='{"v": "ü"}'.encode())

    told = read(HttpConfig(url=web.url("/v")), context)

    assert told["url"] == web.url("/v")
    assert told["body"] == '{"v": "ü"}'
    assert told["response_headers"] == {"Content-Type": "application/json", "X-Twice": "a, b", "Content-Length": "11"}
    assert told["request_headers"] == told["response_headers"], "Packer's name for the headers of the answer"
    assert events == []


def test_what_is_sent_is_what_was_set(web: WebServer, context: Context) -> None:
    web.answers["/q?a=1"] = Answer(201)
    config = HttpConfig(url=web.url("/q?a=1"), method="POST", request_headers={"X-Token": "t"}, request_body="ü=1")

    read(config, context)

    (asked,) = web.asked
    assert (asked.method, asked.body, asked.headers["X-Token"]) == ("POST", "ü=1".encode(), "t")


@pytest.mark.parametrize("status", [304, 400, 401, 404, 500, 503])
def test_an_answer_other_than_2xx_is_an_error(status: int, web: WebServer, context: Context) -> None:
    web.answers["/x"] = Answer(status)

    with pytest.raises(UserError, match=rf"HTTP request error\. Response code: {status}"):
        read(HttpConfig(url=web.url("/x")), context)


def test_redirects_are_followed_and_a_password_stays_with_its_host(web: WebServer, context: Context) -> None:
    # Another name of the same address, for which nobody has to be asked.
    web.answers["/old"] = Answer(302, (("Location", web.url("/new", host="127.1")),))
    web.answers["/new"] = Answer(body=b"there")
    config = HttpConfig(url=web.url("/old"), request_headers={"Authorization": "Bearer s"})

    assert read(config, context)["body"] == "there"

    assert web.asked[0].headers["Authorization"] == "Bearer s"
    assert "Authorization" not in web.asked[1].headers


def test_a_circle_of_redirects_ends(web: WebServer, context: Context) -> None:
    web.answers["/x"] = Answer(302, (("Location", "/x"),))

    with pytest.raises(MachineError, match="redirects"):
        read(HttpConfig(url=web.url("/x")), context)

    assert len(web.asked) <= 11


def test_a_packed_answer_is_unpacked(web: WebServer, context: Context) -> None:
    headers = (("Content-Type", "text/plain"), ("Content-Encoding", "gzip"))
    web.answers["/x"] = Answer(headers=headers, body=gzip.compress(b"long " * 100))

    told = read(HttpConfig(url=web.url("/x")), context)

    assert told["body"] == "long " * 100
    assert told["response_headers"] == {"Content-Type": "text/plain"}


@pytest.mark.parametrize(
    ("kind", "warned"),
    [
        ("text/html; charset=UTF-8", False),
        ("application/json", False),
        ("text/plain; charset=us-ascii", False),
        ("text/plain; charset=iso-8859-1", True),
        ("application/octet-stream", True),
        ("", True),
    ],
)
def test_what_is_no_text_is_warned_of(kind: str, warned: bool, web: WebServer, context: Context, events: list[Event]) -> None:
    web.answers["/x"] = Answer(headers=(("Content-Type", kind),), body=b"\xff")

    read(HttpConfig(url=web.url("/x")), context)

    assert [isinstance(event, Warned) for event in events] == [True] * warned


def test_an_answer_that_would_fill_the_memory_is_refused(
    web: WebServer, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("goldsmith.datasources.http._LARGEST", 1 << 20)
    headers = (("Content-Type", "text/plain"), ("Content-Encoding", "gzip"))
    web.answers["/x"] = Answer(headers=headers, body=gzip.compress(bytes(50 << 20)))

    with pytest.raises(UserError, match="more than 1 MiB"):
        read(HttpConfig(url=web.url("/x")), context)


def test_nobody_there_is_told_without_what_is_secret(web: WebServer, context: Context) -> None:
    web.__exit__(None, None, None)
    url = web.url("/secret-path").replace("http://", "http://me:password@")

    with pytest.raises(MachineError) as caught:
        read(HttpConfig(url=url), context)

    assert caught.value.diagnostics[0].code == "http.unreachable"
    assert "127.0.0.1" in str(caught.value)
    assert "password" not in str(caught.value)
    assert "secret-path" not in str(caught.value)
    web.__enter__()


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (HttpConfig(), "the `url` must be specified"),
        (HttpConfig(url="file:///etc/passwd"), "the `url` names no web server"),
        (HttpConfig(url="http://x", method="get"), "the `method` must be one of [HEAD GET POST PUT DELETE OPTIONS PATCH]"),
    ],
)
def test_wrong_settings_are_the_users_error(config: HttpConfig, message: str, context: Context) -> None:
    with pytest.raises(UserError) as caught:
        Http().check(config, context)

    assert message in str(caught.value)


@pytest.mark.parametrize("url", ["http://", "http://[::1", "http://a b/", "https://exa\x00mple/"])
def test_a_broken_url_is_no_crash(url: str, context: Context) -> None:
    with pytest.raises((UserError, MachineError)):
        read(HttpConfig(url=url), context)


def test_only_a_certificate_that_is_trusted_is_taken(context: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trusted = certificate(tmp_path)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(trusted)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with WebServer({"/x": Answer(body=b"yes")}, tls=tls) as web:
        with pytest.raises(MachineError, match="certificate"):
            read(HttpConfig(url=web.url("/x")), context)

        monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
        assert read(HttpConfig(url=web.url("/x")), context)["body"] == "yes"
