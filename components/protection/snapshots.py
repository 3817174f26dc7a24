"""What a store can begin with: a snapshot, looked at before a store is made of it.

Pure. A volume has at least the size of its snapshot. A restore of a database keeps the snapshot's
engine version, storage, encryption, owner and database, whatever else it is asked for. So the first
two are taken from it, and a snapshot whose others are not the program's is refused.
"""

import shlex
from dataclasses import dataclass
from typing import Final

from langfuse_aws.settings.releases import POSTGRES_MAJOR

USER: Final = "langfuse"
"""The owner of the database, RDS's master user."""
DATABASE: Final = "langfuse"

INSTANCE_STORAGE_GIB: Final = 20
"""The least that RDS sells as gp3; it grows by itself up to INSTANCE_STORAGE_LIMIT_GIB."""
INSTANCE_STORAGE_LIMIT_GIB: Final = 200

STORAGE_HEADROOM: Final = 0.1
"""By how much of its storage an instance must be able to grow, or RDS does not let it grow at all.
https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_PIOPS.Autoscaling.html"""

MODES: Final = {"aurora-postgresql": "auroraServerless", "postgres": "instance"}
"""`langfuse:postgres.mode` by the engine that it makes."""

DEFAULT_KEY: Final = "alias/aws/rds"


@dataclass(frozen=True)
class DatabaseSnapshot:
    """A snapshot of a cluster or of an instance, as RDS describes it."""

    identifier: str
    """Its name or its ARN."""
    engine: str
    engine_version: str
    """Such as 16.9."""
    status: str
    encrypted: bool
    storage_gib: int
    """What the instance had; of a cluster it says nothing."""
    user: str | None = None
    """The master user, if it is known."""
    database: str | None = None
    """The database that was made first, if it is known."""

    def obstacle(self, engine: str) -> str | None:
        """Say why no database of the engine can begin with it, and the remedy; None if one can."""
        if self.engine != engine:
            return (
                f"is of {self.engine}, and langfuse:postgres.mode {MODES[engine]} begins with one "
                f"of {engine}. Choose another one, or set the mode that it is of."
            )
        if self.status != "available":
            return f"is {self.status}, not available. Wait for it, or choose another one."
        major = self.engine_version.split(".")[0]
        if major != POSTGRES_MAJOR:
            return (
                f"is of PostgreSQL {major}, and the stack runs {POSTGRES_MAJOR}. Restore it beside "
                "the stack, upgrade it there, and take a snapshot of that."
            )
        if not self.encrypted:
            return (
                "is not encrypted, and the stack's databases are. "
                f"{self._encrypting()}; then use that snapshot."
            )
        if self.user not in (None, USER):
            return (
                f"has the master user {self.user}, and the stack's is {USER}, which a restore does "
                f"not change. {_DUMP}"
            )
        if self.database not in (None, DATABASE):
            return (
                f"has the database {self.database}, and the stack's is {DATABASE}, which a restore "
                f"does not change. {_DUMP}"
            )
        if engine == "postgres" and self.storage_gib * (1 + STORAGE_HEADROOM) > (
            INSTANCE_STORAGE_LIMIT_GIB
        ):
            most = int(INSTANCE_STORAGE_LIMIT_GIB / (1 + STORAGE_HEADROOM))
            return (
                f"has {self.storage_gib} GiB, and an instance of langfuse:postgres.mode instance "
                f"can begin with {most} GiB at the most. Restore it beside the stack, and give the "
                "stack that database (langfuse:postgres.mode external)."
            )
        return None

    def _encrypting(self) -> str:
        """Give the command that makes an encrypted one of it.

        A copy of a cluster's snapshot cannot be encrypted; a cluster that is made of it can.
        https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CopyDBClusterSnapshot.html
        """
        name = shlex.quote(self.identifier)
        if self.engine == "postgres":
            return (
                f"Copy it with a key: aws rds copy-db-snapshot --source-db-snapshot-identifier "
                f"{name} --target-db-snapshot-identifier encrypted --kms-key-id {DEFAULT_KEY}"
            )
        return (
            "Make an encrypted cluster of it: aws rds restore-db-cluster-from-snapshot "
            f"--snapshot-identifier {name} --db-cluster-identifier encrypted --engine {self.engine}"
            f" --engine-version {self.engine_version} --kms-key-id {DEFAULT_KEY} "
            "--db-subnet-group-name GROUP, and snapshot that: aws rds create-db-cluster-snapshot "
            "--db-cluster-identifier encrypted --db-cluster-snapshot-identifier encrypted"
        )


_DUMP: Final = (
    "Restore it beside the stack, and move the data with pg_dump and pg_restore, or give the stack "
    "that database (langfuse:postgres.mode external)."
)


def too_large(snapshot_gib: int, volume_gib: int) -> str:
    """Say that an EBS snapshot has more than the volume, and the remedy."""
    return (
        f"has {snapshot_gib} GiB, more than the volume's {volume_gib} GiB. pulumi config set "
        f"--path langfuse:clickhouse.volumeGib {snapshot_gib}, then this command again."
    )
