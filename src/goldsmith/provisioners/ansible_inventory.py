"""The inventory of a play: one machine, under its alias and its groups, in Packer's shape."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from goldsmith.components import Context
from goldsmith.scripts import rendered


class InventorySettings(Protocol):
    """The settings that make the inventory."""

    @property
    def host_alias(self) -> str:
        """The name of the machine."""

    @property
    def user(self) -> str:
        """ansible_user, or empty."""

    @property
    def groups(self) -> tuple[str, ...]:
        """Groups that the machine is in."""

    @property
    def empty_groups(self) -> tuple[str, ...]:
        """Groups without a machine."""

    @property
    def inventory_directory(self) -> str:
        """Where the inventory is written, or empty."""

    @property
    def inventory_file(self) -> str:
        """The user's own inventory, or empty."""

    @property
    def inventory_file_template(self) -> str:
        """The user's own line of the machine, or empty."""

    @property
    def keep_inventory_file(self) -> bool:
        """Whether the inventory stays."""


@contextmanager
def inventory(config: InventorySettings, directory: Path, context: Context) -> Iterator[Path]:
    """The inventory file: the user's own, or one that is written into `inventory_directory`, else into `directory`."""
    if config.inventory_file:
        yield (context.cwd / config.inventory_file).resolve()
        return
    place = context.cwd / config.inventory_directory if config.inventory_directory else directory
    path = place / f"packer-provisioner-ansible{secrets.token_hex(4)}"
    path.write_text(_text(config, context), encoding="utf-8")
    try:
        yield path
    finally:
        if not config.keep_inventory_file:
            path.unlink(missing_ok=True)


def _text(config: InventorySettings, context: Context) -> str:
    line = _line(config, context)
    with_machine = "".join(f"[{group}]\n{line}" for group in config.groups)
    return line + with_machine + "".join(f"[{group}]\n" for group in config.empty_groups)


def _line(config: InventorySettings, context: Context) -> str:
    user = config.user or _known(context, "User") or "root"
    data = {"HostAlias": config.host_alias, "Host": "127.0.0.1", "User": user, "Port": _known(context, "Port") or "22"}
    if config.inventory_file_template:
        line = rendered(config.inventory_file_template, "inventory_file_template", context, {**context.generated, **data})
        return line if line.endswith("\n") else f"{line}\n"
    # The connection stands here too: a play that says `connection: local` must not act on the host.
    connection = "ansible_connection=goldsmith.image.machine"
    return f"{config.host_alias} ansible_host=127.0.0.1 ansible_user={user} ansible_port={data['Port']} {connection}\n"


def _known(context: Context, name: str) -> str:
    value = context.generated.get(name, "")
    return "" if value == "<unknown>" or value.startswith("ERR_") else value
