"""What an alarm is made from, as data: alarms, runbook and documentation have it from here."""

import re
from dataclasses import dataclass
from typing import Final, Literal

from langfuse_aws.components.shared.metrics import Metric

MINUTE: Final = 60
FIVE_MINUTES: Final = 300
HOUR: Final = 3600
"""Seconds."""

FIRST_UP: Final = 2 * HOUR
"""Seconds. As long as a first `up` may take, from the alarm to what it looks at."""

LONGEST_WARM_UP: Final = 48 * HOUR
"""Seconds. https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_WarmUpConfiguration.html"""

OPERATORS: Final = {
    ">": "GreaterThanThreshold",
    ">=": "GreaterThanOrEqualToThreshold",
    "<": "LessThanThreshold",
}


@dataclass(frozen=True)
class AlarmRow:
    """An alarm on every thing that its metric is about."""

    label: str
    """End of the resource's name."""
    metric: Metric
    comparison: Literal[">", ">=", "<"]
    threshold: float
    period: int
    """Seconds of one value."""
    periods: int
    """How many values are looked at."""
    summary: str
    """One sentence: what is wrong."""
    why: str
    """Why this threshold."""
    runbook: str
    """Heading of the paragraph in docs/operations.md."""
    breaching: int = 0
    """How many of the values must be wrong; 0: all of them."""
    missing: Literal["breaching", "notBreaching", "ignore"] = "notBreaching"
    """What a missing value counts as."""
    first_value: int = FIRST_UP
    """Seconds after the alarm is made by which a stack that is well has sent a value."""
    growth: bool = False
    """Whether the threshold is for the change since the period before."""
    bound: str = ""
    """The threshold in words, if the settings decide it."""

    @property
    def anchor(self) -> str:
        """The paragraph's anchor, as GitHub makes it of a heading."""
        return re.sub(r"[^\w\- ]", "", self.runbook.lower()).replace(" ", "-")

    def description(self, runbook_url: str) -> str:
        """What the mail says, with an address that can be clicked."""
        return f"{self.summary} {runbook_url}#{self.anchor}"

    @property
    def warm_up_minutes(self) -> int | None:
        """How long a new alarm waits for its first value; None: a missing value is no alarm.

        It ends with the first values. A whole day without any, before the first backup is due, is
        the same to CloudWatch as one on which it was not taken.
        https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-warm-up.html
        """
        return self.first_value // MINUTE if self.missing == "breaching" else None

    @property
    def breaching_periods(self) -> int:
        """How many of the values must be wrong."""
        return self.breaching or self.periods
