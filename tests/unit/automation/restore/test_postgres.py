"""`restore postgres`.

It proves which snapshots are refused and with which line, in which order Pulumi and RDS are told
what, that only a database that goes loses its deletion protection, and what is said of it. It does
not prove that RDS makes a database of a snapshot: no account was used.
"""

from collections.abc import Mapping
from typing import Any, Final

import pytest

from langfuse_aws.automation.restore import postgres as restore_postgres
from tests.unit.automation.restore.test_restore import (
    NOON,
    Answer,
    AwsError,
    World,
    failing,
    numbered,
    resource,
    run,
)

NAME: Final = "langfuse-prod-postgres"
ALLOW: Final = "langfuse:allowReplace"
AURORA: Final = {"mode": "auroraServerless"}
INSTANCE: Final = {"mode": "instance"}
CLUSTER_TYPE: Final = "aws:rds/cluster:Cluster"
INSTANCE_TYPE: Final = "aws:rds/instance:Instance"
NO_CLUSTER_SNAPSHOT: Final = AwsError("DBClusterSnapshotNotFoundFault")
NO_SNAPSHOT: Final = AwsError("DBSnapshotNotFound")


def database(
    identifier: str,
    *,
    kind: str = CLUSTER_TYPE,
    snapshot: str | None = None,
    protected: bool = True,
    **more: Any,
) -> dict[str, Any]:
    """A database in the state."""
    key = "clusterIdentifier" if kind == CLUSTER_TYPE else "identifier"
    inputs = {"deletionProtection": protected, "skipFinalSnapshot": not protected}
    inputs |= {"snapshotIdentifier": snapshot} if snapshot else {}
    outputs = {key: identifier, "finalSnapshotIdentifier": f"{identifier}-final"}
    return resource(kind, NAME, inputs, outputs, **more)


def of_cluster(**changed: Any) -> dict[str, Any]:
    usual = {
        "Status": "available",
        "Engine": "aurora-postgresql",
        "EngineVersion": "16.6",
        "StorageEncrypted": True,
        "AllocatedStorage": 1,
        "MasterUsername": "langfuse",
        "DBClusterIdentifier": "old",
        "DbClusterResourceId": "cluster-OLD",
        "SnapshotCreateTime": NOON,
    }
    return {"DBClusterSnapshots": [{**usual, **changed}]}


def of_instance(**changed: Any) -> dict[str, Any]:
    usual = {
        "Status": "available",
        "Engine": "postgres",
        "EngineVersion": "16.6",
        "Encrypted": True,
        "AllocatedStorage": 35,
        "MasterUsername": "langfuse",
        "DBInstanceIdentifier": "old",
        "DbiResourceId": "db-OLD",
        "SnapshotCreateTime": NOON,
    }
    return {"DBSnapshots": [{**usual, **changed}]}


class Restoring(World):
    """A stack whose database `pulumi up` replaces, as the program and the guard have it."""

    def __init__(
        self,
        *databases: dict[str, Any],
        postgres: Mapping[str, Any] = AURORA,
        protected: bool = True,
        answers: Mapping[str, Answer] = {},
    ) -> None:
        super().__init__(
            databases or [database("old")],
            {"langfuse:postgres": postgres, "langfuse:deletionProtection": protected},
            {
                "DescribeDBClusterSnapshots": of_cluster(),
                "DescribeDBSnapshots": NO_SNAPSHOT,
                "DescribeDBClusters": AwsError("DBClusterNotFoundFault"),
                "DescribeDBInstances": AwsError("DBInstanceNotFound"),
                "ModifyDBCluster": {},
                "ModifyDBInstance": {},
                **answers,
            },
        )

    def run(self) -> Any:
        """Run the command, unasked."""
        return run(self, "postgres", "--snapshot", "nightly", "--yes")


