"""Restores ClickHouse from an EBS snapshot of its data volume."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, Final

from botocore import waiter as waiters
from botocore.exceptions import WaiterError

from langfuse_aws.automation.engine.deployed import ALLOW_REPLACE, Deployed
from langfuse_aws.automation.errors import UserError
from langfuse_aws.automation.hours.asleep import need_awake
from langfuse_aws.automation.plan import Plan, Step
from langfuse_aws.automation.restore import snapshots
from langfuse_aws.automation.restore.points import LATEST, RestorePoint, newest, of_volume
from langfuse_aws.automation.restore.replay import after_a_restore
from langfuse_aws.automation.restore.worker import Worker
from langfuse_aws.graph.model import Resource
from langfuse_aws.graph.resource_types import AUTO_SCALING_GROUP, EBS_VOLUME, ECS_SERVICE
from langfuse_aws.settings.external_stores import ExternalClickHouse
from langfuse_aws.settings.stores import ClickHouseOnEc2

SERVICE_ATTEMPTS: Final = 120
"""At 15 s each. ClickHouse reads its tables' parts before it is healthy."""

REFRESH_FAILED: Final = ("Failed", "Cancelled", "RollbackFailed", "RollbackSuccessful")
NOT_STARTED: Final = datetime.max.replace(tzinfo=timezone.utc)
"""A refresh that has no start time yet is the newest."""
REFRESH_WAITER: Final = {
    "operation": "DescribeInstanceRefreshes",
    "delay": 15,
    "maxAttempts": 240,
    "acceptors": [
        {
            "state": "success" if status == "Successful" else "failure",
            "matcher": "path",
            "argument": "InstanceRefreshes[0].Status",
            "expected": status,
        }
        for status in ("Successful", *REFRESH_FAILED)
    ],
}
"""boto3 has none for instance refreshes."""


@dataclass(frozen=True)
class VolumeRestore:
    """What to do, and with what."""

    deployed: Deployed
    snapshot_id: str
    name: str
    """Of the volume, its group and its service alike."""
    group: Resource
    service: Resource
    migration: Resource

    def configure(self) -> None:
        """Let the next `pulumi up` replace the volume."""
        self.deployed.configure("clickhouse.snapshotId", self.snapshot_id)
        self.deployed.allow_replacement(self.name)

    def replace(self) -> None:
        """Make the volume; ClickHouse is away for minutes, so nothing is migrated yet."""
        self.deployed.up(but=[self.migration])

    def wait(self) -> None:
        """Wait until ClickHouse runs on the volume."""
        self._wait_for_refresh()
        volume = self.deployed.now().resource(EBS_VOLUME, self.name)
        self.deployed.aws("ec2").get_waiter("volume_in_use").wait(VolumeIds=[volume.id])
        self.deployed.aws("ecs").get_waiter("services_stable").wait(
            cluster=self.service.outputs["cluster"],
            services=[self.service.outputs["name"]],
            WaiterConfig={"MaxAttempts": SERVICE_ATTEMPTS},
        )

    def forbid(self) -> None:
        """Guard the volume again."""
        self.deployed.forbid_replacement(self.name)

    def finish(self) -> None:
        """Migrate what was restored, and let the old volume go."""
        self.deployed.up()

    def _wait_for_refresh(self) -> None:
        client = self.deployed.aws("autoscaling")
        group = self.group.outputs["name"]
        waiter = _refresh_waiter(client)
        refresh_id = self._refresh(client, group)
        try:
            waiter.wait(AutoScalingGroupName=group, InstanceRefreshIds=[refresh_id])
        except WaiterError as error:
            answer: Any = error.last_response
            for found in answer.get("InstanceRefreshes", []):
                raise UserError(
                    f"instance refresh {refresh_id} of {group} is {found['Status']}, not "
                    f"Successful: {found.get('StatusReason', 'AWS gives no reason')}"
                ) from error
            raise

    def _refresh(self, client: Any, group: str) -> str:
        """Find the refresh that `pulumi up` began; begin another one if it failed before."""
        known = client.describe_instance_refreshes(AutoScalingGroupName=group)["InstanceRefreshes"]
        newest = max(known, key=lambda each: each.get("StartTime", NOT_STARTED), default=None)
        if newest is not None and newest["Status"] not in REFRESH_FAILED:
            return newest["InstanceRefreshId"]
        preferences = self.group.inputs["instanceRefresh"]["preferences"]
        begun = client.start_instance_refresh(
            AutoScalingGroupName=group,
            Strategy="Rolling",
            Preferences={
                "MinHealthyPercentage": int(preferences["minHealthyPercentage"]),
                "InstanceWarmup": int(preferences["instanceWarmup"]),
            },
        )
        return begun["InstanceRefreshId"]


def points(deployed: Deployed) -> Sequence[RestorePoint]:
    """List the snapshots of the data volume, or refuse to."""
    _single_server(deployed)
    name = f"{deployed.prefix}-clickhouse"
    return of_volume(deployed, [deployed.resource(EBS_VOLUME, name).id], name)


