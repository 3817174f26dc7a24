"""Checks of `preflight` on external stores: what Langfuse needs of them, asked of themselves.

ClickHouse and Redis are asked, if this machine reaches them and the environment has the password:
the stack file's is encrypted. PostgreSQL is not, since nothing here speaks its protocol.
"""

import os
import re
import socket
import ssl
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, BinaryIO, Final

import httpx

from langfuse_aws.automation.aws.answers import Check, NewStack, Result, failed, ok, unknown
from langfuse_aws.automation.errors import one_line
from langfuse_aws.settings.external_stores import (
    ExternalClickHouse,
    ExternalPostgres,
    ExternalRedis,
)
from langfuse_aws.settings.installation import COMMAND
from langfuse_aws.settings.secret_keys import PASSWORD_KEYS
from langfuse_aws.settings.versions import CLICKHOUSE_COMPATIBILITY, STORE_VERSIONS

CLICKHOUSE: Final = "external ClickHouse"
POSTGRES: Final = "external PostgreSQL"
REDIS: Final = "external Redis"

CLICKHOUSE_PASSWORD: Final = "CLICKHOUSE_PASSWORD"  # noqa: S105 -- a name
REDIS_PASSWORD: Final = "REDIS_AUTH"  # noqa: S105 -- a name

SECONDS: Final = 10
MOST_CHARACTERS: Final = 200
"""Of what a store says, in a message."""
UTC: Final = ("UTC", "Etc/UTC")

TIME: Final = "2026-11-22 10:00:00.123456"
TIME_QUERY: Final = (
    "SELECT version() AS version, timezone() AS timezone, toString(JSONExtract("
    "'{\"t\": 1795341600123456}', 't', 'DateTime64(6, \\'UTC\\')')) AS time FORMAT JSON"
)
"""Whether a bare integer is read as TIME: the setting that decides has no name before 26.8."""

RIGHTS: Final = (
    "SELECT, INSERT, ALTER, CREATE TABLE, CREATE VIEW, DROP TABLE, DROP VIEW, TRUNCATE ON default.*"
    ", SELECT ON system.query_log"
)
"""What migrations and the worker do. langfuse 4.16.0, packages/shared/clickhouse/migrations."""
CLUSTER_RIGHT: Final = ", CLUSTER ON *.*"
AUTHENTICATION_FAILED: Final = "516"
"""ClickHouse's code, src/Common/ErrorCodes.cpp, in the header X-ClickHouse-Exception-Code."""


def store_checks(stack: NewStack, client: httpx.Client) -> Iterator[Check]:
    """Check what the stack does not make itself."""
    settings = stack.settings
    if isinstance(settings.clickhouse, ExternalClickHouse):
        yield Check(CLICKHOUSE, partial(check_clickhouse, stack.name, settings.clickhouse, client))
    if isinstance(settings.postgres, ExternalPostgres):
        yield Check(POSTGRES, partial(check_postgres, settings.postgres))
    if isinstance(settings.redis, ExternalRedis):
        yield Check(REDIS, partial(check_redis, stack.name, settings.redis))


def check_clickhouse(
    stack: str, store: ExternalClickHouse, client: httpx.Client
) -> Iterator[Result]:
    """Its version and time zone, how it reads times, and what its user may do."""
    password = os.environ.get(CLICKHOUSE_PASSWORD)
    if not password:
        yield _without_password(CLICKHOUSE, CLICKHOUSE_PASSWORD, PASSWORD_KEYS["clickhouse"], stack)
        return
    rights = RIGHTS + (CLUSTER_RIGHT if store.cluster else "")
    try:
        said, granted = (
            client.post(
                store.url,
                content=query,
                auth=(store.user, password),
                timeout=SECONDS,
                follow_redirects=False,
            )
            for query in (TIME_QUERY, f"CHECK GRANT {rights}")
        )
    except httpx.RequestError as error:
        yield _unreachable(CLICKHOUSE, store.url, error)
        return
    if said.headers.get("X-ClickHouse-Exception-Code") == AUTHENTICATION_FAILED:
        yield failed(
            CLICKHOUSE,
            f"does not take the user {store.user} with {CLICKHOUSE_PASSWORD}.",
            "Correct langfuse:clickhouse.user or langfuse:clickhousePassword.",
        )
        return
    row = _row(said)
    if row is None:
        yield unknown(CLICKHOUSE, f"{store.url} answers {_short(said)}.")
        return
    faults = [
        *_version("ClickHouse", CLICKHOUSE, row["version"]),
        *_clickhouse_faults(store, row),
        *_rights(store, rights, granted),
    ]
    yield from faults or [
        ok(
            CLICKHOUSE,
            f"is {row['version']}, in UTC, reads times as Langfuse writes them, and {store.user} "
            "may do what Langfuse does",
        )
    ]


