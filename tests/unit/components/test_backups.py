"""Backups as registered: ClickHouse's own ones, and AWS Backup's snapshots and their copies.

What the backup task does is the business of test_clickhouse_backup.py. Nothing is backed up here.
"""

import json
from functools import cache
from typing import Any

import pulumi
import pytest

from langfuse_aws.components.protection.backups import DAILY, Backups, BackupsArgs, clear_of
from langfuse_aws.components.shared.location import Location
from langfuse_aws.offline.mocks import OfflineMocks, Registration
from langfuse_aws.settings.model import Backups as BackupSettings
from langfuse_aws.settings.sizing import SIZING
from tests.unit.stack_graph import ROOT, Graph, RecordingMonitor, build, shipped

BUCKET = "aws:s3/bucket:Bucket"
PLAN = "aws:backup/plan:Plan"
SELECTION = "aws:backup/selection:Selection"
VAULT = "aws:backup/vault:Vault"
LOCK = "aws:backup/vaultLockConfiguration:VaultLockConfiguration"
ROLE = "aws:iam/role:Role"
SCHEDULE = "aws:scheduler/schedule:Schedule"
TASK = "aws:ecs/taskDefinition:TaskDefinition"
VOLUME = "aws:ebs/volume:Volume"
STACKS = ["dev", "prod"]
COPY_REGION = "eu-west-1"


@cache
def copied() -> Graph:
    """The production stack with three servers, copies in a second region, and a lock."""
    return build(
        "prod",
        {
            "size": "prod",
            "domain": "langfuse.example.com",
            "clickhouse": {"replicas": 3},
            "backups": {"copyRegion": COPY_REGION, "vaultLock": True},
        },
    )


def bucket_of(graph: Graph, stack: str) -> Registration:
    return graph.one(BUCKET, f"langfuse-{stack}-clickhouse-backups")


def rules(graph: Graph, plan: str) -> dict[str, dict[str, Any]]:
    return {rule["ruleName"]: rule for rule in graph.one(PLAN, plan).inputs["rules"]}


# --- ClickHouse's own backups


@pytest.mark.parametrize(("stack", "days"), [("dev", 14), ("prod", 35)])
def test_the_bucket_keeps_backups_for_a_week_more_and_deleted_ones_for_a_week(
    stack: str, days: int
) -> None:
    graph = shipped(stack)
    bucket = bucket_of(graph, stack)
    versioning = graph.one("aws:s3/bucketVersioning:BucketVersioning", bucket.name).inputs
    token = "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration"
    lifecycle = graph.one(token, bucket.name).inputs
    assert versioning["versioningConfiguration"] == {"status": "Enabled"}
    assert {lifecycle["bucket"], versioning["bucket"]} == {bucket.id}
    (rule,) = lifecycle["rules"]
    assert rule == {
        "id": "expire-backups",
        "status": "Enabled",
        "filter": {"prefix": ""},
        "expiration": {"days": days},
        "noncurrentVersionExpiration": {"noncurrentDays": 7},
        "abortIncompleteMultipartUpload": {"daysAfterInitiation": 7},
    }, "an incremental backup needs the full one of its week"


@pytest.mark.parametrize("stack", STACKS)
def test_only_the_servers_may_use_the_backups(stack: str) -> None:
    graph = shipped(stack)
    bucket = bucket_of(graph, stack).outputs
    policies = {
        each.name: each.inputs["policy"] for each in graph.of_type("aws:iam/rolePolicy:RolePolicy")
    }
    using = [name for name, policy in policies.items() if bucket["bucket"] in policy]
    assert using == [f"langfuse-{stack}-clickhouse-task"], "web could delete every backup"
    listing, objects = graph.policy(using[0])
    assert (listing["Action"], listing["Resource"]) == (["s3:ListBucket"], [bucket["arn"]])
    assert objects["Resource"] == [f"{bucket['arn']}/*"]
    role = graph.one(ROLE, using[0]).outputs["arn"]
    roles = {task.name: task.inputs["taskRoleArn"] for task in graph.of_type(TASK)}
    assert [name for name, arn in roles.items() if arn == role] == [f"langfuse-{stack}-clickhouse"]


