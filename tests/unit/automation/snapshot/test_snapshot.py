"""`snapshot` and `restore … --list`, on moto where it has the API.

It proves what is asked of AWS for each kind of store, that one that fails stops no other, what is
printed and with which exit code, and that what was taken is what `--list` and `latest` find. moto
has every snapshot complete at once; how one proceeds or fails is a script. It does not prove that a
snapshot holds what it should: no account was used.
"""

import json
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Final, cast

import pytest
from pulumi import automation as auto
from typer.testing import CliRunner

from langfuse_aws.automation.__main__ import app
from langfuse_aws.automation.aws import snapshot_names
from langfuse_aws.automation.aws.snapshot_names import LABEL_TAG, STACK_TAG, snapshot_name
from langfuse_aws.automation.cli import rows
from langfuse_aws.automation.engine.deployed import Deployed
from langfuse_aws.automation.restore import command as restore_command
from langfuse_aws.automation.restore import volume
from langfuse_aws.automation.snapshot import command as snapshot_command
from langfuse_aws.automation.snapshot import taking
from langfuse_aws.components.shared.names import (
    CACHE_SNAPSHOT_LIMIT,
    DATABASE_SNAPSHOT_LIMIT,
    PREFIX_LIMIT,
)
from langfuse_aws.graph.resource_types import EBS_VOLUME
from tests.unit.automation.restore import test_clickhouse as clickhouse
from tests.unit.automation.restore.test_restore import (
    REGION,
    Answer,
    AwsError,
    FakePulumiStack,
    World,
    always,
    resource,
)
from tests.unit.aws_account import aws

