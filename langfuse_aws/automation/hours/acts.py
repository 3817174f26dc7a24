"""What a schedule does, done at once: asked of AWS, and looked at until it is so.

Each may be asked again at any time: what is so already is left, and what is under way waited for.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from botocore.exceptions import ClientError

from langfuse_aws.automation.aws.answers import error_code
from langfuse_aws.automation.aws.stopping_tasks import stopping_tasks
from langfuse_aws.automation.errors import UserError
from langfuse_aws.automation.hours.schedules import Schedule
from langfuse_aws.settings.hours import Part
from langfuse_aws.settings.installation import COMMAND

BUSY: Final = (
    "ConcurrentUpdateException",
    "ResourceContention",
    "ScalingActivityInProgress",
    "InvalidDBInstanceState",
    "InvalidDBClusterStateFault",
)
"""Codes of AWS's errors that say: later."""

BROKEN: Final = (
    "deleting",
    "failed",
    "inaccessible",
    "incompatible",
    "insufficient",
    "restore-error",
    "storage-full",
)
"""What RDS's status begins with of a database that starts and stops no more.
https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/accessing-monitoring.html"""


@dataclass(frozen=True)
class Look:
    """How far it is."""

    done: bool
    text: str
    """Such as `0 of 1 tasks`."""


class Act(Protocol):
    """One thing to do."""

    @property
    def part(self) -> Part:
        """Of the stack."""
        ...

    @property
    def subject(self) -> str:
        """The part for people, as `status` has it."""
        ...

    @property
    def minutes(self) -> int:
        """How long it may take."""
        ...

    @property
    def why(self) -> str:
        """The command that tells why it takes longer."""
        ...

    def advance(self) -> Look:
        """Ask for what is still to be asked for, and look. UserError if it will never be so."""
        ...


@dataclass
class Tasks:
    """Set how many tasks a service may have.

    AWS brings those that it has within these numbers at once.
    https://docs.aws.amazon.com/autoscaling/application/APIReference/API_RegisterScalableTarget.html
    """

    part: Part
    does: Mapping[str, Any]
    stack: str
    ecs: Any
    scaling: Any
    asked: bool = field(default=False, init=False)
    minutes: int = 30
    """ClickHouse's server may wait ten for its volume; web and worker stop within two."""

    @property
    def subject(self) -> str:
        """Its name."""
        return self.part

    @property
    def why(self) -> str:
        """Has ECS's own reasons."""
        return f"{COMMAND} status --stack {self.stack}"

    def advance(self) -> Look:
        """Register the numbers, and count the tasks."""
        numbers = self.does["scalableTargetAction"]
        least, most = int(numbers["minCapacity"]), int(numbers["maxCapacity"])
        if not self.asked:
            self.asked = _asked(
                lambda: self.scaling.register_scalable_target(
                    ServiceNamespace=self.does["serviceNamespace"],
                    ResourceId=self.does["resourceId"],
                    ScalableDimension=self.does["scalableDimension"],
                    MinCapacity=least,
                    MaxCapacity=most,
                )
            )
        _, cluster, name = self.does["resourceId"].split("/")
        found = self.ecs.describe_services(cluster=cluster, services=[name])["services"]
        if not found or found[0]["status"] == "INACTIVE":
            raise UserError(
                f"{self.part}: ECS does not know the service {name}. pulumi up --refresh first."
            )
        desired, running, pending = (
            found[0][key] for key in ("desiredCount", "runningCount", "pendingCount")
        )
        if most:
            so = running >= desired >= least
            return Look(self.asked and so, f"{running} of {desired} tasks")
        left = running + pending or len([*stopping_tasks(self.ecs, cluster, name)])
        return Look(self.asked and not desired + left, f"{left} tasks")