@pytest.mark.parametrize(
    ("postgres", "answers", "words"),
    [
        (
            {"mode": "external", "host": "db.example.com", "user": "u", "database": "d"},
            {},
            "stack prod: langfuse:postgres.mode is external. Restore it where it runs.",
        ),
        (
            AURORA,
            {"DescribeDBClusterSnapshots": NO_CLUSTER_SNAPSHOT},
            "--snapshot nightly: there is none in eu-west-1. See aws rds "
            "describe-db-cluster-snapshots.",
        ),
        (
            INSTANCE,
            {"DescribeDBClusterSnapshots": AwsError("InvalidParameterValue")},
            "--snapshot nightly: there is none in eu-west-1. See aws rds describe-db-snapshots.",
        ),
        (
            AURORA,
            {
                "DescribeDBClusterSnapshots": NO_CLUSTER_SNAPSHOT,
                "DescribeDBSnapshots": of_instance(),
            },
            "--snapshot nightly: is of postgres, and langfuse:postgres.mode auroraServerless begins"
            " with one of aurora-postgresql. Choose another one, or set the mode that it is of.",
        ),
        (
            INSTANCE,
            {},
            "--snapshot nightly: is of aurora-postgresql, and langfuse:postgres.mode instance "
            "begins with one of postgres. Choose another one, or set the mode that it is of.",
        ),
        (
            AURORA,
            {"DescribeDBClusterSnapshots": of_cluster(Engine="aurora-mysql")},
            "is of aurora-mysql, and langfuse:postgres.mode auroraServerless begins with one of",
        ),
        (
            AURORA,
            {"DescribeDBClusterSnapshots": of_cluster(Status="creating", SnapshotCreateTime=NOON)},
            "--snapshot nightly: is creating, not available. Wait for it, or choose another one.",
        ),
        (
            AURORA,
            {"DescribeDBClusterSnapshots": of_cluster(EngineVersion="15.10")},
            "--snapshot nightly: is of PostgreSQL 15, and the stack runs 16. Restore it beside",
        ),
        (
            AURORA,
            {"DescribeDBClusterSnapshots": of_cluster(StorageEncrypted=False)},
            "is not encrypted, and the stack's databases are. Make an encrypted cluster of it: aws "
            "rds restore-db-cluster-from-snapshot --snapshot-identifier nightly "
            "--db-cluster-identifier encrypted --engine aurora-postgresql --engine-version 16.6 "
            "--kms-key-id alias/aws/rds",
        ),
        (
            INSTANCE,
            {"DescribeDBSnapshots": of_instance(Encrypted=False)},
            "Copy it with a key: aws rds copy-db-snapshot --source-db-snapshot-identifier nightly "
            "--target-db-snapshot-identifier encrypted --kms-key-id alias/aws/rds",
        ),
        (
            AURORA,
            {"DescribeDBClusterSnapshots": of_cluster(MasterUsername="postgres")},
            "--snapshot nightly: has the master user postgres, and the stack's is langfuse, which "
            "a restore does not change.",
        ),
        (
            INSTANCE,
            {
                "DescribeDBSnapshots": of_instance(),
                "DescribeDBInstances": {
                    "DBInstances": [{"DbiResourceId": "db-OLD", "DBName": "app"}]
                },
            },
            "--snapshot nightly: has the database app, and the stack's is langfuse, which a restore"
            " does not change.",
        ),
        (
            AURORA,
            {
                "DescribeDBClusters": {
                    "DBClusters": [{"DbClusterResourceId": "cluster-OLD", "DatabaseName": "app"}]
                }
            },
            "--snapshot nightly: has the database app, and the stack's is langfuse",
        ),
        (
            INSTANCE,
            {"DescribeDBSnapshots": of_instance(AllocatedStorage=182)},
            "--snapshot nightly: has 182 GiB, and an instance of langfuse:postgres.mode instance "
            "can begin with 181 GiB at the most.",
        ),
    ],
    ids=[
        "external",
        "no cluster snapshot",
        "no instance snapshot",
        "instance for cluster",
        "cluster for instance",
        "another engine",
        "not available",
        "another major",
        "cluster not encrypted",
        "instance not encrypted",
        "another owner",
        "another database",
        "another database of a cluster",
        "too large",
    ],
)
def test_a_snapshot_that_the_database_cannot_begin_with_is_refused_with_one_line(
    postgres: Mapping[str, Any], answers: dict[str, Answer], words: str
) -> None:
    kind = INSTANCE_TYPE if postgres is INSTANCE else CLUSTER_TYPE
    world = Restoring(database("old", kind=kind), postgres=postgres, answers=answers)
    if postgres["mode"] == "external":
        world.stack.config["langfuse:postgresPassword"] = "secret"
    result = world.run()
    assert result.exit_code == 1
    assert result.stderr.startswith("error: ")
    assert words in result.stderr
    assert result.stderr.count("\n") == 1
    assert world.changes() == []


