"""docker: images, networks, volumes, containers and compositions. All of it asks a daemon, which must run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from goldsmith.assist.commands import Argument, Command, Word
from goldsmith.assist.rules.options import Grammar, Parsed, text
from goldsmith.assist.tasks import Converted, Inexact, Outcome, Rule, Task

_NOTES = ("it needs a daemon that runs: in an image that is only built, do it at the first boot",)


def _docker(command: Command) -> Outcome:
    words = list(command.args)
    if command.redirects or command.feeds or command.stdin is not None:
        raise Inexact("docker reads or writes a file")
    if words and words[0].text in ("image", "container"):
        words.pop(0)
    first = words[0].text if words else None
    if first in ("network", "volume", "compose", "system") and len(words) > 1:
        first = f"{first} {words[1].text or ''}" if first != "compose" else first
        words = words[2:] if first != "compose" else words[1:]
    else:
        words = words[1:]
    rule = _VERBS.get(first or "")
    if rule is None:
        raise Inexact(f"no module does what docker {first or ''} does")
    return rule(replace(command, args=tuple(words)))


def _task(name: str, module: str, args: Mapping[str, Argument]) -> Task:
    return Task(
        name, f"community.docker.{module}", args, f"containers.{module.replace('_v2', '').replace('_', '-')}", notes=_NOTES
    )


def _pull(command: Command) -> Outcome:
    parsed = Grammar.of("-q --quiet, --platform=, -a --all-tags").parse(command)
    parsed.only("-q", "--platform")
    if len(parsed.operands) != 1:
        raise Inexact("docker pull takes one image")
    image = parsed.operands[0]
    args: dict[str, Argument] = {"name": image}
    platform = parsed.value("--platform")
    if platform is not None:
        args["platform"] = platform
    return Converted((_task(f"Pull {image.label}", "docker_image_pull", args),))


_BUILD = Grammar.of(
    "-t= --tag=, -f= --file=, --build-arg=, --no-cache, --pull, -q --quiet, --target=, --platform=, --network=, --rm"
)


def _build(command: Command) -> Outcome:
    parsed = _BUILD.parse(command)
    tags = parsed.values("-t")
    if len(tags) != 1 or len(parsed.operands) != 1:
        raise Inexact("a task builds an image of one name from one directory")
    args: dict[str, Argument] = {"name": tags[0], "path": command.path(parsed.operands[0])}
    for option, argument in {"-f": "dockerfile", "--target": "target", "--network": "network"}.items():
        value = parsed.value(option)
        if value is not None:
            args[argument] = value
    if parsed.values("--platform"):
        args["platform"] = list(parsed.values("--platform"))
    args |= {argument: True for option, argument in {"--no-cache": "nocache", "--pull": "pull"}.items() if parsed.has(option)}
    if parsed.values("--build-arg"):
        args["args"] = _pairs(parsed.values("--build-arg"))
    return Converted((_task(f"Build {tags[0].label}", "docker_image_build", args),))


def _pairs(words: tuple[Word, ...]) -> dict[str, Argument]:
    pairs: dict[str, Argument] = {}
    for word in words:
        key, equals, _ = word.label.partition("=")
        if not equals or not word.startswith(f"{key}="):
            raise Inexact("a value is taken from the environment of docker")
        pairs[key] = word.after(f"{key}=")
    return pairs


def _network(command: Command) -> Outcome:
    parsed = Grammar.of("-d= --driver=, --attachable, --internal, --ipv6, --subnet=, --gateway=, -o= --opt=, --label=").parse(
        command
    )
    parsed.only("-d", "--attachable", "--internal", "--ipv6", "--subnet", "--gateway")
    if len(parsed.operands) != 1:
        raise Inexact("docker network create takes one name")
    name = parsed.operands[0]
    args: dict[str, Argument] = {"name": name}
    driver = parsed.value("-d")
    if driver is not None:
        args["driver"] = driver
    flags = {"--attachable": "attachable", "--internal": "internal", "--ipv6": "enable_ipv6"}
    args |= {argument: True for option, argument in flags.items() if parsed.has(option)}
    addresses = {name: value for name in ("subnet", "gateway") if (value := parsed.value(f"--{name}")) is not None}
    if addresses:
        args["ipam_config"] = [addresses]
    return Converted((_task(f"Make the network {name.label}", "docker_network", args),))


def _volume(command: Command) -> Outcome:
    parsed = Grammar.of("-d= --driver=, --name=, -o= --opt=, --label=").parse(command)
    parsed.only("-d", "--name")
    name = parsed.value("--name") or (parsed.operands[0] if len(parsed.operands) == 1 else None)
    if name is None:
        raise Inexact("the volume has no name")
    args: dict[str, Argument] = {"volume_name": name}
    driver = parsed.value("-d")
    if driver is not None:
        args["driver"] = driver
    return Converted((_task(f"Make the volume {name.label}", "docker_volume", args),))


_RUN = Grammar.of(
    """
    -d --detach, --name=, -p= --publish=, -v= --volume=, -e= --env=, --restart=, --network= --net=, -w= --workdir=,
    -u= --user=, --privileged, -h= --hostname=, --cap-add=, --cap-drop=, -l= --label=, --env-file=, -m= --memory=, --cpus=,
    --entrypoint=, --add-host=, --device=, --dns=, --ipc=, --pid=, --platform=, --pull=, --read-only, --rm, --security-opt=,
    --shm-size=, --init, --tmpfs=, -t --tty, -i --interactive, --ulimit=, --gpus=, --log-driver=, --mount=, -q --quiet,
    --link=
    """,
    permutes=False,
)
_RUN_VALUES = {
    "-w": "working_dir",
    "-u": "user",
    "-h": "hostname",
    "--env-file": "env_file",
    "-m": "memory",
    "--cpus": "cpus",
    "--ipc": "ipc_mode",
    "--pid": "pid_mode",
    "--platform": "platform",
    "--shm-size": "shm_size",
    "--log-driver": "log_driver",
    "--pull": "pull",
}
_RUN_LISTS = {
    "-p": "published_ports",
    "-v": "volumes",
    "--cap-add": "capabilities",
    "--cap-drop": "cap_drop",
    "--device": "devices",
    "--dns": "dns_servers",
    "--security-opt": "security_opts",
    "--tmpfs": "tmpfs",
    "--ulimit": "ulimits",
    "--link": "links",
}
_RUN_PAIRS = {"-e": "env", "-l": "labels"}
_RUN_FLAGS = {"--privileged": "privileged", "--read-only": "read_only", "--init": "init", "-t": "tty", "-i": "interactive"}


def _run(command: Command) -> Outcome:
    """A container that goes on in the background and has a name; any other is a program that runs once."""
    parsed = _RUN.parse(command)
    name = parsed.value("--name")
    if name is None or not parsed.has("-d") or parsed.has("--rm", "--gpus", "--mount") or not parsed.operands:
        raise Inexact("a container without a name, or one that is gone afterwards, is a program that runs once")
    image, *rest = parsed.operands
    args: dict[str, Argument] = {"name": name, "image": image, "state": "started"}
    args |= {argument: value for opt, argument in _RUN_VALUES.items() if (value := parsed.value(opt)) is not None}
    args |= {argument: list(parsed.values(option)) for option, argument in _RUN_LISTS.items() if parsed.values(option)}
    args |= {argument: _pairs(parsed.values(option)) for option, argument in _RUN_PAIRS.items() if parsed.values(option)}
    args |= {argument: True for option, argument in _RUN_FLAGS.items() if parsed.has(option)}
    args |= _run_rest(parsed)
    if rest:
        args |= {"command": rest, "command_handling": "correct"}
    return Converted((_task(f"Run the container {name.label}", "docker_container", args),))


def _run_rest(parsed: Parsed) -> dict[str, Argument]:
    args: dict[str, Argument] = {}
    restart = parsed.value("--restart")
    if restart is not None:
        policy, _, retries = text(restart).partition(":")
        args["restart_policy"] = policy
        if retries:
            args["restart_retries"] = int(retries)
    network = parsed.value("--network")
    if network is not None:
        known = network.text or ""
        if known in ("host", "none", "bridge") or known.startswith("container:"):
            args["network_mode"] = network
        else:
            args |= {"networks": [{"name": network}], "network_mode": network}
    hosts = parsed.values("--add-host")
    if hosts:
        args["etc_hosts"] = {host: address for host, _, address in (text(word).partition(":") for word in hosts)}
    entrypoint = parsed.value("--entrypoint")
    if entrypoint is not None:
        args["entrypoint"] = [entrypoint]
    return args


_STATES: Mapping[str, tuple[str, str]] = {
    "start": ("Start", "started"),
    "stop": ("Stop", "stopped"),
    "rm": ("Remove", "absent"),
}


def _state(verb: str) -> Rule:
    def rule(command: Command) -> Outcome:
        parsed = Grammar.of("-f --force, -v --volumes, -t= --time= --timeout=, -s= --signal=, -a, -i").parse(command)
        parsed.only("-f", "-t")
        words, state = _STATES[verb]
        tasks = []
        for name in parsed.operands:
            if name.glob:
                raise Inexact("which containers are meant is known only on the machine")
            args: dict[str, Argument] = {"name": name, "state": state}
            if parsed.has("-f"):
                args["force_kill"] = True
            tasks.append(_task(f"{words} the container {name.label}", "docker_container", args))
        if not tasks:
            raise Inexact("it names no container")
        return Converted(tuple(tasks))

    return rule


_COMPOSE = Grammar.of(
    """
    -f= --file=, -p= --project-name=, --env-file=, --profile=, --project-directory=, --ansi=, --progress=, --compatibility
    """,
    permutes=False,
)
_COMPOSE_VERB = Grammar.of(
    """
    -d --detach, --build, --remove-orphans, --force-recreate, --no-recreate, -v --volumes, --rmi=, -t= --timeout=,
    -q --quiet, --quiet-pull, --pull=, --wait, --no-deps, --no-build, -f --force, --ignore-pull-failures
    """
)


def _compose(command: Command) -> Outcome:
    parsed = _COMPOSE.parse(command)
    parsed.only("-f", "-p", "--env-file", "--profile", "--project-directory", "--ansi", "--progress")
    if not parsed.operands:
        raise Inexact("docker compose without a verb only prints")
    verb, words = text(parsed.operands[0]), parsed.operands[1:]
    given = _COMPOSE_VERB.read(words)
    directory = parsed.value("--project-directory")
    args: dict[str, Argument] = {"project_src": command.directory if directory is None else command.path(directory)}
    for option, argument in {"-f": "files", "--env-file": "env_files", "--profile": "profiles"}.items():
        if parsed.values(option):
            args[argument] = list(parsed.values(option))
    project = parsed.value("-p")
    if project is not None:
        args["project_name"] = project
    if given.operands:
        args["services"] = list(given.operands)
    if verb == "pull":
        given.only("-q", "--ignore-pull-failures")
        return Converted((_task("Pull the images of a composition", "docker_compose_v2_pull", args),))
    return Converted((_composition(verb, given, args),))


_COMPOSED = {"up": "Start", "down": "Remove", "stop": "Stop", "start": "Start", "restart": "Restart"}
_WAITS = ("--wait", "--pull")


def _composition(verb: str, given: Parsed, args: dict[str, Argument]) -> Task:
    states = {"up": "present", "down": "absent", "stop": "stopped", "start": "present", "restart": "restarted"}
    if verb not in states or (verb == "up" and not given.has("-d", "--wait")):
        raise Inexact(f"no module does what docker compose {verb} does")
    given.only(
        "-d", "--build", "--remove-orphans", "--force-recreate", "--no-recreate", "-v", "-q", "--quiet-pull", "--wait", "--pull"
    )
    args["state"] = states[verb]
    if given.has("--build"):
        args["build"] = "always"
    recreate = given.last("--force-recreate", "--no-recreate")
    if recreate is not None:
        args["recreate"] = "always" if recreate == "--force-recreate" else "never"
    flags = {"--remove-orphans": "remove_orphans", "-v": "remove_volumes", "--wait": "wait"}
    args |= {argument: True for option, argument in flags.items() if given.has(option)}
    pull = given.value("--pull")
    if pull is not None:
        args["pull"] = pull
    return _task(f"{_COMPOSED[verb]} a composition", "docker_compose_v2", args)


_VERBS: Mapping[str, Rule] = {
    "pull": _pull,
    "build": _build,
    "network create": _network,
    "volume create": _volume,
    "run": _run,
    "start": _state("start"),
    "stop": _state("stop"),
    "rm": _state("rm"),
    "compose": _compose,
}


RULES: Mapping[str, Rule] = {"docker": _docker, "docker-compose": _compose}
