"""Any script that bash accepts is converted without a crash, whatever it is made of."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goldsmith.assist.convert import Options, convert
from goldsmith.assist.shell import Script

_WORDS = st.sampled_from(
    [
        *(
            "a",
            "''",
            '""',
            "$'\\x41\\n\\u00e9'",
            '$"text"',
            "a\\ b",
            "\\\n",
            "{1..3}",
            "{a,b{c,d}}",
            "{z..a..2}",
            "{,}",
            "~root/x",
            "*",
        ),
        *(
            "[!a]*",
            "@(a|b)",
            "!(x)",
            "+([0-9])",
            "?(a)*(b)",
            "$((1+2))",
            "$(( a[1] ? b : c ))",
            "$[1+1]",
            "`echo \\`id\\``",
            "$(<x)",
        ),
        *(
            "$(cat <<E\nx\nE\n)",
            "<(sort a)",
            ">(cat)",
            "${a[@]}",
            "${!a[@]}",
            "${#a[*]}",
            "${a[-1]}",
            "${a:-${b:=${c:+d}}}",
            "${!a}",
        ),
        *(
            "${a//[^a-z]/}",
            "${a/#\\//\\\\}",
            "${a^^[aeiou]}",
            "${a@Q}",
            "${a@A}",
            "${@:2:3}",
            "${*%%.*}",
            "$*",
            "$@",
            "$#",
            "$?",
            "$$",
        ),
        *(
            "$!",
            "$-",
            "$_",
            "${10}",
            "${a: -1}",
            "${a:(-2)}",
            "${a:b?c:d}",
            "${!a@}",
            "${!a*}",
            '"$(echo "$(echo "x")")"',
            "é",
            "\t",
        ),
        *(
            "'it'\\''s'",
            "a=b",
            "-n",
            "--",
            "%",
            "=",
            "]]",
            "!",
            "{",
            "}",
            "a{b",
            "x]",
            "[",
            "#x",
            "a#b",
            "\u00a0",
            "\x01",
            "$",
            "\\$a",
        ),
        *(
            "${a[$i]}",
            "${a[b]}",
            "${a[$((i++))]}",
            "${a[i+1]:-}",
            "${a+x}",
            "${#}",
            "${##}",
            "${?}",
            "${!#}",
            "${a?}",
            "${a:?no}",
        ),
    ]
)
_ODD = st.sampled_from(
    [
        *("f() { f; }; f", "f() ( exit 1 ); f", "function g { local x; g() { :; }; g; }; g", "f() if true; then :; fi; f"),
        *(
            "select x in a b; do break; done",
            "select x; do :; done",
            "coproc cat",
            "coproc N { read a; }",
            "time -p true",
            "time",
            "! true",
        ),
        *("case a in a) ;& b) ;;& *) ;; esac", "case $x in (a|b) : ;; esac", "case x in esac", "for ((;;)); do break; done"),
        *(
            "for ((i=0, j=9; i<j; i++, j--)); do :; done",
            "for x; do :; done",
            "for x in; do :; done",
            "for x do :; done",
            "let a=1 b=2",
        ),
        *(
            "while :; do break 9; done",
            "until false; do continue; break; done",
            "((a=1, b=a++))",
            "((a <<= 2))",
            "(( a = b = c ))",
            "(( ))",
        ),
        *(
            "[[ a < b && ! ( c > d || -e e ) ]]",
            "[[ $a =~ ^([0-9]+)(.*)$ ]]",
            "[[ -v a[1] ]]",
            "[[ a -nt b ]]",
            "[ a -a b -o ! c ]",
            "[ ]",
        ),
        *(
            "[ '(' a ')' ]",
            "test",
            "test -n",
            "[ -f ]",
            "a=(1 [3]=x [b]=c)",
            "declare -A m=([a]=1 [b c]=2)",
            "declare -n r=a; r=1",
        ),
        *(
            "declare -i n=1+2; n+=3",
            "local x=1",
            "readonly R; R=2",
            "export -f f",
            "export -p",
            "declare -p a",
            "a+=(1) b+=2 c",
            "unset a[0]",
        ),
        *(
            "cat <<E | sort <<F\n$a\nE\nb\nF",
            "cat <<-'E' > x\n\tb\n\tE",
            'cat <<"" \nx\n',
            "cat <<E\n${a:-$(cat <<F\nx\nF\n)}\nE",
            "<<E",
        ),
        *(
            "cat <<< $a <<< b",
            "> x",
            "2>&1 >&3 3>&- <&-",
            "{fd}> x",
            "exec 3<> x",
            "exec > >(tee l) 2>&1",
            "echo a |& cat",
            "a | b | c &",
        ),
        *(
            "eval 'echo $((1'",
            'eval "$(cat x)"',
            "eval",
            "source",
            ". /nowhere",
            ". <(echo a)",
            "bash -c",
            "bash -c 'if'",
            "sh -s <<< 'id'",
        ),
        *(
            "trap 'rm x' EXIT",
            "trap - EXIT",
            "trap",
            "set",
            "set -",
            "set --",
            "set -o",
            "set +o",
            "set -euxo pipefail",
            "shopt",
            "shopt -s x",
        ),
        *(
            "shift 9",
            "shift x",
            "return",
            "exit 300",
            "exit x",
            "exit -1",
            "break",
            "continue 0",
            "read",
            "read -a",
            "read -d '' x < f",
        ),
        *(
            "printf",
            "printf -v",
            "printf -v a",
            "printf '%*d' 3 4",
            "printf '%s %q %b\\n' a",
            "printf '%",
            "printf '%(%F)T'",
            "echo -e '\\0'",
        ),
        *(
            "mapfile -t -n 3 a < x",
            "getopts ab: o",
            "cd",
            "cd -",
            "cd a b",
            "pushd",
            "popd",
            "umask u=rwx",
            "umask",
            "ulimit -n 1",
            "wait",
        ),
        *(
            "sudo",
            "sudo -u",
            "env",
            "env -i",
            "env A=1",
            "nice",
            "timeout",
            "exec",
            "command",
            "command -v",
            "xargs",
            "find -exec",
            "su -c",
        ),
        *(
            "tar",
            "curl",
            "wget",
            "apt-get",
            "dnf install",
            "sed -i",
            "sed -i 's'",
            "sed -i s/a",
            "awk",
            "grep",
            "chmod",
            "chown",
            "mkdir -m",
        ),
        *(
            "cp",
            "mv a",
            "ln -s",
            "rm",
            "touch",
            "tee",
            "dd",
            "useradd",
            "usermod -G",
            "systemctl",
            "service",
            "git",
            "pip install",
            "npm",
        ),
        *(
            "install -d",
            "ufw",
            "sysctl -w",
            "mount",
            "crontab",
            "update-alternatives --install",
            "chpasswd <<< x",
            "debconf-set-selections",
        ),
        *(
            "dpkg",
            "rpm",
            "add-apt-repository",
            "apt-key",
            "gpg --dearmor",
            "localectl",
            "hostnamectl",
            "timedatectl",
            "docker",
            "openssl",
        ),
        *(
            "echo a > $x",
            'echo b >> "$y"z',
            "a=$(b=$(c)) d=$(e)",
            "(((1))) || (:)",
            "{ { { :; }; }; }",
            "((:))",
            "if ((1)); then :; fi",
        ),
    ]
)


def _line(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """A statement around others."""
    return st.one_of(
        st.tuples(inner, inner).map(lambda both: f"{{ {both[0]}\n}} && {{ {both[1]}\n}} || :"),
        inner.map(lambda line: f"if {{ {line}\n}}; then\n{line}\nelse\n:\nfi"),
        inner.map(lambda line: f"( {line}\n) > x 2>&1"),
        inner.map(lambda line: f"for i in a $b; do\n{line}\ndone < y"),
        inner.map(lambda line: f"while read -r l; do\n{line}\ndone <<< $z"),
        inner.map(lambda line: f"f() {{\n{line}\n}}\nf $a"),
        inner.map(lambda line: f"case $a in\n*) {line}\n;;&\nb) : ;;\nesac"),
        inner.map(lambda line: f"x=$(\n{line}\n)"),
        inner.map(lambda line: f"{{ {line}\n}} | tee l | cat"),
        st.tuples(inner, inner).map("\n".join),
    )


_COMMANDS = st.sampled_from(
    ["echo", "a=", "rm -f", "cp", "mkdir -p", "set --", "f", "cd", "printf", "[", "export", "sed -i", "apt-get install"]
)
_SIMPLE = st.tuples(_COMMANDS, st.lists(_WORDS, max_size=4)).map(lambda made: f"{made[0]} {' '.join(made[1])}")
_SCRIPTS = st.lists(st.recursive(_ODD | _SIMPLE, _line, max_leaves=4), min_size=1, max_size=6).map("\n".join)


def _is_accepted(text: bytes) -> bool:
    return subprocess.run(["bash", "-n"], input=text, capture_output=True, check=False).returncode == 0


@settings(max_examples=30)
@given(_SCRIPTS, st.sampled_from(["#!/bin/bash\n", "#!/bin/bash -eu\n", "#!/bin/sh\n", ""]), st.booleans())
def test_odd_scripts_are_converted(body: str, first: str, has_returns: bool) -> None:
    text = (first + body + "\n").replace("\n", "\r\n" if has_returns else "\n").encode()
    found = convert([Script("a.sh", text)], Options())

    assert found.files or not _is_accepted(text)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\n",
        b"#",
        b"# \xff\xfe\x01\x02\nmkdir /x\n",
        b"mkdir /x \\",
        b"echo '" + b"a" * 10_000 + b"' > /x\n",
        b"echo " + b"a " * 2_000 + b"> /x\n",
        b"x=" + b"$x" * 2_000 + b"\nmkdir $x\n",
        b"if true; then " * 60 + b"mkdir /x; " + b"fi; " * 60 + b"\n",
        b"(" * 60 + b"mkdir /x" + b")" * 60 + b"\n",
        b"echo " + b"$(echo " * 30 + b"a" + b")" * 30 + b" > /x\n",
        b"mkdir $((" + b"(" * 60 + b"1" + b")" * 60 + b"))\n",
        b"f() { g; }; g() { f; }; f\n",
        b"x=a; for i in 1 2 3 4; do x=$x$x$x$x$x$x$x$x; done; mkdir $x\n",
        b"mkdir {1..9}{1..9}{1..9}{1..9}\n",
        b"true" + b" && true" * 300 + b" && mkdir /x\n",
        b"mkdir /x" + b" | cat" * 100 + b"\n",
        b"[ -f /a ]" + b" || [ -f /b ]" * 30 + b" || mkdir /x\n",
        b"case $1 in\n" + b"".join(b"a%d) mkdir /%d ;;\n" % (n, n) for n in range(40)) + b"esac\n",
        b"for i in {1..9}; do for j in {1..9}; do mkdir /$i$j; done; done\n",
    ],
)
def test_scripts_without_measure_are_converted(text: bytes) -> None:
    assert convert([Script("a.sh", b"#!/bin/bash\n" + text)], Options()).files
