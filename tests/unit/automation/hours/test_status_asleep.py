"""`status` and `smoke` of a stack that is asleep: what sleeps is no fault, and all else still is.

The stack is the program's own `dev` with hours and alarms; AWS is a script.
"""

import io
import json
from collections.abc import Generator
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from unittest.mock import patch

import pytest
from rich.console import Console
from typer.testing import CliRunner

from langfuse_aws.automation.__main__ import app
from langfuse_aws.automation.hours import clock
from langfuse_aws.automation.hours.asleep import Asleep
from langfuse_aws.automation.on_call import backups, certificates, ecs_services
from langfuse_aws.automation.on_call import status as status_module
from langfuse_aws.automation.on_call.findings import Finding
from langfuse_aws.automation.on_call.report import Report
from langfuse_aws.automation.smoke import command as smoke_module
from langfuse_aws.settings.hours import Hours
from tests.unit.automation.hours.stack_that_sleeps import (
    ASLEEP,
    HOURS,
    INSTANCE,
    SAID,
    at_the_time,
    schedules_of_web,
    target_with,
)
from tests.unit.automation.on_call.stack_that_runs import (
    ACCOUNT,
    NOW,
    OnCall,
    ago,
    on_call_of,
    services_of,
)
from tests.unit.automation.restore.test_restore import AwsError, World, always
from tests.unit.automation.smoke.test_smoke import smoke
from tests.unit.stack_graph import build

CONFIG: dict[str, Any] = {**INSTANCE, "alarms": {"email": "ops@example.com"}}
ALARM = "aws:cloudwatch/metricAlarm:MetricAlarm"


@pytest.fixture(autouse=True)
def always_now(monkeypatch: pytest.MonkeyPatch) -> Generator[None]:
    """Let no time pass between what AWS answers and what is made of it."""
    for module in (ecs_services, backups, certificates, status_module):
        monkeypatch.setattr(module, "now", always(NOW))
    with patch.object(clock, "now", always(NOW)):
        yield


def since() -> datetime:
    """When it went to sleep by its schedule."""
    return Asleep("dev", Hours.model_validate(HOURS), NOW).since


def alarms(*on: tuple[str, datetime]) -> Any:
    """DescribeAlarms, with these of them on since then."""

    def answer(params: dict[str, Any]) -> dict[str, Any]:
        found: list[dict[str, Any]] = []
        for name in params["AlarmNames"]:
            begun = [moment for label, moment in on if f"-{label}" in name]
            found.append(
                {
                    "AlarmName": name,
                    "AlarmDescription": "It is. https://example.com#it",
                    "StateValue": "ALARM" if begun else "OK",
                    "StateReason": "r",
                    "StateUpdatedTimestamp": begun[0] if begun else ago(days=9),
                    "ActionsEnabled": True,
                }
            )
        return {"MetricAlarms": found}

    return answer


def sleeping(most: int = 0, **answers: Any) -> OnCall:
    """The stack, asleep but for these answers."""
    graph = build("dev", CONFIG)
    nothing = {"desiredCount": 0, "runningCount": 0}
    plain = services_of(graph)

    def services(params: dict[str, Any]) -> dict[str, Any]:
        return {"services": [{**plain[each], **nothing} for each in params["services"]]}

    def no_values(params: dict[str, Any]) -> dict[str, Any]:
        ids = [each["Id"] for each in params["MetricDataQueries"]]
        of_cache = [
            each["Id"]
            for each in params["MetricDataQueries"]
            if each["MetricStat"]["Metric"]["Namespace"] == "AWS/ElastiCache"
        ]
        return {
            "MetricDataResults": [
                {
                    "Id": each,
                    "Values": [3.0] * (each in of_cache),
                    "Timestamps": [NOW] * (each in of_cache),
                }
                for each in ids
            ]
        }

    stopped = {"DBInstanceStatus": "stopped", "LatestRestorableTime": ago(hours=9)}
    given: dict[str, Any] = {
        "DescribeScalableTargets": target_with(most),
        "DescribeServices": services,
        "ListTasks": {"taskArns": []},
        "GetMetricData": no_values,
        "DescribeDBInstances": {"DBInstances": [stopped]},
        "DescribeAlarms": alarms(("web-tasks", since() + timedelta(minutes=5))),
        **answers,
    }
    return on_call_of(graph, CONFIG, "dev", given)


def read(world: OnCall) -> Report:
    """What is found."""
    return status_module.read(world.stack, ACCOUNT)


def by_subject(report: Report) -> dict[str, Finding]:
    """The findings."""
    return {f"{each.section}/{each.subject}": each for each in report.findings}


