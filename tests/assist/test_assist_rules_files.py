"""What commands on files become, and what of them stays shell."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goldsmith.assist.commands import Word
from goldsmith.assist.rules.modes import created_mode, is_mode
from goldsmith.assist.tasks import Inexact
from tests.assist.given import IN_LOOP, arguments, dropped, residue, shown, task, tasks


def test_directories_are_made_with_the_mode_that_the_umask_leaves() -> None:
    assert arguments("mkdir -p /opt/app/") == {"path": "/opt/app", "state": "directory", "mode": "0755"}
    assert arguments("mkdir -p app", directory=Word.of("/srv"), umask=0o077)["mode"] == "0700"
    made = task("mkdir -p /opt/app/bin /opt/app/lib $work")
    assert made.name == "Create directory /opt/app/bin, /opt/app/lib and work"
    assert shown(made.loop) == ["/opt/app/bin", "/opt/app/lib", "{{ work }}"]
    assert shown(made.args["path"]) == "{{ item }}"
    assert len(tasks("mkdir -p /opt/a /opt/b", context=IN_LOOP)) == 2


def test_a_mode_of_mkdir_holds_for_the_last_directory_only() -> None:
    assert [shown(made.args) for made in tasks("mkdir -m 700 -p /opt/app/keys")] == [
        {"path": "/opt/app", "state": "directory", "mode": "0755"},
        {"path": "/opt/app/keys", "state": "directory", "mode": "0700"},
    ]
    assert len(tasks("mkdir -pm 0755 /opt/app/keys")) == 1
    assert arguments("mkdir -m u=rwx,go= /opt/keys")["mode"] == "0700"


def test_directories_that_images_have_keep_their_modes() -> None:
    assert arguments("mkdir -p /tmp")["mode"] == "1777"
    look, made = tasks("mkdir -p /etc/sudoers.d")
    assert shown(made.args["mode"]) == f"{{{{ {look.register}.stat.mode | default('0755') }}}}"


def test_what_is_removed_and_what_sealing_removes() -> None:
    assert arguments("rm -f /etc/motd") == {"path": "/etc/motd", "state": "absent"}
    assert shown(task("rm -rf a /b", directory=Word.of("/opt")).loop) == ["/opt/a", "/b"]
    assert "package-caches" in dropped("rm -rf /var/lib/apt/lists/*")
    assert "host-keys" in dropped("rm -f /etc/ssh/ssh_host_*")
    assert "logs" in dropped("rm -rf /var/log/*")
    assert "temporary" in dropped("rm -rf /tmp/* /var/tmp/*")
    assert arguments("rm -rf /tmp/build") == {"path": "/tmp/build", "state": "absent"}
    assert shown(task("rm -f /var/lib/apt/lists/* /etc/motd").args["path"]) == "/etc/motd"
    assert "is a directory" in residue("rm -f /opt")
    assert "nothing works" in residue("rm -rf /usr")
    assert "-i" in residue("rm -i /a")


def test_what_a_pattern_matches_is_found_first() -> None:
    find, removal = tasks("rm -f /etc/apt/sources.list.d/*.list")
    assert find.args == {"paths": Word.of("/etc/apt/sources.list.d"), "patterns": ("*.list",), "file_type": "any"}
    assert shown(removal.loop) == f"{{{{ {find.register}.files | map(attribute='path') | sort }}}}"
    assert shown(removal.args["path"]) == "{{ item }}"
    first, second, _ = tasks("rm -f /home/*/.[^b]*")
    assert shown(second.args["paths"]) == f"{{{{ {first.register}.files | map(attribute='path') | sort }}}}"
    assert second.args["hidden"] is True and second.args["patterns"] == (".[!b]*",)
    assert "a task loops once" in residue("rm -f /opt/*.log", context=IN_LOOP)


def test_links_and_where_they_land() -> None:
    link = {"state": "link", "force": True, "follow": False}
    assert arguments("ln -sf ../app/run /usr/bin/run") == {"src": "../app/run", "path": "/usr/bin/run", **link}
    assert arguments("ln -s /opt/app/run /usr/local/bin")["path"] == "/usr/local/bin/run"
    assert arguments("ln -s /opt/app/run /opt/bin/")["path"] == "/opt/bin/run"
    assert arguments("ln -sfn /opt/app /opt/current")["path"] == "/opt/current"
    assert arguments("ln -s ../a", directory=Word.of("/opt"))["path"] == "/opt/a"
    assert arguments("ln -sr /opt/app/run /usr/bin/run")["src"] == "../../opt/app/run"
    assert arguments("ln /a /b") == {"src": "/a", "path": "/b", "state": "hard", "force": True}
    assert [made.args["path"] for made in tasks("ln -st /usr/bin /a/x /a/y")] == [Word.of("/usr/bin/x"), Word.of("/usr/bin/y")]
    assert arguments("ln -s $source /etc/localtime")["src"] == "{{ source }}"
    assert "what is there" in residue("ln -s /opt/* /usr/bin/")
    assert "--backup" in residue("ln -s --backup=t /a /b") or "-b" in residue("ln -sb /a /b")


def test_files_are_touched_without_changing_what_is_there() -> None:
    assert arguments("touch /etc/x") == {
        "path": "/etc/x",
        "state": "touch",
        "mode": "0644",
        "access_time": "preserve",
        "modification_time": "preserve",
    }
    assert "times" in dropped("touch -c /etc/x")
    assert "time" in residue("touch -d yesterday /etc/x")


def test_an_empty_directory_is_removed() -> None:
    assert arguments("rmdir /opt/x") == {"path": "/opt/x", "state": "absent"}
    assert task("rmdir --ignore-fail-on-non-empty /opt/x").args["removes"] == Word.of("/opt/x")


def test_modes_owners_and_groups() -> None:
    assert arguments("chmod 755 /opt/run") == {"path": "/opt/run", "mode": "0755"}
    assert arguments("chmod +x /opt/run")["mode"] == "+x"
    assert arguments("chmod -x /opt/run")["mode"] == "-x"
    assert arguments("chmod -R ug+rwX,o-w /opt") == {
        "path": "/opt",
        "state": "directory",
        "recurse": True,
        "follow": False,
        "mode": "ug+rwX,o-w",
    }
    assert arguments("chmod ga+r /x")["mode"] == "a+r"
    assert arguments("chown -R app:web $home")["group"] == "web"
    assert arguments("chown :web /x") == {"path": "/x", "group": "web"}
    assert arguments("chown $user:$user /x") == {"path": "/x", "owner": "{{ user }}", "group": "{{ user }}"}
    assert arguments("chown root.root /x") == {"path": "/x", "owner": "root", "group": "root"}
    assert arguments("chown -h app /x") == {"path": "/x", "owner": "app", "follow": False}
    assert arguments("chgrp web /x") == {"path": "/x", "group": "web"}
    assert "depends on the users" in residue("chown app.web /x")
    assert "--reference" in residue("chmod --reference=/a /b")
    assert "no mode" in residue("chmod 9 /b")


def test_the_login_group_of_an_owner_is_looked_up() -> None:
    look, owner = tasks("chown app: /x")
    assert look.args == {"database": "passwd", "key": "app"}
    assert shown(owner.args["group"]) == "{{ ansible_facts.getent_passwd['app'][2] }}"


def test_recursion_over_a_pattern_takes_files_and_directories() -> None:
    _, made = tasks("chmod -R 700 /opt/*")
    assert shown(made.args) == {
        "path": "{{ item.path }}",
        "state": "{{ item.isdir | ternary('directory', 'file') }}",
        "recurse": "{{ item.isdir }}",
        "follow": False,
        "mode": "0700",
    }


_CLAUSES = st.tuples(
    st.text("ugoa", max_size=3), st.sampled_from("===+-"), st.lists(st.sampled_from("rwxXst"), max_size=3).map("".join)
).map("".join)


@settings(max_examples=40, deadline=None)
@given(st.lists(_CLAUSES, min_size=1, max_size=3).map(",".join))
def test_modes_of_new_directories_are_those_that_mkdir_gives(tmp_path_factory: pytest.TempPathFactory, mode: str) -> None:
    assert is_mode(mode)
    made = Path(tmp_path_factory.mktemp("mode")) / "made"
    subprocess.run(["sh", "-c", 'umask 022; mkdir -m "$1" "$2"', "sh", mode, str(made)], check=True)
    try:
        found = created_mode(Word.of(mode))
    except Inexact:
        return
    assert found == f"{made.stat().st_mode & 0o7777:04o}"


def test_files_are_copied_to_a_name_or_into_a_directory() -> None:
    copied = {"remote_src": True, "mode": "preserve"}
    assert arguments("cp /tmp/a /etc/b") == {"src": "/tmp/a", "dest": "/etc/b", **copied}
    assert arguments("cp -f a /etc/systemd/system", directory=Word.of("/tmp"))["dest"] == "/etc/systemd/system/a"
    assert arguments("cp /tmp/$name /opt/app/")["dest"] == "/opt/app/{{ name }}"
    assert arguments("cp -n /a /b") == {"src": "/a", "dest": "/b", **copied, "force": False}
    assert arguments("cp /tmp/x /etc/sudoers")["mode"] == "0440"
    assert arguments("cp /dev/null /etc/x")["content"] == ""
    several = task("cp -t /opt/app /tmp/a /tmp/b")
    assert shown(several.loop) == ["/tmp/a", "/tmp/b"] and shown(several.args["dest"]) == "/opt/app/"
    _, found = tasks("cp /tmp/conf/*.conf /etc/app/")
    assert shown(found.args["src"]) == "{{ item }}" and shown(found.args["dest"]) == "/etc/app/"
    assert arguments("cp -p /etc/hosts /etc/hosts.orig")["dest"] == "/etc/hosts.orig"
    assert "owners" in residue("cp -a /tmp/a /etc/a")
    assert "-u" in residue("cp -u /a /b") and "--backup" in residue("cp --backup=numbered /a /b")


def test_trees_are_copied_where_it_is_clear_what_they_become() -> None:
    tree = {"remote_src": True, "mode": "preserve", "local_follow": False}
    assert arguments("cp -r /tmp/app /opt") == {"src": "/tmp/app", "dest": "/opt/", **tree}
    assert arguments("cp -r /tmp/app /srv/app") == {"src": "/tmp/app", "dest": "/srv/", **tree}
    assert arguments("cp -r /tmp/app/. /etc/") == {"src": "/tmp/app/", "dest": "/etc", **tree, "mode": "0755"}
    assert arguments("cp -rT /tmp/app /srv/web") == {"src": "/tmp/app/", "dest": "/srv/web", **tree}
    look, beside = tasks("cp -a /etc/ssh /etc/ssh.orig")
    assert shown(beside.args["src"]) == f"/etc/ssh{{{{ '/' if {look.register}.stat.isdir else '' }}}}"
    assert "decides where" in residue("cp -r /tmp/app /srv/web")


def test_what_is_moved_is_gone_when_that_is_done() -> None:
    moved = task("mv -f /tmp/a /etc/b")
    assert moved.args["removes"] == Word.of("/tmp/a") and "creates" not in moved.args and moved.kind == "guard"
    assert shown(moved.args["argv"]) == ["mv", "-f", "/tmp/a", "/etc/b"]
    _, found = tasks("mv /tmp/x/*.conf /etc/app/")
    assert shown(found.args["argv"]) == ["mv", "{{ item }}", "/etc/app/"]
    assert "goes" in residue("mv /a /etc/*")


def test_files_and_directories_are_installed() -> None:
    assert arguments("install -m 644 -o app -g web /tmp/a /etc/a") == {
        "src": "/tmp/a",
        "dest": "/etc/a",
        "remote_src": True,
        "mode": "0644",
        "owner": "app",
        "group": "web",
    }
    assert arguments("install /tmp/a /usr/local/bin")["mode"] == "0755"
    assert arguments("install -m 0755 -d /etc/apt/keyrings") == {
        "path": "/etc/apt/keyrings",
        "state": "directory",
        "mode": "0755",
    }
    above, leaf = tasks("install -d -m 700 -o app /srv/a/b")
    assert shown(above.args)["path"] == "/srv/a" and leaf.args["owner"] == Word.of("app")  # type: ignore[index]  # a mapping
    made, copied = tasks("install -D -m 644 /tmp/a /opt/x/y/a")
    assert made.args["path"] == Word.of("/opt/x/y") and copied.args["dest"] == Word.of("/opt/x/y/a")
    assert arguments("install -m 600 /dev/null /etc/key")["content"] == ""
    assert arguments("install -m 600 /dev/stdin /etc/key", stdin=Word.of("k\n"))["content"] == "k\n"
    assert "-s" in residue("install -s /a /b")
