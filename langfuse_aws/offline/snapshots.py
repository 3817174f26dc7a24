"""What a store that begins with a snapshot is like, and the snapshot that a deleted one leaves.

Only snapshots that the account knows count: those that it began with, and final ones.
"""

from collections.abc import Mapping
from typing import Any, Final

from langfuse_aws.offline.account import (
    CACHE_SNAPSHOT,
    CLUSTER_SNAPSHOT,
    DB_SNAPSHOT,
    VOLUME_SNAPSHOT,
    Account,
    Existing,
)
from langfuse_aws.offline.invokes import FindSnapshot, usual_snapshot

Properties = Mapping[str, Any]

OF_TYPE: Final[Mapping[str, tuple[str, str]]] = {
    "aws:ebs/volume:Volume": (VOLUME_SNAPSHOT, "snapshotId"),
    "aws:elasticache/replicationGroup:ReplicationGroup": (CACHE_SNAPSHOT, "snapshotName"),
    "aws:rds/cluster:Cluster": (CLUSTER_SNAPSHOT, "snapshotIdentifier"),
    "aws:rds/instance:Instance": (DB_SNAPSHOT, "snapshotIdentifier"),
}
"""The type of a store's snapshots, and the input that names the one to begin with."""

_DECIDED = {
    "aws:rds/cluster:Cluster": ("databaseName", "masterUsername", "storageEncrypted"),
    "aws:rds/instance:Instance": ("allocatedStorage", "dbName", "storageEncrypted", "username"),
}


def beginning(account: Account, token: str, inputs: Properties) -> Existing | None:
    """The snapshot that a store begins with, if the account knows it."""
    if token not in OF_TYPE:
        return None
    kind, key = OF_TYPE[token]
    wanted = str(inputs.get(key) or "").rsplit(":", 1)[-1]
    return account.find(kind, wanted) if wanted else None


def decided(account: Account, token: str, inputs: Properties) -> dict[str, Any]:
    """What the snapshot decides, whatever else was asked for."""
    snapshot = beginning(account, token, inputs)
    if snapshot is None:
        return {}
    return {
        name: snapshot.get(name)
        for name in _DECIDED.get(token, ())
        if snapshot.get(name) is not None
    }


def finder(account: Account) -> FindSnapshot:
    """What the data sources of snapshots know: those that the account knows, and usual ones."""

    def find(token: str, snapshot_id: str) -> Properties | None:
        found = account.find(token, snapshot_id)
        return usual_snapshot(token, snapshot_id) if found is None else found.properties

    return find


def keep_final(account: Account, deleted: Existing) -> None:
    """Keep the final snapshot that a deletion was to leave."""
    name = deleted.get("finalSnapshotIdentifier")
    if deleted.type in OF_TYPE and name and not deleted.get("skipFinalSnapshot"):
        account.add(OF_TYPE[deleted.type][0], str(name), deleted.properties)
