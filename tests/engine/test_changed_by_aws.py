"""Stores that AWS changes by itself, and those that begin with a snapshot, under the real engine.

It proves that a version, a size or an owner which the program did not ask for never replaces a
store or is taken back, that what a snapshot decides is taken from it, that a snapshot which does
not fit is refused in the preview and only if it would be used, and that a protected store can be
deleted more than once. AWS is the in-memory one, which refuses and reads back as its table says;
that the real provider leaves out what is ignored is its bridge's business
(https://github.com/pulumi/pulumi-terraform-bridge, processIgnoreChanges).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from langfuse_aws.offline.account import (
    CACHE_SNAPSHOT,
    CLUSTER_SNAPSHOT,
    DB_SNAPSHOT,
    VOLUME_SNAPSHOT,
)
from langfuse_aws.offline.provider import AwsProvider
from langfuse_aws.offline.serving import providers
from langfuse_aws.offline.wire import from_struct, to_struct
from tests.deployment import Deployment

pytestmark = pytest.mark.running

CACHE = "aws:elasticache/replicationGroup:ReplicationGroup"
CLUSTER = "aws:rds/cluster:Cluster"
INSTANCE = "aws:rds/instance:Instance"
VOLUME = "aws:ebs/volume:Volume"


def snapshot(kind: str, identifier: str, **changed: Any) -> tuple[str, dict[str, Any]]:
    """A snapshot of a database of this program, that has grown and is newer than AWS's default."""
    aurora = kind == CLUSTER_SNAPSHOT
    names = ("masterUsername", "databaseName") if aurora else ("username", "dbName")
    usual = {
        "id": identifier,
        "engine": "aurora-postgresql" if aurora else "postgres",
        "engineVersion": "16.9",
        "status": "available",
        "storageEncrypted": True,
        "allocatedStorage": 35,
        **dict.fromkeys(names, "langfuse"),
    }
    return kind, {**usual, **changed}


SNAPSHOTS = (
    snapshot(DB_SNAPSHOT, "grown"),
    snapshot(DB_SNAPSHOT, "plain", storageEncrypted=False),
    snapshot(DB_SNAPSHOT, "huge", allocatedStorage=190),
    snapshot(DB_SNAPSHOT, "older", engineVersion="15.10"),
    snapshot(DB_SNAPSHOT, "being-made", status="creating"),
    snapshot(DB_SNAPSHOT, "foreign", username="postgres"),
    snapshot(CLUSTER_SNAPSHOT, "newer"),
    (VOLUME_SNAPSHOT, {"id": "snap-0123456789abcdef0", "volumeSize": 21}),
)


