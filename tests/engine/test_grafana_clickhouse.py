# ruff: noqa: S608 -- these statements are the test.
"""What Grafana does in ClickHouse, in a real ClickHouse engine.

The engine is the one of test_clickhouse_engine.py, and its docstring says what that is.

Proves: every query of the dashboard runs on tables with the columns and keys of Langfuse's
migrations, and counts an event once that was written twice, and not at all if it was deleted; the
reader's file is loaded from `users.d`, and that user reads Langfuse's tables, writes nothing, gets
out of ClickHouse by no table function, and cannot raise its limits; the SQL for an external
ClickHouse parses.

Does not prove: what of `system` the reader sees (the library lets everybody read all of it; the
grants themselves are compared), that its password lets it in, and that system logs have these
columns: the library writes none, so stand-ins have those of ClickHouse's documentation.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, cast

import pytest

from langfuse_aws.components.clickhouse.reader import (
    READER,
    READER_PASSWORD_VARIABLE,
    reader_config,
)
from langfuse_aws.components.grafana.files import FOLDER
from tests.engine.test_clickhouse_engine import ENGINE, Answer, xml

pytestmark = pytest.mark.xdist_group("panels")  # they share what the engine answers

FROM: Final = 1_790_000_000
TO: Final = FROM + 3600
INTERVAL: Final = 60

ADMIN: Final = """<clickhouse>
    <profiles><default/></profiles>
    <quotas><default/></quotas>
    <users><default>
        <password/><networks><ip>::/0</ip></networks>
        <profile>default</profile><quota>default</quota>
        <access_management>1</access_management>
    </default></users>