@pytest.mark.parametrize("stack", STACKS)
def test_the_task_asks_the_servers_to_write_to_the_bucket(stack: str) -> None:
    graph = shipped(stack)
    definition, plain = graph.container("backup"), graph.environment("backup")
    assert definition["image"] == graph.container("clickhouse")["image"], "its client"
    script = (ROOT / "components/clickhouse/backup.sh").read_text(encoding="utf-8")
    assert [*definition["entryPoint"], *definition["command"]] == ["/bin/bash", "-euc", script]
    host = bucket_of(graph, stack).outputs["bucketRegionalDomainName"]
    assert plain == {
        "BACKUP_ON_CLUSTER": "",
        "BACKUP_URL": f"https://{host}/clickhouse",
        "CLICKHOUSE_HOST": f"clickhouse.langfuse-{stack}.internal",
        "CLICKHOUSE_USER": "langfuse",
    }
    password = graph.secrets("web")["CLICKHOUSE_PASSWORD"]
    assert graph.secrets("backup") == {"CLICKHOUSE_PASSWORD": password}


def test_three_servers_are_backed_up_together() -> None:
    plain = copied().environment("backup")
    assert plain["BACKUP_ON_CLUSTER"] == "ON CLUSTER default"
    assert plain["CLICKHOUSE_HOST"] == "clickhouse.langfuse-prod.internal", "any of them"


@pytest.mark.parametrize("stack", STACKS)
def test_the_task_runs_daily_on_fargate_where_web_is(stack: str) -> None:
    graph, name = shipped(stack), f"langfuse-{stack}-clickhouse-backup"
    schedule = graph.one(SCHEDULE).inputs
    assert schedule["scheduleExpression"] == "cron(30 2 * * ? *)"
    assert schedule["scheduleExpressionTimezone"] == "UTC"
    assert schedule.get("state", "ENABLED") == "ENABLED"
    target = schedule["target"]
    cluster = graph.one("aws:ecs/cluster:Cluster").outputs["arn"]
    assert (target["arn"], target["retryPolicy"]) == (cluster, {"maximumRetryAttempts": 3})
    task = graph.one(TASK, name)
    parameters = target["ecsParameters"]
    assert parameters["taskDefinitionArn"] == task.outputs["arn"]
    assert (parameters["launchType"], parameters["taskCount"]) == ("FARGATE", 1)
    assert task.inputs["requiresCompatibilities"] == ["FARGATE"]
    assert (task.inputs["cpu"], task.inputs["memory"]) == ("256", "512")
    group = graph.one("aws:ec2/securityGroup:SecurityGroup", name).id
    web = graph.one("aws:ecs/service:Service", f"langfuse-{stack}-web").inputs
    assert parameters["networkConfiguration"] == {
        **web["networkConfiguration"],
        "securityGroups": [group],
    }


@pytest.mark.parametrize("stack", STACKS)
def test_the_schedule_may_run_this_task_in_this_cluster_and_not_more(stack: str) -> None:
    graph, name = shipped(stack), f"langfuse-{stack}-clickhouse-backup"
    role, task = graph.one(ROLE, f"{name}-scheduler"), graph.one(TASK, name)
    assert graph.one(SCHEDULE).inputs["target"]["roleArn"] == role.outputs["arn"]
    trust = json.loads(role.inputs["assumeRolePolicy"])["Statement"][0]
    assert trust["Principal"] == {"Service": "scheduler.amazonaws.com"}
    cluster = graph.one("aws:ecs/cluster:Cluster").outputs["arn"]
    family = task.outputs["arn"].rsplit(":", 1)[0]
    assert graph.policy(role.name) == [
        {
            "Effect": "Allow",
            "Action": ["ecs:RunTask"],
            "Resource": [f"{family}:*"],
            "Condition": {"ArnEquals": {"ecs:cluster": cluster}},
        },
        {
            "Effect": "Allow",
            "Action": ["ecs:TagResource"],
            "Resource": [f"{cluster.replace(':cluster/', ':task/')}/*"],
        },
        {
            "Effect": "Allow",
            "Action": ["iam:PassRole"],
            "Resource": [task.inputs["executionRoleArn"], task.inputs["taskRoleArn"]],
            "Condition": {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}},
        },
    ]


