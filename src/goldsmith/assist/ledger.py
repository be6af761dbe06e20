"""The effect ledger: a script runs once in a sandbox, and each of its commands is told with what it changed."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from goldsmith.assist.changes import Watch
from goldsmith.assist.commands import Place
from goldsmith.assist.downloads import Download, downloads_of
from goldsmith.assist.effects import Effect, words_of
from goldsmith.assist.parent import Parent
from goldsmith.assist.proxy import Proxy
from goldsmith.assist.redact import SHORTEST_ELSEWHERE, Redactor
from goldsmith.assist.script_set import lay_out
from goldsmith.assist.secret_places import is_credential
from goldsmith.assist.shell import BASH, POSIX, Script, interpreter
from goldsmith.assist.summaries import Observer
from goldsmith.assist.tracing import PRELUDE, SCRIPTS, TRACE, Step, Tracer
from goldsmith.hcl.diagnostics import Diagnostic, MachineError, UserError
from goldsmith.hcl.redaction import redacted, redacted_diagnostics
from goldsmith.machines import Journal, Sandbox
from goldsmith.machines.cancellation import Cancellation, Cancelled
from goldsmith.machines.machine import OutputSink

PATIENCE_S = 300.0
"""How long a command, or a loop, may go on without changing a file or reaching a command that did not run before."""

_BESIDE = ("tmp", "run")
"""Places of a sandbox that are no part of an image; what a script does there is told all the same."""
_PRELUDE = "/run/goldsmith/prelude.bash"
_OURS = "run/goldsmith"
_REBOOTS = frozenset({"reboot", "shutdown", "poweroff", "halt", "kexec"})
_ESSENTIAL = frozenset({"/bin", "/etc", "/lib", "/sbin", "/usr", "/usr/bin", "/usr/lib", "/usr/sbin", "/var"})
_KILLED = 137
"""The exit code of what was ended by force: 128 + SIGKILL."""
_LONGEST = 100


@dataclass(frozen=True, kw_only=True)
class Ledger:
    """What a set of scripts did on a parent, in order."""

    parent: str
    scripts: tuple[str, ...]
    effects: tuple[Effect, ...]
    exit_code: int
    """Of the script that ran last: the first that fails ends the set."""
    downloads: tuple[Download, ...] = ()
    """What was asked of servers, in order; empty without a way to them."""
    faults: tuple[Diagnostic, ...] = ()
    """Why the set did not run to its end, or not as it would on a machine that boots."""
    posix: tuple[str, ...] = ()
    """Scripts for another shell (dash, busybox), which bash ran in its POSIX mode."""
    seconds: float = 0.0
    own_s: float = 0.0
    """How much of it the looking took."""

    @property
    def is_complete(self) -> bool:
        """Whether every script ran to its end."""
        return self.exit_code == 0 and not self.faults

    def at(self, place: Place, name: str = "") -> tuple[Effect, ...]:
        """What a command of a script did, each time that it ran. `name` tells commands on the same lines apart."""
        here = [effect for effect in self.effects if effect.site.file == place.file and _is_within(effect.site.line, place)]
        named = [effect for effect in here if name and name in words_of(effect.command)]
        return tuple(named or here)

    def blame(self, path: str) -> tuple[Effect, ...]:
        """The commands that changed a path, or removed a directory above it; the last one first."""
        return tuple(effect for effect in reversed(self.effects) if _reaches(effect, path))

    def ran(self, file: str) -> frozenset[int]:
        """The lines of a script at which a command ran."""
        return frozenset(effect.site.line for effect in self.effects if effect.site.file == file)


@dataclass(frozen=True, kw_only=True)
class TraceOptions:
    """How scripts are run."""

    environment: Mapping[str, str] = field(default_factory=dict)
    patience_s: float = PATIENCE_S
    proxy: Proxy | None = None
    """The way to servers; none without it."""
    output: OutputSink | None = None


def trace(
    scripts: Sequence[Script], parent: Parent, options: TraceOptions, journal: Journal, work: Path, cancellation: Cancellation
) -> Ledger:
    """Run scripts, one after the other, in a sandbox on `parent`, and tell what each command changed.

    `work` is an empty directory; what the scripts changed is in its `upper` afterwards, for who wants to look at it. Neither
    the parent nor the host is changed. A script that fails, hangs or removes the system under itself gives a ledger that says
    so. Raises `UserError` for what is no shell script, `MachineError` where bash is missing or no sandbox can be made.
    """
    entries = [script for script in scripts if script.is_entry]
    posix = {script.path: _is_posix(script) for script in entries}
    upper, pipes, staged = (work / name for name in ("upper", "pipes", "scripts"))
    upper.mkdir()
    pipes.mkdir()
    lay_out(scripts, staged)
    secrets = _secrets(scripts, options.environment)
    stopping = cancellation.child()
    started = time.monotonic()
    with Sandbox(
        parent.lowers,
        upper,
        work / "sandbox",
        journal=journal,
        network=options.proxy or "none",
        binds={TRACE: pipes, _PRELUDE: PRELUDE},
        shared_caches=parent.caches,
        epoch=parent.epoch or None,
    ) as sandbox:
        _need_bash(sandbox, parent)
        sandbox.put_tree(staged, SCRIPTS)
        beside = {name: sandbox.place(f"/{name}") for name in _BESIDE}
        names = {script.path: script.path for script in scripts}
        observer = Observer(upper, parent.lowers)
        with (
            Watch(upper, parent.lowers, beside, _OURS, sandbox.place("/")) as watch,
            Tracer(pipes, watch, observer, names, options.patience_s, stopping) as tracer,
        ):
            if options.proxy is not None:
                options.proxy.listener = tracer.reached
            code, faults = _run(entries, posix, sandbox, tracer, options, cancellation, stopping, secrets)
    effects = tuple(_effect(number, step) for number, step in enumerate(tracer.steps, 1))
    downloads = _downloads(options.proxy, effects, scripts) if options.proxy is not None else ()
    return Ledger(
        parent=parent.name,
        scripts=tuple(posix),
        effects=tuple(_told(effect, downloads, secrets) for effect in effects),
        downloads=tuple(replace(item, url=redacted(item.url, secrets)) for item in downloads),
        exit_code=code,
        faults=redacted_diagnostics((*faults, *_disasters(effects)), secrets),
        posix=tuple(name for name, is_posix in posix.items() if is_posix),
        seconds=time.monotonic() - started,
        own_s=tracer.own_s,
    )


def _is_posix(script: Script) -> bool:
    """Whether a script is for another shell than bash. Raises `UserError` for what is no shell script."""
    if b"\0" in script.text:
        raise _no_script(script, "it has NUL bytes in it, as programs have")
    name, _ = interpreter(script.text)
    if name not in BASH | POSIX:
        raise _no_script(script, f'its first line names "{name}"')
    return name not in BASH


def _no_script(script: Script, why: str) -> UserError:
    what = f'"{script.path}" is no shell script'
    next = "Name scripts for bash, dash or sh."
    return UserError(Diagnostic(code="trace.no-script", what=what, why=why, next=next))


def _need_bash(sandbox: Sandbox, parent: Parent) -> None:
    if sandbox.run(["bash", "-c", "((BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1] >= 402))"]) != 0:
        raise MachineError(
            Diagnostic(
                code="trace.no-bash",
                what=f'"{parent.name}" has no bash of version 4.2 or later',
                why="commands are followed by a trap that other shells do not have",
                next="Trace on an image with bash, or install it there; the proof of a conversion does not need it.",
            )
        )


# ── running ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _run(
    scripts: Sequence[Script],
    posix: Mapping[str, bool],
    sandbox: Sandbox,
    tracer: Tracer,
    options: TraceOptions,
    cancellation: Cancellation,
    stopping: Cancellation,
    secrets: Sequence[str],
) -> tuple[int, list[Diagnostic]]:
    """The exit code of the last script that ran, and why the others did not."""
    for script in scripts:
        name, last = script.path, _LastLines(options.output, secrets)
        environment = {"BASH_ENV": _PRELUDE, "GOLDSMITH_TRACE": TRACE} | ({"GOLDSMITH_POSIX": "1"} if posix[name] else {})
        flags = interpreter(script.text)[1] + script.flags
        command = ["bash", *([f"-{flags}"] if flags else []), f"{SCRIPTS}/{name}", *(script.arguments or ())]
        given = {**options.environment, **script.environment, **environment}
        tracer.begin()
        try:
            code = sandbox.run(command, env=given, output=last, cancellation=stopping)
        except Cancelled:
            cancellation.check()
            tracer.finish(_KILLED)
            return _KILLED, [_endless(tracer, options.patience_s)]
        tracer.finish(code)
        if code:
            return code, [_failed(name, code, tracer.steps, last.lines, options)]
    return 0, []


class _LastLines:
    """Passes on what a script says, and keeps the end of it for a message."""

    def __init__(self, sink: OutputSink | None, secrets: Sequence[str]) -> None:
        self.lines: list[str] = []
        self._sink = sink
        self._secrets = secrets

    def __call__(self, stream: Literal["out", "err"], line: str) -> None:
        self.lines = [*self.lines[-7:], line]
        if self._sink is not None:
            self._sink(stream, redacted(line, self._secrets))


def _failed(name: str, code: int, steps: Sequence[Step], said: Sequence[str], options: TraceOptions) -> Diagnostic:
    last = next((step for step in reversed(steps) if step.site.file == name and not step.is_control), None)
    place = f"; the last command was {last.site}: {_short(last.command)}" if last is not None else ""
    return Diagnostic(
        code="trace.script-failed",
        what=f'"{name}" ended with exit code {code}{place}',
        why="\n".join(said),
        next="It must run to its end on this parent: give what it needs with -env, "
        f"{'' if options.proxy else 'let it reach servers with -network=record, '}or choose another parent.",
    )


def _endless(tracer: Tracer, patience_s: float) -> Diagnostic:
    step = tracer.stuck
    place = f"{step.site}: {_short(step.command)}" if step is not None else "a command"
    return Diagnostic(
        code="trace.no-end",
        what=f"{place} was ended: nothing new happened for {patience_s:.0f} s",
        why="it waits for what does not come in a sandbox, such as a service or an answer, or it is a loop without end",
        next="Let it run at first boot or in a virtual machine, or give it more time with -patience.",
    )


def _disasters(effects: Sequence[Effect]) -> list[Diagnostic]:
    """What ends a machine, or would: the rest of the script then ran as it would on none."""
    found = []
    for effect in effects:
        words = words_of(effect.command)
        if words and (words[0] in _REBOOTS or (words[0] == "systemctl" and not _REBOOTS.isdisjoint(words[1:2]))):
            found.append(
                Diagnostic(
                    code="trace.reboot",
                    what=f"{effect.site} starts the machine anew: {_short(effect.command)}",
                    why="a sandbox has none to start, so what follows ran without it",
                    next="Split the script there, and run the rest at first boot or in a virtual machine.",
                )
            )
        if gone := _ESSENTIAL & set(effect.removed):
            found.append(
                Diagnostic(
                    code="trace.root-removed",
                    what=f"{effect.site} removed {', '.join(sorted(gone))}: {_short(effect.command)}",
                    why="nothing that follows can work without it",
                    next="Correct the script; what it removed was a copy, and is still there.",
                )
            )
    return found


# ── effects ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _effect(number: int, step: Step) -> Effect:
    changes = step.changes
    return Effect(
        id=number,
        command=step.command,
        site=step.site,
        calls=step.calls,
        expanded=step.expanded,
        rc=step.rc,
        is_control=step.is_control,
        seconds=step.seconds,
        added=changes.added,
        changed=changes.changed,
        removed=changes.removed,
        summary=step.summary,
        approximate=tuple(sorted(step.doubts)),
    )


def _downloads(proxy: Proxy, effects: Sequence[Effect], scripts: Sequence[Script]) -> tuple[Download, ...]:
    contents = {answer.sha256: proxy.recordings.path(answer) for answer in proxy.recordings.answers()}
    return downloads_of(proxy.exchanges, effects, scripts, contents)


def _told(effect: Effect, downloads: Sequence[Download], secrets: Sequence[str]) -> Effect:
    """The effect with what it downloaded, and without secrets."""
    urls = tuple(dict.fromkeys(redacted(item.url, secrets) for item in downloads if item.effect == effect.id))
    command, expanded = redacted(effect.command, secrets), redacted(effect.expanded, secrets)
    return replace(effect, urls=urls, command=command, expanded=expanded)


def _secrets(scripts: Sequence[Script], environment: Mapping[str, str]) -> tuple[str, ...]:
    """What stands as a secret in the scripts, or is given under the name of one; short ones would be a part of any word."""
    redactor = Redactor()
    for script in scripts:
        redactor.redact(script.text.decode(errors="replace"), script.path)
        for name, value in {**environment, **script.environment}.items():
            if is_credential(name):
                redactor.redact(value, name, whole=True)
    return tuple(item.value for item in redactor.hidden if len(item.value) >= SHORTEST_ELSEWHERE)


def _is_within(line: int, place: Place) -> bool:
    # Inside of $( ) bash counts one line too many for what stands on the second line and after it.
    return place.line <= line <= place.end_line


def _reaches(effect: Effect, path: str) -> bool:
    return path in effect.touched or any(path.startswith(f"{removed}/") for removed in effect.removed)


def _short(command: str) -> str:
    first, _, more = command.partition("\n")
    return f"{first[:_LONGEST]} …" if more or len(first) > _LONGEST else first
