"""Labels: said of a version, kept in the log, no part of its digest."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from goldsmith.registry import Labels
from tests.registry.registry_workbench import ACTOR, Bench

LABELS = Labels(bucket="web", description="With nginx.", image={"os": "debian"}, version={"commit": "4f2a", "zwölf": 'ä, "b"'})


def test_a_version_shows_the_labels_that_it_was_given(bench: Bench) -> None:
    version = bench.build("web", 1)

    bench.registry.label(version, LABELS, ACTOR)

    assert bench.registry.show("web").labels == LABELS
    assert bench.registry.show(version.digest).version.digest == version.digest


def test_a_version_without_labels_shows_none(bench: Bench) -> None:
    bench.build("web", 1)

    assert bench.registry.show("web").labels == Labels()


def test_saying_the_same_labels_again_changes_nothing(bench: Bench) -> None:
    version = bench.build("web", 1)
    bench.registry.label(version, LABELS, ACTOR)
    before = bench.types()

    bench.registry.label(version, LABELS, ACTOR)

    assert bench.types() == before


def test_the_labels_that_were_said_last_count(bench: Bench) -> None:
    version = bench.build("web", 1)
    bench.registry.label(version, LABELS, ACTOR)

    bench.registry.label(version, Labels(bucket="other"), ACTOR)

    assert bench.registry.show("web").labels == Labels(bucket="other")
    assert bench.types().count("version.labelled") == 2


def test_each_version_has_its_own_labels(bench: Bench) -> None:
    first, second = bench.build("web", 1), bench.build("web", 2)
    bench.registry.label(first, LABELS, ACTOR)
    bench.registry.label(second, Labels(description=f'"version":"{first.digest}"'), ACTOR)

    assert bench.registry.show("web:1").labels == LABELS


@settings(max_examples=25)
@given(
    texts=st.dictionaries(
        st.text(st.characters(exclude_categories=["Cs"]), max_size=8), st.text(st.characters(exclude_categories=["Cs"]))
    )
)
def test_any_text_may_be_a_label(bench: Bench, texts: dict[str, str]) -> None:
    version = bench.build("web", 1)

    bench.registry.label(version, Labels(version=texts), ACTOR)

    assert bench.registry.show("web:1").labels.version == texts
