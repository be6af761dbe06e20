"""Firewalls: ufw, firewall-cmd and iptables."""

from __future__ import annotations

import re
from collections.abc import Mapping

from goldsmith.assist import guards
from goldsmith.assist.commands import Argument, Command, Word
from goldsmith.assist.rules.options import Grammar, Option, text
from goldsmith.assist.tasks import Converted, Inexact, Outcome, Rule, Task

_UFW = "community.general.ufw"
_RULES = ("allow", "deny", "reject", "limit")
_DIRECTIONS: Mapping[str, str] = {
    "in": "in",
    "incoming": "incoming",
    "out": "out",
    "outgoing": "outgoing",
    "routed": "routed",
}


def _ufw(command: Command) -> Outcome:
    if command.redirects and any(not item.target.startswith("/var/log/") for item in command.redirects):
        raise Inexact("ufw is redirected")
    words = [word for word in command.args if word.text not in ("--force", "-f")]
    if any(word.text is not None and word.text.startswith("-") for word in words) or not words:
        raise Inexact("what ufw does without a verb, or dry, is no task")
    verb, rest = text(words[0]), words[1:]
    if verb in ("enable", "disable", "reset") and not rest:
        return Converted(_ufw_state(command, verb))
    if verb == "reload" and not rest:
        return Converted((Task("Reload ufw", _UFW, {"state": "reloaded"}, "firewall.ufw-reload", kind="handler"),))
    if verb == "default" and 1 <= len(rest) <= 2:
        return Converted((_ufw_default(rest),))
    if verb == "logging" and len(rest) == 1:
        return Converted((Task(f"Log {rest[0].label} of ufw", _UFW, {"logging": rest[0]}, "firewall.ufw-logging"),))
    return Converted((_ufw_rule(words),))


def _ufw_state(command: Command, verb: str) -> tuple[Task, ...]:
    """The module asks the kernel whether ufw is on, which an image that is built does not answer: its file does."""
    state = {"enable": "enabled", "disable": "disabled", "reset": "reset"}[verb]
    if verb == "reset":
        return (Task("Reset ufw", _UFW, {"state": state}, "firewall.ufw-reset"),)
    asked = guards.registered(command, "ufw")
    look = guards.query(
        command,
        "Look up whether ufw is on",
        "firewall.ufw-state",
        ["grep", "-qx", f"ENABLED={'yes' if verb == 'enable' else 'no'}", "/etc/ufw/ufw.conf"],
        register=asked,
    )
    task = Task(f"{verb.capitalize()} ufw", _UFW, {"state": state}, f"firewall.ufw-{verb}", changed_when=f"{asked}.rc != 0")
    return look, task


def _ufw_default(words: list[Word]) -> Task:
    known = {word.text for word in words}
    policy = next((name for name in ("allow", "deny", "reject") if name in known), None)
    direction = next((_DIRECTIONS[name] for name in _DIRECTIONS if name in known), None)
    if policy is None or (len(words) == 2 and direction is None):
        raise Inexact("which policy is meant depends on a value")
    args: dict[str, Argument] = {"default": policy, "direction": direction or "incoming"}
    return Task(f"{policy.capitalize()} {args['direction']} traffic by default", _UFW, args, "firewall.ufw-default")


def _ufw_rule(words: list[Word]) -> Task:
    """`[route] [delete] [insert N] allow|deny|… [in|out [on IF]] [log] PORT[/PROTO] | APP | from … to … [comment C]`."""
    left = list(words)
    args: dict[str, Argument] = {}
    while left and (left[0].text in ("route", "rule", "delete", "insert", "prepend")):
        word = left.pop(0).text
        if word == "insert" and left:
            args["insert"] = int(text(left.pop(0))) if (left[0].text or "").isdigit() else left.pop(0)
        elif word in ("route", "delete"):
            args[word] = True
        elif word != "rule":
            raise Inexact(f"the module does not know ufw {word}")
    verb = text(left.pop(0)) if left else ""
    if verb not in _RULES:
        raise Inexact(f"no module does what ufw {verb} does")
    args = {"rule": verb, **args}
    _ufw_matches(args, left)
    removed = " no longer" if args.get("delete") else ""
    return Task(f"{verb.capitalize()}{removed} {_ufw_subject(words, verb)}", _UFW, args, "firewall.ufw-rule")


def _ufw_subject(words: list[Word], verb: str) -> str:
    labels = [word.label for word in words]
    start = labels.index(verb) + 1
    end = labels.index("comment") if "comment" in labels else len(labels)
    return " ".join(labels[start:end])


def _ufw_matches(args: dict[str, Argument], left: list[Word]) -> None:
    while left:
        word = left.pop(0)
        key = word.text
        if key in ("in", "out"):
            if left and left[0].text == "on" and len(left) > 1:
                args |= {f"interface_{key}": left[1]}
                del left[:2]
            else:
                args["direction"] = key
        elif key in ("log", "log-all"):
            if key == "log-all":
                raise Inexact("the module logs the first packets of a connection, not all")
            args["log"] = True
        elif key in ("from", "to", "proto", "comment") and left:
            args |= _ufw_value(key, left)
        elif not {"from_ip", "to_ip", "to_port", "name"} & args.keys():
            args |= _ufw_simple(word)
        else:
            raise Inexact(f"what {word.source} means in this rule of ufw is not known")


