"""The stages of a build in a machine, each with the key of the state that it leaves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from goldsmith.build.cache import StepCache
from goldsmith.build.keys import Document, Redaction, StepKey, content_of, files_of, implementation, options_of, step_key
from goldsmith.build.layered import step_name
from goldsmith.components import Context, MachineBase, MachineSource, Provisioner
from goldsmith.hcl.diagnostics import UserError
from goldsmith.template import Build, ProvisionerUse

BOOT = "boot"
"""The name of the stage that ends when the machine is reached."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One step of a build, and what is known of its result beforehand."""

    name: str
    use: ProvisionerUse | None
    """None for the boot."""
    place: Literal["machine", "host"]
    key: StepKey | None
    """The key of the machine's state after it; None when that cannot be known: it runs, and so does all that follows."""


def stages_of(
    build: Build, source: MachineSource[object], base: MachineBase, context: Context, cache: StepCache
) -> list[Stage]:
    """The stages as of now: the boot, then each provisioner.

    What a step leaves on this host may change the keys of later ones: then they are asked for again.
    """
    redaction = Redaction(cache.project_key(), context.secrets, context.root)
    key: StepKey | None = _boot_key(source, base, context, redaction)
    found = [Stage(name=BOOT, use=None, place="machine", key=key)]
    for index, use in enumerate(build.provisioners):
        component = use.component()
        assert isinstance(component, Provisioner)
        key = _next_key(use, component, key, base, context, redaction)
        place: Literal["machine", "host"] = "machine" if component.acts_on_machine else "host"
        found.append(Stage(name=step_name(index, use), use=use, place=place, key=key))
    return found


def export_of(source: MachineSource[object], config: object, stages: Sequence[Stage], context: Context) -> StepKey | None:
    """The key of the finished disks; None when that of the last stage is not known."""
    last = stages[-1].key
    if last is None:
        return None
    acting = implementation("goldsmith.sources.qemu_machine")
    inputs = dict(source.export_inputs(config, context))
    return step_key({"kind": "export", "implementation": acting, "parent": last.key, "export": inputs, "image": context.image})


def _boot_key(source: MachineSource[object], base: MachineBase, context: Context, redaction: Redaction) -> StepKey:
    return step_key(
        {
            "kind": "boot",
            "type": context.type,
            "implementation": implementation(type(source).__module__),
            "machine": redaction.data(base.inputs),
            "inputs": [{"name": path.name, **content_of(path)} for path in base.files],
        }
    )


def _next_key(
    use: ProvisionerUse,
    component: Provisioner[object],
    parent: StepKey | None,
    base: MachineBase,
    context: Context,
    redaction: Redaction,
) -> StepKey | None:
    if parent is None or (component.acts_on_machine and not component.cacheable):
        return None
    # Values that are new in each run must not be in what a state is kept of: two runs with different ones tell.
    documents = [
        _document(use, component, parent, replace(context, generated=_pretended(use, base, mark)), redaction)
        for mark in ("first", "second")
    ]
    return step_key(documents[0]) if documents[0] is not None and documents[0] == documents[1] else None


def _pretended(use: ProvisionerUse, base: MachineBase, mark: str) -> Mapping[str, str]:
    from goldsmith.template.uses import GENERATED_NAMES

    return {**dict.fromkeys(GENERATED_NAMES, f"<{mark}>"), **base.generated}


def _document(
    use: ProvisionerUse, component: Provisioner[object], parent: StepKey, context: Context, redaction: Redaction
) -> Document | None:
    """What a step depends on; None when that cannot be read yet, because an earlier step makes it."""
    try:
        config = use.config(context)
        inputs = files_of(component, config, context)
        further = component.inputs(config, context)
    except UserError:
        return None
    return {
        "kind": "provisioner",
        "type": use.type,
        "implementation": implementation(type(component).__module__, "goldsmith.build.attempt"),
        "parent": parent.key,
        "options": options_of(config, redaction),
        "env": {"PACKER_BUILD_NAME": context.name, "PACKER_BUILDER_TYPE": context.type},
        "inputs": inputs,
        "further": redaction.data(further),
        "continues": use.continue_on_error,
    }
