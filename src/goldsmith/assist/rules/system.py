"""Settings of the system: host name, time zone, locales, alternatives, crontabs, Apache's links, ini files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from goldsmith.assist import guards
from goldsmith.assist.commands import Argument, Command, Word
from goldsmith.assist.rules.options import Grammar, text
from goldsmith.assist.tasks import Converted, Inexact, Outcome, Rule, Task


def _hostnamectl(command: Command) -> Outcome:
    """It asks a daemon, which an image that is built does not run: the file that the daemon writes is written."""
    parsed = Grammar.of("--static", "--pretty", "--transient", "--no-ask-password").parse(command)
    parsed.only("--static", "--no-ask-password")
    if len(parsed.operands) != 2 or text(parsed.operands[0]) not in ("set-hostname", "hostname"):
        raise Inexact("no module does what this hostnamectl does")
    name = parsed.operands[1]
    args: dict[str, Argument] = {"dest": "/etc/hostname", "content": name + Word.of("\n"), "mode": "0644"}
    return Converted((Task(f"Name the host {name.label}", "ansible.builtin.copy", args, "system.hostnamectl"),))


def _hostname(command: Command) -> Outcome:
    """The name that runs, which stands in no file."""
    parsed = Grammar.of("-b --boot, -F= --file=, -f --fqdn --long, -s --short, -i, -I, -d").parse(command)
    parsed.only()
    if len(parsed.operands) != 1:
        raise Inexact("no module does what this hostname does")
    name = parsed.operands[0]
    known = guards.registered(command, "hostname")
    look = guards.query(command, "Look up the name of the host", "system.hostname-value", ["hostname"], register=known)
    when = f"{known}.stdout != {guards.expression(name)}"
    return Converted((look, guards.run(command, f"Call the host {name.label}", "system.hostname", when=(when,))))


def _timedatectl(command: Command) -> Outcome:
    """It asks a daemon, which an image that is built does not run: the link that the daemon makes is made."""
    parsed = Grammar.of("--no-ask-password", "--adjust-system-clock").parse(command)
    parsed.only("--no-ask-password")
    if len(parsed.operands) != 2 or text(parsed.operands[0]) != "set-timezone":
        raise Inexact("no module does what this timedatectl does without its daemon")
    zone = parsed.operands[1]
    args: dict[str, Argument] = {
        "src": Word.of("../usr/share/zoneinfo/") + zone,
        "path": "/etc/localtime",
        "state": "link",
        "force": True,
    }
    return Converted((Task(f"Set the time zone to {zone.label}", "ansible.builtin.file", args, "system.timezone"),))


def _locale_gen(command: Command) -> Outcome:
    parsed = Grammar.of("--purge", "--lang=", "--archive", "--no-archive", "--keep-existing", "--no-purge").parse(command)
    if not parsed.operands:
        return Converted((guards.run(command, "Make the locales", "system.locale-gen-all", kind="handler"),))
    parsed.only()
    names: list[Argument] = list(parsed.operands)
    label = " and ".join(word.label for word in parsed.operands)
    return Converted((Task(f"Make the locales {label}", "community.general.locale_gen", {"name": names}, "system.locale-gen"),))


def _update_locale(command: Command) -> Outcome:
    """A line for each variable; where all stand in the file it has nothing to do."""
    parsed = Grammar.of("--reset", "--no-checks", "--locale-file=").parse(command)
    parsed.only("--no-checks")
    tasks: list[Task] = []
    for number, word in enumerate(parsed.operands):
        if "=" not in word.label:
            raise Inexact("update-locale without a value takes one away")
        known = guards.registered(command, f"locale_{number}")
        words: list[str | Word] = ["grep", "-qxF", "-e", word, "/etc/default/locale"]
        tasks.append(guards.query(command, f"Look for {word.label}", "system.locale-value", words, register=known))
        alone = replace(command, args=(word,))
        tasks.append(guards.run(alone, f"Set {word.label}", "system.update-locale", when=(f"{known}.rc != 0",)))
    if not tasks:
        raise Inexact("update-locale without words takes the environment's")
    return Converted(tuple(tasks))


def _alternatives(command: Command) -> Outcome:
    """`present` adds an alternative and leaves the choice alone, as --install does; `selected` chooses by hand, as --set."""
    words = [word for word in command.args if word.text not in ("--force", "--quiet", "--verbose", "--skip-auto")]
    if command.redirects or any(word.unknown is not None for word in words) or not words:
        raise Inexact("which alternative is meant is not known")
    verb, rest = text(words[0]), words[1:]
    if verb == "--install" and len(rest) >= 4:
        link, name, path, priority = rest[:4]
        args: dict[str, Argument] = {"name": name, "link": link, "path": path, "priority": priority, "state": "present"}
        followers = _followers(rest[4:])
        if followers:
            args["subcommands"] = followers
        return Converted((_alternative(f"Add {path.label} as an alternative of {name.label}", args),))
    if verb in ("--set", "--remove") and len(rest) == 2:
        name, path = rest
        state = "selected" if verb == "--set" else "absent"
        words_of = "Choose" if verb == "--set" else "Remove the alternative"
        return Converted(
            (_alternative(f"{words_of} {path.label} for {name.label}", {"name": name, "path": path, "state": state}),)
        )
    if verb in ("--auto", "--remove-all") and len(rest) == 1:
        return _alternatives_query(command, verb, rest[0])
    raise Inexact(f"no module does what {command.name} {verb} does")


def _alternative(name: str, args: Mapping[str, Argument]) -> Task:
    return Task(name, "community.general.alternatives", args, "system.alternatives")


def _followers(words: list[Word]) -> list[Argument]:
    followers: list[Argument] = []
    left = list(words)
    while left:
        if text(left[0]) not in ("--slave", "--follower") or len(left) < 4:
            raise Inexact(f"the module does not know {left[0].source} of an alternative")
        followers.append({"link": left[1], "name": left[2], "path": left[3]})
        del left[:4]
    return followers


def _alternatives_query(command: Command, verb: str, name: Word) -> Outcome:
    known = guards.registered(command, "alternatives")
    words: list[str | Word] = [command.name, "--display", name]
    look = guards.query(
        command, f"Look up the alternatives of {name.label}", "system.alternatives-state", words, register=known
    )
    if verb == "--auto":
        when = f"'manual' in {known}.stdout_lines[:1] | join"
        run = guards.run(command, f"Choose {name.label} by priority", "system.alternatives-auto", when=(when,))
    else:
        when = f"{known}.rc == 0"
        run = guards.run(command, f"Remove the alternatives of {name.label}", "system.alternatives-remove", when=(when,))
    return Converted((look, run))


def _crontab(command: Command) -> Outcome:
    """A whole table is read: it is compared with the one that the user has."""
    parsed = Grammar.of("-u= --user=", "-l", "-r", "-e", "-i").parse(replace(command, redirects=()))
    parsed.only("-u", "-r", "-i")
    user: list[str | Word] = ["-u", value] if (value := parsed.value("-u")) is not None else []
    known = guards.registered(command, "crontab")
    look = guards.query(command, "Look up the table of cron", "system.crontab-value", ["crontab", *user, "-l"], register=known)
    if parsed.has("-r"):
        when = f"{known}.rc == 0"
        return Converted((look, guards.run(command, "Remove the table of cron", "system.crontab-remove", when=(when,))))
    if command.stdin is None or [word.text for word in parsed.operands] not in ([], ["-"]) or command.feeds:
        raise Inexact("what the table of cron gets is known only when the script runs")
    when = f"{known}.stdout != ({guards.expression(command.stdin)}) | trim('\\n')"
    return Converted((look, guards.run(command, "Set the table of cron", "system.crontab", when=(when,))))


# Where Debian's Apache links what is enabled, by the end of the program's name.
_APACHE = {"mod": "mods-enabled", "site": "sites-enabled", "conf": "conf-enabled"}


def _apache(command: Command) -> Outcome:
    """Modules have a module; sites and configurations leave a mark beside the link, which is their guard."""
    parsed = Grammar.of("-q --quiet", "-f --force", "-m --maintmode", "-p --purge").parse(command)
    parsed.only("-q", "-f")
    enables, part = command.name.startswith("a2en"), command.name.removeprefix("a2en").removeprefix("a2dis")
    if not parsed.operands or any(word.glob for word in parsed.operands):
        raise Inexact("which parts are meant is known only on the machine")
    words = "Enable" if enables else "Disable"
    tasks: list[Task] = []
    for name in parsed.operands:
        if part == "mod":
            args: dict[str, Argument] = {"name": name, "state": "present" if enables else "absent"}
            if parsed.has("-f"):
                args["force"] = True
            tasks.append(
                Task(f"{words} Apache's module {name.label}", "community.general.apache2_module", args, "system.apache-module")
            )
            continue
        suffix = Word.of("" if name.label.endswith(".conf") else ".conf")
        link = Word.of(f"/etc/apache2/{_APACHE[part]}/") + name + suffix
        alone = replace(command, args=tuple(word for word in command.args if word is name or word not in parsed.operands))
        created, removed = (link, None) if enables else (None, link)
        name_of = f"{words} Apache's {part} {name.label}"
        tasks.append(guards.run(alone, name_of, "system.apache-link", creates=created, removes=removed))
    return Converted(tuple(tasks))


def _crudini(command: Command) -> Outcome:
    parsed = Grammar.of(
        "--set, --del, --get, --merge, --existing?, --inplace, --verbose, --list, --ini-options=", permutes=False
    ).parse(command)
    parsed.only("--set", "--del")
    verb = parsed.last("--set", "--del")
    rest = parsed.operands
    if verb is None or not 3 <= len(rest) <= 4:
        raise Inexact("no module does what this crudini does")
    args: dict[str, Argument] = {"path": command.path(rest[0]), "section": rest[1], "option": rest[2], "create": False}
    if len(rest) == 4:
        args["value"] = rest[3]
    if verb == "--del":
        args["state"] = "absent"
    name = f"{'Set' if verb == '--set' else 'Remove'} {rest[2].label} in {rest[0].label}"
    return Converted((Task(name, "community.general.ini_file", args, "system.crudini"),))


def _localedef(command: Command) -> Outcome:
    """A locale that `locale -a` lists was made before."""
    operands, left = [], list(command.args)
    while left:
        word = left.pop(0)
        if word.text in ("-i", "-f", "-A", "-u", "--inputfile", "--charmap"):
            del left[:1]
        elif not word.startswith("-"):
            operands.append(word)
    known = guards.registered(command, "locales")
    words: list[str | Word] = ["locale", "-a"]
    look = guards.query(command, "Look up the locales", "system.locales", words, register=known)
    if len(operands) != 1:
        raise Inexact("it makes several locales, or none")
    wanted = guards.expression(operands[0])
    if any(word.text == "--delete-from-archive" for word in command.args):
        when = f"({wanted}) in {known}.stdout_lines"
        return Converted((look, guards.run(command, f"Remove the locale {operands[0].label}", "system.locale", when=(when,))))
    when = f"({wanted}) | replace('UTF-8', 'utf8') not in {known}.stdout_lines"
    return Converted((look, guards.run(command, f"Make the locale {operands[0].label}", "system.locale", when=(when,))))


def _mktemp(command: Command) -> Outcome:
    """Another name each time, and nothing that stays in an image."""
    return Converted((guards.run(command, "Make a temporary name", "system.mktemp", changed_when=False),))


RULES: Mapping[str, Rule] = {
    "mktemp": _mktemp,
    "localedef": _localedef,
    "hostnamectl": _hostnamectl,
    "hostname": _hostname,
    "timedatectl": _timedatectl,
    "locale-gen": _locale_gen,
    "update-locale": _update_locale,
    "update-alternatives": _alternatives,
    "alternatives": _alternatives,
    "crontab": _crontab,
    "a2enmod": _apache,
    "a2dismod": _apache,
    "a2ensite": _apache,
    "a2dissite": _apache,
    "a2enconf": _apache,
    "a2disconf": _apache,
    "crudini": _crudini,
}
