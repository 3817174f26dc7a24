"""What is read back of services and instances at the end of `up`: what counts as running.

It proves what is made of AWS's answers, which are written down here as AWS's documents have them.
The engine's part, and that each remedy works, is proven in tests/engine/test_read_back.py.
"""

import asyncio
from typing import Any

import pulumi
import pulumi_aws as aws
import pytest
from botocore import loaders
from botocore.model import ServiceModel
from pulumi_aws.ecs.outputs import (
    GetServiceCapacityProviderStrategyResult,
    GetServiceDeploymentResult,
    GetServiceEventResult,
)

from development.recorded_graph import on_mocks
from langfuse_aws.components.runtime import read_back
from langfuse_aws.components.runtime.read_back import (
    Finding,
    instances_finding,
    service_finding,
    settled,
)
from langfuse_aws.offline.facts import DEFAULT_REGION
from langfuse_aws.offline.mocks import OfflineMocks
from tests.unit.stack_graph import asked_of_data_sources, shipped

ARN = "arn:aws:ecs:us-east-1:123456789012:task-definition/langfuse-dev-web"
OURS, OLD = f"{ARN}:7", f"{ARN}:6"
URN = "urn:pulumi:dev::langfuse::aws:ecs/service:Service::langfuse-dev-web"
FAILED = "(service web-1) (deployment ecs-svc/2) deployment failed: tasks failed to start."
SERVICE = "aws:ecs/service:Service"
INVOCATION = "aws:lambda/invocation:Invocation"


def deployment(definition: str, status: str = "PRIMARY") -> GetServiceDeploymentResult:
    return GetServiceDeploymentResult(
        created_at="",
        desired_count=2,
        id="ecs-svc/2" if status == "PRIMARY" else "ecs-svc/1",
        pending_count=0,
        running_count=2,
        status=status,
        task_definition=definition,
        updated_at="",
    )


def service(
    *deployments: GetServiceDeploymentResult,
    running: int = 2,
    desired: int = 2,
    provider: str = "FARGATE",
    events: tuple[str, ...] = (),
) -> aws.ecs.GetServiceResult:
    return aws.ecs.GetServiceResult(
        cluster_arn="arn:aws:ecs:us-east-1:123456789012:cluster/langfuse-dev-1",
        service_name="web-1",
        desired_count=desired,
        running_count=running,
        deployments=list(deployments),
        task_definition=deployments[0].task_definition if deployments else OURS,
        events=[GetServiceEventResult(created_at="", id="", message=each) for each in events],
        capacity_provider_strategies=[
            GetServiceCapacityProviderStrategyResult(base=0, capacity_provider=provider, weight=1)
        ],
    )


def test_a_service_whose_only_deployment_is_ours_and_complete_runs() -> None:
    assert service_finding(service(deployment(OURS)), URN, OURS, "FARGATE") == Finding()


def test_a_provider_that_tells_no_more_than_the_task_definition_is_believed() -> None:
    bare = service()
    for name in ("deployments", "events", "running_count"):
        bare.__dict__[name] = None
    assert service_finding(bare, URN, OURS) == Finding()
    assert service_finding(bare, URN, OLD).final


def test_a_service_that_somebody_stopped_on_purpose_runs_as_it_should() -> None:
    stopped = service(deployment(OURS), running=0, desired=0)
    assert service_finding(stopped, URN, OURS) == Finding()


def test_a_rolled_back_service_is_told_at_once_with_what_runs_and_the_way_out() -> None:
    found = service_finding(service(deployment(OLD), events=(FAILED, "a", "b")), URN, OURS)
    assert found.final
    assert found.problem == (
        "langfuse-dev-web: ECS runs langfuse-dev-web:6, not langfuse-dev-web:7, whose deployment "
        f"was rolled back. ECS says: {FAILED[:-1]}; a. Correct the cause, then run pulumi refresh "
        f"--target '{URN}', and pulumi up."
    )


def test_nothing_is_quoted_of_an_ecs_that_has_said_nothing() -> None:
    assert service_finding(service(deployment(OURS), running=1), URN, OURS).problem == (
        "langfuse-dev-web: 1 of 2 tasks run, and ECS goes on trying. Correct the cause, and run "
        "pulumi up again: it waits for them."
    )


def test_a_rollback_of_the_capacity_provider_alone_is_told_too() -> None:
    on_spot = service(deployment(OURS), provider="FARGATE_SPOT")
    found = service_finding(on_spot, URN, OURS, "FARGATE")
    assert found.final
    assert "ECS runs it on FARGATE_SPOT, not on FARGATE" in found.problem
    assert service_finding(on_spot, URN, OURS) == Finding(), "ClickHouse has none"


def test_a_deployment_that_ecs_has_given_up_needs_another_one() -> None:
    found = service_finding(service(deployment(OURS), running=0, events=(FAILED,)), URN, OURS)
    assert found.final
    assert (
        "aws ecs update-service --cluster langfuse-dev-1 --service web-1 --force-new-deployment, "
        "and pulumi up"
    ) in found.problem


@pytest.mark.parametrize(
    "found",
    [
        service(deployment(OURS), running=1),
        service(deployment(OURS), running=0, events=("(deployment ecs-svc/1) deployment failed",)),
        service(deployment(OURS), deployment(OLD, "ACTIVE")),
        service(deployment(OLD), deployment(OURS, "ACTIVE")),
    ],
    ids=["a task is missing", "an older one failed", "deploying", "rolling back"],
)
def test_what_may_still_become_right_is_waited_for(found: aws.ecs.GetServiceResult) -> None:
    finding = service_finding(found, URN, OURS)
    assert finding.problem
    assert not finding.final


