"""Events of several log groups of CloudWatch, merged by time, as they were or as they come."""

import heapq
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, Final

POLL_SECONDS: Final = 2
LATE_MILLISECONDS: Final = 120_000
"""How much later than others of its time an event may reach CloudWatch, and still be shown."""


@dataclass(frozen=True)
class LogEvent:
    """One event."""

    milliseconds: int
    """Since 1970, UTC: its own time, not that of its arrival."""
    part: str
    """Of the stack, such as `worker`."""
    stream: str
    """The log stream; its end is the task's ID."""
    message: str
    identity: str
    """CloudWatch's own."""

    @property
    def time(self) -> str:
        """Its time, such as `2026-11-29T01:02:03.456Z`."""
        moment = datetime.fromtimestamp(self.milliseconds / 1000, timezone.utc)
        return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


Wanted = Callable[[LogEvent], bool]


def past(
    logs: Any, groups: Mapping[str, str], begin: int, end: int, wanted: Wanted
) -> Iterator[LogEvent]:
    """Give the events from `begin` to `end`, in milliseconds since 1970. `groups`: name by part.

    Pages are asked for as they are needed, so that a reader who stops early waits for one page.
    """
    every = [_of_group(logs, part, name, begin, end) for part, name in groups.items()]
    merged = heapq.merge(*every, key=lambda each: each.milliseconds)
    return filter(wanted, merged)


def coming(
    logs: Any, groups: Mapping[str, str], begin: int, wanted: Wanted
) -> Iterator[Sequence[LogEvent]]:
    """Give what comes from `begin` on, for ever, each time that CloudWatch is asked."""
    shown: dict[str, int] = {}
    while True:
        found = [
            each for each in past(logs, groups, begin, _now(), wanted) if each.identity not in shown
        ]
        yield found
        shown |= {each.identity: each.milliseconds for each in found}
        begin = max(begin, _now() - LATE_MILLISECONDS)
        shown = {key: moment for key, moment in shown.items() if moment >= begin}
        time.sleep(POLL_SECONDS)


def _of_group(logs: Any, part: str, name: str, begin: int, end: int) -> Iterator[LogEvent]:
    """CloudWatch sorts a group's events by their time, over its streams and pages."""
    pages = logs.get_paginator("filter_log_events").paginate(
        logGroupName=name, startTime=begin, endTime=end
    )
    for page in pages:
        for each in page["events"]:
            yield LogEvent(
                each["timestamp"],
                part,
                each["logStreamName"],
                each["message"].rstrip("\n"),
                each["eventId"],
            )


def _now() -> int:
    return int(time.time() * 1000)
