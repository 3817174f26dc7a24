# ruff: noqa: S608 -- names and texts are quoted where they are put in
"""ClickHouse on one side of a move, by its HTTP interface.

A source is asked by GET alone, which ClickHouse answers without changing anything
(https://clickhouse.com/docs/interfaces/http). Data go from one server to the other in blocks of
ClickHouse's own format, and through this process without being kept or unpacked.
"""

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import httpx

from langfuse_aws.automation.errors import UserError
from langfuse_aws.automation.move_in.source import ClickHouseAddress

CONNECT_SECONDS: Final = 10
SILENT_SECONDS: Final = 600
"""How long a server may send nothing before a query has failed."""
MOST_CHARACTERS: Final = 300
NOT_COPIED: Final = ("schema_migrations",)
"""What the target's own migrations have written."""
COPY: Final = "_move_in"
"""What the name of a table that is being filled ends with."""
ANY_SIZE: Final = {"max_table_size_to_drop": "0", "max_partition_size_to_drop": "0"}
"""A partition of more than 50 GB is not replaced otherwise, nor is the table that it came from
dropped: https://clickhouse.com/docs/operations/settings/settings#max_partition_size_to_drop"""
INSERTING: Final = {"async_insert": "0", "insert_deduplicate": "0"}
"""A table that is not replicated keeps blocks that are the same; one that is would lose all but one
of them: https://clickhouse.com/docs/operations/settings/settings#insert_deduplicate. `async_insert`
is for many small ones, has a deduplication of its own, and is on by default in 26.9."""
SYNCHRONIZING: Final = {"receive_timeout": "150"}
"""Seconds that each server waits for its own queue: less than `distributed_ddl_task_timeout`, 180
by default, after which ClickHouse says of a statement ON CLUSTER no more than that it goes on."""
SETTLING_SECONDS: Final = 3600
"""How long servers may take to have a partition: one of 100 GB at 30 MB/s."""
TIMED_OUT: Final = ("Code: 159", "TIMEOUT_EXCEEDED")
FIXED_PATH: Final = re.compile(r"(Replicated\w*MergeTree\(')((?:[^'\\{]|\\.|\{(?!uuid\}))*)(')")
"""Of a table whose place in Keeper is its own by name: `CREATE … AS` would take the same one."""
DEDUPLICATING: Final = ("Replacing", "Summing", "Aggregating", "Collapsing", "Coalescing")
"""What the engine's name begins with where parts lose rows as they merge: FINAL counts those that
stay."""


@dataclass(frozen=True)
class Table:
    """A table with data."""

    name: str
    engine: str
    partition_key: str
    bytes: int
    rows: int
    columns: tuple[str, ...]
    """Those that hold data, in their order."""
    day_column: str | None
    """What its rows are counted by day by."""
    definition: str = ""
    """Its engine with all that belongs to it, as ClickHouse writes it."""

    @property
    def replicated(self) -> bool:
        """Whether each server of a cluster has it."""
        return self.engine.startswith("Replicated")

    @property
    def expires(self) -> bool:
        """Whether its rows go by themselves."""
        return re.search(r"\bTTL\b", self.definition) is not None

    @property
    def final(self) -> str:
        """What counts rows as Langfuse sees them."""
        engine = self.engine.removeprefix("Shared").removeprefix("Replicated")
        return " FINAL" if engine.startswith(DEDUPLICATING) else ""


@dataclass(frozen=True)
class Partition:
    """A partition of a table, as it is now."""

    id: str
    rows: int
    bytes: int
    fingerprint: str
    """Another one as soon as a part is another."""


@dataclass(frozen=True)
class Disk:
    """Of a server."""

    free: int
    total: int


