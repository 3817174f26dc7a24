"""`replay`: loads events from the bucket again, those of a time that a killed worker may have lost.

A task with the worker's definition runs `replay.js`, which makes Langfuse's own jobs.
docs/adr/0017-replay-by-a-task-of-the-worker.md has the reasons.
"""

import re
import time
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Final

from botocore.exceptions import ClientError

from langfuse_aws.automation.aws.one_off_task import OneOffTask
from langfuse_aws.automation.aws.worker_task import WorkerService
from langfuse_aws.automation.engine.deployed import Deployed, open_stack
from langfuse_aws.automation.errors import CommandLineError, UserError
from langfuse_aws.automation.hours.asleep import need_awake
from langfuse_aws.automation.plan import Plan, Step, carry_out
from langfuse_aws.automation.terminal import console, one_line_errors
from langfuse_aws.components.environment import EVENTS_PREFIX
from langfuse_aws.graph.resource_types import S3_BUCKET
from langfuse_aws.settings.installation import COMMAND

SCRIPT: Final = Path(__file__).with_name("replay.js")

OVERRIDE_CHARACTERS: Final = 8192
"""https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_TaskOverride.html"""
MOST_JOBS: Final = 1_000_000
"""What the task holds in memory at once: about 0.4 KB for each, of dev's 2 GiB."""
STALLED_SECONDS: Final = 600
"""How long the worker may take no job before the task gives up."""

MARK: Final = "replay: "
"""What each line of the script begins with; Langfuse's own code writes others."""
POLL_SECONDS: Final = 5

RESTORED_EARLIER: Final = timedelta(minutes=15)
"""How much earlier than a backup its events are loaded from: what came in before it and was written
after. A lag of five minutes alarms, and the write mode `dual` takes about ten.
https://langfuse.com/self-hosting/upgrade/upgrade-guides/upgrade-v3-to-v4#dual-write"""

PROJECT: Final = re.compile(r"[A-Za-z0-9_-]{1,100}")


def replay(
    stack: str,
    since: datetime,
    until: datetime | None,
    project: str | None,
    dry_run: bool,
    folder: Path,
    yes: bool,
) -> None:
    """Load events from the bucket again: what a killed worker had not yet written to ClickHouse."""
    with one_line_errors():
        window = Window.of(since, until, project, now=datetime.now(timezone.utc))
        carry_out(plan(open_stack(stack, folder), window, dry_run=dry_run), yes=yes or dry_run)


@dataclass(frozen=True)
class Window:
    """Which events."""

    since: str
    """UTC, as `--since` takes it."""
    until: str
    project: str | None

    @classmethod
    def of(
        cls, since: datetime, until: datetime | None, project: str | None, *, now: datetime
    ) -> "Window":
        """Check what was asked for. UserError."""
        for option, given in (("--since", since), ("--until", until)):
            if given is not None and given > now:
                raise CommandLineError(
                    f"{option} {_utc(given)}: is in the future; it is {_utc(now)}. Take an earlier "
                    "time."
                )
        end = until or now
        if end <= since:
            raise CommandLineError(
                f"--until {_utc(end)}: is not later than --since {_utc(since)}. Exchange them, or "
                "leave --until out for everything since then."
            )
        if project is not None and not PROJECT.fullmatch(project):
            raise CommandLineError(
                f"--project {project}: is not the ID of a project. Langfuse shows it in the "
                "address of each page of the project: /project/ID."
            )
        return cls(_utc(since), _utc(end), project)

    def __str__(self) -> str:
        """Say it, for people."""
        whose = f"project {self.project}" if self.project else "every project"
        return f"{whose}, {self.since} to {self.until}"


