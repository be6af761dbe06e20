"""A project's desk: its registry hears of every call, and its sensitive values are known before anything leaves."""

from __future__ import annotations

from pathlib import Path

import pytest

from goldsmith.assist.model_accounts import Call
from goldsmith.assist.model_desk import known_secrets, open_desk
from goldsmith.assist.model_settings import ModelSettings, read_model_settings
from goldsmith.hcl.diagnostics import UserError
from goldsmith.project import load_project, open_registry

CALL = Call(
    purpose="test", prompt="p", version="1.0.0", provider="openai", model="m", level="redacted", prompt_hash="a",
    input_hash="b", schema_hash="c", tokens_in=7, outcome="accepted",
)  # fmt: skip


def test_the_audit_log_hears_of_a_call_and_stays_whole(tmp_path: Path) -> None:
    (tmp_path / "goldsmith.hcl").write_text("")
    project = load_project(tmp_path / "goldsmith.hcl")
    open_registry(project).close()

    open_desk(project).accounts.settle("", CALL)

    with open_registry(project) as registry:
        events = registry.events()
        assert [event.type for event in events] == ["model.called"]
        assert (events[0].data["prompt"], events[0].data["tokens_in"], events[0].data["outcome"]) == ("p", 7, "accepted")
        assert registry.check().faults == ()


def test_sensitive_values_of_templates_and_of_the_environment_are_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "goldsmith.hcl").write_text('image "web" {\n  template = "web"\n}\n')
    (tmp_path / "web").mkdir()
    (tmp_path / "web/web.pkr.hcl").write_text(
        'variable "licence" {\n  type      = string\n  sensitive = true\n}\nsource "null" "x" {\n  communicator = "none"\n}\n'
        'build {\n  sources = ["source.null.x"]\n}\n'
    )
    monkeypatch.setenv("PKR_VAR_licence", "four plain words here")

    found = known_secrets(
        load_project(tmp_path / "goldsmith.hcl"), {"SOME_API_KEY": "0123456789", "HOME": "/root", "SECRET_FILE": "x"}
    )

    assert {secret.value for secret in found} == {"four plain words here", "0123456789"}


def environment(place: Path, **variables: str) -> dict[str, str]:
    return {"XDG_CONFIG_HOME": str(place), **variables}


def test_no_model_is_asked_unless_one_is_named(tmp_path: Path) -> None:
    assert read_model_settings("", environment(tmp_path)) is None
    assert read_model_settings("none", environment(tmp_path, GOLDSMITH_MODEL="openai:x")) is None
    assert read_model_settings("", environment(tmp_path, GOLDSMITH_MODEL="openai:x", GOLDSMITH_MODEL_LEVEL="off")) is None


def test_settings_come_from_flag_environment_and_file_in_this_order(tmp_path: Path) -> None:
    (tmp_path / "goldsmith").mkdir()
    (tmp_path / "goldsmith/model.toml").write_text('model = "google:g"\nbudget = 5\ntimeout = 9\n')

    settings = read_model_settings("anthropic:a", environment(tmp_path, GOLDSMITH_MODEL_BUDGET="7", ANTHROPIC_API_KEY="k"))

    assert settings == ModelSettings(
        provider="anthropic", name="a", key_variable="ANTHROPIC_API_KEY", key="k", budget=7, timeout_s=9
    )


@pytest.mark.parametrize(
    ("url", "level"),
    [("http://127.0.0.1:11434/v1", "local"), ("http://localhost/v1", "local"), ("http://[::1]:1/v1", "local"),
     ("https://gateway.example/v1", "redacted"), ("http://127.0.0.1.evil.example/v1", "redacted")],
)  # fmt: skip
def test_what_is_on_this_machine_is_local_and_all_else_is_redacted(url: str, level: str, tmp_path: Path) -> None:
    settings = read_model_settings("compatible:x", environment(tmp_path, GOLDSMITH_MODEL_URL=url))

    assert settings is not None and settings.level == level


@pytest.mark.parametrize(
    "variables",
    [
        {"GOLDSMITH_MODEL": "gpt"},
        {"GOLDSMITH_MODEL": "opanai:x"},
        {"GOLDSMITH_MODEL": "compatible:x"},
        {"GOLDSMITH_MODEL": "openai:x", "GOLDSMITH_MODEL_LEVEL": "loud"},
        {"GOLDSMITH_MODEL": "openai:x", "GOLDSMITH_MODEL_LEVEL": "local"},
        {"GOLDSMITH_MODEL": "openai:x", "GOLDSMITH_MODEL_BUDGET": "much"},
    ],
)
def test_wrong_settings_are_told(variables: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        read_model_settings("", environment(tmp_path, **variables))

    assert caught.value.diagnostics[0].code.startswith("model.")
