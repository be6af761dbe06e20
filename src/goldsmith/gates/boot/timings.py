"""How long a boot took, and which units took it: from what systemd recorded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from goldsmith.gates.boot.probes import SCALES

_HAS_NO_TIME = frozenset({"", "0"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """What a phase or a unit did when, in milliseconds since the kernel started."""

    name: str
    start_ms: int
    end_ms: int

    @property
    def took_ms(self) -> int:
        """How long it took."""
        return self.end_ms - self.start_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class Timings:
    """The boot of one clone."""

    phases: tuple[Span, ...]
    """Firmware and loader (negative, where they told), kernel, initrd, userspace; in their order."""
    units: tuple[Span, ...]
    """By their start."""

    @property
    def slowest(self) -> tuple[Span, ...]:
        """The units by how long they took, the longest first."""
        return tuple(sorted(self.units, key=lambda unit: (-unit.took_ms, unit.name)))

    def as_json(self) -> Mapping[str, object]:
        """As JSON-like data."""
        spans = {"phases": self.phases, "units": self.units}
        return {
            name: [{"name": span.name, "start_ms": span.start_ms, "end_ms": span.end_ms} for span in items]
            for name, items in spans.items()
        }


def read_timings(text: str) -> Timings | None:
    """The timings in the answer to the probe of that name; None when the boot has not ended or nothing was told."""
    blocks = [_fields(block) for block in text.split("\n\n") if block.strip()]
    if not blocks or blocks[0].get("FinishTimestampMonotonic", "0") in _HAS_NO_TIME:
        return None
    units = [span for block in blocks[1:] if (span := _unit(block)) is not None]
    return Timings(
        phases=tuple(_phases(blocks[0])), units=tuple(sorted(units, key=lambda unit: (unit.start_ms, -unit.end_ms, unit.name)))
    )


def _phases(manager: Mapping[str, str]) -> Iterator[Span]:
    firmware, loader, _, initrd, userspace, finish = (_microseconds(manager.get(name, "")) for name in SCALES)
    if firmware and loader:
        yield Span(name="firmware", start_ms=-firmware // 1000, end_ms=-loader // 1000)
    if loader:
        yield Span(name="loader", start_ms=-loader // 1000, end_ms=0)
    yield Span(name="kernel", start_ms=0, end_ms=(initrd or userspace) // 1000)
    if initrd:
        yield Span(name="initrd", start_ms=initrd // 1000, end_ms=userspace // 1000)
    yield Span(name="userspace", start_ms=userspace // 1000, end_ms=finish // 1000)


def _unit(block: Mapping[str, str]) -> Span | None:
    start = _microseconds(block.get("InactiveExitTimestampMonotonic", ""))
    end = _microseconds(block.get("ActiveEnterTimestampMonotonic", ""))
    if not start or end < start or not block.get("Id"):
        return None
    return Span(name=block["Id"], start_ms=start // 1000, end_ms=end // 1000)


def _fields(block: str) -> Mapping[str, str]:
    return {key: value for key, _, value in (line.partition("=") for line in block.splitlines())}


def _microseconds(text: str) -> int:
    return int(text) if text.isdigit() else 0
