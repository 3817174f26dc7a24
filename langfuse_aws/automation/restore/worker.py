"""The worker of a stack, which a restore stops: its jobs wait in the queue meanwhile."""

from dataclasses import dataclass
from typing import Any

from langfuse_aws.automation.aws.stopping_tasks import wait_until_stopped
from langfuse_aws.automation.engine.deployed import Deployed
from langfuse_aws.automation.errors import UserError
from langfuse_aws.graph.resource_types import ECS_SERVICE


@dataclass(frozen=True)
class Worker:
    """The ECS service and its autoscaling."""

    ecs: Any
    scaling: Any
    cluster: str
    service: str
    resource_id: str
    """What Application Auto Scaling calls the service."""
    tasks: int
    """How many to start again. A worker that is stopped already gets its least."""

    @classmethod
    def of(cls, deployed: Deployed) -> "Worker":
        """Find it, and how many tasks it has."""
        name = f"{deployed.prefix}-worker"
        service = deployed.resource(ECS_SERVICE, name).outputs
        target = deployed.resource("aws:appautoscaling/target:Target", name).outputs
        ecs = deployed.aws("ecs")
        found = ecs.describe_services(cluster=service["cluster"], services=[service["name"]])
        if not found["services"]:
            raise UserError(
                f"stack {deployed.name}: ECS does not know the service {service['name']}. "
                "pulumi up --refresh first."
            )
        return cls(
            ecs=ecs,
            scaling=deployed.aws("application-autoscaling"),
            cluster=service["cluster"],
            service=service["name"],
            resource_id=target["resourceId"],
            tasks=max(found["services"][0]["desiredCount"], int(target["minCapacity"])),
        )

    def stop(self) -> None:
        """Hold its autoscaling, and wait for the end of its tasks."""
        self._hold_scaling(True)
        self._set_tasks(0)
        wait_until_stopped(self.ecs, [(self.cluster, self.service)])

    def start(self) -> None:
        """Start the tasks, wait until they run, and let its autoscaling go on."""
        self._set_tasks(self.tasks)
        self._hold_scaling(False)

    def _hold_scaling(self, held: bool) -> None:
        """Hold it, or let it go on, unless that is so already.

        Whatever is registered, AWS brings the tasks within their numbers: a second `stop` would
        start some. https://docs.aws.amazon.com/autoscaling/application/APIReference/API_RegisterScalableTarget.html
        """
        wanted = {"DynamicScalingInSuspended": held, "DynamicScalingOutSuspended": held}
        found = self.scaling.describe_scalable_targets(
            ServiceNamespace="ecs", ResourceIds=[self.resource_id]
        )["ScalableTargets"]
        if any(wanted.items() <= each.get("SuspendedState", {}).items() for each in found):
            return
        self.scaling.register_scalable_target(
            ServiceNamespace="ecs",
            ResourceId=self.resource_id,
            ScalableDimension="ecs:service:DesiredCount",
            SuspendedState=wanted,
        )

    def _set_tasks(self, count: int) -> None:
        self.ecs.update_service(cluster=self.cluster, service=self.service, desiredCount=count)
        self.ecs.get_waiter("services_stable").wait(cluster=self.cluster, services=[self.service])