def _ufw_value(key: str, left: list[Word]) -> dict[str, Argument]:
    if key in ("proto", "comment"):
        return {key: left.pop(0)}
    side = f"{key}_ip"
    args: dict[str, Argument] = {}
    if left[0].text not in ("port", "app"):
        args[side] = left.pop(0)
    if len(left) > 1 and left[0].text == "port":
        args[f"{key}_port"] = left[1]
        del left[:2]
    elif len(left) > 1 and left[0].text == "app":
        if key == "from":
            raise Inexact("the module knows an application as the destination only")
        args["name"] = left[1]
        del left[:2]
    return args


def _ufw_simple(word: Word) -> dict[str, Argument]:
    """A port, a service of /etc/services (small letters), or an application's profile (capital letters or spaces)."""
    known = word.text
    if known is None:
        _, slash, proto = word.label.rpartition("/")
        if slash and proto in ("tcp", "udp"):
            return {"to_port": _before(word, f"/{proto}"), "proto": proto}
        return {"to_port": word}
    match = re.fullmatch(r"([^/\s]+)/(tcp|udp)", known)
    if match:
        return {"to_port": match[1], "proto": match[2]}
    if re.fullmatch(r"[\d:,]+|[a-z][a-z0-9_.+-]*", known):
        return {"to_port": known}
    return {"name": known}


def _before(word: Word, suffix: str) -> Word:
    """The word without this text at its end."""
    *first, last = word.pieces
    value = getattr(last, "value", "")
    rest = Word(tuple(first), word.source)
    return rest + Word.of(value.removesuffix(suffix))


_FIREWALLD = Grammar.of(
    """
    --permanent, --zone=, --reload, --complete-reload, -q --quiet, --set-default-zone=, --runtime-to-permanent,
    --add-service=, --remove-service=, --add-port=, --remove-port=, --add-rich-rule=, --remove-rich-rule=, --add-source=,
    --remove-source=, --add-interface=, --remove-interface=, --change-interface=, --add-protocol=, --remove-protocol=,
    --add-icmp-block=, --remove-icmp-block=, --add-masquerade, --remove-masquerade, --add-forward, --remove-forward,
    --set-target=, --timeout=, --new-zone=, --delete-zone=, --policy=, --direct, --add-source-port=, --add-forward-port=
    """,
    permutes=True,
)
_FIREWALLD_PARTS: Mapping[str, str] = {
    "service": "service",
    "port": "port",
    "rich-rule": "rich_rule",
    "source": "source",
    "interface": "interface",
    "protocol": "protocol",
    "icmp-block": "icmp_block",
    "masquerade": "masquerade",
    "forward": "forward",
}


def _firewall_cmd(command: Command) -> Outcome:
    parsed = _FIREWALLD.parse(command)
    permanent = parsed.has("--permanent") or command.name == "firewall-offline-cmd"
    zone = parsed.value("--zone")
    tasks: list[Task] = []
    for option in parsed.options:
        if option.name in ("--permanent", "--zone", "-q"):
            continue
        if option.name in ("--reload", "--complete-reload"):
            args: dict[str, Argument] = {"name": "firewalld", "state": "reloaded"}
            tasks.append(
                Task("Reload firewalld", "ansible.builtin.systemd_service", args, "firewall.firewalld-reload", kind="handler")
            )
        else:
            tasks.append(_firewalld_task(option, zone, permanent))
    if parsed.operands or not tasks:
        raise Inexact("no module does what this firewall-cmd does")
    return Converted(tuple(tasks))


def _firewalld_task(option: Option, zone: Word | None, permanent: bool) -> Task:
    verb, _, part = option.name.removeprefix("--").partition("-")
    if option.name in ("--new-zone", "--delete-zone"):
        verb = "add" if verb == "new" else "remove"
        return _firewalld(option, {"zone": option.value or Word(())}, permanent, "present" if verb == "add" else "absent")
    if part not in _FIREWALLD_PARTS or verb not in ("add", "remove"):
        raise Inexact(f"no module does what {option.name} of firewall-cmd does")
    args: dict[str, Argument] = {_FIREWALLD_PARTS[part]: True if option.value is None else option.value}
    if zone is not None:
        args["zone"] = zone
    elif part in ("interface",):
        raise Inexact("an interface goes to a zone that is not named")
    return _firewalld(option, args, permanent, "enabled" if verb == "add" else "disabled")


