"""The Lambda function that runs the database migrations and waits for their end.

It proves, on a scripted ECS and a clock of its own: which results let `pulumi up` go on, what the
others are told, that two tasks of the family never run at once, and that a call which is cut off
loses nothing. The handler and its client run for real against a small HTTP server, which throttles.
It does not prove that ECS answers as the script does, nor that the function may call it.
"""

import ast
import json
import runpy
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, Final

import boto3
import pytest

from langfuse_aws.components.migration import migrate
from langfuse_aws.components.migration.migrate import (
    Gate,
    Job,
    MigrationError,
    MigrationFailed,
    MigrationStillRunning,
)

CLUSTER: Final = "arn:aws:ecs:us-east-1:123456789012:cluster/langfuse-dev"
OLD: Final = "arn:aws:ecs:us-east-1:123456789012:task-definition/langfuse-dev-migration:6"
OURS: Final = "arn:aws:ecs:us-east-1:123456789012:task-definition/langfuse-dev-migration:7"
EVENT: Final[dict[str, Any]] = {
    "cluster": CLUSTER,
    "task_definition": OURS,
    "family": "langfuse-dev-migration",
    "container": "migration",
    "subnets": ["subnet-1", "subnet-2"],
    "security_groups": ["sg-1"],
    "assign_public_ip": "DISABLED",
    "log_group": "/langfuse-dev/migration",
    "reason": {"image": "3.200.1"},
}
JOB: Final = Job.from_event(EVENT)
WANTED_STOPPED: Final = {"STOPPING", "DEPROVISIONING", "STOPPED"}
NO_CAPACITY: Final = [{"reason": "RESOURCE:ENI", "detail": "no address left"}]


@dataclass
class Task:
    """A task, and the states that one look after the other finds it in; it keeps the last."""

    id: str
    states: list[str] = field(default_factory=lambda: ["PENDING", "RUNNING", "STOPPED"])
    exit_code: int | None = 0
    definition: str = OURS
    stop_code: str = "EssentialContainerExited"
    stopped_reason: str = "Essential container in task exited"
    container_reason: str = ""
    overrides: dict[str, Any] = field(default_factory=dict[str, Any])
    """What somebody has changed of the container for this task, such as its command."""

    @property
    def arn(self) -> str:
        """Where it is found."""
        return f"{CLUSTER.replace(':cluster/', ':task/')}/{self.id}"

    def look(self) -> dict[str, Any] | None:
        """Describe it and let it go on."""
        status = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        if status == "MISSING":
            return None
        container: dict[str, Any] = {"name": "migration"}
        answer: dict[str, Any] = {
            "taskArn": self.arn,
            "taskDefinitionArn": self.definition,
            "lastStatus": status,
            "containers": [{"name": "sidecar", "exitCode": 3}, container],
            "overrides": {"containerOverrides": [{"name": "migration", **self.overrides}]},
        }
        if status == "STOPPED":
            answer |= {"stoppedReason": self.stopped_reason}
            answer |= {"stopCode": self.stop_code} if self.stop_code else {}
            if self.exit_code is not None:
                container["exitCode"] = self.exit_code
            if self.container_reason:
                container["reason"] = self.container_reason
        return answer


