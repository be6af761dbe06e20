"""Each token format finds what it is for, in a text made from it, and nothing in a text that is almost it."""

from __future__ import annotations

import random
import tomllib
from collections.abc import Mapping
from pathlib import Path

import pytest

from goldsmith.gates.secrets.checksums import CHECKSUMS
from goldsmith.gates.secrets.rules import OWN, rule_set
from goldsmith.hcl.diagnostics import UserError
from tests.gates.planting import CHECKED, text_of, token

RULES: list[Mapping[str, object]] = tomllib.loads(OWN.read_text())["rules"]


def found(text: str, *files: Path) -> set[str]:
    return {item.rule.id for item in rule_set(files).find("srv/file", text.encode())}


def test_there_are_about_two_hundred_formats_each_of_one_name() -> None:
    names = [rule["id"] for rule in RULES]

    assert len(names) == len(set(names))
    assert len(names) >= 200


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: str(rule["id"]))
def test_each_format_is_recognised(rule: Mapping[str, object]) -> None:
    for seed in range(5):
        made = token(rule, random.Random(f"{rule['id']} {seed}"))
        before, after = ("", "\n") if ":" in made or "=" in made else ('setting = "', '" # end\n')
        context = " ".join(str(word) for word in rule["keywords"]) if isinstance(rule["keywords"], list) else ""

        assert rule["id"] in found(f"{context} {before}{made}{after}"), made


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: str(rule["id"]))
def test_a_text_that_is_almost_of_the_format_is_none(rule: Mapping[str, object]) -> None:
    made = token(rule, random.Random(str(rule["id"])))
    middle = len(made) * 2 // 3
    broken = f"{made[:middle]} \x01 {made[middle:]}"

    assert rule["id"] not in found(f'x = "{broken}"\n') or str(rule["id"]).startswith(("url-with", "facebook-token"))


@pytest.mark.parametrize("rule", [rule for rule in RULES if "checksum" in rule], ids=lambda rule: str(rule["id"]))
def test_a_wrong_checksum_makes_it_no_token(rule: Mapping[str, object]) -> None:
    hits = 0
    for seed in range(20):
        chance = random.Random(f"wrong {seed}")
        made = text_of(str(rule["regex"]), chance)
        hits += rule["id"] in found(f"discord {made} \n")
    good = token(rule, random.Random(1))

    assert rule["id"] in found(f"discord {good} \n")
    # An account number has twelve digits of the thirteen that forty bits may give: nine random ids of ten look right.
    assert hits == 0 or rule["checksum"] == "aws-key-id"
    assert set(CHECKED) == set(CHECKSUMS)


def test_aws_key_ids_of_account_numbers_that_cannot_be_are_none() -> None:
    import base64

    impossible = "AKIA" + base64.b32encode(((1 << 40) - 1 << 7 | 1 << 47).to_bytes(6, "big") + b"1234").decode()

    assert "aws-access-key" not in found(f"id = {impossible}\n")


# ── files in the form of gitleaks ──────────────────────────────────────────────────────────────────────────────────────

CORPUS = """
title = "ours"
[allowlist]
paths = ['''srv''']
stopwords = ["sample"]
[[rules]]
id = "own-token"
description = "a token of ours"
regex = '''(?i)own[-_]?token\\s*=\\s*['"]?([a-z0-9]{20})\\b'''
keywords = ["own"]
entropy = 3.0
secretGroup = 1
[[rules.allowlists]]
condition = "AND"
regexTarget = "line"
regexes = ['''#\\s*allowed''']
paths = ['''^srv/''']
[[rules]]
id = "own-file"
path = '''\\.own$'''
[[rules]]
id = "own-old"
regex = '''old-[0-9]{8}'''
[rules.allowlist]
regexes = ['''old-00''']
"""


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    path = tmp_path / "gitleaks.toml"
    path.write_text(CORPUS)
    return path


def test_a_users_rules_hold_with_entropy_group_and_allow_lists(corpus: Path) -> None:
    value = "k3j5h2g8f7d6s1a9q0w4"

    assert found(f"own_token = {value}\n", corpus) == {"own-token"}
    assert found("own_token = aaaaaaaaaaaaaaaaaaaa\n", corpus) == set(), "too little entropy"
    assert found(f"own_token = {value} # allowed\n", corpus) == set(), "path and line are both allowed"
    assert found("own_token = sample5h2g8f7d6s1a9q\n", corpus) == set(), "a stop word of all rules"
    assert found("old-12345678 old-00345678\n", corpus) == {"own-old"}
    assert {item.rule.id for item in rule_set([corpus]).find("a/b.own", b"x")} == {"own-file"}


def test_where_the_secret_stands_is_told_exactly(corpus: Path) -> None:
    text = b"first\nown_token = k3j5h2g8f7d6s1a9q0w4\n"

    (item,) = rule_set([corpus]).find("x", text)

    assert text[item.start : item.start + len(item.secret)] == item.secret == b"k3j5h2g8f7d6s1a9q0w4"


WRONG = {
    "no toml": "x = = 1",
    "lookahead": "[[rules]]\nid = 'a'\nregex = '''(?=x)'''",
    "no id": "[[rules]]\nregex = 'x'",
    "neither": "[[rules]]\nid = 'a'",
    "group": "[[rules]]\nid = 'a'\nregex = '(x)'\nsecretGroup = 2",
    "target": "[[rules]]\nid = 'a'\nregex = '(x)'\n[[rules.allowlists]]\nregexTarget = 'file'\nregexes = ['x']",
    "type": "[[rules]]\nid = 'a'\nregex = 'x'\nkeywords = 'x'",
    "extends": "[extend]\nuseDefault = true",
    "empty": "title = 'x'",
    "checksum": "[[rules]]\nid = 'a'\nregex = 'x'\nchecksum = 'luhn'",
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_rule_file_is_refused_with_its_name(tmp_path: Path, wrong: str) -> None:
    path = tmp_path / f"{wrong}.toml"
    path.write_text(WRONG[wrong])

    with pytest.raises(UserError, match=str(path)):
        rule_set([path])


def test_a_missing_rule_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be used"):
        rule_set([tmp_path / "absent.toml"])
