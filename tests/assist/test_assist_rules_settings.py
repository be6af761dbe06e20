"""What becomes of commands on the kernel, mounts, settings of the system and of security."""

from __future__ import annotations

from goldsmith.assist.commands import Word
from tests.assist.given import arguments, dropped, residue, shown, task, tasks


def test_what_lives_in_the_kernel_only_is_asked_for_first() -> None:
    look, setting = tasks("sysctl -w vm.swappiness=1")
    assert shown(look.args["argv"]) == ["sysctl", "-n", "vm.swappiness"]
    assert setting.when == (f"{look.register}.stdout.split() != ('1').split()",)
    assert len(tasks("sysctl a=1 b=$x")) == 4
    assert task("sysctl --system").kind == "handler"
    assert arguments("modprobe nbd max_part=8") == {"name": "nbd", "state": "present", "params": "max_part=8"}
    assert arguments("rmmod nbd") == {"name": "nbd", "state": "absent"}
    assert "shows" in residue("sysctl vm.swappiness")


def test_dkms_is_asked_what_it_has_done() -> None:
    look, install = tasks("dkms install -m nvidia -v 1.2 --force")
    assert shown(look.args["argv"]) == ["dkms", "status", "-m", "nvidia", "-v", "1.2"]
    assert install.when == (f"not {look.register}.stdout is search('installed')",)
    assert "length > 0" in tasks("dkms remove nvidia/1.2 --all")[1].when[0]
    assert task("dkms autoinstall").kind == "handler"
    assert residue("dkms add ./src") and residue("dkms build")


def test_mounts_leave_fstab_alone() -> None:
    assert arguments("mount -o loop,ro /tmp/x.iso /mnt") == {
        "src": "/tmp/x.iso",
        "path": "/mnt",
        "fstype": "auto",
        "opts": "loop,ro",
        "state": "ephemeral",
    }
    assert arguments("mount --bind /a /b")["opts"] == "bind"
    assert arguments("mount -o remount,rw /") == {"path": "/", "state": "remounted", "opts": "rw"}
    assert arguments("umount /mnt") == {"path": "/mnt", "state": "unmounted"}
    for line in ("mount -a", "mount /mnt", "mount --make-rslave /x", "umount -a"):
        assert residue(line)


def test_swap_and_file_systems() -> None:
    look, making = tasks("mkswap /swapfile")
    assert making.when == (f"{look.register}.stdout != 'swap'",)
    assert "not in" in tasks("swapon /swapfile")[1].when[0]
    assert task("fallocate -l 1G /swapfile").args["creates"] == Word.of("/swapfile")
    assert arguments("mkfs.ext4 -F -L data /dev/sdb") == {"fstype": "ext4", "dev": "/dev/sdb", "opts": "-L data", "force": True}
    assert residue("swapon -a") and residue("mkfs -t minix /dev/sdb")


def test_what_asks_a_daemon_is_written_where_the_daemon_would() -> None:
    assert arguments("hostnamectl set-hostname web") == {"dest": "/etc/hostname", "content": "web\n", "mode": "0644"}
    zone = arguments("timedatectl set-timezone Europe/Paris")
    assert (zone["src"], zone["path"]) == ("../usr/share/zoneinfo/Europe/Paris", "/etc/localtime")
    assert residue("timedatectl set-ntp true") and residue("hostnamectl set-chassis vm")
    assert tasks("hostname web")[1].when == ("hostname_1.stdout != 'web'",)


def test_locales_alternatives_and_crontabs() -> None:
    assert arguments("locale-gen en_US.UTF-8 de_DE.UTF-8") == {"name": ["en_US.UTF-8", "de_DE.UTF-8"]}
    assert task("locale-gen").kind == "handler"
    look, setting = tasks("update-locale LANG=C.UTF-8")
    assert setting.when == (f"{look.register}.rc != 0",)
    added = arguments("update-alternatives --install /usr/bin/java java /opt/java 20 --slave /usr/bin/jar jar /opt/jar")
    assert added["state"] == "present"  # "selected" is the module's default, and would choose by hand
    assert added["subcommands"] == [{"link": "/usr/bin/jar", "name": "jar", "path": "/opt/jar"}]
    assert arguments("alternatives --set python3 /usr/bin/python3.9")["state"] == "selected"
    assert residue("update-alternatives --config editor")
    look, table = tasks("crontab -", stdin=Word.of("0 1 * * * job\n"))
    assert table.args["stdin"] == Word.of("0 1 * * * job\n") and look.register in table.when[0]
    assert residue("crontab -e") and residue("crontab")


