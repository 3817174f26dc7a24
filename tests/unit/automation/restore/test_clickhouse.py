"""`restore clickhouse-volume` and `restore clickhouse-backup`.

It proves what is refused and with which line, in which order Pulumi and AWS are told what, that a
second run goes on where the first one failed, and what is said when a step fails. It does not prove
that AWS and the instance do it: no account was used.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

import pytest

from langfuse_aws.automation.aws import stopping_tasks
from langfuse_aws.automation.restore import backup as restore_backup
from langfuse_aws.automation.restore import volume as restore_volume
from langfuse_aws.components.clickhouse.backup import CONTAINER
from tests.unit.automation.restore.test_restore import (
    CLUSTER,
    NOON,
    Answer,
    AwsError,
    World,
    always,
    failing,
    numbered,
    refusal,
    resource,
    run,
)

NAME: Final = "langfuse-prod-clickhouse"
SNAPSHOT: Final = "snap-0123456789abcdef0"
ALLOW: Final = "langfuse:allowReplace"
WORKER: Final = "langfuse-prod-worker-5e6f7a8"
SCALED: Final = f"service/langfuse-prod-1a2b3c4/{WORKER}"
BACKUPS: Final = "langfuse-prod-clickhouse-backups-9b0c1d2"
URL: Final = f"https://{BACKUPS}.s3.eu-west-1.amazonaws.com/clickhouse"
TASK: Final = "arn:aws:ecs:eu-west-1:123456789012:task/langfuse-prod-1a2b3c4/0f1e2d"
DEFINITION: Final = (
    "arn:aws:ecs:eu-west-1:123456789012:task-definition/langfuse-prod-clickhouse-backup:9"
)
EXTERNAL: Final = {
    "langfuse:clickhouse": {
        "mode": "external",
        "url": "https://abc.clickhouse.cloud:8443",
        "migrationUrl": "clickhouse://abc.clickhouse.cloud:9440",
    },
    "langfuse:clickhousePassword": "secret",
}


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let botocore's waiters ask at once."""
    monkeypatch.setattr("botocore.waiter.time.sleep", always(None))


def volume(volume_id: str, snapshot: str | None = None, **more: Any) -> dict[str, Any]:
    inputs = {"size": 20} | ({"snapshotId": snapshot} if snapshot else {})
    return resource("aws:ebs/volume:Volume", NAME, inputs, **more) | {"id": volume_id}


def state(*volumes: dict[str, Any]) -> list[dict[str, Any]]:
    """As much of a stack's state as the commands look at."""
    network = {"subnets": ["subnet-1", "subnet-2"], "securityGroups": ["sg-1"]}
    target = {
        "arn": CLUSTER,
        "ecsParameters": {"networkConfiguration": {**network, "assignPublicIp": True}},
    }
    refresh = {"preferences": {"instanceWarmup": "600", "minHealthyPercentage": 0}}
    return [
        *(volumes or [volume("vol-old")]),
        resource(
            "aws:autoscaling/group:Group",
            NAME,
            {"instanceRefresh": refresh},
            {"name": f"{NAME}-group"},
        ),
        resource("aws:ecs/service:Service", NAME, {"cluster": CLUSTER, "name": f"{NAME}-service"}),
        resource(
            "aws:ecs/service:Service", "langfuse-prod-worker", {"cluster": CLUSTER, "name": WORKER}
        ),
        resource(
            "aws:appautoscaling/target:Target",
            "langfuse-prod-worker",
            {"resourceId": SCALED, "minCapacity": 2},
        ),
        resource("aws:lambda/invocation:Invocation", "langfuse-prod-migration"),
        resource("aws:s3/bucket:Bucket", f"{NAME}-backups", outputs={"bucket": BACKUPS}),
        resource(
            "aws:ecs/taskDefinition:TaskDefinition",
            f"{NAME}-backup",
            {"family": f"{NAME}-backup"},
        ),
        resource("aws:scheduler/schedule:Schedule", f"{NAME}-backup", {"target": target}),
    ]


