"""Our configuration and SQL in a real ClickHouse engine.

The engine is chdb-core: ClickHouse as a library, which runs as `clickhouse local` does. It is
release 26.9, the newest of them; the servers run 25.12.

Proves: the engine loads the configuration over one that stands for the image's own, and sees the
cluster, the macros, Keeper's addresses and the server settings that we mean; a replicated table
gets as far as asking a Keeper there; logs expire; backups are written, added to and restored with
the credentials of a task role, one at a time; and the SQL for several servers parses. Every log
table that the engine has in it is kept for days or removed.

Does not prove: that YAML is read as YAML (this build has no parser for it; `xml` follows the rules
of src/Common/Config/YAMLParser.cpp), what only a server reads (Keeper, the ports it listens on, the
credentials between servers, system logs and their removal; for those there is a table of known
keys, read off ClickHouse's sources), that three servers find a quorum, that `ON CLUSTER` runs, and
that S3 behaves as its stand-in here.
"""

import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final, cast
from urllib.parse import parse_qs, urlsplit
from xml.sax.saxutils import escape, quoteattr

import chdb
import pytest

from langfuse_aws.components.clickhouse.config import (
    INTERSERVER_VARIABLE,
    KEPT_LOG_TABLES,
    NAME_VARIABLE,
    NUMBER_VARIABLE,
    REMOVED_LOG_TABLES,
    server_config,
)

pytestmark = pytest.mark.xdist_group("ClickHouse")  # they share what the engine answers

ROOT: Final = Path(__file__).resolve().parents[2]

SERVERS: Final = ("127.0.0.1", "127.0.0.2", "127.0.0.3")
"""Names that need no DNS, and where no Keeper listens."""

# What our file is merged into: the parts of the image's config.xml that it replaces or removes.
# https://github.com/ClickHouse/ClickHouse/blob/master/programs/server/config.xml
IMAGE_CONFIG: Final = """<clickhouse>
    <path>{path}/</path>
    <logger><level>trace</level><log>/dev/null</log></logger>
    <interserver_http_port>1</interserver_http_port>
    <distributed_ddl><path>/elsewhere</path></distributed_ddl>
    <remote_servers>
        <default><shard><replica><host>localhost</host><port>9000</port></replica></shard></default>
        <sample><shard><replica><host>localhost</host><port>9000</port></replica></shard></sample>
    </remote_servers>
    <query_log><database>system</database><table>query_log</table></query_log>
    <text_log><database>system</database><table>text_log</table></text_log>
</clickhouse>"""

# Runs statements of standard input, and writes whether each succeeded, and what it said.
ENGINE: Final = """
import json, sys
import chdb
connection = chdb.connect(f":memory:?config-file={sys.argv[1]}")
answers = []
for statement in json.load(sys.stdin):
    try:
        answers.append((True, str(connection.query(statement, "TSVRaw"))))
    except Exception as error:
        answers.append((False, str(error)))
json.dump(answers, sys.stdout)
"""

ENVIRONMENT: Final[Mapping[str, str]] = {
    NUMBER_VARIABLE: "2",
    NAME_VARIABLE: SERVERS[1],
    INTERSERVER_VARIABLE: "0123456789abcdef",
}


@dataclass(frozen=True)
class Answer:
    """What the engine said to a statement."""

    done: bool
    text: str

    @property
    def rows(self) -> list[list[str]]:
        """The result, which must be one."""
        assert self.done, self.text
        return [line.split("\t") for line in self.text.splitlines()]


def xml(tree: object, name: str = "clickhouse") -> str:
    """A YAML tree as ClickHouse makes XML of it."""
    if isinstance(tree, list):
        return "".join(xml(item, name) for item in cast("list[object]", tree))
    attributes, content = "", ""
    if isinstance(tree, dict):
        for key, value in cast("dict[str, object]", tree).items():
            if key.startswith("@"):
                attributes += f" {key[1:]}={quoteattr(str(value))}"
            else:
                content += xml(value, key)
    else:
        content = escape(json.dumps(tree) if isinstance(tree, bool) else str(tree))
    return f"<{name}{attributes}>{content}</{name}>"


