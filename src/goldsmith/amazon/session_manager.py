"""A way to an instance that nobody can reach: a port of this host, through Session Manager and its plug-in."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from goldsmith.amazon.account import Account, wait_for
from goldsmith.amazon.api import SsmSession
from goldsmith.aws import error_code
from goldsmith.components import Context
from goldsmith.hcl.diagnostics import Diagnostic, GoldsmithError, MachineError, UserError
from goldsmith.machines.journal import process_handle
from goldsmith.scripts import say

PLUGIN = "session-manager-plugin"
_DOCUMENT = "AWS-StartPortForwardingSession"
_LISTENS_S = 30.0


def check_plugin() -> str:
    """The program that carries the bytes. Raises `UserError` when it is not installed."""
    found = shutil.which(PLUGIN)
    if found is None:
        raise UserError(
            Diagnostic(
                code="amazon.no-session-manager",
                what=f"{PLUGIN} was not found",
                why='ssh_interface = "session_manager" reaches instances through it',
                next="Install it from https://docs.aws.amazon.com/systems-manager/latest/userguide/"
                "session-manager-working-with-install-plugin.html, or choose another ssh_interface.",
            )
        )
    return found


@contextmanager
def forwarded(instance_id: str, remote_port: int, local_port: int, account: Account, context: Context) -> Iterator[int]:
    """A port of 127.0.0.1 that leads to one of the instance, for the length of the block."""
    plugin = check_plugin()
    port = local_port or _free_port()
    request: dict[str, object] = {
        "Target": instance_id,
        "DocumentName": _DOCUMENT,
        "Parameters": {"portNumber": [str(remote_port)], "localPortNumber": [str(port)]},
    }
    say(context, f"Starting portForwarding session to instance {instance_id}")
    session = _session(request, account, context)
    try:
        command = [plugin, json.dumps(session), account.region, "StartSession", account.access.profile, json.dumps(request), ""]
        with _running(command, context) as process:
            _wait_until_it_listens(port, process, context)
            yield port
    finally:
        with suppress(GoldsmithError), account.telling("Ending the session"):
            account.ssm().terminate_session(SessionId=session["SessionId"])


def _session(request: dict[str, object], account: Account, context: Context) -> SsmSession:
    """The session, once the agent of the instance has called in."""

    def begun() -> SsmSession | None:
        try:
            with account.telling("Starting the session"):
                answer = account.ssm().start_session(**request)
        except UserError as error:
            if error_code(error) == "TargetNotConnected":
                return None
            raise
        return {"SessionId": answer["SessionId"], "TokenValue": answer["TokenValue"], "StreamUrl": answer["StreamUrl"]}

    return wait_for(begun, "the agent of Session Manager in the instance", account.quick, context.cancellation)


@contextmanager
def _running(command: Sequence[str], context: Context) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    with context.journal.take("process", process_handle(process.pid)):
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_until_it_listens(port: int, process: subprocess.Popen[bytes], context: Context) -> None:
    until = time.monotonic() + _LISTENS_S
    while time.monotonic() < until and process.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        context.cancellation.wait(0.2)
    ended = "" if process.poll() is None else f"it ended with {process.poll()}"
    raise MachineError(
        Diagnostic(
            code="amazon.session-manager",
            what=f"{PLUGIN} does not listen on port {port}",
            why=ended or f"within {_LISTENS_S:g} s",
            next="See whether the port is free, and whether the instance's role has AmazonSSMManagedInstanceCore.",
        )
    )


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])
