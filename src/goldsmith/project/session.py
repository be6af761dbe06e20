"""One run of a command that plans or builds: the workshop, the run's identity, its clock and its lock file."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from goldsmith.build import StepCache, Workshop
from goldsmith.components import Base, Context, LayeredSource
from goldsmith.events import Emit, scrubbed
from goldsmith.machines import Journal
from goldsmith.machines.cancellation import Cancellation
from goldsmith.project.lookup import ParentLookup
from goldsmith.project.pins import LockFile
from goldsmith.project.project import ImageDeclaration, Project
from goldsmith.project.state import State, cache_directory
from goldsmith.template import Build, LoadOptions, Plan, read_plan


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a command asks of a build."""

    variables: tuple[tuple[str, str], ...] = ()
    variable_files: tuple[Path, ...] = ()
    only: tuple[str, ...] = ()
    except_: tuple[str, ...] = ()
    force: bool = False
    debug: bool = False
    on_error: str = "cleanup"
    parallel: int = 0
    use_cache: bool = True
    keep_states: bool = True
    """Whether the states of virtual machines are kept, and gone on from."""
    run_gates: bool = True
    locked: bool = False
    upgrade: bool = False
    """Resolve anew what the lock file pins."""
    warn_undeclared: bool = False
    sandboxed: bool = False
    """Evaluating a template reads nothing outside of the template's own directory."""
    ask: Callable[[str, str], str] | None = None
    """Puts a question of a build, which is named first, and returns the answer; None when nobody is there."""


class Session:
    """Everything that the parts of one run share; a context manager, because it has a work directory."""

    def __init__(
        self, project: Project | None, template: Path, request: Request, emit: Emit, cancellation: Cancellation
    ) -> None:
        self.project = project
        self.request = request
        self.emit = emit
        self.cancellation = cancellation
        self.run_uuid = str(uuid.uuid4())
        self.clock_s = int(os.environ.get("SOURCE_DATE_EPOCH") or time.time())
        root = project.root if project else (template if template.is_dir() else template.parent)
        self.state = State(root / ".goldsmith")
        self.cache = cache_directory()
        self.journal = Journal(self.cache / "journal")
        self.journal.sweep(emit)
        steps = StepCache(self.cache, project.cache_limit_bytes) if project else StepCache(self.cache)
        self.workshop = Workshop(
            cache=steps,
            journal=self.journal,
            logs=self.state.logs,
            use_cache=request.use_cache,
            keeps_states=request.keep_states,
        )
        self.lock_file = LockFile(root, must_hold=request.locked, ignore_existing=request.upgrade)
        self._held = ExitStack()
        self.work = Path()
        """A private directory of the run, between entering and leaving."""
        self.lookup = ParentLookup(project, self.workshop.cache, self._template_base)

    def __enter__(self) -> Self:
        self.work = self._held.enter_context(self.journal.work_directory(self.workshop.cache.root / "work"))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._held.close()
        self.workshop.cache.prune(self.emit)

    def _template_base(self, image: str) -> Base | None:
        """Where the template of an image of the project begins, without building it."""
        assert self.project is not None
        declaration = self.project.images[image]
        plan = self.plan(declaration.template, declaration, as_asked=False)
        for build, source in layered_builds(plan):
            context = self.context(build, plan, image, self.work / f"parent-{image}")
            return source.base(build.source.config(context), context, self.lookup)
        return None

    def plan(self, template: Path, image: ImageDeclaration | None, as_asked: bool = True) -> Plan:
        """Load a template and plan its builds, with the variables and choices of the command line unless it is another's."""
        request = self.request if as_asked else Request()
        files = request.variable_files
        if image is not None and self.project is not None:
            files = self.project.variable_files(image) + files
        options = LoadOptions(
            variables=request.variables,
            variable_files=files,
            environment=dict(os.environ),
            only=request.only,
            except_=request.except_,
            clock_s=self.clock_s,
            cwd=Path.cwd(),
            warn_undeclared=request.warn_undeclared,
            evaluate_data=True,
            run_uuid=self.run_uuid,
            sandboxed=self.request.sandboxed,
        )
        return read_plan(template, options)

    def context(self, build: Build, plan: Plan, image: str, work: Path) -> Context:
        """What the components of a build are given. `image` is empty outside of a project."""
        return Context(
            build=build.full_name,
            type=build.type,
            name=build.source_name,
            root=plan.root,
            cwd=Path.cwd(),
            work=work,
            emit=scrubbed(self.emit, plan.secrets),
            cancellation=self.cancellation,
            run_uuid=self.run_uuid,
            force=self.request.force,
            debug=self.request.debug,
            on_error=self.request.on_error,
            secrets=plan.secrets,
            clock_s=self.clock_s,
            ask=partial(self.request.ask, build.full_name) if self.request.ask else None,
            image=image,
            pins=self.lock_file.of(image or build.full_name),
            cache=self.cache,
            journal=self.journal,
            logs=self.state.logs,
            legacy=plan.legacy,
        )


def layered_builds(plan: Plan) -> Iterator[tuple[Build, LayeredSource[object]]]:
    """The builds of a plan that make a disk."""
    for build in plan.builds:
        source = build.source.component()
        if isinstance(source, LayeredSource):
            yield build, source
