"""Plays the ECS scheduler against a simulated AWS that has none.

moto keeps services and never runs a task of them, so a service would not become steady. A service
that is given its own desired count again counts as running that many tasks. Nor does moto end
the tasks of a service whose scalable target is set to 0, or start them again.
"""

import threading
from types import TracebackType
from typing import Any

from tests.provider.aws import client

POLL_SECONDS = 2.0


class EcsScheduler:
    """Runs from entering to leaving a `with` block, in a thread of its own."""

    def __init__(self, region: str) -> None:
        self._ecs = client("ecs", region)
        self._scaling = client("application-autoscaling", region)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "EcsScheduler":
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(POLL_SECONDS):
            for cluster in self._ecs.list_clusters()["clusterArns"]:
                self._place_tasks(cluster)

    def _place_tasks(self, cluster: str) -> None:
        try:
            arns = self._ecs.list_services(cluster=cluster)["serviceArns"]
            found: list[dict[str, Any]] = (
                self._ecs.describe_services(cluster=cluster, services=arns)["services"]
                if arns
                else []
            )
            targets = self._scaling.describe_scalable_targets(ServiceNamespace="ecs")
            bounds = {
                each["ResourceId"].rpartition("/")[2]: (each["MinCapacity"], each["MaxCapacity"])
                for each in targets["ScalableTargets"]
            }
            for service in found:
                wanted = service["desiredCount"]
                least, most = bounds.get(service["serviceName"], (wanted, wanted))
                wanted = min(wanted or least, most)
                if service["status"] == "ACTIVE" and service["runningCount"] != wanted:
                    self._ecs.update_service(
                        cluster=cluster, service=service["serviceArn"], desiredCount=wanted
                    )
        except (
            self._ecs.exceptions.ClusterNotFoundException,
            self._ecs.exceptions.InvalidParameterException,
            self._ecs.exceptions.ServiceNotFoundException,
        ):
            return  # another test has just destroyed it