class Ecs:
    """As much of ECS as the function uses: `outcomes` are tasks to start, or failures to tell."""

    def __init__(self, *outcomes: Task | list[dict[str, str]], tasks: Sequence[Task] = ()) -> None:
        self.outcomes = list(outcomes)
        self.tasks = {task.arn: task for task in tasks}
        self.by_token: dict[str, Task] = {}
        self.tokens: list[str] = []
        self.page_size = 100
        self.lists_running = True
        self.after_listing: Callable[[], object] = list

    def get_paginator(self, operation: str) -> "Ecs":
        """Only one operation has pages."""
        assert operation == "list_tasks"
        return self

    def paginate(self, **parameters: str) -> Iterator[dict[str, Any]]:
        """List the tasks by what ECS wants of them."""
        wanted = parameters.pop("desiredStatus")
        assert parameters == {"cluster": CLUSTER, "family": "langfuse-dev-migration"}
        arns = [
            arn
            for arn, task in self.tasks.items()
            if (task.states[0] in WANTED_STOPPED) == (wanted == "STOPPED")
            and (wanted == "STOPPED" or self.lists_running)
        ]
        for start in range(0, max(len(arns), 1), self.page_size):
            yield {"taskArns": arns[start : start + self.page_size]}
        meanwhile, self.after_listing = self.after_listing, list
        meanwhile()

    def describe_tasks(self, *, cluster: str, tasks: Sequence[str]) -> dict[str, Any]:
        """Look at tasks; an empty list is refused, as ECS does."""
        assert cluster == CLUSTER
        assert 1 <= len(tasks) <= 100, "ECS refuses any other number"
        looks = {arn: self.tasks[arn].look() for arn in tasks}
        return {
            "tasks": [look for look in looks.values() if look],
            "failures": [{"arn": arn, "reason": "MISSING"} for arn in looks if not looks[arn]],
        }

    def run_task(self, **parameters: Any) -> dict[str, Any]:
        """Start one task a token."""
        token = parameters.pop("clientToken")
        assert parameters == {
            "cluster": CLUSTER,
            "taskDefinition": OURS,
            "launchType": "FARGATE",
            "platformVersion": "LATEST",
            "count": 1,
            "propagateTags": "TASK_DEFINITION",
            "networkConfiguration": {
                "awsvpcConfiguration": {
                    "subnets": ["subnet-1", "subnet-2"],
                    "securityGroups": ["sg-1"],
                    "assignPublicIp": "DISABLED",
                }
            },
        }
        assert 1 <= len(token) <= 64
        int(token, 16)
        self.tokens.append(token)
        if token not in self.by_token:
            running = [task.id for task in self.tasks.values() if task.states != ["STOPPED"]]
            assert not running, "two tasks of the family must never run at once"
            outcome = self.outcomes.pop(0)
            if isinstance(outcome, list):
                return {"tasks": [], "failures": outcome}
            self.tasks[outcome.arn] = self.by_token[token] = outcome
        return {"tasks": [{"taskArn": self.by_token[token].arn}], "failures": []}


@dataclass
class Clock:
    """The time that a call has left; sleeping spends it."""

    left: float = 900.0
    slept: list[float] = field(default_factory=list[float])

    def sleep(self, seconds: float) -> None:
        """Spend time without taking any."""
        self.left -= seconds
        self.slept.append(seconds)


def run(ecs: Any, clock: Clock | None = None) -> dict[str, Any]:
    """Call the function once."""
    clock = clock or Clock()
    return Gate(JOB, ecs, lambda: clock.left, clock.sleep).run()


def failure(ecs: Any, clock: Clock | None = None) -> list[str]:
    """Call the function once and tell the sentences it fails with."""
    with pytest.raises(MigrationFailed) as caught:
        run(ecs, clock)
    return str(caught.value).splitlines()


