"""What a container image of Red Hat's says of its own making: the repositories that its packages are from, and its name."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping

from goldsmith.gates.inventory.stack import Stack

DIRECTORIES = ("root/buildinfo", "usr/share/buildinfo")
_LARGEST = 8 << 20
_LABEL = re.compile(r"""["']?([A-Za-z0-9._-]+)["']?=(?:"([^"]*)"|'([^']*)'|(\S*))""")


def content_sets(stack: Stack) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The repositories of all manifests, sorted, and what could not be read."""
    found: set[str] = set()
    faults: list[str] = []
    for directory in DIRECTORIES:
        for name in (*stack.files_in(f"{directory}/content_manifests"), f"{directory}/content-sets.json"):
            if not name.endswith(".json"):
                continue
            try:
                data = stack.read(name, _LARGEST)
                found.update(_sets(json.loads(data)) if data is not None else ())
            except (OSError, ValueError, RecursionError):
                faults.append(f'"/{name}" is no list of content sets')
    return tuple(sorted(found)), tuple(faults)


def image_name(stack: Stack) -> str:
    """`component-version-release-architecture` of the newest image that this one was made from; empty when nothing says so."""
    found = [name for directory in DIRECTORIES for name in _made(stack, directory)]
    return found[-1] if found else ""


def _sets(manifest: object) -> Iterator[str]:
    listed = manifest.get("content_sets") if isinstance(manifest, dict) else None
    if not isinstance(listed, list):
        raise ValueError("content_sets is no list")
    yield from (str(item) for item in listed)


def _made(stack: Stack, directory: str) -> Iterator[str]:
    """From `Dockerfile-NAME-VERSION-RELEASE`: the component and the architecture stand in its labels."""
    for path in stack.files_in(directory):
        name = path.rpartition("/")[2]
        parts = name.removeprefix("Dockerfile-").rsplit("-", 2)
        if not name.startswith("Dockerfile-") or len(parts) != 3:
            continue
        try:
            labels = _labels((stack.read(path, _LARGEST) or b"").decode(errors="replace"))
        except OSError:
            continue
        component, architecture = labels.get("com.redhat.component", ""), labels.get("architecture", "")
        if component and architecture:
            yield f"{component}-{parts[1]}-{parts[2]}-{architecture}"


def _labels(dockerfile: str) -> Mapping[str, str]:
    joined = re.sub(r"\\[ \t]*\n", " ", dockerfile)
    lines = [line for line in joined.splitlines() if re.match(r"\s*LABEL\s", line, re.IGNORECASE)]
    return {name: a or b or c for line in lines for name, a, b, c in _LABEL.findall(line)}
