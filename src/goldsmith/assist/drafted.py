"""The specification that drafted files say, read from the files alone: what was rendered says all that was meant."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from goldsmith.assist.ansible_yaml import Unsafe, load
from goldsmith.assist.image_spec import ImageSpec
from goldsmith.assist.spec_project import FILE
from goldsmith.assist.spec_role import HARDENING_ROLE
from goldsmith.hcl import SourceFile, parse
from goldsmith.hcl.ast import Expression, Literal, ObjectConstructor, Template, TupleConstructor
from goldsmith.hcl.body import Block
from goldsmith.hcl.diagnostics import Diagnostic, UserError
from goldsmith.hcl.native_body import NativeBody


def read_drafted(name: str, files: Mapping[str, str]) -> ImageSpec:
    """The specification of an image, by the files that `render` gives. Raises `UserError` when they say none."""
    from pydantic import ValidationError

    try:
        return ImageSpec.model_validate(_Reader(name, files).spec())
    except (KeyError, ValueError, ValidationError, AttributeError, TypeError, IndexError) as error:
        what = f'the files of "{name}" do not say a specification'
        raise UserError(
            Diagnostic(code="draft.unreadable", what=what, why=str(error), next="Were they changed by hand?")
        ) from error


class _Reader:
    def __init__(self, name: str, files: Mapping[str, str]) -> None:
        self._name = name
        self._files = files
        self._role = name.replace("-", "_")
        self._template = self._body(f"{name}/{name}.pkr.hcl")
        self._project = self._body(FILE)
        self._page = files[f"{name}/README.md"]
        self._build = next(self._template.blocks_of("build")).body

    def spec(self) -> dict[str, Any]:
        sources = [self._source(block) for block in self._template.blocks_of("source")]
        image = self._named("image", self._name)
        described = _attributes(self._build)
        return {
            "name": self._name,
            "purpose": described["description"],
            "kind": self._found(r"^Kind: (\w+)\.$")[0],
            "start": self._start(),
            "sources": sources,
            **self._vars(),
            "roles": self._roles(),
            "scripts": self._scripts(),
            "ports": image.get("ports", []),
            "gates": [block.labels[0] for block in self._project.blocks_of("gate")],
            "hardening": self._hardening(),
            "channels": [{"name": block.labels[0], **_attributes(block.body)} for block in self._project.blocks_of("channel")],
            "assumptions": [
                {"confidence": word, "text": text}
                for word, text in re.findall(r"^- (low|medium|high): (.*)$", self._page, re.M)
            ],
            "open_questions": [
                {"blocking": word == "blocking", "text": text, "default": taken or None}
                for word, text, taken in re.findall(r"^- (blocking|open): (.*)(?:\n  - taken: (.*))?$", self._page, re.M)
            ],
        }

    def _start(self) -> dict[str, Any]:
        first = next(self._template.blocks_of("source"))
        given = _attributes(first.body)
        match first.labels[0]:
            case "bootstrap":
                return {"kind": "archive", "distribution": given["distribution"], "release": given["release"]}
            case "image":
                return {"kind": "parent", "image": given["parent"], "channel": given.get("channel")}
        distribution, release, arch = self._found(r"^It starts from (\w+)'s own image of (\S+) for (\w+)\.$")
        return {"kind": "cloud-image", "distribution": distribution, "release": release, "arch": arch}

    def _source(self, block: Block) -> dict[str, Any]:
        given = _attributes(block.body)
        size = given.get("disk_size")
        gigabytes = int(size.removesuffix("G")) if size else None
        match block.labels[0]:
            case "qemu":
                return {"kind": "qemu", "disk_gb": gigabytes, "format": given["format"], "memory_mb": given["memory"]}
            case "amazon-ebs":
                names = ("region", "instance_type")
                return {"kind": "amazon-ebs", **{name: given[name] for name in names}, "encrypt": given["encrypt_boot"]}
        return {"kind": "disk", "formats": given["formats"], "disk_gb": gigabytes}

    def _vars(self) -> dict[str, Any]:
        given = _plain(load(self._files[f"{self._name}/roles/{self._role}/vars/main.yml"]))
        parts = {name: given.get(f"{self._role}_{name}", []) for name in ("services", "users", "first_boot")}
        packages = []
        for item in given.get(f"{self._role}_packages", []):
            name, _, version = item["package"].partition("=")
            packages.append({"name": name, "version": version or None, "why": item.get("why")})
        files = [self._with_content(item) for item in given.get(f"{self._role}_files", [])]
        return {**parts, "packages": packages, "files": files}

    def _with_content(self, item: dict[str, Any]) -> dict[str, Any]:
        if "from" in item:
            return item
        return {**item, "content": self._files[f"{self._name}/roles/{self._role}/files{item['path']}"]}

    def _roles(self) -> list[dict[str, Any]]:
        play = _plain(load(self._files[f"{self._name}/playbook.yml"]))[0]
        wanted = self._files.get(f"{self._name}/requirements.yml")
        listed = _plain(load(wanted)) if wanted is not None else {}
        found = []
        for role in play["roles"][1:]:
            name = role["role"]
            is_collection = name.count(".") == 2
            key = name.rpartition(".")[0] if is_collection else name
            if name == HARDENING_ROLE and key not in (item["name"] for item in listed.get("collections", [])):
                continue
            version = next(
                item["version"] for item in listed["collections" if is_collection else "roles"] if item["name"] == key
            )
            found.append({"name": name, "version": version, "vars": role.get("vars", {})})
        return found

    def _scripts(self) -> list[dict[str, Any]]:
        found = re.findall(r"^- `(\S+)`(?: sha256:([0-9a-f]{64}))?$", self._page, re.M)
        return [{"path": path, "sha256": digest or None} for path, digest in found]

    def _hardening(self) -> dict[str, Any] | None:
        block = next((item for item in self._project.blocks_of("gate") if item.labels[0] == "hardening"), None)
        given = _attributes(block.body) if block is not None else {}
        if block is None or "profile" not in given:
            return None
        assert isinstance(block.body, NativeBody)
        exceptions = [{"control": item.labels[0], **_attributes(item.body)} for item in block.body.blocks_of("ignore")]
        return {"profile": given["profile"], "exceptions": exceptions}

    def _named(self, type: str, name: str) -> dict[str, Any]:
        return next(_attributes(block.body) for block in self._project.blocks_of(type) if block.labels[0] == name)

    def _found(self, pattern: str) -> tuple[str, ...]:
        match = re.search(pattern, self._page, re.M)
        if match is None:
            raise ValueError(f"README.md has no line {pattern}")
        return match.groups()

    def _body(self, path: str) -> NativeBody:
        body, faults = parse(SourceFile(path, self._files[path]))
        if faults:
            raise UserError(*faults)
        return body


def _attributes(body: object) -> dict[str, Any]:
    assert isinstance(body, NativeBody)
    return {name: _value(attribute.expression) for name, attribute in body.attributes.items()}


def _value(expression: Expression) -> Any:
    """A constant; None for what is computed."""
    match expression:
        case Template():
            return expression.literal
        case Literal(value=value):
            return int(value.raw) if isinstance(value.raw, Decimal) else value.raw
        case TupleConstructor(items=items):
            return [_value(item) for item in items]
        case ObjectConstructor():
            return {}
    return None


def _plain(node: object) -> Any:
    match node:
        case Unsafe(text=text):
            return text
        case Mapping():
            return {key: _plain(value) for key, value in node.items()}
        case str():
            return node
        case Sequence():
            return [_plain(item) for item in node]
    return node
