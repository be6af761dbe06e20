"""conda, pm2, RabbitMQ's plugins and PostgreSQL's first users: asked first for what they have."""

from __future__ import annotations

from collections.abc import Mapping

from goldsmith.assist import guards
from goldsmith.assist.commands import Command, Word
from goldsmith.assist.rules.options import Grammar, text
from goldsmith.assist.tasks import Converted, Dropped, Inexact, Outcome, Rule


def _conda(command: Command) -> Outcome:
    """Settings, and what the output tells: an environment, and packages, are asked for by conda itself."""
    words = [word for word in command.args if word.text not in ("-y", "--yes", "-q", "--quiet")]
    verb = text(words[0]) if words else ""
    program = command.program if command.program.pieces else Word.of(command.name)
    if verb == "clean":
        return Dropped("environments.conda-clean", "what conda keeps for itself is no part of an image")
    if verb == "config" and len(words) == 4 and words[1].text == "--set":
        known = guards.registered(command, "conda")
        asking: list[str | Word] = [program, "config", "--show", words[2]]
        look = guards.query(command, f"Look up conda's {words[2].label}", "environments.conda-setting", asking, register=known)
        when = f"({guards.expression(words[2] + Word.of(': ') + words[3])}) | lower not in {known}.stdout | lower"
        return Converted(
            (look, guards.run(command, f"Set conda's {words[2].label}", "environments.conda-config", when=(when,)))
        )
    told = {
        "install": "'All requested packages already installed' not in {}.stdout",
        "update": "'All requested packages already installed' not in {}.stdout",
        "init": "{}.stdout is search('(?m)^modified')",
    }
    if verb not in told:
        raise Inexact(f"what conda {verb} leaves behind is not known")
    known = guards.registered(command, "conda")
    name = f"{verb.capitalize()} by conda" if verb != "init" else "Let shells know conda"
    changed = told[verb].format(known)
    return Converted((guards.run(command, name, f"environments.conda-{verb}", changed_when=changed, register=known),))


def _pm2(command: Command) -> Outcome:
    parsed = Grammar.of("-u= --user=, --hp=, --service-name=, -p= --platform=").parse(command)
    if not parsed.operands or text(parsed.operands[0]) != "startup" or parsed.has("--service-name"):
        raise Inexact("pm2 acts on programs that run")
    user = parsed.value("-u") or Word.of("root")
    unit = Word.of("/etc/systemd/system/pm2-") + user + Word.of(".service")
    return Converted((guards.run(command, "Start pm2 with the machine", "environments.pm-startup", creates=unit),))


def _rabbitmq_plugins(command: Command) -> Outcome:
    words = [word for word in command.args if not word.startswith("-")]
    verb = text(words[0]) if words else ""
    if verb not in ("enable", "disable") or len(words) != 2:
        raise Inexact("a task switches one plugin of RabbitMQ")
    known = guards.registered(command, "plugin")
    program = command.program if command.program.pieces else Word.of(command.name)
    asking: list[str | Word] = [program, "list", "-e", "-m", "--offline"]
    look = guards.query(command, "Look up the plugins of RabbitMQ", "environments.rabbitmq-plugins", asking, register=known)
    sign = "not in" if verb == "enable" else "in"
    when = f"({guards.expression(words[1])}) {sign} {known}.stdout.split()"
    name = f"{verb.capitalize()} RabbitMQ's {words[1].label}"
    return Converted((look, guards.run(command, name, "environments.rabbitmq-plugin", when=(when,))))


_CREATE = Grammar.of(
    """
    -O= --owner=, -s --superuser, -S --no-superuser, -d --createdb, -D --no-createdb, -r --createrole, -R --no-createrole,
    -l --login, -L --no-login, -U= --username=, -h= --host=, -p= --port=, -e --echo, -E= --encoding=, -T= --template=,
    -w --no-password
    """
)
_CATALOGUES = {"createuser": ("pg_roles", "rolname"), "createdb": ("pg_database", "datname")}


def _postgresql(command: Command) -> Outcome:
    """The catalogue of a server that runs says who is there."""
    parsed = _CREATE.parse(command)
    if len(parsed.operands) != 1:
        raise Inexact("it names no user or data base, or several")
    name = parsed.operands[0]
    table, column = _CATALOGUES[command.name]
    known = guards.registered(command, "catalogue")
    asking: list[str | Word] = ["psql", "-tAc", f"SELECT {column} FROM {table}"]
    look = guards.query(command, "Look up what PostgreSQL has", "environments.postgresql-names", asking, register=known)
    when = f"({guards.expression(name)}) not in {known}.stdout_lines"
    return Converted((look, guards.run(command, f"Make {name.label} in PostgreSQL", "environments.postgresql", when=(when,))))


RULES: Mapping[str, Rule] = {
    "conda": _conda,
    "mamba": _conda,
    "pm2": _pm2,
    "rabbitmq-plugins": _rabbitmq_plugins,
    "createuser": _postgresql,
    "createdb": _postgresql,
}
