"""Where dnf and yum find packages, and which versions they may take: config-manager, copr, versionlock."""

from __future__ import annotations

import re
from collections.abc import Sequence

from goldsmith.assist.commands import Argument, Command, Text, Word
from goldsmith.assist.rules.options import Parsed, text, texts
from goldsmith.assist.rules.paths import absolute, name_of
from goldsmith.assist.rules.phrases import said, shortened
from goldsmith.assist.tasks import Converted, Inexact, Outcome, Task

DIRECTORY = "/etc/yum.repos.d"


def configured(command: Command, parsed: Parsed, names: Sequence[Word]) -> Outcome:
    """What `config-manager` becomes: repositories added, enabled and disabled, settings kept."""
    parsed.only("-y", "-q", "-v", "--add-repo", "--set-enabled", "--set-disabled", "--save", "--setopt", "--from-repofile")
    tasks = [_added(command, address) for address in (*parsed.values("--add-repo"), *parsed.values("--from-repofile"))]
    if not parsed.has("--add-repo") and names and names[0].text == "addrepo":
        names = names[1:]
    for option, state in (("--set-enabled", "enabled"), ("--set-disabled", "disabled")):
        if parsed.has(option):
            tasks.append(_switched(names, state))
    if parsed.values("--setopt"):
        if names or not parsed.has("--save"):
            raise Inexact("a setting of single repositories is kept in files that are not known")
        tasks += [_kept(command, text(value)) for value in parsed.values("--setopt")]
    if not tasks:
        raise Inexact("no task does what config-manager does here")
    return Converted(tuple(tasks))


def _added(command: Command, address: Word) -> Task:
    label = shortened(address.label)
    last = address.pieces[-1] if address.pieces else None
    if isinstance(last, Text) and last.value.endswith(".repo"):
        target = Word.of(f"{DIRECTORY}/") + name_of(address)
        if "://" not in address.label and address.text is not None:
            copied: dict[str, Argument] = {
                "src": absolute(command, address),
                "dest": target,
                "remote_src": True,
                "mode": "0644",
            }
            return Task(f"Add the repository file {label}", "ansible.builtin.copy", copied, "repositories_rpm.add-file")
        fetched: dict[str, Argument] = {"url": address, "dest": target, "mode": "0644"}
        return Task(f"Add the repository file {label}", "ansible.builtin.get_url", fetched, "repositories_rpm.add-file")
    known = address.text
    if known is None or "://" not in known:
        raise Inexact(f"whether {address.source} is a repository or a file about one depends on a value")
    name = _id_of(known)
    arguments: dict[str, Argument] = {
        "name": name,
        "description": f"created by dnf config-manager from {known}",
        "baseurl": known,
        "file": name,
        "enabled": True,
    }
    return Task(f"Add the repository {label}", "ansible.builtin.yum_repository", arguments, "repositories_rpm.add")


def _id_of(address: str) -> str:
    """The id that dnf makes from an address."""
    bare = re.sub(r"^\w+:/*(?:\w+:|www\.)?", "", address)
    return re.sub(r"[?/:&#|~*\[\]()'\\]+", "_", bare).strip(".")


def _switched(names: Sequence[Word], state: str) -> Task:
    if not names:
        raise Inexact("it names no repository")
    arguments: dict[str, Argument] = {"name": tuple(names), "state": state}
    verb = "Enable" if state == "enabled" else "Disable"
    module = "community.general.dnf_config_manager"
    return Task(f"{verb} the repository {said(names)}", module, arguments, f"repositories_rpm.{state}")


def _kept(command: Command, given: str) -> Task:
    name, equals, value = given.partition("=")
    name = name.removeprefix("main.")
    if not equals or "." in name or "*" in name:
        raise Inexact(f"the setting {given} is kept in a file that is not known")
    arguments: dict[str, Argument] = {
        "path": "/etc/yum.conf" if command.name.startswith("yum") else "/etc/dnf/dnf.conf",
        "section": "main",
        "option": name,
        "value": value,
        "no_extra_spaces": True,
        "follow": True,
        "mode": "0644",
    }
    return Task(f"Set {name} of the package manager", "community.general.ini_file", arguments, "repositories_rpm.setting")


def copr(command: Command, parsed: Parsed, names: Sequence[Word]) -> Outcome:
    """What `dnf copr` becomes."""
    del command
    parsed.only("-y", "-q")
    verb, *rest = texts(names)
    state = {"enable": "enabled", "disable": "disabled", "remove": "absent"}.get(verb)
    if state is None or not 1 <= len(rest) <= 2:
        raise Inexact(f"no task does what copr {verb} does")
    arguments: dict[str, Argument] = {"name": rest[0], "state": state, **({"chroot": rest[1]} if rest[1:] else {})}
    name = f"{verb.capitalize()} the Copr repository {rest[0]}"
    return Converted((Task(name, "community.general.copr", arguments, "repositories_rpm.copr"),))


def locked(command: Command, parsed: Parsed, names: Sequence[Word]) -> Outcome:
    """What `dnf versionlock` becomes: packages whose versions stay."""
    parsed.only("-y", "-q")
    verb = names[0].text if names else None
    states = {"add": "present", "delete": "absent", "exclude": "excluded", "clear": "clean"}
    state = states.get(verb or "", "present")
    packages = names[1:] if verb in states else names
    if not names or (not packages and state != "clean") or verb == "list":
        raise Inexact("it names no package")
    is_yum = command.name == "yum"
    if is_yum and state in ("excluded", "clean"):
        raise Inexact("the module for yum knows nothing but adding and deleting")
    arguments: dict[str, Argument] = {**({"name": tuple(packages)} if packages else {}), "state": state}
    module = "community.general.yum_versionlock" if is_yum else "community.general.dnf_versionlock"
    verbs = {"present": "Lock the version of", "absent": "Unlock the version of", "excluded": "Never take the version of"}
    name = f"{verbs[state]} {said(packages)}" if state in verbs else "Unlock the versions of all packages"
    return Converted((Task(name, module, arguments, "repositories_rpm.versionlock"),))
