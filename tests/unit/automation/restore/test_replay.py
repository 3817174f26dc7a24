"""`replay`: what is refused, which task is run where, and what is shown of it.

The script that the task runs is tried in tests/queues, with a real Redis and a real BullMQ. That
ECS runs the task, and that Langfuse then writes the events, is not tried: no account was used.
"""

import json
import re
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any, Final

import pytest
from typer.testing import CliRunner

from langfuse_aws.automation.__main__ import app
from langfuse_aws.automation.engine.folders import REPOSITORY
from langfuse_aws.automation.restore import replay
from langfuse_aws.automation.restore.replay import OVERRIDE_CHARACTERS, Window, orders
from tests.unit.automation.restore.test_restore import (
    CLUSTER,
    Answer,
    AwsError,
    World,
    always,
    resource,
)
from tests.unit.stack_graph import shipped

WORKER: Final = "langfuse-prod-worker-5e6f7a8"
DEFINITION: Final = "arn:aws:ecs:eu-west-1:123456789012:task-definition/langfuse-prod-worker:7"
TASK: Final = "arn:aws:ecs:eu-west-1:123456789012:task/langfuse-prod-1a2b3c4/0f1e2d"
BUCKET: Final = "langfuse-prod-storage-3c4d5e6"
NETWORK: Final = {
    "subnets": ["subnet-1", "subnet-2"],
    "securityGroups": ["sg-worker"],
    "assignPublicIp": "DISABLED",
}
SINCE: Final = "2026-11-20T10:00:00Z"
LONGEST: Final = Window(SINCE, SINCE, "p" * 100)


def described() -> dict[str, Any]:
    options = {"awslogs-group": "the-group", "awslogs-stream-prefix": "worker"}
    container = {
        "name": "worker",
        "logConfiguration": {"logDriver": "awslogs", "options": options},
    }
    return {
        "taskDefinition": {"taskDefinitionArn": DEFINITION, "containerDefinitions": [container]}
    }


def services(running: int = 2) -> dict[str, Any]:
    found = {
        "serviceName": WORKER,
        "taskDefinition": DEFINITION,
        "runningCount": running,
        "networkConfiguration": {"awsvpcConfiguration": NETWORK},
    }
    return {"services": [found]}


def task(code: int | None = None) -> dict[str, Any]:
    ended = {"stoppedReason": "Essential container in task exited"} if code is not None else {}
    container = {"name": "worker", **({} if code is None else {"exitCode": code})}
    status = "RUNNING" if code is None else "STOPPED"
    return {"tasks": [{"taskArn": TASK, "lastStatus": status, "containers": [container], **ended}]}


class Stream:
    """A log stream that has more lines at each look, in pages of two."""

    def __init__(self, *looks: list[str]) -> None:
        self.looks = list(looks)
        self.lines: list[str] = []

    def get(self, parameters: dict[str, Any]) -> dict[str, Any]:
        """Give a page, as CloudWatch Logs does: the same token means the end, for now."""
        assert (parameters["logGroupName"], parameters["logStreamName"]) == (
            "the-group",
            "worker/worker/0f1e2d",
        )
        assert parameters["startFromHead"] is True
        start = int(parameters.get("nextToken", "f/0").removeprefix("f/"))
        if start == len(self.lines) and self.looks:
            self.lines += self.looks.pop(0)
        page = self.lines[start : start + 2]
        return {
            "events": [{"message": line} for line in page],
            "nextForwardToken": f"f/{start + len(page)}",
        }


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look again at once."""
    monkeypatch.setattr("langfuse_aws.automation.restore.replay.time.sleep", always(None))


def aws(**changed: Answer | list[Answer]) -> dict[str, Answer | list[Answer]]:
    """Answers to a run in which all is well."""
    return {
        "DescribeServices": services(),
        "DescribeTaskDefinition": described(),
        "RunTask": task(),
        "DescribeTasks": [task(), task(0)],
        "GetLogEvents": Stream(["replay: 1 jobs", "info: Redis connected"]).get,
        **changed,
    }


def world(config: Mapping[str, Any] = {}, **answers: Answer | list[Answer]) -> World:
    service = {"cluster": CLUSTER, "name": WORKER}
    bucket = {"bucket": BUCKET}
    return World(
        [
            resource("aws:ecs/service:Service", "langfuse-prod-worker", service),
            resource("aws:s3/bucket:Bucket", "langfuse-prod-storage", outputs=bucket),
        ],
        config,
        aws(**answers),
    )


def run(stack: World, *arguments: str) -> Any:
    """Run the command on a world's stack."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(replay, "open_stack", always(stack.deployed))
        return CliRunner().invoke(app, ["replay", "--stack", "prod", *arguments])


