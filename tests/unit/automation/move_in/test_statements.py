"""What ClickHouse is told, by a stand-in that takes everything: a cluster, and what a source gets.

What a single server does with it is in tests/move_in. That a cluster runs it was not tried.
"""

from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from langfuse_aws.automation.errors import UserError
from langfuse_aws.automation.move_in import clickhouse, old_trace, verification
from langfuse_aws.automation.move_in.clickhouse import (
    ClickHouse,
    Table,
    copy_partition,
    drop_partition,
)
from langfuse_aws.automation.move_in.old_trace import Trace, read_back
from langfuse_aws.automation.move_in.sides import Keys
from langfuse_aws.automation.move_in.source import ClickHouseAddress
from langfuse_aws.automation.smoke.api import Answer, Api

TRACES = Table("traces", "ReplicatedReplacingMergeTree", "", 9, 9, ("id", "it`s"), None)


def server(asked: list[httpx.Request], answers: Iterator[str], **more: Any) -> ClickHouse:
    def answer(request: httpx.Request) -> httpx.Response:
        request.read()
        asked.append(request)
        return httpx.Response(200, stream=httpx.ByteStream(next(answers).encode()))

    client = httpx.Client(transport=httpx.MockTransport(answer))
    address = ClickHouseAddress("http://clickhouse:8123", "user", "hush", "default")
    return ClickHouse(address, "target", client=client, **more)


def test_a_cluster_has_the_table_everywhere_before_it_is_counted_and_swapped() -> None:
    there: list[httpx.Request] = []
    here: list[httpx.Request] = []
    source = server(there, iter(["rows", "9"]), read_only=True)
    target = server(here, iter(["", "", "", "", "9", "", "", ""]), cluster="default")
    assert copy_partition(source, target, TRACES, TRACES, TRACES.columns, "202601", {}) == 4
    filled = "`default`.`traces_move_in`"
    assert [each.url.params["query"] for each in here] == [
        f"DROP TABLE IF EXISTS {filled} ON CLUSTER `default` SYNC",
        f"CREATE TABLE {filled} ON CLUSTER `default` AS `default`.`traces`",
        f"INSERT INTO {filled} (`id`, `it\\`s`) FORMAT Native",
        f"SYSTEM SYNC REPLICA ON CLUSTER `default` {filled}",
        f"SELECT count() FROM {filled} FINAL "  # noqa: S608
        "WHERE _partition_id = '202601' FORMAT TSV",
        f"ALTER TABLE `default`.`traces` REPLACE PARTITION ID '202601' FROM {filled}",
        "SYSTEM SYNC REPLICA ON CLUSTER `default` `default`.`traces`",
        f"DROP TABLE IF EXISTS {filled} ON CLUSTER `default` SYNC",
    ]
    assert here[2].content == b"rows"
    swapped = here[5].url.params
    assert (swapped["max_partition_size_to_drop"], swapped["max_table_size_to_drop"]) == ("0", "0")
    assert {each.method for each in there} == {"GET"}
    assert {each.headers["X-ClickHouse-Key"] for each in (*there, *here)} == {"hush"}
    assert "hush" not in "".join(str(each.url) for each in (*there, *here))


def test_a_partition_that_has_not_arrived_whole_takes_no_place() -> None:
    here: list[httpx.Request] = []
    source = server([], iter(["rows", "9"]), read_only=True)
    target = server(here, iter(["", "", "", "8"]))
    with pytest.raises(UserError, match="the source has 9 rows and 8 arrived; the target's part"):
        copy_partition(source, target, TRACES, TRACES, TRACES.columns, "202601", {})
    assert not [each for each in here if "REPLACE" in each.url.params["query"]]


