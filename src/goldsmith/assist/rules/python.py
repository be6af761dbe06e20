"""Packages of Python: pip, python -m, virtual environments, pipx."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from goldsmith.assist import guards
from goldsmith.assist.commands import Argument, Command, Word
from goldsmith.assist.rules.options import Grammar, Parsed, text
from goldsmith.assist.rules.package_lists import package_lists
from goldsmith.assist.rules.phrases import said
from goldsmith.assist.tasks import Converted, Dropped, Inexact, Outcome, Rule, Task

_PIP = Grammar.of(
    """
    -r= --requirement=, -c= --constraint=, -e= --editable=, -t= --target=, -U --upgrade, -I --ignore-installed,
    --force-reinstall, --user, --root=, --prefix=, --no-deps, --pre, -q --quiet, -v --verbose, -y --yes,
    -i= --index-url= --pypi-url=, --extra-index-url=, --no-index, -f= --find-links=, --no-cache-dir, --cache-dir=,
    --disable-pip-version-check, --break-system-packages, --no-warn-script-location, --no-build-isolation, --trusted-host=,
    --proxy=, --timeout=, --retries=, --default-timeout=, --only-binary=, --no-binary=, --prefer-binary, --no-input,
    --progress-bar=, --root-user-action=, --upgrade-strategy=, --require-hashes, --no-compile, --compile, --use-pep517,
    --no-use-pep517, --platform=, --python-version=, --log=, --isolated, --no-clean, --ignore-requires-python,
    --config-settings=, --global-option=, --install-option=, --no-color, --use-deprecated=, --use-feature=, --cert=,
    --client-cert=, --src=, --process-dependency-links, --egg
    """
)
_PIP_HARMLESS = frozenset({"-q", "-v", "-y", "--disable-pip-version-check", "--no-input", "--no-color", "--progress-bar"})
_PIP_ARGUMENTS = frozenset({"-r", "-U", "-I", "--force-reinstall", "-e", "--break-system-packages"}) | _PIP_HARMLESS
_PIP_ELSEWHERE = ("-t", "--root", "--prefix", "--platform", "--python-version", "--log")


def _pip(command: Command) -> Outcome:
    return _pip_of(command, command.args, _pip_program(command))


def _pip_program(command: Command) -> Word:
    return command.program if command.program.pieces else Word.of(command.name)


def _pip_of(command: Command, words: tuple[Word, ...], program: Word) -> Outcome:
    parsed = _PIP.parse(replace(command, args=words))
    verb = text(parsed.operands[0]) if parsed.operands else ""
    if verb in ("cache", "config") and [text(word) for word in parsed.operands[1:]] in (["purge"],):
        return Dropped("python.pip-cache", "sealing does it: left by tools that the build ran")
    if verb not in ("install", "uninstall"):
        raise Inexact(f"no module does what pip {verb} does")
    for option in _PIP_ELSEWHERE:
        if parsed.has(option):
            raise Inexact(f"the module does not see what pip installs with {option}")
    if verb == "uninstall":
        return Converted((_uninstalled(parsed, program),))
    if parsed.has("-U"):
        return Converted((_upgraded(command, parsed),))
    return Converted(tuple(_pip_tasks(command, parsed, program)))


def _upgraded(command: Command, parsed: Parsed) -> Task:
    """What is newest is known only when pip asks, which says whether it installed something."""
    name = f"Upgrade {said(parsed.operands[1:])} by pip" if parsed.operands[1:] else "Upgrade what a file requires by pip"
    known = guards.registered(command, "upgraded")
    changed = f"'Successfully installed' in {known}.stdout"
    return guards.run(command, name, "python.pip-upgrade", changed_when=changed, register=known)


def _uninstalled(parsed: Parsed, program: Word) -> Task:
    names = parsed.operands[1:]
    if not names:
        raise Inexact("it names no package")
    args: dict[str, Argument] = {"name": list(names), "state": "absent", "executable": program}
    if parsed.has("--break-system-packages"):
        args["break_system_packages"] = True
    return Task(f"Remove {said(names)} by pip", "ansible.builtin.pip", args, "python.pip-uninstall")


def _pip_tasks(command: Command, parsed: Parsed, program: Word) -> list[Task]:
    """`pip` takes names, or one file of requirements, or one directory: a task for each."""
    shared: dict[str, Argument] = {"executable": program}
    extra = _extra(parsed)
    if extra is not None:
        shared["extra_args"] = extra
    if parsed.has("--break-system-packages"):
        shared["break_system_packages"] = True
    if parsed.has("--force-reinstall", "-I"):
        shared["state"] = "forcereinstall"
    if command.directory.text != "/" and command.directory.unknown is None:
        shared["chdir"] = command.directory
    tasks: list[Task] = []
    names = parsed.operands[1:]
    for packages in package_lists(names):
        args = shared | {"name": packages.names}
        tasks.append(Task(f"Install {packages.label} by pip", "ansible.builtin.pip", args, "python.pip-install"))
    for path in parsed.values("-r"):
        args = shared | {"requirements": path}
        name = f"Install what {path.label} requires by pip"
        tasks.append(Task(name, "ansible.builtin.pip", args, "python.pip-requirements"))
    for path in parsed.values("-e"):
        args = shared | {"name": path, "editable": True}
        tasks.append(Task(f"Install {path.label} for editing", "ansible.builtin.pip", args, "python.pip-editable"))
    if not tasks:
        raise Inexact("it names no package")
    return tasks


def _extra(parsed: Parsed) -> Word | None:
    """Options that the module has no argument for, as one line."""
    line: Word | None = None
    for option in parsed.options:
        if option.name in _PIP_ARGUMENTS:
            continue
        word = Word.of(option.name)
        if option.value is not None:
            word = word + Word.of(" ") + guards.quoted(option.value)
        line = word if line is None else line + Word.of(" ") + word
    return line


def _python(command: Command) -> Outcome:
    """`-m pip`, `-m venv` and `-m pipx`; what any other program does is not known."""
    words = list(command.args)
    while words and words[0].text in ("-I", "-s", "-E", "-u", "-B", "-sE", "-Es"):
        words.pop(0)
    module = words[1].text if len(words) > 1 and words[0].text == "-m" else None
    rest = tuple(words[2:])
    if module == "pip":
        return _pip_of(command, rest, _pip_beside(command))
    if module in ("venv", "virtualenv"):
        return _environment(command, rest)
    if module == "pipx":
        return _pipx(replace(command, args=rest))
    if module == "ensurepip":
        known = guards.registered(command, "pip")
        look = guards.query(
            command, "Look for pip", "python.pip-known", [_pip_program(command), "-m", "pip", "--version"], register=known
        )
        return Converted((look, guards.run(command, "Install pip", "python.ensurepip", when=(f"{known}.rc != 0",))))
    if words and words[0].label.rpartition("/")[2] == "get-pip.py":
        known = guards.registered(command, "pip")
        changed = f"'Successfully installed' in {known}.stdout"
        return Converted((guards.run(command, "Install pip", "python.get-pip", changed_when=changed, register=known),))
    raise Inexact("what a program of Python does is not known")


def _pip_beside(command: Command) -> Word:
    """The pip of an interpreter lies beside it: python3.12 has pip3.12."""
    known = _pip_program(command).text
    if known is None:
        raise Inexact("which interpreter is meant is known only on the machine")
    return Word.of(re.sub(r"python([\d.]*)$", r"pip\1", known))


_VENV = Grammar.of(
    """
    --system-site-packages, --symlinks, --copies, --clear, --upgrade, --without-pip, --prompt=, --upgrade-deps,
    -p= --python=, --no-download, --always-copy, --seeder=, --without-scm-ignore-files, -q --quiet, --no-wheel,
    --no-setuptools, --distribute, --no-site-packages, --setuptools=, --pip=
    """
)


def _virtualenv(command: Command) -> Outcome:
    return _environment(command, command.args)


def _environment(command: Command, words: tuple[Word, ...]) -> Outcome:
    parsed = _VENV.parse(replace(command, args=words))
    if len(parsed.operands) != 1:
        raise Inexact("a task makes one environment")
    path = command.path(parsed.operands[0])
    name = f"Make the environment {path.label}"
    made = path + Word.of("/pyvenv.cfg")
    return Converted((guards.run(command, name, "python.venv", creates=made),))


_PIPX = Grammar.of("--include-deps, -f --force, --python=, --index-url= -i=, --global, --suffix=, --pip-args=, -q --quiet")


def _pipx(command: Command) -> Outcome:
    parsed = _PIPX.parse(command)
    parsed.only("--include-deps", "-f", "--python", "--index-url", "--suffix", "--pip-args", "--global", "-q")
    verb = text(parsed.operands[0]) if parsed.operands else ""
    states = {"install": "present", "uninstall": "absent", "upgrade": "upgrade", "inject": "inject"}
    names = parsed.operands[1:]
    if verb not in states or not names or (verb == "inject" and len(names) < 2):
        raise Inexact(f"no module does what pipx {verb} does")
    arguments = {"--python": "python", "--index-url": "index_url", "--suffix": "suffix", "--pip-args": "pip_args"}
    shared: dict[str, Argument] = {name: value for opt, name in arguments.items() if (value := parsed.value(opt)) is not None}
    flags = {"--include-deps": "install_deps", "-f": "force", "--global": "global"}
    shared |= {name: True for option, name in flags.items() if parsed.has(option)}
    if verb == "inject":
        args = {"name": names[0], "inject_packages": list(names[1:]), "state": "inject", **shared}
        return Converted((_pipx_task(f"Add {said(names[1:])} to {names[0].label}", args),))
    tasks = [
        _pipx_task(f"{verb.capitalize()} {name.label} by pipx", {**_pipx_source(name), "state": states[verb], **shared})
        for name in names
    ]
    return Converted(tuple(tasks))


def _pipx_source(name: Word) -> dict[str, Argument]:
    """A version or an address is the source of an application whose name is before it."""
    label = name.text or name.label
    match = re.match(r"[A-Za-z0-9._-]+", label)
    if match is None or label.startswith(("git+", "http", "/", ".")):
        raise Inexact("which application is meant stands in its source")
    return {"name": name} if match[0] == label else {"name": match[0], "source": name}


def _pipx_task(name: str, args: Mapping[str, Argument]) -> Task:
    return Task(name, "community.general.pipx", args, "python.pipx")


_VERSIONS = ("", "2", "2.7", "3", *(f"3.{minor}" for minor in range(5, 16)))

RULES: Mapping[str, Rule] = {
    **{f"pip{version}": _pip for version in _VERSIONS},
    **{f"python{version}": _python for version in _VERSIONS},
    "platform-python": _python,
    "virtualenv": _virtualenv,
    "pipx": _pipx,
}
