"""`rotate`: in which order Pulumi and AWS are told what, where it goes on, and what it refuses.

That `pulumi up` does what the stack file says is tried in tests/engine/test_rotation.py, and the
statements that PostgreSQL gets in tests/queues/test_rotation.py. AWS's answers are written down.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import pytest
from typer.testing import CliRunner

from langfuse_aws.automation.__main__ import app
from langfuse_aws.automation.aws import stopping_tasks, worker_script
from langfuse_aws.automation.cli.words import Target
from langfuse_aws.automation.restore import postgres as restore_postgres
from langfuse_aws.automation.rotate import command
from langfuse_aws.automation.rotate.command import PLANS
from langfuse_aws.automation.rotate.database import orders
from langfuse_aws.components.protection.snapshots import ROTATION_USER
from tests.unit.automation.restore import test_replay as replaying
from tests.unit.automation.restore.test_restore import (
    CLUSTER,
    Answer,
    World,
    always,
    failing,
    refusal,
    resource,
)

SERVICE: Final = "aws:ecs/service:Service"
SECTION: Final = "langfuse:rotation"
OLD_TASK: Final = "arn:aws:ecs:eu-west-1:123456789012:task/langfuse-prod-1a2b3c4/old"
STEADY: Final = {"deployments": [{"status": "PRIMARY"}]}
EXTERNAL: Final = {"mode": "external", "host": "db.example.com", "user": "u", "database": "d"}


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look again at once."""
    for module in (worker_script, stopping_tasks):
        monkeypatch.setattr(module.time, "sleep", always(None))


def said(*lines: str) -> dict[str, Any]:
    """A log, as every look at it finds it."""
    return {"events": [{"message": line} for line in lines], "nextForwardToken": "end"}


class Rotating(World):
    """A stack whose database is an instance, with a web and a worker on ECS."""

    def __init__(
        self,
        rotation: Mapping[str, Any] = {},
        config: Mapping[str, Any] = {},
        answers: Mapping[str, Answer | list[Answer]] = {},
    ) -> None:
        names = {part: f"langfuse-prod-{part}" for part in ("web", "worker", "postgres", "redis")}
        (service,) = replaying.services()["services"]
        super().__init__(
            [
                resource(SERVICE, names["web"], {}, {"cluster": CLUSTER, "name": "web-1a2b3c4"}),
                resource(
                    SERVICE, names["worker"], {}, {"cluster": CLUSTER, "name": replaying.WORKER}
                ),
                resource(
                    "aws:rds/instance:Instance", names["postgres"], {}, {"identifier": "pg-1"}
                ),
                resource(
                    "aws:elasticache/replicationGroup:ReplicationGroup",
                    names["redis"],
                    {},
                    {"replicationGroupId": "valkey-1"},
                ),
                resource("aws:secretsmanager/secret:Secret", "langfuse-prod-keys"),
            ],
            {SECTION: dict(rotation), **config},
            {
                **replaying.aws(GetLogEvents=[said('rotate: {"done":"begin"}')]),
                "DescribeServices": {"services": [{**service, **STEADY}]},
                "DescribeDBInstances": {"DBInstances": [{"DBInstanceStatus": "available"}]},
                "DescribeReplicationGroups": {"ReplicationGroups": [{"Status": "available"}]},
                "ListTasks": {"taskArns": []},
                **answers,
            },
        )

    def run(self, target: Target, *options: str) -> Any:
        """Run the command."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(command, "open_stack", always(self.deployed))
            return CliRunner().invoke(app, ["rotate", target, "--stack", "prod", *options])

    @property
    def told(self) -> list[Any]:
        """What was changed, in order: values of the stack file, updates, and tasks' actions."""
        found: list[Any] = []
        for name, *rest in self.log:
            if name == "config set-all":
                prefix = f"{SECTION}."
                found.append({key.removeprefix(prefix): value for key, value in rest[0].items()})
            elif name == "RunTask":
                (container,) = rest[0]["overrides"]["containerOverrides"]
                found.append(container["command"][3])
            elif not name.startswith(("Describe", "List", "Get")):
                found.append(name)
        return found


