"""What a traced script is told to have done, command by command, in a real sandbox."""

from __future__ import annotations

from pathlib import Path

import pytest

from goldsmith.assist.commands import Place
from goldsmith.assist.coverage import coverage_of
from goldsmith.assist.effects import Effect
from goldsmith.assist.ledger import Ledger
from goldsmith.assist.shell import Script
from goldsmith.hcl.diagnostics import UserError
from tests.assist.trace_workbench import Bench, make_bash_tree


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_bash_tree(tmp_path_factory.mktemp("traced") / "tree")


@pytest.fixture
def bench(tree: Path, tmp_path: Path) -> Bench:
    return Bench(tree, tmp_path)


def at(ledger: Ledger, line: int, name: str = "") -> Effect:
    """The last effect at a line of the first script."""
    return ledger.at(Place("s1.sh", line, line, 0, 0), name)[-1]


def fields(effect: Effect) -> dict[str, tuple[str, ...]]:
    return {item.path: item.fields for item in effect.changed}


def test_each_command_is_told_with_what_it_changed(bench: Bench) -> None:
    ledger = bench.trace(
        "mkdir -p /etc/app/d\n"  # 2
        "echo port=80 > /etc/app/conf\n"  # 3
        "chmod 600 /etc/app/conf\n"
        "chmod 600 /etc/app/conf\n"
        "sed -i s/80/8080/ /etc/app/conf\n"
        "rm -rf /etc/cron.d\n"  # 7
        "mv /etc/motd /etc/motd.old\n"
        "ln -s app/conf /etc/link\n"
        "touch /tmp/scratch\n"  # 10
        "echo a; echo b > /etc/b\n"
    )

    assert ledger.is_complete
    assert at(ledger, 2).added == ("/etc/app", "/etc/app/d")
    assert at(ledger, 3).added == ("/etc/app/conf",)
    assert fields(at(ledger, 4)) == {"/etc/app/conf": ("mode",)}
    assert at(ledger, 5).touched == ()
    assert at(ledger, 6).changed[0].lines == (1, 1)
    assert at(ledger, 7).removed == ("/etc/cron.d",)
    assert (at(ledger, 8).added, at(ledger, 8).removed) == (("/etc/motd.old",), ("/etc/motd",))
    assert at(ledger, 9).added == ("/etc/link",)
    assert at(ledger, 10).added == ("/tmp/scratch",)
    assert [effect.added for effect in ledger.at(Place("s1.sh", 11, 11, 0, 0))] == [(), ("/etc/b",)]
    assert [effect.site.line for effect in ledger.blame("/etc/app/conf")] == [6, 4, 3]
    assert [effect.site.line for effect in ledger.blame("/etc/cron.d/job")] == [7]


def test_a_file_that_was_below_tells_which_of_its_fields_changed(bench: Bench) -> None:
    ledger = bench.trace(
        "touch /etc/motd\n"
        "chmod 600 /etc/motd\n"
        "chown 5:6 /etc/motd\n"
        "echo four >> /etc/motd\n"  # 5
        "cp /etc/motd /etc/copy; cat /etc/copy > /etc/motd\n"
        "rm /etc/motd; mkdir /etc/motd\n"
        "rm -rf /etc/cron.d; mkdir /etc/cron.d; echo x > /etc/cron.d/job\n"  # 8
    )

    assert fields(at(ledger, 2)) == {"/etc/motd": ("time",)}
    assert fields(at(ledger, 3)) == {"/etc/motd": ("mode",)}
    assert fields(at(ledger, 4)) == {"/etc/motd": ("owner", "group")}
    assert (fields(at(ledger, 5)), at(ledger, 5).changed[0].lines) == ({"/etc/motd": ("content",)}, (0, 1))
    assert fields(at(ledger, 6, "cat")).get("/etc/motd") in (("time",), None)
    assert at(ledger, 7, "rm").removed == at(ledger, 7, "mkdir").added == ("/etc/motd",)
    assert (at(ledger, 8, "rm").removed, at(ledger, 8, "echo").added) == (("/etc/cron.d",), ("/etc/cron.d/job",))


def test_exit_codes_are_those_of_the_commands_also_where_the_script_asks_for_them(bench: Bench) -> None:
    ledger = bench.trace(
        "if grep -q nothing /etc/motd; then echo yes; fi\n"
        "echo after\n"
        "false || true\n"
        "f() { return 3; }\n"  # 5
        "f || echo $?\n"
        "false | true\n"
        "exit 0\n"
    )

    assert at(ledger, 2, "grep").rc == 1
    assert at(ledger, 3).rc == 0
    assert at(ledger, 4, "false").rc == 1
    assert at(ledger, 5, "return").rc == 3
    assert (at(ledger, 7, "false").rc, at(ledger, 7, "true").rc) == (1, 0)
    assert 3 in ledger.ran("s1.sh")


