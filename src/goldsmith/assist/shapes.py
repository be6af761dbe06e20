"""The shape of an answer: fields whose values come from closed sets, from the input, or are short texts.

A prompt's file says it in its front matter; a model is given it as a JSON schema, and whatever comes back is held to it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from goldsmith.assist.capabilities import capabilities_of

if TYPE_CHECKING:
    from pydantic import BaseModel

Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"
Type: TypeAlias = Literal["text", "whole", "number", "flag", "list", "object"]
Language: TypeAlias = Literal["hcl", "yaml", "json", "tasks"]

MOST_IN_SCHEMA = 120
"""Values of a closed set that a schema lists; a longer one is only held against afterwards."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldShape:
    """One field of an answer."""

    type: Type = "text"
    about: str = ""
    """What it is, for who answers."""
    enum: tuple[str, ...] = ()
    one_of: str = ""
    """The input whose items are the only values: "findings", or "findings.id" for a key of each item."""
    occurs_in: tuple[str, ...] = ()
    """The text must stand in one of these inputs, letter by letter: paths, addresses, names."""
    within: tuple[str, ...] = ()
    """It may ask for no more than these inputs do: no new address, user, unit, key or setuid file."""
    parses: Language | None = None
    pattern: str = ""
    words: int = 0
    """The most words; 0: any number."""
    least: int | None = None
    most: int | None = None
    """Of a number its value, of a list its length."""
    required: bool = True
    of: Mapping[str, FieldShape] | FieldShape | None = None
    """Of an object and of a list of objects their fields; of another list what its items are."""


Shape: TypeAlias = Mapping[str, FieldShape]


@dataclass(frozen=True, slots=True)
class AnswerFault:
    """What is wrong with an answer, so that whoever gave it can mend it."""

    place: str
    """A path with dots: "items.0.finding"."""
    what: str

    def __str__(self) -> str:
        return f"{self.place}: {self.what}" if self.place else self.what


def answer_model(name: str, shape: Shape, inputs: Mapping[str, Json]) -> type[BaseModel]:
    """The shape as a pydantic model, with the closed sets of these inputs."""
    from pydantic import ConfigDict, create_model

    fields: dict[str, Any] = {}
    for key, field in shape.items():
        annotation = _type(f"{name}_{key}", field, inputs)
        fields[key] = (annotation, ...) if field.required else (annotation | None, None)
    model: type[BaseModel] = create_model(name, __config__=ConfigDict(extra="forbid"), **fields)
    return model


def answer_faults(shape: Shape, answer: Mapping[str, Json], inputs: Mapping[str, Json]) -> Iterator[AnswerFault]:
    """What an answer of the right types says that it may not; `inputs` are as the model saw them."""
    for key, field in shape.items():
        yield from _faults(key, field, answer.get(key), inputs)


def closed_set(field: FieldShape, inputs: Mapping[str, Json]) -> tuple[str, ...]:
    """The values that `one_of` allows."""
    name, _, key = field.one_of.partition(".")
    value = inputs.get(name)
    items = (
        value
        if isinstance(value, Sequence) and not isinstance(value, str)
        else list(value)
        if isinstance(value, Mapping)
        else []
    )
    found = [str(item.get(key, "")) if isinstance(item, Mapping) else str(item) for item in items]
    return tuple(dict.fromkeys(item for item in found if item))


def _type(name: str, field: FieldShape, inputs: Mapping[str, Json]) -> Any:
    from pydantic import Field

    about = field.about or None
    match field.type:
        case "whole" | "number":
            number = int if field.type == "whole" else float
            return Annotated[number, Field(ge=field.least, le=field.most, description=about)]
        case "flag":
            return Annotated[bool, Field(description=about)]
        case "object":
            assert isinstance(field.of, Mapping)
            return Annotated[answer_model(name, field.of, inputs), Field(description=about)]
        case "list":
            inner = (
                answer_model(name, field.of, inputs)
                if isinstance(field.of, Mapping)
                else _type(name, field.of or FieldShape(), inputs)
            )
            return Annotated[list[inner], Field(min_length=field.least, max_length=field.most, description=about)]  # type: ignore[valid-type]  # made here
    allowed = field.enum or (closed_set(field, inputs) if field.one_of else ())
    if field.one_of and not allowed:
        return Annotated[str, Field(min_length=1, max_length=0, description="no value is possible")]
    if allowed and len(allowed) <= MOST_IN_SCHEMA:
        return Annotated[Literal[allowed], Field(description=about)]
    told = f"{about or ''} At most {field.words} words.".strip() if field.words else about
    # The pattern is only told here: pydantic's expressions know less than Python's, by which it is checked afterwards.
    return Annotated[str, Field(description=told, json_schema_extra={"pattern": field.pattern} if field.pattern else None)]


