"""A task of ECS that runs once, with a task definition that the stack has, and other orders."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from langfuse_aws.automation.errors import UserError
from langfuse_aws.automation.terminal import console

POLL_SECONDS: Final = 15
KNOWN_SECONDS: Final = 60
"""For how long ECS may not know a task that it has started."""


@dataclass
class OneOffTask:
    """The task, before and after its start."""

    ecs: Any
    cluster: str
    definition: Mapping[str, Any]
    """As DescribeTaskDefinition answers it."""
    container: str
    """The container that gets the orders, and whose exit code counts."""
    network: Mapping[str, Any]
    """An `awsvpcConfiguration`."""
    orders: Mapping[str, Any]
    """What a container override has: `command`, `environment`."""
    execute_command: bool = False
    """Whether ECS Exec's agent runs in it."""
    arn: str = field(default="", init=False)

    def start(self) -> None:
        """Start it on Fargate, and say where it writes."""
        self.begin()
        console.print(f"{self.arn}\n{self.log}", markup=False)

    def begin(self) -> None:
        """Start it on Fargate."""
        answer = self.ecs.run_task(
            cluster=self.cluster,
            taskDefinition=self.definition["taskDefinitionArn"],
            launchType="FARGATE",
            platformVersion="LATEST",
            count=1,
            propagateTags="TASK_DEFINITION",
            networkConfiguration={"awsvpcConfiguration": self.network},
            overrides={"containerOverrides": [{"name": self.container, **self.orders}]},
            **({"enableExecuteCommand": True} if self.execute_command else {}),
        )
        if not answer["tasks"]:
            reasons = [
                " ".join(filter(None, (each.get("reason"), each.get("detail"))))
                for each in answer["failures"]
            ]
            raise UserError(f"ECS did not start the task: {'; '.join(reasons) or 'no reason'}.")
        self.arn = answer["tasks"][0]["taskArn"]

    def wait(self, hours: int) -> None:
        """Wait for its end, which must be a good one."""
        self.describe()  # the waiter takes a task that is not known yet for one that has ended
        self.ecs.get_waiter("tasks_stopped").wait(
            cluster=self.cluster,
            tasks=[self.arn],
            WaiterConfig={"Delay": POLL_SECONDS, "MaxAttempts": hours * 3600 // POLL_SECONDS},
        )
        console.print(self.check_end(self.describe()), markup=False)

    def describe(self) -> dict[str, Any]:
        """Ask ECS for it. UserError if ECS still does not know it after a minute.

        RunTask's answer comes before every part of ECS knows the task:
        https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RunTask.html
        """
        for _ in range(KNOWN_SECONDS // POLL_SECONDS):
            if found := self.ecs.describe_tasks(cluster=self.cluster, tasks=[self.arn])["tasks"]:
                return found[0]
            time.sleep(POLL_SECONDS)
        raise UserError(f"ECS does not know task {self.arn}, which it has started. {self.log}")

    def check_end(self, task: Mapping[str, Any]) -> str:
        """Say how it ended. UserError if that is not well."""
        container = next(each for each in task["containers"] if each["name"] == self.container)
        code = container.get("exitCode")
        said = (
            f"exit code {'none' if code is None else code}; ECS: "
            f"{task.get('stoppedReason', 'no reason')}; "
            f"{container.get('reason', 'nothing about the container')}. {self.log}"
        )
        if code != 0:
            raise UserError(said)
        return said

    @property
    def log_group(self) -> str:
        """Name of the log group that it writes to."""
        return self._log_options["awslogs-group"]

    @property
    def log_stream(self) -> str:
        """Name of its own stream in there."""
        prefix = self._log_options["awslogs-stream-prefix"]
        return f"{prefix}/{self.container}/{self.arn.rsplit('/', 1)[-1]}"

    @property
    def log(self) -> str:
        """Where it writes, for people."""
        return f"Log group {self.log_group}, log stream {self.log_stream}."

    @property
    def _log_options(self) -> Mapping[str, str]:
        containers = self.definition["containerDefinitions"]
        found = next(each for each in containers if each["name"] == self.container)
        return found["logConfiguration"]["options"]