def ask(
    root: Path,
    config: str,
    statements: Sequence[str],
    environment: Mapping[str, str] = ENVIRONMENT,
) -> list[Answer]:
    """Run statements in an engine with that configuration, which keeps its data in `root`."""
    (root / "config.d").mkdir(exist_ok=True)
    (root / "config.d/langfuse.xml").write_text(xml(json.loads(config)))
    (root / "config.xml").write_text(IMAGE_CONFIG.format(path=root / "data"))
    run = subprocess.run(
        [sys.executable, "-c", ENGINE, str(root / "config.xml")],
        check=False,
        input=json.dumps(statements),
        capture_output=True,
        text=True,
        env={"HOME": str(root), "PATH": os.defpath, **environment},
        timeout=600,
    )
    assert run.returncode == 0, run.stderr
    return [Answer(*answer) for answer in json.loads(run.stdout)]


# --- the configuration

QUESTIONS: Final = {
    "clusters": "SELECT cluster, shard_num, replica_num, host_name, port FROM system.clusters",
    "macros": "SELECT macro, substitution FROM system.macros ORDER BY macro",
    "settings": "SELECT name, value FROM system.server_settings",
}


@pytest.fixture(scope="module", params=["one", "three"])
def servers(request: pytest.FixtureRequest) -> Sequence[str]:
    return SERVERS if request.param == "three" else SERVERS[:1]


@pytest.fixture(scope="module")
def seen(
    servers: Sequence[str], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, list[list[str]]]:
    """What the second server sees of its configuration."""
    folder = tmp_path_factory.mktemp("seen")
    answers = ask(folder, server_config(servers, None), list(QUESTIONS.values()))
    return {name: answer.rows for name, answer in zip(QUESTIONS, answers, strict=True)}


def test_the_engine_sees_the_cluster_and_not_the_images_samples(
    servers: Sequence[str], seen: dict[str, list[list[str]]]
) -> None:
    three = [["default", "1", str(n), host, "9000"] for n, host in enumerate(SERVERS, start=1)]
    samples = [[name, "1", "1", "localhost", "9000"] for name in ("default", "sample")]
    assert seen["clusters"] == (three if len(servers) == 3 else samples), (
        "one shard; a single server leaves the samples alone"
    )


def test_the_engine_takes_the_macros_from_the_environment(
    servers: Sequence[str], seen: dict[str, list[list[str]]]
) -> None:
    three = [["cluster", "default"], ["replica", SERVERS[1]], ["shard", "1"]]
    assert seen["macros"] == (three if len(servers) == 3 else []), "this is server 2"


def test_the_engine_knows_the_server_settings(
    servers: Sequence[str], seen: dict[str, list[list[str]]]
) -> None:
    cluster = {
        "distributed_ddl.path": "/clickhouse/task_queue/ddl",
        "interserver_http_host": SERVERS[1],
        "interserver_http_port": "9009",
        "keeper_hosts": ",".join(f"{host}:9181" for host in SERVERS),
    }
    expected = {
        "max_server_memory_usage_to_ram_ratio": "0.8",
        **(cluster if len(servers) == 3 else {"keeper_hosts": ""}),
    }
    found = dict(row for row in seen["settings"] if len(row) == 2)
    assert {name: found.get(name) for name in expected} == expected, "names and values"


# Engine clauses of Langfuse 3 and 4, packages/shared/clickhouse/migrations/clustered, and of
# golang-migrate's table, packages/shared/clickhouse/scripts/up.sh.
ENGINES: Final = (
    "ReplicatedReplacingMergeTree(event_ts, is_deleted)",
    "ReplicatedAggregatingMergeTree",
    "ReplicatedMergeTree",
)

CREATE: Final = (
    "CREATE TABLE replicated.events UUID '61f0c404-5cb3-11e7-907b-a6006ad3dba0' "
    "(id String, event_ts DateTime64(3), is_deleted UInt8) ENGINE = {engine} ORDER BY id"
)


def creations(root: Path, config: str) -> list[str]:
    """Try to create one table with each engine; return the errors."""
    statements = [CREATE.format(engine=engine) for engine in ENGINES]
    _, *answers = ask(root, config, ["CREATE DATABASE replicated ENGINE = Atomic", *statements])
    assert [answer.done for answer in answers] == [False] * len(ENGINES), "no Keeper runs here"
    return [answer.text for answer in answers]


