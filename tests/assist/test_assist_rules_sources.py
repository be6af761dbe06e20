"""What becomes of packages of languages, sources, builds, what is found, containers and registrations."""

from __future__ import annotations

from goldsmith.assist.commands import Word
from tests.assist.given import arguments, command, dropped, residue, shown, task, tasks


def test_pip_installs_with_the_pip_that_was_called() -> None:
    assert arguments("pip3 install --no-cache-dir 'certbot>=5' wheel") == {
        "executable": "pip3",
        "extra_args": "--no-cache-dir",
        "name": ["certbot>=5", "wheel"],
    }
    assert arguments("python3.12 -m pip install -r req.txt", directory=Word.of("/srv")) == {
        "executable": "pip3.12",
        "chdir": "/srv",
        "requirements": "req.txt",
    }
    assert arguments("pip install $list")["name"] == "{{ list | split }}"
    assert arguments("pip install x", program=Word.of("/opt/venv/bin/pip"))["executable"] == "/opt/venv/bin/pip"
    assert arguments("pip uninstall -y x")["state"] == "absent"
    upgrade = task("pip install -U pip")
    assert "Successfully installed" in str(upgrade.changed_when) and upgrade.kind == "guard"
    assert shown(task("python3 -m venv /opt/v").args["creates"]) == "/opt/v/pyvenv.cfg"
    for line in ("pip install --target /x y", "pip download x", "python3 -c 'print()'", "python3 setup.py install"):
        assert residue(line)


def test_pipx_npm_gem_cargo_and_yarn() -> None:
    assert arguments("pipx install 'black==24.1'") == {"name": "black", "source": "black==24.1", "state": "present"}
    assert arguments("npm install -g @scope/cli@1.2") == {
        "name": "@scope/cli",
        "version": "1.2",
        "state": "present",
        "global": True,
    }
    assert arguments("npm ci", directory=Word.of("/srv/app")) == {"path": "/srv/app", "ci": True, "state": "present"}
    newest, present, install = tasks("npm install -g pm2@latest yarn@1")[:3]
    assert newest.register in install.when[0] and present.register in install.when[0]
    assert shown(install.args["argv"]) == ["npm", "install", "-g", "pm2@latest"]
    assert arguments("gem install --no-document rake -v 13") == {
        "name": "rake",
        "version": "13",
        "user_install": False,
        "state": "present",
    }
    assert arguments("gem install rake")["include_doc"] is True
    assert arguments("cargo install --locked ripgrep --version 14.0.0")["locked"] is True
    assert arguments("yarn global add serve") == {"name": "serve", "state": "present", "global": True}
    assert "npm run" in residue("npm run build")


def test_git_leaves_a_clone_as_the_script_does() -> None:
    assert arguments("git clone --depth 1 -b v1 https://host/a/b.git", directory=Word.of("/opt")) == {
        "repo": "https://host/a/b.git",
        "dest": "/opt/b",
        "version": "v1",
        "depth": "1",
        "update": False,
        "recursive": False,
    }
    assert "recursive" not in arguments("git clone --recurse-submodules https://host/b /b")
    assert arguments("git clone git@host:b.git")["dest"] == "/b"
    look, checkout = tasks("git -C /opt/b checkout v2")
    assert shown(look.args["chdir"]) == "/opt/b" and look.register in checkout.when[0]
    assert task("git pull").changed_when == "'Already up to date' not in pull_1.stdout"
    assert arguments("git config --system core.pager cat") == {"name": "core.pager", "value": "cat", "scope": "system"}
    assert arguments("patch -p1 -d /src -i /tmp/a.patch")["strip"] == "1"
    assert residue("git clone --mirror x") and residue("git commit -m x") and residue("patch -i a.patch")


