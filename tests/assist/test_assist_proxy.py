"""The replaying proxy between real clients in a network of their own and a real server on this host."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from goldsmith.assist.authority import Authority
from goldsmith.assist.commands import Place
from goldsmith.assist.proxy import ADDRESS, Proxy
from goldsmith.assist.recordings import Asked, Recordings
from goldsmith.machines.outbound import CA_BUNDLE
from tests.assist.proxy_workbench import Server, empty_network, inside, own_address, serving
from tests.assist.trace_workbench import Bench, make_bash_tree

CLIENT = """
import sys, urllib.error, urllib.request as u
for url in {urls!r}:
    try:
        with u.urlopen(u.Request(url, **{more!r})) as answer:
            print(answer.status, answer.read().decode()[:40].strip())
    except urllib.error.HTTPError as error:
        print(error.code, error.read().decode()[:200].strip())
    except OSError as error:
        print("error", error)
"""


@pytest.fixture
def server() -> Iterator[Server]:
    with serving(own_address()) as running:
        yield running


@pytest.fixture
def network() -> Iterator[int]:
    with empty_network() as pid:
        yield pid


def make_proxy(place: Path, *, fetches: bool) -> Proxy:
    (place / "keys").mkdir(exist_ok=True, mode=0o700)
    return Proxy(Recordings(place / "recordings"), place / "keys", fetches=fetches)


def base_of(server: Server) -> str:
    return f"http://{own_address()}:{server.server_address[1]}"


def ask(pid: int, proxy: Proxy, place: Path, *urls: str, **more: object) -> list[str]:
    """What a client says of each address."""
    bundle = place / "ca.pem"
    bundle.write_bytes(proxy.settings.files[CA_BUNDLE])
    environment = {name: value.replace(CA_BUNDLE, str(bundle)) for name, value in proxy.settings.environment.items()}
    return inside(pid, CLIENT.format(urls=urls, more=more), environment, place).splitlines()


def test_what_was_fetched_once_is_replayed_byte_for_byte_without_the_server(
    server: Server, network: int, tmp_path: Path
) -> None:
    base = base_of(server)
    paths = ("/a", "/a", "/chunked", "/none", "/moved")
    urls = [base + path for path in paths]
    recorder = make_proxy(tmp_path, fetches=True)
    with recorder.connected(network, False):
        first = ask(network, recorder, tmp_path, *urls)
        first += ask(network, recorder, tmp_path, base + "/post", data=b"question")
    digest = recorder.recordings.save()
    asked = list(server.asked)

    assert [line.split()[0] for line in first] == ["200", "200", "200", "404", "200", "200"]
    assert first[0] == first[1]
    assert asked == ["GET /a", "GET /chunked", "GET /none", "GET /moved", "GET /there", "POST /post"]
    assert [item.origin for item in recorder.exchanges][:2] == ["fetched", "replayed"]
    assert all(head["accept-encoding"] == "identity" for head in server.heads)

    player = make_proxy(tmp_path, fetches=False)
    assert player.recordings.save() == digest
    with empty_network() as other, player.connected(other, False):
        again = ask(other, player, tmp_path, *urls)
        again += ask(other, player, tmp_path, base + "/post", data=b"question")
        refused = ask(other, player, tmp_path, base + "/new")
        refused += ask(other, player, tmp_path, base + "/post", data=b"another question")

    assert again == first
    assert [line.split()[0] for line in refused] == ["504", "504"]
    assert server.asked == asked
    assert [item.url for item in player.exchanges if item.origin == "refused"] == [base + "/new", base + "/post"]
    answer = player.recordings.find(Asked(method="GET", url=base + "/a"))
    assert answer is not None
    assert hashlib.sha256(player.recordings.path(answer).read_bytes()).hexdigest() == answer.sha256


def test_https_is_read_under_the_certificate_of_the_run_and_checked_towards_the_server(
    network: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = own_address()
    trusted, strange = Authority(tmp_path), Authority(tmp_path)
    (tmp_path / "trusted.pem").write_bytes(trusted.certificate)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "trusted.pem"))
    proxy = make_proxy(tmp_path, fetches=True)
    with serving(address, trusted) as good, serving(address, strange) as bad, proxy.connected(network, False):
        said = ask(network, proxy, tmp_path, *(f"https://{address}:{one.server_address[1]}/x" for one in (good, bad)))
        transparent = "import ssl, socket\nc = ssl.create_default_context()\n"
        transparent += f"s = c.wrap_socket(socket.create_connection(('{ADDRESS}', 443)), server_hostname='example.test')\n"
        transparent += (
            f"s.sendall(b'GET /x HTTP/1.1\\r\\nHost: {address}:{good.server_address[1]}\\r\\n\\r\\n'); print(s.recv(15))\n"
        )
        transparent += "print(socket.gethostbyname('any.name.test'))\n"
        environment = {"SSL_CERT_FILE": str(tmp_path / "ca.pem")}
        seen = inside(network, transparent, environment, tmp_path).splitlines()

    assert said[0].startswith("200 /x 1")
    assert said[1].startswith("502")
    assert "certificate" in said[1]
    assert seen[0] == "b'HTTP/1.1 200 OK'"
    assert bad.asked == []
    assert not list((tmp_path / "keys").iterdir())
    assert b"PRIVATE" not in b"".join(proxy.settings.files.values())


def test_answers_that_vary_are_kept_apart_and_secrets_are_not_told(server: Server, network: int, tmp_path: Path) -> None:
    base = base_of(server)
    proxy = make_proxy(tmp_path, fetches=True)
    with proxy.connected(network, False):
        for kind in ("text/html", "application/json", "text/html"):
            ask(network, proxy, tmp_path, f"{base}/vary", headers={"Accept": kind})
        ask(network, proxy, tmp_path, f"{base}/same", headers={"Accept": "a/b", "Range": "bytes=0-1"})
        said = ask(network, proxy, tmp_path, f"{base}/same", headers={"Accept": "c/d"})
        loopback = ask(network, proxy, tmp_path, "http://127.0.0.2:1/", "http://169.254.169.254/latest")

    assert server.asked == ["GET /vary", "GET /vary", "GET /same"]
    assert said[0].startswith("200 /same 3")
    assert all("this host's own" in line for line in loopback)
    proxy.recordings.save()
    assert "Authorization" not in (tmp_path / "recordings/answers.json").read_text()


def test_a_traced_script_tells_what_it_downloaded_and_whether_that_was_verified(server: Server, tmp_path: Path) -> None:
    base = base_of(server)
    bench = Bench(make_bash_tree(tmp_path / "tree"), tmp_path)
    bench.proxy = make_proxy(tmp_path, fetches=True)

    ledger = bench.trace(
        f"wget -q -O /etc/bare {base}/bare\n"
        f"wget -q -O - {base}/piped | cat > /etc/piped\n"
        f"wget -q -O /etc/summed {base}/summed\n"
        'sum=$(sha256sum /etc/summed); echo "${sum%% *}"\n'
        f"wget -q -O /etc/SHA256SUMS {base}/SUMS\n"
        "wget -q http://127.0.0.2:1/ || true\n"
    )

    assert ledger.is_complete
    told = {item.url.removeprefix(base): item for item in ledger.downloads}
    assert told["/bare"].verified == ""
    assert told["/summed"].verified == "checksum"
    assert ledger.at(Place("s1.sh", 2, 2, 0, 0))[0].urls == (f"{base}/bare",)
    assert ledger.at(Place("s1.sh", 3, 3, 0, 0), "wget")[0].urls == (f"{base}/piped",)
    assert told["http://127.0.0.2:1/"].fault
    shown = [path for effect in ledger.effects for path in effect.touched]
    assert set(shown) == {"/etc/bare", "/etc/piped", "/etc/summed", "/etc/SHA256SUMS"}
