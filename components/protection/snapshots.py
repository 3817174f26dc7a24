"""Snapshots that stores are made from, and those that they leave behind.

A snapshot that a store is made from counts then only, and may be gone afterwards. So what speaks
against it is said by a hook, which the engine calls in the preview and only if a store is to be
made. A volume has at least the size of its snapshot. A restore of a database keeps the snapshot's
engine version, storage, encryption, owner and database, whatever else it is asked for. So the first
two are taken from it, and a snapshot whose others are not the program's is refused.
"""

import re
import secrets
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

import pulumi
import pulumi_aws as aws
import pulumi_random as random

from langfuse_aws.components.shared.names import DATABASE_SNAPSHOT_LIMIT
from langfuse_aws.settings.versions import POSTGRES_MAJOR

USER: Final = "langfuse"
"""The owner of the database, RDS's master user."""
ROTATION_USER: Final = f"{USER}_rotation"
"""Whom web and worker connect as while the owner gets another password."""
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

PAUSES_FROM_MINOR: Final = 3
"""The minor version of POSTGRES_MAJOR from which Aurora pauses, with 0 ACU.
https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/aurora-serverless-v2-auto-pause.html"""

_FINAL: Final = "-final-"
_RANDOM_BYTES: Final = 4
"""Of the name of a final snapshot: 8 hexadecimal digits."""


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

    def obstacle(self, engine: str, *, pauses: bool = False) -> str | None:
        """Say why no database of the engine can begin with it, and the remedy; None if one can.

        `pauses` says whether its least capacity is 0.
        """
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
        if pauses and int(self.engine_version.split(".")[1]) < PAUSES_FROM_MINOR:
            return (
                f"is of PostgreSQL {self.engine_version}, which cannot pause, and "
                "langfuse:postgres.minAcu is 0. pulumi config set --path langfuse:postgres.minAcu "
                f"0.5, until AWS has upgraded it to {major}.{PAUSES_FROM_MINOR} or later."
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


def snapshot_type(identifier: str, engine: str) -> str | None:
    """Give the type that RDS must be asked for to tell of a snapshot; None: of any.

    By its name or its ARN: RDS's own daily ones, and an instance's that AWS Backup has made.
    https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DescribeDBSnapshots.html
    """
    name = identifier.split(":", 6)[-1] if identifier.startswith("arn:") else identifier
    if name.startswith("rds:"):
        return "automated"
    return "awsbackup" if name.startswith("awsbackup:") and engine == "postgres" else None


Found = TypeVar("Found")

_PREAMBLE: Final = re.compile(r".*aws:\w+/\w+:\w+( returned an error)?: ")
"""What the SDK says before a data source's own words."""


def database_snapshot(
    identifier: str, engine: str, parent: pulumi.Resource | None, *, pauses: bool = False
) -> tuple[DatabaseSnapshot | None, str | None]:
    """Look up a snapshot that a database of an engine is to begin with.

    Returns the snapshot, if there is one, and what speaks against it. Its owner and its database
    are not told. `pauses` says whether the database's least capacity is 0.
    """
    invoke_opts = pulumi.InvokeOptions(parent=parent)
    setting = f"langfuse:postgres.snapshotIdentifier: {identifier}"

    aurora = engine == "aurora-postgresql"
    kind = snapshot_type(identifier, engine)

    def look_up() -> DatabaseSnapshot:
        if aurora:
            found = aws.rds.get_cluster_snapshot(
                db_cluster_snapshot_identifier=identifier,
                snapshot_type=kind,
                include_shared=True,
                opts=invoke_opts,
            )
            encrypted = found.storage_encrypted
        else:
            found = aws.rds.get_snapshot(
                db_snapshot_identifier=identifier,
                snapshot_type=kind,
                include_shared=True,
                opts=invoke_opts,
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
        word = "db-cluster" if aurora else "db"
        return None, f"{setting}: {missing}. See aws rds describe-{word}-snapshots."
    obstacle = snapshot.obstacle(engine, pauses=pauses)
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


def final_snapshot_name(
    name: str,
    *,
    replaceable: bool,
    opts: pulumi.ResourceOptions,
    longest: int = DATABASE_SNAPSHOT_LIMIT,
) -> pulumi.Output[str]:
    """`<name>-final-<8 hex digits>`; the random part lets a stack be made and destroyed twice.

    Of a name that is too long for `longest` characters, as much as fits.

    AWS deletes no store whose final snapshot would have the name of one that is there. So the name
    changes with every update that may replace the store: it is deleted under the old one, and its
    successor has another. ClickHouse leaves its volumes themselves (`clickhouse/volume.py`).
    """
    suffix = random.RandomId(
        f"{name}-final-snapshot",
        byte_length=_RANDOM_BYTES,
        keepers={"update": secrets.token_hex(4)} if replaceable else None,
        opts=opts,
    )
    begins = name[: longest - len(_FINAL) - 2 * _RANDOM_BYTES].rstrip("-")
    return pulumi.Output.concat(begins, _FINAL, suffix.hex)
