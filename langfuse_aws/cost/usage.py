"""What is assumed of a month's traffic, and what follows from it.

Without events a stack idles, and nothing here costs anything. Every figure but the number of events
is an assumption, to be measured: nobody publishes them. What users do in a browser, the calls of
evaluators to models, and exports are not in it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Final

SECONDS: Final = 730 * 3600
"""Of a month."""


PART: Final = "part of 1"
MOST: Final = 1e12
"""Of any figure: far beyond a month of anybody's, and no bill overflows by it."""
LEAST_DIVISOR: Final = 0.001
"""Of a figure that another is divided by."""


def _figure(default: float, meaning: str, unit: str, least: float = 0) -> Any:
    bounds = {"least": least, "most": 1 if unit == PART else MOST}
    return field(default=default, metadata={"meaning": meaning, "unit": unit, **bounds})


def _divisor(default: float, meaning: str, unit: str) -> Any:
    return _figure(default, meaning, unit, least=LEAST_DIVISOR)


@dataclass(frozen=True)
class Usage:
    """The figures."""

    events_per_month: float = _figure(0, "Traces, observations and scores that come in", "a month")
    event_kb: float = _figure(5, "Size of an event with its input and output", "KB")
    events_per_request: float = _divisor(
        15, "Events that an SDK sends at once; a request is one job of the worker", "events"
    )
    writes_per_event: float = _figure(
        1, "Objects written to S3; OpenTelemetry needs fewer, an update one more", "objects"
    )
    reads_per_event: float = _figure(1, "Objects read from S3", "objects")
    kept_months: float = _figure(3, "Months of events that are stored", "months")
    clickhouse_share: float = _figure(
        0.25, "What ClickHouse stores of an event's size, compressed", PART
    )
    volume_share: float = _divisor(0.8, "How full a ClickHouse volume may be", PART)
    backup_copies: float = _figure(2, "Copies of ClickHouse's data in its backup bucket", "copies")
    cross_zone_share: float = _figure(
        0.5, "What the worker sends to ClickHouse in another zone", PART
    )
    log_kb: float = _figure(1, "Log of a request, in web, in the worker and in the HTTP API", "KB")
    access_log_kb: float = _figure(
        0.6, "Line of a request to S3, in the access logs of the buckets", "KB"
    )
    jobs_per_vcpu: float = _divisor(
        5, "Jobs that a busy worker finishes on a vCPU; simulate-spike assumes 10 on two", "jobs/s"
    )
    busy_share: float = _divisor(0.5, "How busy autoscaling keeps the workers", PART)

    @property
    def requests(self) -> float:
        """Requests of SDKs a month."""
        return self.events_per_month / self.events_per_request

    @property
    def received_gb(self) -> float:
        """What comes in, GB a month."""
        return self.events_per_month * self.event_kb / 1e6

    @property
    def stored_gb(self) -> float:
        """Raw events in S3, GB."""
        return self.received_gb * self.kept_months

    @property
    def clickhouse_gb(self) -> float:
        """What a ClickHouse server stores, GB."""
        return self.stored_gb * self.clickhouse_share

    @property
    def log_gb(self) -> float:
        """What each of web, worker and HTTP API logs, GB a month."""
        return self.requests * self.log_kb / 1e6

    @property
    def access_log_gb(self) -> float:
        """What S3 logs of requests for events, GB a month."""
        requests = self.events_per_month * (self.writes_per_event + self.reads_per_event)
        return requests * self.access_log_kb / 1e6

    @property
    def jobs_per_second(self) -> float:
        """The average."""
        return self.requests / SECONDS

    def with_figures(self, given: Mapping[str, float]) -> "Usage":
        """The same with other figures.

        Raises KeyError for a name that is none, ValueError for a number that no bill can be of.
        """
        known = {each.name: each.metadata for each in fields(self)}
        for name, number in given.items():
            least, most = known[name]["least"], known[name]["most"]
            if not least <= number <= most:
                raise ValueError(f"{name}: must be from {least:g} to {most:g}")
        return replace(self, **dict(given))


IDLE: Final = Usage()