def test_a_task_of_the_worker_loads_the_events_where_the_worker_runs() -> None:
    stack = world()
    result = run(stack, "--since", SINCE, "--until", "2026-11-20T13:00:00+01:00", "--yes")
    assert result.exit_code == 0, result.output
    assert stack.changes() == ["RunTask"]
    (asked,) = stack.params("RunTask")
    expected = Window(SINCE, "2026-11-20T12:00:00Z", None)
    assert asked == {
        "clientToken": asked["clientToken"],
        "cluster": CLUSTER,
        "taskDefinition": DEFINITION,
        "launchType": "FARGATE",
        "platformVersion": "LATEST",
        "count": 1,
        "propagateTags": "TASK_DEFINITION",
        "networkConfiguration": {"awsvpcConfiguration": NETWORK},
        "overrides": {
            "containerOverrides": [{"name": "worker", **orders(expected, dry_run=False)}]
        },
    }
    assert stack.params("DescribeTaskDefinition") == [{"taskDefinition": DEFINITION}]


def test_the_plan_says_what_is_loaded_and_what_comes_of_it() -> None:
    stack = world({"langfuse:storage": {"eventsRetentionDays": 90}})
    result = run(stack, "--since", SINCE, "--until", "2026-11-20T12:00:00Z", "--project", "p1")
    assert result.exit_code == 1, "there is no terminal to ask at"
    assert [line.strip() for line in result.stdout.splitlines()] == [
        "Found",
        "Stack prod in eu-west-1; 2 tasks of the worker run.",
        f"Events in s3://{BUCKET}/events/: project p1, {SINCE} to 2026-11-20T12:00:00Z. S3 deletes "
        "them after 90 days.",
        "Traces of that time that somebody deleted come back, if they came as OTLP.",
        "Evaluators of observations run again, with what their models cost.",
        "An older state of a trace replaces what was changed after --until; without --until "
        "nothing is left out.",
        "Lost",
        "Nothing.",
        "Steps",
        "1. Start a task with langfuse-prod-worker:7, which makes a job of each for the worker.",
        "2. Follow it until the worker has taken all jobs.",
    ]
    assert stack.changes() == []


def test_a_dry_run_asks_nothing_and_needs_no_worker() -> None:
    stack = world(DescribeServices=services(0))
    result = run(stack, "--since", SINCE, "--dry-run")
    assert result.exit_code == 0, result.output
    (asked,) = stack.params("RunTask")
    (override,) = asked["overrides"]["containerOverrides"]
    assert {"name": "REPLAY_DRY_RUN", "value": "true"} in override["environment"]
    assert "come back" not in result.stdout


def test_the_scripts_own_lines_are_shown_once_each_as_they_come() -> None:
    lines = Stream(
        ["replay: project p1, scores: 3", "warn: something of Langfuse's", "replay: 3 jobs"],
        ["replay: 3 of 3 jobs, to 2026-11-20T11:00:00Z"],
        ["replay: the worker has taken them all"],
    )
    missing = AwsError("ResourceNotFoundException")
    running: list[Answer] = [task(), task(), task(), task(0)]
    logs: list[Answer] = [missing, lines.get]
    result = run(
        world(DescribeTasks=running, GetLogEvents=logs),
        "--since",
        SINCE,
        "--until",
        "2026-11-20T12:00:00Z",
        "--yes",
    )
    assert result.exit_code == 0, result.output
    shown = result.stdout.splitlines()
    begin = shown.index("Step 2 of 2: Follow it until the worker has taken all jobs.")
    assert shown[begin + 1 : -1] == [
        "project p1, scores: 3",
        "3 jobs",
        "3 of 3 jobs, to 2026-11-20T11:00:00Z",
        "the worker has taken them all",
    ]