# Without the section `zookeeper` the engine looks for Keepers in `keeper_server`.
@pytest.mark.parametrize("missing", [(), ("zookeeper",)])
def test_langfuses_replicated_tables_ask_each_keeper(
    tmp_path: Path, missing: Sequence[str]
) -> None:
    for error in creations(tmp_path, without(server_config(SERVERS, None), missing)):
        asked = [host for host in SERVERS if f"{host}:9181" in error]
        assert (asked, "(KEEPER_EXCEPTION)" in error) == (list(SERVERS), True), (
            f"nothing was wrong with the table until then: {error}"
        )


@pytest.mark.parametrize(
    ("missing", "complaint"),
    [(("macros",), "No macro 'shard'"), (("zookeeper", "keeper_server"), "(NO_ZOOKEEPER)")],
)
def test_langfuses_replicated_tables_need_what_the_cluster_brings(
    tmp_path: Path, missing: Sequence[str], complaint: str
) -> None:
    for error in creations(tmp_path, without(server_config(SERVERS, None), missing)):
        assert complaint in error, "so the test above can fail"


def without(config: str, sections: Sequence[str]) -> str:
    """A configuration without some of its sections."""
    tree = cast("dict[str, object]", json.loads(config))
    return json.dumps({key: value for key, value in tree.items() if key not in sections})


# --- log tables


def test_a_log_that_is_kept_expires(tmp_path: Path) -> None:
    config = json.loads(server_config([], None))
    statements = [
        statement
        for table in KEPT_LOG_TABLES
        for statement in (
            # As src/Interpreters/SystemLog.cpp puts it together.
            f"CREATE TABLE {table} (event_date Date, event_time DateTime) ENGINE = MergeTree "
            f"PARTITION BY (toYYYYMM(event_date)) TTL {config[table]['ttl']} "
            "ORDER BY (event_date, event_time)",
            f"INSERT INTO {table} SELECT today() - number, now() FROM numbers(30)",  # noqa: S608
            f"OPTIMIZE TABLE {table} FINAL",
            f"SELECT count() FROM {table}",  # noqa: S608 -- this is the test
        )
    ]
    answers = ask(tmp_path, "{}", statements)
    assert [answer.text for answer in answers if not answer.done] == [], "it is an expiry"
    kept = {
        table: answer.rows for table, answer in zip(KEPT_LOG_TABLES, answers[3::4], strict=True)
    }
    wanted = {table: [[str(days)]] for table, days in KEPT_LOG_TABLES.items()}
    assert kept == wanted, "today and the days before"


def words_of_the_engine() -> set[str]:
    """What its library has in it that could be the name of a log table."""
    (library,) = Path(chdb.__file__).parent.glob("_chdb*.so")
    found = subprocess.run(
        ["grep", "--text", "--only-matching", "--extended-regexp", "[a-z0-9_]+_(log|queue)"],
        stdin=library.open("rb"),
        check=True,
        capture_output=True,
        env={"LC_ALL": "C", "PATH": os.defpath},
    )
    return set(found.stdout.decode().split())


def test_every_log_table_that_the_engine_knows_has_an_end_or_is_off(tmp_path: Path) -> None:
    words = sorted(words_of_the_engine())
    answers = ask(tmp_path, "{}", [f"SYSTEM FLUSH LOGS {word}" for word in words])
    known = {word for word, answer in zip(words, answers, strict=True) if answer.done}
    # An alias of each is its name after its database's.
    known = {word for word in known if not word.startswith(("_", "system_"))}
    assert {"query_log", "error_log", "query_views_log"} < known < set(words), "it tells them apart"
    assert known - {*KEPT_LOG_TABLES, *REMOVED_LOG_TABLES} == set(), (
        "decide what becomes of it: it may grow for ever"
    )
    gone = {*KEPT_LOG_TABLES, *REMOVED_LOG_TABLES} - known
    assert gone == {"latency_log"}, "a misspelt name would leave its table as it is; 25.12 has this"


# --- backups


ETAG: Final = '"0123456789abcdef"'
"""Of every object: none is written twice."""


