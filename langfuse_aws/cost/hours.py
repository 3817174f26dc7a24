"""For how many hours of a month a resource runs, by the schedules that start and stop it."""

import re
from collections.abc import Sequence
from typing import Final

from langfuse_aws.cost.charge import Context
from langfuse_aws.cost.inputs import section
from langfuse_aws.cost.prices import HOURS
from langfuse_aws.graph.model import Resource

OF_SERVICES: Final = "aws:appautoscaling/scheduledAction:ScheduledAction"
OF_GROUPS: Final = "aws:autoscaling/schedule:Schedule"
OF_DATABASES: Final = "aws:scheduler/schedule:Schedule"

SCALING_TARGET: Final = "aws:appautoscaling/target:Target"

_DAYS: Final = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_WEEK_MINUTES: Final = 7 * 24 * 60
_CRON: Final = re.compile(r"(?:cron\()?(\d+) (\d+) \S+ \S+ ([\w,]+)(?: \*)?\)?")


def service_hours(service: Resource, context: Context) -> float:
    """Of an ECS service."""
    targets = _of(service, SCALING_TARGET, "resourceId", context)
    found = [each for target in targets for each in _of(target, OF_SERVICES, "resourceId", context)]
    awake = [bool(section(each.inputs, "scalableTargetAction")["maxCapacity"]) for each in found]
    return _hours([each.inputs["schedule"] for each in found], awake)


def group_hours(group: Resource, context: Context) -> float:
    """Of the instances of an Auto Scaling group."""
    found = _of(group, OF_GROUPS, "autoscalingGroupName", context)
    awake = [bool(each.inputs["maxSize"]) for each in found]
    return _hours([each.inputs["recurrence"] for each in found], awake)


def database_hours(database: Resource, context: Context) -> float:
    """Of an RDS instance or an Aurora cluster."""
    found = _of(database, OF_DATABASES, "target", context)
    awake = [":startDB" in section(each.inputs, "target")["arn"] for each in found]
    return _hours([each.inputs["scheduleExpression"] for each in found], awake)


def _of(resource: Resource, token: str, property_name: str, context: Context) -> list[Resource]:
    """What of a type names the resource in an input."""
    graph, kind = context.graph, resource.type
    found = graph.of_type(token)
    return [each for each in found if resource in graph.origins(each, property_name, kind)]


def _hours(crons: Sequence[str], awake: Sequence[bool]) -> float:
    """Count from each start until the stop that comes next; without a schedule, the month."""
    starts = [at for cron, up in zip(crons, awake, strict=True) if up for at in minutes(cron)]
    stops = [at for cron, up in zip(crons, awake, strict=True) if not up for at in minutes(cron)]
    if not (starts and stops):
        return HOURS
    week = sum(min((stop - start) % _WEEK_MINUTES for stop in stops) for start in starts)
    return week / _WEEK_MINUTES * HOURS


def minutes(cron: str) -> list[int]:
    """The times of a week that a weekly cron expression stands for, in minutes since Sunday.

    Raises ValueError for an expression that is of another kind.
    """
    match = _CRON.fullmatch(cron)
    if match is None:
        raise ValueError(f"{cron}: is not a time of day on days of the week")
    minute, hour, days = match.groups()
    numbers = [int(day) if day.isdigit() else _DAYS.index(day) for day in days.split(",")]
    return [(24 * day + int(hour)) * 60 + int(minute) for day in numbers]
