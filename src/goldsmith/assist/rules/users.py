"""Users and groups: useradd, usermod, userdel, groupadd, gpasswd, passwd, chpasswd, chsh, chage."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping
from dataclasses import replace

from goldsmith.assist import guards
from goldsmith.assist.commands import Argument, Command, Text, Variable, Word
from goldsmith.assist.rules.options import Grammar, Parsed, text
from goldsmith.assist.tasks import Converted, Inexact, Outcome, Rule, Task

_USERADD = Grammar.of(
    """
    -b= --base-dir=, -c= --comment=, -d= --home-dir= --home=, -D --defaults, -e= --expiredate=, -f= --inactive=,
    -F --add-subids-for-system, -g= --gid=, -G= --groups=, -k= --skel=, -K= --key=, -l --no-log-init, -m --create-home,
    -M --no-create-home, -N --no-user-group, -o --non-unique, -p= --password=, -r --system, -R= --root=, -P= --prefix=,
    -s= --shell=, -u= --uid=, -U --user-group, -Z= --selinux-user=, --badname, --btrfs-subvolume-home
    """
)
_USERADD_KNOWN = (
    *("-b", "-c", "-d", "-e", "-f", "-g", "-G", "-k", "-K", "-m", "-M", "-N", "-o", "-p", "-r", "-s", "-u", "-U", "-Z"),
    "--badname",
)
# Options whose value a task has under another name.
_ATTRIBUTES: Mapping[str, str] = {
    "-c": "comment",
    "-d": "home",
    "-g": "group",
    "-s": "shell",
    "-u": "uid",
    "-k": "skeleton",
    "-Z": "seuser",
    "-f": "password_expire_account_disable",
}
# useradd follows CREATE_HOME of /etc/login.defs, which Debian does not set.
_LOGIN_DEFS = Word((Variable("ansible_facts['os_family'] in ['RedHat', 'Suse']", "fact"),), "CREATE_HOME")


def _useradd(command: Command) -> Outcome:
    return _add(_USERADD.parse(command))


def _add(parsed: Parsed) -> Outcome:
    parsed.only(*_USERADD_KNOWN)
    name = _only_operand(parsed)
    if parsed.has("-N") and not parsed.has("-g"):
        raise Inexact("which group a user has without one of its own is a setting of the machine")
    args = _attributes(parsed, _ATTRIBUTES)
    if parsed.has("-G"):
        # A group that the user gets later must not be taken away when the role runs again.
        args |= {"groups": _groups(parsed), "append": True}
    base = parsed.value("-b")
    if base is not None and not parsed.has("-d"):
        args["home"] = base + Word.of("/") + name
    if parsed.has("-r"):
        args["system"] = True
    if parsed.has("-o"):
        args["non_unique"] = True
    args |= _expiry(parsed) | _keys(parsed) | {"create_home": _creates_home(parsed)}
    password = parsed.value("-p")
    if password is not None:
        args |= {"password": password, "update_password": "on_create"}
    return Converted((_user(f"Add the user {name.label}", name, args, "users.useradd"),))


def _creates_home(parsed: Parsed) -> Argument:
    given = parsed.last("-m", "-M")
    if given is not None:
        return given == "-m"
    return False if parsed.has("-r") else _LOGIN_DEFS


def _attributes(parsed: Parsed, names: Mapping[str, str]) -> dict[str, Argument]:
    return {argument: value for option, argument in names.items() if (value := parsed.value(option)) is not None}


def _groups(parsed: Parsed) -> Argument:
    value = parsed.value("-G")
    if value is None:
        raise Inexact("the groups are not given")
    # A list in a value of the playbook is split at its commas by the module itself.
    return value if value.text is None else list(split(value, ","))


def _expiry(parsed: Parsed) -> dict[str, Argument]:
    """`expires` in seconds since 1970, from a date or days since 1970; an empty date never comes."""
    value = parsed.value("-e")
    if value is None:
        return {}
    known = text(value)
    if known in ("", "-1"):
        return {"expires": -1}
    if known.isdigit():
        return {"expires": int(known) * 86_400}
    try:
        date = datetime.datetime.strptime(known, "%Y-%m-%d").replace(tzinfo=datetime.UTC)
    except ValueError:
        raise Inexact(f"{known} is no date of the form year-month-day") from None
    return {"expires": int(date.timestamp())}


def _keys(parsed: Parsed) -> dict[str, Argument]:
    args: dict[str, Argument] = {}
    for value in parsed.values("-K"):
        key, _, setting = text(value).partition("=")
        if key not in ("UMASK", "UID_MIN", "UID_MAX") or not setting.isdigit():
            raise Inexact(f"a task does not override {key} of /etc/login.defs")
        args[key.lower()] = setting if key == "UMASK" else int(setting)
    return args


def _user(name: str, user: Word, args: Mapping[str, Argument], rule: str) -> Task:
    return Task(name, "ansible.builtin.user", {"name": user, **args}, rule, no_log="password" in args)


def _changed(name: str, user: Word, args: Mapping[str, Argument], rule: str) -> Converted:
    """A task for a user that exists: without `create_home: false` it would make a missing home."""
    return Converted((_user(name, user, {**args, "create_home": False}, rule),))


def _only_operand(parsed: Parsed) -> Word:
    if len(parsed.operands) != 1:
        raise Inexact("it names no user or group, or several")
    return parsed.operands[0]


def split(word: Word, separator: str) -> Iterator[Word]:
    """The parts of a list in one word. A value of the playbook stays whole: a list is made of known text only."""
    part = Word((), word.source)
    for piece in word.pieces:
        if not isinstance(piece, Text):
            part = part + Word((piece,))
            continue
        first, *others = piece.value.split(separator)
        part = part + Word.of(first)
        for other in others:
            yield part
            part = Word.of(other)
    if part.pieces:
        yield part


_ADDUSER = Grammar.of(
    """
    --system, --disabled-login, --disabled-password, --gecos= --comment=, --group, --ingroup=, --gid=, --uid=, --home=,
    --shell=, --no-create-home, -q --quiet, --debug, --force-badname --allow-badname --allow-bad-names,
    --add-extra-groups --add_extra_groups, --firstuid=, --lastuid=, --conf=, --encrypt-home
    """,
    abbreviates=False,
)


def _adduser(command: Command) -> Outcome:
    """On Debian a program of its own, which picks other numbers, homes and modes than useradd; elsewhere useradd itself."""
    try:
        parsed = _ADDUSER.parse(command)
    except Inexact:
        return _useradd(command)
    if len(parsed.operands) == 2 and not parsed.options:
        user, group = parsed.operands
        args: dict[str, Argument] = {"groups": [group], "append": True}
        return _changed(f"Add {user.label} to the group {group.label}", user, args, "users.adduser-group")
    return _unless_known(command, "passwd", _only_operand(parsed), "Add the user", "users.adduser")


def _unless_known(command: Command, database: str, name: Word, words: str, rule: str) -> Outcome:
    """The command, unless what it would add is there."""
    known = guards.registered(command, "known")
    look = guards.query(
        command,
        f"Look for {name.label} in {database}",
        f"{rule}-known",
        ["getent", database, name],
        register=known,
    )
    add = guards.run(command, f"{words} {name.label}", rule, when=(f"{known}.rc != 0",))
    return Converted((look, add))


_USERMOD = Grammar.of(
    """
    -a --append, -b --badname, -c= --comment=, -d= --home=, -e= --expiredate=, -f= --inactive=, -g= --gid=, -G= --groups=,
    -l= --login=, -L --lock, -m --move-home, -o --non-unique, -p= --password=, -r --remove, -R= --root=, -P= --prefix=,
    -s= --shell=, -u= --uid=, -U --unlock, -v= --add-subuids=, -V= --del-subuids=, -w= --add-subgids=, -W= --del-subgids=,
    -Z= --selinux-user=
    """
)


def _usermod(command: Command) -> Outcome:
    parsed = _USERMOD.parse(command)
    parsed.only("-a", "-b", "-c", "-d", "-e", "-f", "-g", "-G", "-L", "-m", "-o", "-p", "-s", "-u", "-U", "-Z")
    name = _only_operand(parsed)
    args = _attributes(parsed, _USERMOD_ATTRIBUTES)
    if parsed.has("-G"):
        args |= {"groups": _groups(parsed), "append": parsed.has("-a")}
    if parsed.has("-m"):
        args["move_home"] = True
    if parsed.has("-o"):
        args["non_unique"] = True
    if parsed.has("-L", "-U"):
        args["password_lock"] = parsed.last("-L", "-U") == "-L"
    args |= _expiry(parsed)
    if not args:
        raise Inexact("usermod changes nothing with these options")
    return _changed(f"Change the user {name.label}", name, args, "users.usermod")


_USERMOD_ATTRIBUTES: Mapping[str, str] = {key: value for key, value in _ATTRIBUTES.items() if key != "-k"} | {"-p": "password"}


_USERDEL = Grammar.of("-r --remove --remove-home --remove-all-files, -f --force, -Z, -q --quiet, --system, -R= --root=, -P=")


def _userdel(command: Command) -> Outcome:
    parsed = _USERDEL.parse(command)
    parsed.only("-r", "-f", "-q")
    if command.name == "deluser" and len(parsed.operands) == 2:
        user, group = parsed.operands
        return _out_of_group(command, user, group)
    name = _only_operand(parsed)
    args: dict[str, Argument] = {"state": "absent"}
    if parsed.has("-r"):
        args["remove"] = True
    if parsed.has("-f"):
        args["force"] = True
    return Converted((_user(f"Remove the user {name.label}", name, args, "users.userdel"),))


def _out_of_group(command: Command, user: Word, group: Word) -> Outcome:
    member = guards.registered(command, "member")
    look = guards.query(command, f"Look up the groups of {user.label}", "users.groups", ["id", "-nG", user], register=member)
    when = f"{guards.expression(group)} in {member}.stdout.split()"
    return Converted((look, guards.run(command, f"Take {user.label} out of {group.label}", "users.out-of-group", when=(when,))))


_GROUPADD = Grammar.of(
    """
    -f --force, -g= --gid=, -K= --key=, -o --non-unique, -p= --password=, -r --system, -R= --root=, -P= --prefix=,
    -U= --users=
    """
)


def _groupadd(command: Command) -> Outcome:
    parsed = _GROUPADD.parse(command)
    parsed.only("-f", "-g", "-o", "-r")
    name = _only_operand(parsed)
    args = _attributes(parsed, {"-g": "gid"})
    if parsed.has("-r"):
        args["system"] = True
    if parsed.has("-o"):
        args["non_unique"] = True
    return Converted((_group(f"Add the group {name.label}", name, args, "users.groupadd"),))


def _group(name: str, group: Word, args: Mapping[str, Argument], rule: str) -> Task:
    return Task(name, "ansible.builtin.group", {"name": group, **args}, rule)


def _addgroup(command: Command) -> Outcome:
    """Debian's addgroup takes system groups from 100 up, groupadd from 999 down: only the others are the same."""
    parsed = Grammar.of("--system -S", "--gid= -g=", "-q --quiet", "--force-badname", abbreviates=False).parse(command)
    if len(parsed.operands) == 2 and not parsed.options:
        user, group = parsed.operands
        args: dict[str, Argument] = {"groups": [group], "append": True}
        return _changed(f"Add {user.label} to the group {group.label}", user, args, "users.addgroup-user")
    name = _only_operand(parsed)
    gid = parsed.value("--gid")
    if parsed.has("--system") and gid is None:
        return _unless_known(command, "group", name, "Add the group", "users.addgroup")
    gids: dict[str, Argument] = {} if gid is None else {"gid": gid}
    return Converted((_group(f"Add the group {name.label}", name, gids, "users.addgroup"),))


