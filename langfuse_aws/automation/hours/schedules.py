"""The schedules of `langfuse:hours`, as a stack's state has them: what they do, and when."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final, Literal

from langfuse_aws.automation.errors import UserError
from langfuse_aws.graph.model import Resource
from langfuse_aws.settings.hours import DAYS, SLEEPS_AFTER, WAKES_BEFORE, Hours, Part, Weekly

End = Literal["sleep", "wake"]
"""What the name of a schedule ends with."""

TASKS: Final = "aws:appautoscaling/scheduledAction:ScheduledAction"
GROUP: Final = "aws:autoscaling/schedule:Schedule"
DATABASE: Final = "aws:scheduler/schedule:Schedule"

_PARTS: Final[Mapping[tuple[str, str], Part]] = {
    (TASKS, "web"): "web",
    (TASKS, "grafana"): "grafana",
    (TASKS, "worker"): "worker",
    (TASKS, "clickhouse"): "clickhouse",
    (GROUP, "clickhouse"): "hosts",
    (GROUP, "nat"): "nat",
    (DATABASE, "postgres"): "database",
}
"""By the type of a schedule and the last word of its name before its end."""


@dataclass(frozen=True)
class Schedule:
    """One schedule."""

    part: Part
    end: End
    does: Mapping[str, Any]
    """Its outputs: what it does to which resource."""


@dataclass(frozen=True)
class Schedules:
    """All of a stack, which has some."""

    every: Sequence[Schedule]

    @classmethod
    def of(cls, resources: Iterable[Resource]) -> "Schedules | None":
        """Find them in a state. None: the stack never sleeps."""
        found = [found for each in resources if (found := _schedule(each))]
        web = [each for each in found if each.part == "web"]
        return cls(found) if web else None

    def stages(self, end: End) -> list[list[Schedule]]:
        """List what sleeps, or wakes, at the same time, in the order of the times."""
        minutes: Mapping[Part, int] = (
            SLEEPS_AFTER
            if end == "sleep"
            else {part: -minutes for part, minutes in WAKES_BEFORE.items()}
        )
        order = list(minutes)
        found = sorted(
            (each for each in self.every if each.end == end),
            key=lambda each: (minutes[each.part], order.index(each.part)),
        )
        return [list(stage) for _, stage in groupby(found, lambda each: minutes[each.part])]

    def web(self, end: End) -> Mapping[str, Any]:
        """What a schedule of web does."""
        return next(each.does for each in self.every if (each.part, each.end) == ("web", end))

    @property
    def hours(self) -> Hours:
        """The hours that AWS keeps, whatever the stack file has by now.

        Raises UserError for schedules that the program has not made so.
        """
        sleep, wake = self.web("sleep"), self.web("wake")
        try:
            begins = Weekly.of_cron(wake["schedule"]).later(WAKES_BEFORE["web"])
            ends = Weekly.of_cron(sleep["schedule"]).later(-SLEEPS_AFTER["web"])
            return Hours.model_validate(
                {
                    "days": ",".join(DAYS[day] for day in begins.days),
                    "from": begins.clock,
                    "to": ends.clock,
                    "timezone": wake["timezone"],
                }
            )
        except ValueError:
            raise UserError(
                f"web's schedules ({wake['schedule']} and {sleep['schedule']}, {wake['timezone']}) "
                "are none that langfuse:hours makes, so nobody here knows when the stack is awake. "
                "Take the change out of customize.py, and pulumi up."
            ) from None


def _schedule(resource: Resource) -> Schedule | None:
    before, _, end = resource.name.rpartition("-")
    part = _PARTS.get((resource.type, before.rpartition("-")[2]))
    if resource.replaced or part is None or end not in ("sleep", "wake"):
        return None
    return Schedule(part, end, resource.outputs)
