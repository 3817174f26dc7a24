"""Restores one of ClickHouse's own backups, by the task that makes them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, Final

from langfuse_aws.automation.aws.one_off_task import OneOffTask
from langfuse_aws.automation.engine.deployed import Deployed
from langfuse_aws.automation.errors import CommandLineError, UserError
from langfuse_aws.automation.hours.asleep import need_awake
from langfuse_aws.automation.plan import Plan, Step
from langfuse_aws.automation.restore.points import LATEST, RestorePoint
from langfuse_aws.automation.restore.replay import after_a_restore
from langfuse_aws.components.clickhouse.backup import CONTAINER, FOLDER
from langfuse_aws.graph.resource_types import S3_BUCKET, TASK_DEFINITION
from langfuse_aws.settings.external_stores import ExternalClickHouse

BACKUP: Final = re.compile(r"(?P<kind>full|incremental)-\d{8}T\d{6}Z")
DATABASE: Final = re.compile(r"[a-z_][a-z0-9_]*")
OWN_DATABASES: Final = ("default", "information_schema", "system")

AFTERWARDS: Final = (
    "What came in after the backup: its events are in S3 below events/. At the end, {}. A backup "
    "of an older release is migrated before: docs/operations.md, ClickHouse from its own backup."
)

LONGEST_HOURS: Final = 12
"""How long the task itself waits for the server."""


@dataclass(frozen=True)
class Backup:
    """A complete backup."""

    week: str
    label: str
    completed: datetime

    @property
    def name(self) -> str:
        """What `--from` takes."""
        return f"{self.week}/{self.label}"

    @property
    def kind(self) -> str:
        """`full` or `incremental`."""
        return self.label.split("-")[0]

    @property
    def time(self) -> str:
        """When it was begun: sorts as text."""
        return self.label.split("-")[1]

    @property
    def begun(self) -> datetime:
        """When it was begun, in UTC."""
        return datetime.strptime(self.time, "%Y%m%dT%H%M%SZ").replace(tzinfo=timezone.utc)


def backups(deployed: Deployed) -> Sequence[Backup]:
    """List the complete backups, newest first; an incremental one needs its week's full one."""
    s3, bucket = deployed.aws("s3"), _bucket(deployed)
    complete: list[Backup] = []
    for week in _folders(s3, bucket, f"{FOLDER}/"):
        for folder in _folders(s3, bucket, week):
            label = folder.split("/")[-2]
            if not BACKUP.fullmatch(label):
                continue
            # ClickHouse writes it last.
            last = s3.list_objects_v2(Bucket=bucket, Prefix=f"{folder}.backup", MaxKeys=1)
            complete += [
                Backup(week.split("/")[-2], label, each["LastModified"])
                for each in last.get("Contents", [])
                if each["Key"] == f"{folder}.backup"
            ]
    full = {each.week for each in complete if each.kind == "full"}
    usable = [each for each in complete if each.week in full]
    return sorted(usable, key=lambda each: each.time, reverse=True)


def points(deployed: Deployed) -> Sequence[RestorePoint]:
    """The complete backups as the other stores' snapshots are listed, newest first."""
    return [
        RestorePoint(each.name, each.completed, each.kind, "complete", complete=True)
        for each in backups(deployed)
    ]


def plan(deployed: Deployed, source: str, database: str | None) -> Plan:
    """Work out the restore, or refuse it."""
    if database is not None and (not DATABASE.fullmatch(database) or database in OWN_DATABASES):
        raise CommandLineError(
            f"--as {database}: is not the name of a new database: a-z, 0-9 and _, not beginning "
            f"with a digit, and none of {', '.join(OWN_DATABASES)}. For example: --as restored."
        )
    need_awake(deployed)
    found = backups(deployed)
    definition = _definition(deployed)
    (container,) = [
        each for each in definition["containerDefinitions"] if each["name"] == CONTAINER
    ]
    (url,) = [each["value"] for each in container["environment"] if each["name"] == "BACKUP_URL"]
    wanted = source.removeprefix(url).strip("/")
    if source == LATEST and found:
        wanted = found[0].name
    backup = next((each for each in found if each.name == wanted), None)
    if backup is None:
        raise UserError(
            f"--from {source}: there is no such complete backup below {url}/. restore "
            f"clickhouse-backup --stack {deployed.name} --list shows those that are."
        )
    variables = {
        "RESTORE_FROM": f"{url}/{backup.name}/",
        **({"RESTORE_AS": database} if database else {}),
    }
    run = _task(deployed, definition, variables)
    into = database or "default"
    return Plan(
        found=[
            f"Stack {deployed.name} in {deployed.region}.",
            f"Backup {backup.name}, complete since {backup.completed:%Y-%m-%d %H:%M} UTC.",
            f"Task definition {definition['taskDefinitionArn']}.",
        ],
        lost=[] if database else [AFTERWARDS.format(after_a_restore(deployed.name, backup.begun))],
        steps=[
            Step(
                f"Start the task that restores it into the database {into}"
                + (
                    ", which is another one than Langfuse's."
                    if database
                    else ". It fails if one of the tables there has rows."
                ),
                run.start,
                "No task runs; nothing was changed.",
            ),
            Step(
                f"Wait for its end, up to {LONGEST_HOURS} h.",
                lambda: run.wait(LONGEST_HOURS),
                f"If it still runs, it goes on alone. If it has ended, {into} may hold a part of "
                "the backup; its log says more.",
            ),
        ],
        go_on="Read the log, correct the cause, and run the same command again. ClickHouse "
        "restores only into tables without rows: take away what was restored in part, or name "
        "another database with --as.",
    )


def task(deployed: Deployed) -> OneOffTask:
    """The task that makes a backup, as the schedule starts it each night."""
    return _task(deployed, _definition(deployed), {})


def _definition(deployed: Deployed) -> Mapping[str, Any]:
    name = f"{deployed.prefix}-clickhouse-backup"
    family = deployed.resource(TASK_DEFINITION, name).outputs["family"]
    # The family's newest revision that is active.
    answer = deployed.aws("ecs").describe_task_definition(taskDefinition=family)
    return answer["taskDefinition"]


def _task(
    deployed: Deployed, definition: Mapping[str, Any], variables: Mapping[str, str]
) -> OneOffTask:
    name = f"{deployed.prefix}-clickhouse-backup"
    target = deployed.resource("aws:scheduler/schedule:Schedule", name).inputs["target"]
    network = target["ecsParameters"]["networkConfiguration"]
    return OneOffTask(
        ecs=deployed.aws("ecs"),
        cluster=target["arn"],
        definition=definition,
        container=CONTAINER,
        network={
            "subnets": network["subnets"],
            "securityGroups": network["securityGroups"],
            "assignPublicIp": "ENABLED" if network.get("assignPublicIp") else "DISABLED",
        },
        orders={"environment": [{"name": key, "value": value} for key, value in variables.items()]},
    )


def _bucket(deployed: Deployed) -> str:
    if isinstance(deployed.settings.clickhouse, ExternalClickHouse):
        raise UserError(
            f"stack {deployed.name}: langfuse:clickhouse.mode is external, so this stack makes no "
            "backups of it. Restore it where it runs."
        )
    name = f"{deployed.prefix}-clickhouse-backups"
    return deployed.resource(S3_BUCKET, name).outputs["bucket"]


def _folders(s3: Any, bucket: str, prefix: str) -> Sequence[str]:
    pages = s3.get_paginator("list_objects_v2").paginate(
        Bucket=bucket, Prefix=prefix, Delimiter="/"
    )
    return [each["Prefix"] for page in pages for each in page.get("CommonPrefixes", [])]