WAYS: Final[Mapping[Target, list[Any]]] = {
    "database": [
        "begin",
        {"databaseStep": "begun"},
        "up",
        {"databaseStep": "ending", "databaseVersion": "2"},
        "up",
        "end",
        "config rm",
    ],
    "redis": [
        {"redisStep": "begun", "redisVersion": "2"},
        "up",
        {"redisStep": "ending"},
        "up",
        "config rm",
    ],
    "nextauth": [{"nextauthStep": "begun", "nextauthVersion": "2"}, "up", "config rm"],
}
AGAIN: Final[Mapping[tuple[Target, str], list[Any]]] = {
    ("database", "begun"): [{"databaseStep": "begun"}, *WAYS["database"][2:]],
    ("database", "ending"): ["up", "end", "config rm"],
    ("redis", "begun"): ["up", {"redisStep": "ending"}, "up", "config rm"],
    ("redis", "ending"): [{"redisStep": "ending"}, "up", "config rm"],
    ("nextauth", "begun"): ["up", "config rm"],
}
"""What is left to do where the stack file has that step."""


def logs_of(way: list[Any]) -> dict[str, Answer | list[Answer]]:
    """What the tasks of a way say, each in two looks: the lines, and that there are no more."""
    looks: list[Answer] = [
        found
        for each in way
        if each in ("begin", "end")
        for found in [said(f'rotate: {{"done":"{each}"}}')] * 2
    ]
    tasks: list[Answer] = [replaying.task(0)]
    return {"GetLogEvents": looks or [said()], "DescribeTasks": tasks}


@pytest.mark.parametrize("target", WAYS)
def test_a_rotation_goes_its_way_and_leaves_the_version_alone(target: Target) -> None:
    world = Rotating(answers=logs_of(WAYS[target]))
    result = world.run(target, "--yes")
    assert (result.exit_code, result.stderr) == (0, ""), result.output
    assert world.told == WAYS[target]
    assert world.stack.config[SECTION] == {f"{target}Version": 2}


@pytest.mark.parametrize(("target", "step"), AGAIN)
def test_whatever_was_cut_off_is_gone_on_with(target: Target, step: str) -> None:
    version = 2 if (target, step) != ("database", "begun") else 1
    world = Rotating(
        {f"{target}Version": version, f"{target}Step": step}, answers=logs_of(AGAIN[target, step])
    )
    result = world.run(target, "--yes")
    assert (result.exit_code, result.stderr) == (0, ""), result.output
    assert world.told == AGAIN[target, step]
    assert world.stack.config[SECTION] == {f"{target}Version": 2}
    assert f"a rotation has begun ({SECTION}.{target}Step is {step})" in result.stdout


@pytest.mark.parametrize("target", WAYS)
def test_cut_off_anywhere_the_file_says_where_a_second_run_goes_on(target: Target) -> None:
    """Every update fails once: what is told after that is never less than what is left."""
    updates = WAYS[target].count("up")
    for failure in range(updates):
        world = Rotating(answers=logs_of(["begin", "end"] if target == "database" else []))
        ends = iter(
            [failing(255, "error: cut off") if each == failure else None for each in range(9)]
        )

        def fail(ends: Iterator[Exception | None] = ends) -> None:
            if error := next(ends):
                raise error

        world.stack.on_up = fail
        first = world.run(target, "--yes")
        assert first.exit_code == 1
        assert "Correct the cause and run the same command again" in first.stderr
        step = world.stack.config[SECTION][f"{target}Step"]
        del world.log[:]
        second = world.run(target, "--yes")
        assert second.exit_code == 0, second.output
        assert world.told == AGAIN[target, step]
        assert world.stack.config[SECTION] == {f"{target}Version": 2}