def service(parameters: dict[str, Any]) -> dict[str, Any]:
    """A service that is stable at once."""
    (name,) = parameters["services"]
    found = {"serviceName": name, "status": "ACTIVE", "desiredCount": 3, "runningCount": 3}
    return {"services": [{**found, "deployments": [{}]}], "failures": []}


def stopped_service(parameters: dict[str, Any]) -> dict[str, Any]:
    """A service without tasks."""
    (found,) = service(parameters)["services"]
    return {"services": [{**found, "desiredCount": 0, "runningCount": 0}]}


def snapshot(**changed: Any) -> dict[str, Any]:
    usual = {
        "SnapshotId": SNAPSHOT,
        "State": "completed",
        "VolumeSize": 20,
        "StartTime": NOON,
        "Progress": "100%",
    }
    return {"Snapshots": [{**usual, **changed}]}


def refresh(status: str, hours: int | None = 0, name: str = "new") -> dict[str, Any]:
    """An instance refresh that began hours ago; None: that waits to begin."""
    began = {} if hours is None else {"StartTime": NOON - timedelta(hours=hours)}
    return {"InstanceRefreshId": name, "Status": status, **began}


REFRESHING: Final[list[Answer]] = [
    {"InstanceRefreshes": [refresh("Successful", 24, "old"), refresh("Pending", None)]},
    {"InstanceRefreshes": [refresh("InProgress")]},
    {"InstanceRefreshes": [refresh("Successful")]},
]


def autoscaling() -> dict[str, Answer]:
    """Application Auto Scaling, which knows whether the worker's is held."""
    target: dict[str, Any] = {"SuspendedState": {"ScheduledScalingSuspended": False}}

    def register(params: dict[str, Any]) -> dict[str, Any]:
        target["SuspendedState"] |= params["SuspendedState"]
        return {}

    return {
        "DescribeScalableTargets": lambda _: {"ScalableTargets": [target]},
        "RegisterScalableTarget": register,
    }


def aws(**changed: Answer | list[Answer]) -> dict[str, Answer | list[Answer]]:
    return {
        "DescribeSnapshots": snapshot(),
        "DescribeServices": service,
        **autoscaling(),
        "UpdateService": {},
        "ListTasks": {"taskArns": []},
        "DescribeInstanceRefreshes": list(REFRESHING),
        "StartInstanceRefresh": {"InstanceRefreshId": "another"},
        "DescribeVolumes": {"Volumes": [{"State": "in-use"}]},
        **changed,
    }


class Restoring(World):
    """A stack whose volume `pulumi up` replaces, as the program and the guard have it."""

    def __init__(
        self,
        *volumes: dict[str, Any],
        config: Mapping[str, Any] = {},
        **answers: Answer | list[Answer],
    ) -> None:
        super().__init__(state(*volumes), config, aws(**answers))
        self.stack.on_up = self.replace

    def replace(self) -> None:
        """Replace the volume if it may be, and let the old one go in a whole update."""
        _, but, allowed = self.log[-1]
        current = self.volumes[0]
        wanted = self.stack.config.get("langfuse:clickhouse", {}).get("snapshotId")
        if NAME in allowed and current["inputs"].get("snapshotId") != wanted:
            current["delete"] = True
            self.stack.resources.append(volume("vol-new", wanted))
        if not but:
            gone = [each for each in self.stack.resources if each.get("delete")]
            self.stack.resources = [each for each in self.stack.resources if each not in gone]

    @property
    def volumes(self) -> list[dict[str, Any]]:
        """Those in the state, the current one first."""
        found = [each for each in self.stack.resources if "ebs" in each["type"]]
        return sorted(found, key=lambda each: bool(each.get("delete")))

    def run(self, snapshot_id: str = SNAPSHOT) -> Any:
        """Run the command, unasked."""
        return run(self, "clickhouse-volume", "--snapshot", snapshot_id, "--yes")


# --- the volume: refusals


