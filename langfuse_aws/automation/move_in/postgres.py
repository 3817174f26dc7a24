# ruff: noqa: S608 -- names and texts are quoted where they are put in
"""PostgreSQL on one side of a move, asked and copied by PostgreSQL's own programs.

Passwords go to them by their environment, never by the command line. A source is opened for
reading only, by `default_transaction_read_only`.
"""

import csv
import io
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, Final, Protocol, cast

from langfuse_aws.automation.errors import UserError
from langfuse_aws.automation.move_in.source import PostgresAddress

BLOCK: Final = 1 << 20
CONNECT_SECONDS: Final = 10
READ_ONLY: Final = "-c default_transaction_read_only=on"
MAJOR: Final = re.compile(r"(\d+)\.\d+|(\d+)(?:devel|beta|rc)")
INSTALL: Final = "Install PostgreSQL's client programs, such as Debian's postgresql-client."


@dataclass(frozen=True)
class Postgres:
    """One database."""

    address: PostgresAddress
    side: str
    """`source` or `target`, for messages."""
    read_only: bool = False

    def rows(self, query: str) -> list[list[str]]:
        """Ask. UserError with what PostgreSQL said."""
        done = subprocess.run(  # noqa: S603
            [program("psql"), *_QUIET, "--csv", "--tuples-only", "--command", query],
            env=self.environment(),
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        if done.returncode:
            raise self.failed(done.stderr)
        return list(csv.reader(io.StringIO(done.stdout)))

    def one(self, query: str) -> str:
        """Ask for one value."""
        return self.rows(query)[0][0]

    def run(self, script: str) -> None:
        """Run statements in one transaction, which are given on standard input."""
        done = subprocess.run(  # noqa: S603
            [program("psql"), *_QUIET, "--single-transaction", "--output", os.devnull],
            env=self.environment(),
            input=script,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise self.failed(done.stderr)

    def major(self) -> int:
        """Give the server's major version."""
        return int(self.one("SHOW server_version_num")) // 10000

    def size(self) -> int:
        """Give the bytes of the schema's tables and indexes."""
        return int(
            self.one(
                "SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0) FROM pg_class c "
                "WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'"
            )
        )

    def tables(self) -> list[str]:
        """List the tables of Langfuse, by name."""
        found = self.rows(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename"
        )
        return [row[0] for row in found]

    def counts(self) -> dict[str, int]:
        """Count the rows of every table."""
        counted = [
            f"SELECT {literal(table)}, count(*) FROM public.{identifier(table)}"
            for table in self.tables()
        ]
        if not counted:
            return {}
        return {name: int(count) for name, count in self.rows(" UNION ALL ".join(counted))}

    def unreadable(self) -> list[str]:
        """List tables and sequences that the user may not read."""
        found = self.rows(
            "SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace "
            "AND c.relkind IN ('r', 'S') AND NOT CASE c.relkind WHEN 'r' "
            "THEN has_table_privilege(c.oid, 'SELECT') "
            "ELSE has_sequence_privilege(c.oid, 'SELECT') END ORDER BY 1"
        )
        return [row[0] for row in found]

    def migrations(self) -> list[str]:
        """List the names of the migrations that Prisma has finished; none without its table."""
        if "_prisma_migrations" not in self.tables():
            return []
        found = self.rows(
            'SELECT DISTINCT migration_name FROM public."_prisma_migrations" '
            "WHERE finished_at IS NOT NULL AND rolled_back_at IS NULL ORDER BY 1"
        )
        return [row[0] for row in found]

    def dump(self) -> "_Dump":
        """Begin a dump of the schema with its data, as SQL."""
        return _Dump(self)

    def environment(self) -> dict[str, str]:
        """What PostgreSQL's programs read."""
        to = self.address
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith("PG")},
            "PGHOST": to.host,
            "PGPORT": str(to.port),
            "PGUSER": to.user,
            "PGPASSWORD": to.password,
            "PGDATABASE": to.database,
            "PGSSLMODE": to.sslmode,
            "PGCONNECT_TIMEOUT": str(CONNECT_SECONDS),
            "PGCLIENTENCODING": "UTF8",
            "PGAPPNAME": "langfuse-move-in",
            **({"PGOPTIONS": READ_ONLY} if self.read_only else {}),
        }

    def failed(self, said: str) -> UserError:
        """The error for what a program has said."""
        lines = [line.strip() for line in said.splitlines() if line.strip()]
        errors = [line for line in lines if "error:" in line.lower() or "FATAL" in line]
        text = (errors or lines or ["it said nothing"])[0]
        if self.address.password:
            text = text.replace(self.address.password, "…")
        return UserError(f"PostgreSQL of the {self.side}, {self.address}: {text.rstrip('.')}.")


