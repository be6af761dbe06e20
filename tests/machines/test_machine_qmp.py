"""The control socket of QEMU."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import pytest

from goldsmith.hcl.diagnostics import MachineError
from goldsmith.machines.qmp import Qmp


def test_a_connection_that_is_refused_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "qmp.sock"
    rest: list[bytes] = []
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def refuse() -> None:
            peer, _ = listener.accept()
            with peer:
                peer.settimeout(5)
                peer.sendall(b'{"QMP": {}}\n')
                peer.recv(100)
                peer.sendall(b'{"error": {"desc": "no"}}\n')
                rest.append(peer.recv(100))

        thread = threading.Thread(target=refuse)
        thread.start()
        with pytest.raises(MachineError, match="QEMU refused qmp_capabilities") as caught:
            Qmp(path)
        thread.join()

    assert rest == [b""]
    assert "no" in (caught.value.diagnostics[0].why or "")