# --- AWS Backup


@pytest.mark.parametrize(
    ("stack", "days"), [("dev", {"daily": 7}), ("prod", {"daily": 35, "hourly": 2})]
)
def test_the_volumes_have_daily_snapshots_and_hourly_ones_when_asked_for(
    stack: str, days: dict[str, int]
) -> None:
    graph = shipped(stack)
    vault = graph.one(VAULT)
    found = rules(graph, f"langfuse-{stack}-backups-volumes")
    assert {label: rule["lifecycle"]["deleteAfter"] for label, rule in found.items()} == days
    schedules = {"daily": "cron(45 1 ? * * *)", "hourly": "cron(15 * ? * * *)"}
    for label, rule in found.items():
        assert rule["targetVaultName"] == vault.outputs["name"]
        assert rule["schedule"] == schedules[label]
        assert rule["scheduleExpressionTimezone"] == "Etc/UTC"
        assert rule["completionWindow"] >= rule["startWindow"] + 60, "AWS Backup refuses less"
        assert "copyActions" not in rule, "nobody asked for copies"
    assert [each.name for each in graph.of_type(PLAN)] == [f"langfuse-{stack}-backups-volumes"]
    assert graph.of_type(LOCK) == []


@pytest.mark.parametrize("servers", [1, 3])
def test_exactly_the_volumes_are_selected(servers: int) -> None:
    graph = copied() if servers == 3 else shipped("prod")
    selection = graph.one(SELECTION, "langfuse-prod-backups-volumes").inputs
    assert sorted(selection["resources"]) == sorted(
        each.outputs["arn"] for each in graph.of_type(VOLUME)
    )
    assert len(selection["resources"]) == servers
    assert selection["planId"] == graph.one(PLAN, "langfuse-prod-backups-volumes").id


@pytest.mark.parametrize("stack", STACKS)
def test_aws_backup_has_a_role_that_can_take_snapshots_and_not_restore(stack: str) -> None:
    graph = shipped(stack)
    role = graph.one(ROLE, f"langfuse-{stack}-backups")
    trust = json.loads(role.inputs["assumeRolePolicy"])["Statement"][0]
    assert trust["Principal"] == {"Service": "backup.amazonaws.com"}
    attached = [
        each.inputs["policyArn"]
        for each in graph.of_type("aws:iam/rolePolicyAttachment:RolePolicyAttachment")
        if each.inputs["role"] == role.outputs["name"]
    ]
    policy = "arn:aws:iam::aws:policy/service-role/AWSBackupServiceRolePolicyForBackup"
    assert attached == [policy]
    assert graph.one(SELECTION).inputs["iamRoleArn"] == role.outputs["arn"]


def test_daily_snapshots_and_no_hourly_ones_are_copied_to_a_vault_in_the_second_region() -> None:
    graph = copied()
    here, there = (
        graph.one(VAULT, "langfuse-prod-backups"),
        graph.one(VAULT, "langfuse-prod-backups-copy"),
    )
    assert "region" not in here.inputs
    assert there.inputs["region"] == COPY_REGION
    found = rules(graph, "langfuse-prod-backups-volumes")
    assert found["daily"]["copyActions"] == [
        {"destinationVaultArn": there.outputs["arn"], "lifecycle": {"deleteAfter": 35}}
    ]
    assert f":{COPY_REGION}:" in there.outputs["arn"]
    assert "copyActions" not in found["hourly"]
    for vault in (here, there):
        assert graph.options_of(vault).protect, vault.name
        assert vault.inputs["forceDestroy"] is False, vault.name