@pytest.mark.parametrize(
    ("config", "answers", "snapshot_id", "words"),
    [
        (EXTERNAL, {}, SNAPSHOT, "langfuse:clickhouse.mode is external, so it has no volume here"),
        (
            {"langfuse:clickhouse": {"replicas": 3}, "langfuse:network": {"zones": 3}},
            {},
            SNAPSHOT,
            "langfuse:clickhouse.replicas is 3, and a snapshot holds one server's place in their",
        ),
        ({}, {}, "vol-1", "--snapshot vol-1: is not an EBS snapshot, as snap-0123456789abcdef0 is"),
        (
            {},
            {"DescribeSnapshots": AwsError("InvalidSnapshot.NotFound")},
            SNAPSHOT,
            f"--snapshot {SNAPSHOT}: there is none in eu-west-1. Copy it there, or see aws ec2",
        ),
        (
            {},
            {"DescribeSnapshots": snapshot(State="pending", Progress="41%")},
            SNAPSHOT,
            f"--snapshot {SNAPSHOT}: is pending, 41% done, not completed. Wait for it",
        ),
        (
            {},
            {"DescribeSnapshots": snapshot(StorageTier="archive")},
            SNAPSHOT,
            f"--snapshot {SNAPSHOT}: is archived. Get it back first, which takes up to 3 days",
        ),
        (
            {},
            {"DescribeSnapshots": snapshot(VolumeSize=21)},
            SNAPSHOT,
            f"--snapshot {SNAPSHOT}: has 21 GiB, more than the volume's 20 GiB. pulumi config set "
            "--path langfuse:clickhouse.volumeGib 21, then this command again.",
        ),
        (
            {},
            {"DescribeServices": {"services": [], "failures": [{"reason": "MISSING"}]}},
            SNAPSHOT,
            f"ECS does not know the service {WORKER}. pulumi up --refresh first.",
        ),
        (
            {},
            {"DescribeSnapshots": AwsError("UnauthorizedOperation", "You are not authorized")},
            SNAPSHOT,
            "UnauthorizedOperation",
        ),
    ],
    ids=[
        "external",
        "three servers",
        "no ID",
        "unknown",
        "not completed",
        "archived",
        "too large",
        "no worker",
        "not allowed",
    ],
)
def test_a_volume_that_cannot_be_restored_is_refused_with_one_line(
    config: dict[str, Any], answers: dict[str, Answer], snapshot_id: str, words: str
) -> None:
    world = Restoring(config=config, **answers)
    result = world.run(snapshot_id)
    assert result.exit_code == 1
    assert words in result.stderr
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    assert world.changes() == []


def test_a_snapshot_as_large_as_the_volume_will_be_is_taken() -> None:
    world = Restoring(
        config={"langfuse:clickhouse": {"volumeGib": 40}},
        DescribeSnapshots=snapshot(VolumeSize=40),
    )
    assert restore_volume.plan(world.deployed, SNAPSHOT).steps


# --- the volume: steps


def test_the_volume_is_restored_with_the_worker_stopped_and_migrated_before_it_starts() -> None:
    world = Restoring()
    result = world.run()
    assert result.exit_code == 0, result.output
    assert world.changes() == [
        "RegisterScalableTarget",
        "UpdateService",
        "config set",
        "config set",
        "up",
        "config rm",
        "up",
        "UpdateService",
        "RegisterScalableTarget",
    ]
    assert [each["desiredCount"] for each in world.params("UpdateService")] == [0, 3]
    assert {each["service"] for each in world.params("UpdateService")} == {WORKER}
    held = [each["SuspendedState"] for each in world.params("RegisterScalableTarget")]
    assert held == [
        {"DynamicScalingInSuspended": on, "DynamicScalingOutSuspended": on} for on in (True, False)
    ]
    assert {each["ResourceId"] for each in world.params("RegisterScalableTarget")} == {SCALED}
    ups = [each[1:] for each in world.log if each[0] == "up"]
    assert ups == [(["langfuse-prod-migration"], [NAME]), ([], [])], (
        "the migration waits for ClickHouse, and the guard is back by then"
    )
    assert [each["id"] for each in world.volumes] == ["vol-new"]
    assert world.stack.config["langfuse:clickhouse"] == {"snapshotId": SNAPSHOT}
    assert ALLOW not in world.stack.config