@dataclass(frozen=True)
class ClickHouse:
    """One server, or any of a cluster."""

    address: ClickHouseAddress
    side: str
    """`source` or `target`, for messages."""
    read_only: bool = False
    cluster: str | None = None
    """Name of the cluster whose tables are replicated; None: one server."""
    client: httpx.Client = field(
        default_factory=lambda: httpx.Client(
            timeout=httpx.Timeout(SILENT_SECONDS, connect=CONNECT_SECONDS)
        ),
        compare=False,
        repr=False,
    )

    def rows(self, query: str) -> list[list[str]]:
        """Ask. UserError with what ClickHouse said."""
        response = self._send(f"{query} FORMAT TSV")
        return [line.split("\t") for line in response.text.splitlines()]

    def one(self, query: str) -> str:
        """Ask for one value."""
        return self.rows(query)[0][0]

    def execute(self, statement: str, settings: Mapping[str, str] = ANY_SIZE) -> None:
        """Change something: never on a source."""
        if self.read_only:
            raise ValueError("a source is only read")
        self._send(statement, settings)

    def version(self) -> str:
        """Give the server's version."""
        return self.one("SELECT version()")

    def time_zone(self) -> str:
        """Give the server's time zone."""
        return self.one("SELECT timezone()")

    def tables(self) -> dict[str, Table]:
        """List Langfuse's tables with data of their own, by name."""
        columns: dict[str, list[tuple[str, str, bool]]] = {}
        for table, name, kind, in_partition_key, default in self.rows(
            "SELECT table, name, type, is_in_partition_key, default_kind FROM system.columns "
            f"WHERE database = {quoted(self.address.database)} ORDER BY table, position"
        ):
            if default not in ("ALIAS", "MATERIALIZED", "EPHEMERAL"):
                columns.setdefault(table, []).append((name, kind, in_partition_key == "1"))
        found = self.rows(
            "SELECT name, engine, partition_key, ifNull(total_bytes, 0), ifNull(total_rows, 0), "
            "replaceAll(engine_full, '\\n', ' ') FROM system.tables "
            f"WHERE database = {quoted(self.address.database)} "
            "AND engine LIKE '%MergeTree' AND NOT is_temporary ORDER BY name"
        )
        return {
            name: Table(
                name,
                engine,
                partition_key,
                int(size),
                int(rows),
                tuple(column for column, _, _ in columns.get(name, [])),
                _day_column(columns.get(name, [])),
                _unescaped(definition),
            )
            for name, engine, partition_key, size, rows, definition in found
            # What a materialized view keeps for itself comes from another table.
            if name not in NOT_COPIED and not name.startswith(".inner") and not name.endswith(COPY)
        }

    def partitions(self, table: str) -> dict[str, Partition]:
        """List the partitions of a table, oldest first, by ID."""
        found = self.rows(
            "SELECT partition_id, sum(rows), sum(bytes_on_disk), "
            "hex(groupBitXor(cityHash64(name, hash_of_all_files))) FROM system.parts "
            f"WHERE active AND database = {quoted(self.address.database)} "
            f"AND table = {quoted(table)} GROUP BY partition_id ORDER BY partition_id"
        )
        return {row[0]: Partition(row[0], int(row[1]), int(row[2]), row[3]) for row in found}

    def count(self, table: Table, partition: str | None = None, name: str | None = None) -> int:
        """Count rows as Langfuse sees them; `name`: of another table of this form."""
        where = f" WHERE _partition_id = {quoted(partition)}" if partition else ""
        return int(
            self.one(f"SELECT count() FROM {self.named(name or table.name)}{table.final}{where}")
        )

    def days(self, table: Table) -> dict[str, int]:
        """Count rows by day, as Langfuse sees them; all of them as one, where there is no day."""
        day = f"toString(toDate({_name(table.day_column)}, 'UTC'))" if table.day_column else "'all'"
        found = self.rows(
            f"SELECT {day} AS day, count() FROM {self.named(table.name)}{table.final} "
            "GROUP BY day ORDER BY day"
        )
        return {row[0]: int(row[1]) for row in found}

    def unreadable(self, tables: Sequence[str]) -> list[str]:
        """List those that the user may not read."""
        found: list[str] = []
        for table in tables:
            try:
                self.rows(f"SELECT 1 FROM {self.named(table)} LIMIT 0")
            except UserError as error:
                if "ACCESS_DENIED" not in str(error) and "Not enough privileges" not in str(error):
                    raise
                found.append(table)
        return found

    def disk(self) -> Disk:
        """Give the room of its disks."""
        free, total = self.rows("SELECT sum(free_space), sum(total_space) FROM system.disks")[0]
        return Disk(int(free), int(total))

    def stream(self, query: str) -> Any:
        """Begin to read; what comes may be packed, and Content-Encoding says how."""
        return _Stream(self, query)

    def insert(self, statement: str, blocks: Iterator[bytes], encoding: str | None) -> None:
        """Write what another server has sent."""
        headers = {**self._headers(), **({"Content-Encoding": encoding} if encoding else {})}
        try:
            response = self.client.post(
                self.address.url,
                params={**self._parameters(statement), **INSERTING},
                content=blocks,
                headers=headers,
            )
        except httpx.TransportError as error:
            raise self.failed(f"{type(error).__name__}: {error}") from error
        self.check(response)

    def settle(self, table: Table, name: str | None = None) -> None:
        """Wait until every server of a cluster has what one of them was given. UserError.

        `name`: of another table of this form.
        """
        if not (self.cluster and table.replicated):
            return
        name = name or table.name
        end = time.monotonic() + SETTLING_SECONDS
        while True:
            try:
                self.execute(
                    f"SYSTEM SYNC REPLICA{self.on_cluster} {self.named(name)}", SYNCHRONIZING
                )
            except UserError as error:
                if not any(each in str(error) for each in TIMED_OUT):
                    raise
                if time.monotonic() > end:
                    raise UserError(
                        f"ClickHouse of the {self.side}: not every server has {name} yet, after "
                        f"{SETTLING_SECONDS // 60} minutes. Is each of them up? {error}"
                    ) from error
            else:
                return

    def behind(self) -> list[str]:
        """List the tables of which this server lacks what other servers of its cluster have."""
        found = self.rows(
            "SELECT table FROM system.replicas "
            f"WHERE database = {quoted(self.address.database)} AND (is_readonly "
            "OR is_session_expired OR inserts_in_queue > 0 "
            "OR (log_max_index > 0 AND log_pointer <= log_max_index))"
        )
        return [row[0] for row in found]

    def named(self, table: str) -> str:
        """Name a table with its database."""
        return f"{_name(self.address.database)}.{_name(table)}"

    @property
    def on_cluster(self) -> str:
        """What a statement has that is for every server."""
        return f" ON CLUSTER {_name(self.cluster)}" if self.cluster else ""

    def close(self) -> None:
        """Close its connections."""
        self.client.close()

    def request(self, query: str) -> httpx.Request:
        """Build what asks: a source is asked by GET."""
        return self.client.build_request(
            "GET" if self.read_only else "POST",
            self.address.url,
            params=self._parameters(query),
            headers=self._headers(),
        )

    def _send(self, query: str, settings: Mapping[str, str] = {}) -> httpx.Response:
        request = self.request(query)
        request.url = request.url.copy_merge_params(settings)
        try:
            response = self.client.send(request)
        except httpx.TransportError as error:
            raise self.failed(f"{type(error).__name__}: {error}") from error
        self.check(response)
        return response

    def check(self, response: httpx.Response) -> None:
        """UserError if it is not a success; reads the answer then."""
        if response.is_success:
            return
        try:
            said = response.read().decode("utf-8", "replace")
        except httpx.TransportError as error:
            said = str(error)
        raise self.failed(f"HTTP {response.status_code}, {said}")

    def failed(self, said: str) -> UserError:
        """The error for what it has said."""
        text = " ".join(said.split())
        if self.address.password:
            text = text.replace(self.address.password, "…")
        if len(text) > MOST_CHARACTERS:
            text = f"{text[:MOST_CHARACTERS]}…"
        return UserError(f"ClickHouse of the {self.side}, {self.address}: {text.rstrip('.')}.")

    def _headers(self) -> dict[str, str]:
        return {
            "X-ClickHouse-User": self.address.user,
            "X-ClickHouse-Key": self.address.password,
            "Accept-Encoding": "zstd",
        }

    def _parameters(self, query: str) -> dict[str, str]:
        return {"query": query, "database": self.address.database}