def test_the_database_is_copied_with_the_volumes() -> None:
    graph = copied()
    daily = rules(graph, "langfuse-prod-backups-volumes")["daily"]
    assert rules(graph, "langfuse-prod-backups-database") == {"daily": daily}
    selection = graph.one(SELECTION, "langfuse-prod-backups-database").inputs
    assert selection["resources"] == [graph.one("aws:rds/cluster:Cluster").outputs["arn"]]


def test_each_vault_is_locked_for_what_it_gets_in_governance_mode() -> None:
    graph = copied()
    locks = {each.inputs["backupVaultName"]: each.inputs for each in graph.of_type(LOCK)}
    assert set(locks) == {each.outputs["name"] for each in graph.of_type(VAULT)}
    for vault in graph.of_type(VAULT):
        lock = locks[vault.outputs["name"]]
        assert (lock["minRetentionDays"], lock["maxRetentionDays"]) == (2, 35)
        assert "changeableForDays" not in lock, "nobody could ever take that lock away"
        assert lock.get("region") == vault.inputs.get("region")


class OrderMonitor(RecordingMonitor):
    """Notes what is deleted before its replacement is made."""

    def __init__(self, mocks: OfflineMocks) -> None:
        super().__init__(mocks)
        self.deleted_first: set[tuple[str, str]] = set()

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802
        """Note the option."""
        if request.deleteBeforeReplace:
            self.deleted_first.add((request.type, request.name))
        return super().RegisterResource(request)


def alone(copy_region: str) -> OrderMonitor:
    """Run a program that is nothing but locked backups of one volume in us-east-1."""
    mocks = OfflineMocks()
    monitor = OrderMonitor(mocks)
    pulumi.runtime.set_mocks(mocks, preview=False, monitor=monitor)
    settings = BackupSettings.model_validate(
        {**SIZING["dev"]["backups"], "vaultLock": True, "copyRegion": copy_region}
    )

    @pulumi.runtime.test  # pyright: ignore[reportUnknownMemberType]
    def program() -> None:
        arn = pulumi.Output.from_input("arn:aws:ec2:us-east-1:123456789012:volume/vol-1")
        location = Location("us-east-1", "aws", "123456789012")
        Backups("backups", BackupsArgs(settings, location, [arn], None, protected=False))

    program()
    return monitor


def test_a_lock_goes_before_the_one_that_takes_its_place() -> None:
    assert alone(COPY_REGION).deleted_first == {(LOCK, "backups"), (LOCK, "backups-copy")}, (
        "deleting the old one afterwards would take the lock from the vault"
    )


@pytest.mark.parametrize(
    ("windows", "begins"),
    [
        ((), "cron(45 1 ? * * *)"),
        (("06:20-06:50", "sun:10:02-sun:10:32"), "cron(45 1 ? * * *)"),
        (("03:46-04:16",), "cron(45 1 ? * * *)"),
        (("03:45-04:15",), "cron(45 4 ? * * *)"),
        (("23:59-01:44",), "cron(45 1 ? * * *)"),
        (("23:50-01:45",), "cron(15 2 ? * * *)"),
        (("01:14-01:44", "tue:03:20-tue:03:50"), "cron(15 4 ? * * *)"),
    ],
)
def test_a_copy_of_an_instance_begins_outside_of_its_windows(
    windows: tuple[str, ...], begins: str
) -> None:
    assert clear_of(windows) == begins


def test_the_plan_of_an_instance_goes_by_the_windows_that_aws_has_given_it() -> None:
    graph = build("dev", {"size": "dev", "backups": {"copyRegion": COPY_REGION}})
    database = graph.one("aws:rds/instance:Instance").outputs
    windows = database["backupWindow"], database["maintenanceWindow"]
    plans = {
        label: rules(graph, f"langfuse-dev-backups-{label}")["daily"]["schedule"]
        for label in ("database", "volumes")
    }
    assert plans == {"database": clear_of(windows), "volumes": DAILY}
    assert clear_of(windows) != DAILY, "or this proves nothing"
