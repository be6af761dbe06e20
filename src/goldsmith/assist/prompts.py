"""The prompt library: prompts as versioned files with typed inputs, the shape of the answer, safety, back-out and verification.

A prompt is a Markdown file: YAML front matter, then its instructions as a sandboxed Jinja2 template. What is untrusted never
stands among the instructions: it follows them as data. A user's own prompts lie in `prompts/` beside `goldsmith.hcl`;
one with the id of ours takes its place.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias, TypeVar, get_args

import yaml

from goldsmith.assist.instructions import body_faults
from goldsmith.assist.shapes import FieldShape, Json, Language, Shape, Type
from goldsmith.hcl import SourceFile, read_source
from goldsmith.hcl.diagnostics import Diagnostic, UserError, did_you_mean, listed

OWN = Path(__file__).with_name("prompts")
DIRECTORY = "prompts"
W = TypeVar("W", bound=str)
InputType: TypeAlias = Literal["text", "whole", "flag", "list", "json"]
Risk: TypeAlias = Literal["none", "read", "draft"]

_KEYS = (
    "id", "version", "title", "purpose", "inputs", "output", "model", "max_tokens", "risk", "safety", "backout", "verify",
    "evals", "changelog", "licence",
)  # fmt: skip
_REQUIRED = ("id", "version", "title", "purpose", "output", "risk", "safety", "backout", "verify")
_INPUT_KEYS = ("type", "about", "pattern", "enum", "example", "default", "required", "secret", "untrusted")
_FIELD_KEYS = (
    "type",
    "about",
    "enum",
    "one_of",
    "occurs_in",
    "within",
    "parses",
    "pattern",
    "words",
    "least",
    "most",
    "required",
    "of",
)
_RISKS: tuple[Risk, ...] = get_args(Risk)
_INPUT_TYPES: tuple[InputType, ...] = get_args(InputType)
_TYPES: tuple[Type, ...] = get_args(Type)
_LANGUAGES: tuple[Language, ...] = get_args(Language)
_SEMVER = re.compile(r"\d+\.\d+\.\d+")
_ID = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
IMAGE_SPEC = "ImageSpec"
"""The one shape that is no front matter: what `goldsmith draft` renders."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """One input of a prompt."""

    name: str
    type: InputType = "text"
    about: str = ""
    pattern: str = ""
    enum: tuple[str, ...] = ()
    example: Json = None
    default: Json = None
    required: bool = True
    is_secret: bool = False
    """Hidden at every level."""
    is_untrusted: bool = False
    """Given as data behind the instructions, never in them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """One prompt, as its file says."""

    id: str
    version: str
    title: str
    purpose: str
    inputs: Mapping[str, Input]
    output: Shape | Literal["ImageSpec"]
    risk: Risk
    safety: tuple[str, ...]
    backout: str
    verify: tuple[str, ...]
    body: str
    source: SourceFile = field(repr=False)
    body_line: int
    """The line of the file on which the body begins."""
    max_tokens: int = 4000
    model: Mapping[str, Json] = field(default_factory=dict)
    """Hints: temperature, thinking."""
    evals: str = ""
    changelog: tuple[str, ...] = ()
    licence: str = ""
    is_own: bool = False
    """It comes with Goldsmith."""
    replaces: str = ""
    """The version of ours whose place it takes."""

    @property
    def path(self) -> Path:
        """Its file."""
        return Path(self.source.name)

    @property
    def evals_path(self) -> Path:
        """The file of its cases."""
        return self.path.parent / (self.evals or f"evals/{self.id}.yaml")


class Library:
    """Our prompts and a user's; one of a user takes the place of ours with the same id."""

    def __init__(self, user: Path | None = None, own: Path = OWN) -> None:
        self._places = ((own, True), *(((user, False),) if user is not None and user.is_dir() else ()))

    def ids(self) -> tuple[str, ...]:
        """All ids, sorted."""
        return tuple(sorted({path.stem for directory, _ in self._places for path in directory.glob("*.md")}))

    def get(self, id: str) -> Prompt:
        """The prompt of an id. Raises `UserError` for one that is not there or is broken."""
        found: Prompt | None = None
        for directory, is_own in self._places:
            path = directory / f"{id}.md"
            if _ID.fullmatch(id) and path.is_file():
                found = read_prompt(path, is_own=is_own, replaces=found.version if found is not None else "")
        if found is None:
            next = did_you_mean(id, self.ids()) or "goldsmith prompt list"
            raise UserError(Diagnostic(code="prompt.unknown", what=f'there is no prompt "{id}"', next=next))
        return found

    def all(self) -> tuple[Prompt, ...]:
        """Every prompt, by id. Raises `UserError` with the faults of all that are broken."""
        prompts: list[Prompt] = []
        faults: list[Diagnostic] = []
        for id in self.ids():
            try:
                prompts.append(self.get(id))
            except UserError as error:
                faults += error.diagnostics
        if faults:
            raise UserError(*faults)
        return tuple(prompts)