def test_builds_are_done_where_something_is_left_to_do() -> None:
    assert arguments("make -C /src -j $jobs PREFIX=/usr install") == {
        "chdir": "/src",
        "jobs": "{{ jobs }}",
        "target": "install",
        "params": {"PREFIX": "/usr"},
    }
    assert "targets" in arguments("make -s a b")
    configured = task("configure --prefix=/usr", directory=Word.of("/src"), program=Word.of("./configure"))
    assert shown(configured.args) == {
        "argv": ["./configure", "--prefix=/usr"],
        "chdir": "/src",
        "creates": "/src/config.status",
    }
    assert shown(task("cmake -S . -B /b").args["creates"]) == "/b/CMakeCache.txt"
    assert residue("make -k") and residue("cmake --install /b")


def test_what_is_found_is_looked_up_and_looped_over() -> None:
    look, removal = tasks("find /opt -name '*.pyc' -type f -delete")
    assert shown(look.args["argv"]) == ["find", "/opt", "-name", "*.pyc", "-type", "f"]
    assert shown(removal.loop) == f"{{{{ {look.register}.stdout_lines }}}}" and shown(removal.args["path"]) == "{{ item }}"
    look, removal = tasks("find /opt -name x -exec rm -f {} ';'")
    assert shown(look.args["argv"])[-3:] == ["!", "-type", "d"]  # type: ignore[index]  # a list of words
    assert tasks("find /opt -type d -exec chmod 755 {} +")[1].args["mode"] == "0755"
    assert "logs of the build" in dropped("find /var/log -type f -exec truncate -s 0 {} ';'")
    for line in ("find /o -name x -delete", "find /o -exec sh -c 'x {}' ';'", "find / -name a -o -name b -exec rm {} ';'"):
        assert residue(line)


def test_xargs_acts_on_what_a_pipeline_names() -> None:
    feeds = (command("dpkg --list"), command("grep linux"))
    look, removal = tasks("xargs -r rm -f", feeds=feeds)
    assert shown(look.args["cmd"]) == "set +o pipefail\ndpkg --list | grep linux"
    assert shown(removal.loop) == f"{{{{ {look.register}.stdout.split() }}}}"
    assert "stdout_lines" in str(shown(tasks("xargs -I % rm -f %", feeds=feeds)[1].loop))
    assert residue("xargs rm -f") and residue("xargs rm -f", feeds=(command("apt-get update"),))


def test_environments_and_servers_are_asked_first() -> None:
    assert tasks("conda config --set always_yes true")[1].when == (
        "('always_yes: true') | lower not in conda_1.stdout | lower",
    )
    assert "already installed" in str(task("conda install -y -c conda-forge x").changed_when)
    assert dropped("conda clean -a") and residue("conda create -n x") and residue("pm2 save")
    assert shown(task("pm2 startup systemd -u mean --hp /home/mean").args["creates"]) == "/etc/systemd/system/pm2-mean.service"
    assert "stdout.split()" in tasks("rabbitmq-plugins enable rabbitmq_management")[1].when[0]
    assert "stdout_lines" in tasks("createdb -O bob shop")[1].when[0]


def test_containers_and_registrations() -> None:
    assert arguments("docker pull redis:7") == {"name": "redis:7"}
    assert arguments("docker run -d -p 80:80 -e A=b --name web --restart unless-stopped img serve") == {
        "name": "web",
        "image": "img",
        "state": "started",
        "published_ports": ["80:80"],
        "env": {"A": "b"},
        "restart_policy": "unless-stopped",
        "command": ["serve"],
        "command_handling": "correct",
    }
    assert arguments("docker compose -f a.yml up -d", directory=Word.of("/srv")) == {
        "project_src": "/srv",
        "files": ["a.yml"],
        "state": "present",
    }
    assert arguments("docker network create --attachable x") == {"name": "x", "attachable": True}
    assert residue("docker run --rm img") and residue("docker exec web ls") and residue("docker compose up")
    assert [found.args["state"] for found in tasks("subscription-manager repos --disable=* --enable=a")] == [
        "disabled",
        "enabled",
    ]
    assert task("subscription-manager register --org x --activationkey y").no_log