class _Stream:
    """An answer that is read as it comes."""

    def __init__(self, server: ClickHouse, query: str) -> None:
        self._server, self._query = server, query
        self._response: httpx.Response | None = None

    def __enter__(self) -> httpx.Response:
        request = self._server.request(self._query)
        # Only what goes to the other server as it is may be packed.
        request.url = request.url.copy_merge_params({"enable_http_compression": "1"})
        try:
            self._response = self._server.client.send(request, stream=True)
        except httpx.TransportError as error:
            raise self._server.failed(f"{type(error).__name__}: {error}") from error
        self._server.check(self._response)
        return self._response

    def __exit__(self, *_: object) -> None:
        if self._response is not None:
            self._response.close()


def copy_partition(
    source: ClickHouse,
    target: ClickHouse,
    table: Table,
    there: Table,
    columns: Sequence[str],
    partition: str,
    expressions: Mapping[str, str],
) -> int:
    """Copy one partition and put it in the place of the target's; gives the bytes sent.

    `table` is the source's, `there` the target's of the same name.

    A table of its own is filled first, so no materialized view sees the rows, and what is there
    changes at once or not at all: https://clickhouse.com/docs/sql-reference/statements/alter/partition#replace-partition.
    UserError if not every row has arrived. `expressions`: columns that become something else.
    """
    filled = f"{table.name}{COPY}"
    drop = f"DROP TABLE IF EXISTS {target.named(filled)}{target.on_cluster} SYNC"
    target.execute(drop)
    target.execute(
        f"CREATE TABLE {target.named(filled)}{target.on_cluster} AS {target.named(table.name)}"
        f"{_own_place(there.definition)}"
    )
    if there.expires:
        # What has expired would not even be written.
        target.execute(f"ALTER TABLE {target.named(filled)}{target.on_cluster} REMOVE TTL")
        target.settle(there, filled)
    names = ", ".join(map(_name, columns))
    chosen = ", ".join(
        f"{expressions[each]} AS {_name(each)}" if each in expressions else _name(each)
        for each in columns
    )
    sent = 0

    def counted(blocks: Iterator[bytes]) -> Iterator[bytes]:
        nonlocal sent
        for block in blocks:
            sent += len(block)
            yield block

    with source.stream(
        f"SELECT {chosen} FROM {source.named(table.name)} "
        f"WHERE _partition_id = {quoted(partition)} FORMAT Native"
    ) as response:
        target.insert(
            f"INSERT INTO {target.named(filled)} ({names}) FORMAT Native",
            counted(response.iter_raw()),
            response.headers.get("Content-Encoding"),
        )
    target.settle(there, filled)
    wanted = source.count(table, partition)
    arrived = target.count(there, partition, filled)
    if wanted != arrived:
        raise UserError(
            f"ClickHouse: {table.name}, partition {partition}: the source has {wanted:,} rows and "
            f"{arrived:,} arrived; the target's partition was not changed. If the source still "
            "takes traces in, this is why, and the last run after its worker has stopped is exact."
        )
    if arrived:
        target.execute(
            f"ALTER TABLE {target.named(table.name)} REPLACE PARTITION ID {quoted(partition)} "
            f"FROM {target.named(filled)}"
        )
        target.settle(there)
    target.execute(drop)
    return sent


