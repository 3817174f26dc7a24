"""Makes the task definition of a ClickHouse server. All servers share it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import pulumi
import pulumi_aws as aws

from langfuse_aws.components.clickhouse.backup import BackupBucket
from langfuse_aws.components.clickhouse.config import (
    CONFIG_VARIABLE,
    INTERSERVER_VARIABLE,
    NUMBER_FOLDER,
    PROFILE_VARIABLE,
    READER_VARIABLE,
    profile_config,
    server_config,
    start_command,
)
from langfuse_aws.components.clickhouse.host import BOOT_SECONDS
from langfuse_aws.components.clickhouse.reader import (
    READER_PASSWORD_VARIABLE,
    Reader,
    reader_config,
)
from langfuse_aws.components.clickhouse.volume import DATA_FOLDER
from langfuse_aws.components.runtime.images import ContainerImage
from langfuse_aws.components.runtime.task import (
    UNUSED_BY_CLICKHOUSE,
    ContainerDefinition,
    HealthCheck,
    execution_role,
    task_role,
    to_json,
)
from langfuse_aws.components.shared import iam
from langfuse_aws.components.shared.location import Location
from langfuse_aws.components.shared.stored_secret import StoredSecret
from langfuse_aws.contract.ports_and_health import (
    CLICKHOUSE_HTTP_PORT,
    CLICKHOUSE_NATIVE_PORT,
    health_command,
)
from langfuse_aws.contract.start_and_stop import STOP_TIMEOUT_SECONDS

OPEN_FILES: Final = 262_144
"""https://clickhouse.com/docs/en/operations/tips asks for it; Docker's default stops merges."""

DATA_VOLUME: Final = "data"
NUMBER_VOLUME: Final = "number"

MEMORY_RESERVATION_MIB: Final = 1024
"""What ECS must find free on an instance, whatever its type: another type is no other task, or ECS
and the Auto Scaling group would stop one server each at the same time."""

START_RETRIES: Final = {1: 3, 3: 10}
"""Failed checks after 300 s of start. The first start of three waits for the last instance."""

PULL_SECONDS: Final = 180
"""To place a task on an instance that is free, and to pull an image of 1 GB there."""


@dataclass(frozen=True)
class ClickHouseTaskArgs:
    """What the task definition is made from."""

    servers: Sequence[str]
    """Private names of the servers."""
    user: str
    secret: StoredSecret
    """With `password`, and `interserver` if there are several servers."""
    bucket: BackupBucket
    """Where backups go."""
    reader: Reader | None
    """Who may read only."""
    image: ContainerImage
    location: Location
    logs: aws.cloudwatch.LogGroup


def service_timeouts(servers: int) -> pulumi.CustomTimeouts:
    """How long `up` waits for the service: what servers that come in the end may take.

    At first all start at once. In an update each stops before its successor starts, and waits for
    its instance, if that is replaced as well. The provider's own limit is 20 minutes.
    https://github.com/hashicorp/terraform-provider-aws/blob/main/internal/service/ecs/service.go
    """
    start = BOOT_SECONDS + PULL_SECONDS + _health_check(servers).patience
    update = servers * (STOP_TIMEOUT_SECONDS + start)
    return pulumi.CustomTimeouts(create=f"{start}s", update=f"{update}s")


def clickhouse_task(
    name: str, args: ClickHouseTaskArgs, child: pulumi.ResourceOptions
) -> aws.ecs.TaskDefinition:
    """Make the task definition and its roles."""
    servers = args.servers
    secrets = {"CLICKHOUSE_PASSWORD": args.secret.reference("password")}
    volumes = {DATA_VOLUME: DATA_FOLDER}
    mounts = [_mount(DATA_VOLUME, "/var/lib/clickhouse", read_only=False)]
    if len(servers) > 1:
        secrets[INTERSERVER_VARIABLE] = args.secret.reference("interserver")
        volumes[NUMBER_VOLUME] = NUMBER_FOLDER
        mounts.append(_mount(NUMBER_VOLUME, NUMBER_FOLDER, read_only=True))
    if args.reader is not None:
        secrets[READER_PASSWORD_VARIABLE] = args.reader.password
    command = start_command(servers, reader=args.reader is not None)
    container = ContainerDefinition(
        name="clickhouse",
        image=args.image.reference,
        ports=[CLICKHOUSE_HTTP_PORT, CLICKHOUSE_NATIVE_PORT],
        health_check=_health_check(len(servers)),
        log_group=args.logs.name,
        region=args.location.region,
        plain={
            # Without CLICKHOUSE_DB: for it, the image starts a server that no other server
            # reaches, and which would wait for a quorum for ever. `default` exists anyway.
            "CLICKHOUSE_USER": args.user,
            CONFIG_VARIABLE: args.bucket.url.apply(lambda url: server_config(servers, url)),
            PROFILE_VARIABLE: profile_config(),
            **({READER_VARIABLE: reader_config()} if args.reader is not None else {}),
        },
        secret=secrets,
        without=UNUSED_BY_CLICKHOUSE,
        more={
            "entryPoint": command[:2],
            "command": command[2:],
            # No hard limit: the server keeps to its share of the instance by itself.
            "memoryReservation": MEMORY_RESERVATION_MIB,
            "mountPoints": mounts,
            "ulimits": [{"name": "nofile", "softLimit": OPEN_FILES, "hardLimit": OPEN_FILES}],
        },
    )
    return aws.ecs.TaskDefinition(
        name,
        family=name,
        network_mode="awsvpc",
        runtime_platform={"cpu_architecture": "ARM64", "operating_system_family": "LINUX"},
        execution_role_arn=execution_role(
            name, args.logs.arn, list(secrets.values()), args.image, args.location, child
        ).arn,
        task_role_arn=task_role(
            name, iam.bucket_access(args.bucket.arn, None), args.location, child
        ).arn,
        volumes=[{"name": volume, "host_path": path} for volume, path in volumes.items()],
        container_definitions=to_json([container]),
        opts=child,
    )


def _health_check(servers: int) -> HealthCheck:
    return HealthCheck(
        health_command(CLICKHOUSE_HTTP_PORT, "/ping"), retries=START_RETRIES[servers]
    )


def _mount(volume: str, path: str, *, read_only: bool) -> dict[str, Any]:
    return {"containerPath": path, "readOnly": read_only, "sourceVolume": volume}
