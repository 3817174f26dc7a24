"""`rotate database`: another password for PostgreSQL's owner, which Langfuse connects as.

A role of PostgreSQL's has one password, and a task reads its own when it starts. So web and worker
connect as a second user while the owner's changes. docs/adr/0024-rotation-by-a-counter.md
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from langfuse_aws.automation.aws import worker_script
from langfuse_aws.automation.engine.deployed import Deployed
from langfuse_aws.automation.errors import UserError
from langfuse_aws.automation.hours.acts import Database
from langfuse_aws.automation.plan import Plan, Step
from langfuse_aws.automation.restore.postgres import identifier
from langfuse_aws.automation.rotate.counter import Counter
from langfuse_aws.automation.rotate.services import (
    how_to_start_anew,
    refuse_unless_steady,
    wait_for_old_tasks,
)
from langfuse_aws.components.protection.snapshots import ROTATION_USER, USER
from langfuse_aws.graph.model import Resource
from langfuse_aws.graph.resource_types import DB_CLUSTER, DB_INSTANCE
from langfuse_aws.settings.external_stores import ExternalPostgres
from langfuse_aws.settings.stores import AuroraPostgres

SCRIPT: Final = Path(__file__).with_name("database.js")
MARK: Final = "rotate: "
"""What each line of the script begins with; Langfuse's own code writes others."""
SESSIONS_SECONDS: Final = 600
"""How long the script waits for the second user's last session."""
AVAILABLE: Final = "available"


@dataclass(frozen=True)
class DatabaseRotation:
    """What to do."""

    deployed: Deployed
    counter: Counter

    def begin(self) -> None:
        """Make the second user."""
        self._run("begin")

    def leave_the_owner(self) -> None:
        """Have web and worker connect as the second user, and nobody as the owner."""
        self.counter.write("begun")
        self.deployed.up()
        wait_for_old_tasks(self.deployed)

    def change(self) -> None:
        """Give the owner another password, and have web and worker connect with it."""
        if self.counter.rotated.step != "ending":
            self.counter.write("ending", self.counter.next)
        self.deployed.up()

    def end(self) -> None:
        """End the second user once nobody is connected as it."""
        self._run("end")
        self.counter.finish()

    def _run(self, action: Literal["begin", "end"]) -> None:
        said = [
            json.loads(message.removeprefix(MARK))
            for message in worker_script.run(self.deployed, orders(action))
            if message.startswith(MARK)
        ]
        if {"done": action} not in said:
            errors = "; ".join(each["error"] for each in said if "error" in each)
            raise UserError(f"PostgreSQL: {errors or 'the task has said nothing'}.")


def orders(action: Literal["begin", "end"]) -> dict[str, Any]:
    """Write what the container does instead of working."""
    return worker_script.orders(SCRIPT, action, ROTATION_USER, str(SESSIONS_SECONDS))


def plan(deployed: Deployed) -> Plan:
    """Work the rotation out, or refuse it."""
    settings = deployed.settings.postgres
    if isinstance(settings, ExternalPostgres):
        raise UserError(
            f"stack {deployed.name}: langfuse:postgres.mode is external, and its password yours. "
            "Change it where it runs, then pulumi config set --secret langfuse:postgresPassword, "
            "and pulumi up. It starts no task anew; this does: "
            f"{how_to_start_anew(deployed)}."
        )
    counter = Counter(deployed, "database")
    kind = DB_CLUSTER if isinstance(settings, AuroraPostgres) else DB_INSTANCE
    database = deployed.resource(kind, f"{deployed.prefix}-postgres")
    _refuse_unless_available(deployed, database)
    step = counter.rotated.step
    if step is None:
        refuse_unless_steady(deployed)
    rotation = DatabaseRotation(deployed, counter)
    both = f"The tasks that run go on: {USER} and {ROTATION_USER} are both let in."
    steps = [
        Step(
            f"A task of the worker makes the user {ROTATION_USER}, who has the owner's password "
            "and may do all that web and worker do.",
            rotation.begin,
            f"Langfuse runs on as it was. {ROTATION_USER} may be there.",
            back="nothing to take back.",
        ),
        Step(
            f"Set {counter.key}Step begun, and pulumi up: web and worker connect as "
            f"{ROTATION_USER}.",
            rotation.leave_the_owner,
            both,
            back=f"pulumi config rm --path {counter.key}Step, and pulumi up. {ROTATION_USER} stays "
            "until the next rotation.",
        ),
        Step(
            f"Set {counter.key}Version {counter.next}, and pulumi up: the owner {USER} gets "
            "another password, the migration runs with it, web and worker connect as the owner "
            "again."
            if step != "ending"
            else f"pulumi up: web and worker connect as the owner {USER} with its new password.",
            rotation.change,
            f"{both} Only the owner's password may be the new one already.",
        ),
        Step(
            f"A task of the worker ends {ROTATION_USER} once nobody is connected as it, and with "
            "it the old password.",
            rotation.end,
            f"Langfuse runs with the new password. {ROTATION_USER} is there, with the old one.",
        ),
    ]
    return Plan(
        found=counter.found(f"PostgreSQL {identifier(database)}, the password of {USER}"),
        lost=[],
        steps=steps[{None: 0, "begun": 1, "ending": 2}[step] :],
    )


def _refuse_unless_available(deployed: Deployed, database: Resource) -> None:
    name = identifier(database)
    status = Database(deployed.aws("rds"), database.type == DB_CLUSTER, name, AVAILABLE).status()
    if status != AVAILABLE:
        raise UserError(
            f"stack {deployed.name}: PostgreSQL {name} is {status}, and must be {AVAILABLE} to get "
            "another password. Start it, or wait."
        )
