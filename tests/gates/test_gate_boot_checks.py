"""The user's tests: YAML with its faults by line, answers as machines give them, and pytest in a process of its own."""

from __future__ import annotations

import subprocess
from pathlib import Path
from xml.etree import ElementTree

import pytest

from goldsmith.gates.boot.checks import KINDS, Check, read_checks
from goldsmith.gates.boot.junit import Case, write_report
from goldsmith.gates.boot.user_tests import Outcome, UserTests, judge_checks, read_tests, run_pytest
from goldsmith.hcl.diagnostics import UserError
from goldsmith.machines import Journal
from goldsmith.machines.cancellation import Cancellation
from goldsmith.machines.ssh import Login


def read(root: Path, text: str) -> tuple[Check, ...]:
    (root / "web.yaml").write_text(text)
    return read_checks([root / "web.yaml"], root)


def faults(root: Path, text: str) -> list[str]:
    with pytest.raises(UserError) as caught:
        read(root, text)
    assert {item.code for item in caught.value.diagnostics} == {"boot.test-file"}
    return [f"{item.where.file}:{item.where.start.line}: {item.what}" for item in caught.value.diagnostics if item.where]


def test_a_check_is_wanted_to_be_there_when_it_says_nothing(tmp_path: Path) -> None:
    checks = read(
        tmp_path, "package:\n  nginx:\nservice:\n  ssh.service: {enabled: true}\nsysctl:\n  kernel.dmesg_restrict: 1\n"
    )

    assert [(check.name, dict(check.wanted), check.line) for check in checks] == [
        ("package nginx", {"installed": True}, 2),
        ("service ssh.service", {"enabled": True, "running": True}, 4),
        ("sysctl kernel.dmesg_restrict", {"value": "1"}, 6),
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("servce:\n  a:\n", 'web.yaml:1: there is no kind of check "servce" (Did you mean "service"?)'),
        ("service:\n  a: {runing: true}\n", 'web.yaml:2: a service has no "runing" (Did you mean "running"?)'),
        ("service:\n  a: {running: maybe}\n", "web.yaml:2: running must be true or false"),
        ("service: nginx\n", 'web.yaml:1: "service" must be a block of names'),
        ("- one\n", "web.yaml:1: the file must be a block of names"),
        ("file:\n  motd: {}\n", 'web.yaml:2: "motd" names no file (Write it as /etc/motd.)'),
        ("port:\n  80: {}\n", 'web.yaml:2: "80" names no port (Write it as tcp/80.)'),
        ("file:\n  /a: {mode: rw}\n", "web.yaml:2: mode must be a mode such as 0644"),
        ("file:\n  /a: {contains: [[1]]}\n", "web.yaml:2: contains must be a list of texts"),
        ("command:\n  ls: {exit: soon}\n", "web.yaml:2: exit must be a number"),
        ("user:\n  a:\n  a:\n", 'web.yaml:3: "a" is there twice'),
        ("? [a]\n: b\n", "web.yaml:1: the file must have plain names"),
    ],
)
def test_each_fault_of_a_file_is_told_with_its_line(tmp_path: Path, text: str, told: str) -> None:
    assert faults(tmp_path, text) == [told]


def test_all_faults_are_told_at_once_and_what_is_no_yaml_too(tmp_path: Path) -> None:
    assert len(faults(tmp_path, "servce:\n  a:\npackage:\n  b: {instaled: true}\n")) == 2
    assert "web.yaml:2: this is no YAML" in faults(tmp_path, "a:\n  [b, }\n")[0]
    assert "says nothing" in faults(tmp_path, "# nothing\n")[0]


def test_every_kind_has_a_command(tmp_path: Path) -> None:
    names = {"port": "tcp/80", "file": "/a", "mount": "/a"}
    checks = read(tmp_path, "".join(f"{kind}:\n  {names.get(kind, 'a')}: {{}}\n" for kind in KINDS))

    for check in checks:
        assert subprocess.run(["sh", "-nc", check.command], capture_output=True, check=False).stderr == b"", check.name


@pytest.mark.parametrize(
    ("text", "early", "seeded"),
    [
        ("package:\n  a: {version: 1}\n", {"installed": True, "version": "1"}, {"installed": True, "version": "1"}),
        ("service:\n  a: {enabled: true}\n", {"enabled": True}, {"enabled": True}),
        ("service:\n  a: {running: false}\n", None, None),
        ("file:\n  /etc/a: {mode: 644}\n", {"exists": True, "mode": "644"}, None),
        ("file:\n  /run/a: {}\n", None, None),
        ("user:\n  a: {uid: 7}\n", {"exists": True, "uid": 7}, None),
        ("port:\n  tcp/80: {}\n", None, None),
        ("sysctl:\n  kernel.dmesg_restrict: 1\n", None, None),
        ("command:\n  ls: {}\n", None, None),
    ],
)
def test_only_what_needs_no_disk_and_no_kernel_is_tried_early(tmp_path: Path, text: str, early: object, seeded: object) -> None:
    (check,) = read(tmp_path, text)

    found, found_seeded = check.early(seeded=False), check.early(seeded=True)

    assert (dict(found.wanted) if found else None) == early
    assert (dict(found_seeded.wanted) if found_seeded else None) == seeded


def answered(check: Check) -> str:
    """What this host answers."""
    done = subprocess.run(["sh", "-c", check.command], capture_output=True, text=True, check=False)
    return check.problem(done.returncode, done.stdout)


