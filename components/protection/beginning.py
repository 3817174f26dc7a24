"""Looks up the snapshots that stores are to begin with, and refuses those that they cannot.

A snapshot counts when a store is made, and may be gone afterwards. So what speaks against it is
said by a hook, which the engine calls in the preview and only if a store is to be made.
"""

import re
from collections.abc import Callable
from typing import Final, TypeVar

import pulumi
import pulumi_aws as aws

from langfuse_aws.components.protection.snapshots import DatabaseSnapshot, too_large

Found = TypeVar("Found")

_PREAMBLE: Final = re.compile(r".*aws:\w+/\w+:\w+( returned an error)?: ")
"""What the SDK says before a data source's own words."""


def database_snapshot(
    identifier: str, engine: str, parent: pulumi.Resource | None
) -> tuple[DatabaseSnapshot | None, str | None]:
    """Look up a snapshot that a database of an engine is to begin with.

    Returns the snapshot, if there is one, and what speaks against it. Its owner and its database
    are not told.
    """
    invoke_opts = pulumi.InvokeOptions(parent=parent)
    setting = f"langfuse:postgres.snapshotIdentifier: {identifier}"

    aurora = engine == "aurora-postgresql"

    def look_up() -> DatabaseSnapshot:
        if aurora:
            found = aws.rds.get_cluster_snapshot(
                db_cluster_snapshot_identifier=identifier, include_shared=True, opts=invoke_opts
            )
            encrypted = found.storage_encrypted
        else:
            found = aws.rds.get_snapshot(
                db_snapshot_identifier=identifier, include_shared=True, opts=invoke_opts
            )
            encrypted = found.encrypted
        return DatabaseSnapshot(
            identifier,
            found.engine,
            found.engine_version,
            found.status,
            encrypted,
            found.allocated_storage,
        )

    snapshot, missing = _found(look_up)
    if snapshot is None:
        kind = "db-cluster" if aurora else "db"
        return None, f"{setting}: {missing}. See aws rds describe-{kind}-snapshots."
    obstacle = snapshot.obstacle(engine)
    return snapshot, obstacle and f"{setting}: {obstacle}"


def volume_obstacle(snapshot_id: str, volume_gib: int, parent: pulumi.Resource) -> str | None:
    """Say why no volume of a size can begin with an EBS snapshot; None if one can."""
    invoke_opts = pulumi.InvokeOptions(parent=parent)
    setting = f"langfuse:clickhouse.snapshotId: {snapshot_id}"
    snapshot, missing = _found(
        lambda: aws.ebs.get_snapshot(snapshot_ids=[snapshot_id], opts=invoke_opts)
    )
    if snapshot is None:
        return f"{setting}: {missing}. See aws ec2 describe-snapshots --owner-ids self."
    if snapshot.state != "completed":
        return f"{setting}: is {snapshot.state}, not completed. Wait for it, or take another one."
    if snapshot.volume_size > volume_gib:
        return f"{setting}: {too_large(snapshot.volume_size, volume_gib)}"
    return None


def only_without(name: str, obstacle: str | None) -> pulumi.ResourceHookBinding | None:
    """Give the hooks of a resource that must not be made while there is an obstacle."""
    if obstacle is None:
        return None

    def refuse(_: pulumi.ResourceHookArgs) -> None:
        raise pulumi.RunError(obstacle)

    hook = pulumi.ResourceHook(
        f"{name}-beginning", refuse, pulumi.ResourceHookOptions(on_dry_run=True)
    )
    return pulumi.ResourceHookBinding(before_create=[hook])


def _found(look_up: Callable[[], Found]) -> tuple[Found | None, str]:
    """Give what is there, or why nothing is."""
    try:
        return look_up(), ""
    except Exception as error:  # the SDK has no narrower one
        return None, _PREAMBLE.sub("", " ".join(str(error).split())).rstrip(".")