@pytest.mark.parametrize("target", WAYS)
def test_the_plan_alone_changes_nothing(target: Target) -> None:
    world = Rotating()
    result = world.run(target, "--dry-run")
    assert (result.exit_code, world.told) == (0, []), result.output
    assert "Every other change that waits in the stack file is deployed with it." in result.stdout
    assert ("Every session: whoever is signed in" in result.stdout) is (target == "nextauth")
    assert ("Nothing." in result.stdout) is (target != "nextauth")
    unasked = world.run(target)
    assert (unasked.exit_code, world.told) == (1, [])
    assert "there is no terminal to ask at" in unasked.stderr


def rejected(target: Target, world: Rotating) -> str:
    """The line that a plan is refused with, of a stack where nothing was changed."""
    line = refusal(lambda: PLANS[target](world.deployed))
    assert world.told == []
    return line


def of_database(status: str) -> Rotating:
    return Rotating(
        answers={"DescribeDBInstances": {"DBInstances": [{"DBInstanceStatus": status}]}}
    )


def of_cache(status: str) -> Rotating:
    groups = {"ReplicationGroups": [{"Status": status}]}
    return Rotating(answers={"DescribeReplicationGroups": groups})


def deploying() -> Rotating:
    (service,) = replaying.services()["services"]
    two = {"deployments": [{"status": "PRIMARY"}, {"status": "ACTIVE"}]}
    return Rotating(answers={"DescribeServices": {"services": [{**service, **two}]}})


def undeployed() -> Rotating:
    world = Rotating()
    world.stack.resources = []
    return world


REFUSALS: Final[list[tuple[Target, Callable[[], Rotating], str]]] = [
    (
        "database",
        lambda: Rotating(
            config={"langfuse:postgres": EXTERNAL, "langfuse:postgresPassword": "theirs"}
        ),
        "langfuse:postgres.mode is external, and its password yours. Change it where it runs",
    ),
    (
        "redis",
        lambda: Rotating(
            config={
                "langfuse:redis": {"mode": "external", "host": "c.example.com"},
                "langfuse:redisPassword": "theirs",
            }
        ),
        "langfuse:redis.mode is external, and its password yours. Have it take another one too",
    ),
    (
        "nextauth",
        lambda: Rotating(
            config={"langfuse:secretEnvironment": json.dumps({"NEXTAUTH_SECRET": "mine"})}
        ),
        "langfuse:secretEnvironment has NEXTAUTH_SECRET, which counts before the stack's own",
    ),
    ("database", lambda: of_database("stopped"), "PostgreSQL pg-1 is stopped, and must be availab"),
    ("database", lambda: of_database("modifying"), "Start it, or wait."),
    ("redis", lambda: of_cache("snapshotting"), "Valkey valkey-1 is snapshotting, and must be"),
    ("database", deploying, "ECS is deploying langfuse-prod-web. Wait until that has ended"),
    ("redis", deploying, "ECS is deploying langfuse-prod-web. Wait until that has ended"),
    ("nextauth", deploying, "ECS is deploying langfuse-prod-web. Wait until that has ended"),
    ("database", undeployed, "stack prod: nothing is deployed. pulumi up first."),
    ("redis", undeployed, "stack prod: nothing is deployed. pulumi up first."),
    ("nextauth", undeployed, "stack prod: nothing is deployed. pulumi up first."),
]


def test_what_cannot_be_rotated_is_refused_in_one_line() -> None:
    for target, make, words in REFUSALS:
        assert words in rejected(target, make()), target


@pytest.mark.parametrize("target", ["database", "redis"])
def test_who_changes_a_password_elsewhere_is_told_how_its_tasks_start_anew(target: Target) -> None:
    """By commands that can be copied: ECS looks for a service in the cluster that is named."""
    make = next(make for each, make, words in REFUSALS if each == target and "external" in words)
    world = make()
    command = "aws ecs update-service --cluster {} --service {} --force-new-deployment"
    said = rejected(target, world)
    for service in ("web-1a2b3c4", replaying.WORKER):
        assert command.format(CLUSTER, service) in said

    runner = "arn:aws:apprunner:eu-west-1:123456789012:service/web/1"
    world.stack.resources[0] = resource(
        "aws:apprunner/service:Service", "langfuse-prod-web", {}, {"arn": runner}
    )
    said = rejected(target, world)
    assert f"aws apprunner start-deployment --service-arn {runner}." in said
    assert "web-1a2b3c4" not in said