def test_a_task_that_fails_fails_the_command_and_says_how_to_go_on() -> None:
    said = "replay: error: the worker takes no jobs; 600 wait. To go on: --since " + SINCE
    stack = world(DescribeTasks=[task(1)], GetLogEvents=Stream([said]).get)
    result = run(stack, "--since", SINCE, "--yes")
    assert result.exit_code == 1
    assert f"error: the worker takes no jobs; 600 wait. To go on: --since {SINCE}" in result.stdout
    assert result.stderr.splitlines() == [
        "error: Step 2 of 2 failed: exit code 1; ECS: Essential container in task exited; nothing "
        "about the container. Log group the-group, log stream worker/worker/0f1e2d.",
        f"If it still runs, it goes on alone; to stop it: aws ecs stop-task --cluster {CLUSTER} "
        "--task TASK. Jobs that it has made are done all the same.",
        "Correct the cause and run the same command again, with the --since that its last line "
        "has: loading an event twice does no harm.",
    ]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--since", "2999-01-01T00:00:00Z"], "--since 2999-01-01T00:00:00Z: is in the future; it"),
        (
            ["--since", SINCE, "--until", "2999-01-01T00:00:00Z"],
            "--until 2999-01-01T00:00:00Z: is in the future; it is",
        ),
        (
            ["--since", SINCE, "--until", SINCE],
            f"--until {SINCE}: is not later than --since {SINCE}. Exchange them, or leave --until",
        ),
        (
            ["--since", SINCE, "--project", "p1/../p2"],
            "--project p1/../p2: is not the ID of a project. Langfuse shows it in the address",
        ),
    ],
)
def test_a_mistake_about_the_time_or_the_project_is_one_line(
    arguments: list[str], words: str
) -> None:
    stack = world()
    result = run(stack, *arguments, "--yes")
    assert result.exit_code == 2
    assert result.stderr.startswith(f"error: {words}")
    assert len(result.stderr.splitlines()) == 1
    assert stack.changes() == []


@pytest.mark.parametrize("time", ["yesterday", "2026-11-20", "2026-11-20T10:00:00"])
def test_a_time_without_its_zone_is_refused_with_one_that_has_it(time: str) -> None:
    stack = world()
    result = run(stack, "--since", time, "--yes")
    assert result.exit_code == 2
    said = " ".join(result.stderr.replace("│", "").split())
    assert f"{time} is no time with its zone. Write it as 2026-11-20T10:00:00Z." in said
    assert stack.changes() == []


@pytest.mark.parametrize(
    ("found", "line"),
    [
        (
            services(0),
            f"error: stack prod: no task of the service {WORKER} runs, so nothing would take the "
            "jobs. Start the worker first; --dry-run counts without it.\n",
        ),
        (
            {"services": []},
            f"error: stack prod: ECS does not know the service {WORKER}. pulumi up --refresh "
            "first.\n",
        ),
    ],
)
def test_a_worker_that_does_not_run_is_one_line(found: dict[str, Any], line: str) -> None:
    stack = world(DescribeServices=found)
    result = run(stack, "--since", SINCE, "--yes")
    assert (result.exit_code, result.stderr) == (1, line)
    assert stack.changes() == []


@pytest.mark.parametrize("stack", ["dev", "staging", "prod"])
def test_the_workers_role_may_list_and_read_the_bucket(stack: str) -> None:
    graph = shipped(stack)
    bucket = graph.one("aws:s3/bucket:Bucket", f"langfuse-{stack}-storage").outputs["arn"]
    role = graph.one("aws:iam/role:Role", f"langfuse-{stack}-worker-task").outputs["arn"]
    definition = graph.one("aws:ecs/taskDefinition:TaskDefinition", f"langfuse-{stack}-worker")
    assert definition.inputs["taskRoleArn"] == role
    allowed = {
        (action, resource)
        for statement in graph.policy(f"langfuse-{stack}-worker-task")
        for action in statement["Action"]
        for resource in statement["Resource"]
    }
    assert {("s3:ListBucket", bucket), ("s3:GetObject", f"{bucket}/*")} <= allowed


def test_the_documentation_names_every_permission_that_it_takes() -> None:
    stack = world()
    assert run(stack, "--since", SINCE, "--yes").exit_code == 0
    services = {"GetLogEvents": "logs"}
    asked = {f"{services.get(name, 'ecs')}:{name}" for name in stack.calls}
    page = (REPOSITORY / "docs/operations.md").read_text("utf-8")
    (line,) = [line for line in page.splitlines() if line.startswith("Who runs it needs `ecs:")]
    named = set(re.findall(r"`(\w+:\w+)`", line))
    # Starting a task hands it its roles, and its definition's tags: no calls of their own.
    assert named == {*asked, "iam:PassRole", "ecs:TagResource"}


def test_the_orders_fit_into_what_ecs_takes() -> None:
    override = {"containerOverrides": [{"name": "worker", **orders(LONGEST, dry_run=False)}]}
    assert len(json.dumps(override)) <= OVERRIDE_CHARACTERS


def test_a_time_with_a_zone_is_told_in_utc() -> None:
    moment = datetime.fromisoformat("2026-11-20T10:00:00+02:00")
    window = Window.of(moment, None, None, now=datetime(2026, 11, 20, 9, tzinfo=timezone.utc))
    assert window == Window("2026-11-20T08:00:00Z", "2026-11-20T09:00:00Z", None)
