"""What commands that bring files from the network, and unpack them, become."""

from __future__ import annotations

from goldsmith.assist.commands import Context, Word
from tests.assist.given import arguments, command, dropped, residue, shown, task, tasks

TMP = Word.of("/tmp")


def test_curl_writes_to_the_file_that_its_options_name() -> None:
    assert arguments("curl -fsSL --retry 3 https://x/a.tgz -o /opt/a.tgz") == {
        "url": "https://x/a.tgz",
        "dest": "/opt/a.tgz",
        "mode": "0644",
    }
    assert arguments("curl -sSLO https://x/v$v/a.tgz?raw=1", directory=TMP)["dest"] == "/tmp/a.tgz"
    assert arguments("curl -O https://x/$file", directory=TMP)["dest"] == "/tmp/{{ file }}"
    assert arguments("curl -L https://x/a > /opt/a")["dest"] == "/opt/a"
    assert arguments("curl x.org/a -o a", directory=TMP) == {"url": "http://x.org/a", "dest": "/tmp/a", "mode": "0644"}
    assert arguments("curl --output-dir /opt -o a https://x/a")["dest"] == "/opt/a"
    assert [shown(item.args["dest"]) for item in tasks("curl -O https://x/a -o c https://x/b", directory=TMP)] == [
        "/tmp/a",
        "/tmp/c",
    ]
    made, fetched = tasks("curl --create-dirs -o /opt/new/a https://x/a")
    assert made.args["path"] == Word.of("/opt/new") and fetched.args["dest"] == Word.of("/opt/new/a")


def test_what_curl_tells_the_server() -> None:
    found = arguments("curl -k -m 60 -A agent -H 'Accept: text/plain' -e https://from -o /a https://x/a")
    assert found["validate_certs"] is False and found["timeout"] == 60 and found["http_agent"] == "agent"
    assert found["headers"] == {"Accept": "text/plain", "Referer": "https://from"}
    secret = task("curl -u me:$password -o /a https://x/a")
    assert secret.no_log and shown(secret.args["url_password"]) == "{{ password }}"
    assert task("curl -H 'Authorization: Bearer x' -o /a https://x/a").no_log


def test_wget_names_its_file_by_the_address() -> None:
    assert arguments("wget -q https://x/a.tgz", directory=TMP)["dest"] == "/tmp/a.tgz"
    assert arguments("wget -nv -P /opt https://x/a?b")["dest"] == "/opt/a?b"
    assert arguments("wget -qO /opt/a --no-check-certificate https://x/a")["validate_certs"] is False
    assert arguments("wget -qO- https://x/a > /opt/a")["dest"] == "/opt/a"
    assert len(tasks("wget https://x/a https://x/b", directory=TMP)) == 2


def test_what_is_only_asked_for_is_kept_nowhere() -> None:
    assert "nowhere" in dropped("curl -fsS https://x/health")
    assert "nowhere" in dropped("curl -s -o /dev/null https://x/")
    assert "nowhere" in dropped("wget --spider https://x/")
    asked = task("curl -s https://x/latest", context=Context(registers="latest"))
    assert asked.changed_when is False and asked.name == "Ask https://x/latest"


def test_requests_that_no_module_makes_stay_shell() -> None:
    for line in (
        "curl -X POST -d a https://x/",
        "curl -OJ https://x/a",
        "curl -o /a https://x/[1-3]",
        "curl -O https://x/",
        "curl --cacert /ca -o /a https://x/a",
        "curl -o /a https://x/a >> /b",
        "wget -i /list",
        "wget -r https://x/",
        "wget -O /a https://x/a https://x/b",
        "wget -o /opt/log -O /a https://x/a",
    ):
        assert residue(line), line


def test_tee_may_write_what_was_fetched() -> None:
    feeds = (command("curl -fsSL https://x/key.asc"),)
    assert arguments("tee /etc/apt/keyrings/x.asc", feeds=feeds)["url"] == "https://x/key.asc"
    assert residue("tee -a /etc/x", feeds=feeds)
    assert residue("tee /etc/x", feeds=(command("curl https://x"), command("gunzip")))
