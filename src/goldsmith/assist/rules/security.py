"""SELinux, capabilities, access lists, attributes of files, keys and certificates."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from goldsmith.assist import guards
from goldsmith.assist.commands import Argument, Command, Word
from goldsmith.assist.rules.options import Grammar, Parsed, text
from goldsmith.assist.tasks import Converted, Dropped, Inexact, Outcome, Rule, Task


def _setenforce(command: Command) -> Outcome:
    """It switches what runs, and leaves no trace in a file."""
    parsed = Grammar.of().parse(command)
    if len(parsed.operands) != 1:
        raise Inexact("setenforce takes one mode")
    modes = {"0": "Permissive", "permissive": "Permissive", "1": "Enforcing", "enforcing": "Enforcing"}
    mode = modes.get(text(parsed.operands[0]).lower())
    if mode is None:
        raise Inexact("setenforce takes 0, 1, permissive or enforcing")
    known = guards.registered(command, "selinux")
    look = guards.query(command, "Look up the mode of SELinux", "security.getenforce", ["getenforce"], register=known)
    when = f"{known}.stdout != '{mode}'"
    return Converted((look, guards.run(command, f"Make SELinux {mode.lower()}", "security.setenforce", when=(when,))))


def _setsebool(command: Command) -> Outcome:
    parsed = Grammar.of("-P", "-N", "-V").parse(command)
    parsed.only("-P")
    operands = list(parsed.operands)
    if len(operands) == 2 and "=" not in operands[0].label:
        operands = [operands[0] + Word.of("=") + operands[1]]
    tasks = []
    for word in operands:
        name, equals, value = text(word).partition("=")
        if not equals or value.lower() not in ("1", "0", "on", "off", "true", "false"):
            raise Inexact("a boolean of SELinux is on or off")
        args: dict[str, Argument] = {
            "name": name,
            "state": value.lower() in ("1", "on", "true"),
            "persistent": parsed.has("-P"),
        }
        tasks.append(Task(f"Set SELinux's {name}", "ansible.posix.seboolean", args, "security.setsebool"))
    return Converted(tuple(tasks))


_SEMANAGE = Grammar.of(
    """
    -a --add, -d --delete, -m --modify, -t= --type=, -p= --proto=, -f= --ftype=, -s= --seuser=, -r= --range=, -e= --equal=,
    -N --noreload, -1 --on, -0 --off, -D --deleteall, -S= --store=
    """
)
_FILE_TYPES = {"all files": "a", "--": "f", "regular file": "f", "-d": "d", "directory": "d", "-l": "l"}


def _semanage(command: Command) -> Outcome:
    parsed = _SEMANAGE.parse(command)
    parsed.only("-a", "-d", "-m", "-t", "-p", "-f", "-s", "-r", "-e", "-N", "-1", "-0")
    if len(parsed.operands) != 2 and not (len(parsed.operands) == 3 and parsed.has("-e")):
        raise Inexact("no module does what this semanage does")
    part, target = text(parsed.operands[0]), parsed.operands[1]
    state: Argument = "absent" if parsed.has("-d") else "present"
    if part == "fcontext":
        return Converted((_fcontext(parsed, target, state),))
    if part == "port":
        names = {"-p": "proto", "-t": "setype"}
        args = {name: value for option, name in names.items() if (value := parsed.value(option)) is not None}
        if len(args) != 2 or parsed.has("-r"):
            raise Inexact("a port takes a type and a protocol")
        whole: dict[str, Argument] = {"ports": [target], "state": state, **args}
        return Converted((Task(f"Label the port {target.label}", "community.general.seport", whole, "security.seport"),))
    if part == "permissive" and parsed.has("-a", "-d"):
        permissive: dict[str, Argument] = {"domain": target, "permissive": not parsed.has("-d")}
        module = "community.general.selinux_permissive"
        return Converted((Task(f"Make the domain {target.label} permissive", module, permissive, "security.permissive"),))
    if part == "boolean" and parsed.has("-1", "-0"):
        boolean: dict[str, Argument] = {"name": target, "state": parsed.has("-1"), "persistent": True}
        return Converted((Task(f"Set SELinux's {target.label}", "ansible.posix.seboolean", boolean, "security.seboolean"),))
    raise Inexact(f"no module does what semanage {part} does")


def _fcontext(parsed: Parsed, target: Word, state: Argument) -> Task:
    args: dict[str, Argument] = {"target": target, "state": state}
    for option, name in {"-t": "setype", "-s": "seuser", "-r": "selevel"}.items():
        value = parsed.value(option)
        if value is not None:
            args[name] = value
    kind = parsed.value("-f")
    if kind is not None:
        known = text(kind)
        args["ftype"] = _FILE_TYPES.get(known, known if known in ("a", "f", "d", "c", "b", "s", "l", "p") else "")
        if not args["ftype"]:
            raise Inexact(f"the kind of file {known} is not known")
    if parsed.has("-e"):
        args |= {"target": parsed.operands[-1], "substitute": parsed.value("-e") or Word(())}
    return Task(f"Label {target.label}", "community.general.sefcontext", args, "security.sefcontext")


def _setcap(command: Command) -> Outcome:
    """The module sets one capability at a time: the same where the file has none, as a file that was just installed."""
    parsed = Grammar.of("-q", "-r", "-n=", "-v", "-f").parse(command)
    parsed.only("-q")
    if len(parsed.operands) != 2:
        raise Inexact("several files, or none, are no task")
    capabilities, path = text(parsed.operands[0]), command.path(parsed.operands[1])
    tasks = []
    for clause in capabilities.split():
        match = re.fullmatch(r"(cap_[a-z_,]+)(?:=(?=[+-]))?([=+-][eip]*)", clause.lower())
        if match is None:
            raise Inexact(f"the module does not know the capabilities {clause}")
        for name in match[1].split(","):
            # On a file without any, adding is setting, and getcap tells it so: the module compares the signs.
            given = f"={match[2][1:]}" if match[2].startswith("+") else match[2]
            args: dict[str, Argument] = {"path": path, "capability": name + given, "state": "present"}
            tasks.append(Task(f"Give {name} to {path.label}", "community.general.capabilities", args, "security.capabilities"))
    return Converted(tuple(tasks))


_SETFACL = Grammar.of(
    """
    -m= --modify=, -x= --remove=, -b --remove-all, -k --remove-default, -d --default, -R --recursive, -L, -P, -n --no-mask,
    --mask, -M=, -X=, --set=, --test
    """
)
_ENTITIES = {
    "u": "user",
    "user": "user",
    "g": "group",
    "group": "group",
    "o": "other",
    "other": "other",
    "m": "mask",
    "mask": "mask",
}


def _setfacl(command: Command) -> Outcome:
    parsed = _SETFACL.parse(command)
    parsed.only("-m", "-x", "-d", "-R")
    state = "present" if parsed.has("-m") else "absent"
    value = parsed.value("-m") or parsed.value("-x")
    if value is None or not parsed.operands or (parsed.has("-m") and parsed.has("-x")):
        raise Inexact("no module does what this setfacl does")
    tasks = []
    for entry in text(value).split(","):
        shared = _acl_entry(entry, parsed.has("-m")) | {"state": state}
        if parsed.has("-d"):
            shared["default"] = True
        if parsed.has("-R"):
            shared["recursive"] = True
        for path in parsed.operands:
            if path.glob:
                raise Inexact("which files are meant is known only on the machine")
            args = {"path": command.path(path), **shared}
            tasks.append(Task(f"Set who may use {path.label}", "ansible.posix.acl", args, "security.acl"))
    return Converted(tuple(tasks))


def _acl_entry(entry: str, with_permissions: bool) -> dict[str, Argument]:
    default = entry.startswith(("d:", "default:"))
    parts = entry.split(":")[1:] if default else entry.split(":")
    kind = _ENTITIES.get(parts[0])
    if kind is None or len(parts) not in ((3, 2) if with_permissions else (2, 1)):
        raise Inexact(f"the entry {entry} of an access list is not known")
    args: dict[str, Argument] = {"etype": kind}
    if len(parts) > 1 and parts[1] and not (len(parts) == 2 and with_permissions):
        args["entity"] = parts[1]
    if with_permissions:
        args["permissions"] = parts[-1]
    if default:
        args["default"] = True
    return args


def _chattr(command: Command) -> Outcome:
    """`-i` looks like an option and is none: the first word that is no option of letters R, V, f, v, p is the change."""
    words = [word for word in command.args if word.text not in ("-V", "-f")]
    if not words or command.redirects or any(word.glob for word in words):
        raise Inexact("which files are meant is known only on the machine")
    change = text(words[0])
    if not re.fullmatch(r"[+=-][aAcCdDeFijmPsStTux]+", change):
        raise Inexact(f"what chattr {change} does is not known")
    tasks = []
    for path in words[1:]:
        args: dict[str, Argument] = {"path": command.path(path), "attributes": change}
        tasks.append(Task(f"Set attributes of {path.label}", "ansible.builtin.file", args, "security.chattr"))
    return Converted(tuple(tasks))


_CHCON = Grammar.of("-t= --type=, -u= --user=, -r= --role=, -l= --range=, -R --recursive, -v --verbose, -h, --reference=")


def _chcon(command: Command) -> Outcome:
    parsed = _CHCON.parse(command)
    parsed.only("-t", "-u", "-r", "-l", "-R", "-v")
    names = {"-t": "setype", "-u": "seuser", "-r": "serole", "-l": "selevel"}
    shared: dict[str, Argument] = {name: value for opt, name in names.items() if (value := parsed.value(opt)) is not None}
    if not shared or any(word.glob for word in parsed.operands):
        raise Inexact("the whole context of SELinux in one word is no argument of a task")
    if parsed.has("-R"):
        shared |= {"state": "directory", "recurse": True}
    tasks = []
    for path in parsed.operands:
        args = {"path": command.path(path), **shared}
        tasks.append(Task(f"Label {path.label}", "ansible.builtin.file", args, "security.chcon"))
    return Converted(tuple(tasks))


_KEYGEN = Grammar.of("-t=, -b=, -f=, -N=, -C=, -q, -A, -P=, -m=, -a=, -R=, -F=, -H, -y, -l, -o")


def _ssh_keygen(command: Command) -> Outcome:
    parsed = _KEYGEN.parse(replace(command, stdin=None))
    if parsed.has("-A"):
        return Dropped("security.host-keys", "sealing removes host keys, each machine makes its own at the first boot")
    parsed.only("-t", "-b", "-f", "-N", "-C", "-q")
    path = parsed.value("-f")
    if path is None:
        raise Inexact("ssh-keygen asks for a file")
    if path.startswith("/etc/ssh/ssh_host_"):
        return Dropped("security.host-keys", "sealing removes host keys, each machine makes its own at the first boot")
    kind = parsed.value("-t")
    passphrase = parsed.value("-N")
    if passphrase is None or passphrase.text != "":
        raise Inexact("ssh-keygen asks for a passphrase")
    args: dict[str, Argument] = {"path": command.path(path), "type": "rsa" if kind is None else kind}
    for option, name in {"-b": "size", "-C": "comment"}.items():
        value = parsed.value(option)
        if value is not None:
            args[name] = value
    return Converted((Task(f"Make the key {path.label}", "community.crypto.openssh_keypair", args, "security.ssh-keygen"),))


def _openssl(command: Command) -> Outcome:
    """Keys, parameters and certificates are made once: the file is the guard. The rest is read, or written by `-out`."""
    verb = command.args[0].text if command.args else None
    if verb not in ("req", "genrsa", "genpkey", "dhparam", "ecparam"):
        raise Inexact("no module does what this openssl does")
    words = [word.text for word in command.args]
    for option in ("-out", "-keyout"):
        if option in words[:-1]:
            made = command.path(command.args[words.index(option) + 1])
            return Converted((guards.run(command, f"Make {made.label}", "security.openssl-make", creates=made),))
    raise Inexact("what openssl makes goes to its output")


def _crypto_policies(command: Command) -> Outcome:
    parsed = Grammar.of("--set=", "--show", "--no-reload", "--no-check", "--is-applied", "--check").parse(command)
    parsed.only("--set", "--no-reload")
    policy = parsed.value("--set")
    if policy is None:
        return Converted((guards.run(command, "Apply the crypto policy", "security.crypto-policy-apply", kind="handler"),))
    known = guards.registered(command, "crypto_policy")
    words: list[str | Word] = ["update-crypto-policies", "--show"]
    look = guards.query(command, "Look up the crypto policy", "security.crypto-policy-value", words, register=known)
    when = f"{known}.stdout != {guards.expression(policy)}"
    name = f"Set the crypto policy {policy.label}"
    return Converted((look, guards.run(command, name, "security.crypto-policy", when=(when,))))


RULES: Mapping[str, Rule] = {
    "setenforce": _setenforce,
    "setsebool": _setsebool,
    "semanage": _semanage,
    "setcap": _setcap,
    "setfacl": _setfacl,
    "chattr": _chattr,
    "chcon": _chcon,
    "ssh-keygen": _ssh_keygen,
    "openssl": _openssl,
    "update-crypto-policies": _crypto_policies,
}
