"""Updates of a stack that sleeps by `langfuse:hours`, under the real engine.

The in-memory AWS plays the night: it sets to 0 what the schedules set to 0. That AWS's schedules do
so is AWS's business. It proves that no update wakes a stack unasked, that what needs the stores is
refused with the way, and that a stack whose `hours` are taken away in the night is not left at 0.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from langfuse_aws.offline.provider import AwsProvider
from langfuse_aws.offline.services import ECS, GROUP
from langfuse_aws.offline.serving import providers
from tests.deployment import NEXT_RELEASE, Deployment

pytestmark = pytest.mark.running

TARGET = "aws:appautoscaling/target:Target"
SCHEDULE = "aws:appautoscaling/scheduledAction:ScheduledAction"
OF_INSTANCES = "aws:autoscaling/schedule:Schedule"
NUMBERS = {
    ECS: ("desiredCount",),
    TARGET: ("minCapacity", "maxCapacity"),
    GROUP: ("minSize", "maxSize", "desiredCapacity"),
}


@pytest.fixture
def aws() -> AwsProvider:
    return AwsProvider()


@pytest.fixture
def deployment(aws: AwsProvider, tmp_path: Path) -> Iterator[Deployment]:
    with providers(aws=aws) as found:
        made = Deployment.of("dev", tmp_path, found)
        for key, value in (("from", "08:00"), ("to", "19:00"), ("timezone", "Europe/Berlin")):
            made.configure(f"hours.{key}", value)
        made.up()
        yield made


class Night:
    """What the schedules set, in the in-memory AWS."""

    def __init__(self, aws: AwsProvider, deployment: Deployment) -> None:
        self.aws = aws
        self.made = [
            (each["type"], each["id"], each["inputs"])
            for each in deployment.state()
            if each["type"] in NUMBERS
        ]

    def sleep(self) -> None:
        """Set all to 0."""
        for token, resource_id, _ in self.made:
            self.aws.change_by_hand(token, resource_id, **dict.fromkeys(NUMBERS[token], 0))

    def wake(self) -> None:
        """Set all to what the program has."""
        for token, resource_id, inputs in self.made:
            numbers = {key: inputs[key] for key in NUMBERS[token]}
            self.aws.change_by_hand(token, resource_id, **numbers)

    def numbers(self) -> set[Any]:
        """All that is set now."""
        accounts = self.aws._accounts.values()  # pyright: ignore[reportPrivateUsage]
        found = [each for account in accounts for each in account.of_type(*NUMBERS)]
        return {each.get(key) for each in found for key in NUMBERS[each.type]}


def refused(deployment: Deployment) -> str:
    done = deployment.up(check=False)
    said = " ".join((done.stdout + done.stderr).split())
    assert done.returncode != 0, said
    assert "Traceback" not in said
    return said


def test_no_update_wakes_a_sleeping_stack(deployment: Deployment, aws: AwsProvider) -> None:
    assert deployment.changes() == set()
    night = Night(aws, deployment)
    night.sleep()
    deployment.up()
    assert night.numbers() == {0}
    deployment.run("refresh", "--yes", "--skip-preview", "--stack", "dev")
    assert deployment.changes() == set(), "and a refresh that saw the night changes nothing"
    deployment.configure("web.memory", "4096")
    deployment.configure("worker.maxTasks", "3")
    deployment.up()
    assert night.numbers() == {0}, "what starts in the morning is new"
    (wake,) = [
        each["inputs"]["scalableTargetAction"]
        for each in deployment.state()
        if each["type"] == SCHEDULE and each["urn"].endswith("worker-wake")
    ]
    assert wake == {"minCapacity": 1, "maxCapacity": 3}
    deployment.destroy()
    assert deployment.state() == []


def test_other_hours_reach_the_schedules_of_instances(deployment: Deployment) -> None:
    deployment.configure("hours.to", "20:00")
    deployment.up()
    times = {
        each["urn"].rpartition("-")[2]: each["inputs"]["recurrence"]
        for each in deployment.state()
        if each["type"] == OF_INSTANCES
    }
    assert times == {"sleep": "15 20 * * 1,2,3,4,5", "wake": "36 7 * * 1,2,3,4,5"}


def test_a_migration_waits_for_the_stores_and_hours_are_not_taken_away_from_a_sleeper(
    deployment: Deployment, aws: AwsProvider
) -> None:
    night = Night(aws, deployment)
    night.sleep()
    deployment.configure("release", NEXT_RELEASE)
    said = refused(deployment)
    assert (
        "langfuse-dev-migration: the stack is asleep, and a migration needs its databases" in said
    )
    assert "resume, then pulumi up again" in said
    night.wake()
    deployment.up()
    night.sleep()
    deployment.run("config", "rm", "langfuse:hours", "--stack", "dev")
    said = refused(deployment)
    assert "langfuse-dev-clickhouse: ECS is to run no task of it" in said
    assert "resume, and pulumi up again" in said
    assert deployment.of_type(SCHEDULE), "resume reads them"
    night.wake()
    deployment.up()
    assert not deployment.of_type(SCHEDULE)
    assert deployment.changes() == set()