def _single_server(deployed: Deployed) -> ClickHouseOnEc2:
    """The settings of a ClickHouse that a snapshot can be restored to. UserError."""
    settings = deployed.settings.clickhouse
    if isinstance(settings, ExternalClickHouse):
        raise UserError(
            f"stack {deployed.name}: langfuse:clickhouse.mode is external, so it has no volume "
            "here. Restore it where it runs."
        )
    if settings.clustered:
        raise UserError(
            f"stack {deployed.name}: langfuse:clickhouse.replicas is {settings.replicas}, and a "
            "snapshot holds one server's place in their agreement; copies of it would disagree "
            "with each other. If one volume is lost, give that server an empty one and its tables "
            "(docs/operations.md, One of three ClickHouse servers); otherwise restore "
            "clickhouse-backup."
        )
    return settings


def plan(deployed: Deployed, snapshot: str) -> Plan:
    """Work out the restore, or refuse it."""
    need_awake(deployed)
    settings = _single_server(deployed)
    snapshot_id = snapshot
    if snapshot == LATEST:
        snapshot_id = newest(points(deployed), deployed.name, "ClickHouse volume")
    name = f"{deployed.prefix}-clickhouse"
    volume = deployed.resource(EBS_VOLUME, name)
    found = snapshots.volume_snapshot(deployed, snapshot_id, settings.volume_gib)
    worker = Worker.of(deployed)
    restore = VolumeRestore(
        deployed=deployed,
        snapshot_id=snapshot_id,
        name=name,
        group=deployed.resource(AUTO_SCALING_GROUP, name),
        service=deployed.resource(ECS_SERVICE, name),
        migration=deployed.resource(
            "aws:lambda/invocation:Invocation", f"{deployed.prefix}-migration"
        ),
    )
    fresh = volume.inputs.get("snapshotId") != snapshot_id
    old = deployed.outgoing(EBS_VOLUME, name, replaced=not fresh)
    time = f"{found['StartTime']:%Y-%m-%d %H:%M} UTC"
    stopped = f"The worker {worker.service} is stopped; its jobs wait in the queue."
    allowed = (
        f"{stopped} {ALLOW_REPLACE} may name {name}: until it does not, pulumi up may replace the "
        "volume."
    )
    kept = f"{allowed} The volume from before is still there."
    return Plan(
        found=[
            f"Stack {deployed.name} in {deployed.region}.",
            f"Snapshot {snapshot_id} of {time}: {found['VolumeSize']} GiB.",
            f"Data volume {volume.id}: {settings.volume_gib} GiB"
            + (
                "."
                if fresh
                else ", made from this snapshot already: no other one is made. For a fresh one, "
                "restore a copy of the snapshot (aws ec2 copy-snapshot)."
            ),
            f"Worker {worker.service}: {worker.tasks} tasks.",
        ],
        lost=[
            f"What ClickHouse took in after {time}: traces, observations, scores. Events of that "
            "time are in S3 below events/: at the end, "
            f"{after_a_restore(deployed.name, found['StartTime'])}.",
            *(_kept_or_deleted(each) for each in old),
            "10 minutes or more without traces in the user interface. Events are taken in, and "
            "their jobs wait.",
        ],
        steps=[
            Step(
                f"Stop the worker {worker.service}, so that its jobs wait in the queue.",
                worker.stop,
                "The worker may be stopped, or its autoscaling suspended. Nothing else was "
                "changed.",
            ),
            *(
                [
                    Step(
                        f"Set langfuse:clickhouse.snapshotId, and {ALLOW_REPLACE} for {name}.",
                        restore.configure,
                        allowed,
                    )
                ]
                if fresh
                else []
            ),
            Step(
                "pulumi up, but for the migration and what follows it: the volume, and the "
                "instance. Every other change that waits is deployed with it.",
                restore.replace,
                kept,
            ),
            Step("Wait until ClickHouse runs on the volume.", restore.wait, kept),
            Step(f"Take {name} out of {ALLOW_REPLACE} again.", restore.forbid, kept),
            Step(
                "pulumi up: migrate the databases, protect the volume, and let the one from "
                "before go. langfuse:clickhouse.snapshotId stays, and counts no more.",
                restore.finish,
                f"{stopped} ClickHouse runs on the volume from the snapshot.",
            ),
            Step(
                f"Start the worker {worker.service} with {worker.tasks} tasks.",
                worker.start,
                "ClickHouse is restored. The worker may be stopped, or its autoscaling suspended.",
            ),
        ],
    )


def _refresh_waiter(client: Any) -> Any:
    model = waiters.WaiterModel({"version": 2, "waiters": {"InstanceRefreshed": REFRESH_WAITER}})
    return waiters.create_waiter_with_client("InstanceRefreshed", model, client)  # pyright: ignore


def _kept_or_deleted(volume: Resource) -> str:
    if volume.retain_on_delete:
        return (
            f"Not {volume.id}: the stack forgets it, but it stays in AWS and is billed until you "
            "delete it."
        )
    return (
        f"{volume.id} with all of its data: the last pulumi up deletes it. Take a snapshot of it "
        "now, if you may want it back."
    )
