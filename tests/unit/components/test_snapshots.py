"""Snapshots that a database or a volume begins with, looked up in the in-memory AWS.

It proves what is taken from a snapshot and what is said of one that is not there. What the engine
does with a refusal, tests/engine shows.
"""

from collections.abc import Mapping
from typing import Any, Final, cast

import pulumi
import pytest

from development.recorded_graph import on_mocks
from langfuse_aws.components.protection.snapshots import (
    DatabaseSnapshot,
    database_snapshot,
    only_without,
    volume_obstacle,
)
from langfuse_aws.offline import invokes
from langfuse_aws.offline.facts import DEFAULT_REGION
from langfuse_aws.offline.invokes import NO_SNAPSHOT
from langfuse_aws.offline.mocks import OfflineMocks
from tests.unit.stack_graph import build, unshared

Found = tuple[DatabaseSnapshot | None, str | None]

OF_ENGINE: Final = {"aurora-postgresql": "db-cluster", "postgres": "db"}
"""What AWS's command line calls a snapshot of an engine."""


def looked_up(identifier: str, engine: str) -> Found:
    found: list[Found] = []
    on_mocks(
        "dev", DEFAULT_REGION, lambda: found.append(database_snapshot(identifier, engine, None))
    )
    return found[0]


@pytest.mark.parametrize("engine", OF_ENGINE)
def test_a_database_begins_with_what_its_snapshot_says(engine: str) -> None:
    snapshot, obstacle = looked_up("nightly", engine)
    assert obstacle is None
    assert snapshot == DatabaseSnapshot("nightly", engine, "16.6", "available", True, 20)


@pytest.mark.parametrize(("version", "fine"), [("16.2", False), ("16.3", True), ("16.10", True)])
def test_a_database_that_pauses_begins_with_a_version_that_can(version: str, fine: bool) -> None:
    snapshot = DatabaseSnapshot("old", "aurora-postgresql", version, "available", True, 20)
    assert snapshot.obstacle("aurora-postgresql") is None
    said = snapshot.obstacle("aurora-postgresql", pauses=True)
    assert (said is None) is fine
    assert fine or said == (
        "is of PostgreSQL 16.2, which cannot pause, and langfuse:postgres.minAcu is 0. pulumi "
        "config set --path langfuse:postgres.minAcu 0.5, until AWS has upgraded it to 16.3 or "
        "later."
    )


@pytest.mark.parametrize("least", [0, 0.5])
def test_a_cluster_asks_for_a_snapshot_by_its_least_capacity(
    monkeypatch: pytest.MonkeyPatch, least: float
) -> None:
    asked: list[bool] = []

    def look_up(*arguments: Any, pauses: bool) -> Found:
        asked.append(pauses)
        return database_snapshot(*arguments, pauses=pauses)

    monkeypatch.setattr("langfuse_aws.components.data_plane.postgres.database_snapshot", look_up)
    section = {"mode": "auroraServerless", "minAcu": least, "snapshotIdentifier": "nightly"}
    with unshared():
        build("dev", {"size": "dev", "postgres": section})
    assert asked == [least == 0]


@pytest.mark.parametrize("engine", OF_ENGINE)
@pytest.mark.parametrize(
    "identifier",
    [
        "rds:langfuse-2026-11-01-03-07",
        "arn:aws:rds:eu-west-1:123456789012:snapshot:rds:langfuse-2026-11-01-03-07",
        "awsbackup:job-0a1b",
    ],
)
def test_a_database_may_begin_with_a_snapshot_that_a_service_took(
    engine: str, identifier: str
) -> None:
    snapshot, obstacle = looked_up(identifier, engine)
    assert obstacle is None
    assert snapshot is not None
    assert snapshot.identifier == identifier


@pytest.mark.parametrize("engine", OF_ENGINE)
def test_a_snapshot_that_another_account_shares_is_found_too(
    engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Mapping[str, Any]] = []

    def call(_: OfflineMocks, args: pulumi.runtime.MockCallArgs) -> tuple[Any, list[Any]]:
        asked.append(cast("Any", args).args)
        return {}, [("", "not told")]

    monkeypatch.setattr(OfflineMocks, "call", call)
    looked_up("nightly", engine)
    assert [each["includeShared"] for each in asked] == [True]


@pytest.mark.parametrize(("engine", "kind"), OF_ENGINE.items())
def test_a_snapshot_that_is_not_there_is_named_with_its_key_and_the_list_of_others(
    engine: str, kind: str
) -> None:
    snapshot, obstacle = looked_up(NO_SNAPSHOT, engine)
    assert snapshot is None
    assert obstacle is not None
    assert obstacle.startswith(f"langfuse:postgres.snapshotIdentifier: {NO_SNAPSHOT}: ")
    assert obstacle.endswith(f" See aws rds describe-{kind}-snapshots.")


def test_a_volume_that_is_too_small_for_its_snapshot_is_named_with_its_key() -> None:
    found: list[str | None] = []

    def program() -> None:
        parent = pulumi.ComponentResource("langfuse:index:ClickHouse", "clickhouse")
        found.extend(volume_obstacle("snap-0123456789abcdef0", gib, parent) for gib in (7, 8))
        found.append(volume_obstacle(NO_SNAPSHOT, 8, parent))

    on_mocks("dev", DEFAULT_REGION, program)
    small, fits, missing = found
    key = "langfuse:clickhouse.snapshotId:"
    assert small is not None
    assert small.startswith(f"{key} snap-0123456789abcdef0: has 8 GiB, more than the volume's 7 ")
    assert fits is None
    assert missing is not None
    assert missing.startswith(f"{key} {NO_SNAPSHOT}: ")


def test_a_snapshot_that_is_not_complete_yet_is_named_with_what_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(invokes, "usual_snapshot", lambda *_: {"state": "pending"})  # pyright: ignore
    found: list[str | None] = []

    def program() -> None:
        parent = pulumi.ComponentResource("langfuse:index:ClickHouse", "clickhouse")
        found.append(volume_obstacle("snap-1", 8, parent))

    on_mocks("dev", DEFAULT_REGION, program)
    assert found == [
        "langfuse:clickhouse.snapshotId: snap-1: is pending, not completed. "
        "Wait for it, or take another one."
    ]


@pytest.mark.parametrize(
    ("section", "kind"),
    [
        ({"clickhouse": {"snapshotId": NO_SNAPSHOT}}, "aws:ebs/volume:Volume"),
        ({"postgres": {"snapshotIdentifier": NO_SNAPSHOT}}, "aws:rds/instance:Instance"),
        (
            {"postgres": {"mode": "auroraServerless", "snapshotIdentifier": NO_SNAPSHOT}},
            "aws:rds/cluster:Cluster",
        ),
    ],
)
def test_a_store_is_not_made_while_there_is_an_obstacle(section: dict[str, Any], kind: str) -> None:
    graph = build("dev", {"size": "dev", **section})
    refused = {
        each.type for each in graph.registrations if "create" in graph.options_of(each).asks_before
    }
    assert refused == {kind}


def test_an_obstacle_refuses_the_resource_before_it_is_made_and_in_a_preview() -> None:
    assert only_without("volume", None) is None
    hooks: list[pulumi.ResourceHook] = []

    def program() -> None:
        bound = only_without("volume", "is of another size")
        hooks.extend(cast("Any", bound and bound.before_create))

    on_mocks("dev", DEFAULT_REGION, program)
    (hook,) = hooks
    assert hook.opts is not None
    assert hook.opts.on_dry_run
    with pytest.raises(pulumi.RunError, match=r"^is of another size$"):
        hook.callback(cast("Any", None))
