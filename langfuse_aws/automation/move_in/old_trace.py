"""Reads a trace of the old time through the target's URL, with a key of the old time.

It goes the way that users go: the key's hash by SALT, PostgreSQL's project, ClickHouse's rows.
"""

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from langfuse_aws.automation.errors import UserError
from langfuse_aws.automation.move_in.clickhouse import quoted
from langfuse_aws.automation.move_in.postgres import literal
from langfuse_aws.automation.move_in.sides import Keys, Sides
from langfuse_aws.automation.smoke.api import Api
from langfuse_aws.automation.smoke.api import Target as Served
from langfuse_aws.automation.smoke.checks import read_trace, visible
from langfuse_aws.settings.installation import COMMAND

PLACES = (
    # Table, its column of the trace, its time.
    ("traces", "id", "timestamp"),
    ("events_full", "trace_id", "start_time"),
)
"""Where Langfuse 3 and 4 have traces."""


@dataclass(frozen=True)
class Trace:
    """One of the project that a key is of."""

    id: str
    time: str


def oldest(sides: Sides, keys: Keys) -> Trace | None:
    """Find the oldest trace that the keys may read; None: there is none."""
    found = sides.postgres.rows(
        "SELECT project_id FROM public.api_keys "  # noqa: S608 -- quoted
        f"WHERE public_key = {literal(keys.public)} AND project_id IS NOT NULL"
    )
    if not found:
        return None
    for table, column, time in PLACES:
        if table not in sides.common_tables or column not in sides.tables[table].columns:
            continue
        rows = sides.clickhouse.rows(
            f"SELECT {column}, {time} FROM {sides.clickhouse.named(table)}"  # noqa: S608
            f"{sides.tables[table].final} WHERE project_id = {quoted(found[0][0])} "
            f"ORDER BY {time} LIMIT 1"
        )
        if rows:
            return Trace(*rows[0])
    return None


def proof(sides: Sides, url: str, keys: Keys) -> Iterator[str]:
    """Read one back, where the name leads to the target already; gives what to say. UserError."""
    trace = oldest(sides, keys)
    if trace is None:
        yield f"{keys.public}: its project has no trace to read back."
        return
    later = f"{COMMAND} smoke --url {url} --trace {shlex.quote(trace.id)}"
    if urlsplit(url).hostname == urlsplit(sides.source.url or "").hostname:
        yield f"{url} is the source's name too. Once it leads to the stack: {later}"
        return
    yield read_back(url, keys, trace)
    yield f"The same under the name that it gets: {later}"


def read_back(url: str, keys: Keys, trace: Trace) -> str:
    """Read it by the API; gives what to say. UserError if it does not come."""
    api = Api(Served(url, keys.public, keys.secret))
    try:
        answer = read_trace(api, trace.id)
    finally:
        api.close()
    if not visible(answer):
        raise UserError(
            f"{url}: the trace {trace.id} of {trace.time} does not come back: {answer.short}. 401 "
            "is a SALT that web does not have yet: pulumi up; no connection, a name that does not "
            "lead to the stack yet; anything else is in web's log."
        )
    return f"{url} gives the trace {trace.id} of {trace.time} back."
