"""The metrics that AWS publishes and this program reads, by the sets of dimensions that exist.

CloudWatch takes any set of dimensions for a metric, and has values for those alone that somebody
publishes: each set is a metric of its own.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_concepts.html#Dimension
"""

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from langfuse_aws.components.shared.metrics import CLICKHOUSE_NAMESPACE, WORKER_NAMESPACE
from langfuse_aws.contract import queue_metrics
from langfuse_aws.cost.inputs import section, sections

TABLE = Path(__file__).with_name("published_metrics.csv")

OWN = {
    (CLICKHOUSE_NAMESPACE, "DiskUsedPercent"): {frozenset({"VolumeId"})},
    **{
        (queue_metrics.NAMESPACE, name): {frozenset({queue_metrics.DIMENSION})}
        for name in (*queue_metrics.METRICS, *queue_metrics.MEMORY_METRIC)
    },
}
"""What the stack itself publishes: components/clickhouse/user_data.sh and
components/langfuse_worker/queue_probe.js, which tests/queues holds against these."""

QUERY = re.compile(
    r"SELECT (?P<function>AVG|COUNT|MAX|MIN|SUM)\((?P<name>\w+)\) "
    r'FROM SCHEMA\("(?P<namespace>[\w/]+)", (?P<dimensions>\w+(?:, \w+)*)\) '
    r"WHERE (?P<where>\w+ = '[^']+'(?: AND \w+ = '[^']+')*)"
)
"""A query of CloudWatch Metrics Insights, as far as the program writes them.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-metrics-insights-querylanguage.html"""


@dataclass(frozen=True)
class Read:
    """A metric that something reads."""

    who: str
    namespace: str
    name: str
    dimensions: frozenset[str]
    """Names of the dimensions that are published together."""
    values: Mapping[str, str]
    """The values that it asks for; a query leaves some open."""
    period: int | None
    """Seconds; None: whoever looks decides."""
    queried: bool = False


@dataclass(frozen=True)
class Published:
    """What AWS says of a metric."""

    dimensions: frozenset[frozenset[str]]
    least_period: int
    """Seconds between two values."""


@cache
def published() -> dict[tuple[str, str], Published]:
    """Read the table, by namespace and name."""
    found: dict[tuple[str, str], Published] = {}
    with TABLE.open(encoding="utf-8", newline="") as lines:
        for line in csv.DictReader(lines):
            sets = frozenset(frozenset(each.split("+")) for each in line["dimensions"].split())
            for name in line["metrics"].split():
                found[line["namespace"], name] = Published(sets, int(line["least_period"]))
    return found


def fault(read: Read) -> str | None:
    """Say why there are never values for what is read; None if there are."""
    if (read.namespace, read.name) in OWN:
        known = read.dimensions in OWN[read.namespace, read.name]
        return None if known else "the stack does not publish it like this"
    if read.namespace in (CLICKHOUSE_NAMESPACE, WORKER_NAMESPACE):
        return None if not read.dimensions else "a log group's metrics have no dimensions"
    found = published().get((read.namespace, read.name))
    if found is None:
        return f"{read.namespace} {read.name} is not in {TABLE.name}"
    if read.dimensions not in found.dimensions:
        return f"AWS does not publish it by {' and '.join(sorted(read.dimensions)) or 'nothing'}"
    if read.period is not None and read.period % 60:
        return f"{read.period} s is no multiple of a minute"
    if read.period is not None and read.period < found.least_period:
        return f"AWS publishes it every {found.least_period} s"
    return None


def of_alarm(name: str, inputs: Mapping[str, Any]) -> Iterator[Read]:
    """Give what an alarm reads: a metric, metrics in an expression, or a query."""
    queries: Sequence[Mapping[str, Any]] = inputs.get("metricQueries") or ()
    if not queries:
        yield _plain(name, inputs)
    for query in queries:
        if "metric" in query:
            yield _plain(name, query["metric"])
        elif "SELECT" in query["expression"]:
            yield of_query(name, query["expression"], query["period"])


def of_query(who: str, expression: str, period: int) -> Read:
    """Give what a query reads."""
    match = QUERY.fullmatch(expression)
    assert match, expression
    values = dict(re.findall(r"(\w+) = '([^']+)'", match["where"]))
    dimensions = frozenset(match["dimensions"].split(", "))
    assert set(values) <= dimensions, "WHERE names dimensions of the schema"
    return Read(who, match["namespace"], match["name"], dimensions, values, period, queried=True)


def of_line(line: Sequence[Any]) -> Read:
    """Give what a line of a dashboard reads."""
    namespace, name, *pairs, options = line
    values = dict(zip(pairs[::2], pairs[1::2], strict=True))
    return Read(options["label"], namespace, name, frozenset(values), values, options["period"])


def of_policy(name: str, inputs: Mapping[str, Any]) -> Iterator[Read]:
    """Give what a scaling policy of its own metrics reads. Its period is AWS's, a minute."""
    tracking = section(inputs, "targetTrackingScalingPolicyConfiguration")
    if metric := section(tracking, "customizedMetricSpecification"):
        dimensions = sections(metric, "dimensions")
        pairs: dict[str, str] = {each["name"]: each["value"] for each in dimensions}
        yield Read(name, metric["namespace"], metric["metricName"], frozenset(pairs), pairs, 60)


def _plain(who: str, metric: Mapping[str, Any]) -> Read:
    values: Mapping[str, str] = metric.get("dimensions") or {}
    name, period = metric["metricName"], metric["period"]
    return Read(who, metric["namespace"], name, frozenset(values), values, period)
