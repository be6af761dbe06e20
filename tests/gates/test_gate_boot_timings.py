"""Timings of a boot as systemd tells them, and the picture of them."""

from __future__ import annotations

from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from goldsmith.gates.boot.timings import Span, Timings, read_timings
from goldsmith.gates.boot.waterfall import draw

TOLD = """FirmwareTimestampMonotonic=9000000
LoaderTimestampMonotonic=1500000
KernelTimestampMonotonic=0
InitRDTimestampMonotonic=2000000
UserspaceTimestampMonotonic=6000000
FinishTimestampMonotonic=21000000

Id=ssh.service
InactiveExitTimestampMonotonic=15000000
ActiveEnterTimestampMonotonic=18500000

Id=never.service
InactiveExitTimestampMonotonic=0
ActiveEnterTimestampMonotonic=0

Id=failed.service
InactiveExitTimestampMonotonic=9000000
ActiveEnterTimestampMonotonic=0

Id=nginx.service
InactiveExitTimestampMonotonic=14000000
ActiveEnterTimestampMonotonic=14200000
"""


def test_phases_and_units_are_read() -> None:
    timings = read_timings(TOLD)

    assert timings is not None
    assert [(span.name, span.start_ms, span.end_ms) for span in timings.phases] == [
        ("firmware", -9000, -1500),
        ("loader", -1500, 0),
        ("kernel", 0, 2000),
        ("initrd", 2000, 6000),
        ("userspace", 6000, 21000),
    ]
    assert [unit.name for unit in timings.units] == ["nginx.service", "ssh.service"]
    assert [unit.name for unit in timings.slowest] == ["ssh.service", "nginx.service"]


def test_a_boot_that_has_not_ended_has_no_timings() -> None:
    assert read_timings(TOLD.replace("Finish", "Finish\nX")) is None
    assert read_timings("") is None


@given(st.text(max_size=300))
def test_nothing_that_a_machine_says_breaks_the_reader(text: str) -> None:
    timings = read_timings(f"FinishTimestampMonotonic=5000\n{text}")

    assert timings is None or ElementTree.fromstring(draw(timings, "title")) is not None


def test_the_picture_shows_what_took_time_and_runs_no_script() -> None:
    hostile = Span(name='<script>"&.service', start_ms=100, end_ms=900)
    phases = (Span(name="kernel", start_ms=0, end_ms=50),)

    picture = draw(Timings(phases=phases, units=(hostile, Span(name="quick.service", start_ms=5, end_ms=6))), "web & co")

    root = ElementTree.fromstring(picture)
    texts = [item.text for item in root.iter("{http://www.w3.org/2000/svg}text")]
    assert '<script>"&.service (0.80 s)' in texts
    assert "web & co" in texts
    assert not any(text and text.startswith("quick") for text in texts)
    assert "<script" not in picture
