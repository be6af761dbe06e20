"""Which commands change a machine's state and which do not: the closed lists that conversion and its measure share.

A name that stands in none of them changes state. A list grows only with a reason: a smaller number of commands that
count is no progress.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias

Effect: TypeAlias = Literal["state", "query", "control", "output"]
"""Changes the machine; only reads it; steers the shell; writes text to where its output goes."""


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


FILE_TESTS: Mapping[str, str] = {
    "-a": "exists",
    "-e": "exists",
    "-f": "isreg",
    "-d": "isdir",
    "-L": "islnk",
    "-h": "islnk",
    "-x": "executable",
    "-r": "readable",
    "-w": "writeable",
    "-s": "size",
    "-S": "issock",
    "-p": "isfifo",
    "-b": "isblk",
    "-c": "ischr",
    "-u": "isuid",
    "-g": "isgid",
}
"""Operators of `test` that ask for a file, and what `ansible.builtin.stat` says instead."""

CONTROL = _names("""
    : . [ [[ alias bg bind break builtin caller cd compgen complete compopt continue declare dirs disown enable exit export
    false fc fg getopts hash help jobs let local logout mapfile popd pushd pwd read readarray readonly return set shift shopt
    sleep source test times trap true type typeset ulimit umask unalias unset wait
    """)
"""What the shell itself does, and waiting."""

OUTPUT = frozenset({"echo", "printf", "cat", "logger", "figlet", "tput", "clear", "seq", "yes", "column", "banner", "toilet"})
"""Text for people, or for the file or command that the output goes to."""

FILTERS = _names("""
    awk base64 cmp comm cut diff egrep expand expr fgrep fmt fold gawk grep head hexdump jq less md5sum mawk more nl od paste
    pr rev sed sha1sum sha224sum sha256sum sha384sum sha512sum sort strings tac tail tr tsort uniq wc xmllint xxd yq zcat zgrep
    bc b2sum cksum column iconv numfmt shuf sum
    """)
"""Readers of a stream; `sed -i` and what is redirected into a file are not among them."""

QUERIES = _names("""
    apropos apt-cache arch basename blkid cal command compgen cpuid date df dig dirname dmesg dmidecode dpkg-query
    du env eix equery file find findmnt fold free fuser getcap getconf getent getfacl getfattr gpgv groups host hostid hostname
    id ischroot journalctl last lastlog ldd locale locate ls lsattr lsblk lscpu lsb_release lsmod lsof lspci lsusb man md5sum
    mokutil mountpoint netstat nm nproc nslookup nvidia-smi objdump pathchk pgrep pidof ping pinfo printenv ps pstree readelf
    readlink realpath repoquery resolvectl rpmquery ss sestatus stat systemd-analyze systemd-cat systemd-detect-virt
    systemd-escape tasklist top tree tty uname uptime users vmstat w whereis which who whoami getenforce rpm2cpio logname
    selinuxenabled deborphan modinfo needs-restarting pkg-config rpmdev-vercmp vercmp virt-what
    """)
"""Programs that only look; `hostname NAME`, `date -s` and the actions of `find` are told apart below."""

SUBCOMMANDS: Mapping[str, frozenset[str]] = {
    "apt": _names("list search show policy depends rdepends showsrc changelog"),
    "apt-config": frozenset({"dump", "shell"}),
    "apt-get": frozenset({"check", "indextargets", "changelog"}),
    "apt-key": _names("list finger fingerprint export exportall"),
    "apt-mark": frozenset({"showauto", "showmanual", "showhold", "showinstall", "showremove"}),
    "aptitude": frozenset({"search", "show", "why", "why-not", "versions"}),
    "dnf": _names("list info search repolist repoquery provides check-update repoinfo"),
    "yum": _names("list info search repolist provides check-update whatprovides deplist"),
    "tdnf": frozenset({"list", "info", "search", "repolist", "repoquery", "provides", "check-update"}),
    "microdnf": frozenset({"repoquery", "repolist"}),
    "zypper": _names("se search info if lr repos lu list-updates packages pa services ls ps"),
    "apk": frozenset({"info", "search", "list", "policy", "stats", "version", "audit", "dot", "manifest"}),
    "systemctl": _names("""
        cat get-default is-active is-enabled is-failed is-system-running list-dependencies list-jobs list-sockets list-timers
        list-unit-files list-units show show-environment status
        """),
    "git": _names("""
        blame cat-file describe diff grep log ls-files ls-remote ls-tree name-rev rev-list rev-parse shortlog show
        show-ref status
        """),
    "dkms": frozenset({"status"}),
    "docker": frozenset({"images", "info", "inspect", "logs", "port", "ps", "stats", "top", "version", "search", "history"}),
    "podman": frozenset({"images", "info", "inspect", "logs", "ps", "version", "search"}),
    "pip": frozenset({"list", "show", "freeze", "check", "search", "index", "debug"}),
    "pip3": frozenset({"list", "show", "freeze", "check", "search", "index", "debug"}),
    "npm": frozenset({"ls", "list", "view", "root", "bin", "prefix", "outdated", "search", "info", "show"}),
    "gem": frozenset({"list", "search", "environment", "env", "query", "which", "contents", "specification"}),
    "ufw": frozenset({"status", "version", "show"}),
    "snap": frozenset({"list", "info", "find", "version", "known", "services", "connections", "get", "changes"}),
    "timedatectl": frozenset({"status", "show", "list-timezones"}),
    "hostnamectl": frozenset({"status"}),
    "localectl": frozenset({"status", "list-locales", "list-keymaps"}),
    "loginctl": frozenset({"list-sessions", "list-users", "show-session", "show-user", "session-status", "user-status"}),
    "networkctl": frozenset({"list", "status"}),
    "dpkg-divert": frozenset({"--list", "--truename", "--listpackage"}),
    "kubectl": frozenset({"get", "describe", "logs", "version", "cluster-info", "explain"}),
    "update-alternatives": frozenset({"--list", "--display", "--query", "--get-selections"}),
    "alternatives": frozenset({"--list", "--display"}),
    "gsettings": frozenset({"get", "list-schemas", "list-keys", "list-recursively", "range", "describe", "writable"}),
    "semodule": frozenset({"-l", "--list", "--list-modules"}),
    "swapon": frozenset({"-s", "--show", "--summary"}),
    "ollama": frozenset({"list", "ls", "show", "ps"}),
    "rustup": frozenset({"show", "which"}),
    "conda": frozenset({"list", "info", "search"}),
    "go": frozenset({"env", "version", "list"}),
    "cargo": frozenset({"search", "tree", "metadata"}),
}
"""Programs that look with these first operands or options, and act with others."""

VERSIONS = frozenset({"--version", "-version", "--help", "-help"})
"""A program that is called with one of these alone only prints."""

_PATTERNS: Mapping[str, re.Pattern[str]] = {
    "dpkg": re.compile(
        r"(?:-[lLsSpI]|-W|-c|-C|--(?:list|listfiles|status|search|print-avail|print-architecture|print-foreign-architectures"
        r"|get-selections|compare-versions|info|contents|audit|assert-\S+|verify|yet-to-unpack|validate-\S+))"
    ),
    "rpm": re.compile(r"-(?:q\S*|E|V\S*)|--(?:query|eval|verify|showrc|querytags|checksig)|-K"),
    "iptables": re.compile(r"-[LSC]\S*|--list\S*|--check"),
    "ip6tables": re.compile(r"-[LSC]\S*|--list\S*|--check"),
    "crontab": re.compile(r"-l"),
    "mount": re.compile(r"-l|--version"),
    "firewall-cmd": re.compile(r"--(?:state|list-\S+|get-\S+|query-\S+|info-\S+|check-config|version)"),
    "gpg": re.compile(r"--(?:list-\S+|fingerprint|verify|with-colons|version|show-keys|print-md)|-[kK]"),
    "openssl": re.compile(r"version|rand|s_client|verify|dgst|passwd|ciphers|list"),
    "modprobe": re.compile(r"-[nDc]\S*|--(?:dry-run|show-\S+|version|resolve-alias)"),
    "chage": re.compile(r"-l|--list"),
    "passwd": re.compile(r"-S|--status"),
    "localedef": re.compile(r"--list-archive|--help"),
    "npm": re.compile(r"-v|--version"),
    "vmware-toolbox-cmd": re.compile(r"-v|stat|info"),
    "debconf-show": re.compile(r".*"),
    "chkconfig": re.compile(r"--list"),
    "getsebool": re.compile(r".*"),
    "ldconfig": re.compile(r"-p|--print-cache|-V"),
    "fdisk": re.compile(r"-l\S*|--list"),
    "sfdisk": re.compile(r"-[ldJ]\S*|--(?:list|dump|json|show-size)"),
    "parted": re.compile(r"-[lm]+|--list"),
    "tar": re.compile(r"-?t[a-zA-Z]*|--list|-[a-zA-Z]*t[a-zA-Z]*"),
    "unzip": re.compile(r"-[lvtZ]\S*"),
    "visudo": re.compile(r"-c\S*|--check"),
    "sshd": re.compile(r"-[tT]\S*"),
    "nginx": re.compile(r"-[tTvV]\S*"),
    "apachectl": re.compile(r"configtest|-[tvVlLS]"),
    "ethtool": re.compile(r"(?!-)\S+|-[aceikgdl]"),
    "ifconfig": re.compile(r"-a|-s"),
    "lvs": re.compile(r".*"),
    "vgs": re.compile(r".*"),
    "pvs": re.compile(r".*"),
    "ssh-keygen": re.compile(r"-[lBFyE]\S*"),
    "kill": re.compile(r"-0|-l"),
    "git": re.compile(r"--version"),
    "zypper": re.compile(r"--version"),
    "node": re.compile(r"-v"),
    "yarn": re.compile(r"-v"),
    "php": re.compile(r"-[vmi]"),
    "ruby": re.compile(r"-v"),
    "perl": re.compile(r"-[vV]"),
    "java": re.compile(r"-version|--version"),
    "update-alternatives": re.compile(r"--(?:list|display|query|get-selections)"),
}
"""Programs that look where the first argument (after options that the second list names) is like this."""

_CURL_ACTS = re.compile(
    r"-[a-zA-Z]*[oOTJ]\S*|-[dFX]\S*|--(?:output|remote-name|upload-file|data|form|request|json)[\w=-]*(?:=.*)?", re.DOTALL
)
"""Options by which curl does more than print what it is given."""
_READING_VERB = re.compile(r"(?:describe|get|list|head|filter|lookup|search)(?:-\S+)?|ls|show|help")
_CLOUDS: Mapping[str, int] = {"aws": 2, "az": 4, "gcloud": 4, "oci": 4}
"""Clients of clouds, and how many operands name the service and what is asked of it: `aws ec2 describe-tags`."""

_PRINTS = re.compile(r"\s*(?:(?:import|from)\s[^;\n]*[;\n]\s*)*print\b.*", re.DOTALL)
_ACTS = re.compile(
    r"\b(?:open|exec|eval|compile|system|popen|subprocess|socket|urllib|requests|shutil|write\w*|remove|unlink|mkdir|rename)\b"
)
"""A program of Python that imports and prints, and names nothing that acts."""

_FIND_ACTIONS = frozenset({"-delete", "-exec", "-execdir", "-ok", "-okdir", "-fprint", "-fprint0", "-fprintf", "-fls"})
_TOLD_APART = _names("hostname date find env command sed awk gawk yq dmesg sysctl semanage curl wget")


def effect(name: str, args: Sequence[str | None]) -> Effect:
    """What a command does, by its name (without a directory) and its arguments; None stands for one that nobody knows.

    Redirections and pipelines are not looked at: `echo` into a file changes state, and the caller knows.
    """
    if name in CONTROL:
        return "control"
    if name in OUTPUT:
        return "output"
    if args and all(item in VERSIONS for item in args):
        return "query"
    if name in _TOLD_APART:
        return _told_apart(name, [item or "" for item in args])
    if name in FILTERS or name in QUERIES:
        return "query"
    if name in _CLOUDS:
        return "query" if _asks_cloud(name, args) else "state"
    if re.fullmatch(r"python[\d.]*", name) and len(args) > 1 and args[0] == "-c":
        return "query" if _PRINTS.fullmatch(args[1] or "?") and not _ACTS.search(args[1] or "") else "state"
    if name in ("docker", "docker-compose") and "version" in args[:2] and args[:1] != ["run"]:
        return "query"
    pattern = _PATTERNS.get(name)
    if pattern is not None and args and pattern.fullmatch(args[0] or ""):
        return "query"
    first = next((item for item in args if item and not item.startswith("-")), None)
    if name in SUBCOMMANDS and (first in SUBCOMMANDS[name] or (args and args[0] in SUBCOMMANDS[name])):
        return "query"
    return "state"


def _asks_cloud(name: str, args: Sequence[str | None]) -> bool:
    """Whether the verb only reads; what reads into a file has a redirection, or copies."""
    operands: list[str] = []
    for item in args:
        if item is None or item.startswith("-"):
            break
        operands.append(item)
    verbs = operands[1 : _CLOUDS[name]]
    return any(_READING_VERB.fullmatch(verb) for verb in verbs) and "get-object" not in verbs


def _told_apart(name: str, args: Sequence[str]) -> Effect:
    changes = {
        "hostname": any(not item.startswith("-") for item in args) or "-F" in args,
        "date": any(item in ("-s", "--set") or item.startswith("--set=") for item in args),
        "find": any(item in _FIND_ACTIONS for item in args),
        "command": False,
        "env": False,
        "sed": any(re.fullmatch(r"-[a-zA-Z]*i\S*|--in-place\S*", item) for item in args),
        "awk": "inplace" in args,
        "gawk": "inplace" in args,
        "yq": any(re.fullmatch(r"-[a-zA-Z]*i|--inplace", item) for item in args),
        "curl": any(_CURL_ACTS.fullmatch(item) for item in args),
        "wget": not any(re.fullmatch(r"-[a-zA-Z]*O-|-|--output-document=-|--spider", item) for item in args),
        "dmesg": any(item in ("-c", "-C", "--clear", "--read-clear", "-n") for item in args),
        "sysctl": any(re.fullmatch(r"-[a-zA-Z]*[wp]\S*|--system|--write|--load\S*|[^-]\S*=.*", item) for item in args),
        "semanage": not any(item in ("-l", "--list", "-C") for item in args),
    }
    return "state" if changes[name] else "query"
