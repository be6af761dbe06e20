"""What one booted clone was seen to do; it can be written down and read again, so that judging can be tried on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from goldsmith.machines.qemu import Firmware
from goldsmith.machines.ssh import Completed


@dataclass(frozen=True, slots=True, kw_only=True)
class Clone:
    """One booted copy of the disk and what it answered."""

    firmware: Firmware
    accelerator: str
    way: str
    """The name of the way in."""
    why: str = ""
    """Why there is no better one."""
    answered: bool
    """Whether it was up in time: ssh gave its banner, the report began, or the console asked for a login."""
    answers: Mapping[str, Completed] = field(default_factory=dict)
    again: Mapping[str, Completed] = field(default_factory=dict)
    """The answers after the reboot."""
    console: str = ""
    ready_ms: int = 0
    """From the start of QEMU until it was up."""
    boot_ms: int = 0
    """Until the end of the boot transaction; 0 when it was not reached."""
    refused: str = ""
    """Why nobody could log in."""
    reboot_ms: int | None = None
    """From the wish to reboot until it answered again; 0: it never did; None: it was not asked to."""
    down_ms: int | None = None
    """How long it took to go down by the power button; 0: it did not; None: the button was not pressed."""
    asked_s: tuple[int, int] = (0, 0)
    """The host's clock before and after the probes, seconds since 1970."""
    within_s: int = 0
    """The time it was given."""
    names_server: bool = False
    """Whether its network knew the name that it was to look up."""

    def text(self, probe: str) -> str:
        """The answer to a probe, empty without one."""
        answer = self.answers.get(probe)
        return answer.output if answer is not None else ""

    def as_json(self) -> Mapping[str, object]:
        """The record as JSON-like data."""
        return asdict(self)


def read_clone(data: Mapping[str, object]) -> Clone:
    """A clone from `as_json`."""
    fields = dict(data)
    for name in ("answers", "again"):
        answers = fields[name]
        assert isinstance(answers, Mapping)
        fields[name] = {key: Completed(**value) for key, value in answers.items()}
    asked = fields["asked_s"]
    assert isinstance(asked, list | tuple)
    fields["asked_s"] = tuple(asked)
    return Clone(**fields)  # type: ignore[arg-type]  # what as_json wrote
