"""Autoscaling of an ECS service as AWS describes it: alarms, steps, cooldowns, bounds.

Pure. It knows datapoints, not queues. What it simplifies is in docs/scaling.md.
"""

import math
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from langfuse_aws.automation.spike.inputs import Inputs
from langfuse_aws.settings.scaling import LAG_STEPS

ScaleOn = Literal["cpu", "backlog"]
Metric = Literal["cpu", "lag"]

PERIOD_SECONDS: Final = 60
"""Of the alarms of target tracking. https://github.com/aws/containers-roadmap/issues/1208"""
REPEAT_SECONDS: Final = 60
"""Between two calls of a step policy by an alarm that lasts.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-actions.html"""
DIGITS: Final = 6
"""Datapoints are rounded to so many decimals: no alarm may follow from how floats add up."""


@dataclass(frozen=True)
class Policy:
    """A target tracking policy."""

    metric: Metric
    target: float
    """Percent, or seconds."""
    scale_in_cooldown: int
    """Seconds."""


def policies(inputs: Inputs, scale_on: ScaleOn) -> list[Policy]:
    """What `langfuse:worker.scaleOn` stands for: with `backlog` the CPU policy stays."""
    if scale_on == "cpu":
        return [Policy("cpu", inputs.cpu_target, inputs.cpu_scale_in_cooldown)]
    pause = inputs.lag_scale_in_cooldown
    return [
        Policy("lag", inputs.max_lag, pause),
        Policy("cpu", inputs.cpu_target, pause),
    ]


class Autoscaling:
    """Application Auto Scaling for one service: told datapoints, it says how many tasks to run."""

    def __init__(self, inputs: Inputs, scale_on: ScaleOn) -> None:
        self.desired: int = inputs.min_tasks
        self._inputs = inputs
        self._policies: Sequence[Policy] = policies(inputs, scale_on)
        kept = max(inputs.datapoints_out, inputs.datapoints_in)
        self._seen = {policy: deque[float](maxlen=kept) for policy in self._policies}
        self._lags = deque[float](maxlen=inputs.lag_periods)
        self._steps = scale_on == "backlog"
        self._before_scale_out: int = inputs.min_tasks
        self._cooling_until = self._scaled_in = self._called = -math.inf

    def see_lag(self, now: int, lag: float) -> None:
        """Take the datapoint of a period of the lag's alarm at `now`, in seconds, and decide.

        While it lasts an alarm calls its policy anew, and only a larger step than the one before
        goes further during the cooldown.
        https://docs.aws.amazon.com/autoscaling/application/userguide/step-scaling-policy-overview.html
        """
        self._lags.append(round(lag, DIGITS))
        if not self._steps:
            return
        high = sum(each > self._inputs.max_lag for each in self._lags)
        if high < self._inputs.lag_breaching_periods:
            self._called = -math.inf
        elif now >= self._called + REPEAT_SECONDS:
            self._called = now
            percent = step(lag, self._inputs.max_lag)
            self._scale_out(
                now,
                lambda current: current + added(current, percent),
                self._inputs.lag_scale_out_cooldown,
            )

    def see(self, now: int, datapoints: Mapping[Metric, float]) -> None:
        """Take the datapoints of one period of target tracking at `now`, in seconds, and decide.

        An alarm acts anew with every datapoint while it lasts:
        https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-actions.html
        """
        for policy, seen in self._seen.items():
            seen.append(round(datapoints[policy.metric], DIGITS))
        high = [policy for policy in self._policies if self._is_high(policy)]
        if high:
            self._scale_out(
                now, lambda current: self._wanted(current, high), self._inputs.scale_out_cooldown
            )
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

    def _scale_out(self, now: int, wanted_of: Callable[[int], int], cooldown: int) -> None:
        # During the cooldown, what was added counts: only a larger step than it goes further.
        # https://docs.aws.amazon.com/autoscaling/application/userguide/target-tracking-scaling-policy-overview.html#target-tracking-cooldown
        current = self._before_scale_out if now < self._cooling_until else self.desired
        wanted = min(wanted_of(current), self._inputs.max_tasks)
        if wanted > self.desired:
            self._before_scale_out, self._cooling_until = current, now + cooldown
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


def step(lag: float, target: float) -> int:
    """What percentage of the running tasks the policy adds at a lag; 0 at the target or below."""
    found = [each.percent for each in LAG_STEPS if lag >= each.beyond * target]
    return max(found) if found and lag > target else 0


def added(current: int, percent: int) -> int:
    """How many tasks that is: rounded down, and one at the least.

    https://docs.aws.amazon.com/autoscaling/application/userguide/step-scaling-policy-overview.html
    """
    return max(math.floor(current * percent / 100), 1) if percent else 0
