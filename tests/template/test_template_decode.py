"""From evaluated settings to a frozen configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldsmith.components import REQUIRED, Duration, Setting, Settings, attribute
from goldsmith.hcl.diagnostics import Diagnostic, UserError
from goldsmith.hcl.types import STRING, ListType
from goldsmith.hcl.values import Value, from_plain, null, number, object_of, string, tuple_of, unknown
from goldsmith.template import decode
from tests.template.template_doubles import MockConfig, NestedConfig, Tag


def settings(blocks: tuple[tuple[str, Settings], ...] = (), **attributes: Value) -> Settings:
    return Settings({name: Setting(value) for name, value in attributes.items()}, blocks)


def decoded(given: Settings) -> MockConfig:
    return decode(MockConfig, given, None, Path("/"))


def faults(given: Settings, config: type[object] = MockConfig, root: Path = Path("/")) -> tuple[Diagnostic, ...]:
    with pytest.raises(UserError) as error:
        decode(config, given, None, root)
    return error.value.diagnostics


def test_each_type_is_read_also_from_what_converts_to_it() -> None:
    config = decoded(
        settings(
            string=number(12345),
            int=string("22"),
            bool=string("true"),
            trilean=from_plain(False),
            duration=string("1m30s"),
            map_string_string=from_plain({"a": 1, "b": "x"}),
            slice_string=from_plain([1, "b", True]),
            slice_slice_string=from_plain([["a", 1], []]),
        )
    )
    assert (config.string, config.int, config.bool, config.trilean) == ("12345", 22, True, False)
    assert config.duration == Duration(90)
    assert config.map_string_string == {"a": "1", "b": "x"}
    assert config.slice_string == ("1", "b", "true")
    assert config.slice_slice_string == (("a", "1"), ())


def test_null_counts_as_not_set() -> None:
    assert decoded(settings(string=null(), int=null(STRING), slice_string=null())) == MockConfig()


def test_unknown_becomes_a_placeholder() -> None:
    config = decoded(
        settings(
            string=unknown(),
            int=unknown(),
            bool=unknown(),
            duration=unknown(),
            slice_string=unknown(ListType(STRING)),
            map_string_string=object_of({"a": unknown()}),
            script=unknown(),
        )
    )
    assert (config.string, config.int, config.bool, config.duration) == ("<unknown>", 0, False, Duration(0))
    assert config.slice_string == ()
    assert config.map_string_string == {"a": "<unknown>"}
    assert config.script == "<unknown>"


def test_blocks_are_nested_once_or_repeated() -> None:
    inner = settings((("tag", settings(key=string("k"), value=string("v"))),), string=string("in"))
    config = decoded(settings((("nested", inner), ("nested_slice", settings()), ("nested_slice", inner))))
    tagged = NestedConfig(string="in", tag=(Tag(key="k", value="v"),))
    assert config.nested == tagged
    assert config.nested_slice == (NestedConfig(), tagged)


def test_every_fault_is_told_at_once() -> None:
    wrong_tag = settings((("tag", settings(kye=string("k"))),))
    told = faults(
        settings(
            (("nested", wrong_tag), ("nested", settings()), ("tags", settings()), ("string", settings())),
            strng=string("x"),
            int=string("abc"),
            duration=string("10"),
            tag=string("x"),
            slice_string=string("x"),
        )
    )
    assert {item.what for item in told} == {
        'Unsupported argument "strng"',
        'Unsupported argument "tag"',
        'Unsupported argument "kye"',
        'Unsupported block type "tags"',
        'Unsupported block type "string"',
        "Duplicate nested block",
        "Missing required argument",
        "Incorrect attribute value",
    }
    reasons = " ".join(item.why for item in told)
    assert 'attribute "int": a number is required' in reasons
    assert 'invalid duration "10"' in reasons
    advice = [item.next for item in told]
    assert 'Did you mean "string"?' in advice
    assert 'Did you mean to define a block of type "tag"?' in advice
    assert 'Did you mean "tag"?' in advice
    assert any("use the equals sign" in text for text in advice)


def test_a_whole_number_is_wanted_where_a_fraction_makes_no_sense() -> None:
    (fault,) = faults(settings(int=number(Decimal("1.5"))))
    assert "a whole number is required" in fault.why


def test_what_packer_injects_is_accepted_and_means_nothing() -> None:
    assert decoded(settings(packer_build_name=string("x"), packer_user_variables=from_plain({}))) == MockConfig()


def test_settings_that_exclude_each_other_are_told(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    (fault,) = faults(settings(script=string("a"), scripts=from_plain(["a"])), root=tmp_path)
    assert fault.what == 'Only one of "script" and "scripts" can be specified'
    assert decode(MockConfig, settings(script=string("a"), scripts=tuple_of([])), None, tmp_path).script == "a"


def test_a_named_file_must_exist(tmp_path: Path) -> None:
    (tmp_path / "setup.sh").touch()
    (fault,) = faults(settings(script=string("setpu.sh")), root=tmp_path)
    assert fault.what == '"script" names "setpu.sh", which does not exist'
    assert str(tmp_path) in fault.why
    assert fault.next == 'Did you mean "setup.sh"?'
    assert decode(MockConfig, settings(script=string(str(tmp_path / "setup.sh"))), None, Path("/")).script.endswith("setup.sh")


def test_strings_are_rendered_except_where_the_component_does_it_later() -> None:
    given = settings(
        string=string("a"), late=string("b"), slice_string=from_plain(["c"]), map_string_string=from_plain({"k": "d"})
    )
    config = decode(MockConfig, given, str.upper, Path("/"))
    assert (config.string, config.late, config.slice_string) == ("A", "b", ("C",))
    assert config.map_string_string == {"k": "D"}


def test_a_later_rendered_string_is_checked_for_its_syntax_now() -> None:
    with pytest.raises(UserError) as error:
        decode(MockConfig, settings(late=string("{{ .Path")), lambda text: text, Path("/"))
    assert 'attribute "late"' in error.value.diagnostics[0].why
    assert decode(MockConfig, settings(late=string("{{ .Path }}")), lambda text: text, Path("/")).late == "{{ .Path }}"


@pytest.mark.parametrize(
    ("name", "value"), [("duration", string("hunter2")), ("script", string("hunter2")), ("string", string("{{ hunter2 }}"))]
)
def test_a_sensitive_value_is_in_no_message(name: str, value: Value) -> None:
    def render(text: str) -> str:
        raise ValueError(f"cannot render {text}")

    with pytest.raises(UserError) as error:
        decode(MockConfig, Settings({name: Setting(value.marked())}), render if name == "string" else None, Path("/"))
    assert "hunter2" not in str(error.value)
    assert "sensitive" in str(error.value)


@dataclass(frozen=True, kw_only=True)
class Peculiar:
    """Annotations that the doubles do not have."""

    anything: Value | None = attribute(None, "Any value.")
    mode: Literal["fast", "slow"] = attribute("fast", "One of two words.")
    place: Path = attribute(Path(), "A path.")
    ratio: float = attribute(1.0, "A number.")
    except_: tuple[str, ...] = attribute((), "A name that Python reserves.")
    maps: Mapping[str, tuple[int, ...]] = attribute(None, "Lists by name.")
    needed: str = attribute(REQUIRED, "Must be given.")


def test_other_annotations_are_read() -> None:
    given = settings(
        anything=from_plain({"a": [1]}),
        mode=string("slow"),
        place=string("/tmp"),
        ratio=number(Decimal("0.5")),
        maps=from_plain({"a": [1, 2]}),
        needed=string("x"),
    )
    reserved = {"except": Setting(from_plain(["a"]))}
    config = decode(Peculiar, Settings({**given.attributes, **reserved}), None, Path("/"))
    assert config == Peculiar(
        anything=from_plain({"a": [1]}),
        mode="slow",
        place=Path("/tmp"),
        ratio=0.5,
        except_=("a",),
        maps={"a": (1, 2)},
        needed="x",
    )


def test_a_word_outside_of_a_closed_set_is_refused_with_the_set() -> None:
    told = faults(settings(mode=string("quick")), Peculiar)
    assert '"quick" is none of fast, slow' in told[0].why
    assert told[1].what == "Missing required argument"
    assert told[1].next == 'Add "needed": Must be given.'


@given(st.text(max_size=20), st.integers(), st.lists(st.text(max_size=5), max_size=4))
def test_plain_values_come_back_as_they_are(text: str, amount: int, items: list[str]) -> None:
    config = decoded(settings(string=string(text), int=number(amount), slice_string=from_plain(items)))
    assert (config.string, config.int, config.slice_string) == (text, amount, tuple(items))
