"""Installers that are known by what they always leave behind: that file is their guard."""

from __future__ import annotations

import re
from collections.abc import Mapping

from goldsmith.assist import guards
from goldsmith.assist.commands import Command, Word
from goldsmith.assist.rules.options import text
from goldsmith.assist.tasks import Converted, Inexact, Outcome, Rule

_MADE: tuple[tuple[str, str], ...] = (
    (r"VBoxLinuxAdditions(?:-\w+)?\.run", "/usr/sbin/VBoxService"),
    (r"vmware-install\.pl", "/usr/bin/vmware-toolbox-cmd"),
    (r"NVIDIA-Linux-[^/]*\.run|nvidia-installer", "/usr/bin/nvidia-smi"),
    (r"get-docker\.sh", "/usr/bin/docker"),
    (r"rustup-init(?:\.sh)?", "~/.cargo/bin/rustup"),
)
"""Names of installers, and a file that each makes."""


def installed(command: Command, program: Word) -> Outcome:
    """The command with the guard that is known for the program that it runs; raises `Inexact` where none is."""
    label = program.label.rpartition("/")[2]
    made = next((path for pattern, path in _MADE if re.fullmatch(pattern, label)), None)
    target = _prefix(command) if made is None else Word.of(made)
    if target is None:
        raise Inexact(f"what {label} leaves behind is not known")
    return Converted((guards.run(command, f"Run {label}", "installers.known", creates=target),))


def _prefix(command: Command) -> Word | None:
    """Installers of Anaconda and its kin make an environment where `-p` says."""
    words = [word.text for word in command.args]
    if "-b" not in words or "-p" not in words[:-1]:
        return None
    return command.path(command.args[words.index("-p") + 1]) + Word.of("/bin/conda")


def is_known(name: str) -> bool:
    """Whether an installer of this name is known."""
    return any(re.fullmatch(pattern, name) for pattern, _ in _MADE)


def by_name(command: Command) -> Outcome:
    """The rule for an installer that is called by its own name."""
    return installed(command, Word.of(command.name))


def _configured_vmware(command: Command) -> Outcome:
    """The mark of tools that wait for their configuration goes with it."""
    mark = Word.of("/etc/vmware-tools/not_configured")
    return Converted((guards.run(command, "Configure the tools of VMware", "installers.vmware", removes=mark),))


def _galaxy(command: Command) -> Outcome:
    known = guards.registered(command, "galaxy")
    if [word.text for word in command.args[1:2]] != ["install"]:
        raise Inexact("what ansible-galaxy does is not known")
    changed = f"'was installed successfully' in {known}.stdout"
    return Converted((guards.run(command, "Install from Galaxy", "installers.galaxy", changed_when=changed, register=known),))


def _fips(command: Command) -> Outcome:
    if [word.text for word in command.args] != ["--enable"]:
        raise Inexact("what fips-mode-setup does is not known")
    known = guards.registered(command, "fips")
    words: list[str | Word] = ["fips-mode-setup", "--check"]
    look = guards.query(command, "Look up the mode of FIPS", "installers.fips-state", words, register=known)
    when = f"'FIPS mode is enabled' not in {known}.stdout"
    return Converted((look, guards.run(command, "Switch FIPS on", "installers.fips", when=(when,))))


def _extras(command: Command) -> Outcome:
    """Topics of Amazon Linux 2: the list says which are enabled."""
    words = [text(word) for word in command.args if not word.startswith("-")]
    if words[:1] not in (["install"], ["enable"]) or len(words) != 2:
        raise Inexact("a task takes one topic of amazon-linux-extras")
    topic = words[1].partition("=")[0]
    known = guards.registered(command, "extras")
    asking: list[str | Word] = ["amazon-linux-extras", "list"]
    look = guards.query(command, "Look up the topics of Amazon Linux", "installers.extras-state", asking, register=known)
    when = f"{known}.stdout is not search(' {topic.replace('.', '[.]')}=?[^ ]* +enabled')"
    return Converted((look, guards.run(command, f"Take {topic} from the extras", "installers.extras", when=(when,))))


RULES: Mapping[str, Rule] = {
    "vmware-config-tools.pl": _configured_vmware,
    "ansible-galaxy": _galaxy,
    "fips-mode-setup": _fips,
    "amazon-linux-extras": _extras,
}
