"""Units: which of them a machine starts (systemctl, chkconfig, update-rc.d, rc-update), and which run now.

`systemd_service` does not fail on states where systemd does not run (SYSTEMD_OFFLINE, a chroot), as systemctl does not,
so states stay where they stand; restarts become handlers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from goldsmith.assist import guards
from goldsmith.assist.commands import Argument, Command, Context, Word
from goldsmith.assist.rules.options import Grammar, Parsed, text, texts
from goldsmith.assist.rules.package_lists import holds_several, several_names
from goldsmith.assist.rules.paths import ITEM
from goldsmith.assist.tasks import Converted, Dropped, Inexact, Kind, Outcome, Rule, Task

_SYSTEMCTL = Grammar.of(
    """
    --now, --no-reload, --user, --system, --global, -f --force, -q --quiet, --no-block, --no-pager, --no-ask-password,
    --no-wall, --no-warn, --runtime, --wait, --root=, --image=, -H= --host=, -M= --machine=, -t= --type=, -p= --property=,
    -s= --signal=, --kill-who= --kill-whom=, --state=, --preset-mode=, --job-mode=, -n= --lines=, -o= --output=, -a --all,
    -l --full, -i --ignore-inhibitors
    """
)
_HARMLESS = ("--no-reload", "-q", "--no-pager", "--no-ask-password", "--no-wall", "--no-warn", "--system", "-l", "-a")

# What each verb asks of each of its units; with `--now` also a state.
_VERBS: Mapping[str, tuple[str, Mapping[str, Argument]]] = {
    "enable": ("Enable", {"enabled": True}),
    "disable": ("Disable", {"enabled": False}),
    "mask": ("Mask", {"masked": True}),
    "unmask": ("Unmask", {"masked": False}),
    "start": ("Start", {"state": "started"}),
    "stop": ("Stop", {"state": "stopped"}),
    "restart": ("Restart", {"state": "restarted"}),
    "reload": ("Reload", {"state": "reloaded"}),
}
_NOW: Mapping[str, str] = {"enable": "started", "disable": "stopped", "mask": "stopped"}
_REFRESHES = frozenset({"restart", "reload"})
_OTHER_REFRESHES = frozenset({
    "try-restart", "condrestart", "reload-or-restart", "try-reload-or-restart", "reload-or-try-restart", "force-reload",
})  # fmt: skip


def _systemctl(command: Command) -> Outcome:
    parsed = _SYSTEMCTL.parse(command)
    if not parsed.operands:
        raise Inexact("systemctl without a verb only shows units")
    verb, units = text(parsed.operands[0]), parsed.operands[1:]
    if verb in ("daemon-reload", "daemon-reexec"):
        parsed.only(*_HARMLESS, "--user", "--global", "--no-block")
        return Converted((_reload(verb, _scope(parsed)),))
    if verb in _OTHER_REFRESHES:
        name = f"{verb.replace('-', ' ').capitalize()} {' and '.join(unit.label for unit in units)}"
        return Converted((guards.run(command, name, "services.systemctl-refresh", kind="handler"),))
    if verb == "set-default" and len(units) == 1:
        parsed.only(*_HARMLESS, "-f")
        return _default_target(command, units[0])
    if verb in ("reset-failed", "kill"):
        return Dropped(f"services.systemctl-{verb}", "it changes only what runs while the image is built")
    if verb == "reboot":
        return Converted((Task("Reboot the machine", "ansible.builtin.reboot", {}, "services.reboot"),))
    if verb in _VERBS and units:
        return Converted(tuple(_unit_task(parsed, verb, unit, command.context) for unit in units))
    raise Inexact(f"no module does what systemctl {verb} does")


def _scope(parsed: Parsed) -> dict[str, Argument]:
    scope = parsed.last("--user", "--global")
    return {"scope": scope.removeprefix("--")} if scope else {}


def _reload(verb: str, scope: Mapping[str, Argument]) -> Task:
    name = "Reload systemd" if verb == "daemon-reload" else "Run systemd anew"
    args = {verb.replace("-", "_"): True, **scope}
    return Task(name, "ansible.builtin.systemd_service", args, f"services.{verb}", kind="handler")


def _unit_task(parsed: Parsed, verb: str, unit: Word, context: Context) -> Task:
    parsed.only(*_HARMLESS, "--now", "--user", "--global", "-f", "--no-block")
    if unit.glob:
        raise Inexact(f"which units {unit.source} stands for is known only on the machine")
    if "/" in unit.label:
        raise Inexact("a unit that is given by its path is linked too")
    words, wanted = _VERBS[verb]
    several = holds_several(unit) and context.loop is None
    args: dict[str, Argument] = {"name": ITEM if several else unit, **wanted}
    name = f"{words} what {unit.label} names" if several else f"{words} {unit.label}"
    if parsed.has("--now") and verb in _NOW:
        args["state"] = _NOW[verb]
        name += " and start it" if verb == "enable" else " and stop it"
    args |= _scope(parsed)
    if parsed.has("-f"):
        args["force"] = True
    if parsed.has("--no-block"):
        args["no_block"] = True
    kind: Kind = "handler" if verb in _REFRESHES else "module"
    loop = several_names(unit) if several else None
    return Task(name, "ansible.builtin.systemd_service", args, f"services.systemctl-{verb}", kind=kind, loop=loop)


def _default_target(command: Command, target: Word) -> Outcome:
    asked = guards.registered(command, "default_target")
    wanted = target if (target.text or "").endswith(".target") else target + Word.of(".target")
    look = guards.query(
        command, "Look up the default target", "services.get-default", ["systemctl", "get-default"], register=asked
    )
    setting = guards.run(
        command,
        f"Boot to {target.label}",
        "services.set-default",
        when=(f"{asked}.stdout != {guards.expression(wanted)}",),
    )
    return Converted((look, setting))


def _state(
    name: Word, verb: str, rule: str, extra: Mapping[str, Argument] | None = None, module: str = "ansible.builtin.service"
) -> Task:
    words, wanted = _VERBS[verb]
    kind: Kind = "handler" if verb in _REFRESHES else "module"
    return Task(f"{words} {name.label}", module, {"name": name, **wanted, **(extra or {})}, rule, kind=kind)


_SERVICE = Grammar.of("--skip-redirect", "--full-restart", "--status-all", permutes=False)


def _service(command: Command) -> Outcome:
    parsed = _SERVICE.parse(command)
    parsed.only("--skip-redirect")
    if len(parsed.operands) != 2:
        raise Inexact("a service takes no further arguments from a module")
    name, verb = parsed.operands[0], text(parsed.operands[1])
    return _serve(command, name, verb)


def _serve(command: Command, name: Word, verb: str) -> Outcome:
    if verb == "status":
        return Converted(
            (guards.run(command, f"Show the state of {name.label}", "services.status", changed_when=False, failed_when=None),)
        )
    if verb in ("start", "stop", "restart", "reload"):
        return Converted((_state(name, verb, f"services.service-{verb}"),))
    if verb in _OTHER_REFRESHES:
        return Converted((guards.run(command, f"Restart {name.label} if it runs", "services.service-refresh", kind="handler"),))
    raise Inexact(f"no module does what the service's own verb {verb} does")


def _verb_first(command: Command) -> Outcome:
    """`initctl restart NAME`."""
    if len(command.args) != 2:
        raise Inexact("no module gives a job further arguments")
    verb, name = texts(command.args[:1])[0], command.args[1]
    return _serve(command, name, verb)


_CHKCONFIG = Grammar.of("--add, --del, --level= --levels=, --list, --type=, --override, --no-redirect")


def _chkconfig(command: Command) -> Outcome:
    parsed = _CHKCONFIG.parse(command)
    parsed.only("--level", "--add", "--no-redirect")
    name = _first(parsed.operands)
    if parsed.has("--add"):
        task = _sysvinit(name, {"enabled": True})
        return Converted((replace(task, notes=("chkconfig --add starts the service in the runlevels that its script names",)),))
    if len(parsed.operands) != 2 or text(parsed.operands[1]) not in ("on", "off"):
        raise Inexact("no module does what this chkconfig does")
    enabled = text(parsed.operands[1]) == "on"
    level = parsed.value("--level")
    if level is not None:
        return Converted((_sysvinit(name, {"enabled": enabled, "runlevels": list(text(level))}),))
    return Converted((_state(name, "enable" if enabled else "disable", "services.chkconfig"),))


def _sysvinit(name: Word, args: Mapping[str, Argument]) -> Task:
    words = "Enable" if args["enabled"] else "Disable"
    return Task(f"{words} {name.label}", "ansible.builtin.sysvinit", {"name": name, **args}, "services.sysvinit")


def _update_rc(command: Command) -> Outcome:
    parsed = Grammar.of("-f", "-n").parse(command)
    parsed.only("-f")
    if len(parsed.operands) < 2:
        raise Inexact("update-rc.d takes a service and a verb")
    name, verb = parsed.operands[0], text(parsed.operands[1])
    if verb in ("enable", "disable") and len(parsed.operands) == 2:
        return Converted((_state(name, verb, "services.update-rc"),))
    if verb in ("defaults", "defaults-disabled"):
        return Converted((_sysvinit(name, {"enabled": verb == "defaults"}),))
    if verb == "remove":
        links = guards.registered(command, "links")
        look = guards.query(
            command,
            f"Look for the start links of {name.label}",
            "services.rc-links",
            ["find", "/etc", "-path", Word.of("/etc/rc?.d/[SK]??") + name],
            register=links,
        )
        remove = guards.run(
            command, f"Remove the start links of {name.label}", "services.rc-remove", when=(f"{links}.stdout | length > 0",)
        )
        return Converted((look, remove))
    raise Inexact(f"no module does what update-rc.d {verb} does")


def _rc_update(command: Command) -> Outcome:
    parsed = Grammar.of("-q --quiet", "-s --stack", "-u --update", "-a --all").parse(command)
    parsed.only("-q")
    if not 2 <= len(parsed.operands) <= 3:
        raise Inexact("a task knows one runlevel of a service")
    verb = text(parsed.operands[0])
    if verb not in ("add", "del", "delete"):
        raise Inexact(f"no module does what rc-update {verb} does")
    extra = {"runlevel": parsed.operands[2]} if len(parsed.operands) == 3 else {}
    return Converted((_state(parsed.operands[1], "enable" if verb == "add" else "disable", "services.rc-update", extra),))


def _first(words: tuple[Word, ...]) -> Word:
    if not words:
        raise Inexact("it names no service")
    return words[0]


_SHUTDOWN = Grammar.of("-r --reboot, -h, -P --poweroff, -H --halt, -k, --no-wall, -c, -f --force, -n, -w, -p, -i")


def _reboot(command: Command) -> Outcome:
    parsed = _SHUTDOWN.parse(command)
    if command.name == "shutdown" and not parsed.has("-r"):
        return _poweroff(command)
    task = Task(
        "Reboot the machine", "ansible.builtin.reboot", {}, "services.reboot", notes=("only a machine that booted can",)
    )
    return Converted((task,))


def _poweroff(command: Command) -> Outcome:
    return Dropped("services.poweroff", "the build itself stops the machine when it is done")


RULES: Mapping[str, Rule] = {
    "systemctl": _systemctl,
    "service": _service,
    "rc-service": _service,
    "invoke-rc.d": _service,
    "initctl": _verb_first,
    "chkconfig": _chkconfig,
    "update-rc.d": _update_rc,
    "rc-update": _rc_update,
    "reboot": _reboot,
    "shutdown": _reboot,
    "poweroff": _poweroff,
    "halt": _poweroff,
}
