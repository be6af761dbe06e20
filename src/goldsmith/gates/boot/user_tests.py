"""The user's own tests of a booted machine: short ones in YAML, and files for pytest with testinfra."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from shutil import which
from xml.etree import ElementTree

from goldsmith.gates.boot.checks import Check, read_checks
from goldsmith.gates.boot.junit import Case, write_report
from goldsmith.gates.contract import Finding
from goldsmith.hcl.diagnostics import Diagnostic, MachineError, UserError
from goldsmith.machines.cancellation import Cancellation
from goldsmith.machines.journal import Journal, process_handle
from goldsmith.machines.ssh import Login

NOTHING_COLLECTED = 5
"""What pytest ends with when it has found no test (pytest's documentation, "Exit codes")."""

_PATTERNS = ("test_*.py", "*_test.py")


@dataclass(frozen=True, slots=True, kw_only=True)
class UserTests:
    """What the project brings along."""

    directory: Path | None
    checks: tuple[Check, ...] = ()
    """Of the files in YAML."""
    python: tuple[Path, ...] = ()
    """Files for pytest."""
    digest: str = ""
    """`sha256:<hex>` over all files of the directory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of the tests."""

    cases: tuple[Case, ...] = ()
    reports: Mapping[str, Path] | None = None
    """JUnit files by name."""
    doubts: tuple[str, ...] = ()
    """Why it could not be told."""

    @property
    def findings(self) -> Iterator[Finding]:
        """One for each test that did not pass."""
        for case in self.cases:
            if case.problem and not case.skipped:
                yield Finding(
                    id=f"user-test {case.name}",
                    rule="user-test",
                    severity="critical",
                    effect="fail",
                    subject=case.name,
                    path=case.path,
                    line=case.line,
                    detail=f"the test {case.name} failed: {case.problem.splitlines()[0][:200]}",
                )


IMAGE = "{image}"
"""Stands for an image's name in `tests`: each image has tests of its own."""


def named_tests(tests: str, image: str) -> str:
    """Where the tests of an image are."""
    return tests.replace(IMAGE, image)


def every_tests(root: Path, tests: str) -> tuple[str, ...]:
    """Where tests are, for each image that has some; the name itself when there are none, so that this is told."""
    if IMAGE not in tests:
        return (tests,)
    found = sorted(str(path.relative_to(root)) for path in root.glob(tests.replace(IMAGE, "*")))
    return tuple(found) or (tests,)


def read_tests(root: Path, name: str) -> UserTests:
    """The tests below `root / name`, a directory or one file. Raises `UserError` with every fault of the files in YAML.

    Nothing of the Python files is run: that is done by a process of their own.
    """
    if not name:
        return UserTests(directory=None)
    place = root / name
    if not place.exists():
        raise UserError(
            Diagnostic(
                code="boot.tests-missing",
                what=f'gate "boot" names tests in "{name}", which do not exist',
                why=f'they are looked up in "{root}"',
                next="Make them, or leave `tests` out.",
            )
        )
    files = [place] if place.is_file() else sorted(path for path in place.rglob("*") if path.is_file())
    files = [path for path in files if "__pycache__" not in path.parts]
    yaml = [path for path in files if path.suffix in (".yaml", ".yml")]
    python = [path for path in files if any(path.match(pattern) for pattern in _PATTERNS)]
    if not yaml and not python:
        raise UserError(
            Diagnostic(
                code="boot.no-tests",
                what=f'"{name}" holds no test',
                why="tests are *.yaml, *.yml, test_*.py and *_test.py",
                next="docs/gates.md shows both kinds.",
            )
        )
    return UserTests(
        directory=place if place.is_dir() else place.parent,
        checks=read_checks(yaml, root),
        python=tuple(python),
        digest=_digest(files, root),
    )


def need_testinfra() -> None:
    """Raises `UserError` or `MachineError` when this host cannot run tests in Python."""
    if find_spec("testinfra") is None or find_spec("pytest") is None:
        raise UserError(
            Diagnostic(
                code="extra.missing",
                what="tests in Python need the Python package pytest-testinfra",
                why="it belongs to the extra [boottests], which is not installed",
                next='uv pip install "goldsmith[boottests]", or write the tests in YAML.',
            )
        )
    if which("ssh") is None:
        raise MachineError(
            Diagnostic(
                code="tool.missing",
                what='"ssh" is not installed',
                why="tests in Python reach the machine by it",
                next="apt-get install --no-install-recommends openssh-client, or write the tests in YAML.",
            )
        )


def run_pytest(tests: UserTests, login: Login, work: Path, *, within_s: float, journal: Journal, stop: Cancellation) -> Outcome:
    """Run the Python files in a process of their own, against the machine, by ssh with one connection for all.

    `need_testinfra` says before a boot whether that is possible.
    """
    work.mkdir(parents=True, exist_ok=True)
    report = work / "pytest.xml"
    log = work / "pytest.log"
    command = _command(tests, login, work, report)
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=tests.directory,
            env=_environment(work),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    with journal.take("process", process_handle(process.pid)):
        code = _wait(process, within_s, stop)
    reports = {"tests-pytest.log": log} | ({"tests-pytest.xml": report} if report.exists() else {})
    if code is None:
        return Outcome(reports=reports, doubts=(f"the tests did not end within {within_s:.0f} s",))
    if code == NOTHING_COLLECTED:
        return Outcome(reports=reports, doubts=("pytest collected no test",))
    cases = tuple(_cases(report)) if report.exists() else ()
    if code not in (0, 1) or not cases:
        said = " / ".join(log.read_text(errors="replace").strip().splitlines()[-3:])
        return Outcome(cases=cases, reports=reports, doubts=(f"pytest ended with {code}: {said[:300]}",))
    return Outcome(cases=cases, reports=reports)


def judge_checks(tests: UserTests, answers: Mapping[int, tuple[int | None, str]], work: Path) -> Outcome:
    """The tests in YAML by what the machine answered to each, {number: (exit code, output)}."""
    if not tests.checks:
        return Outcome()
    work.mkdir(parents=True, exist_ok=True)
    cases, doubts = [], []
    for number, check in enumerate(tests.checks):
        if number not in answers:
            doubts.append(f"{check.name} ({check.path}:{check.line}) was not answered")
            continue
        problem = check.problem(*answers[number])
        cases.append(Case(name=check.name, path=check.path, line=check.line, problem=problem))
    report = work / "checks.xml"
    write_report(report, "checks", cases)
    return Outcome(cases=tuple(cases), reports={"tests-checks.xml": report}, doubts=tuple(doubts))


def together(outcomes: Sequence[Outcome]) -> Outcome:
    """One outcome of several."""
    total = Outcome(reports={})
    for outcome in outcomes:
        total = replace(
            total,
            cases=total.cases + outcome.cases,
            reports={**(total.reports or {}), **(outcome.reports or {})},
            doubts=total.doubts + outcome.doubts,
        )
    return total


def _command(tests: UserTests, login: Login, work: Path, report: Path) -> Sequence[str]:
    key = work / "key"
    key.touch(mode=0o600)
    key.write_text(login.private_key)
    settings = work / "ssh_config"
    lines = (
        "Host machine",
        f"  HostName {login.host}",
        f"  Port {login.port}",
        f"  User {login.user}",
        f"  IdentityFile {key}",
        "  IdentitiesOnly yes",
        "  StrictHostKeyChecking no",
        "  UserKnownHostsFile /dev/null",
        "  LogLevel ERROR",
    )
    settings.write_text("\n".join(lines) + "\n")
    (work / "pytest.ini").write_text("[pytest]\n")
    command = [sys.executable, "-m", "pytest", "-c", str(work / "pytest.ini"), f"--rootdir={tests.directory}", "-q"]
    command += ["-p", "testinfra.plugin", "-p", "no:cacheprovider", f"--junitxml={report}"]
    command += ["--hosts=ssh://machine?timeout=30&controlpersist=60", f"--ssh-config={settings}"]
    if login.user != "root":
        command.append("--sudo")
    return [*command, *(str(path) for path in tests.python)]


def _environment(work: Path) -> Mapping[str, str]:
    """Not ours: what the caller has set may hold secrets, and would make results differ."""
    return {
        "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
        "HOME": str(work),
        "TMPDIR": str(work),
        "LC_ALL": "C.UTF-8",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    }


def _wait(process: subprocess.Popen[bytes], within_s: float, stop: Cancellation) -> int | None:
    left = within_s
    try:
        while left > 0:
            stop.check()
            try:
                return process.wait(0.2)
            except subprocess.TimeoutExpired:
                left -= 0.2
        return None
    finally:
        # Its children too: ssh keeps the connection open for later commands.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _cases(report: Path) -> Iterator[Case]:
    for item in ElementTree.parse(report).iter("testcase"):
        problem = next((child for child in item if child.tag in ("failure", "error")), None)
        name = f"{item.get('classname', '')}.{item.get('name', '')}".strip(".")
        said = (problem.get("message") or problem.text or "failed") if problem is not None else ""
        yield Case(name=name, path=item.get("file") or "", line=0, problem=said, skipped=item.find("skipped") is not None)


def _digest(files: Sequence[Path], root: Path) -> str:
    total = hashlib.sha256()
    for path in files:
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        total.update(f"{os.path.relpath(path, root)}\0{content}\n".encode())
    return f"sha256:{total.hexdigest()}"
