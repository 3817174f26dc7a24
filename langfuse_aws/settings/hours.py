"""`hours`: when a stack is awake, and in which order its parts wake and go to sleep. Pure.

docs/adr/0021-sleep-by-aws-own-schedules.md has the reasons.
"""

from __future__ import annotations

import datetime
import re
import zoneinfo
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final, Literal

from pydantic import Field, ValidationInfo, field_validator

from langfuse_aws.settings.section import Section, invalid

Part = Literal["web", "grafana", "worker", "clickhouse", "hosts", "database", "nat"]
"""What is started and stopped: `hosts` are ClickHouse's instances, `clickhouse` is its service."""

WAKES_BEFORE: Final[dict[Part, int]] = {
    "nat": 30,
    "database": 30,
    "hosts": 24,
    "clickhouse": 18,
    "worker": 10,
    "web": 10,
    "grafana": 10,
}
"""Minutes before `from`, so that the first minute of work finds it awake. Images come through the
NAT instance; a database takes up to 9 minutes, an instance 3, web 3 (`graph/resource_types.py`)."""

SLEEPS_AFTER: Final[dict[Part, int]] = {
    "web": 0,
    "grafana": 0,
    "worker": 5,
    "clickhouse": 10,
    "hosts": 15,
    "database": 15,
    "nat": 20,
}
"""Minutes after `to`. Web stops taking events, workers go on with what waits, and each has stopped
before what it writes to: the longest stop, ClickHouse's, takes two minutes."""

RETRY_MINUTES: Final = 20
"""For how long AWS is asked again to start or stop a database that is busy."""

MUTED_AFTER_WAKING: Final = 60
"""Minutes after `from` until alarms speak again: one that is not well by then tells."""

BACKUP_BEFORE: Final = 120
"""Minutes before `to` at which ClickHouse's own backup begins, with the day's work in it."""

WINDOW_MINUTES: Final = 30
"""RDS's shortest window for backups and for maintenance."""

LEAST_MINUTES: Final = 240
"""Awake at the least: backups and maintenance fall into these hours, whatever the season."""
LEAST_NIGHT_MINUTES: Final = 180
"""Asleep at the least: going to sleep and waking take most of an hour."""

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY_MINUTES: Final = 1440
HOUR_MINUTES: Final = 60

_AREAS: Final = frozenset(
    {
        *("Africa", "America", "Antarctica", "Arctic", "Asia", "Atlantic"),
        *("Australia", "Etc", "Europe", "Indian", "Pacific"),
    }
)
"""Of the canonical names, which Auto Scaling asks for.
https://docs.aws.amazon.com/autoscaling/application/APIReference/API_PutScheduledAction.html"""


@dataclass(frozen=True)
class Weekly:
    """A time of day on some days of the week."""

    minute: int
    """Of the day, 0 to 1439."""
    days: tuple[int, ...]
    """Ascending; Monday is 0."""

    def later(self, minutes: int) -> Weekly:
        """The time so many minutes later, or earlier, which may be on the day beside."""
        shift, minute = divmod(self.minute + minutes, DAY_MINUTES)
        return Weekly(minute, tuple(sorted((day + shift) % len(DAYS) for day in self.days)))

    @property
    def clock(self) -> str:
        """The time of day, such as 08:00."""
        return f"{self.minute // HOUR_MINUTES:02}:{self.minute % HOUR_MINUTES:02}"

    @property
    def cron(self) -> str:
        """As EventBridge Scheduler and Application Auto Scaling write it."""
        return f"cron({self._time} ? * {self._names} *)"

    @classmethod
    def of_cron(cls, expression: str) -> Weekly:
        """Read what `cron` has written. ValueError for another one."""
        found = re.fullmatch(r"cron\((\d+) (\d+) \? \* ([A-Z,]+) \*\)", expression)
        if found is None:
            raise ValueError(expression)
        minute, hour, names = found.groups()
        days = sorted(DAYS.index(name.lower()) for name in names.split(","))
        return cls(int(hour) * HOUR_MINUTES + int(minute), tuple(days))

    @property
    def unix_cron(self) -> str:
        """As EC2 Auto Scaling writes it, whose Sunday is 0."""
        numbers = ",".join(str(day) for day in sorted((day + 1) % len(DAYS) for day in self.days))
        return f"{self._time} * * {numbers}"

    @property
    def mute_cron(self) -> str:
        """As a mute rule of CloudWatch's writes it."""
        return f"cron({self._time} * * {self._names})"

    @property
    def _time(self) -> str:
        return f"{self.minute % HOUR_MINUTES} {self.minute // HOUR_MINUTES}"

    @property
    def _names(self) -> str:
        return ",".join(DAYS[day].upper() for day in self.days)