def test_nothing_is_changed_while_the_worker_still_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    monkeypatch.setattr(stopping_tasks.time, "sleep", waited.append)
    task = f"{CLUSTER.replace(':cluster/', ':task/')}/0a1b"
    looks: list[Answer] = [
        {"tasks": [{"taskArn": task, "lastStatus": status}]} for status in ("STOPPING", "STOPPED")
    ]
    world = Restoring(ListTasks={"taskArns": [task]}, DescribeTasks=looks)
    assert world.run().exit_code == 0
    names = world.calls
    assert names[names.index("UpdateService") : names.index("config set")] == [
        "UpdateService",
        "DescribeServices",
        *["ListTasks", "DescribeTasks"] * 2,
    ]
    assert world.params("ListTasks")[0] == {
        "cluster": CLUSTER,
        "serviceName": WORKER,
        "desiredStatus": "STOPPED",
    }
    assert waited[0] == stopping_tasks.POLL_SECONDS


def test_it_waits_for_the_instance_the_volume_and_the_service_before_it_migrates() -> None:
    world = Restoring()
    world.run()
    first, last = (index for index, name in enumerate(world.calls) if name == "up")
    asked = world.log[first + 1 : last]
    refreshes = [each[1] for each in asked if each[0] == "DescribeInstanceRefreshes"]
    group = {"AutoScalingGroupName": f"{NAME}-group"}
    assert refreshes == [group, *[{**group, "InstanceRefreshIds": ["new"]}] * 2]
    assert [each[1] for each in asked if each[0] == "DescribeVolumes"] == [
        {"VolumeIds": ["vol-new"]}
    ]
    assert [each[1]["services"] for each in asked if each[0] == "DescribeServices"] == [
        [f"{NAME}-service"]
    ]


def test_other_stores_that_may_be_replaced_stay_so() -> None:
    world = Restoring(config={ALLOW: ["other"]})
    world.run()
    assert world.stack.config[ALLOW] == ["other"]


@pytest.mark.parametrize("status", ["Failed", "Cancelled", "RollbackSuccessful"])
def test_an_instance_refresh_that_fails_is_told_with_its_reason(status: str) -> None:
    failed = {**refresh(status), "StatusReason": "no capacity in eu-west-1a"}
    answers: list[Answer] = [*REFRESHING[:2], {"InstanceRefreshes": [failed]}]
    world = Restoring(DescribeInstanceRefreshes=answers)
    result = world.run()
    assert result.exit_code == 1
    assert result.stderr.splitlines() == [
        f"error: Step 4 of 7 failed: instance refresh new of {NAME}-group is {status}, not "
        "Successful: no capacity in eu-west-1a",
        f"The worker {WORKER} is stopped; its jobs wait in the queue. {ALLOW} may name {NAME}: "
        "until it does not, pulumi up may replace the volume. The volume from before is still "
        "there.",
        "Correct the cause and run the same command again: it goes on from there.",
    ]
    assert [each["id"] for each in world.volumes] == ["vol-new", "vol-old"]


def failed_once(world: Restoring, number: int) -> Any:
    """Let one `pulumi up` fail."""
    ups = 0

    def replace() -> None:
        nonlocal ups
        ups += 1
        if ups == number:
            raise failing(255, "error: update failed")
        world.replace()

    world.stack.on_up = replace
    return world.run()


