"""Boot commands: which keys they mean, and what they do to a keyboard."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldsmith.machines.boot_command import Hold, Press, Wait, parse, type_into
from goldsmith.machines.cancellation import Cancellation, Cancelled
from goldsmith.machines.keyboard import SPECIAL, keys_of

PRINTABLE = "".join(map(chr, range(32, 127)))


class Keyboard:
    """Takes what would go to QEMU, and notes which keys are down."""

    def __init__(self) -> None:
        self.down: set[str] = set()

    def execute(self, command: str, arguments: Mapping[str, object] | None = None) -> object:
        assert command == "input-send-event"
        assert arguments is not None
        events = arguments["events"]
        assert isinstance(events, list)
        for event in events:
            key = event["data"]["key"]["data"]
            if event["data"]["down"]:
                self.down.add(key)
            else:
                self.down.discard(key)
        return {}


@pytest.mark.parametrize(
    ("text", "actions"),
    [
        ("a", (Press(("a",)),)),
        ("A", (Press(("shift", "a")),)),
        ("~", (Press(("shift", "grave_accent")),)),
        ("<enter>", (Press(("ret",)),)),
        ("<ENTER>", (Press(("ret",)),)),
        ("<pageDown>", (Press(("pgdn",)),)),
        ("<f12>", (Press(("f12",)),)),
        ("<wait>", (Wait(1),)),
        ("<wait5>", (Wait(5),)),
        ("<wait1m20s>", (Wait(80),)),
        ("<wait500ms>", (Wait(0.5),)),
        ("<leftShiftOn>x<leftShiftOff>", (Hold(("shift",), True), Press(("x",)), Hold(("shift",), False))),
        ("<leftCtrlOn>c<leftCtrlOff>", (Hold(("ctrl",), True), Press(("c",)), Hold(("ctrl",), False))),
        ("<aOn><aOff>", (Hold(("a",), True), Hold(("a",), False))),
        ("<leftCommandOn><leftOptionOn>", (Hold(("meta_l",), True), Hold(("alt",), True))),
        ("<e>", (Press(("shift", "comma")), Press(("e",)), Press(("shift", "dot")))),
        ("<waits>", tuple(Press(keys_of(letter)) for letter in "<waits>")),
    ],
)
def test_a_boot_command_means_keys_and_waits(text: str, actions: tuple[object, ...]) -> None:
    assert parse(text) == actions


@given(st.text(alphabet=PRINTABLE.replace("<", "")))
def test_text_without_brackets_is_typed_letter_by_letter(text: str) -> None:
    assert parse(text) == tuple(Press(keys_of(letter)) for letter in text)


@given(st.text(alphabet=PRINTABLE))
def test_any_printable_text_can_be_typed(text: str) -> None:
    parse(text)


def test_each_character_has_keys_of_its_own() -> None:
    found = [keys_of(letter) for letter in PRINTABLE]

    assert len(set(found)) == len(PRINTABLE)


def test_a_character_that_is_on_no_key_is_named() -> None:
    with pytest.raises(ValueError, match="ß"):
        parse("groß")


@given(st.lists(st.sampled_from([f"<{name}{how}>" for name in SPECIAL for how in ("", "On", "Off")] + ["x", "Y"])))
def test_nothing_stays_pressed(words: list[str]) -> None:
    keyboard = Keyboard()

    type_into(keyboard, parse("".join(words)), 0, 0, Cancellation())  # type: ignore[arg-type]  # as Qmp

    assert keyboard.down == set()


def test_a_cancelled_command_lets_go_of_its_keys() -> None:
    keyboard, cancellation = Keyboard(), Cancellation()
    cancellation.request()

    with pytest.raises(Cancelled):
        type_into(keyboard, parse("<leftAltOn>x"), 0, 0, cancellation)  # type: ignore[arg-type]  # as Qmp

    assert keyboard.down == set()
