"""The IAM actions that the first `up` of a stack calls, from `permissions.csv`.

The table was written from the calls that AWS's provider makes to create a resource and to read it
back, and from AWS's own tables
(https://docs.aws.amazon.com/service-authorization/latest/reference/reference.html), by which its
test goes. Those leave out what a call refers to; AWS's guides have it of
a database's groups (https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/security_iam_id-based-policy-examples-create-and-modify-examples.html),
a web ACL's load balancer (https://docs.aws.amazon.com/waf/latest/developerguide/security_iam_service-with-iam.html)
and a vault's key (https://docs.aws.amazon.com/aws-backup/latest/devguide/create-a-vault.html).
Updates and deletions are left out, but for a boundary that roles get which have none; and so are
the vaults of a second region. Pure.
"""

import csv
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from langfuse_aws.settings.model import CUSTOMER_KEY, Settings
from langfuse_aws.settings.network import CreatedNetwork
from langfuse_aws.settings.services import ApiGatewayIngress, LoadBalancerIngress
from langfuse_aws.settings.stores import (
    AuroraPostgres,
    ClickHouseOnEc2,
    ElastiCacheRedis,
    PostgresInstance,
)

_TABLE: Final = Path(__file__).with_name("permissions.csv")


@dataclass(frozen=True)
class Row:
    """Actions on one kind of resource, and the resource types of Pulumi that need them."""

    resource: str
    """An ARN without `arn:PARTITION:`, of a resource that does not exist but is named like the
    stack's own; or `*` where policies rarely say more."""
    when: str
    """Which stacks need it: a key of WHEN, or all."""
    context: str
    """Condition keys that the call is going to have, each with `=` and its value, with spaces in
    between; names as in resource, `{boundary}`, which may be empty, and `{policy}`, one of several.
    """
    actions: tuple[str, ...]
    types: tuple[str, ...]


@cache
def rows() -> tuple[Row, ...]:
    """Read the whole table."""
    with _TABLE.open(encoding="utf-8", newline="") as lines:
        return tuple(
            Row(
                resource=line["resource"],
                when=line["when"],
                context=line["context"],
                actions=tuple(line["actions"].split()),
                types=tuple(f"aws:{each}" for each in line["types"].split()),
            )
            for line in csv.DictReader(lines)
        )


def rows_for(settings: Settings) -> list[Row]:
    """Give the rows that a stack needs."""
    return [row for row in rows() if not row.when or WHEN[row.when](settings)]


def egress(settings: Settings) -> str | None:
    """Say the way out of the stack's own VPC; None: the VPC is adopted."""
    return settings.network.egress if isinstance(settings.network, CreatedNetwork) else None


def _flow_logs(settings: Settings) -> bool:
    return isinstance(settings.network, CreatedNetwork) and settings.network.flow_logs


def _clickhouse(settings: Settings) -> bool:
    return isinstance(settings.clickhouse, ClickHouseOnEc2)


def _instances(settings: Settings) -> bool:
    return _clickhouse(settings) or egress(settings) == "natInstance"


def _hours(settings: Settings) -> bool:
    return settings.hours is not None


def _database(settings: Settings) -> bool:
    return isinstance(settings.postgres, (AuroraPostgres, PostgresInstance))


def _balancer(settings: Settings) -> bool:
    return isinstance(settings.ingress, LoadBalancerIngress)


def _firewall(settings: Settings) -> bool:
    return isinstance(settings.ingress, LoadBalancerIngress) and settings.ingress.waf is not None


def _api(settings: Settings) -> bool:
    return isinstance(settings.ingress, ApiGatewayIngress)


def _app_runner(settings: Settings) -> bool:
    return settings.web.platform == "appRunner"


def _backups(settings: Settings) -> bool:
    copied = settings.backups.copy_region is not None and _database(settings)
    return _clickhouse(settings) or copied


WHEN: Final[Mapping[str, Callable[[Settings], bool]]] = {
    "network": lambda settings: egress(settings) is not None,
    "elastic ips": lambda settings: egress(settings) not in (None, "none", "endpoints"),
    "nat gateways": lambda settings: egress(settings) in ("natGateway", "natGatewayPerZone"),
    "nat instance": lambda settings: egress(settings) == "natInstance",
    "flow logs": _flow_logs,
    "clickhouse": _clickhouse,
    "clickhouse or hours": lambda settings: (
        _clickhouse(settings) or (_hours(settings) and _database(settings))
    ),
    "hours": _hours,
    "hours of instances": lambda settings: _hours(settings) and _instances(settings),
    "muted alarms": lambda settings: _hours(settings) and settings.alarms is not None,
    "instances": _instances,
    "instances or backups": lambda settings: _instances(settings) or _backups(settings),
    "private names": lambda settings: _clickhouse(settings) or _api(settings),
    "database": _database,
    "database instance": lambda settings: isinstance(settings.postgres, PostgresInstance),
    "aurora": lambda settings: isinstance(settings.postgres, AuroraPostgres),
    "database snapshot": lambda settings: (
        isinstance(settings.postgres, PostgresInstance)
        and settings.postgres.snapshot_identifier is not None
    ),
    "aurora snapshot": lambda settings: (
        isinstance(settings.postgres, AuroraPostgres)
        and settings.postgres.snapshot_identifier is not None
    ),
    "volume snapshot": lambda settings: (
        isinstance(settings.clickhouse, ClickHouseOnEc2)
        and settings.clickhouse.snapshot_id is not None
    ),
    "cache": lambda settings: isinstance(settings.redis, ElastiCacheRedis),
    "load balancer": _balancer,
    "grafana behind load balancer": lambda settings: (
        _balancer(settings) and settings.grafana.enabled
    ),
    "firewall": _firewall,
    "api": _api,
    "app runner": _app_runner,
    "api domain": lambda settings: _api(settings) and settings.domain is not None,
    "delivered logs": lambda settings: _api(settings) or _firewall(settings),
    "new certificate": lambda settings: (
        settings.domain is not None
        and settings.ingress.certificate_arn is None
        and not _app_runner(settings)
    ),
    "records": lambda settings: settings.hosted_zone is not None,
    "backups": _backups,
    "vault lock": lambda settings: _backups(settings) and settings.backups.vault_lock,
    "alarms": lambda settings: settings.alarms is not None,
    "alarms or lag": lambda settings: settings.alarms is not None or settings.probes_queues,
    "budget": lambda settings: (
        settings.alarms is not None and settings.alarms.monthly_budget_usd is not None
    ),
    "repositories": lambda settings: settings.images.source != "upstream",
    "mirror": lambda settings: settings.images.source == "mirror",
    "pull through": lambda settings: settings.images.source == "pullThrough",
    "own policies": lambda settings: bool(settings.web.policy_arns or settings.worker.policy_arns),
    "boundary": lambda settings: settings.permissions_boundary is not None,
    "kms key": lambda settings: (
        settings.storage.kms
        or settings.encryption == CUSTOMER_KEY
        or (settings.alarms is not None and settings.encryption is None)
    ),
    "customer key": lambda settings: settings.encryption is not None,
    "encrypted disks": lambda settings: (
        settings.encryption == CUSTOMER_KEY and _instances(settings)
    ),
}
"""Which stacks a row is for."""
