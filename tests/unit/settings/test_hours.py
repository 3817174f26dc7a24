"""`hours`: what a stack file may say, and the times that follow, in every season."""

import datetime
import zoneinfo
from typing import Any

import pytest

from langfuse_aws.contract.start_and_stop import (
    STOP_TIMEOUT_SECONDS,
    WEB_START_SECONDS,
    WORKER_STOP_SECONDS,
)
from langfuse_aws.graph.resource_types import RESOURCE_TYPES
from langfuse_aws.settings.hours import (
    SLEEPS_AFTER,
    WAKES_BEFORE,
    WINDOW_MINUTES,
    Hours,
    Mute,
    Weekly,
)
from langfuse_aws.settings.loading import SettingsError, load

WORKING = {"days": "mon-fri", "from": "08:00", "to": "19:00", "timezone": "Europe/Berlin"}


def hours(**changes: Any) -> Hours:
    return Hours.model_validate({**WORKING, **changes})


def problems(values: dict[str, Any], **more: Any) -> list[str]:
    try:
        load({"size": "dev", "hours": values, **more})
    except SettingsError as error:
        return error.problems
    return []


def test_what_is_wrong_is_told_with_its_key_and_a_remedy() -> None:
    cases: list[tuple[dict[str, Any], str]] = [
        ({"days": "monday"}, 'hours.days: "monday": must be days of mon, tue'),
        ({"days": "mon-"}, "hours.days"),
        ({"days": ""}, "hours.days"),
        ({"days": "wed"}, "is one day: AWS starts a database that was stopped for a week"),
        ({"days": "wed-wed"}, "is one day"),
        ({"from": "8"}, 'hours.from: "8": must be a time of day'),
        ({"to": "24:00"}, 'hours.to: "24:00": must be a time of day'),
        ({"to": "11:59"}, "must be 4 hours later than from, which is 08:00"),
        ({"to": "07:00"}, "must be 4 hours later than from, which is 08:00"),
        ({"from": "00:00", "to": "21:01"}, "must leave 3 hours of sleep"),
        ({"timezone": "Berlin"}, "must be the canonical name of a time zone"),
        ({"timezone": "US/Eastern"}, "must be the canonical name of a time zone"),
        ({"timezone": "Europe/Atlantis"}, "must be the canonical name of a time zone"),
        ({"until": "19:00"}, "hours.until"),
    ]
    told = {words: problems({**WORKING, **change}) for change, words in cases}
    silent = [words for words, found in told.items() if not any(words in each for each in found)]
    assert not silent, told


def test_every_fault_of_the_section_is_told_at_once() -> None:
    found = problems({"days": "x", "from": "y", "to": "z", "timezone": "q"})
    assert [line.split(": ")[0] for line in found] == [
        f"langfuse:hours.{key}" for key in ("days", "from", "to", "timezone")
    ]


def test_what_a_sleeping_stack_cannot_be_is_told() -> None:
    assert "does not sleep" in problems(WORKING, deletionProtection=True)[0]
    copied = problems(WORKING, backups={"copyRegion": "eu-west-1"})
    assert "backups.copyRegion" in copied[0]
    app_runner = problems(
        WORKING,
        domain="langfuse.example.com",
        web={"platform": "appRunner", "architecture": "x86_64"},
        ingress={"kind": "appRunner"},
    )
    assert any("App Runner cannot be put to sleep" in line for line in app_runner)
    assert problems(WORKING) == []


def test_times_without_quotes_are_what_yaml_makes_of_them() -> None:
    found = hours(**{"from": 8 * 60, "to": 19 * 60})
    assert (found.from_, found.to) == ("08:00", "19:00")
    assert hours(**{"from": "8:00"}).begins.clock == "08:00"


def test_days_are_ranges_and_lists_also_over_the_end_of_the_week() -> None:
    found = {
        text: hours(days=text).begins.days
        for text in ("mon-fri", "fri-mon", "wed, mon", "SAT,sun-tue", "mon-sun")
    }
    assert found == {
        "mon-fri": (0, 1, 2, 3, 4),
        "fri-mon": (0, 4, 5, 6),
        "wed, mon": (0, 2),
        "SAT,sun-tue": (0, 1, 5, 6),
        "mon-sun": (0, 1, 2, 3, 4, 5, 6),
    }


def test_a_time_is_written_as_each_service_wants_it_and_moves_over_midnight() -> None:
    night = hours(**{"days": "mon,sun", "from": "00:10", "to": "19:00"})
    assert night.wakes("nat") == Weekly(23 * 60 + 40, (5, 6))
    assert night.wakes("nat").cron == "cron(40 23 ? * SAT,SUN *)"
    assert night.wakes("nat").unix_cron == "40 23 * * 0,6"
    late = hours(**{"days": "sat-sun", "from": "12:00", "to": "23:50"})
    assert late.sleeps("nat") == Weekly(10, (0, 6))
    assert late.sleeps("nat").cron == "cron(10 0 ? * MON,SUN *)"
    assert late.sleeps("nat").unix_cron == "10 0 * * 0,1"
    assert hours().begins.mute_cron == "cron(0 8 * * MON,TUE,WED,THU,FRI)"


def minutes(token: str) -> int:
    known = RESOURCE_TYPES[token].minutes_to_create
    assert known is not None
    return known[1]


