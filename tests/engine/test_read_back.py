"""What `up` says of services that do not run as they should, under the real engine.

The in-memory AWS plays ECS and provider 6 as their sources have them: a deployment that fails
leaves the service with an error, or on what it ran before; an update without differences sends
nothing; a refresh reads what runs. It proves that no `up` succeeds while something else runs, and
that each remedy which is told works. That ECS says what is played here, it does not prove.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from langfuse_aws.offline.provider import AwsProvider
from langfuse_aws.offline.services import ECS
from langfuse_aws.offline.serving import providers
from tests.deployment import Deployment

pytestmark = pytest.mark.running

WEB = "langfuse-dev-web"
CLICKHOUSE = "langfuse-dev-clickhouse"
REASON = "tasks of the deployment failed to start"


@pytest.fixture
def aws() -> AwsProvider:
    return AwsProvider()


@pytest.fixture
def deployment(aws: AwsProvider, tmp_path: Path) -> Iterator[Deployment]:
    with providers(aws=aws) as found:
        yield Deployment.of("dev", tmp_path, found)


def refused(deployment: Deployment, *options: str) -> str:
    """What an `up` says that must not succeed."""
    done = deployment.up(*options, check=False)
    said = done.stdout + done.stderr
    assert done.returncode != 0, f"it reported success:\n{said}"
    assert "Traceback" not in said
    return said


def urn_of(deployment: Deployment, name: str) -> str:
    return next(
        each["urn"]
        for each in deployment.state()
        if each["type"] == ECS and each["urn"].endswith(f"::{name}")
    )


@pytest.mark.parametrize("name", [WEB, CLICKHOUSE])
def test_a_service_that_never_started_is_never_taken_for_one_that_runs(
    deployment: Deployment, aws: AwsProvider, name: str
) -> None:
    aws.fails_to_start = {name: REASON}
    assert REASON in refused(deployment), "the provider's own word"
    urn = urn_of(deployment, name)
    aws.fails_to_start = {}
    said = refused(deployment)
    assert f"{name}: ECS has given up starting" in said, "ECS starts nothing by itself"
    assert "deployment failed: tasks failed to start" in said, "ECS's own reason"
    command = re.search(
        r"aws ecs update-service --cluster (\S+) --service (\S+) --force-new-deployment", said
    )
    assert command
    aws.redeploy(command[2])
    deployment.up()
    assert urn_of(deployment, name) == urn
    assert aws.runs(name)
    assert deployment.changes() == set()


def test_a_first_start_that_a_change_mends_needs_no_more_than_up(
    deployment: Deployment, aws: AwsProvider
) -> None:
    aws.fails_to_start = {WEB: REASON}
    refused(deployment)
    aws.fails_to_start = {}
    deployment.configure("web.memory", "4096")
    deployment.up()
    assert aws.runs(WEB)


@pytest.mark.parametrize("clock_is_ahead", [False, True])
def test_a_deployment_that_was_rolled_back_is_told_until_it_is_sent_again(
    deployment: Deployment, aws: AwsProvider, clock_is_ahead: bool
) -> None:
    deployment.up()
    before = aws.runs(WEB)
    assert before
    aws.fails_to_start, aws.clock_is_ahead = {WEB: REASON}, clock_is_ahead
    deployment.configure("web.memory", "4096")
    said = refused(deployment)
    assert (REASON in said) is not clock_is_ahead, "the provider takes a rollback for success"
    if not clock_is_ahead:
        said = refused(deployment)
    assert f"{WEB}: ECS runs {before.rpartition('/')[2]}, not {WEB}:" in said
    assert aws.runs(WEB) == before, "the old tasks go on"
    aws.fails_to_start = {}
    urn = urn_of(deployment, WEB)
    assert f"pulumi refresh --target '{urn}'" in said
    deployment.run("refresh", "--yes", "--skip-preview", "--target", urn, "--stack", "dev")
    deployment.up()
    assert aws.runs(WEB) != before
    assert deployment.changes() == set()


def test_spot_is_switched_off_and_on_in_a_running_stack(deployment: Deployment) -> None:
    deployment.up()
    for spot, provider in (("false", "FARGATE"), ("true", "FARGATE_SPOT")):
        deployment.configure("web.spot", spot)
        deployment.up()
        (found,) = [each for each in deployment.state() if each["urn"] == urn_of(deployment, WEB)]
        assert found["outputs"]["capacityProviderStrategies"] == [
            {"capacityProvider": provider, "weight": 1}
        ]
        assert deployment.changes() == set()
