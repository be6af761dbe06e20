"""EC2's wire by botocore's own model of it: requests are read, answers written, and what does not fit the model is refused."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

NAMESPACE = "http://ec2.amazonaws.com/doc/2016-11-15/"


class Refusal(Exception):
    """What the API answers instead of a result."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code, self.message, self.status = code, message, status


@cache
def model() -> Any:
    """The service model, which has no types."""
    from botocore.session import Session

    return Session().get_service_model("ec2")


def read_request(body: str) -> tuple[str, dict[str, Any]]:
    """The action of a request, and its parameters as boto3 names them."""
    given = dict(parse_qsl(body, keep_blank_values=True))
    action = given.pop("Action")
    given.pop("Version", None)
    shape = model().operation_model(action).input_shape
    used: set[str] = set()
    request = _structure(shape, "", given, used) if shape else {}
    if strangers := given.keys() - used:
        raise Refusal("UnknownParameter", f"{action} knows no {', '.join(sorted(strangers))}")
    for name in shape.required_members if shape else ():
        if name not in request:
            raise Refusal("MissingParameter", f"The request must contain the parameter {name}")
    return action, request


def _structure(shape: Any, prefix: str, given: Mapping[str, str], used: set[str]) -> dict[str, Any]:
    found = {}
    for name, member in shape.members.items():
        place = prefix + _query_name(name, member)
        if any(key == place or key.startswith(place + ".") for key in given):
            found[name] = _value(member, place, given, used)
    return found


def _query_name(name: str, member: Any) -> str:
    named = member.serialization
    if "queryName" in named:
        return str(named["queryName"])
    wire = str(named.get("name", name))
    return wire[0].upper() + wire[1:]


def _value(shape: Any, place: str, given: Mapping[str, str], used: set[str]) -> Any:
    if shape.type_name == "structure":
        return _structure(shape, place + ".", given, used)
    if shape.type_name == "list":
        found: list[Any] = []
        while any(key == (item := f"{place}.{len(found) + 1}") or key.startswith(item + ".") for key in given):
            found.append(_value(shape.member, f"{place}.{len(found) + 1}", given, used))
        return found
    used.add(place)
    text = given[place]
    if shape.type_name in ("integer", "long"):
        return int(text)
    return text == "true" if shape.type_name == "boolean" else text


def write_answer(action: str, answer: Mapping[str, object]) -> bytes:
    """An answer as XML. Raises KeyError for what the model does not have."""
    shape = model().operation_model(action).output_shape
    inner = _write_structure(shape, answer) if shape else ""
    text = f'<{action}Response xmlns="{NAMESPACE}"><requestId>r</requestId>{inner}</{action}Response>'
    return text.encode()


def write_refusal(refusal: Refusal) -> bytes:
    """An error as XML."""
    error = f"<Error><Code>{escape(refusal.code)}</Code><Message>{escape(refusal.message)}</Message></Error>"
    return f"<Response><Errors>{error}</Errors><RequestID>r</RequestID></Response>".encode()


def _write_structure(shape: Any, answer: Mapping[str, object]) -> str:
    parts = []
    for name, value in answer.items():
        member = shape.members[name]
        tag = member.serialization.get("name", name)
        parts.append(f"<{tag}>{_write(member, value)}</{tag}>")
    return "".join(parts)


def _write(shape: Any, value: object) -> str:
    if shape.type_name == "structure":
        assert isinstance(value, Mapping)
        return _write_structure(shape, value)
    if shape.type_name == "list":
        assert isinstance(value, Sequence)
        tag = shape.member.serialization.get("name", "item")
        return "".join(f"<{tag}>{_write(shape.member, item)}</{tag}>" for item in value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    return escape(base64.b64encode(value).decode() if isinstance(value, bytes) else str(value))
