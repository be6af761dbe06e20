"""Chains of post-processors: what each is fed with, and which artifacts are kept (Packer's rules)."""

from __future__ import annotations

from collections.abc import Sequence

from goldsmith.build.faults import from_os
from goldsmith.components import Artifact, Context, PostProcessor
from goldsmith.events import Output
from goldsmith.hcl.diagnostics import GoldsmithError
from goldsmith.template import PostProcessorUse


def post_process(
    artifact: Artifact, chains: Sequence[Sequence[PostProcessorUse]], context: Context
) -> tuple[tuple[Artifact, ...], tuple[GoldsmithError, ...]]:
    """Run all chains on the source's artifact; returns what is left in Packer's order, and the errors of failed chains."""
    results: list[Artifact] = []
    errors: list[GoldsmithError] = []
    keep_first = not any(chains)
    for chain in chains:
        try:
            kept, wants_first = _run_chain(artifact, chain, context)
        except (GoldsmithError, OSError) as error:
            # The other chains run all the same.
            errors.append(from_os(error) if isinstance(error, OSError) else error)
            keep_first = True
            continue
        results += kept
        keep_first = keep_first or wants_first
    if keep_first:
        results.insert(0, artifact)
    elif not errors:
        context.emit(Output(build=context.build, text=f"Deleting original artifact for build '{context.build}'"))
        artifact.destroy(context.cwd)
    return tuple(results), tuple(errors)


def _title(use: PostProcessorUse) -> str:
    return use.type if use.name == use.type else f"{use.name} (type {use.type})"


def _run_chain(first: Artifact, chain: Sequence[PostProcessorUse], context: Context) -> tuple[list[Artifact], bool]:
    kept: list[Artifact] = []
    prior, wants_first = first, False
    for index, use in enumerate(chain):
        context.cancellation.check()
        context.emit(Output(build=context.build, text=f"Running post-processor: {_title(use)}"))
        component = use.component()
        assert isinstance(component, PostProcessor)
        processed = component.process(use.config(context), prior, context)
        keep = processed.keep_input if use.keep_input_artifact is None or processed.must_keep else use.keep_input_artifact
        if index == 0:
            wants_first = wants_first or keep
        elif keep:
            kept.append(prior)
        elif processed.artifact is not prior:
            prior.destroy(context.cwd)
        if processed.artifact is None:
            return kept, wants_first
        prior = processed.artifact
    kept.append(prior)
    return kept, wants_first