@pytest.mark.parametrize(
    ("number", "step", "states"),
    [
        (1, 3, ["is stopped", f"{ALLOW} may name {NAME}", "from before is still there"]),
        (2, 6, ["is stopped", "ClickHouse runs on the volume from the snapshot"]),
    ],
)
def test_an_update_that_fails_leaves_the_worker_stopped_says_so_and_can_be_repeated(
    number: int, step: int, states: list[str]
) -> None:
    world = Restoring()
    result = failed_once(world, number)
    assert result.exit_code == 1
    assert f"Step {step} of 7 failed: pulumi up failed; its output is above." in result.stderr
    assert all(words in result.stderr for words in states), result.stderr
    assert world.params("UpdateService")[-1]["desiredCount"] == 0
    world.stack.on_up = world.replace
    world.aws.answers["DescribeServices"] = stopped_service
    before = len(world.params("RegisterScalableTarget"))
    assert world.run().exit_code == 0
    held = [
        each["SuspendedState"]["DynamicScalingOutSuspended"]
        for each in world.params("RegisterScalableTarget")[before:]
    ]
    assert held == [False], "to register a target starts tasks of a service that has fewer"
    assert world.params("UpdateService")[-1]["desiredCount"] == 2, "the least that it scales to"
    assert [each["id"] for each in world.volumes] == ["vol-new"], "made once"
    assert ALLOW not in world.stack.config


def test_a_worker_that_does_not_start_is_told() -> None:
    world = Restoring()
    update: list[Answer] = [{}, AwsError("ServiceNotActiveException", "it is inactive")]
    world.aws.answers["UpdateService"] = update
    result = world.run()
    assert result.exit_code == 1
    assert "Step 7 of 7 failed" in result.stderr
    assert "ClickHouse is restored. The worker may be stopped" in result.stderr


def test_a_second_run_begins_a_refresh_again_that_failed_before() -> None:
    again: list[Answer] = [
        {"InstanceRefreshes": [refresh("Failed", 1), refresh("Successful", 30, "old")]},
        {"InstanceRefreshes": [refresh("Successful", name="another")]},
    ]
    world = Restoring(
        volume("vol-new", SNAPSHOT), volume("vol-old", delete=True), DescribeInstanceRefreshes=again
    )
    assert world.run().exit_code == 0
    assert world.params("StartInstanceRefresh") == [
        {
            "AutoScalingGroupName": f"{NAME}-group",
            "Strategy": "Rolling",
            "Preferences": {"MinHealthyPercentage": 0, "InstanceWarmup": 600},
        }
    ]
    assert world.params("DescribeInstanceRefreshes")[-1]["InstanceRefreshIds"] == ["another"]


def test_a_volume_that_was_made_from_the_snapshot_is_not_made_again() -> None:
    world = Restoring(volume("vol-new", SNAPSHOT))
    plan = restore_volume.plan(world.deployed, SNAPSHOT)
    assert any(
        "made from this snapshot already: no other one is made" in line for line in plan.found
    )
    assert not any("vol-new" in line for line in plan.lost)
    assert world.run().exit_code == 0
    assert not any(each[0] == "up" and each[2] for each in world.log), "no store may be replaced"


@pytest.mark.parametrize(
    ("kept", "words"),
    [
        (True, "Not vol-old: the stack forgets it, but it stays in AWS and is billed"),
        (False, "vol-old with all of its data: the last pulumi up deletes it. Take a snapshot"),
    ],
    ids=["protected", "not protected"],
)
def test_the_plan_says_what_is_lost(kept: bool, words: str) -> None:
    world = Restoring(volume("vol-old", retainOnDelete=kept))
    lost = restore_volume.plan(world.deployed, SNAPSHOT).lost
    assert "What ClickHouse took in after 2026-11-20 12:00 UTC" in lost[0]
    assert "replay --stack prod --since 2026-11-20T11:45:00Z" in lost[0], "jobs may have waited"
    assert lost[1].startswith(words)


def test_the_plan_names_its_steps() -> None:
    titles = numbered(restore_volume.plan(Restoring().deployed, SNAPSHOT))
    begins = ["Stop", "Set", "pulumi up, but for the migration", "Wait", "Take", "pulumi up:"]
    assert [
        title.startswith(begin) for title, begin in zip(titles, [*begins, "Start"], strict=True)
    ] == [True] * 7


# --- ClickHouse's own backups


