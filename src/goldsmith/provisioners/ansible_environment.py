"""The environment of Ansible's processes: our plug-ins are found, nothing is kept outside of the build's directory."""

from __future__ import annotations

import configparser
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from goldsmith.components import Context

PLUGINS = Path(__file__).with_name("ansible_plugins")
"""The collection `goldsmith.image`, and its license. Ansible reads it; we never import it."""

REMOTE_TEMPORARY = "/tmp/.ansible"
"""Where modules work in the machine. In a sandbox, /tmp never enters the image."""

BECOME_BY_ROOT = "goldsmith.image.runuser"
"""How root becomes another user: sudo need not be there."""
BECOME_BY_USER = "ansible.builtin.sudo"

KEPT = ("ANSIBLE_VAULT_IDENTITY_LIST", "ANSIBLE_VAULT_PASSWORD_FILE")
"""Of the user's own ANSIBLE_ variables, those that are passed on: others would change an image without changing its key."""


class AnsibleSettings(Protocol):
    """The settings that become variables."""

    @property
    def ansible_env_vars(self) -> tuple[str, ...]:
        """The user's variables, each "NAME=value"."""

    @property
    def roles_path(self) -> str:
        """Where roles are looked up."""

    @property
    def collections_path(self) -> str:
        """Where collections are looked up."""


def configuration_file(cwd: Path) -> Path | None:
    """The user's ansible.cfg: the one that ANSIBLE_CONFIG names, else the one in the working directory."""
    path = cwd / os.environ.get("ANSIBLE_CONFIG", "ansible.cfg")
    path = path / "ansible.cfg" if path.is_dir() else path
    return path if path.is_file() else None


def environment(
    config: AnsibleSettings, directory: Path, report: Path, context: Context, become: str = BECOME_BY_ROOT
) -> dict[str, str]:
    """Variables for ansible-playbook and ansible-galaxy; `directory` takes all that they write on the host.

    `become` is how one user becomes another when the user's own configuration does not say it.
    """
    given = configuration_file(context.cwd)
    cfg = _Configuration(given)
    empty = directory / "ansible.cfg"
    empty.touch()
    shared = [f"{directory}/collections", "/usr/share/ansible/collections"]
    collections = _absolute(config.collections_path, context) + (cfg.paths("collections_path", "collections_paths") or shared)
    roles = _absolute(config.roles_path, context) + (cfg.paths("roles_path") or [f"{directory}/roles", "/etc/ansible/roles"])
    return {
        "ANSIBLE_BECOME_METHOD": cfg.text("become_method", "privilege_escalation") or become,
        "ANSIBLE_CALLBACKS_ENABLED": ",".join(["goldsmith.image.report", *cfg.words("callbacks_enabled")]),
        "ANSIBLE_COLLECTIONS_PATH": ":".join([str(PLUGINS), *collections]),
        "ANSIBLE_CONFIG": str(given or empty),
        "ANSIBLE_HOME": str(directory),
        "ANSIBLE_HOST_KEY_CHECKING": "False",
        "ANSIBLE_LOCALHOST_WARNING": "False",
        "ANSIBLE_LOCAL_TEMP": f"{directory}/tmp",
        "ANSIBLE_PIPELINING": "True",
        "ANSIBLE_REMOTE_TMP": REMOTE_TEMPORARY,
        "ANSIBLE_RETRY_FILES_ENABLED": "False",
        "ANSIBLE_ROLES_PATH": ":".join(roles),
        "ANSIBLE_SCP_IF_SSH": "True",
        "ANSIBLE_SYSTEM_TMPDIRS": "/tmp",
        "ANSIBLE_TRANSPORT": "goldsmith.image.machine",
        "GOLDSMITH_REPORT": str(report),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUNBUFFERED": "1",
        **{name: str(Path(os.environ[name]).expanduser()) for name in KEPT if name in os.environ},
        **_users(config.ansible_env_vars),
    }


def _absolute(name: str, context: Context) -> list[str]:
    return [str(context.cwd / name)] if name else []


def _users(pairs: tuple[str, ...]) -> Mapping[str, str]:
    return {name: value for name, _, value in (pair.partition("=") for pair in pairs)}


class _Configuration:
    """What the user's ansible.cfg says of settings to which we must add: a variable would hide it."""

    def __init__(self, path: Path | None) -> None:
        self._base = path.parent if path else Path()
        self._parser = configparser.RawConfigParser(strict=False, allow_no_value=True)
        if path:
            self._parser.read_string(path.read_text(encoding="utf-8"))

    def text(self, name: str, section: str = "defaults") -> str:
        return (self._parser.get(section, name, fallback="") or "").strip()

    def words(self, name: str) -> list[str]:
        return [word.strip() for word in self.text(name).split(",") if word.strip()]

    def paths(self, *names: str) -> list[str]:
        """A list of directories; relative ones are meant from the directory of ansible.cfg."""
        text = next((found for name in names if (found := self.text(name))), "")
        return [str((self._base / Path(word.strip()).expanduser()).absolute()) for word in text.split(":") if word.strip()]
