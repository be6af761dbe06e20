"""What becomes of commands on services, users and firewalls, and what of them stays shell."""

from __future__ import annotations

import pytest

from goldsmith.assist.commands import Word
from tests.assist.given import IN_LOOP, arguments, dropped, residue, shown, task, tasks


def test_units_are_enabled_started_and_masked_as_systemctl_does() -> None:
    assert arguments("systemctl enable --now docker") == {"name": "docker", "enabled": True, "state": "started"}
    assert arguments("systemctl --now disable ufw") == {"name": "ufw", "enabled": False, "state": "stopped"}
    assert arguments("systemctl mask --now rpcbind.socket") == {"name": "rpcbind.socket", "masked": True, "state": "stopped"}
    assert arguments("systemctl -q unmask x") == {"name": "x", "masked": False}
    assert arguments("systemctl --user enable agent")["scope"] == "user"
    assert [shown(found.args["name"]) for found in tasks("systemctl stop a b.timer")] == ["a", "b.timer"]
    several = task("systemctl enable $units")
    assert (shown(several.args["name"]), shown(several.loop)) == ("{{ item }}", "{{ units | split }}")
    assert shown(task("systemctl enable $unit", context=IN_LOOP).args["name"]) == "{{ unit }}"


def test_restarts_and_reloads_are_handlers() -> None:
    for line, state in {"systemctl restart sshd": "restarted", "service sshd reload": "reloaded"}.items():
        found = task(line)
        assert (found.kind, found.args["state"]) == ("handler", state)
    assert arguments("systemctl daemon-reload") == {"daemon_reload": True}
    assert task("systemctl try-restart sshd").module == "ansible.builtin.shell"
    look, setting = tasks("systemctl set-default multi-user")
    assert setting.when == (f"{look.register}.stdout != 'multi-user.target'",)


def test_what_systemctl_does_beyond_the_module_stays_shell() -> None:
    for line, reason in {
        "systemctl enable --runtime x": "--runtime",
        "systemctl enable /opt/x.service": "linked",
        "systemctl disable snap*": "known only on the machine",
        "systemctl edit x": "systemctl edit",
        "systemctl --root=/mnt enable x": "--root",
    }.items():
        assert reason in residue(line)
    assert "build itself" in dropped("shutdown -h now")
    assert task("shutdown -r now").module == "ansible.builtin.reboot"


def test_older_init_systems() -> None:
    assert arguments("chkconfig iptables off") == {"name": "iptables", "enabled": False}
    assert arguments("chkconfig --level 35 x on") == {"name": "x", "enabled": True, "runlevels": ["3", "5"]}
    assert arguments("update-rc.d x disable") == {"name": "x", "enabled": False}
    assert arguments("rc-update add sshd default") == {"name": "sshd", "enabled": True, "runlevel": "default"}
    look, removal = tasks("update-rc.d -f x remove")
    assert removal.when == (f"{look.register}.stdout | length > 0",) and look.changed_when is False
    assert "verb" in residue("service x force-magic")


def test_a_user_is_made_as_useradd_makes_it() -> None:
    assert arguments("useradd -m -s /bin/bash -G sudo,docker bob") == {
        "name": "bob",
        "shell": "/bin/bash",
        "groups": ["sudo", "docker"],
        "append": True,
        "create_home": True,
    }
    assert arguments("useradd -r bob") == {"name": "bob", "system": True, "create_home": False}
    assert "os_family" in str(arguments("useradd bob")["create_home"])
    assert arguments("useradd -M -b /srv -e 2030-01-02 -K UMASK=0077 bob") == {
        "name": "bob",
        "home": "/srv/bob",
        "expires": 1893542400,
        "umask": "0077",
        "create_home": False,
    }
    secret = task("useradd -m -p '$6$salt$hash' bob")
    assert secret.no_log and secret.args["update_password"] == "on_create"
    assert arguments('useradd -MG "$groups" bob')["groups"] == "{{ groups }}"
    for line, reason in {"useradd -N bob": "group", "useradd -D -s /bin/sh": "-D", "useradd -e soon bob": "date"}.items():
        assert reason in residue(line)


def test_a_user_is_changed_without_a_home_that_was_missing() -> None:
    assert arguments("usermod -aG docker bob") == {"name": "bob", "groups": ["docker"], "append": True, "create_home": False}
    assert arguments("usermod -G admin bob")["append"] is False
    assert arguments("usermod -L root")["password_lock"] is True
    assert arguments("passwd -u bob")["password_lock"] is False
    assert arguments("passwd -d bob")["password"] == ""
    assert arguments("usermod -d /srv/bob -m bob") == {
        "name": "bob",
        "home": "/srv/bob",
        "move_home": True,
        "create_home": False,
    }
    assert arguments("gpasswd -a bob docker") == arguments("adduser bob docker") == arguments("usermod -aG docker bob")
    assert arguments("chsh -s /bin/zsh bob")["shell"] == "/bin/zsh"
    assert arguments("chage -M 90 bob")["password_expire_max"] == "90"
    assert arguments("userdel -r bob") == {"name": "bob", "state": "absent", "remove": True}
    assert "-l" in residue("usermod -l new old")
    assert "asks for a password" in residue("passwd bob")


