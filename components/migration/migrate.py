"""Runs Langfuse's database migrations once, as a task of ECS, and waits for its end.

`pulumi up` calls it before it changes web and worker; what it raises ends `up`. Two tasks of the
family never run at once. A task that outlives the call goes on alone; the next call waits for it.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cache
from hashlib import sha256
from typing import Any, Final

import boto3
from botocore.config import Config

Task = dict[str, Any]  # as DescribeTasks answers it

POLL_SECONDS: Final = 5
MISSING_SECONDS: Final = 60
"""How long ECS may not know a task it has just started: its API is eventually consistent."""
PLACEMENT_SECONDS: Final = 15
PLACEMENT_ATTEMPTS: Final = 8
RESERVE_SECONDS: Final = 20
"""What must be left of the call's time to end it with a message of its own."""

BY_ITSELF: Final = "EssentialContainerExited"
UNCHANGED: Final = "Web and worker were not changed."


class MigrationError(Exception):
    """Why `pulumi up` must not go on."""


class MigrationFailed(MigrationError):  # noqa: N818
    """No task could be started, or it did not succeed."""


class MigrationStillRunning(MigrationError):  # noqa: N818
    """The task needs longer than this call lives."""


@dataclass(frozen=True)
class Job:
    """What the event says: which task to run, and where."""

    cluster: str
    task_definition: str
    """ARN with the revision."""
    family: str
    container: str
    """The container whose exit code counts; also the prefix of its log stream."""
    subnets: Sequence[str]
    security_groups: Sequence[str]
    assign_public_ip: str
    log_group: str

    @classmethod
    def from_event(cls, event: Mapping[str, Any]) -> "Job":
        """Take what is known and ignore the rest."""
        return cls(**{field.name: event[field.name] for field in fields(cls)})

    def log_stream(self, task_arn: str) -> str:
        """Name the stream that the awslogs driver writes."""
        return f"{self.container}/{self.container}/{task_arn.rsplit('/', 1)[-1]}"

    def client_token(self, stopped: Sequence[Task]) -> str:
        """Give calls with the same view the same token, and another after each task that ended.

        ECS forgets a token an hour after its task has stopped, and lists the task that long.
        https://docs.aws.amazon.com/AmazonECS/latest/APIReference/ECS_Idempotency.html
        """
        view = [self.task_definition, *sorted(task["taskArn"] for task in stopped)]
        return sha256("\n".join(view).encode()).hexdigest()


