"""Times of a stack's hours: now, for people, and between two that come again every week."""

from datetime import datetime, timezone

from langfuse_aws.settings.hours import Hours, Weekly


def now() -> datetime:
    """The time, in UTC."""
    return datetime.now(timezone.utc)


def when(moment: datetime, hours: Hours) -> str:
    """Write a time for people, such as `Monday 30 November, 08:00 Europe/Berlin`."""
    return f"{moment:%A} {moment.day} {moment:%B, %H:%M} {hours.timezone}"


def within(hours: Hours, begin: Weekly, end: Weekly, now: datetime) -> bool:
    """Whether it is between two times that come again every week; they are less than a day apart.

    `now` has a time zone.
    """
    return hours.next_time(end, now) < hours.next_time(begin, now)
