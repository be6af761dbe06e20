"""What commands on Debian's packages become, and what of them stays shell."""

from __future__ import annotations

from goldsmith.assist.commands import Text, Variable, Word
from tests.assist.given import IN_LOOP, arguments, dropped, residue, shown, task, tasks


def test_packages_are_installed_as_the_options_say() -> None:
    made = task("apt-get -qq install -y --no-install-recommends -o Dpkg::Options::=--force-confnew nginx curl=7.88*")
    assert made.name == "Install nginx and curl=7.88*"
    assert made.module == "goldsmith.image.apt"
    assert shown(made.args) == {
        "name": ["nginx", "curl=7.88*"],
        "state": "present",
        "install_recommends": False,
        "dpkg_options": "force-confnew",
    }
    assert arguments("apt install -t bookworm-backports -y linux-image-amd64")["default_release"] == "bookworm-backports"
    assert arguments("apt-get -t=sid install x")["default_release"] == "sid"
    assert arguments("apt-get install --only-upgrade x") == {"name": ["x"], "state": "latest", "only_upgrade": True}
    assert arguments("apt-get -o DPkg::Lock::Timeout=-1 -o Acquire::Retries=3 -q=2 install x") == {
        "name": ["x"],
        "state": "present",
    }
    assert arguments("apt-get -o DPkg::Lock::Timeout=90 install x")["lock_timeout"] == 90
    assert arguments("aptitude -R -y install x")["install_recommends"] is False
    for option in ("allow_downgrade", "allow_unauthenticated", "allow_change_held_packages"):
        spelled = f"--{option}s".replace("_", "-").replace("packagess", "packages").replace("eds", "ed")
        assert arguments(f"apt-get install {spelled} x")[option] is True


def test_names_that_are_files_removals_or_lists() -> None:
    found = tasks("apt-get install -y ./a.deb b- c+ $more", directory=Word.of("/tmp"))
    assert [shown(item.args) for item in found] == [
        {"name": ["c"], "state": "present"},
        {"name": "{{ more | split }}", "state": "present"},
        {"deb": "/tmp/a.deb"},
        {"name": ["b"], "state": "absent"},
    ]
    headers = Word((Text("linux-headers-"), Variable("ansible_facts.kernel", "fact")), is_split=True)
    assert arguments("apt-get install", args=(Word.of("install"), headers))["name"] == [
        "linux-headers-{{ ansible_facts.kernel }}"
    ]
    find, installed = tasks("apt-get install -y /tmp/*.deb")
    assert find.register and shown(installed.args) == {"deb": "{{ item }}"}
    assert arguments("apt-get install php8.2-*")["name"] == ["php8.2-*"]


def test_the_other_verbs_of_apt() -> None:
    assert arguments("apt-get update -qq") == {"update_cache": True}
    assert arguments("apt-get -y upgrade") == {"upgrade": "safe"}
    assert arguments("apt-get -y dist-upgrade --allow-downgrades") == {"upgrade": "dist", "allow_downgrade": True}
    assert arguments("apt-get -y purge x --auto-remove") == {
        "name": ["x"],
        "state": "absent",
        "purge": True,
        "autoremove": True,
    }
    assert arguments("apt-get autoremove --purge -y") == {"autoremove": True, "purge": True}
    assert arguments("apt-get build-dep -y nginx") == {"name": ["nginx"], "state": "build-dep"}
    assert arguments("apt-get install -f -y") == {"name": [], "state": "fixed"}
    assert "sealing" in dropped("apt-get clean")
    assert "would do" in dropped("apt-get install -s x")
    for line in (
        "apt-get source x",
        "apt-get install --reinstall x",
        "apt-get install -o Dir::Etc=/x y",
        "apt-get remove ^linux-.*",
        "apt-get install",
        "apt-get $verb x",
        "apt-get --no-such install x",
    ):
        assert residue(line)


def test_selections_and_marks() -> None:
    assert arguments("apt-mark hold nginx") == {"name": "nginx", "selection": "hold"}
    held = task("apt-mark hold nginx curl")
    assert shown(held.loop) == ["nginx", "curl"] and shown(held.args["name"]) == "{{ item }}"
    assert len(tasks("apt-mark hold nginx curl", context=IN_LOOP)) == 2
    assert arguments("apt-mark unhold nginx")["selection"] == "install"
    marked = task("apt-mark manual nginx curl")
    assert marked.args["argv"] == ("apt-mark", "manual", Word.of("nginx"), Word.of("curl"))
    assert "already" in str(marked.changed_when)
    lines = Word.of("nginx hold\n# no\ncurl\tdeinstall\n")
    assert [shown(item.args) for item in tasks("dpkg --set-selections", stdin=lines)] == [
        {"name": "nginx", "selection": "hold"},
        {"name": "curl", "selection": "deinstall"},
    ]
    assert residue("dpkg --set-selections")
    assert residue("dpkg --set-selections", stdin=Word.of("nginx"))


def test_files_architectures_and_diversions() -> None:
    assert arguments("dpkg -i --force-confold /tmp/a.deb") == {"deb": "/tmp/a.deb", "dpkg_options": "force-confold"}
    assert arguments("dpkg -P a b") == {"name": ["a", "b"], "state": "absent", "purge": True}
    look, added = tasks("dpkg --add-architecture i386")
    assert look.changed_when is False and added.when == (f"'i386' not in {look.register}.stdout_lines",)
    assert "stdout" in str(task("dpkg --configure -a").changed_when)
    assert "depends" in residue("dpkg -i --force-depends /tmp/a.deb")
    assert "others need it" in residue("dpkg -r --force-all a")
    assert arguments("dpkg-divert --local --rename --add /sbin/initctl") == {"path": "/sbin/initctl", "rename": True}


def test_answers_to_questions_of_packages() -> None:
    answers = Word.of("# for tests\na a/license boolean true\n") + Word.of("b b/secret password s3 cret\n")
    first, second = tasks("debconf-set-selections", stdin=answers)
    assert shown(first.args) == {"name": "a", "question": "a/license", "vtype": "boolean", "value": "true"}
    assert second.args["value"] == Word.of("s3 cret") and second.no_log and not first.no_log
    known = Word((Text("tz tz/zone select "), Variable("zone", "input"), Text("\n")))
    assert arguments("debconf-set-selections", stdin=known)["value"] == "{{ zone }}"
    assert residue("debconf-set-selections /tmp/answers")
    assert residue("debconf-set-selections", stdin=Word.of("nonsense"))
