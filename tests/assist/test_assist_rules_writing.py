"""What commands that write texts become: the file of a task has the bytes that the shell writes."""

from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from goldsmith.assist.commands import Context, Text, Variable, Word
from goldsmith.assist.rules.appending import append, escaped
from tests.assist.given import IN_LOOP, arguments, command, dropped, residue, shown, task, tasks

BLOCK = "if [ -d /x ]; then\n  echo\n\nfi\n"


def test_texts_that_replace_a_file() -> None:
    assert arguments("cat > /etc/motd", stdin=Word.of("a\nb\n")) == {"dest": "/etc/motd", "content": "a\nb\n", "mode": "0644"}
    assert arguments("echo hello there > motd", directory=Word.of("/etc"))["content"] == "hello there\n"
    assert arguments("echo -n 'a\\n' > /x")["content"] == "a\\n"
    assert arguments("echo 'a\\nb' > /x", is_bash=False)["content"] == "a\nb\n"
    assert arguments("printf '%s=%s\\n' a $b > /x")["content"] == "a={{ b }}\n"
    assert arguments("tee /etc/motd", stdin=Word.of("a\n"))["content"] == "a\n"
    assert arguments("echo x > /etc/sudoers")["mode"] == "0440"
    assert arguments("echo x > /x", umask=0o077)["mode"] == "0600"
    assert arguments("echo deb [arch=amd64] http://x/?y main > /x")["content"] == "deb [arch=amd64] http://x/?y main\n"
    assert len(tasks("tee /a /b", stdin=Word.of("a\n"))) == 2
    assert arguments("cat /a > /b") == {"src": "/a", "dest": "/b", "remote_src": True, "mode": "0644"}


def test_a_file_whose_mode_differs_by_distribution_keeps_it() -> None:
    look, written = tasks("cat > /etc/ssh/sshd_config", stdin=Word.of("a\n"))
    assert shown(written.args["mode"]) == f"{{{{ {look.register}.stat.mode | default('0644') }}}}"


def test_files_are_emptied_and_logs_left_to_sealing() -> None:
    for line in (": > /etc/x", "cat /dev/null > /etc/x", "truncate -s 0 /etc/x", "echo -n > /etc/x"):
        assert arguments(line) == {"dest": "/etc/x", "content": "", "mode": "0644"}
    for line in (": > /etc/machine-id", "truncate -s0 /var/log/*.log", "cat /dev/null > /var/log/wtmp", "echo x > /var/log/y"):
        assert "sealing" in dropped(line)
    assert "kernel" in task("echo kernel > /x").args["content"].label  # type: ignore[union-attr]  # it is a word
    assert "running machine" in dropped("echo 1 > /proc/sys/net/ipv4/ip_forward")


def test_one_line_is_added_where_it_is_missing() -> None:
    assert arguments("echo 'a b' >> /etc/x") == {"path": "/etc/x", "line": "a b", "create": True, "mode": "0644"}
    assert arguments("echo a $b >> /etc/fstab") == {"path": "/etc/fstab", "line": "a {{ b }}"}
    assert arguments("tee -a /etc/hosts", stdin=Word.of("10.0.0.1 a\n"))["line"] == "10.0.0.1 a"
    several = task("cat >> /etc/sysctl.d/x.conf", stdin=Word.of("net.a = 1\nnet.b = 2\n"))
    assert shown(several.loop) == ["net.a = 1", "net.b = 2"] and shown(several.args["line"]) == "{{ item }}"


def test_a_block_is_added_as_a_whole() -> None:
    (added,) = tasks("cat >> /root/.bashrc", stdin=Word.of(BLOCK))
    create, _ = tasks("cat >> /opt/x", stdin=Word.of(BLOCK))
    assert create.args["force"] is False and create.args["content"] == ""
    for before in ("", "a\n", "if x\nfi\n"):
        assert _replaced(added.args, before) == before + BLOCK
        assert _replaced(added.args, before + BLOCK + "z\n") == before + BLOCK + "z\n"
    known = Word((Text("[a]\nb = "), Variable("b", "input"), Text("\n")))
    pattern = shown(tasks("cat >> /etc/fstab", stdin=known)[0].args["regexp"])
    assert pattern == "\\A(?![\\s\\S]*^\\[a\\]\\nb = {{ b | regex_escape }}\\n)[\\s\\S]*\\Z"
    assert len(tasks("cat >> /opt/x", stdin=Word.of("net.a = 1\nnet.b = 2\n"), context=IN_LOOP)) == 2


def _replaced(arguments: object, text: str) -> str:
    assert isinstance(arguments, dict)
    pattern, by = shown(arguments["regexp"]), shown(arguments["replace"])
    assert isinstance(pattern, str) and isinstance(by, str)
    return re.sub(pattern, by, text, flags=re.MULTILINE)


@settings(max_examples=60)
@given(st.text("ab\n\\.*[$", min_size=1), st.text("ab\n\\", max_size=6))
def test_any_block_is_added_once(block: str, before: str) -> None:
    if not block.strip("\n"):
        return
    *_, added = append(command("x"), Word.of("/etc/hosts"), Word.of(block + "\n\n"))
    start = before + "\n" if before else ""
    once = _replaced(added.args, start)
    assert once == start + block + "\n\n" or ("\n" + start).find("\n" + block + "\n\n") >= 0
    assert _replaced(added.args, once) == once
    assert re.fullmatch(escaped(block), block)


def test_what_cannot_be_told_stays_shell() -> None:
    for line, given_ in {
        "echo * > /x": {},
        "echo >> /x": {},
        "cat /a /b > /x": {},
        "cat /a >> /b": {},
        "cat > /x": {},
        "tee /x": {},
        ": >> /x": {},
        "echo a > /x*": {},
        "truncate -s 1G /x": {},
        "echo a > /x 2> /y": {},
        "echo a": {"context": Context(registers="said")},
    }.items():
        assert residue(line, **given_), line
    assert "prints" in dropped("echo a")
