"""A deployed stack as the target of a move: its stores, by what its worker is told of them.

The worker's task definition has every address, user and reference to a secret, so nothing is worked
out here a second time.
"""

import json
from collections.abc import Generator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from typing import Any, Final, cast
from urllib.parse import urlsplit

from langfuse_aws.automation.aws.one_off_task import OneOffTask
from langfuse_aws.automation.aws.worker_task import WorkerService
from langfuse_aws.automation.engine.deployed import Deployed
from langfuse_aws.automation.errors import UserError
from langfuse_aws.automation.hours.asleep import need_awake
from langfuse_aws.automation.move_in.clickhouse import ClickHouse
from langfuse_aws.automation.move_in.objects import Prefix
from langfuse_aws.automation.move_in.postgres import Postgres
from langfuse_aws.automation.move_in.refusals import SECRETS
from langfuse_aws.automation.move_in.sides import Target
from langfuse_aws.automation.move_in.source import (
    VARIABLES_OF_USE,
    ClickHouseAddress,
    PostgresAddress,
)
from langfuse_aws.automation.move_in.tunnel import Place, tunnels
from langfuse_aws.automation.restore.worker import Worker
from langfuse_aws.components.clickhouse.config import CLUSTER
from langfuse_aws.components.protection.snapshots import INSTANCE_STORAGE_LIMIT_GIB
from langfuse_aws.contract.ports_and_health import CLICKHOUSE_HTTP_PORT, POSTGRES_PORT
from langfuse_aws.graph.resource_types import TASK_DEFINITION
from langfuse_aws.settings.external_stores import ExternalClickHouse, ExternalPostgres
from langfuse_aws.settings.stores import PostgresInstance

LOCAL: Final = "127.0.0.1"
NO_TUNNELS: Final[Mapping[Place, int]] = {}
WEB: Final = "web"
NEEDED: Final = ("DATABASE_PASSWORD", "CLICKHOUSE_PASSWORD", *SECRETS)
ARN_PARTS: Final = 7
"""Of a secret's ARN, between colons."""
MIGRATION_HOURS: Final = 6
INVOCATION: Final = "aws:lambda/invocation:Invocation"


@contextmanager
def opened(deployed: Deployed, *, direct: bool) -> Generator[Target]:
    """Open it; `direct`: this machine is in its network. UserError."""
    need_awake(deployed)
    worker = WorkerService.of(deployed)
    container = _container(deployed, worker.described["taskDefinition"], "worker")
    told = _environment(container)
    secrets = _secrets(deployed, container)
    postgres = _postgres(told, secrets["DATABASE_PASSWORD"])
    url = urlsplit(told["CLICKHOUSE_URL"])
    clickhouse: Place = (url.hostname or "", url.port or CLICKHOUSE_HTTP_PORT)
    inside: list[Place] = []
    if not direct and not isinstance(deployed.settings.postgres, ExternalPostgres):
        inside.append((postgres.host, postgres.port))
    if not direct and not isinstance(deployed.settings.clickhouse, ExternalClickHouse):
        inside.append(clickhouse)
    with tunnels(deployed, inside) if inside else nullcontext(NO_TUNNELS) as ports:
        if port := ports.get((postgres.host, postgres.port)):
            postgres = replace(postgres, host=LOCAL, port=port)
        port = ports.get(clickhouse)
        address = f"{LOCAL}:{port}" if port else url.netloc
        yield _target(deployed, told, secrets, postgres, f"{url.scheme}://{address}")


