"""The runs of a proof: scripts or a role in a sandbox of their own on the same parent, and what each left there."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from goldsmith.assist.parent import Parent
from goldsmith.assist.proxy import Exchange, Proxy
from goldsmith.assist.recordings import Recordings
from goldsmith.assist.script_set import lay_out
from goldsmith.assist.shell import Script
from goldsmith.components import Context
from goldsmith.events import Emit
from goldsmith.hcl.diagnostics import Diagnostic, MachineError
from goldsmith.machines import Sandbox
from goldsmith.project import Session
from goldsmith.provisioners.ansible import Ansible, AnsibleConfig
from goldsmith.scripts import exit_fault, printed

SCRIPTS = "/run/goldsmith/scripts"
"""Where the scripts of a set lie, so that they find each other; it never enters a layer."""
_BY_SHELL = ("/bin/sh", "-c", '"$0"')
"""As Packer starts a script: what has no first line that says otherwise is for the shell."""
_LAST_LINES = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRun:
    """A task of a role that ran, or was left out."""

    name: str
    place: str
    """File and line."""
    kind: str
    """ok, skipped, failed or unreachable."""
    changed: bool
    started: float
    ended: float
    """Seconds since 1970."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What a run left."""

    layers: tuple[Path, ...]
    """The parent's and its own, lowest first."""
    tasks: tuple[TaskRun, ...] = ()
    exchanges: tuple[Exchange, ...] = ()
    """What it asked of servers."""

    @property
    def missed(self) -> tuple[str, ...]:
        """What it asked for and the record does not hold, sorted."""
        return tuple(sorted({item.url for item in self.exchanges if item.origin == "refused"}))

    @property
    def upper(self) -> Path:
        """What it changed."""
        return self.layers[-1]