class ChangingAws(AwsProvider):
    """An AWS with some snapshots, in which stores are not what they were made as."""

    def __init__(self) -> None:
        super().__init__(begin_with=SNAPSHOTS)
        self.changed: dict[str, dict[str, Any]] = {}
        """What stores have now, by their type."""

    def Read(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Tell what is there now."""
        answer = super().Read(request, context)
        now = self.changed.get(request.type, {})
        if now:
            account = self.account(context)
            there = account.find(request.type, request.id)
            assert there is not None
            account.change(there, {**there.properties, **now})
            inputs = from_struct(answer.inputs)
            read = {key: value for key, value in now.items() if key in inputs}
            answer.inputs.CopyFrom(to_struct({**inputs, **read}))
            answer.properties.CopyFrom(to_struct({**from_struct(answer.properties), **now}))
        return answer

    def lose(self, kind: str, identifier: str) -> None:
        """Have somebody delete a snapshot."""
        for account in self._accounts.values():
            account.remove(kind, identifier)

    def kept(self, kind: str) -> list[str]:
        """IDs of the snapshots of a type, in all accounts."""
        return [each.id for account in self._accounts.values() for each in account.of_type(kind)]


@dataclass(frozen=True)
class World:
    """A stack and its AWS."""

    aws: ChangingAws
    stack: Deployment

    def store(self, kind: str) -> dict[str, Any]:
        """The store of a type in the state."""
        (found,) = [
            each for each in self.stack.state() if each["type"] == kind and not each.get("delete")
        ]
        return found

    def forget(self, key: str) -> None:
        """Take a key below `langfuse:` away."""
        self.stack.run("config", "rm", "--path", f"langfuse:{key}", "--stack", "dev")

    def refused(self, command: str = "preview") -> str:
        """What a command that must fail prints."""
        options = ["--yes", "--skip-preview"] if command == "up" else []
        done = self.stack.run(command, *options, "--stack", "dev", check=False)
        assert done.returncode != 0, f"{command} was allowed"
        return done.stdout + done.stderr


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A dev stack that is not deployed yet."""
    aws = ChangingAws()
    with providers(aws=aws) as environment:
        yield World(aws, Deployment.of("dev", tmp_path, environment))


def test_what_aws_has_upgraded_or_grown_stays_so(world: World) -> None:
    world.stack.configure("deletionProtection", "true")
    world.stack.up()
    made = {kind: world.store(kind)["id"] for kind in (CACHE, INSTANCE)}
    world.aws.changed = {
        CACHE: {"engineVersion": "8.1", "engineVersionActual": "8.1.0"},
        INSTANCE: {
            "allocatedStorage": 35,
            "engineVersion": "16.9",
            "engineVersionActual": "16.9",
        },
    }
    world.stack.run("refresh", "--preview-only", "--expect-no-changes", "--stack", "dev")
    world.stack.up("--refresh")
    assert {kind: world.store(kind)["id"] for kind in made} == made, "replaced by empty ones"
    assert world.stack.changes() == set()
    world.stack.configure_all(
        {"redis.nodeType": "cache.t4g.small", "postgres.backupRetentionDays": "8"}, {}
    )
    world.stack.up()
    assert world.store(CACHE)["inputs"]["nodeType"] == "cache.t4g.small"
    assert {kind: world.store(kind)["id"] for kind in made} == made


def test_a_protected_cache_can_be_replaced_again_and_again(world: World) -> None:
    world.stack.configure_all(
        {"deletionProtection": "true", "allowReplace[0]": "langfuse-dev-redis"}, {}
    )
    world.stack.up()
    seen = {world.store(CACHE)["id"]}
    for times in (1, 2, 3):
        world.aws.changed = {CACHE: {"engineVersion": "8.1"}}
        world.stack.up("--refresh")
        world.aws.changed = {}
        seen.add(world.store(CACHE)["id"])
        assert len(seen) == times + 1, "a lower version replaces a cache that may be replaced"
        assert len(world.aws.kept(CACHE_SNAPSHOT)) == times, "each leaves a snapshot of its own"
    world.forget("allowReplace")
    world.stack.up()
    assert world.stack.changes() == set()


def test_an_instance_begins_with_a_snapshot_that_has_grown(world: World) -> None:
    world.stack.configure("postgres.snapshotIdentifier", "grown")
    world.stack.up()
    inputs = world.store(INSTANCE)["inputs"]
    assert (inputs["allocatedStorage"], inputs["engineVersion"]) == (35, "16.9")
    assert world.stack.changes() == set()
    world.aws.lose(DB_SNAPSHOT, "grown")
    world.stack.configure("postgres.snapshotIdentifier", "snap-00000000000000000")
    assert world.stack.changes() == set(), "a snapshot counts when a store is made, and never again"
    world.stack.configure("postgres.backupRetentionDays", "8")
    world.stack.up()
    world.forget("postgres.snapshotIdentifier")
    assert world.stack.changes() == set()


def test_a_cluster_begins_with_a_snapshot_newer_than_the_default_version(world: World) -> None:
    world.stack.configure_all(
        {"postgres.mode": "auroraServerless", "postgres.snapshotIdentifier": "newer"}, {}
    )
    world.stack.up()
    assert world.store(CLUSTER)["inputs"]["engineVersion"] == "16.9"
    assert world.stack.changes() == set()


def test_a_snapshot_that_does_not_fit_is_refused_in_the_preview(world: World) -> None:
    world.stack.up()
    database, volume = world.store(INSTANCE)["id"], world.store(VOLUME)["id"]
    world.stack.configure("allowReplace[0]", "langfuse-dev-postgres")
    for identifier, words in {
        "plain": "is not encrypted, and the stack's databases are. Copy it with a key: aws rds "
        "copy-db-snapshot --source-db-snapshot-identifier plain "
        "--target-db-snapshot-identifier encrypted --kms-key-id alias/aws/rds",
        "huge": "has 190 GiB, and an instance of langfuse:postgres.mode instance can begin with "
        "181 GiB at the most.",
        "older": "is of PostgreSQL 15, and the stack runs 16.",
        "being-made": "is creating, not available.",
        "snap-00000000000000000": "no snapshot snap-00000000000000000. See aws rds "
        "describe-db-snapshots.",
    }.items():
        world.stack.configure("postgres.snapshotIdentifier", identifier)
        assert f"langfuse:postgres.snapshotIdentifier: {identifier}: {words}" in world.refused()
    assert "is creating" not in world.refused("up")
    world.forget("postgres.snapshotIdentifier")
    world.forget("allowReplace")
    world.stack.configure_all(
        {
            "clickhouse.snapshotId": "snap-0123456789abcdef0",
            "allowReplace[0]": "langfuse-dev-clickhouse",
        },
        {},
    )
    assert (
        "langfuse:clickhouse.snapshotId: snap-0123456789abcdef0: has 21 GiB, more than the "
        "volume's 20 GiB. pulumi config set --path langfuse:clickhouse.volumeGib 21"
    ) in world.refused()
    assert (world.store(INSTANCE)["id"], world.store(VOLUME)["id"]) == (database, volume)


def test_a_database_of_another_owner_is_not_used_and_the_old_one_stays(world: World) -> None:
    world.stack.up()
    old = world.store(INSTANCE)["id"]
    world.stack.configure_all(
        {
            "postgres.snapshotIdentifier": "foreign",
            "allowReplace[0]": "langfuse-dev-postgres",
        },
        {},
    )
    said = world.refused("up")
    assert (
        "langfuse-dev-postgres: has the master user postgres and the database langfuse, as its "
        "snapshot had, and Langfuse's are langfuse and langfuse. Nothing uses it yet."
    ) in said
    assert old in {each["id"] for each in world.stack.of_type(INSTANCE)}
    world.forget("allowReplace")
    steps = {
        each["op"]
        for each in world.stack.steps()
        if each["urn"].split("$")[-1].startswith(INSTANCE)
    }
    assert "create-replacement" not in steps, "the provider reads its owner back"