def test_a_table_with_a_fixed_place_in_keeper_is_filled_in_another() -> None:
    """ClickHouse says REPLICA_ALREADY_EXISTS to a CREATE … AS that takes the same one."""
    for path, there in (
        ("'/tables/{shard}/default/traces'", "'/tables/{shard}/default/traces_move_in'"),
        (r"'/it\'s/{shard}'", r"'/it\'s/{shard}_move_in'"),
        ("'/clickhouse/tables/{uuid}/{shard}'", None),
    ):
        definition = f"ReplicatedReplacingMergeTree({path}, '{{replica}}', ts) ORDER BY id"
        here: list[httpx.Request] = []
        table = replace(TRACES, definition=definition)
        source = server([], iter(["", "0"]), read_only=True)
        target = server(here, iter(["", "", "", "", "0", ""]), cluster="default")
        copy_partition(source, target, TRACES, table, TRACES.columns, "202601", {})
        engine = definition.replace(path, there) if there else None
        assert here[1].url.params["query"] == (
            "CREATE TABLE `default`.`traces_move_in` ON CLUSTER `default` AS `default`.`traces`"
            + (f" ENGINE = {engine}" if engine else "")
        )


def test_rows_of_a_table_that_expires_are_kept_on_every_server_until_they_are_counted() -> None:
    here: list[httpx.Request] = []
    table = replace(TRACES, definition="ReplicatedMergeTree('/{uuid}', '') ORDER BY id TTL ts")
    source = server([], iter(["", "0"]), read_only=True)
    target = server(here, iter(["", "", "", "", "", "", "0", ""]), cluster="default")
    copy_partition(source, target, TRACES, table, TRACES.columns, "202601", {})
    filled = "`default`.`traces_move_in`"
    assert [each.url.params["query"] for each in here][2:5] == [
        f"ALTER TABLE {filled} ON CLUSTER `default` REMOVE TTL",
        # One server runs it, and the others follow.
        f"SYSTEM SYNC REPLICA ON CLUSTER `default` {filled}",
        f"INSERT INTO {filled} (`id`, `it\\`s`) FORMAT Native",
    ]


def test_blocks_that_are_the_same_are_all_written_and_at_once() -> None:
    """By its defaults ClickHouse drops them of a replicated table, and collects inserts first."""
    here: list[httpx.Request] = []
    target = server(here, iter([""]))
    target.insert("INSERT INTO t FORMAT Native", iter([b"rows"]), None)
    parameters = here[0].url.params
    assert (parameters["insert_deduplicate"], parameters["async_insert"]) == ("0", "0")


def test_servers_that_are_late_are_waited_for_and_one_that_is_down_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    late = "Code: 159. DB::Exception: SYNC REPLICA default.traces: command timed out."
    answers = [(500, late), (500, late), (200, "")]
    here: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        here.append(request)
        status, text = answers.pop(0)
        return httpx.Response(status, text=text)

    client = httpx.Client(transport=httpx.MockTransport(answer))
    address = ClickHouseAddress("http://clickhouse:8123", "user", "hush", "default")
    target = ClickHouse(address, "target", cluster="default", client=client)
    target.settle(TRACES)
    assert len(here) == 3
    # Each server answers before the statement's own time is over, so that it says which one.
    assert int(here[0].url.params["receive_timeout"]) < 180
    monkeypatch.setattr(clickhouse, "SETTLING_SECONDS", -1)
    answers.append((500, late))
    with pytest.raises(UserError, match=r"not every server has traces yet, after .* Is each of"):
        target.settle(TRACES)
    answers.append((500, "Code: 497. Not enough privileges"))
    with pytest.raises(UserError, match="Code: 497"):
        target.settle(TRACES)
    assert len(here) == 5


def test_only_a_cluster_and_only_replicated_tables_are_waited_for() -> None:
    here: list[httpx.Request] = []
    server(here, iter([])).settle(TRACES)
    server(here, iter([]), cluster="default").settle(replace(TRACES, engine="MergeTree"))
    assert here == []


def test_a_partition_that_is_gone_is_gone_on_every_server() -> None:
    here: list[httpx.Request] = []
    drop_partition(server(here, iter(["", ""]), cluster="default"), TRACES, "202601")
    assert [each.url.params["query"] for each in here] == [
        "ALTER TABLE `default`.`traces` DROP PARTITION ID '202601'",
        "SYSTEM SYNC REPLICA ON CLUSTER `default` `default`.`traces`",
    ]


