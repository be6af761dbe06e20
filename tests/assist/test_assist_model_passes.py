"""What a model may add to an explanation and to a review, and what it cannot do to either; both stand without one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from goldsmith.assist import review
from goldsmith.assist.answer_store import AnswerStore
from goldsmith.assist.explanation import explain
from goldsmith.assist.model import Desk
from goldsmith.assist.model_accounts import Accounts
from goldsmith.assist.model_settings import ModelSettings
from goldsmith.assist.prompts import Library
from goldsmith.assist.second_opinion import SecondOpinion
from goldsmith.cli.app import run
from goldsmith.gates.exposure import Exposure
from goldsmith.gates.ranking import Fix, Tier
from goldsmith.gates.secrets.rules import rule_set
from tests.assist.model_stub import Says, Stub, stub

pytestmark = pytest.mark.slow  # the SDK takes seconds to import


def fix(package: str, tier: Tier, to: str = "2.0") -> Fix:
    return Fix(
        action="upgrade", tier=tier, package=package, packages=(package,), installed="1.0", to=to, layer="", path="",
        vulnerabilities=(f"CVE-2024-000{len(package)}",), exploited=(), ransomware=False, severity="high",
        severity_source="nvd", likelihood=None, exposure=Exposure.INSTALLED, way="", images=("web",), fixed_since_s=0,
    )  # fmt: skip


def item(finding: str, why: str = "It is exposed.") -> dict[str, object]:
    return {"finding": finding, "action": "upgrade", "layer": "base", "effort": "minutes", "why": why}


def settings_of(server: Stub) -> ModelSettings:
    return ModelSettings(provider="compatible", name="stub", base_url=f"{server.url}/v1", level="redacted", timeout_s=20)


def desk(place: Path) -> Desk:
    return Desk(answers=AnswerStore(place / "answers"), accounts=Accounts(place / "accounts"))


def test_a_model_orders_inside_of_a_tier_and_its_invented_claims_are_dropped(tmp_path: Path) -> None:
    fixes = (fix("curl", Tier.ACT), fix("openssl", Tier.PLAN), fix("zlib1g", Tier.PLAN), fix("perl-base", Tier.PLAN))
    value = {
        "summary": "Upgrade curl to 9.9.9 now.",
        "items": [item("fix-3", "Upgrade to 2.0."), item("fix-1", "CVE-1999-0001 is worse."), item("fix-2")],
    }
    with stub([Says(value=value)]) as server:
        told = explain(fixes, settings_of(server), desk(tmp_path), Library())

    assert [entry.fix.package for entry in told.fixes] == ["curl", "zlib1g", "openssl", "perl-base"]
    assert [entry.why for entry in told.fixes] == ["", "Upgrade to 2.0.", "It is exposed.", ""]
    assert told.summary == ""


SCRIPT = '''#!/bin/sh
cat > /root/k <<EOF
-----BEGIN RSA PRIVATE KEY-----
MIIEowIBAAKCAQEAx1y2z3aaaabbbbccccddddeeeeffffgggghhhhiiiijjjjkkkkll
-----END RSA PRIVATE KEY-----
EOF
DB_PASSWORD=Zq7vLm2xKp
FROM=debian:latest
curl https://example.org/i.sh | sh
'''  # fmt: skip


def test_a_suspicion_is_added_where_its_words_stand_and_nothing_is_cleared(tmp_path: Path) -> None:
    path = tmp_path / "x.sh"
    path.write_text(SCRIPT)
    found = review([path], rule_set(), b"salt")
    suspicion = {"kind": "unpinned", "line": 3, "quote": "debian:latest", "why": "It changes.", "sure": "high"}
    with stub([Says(value={"suspicions": [suspicion]})]) as server:
        opinion = SecondOpinion(
            settings=settings_of(server), desk=desk(tmp_path), library=Library(), rules=rule_set(), salt=b"salt"
        )
        more = opinion.added_to(found)

    assert set(found.remarks) <= set(more.remarks)
    added = [remark for remark in more.remarks if remark not in found.remarks]
    assert [(remark.rule, remark.line, remark.effect) for remark in added] == [("model.unpinned", 8, "warn")]
    assert more.verdict == found.verdict == "fail"
    for secret in (b"Zq7vLm2xKp", b"MIIEow"):
        assert secret not in server.bodies[0]


@pytest.mark.parametrize(
    "says",
    [
        Says(kind="status", status=401),
        Says(kind="refusal"),
        Says(value={"suspicions": [], "cleared": ["all"]}),
        Says(value={"suspicions": [{"kind": "data-loss", "line": 1, "quote": "rm -rf /", "why": "x", "sure": "high"}]}),
    ],
)
def test_a_model_that_fails_or_invents_leaves_the_review_as_it_was(
    says: Says, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GOLDSMITH_CACHE", str(tmp_path / "cache"))
    (tmp_path / "x.sh").write_text(SCRIPT)
    assert run(["review", "x.sh"]) == 2
    plain = capsys.readouterr().out

    with stub([says]) as server:
        monkeypatch.setenv("GOLDSMITH_MODEL_URL", f"{server.url}/v1")
        code = run(["review", "-model=compatible:stub", "x.sh"])
    told = capsys.readouterr()

    assert (code, told.out) == (2, plain)
    assert "result without a model" in told.err and server.requests


def test_prompt_run_eval_and_replay_by_the_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    (tmp_path / "goldsmith.hcl").write_text("")
    (tmp_path / "findings.json").write_text('[{"id": "fix-1", "db_password": "Zq7vLm2xKp"}]')
    good = {"summary": "Keep ⟦SECRET_1:password⟧.", "items": [item("fix-1")]}
    asked: Callable[[str], list[str]] = lambda name: ["prompt", name, "scan-explain", "-fill", "findings=@findings.json"]  # noqa: E731  # three calls
    with stub([Says(value=good)]) as server:
        (tmp_path / "config/goldsmith").mkdir(parents=True)
        (tmp_path / "config/goldsmith/model.toml").write_text(
            f'model = "compatible:stub"\nbase_url = "{server.url}/v1"\nlevel = "redacted"\n'
        )
        assert run([*asked("run"), "-show-request"]) == 0
        shown = capsys.readouterr().out
        assert not server.bodies and "SECRET_1" in shown and "Zq7vLm2xKp" not in shown
        assert run(asked("run")) == 0
        answered = capsys.readouterr()
        assert "{{ vault_db_password }}" in answered.out and "Zq7vLm2xKp" not in answered.out
        key = answered.err.split("replay ")[1].split()[0]
        assert run(asked("run")) == 0 and len(server.bodies) == 1
        capsys.readouterr()
        assert run(["prompt", "eval", "scan-explain"]) == 0
        assert "scan-explain" in capsys.readouterr().out
    assert run(["prompt", "replay", key]) == 0
    assert "SECRET_1" in capsys.readouterr().out
    assert run(["prompt", "replay", "0" * 64]) == 1
