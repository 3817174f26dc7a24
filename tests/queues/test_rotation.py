"""Rotations against a real PostgreSQL and a real Redis, with clients that never stop asking.

A client is a task as far as a rotation goes: it has a user and a password from its start, keeps a
connection, and opens others. Each phase lasts until every client has had answers in it; one refusal
anywhere is a failure. The statements are those of the task's own script, run by Node.js as the task
runs it; Prisma is a stand-in that hands them to psql.

What AWS does is played: RDS's change of the owner's password by the superuser, ElastiCache's ROTATE
and SET by the passwords of Redis's default user. The owner is no superuser, as RDS's is none.
"""

import json
import os
import re
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import pytest

from development.node_packages import NODE
from langfuse_aws.automation.rotate.database import MARK, orders
from langfuse_aws.components.protection.snapshots import DATABASE, ROTATION_USER, USER
from tests.move_in.servers import OWNER, PASSWORD, postgres_program, postgres_server
from tests.queues.conftest import PASSWORD as REDIS_PASSWORD
from tests.queues.conftest import REQUIRED, SECONDS, Redis
from tests.queues.test_databases import image

OLD: Final = "old-password"
NEW: Final = "new-password"
ANSWERS: Final = 3
"""How many requests of every client are in a phase, at the least."""

needs_postgres: Final = pytest.mark.skipif(
    postgres_program("postgres") is None and os.environ.get(REQUIRED) != "required",
    reason="no PostgreSQL: apt-get install postgresql",
)

SCHEMA: Final = f"""
CREATE ROLE {USER} LOGIN CREATEROLE CREATEDB PASSWORD '{OLD}';
CREATE DATABASE {DATABASE} OWNER {USER};
"""
TABLES: Final = """
CREATE TYPE kind AS ENUM ('trace', 'score');
CREATE TABLE events (id serial PRIMARY KEY, kind kind NOT NULL DEFAULT 'trace');
CREATE VIEW recent AS SELECT * FROM events ORDER BY id DESC LIMIT 10;
"""
REQUEST: Final = (
    "INSERT INTO events DEFAULT VALUES; UPDATE events SET kind = 'score' WHERE id = 1; "
    "SELECT count(*) > 0 FROM recent;"
)
PRISMA: Final = """
const { execFileSync } = require("node:child_process");
const { appendFileSync } = require("node:fs");
const psql = (sql) => appendFileSync("statements", sql) || execFileSync(
  "psql", ["-XqAt", "-v", "ON_ERROR_STOP=1", "-c", sql], { encoding: "utf8", stdio: "pipe" });
exports.prisma = {
  $executeRawUnsafe: async (sql) => void psql(sql),
  $queryRawUnsafe: async (sql) =>
    JSON.parse(psql(`SELECT coalesce(json_agg(found), '[]') FROM (${sql}) AS found`)),
};
"""


class Client:
    """Asks again and again, in a thread of its own, until it is stopped."""

    def __init__(self, ask: Callable[[], str]) -> None:
        """`ask` gives what went wrong, or nothing."""
        self._ask = ask
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.answers = 0
        self.refusals: list[str] = []
        self._thread.start()

    def _run(self) -> None:
        while not self._stopped.is_set():
            if refusal := self._ask():
                self.refusals.append(refusal)
            else:
                self.answers += 1

    def more(self) -> None:
        """Wait until it has had some more answers."""
        wanted, end = self.answers + ANSWERS, time.monotonic() + SECONDS
        while self.answers < wanted:
            assert not self.refusals, self.refusals[0]
            assert time.monotonic() < end, "a client got no answers"
            time.sleep(0.01)

    def end(self) -> None:
        """Let it end."""
        self._stopped.set()
        self._thread.join(SECONDS)

    def stop(self) -> None:
        """Let it end; it must never have been refused."""
        self.end()
        assert not self.refusals, self.refusals[0]