def test_words_are_told_as_the_command_was_given_them(bench: Bench) -> None:
    ledger = bench.trace('name="a b"; dir=/etc\nmkdir "$dir/$name"\nX=1 env > /dev/null\necho "$_" "$?"\n')

    assert at(ledger, 3).expanded == "mkdir '/etc/a b'"
    assert at(ledger, 4).expanded == "X=1 env"
    assert at(ledger, 5).expanded == "echo env 0"


def test_a_function_is_told_at_its_own_lines_with_the_line_that_called_it(bench: Bench) -> None:
    ledger = bench.trace('put() {\n  echo "$1" > "/etc/$1"\n}\nput a\nfor i in b c; do put $i; done\n')

    made = [(effect.site.line, effect.calls[0].line, effect.added) for effect in ledger.effects if effect.added]
    assert made == [(3, 5, ("/etc/a",)), (3, 6, ("/etc/b",)), (3, 6, ("/etc/c",))]


def test_what_a_substitution_is_a_word_of_has_the_effect(bench: Bench) -> None:
    ledger = bench.trace("cat > /etc/host <<X\n$(hostname)\nX\nplace=$(mktemp)\nrm $place\n")

    assert at(ledger, 2, "cat").added == ("/etc/host",)
    assert len(at(ledger, 5, "mktemp").added) == 1


def test_members_of_a_pipeline_and_jobs_in_the_background_are_told_to_be_approximate(bench: Bench) -> None:
    ledger = bench.trace("echo hi | tee /etc/hi > /dev/null\n(sleep 0.1; echo x > /etc/x) &\nmkdir /etc/d\nwait\necho done\n")

    assert at(ledger, 2, "tee").added == ("/etc/hi",)
    assert at(ledger, 2, "tee").approximate
    assert at(ledger, 4).approximate
    assert not at(ledger, 6).approximate


def test_helpers_of_a_set_are_told_under_their_own_names(bench: Bench) -> None:
    helper = Script("lib/help.sh", b'make() { mkdir "$1"; }\n', is_entry=False)
    first = Script("s1.sh", b'#!/bin/bash\ncd "$(dirname "$0")"\n. lib/help.sh\nmake /etc/x\n')
    second = Script("s2.sh", b"#!/bin/bash\nbash /run/goldsmith/scripts/lib/run.sh\n. /etc/profile-of-none || rmdir /etc/x\n")
    child = Script("lib/run.sh", b"echo y > /etc/y\n", is_entry=False)

    ledger = bench.trace(first, second, helper, child)

    assert ledger.is_complete
    assert [(str(effect.site), effect.touched) for effect in ledger.effects if effect.touched] == [
        ("lib/help.sh:1", ("/etc/x",)),
        ("lib/run.sh:1", ("/etc/y",)),
        ("s2.sh:3", ("/etc/x",)),
    ]


def test_a_script_for_another_shell_runs_in_posix_mode_and_that_is_told(bench: Bench) -> None:
    ledger = bench.trace(
        Script("s1.sh", b"#!/bin/sh -e\necho $((1 + 1)) > /etc/two\n[ -o posix ] && touch /etc/posix\n"),
        Script("none.sh", b"echo three > /etc/three\n"),
    )

    assert ledger.posix == ("s1.sh", "none.sh")
    assert at(ledger, 2).added == ("/etc/two",)
    assert at(ledger, 3, "touch").added == ("/etc/posix",)
    assert ledger.blame("/etc/three")


def test_packages_users_groups_and_units_are_told(bench: Bench) -> None:
    record = "Package: {}\\nStatus: install ok installed\\nArchitecture: all\\nVersion: {}\\n\\n"
    ledger = bench.trace(
        f"printf '{record.format('nginx', '2.0')}' >> /var/lib/dpkg/status\n"
        "sed -i 's/Version: 1.0/Version: 1.1/' /var/lib/dpkg/status\n"
        "echo app:x:7:7::/:/bin/sh >> /etc/passwd\n"
        "echo app:x:7: >> /etc/group\n"  # 5
        "echo '[Unit]' > /etc/systemd/system/app.service\n"
        "mkdir -p /etc/systemd/system/multi-user.target.wants\n"
        "ln -s ../app.service /etc/systemd/system/multi-user.target.wants/app.service\n"  # 8
        "ln -s /dev/null /etc/systemd/system/bad.service\n"
        "rm /etc/systemd/system/multi-user.target.wants/app.service\n"
    )

    assert at(ledger, 2).summary.packages == ("+nginx 2.0",)
    assert at(ledger, 3).summary.packages == ("~base 1.0 -> 1.1",)
    assert at(ledger, 4).summary.users == ("+app",)
    assert at(ledger, 5).summary.groups == ("+app",)
    assert at(ledger, 6).summary.units == ("+app.service",)
    assert at(ledger, 8).summary.units == ("enabled app.service",)
    assert at(ledger, 9).summary.units == ("masked bad.service",)
    assert at(ledger, 10).summary.units == ("disabled app.service",)


