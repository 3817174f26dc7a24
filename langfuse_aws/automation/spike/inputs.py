"""What the simulation of a spike is told: every figure with its meaning, unit and origin.

A figure that AWS or Langfuse sets has a link, one of this program has its name. All others are
assumed until the caller gives them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Final

from langfuse_aws.settings.hours import DAY_MINUTES
from langfuse_aws.settings.scaling import (
    CPU_SCALE_IN_COOLDOWN_SECONDS,
    CPU_TARGET_PERCENT,
    DEFAULT_MAX_LAG_SECONDS,
    LAG_BREACHING_PERIODS,
    LAG_PERIOD_SECONDS,
    LAG_PERIODS,
    LAG_SCALE_IN_COOLDOWN_SECONDS,
    LAG_SCALE_OUT_COOLDOWN_SECONDS,
    SCALE_OUT_COOLDOWN_SECONDS,
)

MOST_JOBS: Final = 1_000_000
"""Jobs, or jobs/s; a guard against typing errors."""
MOST_MINUTES: Final = DAY_MINUTES
MOST_SECONDS: Final = 3600
LEAST: Final = 0.001
"""Jobs, or jobs/s: nothing may be divided by 0."""

ASSUMED: Final = "assumed"
SIZE: Final = "size"
PROGRAM: Final = "program"
AWS: Final = "AWS"
REPORTED: Final = "AWS, reported"
"""What users see AWS do, and its guides do not say."""

CONCURRENCY: Final = "https://github.com/langfuse/langfuse/blob/v4.16.0/worker/src/env.ts#L90"
"""Five OTel jobs at once, unless LANGFUSE_OTEL_INGESTION_QUEUE_PROCESSING_CONCURRENCY says more."""
FLUSHING: Final = (
    "https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/"
    "CloudWatch_Embedded_Metric_Format_Alarms.html"
)
DATAPOINTS: Final = "https://github.com/aws/containers-roadmap/issues/1208"
TRACKING: Final = (
    "https://docs.aws.amazon.com/autoscaling/application/userguide/"
    "target-tracking-scaling-policy-overview.html"
)
ADVICE: Final = "https://langfuse.com/self-hosting/configuration/scaling"


def _figure(default: Any, meaning: str, unit: str, origin: str = ASSUMED, link: str = "") -> Any:
    return field(
        default=default,
        metadata={"meaning": meaning, "unit": unit, "origin": origin, "link": link},
    )


@dataclass(frozen=True)
class Inputs:
    """The figures. Those of a size are prod's unless told otherwise."""

    min_tasks: int = _figure(2, "Tasks at the least", "tasks", SIZE)
    max_tasks: int = _figure(8, "Tasks at the most", "tasks", SIZE)
    cpu: int = _figure(2048, "CPU of a task, for its price", "units, 1024 = 1 vCPU", SIZE)
    memory: int = _figure(4096, "Memory of a task, for its price", "MiB", SIZE)
    base: float = _figure(10, "Arrivals outside the spike", "jobs/s")
    spike: float = _figure(50, "Arrivals in the spike, from minute 10", "jobs/s")
    spike_minutes: int = _figure(15, "Length of the spike", "min")
    minutes: int = _figure(120, "Length of the simulation", "min")
    service_rate: float = _figure(10, "Jobs that a busy task finishes", "jobs/s", link=CONCURRENCY)
    busy_cpu: float = _figure(40, "CPU of a task that is never idle; the rest is waiting", "%")
    start_delay: int = _figure(90, "From the decision until a new task works", "s")
    metric_delay: int = _figure(120, "From a period's end until alarms see its datapoint", "s")
    log_delay: int = _figure(
        15, "From a look of the probe until the lag's alarm sees it", "s", link=FLUSHING
    )
    max_lag: float = _figure(
        DEFAULT_MAX_LAG_SECONDS, "Lag to aim at, the age of the oldest waiting job", "s", PROGRAM
    )
    cpu_target: float = _figure(
        CPU_TARGET_PERCENT, "CPU to aim at, the average of the tasks", "%", PROGRAM, ADVICE
    )
    scale_out_cooldown: int = _figure(
        SCALE_OUT_COOLDOWN_SECONDS, "Pause after scaling out by target tracking", "s", PROGRAM
    )
    lag_scale_out_cooldown: int = _figure(
        LAG_SCALE_OUT_COOLDOWN_SECONDS, "Pause after scaling out by a step", "s", PROGRAM
    )
    cpu_scale_in_cooldown: int = _figure(
        CPU_SCALE_IN_COOLDOWN_SECONDS, "Pause after scaling in, on CPU alone", "s", PROGRAM
    )
    lag_scale_in_cooldown: int = _figure(
        LAG_SCALE_IN_COOLDOWN_SECONDS, "Pause after scaling in, on both", "s", PROGRAM
    )
    lag_period: int = _figure(
        LAG_PERIOD_SECONDS,
        "Between two looks of the probe, and the period of its alarm",
        "s",
        PROGRAM,
    )
    lag_periods: int = _figure(
        LAG_PERIODS, "Periods that the lag's alarm looks at", "datapoints", PROGRAM, FLUSHING
    )
    lag_breaching_periods: int = _figure(
        LAG_BREACHING_PERIODS, "Of them above the target to scale out", "datapoints", PROGRAM
    )
    datapoints_out: int = _figure(
        3, "Datapoints of 1 min above the target to scale out", "datapoints", REPORTED, DATAPOINTS
    )
    datapoints_in: int = _figure(
        15,
        "Datapoints of 1 min below the threshold to scale in",
        "datapoints",
        REPORTED,
        DATAPOINTS,
    )
    scale_in_percent: float = _figure(
        90, "Threshold of scaling in, of the target", "%", AWS, TRACKING
    )


@dataclass(frozen=True)
class Row:
    """One line of a table of inputs."""

    name: str
    meaning: str
    value: float | str
    unit: str
    origin: str
    """`given`, or where the default is from."""
    link: str

    def of(self, origin: str) -> "Row":
        """The same with another origin."""
        return replace(self, origin=origin)


def rows(inputs: Inputs, origins: Mapping[str, str]) -> list[Row]:
    """Every figure, with an origin of its own where `origins` has one."""
    return [
        Row(
            each.name,
            each.metadata["meaning"],
            getattr(inputs, each.name),
            each.metadata["unit"],
            origins.get(each.name, each.metadata["origin"]),
            each.metadata["link"],
        )
        for each in fields(inputs)
    ]


def figure_help(name: str) -> str:
    """What the help of an option says of a figure."""
    (row,) = [row for row in rows(Inputs(), {}) if row.name == name]
    return f"{row.meaning}, {row.unit}."
