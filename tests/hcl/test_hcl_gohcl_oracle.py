"""The parser accepts and refuses what Go's HCL does."""

from __future__ import annotations

import random

import pygohcl
import pytest

from tests.hcl.hcl_texts import ACCEPTED, REFUSED, configurations, conformance_is_here, faults_of, pieces

TEXTS = configurations()
SNIPPETS = (
    *("for x in y : x => x", "${", "}", '"', "<<E\nq\nE\n", "<<-EOT\n  a\n  EOT\n", "%{if a}", "%{endif}", "%{else}"),
    *("%{ for a in b }", "%{endfor}", "...", "=>", "?", ":", "~", ".*", "[*]", "null", "1.5", "(", ")", "[", "]", "{", "="),
    *(",", "\n", "\\", "/*", "*/", "#", "$", "${~", "~}", "'", "-", "!", "&&", "é", "\r\n", "\t"),
)


def gohcl_accepts(text: str) -> bool | None:
    """None when the binding, which also evaluates, gives up for another reason than syntax."""
    try:
        pygohcl.loads(text)
    except pygohcl.HCLParseError:
        return False
    except pygohcl.HCLInternalError:
        return None
    return True


@pytest.mark.parametrize("text", ACCEPTED)
def test_accepted_forms_are_accepted_by_gohcl(text: str) -> None:
    assert gohcl_accepts(text) is True


@pytest.mark.parametrize("text", REFUSED)
def test_refused_forms_are_refused_by_gohcl(text: str) -> None:
    assert gohcl_accepts(text) is False


def test_configurations_are_judged_alike() -> None:
    assert len(TEXTS) > 5
    assert [text for text in TEXTS if gohcl_accepts(text) is bool(faults_of(text))] == []


@pytest.mark.skipif(not conformance_is_here(), reason="Packer's fixtures are not at hand (GOLDSMITH_CONFORMANCE)")
def test_packers_fixtures_are_among_the_configurations() -> None:
    assert len(TEXTS) > 60


@pytest.mark.parametrize("seed", range(4))
def test_mutated_configurations_are_judged_alike(seed: int) -> None:
    chance = random.Random(seed)
    small = [pieces(text) for text in (*TEXTS, *ACCEPTED) if len(text) < 3000]
    verdicts = set()
    for _ in range(400):
        text = "".join(mutated(chance.choice(small), chance))
        wanted = gohcl_accepts(text)
        if wanted is None or "\0" in text:
            continue
        assert (not faults_of(text)) == wanted, text
        verdicts.add(wanted)
    assert verdicts == {True, False}


def mutated(tokens: list[str], chance: random.Random) -> list[str]:
    """The tokens with up to three of them deleted, doubled, swapped or put in."""
    found = list(tokens)
    for _ in range(chance.choice((1, 1, 2, 3))):
        at, other = chance.randrange(len(found)), chance.randrange(len(found))
        match chance.choice(("delete", "double", "swap", "insert", "insert")):
            case "delete":
                found[at] = ""
            case "double":
                found.insert(at, found[at])
            case "swap":
                found[at], found[other] = found[other], found[at]
            case _:
                found.insert(at, chance.choice(("", " ")) + chance.choice(SNIPPETS))
    return found