@pytest.mark.parametrize(
    ("postgres", "kind", "answers", "operation", "key"),
    [
        (AURORA, CLUSTER_TYPE, {}, "ModifyDBCluster", "DBClusterIdentifier"),
        (
            INSTANCE,
            INSTANCE_TYPE,
            {"DescribeDBSnapshots": of_instance()},
            "ModifyDBInstance",
            "DBInstanceIdentifier",
        ),
    ],
    ids=["Aurora", "instance"],
)
def test_a_protected_database_is_unlocked_replaced_and_protected_again(
    postgres: Mapping[str, Any],
    kind: str,
    answers: dict[str, Answer],
    operation: str,
    key: str,
) -> None:
    world = Restoring(database("old", kind=kind), postgres=postgres, answers=answers)
    result = world.run()
    assert result.exit_code == 0, result.output
    assert world.changes() == ["config set", "config set", operation, "up", "config rm", "up"]
    assert world.params(operation) == [
        {key: "old", "DeletionProtection": False, "ApplyImmediately": True}
    ]
    assert [each[1:] for each in world.log if each[0] == "up"] == [([], [NAME]), ([], [])]
    assert world.stack.config["langfuse:postgres"] == {**postgres, "snapshotIdentifier": "nightly"}
    assert "1. Set langfuse:postgres.snapshotIdentifier" in result.stdout
    assert "Turn AWS's deletion protection of old off: pulumi up deletes it." in result.stdout
    assert "AWS keeps the snapshot old-final, billed until you delete it." in result.stdout


def test_a_snapshot_of_a_database_that_is_gone_or_another_one_now_is_taken_at_its_word() -> None:
    others = {"DBClusters": [{"DbClusterResourceId": "cluster-NEW", "DatabaseName": "app"}]}
    large = of_instance(AllocatedStorage=181)
    for world in (
        Restoring(answers={"DescribeDBClusters": others}),
        Restoring(
            database("old", kind=INSTANCE_TYPE),
            postgres=INSTANCE,
            answers={"DescribeDBSnapshots": large},
        ),
    ):
        result = world.run()
        assert result.exit_code == 0, result.output


@pytest.mark.parametrize(
    ("kind", "identifier", "wanted"),
    [
        (CLUSTER_TYPE, "nightly", None),
        (CLUSTER_TYPE, "rds:old-2026-11-01-03-07", "automated"),
        (CLUSTER_TYPE, "awsbackup:job-0a1b", None),
        (INSTANCE_TYPE, "rds:old-2026-11-01-03-07", "automated"),
        (INSTANCE_TYPE, "awsbackup:job-0a1b", "awsbackup"),
    ],
)
def test_rds_is_asked_for_the_type_of_a_snapshot_that_it_tells_of_only_then(
    kind: str, identifier: str, wanted: str | None
) -> None:
    aurora = kind == CLUSTER_TYPE
    world = Restoring(
        database("old", kind=kind),
        postgres=AURORA if aurora else INSTANCE,
        answers={} if aurora else {"DescribeDBSnapshots": of_instance()},
    )
    restore_postgres.plan(world.deployed, identifier)
    (asked,) = world.params("DescribeDBClusterSnapshots" if aurora else "DescribeDBSnapshots")
    assert asked.get("SnapshotType") == wanted


def test_an_unprotected_database_is_replaced_without_a_snapshot_and_the_plan_says_so() -> None:
    world = Restoring(database("old", protected=False), protected=False)
    result = world.run()
    assert result.exit_code == 0, result.output
    assert world.changes() == ["config set", "config set", "up", "config rm"]
    assert "old with all of its data: pulumi up deletes it, without a snapshot." in result.stdout


def test_a_failed_update_says_what_is_unlocked() -> None:
    world = Restoring()

    def fail() -> None:
        raise failing(255, "error: update failed")

    world.stack.on_up = fail
    result = world.run()
    assert result.exit_code == 1
    assert result.stderr.splitlines() == [
        "error: Step 3 of 5 failed: pulumi up failed; its output is above.",
        f"{ALLOW} may name {NAME}: until it does not, pulumi up may replace the database. AWS's "
        "deletion protection of old may be off. Web and worker may still use the old database.",
        "Correct the cause and run the same command again: it goes on from there.",
    ]


def test_a_second_run_makes_no_other_database_and_leaves_the_new_one_protected() -> None:
    world = Restoring(database("new", snapshot="nightly"), database("old", delete=True))
    world.stack.config[ALLOW] = [NAME]
    plan = restore_postgres.plan(world.deployed, "nightly")
    assert "made from this snapshot already: no other one is made" in plan.found[-1]
    assert len(numbered(plan)) == 4
    result = world.run()
    assert result.exit_code == 0, result.output
    assert [each["DBClusterIdentifier"] for each in world.params("ModifyDBCluster")] == ["old"]
    assert world.changes() == ["ModifyDBCluster", "up", "config rm", "up"]


def test_the_time_of_a_copy_is_the_time_of_what_was_copied() -> None:
    later = NOON.replace(month=12)
    world = Restoring(
        database("old", kind=INSTANCE_TYPE),
        postgres=INSTANCE,
        answers={
            "DescribeDBSnapshots": of_instance(
                OriginalSnapshotCreateTime=NOON, SnapshotCreateTime=later
            )
        },
    )
    plan = restore_postgres.plan(world.deployed, "nightly")
    assert plan.lost[0].startswith("What PostgreSQL took in after 2026-11-20 12:00 UTC")
