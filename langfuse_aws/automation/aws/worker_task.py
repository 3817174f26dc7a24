"""A one-off task with the worker's definition, network and role, and other orders."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from langfuse_aws.automation.aws.one_off_task import OneOffTask
from langfuse_aws.automation.engine.deployed import Deployed
from langfuse_aws.automation.errors import UserError
from langfuse_aws.graph.resource_types import ECS_SERVICE

CONTAINER: Final = "worker"


@dataclass(frozen=True)
class WorkerService:
    """The worker's ECS service, as ECS describes it."""

    ecs: Any
    name: str
    cluster: str
    described: Mapping[str, Any]

    @classmethod
    def of(cls, deployed: Deployed) -> "WorkerService":
        """Find it. UserError if ECS does not know it."""
        known = deployed.resource(ECS_SERVICE, f"{deployed.prefix}-worker").outputs
        cluster, name = known["cluster"], known["name"]
        ecs = deployed.aws("ecs")
        found = ecs.describe_services(cluster=cluster, services=[name])["services"]
        if not found:
            raise UserError(
                f"stack {deployed.name}: ECS does not know the service {name}. "
                "pulumi up --refresh first."
            )
        return cls(ecs, name, cluster, found[0])

    def task(self, orders: Mapping[str, Any]) -> OneOffTask:
        """A task as the service starts them, but with these orders."""
        definition = self.ecs.describe_task_definition(
            taskDefinition=self.described["taskDefinition"]
        )
        return OneOffTask(
            ecs=self.ecs,
            cluster=self.cluster,
            definition=definition["taskDefinition"],
            container=CONTAINER,
            network=self.described["networkConfiguration"]["awsvpcConfiguration"],
            orders=orders,
        )
