"""What is known of layers saves looking at their files again, and never hides anything."""

from __future__ import annotations

import gzip
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from goldsmith.events import ignore
from goldsmith.gates.contract import Facts, Finding, KnownSecret, Subject
from goldsmith.gates.secrets import Secrets, SecretsConfig
from goldsmith.images import LayerStore
from goldsmith.images.merge import merge_layers
from goldsmith.machines.cancellation import Cancellation

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="keeping layers needs root")

SECRET = "hand-over-4711/x"
BASE = {
    "etc/app.conf": b"colour = blue\n",
    "srv/word": f"it is {SECRET}\n".encode(),
    "srv/word.gz": gzip.compress(f"it is {SECRET}\n".encode(), mtime=0),
    "srv/ticket": b"ticket-0123456789\n",
    "srv/large": b"nothing\n" * 20_000,
}
RULES = '[[rules]]\nid = "ticket"\nregex = "ticket-[0-9]{10}"\n'


class Bench:
    """Layers, and images that are made of them."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.cache = place / "cache"
        self.store = LayerStore(self.cache / "layers")
        self.count = 0

    def layer(self, files: Mapping[str, bytes]) -> str:
        upper = self.place / "upper"
        for name, content in files.items():
            (upper / name).parent.mkdir(parents=True, exist_ok=True)
            (upper / name).write_bytes(content)
        return self.store.adopt(upper, [], epoch=1_700_000_000).diff_id

    def image(self, *layers: str) -> Subject:
        self.count += 1
        work = self.place / f"work-{self.count}"
        work.mkdir()
        roots = tuple(self.store.path(layer) for layer in layers)
        merge_layers(roots, work / "tree")
        digest = f"sha256:{self.count:064}"
        return Subject(
            image="t",
            disk_digest=digest,
            tree=work / "tree",
            disk=None,
            layers=layers,
            roots=roots,
            work=work,
            cache=self.cache,
            root=self.place,
        )


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def examine(subject: Subject, *secrets: str, rules: Sequence[str] = (), assignments: bool = True) -> Facts:
    known = tuple(KnownSecret(name="s", value=value) for value in secrets)
    config = SecretsConfig(rules=tuple(rules), assignments=assignments)
    return Secrets().examine(replace(subject, known_secrets=known), config, ignore, Cancellation())


def known(facts: Facts) -> int:
    """How many files were known from before."""
    return next((int(told.split()[0]) for told in facts.messages if "files of layers are known" in told), 0)


def paths(findings: Sequence[Finding], rule: str) -> list[str]:
    return [item.path for item in findings if item.rule == rule]


def without_messages(facts: Facts) -> Facts:
    return replace(facts, messages=())


def test_files_of_layers_in_which_nothing_was_found_are_not_examined_again(bench: Bench) -> None:
    base = bench.layer(BASE)

    first, again = examine(bench.image(base)), examine(bench.image(base))
    onto = examine(bench.image(base, bench.layer({"srv/new": b"password = hunter2hunter2\n"})))

    assert (known(first), known(again), known(onto)) == (0, len(BASE), len(BASE))
    assert without_messages(again) == without_messages(first)
    assert paths(onto.findings, "assignment") == ["/srv/new"]


def test_known_secrets_are_always_looked_for(bench: Bench) -> None:
    base = bench.layer(BASE)
    examine(bench.image(base))

    found = examine(bench.image(base), SECRET)

    assert known(found) == len(BASE)
    assert paths(found.findings, "known-secret") == ["/srv/word", "/srv/word.gz"]
    assert without_messages(found) == without_messages(examine(replace(bench.image(base), roots=()), SECRET))


def test_a_file_with_a_finding_is_examined_each_time(bench: Bench) -> None:
    base = bench.layer(BASE | {"srv/key": b"password = hunter2hunter2\n", "root/.pgpass": b"host:1:name:user:word\n"})

    first, again = examine(bench.image(base)), examine(bench.image(base))

    assert known(again) == len(BASE)
    assert paths(again.findings, "assignment") == ["/srv/key"]
    assert paths(again.findings, "pgpass") == ["/root/.pgpass"]
    assert without_messages(again) == without_messages(first)


def test_other_rules_settings_or_code_look_at_everything_again(bench: Bench) -> None:
    base = bench.layer(BASE)
    examine(bench.image(base))
    (bench.place / "rules.toml").write_text(RULES)

    (bench.place / "other.toml").write_text(RULES.replace("{10}", "{9}"))

    ruled = examine(bench.image(base), rules=["rules.toml"])

    assert (known(ruled), paths(ruled.findings, "ticket")) == (0, ["/srv/ticket"])
    assert known(examine(bench.image(base), rules=["other.toml"])) == 0
    assert known(examine(bench.image(base), rules=["other.toml"], assignments=False)) == 0
    assert known(examine(bench.image(base), rules=["other.toml"], assignments=False)) == len(BASE) - 1
    (record,) = (bench.cache / "secrets").iterdir()
    record.write_text(json.dumps(json.loads(record.read_text()) | {"key": "of older code"}))
    assert known(examine(bench.image(base), rules=["other.toml"], assignments=False)) == 0


def test_a_file_that_sealing_changed_is_no_file_of_its_layer(bench: Bench) -> None:
    base = bench.layer(BASE)
    examine(bench.image(base))
    subject = bench.image(base)
    (subject.tree / "etc/app.conf").unlink()
    (subject.tree / "etc/app.conf").write_bytes(b"password = hunter2hunter2\n")

    found = examine(subject)

    assert known(found) == len(BASE) - 1
    assert paths(found.findings, "assignment") == ["/etc/app.conf"]


def test_a_directory_that_is_only_named_like_a_layer_is_not_believed(bench: Bench, tmp_path: Path) -> None:
    base = bench.layer(BASE)
    subject = bench.image(base)
    examine(subject)
    forged = tmp_path / "forged" / base.removeprefix("sha256:")
    shutil.copytree(subject.tree, forged)
    (forged / "etc/app.conf").write_bytes(b"password = hunter2hunter2\n")

    found = examine(replace(subject, tree=forged, roots=(forged,)))

    assert known(found) == 0
    assert paths(found.findings, "assignment") == ["/etc/app.conf"]


@pytest.mark.parametrize("content", ["", "{", "[]", '{"key": 1}', '{"key": "KEY", "files": {"srv/word": 7}}', "\0" * 100])
def test_a_record_that_is_damaged_says_nothing(bench: Bench, content: str) -> None:
    base = bench.layer(BASE)
    examine(bench.image(base))
    (record,) = (bench.cache / "secrets").iterdir()
    record.write_text(content.replace("KEY", json.loads(record.read_text())["key"]))

    assert known(examine(bench.image(base))) == 0
    assert known(examine(bench.image(base))) == len(BASE)


def test_records_of_layers_that_are_gone_are_removed(bench: Bench) -> None:
    first, second = bench.layer(BASE), bench.layer({"srv/other": b"x"})
    examine(bench.image(first))
    bench.store.release(first)
    assert bench.store.remove(first)

    examine(bench.image(second))

    assert [record.name for record in (bench.cache / "secrets").iterdir()] == [second.removeprefix("sha256:")]


def test_what_a_record_tells_is_no_secret(bench: Bench) -> None:
    examine(bench.image(bench.layer(BASE | {"srv/key": b"password = hunter2hunter2\n"})), SECRET)

    (record,) = (bench.cache / "secrets").iterdir()

    assert SECRET not in record.read_text()
    assert not {"srv/key", "srv/word"} & json.loads(record.read_text())["files"].keys()
