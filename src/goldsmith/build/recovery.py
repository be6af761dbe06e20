"""What happens when a step fails: clean up, abort, ask, or run the error-cleanup-provisioner (`-on-error`)."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

from goldsmith.components import Context
from goldsmith.events import Output
from goldsmith.hcl.diagnostics import GoldsmithError


class Recovery(StrEnum):
    """What is to be done about a failed step."""

    CLEANUP = "cleanup"
    """Run the error-cleanup-provisioner, then remove everything."""
    ABORT = "abort"
    """Leave everything as it is."""
    CLEANUP_PROVISIONER = "run-cleanup-provisioner"
    """Run the error-cleanup-provisioner, then leave everything as it is."""
    RETRY = "retry"
    """Run the failed step once more."""

    @property
    def keeps(self) -> bool:
        """Whether the machine's files stay for a person to look at."""
        return self in (Recovery.ABORT, Recovery.CLEANUP_PROVISIONER)


def attempted(
    step: str,
    act: Callable[[], bool],
    context: Context,
    clean_up: Callable[[], object] | None,
    *,
    keep: Callable[[], object] | None = None,
    explain: Callable[[GoldsmithError], GoldsmithError] = lambda error: error,
) -> bool:
    """Do what a step does, again while the person wants to retry it; returns what `act` returns.

    When it fails for good, what `-on-error` wants is done: `keep` is called when the machine's files are to stay. `explain`
    adds to the error what is known of the machine at that moment.
    """
    while True:
        try:
            return act()
        except GoldsmithError as error:
            recovery = decide(step, error, context)
            if recovery is Recovery.RETRY:
                continue
            recover(recovery, step, context, clean_up)
            told = explain(error)
            told.leave = recovery.keeps
            if recovery.keeps and keep is not None:
                keep()
            raise told from error.__cause__


def decide(step: str, error: GoldsmithError, context: Context) -> Recovery:
    """What `-on-error` wants; `ask` asks the person at the terminal and cleans up when there is none."""
    if context.on_error != "ask":
        return Recovery(context.on_error)
    if context.ask is None:
        return Recovery.CLEANUP
    context.emit(Output(build=context.build, text=f'Step "{step}" failed: {error}', kind="error"))
    question = "[c] Clean up and exit, [a] abort without cleanup, or [r] retry step (build may fail even if retry succeeds)? "
    answers = {"c": Recovery.CLEANUP, "a": Recovery.ABORT, "r": Recovery.RETRY}
    while True:
        answer = context.ask(question).strip().lower()
        if answer in answers:
            return answers[answer]


def recover(recovery: Recovery, step: str, context: Context, clean_up: Callable[[], object] | None) -> None:
    """Say and do what `recovery` means, except for the retry; `clean_up` runs the error-cleanup-provisioner."""
    if recovery is Recovery.ABORT:
        _say(context, f'Step "{step}" failed, aborting...')
        return
    _say(context, "Provisioning step had errors: Running the cleanup provisioner, if present...")
    if clean_up is not None:
        clean_up()


def _say(context: Context, text: str) -> None:
    context.emit(Output(build=context.build, text=text, kind="error"))
