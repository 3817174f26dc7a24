"""`status --drift`: what a refresh that only shows becomes, and that it may be left at any time.

What the real engine says of AWS's changes is proved in tests/engine/test_drift.py.
"""

import json
import subprocess
from typing import Any

import pytest
from pulumi.automation import CommandResult, EngineEvent
from pulumi.automation.errors import create_command_error
from pulumi.automation.events import OpType, ResOutputsEvent, StepEventMetadata

from langfuse_aws.automation.engine.engines import RUNNING
from tests.unit.automation.on_call.stack_that_runs import OnCall, on_call
from tests.unit.automation.on_call.test_status import run

BUCKET = "urn:pulumi:prod::langfuse::langfuse:index:Storage$aws:s3/bucket:Bucket::storage"


def event(operation: OpType, urn: str) -> EngineEvent:
    step = StepEventMetadata(op=operation, urn=urn, type="t", provider="p")
    return EngineEvent(1, 1, res_outputs_event=ResOutputsEvent(metadata=step, planning=True))


def refreshing(world: OnCall, *events: EngineEvent, error: Exception | None = None) -> list[Any]:
    """Have a refresh say this; gives the options that it is called with."""
    asked: list[Any] = []

    def preview_refresh(*, on_event: Any, **options: Any) -> None:
        asked.append(options)
        for each in events:
            on_event(each)
        if error:
            raise error

    world.pulumi.preview_refresh = preview_refresh  # pyright: ignore[reportAttributeAccessIssue]
    return asked


def test_what_a_hand_changed_or_removed_is_named() -> None:
    world = on_call()
    asked = refreshing(
        world,
        event(OpType.SAME, "urn:pulumi:prod::langfuse::aws:sns/topic:Topic::kept"),
        event(OpType.UPDATE, BUCKET),
        event(OpType.DELETE, "urn:pulumi:prod::langfuse::aws:sns/topic:Topic::gone"),
    )
    result = run(world, "--drift")
    assert result.exit_code == 3
    lines = [line for line in result.stdout.splitlines() if "\tdrift\t" in line]
    assert [line.split("\t")[:3] for line in lines] == [
        ["wrong", "drift", "storage"],
        ["wrong", "drift", "gone"],
    ]
    assert "aws:s3/bucket:Bucket was changed by hand" in lines[0]
    assert "aws:sns/topic:Topic was removed by hand" in lines[1]
    assert asked == [{"show_secrets": False}]


def test_no_drift_is_said_and_none_is_looked_for_unasked() -> None:
    world = on_call()
    asked = refreshing(world)
    assert "AWS is as the last up left it" in run(world, "--drift").stdout
    assert len(asked) == 1
    assert "drift" not in run(world).stdout
    assert len(asked) == 1


def test_a_refresh_that_fails_is_a_line_beside_the_others() -> None:
    world = on_call()
    refused = create_command_error(CommandResult("", "error: passphrase must be set", 255))
    refreshing(world, error=refused)
    result = run(world, "--drift", "--json")
    report = json.loads(result.stdout)
    assert result.exit_code == 4
    assert report["findings"][-1]["subject"] == "drift"
    assert "passphrase must be set" in report["findings"][-1]["text"]
    assert {each["state"] for each in report["findings"][:-1]} == {"ok"}


@pytest.mark.parametrize(
    ("arguments", "changes"),
    [(["refresh", "--preview-only"], False), (["refresh", "--yes"], True), (["up"], True)],
)
def test_a_refresh_that_only_shows_need_not_be_waited_for(
    arguments: list[str], changes: bool
) -> None:
    with subprocess.Popen(["true"], text=True) as process:
        RUNNING.add(process, arguments)
        try:
            assert RUNNING.any_changes() is changes
        finally:
            RUNNING.remove(process)