ROOT: Final = Path(__file__).parents[4]
AURORA: Final = {"mode": "auroraServerless", "instances": 1, "minAcu": 0.5, "maxAcu": 2}
CLUSTER: Final = "langfuse-prod-postgres-20261101"
INSTANCE: Final = "langfuse-prod-postgres362b9d7"
"""As Pulumi's provider names instances: without a hyphen, seen with provider 5.100."""
NODE: Final = "langfuse-prod-redis-1a2b3c4-002"
GROUP: Final = "langfuse-prod-redis-1a2b3c4"
MOMENT: Final = datetime(2026, 11, 29, 1, 50, tzinfo=timezone.utc)


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every look follow the last at once."""
    monkeypatch.setattr(taking.time, "sleep", always(None))


class Stores:
    """A stack `prod` whose stores moto has, and its state."""

    def __init__(self, *, aurora: bool) -> None:
        self.volume_id = aws("ec2", REGION).create_volume(
            AvailabilityZone=f"{REGION}a", Size=100, Encrypted=True
        )["VolumeId"]
        user = {"MasterUsername": "langfuse", "MasterUserPassword": "not-a-password"}
        rds = aws("rds", REGION)
        if aurora:
            rds.create_db_cluster(
                DBClusterIdentifier=CLUSTER,
                Engine="aurora-postgresql",
                EngineVersion="16.6",
                DatabaseName="langfuse",
                StorageEncrypted=True,
                **user,
            )
        else:
            rds.create_db_instance(
                DBInstanceIdentifier=INSTANCE,
                DBInstanceClass="db.t4g.micro",
                Engine="postgres",
                EngineVersion="16.6",
                AllocatedStorage=20,
                StorageEncrypted=True,
                **user,
            )
        # moto makes no clusters of the group's members.
        aws("elasticache", REGION).create_replication_group(
            ReplicationGroupId=GROUP,
            ReplicationGroupDescription="cache",
            NumCacheClusters=2,
            ReplicasPerNodeGroup=1,
            AutomaticFailoverEnabled=True,
            CacheNodeType="cache.t4g.medium",
        )
        aws("elasticache", REGION).create_cache_cluster(
            CacheClusterId=NODE, Engine="redis", CacheNodeType="cache.t4g.medium"
        )
        kind, outputs = (
            ("aws:rds/cluster:Cluster", {"clusterIdentifier": CLUSTER})
            if aurora
            else ("aws:rds/instance:Instance", {"identifier": INSTANCE})
        )
        self.resources = [
            resource(kind, "langfuse-prod-postgres", outputs=outputs),
            resource(EBS_VOLUME, "langfuse-prod-clickhouse") | {"id": self.volume_id},
            resource("aws:elasticache/replicationGroup:ReplicationGroup", "langfuse-prod-redis")
            | {"id": GROUP},
            resource("aws:s3/bucket:Bucket", "langfuse-prod-storage", outputs={"bucket": "stored"}),
        ]
        self.config: dict[str, Any] = {
            "langfuse:size": "dev",
            **({"langfuse:postgres": AURORA} if aurora else {}),
        }

    def run(self, *arguments: str, **config: Any) -> Any:
        """Run a command on it."""
        stack = FakePulumiStack(self.resources, {**self.config, **config}, [])
        deployed = Deployed(
            name="prod",
            prefix="langfuse-prod",
            pulumi=cast(auto.Stack, stack),
            aws=lambda service: aws(service, REGION),
            region=REGION,
        )
        with pytest.MonkeyPatch.context() as patch:
            for module in (snapshot_command, restore_command):
                patch.setattr(module, "open_stack", always(deployed))
            result = CliRunner().invoke(app, [*arguments, "--stack", "prod"])
        assert isinstance(result.exception, SystemExit | None), result.exception
        return result


def tags_of(found: Mapping[str, Any], key: str) -> dict[str, str]:
    return {each["Key"]: each["Value"] for each in found[key]}


@pytest.mark.usefixtures("account")
@pytest.mark.parametrize("aurora", [True, False])
def test_every_store_gets_a_snapshot_with_one_label_which_restore_finds(aurora: bool) -> None:
    stores = Stores(aurora=aurora)
    result = stores.run("snapshot", "--label", "before-4.17")
    assert (result.exit_code, result.stderr) == (0, ""), result.output

    rds = aws("rds", REGION)
    if aurora:
        (database,) = rds.describe_db_cluster_snapshots(SnapshotType="manual")["DBClusterSnapshots"]
        name, source = database["DBClusterSnapshotIdentifier"], database["DBClusterIdentifier"]
    else:
        (database,) = rds.describe_db_snapshots(SnapshotType="manual")["DBSnapshots"]
        name, source = database["DBSnapshotIdentifier"], database["DBInstanceIdentifier"]
    assert source == (CLUSTER if aurora else INSTANCE)
    (disk,) = aws("ec2", REGION).describe_snapshots(OwnerIds=["self"])["Snapshots"]
    (cache,) = aws("elasticache", REGION).describe_snapshots()["Snapshots"]
    assert cache["CacheClusterId"] == NODE, "a replica, not the primary"
    assert (disk["VolumeId"], disk["Encrypted"]) == (stores.volume_id, True)
    assert disk["Description"] == "langfuse-prod-clickhouse before-4.17"
    both = {STACK_TAG: "langfuse-prod", LABEL_TAG: "before-4.17"}
    assert tags_of(database, "TagList") == both
    assert tags_of(disk, "Tags") == {"Name": "langfuse-prod-clickhouse", **both}
    arn = cache["ARN"]
    assert (
        tags_of(aws("elasticache", REGION).list_tags_for_resource(ResourceName=arn), "TagList")
        == both
    )
    assert name.startswith("langfuse-prod-before-4-17-2")
    assert cache["SnapshotName"].startswith("langfuse-prod-before-4-17"[:20])

    assert "  Valkey: python3 -m automation replay --stack prod --since 20" in result.stdout
    lines = result.stdout.splitlines()
    snapshot = disk["SnapshotId"]
    for line in (
        f"complete  PostgreSQL {name}",
        f"complete  ClickHouse {snapshot}",
        f"complete  Valkey {cache['SnapshotName']}",
        f"  PostgreSQL: python3 -m automation restore postgres --stack prod --snapshot {name}",
        "  ClickHouse: python3 -m automation restore clickhouse-volume --stack prod --snapshot "
        f"{snapshot}",
        "Objects: s3://stored keeps no versions: what is deleted from now on does not come back. "
        "langfuse:storage.versioningDays keeps them.",
    ):
        assert line in lines

    for store, identifier in (("postgres", name), ("clickhouse-volume", snapshot)):
        listed = json.loads(stores.run("restore", store, "--list", "--json").stdout)
        found = {each["identifier"]: each for each in listed["restorePoints"]}
        assert (found[identifier]["label"], found[identifier]["madeBy"]) == (
            "before-4.17",
            "snapshot",
        )
        assert found[identifier]["complete"] is True


@pytest.mark.usefixtures("account")
def test_a_store_that_fails_stops_no_other_and_the_exit_code_tells() -> None:
    stores = Stores(aurora=True)
    stores.resources[2] |= {"id": "gone"}
    result = stores.run("snapshot")
    assert result.exit_code == 1
    first, last = result.stderr.splitlines()
    assert first.startswith("error: Valkey: An error occurred (ReplicationGroupNotFoundFault)")
    assert last == (
        "error: 2 of 3 snapshots are complete, and stay. Correct the cause and run the command "
        "again: it takes all of them anew, so that they are of one time."
    )
    assert "restore postgres --stack prod --snapshot langfuse-prod-by-hand-2" in result.stdout
    assert "none" in result.stdout
    as_json = stores.run("snapshot", "--label", "again", "--json")
    assert as_json.exit_code == 1
    states = {each["store"]: each["state"] for each in json.loads(as_json.stdout)["stores"]}
    assert states == {"PostgreSQL": "complete", "ClickHouse": "complete", "Valkey": "failed"}


def test_external_stores_are_said_to_be_the_users_and_nothing_is_asked_of_aws() -> None:
    config = {
        **clickhouse.EXTERNAL,
        "langfuse:postgres": {
            "mode": "external",
            "host": "db.example.com",
            "user": "u",
            "database": "d",
        },
        "langfuse:postgresPassword": "secret",
        "langfuse:redis": {"mode": "external", "host": "cache.example.com"},
        "langfuse:redisPassword": "secret",
        "langfuse:storage": {"versioningDays": 14},
    }
    world = World(
        [resource("aws:s3/bucket:Bucket", "langfuse-prod-storage", outputs={"bucket": "stored"})],
        config,
        {},
    )
    result = invoke(world)
    assert (result.exit_code, world.calls) == (0, [])
    for line in (
        "PostgreSQL: external, at db.example.com: a snapshot of it is yours to take, before you go "
        "on.",
        "ClickHouse: external, at https://abc.clickhouse.cloud:8443: a snapshot of it is yours to "
        "take, before you go on.",
        "Redis: external, at cache.example.com: a snapshot of it is yours to take, before you go "
        "on.",
    ):
        assert line in result.stdout.splitlines()
    assert "Objects: s3://stored keeps what is deleted or overwritten for 14 days." in result.stdout
    assert "restore objects --stack prod --prefix media/ --since 2" in result.stdout


def invoke(world: World, *options: str) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(snapshot_command, "open_stack", always(world.deployed))
        return CliRunner().invoke(app, ["snapshot", "--stack", "prod", *options])


def three_servers(**answers: Answer | list[Answer]) -> World:
    """A stack whose ClickHouse has three servers, and whose other stores are external."""
    return World(
        [
            *clickhouse.state(),
            resource("aws:s3/bucket:Bucket", "langfuse-prod-storage", outputs={"bucket": "stored"}),
        ],
        {
            "langfuse:network": {"zones": 3},
            "langfuse:clickhouse": {"replicas": 3},
            "langfuse:postgres": {
                "mode": "external",
                "host": "db.example.com",
                "user": "u",
                "database": "d",
            },
            "langfuse:postgresPassword": "secret",
            "langfuse:redis": {"mode": "external", "host": "cache.example.com"},
            "langfuse:redisPassword": "secret",
        },
        {
            "DescribeTaskDefinition": clickhouse.described(),
            "RunTask": clickhouse.ended(None),
            "DescribeTasks": [clickhouse.ended(None, "RUNNING"), clickhouse.ended(0)],
            **answers,
        },
    )


def test_three_servers_are_backed_up_by_the_nightly_task_and_its_end_is_waited_for() -> None:
    # Of a time before this machine's: a clock that is some minutes ahead is not refused by AWS.
    made = "2020-W01/full-20200101T023000Z"
    before = clickhouse.Bucket(*clickhouse.KEYS)
    after = clickhouse.Bucket(*clickhouse.KEYS, f"{made}/.backup")

    def listed(params: dict[str, Any]) -> dict[str, Any]:
        return (after if "RunTask" in world.calls else before).list(params)

    world = three_servers(ListObjectsV2=listed)
    result = invoke(world)
    assert result.exit_code == 0, result.output
    assert world.changes() == ["RunTask"]
    (task,) = world.params("RunTask")
    assert task["overrides"]["containerOverrides"][0]["environment"] == []
    assert f"complete  ClickHouse {made}" in result.stdout.splitlines()
    assert (
        "  ClickHouse: python3 -m automation restore clickhouse-backup --stack prod --from "
        f"{made} --as restored" in result.stdout.splitlines()
    )
    page = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
    rights = page.partition("\n### Snapshots\n")[2].partition("\n## ")[0]
    asked = {{"ListObjectsV2": "ListBucket"}.get(each, each) for each in world.calls}
    assert {each for each in asked if f":{each}`" not in rights} == set()


@pytest.mark.parametrize(
    ("end", "words"),
    [
        (clickhouse.ended(1), "error: ClickHouse: exit code 1; ECS: "),
        (clickhouse.ended(0), "error: ClickHouse: the task ended well, and S3 has no new backup."),
    ],
)
def test_a_backup_that_is_not_there_at_the_end_is_a_failure(
    end: dict[str, Any], words: str
) -> None:
    bucket = clickhouse.Bucket(*clickhouse.KEYS)
    result = invoke(three_servers(DescribeTasks=end, ListObjectsV2=bucket.list))
    assert result.exit_code == 1
    assert words in result.stderr


def volume_world(*looks: dict[str, Any] | AwsError) -> World:
    """A stack whose ClickHouse has a volume, and whose other stores are external."""
    world = three_servers(
        CreateSnapshot={"SnapshotId": clickhouse.SNAPSHOT},
        DescribeSnapshots=list(looks),
    )
    world.stack.config["langfuse:clickhouse"] = {"replicas": 1}
    return world


def test_progress_is_asked_for_until_the_end() -> None:
    world = volume_world(
        clickhouse.snapshot(State="pending", Progress="42%"),
        clickhouse.snapshot(State="pending", Progress="99%"),
        clickhouse.snapshot(),
    )
    assert invoke(world).exit_code == 0
    assert world.calls.count("DescribeSnapshots") == 3


@pytest.mark.parametrize(
    ("look", "words"),
    [
        (
            clickhouse.snapshot(State="error", StateMessage="the key is gone"),
            "error: ClickHouse: the key is gone",
        ),
        (
            AwsError("RequestLimitExceeded", "slow down"),
            "error: ClickHouse: it has begun, and AWS does not say how far it is: An error "
            "occurred (RequestLimitExceeded) when calling the DescribeSnapshots operation: slow "
            "down",
        ),
    ],
)
def test_a_snapshot_that_does_not_end_well_is_a_failure_with_awss_reason(
    look: dict[str, Any] | AwsError, words: str
) -> None:
    result = invoke(volume_world(look))
    assert (result.exit_code, result.stderr.splitlines()[0]) == (1, words)


def test_one_that_takes_too_long_is_said_to_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(taking, "LONGEST_SECONDS", -1)
    result = invoke(volume_world(clickhouse.snapshot(State="pending", Progress="1%")))
    assert result.exit_code == 1
    assert result.stderr.splitlines()[0] == (
        f"error: ClickHouse: {clickhouse.SNAPSHOT} is still being taken."
    )


def test_ctrl_c_says_what_goes_on_in_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(taking.time, "sleep", stop)
    result = invoke(volume_world(clickhouse.snapshot(State="pending", Progress="1%")))
    assert result.exit_code == 130
    assert result.stderr.startswith(
        f"AWS goes on with what has begun, and nothing deletes it: {clickhouse.SNAPSHOT}.\n"
    )


@pytest.mark.parametrize("label", ["", "-a", "a-", "über", "a b", "a/b", "x" * 64, "a\n"])
def test_a_label_that_no_tag_or_name_takes_is_refused_before_anything(label: str) -> None:
    world = World([], {}, {})
    result = invoke(world, "--label", label)
    assert (result.exit_code, world.calls) == (2, [])
    assert result.stderr.startswith(f"error: --label {label!r}: must be 1 to 63 letters, digits, ")


@pytest.mark.parametrize("label", ["a", "4.17.0", "a--b", "a.-_b", "X" * 63, "before-4.17"])
@pytest.mark.parametrize("prefix", ["l", "langfuse-prod", "p" * PREFIX_LIMIT])
@pytest.mark.parametrize("most", [CACHE_SNAPSHOT_LIMIT, DATABASE_SNAPSHOT_LIMIT])
def test_names_keep_awss_rules_for_any_label(label: str, prefix: str, most: int) -> None:
    assert snapshot_names.checked_label(label) == label
    name = snapshot_name(prefix, label, MOMENT, most)
    assert len(name) <= most
    assert name.startswith(prefix)
    assert name.endswith("-20261129015000")
    assert "--" not in name
    assert name == name.lower()
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")


def test_the_list_is_newest_first_and_says_who_made_what() -> None:
    tags = [{"Key": "aws:backup:source-resource", "Value": "x"}]
    found = [
        clickhouse.snapshot(SnapshotId="snap-1", StartTime=MOMENT)["Snapshots"][0],
        clickhouse.snapshot(SnapshotId="snap-2", Tags=tags)["Snapshots"][0],
        clickhouse.snapshot(
            SnapshotId="snap-3",
            State="pending",
            StartTime=MOMENT.replace(hour=2),
            Tags=[{"Key": LABEL_TAG, "Value": "before-4.17"}],
        )["Snapshots"][0],
    ]
    world = World(clickhouse.state(), {}, {"DescribeSnapshots": {"Snapshots": found}})
    result = restoring(world, "clickhouse-volume", "--list")
    assert result.exit_code == 0
    heading, *lines = result.stdout.splitlines()
    assert heading.split("  ")[0] == "For --snapshot"
    assert heading.split()[2:] == ["Taken,", "UTC", "Age", "Made", "by", "GiB", "Label", "State"]
    assert [line.split()[0] for line in lines] == ["snap-3", "snap-1", "snap-2"]
    assert "snapshot    20   before-4.17  pending" in lines[0]
    assert "by hand" in lines[1]
    assert "AWS Backup" in lines[2]
    asked = [each["Filters"] for each in world.params("DescribeSnapshots")]
    assert asked == [
        [{"Name": "volume-id", "Values": ["vol-old"]}],
        [{"Name": "tag:Name", "Values": ["langfuse-prod-clickhouse"]}],
    ], "a volume that was replaced had the same name"


def restoring(world: World, *arguments: str) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(restore_command, "open_stack", always(world.deployed))
        return CliRunner().invoke(app, ["restore", *arguments, "--stack", "prod"])


def test_latest_is_the_newest_that_is_complete() -> None:
    found = [
        clickhouse.snapshot(SnapshotId="snap-0123456789abcdef1")["Snapshots"][0],
        clickhouse.snapshot(SnapshotId="snap-0123456789abcdef2", StartTime=MOMENT)["Snapshots"][0],
        clickhouse.snapshot(
            SnapshotId="snap-0123456789abcdef3",
            StartTime=MOMENT.replace(hour=2),
            State="pending",
        )["Snapshots"][0],
    ]

    def describe(asked: dict[str, Any]) -> dict[str, Any]:
        wanted = asked.get("SnapshotIds")
        return {"Snapshots": [e for e in found if not wanted or e["SnapshotId"] in wanted]}

    world = World(clickhouse.state(), {}, {**clickhouse.aws(), "DescribeSnapshots": describe})
    plan = volume.plan(world.deployed, "latest")
    assert "Snapshot snap-0123456789abcdef2 of 2026-11-29 01:50 UTC: 20 GiB." in plan.found
    found.clear()
    result = restoring(world, "clickhouse-volume", "--snapshot", "latest", "--yes")
    assert (result.exit_code, result.stderr) == (
        1,
        "error: --snapshot latest: stack prod has no complete snapshot of its ClickHouse volume. "
        "python3 -m automation snapshot --stack prod takes one of every store.\n",
    )
    listed = restoring(world, "clickhouse-volume", "--list")
    assert listed.exit_code == 1
    assert listed.stderr.startswith("error: stack prod: has no snapshot of its ClickHouse volume.")
    empty = restoring(world, "clickhouse-volume", "--list", "--json")
    assert json.loads(empty.stdout) == {"stack": "prod", "restorePoints": []}


@pytest.mark.parametrize("store", ["clickhouse-volume", "clickhouse-backup", "postgres"])
def test_a_list_or_a_restore_is_wanted_not_both_and_json_is_for_the_list(store: str) -> None:
    option = "--from" if store == "clickhouse-backup" else "--snapshot"
    world = World([], {}, {})
    for arguments, words in (
        ((), f"either --list or {option} is needed, not both."),
        (("--list", option, "x"), f"either --list or {option} is needed, not both."),
        ((option, "x", "--json"), "--json is for --list. Leave it out."),
    ):
        result = restoring(world, store, *arguments)
        assert (result.exit_code, world.calls) == (2, [])
        assert words in result.stderr


@pytest.mark.parametrize(("width", "whole"), [(60, False), (200, True)])
def test_identifiers_are_whole_at_any_width_of_a_terminal(
    width: int, whole: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    identifier = "langfuse-prod-before-4-17-20261129015000"
    shown = rows.console.__class__(
        width=width, force_terminal=True, color_system=None, soft_wrap=True
    )
    monkeypatch.setattr(rows, "console", shown)
    rows.print_rows(
        ("For --snapshot", "Taken, UTC", "Label"),
        [(identifier, "2026-11-29 01:50", "before-4.17"), ("x", "2026-11-28 01:50", "")],
    )
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    if whole:
        assert lines[1] == f"{identifier}  2026-11-29 01:50  before-4.17"
    else:
        assert lines == [
            identifier,
            "  Taken, UTC: 2026-11-29 01:50",
            "  Label: before-4.17",
            "x",
            "  Taken, UTC: 2026-11-28 01:50",
        ]