@dataclass
class Group:
    """Set how many instances an Auto Scaling group has."""

    part: Part
    does: Mapping[str, Any]
    autoscaling: Any
    asked: bool = field(default=False, init=False)
    minutes: int = 20
    """An instance starts within three, and ends within one if nothing holds it."""

    @property
    def subject(self) -> str:
        """What its instances are for."""
        return "nat" if self.part == "nat" else "clickhouse"

    @property
    def why(self) -> str:
        """Has EC2's own reasons."""
        name = self.does["autoscalingGroupName"]
        return f"aws autoscaling describe-scaling-activities --auto-scaling-group-name {name}"

    def advance(self) -> Look:
        """Set the numbers, and count the instances."""
        name, size = self.does["autoscalingGroupName"], int(self.does["desiredCapacity"])
        if not self.asked:
            self.asked = _asked(
                lambda: self.autoscaling.update_auto_scaling_group(
                    AutoScalingGroupName=name,
                    MinSize=int(self.does["minSize"]),
                    MaxSize=int(self.does["maxSize"]),
                    DesiredCapacity=size,
                )
            )
        answer = self.autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[name])
        if not answer["AutoScalingGroups"]:
            raise UserError(
                f"{self.subject}: EC2 does not know the group {name}. pulumi up --refresh first."
            )
        instances = answer["AutoScalingGroups"][0].get("Instances", [])
        serving = [each for each in instances if each["LifecycleState"] == "InService"]
        if not size:
            return Look(self.asked and not instances, f"{len(instances)} instances")
        so = len(serving) == len(instances) == size
        return Look(self.asked and so, f"{len(serving)} of {size} instances")


@dataclass
class Database:
    """Start or stop an RDS instance, or an Aurora cluster with its instances."""

    rds: Any
    cluster: bool
    identifier: str
    wanted: str
    """RDS's word: `available` or `stopped`."""
    part: Part = field(default="database", init=False)
    subject: str = field(default="postgres", init=False)
    minutes: int = 60
    """It starts within nine, and a backup that is being taken ends first."""

    @property
    def why(self) -> str:
        """Has RDS's own reasons."""
        kind = "db-cluster" if self.cluster else "db-instance"
        return f"aws rds describe-events --source-type {kind} --source-identifier {self.identifier}"

    def advance(self) -> Look:
        """Ask once it is in the state from which RDS takes it, and look."""
        status = self.status()
        if status.startswith(BROKEN):
            raise UserError(f"postgres: RDS calls {self.identifier} {status}. {self.why} says why.")
        if status == self.wanted:
            return Look(self.wanted == "stopped" or self._serves(), status)
        if status == ("stopped" if self.wanted == "available" else "available"):
            _asked(self._ask)
        return Look(False, status)

    def _ask(self) -> None:
        starts = self.wanted == "available"
        if self.cluster:
            ask = self.rds.start_db_cluster if starts else self.rds.stop_db_cluster
            ask(DBClusterIdentifier=self.identifier)
        else:
            ask = self.rds.start_db_instance if starts else self.rds.stop_db_instance
            ask(DBInstanceIdentifier=self.identifier)

    def status(self) -> str:
        """RDS's word for how it is now."""
        if self.cluster:
            answer = self.rds.describe_db_clusters(DBClusterIdentifier=self.identifier)
            return answer["DBClusters"][0]["Status"]
        answer = self.rds.describe_db_instances(DBInstanceIdentifier=self.identifier)
        return answer["DBInstances"][0]["DBInstanceStatus"]

    def _serves(self) -> bool:
        """Whether a cluster's instances are there too, which may come after it."""
        if not self.cluster:
            return True
        of_cluster = [{"Name": "db-cluster-id", "Values": [self.identifier]}]
        found = self.rds.describe_db_instances(Filters=of_cluster)["DBInstances"]
        return all(each["DBInstanceStatus"] == "available" for each in found)


def act(schedule: Schedule, stack: str, aws: Callable[[str], Any]) -> Act:
    """What a schedule does."""
    does = schedule.does
    if schedule.part == "database":
        (identifier,) = json.loads(does["target"]["input"]).values()
        cluster = does["target"]["arn"].endswith("DBCluster")
        wanted = "stopped" if schedule.end == "sleep" else "available"
        return Database(aws("rds"), cluster, identifier, wanted)
    if schedule.part in ("hosts", "nat"):
        return Group(schedule.part, does, aws("autoscaling"))
    return Tasks(schedule.part, does, stack, aws("ecs"), aws("application-autoscaling"))


def _asked(ask: Callable[[], object]) -> bool:
    """Ask. False if AWS says: later."""
    try:
        ask()
    except ClientError as error:
        if error_code(error) not in BUSY:
            raise
        return False
    return True
