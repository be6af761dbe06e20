"""subscription-manager: the registration of a machine with Red Hat, its repositories and release."""

from __future__ import annotations

from collections.abc import Mapping

from goldsmith.assist import guards
from goldsmith.assist.commands import Argument, Command
from goldsmith.assist.rules.options import Grammar, Parsed, text
from goldsmith.assist.tasks import Converted, Dropped, Inexact, Outcome, Rule, Task

_OPTIONS = Grammar.of(
    """
    --username=, --password=, --org=, --activationkey=, --auto-attach --autosubscribe, --force, --name=, --type=,
    --environment=, --environments=, --serverurl=, --baseurl=, --insecure, --release=, --enable=, --disable=, --list, --set=,
    --unset, --pool=, --auto, --quantity=, --show, --consumerid=, --servicelevel=, --all, --token=
    """,
    abbreviates=False,
)
_REGISTER = {
    "--username": "username",
    "--password": "password",
    "--org": "org_id",
    "--activationkey": "activationkey",
    "--name": "consumer_name",
    "--type": "consumer_type",
    "--environment": "environment",
    "--environments": "environment",
    "--serverurl": "server_hostname",
    "--baseurl": "rhsm_baseurl",
    "--release": "release",
    "--consumerid": "consumer_id",
    "--token": "token",
}
_MODULE = "community.general.redhat_subscription"


def _subscription(command: Command) -> Outcome:
    parsed = _OPTIONS.parse(command)
    verb = text(parsed.operands[0]) if parsed.operands else ""
    if len(parsed.operands) != 1:
        raise Inexact("which verb of subscription-manager is meant is known only on the machine")
    if verb == "register":
        return Converted((_registered(parsed),))
    if verb in ("unregister", "unsubscribe"):
        return Converted(
            (Task("Take the machine's registration back", _MODULE, {"state": "absent"}, "registration.unregister"),)
        )
    if verb == "repos":
        return Converted(tuple(_repositories(parsed)))
    if verb == "release" and parsed.value("--set") is not None:
        args: dict[str, Argument] = {"release": parsed.value("--set") or ""}
        return Converted((Task("Keep to one release", "community.general.rhsm_release", args, "registration.release"),))
    if verb == "attach":
        return Converted((_attached(parsed),))
    if verb == "clean":
        return Dropped("registration.clean", "what names the machine to Red Hat is no part of an image")
    if verb == "refresh":
        return Converted((guards.run(command, "Refresh the subscriptions", "registration.refresh", kind="handler"),))
    raise Inexact(f"no module does what subscription-manager {verb} does")


def _registered(parsed: Parsed) -> Task:
    args: dict[str, Argument] = {arg: value for option, arg in _REGISTER.items() if (value := parsed.value(option)) is not None}
    if parsed.has("--auto-attach"):
        args["auto_attach"] = True
    if parsed.has("--force"):
        args["force_register"] = True
    if parsed.has("--insecure"):
        args["server_insecure"] = "1"
    if not args:
        raise Inexact("subscription-manager asks for a name and a password")
    return Task("Register the machine", _MODULE, args, "registration.register", no_log=True)


def _attached(parsed: Parsed) -> Task:
    pools = parsed.values("--pool")
    args: dict[str, Argument] = {"pool_ids": list(pools)} if pools else {"auto_attach": True}
    return Task("Attach subscriptions", _MODULE, {"state": "present", **args}, "registration.attach")


def _repositories(parsed: Parsed) -> list[Task]:
    tasks = []
    for option in parsed.options:
        if option.name not in ("--enable", "--disable") or option.value is None:
            raise Inexact("subscription-manager lists repositories")
        state = "enabled" if option.name == "--enable" else "disabled"
        args: dict[str, Argument] = {"name": [option.value], "state": state}
        words = "Enable" if state == "enabled" else "Disable"
        name = f"{words} the repository {option.value.label}"
        tasks.append(Task(name, "community.general.rhsm_repository", args, "registration.repos"))
    if not tasks:
        raise Inexact("subscription-manager lists repositories")
    return tasks


RULES: Mapping[str, Rule] = {"subscription-manager": _subscription}
