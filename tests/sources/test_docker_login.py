"""Logging in for docker components: with which words, and where the credentials are meanwhile."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from goldsmith.components import Context
from goldsmith.containers import RegistrySettings, logged_in
from goldsmith.hcl.diagnostics import MachineError, UserError

# A program that keeps what it is called with, as an engine that accepts everything would.
ENGINE = """#!/bin/sh
printf '%s\\n' "$*" >> {log}
case "$1" in
    login) cat >> {log}; echo >> {log}; [ "$3" != nobody ] || {{ echo "unauthorized: bad password" >&2; exit 1; }}
           echo '{{}}' > "$DOCKER_CONFIG/config.json" ;;
esac
"""


@pytest.fixture
def log(tmp_path: Path) -> Path:
    log = tmp_path / "log"
    program = tmp_path / "engine"
    program.write_text(ENGINE.format(log=log))
    program.chmod(0o755)
    return log


def settings(tmp_path: Path, user: str = "ann", ecr: bool = False) -> RegistrySettings:
    program = str(tmp_path / "engine")
    return RegistrySettings(
        docker_path=program,
        login=True,
        login_username=user,
        login_password="sesame",
        login_server="registry.example",
        ecr_login=ecr,
    )


def test_the_password_is_no_argument_and_the_log_in_ends_with_the_block(
    tmp_path: Path, log: Path, new_context: Callable[..., Context]
) -> None:
    context = new_context()
    with logged_in(settings(tmp_path), context) as engine:
        place = Path(engine.environment["DOCKER_CONFIG"])
        assert place.stat().st_mode & 0o777 == 0o700
        assert json.loads((place / "config.json").read_text()) == {}

    said = log.read_text().splitlines()
    assert said == ["login --username ann --password-stdin registry.example", "sesame", "logout registry.example"]
    assert not place.exists()


def test_what_the_user_has_set_up_stays_in_force(
    tmp_path: Path, log: Path, new_context: Callable[..., Context], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "home/.docker/contexts").mkdir(parents=True)
    (tmp_path / "home/.docker/contexts/far.json").write_text("{}")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))

    with logged_in(settings(tmp_path), new_context()) as engine:
        assert (Path(engine.environment["DOCKER_CONFIG"]) / "contexts/far.json").exists()

    assert [path.name for path in (tmp_path / "home/.docker").iterdir()] == ["contexts"]


def test_a_registry_that_refuses_is_told_in_its_own_words(
    tmp_path: Path, log: Path, new_context: Callable[..., Context]
) -> None:
    with (
        pytest.raises(MachineError, match="unauthorized: bad password"),
        logged_in(settings(tmp_path, "nobody"), new_context()),
    ):
        pytest.fail("nobody is logged in")

    assert "sesame" not in str(list(Path(new_context().work).glob("docker-login-*")))


def test_a_name_that_is_no_registry_of_amazon_is_refused(
    tmp_path: Path, log: Path, new_context: Callable[..., Context]
) -> None:
    with (
        pytest.raises(UserError, match="is no registry of Amazon"),
        logged_in(settings(tmp_path, ecr=True), new_context()),
    ):
        pytest.fail("nobody is logged in")