def test_instances_of_another_version_are_waited_for_and_told() -> None:
    assert instances_finding("clickhouse", "group-1", "7", set()) == Finding()
    found = instances_finding("clickhouse", "group-1", "7", {"i-2", "i-1"})
    assert not found.final
    assert found.problem.startswith(
        "clickhouse: version 7 of the launch template is not what i-1, i-2 runs."
    )
    assert "start-instance-refresh --auto-scaling-group-name group-1" in found.problem


@pytest.fixture
def naps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Sleep without taking time."""
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr("asyncio.sleep", sleep)
    return slept


def wait(findings: list[Finding], bound_seconds: int) -> None:
    async def look() -> Finding:
        return findings.pop(0) if len(findings) > 1 else findings[0]

    asyncio.new_event_loop().run_until_complete(settled(look, bound_seconds))


def test_up_waits_until_all_is_right(naps: list[float]) -> None:
    wait([Finding("not yet"), Finding("not yet"), Finding()], 1200)
    assert naps == [read_back.POLL_SECONDS] * 2


def test_up_fails_at_once_where_waiting_is_of_no_use(naps: list[float]) -> None:
    with pytest.raises(pulumi.RunError, match="rolled back"):
        wait([Finding("rolled back", final=True)], 1200)
    assert naps == []


def test_up_does_not_wait_for_ever(naps: list[float]) -> None:
    with pytest.raises(pulumi.RunError, match="not yet"):
        wait([Finding("not yet")], 60)
    assert sum(naps) == 60


def test_a_service_is_waited_for_as_long_as_the_provider_waits_for_its_start() -> None:
    # https://registry.terraform.io/providers/hashicorp/aws/6.58.0/docs/resources/ecs_service
    # #timeouts: create, 20 minutes
    assert read_back.SERVICE_SECONDS == 20 * 60


def test_a_preview_depends_on_all_that_the_update_will_ask_about() -> None:
    """Or the engine refuses the update, which it holds to the dependencies of its plan."""
    pulumi.runtime.set_mocks(OfflineMocks(), project="langfuse", stack="dev", preview=True)
    told: list[tuple[set[str], bool]] = []

    async def not_known() -> bool:
        return False

    @pulumi.runtime.test  # pyright: ignore[reportUnknownMemberType]
    def program() -> pulumi.Output[None]:
        template = aws.ec2.LaunchTemplate("template")
        group = aws.autoscaling.Group("group", min_size=0, max_size=1, name="known")
        version = pulumi.Output[str]({template}, asyncio.sleep(0, "7"), not_known())
        found = read_back.current_instances(group, version, 1)

        async def look() -> None:
            names = {type(each).__name__ for each in await found.resources()}
            told.append((names, await found.is_known()))

        return pulumi.Output.from_input(look())

    program()
    assert told == [({"Group", "LaunchTemplate"}, True)]


def test_up_asks_for_the_instances_of_a_group_that_run_or_have_not_ended() -> None:
    def program() -> pulumi.Output[str]:
        group = aws.autoscaling.Group(
            "group",
            name="group-1",
            min_size=1,
            max_size=1,
            desired_capacity=1,
            launch_template={"id": "lt-1", "version": "7"},
        )
        return read_back.current_instances(group, pulumi.Output.from_input("7"), 1)

    with asked_of_data_sources() as calls:
        on_mocks("dev", DEFAULT_REGION, program)
    asked = [each.args for each in calls]
    loader: Any = loaders.create_loader()  # pyright: ignore[reportUnknownMemberType]
    model: Any = ServiceModel(loader.load_service_model("ec2", "service-2"))
    states: set[str] = {*model.shape_for("InstanceStateName").enum}
    version = {"aws:ec2launchtemplate:version": "7"}
    wanted = states - {"stopped", "terminated"}
    assert [{**each, "instanceStateNames": {*each["instanceStateNames"]}} for each in asked] == [
        {
            # An instance without it was launched by hand.
            "filters": [{"name": "tag-key", "values": [*version]}],
            "instanceTags": {"aws:autoscaling:groupName": "group-1", **more},
            "instanceStateNames": wanted,
        }
        for more in ({}, version)
    ]


@pytest.mark.parametrize("stack", ["dev", "staging", "prod"])
def test_the_migration_waits_for_clickhouse_as_it_runs_after_its_instances(stack: str) -> None:
    """Its inputs are known only when the servers run: what is awaited is among their origins."""
    graph = shipped(stack)
    migration = graph.one(INVOCATION)
    origins = graph.options_of(migration).origins["triggers"]
    name = f"langfuse-{stack}-clickhouse"
    assert graph.urns[SERVICE, name] in origins
    assert graph.urns["aws:autoscaling/group:Group", name] in origins
    assert migration.inputs["triggers"]["clickhouse"].startswith("vol-")


@pytest.mark.parametrize("stack", ["dev", "staging", "prod"])
def test_clickhouse_is_never_two_services_at_once(stack: str) -> None:
    graph = shipped(stack)
    found = graph.one(SERVICE, f"langfuse-{stack}-clickhouse")
    assert graph.options_of(found).delete_before_replace