class Bucket:
    """As much of S3 as the list of backups uses."""

    def __init__(self, *keys: str) -> None:
        self.keys = [f"clickhouse/{key}" for key in keys]

    def list(self, parameters: dict[str, Any]) -> dict[str, Any]:
        """List objects, or folders."""
        assert parameters["Bucket"] == BACKUPS
        prefix = parameters["Prefix"]
        found = [key for key in self.keys if key.startswith(prefix)]
        if "Delimiter" not in parameters:
            return {"Contents": [{"Key": found[0], "LastModified": NOON}] if found else []}
        folders = {f"{prefix}{key.removeprefix(prefix).split('/')[0]}/" for key in found}
        return {"CommonPrefixes": [{"Prefix": folder} for folder in sorted(folders)]}


FULL: Final = "2026-W47/full-20261116T023000Z"
LATER: Final = "2026-W47/incremental-20261117T023100Z"
KEYS: Final = (
    "2026-W46/full-20261109T023000Z/.backup",
    "2026-W46/incremental-20261110T023000Z/data/1",
    f"{FULL}/.backup",
    f"{FULL}/data/1",
    f"{LATER}/.backup",
    "2026-W47/other/.backup",
    "2026-W48/full-20261123T023000Z/data/1",
    "2026-W48/incremental-20261124T023000Z/.backup",
)


def described() -> dict[str, Any]:
    options = {"awslogs-group": "the-group", "awslogs-stream-prefix": CONTAINER}
    container = {
        "name": CONTAINER,
        "environment": [{"name": "BACKUP_URL", "value": URL}],
        "logConfiguration": {"logDriver": "awslogs", "options": options},
    }
    definition = {"taskDefinitionArn": DEFINITION, "containerDefinitions": [container]}
    return {"taskDefinition": definition}


def ended(code: int | None, status: str = "STOPPED") -> dict[str, Any]:
    container = {"name": CONTAINER, **({} if code is None else {"exitCode": code})}
    task = {
        "taskArn": TASK,
        "lastStatus": status,
        "stoppedReason": "Essential container in task exited",
        "containers": [{"name": "sidecar", "exitCode": 7}, container],
    }
    return {"tasks": [task]}


def restoring(world: World, *arguments: str) -> Any:
    return run(world, "clickhouse-backup", *arguments)


def backing_up(*keys: str, config: Mapping[str, Any] = {}, **answers: Answer) -> World:
    return World(
        state(),
        config,
        {
            "ListObjectsV2": Bucket(*(keys or KEYS)).list,
            "DescribeTaskDefinition": described(),
            "RunTask": ended(None),
            "DescribeTasks": [ended(None, "RUNNING"), ended(0)],
            **answers,
        },
    )


def test_complete_backups_are_listed_newest_first() -> None:
    result = restoring(backing_up(), "--list")
    assert result.exit_code == 0
    heading, *lines = result.stdout.splitlines()
    assert heading.split("  ")[0] == "For --from"
    assert [(line.split()[:3], line.split()[-2:]) for line in lines] == [
        ([LATER, "2026-11-20", "12:00"], ["incremental", "complete"]),
        ([FULL, "2026-11-20", "12:00"], ["full", "complete"]),
        (["2026-W46/full-20261109T023000Z", "2026-11-20", "12:00"], ["full", "complete"]),
    ], "neither those without .backup, nor an incremental one without its week's full one"


@pytest.mark.parametrize("source", [LATER, f"{URL}/{LATER}", f"{URL}/{LATER}/", "latest"])
@pytest.mark.parametrize("database", [None, "restored"])
def test_a_backup_is_restored_by_the_backup_task_where_the_schedule_runs_it(
    source: str, database: str | None
) -> None:
    world = backing_up()
    result = restoring(
        world,
        "--from",
        source,
        *(["--as", database] if database else []),
        "--yes",
    )
    assert result.exit_code == 0, result.output
    assert world.changes() == ["RunTask"]
    (task,) = world.params("RunTask")
    variables = [{"name": "RESTORE_FROM", "value": f"{URL}/{LATER}/"}]
    variables += [{"name": "RESTORE_AS", "value": database}] if database else []
    assert task == {
        "clientToken": task["clientToken"],
        "cluster": CLUSTER,
        "taskDefinition": DEFINITION,
        "launchType": "FARGATE",
        "platformVersion": "LATEST",
        "count": 1,
        "propagateTags": "TASK_DEFINITION",
        "networkConfiguration": {
            "awsvpcConfiguration": {
                "subnets": ["subnet-1", "subnet-2"],
                "securityGroups": ["sg-1"],
                "assignPublicIp": "ENABLED",
            }
        },
        "overrides": {"containerOverrides": [{"name": CONTAINER, "environment": variables}]},
    }
    assert world.params("DescribeTaskDefinition") == [{"taskDefinition": f"{NAME}-backup"}]
    told = "replay --stack prod --since 2026-11-17T02:16:00Z" in result.stdout
    assert told == (database is None), "what came in since is missing where Langfuse reads"
    assert (
        "exit code 0; ECS: Essential container in task exited; nothing about the container. Log "
        "group the-group, log stream backup/backup/0f1e2d."
    ) in result.stdout


