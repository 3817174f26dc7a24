"""Simulates the worker's queue in a spike, second by second: arrivals, backlog, lag and tasks.

Pure and deterministic. Jobs flow like water, so there are fractions of jobs. Nothing here was
measured; what it assumes is in `spike_inputs` and in docs/scaling.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final, NamedTuple

from langfuse_aws.automation.spike.inputs import Inputs
from langfuse_aws.automation.spike.scaling import PERIOD_SECONDS, Autoscaling, Metric, ScaleOn

NO_JOB: Final = 1e-9
"""Less than this is what floats leave over."""


class Second(NamedTuple):
    """What happened in a second, and how things stand at its end."""

    arrived: float
    """Jobs that came."""
    served: float
    """Jobs that were finished."""
    backlog: float
    """Jobs that wait."""
    lag: int
    """Age of the oldest job that waits, seconds, rounded up."""
    running: int
    """Tasks that work."""
    desired: int
    """Tasks that autoscaling asks for."""


@dataclass(frozen=True)
class Totals:
    """What a run amounts to."""

    peak_backlog_jobs: float
    peak_lag_seconds: int
    drain_seconds: int
    """The longest time without a second in which nothing waits."""
    drained: bool
    """Whether nothing waits at the end; if not, `drain_seconds` is cut short."""
    first_scale_out_second: int | None
    """From the start of the simulation; None: never."""
    most_tasks: int
    task_hours: float
    """AWS bills a task while it starts, too. https://aws.amazon.com/fargate/pricing/"""
    usd: float


class _Queue:
    """First in, first out."""

    def __init__(self) -> None:
        self.waiting = 0.0
        self._arrived_by_end: list[float] = []
        self._oldest = 0
        """The second in which the oldest waiting job came."""

    def serve(self, arriving: float, capacity: float) -> float:
        """Let a second pass; say how many jobs were finished."""
        before = self._arrived_by_end[-1] if self._arrived_by_end else 0.0
        self._arrived_by_end.append(before + arriving)
        served = min(self.waiting + arriving, capacity)
        left = self.waiting + arriving - served
        self.waiting = left if left > NO_JOB else 0.0
        gone = self._arrived_by_end[-1] - self.waiting + NO_JOB
        while self._oldest < len(self._arrived_by_end) and (
            not self.waiting or self._arrived_by_end[self._oldest] <= gone
        ):
            self._oldest += 1
        return served

    @property
    def lag(self) -> int:
        return len(self._arrived_by_end) - self._oldest


class _Tasks:
    """Those that work, and those that start."""

    def __init__(self, running: int, start_delay: int) -> None:
        self.running = running
        self._start_delay = start_delay
        self._ready_at: list[int] = []

    def begin(self, second: int) -> None:
        """Let those work that have started."""
        self.running += sum(ready <= second for ready in self._ready_at)
        self._ready_at = [ready for ready in self._ready_at if ready > second]

    def become(self, desired: int, now: int) -> None:
        """Start tasks, or stop the youngest; stopping takes no time."""
        missing = desired - self.running - len(self._ready_at)
        self._ready_at += [now + self._start_delay] * missing
        del self._ready_at[max(desired - self.running, 0) :]
        self.running = min(self.running, desired)


def simulate(inputs: Inputs, arrivals: Sequence[float], scale_on: ScaleOn) -> list[Second]:
    """Run the queue under the autoscaling of `langfuse:worker.scaleOn`; arrivals are jobs/s."""
    queue, tasks = _Queue(), _Tasks(inputs.min_tasks, inputs.start_delay)
    scaling = Autoscaling(inputs, scale_on)
    published: dict[int, dict[Metric, float]] = {}
    lags: dict[int, float] = {}
    busy = longest = 0.0
    seconds: list[Second] = []
    for second, arriving in enumerate(arrivals):
        tasks.begin(second)
        capacity = tasks.running * inputs.service_rate
        served = queue.serve(arriving, capacity)
        seconds.append(
            Second(arriving, served, queue.waiting, queue.lag, tasks.running, scaling.desired)
        )
        now = second + 1
        busy += served / capacity
        if now % inputs.lag_period == 0:
            longest = max(longest, queue.lag)
            lags[now + inputs.log_delay] = queue.lag
        if now % PERIOD_SECONDS == 0:
            cpu = inputs.busy_cpu * busy / PERIOD_SECONDS
            published[now + inputs.metric_delay] = {"cpu": cpu, "lag": longest}
            busy = longest = 0.0
        if now in lags:
            scaling.see_lag(now, lags.pop(now))
        if now in published:
            scaling.see(now, published.pop(now))
        tasks.become(scaling.desired, now)
    return seconds


def totals(run: Sequence[Second], inputs: Inputs, usd_per_task_hour: float) -> Totals:
    """Sum a run up."""
    waits = groupby(run, lambda each: each.backlog > 0)
    task_hours = sum(each.desired for each in run) / 3600
    more = (second for second, each in enumerate(run) if each.desired > inputs.min_tasks)
    return Totals(
        peak_backlog_jobs=max(each.backlog for each in run),
        peak_lag_seconds=max(each.lag for each in run),
        drain_seconds=max((len(list(group)) for waiting, group in waits if waiting), default=0),
        drained=not run[-1].backlog,
        first_scale_out_second=next(more, None),
        most_tasks=max(each.running for each in run),
        task_hours=task_hours,
        usd=task_hours * usd_per_task_hour,
    )
