"""A real PostgreSQL server in a directory of its own, on a socket in it, run as a user without rights."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

USER = "nobody"


def programs() -> Path | None:
    """Where Debian's package puts the server's programs; None when it is not installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return found[-1].parent if found else None


class Server:
    """A running server. Each test gets a database of its own in it."""

    def __init__(self, root: Path, process: subprocess.Popen[bytes]) -> None:
        self.root = root
        self.process = process
        self._numbers = count(1)
        self._has_template = False

    def url(self, database: str) -> str:
        return f"postgresql://{USER}@/{database}?host={self.root}"

    def connect(self, database: str) -> Any:
        import psycopg

        return psycopg.connect(host=str(self.root), user=USER, dbname=database, autocommit=True)

    def database(self, template: str = "") -> str:
        """The name of a new database: empty, or a copy of one that nobody uses."""
        name = f"registry_{next(self._numbers)}"
        with self.connect("postgres") as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {template or 'template0'} STRATEGY FILE_COPY")
        return name

    def registry(self) -> str:
        """The name of a new database with the tables of a registry: copying them is quicker than making them."""
        from goldsmith.registry.db import Database
        from goldsmith.registry.engine_urls import engine_of

        if not self._has_template:
            with self.connect("postgres") as connection:
                connection.execute("CREATE DATABASE made TEMPLATE template0")
            Database(engine_of(self.url("made"))).close()
            self._has_template = True
        return self.database("made")

    def drop(self, database: str) -> None:
        with self.connect("postgres") as connection:
            connection.execute(f"DROP DATABASE {database} WITH (FORCE)")


@contextmanager
def running(bin: Path) -> Iterator[Server]:
    """A server that ends with this process, however that ends."""
    memory = Path("/dev/shm")
    root = Path(tempfile.mkdtemp(prefix="goldsmith-postgresql-", dir=memory if os.access(memory, os.W_OK) else None))
    shutil.chown(root, USER)
    # The server refuses to run as root.
    drop = ["setpriv", f"--reuid={USER}", "--regid=nogroup", "--clear-groups", "--pdeathsig=INT"] if os.getuid() == 0 else []
    data, log = root / "data", root / "log"
    try:
        made = [
            *drop,
            str(bin / "initdb"),
            "-D",
            str(data),
            "-U",
            USER,
            "--auth=trust",
            "--no-sync",
            "--locale=C",
            "-E",
            "UTF8",
        ]
        subprocess.run(made, check=True, capture_output=True)
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(root),
            "fsync": "off",
            "max_connections": "60",
            "shared_buffers": "32MB",
            "autovacuum": "off",
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with log.open("wb") as output:
            process = subprocess.Popen([*drop, str(bin / "postgres"), "-D", str(data), *options], stdout=output, stderr=output)
        server = Server(root, process)
        try:
            _wait(server, log)
            yield server
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(30)
    finally:
        shutil.rmtree(root)


def _wait(server: Server, log: Path) -> None:
    import psycopg

    until = time.monotonic() + 30
    while True:
        try:
            server.connect("postgres").close()
        except psycopg.OperationalError:
            assert server.process.poll() is None and time.monotonic() < until, log.read_text()
            time.sleep(0.02)
        else:
            return
