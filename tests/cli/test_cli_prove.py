"""`goldsmith convert -prove`: a role is written, tried beside its scripts, and certified or refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from goldsmith.cli.app import run
from goldsmith.provisioners.ansible import find_ansible
from tests.assist.trace_workbench import make_bash_tree

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_ansible() is None, reason="ansible-playbook is not installed"),
]
SCRIPT = '#!/bin/bash -e\nmkdir -m 0750 "/etc/$NAME"\necho "port = 1" > "/etc/$NAME/a.conf"\nchmod 600 "/etc/$NAME/a.conf"\n'


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_bash_tree(tmp_path_factory.mktemp("proven") / "tree")


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GOLDSMITH_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_converted_role_is_proven_and_a_lie_is_refused(tree: Path, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "setup.sh").write_text(SCRIPT)
    command = ["convert", "-o=out", f"-on={tree}", "-prove", "-env=NAME=app", "-key=a.key", "setup.sh"]

    assert run(command) == 0

    shown = capsys.readouterr().out
    assert f"proven on {tree}: of " in shown
    assert "The certificate is in out/evidence/conversion.intoto.json" in shown
    assert (place / "out/evidence/conversion.intoto.json").is_file()

    # What the script does differently each time cannot be proven, and the old certificate does not outlive that.
    (place / "setup.sh").write_text(SCRIPT + 'echo "$RANDOM$RANDOM" > /bin/token\nchmod 755 /bin/token\n')
    assert run([*command[:-1], "-json", "-force", "setup.sh"]) == 2
    told = json.loads(capsys.readouterr().out)["proof"]
    assert (told["verdict"], told["certificate"]) == ("refused", None)
    assert {"/bin/token"} == {item["path"] for item in told["findings"]}
    assert told["findings"][0]["line"].startswith("setup.sh:")
    assert not (place / "out/evidence/conversion.intoto.json").exists()
    assert "path: /bin/token" in (place / "out/divergences.proposed.yml").read_text()


def test_a_proof_needs_a_place_and_scripts_that_run(tree: Path, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "setup.sh").write_text("#!/bin/bash -e\nfalse\n")
    assert run(["convert", "-o=out", "-prove", "setup.sh"]) == 1
    assert "-prove needs -on=IMAGE" in capsys.readouterr().out
    assert run(["convert", "-o=out", "-prove", f"-on={tree}", "setup.sh"]) == 1
    assert "setup.sh" in capsys.readouterr().out
    assert not (place / "out").exists()
