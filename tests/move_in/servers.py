"""The servers that moves are tested between: PostgreSQL, ClickHouse's engine, and S3's stand-in."""

import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from tests.free_port import free_port

OWNER: Final = "postgres"
"""Debian's user: PostgreSQL does not run as root."""
SECONDS: Final = 30
HERE: Final = Path(__file__).parent
PASSWORD: Final = "hush-hush-4711"
CLICKHOUSE_USERS: Final[Mapping[str, tuple[str, str]]] = {
    "clickhouse": (PASSWORD, ""),
    "guest": (PASSWORD, r"FROM `\w+`\.`(observations|scores)`"),
}


def postgres_program(name: str) -> str | None:
    """Find one of the server's programs, which Debian does not put on PATH."""
    versions = sorted(Path("/usr/lib/postgresql").glob("*"), key=lambda each: each.name)
    path = os.pathsep.join([*(f"{each}/bin" for each in versions), os.environ["PATH"]])
    return shutil.which(name, path=path)


def wait_for(port: int, process: "subprocess.Popen[bytes]") -> None:
    """Wait until it listens."""
    end = time.monotonic() + SECONDS
    while time.monotonic() < end and process.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.02)
    raise AssertionError(f"nothing listens on {port}; exit code {process.poll()}")


def _owned() -> list[str]:
    if os.getuid():
        return []
    owner = pwd.getpwnam(OWNER)
    return ["setpriv", f"--reuid={owner.pw_uid}", f"--regid={owner.pw_gid}", "--clear-groups"]


@contextmanager
def postgres_server() -> Generator[int]:
    """Serve PostgreSQL with a password; gives its port.

    In a folder of its own: pytest takes those around its own away from everybody but its user.
    """
    with tempfile.TemporaryDirectory(prefix="langfuse-postgres-") as name:
        folder, port = Path(name), free_port()
        if not os.getuid():
            shutil.chown(folder, OWNER, OWNER)
        secret, data = folder / "password", folder / "data"
        secret.write_text(PASSWORD)
        environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "TZ": "UTC"}
        subprocess.run(
            [
                *(*_owned(), postgres_program("initdb") or "", "--pgdata", str(data)),
                *("--username", OWNER, "--auth", "scram-sha-256", "--pwfile", str(secret)),
                *("--encoding", "UTF8", "--no-sync"),
            ],
            env=environment,
            check=True,
            capture_output=True,
            cwd="/",
        )
        process = subprocess.Popen(
            [
                *(*_owned(), postgres_program("postgres") or "", "-D", str(data)),
                *("-p", str(port), "-h", "127.0.0.1", "-k", ""),
                *("-c", "fsync=off", "-c", "timezone=UTC"),
            ],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
        )
        try:
            wait_for(port, process)
            yield port
        finally:
            # At once, and with all of its processes: a killed one would leave them.
            process.send_signal(signal.SIGQUIT)
            process.wait()


@contextmanager
def clickhouse_server(folder: Path) -> Generator[int]:
    """Serve ClickHouse's engine; gives its port."""
    port = free_port()
    process = subprocess.Popen(
        [
            *(sys.executable, str(HERE / "clickhouse_server.py"), str(port), str(folder)),
            json.dumps(CLICKHOUSE_USERS),
        ],
        env={**os.environ, "TZ": "UTC"},
    )
    try:
        wait_for(port, process)
        yield port
    finally:
        process.kill()
        process.wait()
