"""Findings of `status`, and the readings that make them: side by side, each with a time limit."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, Final, Literal, NamedTuple

from botocore.exceptions import ClientError

from langfuse_aws.automation.aws.answers import DENIED, error_code
from langfuse_aws.automation.errors import is_expected, one_line

State = Literal["ok", "wrong", "unknown"]

LIMIT_SECONDS: Final = 15
"""After which what has not answered is unknown, and the rest is shown."""
AT_ONCE: Final = 16


@dataclass(frozen=True)
class Finding:
    """One line of the screen."""

    section: str
    """The heading that it stands under."""
    subject: str
    state: State
    text: str
    remedy: str = ""
    """What to do, or where that is written; empty unless something is wrong or unknown."""
    facts: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """The same for programs: numbers, and times in UTC. docs/status.md has the keys."""


class Reading(NamedTuple):
    """Something to ask AWS for."""

    section: str
    subject: str
    run: Callable[[], Iterable[Finding]]


def read_all(readings: Sequence[Reading], limit: float = LIMIT_SECONDS) -> list[Finding]:
    """Run all readings at once; findings come in the order of the readings.

    What cannot be read is a finding, too. A reading that hangs does not hold the others up.
    """
    pool = ThreadPoolExecutor(AT_ONCE)
    try:
        begun = [pool.submit(_findings, each) for each in readings]
        wait(begun, limit)
        return [
            finding
            for reading, future in zip(readings, begun, strict=True)
            for finding in _ended(reading, future, limit)
        ]
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _ended(
    reading: Reading, future: "Future[Sequence[Finding]]", limit: float
) -> Sequence[Finding]:
    if future.done():
        return future.result()
    return [_unknown(reading, f"no answer within {limit:g} s")]


def _findings(reading: Reading) -> Sequence[Finding]:
    try:
        return list(reading.run())
    except ClientError as error:
        return [_unknown(reading, one_line(error), _right_for(error))]
    except Exception as error:  # what nobody foresaw must not take the screen away at night
        kind = "" if is_expected(error) else f"{type(error).__name__}: "
        return [_unknown(reading, f"{kind}{one_line(error)}")]


def _unknown(reading: Reading, reason: str, remedy: str = "") -> Finding:
    return Finding(
        reading.section, reading.subject, "unknown", f"could not be read: {reason}", remedy
    )


def _right_for(error: ClientError) -> str:
    if error_code(error) not in DENIED:
        return ""
    operation: Any = error.operation_name  # pyright: ignore[reportUnknownMemberType]
    return f"Allow {operation}, which only reads: docs/status.md has the rights."


def now() -> datetime:
    """The time, in UTC."""
    return datetime.now(timezone.utc)


def iso(moment: datetime) -> str:
    """Write a time as `2026-11-29T01:02:03Z`."""
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def age(seconds: float) -> str:
    """Write how long ago something was: `40 s`, `12 min`, `7 h`, `3 days`."""
    for size, unit in ((86_400, "days"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"
