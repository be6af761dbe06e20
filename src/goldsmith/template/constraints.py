"""Version constraints: "~> 1.9, != 1.10.0"."""

from __future__ import annotations

import re
from dataclasses import dataclass

_CONSTRAINT = re.compile(r"\s*(=|!=|>=|<=|>|<|~>)?\s*v?(\d+(?:\.\d+)*)(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?\s*")


@dataclass(frozen=True, slots=True)
class Constraint:
    """One comparison with a version."""

    operator: str
    segments: tuple[int, ...]
    prerelease: str = ""

    def admits(self, version: str) -> bool:
        """Whether a version such as "1.16.0" fulfils the constraint; a pre-release counts as its release, as in Packer."""
        numbers = version.partition("-")[0].split(".")
        ours, theirs = _padded(tuple(int(part) for part in numbers)), _padded(self.segments)
        # A pre-release comes before the release of the same number; ours is a release.
        above = ours > theirs or (ours == theirs and bool(self.prerelease))
        equal = ours == theirs and not self.prerelease
        match self.operator:
            case "!=":
                return not equal
            case ">":
                return above
            case ">=":
                return above or equal
            case "<":
                return not above and not equal
            case "<=":
                return not above
            case "~>":
                fixed = max(len(self.segments) - 1, 1)
                return (above or equal) and ours[:fixed] == theirs[:fixed]
        return equal


def parse_constraints(text: str) -> tuple[Constraint, ...]:
    """The comparisons of a comma-separated list, all of which must hold. Raises `ValueError`."""
    parsed: list[Constraint] = []
    for part in text.split(","):
        match = _CONSTRAINT.fullmatch(part)
        if match is None:
            raise ValueError(f"Malformed constraint: {part.strip()}")
        segments = tuple(int(number) for number in match[2].split("."))
        parsed.append(Constraint(match[1] or "=", segments, match[3] or ""))
    return tuple(parsed)


def _padded(segments: tuple[int, ...]) -> tuple[int, ...]:
    return segments + (0,) * (4 - len(segments))
