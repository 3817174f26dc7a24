"""Asks CloudWatch how long events wait in a stack's queues, as its probes told it last."""

from datetime import datetime, timedelta, timezone
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from langfuse_aws.automation.engine.deployed import Deployed
from langfuse_aws.contract import queue_metrics

ALARM: Final = "aws:cloudwatch/metricAlarm:MetricAlarm"
"""Of the scaling on lag: where it is, there are probes."""
MINUTES: Final = 5
"""How old the newest value may be: CloudWatch needs some time for a log's metrics."""


def lag_seconds(deployed: Deployed) -> float | None:
    """Age of the oldest waiting job of ingestion, s; None if nobody says, or may be asked."""
    name = f"{deployed.prefix}-worker-lag"
    if not any(each.type == ALARM and each.name == name for each in deployed.state):
        return None
    now = datetime.now(timezone.utc)
    dimension = {"Name": queue_metrics.DIMENSION, "Value": deployed.prefix}
    try:
        answer: dict[str, Any] = deployed.aws("cloudwatch").get_metric_statistics(
            Namespace=queue_metrics.NAMESPACE,
            MetricName=queue_metrics.OLDEST_JOB_AGE,
            Dimensions=[dimension],
            StartTime=now - timedelta(minutes=MINUTES),
            EndTime=now,
            Period=60,
            Statistics=["Maximum"],
        )
    except (BotoCoreError, ClientError):
        return None  # a trace was sent and read all the same
    found = sorted(answer["Datapoints"], key=lambda each: each["Timestamp"])
    return found[-1]["Maximum"] if found else None