def _faults(place: str, field: FieldShape, value: Json, inputs: Mapping[str, Json]) -> Iterator[AnswerFault]:
    if isinstance(value, str):
        yield from (AnswerFault(place, what) for what in _text_faults(field, value, inputs))
    elif isinstance(value, Mapping) and isinstance(field.of, Mapping):
        for key, inner in field.of.items():
            yield from _faults(f"{place}.{key}", inner, value.get(key), inputs)
    elif isinstance(value, Sequence):
        for number, item in enumerate(value):
            inner = FieldShape(type="object", of=field.of) if isinstance(field.of, Mapping) else field.of or FieldShape()
            yield from _faults(f"{place}.{number}", inner, item, inputs)


def _text_faults(field: FieldShape, text: str, inputs: Mapping[str, Json]) -> Iterator[str]:
    if field.one_of and text not in closed_set(field, inputs):
        yield f'"{text[:80]}" is none of the {field.one_of} that were given'
    if field.pattern and not re.search(field.pattern, text):
        yield f'"{text[:80]}" does not fit {field.pattern}'
    given = [as_text(inputs.get(name)) for name in field.occurs_in]
    if field.occurs_in and text and not any(text in item for item in given):
        yield f'"{text[:80]}" does not stand in {" or ".join(field.occurs_in)}'
    count = len(text.split())
    if field.words and count > field.words:
        yield f"it has {count} words, and {field.words} are allowed"
    if field.parses and (fault := parse_fault(field.parses, text)):
        yield fault
    if field.within:
        had = capabilities_of("\n".join(as_text(inputs.get(name)) for name in field.within))
        for more in sorted(capabilities_of(text) - had):
            yield f"it {more}, which the input does not"


def as_text(value: Json) -> str:
    """An input as the text in which something may occur."""
    import json

    return value if isinstance(value, str) else "" if value is None else json.dumps(value, ensure_ascii=False, indent=1)


def parse_fault(language: Language, text: str) -> str:
    """Why a text is none of the language, or empty."""
    import json

    import yaml

    from goldsmith.hcl import SourceFile, parse

    try:
        if language == "hcl":
            _, faults = parse(SourceFile("answer.pkr.hcl", text))
            return f"line {faults[0].where.start.line if faults[0].where else 1}: {faults[0].what}" if faults else ""
        if language == "json":
            json.loads(text)
            return ""
        value = yaml.load(text, Loader=yaml.CSafeLoader)
    except (ValueError, yaml.YAMLError) as error:
        return f"it is no {language.upper()}: {str(error).splitlines()[0]}"
    return _task_fault(value) if language == "tasks" else ""


_KEYWORDS = frozenset({
    "name", "when", "register", "notify", "tags", "loop", "loop_control", "become", "become_user", "vars", "block", "rescue",
    "always", "no_log", "changed_when", "failed_when", "until", "retries", "delay", "environment", "args", "listen",
    "check_mode", "delegate_to", "run_once",
})  # fmt: skip
_MODULE = re.compile(r"(?:ansible\.(?:builtin|posix)|community\.[a-z0-9_]+|goldsmith\.image)\.[a-z0-9_]+")


def _task_fault(value: object) -> str:
    if not isinstance(value, list) or not value:
        return "it is no list of tasks"
    for number, task in enumerate(value, 1):
        if not isinstance(task, dict) or not isinstance(task.get("name"), str):
            return f"task {number} has no name"
        if "block" in task:
            if fault := _task_fault(task["block"]):
                return fault
            continue
        modules = [key for key in task if key not in _KEYWORDS]
        if len(modules) != 1 or not _MODULE.fullmatch(str(modules[0])):
            return f"task {number} needs one module by its full name, such as ansible.builtin.copy; it has {modules or 'none'}"
        if modules[0].endswith((".shell", ".command", ".raw")) and not {"changed_when", "creates", "removes"} & {
            *task,
            *_argument_names(task[modules[0]]),
        }:
            return f"task {number} runs a command without creates, removes or changed_when"
    return ""


def _argument_names(arguments: object) -> set[str]:
    return set(arguments) if isinstance(arguments, dict) else set()
