"""docs/controls.md is what the controls say: `python -m tests.gates.test_gate_hardening_docs` writes it anew."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from goldsmith.gates.hardening.controls import Control, all_controls

PAGE = Path(__file__).parents[2] / "docs/controls.md"

HEAD = """# The controls of hardening

O: examined on the sealed tree. B: needs a boot. OB: both. **Bold**: fails the image whatever the score. What counts only when
it is asked for has its word for `asks`. [hardening.md](hardening.md) tells how they are judged.

| id | what is wanted | why | severity | | profiles | fix |
|---|---|---|---|---|---|---|
"""


def page() -> str:
    """The page as the controls say it."""
    return HEAD + "".join(f"{row}\n" for row in _rows())


def _rows() -> Iterator[str]:
    for control in all_controls().values():
        name = f"**{control.id}**" if control.must else control.id
        cells = (_wanted(control), control.why, control.severity, control.kind, ", ".join(control.profiles), control.fix)
        yield f"| {name} | {' | '.join(_cell(cell) for cell in cells)} |"


def _cell(text: str) -> str:
    return text.replace("|", "&#124;").replace("*", "\\*")


def _wanted(control: Control) -> str:
    return control.title + "".join(f" (`{word}`)" for word in sorted(control.asks))


def test_the_page_of_controls_is_fresh() -> None:
    assert PAGE.read_text() == page()


if __name__ == "__main__":
    PAGE.write_text(page())
