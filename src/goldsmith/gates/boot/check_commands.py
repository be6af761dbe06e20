"""The shell commands that tell whether a machine has what a test in YAML wants; they print `word=value` lines."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping

_YES_NO = "&& echo {word}=true || echo {word}=false"


def _package(name: str) -> str:
    quoted = shlex.quote(name)
    return (
        f"if command -v dpkg-query >/dev/null; then told=$(dpkg-query -W -f '${{db:Status-Status}} ${{Version}}' {quoted}); "
        f"elif command -v rpm >/dev/null; then told=$(rpm -q --qf 'installed %{{VERSION}}-%{{RELEASE}}' {quoted}) || told=; "
        f'else told=$(apk list -I {quoted} | head -n 1 | sed -n "s/^[^ ]*-\\([0-9][^ ]*\\) .*/installed \\1/p"); fi; '
        'case "$told" in "installed "*) echo installed=true; echo "version=${told#installed }";; *) echo installed=false;; esac'
    )


def _service(name: str) -> str:
    quoted = shlex.quote(name)
    running = _YES_NO.format(word="running")
    enabled = _YES_NO.format(word="enabled")
    return f"systemctl is-active -q {quoted} {running}; systemctl is-enabled -q {quoted} {enabled}"


def _port(name: str) -> str:
    protocol, _, number = name.partition("/")
    option = "-Hltn" if protocol == "tcp" else "-Hlun"
    return (
        f"told=$(ss {option} 'sport = :{number}' | sed 's/  */ /g' | cut -d' ' -f4 | sed 's/:[0-9]*$//' | sort -u | paste -sd,)"
        '; [ -n "$told" ] && echo listening=true || echo listening=false; echo "address=$told"'
    )


def _file(name: str) -> str:
    quoted = shlex.quote(name)
    return (
        f"if [ -e {quoted} ] || [ -L {quoted} ]; then echo exists=true; else echo exists=false; exit 0; fi; "
        f"kind=$(stat -c %F {quoted}); "
        "case \"$kind\" in 'symbolic link') kind=link;; regular*) kind=file;; esac; echo type=$kind; "
        f"stat -c 'mode=%a' {quoted}; stat -c 'owner=%U' {quoted}; stat -c 'group=%G' {quoted}; "
        f'echo "target=$(readlink {quoted})"; '
        f"[ ! -f {quoted} ] || {{ echo sha256=$(sha256sum <{quoted} | cut -d' ' -f1); head -c 1048576 {quoted}; }}"
    )


def _user(name: str) -> str:
    quoted = shlex.quote(name)
    return (
        f"told=$(getent passwd {quoted}) && echo exists=true || {{ echo exists=false; exit 0; }}; "
        f"echo uid=$(id -u {quoted}); echo group=$(id -gn {quoted}); echo groups=$(id -Gn {quoted} | tr ' ' ,); "
        'echo "home=$(echo "$told" | cut -d: -f6)"; echo "shell=$(echo "$told" | cut -d: -f7)"'
    )


def _group(name: str) -> str:
    found = "{ echo exists=true; echo gid=$(echo $told | cut -d: -f3); }"
    return f"told=$(getent group {shlex.quote(name)}) && {found} || echo exists=false"


def _sysctl(name: str) -> str:
    path = "/proc/sys/" + (name if "/" in name else name.replace(".", "/"))
    return f"[ ! -r {shlex.quote(path)} ] || echo value=$(cat {shlex.quote(path)})"


def _mount(name: str) -> str:
    quoted = shlex.quote(name)
    return (
        f"findmnt -n {quoted} >/dev/null && echo mounted=true || {{ echo mounted=false; exit 0; }}; "
        f"echo type=$(findmnt -no FSTYPE {quoted}); echo options=$(findmnt -no OPTIONS {quoted})"
    )


def _command(text: str) -> str:
    return text


COMMANDS: Mapping[str, Callable[[str], str]] = {
    "package": _package,
    "service": _service,
    "port": _port,
    "file": _file,
    "command": _command,
    "user": _user,
    "group": _group,
    "sysctl": _sysctl,
    "mount": _mount,
}
"""By the kind of the check; each takes the name of what is looked at."""
