"""What a script does against traces of the build, and sealing does for every image: such commands are dropped, each said."""

from __future__ import annotations

from collections.abc import Mapping

from goldsmith.assist.commands import Command
from goldsmith.assist.rules.options import text
from goldsmith.assist.tasks import Dropped, Inexact, Outcome, Rule

_ZEROES = "a disk of an image is written sparse: zeroes in free space win nothing"
_FLUSH = "the image is read from a file system that was unmounted"
_SHELL = "it changes only the shell that runs the script"


def _dd(command: Command) -> Outcome:
    words = [text(word) if word.text is not None else word.label for word in command.args]
    if "if=/dev/zero" in words and any(word.startswith("of=") for word in words):
        return Dropped("sealing.zero-fill", _ZEROES)
    raise Inexact("what dd writes is not known")


def _zero_fill(command: Command) -> Outcome:
    return Dropped("sealing.zero-fill", _ZEROES)


def _flush(command: Command) -> Outcome:
    return Dropped("sealing.sync", _FLUSH)


def _history(command: Command) -> Outcome:
    return Dropped("sealing.history", _SHELL)


def _swapoff(command: Command) -> Outcome:
    return Dropped("sealing.swapoff", "no image runs while it is sealed, and swap files of a build are taken away")


def _cloud_init(command: Command) -> Outcome:
    verb = next((word.text for word in command.args if not word.startswith("-")), None)
    if verb == "clean":
        return Dropped("sealing.cloud-init", "sealing does it: cloud-init would take the new machine for one that it knows")
    if verb == "status":
        return Dropped("sealing.cloud-init-status", "nothing of a first boot runs while the image is built")
    raise Inexact(f"what cloud-init {verb} does is not known")


def _journalctl(command: Command) -> Outcome:
    if all(word.startswith("--vacuum") or word.text in ("--rotate", "--flush", "--sync") for word in command.args):
        return Dropped("sealing.journal", "sealing does it: logs of the build")
    raise Inexact("journalctl shows the journal")


def _logrotate(command: Command) -> Outcome:
    return Dropped("sealing.logs", "sealing does it: logs of the build; owner and mode stay, because services need them")


def _machine_id(command: Command) -> Outcome:
    return Dropped("sealing.machine-id", "sealing does it: every machine gets an id of its own at its first boot")


RULES: Mapping[str, Rule] = {
    "dd": _dd,
    "zerofree": _zero_fill,
    "sync": _flush,
    "fstrim": _flush,
    "history": _history,
    "swapoff": _swapoff,
    "cloud-init": _cloud_init,
    "journalctl": _journalctl,
    "logrotate": _logrotate,
    "systemd-machine-id-setup": _machine_id,
    "dbus-uuidgen": _machine_id,
}
