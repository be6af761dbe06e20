"""How a source's machine is reached over WinRM."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Literal

from goldsmith.components import Context
from goldsmith.extras import need
from goldsmith.machines.winrm import EXTRA, WinRm, WinRmAccess
from goldsmith.scripts import say
from goldsmith.sources.communicator import CommunicatorSettings


def winrm_access(settings: CommunicatorSettings, host: str, port: int, password: str = "") -> WinRmAccess:
    """How to log in at an address; `password` is one that the source knows, and the user's own wins."""
    return WinRmAccess(
        host=host,
        port=port,
        user=settings.winrm_username,
        password=settings.winrm_password or password,
        uses_tls=settings.winrm_use_ssl,
        is_insecure=settings.winrm_insecure,
        uses_ntlm=settings.winrm_use_ntlm,
        ignores_proxy=settings.winrm_no_proxy,
    )


@contextmanager
def connected_by_winrm(
    settings: CommunicatorSettings,
    access: WinRmAccess,
    context: Context,
    is_there: Callable[[], bool] = lambda: True,
    kind: Literal["vm", "remote"] = "remote",
) -> Iterator[WinRm]:
    """The machine, once a command ran in it. Raises `UserError` without the extra, and what `WinRm.connect` raises."""
    need("pypsrp", extra=EXTRA)
    say(context, f"Using WinRM communicator to connect: {access.host}")
    say(context, "Waiting for WinRM to become available...")
    with WinRm(access, settings.winrm_timeout, is_there, kind=kind) as machine:
        machine.connect(context.cancellation)
        say(context, "Connected to WinRM!")
        yield machine


def generated_for_winrm(access: WinRmAccess, id: str, run_uuid: str) -> Mapping[str, str]:
    """The `build.*` values that every source with a winrm communicator tells."""
    return {
        "ID": id,
        "Host": access.host,
        "Port": str(access.port),
        "User": access.user,
        "Password": access.password,
        "WinRMPassword": access.password,
        "ConnType": "winrm",
        "SSHPublicKey": "",
        "SSHPrivateKey": "",
        "PackerRunUUID": run_uuid,
    }