def test_files_commands_and_users_are_looked_at_really(tmp_path: Path) -> None:
    file, link = tmp_path / "a file", tmp_path / "link"
    file.write_text("mode=0777\nhello world\n")
    file.chmod(0o640)
    link.symlink_to("a file")
    good = read(
        tmp_path,
        f"file:\n  {file}: {{mode: '0640', type: file, contains: [hello, '/w.rld/', '/^hello world$/']}}\n"
        f"  {link}: {{type: link, target: a file}}\n"
        f"  {tmp_path}/none: {{exists: false}}\ncommand:\n  echo one; exit 3: {{exit: 3, stdout: [one]}}\n"
        "user:\n  root: {uid: 0, home: /root, groups: [root]}\ngroup:\n  root: {gid: 0}\n",
    )
    bad = read(
        tmp_path,
        f"file:\n  {file}: {{mode: '0644', contains: [bye]}}\n  {tmp_path}/none: {{}}\n"
        "command:\n  echo one; exit 3: {stdout: [two]}\n"
        "user:\n  root: {uid: 7, groups: [wheelbarrow]}\n  nobody-here: {}\ngroup:\n  nobody-here: {}\n",
    )

    assert [answered(check) for check in good] == [""] * 6
    assert [answered(check) for check in bad] == [
        "mode is 640, 644 is wanted\ncontains: 'bye' is not there",
        "exists is false, true is wanted",
        "it ended with 3, 0 is wanted: one\nstdout: 'two' is not there",
        "uid is 0, 7 is wanted\ngroups: 'wheelbarrow' is not there",
        "exists is false, true is wanted",
        "exists is false, true is wanted",
    ]


def test_a_check_without_an_answer_is_no_pass(tmp_path: Path) -> None:
    (tmp_path / "web.yaml").write_text("package:\n  a:\n  b:\n  c:\n")
    tests = read_tests(tmp_path, "web.yaml")

    outcome = judge_checks(tests, {0: (0, "installed=true\n"), 1: (None, "")}, tmp_path / "work")

    assert [finding.subject for finding in outcome.findings] == ["package b"]
    assert outcome.doubts == ("package c (web.yaml:4) was not answered",)
    assert outcome.reports is not None
    report = ElementTree.parse(outcome.reports["tests-checks.xml"]).getroot()
    assert [case.get("name") for case in report.iter("testcase")] == ["package a", "package b"]
    assert len(list(report.iter("failure"))) == 1


def test_control_characters_do_not_break_a_report(tmp_path: Path) -> None:
    write_report(tmp_path / "report.xml", "checks", [Case(name="a\x1b[0m", problem="b\x00c")])

    assert ElementTree.parse(tmp_path / "report.xml").getroot()[0][0].get("name") == "a?[0m"


@pytest.mark.parametrize(("name", "code"), [("none", "boot.tests-missing"), ("empty", "boot.no-tests")])
def test_tests_that_are_not_there_are_an_error(tmp_path: Path, name: str, code: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty/readme.txt").touch()

    with pytest.raises(UserError) as caught:
        read_tests(tmp_path, name)

    assert caught.value.diagnostics[0].code == code


def test_the_digest_of_tests_changes_with_their_content(tmp_path: Path) -> None:
    path = tmp_path / "web.yaml"
    path.write_text("package:\n  a:\n")
    first = read_tests(tmp_path, "web.yaml").digest
    path.write_text("package:\n  b:\n")

    assert read_tests(tmp_path, "web.yaml").digest != first


def run(tests: UserTests, place: Path, within_s: float) -> Outcome:
    journal = Journal(place / "journal")
    return run_pytest(tests, LOGIN, place / "work", within_s=within_s, journal=journal, stop=Cancellation())


LOGIN = Login(host="127.0.0.1", port=1, user="root", private_key="none\n")


@pytest.mark.parametrize(
    ("text", "doubt"),
    [
        ("x = 1\n", "pytest collected no test"),
        ("import nothing_of_that_name\n", "pytest ended with 2"),
        ("import time\ndef test_long():\n    time.sleep(60)\n", "did not end within"),
    ],
)
def test_python_tests_that_tell_nothing_make_an_error(tmp_path: Path, text: str, doubt: str) -> None:
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests/test_web.py").write_text(text)
    tests = read_tests(tmp_path, "tests")

    outcome = run_pytest(
        tests, LOGIN, tmp_path / "work", within_s=8, journal=Journal(tmp_path / "journal"), stop=Cancellation()
    )

    assert any(doubt in item for item in outcome.doubts), (outcome.doubts, (tmp_path / "work/pytest.log").read_text())


def test_python_tests_run_apart_from_us(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_OF_THE_BUILD", "4711")
    (tmp_path / "tests").mkdir()
    (tmp_path / "pyproject.toml").write_text("[tool.pytest.ini_options]\naddopts = '--no-such-option'\n")
    (tmp_path / "tests/test_web.py").write_text(
        "import os, pytest\n"
        "def test_environment():\n    assert 'SECRET_OF_THE_BUILD' not in os.environ\n"
        "def test_wrong():\n    assert 1 == 2\n"
        "@pytest.mark.skip\ndef test_skipped():\n    pass\n"
    )
    tests = read_tests(tmp_path, "tests")

    outcome = run_pytest(
        tests, LOGIN, tmp_path / "work", within_s=60, journal=Journal(tmp_path / "journal"), stop=Cancellation()
    )

    assert outcome.doubts == ()
    assert [(case.name, bool(case.problem), case.skipped) for case in outcome.cases] == [
        ("test_web.test_environment", False, False),
        ("test_web.test_wrong", True, False),
        ("test_web.test_skipped", False, True),
    ]
    assert [finding.subject for finding in outcome.findings] == ["test_web.test_wrong"]
    assert not (tmp_path / "tests/__pycache__").exists()