def _groupmod(command: Command) -> Outcome:
    parsed = Grammar.of("-g= --gid=", "-n= --new-name=", "-o --non-unique", "-p= --password=").parse(command)
    parsed.only("-g", "-o")
    name = _only_operand(parsed)
    args = _attributes(parsed, {"-g": "gid"})
    if parsed.has("-o"):
        args["non_unique"] = True
    return Converted((_group(f"Change the group {name.label}", name, args, "users.groupmod"),))


def _groupdel(command: Command) -> Outcome:
    parsed = Grammar.of("-f --force", "--only-if-empty", "-q --quiet", "--system").parse(command)
    parsed.only("-q")
    name = _only_operand(parsed)
    return Converted((_group(f"Remove the group {name.label}", name, {"state": "absent"}, "users.groupdel"),))


def _gpasswd(command: Command) -> Outcome:
    parsed = Grammar.of("-a= --add=, -d= --delete=, -A= --administrators=, -M= --members=, -r, -R, -Q=").parse(command)
    group = _only_operand(parsed)
    parsed.only("-a", "-d")
    user, leaver = parsed.value("-a"), parsed.value("-d")
    if leaver is not None:
        return _out_of_group(command, leaver, group)
    if user is None:
        raise Inexact("gpasswd asks for a password")
    args: dict[str, Argument] = {"groups": [group], "append": True}
    return _changed(f"Add {user.label} to the group {group.label}", user, args, "users.gpasswd")


