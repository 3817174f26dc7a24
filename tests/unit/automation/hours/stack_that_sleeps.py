"""A stack of the program's own with `hours`, as its state has it, and its parts in moto.

moto's Application Auto Scaling changes no service: that it does is added here. A part is there as
long as a test does not say otherwise.
"""

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final, cast
from unittest.mock import patch
from zoneinfo import ZoneInfo

from moto.applicationautoscaling.models import ApplicationAutoscalingBackend
from pulumi import automation as auto
from pulumi.automation import OutputValue

from langfuse_aws.automation.engine.deployed import Deployed
from langfuse_aws.automation.hours import clock
from langfuse_aws.settings.hours import Hours
from tests.unit.automation.on_call.stack_that_runs import state_of
from tests.unit.automation.restore.test_restore import FakePulumiStack, always, resource
from tests.unit.aws_account import REGION, aws
from tests.unit.stack_graph import Graph, build

HOURS: Final = {"from": "08:00", "to": "19:00", "timezone": "Europe/Berlin"}
INSTANCE: Final[Mapping[str, Any]] = {"size": "dev", "hours": HOURS}
AURORA: Final[Mapping[str, Any]] = {
    **INSTANCE,
    "postgres": {"mode": "auroraServerless", "instances": 1, "minAcu": 0.5, "maxAcu": 2},
}
URL: Final = "https://langfuse.example.com"
TASKS: Final = "aws:appautoscaling/scheduledAction:ScheduledAction"
GROUP: Final = "aws:autoscaling/schedule:Schedule"


