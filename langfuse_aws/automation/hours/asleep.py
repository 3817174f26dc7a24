"""Whether a stack is asleep, until when, and what to say of it. Asks AWS once, if at all."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from langfuse_aws.automation.engine.deployed import Deployed
from langfuse_aws.automation.errors import UserError
from langfuse_aws.automation.hours import clock
from langfuse_aws.automation.hours.schedules import Schedules
from langfuse_aws.graph.model import Resource
from langfuse_aws.settings.hours import Hours
from langfuse_aws.settings.installation import COMMAND


@dataclass(frozen=True)
class Asleep:
    """A stack that is asleep."""

    stack: str
    hours: Hours
    now: datetime

    @property
    def until(self) -> datetime:
        """When its schedule has woken it, in the zone of its hours."""
        return self.hours.next_time(self.hours.begins, self.now)

    @property
    def since(self) -> datetime:
        """When its schedule put it to sleep last: what is older has nothing to do with it."""
        found = self.now - timedelta(days=8)
        while (following := self.hours.next_time(self.hours.ends, found)) <= self.now:
            found = following
        return found

    @property
    def until_text(self) -> str:
        """`until Monday 30 November, 08:00 Europe/Berlin`."""
        return f"until {clock.when(self.until, self.hours)}"

    @property
    def remedy(self) -> str:
        """The command that wakes it."""
        return f"{COMMAND} resume --stack {self.stack}"

    def __str__(self) -> str:
        """Say it in one line."""
        return (
            f"stack {self.stack} is asleep (langfuse:hours) {self.until_text}. To wake it now: "
            f"{self.remedy}."
        )

    def to_json(self) -> dict[str, str]:
        """The object of `--json`."""
        return {"until": self.until.isoformat(), "timezone": self.hours.timezone}


def asleep(name: str, resources: Iterable[Resource], aws: Callable[[str], Any]) -> "Asleep | None":
    """Ask how many tasks web may have: none, and the stack sleeps. No question without hours.

    Raises botocore's errors.
    """
    schedules = Schedules.of(resources)
    if schedules is None:
        return None
    (namespace, resource) = (
        schedules.web("sleep")[key] for key in ("serviceNamespace", "resourceId")
    )
    found = aws("application-autoscaling").describe_scalable_targets(
        ServiceNamespace=namespace, ResourceIds=[resource]
    )["ScalableTargets"]
    if not found or any(each["MaxCapacity"] for each in found):
        return None
    return Asleep(name, schedules.hours, clock.now())


def seen_asleep(
    name: str, resources: Iterable[Resource], aws: Callable[[str], Any]
) -> Asleep | None:
    """The same; None too if AWS does not say, or nobody knows until when."""
    with suppress(BotoCoreError, ClientError, UserError):
        return asleep(name, resources, aws)
    return None


def need_awake(deployed: Deployed) -> None:
    """Raise UserError if the stack is asleep: what comes needs its stores, or its tasks."""
    found = seen_asleep(deployed.name, deployed.state, deployed.aws)
    if found is not None:
        raise UserError(
            f"nothing was changed: {found} This needs what is stopped: run it again then."
        )
