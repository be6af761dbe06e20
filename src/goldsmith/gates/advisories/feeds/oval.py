"""Documents in OVAL, as vendors of rpm distributions write them: definitions, what they are about, and their conditions."""

from __future__ import annotations

import bz2
import gzip
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedIOBase
from pathlib import Path
from xml.etree import ElementTree

from goldsmith.gates.advisories.feeds.feed import moment


@dataclass(frozen=True, slots=True, kw_only=True)
class Criteria:
    """A node of the tree of conditions."""

    criterions: tuple[tuple[str, str], ...]
    """(comment, id of the test) of the conditions right in it."""
    below: tuple[Criteria, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """A definition with its metadata."""

    id: str
    title: str
    description: str
    severity: str
    """The vendor's word."""
    references: tuple[tuple[str, str, str], ...]
    """(source, id, address)."""
    issued_s: int
    fields: Mapping[str, str]
    """Further texts of the metadata by the name of their element: patchable, advisory_id."""
    criteria: Criteria


@dataclass(frozen=True, slots=True, kw_only=True)
class RpmTest:
    """A test of the version of an rpm package."""

    package: str
    operation: str
    """`less than`, `less than or equal`, `greater than or equal`, …"""
    evr: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A whole document, for vendors whose versions stand in the tests."""

    made_s: int
    """When it was made, by itself; 0 when it does not say."""
    definitions: tuple[Definition, ...]
    tests: Mapping[str, RpmTest]
    """By id; those that compare versions."""


def definitions(path: Path) -> Iterator[Definition]:
    """The definitions one by one, in little memory: Oracle's document has 400 MB. Raises ParseError when it breaks off."""
    for element in _elements(path, "definition"):
        yield _definition(element)


def read_document(path: Path) -> Document:
    """A whole document. Raises ParseError, KeyError and ValueError for what is no OVAL."""
    made_s = 0
    found: list[Definition] = []
    names: dict[str, str] = {}
    states: dict[str, tuple[str, str]] = {}
    tests: dict[str, tuple[str, str]] = {}
    wanted = ("definition", "timestamp", "rpminfo_test", "rpminfo_object", "rpminfo_state")
    for element in _elements(path, *wanted):
        match _local(element.tag):
            case "timestamp":
                made_s = moment(_text(element))
            case "definition":
                found.append(_definition(element))
            case "rpminfo_object":
                names[element.attrib["id"]] = _text(_child(element, "name"))
            case "rpminfo_state":
                if (evr := _child(element, "evr")) is not None:
                    states[element.attrib["id"]] = (evr.attrib.get("operation", "equals"), _text(evr))
            case _:
                tests[element.attrib["id"]] = _references(element)
    known = {
        id: RpmTest(package=names[place], operation=states[state][0], evr=states[state][1])
        for id, (place, state) in tests.items()
        if state in states
    }
    return Document(made_s=made_s, definitions=tuple(found), tests=known)


def _elements(path: Path, *names: str) -> Iterator[ElementTree.Element]:
    """Elements of these names when they are whole; each is emptied after it was looked at."""
    with _opened(path) as file:
        # The stack of open elements: what is finished is taken out of its parent, or the document would grow in memory.
        open_ones: list[ElementTree.Element] = []
        inside = 0
        for event, element in ElementTree.iterparse(file, events=("start", "end")):
            is_wanted = _local(element.tag) in names
            if event == "start":
                open_ones.append(element)
                inside += is_wanted
                continue
            open_ones.pop()
            inside -= is_wanted
            if is_wanted and not inside:
                yield element
            if not inside and open_ones:
                open_ones[-1].remove(element)


@contextmanager
def _opened(path: Path) -> Iterator[BufferedIOBase]:
    with path.open("rb") as file:
        start = file.read(3)
    if start == b"BZh":
        with bz2.open(path) as unpacked:
            yield unpacked
    elif start.startswith(b"\x1f\x8b"):
        with gzip.open(path) as content:
            yield content
    else:
        with path.open("rb") as plain:
            yield plain


def _definition(element: ElementTree.Element) -> Definition:
    metadata = _child(element, "metadata")
    if metadata is None:
        raise ValueError(f"{element.attrib.get('id', 'a definition')} has no metadata")
    advisory = _child(metadata, "advisory")
    issued = _child(advisory, "issued") if advisory is not None else None
    tree = _child(element, "criteria")
    texts = {_local(child.tag): _text(child) for child in (*metadata, *(advisory if advisory is not None else ()))}
    return Definition(
        id=element.attrib["id"],
        title=texts.get("title", ""),
        description=texts.get("description", ""),
        severity=texts.get("severity", ""),
        references=tuple(
            (child.attrib.get("source", ""), child.attrib.get("ref_id", ""), child.attrib.get("ref_url", ""))
            for child in metadata
            if _local(child.tag) == "reference"
        ),
        issued_s=moment(issued.attrib.get("date", "")) if issued is not None else moment(texts.get("advisory_date", "")),
        fields=texts,
        criteria=_criteria(tree) if tree is not None else Criteria(criterions=(), below=()),
    )


def _criteria(element: ElementTree.Element) -> Criteria:
    return Criteria(
        criterions=tuple(
            (child.attrib.get("comment", "").strip(), child.attrib.get("test_ref", ""))
            for child in element
            if _local(child.tag) == "criterion"
        ),
        below=tuple(_criteria(child) for child in element if _local(child.tag) == "criteria"),
    )


def _references(test: ElementTree.Element) -> tuple[str, str]:
    found = _child(test, "object")
    state = _child(test, "state")
    if found is None:
        raise ValueError(f"the test {test.attrib.get('id', '')} has no object")
    return found.attrib["object_ref"], state.attrib["state_ref"] if state is not None else ""


def _child(element: ElementTree.Element, name: str) -> ElementTree.Element | None:
    return next((child for child in element if _local(child.tag) == name), None)


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]


def _text(element: ElementTree.Element | None) -> str:
    return " ".join((element.text or "").split()) if element is not None else ""