def _firewalld(option: Option, args: Mapping[str, Argument], permanent: bool, state: str) -> Task:
    """Settings that are kept are written while no firewalld runs (`offline`); the others need it."""
    when: dict[str, Argument] = {"permanent": True, "offline": True} if permanent else {"immediate": True}
    words = option.name.removeprefix("--").replace("-", " ").capitalize()
    label = f" {option.value.label}" if option.value is not None else ""
    return Task(f"{words}{label}", "ansible.posix.firewalld", {**args, "state": state, **when}, "firewall.firewalld")


_IPTABLES = Grammar.of(
    """
    -A= --append=, -D= --delete=, -I= --insert=, -P= --policy=, -F? --flush?, -N= --new-chain=, -X? --delete-chain?,
    -t= --table=, -p= --protocol= --proto=, -s= --source= --src=, -d= --destination= --dst=, -j= --jump=, -g= --goto=,
    -i= --in-interface=, -o= --out-interface=, -m= --match=, --dport= --destination-port=, --sport= --source-port=,
    --dports=, --sports=, --state=, --ctstate=, --to-destination=, --to-source=, --to-ports= --to-port=, --comment=,
    --limit=, --limit-burst=, --reject-with=, --icmp-type=, --log-prefix=, --log-level=, --uid-owner=, --gid-owner=, --syn,
    -w? --wait?, --src-range=, --dst-range=, -n, -v, -L? --list?, -C= --check=
    """,
    permutes=True,
)
_IPTABLES_ARGUMENTS: Mapping[str, str] = {
    "-t": "table",
    "-p": "protocol",
    "-s": "source",
    "-d": "destination",
    "-j": "jump",
    "-g": "goto",
    "-i": "in_interface",
    "-o": "out_interface",
    "--dport": "destination_port",
    "--sport": "source_port",
    "--to-destination": "to_destination",
    "--to-source": "to_source",
    "--to-ports": "to_ports",
    "--comment": "comment",
    "--limit": "limit",
    "--limit-burst": "limit_burst",
    "--reject-with": "reject_with",
    "--icmp-type": "icmp_type",
    "--log-prefix": "log_prefix",
    "--log-level": "log_level",
    "--uid-owner": "uid_owner",
    "--gid-owner": "gid_owner",
    "--src-range": "src_range",
    "--dst-range": "dst_range",
}
_MATCHES = frozenset({
    "conntrack", "state", "multiport", "comment", "limit", "owner", "tcp", "udp", "icmp", "icmp6", "iprange",
})  # fmt: skip


def _iptables(command: Command) -> Outcome:
    if any(word.text == "!" for word in command.args):
        raise Inexact("a match that is turned round is written otherwise by the module")
    parsed = _IPTABLES.parse(command)
    args: dict[str, Argument] = {}
    for option in parsed.options:
        if option.name in _IPTABLES_ARGUMENTS and option.value is not None:
            args[_IPTABLES_ARGUMENTS[option.name]] = option.value
    if command.name == "ip6tables":
        args["ip_version"] = "ipv6"
    action = parsed.last("-A", "-D", "-I", "-P", "-F", "-N", "-X")
    chain = parsed.value(action) if action else None
    if action == "-F" and (chain or parsed.operands):
        args["chain"] = chain or parsed.operands[0]
    elif action == "-P" and chain is not None and len(parsed.operands) == 1:
        args |= {"chain": chain, "policy": parsed.operands[0]}
        return Converted((_iptables_task(f"Set the policy of {chain.label}", args),))
    elif chain is not None:
        args["chain"] = chain
    if action == "-F":
        return Converted((_iptables_task("Remove the rules of the firewall", {**args, "flush": True}),))
    if action in ("-N", "-X") and chain is not None:
        args |= {"chain_management": True, "state": "present" if action == "-N" else "absent"}
        return Converted((_iptables_task(f"Set up the chain {chain.label}", args),))
    if action not in ("-A", "-I", "-D") or chain is None:
        raise Inexact("no module does what this iptables does")
    if any(text(match) not in _MATCHES for match in parsed.values("-m")):
        raise Inexact("the module does not know one of the matches")
    for spelling, argument in (("--state", "ctstate"), ("--ctstate", "ctstate"), ("--dports", "destination_ports")):
        value = parsed.value(spelling)
        if value is not None:
            args[argument] = text(value).split(",")
    if parsed.has("--sports"):
        raise Inexact("the module does not know several source ports")
    if parsed.has("--syn"):
        args["syn"] = "match"
    if action == "-I":
        args["action"] = "insert"
        if parsed.operands:
            args["rule_num"] = parsed.operands[0]
    if action == "-D":
        if parsed.operands:
            raise Inexact("which rule has this number depends on what ran before")
        args["state"] = "absent"
    return Converted((_iptables_task(f"Set a rule of {chain.label}", args),))


def _iptables_task(name: str, args: Mapping[str, Argument]) -> Task:
    return Task(name, "ansible.builtin.iptables", args, "firewall.iptables")


RULES: Mapping[str, Rule] = {
    "ufw": _ufw,
    "firewall-cmd": _firewall_cmd,
    "firewall-offline-cmd": _firewall_cmd,
    "iptables": _iptables,
    "ip6tables": _iptables,
}
