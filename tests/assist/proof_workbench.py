"""Scripts and roles, held against each other on a small Debian."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from goldsmith.assist.convert import Options, convert
from goldsmith.assist.divergences import read_divergences
from goldsmith.assist.parent import Parent
from goldsmith.assist.proof import Claim, Proof, prove
from goldsmith.assist.runs import Ground
from goldsmith.assist.script_set import read_scripts
from goldsmith.assist.shell import Script
from goldsmith.assist.trial import Trial
from goldsmith.assist.writing_out import write_files
from goldsmith.events import ignore
from goldsmith.machines.cancellation import Cancellation
from goldsmith.project import Request, Session

Tasks = Sequence[Mapping[str, object]]

SCRIPT = """\
#!/bin/bash
set -euo pipefail
apt-get update
apt-get install -y --no-install-recommends tool toold
sed -i 's/^port = .*/port = 8080/' /etc/toold.conf
systemctl enable toold
useradd -r -s /usr/sbin/nologin app
echo 'app:correct-horse-battery' | chpasswd
install -d -m 0750 -o app -g app /srv/app
cat > /srv/app/run.sh <<'X'
#!/bin/sh
exec tool
X
chmod 0755 /srv/app/run.sh
ln -s /srv/app/run.sh /usr/local/bin/app
echo 'app ALL=(ALL) NOPASSWD: /usr/bin/tool' > /etc/sudoers.d/app
chmod 0440 /etc/sudoers.d/app
install -d /srv/app/lib
cp /usr/lib/*-linux-gnu/libcap.so.2 /srv/app/lib/
echo /srv/app/lib > /etc/ld.so.conf.d/app.conf
ldconfig
"""
HASH = "$6$abcdefgh$VjH.aY28RycA9VBuHEPPgS30hXZKt2LRGqbYkCdxhwWMLtu7TL6x15kf9AiGk2ajFw5AlB1ioHZ5TSh8at6q.0"
TASKS: dict[str, dict[str, object]] = {
    "Install": {
        "goldsmith.image.apt": {
            "name": ["tool", "toold"],
            "update_cache": True,
            "cache_valid_time": 86400,
            "install_recommends": False,
        }
    },
    "Set the port": {"ansible.builtin.lineinfile": {"path": "/etc/toold.conf", "regexp": "^port = ", "line": "port = 8080"}},
    "Enable": {"ansible.builtin.systemd_service": {"name": "toold", "enabled": True}},
    "Add app": {
        "ansible.builtin.user": {
            "name": "app",
            "system": True,
            "shell": "/usr/sbin/nologin",
            "create_home": False,
            "password": HASH,
        },
    },
    "Make the directory": {
        "ansible.builtin.file": {"path": "/srv/app", "state": "directory", "mode": "0750", "owner": "app", "group": "app"}
    },
    "Write the program": {
        "ansible.builtin.copy": {"dest": "/srv/app/run.sh", "content": "#!/bin/sh\nexec tool\n", "mode": "0755"}
    },
    "Link": {"ansible.builtin.file": {"path": "/usr/local/bin/app", "src": "/srv/app/run.sh", "state": "link"}},
    "Allow": {
        "ansible.builtin.copy": {
            "dest": "/etc/sudoers.d/app",
            "content": "app ALL=(ALL) NOPASSWD: /usr/bin/tool\n",
            "mode": "0440",
        }
    },
    "Make the directory of libraries": {"ansible.builtin.file": {"path": "/srv/app/lib", "state": "directory", "mode": "0755"}},
    "Copy a library": {
        "ansible.builtin.shell": {
            "cmd": "cp /usr/lib/*-linux-gnu/libcap.so.2 .",
            "chdir": "/srv/app/lib",
            "creates": "libcap.so.2",
        }
    },
    "Name libraries": {
        "ansible.builtin.copy": {"dest": "/etc/ld.so.conf.d/app.conf", "content": "/srv/app/lib\n", "mode": "0644"},
        "notify": "Ldconfig",
    },
}
"""The role that does what the script does, task by task."""
HANDLERS: Tasks = ({"name": "Ldconfig", "ansible.builtin.command": "ldconfig", "changed_when": True},)


def wrong_tasks() -> dict[str, tuple[dict[str, dict[str, object]], Tasks]]:
    """Roles that do nearly what the script does, by what is wrong with them: tasks and handlers."""
    roles: dict[str, tuple[dict[str, dict[str, object]], Tasks]] = {}

    def role(name: str, handlers: Tasks = HANDLERS) -> dict[str, dict[str, object]]:
        tasks: dict[str, dict[str, object]] = json.loads(json.dumps(TASKS))
        roles[name] = tasks, handlers
        return tasks

    for name, task, module, changed in _WRONG:
        arguments = role(name)[task][module]
        assert isinstance(arguments, dict)
        arguments.update(changed)
    for task in ("Allow", "Enable", "Link", "Copy a library"):
        del role(f'without "{task}"')[task]
    del role("no notification")["Name libraries"]["notify"]
    role("a handler that does nothing", ({"name": "Ldconfig", "ansible.builtin.command": "true", "changed_when": True},))
    for name, added in _MORE.items():
        role(name)[name.capitalize()] = added
    return roles


_WRONG: tuple[tuple[str, str, str, dict[str, object]], ...] = (
    ("another mode", "Write the program", "ansible.builtin.copy", {"mode": "0775"}),
    ("another owner", "Make the directory", "ansible.builtin.file", {"owner": "root"}),
    ("another byte", "Write the program", "ansible.builtin.copy", {"content": "#!/bin/sh\nexec tool"}),
    ("another port", "Set the port", "ansible.builtin.lineinfile", {"line": "port = 8081"}),
    ("another package", "Install", "goldsmith.image.apt", {"name": ["tool", "toold", "tool-extra"]}),
    ("with recommended packages", "Install", "goldsmith.image.apt", {"install_recommends": True}),
    ("another shell", "Add app", "ansible.builtin.user", {"shell": "/bin/bash"}),
    ("another password", "Add app", "ansible.builtin.user", {"password": "!"}),
    ("a home", "Add app", "ansible.builtin.user", {"create_home": True}),
    ("masked as well", "Enable", "ansible.builtin.systemd_service", {"masked": True}),
    ("another target", "Link", "ansible.builtin.file", {"src": "/srv/app/run"}),
    ("all of sudo", "Allow", "ansible.builtin.copy", {"content": "app ALL=(ALL) NOPASSWD: ALL\n"}),
)
_MORE: dict[str, dict[str, object]] = {
    "an extra file": {"ansible.builtin.copy": {"dest": "/etc/profile.d/x.sh", "content": "", "mode": "0644"}},
    "an injected key": {
        "ansible.builtin.shell": {
            "cmd": "umask 077; mkdir -p .ssh; echo ssh-ed25519 AAAA > .ssh/authorized_keys",
            "chdir": "/root",
            "creates": ".ssh/authorized_keys",
        }
    },
    "a second root": {
        "ansible.builtin.lineinfile": {"path": "/etc/passwd", "line": "toor:x:0:0::/root:/bin/sh"},
    },
    "a faked changed_when": {"ansible.builtin.shell": "date +%N > /srv/app/at", "changed_when": False},
    "a change that comes back": {"ansible.builtin.shell": "date +%N > /var/cache/at", "changed_when": True},
    "a setuid shell": {
        "ansible.builtin.copy": {"src": "/bin/dash", "remote_src": True, "dest": "/var/cache/x", "mode": "4755"},
    },
    "a capability": {
        "ansible.builtin.shell": {"cmd": "setcap cap_setuid+ep /usr/bin/perl && touch /run/x", "creates": "/run/x"},
    },
}


def write_role(directory: Path, tasks: Tasks, handlers: Tasks = HANDLERS) -> Path:
    """A playbook with one role."""
    role = directory / "roles/app"
    for name, content in (("tasks", tasks), ("handlers", handlers)):
        (role / name).mkdir(parents=True)
        (role / name / "main.yml").write_text(json.dumps(list(content), indent=1))
    (directory / "playbook.yml").write_text(json.dumps([{"hosts": "all", "gather_facts": False, "roles": ["app"]}]))
    return directory


def named(tasks: Mapping[str, Mapping[str, object]]) -> Tasks:
    """Tasks with their names in them."""
    return [{"name": name, **task} for name, task in tasks.items()]


def claim_of(script: str, role: Path) -> Claim:
    """What is to be proven of one script."""
    return Claim(scripts=(Script("setup.sh", script.encode()),), role=role)


@contextmanager
def ground_on(parent: Parent, place: Path) -> Iterator[Ground]:
    """Where runs take place; nothing of them is left."""
    with Session(None, place, Request(), ignore, Cancellation()) as session:
        yield Ground(parent=parent, session=session, emit=ignore, within_s=120)


def convert_and_prove(path: Path, ground: Ground, output: Path) -> tuple[Proof, Mapping[str, int]]:
    """The proof of one script, traced and converted, and what became of its commands."""
    trial = Trial(scripts=read_scripts([path]), ground=ground)
    ledger = trial.trace()
    made = convert(trial.scripts, Options(name=path.stem, ledger=ledger))
    write_files(made.files, output, force=True)
    answers = read_divergences(path.with_suffix(".divergences.yml"))
    return prove(trial.claim(made, output, ledger, answers), ground), made.shares
