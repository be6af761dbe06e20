"""Draws the boot as a waterfall: one bar for each phase and each unit that took time. A picture of ours, in SVG.

The guest's own `systemd-analyze plot` is not used: what a strange machine draws does not belong into a browser.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from goldsmith.gates.boot.timings import Span, Timings

_ROW, _LEFT, _WIDTH, _TOP = 16, 10, 1000, 44
_LEAST_MS = 20
_ROWS = 120
_COLOURS = {".service": "#4a7fb5", ".target": "#b5574a", ".mount": "#6fa06f", ".socket": "#a08a4a", ".device": "#999999"}


def draw(timings: Timings, title: str) -> str:
    """The SVG document. Units that took less than 20 ms are left out, and the shortest when there are more than 120."""
    units = [unit for unit in timings.slowest if unit.took_ms >= _LEAST_MS or unit.name.endswith(".target")][:_ROWS]
    units.sort(key=lambda unit: (unit.start_ms, unit.name))
    spans = [*timings.phases, *units]
    first, last = min(span.start_ms for span in spans), max(span.end_ms for span in spans)
    scale = _WIDTH / max(1, last - first)
    height = _TOP + _ROW * len(spans) + 10
    rows = "".join(_bar(span, number, first, scale) for number, span in enumerate(spans))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH + 420}" height="{height}" font-family="sans-serif" '
        f'font-size="11">\n<rect width="100%" height="100%" fill="white"/>\n'
        f'<text x="{_LEFT}" y="16" font-size="14">{escape(title)}</text>\n'
        f"{''.join(_grid(first, last, scale, height))}{rows}</svg>\n"
    )


def _bar(span: Span, number: int, first: int, scale: float) -> str:
    x = _LEFT + (span.start_ms - first) * scale
    y = _TOP + number * _ROW
    width = max(1.0, span.took_ms * scale)
    colour = next((colour for ending, colour in _COLOURS.items() if span.name.endswith(ending)), "#444444")
    label = f"{span.name} ({span.took_ms / 1000:.2f} s)"
    return (
        f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="{_ROW - 4}" fill="{colour}"/>'
        f'<text x="{x + width + 4:.1f}" y="{y + _ROW - 6}">{escape(label)}</text>\n'
    )


def _grid(first: int, last: int, scale: float, height: int) -> Iterator[str]:
    step = next((step for step in (1, 2, 5, 10, 20, 60) if (last - first) / 1000 / step <= 20), 300)
    for second in range(-(-first // 1000 // step) * step, last // 1000 + 1, step):
        x = _LEFT + (second * 1000 - first) * scale
        yield f'<line x1="{x:.1f}" y1="{_TOP - 8}" x2="{x:.1f}" y2="{height}" stroke="#dddddd"/>'
        yield f'<text x="{x:.1f}" y="{_TOP - 12}" fill="#777777">{second} s</text>\n'