def _row(answer: httpx.Response) -> Mapping[str, str] | None:
    """The only row of an answer, if it is one."""
    try:
        (row,) = answer.json()["data"]
        return {key: str(row[key]) for key in ("version", "timezone", "time")}
    except (ValueError, KeyError, TypeError):
        return None


def _clickhouse_faults(store: ExternalClickHouse, row: Mapping[str, str]) -> Iterator[Result]:
    if row["time"] != TIME:
        yield failed(
            CLICKHOUSE,
            f"reads a time that is written as a number as {row['time']} instead of {TIME}: "
            "Langfuse's spans would be lost, or be of the year 9999.",
            f"ALTER USER {store.user} SETTINGS compatibility = '{CLICKHOUSE_COMPATIBILITY}', or "
            "input_format_read_datetime_number_as_raw_value = 1; by users.d, in the profile of "
            "that user.",
        )
    if row["timezone"] not in UTC:
        yield failed(
            CLICKHOUSE,
            f"is in the time zone {row['timezone']}, and Langfuse's queries assume UTC.",
            "<timezone>UTC</timezone> in the server's config.d, and a restart; for this user "
            f"alone: ALTER USER {store.user} SETTINGS session_timezone = 'UTC'.",
        )


def _rights(store: ExternalClickHouse, rights: str, answer: httpx.Response) -> Iterator[Result]:
    if answer.text.strip() == "0":
        yield failed(
            CLICKHOUSE,
            f"{store.user} may not do all that Langfuse does.",
            f"GRANT {rights} TO {store.user}.",
        )
    elif answer.text.strip() != "1":
        reason = f"what {store.user} may do: CHECK GRANT answers {_short(answer)}."
        yield unknown(CLICKHOUSE, reason, f"GRANT {rights} TO {store.user}.")


def check_postgres(store: ExternalPostgres) -> Iterator[Result]:
    """Say who can ask."""
    least = STORE_VERSIONS["PostgreSQL"].least[0]
    yield unknown(
        POSTGRES,
        "preflight does not speak PostgreSQL's protocol. Langfuse needs "
        f"{least} or later, UTC, the writer, and a user who may create in the schema public.",
        f"psql 'host={store.host} port={store.port} user={store.user} dbname={store.database} "
        "sslmode=require' -c \"SELECT current_setting('server_version'), "
        "current_setting('TimeZone'), pg_is_in_recovery(), "
        "has_schema_privilege('public', 'CREATE')\": "
        f"{least} or later, UTC, f, t.",
    )


def check_redis(stack: str, store: ExternalRedis) -> Iterator[Result]:
    """Its version, and how it is run."""
    password = os.environ.get(REDIS_PASSWORD)
    if not password:
        yield _without_password(REDIS, REDIS_PASSWORD, PASSWORD_KEYS["redis"], stack)
        return
    where = f"{store.host}:{store.port}"
    try:
        said = _info(store, password)
    except _RefusedError as error:
        refusal = str(error)
        if re.match(r"(WRONGPASS|NOAUTH|ERR (invalid password|.*AUTH))", refusal):
            remedy = "Correct langfuse:redisPassword; Redis must have a password, and no user."
            yield failed(REDIS, f"does not take {REDIS_PASSWORD}: {refusal}.", remedy)
        else:
            yield unknown(REDIS, f"{where} answers {refusal}.")
        return
    except (OSError, ValueError) as error:
        yield _unreachable(REDIS, where, error)
        return
    kind = "Valkey" if "valkey_version" in said else "Redis"
    version = said.get("valkey_version") or said.get("redis_version", "")
    faults = [*_version(kind, REDIS, version), *_redis_faults(said)]
    yield from faults or [ok(REDIS, f"is {kind} {version}, one primary, with noeviction")]


