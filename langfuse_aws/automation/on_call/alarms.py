"""Findings on the stack's alarms: which are on, since when, and where their runbook is."""

import re
from collections.abc import Iterator
from datetime import datetime
from functools import partial
from typing import Any, Final

from langfuse_aws.automation.on_call.findings import Finding, Reading, age, iso, now
from langfuse_aws.automation.on_call.running_stack import RunningStack
from langfuse_aws.graph.model import Resource

SECTION: Final = "alarms"
ALARM: Final = "aws:cloudwatch/metricAlarm:MetricAlarm"
NAMES_AT_ONCE: Final = 100
"""Of DescribeAlarms."""
RUNBOOK: Final = re.compile(r"^(?P<summary>.*?)\s*(?P<url>https?://\S+)$", re.DOTALL)


def alarm_readings(stack: RunningStack) -> Iterator[Reading]:
    """One for all of them."""
    yield Reading(SECTION, "alarms", partial(_alarms, stack))


def _alarms(stack: RunningStack) -> Iterator[Finding]:
    mailed = [each for each in stack.of_type(ALARM) if _is_mailed(each)]
    names = {each.outputs["name"]: stack.part(each) for each in mailed}
    if not names:
        text = "the stack has none, so nobody is told"
        yield Finding(SECTION, "alarms", "ok", text, "langfuse:alarms.email mails them.")
        return
    every = list(names)
    found: list[dict[str, Any]] = [
        alarm
        for begin in range(0, len(every), NAMES_AT_ONCE)
        for page in stack.aws("cloudwatch")
        .get_paginator("describe_alarms")
        .paginate(AlarmNames=every[begin : begin + NAMES_AT_ONCE])
        for alarm in page["MetricAlarms"]
    ]
    every_on = [each for each in found if each["StateValue"] == "ALARM"]
    on = [each for each in every_on if not _of_sleep(stack, each)]
    for alarm in sorted(on, key=lambda each: each["StateUpdatedTimestamp"]):
        yield _on(names[alarm["AlarmName"]], alarm)
    muted = sum(not each["ActionsEnabled"] for each in found)
    missing = len(names) - len(found)
    waiting = sum(each["StateValue"] == "INSUFFICIENT_DATA" for each in found)
    parts = [f"{len(on) or 'none'} of {len(names)} on"]
    parts += [f"{waiting} without data yet"] if waiting else []
    parts += [f"{len(every_on) - len(on)} on since it is asleep"] if len(every_on) > len(on) else []
    parts += [f"{muted} muted: their actions are off"] if muted else []
    parts += [f"{missing} deleted by hand"] if missing else []
    yield Finding(
        SECTION,
        "alarms",
        "wrong" if muted or missing else "ok",
        ", ".join(parts),
        facts={
            "on": len(on),
            "all": len(names),
            "without_data": waiting,
            "asleep": len(every_on) - len(on),
            "muted": muted,
            "deleted": missing,
        },
    )


def _is_mailed(alarm: Resource) -> bool:
    """Whether somebody is told; one that scales a service is on in each spike."""
    actions: list[str] = alarm.outputs.get("alarmActions") or []
    return any(":sns:" in action for action in actions)


def _since(alarm: dict[str, Any]) -> datetime:
    return alarm.get("StateTransitionedTimestamp") or alarm["StateUpdatedTimestamp"]


def _of_sleep(stack: RunningStack, alarm: dict[str, Any]) -> bool:
    """Whether it came on when the stack slept, whose parts send nothing then."""
    return stack.asleep is not None and _since(alarm) >= stack.asleep.since


def _on(label: str, alarm: dict[str, Any]) -> Finding:
    description = alarm.get("AlarmDescription", "")
    matched = RUNBOOK.match(description)
    summary, url = matched.groups() if matched else (description, "")
    since = _since(alarm)
    return Finding(
        SECTION,
        label.removeprefix("alarms-"),
        "wrong",
        f"on for {age((now() - since).total_seconds())}: {summary or alarm['StateReason']}",
        url,
        {
            "alarm": alarm["AlarmName"],
            "since": iso(since),
            "reason": alarm["StateReason"],
            "runbook": url,
        },
    )