class Database:
    """A PostgreSQL with Langfuse's owner and tables."""

    def __init__(self, port: int, folder: Path) -> None:
        self.port = port
        self.app = image(folder, "./src/db", PRISMA)
        end = time.monotonic() + SECONDS
        while "starting up" in self.psql(OWNER, PASSWORD, "", "postgres").stderr:
            assert time.monotonic() < end, "PostgreSQL listens, and does not start"
        self.superuser(SCHEMA, database="postgres")
        done = self.psql(USER, OLD, TABLES)
        assert done.returncode == 0, done.stderr

    def environment(self, user: str, password: str, database: str = DATABASE) -> dict[str, str]:
        """What libpq reads."""
        return {
            "PATH": os.pathsep.join(
                [str(Path(postgres_program("psql") or "psql").parent), os.environ["PATH"]]
            ),
            "PGHOST": "127.0.0.1",
            "PGPORT": str(self.port),
            "PGUSER": user,
            "PGPASSWORD": password,
            "PGDATABASE": database,
        }

    def psql(
        self, user: str, password: str, sql: str, database: str = DATABASE
    ) -> "subprocess.CompletedProcess[str]":
        """Run statements over a connection of their own, each in its own transaction."""
        return subprocess.run(
            ["psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-f", "-"],
            env=self.environment(user, password, database),
            input=sql,
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )

    def superuser(self, sql: str, database: str = DATABASE) -> str:
        """Run statements as what RDS itself is."""
        done = self.psql(OWNER, PASSWORD, sql, database)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def script(self, action: str, password: str, seconds: str = "30") -> str:
        """Run the task's command as the owner; gives what it says."""
        assert action in ("begin", "end")
        program, *arguments = orders(action)["command"]  # type: ignore[arg-type]
        assert program == "node"
        done = subprocess.run(
            [str(NODE), *arguments[:-1], seconds],
            cwd=self.app,
            env={
                **self.environment(USER, password),
                "DATABASE_PASSWORD": password,
                "DATABASE_NAME": DATABASE,
            },
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def refuses(self, user: str, password: str) -> bool:
        """Whether it lets nobody in so; a refusal of another kind is a failure."""
        done = self.psql(user, password, "SELECT 1")
        assert done.returncode == 0 or "authentication failed" in done.stderr, done.stderr
        return done.returncode != 0

    def open(self, user: str, password: str) -> str:
        """Connect for one request; gives what went wrong."""
        done = self.psql(user, password, REQUEST)
        return "" if done.stdout == "t\n" else done.stderr

    @contextmanager
    def task(self, user: str, password: str) -> Generator[list[Client]]:
        """Clients that keep their connection, and such that open one for each request."""
        process = subprocess.Popen(
            ["psql", "-XqAt", "-v", "ON_ERROR_STOP=1"],
            env=self.environment(user, password),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        stdin, stdout, stderr = process.stdin, process.stdout, process.stderr
        assert stdin is not None
        assert stdout is not None
        assert stderr is not None

        def keeping() -> str:
            stdin.write(f"{REQUEST}\n")
            stdin.flush()
            return "" if stdout.readline() == "t\n" else stderr.read() or "closed"

        clients = [Client(keeping), Client(lambda: self.open(user, password))]
        try:
            yield clients
            for client in clients:
                client.stop()
        finally:
            for client in clients:
                client.end()
            process.kill()
            process.communicate()


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with postgres_server() as port:
        yield Database(port, tmp_path)


def more(*tasks: list[Client]) -> None:
    for task in tasks:
        for client in task:
            client.more()


DONE: Final = {action: f'{MARK}{{"done":"{action}"}}\n' for action in ("begin", "end")}


@needs_postgres
def test_a_password_of_postgres_changes_and_no_client_is_refused(database: Database) -> None:
    with ExitStack() as services:
        with ExitStack() as old:
            first = old.enter_context(database.task(USER, OLD))
            more(first)
            assert database.script("begin", OLD) == DONE["begin"]
            assert database.script("begin", OLD) == DONE["begin"], "it may be repeated"
            second = services.enter_context(database.task(ROTATION_USER, OLD))
            more(first, second)
        database.superuser(f"ALTER ROLE {USER} PASSWORD '{NEW}'")
        more(second)
        migrated = database.psql(USER, NEW, "CREATE TABLE later (id serial PRIMARY KEY)")
        assert migrated.returncode == 0, migrated.stderr
        done = database.psql(ROTATION_USER, OLD, "INSERT INTO later DEFAULT VALUES")
        assert done.returncode == 0, f"what is migrated meanwhile: {done.stderr}"
        with database.task(USER, NEW) as third:
            more(second, third)
            said = database.script("end", NEW, seconds="0")
            assert f"{ROTATION_USER} still has" in said, "an old task still works"
            more(second, third)
            services.close()
            assert database.script("end", NEW) == DONE["end"]
            more(third)
            assert database.script("end", NEW) == DONE["end"], "it may be repeated"
    assert database.refuses(USER, OLD)
    assert database.refuses(ROTATION_USER, OLD)
    assert not database.refuses(USER, NEW)
    assert ROTATION_USER not in database.superuser("SELECT rolname FROM pg_roles")
    assert database.superuser("SELECT count(*) FROM pg_default_acl") == "0"
    owners = "SELECT DISTINCT pg_get_userbyid(relowner) FROM pg_class WHERE relname = 'later'"
    assert database.superuser(owners) == USER


@needs_postgres
def test_the_second_user_may_not_change_tables_and_its_password_is_in_no_statement(
    database: Database,
) -> None:
    assert database.script("begin", OLD) == DONE["begin"]
    for statement in (
        "DROP TABLE events",
        "ALTER TABLE events ADD more int",
        "CREATE TABLE mine ()",
    ):
        assert "ERROR" in database.psql(ROTATION_USER, OLD, statement).stderr
    stored = database.superuser("SELECT rolname, rolpassword FROM pg_authid").splitlines()
    assert any(each.startswith(f"{ROTATION_USER}|SCRAM-SHA-256$4096:") for each in stored)
    statements = (database.app / "statements").read_text()
    assert f"CREATE ROLE {ROTATION_USER}" in statements
    assert OLD not in statements


@needs_postgres
def test_a_client_of_an_old_password_would_be_refused(database: Database) -> None:
    """What the first test proves the absence of: a password that is changed under a task."""
    client = Client(lambda: database.open(USER, OLD))
    client.more()
    database.superuser(f"ALTER ROLE {USER} PASSWORD '{NEW}'")
    with pytest.raises(AssertionError, match="authentication failed"):
        client.more()
    client.end()


@needs_postgres
def test_a_refusal_of_postgres_is_told(database: Database) -> None:
    database.superuser(f"ALTER ROLE {USER} NOCREATEROLE")
    assert "permission denied to create role" in database.script("begin", OLD)


# --- Redis


def redis_task(redis: Redis, token: str) -> list[Client]:
    """Clients that keep their connection, and such that open one for each request."""
    address = ("127.0.0.1", int(redis.environment["REDIS_PORT"]))

    def connected() -> socket.socket:
        found = socket.create_connection(address, SECONDS)
        found.sendall(f"AUTH {token}\r\n".encode())
        said = found.recv(1000)
        if said != b"+OK\r\n":
            raise PermissionError(said.decode())
        return found

    def ask(found: socket.socket) -> str:
        found.sendall(b"INCR jobs\r\n")
        said = found.recv(1000)
        return "" if said.startswith(b":") else said.decode()

    kept = connected()

    def opening() -> str:
        try:
            with connected() as found:
                return ask(found)
        except PermissionError as error:
            return str(error)

    return [Client(lambda: ask(kept)), Client(opening)]


def play(redis: Redis, token: str, *rules: str) -> None:
    """Change the default user as ElastiCache does its tokens, over a connection of its own."""
    with socket.create_connection(("127.0.0.1", int(redis.environment["REDIS_PORT"]))) as found:
        for line in (f"AUTH {token}", f"ACL SETUSER default {' '.join(rules)}"):
            found.sendall(f"{line}\r\n".encode())
            assert found.recv(1000) == b"+OK\r\n"


def test_a_token_of_redis_changes_and_no_client_is_refused(redis: Redis) -> None:
    first = redis_task(redis, REDIS_PASSWORD)
    more(first)
    play(redis, REDIS_PASSWORD, f">{NEW}")  # ROTATE
    second = redis_task(redis, NEW)
    more(first, second)
    for client in first:
        client.stop()
    play(redis, NEW, "resetpass", f">{NEW}")  # SET
    more(second)
    for client in second:
        client.stop()
    with pytest.raises(PermissionError, match="WRONGPASS"):
        redis_task(redis, REDIS_PASSWORD)


OPERATIONS: Final = Path(__file__).parents[2] / "docs/operations.md"


def question() -> list[str]:
    """What the worker's container runs to ask PostgreSQL, without the question."""
    page = OPERATIONS.read_text(encoding="utf-8")
    (told,) = re.findall(r"question.json <<'JSON'\n(.*?)\nJSON\n", page, re.DOTALL)
    (container,) = json.loads(told)["containerOverrides"]
    assert (container["name"], container["command"][0]) == ("worker", "node")
    return container["command"][1:-1]


@needs_postgres
def test_an_operator_s_questions_are_answered_in_types_that_langfuse_s_client_reads(
    database: Database,
) -> None:
    """Prisma reads no interval and takes an address for a type of its own.

    https://github.com/prisma/prisma-engines/blob/main/quaint/src/connector/postgres/native/conversion.rs
    """
    page = OPERATIONS.read_text(encoding="utf-8")
    told = re.findall(r"SELECT [^`\"]* FROM pg_stat_activity[^`\"]*", page)
    assert len(told) == 4
    for each in told:
        answer = database.psql(USER, OLD, f"{each} \\gdesc")
        types = {line.rpartition("|")[2] for line in answer.stdout.splitlines()}
        assert types, answer.stderr
        assert types <= {"integer", "bigint", "text", "boolean"}, each
        done = subprocess.run(
            [str(NODE), *question(), each],
            cwd=database.app,
            env=database.environment(USER, OLD),
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )
        assert (done.returncode, done.stderr) == (0, ""), each
        assert done.stdout or "terminate" in each, "the question is a session itself"


@needs_postgres
def test_sessions_are_ended_but_the_one_that_ends_them(database: Database) -> None:
    page = OPERATIONS.read_text(encoding="utf-8")
    (told,) = re.findall(r"SELECT pg_terminate_backend[^`]*", page)
    sleeping = subprocess.Popen(
        ["psql", "-Xc", "SELECT pg_sleep(60)"],
        env=database.environment(USER, OLD),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    others = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%'"
    end = time.monotonic() + SECONDS
    while database.superuser(others) != "1":
        assert time.monotonic() < end, "the session does not begin"
    done = database.psql(USER, OLD, told)
    assert (done.returncode, done.stdout) == (0, "t\n"), done.stderr
    assert sleeping.wait(SECONDS) != 0
