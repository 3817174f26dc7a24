"""docs/status.md names every right that the commands use, and every key of --json."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, cast

import pytest

from langfuse_aws.automation.engine.folders import REPOSITORY
from langfuse_aws.automation.on_call import report as report_module
from langfuse_aws.automation.on_call import status as status_module
from langfuse_aws.components.observability.alarm_clickhouse import BACKUP_HOURS
from langfuse_aws.components.observability.alarm_services import CERTIFICATE_DAYS
from tests.unit.automation.hours.test_status_asleep import sleeping
from tests.unit.automation.on_call.stack_that_runs import (
    ACCOUNT,
    NOW,
    OnCall,
    ago,
    on_call,
    on_call_of,
)
from tests.unit.automation.on_call.test_status import stopped, tasks_of_web, web_task
from tests.unit.stack_graph import build, shipped, shipped_config

PAGE: Final = (REPOSITORY / "docs/status.md").read_text(encoding="utf-8")
ACTIONS: Final = {"ListObjectsV2": "s3:ListBucket", "GetCallerIdentity": ""}
"""Of operations whose action has another name, or that need none."""


@pytest.fixture(scope="module")
def worlds() -> Sequence[OnCall]:
    """Stacks that together have all kinds of findings, and what was asked for them."""
    config = {**shipped_config("dev"), "alarms": {"email": "ops@example.com"}}
    watched = build("dev", config)
    alarm = watched.of_type("aws:cloudwatch/metricAlarm:MetricAlarm")[0].outputs["name"]
    on = {
        "AlarmName": alarm,
        "AlarmDescription": "It is. https://example.com#it",
        "StateValue": "ALARM",
        "StateReason": "r",
        "StateUpdatedTimestamp": ago(minutes=1),
        "ActionsEnabled": True,
    }
    found = [
        on_call(**tasks_of_web([web_task()], [stopped("Killed", exitCode=137)])),
        on_call_of(watched, config, "dev", {"DescribeAlarms": {"MetricAlarms": [on]}}),
        on_call_of(shipped("staging"), shipped_config("staging"), "staging"),
        sleeping(),
    ]
    for each in found:
        each.aws.client("sts").get_caller_identity()
        each.facts = [  # pyright: ignore[reportAttributeAccessIssue]
            finding.facts for finding in status_module.read(each.stack, ACCOUNT).findings
        ]
    return found


def test_every_right_is_in_the_table(worlds: Sequence[OnCall]) -> None:
    operations = {name for world in worlds for name, _ in world.aws.asked}
    assert len(operations) >= 12
    for operation in operations:
        action = ACTIONS.get(operation, f":{operation}`")
        assert action in PAGE, f"{operation} is not in docs/status.md"


def keys(value: object) -> Iterator[str]:
    """Every key of the objects inside, but of CloudWatch's own dimensions."""
    if isinstance(value, Mapping):
        for key, inside in cast("Mapping[str, Any]", value).items():
            yield key
            yield from () if key == "dimensions" else keys(inside)
    elif isinstance(value, list):
        for each in cast("list[Any]", value):
            yield from keys(each)


def test_every_key_is_in_the_description(worlds: Sequence[OnCall]) -> None:
    report = report_module.Report("s", "r", "a", NOW, [])
    found = set(report.to_json())
    for world in worlds:
        found |= set(keys(cast("list[Any]", world.facts)))  # pyright: ignore
    assert {"failures", "runbook", "retention_days", "threshold"} <= found
    assert {key for key in found if f"`{key}`" not in PAGE and f'"{key}"' not in PAGE} == set()


def test_the_bounds_are_those_of_the_program() -> None:
    assert f"none within {BACKUP_HOURS} h" in PAGE
    assert f"less than {CERTIFICATE_DAYS} days" in PAGE
    for code in (report_module.WRONG, report_module.UNREAD):
        assert f"| {code} |" in PAGE