class Store(ThreadingHTTPServer):
    """Stands for S3, and for the ECS agent that hands out a task role's credentials."""

    daemon_threads = True
    request_queue_size = 100

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.objects: dict[str, bytes] = {}
        self.keys: set[str] = set()
        """Access keys that requests for objects were signed with."""
        self.url = f"http://127.0.0.1:{self.server_port}"
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    def names(self, prefix: str) -> list[str]:
        """Objects below a prefix, without it."""
        return [key[len(prefix) :] for key in self.objects if key.startswith(prefix)]


class _Handler(BaseHTTPRequestHandler):
    """The few requests that ClickHouse makes, in path style."""

    def _answer(self, code: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(code)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _store(self) -> tuple[Store, str, dict[str, list[str]]]:
        store, address = cast("Store", self.server), urlsplit(self.path)
        _, _, key = self.headers.get("Authorization", "").partition("Credential=")
        store.keys.add(key.partition("/")[0])
        name = address.path.removeprefix("/langfuse-backups").lstrip("/")
        if name.startswith("clickhouse/slow/"):
            time.sleep(0.2)
        return store, name, parse_qs(address.query)

    def do_GET(self) -> None:
        if self.path == "/task-role":
            role = {"AccessKeyId": "ASIATASKROLE", "SecretAccessKey": "secret", "Token": "token"}
            expiry = {"Expiration": "2099-01-01T00:00:00Z"}
            self._answer(200, json.dumps({**role, **expiry}).encode())
            return
        store, name, query = self._store()
        if not name:
            prefix = query["prefix"][0]
            found = [f"{prefix}{rest}" for rest in store.names(prefix)]
            contents = "".join(f"<Contents><Key>{key}</Key></Contents>" for key in found)
            listing = f"<ListBucketResult><KeyCount>{len(found)}</KeyCount>{contents}"
            self._answer(200, f"{listing}</ListBucketResult>".encode())
        elif name not in store.objects:
            self._answer(404, b"<Error><Code>NoSuchKey</Code></Error>")
        else:
            body = store.objects[name]
            first, _, last = self.headers.get("Range", "bytes=0-").partition("=")[2].partition("-")
            part = body[int(first) : int(last or len(body)) + 1]
            bounds = f"bytes {first}-{int(first) + len(part) - 1}/{len(body)}"
            status = 206 if "Range" in self.headers else 200
            self._answer(status, part, Content_Range=bounds, ETag=ETAG)

    def do_HEAD(self) -> None:
        store, name, _ = self._store()
        body = store.objects.get(name)
        self._answer(404 if body is None else 200, body or b"", ETag=ETAG)

    def do_PUT(self) -> None:
        store, name, _ = self._store()
        store.objects[name] = self.rfile.read(int(self.headers["Content-Length"]))
        self._answer(200, ETag=ETAG)

    def do_DELETE(self) -> None:
        store, name, _ = self._store()
        store.objects.pop(name, None)
        self._answer(204)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


@pytest.fixture
def store() -> Iterator[Store]:
    store = Store()
    yield store
    store.shutdown()
    store.server_close()


def to_store(store: Store, root: Path, config: str, statements: Sequence[str]) -> list[Answer]:
    """Run statements on an engine that gets a task role's credentials as on ECS."""
    return ask(
        root,
        config,
        ["SET backup_restore_s3_retry_attempts = 0", *statements],
        {**ENVIRONMENT, "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{store.url}/task-role"},
    )[1:]


def backup_config(store: Store) -> str:
    """The configuration with backups below the store's `clickhouse/`."""
    return server_config([], f"{store.url}/langfuse-backups/clickhouse/")


def at(store: Store, name: str) -> str:
    """The backup of that name, in SQL."""
    return f"S3('{store.url}/langfuse-backups/clickhouse/{name}/')"


FILL: Final = (
    "CREATE DATABASE langfuse ENGINE = Atomic",
    "CREATE TABLE langfuse.traces (id UInt32) ENGINE = MergeTree ORDER BY id",
    "INSERT INTO langfuse.traces SELECT number FROM numbers(1000)",
)


def test_a_backup_and_what_was_added_to_it_are_restored(store: Store, tmp_path: Path) -> None:
    full, added = at(store, "full"), at(store, "added")
    answers = to_store(
        store,
        tmp_path,
        backup_config(store),
        [
            *FILL,
            f"BACKUP DATABASE langfuse TO {full}",
            "INSERT INTO langfuse.traces VALUES (1000)",
            f"BACKUP DATABASE langfuse TO {added} SETTINGS base_backup = {full}",
            "DROP DATABASE langfuse SYNC",
            f"RESTORE DATABASE langfuse FROM {added}",
            "SELECT count(), max(id) FROM langfuse.traces",
        ],
    )
    assert [answer.text for answer in answers if not answer.done] == [], "every step is done"
    assert answers[-1].rows == [["1001", "1000"]], "both parts of the data are back"
    parts = {
        name: {path.split("/")[-2] for path in store.names(f"clickhouse/{name}/data/")}
        for name in ("full", "added")
    }
    assert parts == {"full": {"all_1_1_0"}, "added": {"all_2_2_0"}}, "the second holds what is new"
    assert store.keys == {"ASIATASKROLE"}, "all with the task role's credentials"


def test_no_two_backups_run_at_once(store: Store, tmp_path: Path) -> None:
    answers = to_store(
        store,
        tmp_path,
        backup_config(store),
        [
            *FILL,
            f"BACKUP DATABASE langfuse TO {at(store, 'slow')} ASYNC",
            f"BACKUP DATABASE langfuse TO {at(store, 'other')}",
        ],
    )
    assert answers[-2].done, answers[-2].text
    assert "(CONCURRENT_ACCESS_NOT_SUPPORTED)" in answers[-1].text, "the second has to wait"
    assert store.names("clickhouse/other/") == [], "and writes nothing"


# --- SQL for several servers

STATEMENTS: Final = (
    "BACKUP DATABASE default ON CLUSTER default TO S3('https://b.s3.eu-west-1.amazonaws.com/2/')",
    "BACKUP DATABASE default ON CLUSTER default TO S3('https://b.s3.eu-west-1.amazonaws.com/2/') "
    "SETTINGS base_backup = S3('https://b.s3.eu-west-1.amazonaws.com/1/')",
    "RESTORE DATABASE default ON CLUSTER default FROM "
    "S3('https://b.s3.eu-west-1.amazonaws.com/2/') SETTINGS allow_non_empty_tables = true",
    *(
        "CREATE TABLE traces ON CLUSTER default (id String, event_ts DateTime64(3), "
        f"is_deleted UInt8) ENGINE = {engine} ORDER BY id"
        for engine in ENGINES
    ),
)


@pytest.fixture(scope="module")
def syntax(tmp_path_factory: pytest.TempPathFactory) -> list[Answer]:
    """Whether each statement, and each with a word misspelt, parses."""
    wrong = [s.replace("ON CLUSTER", "ON CLUSTERS") for s in STATEMENTS]
    queries = [f"EXPLAIN AST {statement}" for statement in (*STATEMENTS, *wrong)]
    return ask(tmp_path_factory.mktemp("syntax"), "{}", queries)


@pytest.mark.parametrize("number", range(len(STATEMENTS)))
def test_a_statement_for_the_cluster_parses(syntax: list[Answer], number: int) -> None:
    right, wrong = syntax[number], syntax[number + len(STATEMENTS)]
    assert right.done, right.text
    assert "(SYNTAX_ERROR)" in wrong.text, "a wrong word would be noticed"


# --- keys that only a server reads

# Where ClickHouse reads each key that has no test above.
SERVER_KEYS: Final[Mapping[str, str]] = {
    "backups.allow_concurrent_backups": "src/Backups/BackupsWorker.cpp",
    "distributed_ddl.host_name": "src/Interpreters/DDLWorker.cpp",
    "distributed_ddl.path": "programs/server/Server.cpp",
    "interserver_http_credentials.password": "src/Interpreters/InterserverCredentials.cpp",
    "interserver_http_credentials.user": "src/Interpreters/InterserverCredentials.cpp",
    "interserver_http_host": "src/Interpreters/Context.cpp",
    "interserver_http_port": "programs/server/Server.cpp",
    "keeper_server.coordination_settings.operation_timeout_ms": (
        "src/Coordination/CoordinationSettings.cpp"
    ),
    "keeper_server.coordination_settings.raft_logs_level": (
        "src/Coordination/CoordinationSettings.cpp"
    ),
    "keeper_server.coordination_settings.session_timeout_ms": (
        "src/Coordination/CoordinationSettings.cpp"
    ),
    "keeper_server.coordination_settings.startup_timeout": (
        "src/Coordination/CoordinationSettings.cpp"
    ),
    "keeper_server.log_storage_path": "src/Coordination/KeeperContext.cpp",
    "keeper_server.raft_configuration.server.hostname": "src/Coordination/KeeperStateManager.cpp",
    "keeper_server.raft_configuration.server.id": "src/Coordination/KeeperStateManager.cpp",
    "keeper_server.raft_configuration.server.port": "src/Coordination/KeeperStateManager.cpp",
    "keeper_server.server_id": "src/Coordination/CoordinationSettings.cpp",
    "keeper_server.snapshot_storage_path": "src/Coordination/KeeperContext.cpp",
    "keeper_server.tcp_port": "programs/server/Server.cpp",
    "logger.console": "src/Loggers/Loggers.cpp",
    "logger.errorlog": "src/Loggers/Loggers.cpp",
    "logger.level": "src/Loggers/Loggers.cpp",
    "logger.log": "src/Loggers/Loggers.cpp",
    "macros.cluster": "src/Common/Macros.cpp",
    "macros.replica": "src/Common/Macros.cpp",
    "macros.shard": "src/Common/Macros.cpp",
    "max_server_memory_usage_to_ram_ratio": "src/Core/ServerSettings.cpp",
    "remote_servers.default.secret": "src/Interpreters/Cluster.cpp",
    "remote_servers.default.shard.internal_replication": "src/Interpreters/Cluster.cpp",
    "remote_servers.default.shard.replica.host": "src/Interpreters/Cluster.cpp",
    "remote_servers.default.shard.replica.port": "src/Interpreters/Cluster.cpp",
    "s3.backups.endpoint": "src/Storages/StorageS3Settings.cpp",
    "s3.backups.use_environment_credentials": "src/IO/S3AuthSettings.cpp",
    "timezone": "programs/server/Server.cpp",
    "zookeeper.node.host": "src/Common/ZooKeeper/ZooKeeperArgs.cpp",
    "zookeeper.node.port": "src/Common/ZooKeeper/ZooKeeperArgs.cpp",
}


def keys(tree: object, path: tuple[str, ...] = ()) -> set[str]:
    """The keys of a configuration, joined by dots; attributes and places in lists left out."""
    if isinstance(tree, list):
        return {key for item in cast("list[object]", tree) for key in keys(item, path)}
    children = cast("dict[str, object]", tree) if isinstance(tree, dict) else {}
    below = {
        key
        for name, value in children.items()
        if not name.startswith("@")
        for key in keys(value, (*path, name))
    }
    return below or {".".join(path)}


def test_every_key_is_one_that_clickhouse_reads() -> None:
    config = cast("dict[str, Any]", json.loads(server_config(SERVERS, "https://example.com/")))
    logs = {*KEPT_LOG_TABLES, *REMOVED_LOG_TABLES}
    found = keys({name: value for name, value in config.items() if name not in logs})
    assert found - set(SERVER_KEYS) == set(), "look it up in ClickHouse's sources, then add it"
    assert set(SERVER_KEYS) - found == set(), "nobody needs it any more"


def test_the_disk_check_before_langfuse_4_compares_what_is_used_with_what_is_free(
    tmp_path: Path,
) -> None:
    (query,) = [each for each in queries_of(ROOT / "docs/upgrade.md") if "system.disks" in each]
    rows = "CREATE TABLE default.events ENGINE = MergeTree ORDER BY id AS SELECT number AS id"
    create = ["CREATE DATABASE IF NOT EXISTS default", f"{rows} FROM numbers(1000000)"]
    answers = ask(tmp_path, server_config([], None), [*create, query])
    assert answers[-1].done, answers[-1].text
    ((used, needed, free, verdict),) = answers[-1].rows
    assert (used, needed, free) != ("0.00 B", "0.00 B", "0.00 B")
    assert verdict == "enough", "a scratch disk has more than some megabytes free"
    assert used.split()[1] in ("KiB", "MiB")


# --- what the pages have an operator ask

DOCUMENTS: Final = [
    path for path in sorted((ROOT / "docs").glob("*.md")) if path.name != "configuration.md"
]
QUERY: Final = re.compile(r"(SELECT|INSERT|SYSTEM|ALTER|EXCHANGE|DROP|CREATE) [^`]*")


def queries_of(document: Path) -> list[str]:
    """The statements for ClickHouse: of blocks of SQL, and in the text."""
    text = document.read_text(encoding="utf-8")
    blocks = re.findall(r"```sql\n(.*?)```", text, re.DOTALL)
    spans = re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    found = [each.strip() for block in blocks for each in f"{block}\n".split(";\n")]
    found += [each for each in spans if QUERY.fullmatch(each) and " " in each]
    return [each for each in found if each and "pg_stat" not in each and "…" not in each]


def test_clickhouse_parses_every_statement_of_the_pages(tmp_path: Path) -> None:
    told = [(path.name, query) for path in DOCUMENTS for query in queries_of(path)]
    answers = ask(tmp_path, "{}", [f"EXPLAIN AST {query}" for _, query in told])
    wrong = [(*each, a.text) for each, a in zip(told, answers, strict=True) if not a.done]
    assert (wrong, len(told) > 10) == ([], True)


def test_a_lost_server_gets_its_tables_with_the_identity_they_have_in_keeper(
    tmp_path: Path,
) -> None:
    """The statement of docs/operations.md, and what it prints, run on an empty server."""
    (query,) = [
        each
        for each in queries_of(ROOT / "docs/operations.md")
        if each.startswith("SELECT create_table_query")
    ]
    (first := tmp_path / "first").mkdir()
    (second := tmp_path / "second").mkdir()
    query = query.replace("'default'", "'lost'")
    before = [
        "CREATE DATABASE lost ENGINE = Atomic",
        "CREATE VIEW lost.a_view AS SELECT 1 AS id",
        "CREATE TABLE lost.kept (id UInt8) ENGINE = MergeTree ORDER BY id",
        "CREATE MATERIALIZED VIEW lost.a_copy TO lost.kept AS SELECT id FROM lost.a_view",
        query,
    ]
    printed = ask(first, "{}", before)[-1]
    assert printed.done, printed.text
    statements = [each.strip() for each in printed.text.split(";\n") if each.strip()]
    assert len(statements) == 3
    assert " TABLE lost.kept UUID '" in statements[0], "views come last"
    again = ask(second, "{}", ["CREATE DATABASE lost ENGINE = Atomic", *statements, query])
    assert [each.text for each in again if not each.done] == []
    assert again[-1].text == printed.text


def test_a_database_of_large_tables_is_dropped_as_the_page_has_it(tmp_path: Path) -> None:
    """A server refuses tables of more than 50 GB without the setting: here, of more than a byte."""
    (query,) = [
        each.replace(" ON CLUSTER default", "").replace("default", "whole")
        for each in queries_of(ROOT / "docs/operations.md")
        if each.startswith("DROP DATABASE default")
    ]
    create = [
        "CREATE DATABASE whole ENGINE = Atomic",
        "CREATE TABLE whole.rows ENGINE = MergeTree ORDER BY id AS SELECT number AS id "
        "FROM numbers(1000)",
    ]
    plain = query.partition(" SETTINGS")[0]
    answers = ask(tmp_path, json.dumps({"max_table_size_to_drop": 1}), [*create, plain, query])
    assert [each.done for each in answers] == [True, True, False, True], answers[-1].text
    assert "TABLE_SIZE_EXCEEDS_MAX_DROP_SIZE_LIMIT" in answers[2].text


def test_the_old_tables_are_emptied_as_the_page_has_it_however_large(tmp_path: Path) -> None:
    emptying = [
        each for each in queries_of(ROOT / "docs/upgrade.md") if each.startswith("TRUNCATE TABLE")
    ]
    names = [each.split()[2] for each in emptying]
    assert names == ["default.traces", "default.observations"]
    rows = "ENGINE = MergeTree ORDER BY id AS SELECT number AS id FROM numbers(1000)"
    create = [f"CREATE TABLE {name} {rows}" for name in names]
    counts = [f"SELECT count() FROM {name}" for name in names]  # noqa: S608 -- the page's names
    config = json.dumps({"max_table_size_to_drop": 1})
    answers = ask(
        tmp_path, config, ["CREATE DATABASE IF NOT EXISTS default", *create, *emptying, *counts]
    )
    assert [each.text for each in answers if not each.done] == []
    assert [each.rows for each in answers[-2:]] == [[["0"]], [["0"]]]