</clickhouse>"""


def ask(
    root: Path, statements: Sequence[str], users: Mapping[str, Any] | None = None
) -> list[Answer]:
    """Run statements as the user `default`; `users` is a file of `users.d`."""
    (root / "users.d").mkdir(exist_ok=True)
    path = root / "users.d/grafana.xml"
    path.write_text(xml(users) if users else "<clickhouse/>")
    (root / "users.xml").write_text(ADMIN)
    (root / "config.xml").write_text(
        f"<clickhouse><path>{root}/data/</path><users_config>{root}/users.xml</users_config>"
        "</clickhouse>"
    )
    # Tables outlive the connection in a folder, unlike `:memory:`.
    engine = ENGINE.replace(":memory:", f"{root}/data")
    run = subprocess.run(
        [sys.executable, "-c", engine, str(root / "config.xml")],
        check=False,
        input=json.dumps(statements),
        capture_output=True,
        text=True,
        env={"HOME": str(root), "PATH": os.defpath, READER_PASSWORD_VARIABLE: ""},
        timeout=600,
    )
    assert run.returncode == 0, run.stderr
    return [Answer(*answer) for answer in json.loads(run.stdout)]


# --- the dashboard's queries

# Langfuse 3.225.4 and 4.16.0, packages/shared/clickhouse/migrations/unclustered: 0001, 0002, 0003
# and 0038, without the columns that no query names.
_REPLACING: Final = "ENGINE = ReplacingMergeTree(event_ts, is_deleted) PARTITION BY"
_USAGE: Final = (
    "usage_details Map(LowCardinality(String), UInt64), "
    "cost_details Map(LowCardinality(String), Decimal(18, 12))"
)
TABLES: Final = (
    "CREATE TABLE default.traces (id String, timestamp DateTime64(3), project_id String, "
    f"event_ts DateTime64(3), is_deleted UInt8) {_REPLACING} toYYYYMM(timestamp) "
    "PRIMARY KEY (project_id, toDate(timestamp)) ORDER BY (project_id, toDate(timestamp), id)",
    "CREATE TABLE default.observations (id String, trace_id String, project_id String, "
    "type LowCardinality(String), start_time DateTime64(3), end_time Nullable(DateTime64(3)), "
    "level LowCardinality(String), provided_model_name Nullable(String), "
    f"{_USAGE}, total_cost Nullable(Decimal64(12)), "
    "completion_start_time Nullable(DateTime64(3)), event_ts DateTime64(3), is_deleted UInt8) "
    f"{_REPLACING} toYYYYMM(start_time) PRIMARY KEY (project_id, type, toDate(start_time)) "
    "ORDER BY (project_id, type, toDate(start_time), id)",
    "CREATE TABLE default.scores (id String, timestamp DateTime64(3), project_id String, "
    f"name String, event_ts DateTime64(3), is_deleted UInt8) {_REPLACING} toYYYYMM(timestamp) "
    "PRIMARY KEY (project_id, toDate(timestamp), name) "
    "ORDER BY (project_id, toDate(timestamp), name, id)",
    "CREATE TABLE default.events_core (project_id String, trace_id String, span_id String, "
    "start_time DateTime64(6), end_time Nullable(DateTime64(6)), type LowCardinality(String), "
    "level LowCardinality(String), completion_start_time Nullable(DateTime64(6)), "
    f"provided_model_name String, {_USAGE}, "
    "total_cost Decimal(18, 12) ALIAS cost_details['total'], event_ts DateTime64(6), "
    f"is_deleted UInt8) {_REPLACING} toYYYYMM(start_time) "
    "PRIMARY KEY (project_id, toStartOfMinute(start_time), xxHash32(trace_id)) "
    "ORDER BY (project_id, toStartOfMinute(start_time), xxHash32(trace_id), span_id, start_time)",
    # https://clickhouse.com/docs/operations/system-tables/query_log, and part_log beside it
    "CREATE TABLE system.query_log (event_time DateTime, user String, query_duration_ms UInt64, "
    "type Enum8('QueryStart' = 1, 'QueryFinish' = 2, 'ExceptionBeforeStart' = 3, "
    "'ExceptionWhileProcessing' = 4), exception_code Int32) ENGINE = Memory",
    "CREATE TABLE system.part_log (event_time DateTime, event_type Enum8('NewPart' = 1, "
    "'MergeParts' = 2), database LowCardinality(String), table LowCardinality(String), "
    "rows UInt64, duration_ms UInt64) ENGINE = Memory",
)

AT: Final = FROM + 100
"""When everything happened."""


def _event(columns: str, values: str, table: str, *, written: int = 1, deleted: int = 0) -> str:
    return (
        f"INSERT INTO default.{table} ({columns}, event_ts, is_deleted) "
        f"VALUES ({values}, toDateTime({AT + written}), {deleted})"
    )


def _trace(name: str, **state: int) -> str:
    return _event(
        "id, timestamp, project_id", f"'{name}', toDateTime({AT}), 'p'", "traces", **state
    )


def _score(name: str, **state: int) -> str:
    columns = "id, timestamp, project_id, name"
    return _event(columns, f"'{name}', toDateTime({AT}), 'p', 'quality'", "scores", **state)


def _observation(table: str, name: str, tokens: int, cost: float, **state: int) -> str:
    own = "id" if table == "observations" else "span_id"
    total = (", total_cost", f", {cost}") if table == "observations" else ("", "")
    columns = (
        f"{own}, trace_id, project_id, type, level, start_time, end_time, completion_start_time, "
        f"provided_model_name, usage_details, cost_details{total[0]}"
    )
    values = (
        f"'{name}', 't-{name}', 'p', 'GENERATION', 'ERROR', toDateTime({AT}), "
        f"toDateTime({AT + 2}), toDateTime({AT + 1}), 'gpt', "
        f"map('input', 1, 'total', {tokens}), map('total', {cost}){total[1]}"
    )
    return _event(columns, values, table, **state)


def _rows(table: str) -> list[str]:
    """Two that count, one of them written twice, and one that was deleted."""
    return [
        _observation(table, "a", 10, 0.25),
        _observation(table, "a", 30, 0.5, written=2),
        _observation(table, "b", 70, 1.5),
        _observation(table, "c", 500, 9, written=1),
        _observation(table, "c", 500, 9, written=2, deleted=1),
    ]


FILL: Final = (
    _trace("a"),
    _trace("a", written=2),
    _trace("b"),
    _trace("c"),
    _trace("c", written=2, deleted=1),
    _score("a"),
    _score("a", written=2),
    *_rows("observations"),
    *_rows("events_core"),
    f"INSERT INTO system.query_log VALUES ({AT}, 'langfuse', 40, 'QueryFinish', 0), "
    f"({AT}, 'langfuse', 0, 'QueryStart', 0), ({AT}, 'langfuse', 5, 'ExceptionBeforeStart', 60)",
    f"INSERT INTO system.part_log VALUES ({AT}, 'NewPart', 'default', 'traces', 120, 1), "
    f"({AT}, 'MergeParts', 'default', 'traces', 120, 6000), "
    f"({AT}, 'NewPart', 'system', 'query_log', 999, 1)",
)

EXPECTED: Final[Mapping[str, Sequence[str]]] = {
    "Traces a minute, by project": ["p", "2"],
    "Observations a minute, by project": ["p", "2"],
    "Scores a minute, by project": ["p", "1"],
    "Tokens a minute, by model": ["gpt", "100"],
    "Cost an hour, by model": ["gpt", "120"],
    "Latency by model, 95th percentile": ["gpt", "2000"],
    "Time to first token by model, 95th percentile": ["gpt", "1000"],
    "Observations with an error a minute, by project": ["p", "2"],
    "Rows written a second, by table": ["traces", "2"],
    "Queries a minute, by user": ["langfuse", "1"],
    "Duration of queries by user, 95th percentile": ["langfuse", "40"],
    "Failed queries a minute, by error": ["UNKNOWN_TABLE", "1"],
    "Threads busy with merges, by table": ["traces", "0.1"],
}
"""Series and value of the only row of each panel."""

DASHBOARD: Final = cast(
    "dict[str, Any]", json.loads((FOLDER / "dashboards/langfuse.json").read_text(encoding="utf-8"))
)
LEGACY: Final = {"traces": "traces", "observations": "observations"}
EVENTS: Final = {"events": "events_core", "observations": "events_core"}


def panels(values: Mapping[str, str]) -> dict[str, str]:
    """The SQL of each panel as it arrives at ClickHouse, by title."""
    return {
        panel["title"]: expanded(query, values)
        for panel in DASHBOARD["panels"]
        for query in [panel.get("targets", [{}])[0].get("rawSql", "")]
        if query and not ({"traces", "events"} - set(values)) & set(re.findall(r"\$(\w+)", query))
    }


def expanded(query: str, values: Mapping[str, str]) -> str:
    """Do what Grafana does to variables, and its data source to macros."""
    for name, value in values.items():
        query = re.sub(rf"\${name}\b", value, query)
    query = query.replace("$__interval_s", str(INTERVAL))
    between = rf"\1 >= toDateTime({FROM}) AND \1 <= toDateTime({TO})"
    query = re.sub(r"\$__timeFilter\((\w+)\)", between, query)
    bucket = rf"toStartOfInterval(toDateTime(\1), INTERVAL {INTERVAL} second)"
    query = re.sub(r"\$__timeInterval\((\w+)\)", bucket, query)
    assert "$" not in query
    return query


@pytest.fixture(scope="module")
def answered(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Answer]:
    """The answer to each panel's query, in both write modes."""
    asked = {
        (mode, title): query
        for mode, values in (("legacy", LEGACY), ("events_only", EVENTS))
        for title, query in panels(values).items()
    }
    done = ask(tmp_path_factory.mktemp("queries"), [*TABLES, *FILL, *asked.values()])
    before = done[: -len(asked)]
    assert [answer.text for answer in before if not answer.done] == []
    return dict(zip(asked, done[-len(asked) :], strict=True))


