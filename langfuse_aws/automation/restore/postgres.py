"""Restores PostgreSQL from a snapshot of a cluster or an instance."""

from collections.abc import Sequence
from dataclasses import dataclass

from langfuse_aws.automation.engine.deployed import ALLOW_REPLACE, Deployed
from langfuse_aws.automation.errors import UserError
from langfuse_aws.automation.hours.asleep import need_awake
from langfuse_aws.automation.plan import Plan, Step
from langfuse_aws.automation.restore import snapshots
from langfuse_aws.automation.restore.points import LATEST, RestorePoint, newest, of_database
from langfuse_aws.graph.model import Resource
from langfuse_aws.graph.resource_types import DB_CLUSTER, DB_INSTANCE
from langfuse_aws.settings.external_stores import ExternalPostgres
from langfuse_aws.settings.installation import COMMAND
from langfuse_aws.settings.stores import AuroraPostgres


@dataclass(frozen=True)
class PostgresRestore:
    """What to do, and with what."""

    deployed: Deployed
    snapshot: str
    name: str
    guarded: Sequence[Resource]
    """Databases that go, and that AWS would not delete."""

    def configure(self) -> None:
        """Let the next `pulumi up` replace the database."""
        self.deployed.configure("postgres.snapshotIdentifier", self.snapshot)
        self.deployed.allow_replacement(self.name)

    def unlock(self) -> None:
        """Let AWS delete the old database."""
        rds = self.deployed.aws("rds")
        for database in self.guarded:
            if database.type == DB_CLUSTER:
                rds.modify_db_cluster(
                    DBClusterIdentifier=identifier(database),
                    DeletionProtection=False,
                    ApplyImmediately=True,
                )
            else:
                rds.modify_db_instance(
                    DBInstanceIdentifier=identifier(database),
                    DeletionProtection=False,
                    ApplyImmediately=True,
                )

    def replace(self) -> None:
        """Make the new database, migrate it, move web and worker, delete the old one."""
        self.deployed.up()

    def forbid(self) -> None:
        """Guard the database again."""
        self.deployed.forbid_replacement(self.name)


def identifier(database: Resource) -> str:
    """Name it as the RDS API does."""
    key = "clusterIdentifier" if database.type == DB_CLUSTER else "identifier"
    return database.outputs[key]


def points(deployed: Deployed) -> Sequence[RestorePoint]:
    """List the snapshots of the database, or refuse to."""
    return of_database(deployed, f"{deployed.prefix}-postgres", aurora=_is_aurora(deployed))


def _is_aurora(deployed: Deployed) -> bool:
    """Whether the database is a cluster. UserError if it is external."""
    settings = deployed.settings.postgres
    if isinstance(settings, ExternalPostgres):
        raise UserError(
            f"stack {deployed.name}: langfuse:postgres.mode is external. Restore it where it runs."
        )
    return isinstance(settings, AuroraPostgres)


def plan(deployed: Deployed, wanted: str) -> Plan:
    """Work out the restore, or refuse it."""
    need_awake(deployed)
    aurora = _is_aurora(deployed)
    if deployed.settings.rotation.database.step is not None:
        raise UserError(
            f"stack {deployed.name}: a rotation of its password is under way, and another database "
            f"has no user of it. End it first: {COMMAND} rotate database --stack {deployed.name}."
        )
    snapshot_identifier = wanted
    if wanted == LATEST:
        snapshot_identifier = newest(points(deployed), deployed.name, "PostgreSQL database")
    kind, name = DB_CLUSTER if aurora else DB_INSTANCE, f"{deployed.prefix}-postgres"
    database = deployed.resource(kind, name)
    snapshot = snapshots.database_snapshot(deployed, snapshot_identifier, aurora=aurora)
    fresh = database.inputs.get("snapshotIdentifier") != snapshot_identifier
    going = deployed.outgoing(kind, name, replaced=not fresh)
    guarded = [each for each in going if each.outputs.get("deletionProtection")]
    restore = PostgresRestore(deployed, snapshot_identifier, name, guarded)
    taken = snapshot.get("OriginalSnapshotCreateTime") or snapshot["SnapshotCreateTime"]
    time = f"{taken:%Y-%m-%d %H:%M} UTC"
    unlocked = ", ".join(identifier(each) for each in guarded)
    allowed = (
        f"{ALLOW_REPLACE} may name {name}: until it does not, pulumi up may replace the database."
    )
    if guarded:
        halfway = f"{allowed} AWS's deletion protection of {unlocked} may be off."
    else:
        halfway = allowed
    configure = Step(
        f"Set langfuse:postgres.snapshotIdentifier, and {ALLOW_REPLACE} for {name}.",
        restore.configure,
        allowed,
    )
    unlock = Step(
        f"Turn AWS's deletion protection of {unlocked} off: pulumi up deletes it.",
        restore.unlock,
        halfway,
    )
    protect = Step(
        "pulumi up: protect the database. langfuse:postgres.snapshotIdentifier stays, and counts "
        "no more.",
        deployed.up,
        f"PostgreSQL is restored. Pulumi may not protect {name} yet.",
    )
    return Plan(
        found=[
            f"Stack {deployed.name} in {deployed.region}.",
            f"Snapshot {snapshot_identifier} of {time}, {snapshot['Engine']} "
            f"{snapshot['EngineVersion']}.",
            f"Database {identifier(database)}"
            + (
                "."
                if fresh
                else ", made from this snapshot already: no other one is made. For a fresh one, "
                "restore a copy of the snapshot."
            ),
        ],
        lost=[
            f"What PostgreSQL took in after {time}: users, projects, API keys, prompts. Traces of "
            "projects made later stay in ClickHouse, without their project.",
            "What web and worker write to the old database until they have moved.",
            *(_kept_or_deleted(each) for each in going),
        ],
        steps=[
            *([configure] if fresh else []),
            *([unlock] if guarded else []),
            Step(
                "pulumi up: make the database, migrate it, move web and worker, delete the old "
                "one. Every other change that waits is deployed with it.",
                restore.replace,
                f"{halfway} Web and worker may still use the old database.",
            ),
            Step(
                f"Take {name} out of {ALLOW_REPLACE} again.",
                restore.forbid,
                f"PostgreSQL is restored. {allowed}",
            ),
            *([protect] if deployed.settings.deletion_protection else []),
        ],
    )


def _kept_or_deleted(database: Resource) -> str:
    name = identifier(database)
    if database.outputs.get("skipFinalSnapshot"):
        return (
            f"{name} with all of its data: pulumi up deletes it, without a snapshot. Take one now, "
            "if you may want it back."
        )
    return (
        f"{name}: pulumi up deletes it, and AWS keeps the snapshot "
        f"{database.outputs.get('finalSnapshotIdentifier')}, billed until you delete it."
    )
