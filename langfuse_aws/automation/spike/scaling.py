"""Target tracking of an ECS service as AWS describes it: alarms, steps, cooldowns, bounds.

Pure. It knows datapoints, not queues. What it simplifies is in docs/scaling.md.
"""

import math
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from langfuse_aws.automation.spike.inputs import Inputs

Metric = Literal["cpu", "backlog"]

PERIOD_SECONDS: Final = 60
"""Of the alarms. https://github.com/aws/containers-roadmap/issues/1208"""
DIGITS: Final = 6
"""Datapoints are rounded to so many decimals: no alarm may follow from how floats add up."""


@dataclass(frozen=True)
class Policy:
    """A target tracking policy."""

    metric: Metric
    target: float
    """Percent, or waiting jobs per running task."""
    scale_in_cooldown: int
    """Seconds."""


def policies(inputs: Inputs, scale_on: Metric) -> list[Policy]:
    """What `langfuse:worker.scaleOn` stands for: with `backlog` the CPU policy stays."""
    if scale_on == "cpu":
        return [Policy("cpu", inputs.cpu_target, inputs.cpu_scale_in_cooldown)]
    pause = inputs.backlog_scale_in_cooldown
    return [
        Policy("backlog", inputs.backlog_per_task, pause),
        Policy("cpu", inputs.cpu_target, pause),
    ]


class Autoscaling:
    """Application Auto Scaling for one service: told datapoints, it says how many tasks to run."""

    def __init__(self, inputs: Inputs, followed: Sequence[Policy]) -> None:
        self.desired: int = inputs.min_tasks
        self._inputs = inputs
        self._policies = followed
        kept = max(inputs.datapoints_out, inputs.datapoints_in)
        self._seen = {policy: deque[float](maxlen=kept) for policy in followed}
        self._before_scale_out: int = inputs.min_tasks
        self._scaled_out = self._scaled_in = -math.inf

    def see(self, now: int, datapoints: Mapping[Metric, float]) -> None:
        """Take the datapoints of one period at `now`, in seconds, and decide.

        An alarm acts anew with every datapoint while it lasts:
        https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-actions.html
        """
        for policy, seen in self._seen.items():
            seen.append(round(datapoints[policy.metric], DIGITS))
        high = [policy for policy in self._policies if self._is_high(policy)]
        if high:
            self._scale_out(now, high)
        elif all(self._is_low(policy) for policy in self._policies):
            self._scale_in(now)

    def _is_high(self, policy: Policy) -> bool:
        count = self._inputs.datapoints_out
        last = list(self._seen[policy])[-count:]
        return len(last) == count and min(last) > policy.target

    def _is_low(self, policy: Policy) -> bool:
        count = self._inputs.datapoints_in
        last = list(self._seen[policy])[-count:]
        threshold = policy.target * self._inputs.scale_in_percent / 100
        return len(last) == count and max(last) < threshold

    def _scale_out(self, now: int, high: Sequence[Policy]) -> None:
        # During the cooldown, what was added counts: only a larger step than it goes further.
        # https://docs.aws.amazon.com/autoscaling/application/userguide/target-tracking-scaling-policy-overview.html#target-tracking-cooldown
        cooling = now < self._scaled_out + self._inputs.scale_out_cooldown
        current = self._before_scale_out if cooling else self.desired
        wanted = min(self._wanted(current, high), self._inputs.max_tasks)
        if wanted > self.desired:
            self._before_scale_out, self._scaled_out = current, now
            self.desired = wanted

    def _scale_in(self, now: int) -> None:
        # Only when every policy agrees.
        # https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-autoscaling-targettracking.html
        if any(now < self._scaled_in + policy.scale_in_cooldown for policy in self._policies):
            return
        wanted = max(self._wanted(self.desired, self._policies), self._inputs.min_tasks)
        if wanted < self.desired:
            self._scaled_in = now
            self.desired = wanted

    def _wanted(self, current: int, followed: Sequence[Policy]) -> int:
        """The largest capacity that any of the policies asks for."""
        return max(
            math.ceil(round(current * self._seen[policy][-1] / policy.target, DIGITS))
            for policy in followed
        )