_QUIET: Final = ("--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1")


class Stream(Protocol):
    """What a dump is read from."""

    def read1(self, size: int, /) -> bytes:
        """Read what is there, at the most so much; nothing at the end."""
        ...


class _Dump:
    """A pg_dump that runs for as long as the block does, and must end well in `finish`."""

    def __init__(self, source: Postgres) -> None:
        self._source = source
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 -- closed with the block
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> tuple["Stream", "subprocess.Popen[bytes]"]:
        self._process = subprocess.Popen(  # noqa: S603
            [
                program("pg_dump"),
                "--schema=public",
                "--no-owner",
                "--no-privileges",
                "--no-publications",
                "--no-subscriptions",
            ],
            env=self._source.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._said,
        )
        stream = self._process.stdout
        if stream is None:
            raise TypeError("a pipe was asked for")
        return cast("Stream", stream), self._process

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            if self._process.stdout is not None:
                self._process.stdout.close()
            self._process.kill()
            self._process.wait()
        self._said.close()

    def finish(self) -> None:
        """Wait for its end. UserError if that is not a good one."""
        if self._process is not None and self._process.wait():
            raise self._source.failed(_written(self._said))


def copy(source: Postgres, target: Postgres, after: Sequence[str]) -> int:
    """Replace the target's schema `public` by the source's, in one transaction; gives its bytes.

    `after`: statements that belong to it. Whatever stops it, the target stays as it was before: no
    COMMIT comes but after the whole dump.
    """
    dump = source.dump()
    with tempfile.TemporaryFile() as said, dump as (stream, _):
        loader = subprocess.Popen(  # noqa: S603
            [program("psql"), *_QUIET, "--output", os.devnull],
            env=target.environment(),
            stdin=subprocess.PIPE,
            stderr=said,
        )
        into = loader.stdin
        if into is None:
            raise TypeError("a pipe was asked for")
        copied = 0
        try:
            into.write(b"BEGIN;\nSET LOCAL lock_timeout = '60s';\nDROP SCHEMA public CASCADE;\n")
            copied = _pump(stream, into)
            dump.finish()
            into.write("".join(f"\n{each};" for each in (*after, "COMMIT")).encode())
            into.close()
            failed = loader.wait() != 0
        except BrokenPipeError:
            failed = True
        finally:
            # It is ended, not left with the end of its input.
            loader.kill()
            loader.wait()
            with suppress(BrokenPipeError):
                into.close()
        if failed:
            raise target.failed(_written(said))
    return copied


def _pump(stream: "Stream", into: IO[bytes]) -> int:
    copied = 0
    while block := stream.read1(BLOCK):
        copied += len(block)
        into.write(block)
    return copied


def _written(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode("utf-8", "replace")


def program(name: str) -> str:
    """Find one of PostgreSQL's programs. UserError if it is not there."""
    found = shutil.which(name)
    if found is None:
        raise UserError(f"{name}: not found on PATH. {INSTALL}")
    return found


def tools_major() -> int:
    """Give the major version of pg_dump. UserError if it is not there, or psql is not."""
    program("psql")
    done = subprocess.run(  # noqa: S603
        [program("pg_dump"), "--version"], capture_output=True, text=True, check=False
    )
    found = MAJOR.search(done.stdout)
    if found is None:
        raise UserError(f"pg_dump: tells no version. {INSTALL}")
    return int(found[1] or found[2])


def literal(text: str) -> str:
    """Write a text as SQL has it."""
    return "'" + text.replace("'", "''") + "'"


def identifier(name: str) -> str:
    """Write a name as SQL has it."""
    return '"' + name.replace('"', '""') + '"'


def move_paths(table: str, prefixes: Mapping[str, str], bucket: str) -> list[str]:
    """Write what has a table of PostgreSQL name objects where they are now.

    `prefixes`: old and new.
    """
    name = f"public.{identifier(table)}"
    return [
        f"UPDATE {name} SET bucket_name = {literal(bucket)}, "
        f"bucket_path = {literal(new)} || substr(bucket_path, {len(old) + 1}) "
        f"WHERE starts_with(bucket_path, {literal(old)})"
        for old, new in prefixes.items()
    ]
