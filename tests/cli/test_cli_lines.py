"""Events as lines: colours as Packer's, and none where they are not wanted."""

from __future__ import annotations

from goldsmith.cli.rendering.lines import Lines
from goldsmith.events import BuildFailed, BuildStarted, Event, Output

EVENTS: tuple[Event, ...] = (
    BuildStarted(build="null.a"),
    BuildStarted(build="null.b"),
    Output(build="null.a", text="Running", kind="say"),
    Output(build="null.b", text="hello", kind="out"),
    BuildFailed(build="null.b", seconds=1.0, error="no"),
)


def shown(*, color: bool) -> list[str]:
    lines: list[str] = []
    with Lines(lines.append, color=color, timestamps=False) as emit:
        for event in EVENTS:
            emit(event)
    return lines


def test_each_build_has_a_colour_and_says_so() -> None:
    assert shown(color=True) == [
        "\x1b[32m\x1b[1mnull.a: output will be in this color.\x1b[0m\n",
        "\x1b[36m\x1b[1mnull.b: output will be in this color.\x1b[0m\n",
        "\x1b[32m\x1b[1m==> null.a: Running\x1b[0m\n",
        "\x1b[36m\x1b[22m==> null.b: hello\x1b[0m\n",
        "\x1b[31m\x1b[1mBuild 'null.b' errored after 1 second: no\x1b[0m\n",
    ]


def test_without_colour_nothing_is_said_of_it() -> None:
    assert shown(color=False) == [
        "==> null.a: Running\n",
        "==> null.b: hello\n",
        "Build 'null.b' errored after 1 second: no\n",
    ]
