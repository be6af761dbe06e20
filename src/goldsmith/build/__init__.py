"""Runs a Plan: order, parallelism, the step cache, error modes."""

from goldsmith.build.cache import StepCache
from goldsmith.build.explain import BuildDecision, StepDecision, explain
from goldsmith.build.layered import LayeredResult, Workshop, starting_layers
from goldsmith.build.run import BuildResult, failures, run_build, run_plan

__all__ = [
    "BuildDecision",
    "BuildResult",
    "LayeredResult",
    "StepCache",
    "StepDecision",
    "Workshop",
    "explain",
    "failures",
    "run_build",
    "run_plan",
    "starting_layers",
]