@dataclass(frozen=True)
class Mute:
    """When alarms are quiet, every week."""

    begins: Weekly
    minutes: int

    @property
    def duration(self) -> str:
        """In ISO 8601's form, such as P2DT14H."""
        days, rest = divmod(self.minutes, DAY_MINUTES)
        hours, minutes = divmod(rest, HOUR_MINUTES)
        time = f"{hours}H" * bool(hours) + f"{minutes}M" * bool(minutes)
        return "P" + f"{days}D" * bool(days) + ("T" + time if time else "")


def _minute(value: str) -> int:
    hours, minutes = value.split(":")
    return int(hours) * HOUR_MINUTES + int(minutes)


class Hours(Section):
    """When the stack is awake; outside of these hours it takes no events. See docs/hours.md."""

    days: str = Field(
        "mon-fri",
        description="Days of the week, two or more, such as `mon-fri` or `mon,wed,fri-sun`",
    )
    from_: str = Field(
        alias="from", description='Time of day from which it is awake, such as `"08:00"`'
    )
    to: str = Field(
        description='Time of day at which it begins to go to sleep, such as `"19:00"`; 4 hours '
        "later at the least, and on the same day",
    )
    timezone: str = Field(
        description="Time zone of these times, by its canonical name, such as `Europe/Berlin`; "
        "`Etc/UTC` is UTC"
    )

    @field_validator("days")
    @classmethod
    def _days(cls, value: str) -> str:
        found = _weekdays(value)
        if found is None:
            raise invalid(
                f"must be days of {', '.join(DAYS)}, or ranges of them, with commas",
                "mon-fri is the working week, mon,wed,fri are three days",
            )
        if len(found) == 1:
            raise invalid(
                "is one day: AWS starts a database that was stopped for a week, and an alarm on "
                "backups looks back a week at the most",
                "name two days or more",
            )
        return value

    @field_validator("from_", "to", mode="before")
    @classmethod
    def _unquoted(cls, value: Any) -> Any:
        # YAML 1.1 reads 19:00 without quotes as a number of base 60.
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < DAY_MINUTES:
            return Weekly(value, ()).clock
        return value

    @field_validator("from_", "to")
    @classmethod
    def _time(cls, value: str) -> str:
        if not re.fullmatch(r"([01]?[0-9]|2[0-3]):[0-5][0-9]", value):
            raise invalid("must be a time of day from 00:00 to 23:59", 'write it as "08:00"')
        return value

    @field_validator("to")
    @classmethod
    def _long_enough(cls, value: str, info: ValidationInfo) -> str:
        begins = info.data.get("from_")
        if begins is None:
            return value
        length = _minute(value) - _minute(begins)
        if length < LEAST_MINUTES:
            raise invalid(
                f"must be {LEAST_MINUTES // HOUR_MINUTES} hours later than from, which is "
                f"{begins}, at the least, and on the same day",
                "backups and maintenance need this time",
            )
        if length > DAY_MINUTES - LEAST_NIGHT_MINUTES:
            raise invalid(
                f"must leave {LEAST_NIGHT_MINUTES // HOUR_MINUTES} hours of sleep until from, "
                f"which is {begins}",
                "a night that is shorter saves next to nothing",
            )
        return value

    @field_validator("timezone")
    @classmethod
    def _timezone(cls, value: str) -> str:
        with suppress(zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
            if value.split("/")[0] in _AREAS and zoneinfo.ZoneInfo(value):
                return value
        raise invalid(
            "must be the canonical name of a time zone, AREA/CITY",
            "Europe/Berlin and America/New_York are two, Etc/UTC is UTC; see "
            "https://en.wikipedia.org/wiki/List_of_tz_database_time_zones",
        )

    @property
    def begins(self) -> Weekly:
        """From when it is awake."""
        return Weekly(_minute(self.from_), _weekdays(self.days) or ())

    @property
    def ends(self) -> Weekly:
        """From when it goes to sleep."""
        return Weekly(_minute(self.to), self.begins.days)

    def wakes(self, part: Part) -> Weekly:
        """When a part is started."""
        return self.begins.later(-WAKES_BEFORE[part])

    def sleeps(self, part: Part) -> Weekly:
        """When a part is stopped."""
        return self.ends.later(SLEEPS_AFTER[part])

    @property
    def backup(self) -> Weekly:
        """When ClickHouse backs itself up."""
        return self.ends.later(-BACKUP_BEFORE)

    @property
    def backup_hours(self) -> int:
        """Between one of the daily backups and the next, at the most."""
        days = self.begins.days
        return 24 * max(late - early for early, late in pairwise([*days, days[0] + len(DAYS)]))

    @property
    def mutes(self) -> list[Mute]:
        """When alarms are quiet: a rule for each length of a sleep."""
        days = self.begins.days
        awake = self.ends.minute - self.begins.minute
        by_pause: dict[int, list[int]] = {}
        for day, following in pairwise([*days, days[0] + len(DAYS)]):
            by_pause.setdefault(following - day, []).append(day)
        return [
            Mute(
                Weekly(self.ends.minute, tuple(found)),
                pause * DAY_MINUTES - awake + MUTED_AFTER_WAKING,
            )
            for pause, found in by_pause.items()
        ]

    @property
    def backup_window(self) -> str:
        """RDS's daily window for backups, UTC: an hour after `from` in one season, two in another.

        https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_WorkingWithAutomatedBackups.BackupWindow.html
        """
        begins = self._in_utc
        return f"{begins.clock}-{begins.later(WINDOW_MINUTES).clock}"

    @property
    def maintenance_window(self) -> str:
        """RDS's weekly window for maintenance, UTC, half an hour after the first day's backup.

        RDS refuses windows that overlap.
        """
        first = self._in_utc.later(2 * WINDOW_MINUTES)
        days = [DAYS[each.days[0]] for each in (first, first.later(WINDOW_MINUTES))]
        return f"{days[0]}:{first.clock}-{days[1]}:{first.later(WINDOW_MINUTES).clock}"

    @property
    def _in_utc(self) -> Weekly:
        """An hour after `from` on the first day, in the season whose clocks are behind."""
        zone = zoneinfo.ZoneInfo(self.timezone)
        year = datetime.datetime.now(zone).year
        offsets = [
            datetime.datetime(year, month, 1, tzinfo=zone).utcoffset() for month in range(1, 13)
        ]
        least = min(each for each in offsets if each is not None)
        minutes = HOUR_MINUTES - int(least.total_seconds() // 60)
        return Weekly(self.begins.minute, self.begins.days[:1]).later(minutes)

    def sleeping(self, now: datetime.datetime) -> bool:
        """Whether it is asleep by its schedule. `now` has a time zone."""
        local = now.astimezone(zoneinfo.ZoneInfo(self.timezone))
        minute = local.hour * HOUR_MINUTES + local.minute
        awake = self.begins.minute <= minute < self.ends.minute
        return local.weekday() not in self.begins.days or not awake

    def next_time(self, weekly: Weekly, now: datetime.datetime) -> datetime.datetime:
        """When a time comes next, in the zone of `hours`. `now` has a time zone."""
        zone = zoneinfo.ZoneInfo(self.timezone)
        local = now.astimezone(zone)
        hour, minute = divmod(weekly.minute, HOUR_MINUTES)
        days = (local.date() + datetime.timedelta(days=ahead) for ahead in range(len(DAYS) + 1))
        times = (
            datetime.datetime.combine(day, datetime.time(hour, minute), zone)
            for day in days
            if day.weekday() in weekly.days
        )
        return next(each for each in times if each > local)


def _weekdays(value: str) -> tuple[int, ...] | None:
    """The days' numbers, ascending; None if the text is none of days."""
    found: set[int] = set()
    for part in value.lower().replace(" ", "").split(","):
        first, dash, last = part.partition("-")
        if first not in DAYS or (dash and last not in DAYS):
            return None
        begin, end = DAYS.index(first), DAYS.index(last or first)
        found |= {(begin + ahead) % len(DAYS) for ahead in range((end - begin) % len(DAYS) + 1)}
    return tuple(sorted(found))
