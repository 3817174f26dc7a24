"""What autoscaling aims at, and how long it pauses. Pure."""

from typing import Final

CPU_TARGET_PERCENT: Final = 50
"""Langfuse's own advice. https://langfuse.com/self-hosting/configuration/scaling"""

DEFAULT_BACKLOG_PER_TASK: Final = 500
"""An assumption, to be measured: nobody publishes what a worker gets done. Langfuse's worker has 5
OTel batches in work at once (LANGFUSE_OTEL_INGESTION_QUEUE_PROCESSING_CONCURRENCY); at half a
second each, 500 that wait are 50 s of work."""

SCALE_OUT_COOLDOWN_SECONDS: Final = 60
CPU_SCALE_IN_COOLDOWN_SECONDS: Final = 300
BACKLOG_SCALE_IN_COOLDOWN_SECONDS: Final = 900
"""A spike rarely comes alone, and a worker that stops hands its jobs to others."""