_PASSWD = Grammar.of(
    """
    -l --lock, -u --unlock, -d --delete, -e --expire, -f --force, -q --quiet, --stdin, -n= --mindays= --minimum=,
    -x= --maxdays= --maximum=, -w= --warndays= --warning=, -i= --inactive=
    """
)
_AGES: Mapping[str, str] = {
    "-n": "password_expire_min",
    "-x": "password_expire_max",
    "-w": "password_expire_warn",
    "-i": "password_expire_account_disable",
}


def _passwd(command: Command) -> Outcome:
    parsed = _PASSWD.parse(command)
    parsed.only("-l", "-u", "-d", "-f", "-q", "--stdin", "-n", "-x", "-w", "-i")
    user = parsed.operands[0] if parsed.operands else Word.of("root")
    args = _attributes(parsed, _AGES)
    if parsed.has("-l", "-u"):
        args["password_lock"] = parsed.last("-l", "-u") == "-l"
    if parsed.has("-d"):
        args["password"] = ""
    if parsed.has("--stdin"):
        args["password"] = _hashed(_line(command))
    if not args:
        raise Inexact("passwd asks for a password")
    return _changed(f"Change the password settings of {user.label}", user, args, "users.passwd")


def _line(command: Command) -> Word:
    lines = list(split(command.stdin, "\n")) if command.stdin is not None else []
    if not lines:
        raise Inexact("what it reads is not known")
    return lines[0]


