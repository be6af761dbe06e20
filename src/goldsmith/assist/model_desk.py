"""What of a project a call to a model needs: its answers, its accounts, its audit log, and the values that never leave."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from goldsmith.assist.answer_store import AnswerStore
from goldsmith.assist.model import Desk
from goldsmith.assist.model_accounts import Accounts
from goldsmith.assist.secret_places import is_credential
from goldsmith.gates.contract import KnownSecret
from goldsmith.hcl.diagnostics import GoldsmithError
from goldsmith.project import Project, actor, cache_directory, open_registry
from goldsmith.registry.canonical import JSON
from goldsmith.template import load_options
from goldsmith.template.template import load_leniently


def open_desk(project: Project | None) -> Desk:
    """The desk of a project, or of this host without one. A call is told to the audit log where there is a registry."""
    return Desk(
        answers=answers_of(project),
        accounts=Accounts(_root(project) / "accounts", _log(project) if project is not None and project.has_registry else None),
        known=known_secrets(project),
    )


def answers_of(project: Project | None) -> AnswerStore:
    """The answers that are kept."""
    return AnswerStore(_root(project) / "answers")


def known_secrets(project: Project | None, environment: Mapping[str, str] = os.environ) -> tuple[KnownSecret, ...]:
    """The sensitive values of the project's templates, and what credentials are called in the environment."""
    found = [*_of_environment(environment), *(_of_templates(project) if project is not None else ())]
    return tuple({secret.value: secret for secret in found}.values())


def _root(project: Project | None) -> Path:
    return (project.state.root if project is not None else cache_directory()) / "models"


def _of_environment(environment: Mapping[str, str]) -> Iterator[KnownSecret]:
    for name, value in environment.items():
        if is_credential(name) and value and not Path(value).is_absolute():
            yield KnownSecret(name=name, value=value)


def _of_templates(project: Project) -> Iterator[KnownSecret]:
    for image in project.images.values():
        options = load_options(variable_files=project.variable_files(image), evaluate_data=False)
        try:
            values = load_leniently(image.template, options).secrets
        except GoldsmithError:
            continue  # `validate` tells what is wrong with it; a value that cannot be read is nobody's to send
        for number, value in enumerate(values, 1):
            yield KnownSecret(name=f"sensitive value {number} of {image.name}", value=value)


def _log(project: Project) -> Callable[[Mapping[str, JSON]], None]:
    def log(call: Mapping[str, JSON]) -> None:
        with open_registry(project) as registry:
            registry.note_model_call(call, actor=actor())

    return log
