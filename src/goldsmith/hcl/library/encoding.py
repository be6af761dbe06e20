"""Functions that encode and decode text."""

from __future__ import annotations

import base64
import codecs
import gzip
from collections import Counter
from collections.abc import Callable, Sequence
from urllib.parse import quote_plus

from goldsmith.hcl.library.arguments import TEXT, check_count, named, of, text
from goldsmith.hcl.library.csv_text import parse_csv
from goldsmith.hcl.library.json_text import from_json, to_json
from goldsmith.hcl.library.strings import normalized
from goldsmith.hcl.library.yaml_text import from_yaml, to_yaml
from goldsmith.hcl.scope import Function, FunctionFault, Parameter
from goldsmith.hcl.types import DYNAMIC, STRING, ListType, ObjectType
from goldsmith.hcl.values import Value, object_of, string

_YAML_WORK = 100
"""The YAML parser takes some 10 microseconds for a character."""


def functions() -> tuple[Function, ...]:
    """All functions of this family."""
    anything, encoding = Parameter("val", DYNAMIC, allow_null=True), named("encoding", TEXT)
    return (
        of("base64decode", _base64decode, TEXT, result=STRING),
        of("base64encode", lambda given: string(_base64(text(given[0]).encode())), TEXT, result=STRING),
        of("base64gzip", lambda given: string(_base64(gzip.compress(text(given[0]).encode(), mtime=0))), TEXT, result=STRING),
        of("csvdecode", _csvdecode, TEXT),
        of("jsondecode", lambda given: _decoded(from_json, given), TEXT),
        of("jsonencode", lambda given: _encoded(to_json, given), anything, result=STRING),
        of("textdecodebase64", _textdecodebase64, named("source", TEXT), encoding, result=STRING),
        of("textencodebase64", _textencodebase64, named("string", TEXT), encoding, result=STRING),
        of("urlencode", lambda given: string(quote_plus(text(given[0]))), TEXT, result=STRING),
        of("yamldecode", lambda given: _decoded(from_yaml, given), TEXT, cost=_YAML_WORK),
        of("yamlencode", lambda given: _encoded(to_yaml, given), anything, result=STRING),
    )


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _bytes(encoded: str) -> bytes:
    try:
        # Line ends are passed over, as Go does; nothing else is.
        return base64.b64decode(encoded.replace("\n", "").replace("\r", ""), validate=True)
    except ValueError as fault:
        raise FunctionFault(f"failed to decode base64 data: {fault}", 0) from fault


def _base64decode(given: Sequence[Value]) -> Value:
    try:
        return normalized(_bytes(text(given[0])).decode())
    except UnicodeDecodeError as fault:
        raise FunctionFault("the result of decoding the provided string is not valid UTF-8", 0) from fault


_PYTHON_ONLY = frozenset({"idna", "punycode", "raw_unicode_escape", "undefined", "unicode_escape", "utf-8-sig", "mbcs", "oem"})


def _codec(given: Value) -> str:
    """The codec of an IANA name. A plain "UTF-16" is written with a byte order mark, big-endian, as Go does."""
    name = text(given)
    try:
        # The encoding proves that it is one of text, which base64 or zlib are not.
        "x".encode(name)
        canonical = codecs.lookup(name).name
    except LookupError:
        canonical = "undefined"
    if canonical in _PYTHON_ONLY:
        raise FunctionFault(f'"{name}" is not a supported IANA encoding name or alias', 1)
    return canonical


def _textencodebase64(given: Sequence[Value]) -> Value:
    codec = _codec(given[1])
    try:
        if codec == "utf-16":
            return string(_base64(codecs.BOM_UTF16_BE + text(given[0]).encode("utf-16-be")))
        return string(_base64(text(given[0]).encode(codec)))
    except UnicodeEncodeError as fault:
        raise FunctionFault(
            f"the given string contains characters that cannot be represented in {text(given[1])}", 0
        ) from fault


def _textdecodebase64(given: Sequence[Value]) -> Value:
    codec = _codec(given[1])
    try:
        return normalized(_bytes(text(given[0])).decode(codec))
    except UnicodeDecodeError as fault:
        raise FunctionFault(f"the provided string contains bytes that are not valid {text(given[1])}", 0) from fault


def _decoded(read: Callable[[str], Value], given: Sequence[Value]) -> Value:
    try:
        return read(text(given[0]))
    except ValueError as fault:
        raise FunctionFault(str(fault), 0) from fault


def _encoded(write: Callable[[Value], str], given: Sequence[Value]) -> Value:
    try:
        return string(write(given[0]))
    except ValueError as fault:
        raise FunctionFault(str(fault), 0) from fault


def _csvdecode(given: Sequence[Value]) -> Value:
    """A list of objects; the first line names the attributes."""
    check_count(text(given[0]).count(",") + text(given[0]).count("\n"))
    try:
        rows = parse_csv(text(given[0]))
    except ValueError as fault:
        raise FunctionFault(str(fault), 0) from fault
    if not rows:
        raise FunctionFault("missing header line", 0)
    header = rows[0]
    repeated = next((name for name, count in Counter(header).items() if count > 1), None)
    if repeated is not None:
        raise FunctionFault(f'duplicate column name "{repeated}"', 0)
    for place, row in enumerate(rows[1:], start=2):
        if len(row) != len(header):
            raise FunctionFault(f"record {place} has {len(row)} fields, the header has {len(header)}", 0)
    items = [object_of({name: normalized(field) for name, field in zip(header, row, strict=True)}) for row in rows[1:]]
    return Value(ListType(ObjectType(dict.fromkeys(sorted(header), STRING))), tuple(items))