@dataclass(frozen=True)
class Gate:
    """Opens when a task of the job has succeeded."""

    job: Job
    ecs: Any
    seconds_left: Callable[[], float]
    sleep: Callable[[float], None] = time.sleep

    def run(self) -> dict[str, Any]:
        """Wait for the task of an earlier call, or start one; tell its result or raise."""
        refusals = 0
        while True:
            # The stopped ones first: a task that another call starts, and that ends, between the
            # two listings is in neither, but it has the token made from the first.
            stopped = self._tasks("STOPPED")
            listed = [*stopped, *self._tasks("RUNNING")]
            # What ECS wants STOPPED may still run: go by the last status.
            unfinished = [task["taskArn"] for task in listed if task["lastStatus"] != "STOPPED"]
            ended = [self._wait(arn) for arn in unfinished]
            for task in ended:
                if self._migrates(task):
                    return self._result(task)
            if ended:
                continue
            answer = self._start(self.job.client_token(stopped))
            if answer["tasks"]:
                return self._result(self._wait(answer["tasks"][0]["taskArn"]))
            refusals += 1
            self._retry_or_raise(refusals, answer["failures"])

    def _migrates(self, task: Task) -> bool:
        """Tell a migration to this definition from one to another, and from an operator's task."""
        overrides: list[dict[str, Any]] = task.get("overrides", {}).get("containerOverrides", [])
        return task["taskDefinitionArn"] == self.job.task_definition and not any(
            each.get("command") or each.get("environment") for each in overrides
        )

    def _tasks(self, desired_status: str) -> list[Task]:
        found: list[Task] = []
        pages = self.ecs.get_paginator("list_tasks").paginate(
            cluster=self.job.cluster, family=self.job.family, desiredStatus=desired_status
        )
        for page in pages:
            if page["taskArns"]:
                found += self._describe(page["taskArns"])
        return found

    def _describe(self, arns: Sequence[str]) -> list[Task]:
        return self.ecs.describe_tasks(cluster=self.job.cluster, tasks=arns)["tasks"]

    def _start(self, token: str) -> dict[str, Any]:
        return self.ecs.run_task(
            cluster=self.job.cluster,
            taskDefinition=self.job.task_definition,
            launchType="FARGATE",
            platformVersion="LATEST",
            count=1,
            propagateTags="TASK_DEFINITION",
            networkConfiguration={
                "awsvpcConfiguration": {
                    "subnets": self.job.subnets,
                    "securityGroups": self.job.security_groups,
                    "assignPublicIp": self.job.assign_public_ip,
                }
            },
            clientToken=token,
        )

    def _retry_or_raise(self, refusals: int, failures: Sequence[Mapping[str, str]]) -> None:
        said = [
            " ".join(filter(None, (failure.get("reason"), failure.get("detail"))))
            for failure in failures
        ]
        reasons = "; ".join(filter(None, said)) or "ECS gave no reason"
        print(f"Attempt {refusals} of {PLACEMENT_ATTEMPTS}: not placed: {reasons}")
        late = self.seconds_left() < RESERVE_SECONDS + PLACEMENT_SECONDS
        if late or refusals == PLACEMENT_ATTEMPTS:
            raise MigrationFailed(
                "Langfuse's database migration did not start.\n"
                f"ECS could not place its task in {refusals} attempts: {reasons}.\n"
                f"{UNCHANGED} Correct the cause and run pulumi up again."
            )
        self.sleep(PLACEMENT_SECONDS)

    def _wait(self, arn: str) -> Task:
        status, missing = "", 0
        while True:
            found = self._describe([arn])
            seen = found[0]["lastStatus"] if found else "MISSING"
            if seen != status:
                print(f"{arn}: {seen}")
                status = seen
            if status == "STOPPED":
                return found[0]
            missing = 0 if found else missing + 1
            if missing > MISSING_SECONDS // POLL_SECONDS:
                raise MigrationFailed(
                    "The end of Langfuse's database migration is not known.\n"
                    f"ECS has not known its task for {MISSING_SECONDS} s: {arn}.\n"
                    f"{self._log(arn)}\n"
                    f"{UNCHANGED} Read the log and run pulumi up again."
                )
            if self.seconds_left() < RESERVE_SECONDS:
                raise MigrationStillRunning(
                    "Langfuse's database migration takes longer than one call may wait.\n"
                    f"Task: {arn}.\n"
                    f"{self._log(arn)}\n"
                    f"{UNCHANGED} Run pulumi up again: it waits for the same task; "
                    "it does not start another."
                )
            self.sleep(POLL_SECONDS)

    def _result(self, task: Task) -> dict[str, Any]:
        arn = task["taskArn"]
        containers: dict[str, dict[str, Any]] = {one["name"]: one for one in task["containers"]}
        container = containers.get(self.job.container, {})
        code = container.get("exitCode")
        # Whoever is told to stop may well exit with 0, half-way through.
        if code == 0 and task.get("stopCode", BY_ITSELF) == BY_ITSELF:
            print(f"{arn}: succeeded")
            return {"task": arn, "exit_code": 0, "log_stream": self.job.log_stream(arn)}
        raise MigrationFailed(
            "Langfuse's database migration failed.\n"
            f"Exit code: {'none, the container did not start' if code is None else code}.\n"
            f"ECS on the task: {task.get('stoppedReason', 'no reason')}.\n"
            f"ECS on the container: {container.get('reason', 'no reason')}.\n"
            f"{self._log(arn)}\n"
            f"{UNCHANGED} Read the log, correct the cause and run pulumi up again."
        )

    def _log(self, arn: str) -> str:
        return f"Log group: {self.job.log_group}, log stream: {self.job.log_stream(arn)}."


@cache
def ecs_client() -> Any:
    """Make the client once a Lambda environment; throttling must not end a wait."""
    retries: Any = {"mode": "standard", "total_max_attempts": 10}
    return boto3.client("ecs", config=Config(retries=retries))  # pyright: ignore


def handler(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """Run the migration that the event describes."""
    job = Job.from_event(event)
    return Gate(job, ecs_client(), lambda: context.get_remaining_time_in_millis() / 1000).run()
