"""ClickHouse's data volumes: EBS volumes of their own, which outlive every instance.

What happens to one on destroy is `langfuse:deletionProtection`'s to say. With it, Pulumi refuses to
delete or replace the volume (`protect`), and one that leaves the stack all the same stays in AWS
with its data (`retain_on_delete`), and is billed there. Without it, a destroy deletes the volume
and its data. Its snapshots are in AWS Backup (`protection/backups.py`).
"""

from collections.abc import Sequence
from typing import Final

import pulumi
import pulumi_aws as aws

from langfuse_aws.components.protection.snapshots import only_without, volume_obstacle
from langfuse_aws.settings.stores import ClickHouseOnEc2

DEVICE: Final = "/dev/sdf"
MOUNT_POINT: Final = "/var/lib/langfuse-clickhouse"
DATA_FOLDER: Final = f"{MOUNT_POINT}/data"


def data_volumes(
    labels: Sequence[str],
    zones: Sequence[str],
    settings: ClickHouseOnEc2,
    *,
    protected: bool,
    parent: pulumi.Resource,
) -> list[aws.ebs.Volume]:
    """Make a volume in each zone, by the labels: empty, or from `clickhouse.snapshotId`."""
    snapshot_id, obstacle = settings.snapshot_id, None
    if snapshot_id is not None:
        obstacle = volume_obstacle(snapshot_id, settings.volume_gib, parent)
    return [
        aws.ebs.Volume(
            label,
            availability_zone=zone,
            size=settings.volume_gib,
            type="gp3",
            encrypted=True,
            snapshot_id=snapshot_id,
            tags={"Name": label},
            opts=pulumi.ResourceOptions(
                parent=parent,
                protect=protected,
                retain_on_delete=protected,
                hooks=only_without(label, obstacle),
            ),
        )
        for label, zone in zip(labels, zones, strict=True)
    ]