def _hashed(password: Word) -> Word:
    """The hash of a password. Its salt depends on the host only, so that a second run changes nothing."""
    salt = "65534 | random(seed=inventory_hostname) | string"
    hashed = f"({guards.expression(password)}) | password_hash('sha512', {salt})"
    return Word((Variable(hashed, "input"),), password.source)


def _chpasswd(command: Command) -> Outcome:
    parsed = Grammar.of("-e --encrypted", "-c= --crypt-method=", "-m --md5", "-s= --sha-rounds=", "-R= --root=").parse(command)
    parsed.only("-e")
    if command.stdin is None or parsed.operands:
        raise Inexact("what it reads is not known")
    tasks = []
    for line in split(command.stdin, "\n"):
        user, *rest = list(split(line, ":"))
        if not rest:
            raise Inexact("a line that it reads has no colon")
        password = rest[0]
        for part in rest[1:]:
            password = password + Word.of(":") + part
        value = password if parsed.has("-e") else _hashed(password)
        task = _user(f"Set the password of {user.label}", user, {"password": value, "create_home": False}, "users.chpasswd")
        tasks.append(replace(task, notes=("the hash differs from the one that chpasswd makes, the password is the same",)))
    return Converted(tuple(tasks))


def _chsh(command: Command) -> Outcome:
    parsed = Grammar.of("-s= --shell=", "-R= --root=").parse(command)
    shell = parsed.value("-s")
    if shell is None or parsed.has("-R"):
        raise Inexact("chsh asks for a shell")
    user = parsed.operands[0] if parsed.operands else Word.of("root")
    return _changed(f"Change the shell of {user.label}", user, {"shell": shell}, "users.chsh")


_CHAGE = Grammar.of(
    "-d= --lastday=, -E= --expiredate=, -I= --inactive=, -m= --mindays=, -M= --maxdays=, -W= --warndays=, -l --list"
)


def _chage(command: Command) -> Outcome:
    parsed = _CHAGE.parse(command)
    parsed.only("-I", "-m", "-M", "-W")
    user = _only_operand(parsed)
    names = {
        "-m": "password_expire_min",
        "-M": "password_expire_max",
        "-W": "password_expire_warn",
        "-I": "password_expire_account_disable",
    }
    return _changed(f"Change the ages of the password of {user.label}", user, _attributes(parsed, names), "users.chage")


def _loginctl(command: Command) -> Outcome:
    parsed = Grammar.of("--no-pager", "--no-legend").parse(command)
    verb = text(parsed.operands[0]) if parsed.operands else ""
    if verb not in ("enable-linger", "disable-linger") or len(parsed.operands) != 2:
        raise Inexact(f"no module does what loginctl {verb} does")
    user = parsed.operands[1]
    mark = Word.of("/var/lib/systemd/linger/") + user
    if verb == "enable-linger":
        return Converted((guards.run(command, f"Let units of {user.label} run", "users.linger", creates=mark),))
    return Converted((guards.run(command, f"Stop units of {user.label} with the session", "users.linger", removes=mark),))


RULES: Mapping[str, Rule] = {
    "useradd": _useradd,
    "adduser": _adduser,
    "usermod": _usermod,
    "userdel": _userdel,
    "deluser": _userdel,
    "groupadd": _groupadd,
    "addgroup": _addgroup,
    "groupmod": _groupmod,
    "groupdel": _groupdel,
    "delgroup": _groupdel,
    "gpasswd": _gpasswd,
    "passwd": _passwd,
    "chpasswd": _chpasswd,
    "chsh": _chsh,
    "chage": _chage,
    "loginctl": _loginctl,
}
