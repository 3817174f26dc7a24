"""The script that asks the databases before an upgrade, in Node.js, against stand-ins for both.

It runs as the task runs it: the very command, in a folder laid out as the worker's image. It proves
what is asked, with whose password, what is made of the answers, and that Python reads them. Prisma
and ClickHouse are stand-ins: that the table and the columns exist is read off Langfuse's sources,
https://github.com/langfuse/langfuse/blob/v4.16.0/packages/shared/prisma/schema.prisma.
"""

import json
import os
import subprocess
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from development.node_packages import NODE
from langfuse_aws.automation.upgrade.databases import Answers, Migration, orders, read
from tests.queues.conftest import SECONDS

BACKFILL = "LANGFUSE_BACKGROUND_MIGRATION_V4_ENABLE_HISTORIC_BACKFILL"
DROP = "LANGFUSE_BACKGROUND_MIGRATION_V4_DROP_PID_TID_SORTING_TABLES"
PASSWORD = "of-clickhouse"
USED, FREE, TOTAL = 3 * 2**30, 5 * 2**30, 20 * 2**30
# A worker that runs one tells it every 15 s (backgroundMigrationManager.ts, heartBeat).
NOW = datetime.now(timezone.utc)
JUST_NOW, OLD = ((NOW - timedelta(seconds=each)).isoformat() for each in (30, 300))
ROWS: list[dict[str, Any]] = [
    {"name": "1_runs", "args": {}, "failed_at": None, "failed_reason": None, "locked_at": JUST_NOW},
    {"name": "2_failed", "args": None, "failed_at": "2026-11-01", "failed_reason": "hang up"},
    {"name": "3_backfill", "args": {"envGate": BACKFILL}, "failed_at": None, "locked_at": OLD},
    {"name": "4_drop", "args": {"envGate": DROP}, "failed_at": None},
]


class ClickHouse:
    """Answers two queries, and notes who asks."""

    def __init__(self) -> None:
        self.users: set[tuple[str | None, str | None]] = set()
        self.refuses = False
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                names = ("X-ClickHouse-User", "X-ClickHouse-Key")
                user, key = (self.headers.get(name) for name in names)
                server.users.add((user, key))
                query = self.rfile.read(int(self.headers["Content-Length"])).decode()
                used = "system.parts WHERE active AND database = 'default'" in query
                text = f"{USED}\n" if used else f"{FREE}\t{TOTAL}\n"
                self.send_response(403 if server.refuses else 200)
                self.end_headers()
                self.wfile.write(b"Not enough privileges" if server.refuses else text.encode())

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def clickhouse() -> Iterator[ClickHouse]:
    """Serve it."""
    found = ClickHouse()
    yield found
    found.server.shutdown()
    found.server.server_close()


def image(folder: Path, module: str, source: str) -> Path:
    """Lay out a folder as the worker's image, with one module of Langfuse's package."""
    package = folder / "worker" / "node_modules" / "@langfuse" / "shared"
    package.mkdir(parents=True)
    (folder / "worker" / "package.json").write_text("{}")
    (package / "package.json").write_text(json.dumps({"exports": {module: "./found.js"}}))
    (package / "found.js").write_text(source)
    return folder


def prisma(rows: object) -> str:
    return (
        "exports.prisma = { $queryRaw: async (query) => {"
        " if (!query.join('').includes('FROM background_migrations WHERE finished_at IS NULL'))"
        f" throw new Error('another query'); return {json.dumps(rows)}; }} }};"
    )


def ask(folder: Path, clickhouse: ClickHouse, **environment: str) -> Answers:
    """Run the task's command to its end, and read what it says."""
    program, *arguments = orders()["command"]
    assert program == "node"
    done = subprocess.run(
        [str(NODE), *arguments],
        cwd=folder,
        env={
            "PATH": os.environ["PATH"],
            "CLICKHOUSE_URL": clickhouse.url,
            "CLICKHOUSE_USER": "langfuse",
            "CLICKHOUSE_PASSWORD": PASSWORD,
            **environment,
        },
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert done.returncode == 0, done.stderr
    return read(iter(done.stdout.splitlines()))


@pytest.mark.parametrize("module", ["./src/db", "./db"])
@pytest.mark.parametrize(("gate", "due"), [("false", 2), ("true", 3)])
def test_what_is_due_is_told_and_not_what_a_variable_holds_back(
    tmp_path: Path, clickhouse: ClickHouse, module: str, gate: str, due: int
) -> None:
    folder = image(tmp_path, module, prisma(ROWS))
    answers = ask(folder, clickhouse, **{BACKFILL: gate})
    every = [Migration("1_runs", None, taken=True), Migration("2_failed", "hang up", taken=False)]
    every.append(Migration("3_backfill", None, taken=False))
    assert answers == Answers(every[:due], USED, FREE, TOTAL)
    assert clickhouse.users == {("langfuse", PASSWORD)}


def test_each_database_that_does_not_answer_is_named_and_the_other_is_asked(
    tmp_path: Path, clickhouse: ClickHouse
) -> None:
    clickhouse.refuses = True
    answers = ask(image(tmp_path, "./src/db", prisma([])), clickhouse)
    assert answers.migrations == []
    assert answers.errors == ("ClickHouse could not be asked: Not enough privileges",)


def test_a_package_that_is_broken_is_told_as_it_is(tmp_path: Path, clickhouse: ClickHouse) -> None:
    folder = image(tmp_path, "./src/db", "throw new Error('no DATABASE_URL')")
    answers = ask(folder, clickhouse)
    assert answers.errors == ("PostgreSQL could not be asked: no DATABASE_URL",)
    assert answers.used == USED