def test_numbers_that_adduser_picks_are_its_own() -> None:
    look, adding = tasks("adduser --system --group agent")
    assert shown(look.args["argv"]) == ["getent", "passwd", "agent"] and look.changed_when is False
    assert adding.when == (f"{look.register}.rc != 0",) and adding.kind == "guard"
    assert arguments("adduser -m -s /bin/bash bob")["create_home"] is True  # where it is useradd
    assert tasks("addgroup --system x")[1].module == "ansible.builtin.command"
    assert arguments("addgroup x") == {"name": "x"}
    assert arguments("groupadd -f -r -g 300 x") == {"name": "x", "gid": "300", "system": True}


def test_passwords_are_hashed_and_never_shown() -> None:
    found = tasks("chpasswd", stdin=Word.of("root:a:b\nbob:c\n"))
    assert [shown(item.args["name"]) for item in found] == ["root", "bob"]
    assert all(item.no_log for item in found)
    assert "('a' ~ ':' ~ 'b')" in str(shown(found[0].args["password"])) or "'a:b'" in str(shown(found[0].args["password"]))
    (kept,) = tasks("chpasswd -e", stdin=Word.of("bob:$6$x\n"))
    assert shown(kept.args["password"]) == "$6$x"
    assert task("passwd --stdin root", stdin=Word.of("secret\n")).no_log
    assert "not known" in residue("chpasswd")


@pytest.mark.parametrize("reloads", ["ufw reload", "firewall-cmd --reload"])
def test_a_firewall_reloads_by_a_handler(reloads: str) -> None:
    assert task(reloads).kind == "handler"


def test_rules_of_ufw_keep_ports_apart_from_applications() -> None:
    for line, expected in {
        "ufw allow 443/tcp comment 'web'": {"rule": "allow", "to_port": "443", "proto": "tcp", "comment": "web"},
        "ufw limit ssh": {"rule": "limit", "to_port": "ssh"},
        "ufw allow 'Nginx Full'": {"rule": "allow", "name": "Nginx Full"},
        "ufw deny out 25": {"rule": "deny", "direction": "out", "to_port": "25"},
        "ufw delete allow 80": {"rule": "allow", "delete": True, "to_port": "80"},
        "ufw allow in on eth1 to any port 80": {"rule": "allow", "interface_in": "eth1", "to_ip": "any", "to_port": "80"},
        "ufw allow from 10.0.0.0/8 to any port 22 proto tcp": {
            "rule": "allow",
            "from_ip": "10.0.0.0/8",
            "to_ip": "any",
            "to_port": "22",
            "proto": "tcp",
        },
        "ufw allow proto udp from any": {"rule": "allow", "proto": "udp", "from_ip": "any"},
        "ufw allow $port/tcp": {"rule": "allow", "to_port": "{{ port }}", "proto": "tcp"},
        "ufw default allow outgoing": {"default": "allow", "direction": "outgoing"},
        "ufw route allow in on a out on b": {"rule": "allow", "route": True, "interface_in": "a", "interface_out": "b"},
        "ufw logging off": {"logging": "off"},
    }.items():
        assert arguments(line) == expected
    look, enabling = tasks("ufw --force enable")
    assert enabling.args == {"state": "enabled"} and enabling.changed_when == f"{look.register}.rc != 0"
    assert "all" in residue("ufw allow log-all 22")


def test_settings_of_firewalld_are_written_while_it_does_not_run() -> None:
    first, second = tasks("firewall-cmd --permanent --zone=public --add-port=80/tcp --add-service http")
    assert first.args["offline"] and first.args["permanent"] and shown(first.args["port"]) == "80/tcp"
    assert shown(second.args["service"]) == "http" and shown(second.args["zone"]) == "public"
    assert arguments("firewall-cmd --add-port=80/tcp")["immediate"] is True
    assert "--set-default-zone" in residue("firewall-cmd --set-default-zone=dmz")


def test_rules_of_iptables() -> None:
    assert arguments("iptables -A INPUT -p tcp --dport 22 -m conntrack --ctstate NEW,ESTABLISHED -j ACCEPT") == {
        "chain": "INPUT",
        "protocol": "tcp",
        "destination_port": "22",
        "ctstate": ["NEW", "ESTABLISHED"],
        "jump": "ACCEPT",
    }
    assert arguments("ip6tables -P INPUT DROP") == {"chain": "INPUT", "policy": "DROP", "ip_version": "ipv6"}
    assert arguments("iptables -t nat -I PREROUTING 1 -j REDIRECT --to-ports 80")["action"] == "insert"
    assert arguments("iptables -F") == {"flush": True}
    assert arguments("iptables -D INPUT -j DROP")["state"] == "absent"
    for line in ("iptables -A INPUT ! -i lo -j DROP", "iptables -A INPUT -m recent -j DROP", "iptables -D INPUT 3"):
        assert residue(line)
