"""Facts about Langfuse's queues in Redis, for the probe that looks at them.

Source: Langfuse 3.225.4 and 4.16.0, packages/shared/src/server/queues.ts (`QueueName`) and
packages/shared/src/server/redis; BullMQ 5.76.3. A queue that a release does not have is empty.

BullMQ keeps a queue as `PREFIX:NAME:wait` (a list, the oldest at its tail), `:paused` (instead of
it while the queue is paused), `:prioritized`, `:delayed` and `:failed` (sorted sets), and a job as
the hash `PREFIX:NAME:ID`. The worker moves a delayed job to `:wait` when its time has come: while
no worker runs, batches of the old API and scores stay there, which are all delayed by 5 s first.
"""

from typing import Final

PREFIX: Final = "bull"
"""BullMQ's own, unless `REDIS_KEY_PREFIX` has another.
https://github.com/langfuse/langfuse/blob/v4.16.0/packages/shared/src/server/redis/redis.ts#L301"""

INGESTION: Final = (
    "otel-ingestion-queue",
    "secondary-otel-ingestion-queue",
    "ingestion-queue",
    "secondary-ingestion-queue",
)
"""The queues that events wait in until the worker writes them to ClickHouse: OTLP batches, and the
old API's batches with all scores. 3.125.0 has no second one for OTLP."""

SHARDED_OTHERS: Final = (
    "trace-upsert",
    "evaluation-execution-queue",
    "secondary-evaluation-execution-queue",
    "llm-as-a-judge-execution-queue",
    "code-eval-execution-queue",
)
"""Those of the others that may have shards, as all of `INGESTION` may: `NAME-1` and so on. How many
is for `LANGFUSE_…_SHARD_COUNT` to say, and for Redis."""

EVENT_PROPAGATION: Final = "event-propagation-queue"
"""A worker serves it unless it writes in the mode `legacy`; what a mode before has scheduled stays.
https://github.com/langfuse/langfuse/blob/v4.16.0/worker/src/app.ts"""

OTHERS: Final = (
    *SHARDED_OTHERS,
    "trace-delete",
    "project-delete",
    "dataset-run-item-upsert-queue",
    "batch-export-queue",
    "cloud-usage-metering-queue",
    "cloud-spend-alert-queue",
    "cloud-free-tier-usage-threshold-queue",
    "experiment-create-queue",
    "posthog-integration-queue",
    "posthog-integration-processing-queue",
    "mixpanel-integration-queue",
    "mixpanel-integration-processing-queue",
    "blobstorage-integration-queue",
    "blobstorage-integration-processing-queue",
    "core-data-s3-export-queue",
    "metering-data-postgres-export-queue",
    "data-retention-queue",
    "data-retention-processing-queue",
    "batch-action-queue",
    "create-eval-queue",
    "score-delete",
    "dataset-delete-queue",
    "dead-letter-retry-queue",
    "webhook-queue",
    "entity-change-queue",
    EVENT_PROPAGATION,
    "notification-queue",
    "monitor-queue",
    # Since 4:
    "in-app-agent-run-queue",
    "v4-legacy-api-usage-queue",
)
"""All other queues."""