def test_a_migration_that_succeeds_lets_up_go_on(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    task = Task("a1", ["PROVISIONING", "RUNNING", "RUNNING", "STOPPED"])
    assert run(Ecs(task), clock) == {
        "task": task.arn,
        "exit_code": 0,
        "log_stream": "migration/migration/a1",
    }
    assert clock.slept == [5, 5, 5], "one look every five seconds, and none after the end"
    assert capsys.readouterr().out.splitlines() == [
        f"{task.arn}: {word}" for word in ("PROVISIONING", "RUNNING", "STOPPED", "succeeded")
    ], "one line for each change, not for each look"


def test_a_migration_that_fails_ends_up_with_all_that_is_known() -> None:
    said = failure(Ecs(Task("a1", exit_code=1, container_reason="Error: P3009")))
    assert said == [
        "Langfuse's database migration failed.",
        "Exit code: 1.",
        "ECS on the task: Essential container in task exited.",
        "ECS on the container: Error: P3009.",
        "Log group: /langfuse-dev/migration, log stream: migration/migration/a1.",
        "Web and worker were not changed. Read the log, correct the cause and run pulumi up again.",
    ]


@pytest.mark.parametrize(
    ("stop_code", "reason"),
    [
        ("TaskFailedToStart", "CannotPullContainerError: not found"),
        ("EssentialContainerExited", ""),
    ],
)
def test_a_container_that_never_started_is_a_failure(stop_code: str, reason: str) -> None:
    task = Task(
        "a1",
        ["PENDING", "DEPROVISIONING", "STOPPED"],
        exit_code=None,
        stop_code=stop_code,
        stopped_reason="ResourceInitializationError: unable to pull secrets",
        container_reason=reason,
    )
    said = failure(Ecs(task))
    assert said[1:4] == [
        "Exit code: none, the container did not start.",
        "ECS on the task: ResourceInitializationError: unable to pull secrets.",
        f"ECS on the container: {reason or 'no reason'}.",
    ], "without an exit code ECS's reasons are all there is"


def test_a_task_that_somebody_stopped_is_a_failure_even_if_it_exits_with_0() -> None:
    task = Task("a1", stop_code="UserInitiated", stopped_reason="Task stopped by user")
    assert "ECS on the task: Task stopped by user." in failure(Ecs(task)), (
        "a container that is told to stop exits as it likes, half-way through"
    )


def test_a_task_that_cannot_be_placed_is_tried_again() -> None:
    clock = Clock()
    task = Task("a1", ["STOPPED"])
    assert run(Ecs(NO_CAPACITY, [], task), clock)["task"] == task.arn
    assert clock.slept == [15, 15], "a pause before each further attempt, none after the last"


def test_a_task_that_can_never_be_placed_fails_with_the_reason() -> None:
    clock = Clock()
    ecs = Ecs(*[NO_CAPACITY] * 7, [*NO_CAPACITY, {"reason": "Capacity is unavailable"}])
    assert failure(ecs, clock) == [
        "Langfuse's database migration did not start.",
        "ECS could not place its task in 8 attempts: "
        "RESOURCE:ENI no address left; Capacity is unavailable.",
        "Web and worker were not changed. Correct the cause and run pulumi up again.",
    ]
    assert clock.slept == [15] * 7, "there is no task to wait for"


def test_attempts_to_place_a_task_end_before_the_call_does() -> None:
    clock = Clock(left=60)
    assert "in 3 attempts: ECS gave no reason." in failure(Ecs([], [], []), clock)[1]
    assert clock.left == 30, "a third pause would leave less than 20 s"
    clock = Clock(left=50)
    assert "in 3 attempts" in failure(Ecs([], [], []), clock)[1]
    assert clock.left == 20, "which is enough"


def test_a_task_that_another_call_starts_between_two_attempts_is_waited_for() -> None:
    ecs = Ecs(NO_CAPACITY)
    other = Task("b2", definition=OLD)
    ecs.outcomes.append(ours := Task("a1"))
    clock = Clock()

    def sleep(seconds: float) -> None:
        clock.sleep(seconds)
        if seconds == 15:
            ecs.tasks[other.arn] = other

    result = Gate(JOB, ecs, lambda: clock.left, sleep).run()
    assert other.states == ["STOPPED"], "a call that was cut off may get its task placed late"
    assert result["task"] == ours.arn


def test_a_call_that_is_cut_off_leaves_its_task_to_the_next_call() -> None:
    task = Task("a1", ["RUNNING"] * 300 + ["STOPPED"])
    ecs = Ecs(task)
    clock = Clock()
    with pytest.raises(MigrationStillRunning) as caught:
        run(ecs, clock)
    assert str(caught.value).splitlines() == [
        "Langfuse's database migration takes longer than one call may wait.",
        f"Task: {task.arn}.",
        "Log group: /langfuse-dev/migration, log stream: migration/migration/a1.",
        "Web and worker were not changed. "
        "Run pulumi up again: it waits for the same task; it does not start another.",
    ]
    assert 10 < clock.left < 20, "the message has to get out before Lambda ends the call"

    assert run(ecs)["task"] == task.arn
    assert len(ecs.tokens) == 1, "the second call starts nothing"


def test_a_task_of_which_ecs_says_no_stop_code_has_ended_by_itself() -> None:
    assert run(Ecs(Task("a1", stop_code="")))["exit_code"] == 0


def test_the_result_of_an_earlier_calls_task_counts() -> None:
    ecs = Ecs(tasks=[Task("a1", exit_code=1)])
    assert "Exit code: 1." in failure(ecs), "its result is ours, also if it is bad"
    assert not ecs.tokens, "one failure a call is enough"


@pytest.mark.parametrize(
    "overrides",
    [
        {"command": ["prisma", "migrate", "resolve"]},
        {"environment": [{"name": "DATABASE_URL", "value": "postgres://elsewhere"}]},
    ],
)
def test_what_somebody_runs_otherwise_with_the_definition_is_no_migration(
    overrides: dict[str, Any],
) -> None:
    resolving = Task("resolve", overrides=overrides)
    ours = Task("ours")
    ecs = Ecs(ours, tasks=[resolving])
    assert run(ecs)["task"] == ours.arn, "web would move to databases that nobody migrated"
    assert resolving.states == ["STOPPED"], "it ends first"


@pytest.mark.parametrize("exit_code", [0, 1])
def test_a_task_of_an_older_revision_ends_before_ours_starts(exit_code: int) -> None:
    older = Task("b2", exit_code=exit_code, definition=OLD)
    ours = Task("a1")
    ecs = Ecs(ours, tasks=[older])
    assert run(ecs)["task"] == ours.arn, "only our revision knows our migrations"
    assert older.states == ["STOPPED"]
    assert ecs.tokens == [JOB.client_token([{"taskArn": older.arn}])], (
        "the token has to be that of a call that came after the older task's end"
    )


def test_a_task_that_is_being_stopped_still_runs() -> None:
    older = Task("b2", ["STOPPING", "STOPPING", "DEPROVISIONING", "STOPPED"], definition=OLD)
    ours = Task("a1")
    assert run(Ecs(ours, tasks=[older]))["task"] == ours.arn
    assert older.states == ["STOPPED"], "ECS lists it as STOPPED, for that is what it shall become"


def test_two_calls_at_once_start_one_task() -> None:
    ecs = Ecs(Task("a1"), tasks=[Task("b2", ["STOPPED"]), Task("c3", ["STOPPED"])])
    ecs.lists_running = False  # neither sees what the other starts
    first = run(ecs)
    ecs.tasks[first["task"]].states = ["RUNNING", "STOPPED"]
    ecs.tasks = dict(reversed(ecs.tasks.items()))  # ECS lists in no order
    assert run(ecs) == first
    assert len(ecs.tokens) == 2
    assert len(set(ecs.tokens)) == 1, "ECS knows the second call by the token of the first"


def test_a_call_between_the_two_listings_of_another_starts_the_only_task() -> None:
    ecs = Ecs(Task("a1"))
    ecs.after_listing = lambda: run(ecs)
    assert run(ecs)["log_stream"] == "migration/migration/a1"
    assert len(set(ecs.tokens)) == 1, "a listing made after that task's end would change the token"


def test_after_a_failed_task_another_can_start() -> None:
    ecs = Ecs(Task("a1", exit_code=1), Task("b2"))
    failure(ecs)
    assert run(ecs)["log_stream"] == "migration/migration/b2"
    assert len(set(ecs.tokens)) == 2, "the first token would give the failed task again"


def test_another_revision_has_another_token() -> None:
    older = Job.from_event(EVENT | {"task_definition": OLD})
    assert older.client_token([]) != JOB.client_token([]), "ECS would refuse it as a conflict"


def test_a_newer_function_has_the_tokens_of_the_one_before() -> None:
    """Lambda may call the old code first and the new one again: two tokens start two migrations."""
    # printf '%s\n%s\n%s' $OURS a b | sha256sum
    token = "078dd21865b6f3c50bf31e3135bf0502f27df7738858a5659031a7e5ded88a07"
    assert JOB.client_token([{"taskArn": "b"}, {"taskArn": "a"}]) == token


def test_tasks_beyond_the_first_page_are_found() -> None:
    older = Task("c3", definition=OLD)
    ended = [Task(f"b{number}", ["STOPPED"]) for number in range(3)]
    ecs = Ecs(Task("a1"), tasks=[*ended, Task("b3", definition=OLD), older])
    ecs.page_size = 1
    run(ecs)
    assert older.states == ["STOPPED"]
    arns = [{"taskArn": arn} for arn in ecs.tasks if not arn.endswith("a1")]
    assert ecs.tokens == [JOB.client_token(arns)], "every stopped task counts for the token"


def test_a_task_that_ecs_does_not_know_yet_is_waited_for(
    capsys: pytest.CaptureFixture[str],
) -> None:
    clock = Clock()
    assert run(Ecs(Task("a1", ["MISSING"] * 12 + ["PENDING", "STOPPED"])), clock)["exit_code"] == 0
    assert sum(clock.slept) == 65, "a minute, and one look at what came then"
    states = [line.rpartition(": ")[2] for line in capsys.readouterr().out.splitlines()]
    assert states[-4:] == ["MISSING", "PENDING", "STOPPED", "succeeded"], "each is logged once"


def test_a_task_that_ecs_never_knows_is_a_failure_after_a_minute() -> None:
    clock = Clock()
    task = Task("a1", ["MISSING"])
    assert failure(Ecs(task), clock) == [
        "The end of Langfuse's database migration is not known.",
        f"ECS has not known its task for 60 s: {task.arn}.",
        "Log group: /langfuse-dev/migration, log stream: migration/migration/a1.",
        "Web and worker were not changed. Read the log and run pulumi up again.",
    ]
    assert sum(clock.slept) == 60


def test_both_errors_are_of_one_kind() -> None:
    assert issubclass(MigrationFailed, MigrationError)
    assert issubclass(MigrationStillRunning, MigrationError)


class Server(ThreadingHTTPServer):
    """ECS behind HTTP: each operation has its answers, one after the other."""

    def __init__(self, answers: dict[str, list[tuple[int, dict[str, Any]]]]) -> None:
        super().__init__(("127.0.0.1", 0), ServerRequest)
        self.answers = answers
        self.calls: list[str] = []


class ServerRequest(BaseHTTPRequestHandler):
    """One call of the API."""

    def do_POST(self) -> None:
        """Give the operation's next answer."""
        assert isinstance(self.server, Server)
        self.rfile.read(int(self.headers["Content-Length"]))
        operation = self.headers["X-Amz-Target"].rsplit(".", 1)[-1]
        self.server.calls.append(operation)
        status, answer = self.server.answers[operation].pop(0)
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Keep quiet."""


class Context:
    """What Lambda tells about the call."""

    def get_remaining_time_in_millis(self) -> int:
        """Tell a short time, so that a wait would end at once instead of sleeping."""
        return 19_000


def no_pause(*_: object) -> float:
    """Stand in for botocore's pause before another attempt."""
    return 0.0


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """An endpoint that throttles twice; botocore's pauses take no time."""
    task = Task("a1", ["STOPPED"])
    throttled = (400, {"__type": "ThrottlingException", "message": "Rate exceeded"})
    server = Server(
        {
            "ListTasks": [(200, {"taskArns": []})] * 2,
            "RunTask": [(200, {"tasks": [{"taskArn": task.arn}], "failures": []})],
            "DescribeTasks": [throttled, throttled, (200, {"tasks": [task.look()]})],
        }
    )
    thread = Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    monkeypatch.setenv("AWS_ENDPOINT_URL_ECS", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", no_pause)
    migrate.ecs_client.cache_clear()
    yield server
    migrate.ecs_client.cache_clear()
    server.shutdown()
    thread.join()
    server.server_close()


def test_throttling_does_not_end_a_wait(server: Server) -> None:
    assert migrate.handler(EVENT, Context())["exit_code"] == 0
    assert server.calls == ["ListTasks", "ListTasks", "RunTask"] + ["DescribeTasks"] * 3


def test_the_client_tries_ten_times(server: Server) -> None:
    server.answers["DescribeTasks"][:0] = [server.answers["DescribeTasks"][0]] * 7
    assert migrate.handler(EVENT, Context())["exit_code"] == 0
    assert server.calls.count("DescribeTasks") == 10


def test_the_handler_ends_before_lambda_ends_it(server: Server) -> None:
    server.answers["DescribeTasks"] = [(200, {"tasks": [Task("a1").look()]})]
    with pytest.raises(MigrationStillRunning):
        migrate.handler(EVENT, Context())


def test_the_module_loads_without_an_aws_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a client at import needs a region")

    monkeypatch.setattr(boto3, "client", refuse)
    runpy.run_path(migrate.__file__)


def test_the_function_imports_only_what_the_runtime_has() -> None:
    tree = ast.parse(Path(migrate.__file__).read_text(encoding="utf-8"))
    imported = {
        name.split(".")[0]
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or "."]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert imported <= {*sys.stdlib_module_names, "boto3", "botocore"}, "nothing is installed"