@dataclass(frozen=True)
class Replay:
    """The task, and where it writes."""

    task: OneOffTask
    logs: Any

    def follow(self) -> None:
        """Show the task's lines until its end, which must be a good one."""
        token: str | None = None
        while True:
            task = self.task.describe()
            ended = task["lastStatus"] == "STOPPED"
            if ended:
                time.sleep(POLL_SECONDS)  # the last lines come after the end
            token = self._show(token)
            if ended:
                self.task.check_end(task)
                return
            time.sleep(POLL_SECONDS)

    def _show(self, token: str | None) -> str | None:
        while True:
            more = {"nextToken": token} if token else {}
            try:
                answer = self.logs.get_log_events(
                    logGroupName=self.task.log_group,
                    logStreamName=self.task.log_stream,
                    startFromHead=True,
                    **more,
                )
            except ClientError as error:
                if error.response["Error"]["Code"] != "ResourceNotFoundException":
                    raise
                return None  # it has written nothing yet
            for event in answer["events"]:
                if event["message"].startswith(MARK):
                    console.print(event["message"].removeprefix(MARK), markup=False)
            if answer["nextForwardToken"] == token:
                return token
            token = answer["nextForwardToken"]


def plan(deployed: Deployed, window: Window, *, dry_run: bool) -> Plan:
    """Work out what to run, or refuse it."""
    need_awake(deployed)
    worker = WorkerService.of(deployed)
    service = worker.described
    bucket = deployed.resource(S3_BUCKET, f"{deployed.prefix}-storage").outputs
    if not dry_run and not service["runningCount"]:
        raise UserError(
            f"stack {deployed.name}: no task of the service {worker.name} runs, so nothing would "
            "take the jobs. Start the worker first; --dry-run counts without it."
        )
    task = worker.task(orders(window, dry_run=dry_run))
    run = Replay(task, deployed.aws("logs"))
    days = deployed.settings.storage.events_retention_days
    stop = f"aws ecs stop-task --cluster {worker.cluster} --task TASK"
    return Plan(
        found=[
            f"Stack {deployed.name} in {deployed.region}; {service['runningCount']} tasks of the "
            "worker run.",
            f"Events in s3://{bucket['bucket']}/{EVENTS_PREFIX}: {window}."
            + (f" S3 deletes them after {days} days." if days else ""),
            *([] if dry_run else AFTERWARDS),
        ],
        lost=[],
        steps=[
            Step(
                f"Start a task with {service['taskDefinition'].rsplit('/', 1)[-1]}, which "
                + ("counts them." if dry_run else "makes a job of each for the worker."),
                task.start,
                "No task runs; nothing was changed.",
            ),
            Step(
                "Follow it to its end."
                if dry_run
                else "Follow it until the worker has taken all jobs.",
                run.follow,
                f"If it still runs, it goes on alone; to stop it: {stop}. Jobs that it has made "
                "are done all the same.",
            ),
        ],
        go_on="Correct the cause and run the same command again, with the --since that its last "
        "line has: loading an event twice does no harm.",
    )


AFTERWARDS: Final = (
    "Traces of that time that somebody deleted come back, if they came as OTLP.",
    "Evaluators of observations run again, with what their models cost.",
    "An older state of a trace replaces what was changed after --until; without --until nothing "
    "is left out.",
)


def orders(window: Window, *, dry_run: bool) -> dict[str, Any]:
    """Write what the container does instead of working."""
    lines = (line.strip() for line in SCRIPT.read_text("utf-8").splitlines())
    script = "\n".join(line for line in lines if line and not line.startswith("//"))
    variables = {
        "REPLAY_SINCE": window.since,
        "REPLAY_UNTIL": window.until,
        "REPLAY_PROJECT": window.project or "",
        "REPLAY_DRY_RUN": "true" if dry_run else "false",
        "REPLAY_MOST": str(MOST_JOBS),
        "REPLAY_STALLED_SECONDS": str(STALLED_SECONDS),
    }
    return {
        "command": ["node", "-e", script],
        "environment": [{"name": key, "value": value} for key, value in variables.items()],
    }


def after_a_restore(stack: str, taken: datetime) -> str:
    """The command that loads what a store lacks that was restored from a backup of a moment."""
    return f"{COMMAND} replay --stack {stack} --since {_utc(taken - RESTORED_EARLIER)}"


def _utc(moment: datetime) -> str:
    return f"{moment.astimezone(timezone.utc):%Y-%m-%dT%H:%M:%SZ}"
