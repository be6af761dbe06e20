"""One provisioner on one machine: pause, time limit, retries and continue_on_error, in Packer's order and words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from goldsmith.components import Context, Provisioner
from goldsmith.events import Output, Warned
from goldsmith.hcl.diagnostics import Diagnostic, GoldsmithError, MachineError
from goldsmith.machines.machine import Machine
from goldsmith.template import ProvisionerUse


def provision(use: ProvisionerUse, machine: Machine, context: Context) -> bool:
    """Run a provisioner with its meta-attributes; returns whether it succeeded.

    With `-debug` a person looks at the machine before. False only with `continue_on_error`. Raises the *first* error when all
    tries failed, as Packer does.
    """
    if context.debug and context.ask is not None:
        context.ask("Pausing before the next provisioner . Press enter to continue. ")
    try:
        _with_retries(use, machine, context)
    except GoldsmithError as error:
        if not use.continue_on_error:
            raise
        context.emit(Warned(build=context.build, text=f'provisioner "{use.type}" failed and is set to continue: {error}'))
        return False
    return True


def materials_of(uses: Sequence[ProvisionerUse], context: Context) -> tuple[Mapping[str, object], ...]:
    """What provisioners tell the provenance of their image."""
    found: list[Mapping[str, object]] = []
    for use in uses:
        component = use.component()
        assert isinstance(component, Provisioner)
        found += component.materials(use.config(context), context)
    return tuple(found)


def _with_retries(use: ProvisionerUse, machine: Machine, context: Context) -> None:
    first: GoldsmithError | None = None
    for left in range(use.max_retries, -1, -1):
        try:
            _once(use, machine, context)
            return
        except GoldsmithError as error:
            first = first or error
            if left:
                _say(context, f'Provisioner failed with "{error}", retrying with {left} trie(s) left')
            elif use.max_retries:
                _say(context, "retry limit reached.")
    assert first is not None
    raise first


def _once(use: ProvisionerUse, machine: Machine, context: Context) -> None:
    if use.pause_before:
        _say(context, f"Pausing {_duration(use.pause_before)} before the next provisioner...")
        context.cancellation.wait(use.pause_before)
        _act(use, machine, context)
    elif use.timeout:
        _say(context, f"Setting a {_duration(use.timeout)} timeout for the next provisioner...")
        _within(use, machine, context, use.timeout)
    else:
        _act(use, machine, context)


def _within(use: ProvisionerUse, machine: Machine, context: Context, seconds: float) -> None:
    try:
        with context.cancellation.within(seconds) as token:
            _act(use, machine, replace(context, cancellation=token))
    except TimeoutError:
        _say(context, "Cancelling provisioner after a timeout...")
        raise MachineError(
            Diagnostic(
                code="provisioner.timeout",
                what=f'provisioner "{use.type}" did not end within {_duration(seconds)}',
                where=use.where,
                next="Raise its timeout, or find out what it waits for in the log.",
            )
        ) from None


def _act(use: ProvisionerUse, machine: Machine, context: Context) -> None:
    component = use.component()
    assert isinstance(component, Provisioner)
    component.run(use.config(context), machine, context)


def _say(context: Context, text: str) -> None:
    context.emit(Output(build=context.build, text=text))


def _duration(seconds: float) -> str:
    whole = int(seconds)
    if seconds != whole:
        return f"{seconds:g}s"
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    parts = (f"{hours}h" if hours else "") + (f"{minutes}m" if hours or minutes else "")
    return f"{parts}{rest}s"
