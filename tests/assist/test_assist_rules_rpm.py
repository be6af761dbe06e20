"""What commands on packages of Red Hat's kin become, and what of them stays shell."""

from __future__ import annotations

from goldsmith.assist.commands import Word
from tests.assist.given import arguments, dropped, residue, shown, task, tasks


def test_packages_are_installed_removed_and_upgraded() -> None:
    made = task("dnf -y -q --enablerepo=crb,epel --setopt=install_weak_deps=False install nginx curl")
    assert made.name == "Install nginx and curl" and made.module == "goldsmith.image.dnf"
    assert shown(made.args) == {
        "name": ["nginx", "curl"],
        "state": "present",
        "enablerepo": ["crb", "epel"],
        "install_weak_deps": False,
    }
    assert arguments("yum remove -y a") == {"name": ["a"], "state": "absent", "autoremove": True}
    assert arguments("tdnf remove -y a") == {"name": ["a"], "state": "absent"}
    assert arguments("yum -y update") == {"name": "*", "state": "latest", "update_only": True}
    assert arguments("dnf upgrade --security -y a")["security"] is True
    assert arguments("dnf install $list")["name"] == "{{ list | split }}"
    assert arguments("dnf --repo=x install a") == {
        "name": ["a"],
        "state": "present",
        "disablerepo": ["*"],
        "enablerepo": ["x"],
    }
    assert arguments("dnf autoremove -y") == {"autoremove": True}
    first, second = tasks("dnf swap -y a b")
    assert shown(first.args) == {"name": ["b"], "state": "present", "allowerasing": True} and second.args["state"] == "absent"
    assert "sealing" in dropped("dnf clean all") and "sealing" in dropped("yum makecache fast")


def test_package_files_are_taken_without_a_signature_as_dnf_takes_them() -> None:
    assert arguments("dnf install -y https://x/epel.rpm") == {
        "name": ["https://x/epel.rpm"],
        "state": "present",
        "disable_gpg_check": True,
    }
    assert arguments("yum localinstall -y ./a.rpm", directory=Word.of("/tmp"))["name"] == ["/tmp/a.rpm"]
    assert arguments("rpm -ivh /tmp/a.rpm b.rpm", directory=Word.of("/opt"))["name"] == ["/tmp/a.rpm", "/opt/b.rpm"]
    find, installed = tasks("rpm -Uvh /tmp/*.rpm")
    assert shown(installed.args["name"]) == f"{{{{ {find.register}.files | map(attribute='path') | sort }}}}"
    assert arguments("rpm -e a b") == {"name": ["a", "b"], "state": "absent"}
    assert arguments("rpm --import https://x/key") == {"key": "https://x/key", "state": "present"}
    assert "--nodeps" in residue("rpm -i --nodeps a.rpm")


def test_groups_and_modules() -> None:
    assert arguments("dnf group install -y 'Development Tools'") == {"name": ["@Development Tools"], "state": "present"}
    assert arguments("yum groupinstall -y core")["name"] == ["@core"]
    assert arguments("dnf module install -y nodejs:18/common")["name"] == ["@nodejs:18/common"]
    enabled = task("dnf -y module enable nodejs:18")
    assert enabled.kind == "guard" and "Nothing to do" in str(enabled.changed_when)


def test_repositories_and_locks() -> None:
    assert arguments("dnf config-manager --add-repo https://x/docker-ce.repo") == {
        "url": "https://x/docker-ce.repo",
        "dest": "/etc/yum.repos.d/docker-ce.repo",
        "mode": "0644",
    }
    assert arguments("dnf config-manager --add-repo https://www.example.org/el/9")["name"] == "example.org_el_9"
    assert arguments("yum-config-manager --enable a b") == {"name": ["a", "b"], "state": "enabled"}
    assert arguments("dnf config-manager --save --setopt=fastestmirror=1")["option"] == "fastestmirror"
    assert arguments("dnf copr enable -y a/b") == {"name": "a/b", "state": "enabled"}
    assert arguments("dnf versionlock add kernel kernel-core") == {"name": ["kernel", "kernel-core"], "state": "present"}
    assert arguments("yum versionlock delete kernel")["state"] == "absent"
    assert "not known" in residue("dnf config-manager --save --setopt=*.gpgcheck=1")


def test_what_no_task_says_stays_shell() -> None:
    for line in (
        "dnf distro-sync",
        "dnf install",
        "dnf history undo 3",
        "dnf install --downloadonly a",
        "dnf install --setopt=tsflags=nodocs a",
        "dnf downgrade a",
        "rpm -U --force /a.rpm",
        "rpm --rebuilddb",
        "dnf $verb a",
    ):
        assert residue(line), line
