"""States of Terraform and OpenTofu: which images their resources were made from."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from goldsmith.aws import AwsAccess
from goldsmith.hcl.diagnostics import Diagnostic, UserError
from goldsmith.registry.engines import host_clock
from goldsmith.registry.inventory.documents import expanded, public, read_document
from goldsmith.registry.inventory.ids import names_in
from goldsmith.registry.inventory.reading import Known, Limits, Place, Reading, Reference, taken


@dataclass(frozen=True, slots=True, kw_only=True)
class TerraformSource:
    """State files, also on a web server or in a bucket. Each is a place of its own."""

    name: str
    states: tuple[str, ...]
    """Names, patterns and addresses."""
    root: Path
    limits: Limits = field(default_factory=Limits)
    access: AwsAccess = field(default_factory=AwsAccess)
    clock: Callable[[], int] = host_clock

    def read(self, known: Known) -> Iterator[Reading]:
        """One reading for each state. A state lists only what it manages: no cloud is seen as a whole."""
        for pattern in self.states:
            try:
                found = list(expanded((pattern,), self.root))
            except UserError as error:
                now = self.clock()
                place = Place(self.name, region=pattern)
                yield Reading(place=place, started=now, finished=now, limits=self.limits, trouble=error.diagnostics)
                continue
            for where in found:
                yield taken(Place(self.name, region=public(where)), self.limits, self.clock, partial(self._look, where))

    def _look(self, where: str) -> Iterator[Reference]:
        state = _parsed(public(where), read_document(where, self.access))
        resources = list(_resources(state))
        # All that the state has counts for its size: one whose resources use no image of ours is not empty.
        yield Reference(external_id=str(state.get("lineage", "")), kind="state", place=public(where), count=len(resources))
        for address, attributes in (*resources, *_outputs(state)):
            for name in names_in(attributes):
                yield Reference(external_id=name, kind="terraform", place=f"{address} in {public(where)}")


def _parsed(where: str, content: bytes) -> Mapping[str, object]:
    try:
        state = json.loads(content)
    except ValueError as error:
        raise _no_state(where, f"it is cut short or no JSON: {error}") from error
    if isinstance(state, dict) and "encrypted_data" in state:
        raise _no_state(where, "it is encrypted")
    if not isinstance(state, dict) or state.get("version") != 4 or not _is_list_of_objects(state.get("resources")):
        raise _no_state(where, "it has no version 4 with resources; version 4 is written since Terraform 0.12")
    if not all(_is_list_of_objects(resource.get("instances")) for resource in state["resources"]):
        raise _no_state(where, "it has no version 4 with instances of its resources")
    return state


def _is_list_of_objects(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, dict) for item in value)


def _resources(state: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    """Address and attributes of every instance of a resource."""
    resources = state["resources"]
    assert isinstance(resources, list)
    for resource in resources:
        module = f"{resource['module']}." if resource.get("module") else ""
        data = "data." if resource.get("mode") == "data" else ""
        address = f"{module}{data}{resource.get('type', '')}.{resource.get('name', '')}"
        for instance in resource["instances"]:
            key = instance.get("index_key")
            yield address if key is None else f"{address}[{json.dumps(key)}]", instance


def _outputs(state: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    outputs = state.get("outputs")
    for name, value in outputs.items() if isinstance(outputs, Mapping) else ():
        yield f"output.{name}", value


def _no_state(where: str, why: str) -> UserError:
    return UserError(Diagnostic(code="inventory.state", what=f'"{where}" is no state that can be read', why=why))
