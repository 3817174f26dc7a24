"""The restore commands under the real Pulumi engine, on the in-memory providers.

It proves that the commands find what they need in a real state, that a restore replaces the store
it is for and no other one, that the migration waits until that store serves, that the old store
goes last, and that nothing is left to change, or unguarded, afterwards. AWS's side is a script:
that snapshots, instances and tasks do what they are told is not tried here.
"""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
import typer

from langfuse_aws.automation.engine.deployed import Deployed, open_stack
from langfuse_aws.automation.plan import carry_out
from langfuse_aws.automation.restore import backup as restore_backup
from langfuse_aws.automation.restore import objects as restore_objects
from langfuse_aws.automation.restore import postgres as restore_postgres
from langfuse_aws.automation.restore import replay
from langfuse_aws.automation.restore import volume as restore_volume
from langfuse_aws.components.protection.replacement_guard import INITIAL_INPUTS, REPLACEMENT_INPUTS
from langfuse_aws.offline.provider import AwsProvider
from langfuse_aws.offline.serving import providers
from tests.deployment import Deployment
from tests.unit.automation.restore import test_clickhouse as clickhouse
from tests.unit.automation.restore import test_postgres as postgres
from tests.unit.automation.restore import test_replay as replaying
from tests.unit.automation.restore.test_restore import NOON, Answer, Aws, AwsError, always

pytestmark = pytest.mark.running

VOLUME = "aws:ebs/volume:Volume"
SNAPSHOT = clickhouse.SNAPSHOT


