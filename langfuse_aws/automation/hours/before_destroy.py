"""Starts the Aurora clusters of a stack that is to be destroyed: AWS deletes none that is stopped.

https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/USER_DeleteCluster.html
https://github.com/hashicorp/terraform-provider-aws/issues/28262
Of an RDS instance it asks for no such thing: one that is stopped is deleted as it is.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from langfuse_aws.automation.hours.acts import Act, Database, Look
from langfuse_aws.automation.hours.performing import perform
from langfuse_aws.graph.model import ResourceGraph
from langfuse_aws.graph.resource_types import DB_CLUSTER

STOPPED: Final = ("stopped", "stopping", "starting")
"""RDS's status of a database that was stopped, until it serves again."""


@dataclass(frozen=True)
class StoppedCluster:
    """One to start."""

    database: Database
    status: str

    def __str__(self) -> str:
        """Say why it takes longer."""
        return (
            f"{self.database.identifier} is {self.status}: AWS deletes an Aurora cluster only "
            "while it is available, so it is started first, which takes some minutes."
        )


def stopped_clusters(
    deployed: ResourceGraph, clients: Callable[[], Callable[[str], Any]]
) -> Sequence[StoppedCluster]:
    """Find those that will be deleted and are stopped; none if AWS does not say."""
    names = [
        each.outputs["clusterIdentifier"]
        for each in deployed.of_type(DB_CLUSTER)
        if not each.retain_on_delete
    ]
    if not names:
        return []
    rds = clients()("rds")
    found: list[StoppedCluster] = []
    for name in names:
        database = Database(rds, cluster=True, identifier=name, wanted="available")
        try:
            status = database.status()
        except (BotoCoreError, ClientError):
            continue
        if status in STOPPED:
            found.append(StoppedCluster(database, status))
    return found


def start_clusters(found: Sequence[StoppedCluster], update: Callable[[str], None]) -> None:
    """Start them, and wait until they and their instances serve. Raises UserError."""

    def ended(_act: Act, _look: Look) -> None:
        """What comes next tells."""

    perform([[each.database for each in found]], ended, update)
