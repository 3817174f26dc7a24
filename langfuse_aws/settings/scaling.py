"""What autoscaling aims at, how large its steps are, and how long it pauses. Pure."""

from dataclasses import dataclass
from typing import Final

CPU_TARGET_PERCENT: Final = 50
"""Langfuse's own advice. https://langfuse.com/self-hosting/configuration/scaling"""

DEFAULT_MAX_LAG_SECONDS: Final = 60
"""An assumption: what most would still call at once. A shorter one adds tasks for bursts that those
that run would have drained before the new ones start."""

SHORTEST_LAG_SECONDS: Final = 10
"""Between two looks of the queue probe; batches of the old API wait for 5 s by design."""
LONGEST_LAG_SECONDS: Final = 3600

LAG_PERIOD_SECONDS: Final = 10
"""Of the alarm that scales out, the shortest that CloudWatch has."""
LAG_PERIODS: Final = 3
LAG_BREACHING_PERIODS: Final = 2
"""AWS advises M of N for metrics made of logs, which come late at times.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Alarms.html"""

SCALE_OUT_COOLDOWN_SECONDS: Final = 60
LAG_SCALE_OUT_COOLDOWN_SECONDS: Final = 180
"""A new task works after a minute and a half, and then it takes a while to see what it changes."""
CPU_SCALE_IN_COOLDOWN_SECONDS: Final = 300
LAG_SCALE_IN_COOLDOWN_SECONDS: Final = 900
"""A spike rarely comes alone, and a worker that stops hands its jobs to others."""


@dataclass(frozen=True)
class Step:
    """How much is added at a lag."""

    beyond: float
    """From which lag, in targets: 1 is the target itself."""
    percent: int
    """Of the tasks that run."""


LAG_STEPS: Final = (Step(1, 200), Step(2, 400), Step(4, 800))
"""Where the lag has just passed its target, three times the tasks keep up with three times what
those that run can do. A queue that gets older in spite of them gets more; `maxTasks` bounds it."""
