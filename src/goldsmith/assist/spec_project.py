"""The blocks of `goldsmith.hcl` that a specification asks for; what stands there already stays as it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from goldsmith.assist.image_spec import CloudImage, ImageSpec
from goldsmith.assist.spec_template import LOGINS, hcl
from goldsmith.hcl import SourceFile, parse
from goldsmith.hcl.format import format_source

FILE = "goldsmith.hcl"
HEAD = "# Which images there are, what they are held to, and the channels that they move through.\n"


def project_text(spec: ImageSpec, present: str = "") -> str:
    """The project file with the blocks of a specification behind what it has."""
    body, _ = parse(SourceFile(FILE, present))
    named = {(block.type, block.labels[0]) for block in body.blocks if block.labels}
    blocks = [text for type, name, text in _blocks(spec) if (type, name) not in named]
    text = (present.rstrip("\n") or HEAD.rstrip("\n")) + "\n\n" + "\n\n".join(blocks) + "\n"
    return format_source(text)


def _blocks(spec: ImageSpec) -> Iterator[tuple[str, str, str]]:
    """Type, name and text of each block."""
    yield "image", spec.name, "\n".join(_image(spec))
    for gate in spec.gates:
        yield "gate", gate, "\n".join(_gate(spec, gate))
    for channel in spec.channels:
        lines = [f'channel "{channel.name}" {{']
        lines += [f"after = {hcl(channel.after)}"] if channel.after is not None else []
        lines += [f"requires = {_list(channel.requires)}"] if channel.requires else []
        lines += [f"approvals = {channel.approvals}"] if channel.approvals else []
        yield "channel", channel.name, "\n".join([*lines, "}"])


def _image(spec: ImageSpec) -> Iterator[str]:
    running = [item.unit for item in spec.services if item.state == "enabled"]
    yield from (f'image "{spec.name}" {{', f"template = {hcl(spec.name)}")
    if isinstance(spec.start, CloudImage):
        yield f"login = {hcl(LOGINS[spec.start.distribution])}"
    if spec.ports:
        yield f"ports = {_list(spec.ports)}"
    if running:
        yield f"services = {_list(running)}"
    yield "}"


def _gate(spec: ImageSpec, gate: str) -> Iterator[str]:
    inner: list[str] = []
    if gate == "boot":
        inner = ['tests = "{image}/tests/"']
    if gate == "hardening" and spec.hardening is not None:
        inner = [f"profile = {hcl(spec.hardening.profile)}"]
        for item in spec.hardening.exceptions:
            inner += ["", f"ignore {hcl(item.control)} {{", f"reason = {hcl(item.reason)}", f"owner = {hcl(item.owner)}"]
            inner += [f"until = {hcl(item.until)}", "}"]
    yield from (f'gate "{gate}" {{', *inner, "}") if inner else (f'gate "{gate}" {{}}',)


def _list(texts: Sequence[str]) -> str:
    return f"[{', '.join(hcl(text) for text in texts)}]"