class RunFailed(Exception):
    """A run did not come to its end; the diagnostic says why."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        super().__init__(diagnostic.what)
        self.diagnostic = diagnostic


@dataclass(frozen=True, kw_only=True)
class Ground:
    """Where the runs of a proof take place."""

    parent: Parent
    session: Session
    emit: Emit
    """Hears what the runs print."""
    within_s: float = 1800.0
    """How long a run may take."""
    recordings: Recordings | None = None
    """Answers of servers: a run that records adds to them, all others get nothing else. None: there is no way to servers."""


def run_scripts(
    scripts: Sequence[Script], environment: Mapping[str, str], ground: Ground, name: str, *, records: bool = False
) -> Run:
    """Run scripts as Packer does; `records` lets them reach servers for what the record does not hold.

    Raises `RunFailed` when one does not end with exit code 0, or not in time.
    """
    with ground.session.journal.work_directory(ground.session.work) as staging:
        lay_out(scripts, staging)

        def act(machine: Sandbox, context: Context) -> None:
            machine.run(["mkdir", "-p", SCRIPTS])
            machine.put_tree(staging, SCRIPTS)
            given = {**environment, "PACKER_BUILD_NAME": context.name, "PACKER_BUILDER_TYPE": context.type}
            for script in scripts:
                if script.is_entry:
                    _run_script(script, given, machine, context)

        return _run(name, ground, ground.parent.lowers, act, records=records)


def run_role(directory: Path, variables: Mapping[str, str], ground: Ground, name: str, lowers: Sequence[Path] = ()) -> Run:
    """Run the playbook of a role, or a role by itself; `lowers` stand for the parent's layers.

    Raises `RunFailed` with the task that failed.
    """
    component = Ansible()
    with ground.session.journal.work_directory(ground.session.work) as place:
        values, tasks = place / "variables.json", place / "tasks"
        values.write_text(json.dumps(dict(variables)))
        values.chmod(0o600)
        config = AnsibleConfig(
            playbook_file=str(_playbook(directory, place)),
            extra_arguments=("-e", f"@{values}"),
            ansible_env_vars=(f"GOLDSMITH_TASKS={tasks}",),
        )

        def act(machine: Sandbox, context: Context) -> None:
            component.check(config, context)
            component.run(config, machine, replace(context, cwd=directory, root=directory))

        with component.tools(config, _context(name, ground, place)) as shown:
            run = _run(name, ground, lowers or ground.parent.lowers, act, shown)
        return replace(run, tasks=tuple(_tasks(tasks)))


def _run(
    name: str,
    ground: Ground,
    lowers: Sequence[Path],
    act: Callable[[Sandbox, Context], None],
    shown: Mapping[str, Path] | None = None,
    *,
    records: bool = False,
) -> Run:
    session = ground.session
    directory = session.work / f"run-{name}-{secrets.token_hex(3)}"
    upper, work = directory / "upper", directory / "work"
    for path in (upper, work):
        path.mkdir(parents=True)
    proxy = _proxy(ground, directory / "proxy", lowers, records)
    try:
        with (
            session.cancellation.within(ground.within_s) as token,
            Sandbox(
                lowers,
                upper,
                directory / "sandbox",
                journal=session.journal,
                network=proxy or "none",
                binds=shown,
                shared_caches=ground.parent.caches,
                epoch=ground.parent.epoch or None,
            ) as machine,
        ):
            act(machine, replace(_context(name, ground, work), cancellation=token))
    except MachineError as error:
        raise RunFailed(error.diagnostics[0]) from error
    except TimeoutError as error:
        raise RunFailed(_too_long(ground.within_s)) from error
    return Run(layers=(*lowers, upper), exchanges=tuple(proxy.exchanges) if proxy else ())


def _proxy(ground: Ground, work: Path, lowers: Sequence[Path], records: bool) -> Proxy | None:
    if ground.recordings is None:
        return None
    work.mkdir(mode=0o700)
    return Proxy(ground.recordings, work, fetches=records, trees=tuple(lowers))


def _context(name: str, ground: Ground, work: Path) -> Context:
    session = ground.session
    return Context(
        build="proof",
        type="proof",
        name="proof",
        root=work,
        cwd=work,
        work=work,
        emit=ground.emit,
        cancellation=session.cancellation,
        run_uuid=session.run_uuid,
        clock_s=session.clock_s,
        cache=session.cache,
        journal=session.journal,
        logs=session.state.logs,
    )


def _run_script(script: Script, given: Mapping[str, str], machine: Sandbox, context: Context) -> None:
    last: list[str] = []
    show = printed(context)

    def output(stream: Literal["out", "err"], line: str) -> None:
        last[:] = [*last[1 - _LAST_LINES :], line]
        show(stream, line)

    code = machine.run([*_BY_SHELL, f"{SCRIPTS}/{script.path}"], env=given, output=output, cancellation=context.cancellation)
    if code:
        raise RunFailed(
            Diagnostic(
                code="proof.script-failed",
                what=f'"{script.path}" failed: {exit_fault(code, (0,))}',
                why="\n".join(["it said last:", *last]) if last else "it said nothing",
                next="What does not run to its end proves nothing: correct the script, or give it by -env what it lacks.",
            )
        )


def _playbook(directory: Path, place: Path) -> Path:
    """The playbook of a directory; one that has the role by itself, where it is a role."""
    written = directory / "playbook.yml"
    if written.is_file():
        return written.resolve()
    made = place / "playbook.yml"
    made.write_text(json.dumps([{"hosts": "all", "gather_facts": True, "roles": [str(directory.resolve())]}]))
    return made


def _tasks(path: Path) -> Iterator[TaskRun]:
    if path.is_file():
        for line in path.read_text(encoding="utf-8").splitlines():
            yield TaskRun(**json.loads(line))


def _too_long(seconds: float) -> Diagnostic:
    return Diagnostic(
        code="proof.timeout",
        what=f"a run did not end within {seconds:g} seconds",
        why="it waits for something that does not come, or loops",
        next="Find the line with goldsmith trace; what waits for a service belongs to the first boot.",
    )