def _target(
    deployed: Deployed,
    told: Mapping[str, str],
    secrets: Mapping[str, str],
    postgres: PostgresAddress,
    clickhouse_url: str,
) -> Target:
    settings = deployed.settings
    clickhouse = ClickHouseAddress(
        clickhouse_url,
        told["CLICKHOUSE_USER"],
        secrets["CLICKHOUSE_PASSWORD"],
        told.get("CLICKHOUSE_DB", "default"),
    )
    s3 = deployed.aws("s3")
    return Target(
        name=deployed.name,
        release=settings.release,
        postgres=Postgres(postgres, "target"),
        clickhouse=ClickHouse(
            clickhouse, "target", cluster=CLUSTER if settings.clickhouse.clustered else None
        ),
        objects={
            use: Prefix(
                s3, told[f"{name}_BUCKET"], told.get(f"{name}_PREFIX", ""), "target", of_aws=True
            )
            for use, name in VARIABLES_OF_USE.items()
        },
        secrets={**_of_web(deployed), **secrets},
        postgres_room=INSTANCE_STORAGE_LIMIT_GIB * 2**30
        if isinstance(settings.postgres, PostgresInstance)
        else None,
        stop=lambda: Worker.of(deployed).stop(),
        start=lambda: Worker.of(deployed).start(),
        migrate=lambda: _migrate(deployed),
        initial_seed=settings.bootstrap is not None,
    )


def _postgres(told: Mapping[str, str], password: str) -> PostgresAddress:
    host, _, port = told["DATABASE_HOST"].partition(":")
    return PostgresAddress(
        host,
        int(port or POSTGRES_PORT),
        told["DATABASE_USERNAME"],
        password,
        told["DATABASE_NAME"],
        # As Langfuse itself connects; through a tunnel, the name is another one.
        "require",
    )


def _container(deployed: Deployed, definition: str, name: str) -> Mapping[str, Any]:
    answer = deployed.aws("ecs").describe_task_definition(taskDefinition=definition)
    containers = answer["taskDefinition"]["containerDefinitions"]
    return next(each for each in containers if each["name"] == name)


def _environment(container: Mapping[str, Any]) -> dict[str, str]:
    return {each["name"]: each["value"] for each in container.get("environment", [])}


def _secrets(deployed: Deployed, container: Mapping[str, Any]) -> dict[str, str]:
    """Read what a move needs of its secrets in Secrets Manager, and no other."""
    client = deployed.aws("secretsmanager")
    stored: dict[str, str] = {}
    found: dict[str, str] = {}
    for each in container.get("secrets", []):
        if each["name"] not in NEEDED:
            continue
        # arn:…:secret:NAME, and of one value of it :KEY::
        parts = str(each["valueFrom"]).split(":")
        arn, key = ":".join(parts[:ARN_PARTS]), "".join(parts[ARN_PARTS : ARN_PARTS + 1])
        if arn not in stored:
            stored[arn] = client.get_secret_value(SecretId=arn)["SecretString"]
        found[each["name"]] = json.loads(stored[arn])[key] if key else stored[arn]
    return found


def _of_web(deployed: Deployed) -> dict[str, str]:
    """Web's own secrets; none where it runs on App Runner."""
    name = f"{deployed.prefix}-{WEB}"
    found = [
        each
        for each in deployed.state
        if (each.type, each.name) == (TASK_DEFINITION, name) and not each.replaced
    ]
    if not found:
        return {}
    return _secrets(deployed, _container(deployed, found[0].outputs["family"], WEB))


def _migrate(deployed: Deployed) -> None:
    """Run the stack's own migration once more, over the tables that were moved in."""
    invocation = deployed.resource(INVOCATION, f"{deployed.prefix}-migration")
    job = cast("Mapping[str, Any]", json.loads(invocation.inputs["input"]))
    ecs = deployed.aws("ecs")
    answer = ecs.describe_task_definition(taskDefinition=job["task_definition"])
    task = OneOffTask(
        ecs=ecs,
        cluster=job["cluster"],
        definition=answer["taskDefinition"],
        container=job["container"],
        network={
            "subnets": job["subnets"],
            "securityGroups": job["security_groups"],
            "assignPublicIp": job["assign_public_ip"],
        },
        orders={},
    )
    task.start()
    try:
        task.wait(MIGRATION_HOURS)
    except UserError as error:
        raise UserError(f"the migration has failed: {error}") from error