@pytest.mark.parametrize("mode", ["legacy", "events_only"])
@pytest.mark.parametrize("title", EXPECTED)
def test_a_panel_counts_what_happened_once(
    answered: dict[tuple[str, str], Answer], mode: str, title: str
) -> None:
    ((_, series, value),) = answered[mode, title].rows
    label, number = EXPECTED[title]
    assert (series, float(value)) == (label, pytest.approx(float(number)))  # pyright: ignore[reportUnknownMemberType]


def test_time_series_begin_with_the_interval_and_the_series(
    answered: dict[tuple[str, str], Answer],
) -> None:
    shown = {row[0] for title in EXPECTED for row in answered["legacy", title].rows}
    assert len(shown) == 1, "Grafana wants time, label, value; and all in the same interval"


@pytest.mark.parametrize("mode", ["legacy", "events_only"])
def test_every_other_panel_has_an_answer(
    answered: dict[tuple[str, str], Answer], mode: str
) -> None:
    others = {title for found, title in answered if found == mode} - set(EXPECTED)
    assert others == {"Disk in use", "Tables", "Now"}
    for title in others:
        assert answered[mode, title].rows
    ((name, used),) = answered[mode, "Disk in use"].rows
    assert (name, 0 < float(used) < 100) == ("default", True)
    assert {row[0] for row in answered[mode, "Tables"].rows} == {
        "traces",
        "observations",
        "scores",
        "events_core",
    }
    assert len(answered[mode, "Now"].rows) == 6


