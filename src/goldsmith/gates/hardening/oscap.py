"""A second opinion: the host's `oscap` examines the sealed tree as its own root, in a sandbox whose changes are thrown away.

Never by OSCAP_PROBE_ROOT: its probes of dpkg, users and kernel fail with it, and then all rules are "not applicable"
(OpenSCAP #678, #736, #1365).
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from goldsmith.gates.contract import Subject
from goldsmith.hcl.diagnostics import Diagnostic, MachineError
from goldsmith.machines import Journal, Sandbox
from goldsmith.machines.cancellation import Cancellation

PLACE = "/opt/goldsmith-oscap"
"""Where the sandbox shows the host's program, its libraries and the content."""

DATA = Path("/usr/share/openscap")
"""Schemas, style sheets and platform names of the program."""

TIMEOUT_S = 600.0
_SOME_FAILED = 2
_LARGEST_REPORT = 1 << 30
_XCCDF = "{http://checklists.nist.gov/xccdf/1.2}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Opinion:
    """What oscap says of a tree."""

    results: Mapping[str, str]
    """The result (pass, fail, notapplicable, …) by the rule's short name: `sshd_disable_root_login`."""
    report: Path
    """The ARF document."""
    version: str


def second_opinion(subject: Subject, content: Path, profile: str, cancellation: Cancellation) -> Opinion:
    """Let oscap evaluate a profile of a SCAP data stream over the subject's tree.

    Raises `MachineError` with code `oscap.missing`, `oscap.content` or `oscap.failed`; `Cancelled`.
    """
    program = shutil.which("oscap")
    if program is None:
        raise MachineError(_missing())
    if not content.is_file():
        raise MachineError(_no_content(content))
    report, console = _evaluated(subject, Path(program), content, profile, cancellation)
    if report is None:
        raise MachineError(_failed(content, console))
    return Opinion(results=read_report(report), report=report, version=_version(program))


def read_report(report: Path) -> Mapping[str, str]:
    """The results of an ARF document by the short names of its rules. Raises `MachineError` with code `oscap.failed`."""
    found: dict[str, str] = {}
    try:
        if report.stat().st_size > _LARGEST_REPORT:
            raise ValueError("it is too large")
        for _, element in ElementTree.iterparse(report):
            if element.tag != f"{_XCCDF}rule-result":
                continue
            result = element.find(f"{_XCCDF}result")
            name = element.get("idref", "").rpartition("_rule_")[2]
            if name and result is not None and result.text != "notselected":
                found[name] = result.text or "unknown"
    except (ElementTree.ParseError, OSError, ValueError) as error:
        raise MachineError(_failed(report, str(error))) from error
    return found


def _evaluated(
    subject: Subject, program: Path, content: Path, profile: str, cancellation: Cancellation
) -> tuple[Path | None, str]:
    work = subject.work / "oscap"
    libraries, loader = _libraries(program)
    binds = {f"{PLACE}/oscap": program, f"{PLACE}/content.xml": content, f"{PLACE}/share": DATA}
    binds |= {f"{PLACE}/lib{number}": directory for number, directory in enumerate(libraries)}
    paths = ":".join(f"{PLACE}/lib{number}" for number in range(len(libraries)))
    command = [f"{PLACE}/lib{libraries.index(loader.parent)}/{loader.name}", "--library-path", paths, f"{PLACE}/oscap"]
    command += ["xccdf", "eval", *(["--profile", profile] if profile else []), "--results-arf", f"{PLACE}/arf.xml"]
    environment = {
        "OSCAP_SCHEMA_PATH": f"{PLACE}/share/schemas",
        "OSCAP_XSLT_PATH": f"{PLACE}/share/xsl",
        "OSCAP_CPE_PATH": f"{PLACE}/share/cpe",
    }
    said: list[str] = []
    upper, journal = work / "upper", Journal(subject.cache / "journal")
    with Sandbox([subject.tree], upper, work, journal=journal, network="none", binds=binds) as machine:
        code = machine.run(
            [*command, f"{PLACE}/content.xml"],
            env=environment,
            output=lambda stream, text: said.append(text),
            timeout_s=TIMEOUT_S,
            cancellation=cancellation,
        )
    report = upper / PLACE.lstrip("/") / "arf.xml"
    return (report if code in (0, _SOME_FAILED) and report.is_file() else None), "\n".join(said[-5:])


def _libraries(program: Path) -> tuple[list[Path], Path]:
    """The directories of the shared libraries of a program of this host, and its loader."""
    told = subprocess.run(["ldd", program], capture_output=True, text=True, check=True, timeout=30).stdout
    paths = [Path(word) for line in told.splitlines() for word in line.split() if word.startswith("/")]
    loader = next(path.resolve() for path in paths if path.name.startswith("ld-"))
    return list(dict.fromkeys([*(path.resolve().parent for path in paths), loader.parent])), loader


def _version(program: str) -> str:
    told = subprocess.run([program, "--version"], capture_output=True, text=True, check=False, timeout=30).stdout
    return told.partition("\n")[0].rpartition(" ")[2]


def _missing() -> Diagnostic:
    return Diagnostic(
        code="oscap.missing",
        what='gate "hardening" asks for a second opinion of oscap, and this host has no oscap',
        next="Install openscap-scanner, or remove `oscap` from the gate.",
    )


def _no_content(content: Path) -> Diagnostic:
    return Diagnostic(
        code="oscap.content",
        what=f'the SCAP content "{content}" is not there',
        why="`oscap` is looked up beside goldsmith.hcl",
        next="ComplianceAsCode builds a data stream for each distribution (ssg-debian12-ds.xml).",
    )


def _failed(content: Path, console: str) -> Diagnostic:
    return Diagnostic(
        code="oscap.failed",
        what=f'oscap could not evaluate "{content.name}"',
        why=console,
        next="Try it by hand: oscap info CONTENT lists its profiles.",
    )
