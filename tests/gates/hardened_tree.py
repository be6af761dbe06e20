"""A small Debian that meets every offline control of `strict`, for tests that break one thing of it."""

from __future__ import annotations

import hashlib
from pathlib import Path

MODULES = ("cramfs", "freevxfs", "hfs", "hfsplus", "jffs2", "udf", "usb-storage", "dccp", "sctp", "rds", "tipc")
SSHD = "the ssh server"

FILES: dict[str, str] = {
    "boot/grub/grub.cfg": "set superusers=root\npassword_pbkdf2 root grub.pbkdf2.sha512.10000.A\n",
    "boot/vmlinuz-6.1": "",
    "etc/apt/apt.conf.d/20auto": 'APT::Periodic::Update-Package-Lists "1";\nAPT::Periodic::Unattended-Upgrade "1";\n',
    "etc/apt/sources.list": "deb [signed-by=/usr/share/keyrings/a.gpg] http://deb.debian.org/debian bookworm main\n",
    "etc/audit/rules.d/a.rules": "-w /etc/passwd -p wa\n",
    "etc/cloud/cloud.cfg": "datasource_list: [Ec2]\n",
    "etc/cron.allow": "root\n",
    "etc/crontab": "",
    "etc/default/grub": 'GRUB_CMDLINE_LINUX="audit=1"\n',
    "etc/fstab": (
        "LABEL=root / ext4 defaults 0 1\nLABEL=var /var ext4 nodev 0 2\nLABEL=log /var/log ext4 nodev 0 2\n"
        "LABEL=home /home ext4 nodev 0 2\n"
        + "".join(f"tmpfs {place} tmpfs nodev,nosuid,noexec 0 0\n" for place in ("/tmp", "/var/tmp", "/dev/shm"))
    ),
    "etc/group": "root:x:0:\ndaemon:x:1:\nshadow:x:42:\nops:x:1000:\n",
    "etc/gshadow": "root:*::\n",
    "etc/hostname": "golden\n",
    "etc/issue.net": "Authorised use only.\n",
    "etc/login.defs": "UMASK 022\nPASS_MAX_DAYS 365\nPASS_MIN_DAYS 1\nPASS_WARN_AGE 7\nENCRYPT_METHOD YESCRYPT\nUMASK 027\n",
    "etc/machine-id": "uninitialized\n",
    "etc/modprobe.d/a.conf": "".join(f"install {name} /bin/false\nblacklist {name}\n" for name in MODULES),
    "etc/nftables.conf": "table inet filter {\n chain input {\n  type filter hook input priority 0; policy drop;\n }\n}\n",
    "etc/os-release": 'ID=debian\nVERSION_ID="12"\nVERSION_CODENAME=bookworm\nPRETTY_NAME="Debian 12"\n',
    "etc/pam.d/common-auth": (
        "auth requisite pam_faillock.so preauth\nauth [success=1] pam_unix.so\nauth [default=die] pam_faillock.so authfail\n"
    ),
    "etc/pam.d/common-password": (
        "password requisite pam_pwhistory.so remember=5\npassword [success=1] pam_unix.so yescrypt minlen=14\n"
    ),
    "etc/pam.d/su": "auth sufficient pam_rootok.so\nauth required pam_wheel.so use_uid\n@include common-auth\n",
    "etc/passwd": "root:x:0:0::/root:/bin/bash\ndaemon:x:1:1::/usr/sbin:/usr/sbin/nologin\n"
    "ops:x:1000:1000::/home/ops:/bin/bash\n",
    "etc/profile.d/a.sh": "TMOUT=900\n",
    "etc/rsyslog.d/a.conf": "*.* @@logs.example.org\n",
    "etc/security/limits.conf": "* hard core 0\n",
    "etc/shadow": "root:*:1:0:99999:7:::\ndaemon:*:1:0:99999:7:::\nops:!:1:0:99999:7:::\n",
    "etc/ssh/sshd_config": "Include /etc/ssh/sshd_config.d/*.conf\nPasswordAuthentication yes\nX11Forwarding yes\n",
    "etc/ssh/sshd_config.d/50-a.conf": (
        "PermitRootLogin no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nMaxAuthTries 4\nLoginGraceTime 1m\n"
        "ClientAliveInterval 5m\nMaxSessions 10\nMaxStartups 10:30:60\nX11Forwarding no\nAllowAgentForwarding no\n"
        "AllowGroups ops\nBanner /etc/issue.net\nLogLevel VERBOSE\nKexAlgorithms curve25519-sha256\n"
        "Ciphers aes256-gcm@openssh.com\nMACs hmac-sha2-512-etm@openssh.com\n"
    ),
    "etc/sudoers": "Defaults use_pty\n@includedir /etc/sudoers.d\n%ops ALL=(ALL:ALL) ALL\n",
    "etc/sudoers.d/log": "Defaults logfile=/var/log/sudo.log\n",
    "etc/sysctl.d/60-a.conf": (
        "kernel.randomize_va_space = 2\nkernel.yama.ptrace_scope = 1\nkernel.dmesg_restrict = 1\nkernel.kptr_restrict = 2\n"
        "fs.suid_dumpable = 0\nfs.protected_symlinks = 1\nfs.protected_hardlinks = 1\nfs.protected_fifos = 2\n"
        "fs.protected_regular = 2\nkernel.unprivileged_bpf_disabled = 1\nnet.ipv4.ip_forward = 0\n"
        "net.ipv6.conf.all.forwarding = 0\nnet/ipv4/conf/*/accept_redirects = 0\nnet.ipv4.conf.all.secure_redirects = 0\n"
        "net.ipv4.conf.*.send_redirects = 0\nnet.ipv6.conf.*.accept_redirects = 0\nnet.ipv4.conf.*.accept_source_route = 0\n"
        "net.ipv6.conf.*.accept_source_route = 0\nnet.ipv4.conf.*.rp_filter = 1\nnet.ipv4.tcp_syncookies = 1\n"
        "net.ipv4.conf.*.log_martians = 1\nnet.ipv6.conf.*.accept_ra = 0\n"
    ),
    "etc/systemd/journald.conf": "[Journal]\nStorage=volatile\n",
    "etc/systemd/journald.conf.d/a.conf": "[Journal]\nStorage=persistent\nCompress=yes\nSystemMaxUse=200M\n",
    "etc/systemd/system/own.service": "[Service]\nExecStart=/usr/bin/own\nDynamicUser=yes\nEnvironment=HOME=/srv\n",
    "etc/systemd/system/ssh.service.d/keys.conf": "[Service]\nExecStartPre=/usr/bin/ssh-keygen -A\n",
    "home/ops/.profile": "",
    "root/.profile": "",
    "usr/bin/aide": "",
    "usr/bin/apt-get": "",
    "usr/bin/cloud-init": "",
    "usr/bin/crontab": "",
    "usr/bin/sudo": "",
    "usr/lib/systemd/systemd": "",
    "usr/sbin/sshd": SSHD,
    "var/lib/dpkg/info/openssh-server.md5sums": f"{hashlib.md5(SSHD.encode()).hexdigest()}  usr/sbin/sshd\n",
    "var/lib/dpkg/status": (
        "Package: bash\nStatus: install ok installed\nVersion: 5\nArchitecture: amd64\n\n"
        "Package: openssh-server\nStatus: install ok installed\nVersion: 9\nArchitecture: amd64\n"
    ),
    "var/log/wtmp": "",
}
ENABLED = ("ssh.service", "auditd.service", "apparmor.service", "nftables.service", "chrony.service")
MODES = {
    **dict.fromkeys(("etc/crontab", "etc/ssh/sshd_config", "etc/ssh/sshd_config.d/50-a.conf", "boot/grub/grub.cfg"), 384),
    **dict.fromkeys(("etc/shadow", "etc/gshadow", "etc/cron.allow"), 416),
    **dict.fromkeys(("etc/sudoers", "etc/sudoers.d/log"), 288),
    **dict.fromkeys(("usr/bin/sudo",), 2541),
    **dict.fromkeys(("root", "home/ops"), 448),
    **dict.fromkeys(("tmp", "var/tmp"), 1023),
}
PERSON = 1000


def make_hardened(root: Path) -> Path:
    """Write the tree below `root`; it must belong to root, so the caller must be."""
    for name in ("tmp", "var/tmp", "etc/cron.d", "root", "home/ops"):
        (root / name).mkdir(parents=True)
    (root / "etc/cron.d").chmod(0o700)
    for name, text in FILES.items():
        write(root, name, text)
    for unit in ENABLED:
        link = root / "etc/systemd/system/multi-user.target.wants" / unit
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(f"/usr/lib/systemd/system/{unit}")
    for name, mode in MODES.items():
        (root / name).chmod(mode)
    give(root, "home/ops", PERSON)
    return root


def write(root: Path, name: str, text: str) -> None:
    """A file of the tree; one that is there keeps its mode and owner."""
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    is_new = not path.exists()
    path.write_text(text)
    if is_new:
        path.chmod(MODES.get(name, 0o600 if "/ssh/" in name else 0o440 if "sudoers" in name else 0o644))


def give(root: Path, name: str, uid: int) -> None:
    """Change the owner of a path."""
    import os

    os.lchown(root / name, uid, uid)