def test_what_is_needed_is_awake_before_what_needs_it() -> None:
    database = minutes("aws:rds/instance:Instance")
    assert max(database, minutes("aws:rds/clusterInstance:ClusterInstance")) <= (
        WAKES_BEFORE["database"] - WAKES_BEFORE["worker"]
    )
    assert WAKES_BEFORE["nat"] > WAKES_BEFORE["hosts"] > WAKES_BEFORE["clickhouse"]
    assert WAKES_BEFORE["clickhouse"] > WAKES_BEFORE["worker"]
    assert WAKES_BEFORE["web"] * 60 > 3 * WEB_START_SECONDS, "awake in the first minute of work"
    assert set(WAKES_BEFORE) == set(SLEEPS_AFTER)


def test_each_has_stopped_before_what_it_writes_to() -> None:
    assert (SLEEPS_AFTER["worker"] - SLEEPS_AFTER["web"]) * 60 > 2 * STOP_TIMEOUT_SECONDS
    assert (SLEEPS_AFTER["clickhouse"] - SLEEPS_AFTER["worker"]) * 60 > 2 * WORKER_STOP_SECONDS
    assert SLEEPS_AFTER["clickhouse"] < SLEEPS_AFTER["hosts"] < SLEEPS_AFTER["nat"]
    assert SLEEPS_AFTER["worker"] < SLEEPS_AFTER["database"]


@pytest.mark.parametrize(
    "zone",
    [
        "Europe/Berlin",
        "America/Los_Angeles",
        "Asia/Kolkata",
        "Australia/Lord_Howe",
        "Pacific/Kiritimati",
        "Pacific/Pago_Pago",
        "America/St_Johns",
        "Etc/UTC",
    ],
)
@pytest.mark.parametrize(
    ("begins", "ends"), [("08:00", "12:00"), ("00:00", "04:00"), ("19:45", "23:45")]
)
def test_windows_of_backups_and_maintenance_are_awake_in_every_season(
    zone: str, begins: str, ends: str
) -> None:
    found = hours(**{"days": "tue,sat", "from": begins, "to": ends, "timezone": zone})
    backup, _, _ = found.backup_window.partition("-")
    day, time = found.maintenance_window.partition("-")[0].split(":", 1)
    weekday = ("mon", "tue", "wed", "thu", "fri", "sat", "sun").index(day)
    for month in (1, 7):  # a day of each season, from a Monday on
        first = datetime.date(2027, month, 4)
        monday = first - datetime.timedelta(days=first.weekday())
        asleep: list[str] = []
        for ahead, clock in [(weekday, time), *((each, backup) for each in range(7))]:
            at = datetime.datetime.combine(
                monday + datetime.timedelta(days=ahead),
                datetime.time.fromisoformat(clock),
                datetime.timezone.utc,
            )
            ended = at + datetime.timedelta(minutes=WINDOW_MINUTES - 1)
            local = at.astimezone(zoneinfo.ZoneInfo(zone))
            of_the_day = local.weekday() in found.begins.days or clock == time
            if of_the_day and (found.sleeping(at) or found.sleeping(ended)):
                asleep.append(f"{clock} UTC is {local:%a %H:%M}")
        assert not asleep, (found.backup_window, found.maintenance_window)


def test_alarms_are_quiet_from_the_end_of_a_day_until_an_hour_of_the_next() -> None:
    assert [(each.begins.mute_cron, each.duration) for each in hours().mutes] == [
        ("cron(0 19 * * MON,TUE,WED,THU)", "PT14H"),
        ("cron(0 19 * * FRI)", "P2DT14H"),
    ]
    odd = hours(**{"days": "mon-sun", "from": "08:15", "to": "19:00"})
    assert [(each.begins.days, each.duration) for each in odd.mutes] == [
        ((0, 1, 2, 3, 4, 5, 6), "PT14H15M")
    ]
    assert [each.duration for each in hours(days="mon,thu", to="21:00").mutes] == [
        "P2DT12H",
        "P3DT12H",
    ]


def test_a_rest_of_whole_days_has_no_hours() -> None:
    assert Mute(Weekly(0, (4,)), 2 * 24 * 60).duration == "P2D"
    assert Mute(Weekly(0, (4,)), 24 * 60 + 1).duration == "P1DT1M"


def test_backups_are_as_far_apart_as_the_longest_rest() -> None:
    found = {days: hours(days=days).backup_hours for days in ("mon-fri", "mon-sun", "mon,tue")}
    assert found == {"mon-fri": 72, "mon-sun": 24, "mon,tue": 144}


def test_it_knows_when_it_sleeps_and_wakes_next() -> None:
    berlin = zoneinfo.ZoneInfo("Europe/Berlin")
    friday = datetime.datetime(2027, 3, 26, 18, 59, tzinfo=berlin)
    own = hours()
    assert not own.sleeping(friday)
    evening = friday + datetime.timedelta(minutes=1)
    assert own.sleeping(evening)
    monday = datetime.datetime(2027, 3, 29, 8, 0, tzinfo=berlin)
    assert own.next_time(own.begins, evening) == monday, "and clocks go forward on Sunday"
    assert own.next_time(own.ends, friday) == evening
    assert own.next_time(own.ends, evening) == monday.replace(hour=19)
    utc = friday.astimezone(zoneinfo.ZoneInfo("Etc/UTC"))
    assert own.next_time(own.ends, utc) == evening