def test_a_server_of_the_source_that_is_behind_is_no_proof() -> None:
    """Both sides have the same rows then: those that one server of the source has."""
    asked: list[httpx.Request] = []
    there = server(asked, iter(["traces\n", "all\t9\n", "all\t9\n"]), read_only=True)
    here = server([], iter(["all\t9\n", "", "all\t9\n"]), cluster="default")
    sides: Any = SimpleNamespace(
        clickhouse=there,
        target=SimpleNamespace(clickhouse=here),
        tables={"traces": TRACES, "scores": replace(TRACES, name="scores")},
        common_tables={"scores": replace(TRACES, name="scores"), "traces": TRACES},
        target_tables={"scores": replace(TRACES, engine="MergeTree"), "traces": TRACES},
    )
    scores, traces = verification.compare_clickhouse(sides)
    assert scores.same
    assert not traces.same
    assert "lacks what others of its cluster have" in traces.differing[0]
    assert "system.replicas" in asked[0].url.params["query"]
    assert asked[0].method == "GET"


def test_a_source_is_told_nothing_that_changes_it() -> None:
    with pytest.raises(ValueError, match="only read"):
        server([], iter([]), read_only=True).execute("DROP TABLE traces")


@pytest.mark.parametrize(
    ("answers", "paths"),
    [
        ({"/api/public/traces/t": (200, '{"id": "t"}')}, ["/api/public/traces/t"]),
        (
            {"/api/public/v2/observations": (200, '{"data": [{"id": "o"}]}')},
            ["/api/public/traces/t", "/api/public/v2/observations"],
        ),
    ],
)
def test_an_old_trace_is_read_as_each_major_gives_it(
    monkeypatch: pytest.MonkeyPatch, answers: dict[str, tuple[int, str]], paths: list[str]
) -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        status, text = answers.get(request.url.path, (404, "{}"))
        return httpx.Response(status, text=text)

    transport = httpx.MockTransport(answer)
    real = httpx.Client

    def client(base_url: str) -> httpx.Client:
        return real(base_url=base_url, transport=transport)

    monkeypatch.setattr(httpx, "Client", client)
    said = read_back("https://langfuse.example.com", Keys("pk", "hush"), Trace("t", "2026-01-01"))
    assert said == "https://langfuse.example.com gives the trace t of 2026-01-01 back."
    assert asked == paths
    answers.clear()
    answers["/api/public/traces/t"] = (401, '{"message": "Invalid credentials"}')
    with pytest.raises(UserError, match="does not come back: HTTP 401 Unauthorized: Invalid cred"):
        read_back("https://langfuse.example.com", Keys("pk", "hush"), Trace("t", "2026-01-01"))


def test_a_name_that_still_leads_to_the_source_proves_nothing_and_is_not_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The second way of the name: its record changes last."""
    asked: list[str] = []

    def read(url: str, *_: Any) -> str:
        asked.append(url)
        return "read back"

    def oldest(*_: Any) -> Trace:
        return Trace("my trace", "2026-01-01")

    monkeypatch.setattr(old_trace, "oldest", oldest)
    monkeypatch.setattr(old_trace, "read_back", read)

    def said(url: str, of_source: str | None) -> list[str]:
        sides: Any = SimpleNamespace(source=SimpleNamespace(url=of_source))
        return list(old_trace.proof(sides, url, Keys("pk", "hush")))

    url = "https://langfuse.example.com"
    command = f"python3 -m automation smoke --url {url} --trace 'my trace'"
    (line,) = said(url, "https://langfuse.example.com:443/")
    assert line == f"{url} is the source's name too. Once it leads to the stack: {command}"
    assert asked == []
    for other in (None, "http://localhost:3000"):
        assert said(url, other)[0] == "read back"
    assert asked == [url, url]


def test_the_name_of_a_trace_is_a_part_of_the_path_whatever_is_in_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []

    def get(_: Any, path: str) -> Answer:
        asked.append(path)
        return Answer(404, "{}")

    monkeypatch.setattr(Api, "get", get)
    with pytest.raises(UserError, match="the trace a/b&c=d of 2026 does not come back"):
        read_back("https://langfuse.example.com", Keys("pk", "hush"), Trace("a/b&c=d", "2026"))
    assert asked == [
        "/api/public/traces/a%2Fb%26c%3Dd",
        "/api/public/v2/observations?traceId=a%2Fb%26c%3Dd",
    ]