def read_prompt(path: Path, *, is_own: bool = False, replaces: str = "") -> Prompt:
    """Read one file. Raises `UserError` with everything that is wrong with it."""
    source = read_source(path)
    return _Reader(source).read(path.stem, is_own, replaces)


class _Reader:
    """Reads the front matter of one file and collects its faults."""

    def __init__(self, source: SourceFile) -> None:
        self.source = source
        self.faults: list[Diagnostic] = []
        self.start = 0

    def read(self, stem: str, is_own: bool, replaces: str) -> Prompt:
        parts = re.match(r"---\n(?P<front>.*?\n)---\n(?P<body>.*)\Z", self.source.text, re.DOTALL)
        if parts is None:
            self._fault("it does not begin with front matter", 0, "It needs --- , keys in YAML, --- and then its text.")
            raise UserError(*self.faults)
        self.start = parts.start("front")
        data = self._mapping(parts["front"])
        self._check_keys(data, _KEYS, _REQUIRED, "")
        inputs = {name: self._input(name, given) for name, given in self._named(data.get("inputs")).items()}
        prompt = Prompt(
            id=str(data.get("id", "")),
            version=str(data.get("version", "")),
            title=str(data.get("title", "")),
            purpose=" ".join(str(data.get("purpose", "")).split()),
            inputs=inputs,
            output="ImageSpec" if data.get("output") == IMAGE_SPEC else self._shape(data.get("output"), inputs, "output"),
            risk=self._word(data, "risk", _RISKS),
            safety=self._texts(data.get("safety"), "safety"),
            backout=" ".join(str(data.get("backout", "")).split()),
            verify=self._texts(data.get("verify"), "verify"),
            body=parts["body"].strip() + "\n",
            source=self.source,
            body_line=self.source.text.count("\n", 0, parts.start("body")) + 1,
            max_tokens=self._whole(data.get("max_tokens", 4000)),
            model=self._named(data.get("model")),
            evals=str(data.get("evals", "")),
            changelog=self._texts(data.get("changelog"), "changelog"),
            licence=str(data.get("licence", "")),
            is_own=is_own,
            replaces=replaces,
        )
        self._check(prompt, stem)
        if self.faults:
            raise UserError(*self.faults)
        return prompt

    def _check(self, prompt: Prompt, stem: str) -> None:
        if prompt.id != stem:
            self._fault(f'its id is "{prompt.id}", and its file is named "{stem}.md"', self._offset("id"))
        if not _SEMVER.fullmatch(prompt.version):
            self._fault(f'"{prompt.version}" is no version', self._offset("version"), 'Write for example "1.0.0".')
        untrusted = {name for name, input in prompt.inputs.items() if input.is_untrusted}
        self.faults += body_faults(self.source, prompt.body, prompt.body_line, prompt.inputs.keys() - untrusted, untrusted)

    def _mapping(self, text: str) -> dict[str, Json]:
        try:
            data = yaml.load(text, Loader=yaml.CSafeLoader)
        except yaml.YAMLError as error:
            mark = error.problem_mark if isinstance(error, yaml.MarkedYAMLError) else None
            offset = self.start + (mark.index if mark is not None else 0)
            self._fault("its front matter is no YAML", offset, str(error).splitlines()[0])
            raise UserError(*self.faults) from error
        if not isinstance(data, dict):
            self._fault("its front matter has no keys", self.start)
            raise UserError(*self.faults)
        return {str(name): value for name, value in data.items()}

    def _input(self, name: str, given: Json) -> Input:
        data = self._named(given)
        self._check_keys(data, _INPUT_KEYS, (), f"inputs.{name}")
        has_default = "default" in data
        return Input(
            name=name,
            type=self._word(data, "type", _INPUT_TYPES, "text"),
            about=str(data.get("about", "")),
            pattern=self._pattern(data.get("pattern")),
            enum=self._texts(data.get("enum"), f"inputs.{name}.enum"),
            example=data.get("example"),
            default=data.get("default"),
            required=bool(data.get("required", not has_default)),
            is_secret=bool(data.get("secret", False)),
            is_untrusted=bool(data.get("untrusted", False)),
        )

    def _shape(self, given: Json, inputs: Collection[str], place: str) -> Shape:
        fields = self._named(given)
        if not fields:
            self._fault(f'"{place}" has no fields', self._offset("output"), f"Name fields with their types, or {IMAGE_SPEC}.")
        return {name: self._field(value, inputs, f"{place}.{name}") for name, value in fields.items()}

    def _field(self, given: Json, inputs: Collection[str], place: str) -> FieldShape:
        data = self._named(given)
        self._check_keys(data, _FIELD_KEYS, (), place)
        type: Type = self._word(data, "type", _TYPES, "text")
        inner = data.get("of")
        of: Shape | FieldShape | None = None
        if isinstance(inner, Mapping) and type in ("list", "object"):
            is_item = (
                type == "list" and set(inner) <= set(_FIELD_KEYS) and not any(isinstance(v, Mapping) for v in inner.values())
            )
            of = self._field(inner, inputs, f"{place}.of") if is_item else self._shape(inner, inputs, place)
        elif type == "object":
            self._fault(f'"{place}" has no fields', self._offset("output"), "Add of, with its fields.")
        one_of = str(data.get("one_of", ""))
        occurs_in, within = self._texts(data.get("occurs_in"), place), self._texts(data.get("within"), place)
        for name in filter(None, (one_of.partition(".")[0], *occurs_in, *within)):
            if name not in inputs:
                self._fault(
                    f'"{place}" names the input "{name}", which there is not',
                    self._offset("output"),
                    did_you_mean(name, inputs),
                )
        return FieldShape(
            type=type,
            about=str(data.get("about", "")),
            enum=self._texts(data.get("enum"), f"{place}.enum"),
            one_of=one_of,
            occurs_in=occurs_in,
            within=within,
            parses=self._word(data, "parses", _LANGUAGES) if "parses" in data else None,
            pattern=self._pattern(data.get("pattern")),
            words=self._whole(data.get("words", 0)),
            least=self._whole(data["least"]) if "least" in data else None,
            most=self._whole(data["most"]) if "most" in data else None,
            required=bool(data.get("required", True)),
            of=of,
        )

    def _named(self, given: Json) -> dict[str, Json]:
        if isinstance(given, Mapping):
            return {str(name): value for name, value in given.items()}
        if given is not None:
            self._fault("a mapping is expected", self.start, f"It is {type(given).__name__}.")
        return {}

    def _texts(self, given: Json, place: str) -> tuple[str, ...]:
        if given is None:
            return ()
        if isinstance(given, str):
            return (given,)
        if isinstance(given, Sequence) and all(isinstance(item, str | int) and not isinstance(item, bool) for item in given):
            return tuple(" ".join(str(item).split()) for item in given)
        self._fault(f'"{place}" is no list of texts', self.start, 'Words such as "no" and "on" need quotes.')
        return ()

    def _word(self, data: Mapping[str, Json], key: str, allowed: tuple[W, ...], otherwise: W | None = None) -> W:
        given = data.get(key, otherwise)
        for word in allowed:
            if word == given:
                return word
        if key in data:
            self._fault(
                f'"{key}" is "{given}"', self._offset(key), next=f"It may be {listed([str(word) for word in allowed])}."
            )
        return allowed[0]

    def _whole(self, given: Json) -> int:
        if isinstance(given, int) and not isinstance(given, bool) and given >= 0:
            return given
        self._fault(f'"{given}" is no whole number', self.start)
        return 0

    def _pattern(self, given: Json) -> str:
        try:
            re.compile(str(given or ""))
        except re.error as error:
            self._fault(f'"{given}" is no regular expression', self.start, str(error))
        return str(given or "")

    def _check_keys(self, data: Mapping[str, Json], known: Sequence[str], required: Sequence[str], place: str) -> None:
        where = f' in "{place}"' if place else ""
        for key in data:
            if key not in known:
                next = did_you_mean(key, known) or f"There are: {listed(known)}."
                self._fault(f'unknown key "{key}"{where}', self._offset(key), next=next)
        for key in required:
            if not data.get(key):
                self._fault(f'the key "{key}" is missing{where}', self.start)

    def _offset(self, key: str) -> int:
        match = re.compile(rf"^\s*{re.escape(key)}\s*:", re.MULTILINE).search(self.source.text, self.start)
        return match.end() - 1 - len(key) if match is not None else self.start

    def _fault(self, what: str, offset: int, why: str = "", next: str = "") -> None:
        end = self.source.text.find("\n", offset)
        where = self.source.range(offset, end if end > offset else offset + 1)
        self.faults.append(Diagnostic(code="prompt.broken", what=f"this is no prompt: {what}", where=where, why=why, next=next))


def check_names(given: Collection[str], prompt: Prompt) -> Iterator[Diagnostic]:
    """Names that are filled in and are no inputs of the prompt."""
    for name in given:
        if name not in prompt.inputs:
            yield Diagnostic(
                code="prompt.unknown-input",
                what=f'the prompt "{prompt.id}" has no input "{name}"',
                next=did_you_mean(name, prompt.inputs) or f"It has: {', '.join(prompt.inputs) or 'none'}.",
            )