def test_parts_of_apache_are_guarded_by_their_links() -> None:
    assert arguments("a2enmod ssl") == {"name": "ssl", "state": "present"}
    assert shown(task("a2ensite app").args["creates"]) == "/etc/apache2/sites-enabled/app.conf"
    assert shown(task("a2dissite 000-default.conf").args["removes"]) == "/etc/apache2/sites-enabled/000-default.conf"
    assert arguments("crudini --set /etc/a.ini main key value") == {
        "path": "/etc/a.ini",
        "section": "main",
        "option": "key",
        "value": "value",
        "create": False,
    }


def test_selinux_capabilities_and_access_lists() -> None:
    assert tasks("setenforce 0")[1].when == ("selinux_1.stdout != 'Permissive'",)
    assert arguments("setsebool -P httpd_can_network_connect on") == {
        "name": "httpd_can_network_connect",
        "state": True,
        "persistent": True,
    }
    assert arguments("semanage fcontext -a -t bin_t '/opt(/.*)?'") == {
        "target": "/opt(/.*)?",
        "setype": "bin_t",
        "state": "present",
    }
    assert arguments("semanage port -a -t http_port_t -p tcp 8080")["ports"] == ["8080"]
    assert arguments("chcon -R -t bin_t /opt/bin") == {
        "path": "/opt/bin",
        "setype": "bin_t",
        "state": "directory",
        "recurse": True,
    }
    assert arguments("setcap cap_net_raw=+ep /usr/bin/x")["capability"] == "cap_net_raw=ep"
    assert len(tasks("setcap cap_a,cap_b+ep /usr/bin/x")) == 2
    assert arguments("setfacl -m u:bob:rwx /srv") == {
        "path": "/srv",
        "etype": "user",
        "entity": "bob",
        "permissions": "rwx",
        "state": "present",
    }
    assert arguments("chattr +i /etc/resolv.conf")["attributes"] == "+i"
    assert residue("semanage login -a x") and residue("setcap -r /x") and residue("setfacl -b /x")


def test_keys_are_made_once() -> None:
    assert arguments("ssh-keygen -q -t rsa -b 4096 -f /root/.ssh/id -N ''")["size"] == "4096"
    assert "first boot" in dropped("ssh-keygen -A")
    made = task("openssl req -x509 -nodes -newkey rsa:2048 -keyout /etc/k -out /etc/c -subj /CN=x")
    assert shown(made.args["creates"]) == "/etc/c" and made.kind == "guard"
    assert residue("openssl s_server")


def test_installers_are_guarded_by_what_they_always_make() -> None:
    for line, made in {
        "sh /mnt/VBoxLinuxAdditions.run --nox11": "/usr/sbin/VBoxService",
        "vmware-install.pl -d": "/usr/bin/vmware-toolbox-cmd",
        "bash conda.sh -b -p /opt/conda": "/opt/conda/bin/conda",
    }.items():
        assert shown(task(line).args["creates"]) == made
    assert "leaves behind" in residue("bash setup.sh")
    assert "enabled" in tasks("amazon-linux-extras install epel -y")[1].when[0]
    assert "stdout_lines" in tasks("localedef -i en_US -f UTF-8 en_US.UTF-8")[1].when[0]
    assert task("pkill -f agent").changed_when is False
    assert tasks("umount --lazy /tmp")[1].when == ("mounted_1.rc == 0",)


def test_what_is_made_again_and_what_sealing_does() -> None:
    for line in ("ldconfig", "update-grub", "dracut -f", "restorecon -R /opt", "update-ca-certificates", "netplan apply"):
        assert task(line).kind == "handler"
    for line in ("sync", "fstrim -a", "dd if=/dev/zero of=/EMPTY bs=1M", "history -c", "cloud-init clean --logs", "swapoff -a"):
        assert dropped(line)
    assert residue("netplan try") and residue("dd if=/a of=/b") and residue("nginx")