def test_a_loop_is_looked_at_a_limited_number_of_times(bench: Bench) -> None:
    ledger = bench.trace("for ((i = 0; i < 1000; i++)); do\n  : > /tmp/x\ndone\n")

    passes = ledger.at(Place("s1.sh", 3, 3, 0, 0))
    assert ledger.is_complete
    assert len(passes) == 300
    assert passes[-1].approximate


def test_a_script_that_fails_hangs_or_ends_the_machine_is_told_clearly(bench: Bench) -> None:
    failed = bench.trace("true\necho reason >&2; grep -q nothing /etc/motd\nmkdir /etc/never\n")
    assert failed.exit_code == 1
    assert "s1.sh:3: grep -q nothing /etc/motd" in failed.faults[0].what
    assert failed.faults[0].why == "reason"
    assert not failed.blame("/etc/never")

    asking = bench.trace("read answer || answer=none\necho $answer > /etc/answer\n")
    assert asking.blame("/etc/answer")

    for endless in (
        "sleep 1000\n",
        "while :; do :; done\n",
        "until test -e /etc/never; do sleep 0.1; done\n",
        "while date >> /etc/x; do date >> /etc/y; done\n",
    ):
        stuck = bench.trace("mkdir /etc/a\n" + endless, patience_s=1)
        assert [fault.code for fault in stuck.faults] == ["trace.no-end"]
        assert stuck.faults[0].what.startswith("s1.sh:3")
        assert stuck.blame("/etc/a")

    booted = bench.trace("sudo reboot || true\nrm -rf /usr /bin /etc || true\n")
    assert {"trace.reboot", "trace.root-removed"} <= {fault.code for fault in booted.faults}


def test_secrets_are_in_no_word_that_is_told(bench: Bench) -> None:
    heard: list[str] = []
    bench.output = lambda _stream, line: heard.append(line)
    ledger = bench.trace(
        "echo 'app:correct-horse' | chpasswd || true\n"
        'mkdir "/etc/$API_TOKEN"\n'
        "echo correct-horse $API_TOKEN\n"
        "curl -u app:battery-staple http://localhost/battery-staple\n",
        API_TOKEN="given-by-name",
    )

    told = "".join([*(effect.command + effect.expanded for effect in ledger.effects), str(ledger.faults), *heard])
    assert "<sensitive> <sensitive>" in heard
    assert not any(secret in told for secret in ("correct-horse", "given-by-name", "battery-staple"))


def test_what_is_no_shell_script_is_refused_by_name(bench: Bench) -> None:
    for content in (b"#!/usr/bin/python3\n", b"\x7fELF\0\0"):
        with pytest.raises(UserError) as caught:
            bench.trace(Script("x", content))
        assert '"x" is no shell script' in caught.value.diagnostics[0].what


def test_neither_the_parent_nor_the_script_knows_of_the_trace(bench: Bench, tree: Path) -> None:
    before = sorted(str(path) for path in tree.rglob("*"))

    ledger = bench.trace('rm -f "$0"\nset -u\nIFS=\necho "${PIPESTATUS[*]}" "$_" $- > /etc/said\nrm -rf /run/*  || true\n')

    assert all("goldsmith" not in path for effect in ledger.effects for path in effect.touched)
    assert sorted(str(path) for path in tree.rglob("*")) == before


def test_branches_that_ran_are_told_apart_from_those_that_did_not(bench: Bench) -> None:
    text = (
        b"#!/bin/bash\n"
        b"if grep -q one /etc/motd; then mkdir /etc/yes; else mkdir /etc/no; fi\n"  # 2
        b'if [ "$MODE" = full ]; then\n  mkdir /etc/full\nelif [ "$MODE" = half ]; then\n  mkdir /etc/half\nelse\n'
        b"  echo nothing\nfi\n"
        b'case "$MODE" in\n  a) touch /etc/a ;;\n  *) touch /etc/other ;;\nesac\n'  # 10
        b"test -e /etc/a || touch /etc/b && true\n"  # 14
        b"for x in; do touch $x; done\n"
        b"while read -r line; do touch /etc/$line; done < /etc/motd\n"
        b"never() { if true; then mkdir /etc/never; fi; }\n"
        b"f() { test -d /etc || mkdir -p /etc; }\n"
        b"f\n"
    )
    script = Script("s1.sh", text)

    covered = coverage_of([script], bench.trace(script, MODE="x"))

    missed = [str(arm) for arm in covered.missed]
    assert missed == ["s1.sh:2 else", "s1.sh:4 then", "s1.sh:6 then", "s1.sh:11 case", "s1.sh:15 body", "s1.sh:18 or"]
    assert (covered.run, len(covered.arms)) == (4, 10)
