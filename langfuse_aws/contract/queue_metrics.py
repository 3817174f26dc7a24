"""What the queue probes tell CloudWatch: who prints it, reads it and prices it has it from here.

The probe is components/langfuse_worker/queue_probe.js, which prints values by these names.
"""

from collections.abc import Mapping
from typing import Final

NAMESPACE: Final = "Langfuse/Queues"
DIMENSION: Final = "Stack"
"""Whose value is the prefix of the stack's names."""

WAITING_JOBS: Final = "WaitingJobs"
"""Jobs of ingestion that could be worked on."""
OLDEST_JOB_AGE: Final = "OldestJobAge"
"""For how long the oldest of them has waited; 0 when none does."""
FAILED_JOBS: Final = "FailedJobs"
"""Jobs of ingestion that failed for good. They stay until somebody retries or removes them."""
OTHER_OLDEST_JOB_AGE: Final = "OtherOldestJobAge"
"""The same age, of all other queues together."""
MEMORY_USED: Final = "MemoryUsed"
"""Of Redis; a metric only where that is no ElastiCache, which has one of its own."""

METRICS: Final[Mapping[str, str]] = {
    WAITING_JOBS: "Count",
    OLDEST_JOB_AGE: "Seconds",
    FAILED_JOBS: "Count",
    OTHER_OLDEST_JOB_AGE: "Seconds",
}
"""With their units. CloudWatch charges for each, however many probes tell them.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricDatum.html"""
MEMORY_METRIC: Final[Mapping[str, str]] = {MEMORY_USED: "Bytes"}

SECONDS: Final = 10
"""Between two lines of a probe: the shortest period of an alarm."""
LINE_BYTES: Final = 600
"""Of a line and what CloudWatch Logs counts with each, 26 bytes; seen are 540 to 560.
https://aws.amazon.com/cloudwatch/pricing/"""
