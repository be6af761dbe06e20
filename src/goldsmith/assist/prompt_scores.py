"""How often a model's answers to the cases of a prompt pass all checks: a share, never a likeness of texts."""

from __future__ import annotations

from dataclasses import dataclass

from goldsmith.assist.filling import fill
from goldsmith.assist.model import Desk, ask
from goldsmith.assist.model_settings import ModelSettings
from goldsmith.assist.prompt_cases import answer_faults_of, read_cases
from goldsmith.assist.prompts import Prompt
from goldsmith.assist.redact import Redactor
from goldsmith.hcl.diagnostics import MachineError


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """How one model did on one prompt."""

    prompt: str
    version: str
    model: str
    cases: int
    passed: int
    tokens: int
    failed: tuple[tuple[str, str], ...]
    """Cases that were not passed, each with the first reason."""

    @property
    def document(self) -> dict[str, object]:
        """For programs."""
        fields = ("prompt", "version", "model", "cases", "passed", "tokens")
        return {**{name: getattr(self, name) for name in fields}, "failed": [list(item) for item in self.failed]}


def score(prompt: Prompt, settings: ModelSettings, desk: Desk) -> Score:
    """Ask a model every case of a prompt. Raises as `ask` does, except for answers that do not hold."""
    cases = read_cases(prompt)
    failed: list[tuple[str, str]] = []
    tokens = 0
    for case in cases:
        filled = fill(prompt, case.inputs, Redactor(desk.known), hides=settings.level != "full")
        try:
            draft = ask(filled, settings, desk, purpose="prompt eval")
        except MachineError as error:
            if error.diagnostics[0].code != "model.no-answer":
                raise
            failed.append((case.name, error.diagnostics[0].why))
            continue
        tokens += draft.tokens
        faults = list(answer_faults_of(filled, case, dict(draft.value)))
        if faults:
            failed.append((case.name, faults[0]))
    return Score(
        prompt=prompt.id,
        version=prompt.version,
        model=settings.label,
        cases=len(cases),
        passed=len(cases) - len(failed),
        tokens=tokens,
        failed=tuple(failed),
    )