def test_another_update_is_told() -> None:
    world = Rotating()

    def locked() -> None:
        raise failing(255, "error: [409] Conflict: Another update is currently in progress.")

    world.stack.on_up = locked
    result = world.run("nextauth", "--yes")
    assert result.exit_code == 1
    assert "stack prod is locked by another update. Wait for its end" in result.stderr


def test_the_old_token_ends_after_the_last_old_task() -> None:
    """A service is steady for ECS while its old tasks still finish what they have begun."""
    stopping = {"tasks": [{"taskArn": OLD_TASK, "lastStatus": "STOPPING"}]}
    stopped = {"tasks": [{"taskArn": OLD_TASK, "lastStatus": "STOPPED"}]}
    world = Rotating(
        answers={
            "ListTasks": {"taskArns": [OLD_TASK]},
            "DescribeTasks": [stopping, stopping, stopping, stopped],
        }
    )
    assert world.run("redis", "--yes").exit_code == 0
    calls = [name for name in world.calls if name in ("up", "DescribeTasks", "ListTasks")]
    first, last = (index for index, name in enumerate(calls) if name == "up")
    assert calls[first + 1 : last] == ["ListTasks", "DescribeTasks"] * 6, (
        "three looks at web and worker, the last of which found both stopped"
    )
    for params in world.params("ListTasks"):
        assert params["desiredStatus"] == "STOPPED"


def test_the_owner_gets_another_password_after_the_last_old_task() -> None:
    world = Rotating(answers=logs_of(WAYS["database"]))
    assert world.run("database", "--yes").exit_code == 0
    calls = [name for name in world.calls if name in ("up", "ListTasks", "config set-all")]
    looks = ["ListTasks"] * 2
    assert calls == ["config set-all", "up", *looks, "config set-all", "up"]


def test_a_task_that_does_not_stop_keeps_the_old_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stopping_tasks, "LONGEST_SECONDS", -1)
    stopping = {"tasks": [{"taskArn": OLD_TASK, "lastStatus": "DEACTIVATING"}]}
    world = Rotating(
        answers={"ListTasks": {"taskArns": [OLD_TASK]}, "DescribeTasks": stopping},
    )
    result = world.run("redis", "--yes")
    assert result.exit_code == 1
    assert f"{OLD_TASK} should have stopped" in result.stderr
    assert world.told == [{"redisStep": "begun", "redisVersion": "2"}, "up"]


def test_what_postgres_refuses_ends_the_command_and_changes_nothing() -> None:
    for lines, words in (
        (['rotate: {"error":"permission denied to create role"}'], "permission denied to create"),
        (["info: Langfuse says something"], "PostgreSQL: the task has said nothing."),
    ):
        answers = logs_of([]) | {"GetLogEvents": said(*lines)}
        world = Rotating(answers=answers)
        result = world.run("database", "--yes")
        assert result.exit_code == 1
        assert words in result.stderr
        assert world.told == ["begin"]
        assert world.stack.config[SECTION] == {}


def test_the_orders_fit_a_task_and_name_no_password() -> None:
    for action in ("begin", "end"):
        given = orders(action)
        assert given.keys() == {"command"}
        assert given["command"][:2] == ["node", "-e"]
        assert given["command"][3:5] == [action, ROTATION_USER]
        override = {"containerOverrides": [{"name": "worker", **given}]}
        assert len(json.dumps(override)) <= replaying.replay.OVERRIDE_CHARACTERS


def test_no_other_database_takes_its_place_meanwhile() -> None:
    world = Rotating({"databaseStep": "begun"})
    line = refusal(lambda: restore_postgres.plan(world.deployed, "nightly"))
    assert "a rotation of its password is under way" in line
    assert "rotate database --stack prod" in line
