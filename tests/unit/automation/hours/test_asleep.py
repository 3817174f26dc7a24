"""What commands say of a stack that is asleep: one call of AWS at the most, and one line.

It proves whom nobody asks, what is refused before anything is changed, and what is said. That AWS
has such numbers of a stack that its schedules put to sleep nobody has seen.
"""

from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import NoCredentialsError
from typer.testing import CliRunner

from langfuse_aws.automation.__main__ import app
from langfuse_aws.automation.errors import UserError
from langfuse_aws.automation.hours import command as hours_command
from langfuse_aws.automation.hours.asleep import Asleep, seen_asleep
from langfuse_aws.automation.move_in import stack_target
from langfuse_aws.automation.on_call import shell as shell_module
from langfuse_aws.automation.restore import command as restore_command
from langfuse_aws.automation.restore import replay as replay_module
from langfuse_aws.automation.rotate import command as rotate_command
from langfuse_aws.automation.snapshot import command as snapshot_command
from langfuse_aws.settings.hours import Hours
from tests.unit.automation.hours.stack_that_sleeps import (
    ASLEEP,
    HOURS,
    SAID,
    at,
    at_the_time,
    schedules_of_web,
    target_with,
)
from tests.unit.automation.restore.test_restore import Answer, AwsError, World, always
from tests.unit.automation.upgrade.test_upgrade import NEXT, Told

REFUSAL = f"nothing was changed: {SAID} This needs what is stopped: run it again then."
ASKED = [
    ("DescribeScalableTargets", {"ServiceNamespace": "ecs", "ResourceIds": ["service/cluster/web"]})
]


@pytest.fixture(autouse=True)
def noon() -> Generator[None]:
    """Let it be noon of Monday 30 November."""
    with at_the_time("2026-11-30T12:00"):
        yield


def sleeping(answer: Answer = ASLEEP) -> World:
    """A stack with hours, and what AWS says of its web."""
    return World(schedules_of_web(), {}, {"DescribeScalableTargets": answer})


def seen(world: World) -> Asleep | None:
    """What is seen of it."""
    deployed = world.deployed
    return seen_asleep(deployed.name, deployed.state, deployed.aws)


@pytest.mark.parametrize(
    ("answer", "asleep"),
    [
        (ASLEEP, True),
        (target_with(1), False),
        ({"ScalableTargets": []}, False),
        (AwsError("AccessDeniedException"), False),
    ],
    ids=["none", "one", "no target", "denied"],
)
def test_a_stack_is_asleep_if_its_web_may_have_no_task(answer: Answer, asleep: bool) -> None:
    world = sleeping(answer)
    found = seen(world)
    assert (str(found) if found else None) == (SAID if asleep else None)
    assert world.log == ASKED


@pytest.mark.parametrize(
    ("key", "value"), [("schedule", "rate(1 day)"), ("timezone", "Mars/Olympus")]
)
def test_schedules_that_customize_has_changed_are_one_line_and_stop_no_screen(
    key: str, value: str
) -> None:
    world = sleeping()
    for each in world.stack.resources:
        each["outputs"] = {**each["outputs"], key: value}
    assert seen(world) is None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hours_command, "open_stack", always(world.deployed))
        result = CliRunner().invoke(app, ["pause", "--stack", "prod"])
    assert isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code == 1
    assert result.stderr.startswith("error: web's schedules (")
    assert value in result.stderr
    assert "customize.py" in result.stderr


def test_without_hours_nobody_is_asked() -> None:
    world = sleeping()
    world.stack.resources = [{**each, "type": "other"} for each in world.stack.resources]
    assert (seen(world), world.log) == (None, [])


def test_without_credentials_nobody_knows() -> None:
    def refuse(_: object) -> dict[str, Any]:
        raise NoCredentialsError

    assert seen(sleeping(refuse)) is None


@pytest.mark.parametrize(
    ("now", "since", "until"),
    [
        ("2026-11-30T12:00", "2026-11-27T19:00", "2026-12-01T08:00"),
        ("2026-11-30T19:00", "2026-11-30T19:00", "2026-12-01T08:00"),
        ("2026-12-05T12:00", "2026-12-04T19:00", "2026-12-07T08:00"),
        ("2026-03-28T12:00", "2026-03-27T19:00", "2026-03-30T08:00"),
    ],
    ids=["by hand", "at once", "weekend", "summer begins"],
)
def test_a_sleep_has_lasted_since_the_last_end_and_until_the_next_begin(
    now: str, since: str, until: str
) -> None:
    asleep = Asleep("dev", Hours.model_validate(HOURS), at(now))
    assert (asleep.since, asleep.until) == (at(since), at(until))


# --- what needs the stores is refused before anything is changed

COMMANDS: list[tuple[Any, list[str]]] = [
    (snapshot_command, ["snapshot"]),
    (snapshot_command, ["snapshot", "--json"]),
    (restore_command, ["restore", "clickhouse-volume", "--snapshot", "latest", "--yes"]),
    (restore_command, ["restore", "clickhouse-backup", "--from", "latest", "--yes"]),
    (restore_command, ["restore", "postgres", "--snapshot", "latest", "--yes"]),
    (replay_module, ["replay", "--since", "2026-11-01T00:00:00Z", "--yes"]),
    (replay_module, ["replay", "--since", "2026-11-01T00:00:00Z", "--dry-run"]),
    (rotate_command, ["rotate", "database", "--yes"]),
    (rotate_command, ["rotate", "nextauth", "--dry-run"]),
    (shell_module, ["shell", "web"]),
    (shell_module, ["shell", "clickhouse"]),
]


@pytest.mark.parametrize(
    ("module", "words"), COMMANDS, ids=[" ".join(words[:2]) for _, words in COMMANDS]
)
def test_a_command_that_needs_the_stores_refuses_and_names_resume(
    module: Any, words: list[str]
) -> None:
    world = sleeping()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shell_module, "find_plugin", always("plugin"))
        patch.setattr(module, "open_stack", always(world.deployed))
        result = CliRunner().invoke(app, [*words, "--stack", "prod"])
    assert isinstance(result.exception, SystemExit | None), result.exception
    assert (result.exit_code, result.stdout, result.stderr) == (1, "", f"error: {REFUSAL}\n")
    assert world.log == ASKED


def test_nothing_moves_into_a_stack_that_is_asleep() -> None:
    world = sleeping()
    with (
        pytest.raises(UserError) as caught,
        stack_target.opened(world.deployed, direct=True),
    ):
        pytest.fail("it was opened")
    assert (str(caught.value), world.log) == (REFUSAL, ASKED)


@pytest.mark.parametrize("options", [("--yes",), ("--dry-run",)])
def test_no_release_goes_into_a_stack_that_is_asleep(
    options: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = Told(tmp_path, monkeypatch)
    told.world.stack.resources += schedules_of_web()
    told.world.aws.answers["DescribeScalableTargets"] = ASLEEP
    result = told.run(NEXT, *options)
    assert (result.exit_code, told.did) == (1, []), result.output
    assert result.stderr == f"error: {REFUSAL}\n"
