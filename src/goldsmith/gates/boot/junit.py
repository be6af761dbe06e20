"""Reports of tests in the form that JUnit made common and CI systems read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One test and what became of it."""

    name: str
    path: str = ""
    line: int = 0
    problem: str = ""
    """Why it failed; empty when it passed."""
    skipped: bool = False


def write_report(path: Path, suite: str, cases: Sequence[Case]) -> None:
    """Write the cases as one suite; no times and no host names, so that equal results are equal bytes."""
    failed = sum(bool(case.problem) for case in cases)
    root = ElementTree.Element("testsuites")
    counts = {"tests": str(len(cases)), "failures": str(failed), "errors": "0", "skipped": "0"}
    element = ElementTree.SubElement(root, "testsuite", {"name": suite, **counts})
    for case in cases:
        place = {"file": case.path, "line": str(case.line)} if case.path else {}
        item = ElementTree.SubElement(element, "testcase", {"classname": suite, "name": _writable(case.name), **place})
        if case.problem:
            first = _writable(case.problem.splitlines()[0])
            ElementTree.SubElement(item, "failure", {"message": first}).text = _writable(case.problem)
    ElementTree.indent(root)
    ElementTree.ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)


def _writable(text: str) -> str:
    """XML 1.0 cannot hold control characters."""
    return "".join(letter if letter in "\t\n" or letter.isprintable() else "?" for letter in text)