def at(text: str) -> datetime:
    """A time in Berlin: 30 November 2026 is a Monday."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("Europe/Berlin"))


@contextmanager
def at_the_time(text: str) -> Generator[None]:
    """Let it be that time in Berlin."""
    with patch.object(clock, "now", always(at(text))):
        yield


def fake_stack(graph: Graph, config: Mapping[str, Any]) -> FakePulumiStack:
    """What Pulumi has of it."""
    keys = {f"langfuse:{key}": value for key, value in config.items()}
    entries = [_as_the_provider_keeps_it(each) for each in state_of(graph)]
    stack = FakePulumiStack(entries, {**keys, "aws:region": REGION}, [])
    given = {"url": OutputValue(URL, False)}
    stack.outputs = always(given)  # pyright: ignore[reportAttributeAccessIssue]
    return stack


def _as_the_provider_keeps_it(entry: dict[str, Any]) -> dict[str, Any]:
    """An entry whose numbers of tasks are texts, as in a state of provider 5.100."""
    if entry["type"] != TASKS:
        return entry
    numbers = entry["outputs"]["scalableTargetAction"].items()
    texts = {key: str(int(number)) for key, number in numbers}
    return {**entry, "outputs": {**entry["outputs"], "scalableTargetAction": texts}}


class StackThatSleeps:
    """The stack `dev`, awake, in moto."""

    def __init__(self, config: Mapping[str, Any] = INSTANCE) -> None:
        self.graph = build("dev", config)
        self.pulumi = fake_stack(self.graph, config)
        self.aurora = "postgres" in config
        self._services()
        self._groups()
        self._database()

    @property
    def deployed(self) -> Deployed:
        """What `open_stack` gives."""
        pulumi = cast(auto.Stack, self.pulumi)
        return Deployed("dev", "langfuse-dev", pulumi, aws, REGION)

    def schedules(self, token: str, end: str) -> dict[str, Mapping[str, Any]]:
        """The inputs of the schedules of a type, by the part that is in their names."""
        return {
            each.name.removesuffix(f"-{end}").removeprefix("langfuse-dev-"): each.inputs
            for each in self.graph.of_type(token)
            if each.name.endswith(f"-{end}")
        }

    def _services(self) -> None:
        ecs = aws("ecs")
        ecs.register_task_definition(
            family="any", containerDefinitions=[{"name": "any", "image": "any", "memory": 512}]
        )
        for inputs in self.schedules(TASKS, "wake").values():
            _, cluster, name = inputs["resourceId"].split("/")
            ecs.create_cluster(clusterName=cluster)
            ecs.create_service(
                cluster=cluster, serviceName=name, taskDefinition="any", desiredCount=0
            )
            least, most = (
                int(inputs["scalableTargetAction"][f"{end}Capacity"]) for end in ("min", "max")
            )
            register(inputs["resourceId"], least, most)

    def _groups(self) -> None:
        aws("ec2").create_launch_template(
            LaunchTemplateName="any",
            LaunchTemplateData={"ImageId": "ami-12345678", "InstanceType": "t4g.small"},
        )
        for inputs in self.schedules(GROUP, "wake").values():
            aws("autoscaling").create_auto_scaling_group(
                AutoScalingGroupName=inputs["autoscalingGroupName"],
                LaunchTemplate={"LaunchTemplateName": "any", "Version": "1"},
                AvailabilityZones=[f"{REGION}a"],
                MinSize=int(inputs["minSize"]),
                MaxSize=int(inputs["maxSize"]),
                DesiredCapacity=int(inputs["desiredCapacity"]),
            )

    def _database(self) -> None:
        user = {"MasterUsername": "langfuse", "MasterUserPassword": "not-a-password"}
        rds = aws("rds")
        if self.aurora:
            rds.create_db_cluster(
                DBClusterIdentifier=self.database, Engine="aurora-postgresql", **user
            )
            rds.create_db_instance(
                DBInstanceIdentifier="member",
                DBClusterIdentifier=self.database,
                DBInstanceClass="db.serverless",
                Engine="aurora-postgresql",
            )
            return
        rds.create_db_instance(
            DBInstanceIdentifier=self.database,
            DBInstanceClass="db.t4g.micro",
            Engine="postgres",
            AllocatedStorage=20,
            **user,
        )

    @property
    def database(self) -> str:
        """Its name."""
        token, key = (
            ("aws:rds/cluster:Cluster", "clusterIdentifier")
            if self.aurora
            else ("aws:rds/instance:Instance", "identifier")
        )
        return self.graph.of_type(token)[0].outputs[key]

    @property
    def status(self) -> str:
        """Of the database."""
        if self.aurora:
            return aws("rds").describe_db_clusters(DBClusterIdentifier=self.database)["DBClusters"][
                0
            ]["Status"]
        return aws("rds").describe_db_instances(DBInstanceIdentifier=self.database)["DBInstances"][
            0
        ]["DBInstanceStatus"]

    @property
    def tasks(self) -> dict[str, int]:
        """How many run, by service."""
        found: dict[str, int] = {}
        for part, inputs in self.schedules(TASKS, "wake").items():
            _, cluster, name = inputs["resourceId"].split("/")
            (service,) = aws("ecs").describe_services(cluster=cluster, services=[name])["services"]
            found[part] = service["runningCount"]
        return found

    @property
    def targets(self) -> dict[str, tuple[int, int]]:
        """Least and most tasks, by service."""
        found = aws("application-autoscaling").describe_scalable_targets(ServiceNamespace="ecs")
        by_id = {
            each["ResourceId"]: (each["MinCapacity"], each["MaxCapacity"])
            for each in found["ScalableTargets"]
        }
        return {
            part: by_id[inputs["resourceId"]]
            for part, inputs in self.schedules(TASKS, "wake").items()
        }

    @property
    def instances(self) -> dict[str, int]:
        """How many there are, by group."""
        return {
            part: len(
                aws("autoscaling").describe_auto_scaling_groups(
                    AutoScalingGroupNames=[inputs["autoscalingGroupName"]]
                )["AutoScalingGroups"][0]["Instances"]
            )
            for part, inputs in self.schedules(GROUP, "wake").items()
        }


def register(resource_id: str, least: int, most: int) -> None:
    """Say how many tasks a service may have."""
    aws("application-autoscaling").register_scalable_target(
        ServiceNamespace="ecs",
        ResourceId=resource_id,
        ScalableDimension="ecs:service:DesiredCount",
        MinCapacity=least,
        MaxCapacity=most,
    )


@contextmanager
def scaling_that_acts() -> Generator[None]:
    """Have moto's Application Auto Scaling bring a service's tasks within its numbers."""
    plain: Callable[..., Any] = ApplicationAutoscalingBackend.register_scalable_target

    def acting(backend: Any, namespace: str, r_id: str, *rest: Any, **more: Any) -> Any:
        target = plain(backend, namespace, r_id, *rest, **more)
        _, cluster, name = r_id.split("/")
        (service,) = aws("ecs").describe_services(cluster=cluster, services=[name])["services"]
        count = min(max(service["desiredCount"], target.min_capacity), target.max_capacity)
        aws("ecs").update_service(cluster=cluster, service=name, desiredCount=count)
        return target

    with patch.object(ApplicationAutoscalingBackend, "register_scalable_target", acting):
        yield


def schedules_of_web(name: str = "prod") -> list[dict[str, Any]]:
    """The entries of a state that say when web sleeps and wakes, and so that the stack does."""
    hours = Hours.model_validate(HOURS)
    return [
        resource(
            TASKS,
            f"langfuse-{name}-web-{end}",
            outputs={
                "schedule": weekly.cron,
                "timezone": hours.timezone,
                "serviceNamespace": "ecs",
                "resourceId": "service/cluster/web",
            },
        )
        for end, weekly in (("sleep", hours.sleeps("web")), ("wake", hours.wakes("web")))
    ]


def target_with(most: int) -> dict[str, Any]:
    """What DescribeScalableTargets says of web."""
    return {
        "ScalableTargets": [
            {
                "ServiceNamespace": "ecs",
                "ResourceId": "service/cluster/web",
                "ScalableDimension": "ecs:service:DesiredCount",
                "MinCapacity": most,
                "MaxCapacity": most,
                "RoleARN": "arn",
                "CreationTime": at("2026-11-01T00:00"),
            }
        ]
    }


ASLEEP: Final = target_with(0)
"""What it says of a stack that is asleep."""
UNTIL: Final = "until Tuesday 1 December, 08:00 Europe/Berlin"
"""At noon of Monday 30 November."""
SAID: Final = (
    f"stack prod is asleep (langfuse:hours) {UNTIL}. To wake it now: python3 -m automation resume "
    "--stack prod."
)