def _redis_faults(said: Mapping[str, str]) -> Iterator[Result]:
    policy = said.get("maxmemory_policy")
    if policy is None:
        yield unknown(REDIS, "INFO says no maxmemory_policy.", "It must be noeviction.")
    elif policy != "noeviction":
        yield failed(
            REDIS,
            f"has maxmemory-policy {policy}: full, it would throw jobs away.",
            "CONFIG SET maxmemory-policy noeviction, and in redis.conf or its parameter group.",
        )
    if said.get("cluster_enabled") == "1" or said.get("redis_mode") == "cluster":
        yield failed(
            REDIS,
            "is in cluster mode, and Langfuse is set up for one that is not.",
            "Give langfuse:redis a Redis with cluster mode off.",
        )
    if said.get("role", "master") != "master":
        yield failed(REDIS, "is a replica.", "Give langfuse:redis.host the primary's name.")


def _version(store: str, check: str, version: str) -> Iterator[Result]:
    """Compare with what Langfuse runs on, and what it was seen to run on."""
    bounds = STORE_VERSIONS[store]
    least, newest = (".".join(map(str, bound)) for bound in (bounds.least, bounds.newest))
    found = re.match(r"(\d+)\.(\d+)", version)
    if found is None:
        yield unknown(check, f"{version or 'nothing'!r} is no version of {store}.")
        return
    numbers = int(found[1]), int(found[2])
    if numbers < bounds.least:
        yield failed(
            check, f"is {store} {version}, and Langfuse needs {least} or later.", "Upgrade it."
        )
    elif numbers[: len(bounds.newest)] > bounds.newest:
        yield unknown(
            check,
            f"it is {store} {version}, and nobody has tried Langfuse on one later than {newest}.",
            f"Take {least} to {newest}, or run smoke after the first up, and after each upgrade.",
        )


class _RefusedError(Exception):
    """What Redis says instead of an answer."""


def _info(store: ExternalRedis, password: str) -> dict[str, str]:
    """Ask Redis about itself. OSError if it is not there, ValueError if it is no Redis."""
    with socket.create_connection((store.host, store.port), SECONDS) as connection:
        if store.tls:
            secure = ssl.create_default_context()
            with secure.wrap_socket(connection, server_hostname=store.host) as wrapped:
                return _ask(wrapped, password)
        return _ask(connection, password)


def _ask(connection: socket.socket, password: str) -> dict[str, str]:
    with connection.makefile("rb") as answers:
        for command in (("AUTH", password), ("INFO", "everything")):
            connection.sendall(_encoded(*command))
            answer = _reply(answers)
    lines = answer.splitlines()
    return dict(line.split(":", 1) for line in lines if ":" in line and line[0] != "#")


def _encoded(*words: str) -> bytes:
    """As https://redis.io/docs/latest/develop/reference/protocol-spec/ has it."""
    parts = [f"*{len(words)}\r\n".encode()]
    for word in words:
        raw = word.encode()
        parts.append(b"$%d\r\n%s\r\n" % (len(raw), raw))
    return b"".join(parts)


def _reply(answers: BinaryIO) -> str:
    line = answers.readline().decode(errors="replace").rstrip("\r\n")
    kind, rest = line[:1], line[1:]
    if kind == "-":
        raise _RefusedError(rest[:MOST_CHARACTERS].rstrip("."))
    if kind == "$":
        return answers.read(int(rest) + 2).decode(errors="replace")
    if kind != "+":
        raise ValueError("what answers there is no Redis")
    return rest


def _without_password(check: str, variable: str, key: str, stack: str) -> Result:
    return unknown(
        check,
        f"{variable} is not set, and the stack file's password is encrypted.",
        f'{variable}="$(pulumi config get langfuse:{key} --stack {stack})" {COMMAND} '
        f"preflight --stack {stack}",
    )


def _unreachable(check: str, where: str, error: Exception) -> Result:
    return unknown(
        check,
        f"nothing answers at {where}: {one_line(error).rstrip('.')}.",
        "Run preflight from a network that it lets in.",
    )


def _short(answer: httpx.Response) -> str:
    text: Any = " ".join(answer.text.split())[:MOST_CHARACTERS].rstrip(".")
    return f"HTTP {answer.status_code}: {text}" if text else f"HTTP {answer.status_code}"