# --- the reader


def as_default(config: Mapping[str, Any]) -> dict[str, Any]:
    """The reader's file for the user that the library always is."""
    user = {**config["users"][READER], "@replace": "1"}
    return {**config, "users": {"default": user}}


REFUSED: Final = {
    _trace("b"): "Not enough privileges",
    "CREATE TABLE default.more (a Int8) ENGINE = Memory": "Not enough privileges",
    "ALTER TABLE default.traces DELETE WHERE 1": "Not enough privileges",
    "DROP TABLE default.traces": "Not enough privileges",
    "CREATE USER more": "Not enough privileges",
    "SELECT * FROM url('http://127.0.0.1:1/', 'CSV', 'a Int8')": "READ ON URL",
    "SELECT * FROM file('/etc/passwd', 'LineAsString')": "READ ON FILE",
    "SELECT * FROM remote('127.0.0.1', default.traces)": "READ ON REMOTE",
    "SELECT 1 SETTINGS max_execution_time = 61": "shouldn't be greater than 60",
    "SELECT 1 SETTINGS max_execution_time = 0": "shouldn't be less than 1",
    "SELECT 1 SETTINGS max_memory_usage_for_user = 0": "shouldn't be less than 1",
    "SELECT 1 SETTINGS max_memory_usage_for_user = 2000000000": "shouldn't be greater",
    "SET readonly = 0": "Cannot modify 'readonly'",
}
"""What the reader tries, and what is said to it."""

LIMITS: Final = ("readonly", "max_execution_time", "max_memory_usage_for_user")
ALLOWED: Final = (
    "SELECT count() FROM default.traces",
    f"SELECT {', '.join(f'getSetting({name!r})' for name in LIMITS)}",
    # 30 s of queryTimeout, and 5 s that the client adds.
    "SELECT 1 SETTINGS max_execution_time = 35",
)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Answer]:
    """What the reader is told to each of its statements."""
    root = tmp_path_factory.mktemp("reader")
    filled = ask(root, [TABLES[0], _trace("a")])
    assert all(answer.done for answer in filled)
    config = as_default(json.loads(reader_config()))
    statements = [*REFUSED, *ALLOWED]
    return dict(zip(statements, ask(root, statements, config), strict=True))


@pytest.mark.parametrize("statement", REFUSED)
def test_the_reader_is_refused(told: dict[str, Answer], statement: str) -> None:
    assert not told[statement].done
    assert REFUSED[statement] in told[statement].text


def test_the_reader_reads_langfuses_tables_within_its_limits(told: dict[str, Answer]) -> None:
    count, limits, longer = (told[statement].rows for statement in ALLOWED)
    assert count == [["1"]], "what was refused has changed nothing"
    assert limits == [["2", "60", str(2**30)]]
    assert longer == [["1"]]


def test_the_readers_file_makes_the_user_with_these_grants(tmp_path: Path) -> None:
    config = json.loads(reader_config())
    (grants, user) = ask(
        tmp_path,
        [
            f"SHOW GRANTS FOR {READER}",
            "SELECT auth_type, host_ip, default_roles_all FROM system.users "
            f"WHERE name = '{READER}'",
        ],
        config,
    )
    wanted = [f"{grant} TO {READER}" for grant in config["users"][READER]["grants"]["query"]]
    assert sorted(row[0] for row in grants.rows) == sorted(wanted)
    assert "plaintext_password" in user.text


def test_the_sql_for_an_external_clickhouse_parses_and_has_the_same_limits(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs/grafana.md").read_text(encoding="utf-8")
    (block,) = [part.split("```")[0] for part in page.split("```sql\n")[1:]]
    statements = [each.strip() for each in block.split(";") if each.strip()]
    wrong = [each.replace("grafana", "grafana,", 1) for each in statements]
    answers = ask(tmp_path, [f"EXPLAIN AST {each}" for each in (*statements, *wrong)])
    right, refused = answers[: len(statements)], answers[len(statements) :]
    assert [answer.text for answer in right if not answer.done] == []
    assert [answer.text for answer in refused if answer.done] == [], "a wrong one would be noticed"
    own = json.loads(reader_config())["profiles"][READER]
    assert f"readonly = {own['readonly']}" in block
    for name in LIMITS[1:]:
        assert f"{name} = {own[name]} MIN 1 MAX {own[name]}" in block
