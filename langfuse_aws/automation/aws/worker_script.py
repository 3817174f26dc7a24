"""A script that reaches PostgreSQL as the worker does, run by a task of the worker to its end."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from langfuse_aws.automation.aws.one_off_task import OneOffTask
from langfuse_aws.automation.aws.worker_task import WorkerService
from langfuse_aws.automation.engine.deployed import Deployed
from langfuse_aws.automation.errors import UserError

PRISMA: Final = Path(__file__).with_name("prisma.js")
POLL_SECONDS: Final = 5
LONGEST_SECONDS: Final = 900
"""The task itself takes seconds; its start, with a pull of the image, a minute or two."""


def orders(script: Path, *arguments: str) -> dict[str, Any]:
    """Write what the container does instead of working; the script has `database` of prisma.js."""
    lines = (
        line.strip() for file in (PRISMA, script) for line in file.read_text("utf-8").splitlines()
    )
    text = "\n".join(line for line in lines if line and not line.startswith("//"))
    return {"command": ["node", "-e", text, *arguments]}


def run(deployed: Deployed, given: dict[str, Any]) -> Iterator[str]:
    """Start the task, wait for its end, and read what it wrote. UserError if it does not run."""
    task = WorkerService.of(deployed).task(given)
    task.begin()
    deadline = time.monotonic() + LONGEST_SECONDS
    while (described := task.describe())["lastStatus"] != "STOPPED":
        if time.monotonic() > deadline:
            raise UserError(
                f"after {LONGEST_SECONDS // 60} min the task is {described['lastStatus']}. It ends "
                f"alone, or by aws ecs stop-task --cluster {task.cluster} --task {task.arn}. "
                f"{task.log}"
            )
        time.sleep(POLL_SECONDS)
    task.check_end(described)
    time.sleep(POLL_SECONDS)  # the last lines come after the end
    return _messages(deployed, task)


def _messages(deployed: Deployed, task: OneOffTask) -> Iterator[str]:
    """Every message; a page may be empty though more follow, and its token ends by repeating.

    https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_GetLogEvents.html
    """
    logs, token = deployed.aws("logs"), ""
    while True:
        answer = logs.get_log_events(
            logGroupName=task.log_group,
            logStreamName=task.log_stream,
            startFromHead=True,
            **({"nextToken": token} if token else {}),
        )
        yield from (each["message"] for each in answer["events"])
        if answer.get("nextForwardToken", token) == token:
            return
        token = answer["nextForwardToken"]