def _own_place(definition: str) -> str:
    """Write the engine of a table that is made like one whose place in Keeper is fixed."""
    engine, found = FIXED_PATH.subn(rf"\g<1>\g<2>{COPY}\g<3>", definition, count=1)
    return f" ENGINE = {engine}" if found else ""


def drop_partition(target: ClickHouse, table: Table, partition: str) -> None:
    """Take away a partition that the source has no more."""
    target.execute(f"ALTER TABLE {target.named(table.name)} DROP PARTITION ID {quoted(partition)}")
    target.settle(table)


def moved_paths(prefixes: Mapping[str, str], bucket: str) -> dict[str, str]:
    """Write the columns of a table that name objects, as they are where they are now."""
    path = "bucket_path"
    for old, new in prefixes.items():
        path = (
            f"if(startsWith(bucket_path, {quoted(old)}), "
            f"concat({quoted(new)}, substring(bucket_path, {len(old.encode()) + 1})), {path})"
        )
    return {"bucket_path": path, "bucket_name": quoted(bucket)}


def _day_column(columns: Sequence[tuple[str, str, bool]]) -> str | None:
    times = [(name, chosen) for name, kind, chosen in columns if kind.startswith("Date")]
    of_key = [name for name, chosen in times if chosen]
    created = [name for name, _ in times if name in ("created_at", "start_time", "timestamp")]
    return next(iter([*of_key, *created]), None)


def quoted(value: str) -> str:
    """Write a text as SQL has it."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _unescaped(value: str) -> str:
    """Read a text of TSV."""
    return re.sub(r"\\(.)", r"\1", value)


def _name(value: str | None) -> str:
    return "`" + (value or "").replace("\\", "\\\\").replace("`", "\\`") + "`"