@pytest.fixture(scope="module")
def dev(environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    """Bring up one unprotected stack."""
    deployment = Deployment.of("dev", tmp_path_factory.mktemp("restore"), environment)
    deployment.up()
    return deployment


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let botocore's waiters ask at once."""
    for waits in ("botocore.waiter", "langfuse_aws.automation.restore.replay"):
        monkeypatch.setattr(f"{waits}.time.sleep", always(None))


def opened(
    deployment: Deployment,
    monkeypatch: pytest.MonkeyPatch,
    answers: dict[str, Answer | list[Answer]],
) -> tuple[Deployed, list[Any]]:
    """The stack as the commands open it, but for its AWS; and what that is asked."""
    for name, value in deployment.environment.items():
        monkeypatch.setenv(name, value)
    log: list[Any] = []
    found = open_stack(deployment.stack.name, deployment.stack.folder)
    return dataclasses.replace(found, aws=Aws(answers, log).client), log


def stores(deployment: Deployment) -> dict[tuple[str, str], tuple[str, bool]]:
    """ID and protection of everything that bears data, by type and name."""
    return {
        (each["type"], each["urn"].split("::")[-1]): (each["id"], each.get("protect", False))
        for each in deployment.state()
        if each["type"] in REPLACEMENT_INPUTS
    }


def changed(before: dict[Any, Any], after: dict[Any, Any]) -> set[Any]:
    return {key for key in {*before, *after} if before.get(key) != after.get(key)}


def stack_file(deployment: Deployment) -> str:
    return (deployment.stack.folder / f"Pulumi.{deployment.stack.name}.yaml").read_text("utf-8")


@pytest.mark.xdist_group("one stack to restore")
def test_the_volume_alone_is_replaced_and_the_migration_waits_for_it(
    dev: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = stores(dev)
    old = before[VOLUME, "langfuse-dev-clickhouse"][0]
    halfway: list[Any] = []

    def fail_once(_: dict[str, Any]) -> dict[str, Any]:
        (run,) = dev.of_type("aws:lambda/invocation:Invocation")
        volumes = [(each["id"] == old, each.get("delete")) for each in dev.of_type(VOLUME)]
        halfway.append((old in run["inputs"]["triggers"].values(), sorted(volumes)))
        status = ["InProgress", "Failed", "Successful", "Successful"][len(halfway) - 1]
        return {"InstanceRefreshes": [clickhouse.refresh(status)]}

    answers = clickhouse.aws(DescribeInstanceRefreshes=fail_once)
    deployed, log = opened(dev, monkeypatch, answers)
    deployed.configure("clickhouse.snapshotId", SNAPSHOT)
    assert dev.changes() == set(), "what a volume begins with counts when it is made"
    with pytest.raises(typer.Exit):
        carry_out(restore_volume.plan(deployed, SNAPSHOT), yes=True)
    assert "langfuse:allowReplace" in stack_file(dev)
    carry_out(restore_volume.plan(deployed.now(), SNAPSHOT), yes=True)

    assert halfway == [(True, [(False, None), (True, True)])] * 4, (
        "while the instance is replaced nothing has migrated, and the old volume is still there"
    )
    after = stores(dev)
    assert changed(before, after) == {(VOLUME, "langfuse-dev-clickhouse")}
    (volume,) = dev.of_type(VOLUME)
    assert volume["inputs"]["snapshotId"] == SNAPSHOT
    (run,) = dev.of_type("aws:lambda/invocation:Invocation")
    assert volume["id"] in run["inputs"]["triggers"].values(), "the restored data is migrated"
    asked = [each[1] for each in log if each[0] == "DescribeVolumes"]
    assert asked == [{"VolumeIds": [volume["id"]]}]
    assert "allowReplace" not in stack_file(dev)
    assert SNAPSHOT in stack_file(dev)
    assert dev.changes() == set()


def test_a_protected_stack_is_restored_and_protected_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    aws = AwsProvider()
    with providers(aws=aws) as environment:
        deployment = Deployment.of("prod", tmp_path, environment)
        deployment.up()
        restore_a_protected_stack(deployment, aws, monkeypatch)


def restore_a_protected_stack(
    deployment: Deployment, aws: AwsProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = stores(deployment)

    def modify(asked: dict[str, Any]) -> dict[str, Any]:
        aws.change_by_hand(
            postgres.CLUSTER_TYPE,
            asked["DBClusterIdentifier"],
            deletionProtection=asked["DeletionProtection"],
        )
        return {}

    answers: dict[str, Answer | list[Answer]] = {
        **clickhouse.aws(
            DescribeInstanceRefreshes={"InstanceRefreshes": [clickhouse.refresh("Successful")]}
        ),
        "DescribeDBClusterSnapshots": postgres.of_cluster(),
        "ModifyDBCluster": modify,
        "DescribeDBClusters": AwsError("DBClusterNotFoundFault"),
    }
    deployed, log = opened(deployment, monkeypatch, answers)
    cluster = deployed.resource(postgres.CLUSTER_TYPE, "langfuse-prod-postgres").outputs
    volume_plan = restore_volume.plan(deployed, SNAPSHOT)
    assert "it stays in AWS" in volume_plan.lost[1]
    carry_out(volume_plan, yes=True)
    carry_out(restore_postgres.plan(deployed.now(), "nightly"), yes=True)

    assert [each[1]["DBClusterIdentifier"] for each in log if each[0] == "ModifyDBCluster"] == [
        cluster["clusterIdentifier"]
    ]
    after = stores(deployment)
    assert changed(before, after) == {
        (VOLUME, "langfuse-prod-clickhouse"),
        (postgres.CLUSTER_TYPE, "langfuse-prod-postgres"),
    }
    assert {
        kind: protected for (kind, _), (_, protected) in after.items() if kind in INITIAL_INPUTS
    } == {
        VOLUME: True,
        postgres.CLUSTER_TYPE: True,
        "aws:elasticache/replicationGroup:ReplicationGroup": True,
    }
    assert "allowReplace" not in stack_file(deployment)
    assert deployment.changes() == set()


@pytest.mark.xdist_group("one stack to restore")
def test_the_other_plans_find_what_they_need_in_a_real_state(
    dev: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    (definition,) = [
        each["inputs"]
        for each in dev.of_type("aws:ecs/taskDefinition:TaskDefinition")
        if each["urn"].endswith("-clickhouse-backup")
    ]
    described = {
        "taskDefinitionArn": "newest",
        "containerDefinitions": json.loads(definition["containerDefinitions"]),
    }
    marker = {"Key": "media/1", "VersionId": "1", "LastModified": NOON, "IsLatest": True}
    answers: dict[str, Answer | list[Answer]] = {
        "ListObjectsV2": clickhouse.Bucket(*clickhouse.KEYS).list,
        "DescribeTaskDefinition": {"taskDefinition": described},
        "RunTask": clickhouse.ended(None),
        "DescribeTasks": clickhouse.ended(0),
        "GetBucketVersioning": {"Status": "Enabled"},
        "ListObjectVersions": {"DeleteMarkers": [marker]},
        "DeleteObjects": {},
        "DescribeDBSnapshots": postgres.of_instance(),
        "DescribeDBInstances": AwsError("DBInstanceNotFound"),
    }
    deployed, log = opened(dev, monkeypatch, answers)
    buckets = {
        each["urn"].split("::")[-1]: each["outputs"]["bucket"]
        for each in dev.of_type("aws:s3/bucket:Bucket")
    }
    backups = buckets["langfuse-dev-clickhouse-backups"]
    monkeypatch.setattr(clickhouse, "BACKUPS", backups)
    carry_out(restore_backup.plan(deployed, clickhouse.FULL, "restored"), yes=True)
    carry_out(restore_objects.plan(deployed, "media/", NOON), yes=True)
    asked = dict(log)
    assert asked["RunTask"]["taskDefinition"] == "newest"
    assert asked["RunTask"]["overrides"]["containerOverrides"][0]["environment"] == [
        {
            "name": "RESTORE_FROM",
            "value": f"https://{backups}.s3.us-east-1.amazonaws.com/clickhouse/{clickhouse.FULL}/",
        },
        {"name": "RESTORE_AS", "value": "restored"},
    ]
    assert asked["RunTask"]["networkConfiguration"]["awsvpcConfiguration"]["subnets"]
    assert asked["DeleteObjects"]["Bucket"] == buckets["langfuse-dev-storage"]
    (database,) = dev.of_type("aws:rds/instance:Instance")
    plan = restore_postgres.plan(deployed, "nightly")
    assert plan.found[-1] == f"Database {database['outputs']['identifier']}."


def test_replay_finds_the_worker_and_the_bucket(
    dev: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployed, log = opened(dev, monkeypatch, replaying.aws())
    plan = replay.plan(deployed, replaying.LONGEST, dry_run=False)
    carry_out(plan, yes=True)
    (worker,) = (
        each["outputs"]
        for each in dev.of_type("aws:ecs/service:Service")
        if each["urn"].endswith("::langfuse-dev-worker")
    )
    asked = dict(log)
    assert asked["DescribeServices"] == {
        "cluster": worker["cluster"],
        "services": [worker["name"]],
    }
    assert asked["RunTask"]["cluster"] == worker["cluster"]
    (bucket,) = (
        each["outputs"]["bucket"]
        for each in dev.of_type("aws:s3/bucket:Bucket")
        if each["urn"].endswith("::langfuse-dev-storage")
    )
    assert f"s3://{bucket}/events/" in plan.found[1]
