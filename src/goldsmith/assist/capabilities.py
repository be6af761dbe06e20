"""What a text of commands, tasks or configuration could do to a machine's safety, so that a draft may be held to its original."""

from __future__ import annotations

import re

_PATTERNS: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (name, re.compile(pattern, re.IGNORECASE | re.MULTILINE))
    for name, pattern in (
        ("runs what a server sends unseen", r"\b(?:curl|wget)\b[^\n]*?\|\s*(?:sudo\s+)?(?:\S*/)?(?:ba|da|z|k)?sh\b|(?:ba)?sh\s+(?:-c\s+)?[\"']?(?:<\(|\$\()\s*(?:curl|wget)"),
        ("runs decoded text", r"\bbase64\s+(?:-d|--decode|-D)\b[^\n]*\|\s*\S*sh\b|\beval\b|\bxxd\s+-r\b[^\n]*\|"),
        ("writes keys for logging in", r"authorized_keys?\b"),
        ("gives rights by sudo", r"\bsudoers\b|\bNOPASSWD\b|\bvisudo\b|polkit-1"),
        ("sets the setuid bit", r"\bchmod\s+(?:-\S+\s+)*(?:[0-7]*[4-7][0-7]{3}\b(?<=\b[4-7]\d{3})|[ugoa]*\+[rwx]*s)|\bmode[\"']?\s*[:=]\s*[\"']?(?:0?[2-7][0-7]{3}\b|[ugoa]*[+=][rwx]*s)|\bsetcap\b"),
        ("makes or changes users", r"\b(?:useradd|adduser|usermod|groupadd|newusers)\b|(?:builtin\.|^\s*-?\s*)(?:user|group):\s*$|builtin\.(?:user|group)\b"),
        ("sets passwords", r"\bchpasswd\b|\bpasswd\s+(?:--stdin|-d)|\brootpw\b"),
        ("makes or enables units", r"\bsystemctl\s+(?:--\S+\s+)*(?:enable|unmask)\b|/(?:etc|lib)/systemd/system\b|\bsystemd_service\b|builtin\.(?:systemd|service)\b|\bupdate-rc\.d\b|\brc-update\b"),
        ("makes scheduled jobs", r"\bcrontab\b|/etc/cron\.|/var/spool/cron|builtin\.cron\b|OnCalendar="),
        ("loosens the firewall", r"\bufw\s+disable|\biptables\s+(?:-F|--flush|-P\s+INPUT\s+ACCEPT)|\bnft\s+flush|firewalld?\b[^\n]*\b(?:disable|stop|mask)|state:\s*disabled[^\n]*\n[^\n]*ufw"),
        ("loosens SELinux or AppArmor", r"\bsetenforce\s+0|SELINUX=(?:permissive|disabled)|state:\s*permissive|apparmor\b[^\n]*\b(?:disable|stop|mask)|aa-(?:disable|complain)"),
        ("lets root or empty passwords log in", r"PermitRootLogin[\s=\"']+yes|PermitEmptyPasswords[\s=\"']+yes|nullok"),
        ("does without certificates or signatures", r"\bcurl\b[^\n|]*\s(?:-[a-z]*k\b|--insecure)|--no-check-certificate|validate_certs[\"']?\s*[:=]\s*(?:false|no)|--allow-unauthenticated|allow_unauthenticated:\s*(?:true|yes)|gpgcheck[\"']?\s*[:=]\s*[\"']?(?:0|false|no)|\[trusted=yes\]|--nogpgcheck|disable_gpg_check:\s*(?:true|yes)|--no-gpg-check|sslverify[\"']?\s*[:=]\s*(?:0|false)"),
        ("opens a way back", r"/dev/tcp/|\bnc\b[^\n]*\s-e\b|\bmkfifo\b[^\n]*\bnc\b|\bsocat\b[^\n]*exec:"),
        ("hides what was done", r"\bhistory\s+-c|HISTFILE=|\bshred\b[^\n]*log|\bunset\s+HIST"),
        ("changes immutable or trusted certificates", r"update-ca-(?:certificates|trust)|/usr/local/share/ca-certificates|\bchattr\b"),
        ("preloads a library", r"ld\.so\.preload|LD_PRELOAD="),
    )
)  # fmt: skip
_ADDRESS = re.compile(r"(?i)\b(?:https?|ftp|git|ssh|s3|oci|docker)://[^\s\"'<>|;&)\]}`,\\]+|\bgit@[\w.-]+:[\w./-]+")


def capabilities_of(text: str) -> frozenset[str]:
    """What a text does, as sentences without a subject; each address that it names is one of its own."""
    joined = re.sub(r"\\\n\s*", " ", text)
    found = {name for name, pattern in _PATTERNS if pattern.search(joined)}
    return frozenset(found | {f"names the address {match[0].rstrip('./:')}" for match in _ADDRESS.finditer(joined)})