@pytest.mark.parametrize(("code", "said"), [(1, "1"), (None, "none")])
def test_a_task_that_fails_is_told_with_its_log(code: int | None, said: str) -> None:
    result = restoring(backing_up(DescribeTasks=ended(code)), "--from", FULL, "--yes")
    assert result.exit_code == 1
    assert result.stderr.splitlines()[:2] == [
        f"error: Step 2 of 2 failed: exit code {said}; ECS: Essential container in task exited; "
        "nothing about the container. Log group the-group, log stream backup/backup/0f1e2d.",
        "If it still runs, it goes on alone. If it has ended, default may hold a part of the "
        "backup; its log says more.",
    ]


def test_a_task_that_is_not_placed_is_told() -> None:
    nowhere = {"tasks": [], "failures": [{"reason": "RESOURCE:ENI", "detail": "no address left"}]}
    result = restoring(backing_up(RunTask=nowhere), "--from", FULL, "--yes")
    assert result.exit_code == 1
    assert "ECS did not start the task: RESOURCE:ENI no address left." in result.stderr
    assert "No task runs; nothing was changed." in result.stderr


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ([], "either --list or --from is needed, not both. --list shows what is there."),
        (
            ["--list", "--from", FULL],
            "either --list or --from is needed, not both. --list shows what is there.",
        ),
        (
            ["--list", "--as", "restored"],
            "--as is for --from. Leave it out, or say which backup to restore.",
        ),
        *(
            (
                ["--from", FULL, "--as", name],
                f"--as {name}: is not the name of a new database: a-z, 0-9 and _, not beginning "
                "with a digit, and none of default, information_schema, system. For example: --as "
                "restored.",
            )
            for name in ("default", "Restored", "a-b", "1a")
        ),
        *(
            (
                ["--from", name],
                f"--from {name}: there is no such complete backup below {URL}/. restore "
                "clickhouse-backup --stack prod --list shows those that are.",
            )
            for name in (
                "2026-W46/incremental-20261110T023000Z",
                "2026-W48/incremental-20261124T023000Z",
                f"https://elsewhere.s3.eu-west-1.amazonaws.com/clickhouse/{FULL}",
            )
        ),
    ],
)
def test_a_mistake_about_a_backup_is_one_line(arguments: list[str], line: str) -> None:
    world = backing_up()
    result = restoring(world, *arguments, *([] if "--list" in arguments else ["--yes"]))
    wrong = 1 if "there is no such" in line else 2
    assert (result.exit_code, result.stderr) == (wrong, f"error: {line}\n")
    assert world.changes() == []


def test_a_bucket_without_backups_is_one_line() -> None:
    result = restoring(backing_up("2026-W48/full-20261123T023000Z/data/1"), "--list")
    assert (result.exit_code, result.stderr) == (
        1,
        "error: stack prod: has no complete backup yet. The first one is made in the night.\n",
    )


def test_an_external_clickhouse_has_no_backups_here() -> None:
    line = refusal(lambda: restore_backup.backups(backing_up(config=EXTERNAL).deployed))
    assert line == (
        "stack prod: langfuse:clickhouse.mode is external, so this stack makes no backups of it. "
        "Restore it where it runs."
    )
