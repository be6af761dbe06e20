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


def test_archives_are_unpacked_with_the_options_that_matter() -> None:
    unpacked = {"src": "/tmp/a.tgz", "dest": "/opt", "remote_src": True}
    assert arguments("tar -xzf /tmp/a.tgz -C /opt") == unpacked
    assert arguments("tar xfC a.tgz /opt", directory=TMP) == unpacked
    assert arguments("tar --extract --file=/tmp/a.tgz", directory=Word.of("/opt")) == unpacked
    assert arguments("tar xzf /tmp/a.tgz -C /opt --strip-components=1 --no-same-owner bin --exclude doc") == {
        **unpacked,
        "extra_opts": ["--strip-components=1", "--no-same-owner"],
        "exclude": ["doc"],
        "include": ["bin"],
    }
    fed = (command("curl -fsSL https://x/a.tgz"),)
    assert arguments("tar -xz -C /opt", feeds=fed)["src"] == "https://x/a.tgz"
    assert arguments("tar xzf - -C /opt -C app", feeds=fed)["dest"] == "/opt/app"
    assert arguments("unzip -qo /tmp/a.zip bin/* -x doc/* -d /usr/local/bin") == {
        "src": "/tmp/a.zip",
        "dest": "/usr/local/bin",
        "remote_src": True,
        "include": ["bin/*"],
        "exclude": ["doc/*"],
    }
    look, made, _ = tasks("unzip a.zip -d /opt/app", directory=TMP)
    assert made.when == (f"not {look.register}.stat.exists",)
    assert shown(task("gunzip /tmp/a.gz").args["removes"]) == "/tmp/a.gz"
    assert shown(task("xz -dk /tmp/a.xz").args["creates"]) == "/tmp/a"
    for line in ("tar czf /a.tgz /b", "tar xf a*.tgz", "tar x", "tar xOf /a.tar", "unzip -j /a.zip", "gunzip *.gz"):
        assert residue(line), line
    assert residue("tar xz", feeds=(command("cat /a.tgz"),))


def test_repositories_and_keys_of_apt() -> None:
    added = task("add-apt-repository -y 'deb [arch=amd64] https://x stable main'")
    assert added.module == "goldsmith.image.apt_repository" and added.args["state"] == "present"
    personal = task("add-apt-repository -y ppa:git-core/ppa")
    assert shown(personal.args["creates"]) == "/etc/apt/sources.list.d/git-core-*-ppa-*"
    assert "enabled already" in residue("add-apt-repository universe")
    key = (command("curl -fsSL https://x/key.asc"),)
    assert arguments("apt-key add -", feeds=key) == {"url": "https://x/key.asc"}
    assert arguments("apt-key add /tmp/key") == {"file": "/tmp/key"}
    assert arguments("apt-key adv --keyserver k.org --recv-keys ABCD") == {"id": "ABCD", "keyserver": "k.org"}
    assert arguments("apt-key del ABCD") == {"id": "ABCD", "state": "absent"}
    for line in ("gpg --dearmor -o /etc/apt/keyrings/x.gpg", "gpg --dearmor > /etc/apt/keyrings/x.gpg"):
        made = task(line, feeds=key)
        assert shown(made.args["creates"]) == "/etc/apt/keyrings/x.gpg" and "curl" in str(shown(made.args["cmd"]))
    made = task("tee /etc/apt/keyrings/x.gpg", feeds=(*key, command("gpg --dearmor")))
    assert shown(made.args["creates"]) == "/etc/apt/keyrings/x.gpg"
    received = task("gpg --no-default-keyring --keyring /usr/share/keyrings/x.gpg --keyserver k.org --recv-keys ABCD")
    assert shown(received.args["creates"]) == "/usr/share/keyrings/x.gpg"
    assert residue("gpg --import /tmp/key") and residue("apt-key add -")
