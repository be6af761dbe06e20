"""The proof of a conversion: a role that does the same is proven, and no other one is."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from goldsmith.assist.certificate import certify
from goldsmith.assist.divergences import Divergence
from goldsmith.assist.proof import Originals, Proof, Runs, prove, run_originals, weigh
from goldsmith.assist.proxy import Exchange
from goldsmith.assist.recordings import Recordings
from goldsmith.assist.runs import Ground, Run, TaskRun
from goldsmith.evidence import load_or_create_signer, load_public_key, open_bundle, public_path
from goldsmith.evidence.conversion import certificate_beside
from goldsmith.hcl.diagnostics import UserError
from goldsmith.images.merge import copy_layer
from goldsmith.provisioners.ansible import find_ansible
from tests.assist.debian_tree import debian_parent
from tests.assist.proof_workbench import HANDLERS, SCRIPT, TASKS, claim_of, convert_and_prove, ground_on, named, write_role

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_ansible() is None, reason="ansible-playbook is not installed"),
]
TODAY = date(2026, 11, 26)
SCRIPTS = Path(__file__).with_name("scripts")


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    place = tmp_path_factory.mktemp("proof")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GOLDSMITH_CACHE", str(place / "cache"))
        with ground_on(debian_parent(place / "tree"), place) as ground:
            yield ground
    shutil.rmtree(place, ignore_errors=True)


@pytest.fixture(scope="module")
def originals(ground: Ground) -> Originals:
    return run_originals(claim_of(SCRIPT, Path()), ground)


def test_a_role_that_does_the_same_is_proven_and_certified(ground: Ground, tmp_path: Path) -> None:
    claim = claim_of(SCRIPT, write_role(tmp_path / "role", named(TASKS)))

    proof = prove(claim, ground, today=TODAY)

    assert (proof.verdict, proof.shortcomings, proof.findings) == ("proven", (), ())
    assert proof.examined > 4000
    assert proof.classes["semantic"] == 1  # the hash of a password
    assert [task.name for task in proof.tasks if task.changed] == [*(f"app : {name}" for name in TASKS), "app : Ldconfig"]
    signer = load_or_create_signer(tmp_path / "a.key")
    path = certify(proof, claim, ground, signer)
    assert path is not None
    told = open_bundle(path.read_bytes(), [load_public_key(public_path(tmp_path / "a.key"))]).statement.predicate
    assert (told["verdict"], told["second_run"]) == ("proven", {"changed": 0, "paths": 0})
    assert "correct-horse" not in path.read_text()
    assert certificate_beside(claim.role / "playbook.yml") is not None

    refused = replace(proof, verdict="refused")
    assert certify(refused, claim, ground, signer) is None
    assert not path.exists()


# All of them take minutes: `python -m benchmarks.proofs`.
@pytest.mark.parametrize("name", ["09-touch-links", "17-installers"])
def test_what_is_converted_is_proven(name: str, ground: Ground, tmp_path: Path) -> None:
    proof, shares = convert_and_prove(SCRIPTS / f"{name}.sh", ground, tmp_path / "role")

    assert (proof.verdict, proof.shortcomings) == ("proven", ())
    assert shares and "shell" not in shares


def test_a_wrong_role_is_refused_with_its_task_and_a_diff(ground: Ground, originals: Originals, tmp_path: Path) -> None:
    tasks = json.loads(json.dumps(TASKS))
    tasks["Set the port"]["ansible.builtin.lineinfile"]["line"] = "port = 8081"
    tasks["Lie"] = {"ansible.builtin.shell": "date +%s%N > /srv/app/stamp", "changed_when": False}
    claim = claim_of(SCRIPT, write_role(tmp_path / "role", named(tasks)))

    proof = prove(claim, ground, today=TODAY, originals=originals)

    assert proof.verdict == "refused"
    found = {finding.judged.difference.shown: finding for finding in proof.findings}
    assert set(found) == {"/etc/toold.conf", "/srv/app/stamp"}
    assert found["/etc/toold.conf"].task.startswith("app : Set the port (")
    assert {"-port = 8080", "+port = 8081"} <= set(found["/etc/toold.conf"].diff)
    assert found["/srv/app/stamp"].task.startswith("app : Lie (")
    assert proof.second.changed == ()
    assert [item.shown for item in proof.second.paths] == ["/srv/app/stamp"]
    assert "the second run changes 1 path by app : Lie: /srv/app/stamp" in proof.shortcomings


def test_what_does_not_run_proves_nothing(ground: Ground, originals: Originals, tmp_path: Path) -> None:
    role = write_role(tmp_path / "role", [{"name": "Break", "ansible.builtin.command": "false"}])

    broken = prove(claim_of(SCRIPT, role), ground, originals=originals)

    assert broken.verdict == "refused"
    assert broken.fault is not None
    assert 'the task "app : Break" failed' in broken.fault.why
    with pytest.raises(UserError, match="failed") as caught:
        prove(claim_of("#!/bin/sh\necho before\nexit 7\n", role), ground)
    assert caught.value.diagnostics[0].code == "proof.script-failed"
    assert "before" in caught.value.diagnostics[0].why
    with pytest.raises(UserError) as caught:
        prove(claim_of("#!/bin/sh\nsleep 60\n", role), replace(ground, within_s=0.3))
    assert caught.value.diagnostics[0].code == "proof.timeout"


def chown(path: Path, uid: int, gid: int) -> None:
    os.chown(path, uid, gid, follow_symlinks=False)


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def write(path: Path, text: str, mode: int = 0o644) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)


def relink(path: Path, target: str) -> None:
    path.unlink()
    path.symlink_to(target)


UNIT = "etc/systemd/system/multi-user.target.wants/toold.service"
WRONG: dict[str, Callable[[Path], object]] = {
    "another mode": lambda tree: (tree / "srv/app").chmod(0o755),
    "setuid": lambda tree: (tree / "srv/app/run.sh").chmod(0o4755),
    "another owner": lambda tree: chown(tree / "srv/app", 0, 0),
    "another group": lambda tree: chown(tree / "srv/app", (tree / "srv/app").stat().st_uid, 0),
    "another byte": lambda tree: edit(tree / "srv/app/run.sh", "exec tool\n", "exec tool \n"),
    "another port": lambda tree: edit(tree / "etc/toold.conf", "8080", "8081"),
    "a handler that did not run": lambda tree: (tree / "etc/ld.so.cache").unlink(),
    "an extra file": lambda tree: write(tree / "etc/profile.d/x.sh", ""),
    "an extra empty directory": lambda tree: (tree / "opt/x").mkdir(parents=True),
    "an injected key": lambda tree: write(tree / "root/.ssh/authorized_keys", "ssh-ed25519 AAAA x\n", 0o600),
    "an injected rule of sudo": lambda tree: edit(tree / "etc/sudoers.d/app", "/usr/bin/tool", "ALL"),
    "another password": lambda tree: edit(tree / "etc/shadow", "$", "$$"),
    "another shell": lambda tree: edit(tree / "etc/passwd", "/usr/sbin/nologin\n", "/bin/bash\n"),
    "a member of root's group": lambda tree: edit(tree / "etc/group", "root:x:0:", "root:x:0:app"),
    "another version": lambda tree: edit(tree / "var/lib/dpkg/status", "Version: 2.0-1", "Version: 2.0-2"),
    "asked for by hand": lambda tree: (tree / "var/lib/apt/extended_states").unlink(),
    "a unit that does not start": lambda tree: (tree / UNIT).unlink(),
    "a link elsewhere": lambda tree: relink(tree / "usr/local/bin/app", "/bin/sh"),
    "a program in a cache": lambda tree: write(tree / "var/cache/x", "#!/bin/sh\n", 0o755),
    "a job": lambda tree: write(tree / "etc/cron.d/x", "* * * * * root /bin/sh\n"),
    "a library for all": lambda tree: write(tree / "etc/ld.so.preload", "/srv/x.so\n"),
    "an attribute": lambda tree: os.setxattr(tree / "srv/app/run.sh", "user.x", b"1"),
}
"""What a wrong role would have left: done to the tree of the right one, because a run of each takes seconds."""


def test_every_wrong_tree_is_refused(ground: Ground, originals: Originals, tmp_path: Path) -> None:
    claim = claim_of(SCRIPT, write_role(tmp_path / "role", named(TASKS), HANDLERS))
    parent = originals.first.layers[:-1]
    done = (TaskRun(name="all", place="", kind="ok", changed=False, started=0, ended=0),)

    def verdict(wrong: Callable[[Path], object] | None, name: str) -> Proof:
        upper = tmp_path / name
        copy_layer(originals.first.upper, upper)
        if wrong is not None:
            wrong(upper)
        role = Run(layers=(*parent, upper), tasks=done)
        return weigh(claim, ground, Runs(originals=originals, role=role, role_again=role), TODAY)

    assert verdict(None, "right").verdict == "proven"
    for number, (name, wrong) in enumerate(WRONG.items()):
        proof = verdict(wrong, str(number))
        assert (proof.verdict, bool(proof.findings)) == ("refused", True), name
        assert "$6$" not in "".join(line for finding in proof.findings for line in (*finding.diff, *finding.judged.facts)), name


def test_nothing_is_proven_without_tasks_replay_or_answers(ground: Ground, originals: Originals, tmp_path: Path) -> None:
    claim = claim_of(SCRIPT, write_role(tmp_path / "role", named(TASKS)))
    done = (TaskRun(name="all", place="", kind="ok", changed=False, started=0, ended=0),)
    silent, told = originals.first, replace(originals.first, tasks=done)
    runs = Runs(originals=originals, role=told, role_again=told)

    assert weigh(claim, ground, replace(runs, role_again=silent)).shortcomings == ("the role reported no task",)
    loud = replace(told, tasks=(replace(done[0], changed=True),))
    assert weigh(claim, ground, replace(runs, role_again=loud)).verdict == "refused"
    asked = Exchange(method="GET", url="http://a.test/x", status=502, origin="refused")
    recorded = replace(ground, recordings=Recordings(tmp_path / "recordings"))
    greedy = replace(told, exchanges=(asked,))
    assert weigh(claim, recorded, replace(runs, role=greedy)).verdict == "refused"
    restless = replace(originals, again=replace(originals.again, exchanges=(asked,)))
    assert weigh(claim, recorded, replace(runs, originals=restless)).verdict == "partial"

    copy_layer(originals.first.upper, tmp_path / "stamped")
    (tmp_path / "stamped/srv/app/run.sh").chmod(0o644)
    for name in ("stamp", "stamp2"):
        write(tmp_path / f"stamped/etc/{name}", "2")
    copy_layer(tmp_path / "stamped", tmp_path / "first")
    for name in ("stamp", "stamp2"):
        write(tmp_path / f"first/etc/{name}", "1")
    first, again = (Run(layers=(*silent.layers[:-1], tmp_path / name), tasks=done) for name in ("first", "stamped"))
    unsteady = Runs(originals=Originals(first=first, again=again), role=again, role_again=again)
    assert weigh(claim, ground, unsteady, TODAY).verdict == "partial"
    answer = Divergence(path="/etc/stamp*", reason="the day of the build", owner="ops", expires=TODAY)
    assert weigh(replace(claim, divergences=(answer,)), ground, unsteady, TODAY).verdict == "proven"
