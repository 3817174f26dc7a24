"""What the in-memory AWS refuses, as the real engine takes it.

It proves what only an engine shows: what fails in a preview, what is kept in the state after a
start that failed, and that deletions come after creations and updates. What is refused at all is
proven by tests/unit/offline/test_rules.py, row by row.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from langfuse_aws.offline.provider import AwsProvider
from langfuse_aws.offline.serving import providers
from tests.small_program import SmallProgram

PROGRAM = """\
import json, os
import pulumi, pulumi_aws as aws

wanted = json.loads(os.environ["WANTED"])
if "task" in wanted:
    aws.ecs.Service(
        "web",
        cluster="cluster",
        task_definition=wanted["task"],
        desired_count=wanted.get("tasks", 1),
        capacity_provider_strategies=[
            {"capacity_provider": wanted.get("provider", "FARGATE"), "weight": 1}
        ],
        force_new_deployment=wanted.get("force"),
    )
for name in wanted.get("routes", []):
    aws.ec2.Route(
        name, route_table_id="rtb-1", destination_cidr_block="0.0.0.0/0", gateway_id="igw-1"
    )
for name in wanted.get("boards", []):
    aws.cloudwatch.Dashboard(name, dashboard_name=name, dashboard_body="{}")
"""


def program(folder: Path, environment: dict[str, str]) -> SmallProgram:
    return SmallProgram.of(folder, PROGRAM, environment)


@pytest.fixture(scope="module")
def aws() -> AwsProvider:
    return AwsProvider()


@pytest.fixture(scope="module")
def environment(aws: AwsProvider, engine_path: str) -> Iterator[dict[str, str]]:
    with providers({"PATH": engine_path}, aws) as found:
        yield found


@pytest.fixture
def one(tmp_path: Path, environment: dict[str, str]) -> SmallProgram:
    return program(tmp_path / "one", environment)


def service_of(one: SmallProgram) -> dict[str, Any]:
    """The service as the state has it."""
    (service,) = [each for each in one.state() if each["urn"].endswith("::web")]
    return service


@pytest.mark.running
def test_a_service_that_never_started_stays_so_until_it_is_given_something_else(
    one: SmallProgram, aws: AwsProvider
) -> None:
    aws.fails_to_start["web"] = "tasks failed to start"
    assert "tasks failed to start" in one.refused("up", task="first")
    assert service_of(one)["initErrors"] == ["tasks failed to start"]
    aws.fails_to_start.clear()
    one.up(task="first")  # the provider sees no difference and sends nothing
    assert "initErrors" not in service_of(one)
    assert aws.runs("web") is None, "no task runs all the same"
    one.up(task="second")
    assert aws.runs("web") == "second"


@pytest.mark.running
def test_another_capacity_provider_needs_a_new_deployment_already_in_the_preview(
    one: SmallProgram,
) -> None:
    one.up(task="first")
    refused = one.refused("preview", task="first", provider="FARGATE_SPOT")
    assert "force_new_deployment should be true" in refused
    one.up(task="first", provider="FARGATE_SPOT", force=True)


@pytest.mark.running
def test_a_resource_that_left_the_program_is_there_until_the_end_of_the_update(
    one: SmallProgram,
) -> None:
    one.up(routes=["before"])
    one.run("preview", routes=["after"])  # AWS is not asked
    assert "RouteAlreadyExists" in one.refused("up", routes=["after"])
    one.up()
    one.up(routes=["after"])


@pytest.mark.running
def test_stacks_meet_in_one_account_only_if_they_share_it(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    for name in ("two", "three"):
        program(tmp_path / name, environment).up(boards=["same"])
    with providers({"PATH": environment["PATH"]}, AwsProvider(shared=True)) as shared:
        program(tmp_path / "four", shared).up(boards=["same"])
        refused = program(tmp_path / "five", shared).refused("up", boards=["same"])
    assert "PutDashboard would overwrite it" in refused
