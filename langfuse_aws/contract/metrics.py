"""Facts about the queue metrics that Langfuse's worker publishes to CloudWatch.

Source: Langfuse 3.225.4 and 4.16.0, packages/shared/src/server/instrumentation/index.ts,
worker/src/features/queue-metrics-runner, worker/src/queues/workerManager.ts. Every worker reports
the depth of the whole queue, every 30 s at the most, without dimensions and without a unit: so the
statistic is Maximum, never Sum. Neither the namespace nor the names can be given a prefix, so the
stacks of one account and region that publish do so under the same names.
"""

from collections.abc import Mapping
from typing import Final

NAMESPACE: Final = "Langfuse"
"""CloudWatch namespace, fixed in Langfuse's code."""

PUBLISHING_VARIABLE: Final = "ENABLE_AWS_CLOUDWATCH_METRIC_PUBLISHING"

FIRST_RELEASE: Final = (3, 169, 0)
"""First Langfuse release with the names below; 4.x has them too.
https://github.com/langfuse/langfuse-docs/pull/3405"""

OTEL_INGESTION: Final = "otel_ingestion"
"""Queue of OpenTelemetry batches: today's SDKs (Python 3, JS 4 or later). A batch is one job."""

INGESTION: Final = "ingestion"
"""Queue of events of the legacy API, and of all scores."""

INGESTION_QUEUES: Final = (OTEL_INGESTION, INGESTION)
"""The queues that events wait in until the worker writes them to ClickHouse."""

SWITCHES: Final = (
    "LANGFUSE_QUEUE_METRICS_ENABLED",
    "QUEUE_CONSUMER_OTEL_INGESTION_QUEUE_IS_ENABLED",
    "QUEUE_CONSUMER_INGESTION_QUEUE_IS_ENABLED",
)
"""The worker's variables that end the publishing of these queues' metrics when they are `false`: a
worker reports the queues that it consumes."""

SCHEDULE_LOG: Final = "Executing Blob Storage Integration Job"
"""What a worker logs each time it runs this job of BullMQ's: every 20 minutes, whether there is an
integration or not, in 3.125.0 to 4.16.0 (worker/src/queues/blobStorageIntegrationQueue.ts)."""

SCHEDULE_SWITCHES: Final[Mapping[str, frozenset[str]]] = {
    "QUEUE_CONSUMER_BLOB_STORAGE_INTEGRATION_QUEUE_IS_ENABLED": frozenset({"false"}),
    "LANGFUSE_LOG_LEVEL": frozenset({"warn", "error", "fatal"}),
}
"""The worker's variables, with the values that end it, or that it is logged."""


def logs_schedules(own: Mapping[str, str]) -> bool:
    """Whether a worker with these variables of its own logs what it runs by schedule."""
    return not any(own.get(name) in values for name, values in SCHEDULE_SWITCHES.items())


def waiting(queue: str) -> str:
    """Metric of the jobs that wait; those that are delayed or being worked on are not in it."""
    return f"langfuse.queue.{queue}.depth.shard_all.type_waiting"


def failed(queue: str) -> str:
    """Metric of the jobs that failed for good. They stay until somebody retries or removes them."""
    return f"langfuse.queue.{queue}.depth.shard_all.type_failed"


NAMES_SEEN: Final = {3: 324, 4: 200}
"""By Langfuse's major, how many metrics came from a worker in use, all features on. Seen in a run
of 3.225.4 with load and outages, and in one of 4.16.0 (`events_only`) with traffic; idle there were
222 and 174. CloudWatch charges for a metric in each hour that it has a value in:
https://aws.amazon.com/cloudwatch/pricing/"""
