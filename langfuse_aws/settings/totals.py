"""Sums over sections: what web and worker take together of the database and of the network.

More than there is while everything runs is a fault. An update starts new tasks before it stops the
old ones (`components.runtime.container_service`), so there may be twice as many: that is a doubt.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, NamedTuple

from langfuse_aws.settings.app_runner import APP_RUNNER
from langfuse_aws.settings.capacity import (
    aurora_connections,
    instance_memory_gib,
    postgres_connections,
)
from langfuse_aws.settings.network import CreatedNetwork
from langfuse_aws.settings.section import Conflict
from langfuse_aws.settings.stores import AuroraPostgres, PostgresInstance

if TYPE_CHECKING:
    from langfuse_aws.settings.model import Settings

ROLLING: Final = 2
"""Times the tasks while an update rolls."""


class _Database(NamedTuple):
    words: str
    connections: int
    key: str
    """What raises the connections."""


def connections(settings: "Settings", times: int = 1) -> Iterator[Conflict]:
    """Find pools that are larger than the database allows."""
    database = _database(settings)
    if database is None:
        return
    web, worker = settings.web.max_tasks, settings.worker.max_tasks
    tasks = times * (web + worker)
    each = settings.postgres.connection_limit
    pools = tasks * each
    if pools > database.connections:
        yield Conflict(
            "web.maxTasks" if web > worker else "worker.maxTasks",
            f"{_may_run(tasks, times)}, whose pools take {pools} connections, "
            f"{each} each, and PostgreSQL {database.words} allows "
            f"{database.connections}",
            f"lower maxTasks or postgres.connectionLimit, or raise postgres.{database.key}",
        )


def addresses(settings: "Settings", times: int = 1) -> Iterator[Conflict]:
    """Find tasks that the subnets have no address for."""
    network = settings.network
    if not isinstance(network, CreatedNetwork):
        return
    on_fargate = 0 if settings.web.platform == APP_RUNNER else settings.web.max_tasks
    tasks = times * (on_fargate + settings.worker.max_tasks)
    if tasks > network.addresses:
        yield Conflict(
            "network.cidr",
            f"{_may_run(tasks, times)}, each with an address, and the subnets of "
            f"{network.zone_count} zones have {network.addresses} for them",
            "lower maxTasks, or choose a larger network: a /16 costs nothing",
        )


CHECKS: Final = (connections, addresses)


def while_rolling(settings: "Settings") -> Iterator[Conflict]:
    """Find what is short only while an update rolls."""
    for check in CHECKS:
        yield from check(settings, ROLLING)


def _may_run(tasks: int, times: int) -> str:
    if times == ROLLING:
        return f"while an update rolls there may be {tasks} tasks"
    return f"web and worker may run {tasks} tasks"


def _database(settings: "Settings") -> _Database | None:
    """The database; None for one whose connections are not known."""
    postgres = settings.postgres
    if isinstance(postgres, AuroraPostgres):
        most = aurora_connections(postgres.min_acu, postgres.max_acu)
        return _Database(f"with maxAcu {postgres.max_acu:g}", most, "maxAcu")
    if not isinstance(postgres, PostgresInstance):
        return None
    memory = instance_memory_gib(postgres.instance_class.removeprefix("db."))
    if memory is None:
        return None
    most = postgres_connections(memory)
    return _Database(f"on {postgres.instance_class}", most, "instanceClass")