def test_nothing_of_a_stack_that_is_asleep_is_a_fault_and_the_head_says_so() -> None:
    report = read(sleeping())
    found = by_subject(report)
    services = {key: each.text for key, each in found.items() if "deployment" not in key}
    assert {each.text for each in report.findings if each.state != "ok"} == set()
    assert services["services/web"] == services["services/worker"] == "0 tasks, asleep"
    assert services["services/clickhouse"] == "0 tasks, asleep"
    assert services["load/web"].startswith("CPU: no value while it is asleep, memory: no value")
    assert services["load/redis"] == "connections 3, CPU 3 %, Valkey memory 3 %", (
        "it does not sleep"
    )
    assert (
        services["backups/postgres"] == "stopped while it is asleep; 9 h old: restorable up to then"
    )
    assert services["alarms/alarms"].startswith("none of ")
    assert services["alarms/alarms"].endswith("1 on since it is asleep")
    until = Asleep("dev", Hours.model_validate(HOURS), NOW).until_text
    assert report.headline == (
        f"dev in us-east-1, account {ACCOUNT}: asleep {until} (python3 -m automation resume "
        "--stack dev wakes it); all is well"
    )
    assert report.exit_code == 0


def test_what_was_wrong_before_it_slept_and_what_does_not_sleep_is_a_fault_all_the_same() -> None:
    world = sleeping(
        DescribeAlarms=alarms(
            ("web-tasks", since() + timedelta(minutes=5)),
            ("clickhouse-disk", since() - timedelta(hours=1)),
        ),
        DescribeSnapshots={"Snapshots": []},
        DescribeDBInstances={"DBInstances": [{"DBInstanceStatus": "failed"}]},
    )
    report = read(world)
    wrong = [each.subject for each in report.findings if each.state == "wrong"]
    assert wrong == ["clickhouse-disk", "postgres", "redis"]
    assert report.headline.endswith("wakes it); 3 wrong: clickhouse-disk, postgres, redis")


@pytest.mark.parametrize(
    ("answer", "most"), [(None, 1), (AwsError("AccessDenied"), 0)], ids=["awake", "denied"]
)
def test_a_stack_with_hours_that_is_not_known_to_sleep_is_looked_at_as_ever(
    answer: AwsError | None, most: int
) -> None:
    more = {} if answer is None else {"DescribeScalableTargets": answer}
    report = read(sleeping(most, **more))
    found = by_subject(report)
    assert report.asleep is None
    assert found["services/web"].state == found["backups/postgres"].state == "wrong"
    assert report.to_json()["asleep"] is None


def test_a_weekend_is_no_fault_of_clickhouses_own_backup() -> None:
    taken = {"Key": "clickhouse/2026-W48/full-20261123T020000Z/.backup"}

    def objects(hours: int, params: dict[str, Any]) -> dict[str, Any]:
        if params["Prefix"] == "clickhouse/":
            return {"CommonPrefixes": [{"Prefix": "clickhouse/2026-W48/"}]}
        if params["Prefix"].endswith(".backup"):
            return {"Contents": [{**taken, "LastModified": ago(hours=hours)}]}
        return {"CommonPrefixes": [{"Prefix": taken["Key"].removesuffix(".backup")}]}

    states = {
        hours: by_subject(read(sleeping(ListObjectsV2=partial(objects, hours))))[
            "backups/clickhouse backup"
        ].state
        for hours in (25, 73, 75)
    }
    assert states == {25: "ok", 73: "ok", 75: "wrong"}, "from Friday to Monday, and grace"


def run_status(world: OnCall, *options: str) -> Any:
    """Run the command on it."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(status_module, "open_stack", always(world.deployed))
        return CliRunner().invoke(app, ["status", "--stack", "dev", *options])


def test_json_tells_until_when() -> None:
    asleep = Asleep("dev", Hours.model_validate(HOURS), NOW)
    result = run_status(sleeping(), "--json")
    assert (result.exit_code, json.loads(result.stdout)["asleep"]) == (0, asleep.to_json())


@pytest.mark.parametrize("width", [60, 200])
def test_a_terminal_of_any_width_shows_the_whole_head(width: int) -> None:
    text = io.StringIO()
    console = Console(file=text, width=width)
    report = read(sleeping())
    console.print(report.screen(width))
    shown = text.getvalue()
    assert max(map(len, shown.splitlines())) <= width
    assert " ".join(shown.split()).startswith(report.headline)


# --- smoke


def smoked(*options: str) -> tuple[Any, World]:
    """Test a stack that is asleep, at noon of Monday 30 November."""
    world = World(schedules_of_web(), {}, {"DescribeScalableTargets": ASLEEP})
    with pytest.MonkeyPatch.context() as patched, at_the_time("2026-11-30T12:00"):
        patched.setattr(smoke_module, "open_stack", always(world.deployed))
        return smoke("--stack", "prod", *options), world


def test_smoke_says_that_a_stack_is_asleep_and_blames_nothing() -> None:
    result, world = smoked()
    assert (result.exit_code, result.stdout, result.stderr) == (1, "", f"error: {SAID}\n")
    assert [name for name, _ in world.log] == ["DescribeScalableTargets"], "no secret is read"


def test_smoke_tells_programs_the_same() -> None:
    result, _ = smoked("--json")
    told = json.loads(result.stdout)
    assert (result.exit_code, told["ok"], told["steps"]) == (1, False, [])
    assert (told["blame"], told["message"]) == ("asleep", SAID)
