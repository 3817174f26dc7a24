"""Writes the table of the settings that may change in a running stack, from the changes themselves.

Each row has the values between which `tests/engine/test_changes.py` moves a running stack, in
every order, on an AWS that refuses what AWS refuses; or it names the test that tries it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from langfuse_aws.components.authorities import of_databases

Config = Mapping[str, Any]


@dataclass(frozen=True)
class Change:
    """A row of the table."""

    settings: str
    """The keys, as the table shows them."""
    what_happens: str
    between: Mapping[str, tuple[Config, Config]] = field(
        default_factory=dict[str, tuple[Config, Config]]
    )
    """By the name of a stack, two configurations of these keys."""
    tried_in: str = ""
    """The engine test that tries it, where it is not `test_changes.py`."""


CHANGES: Final[Sequence[Change]] = (
    Change(
        "`web.*`, `worker.*`",
        "new tasks beside the old ones, then the old ones stop; no downtime",
        {
            "dev": (
                {
                    "web": {
                        "cpu": 1024,
                        "memory": 2048,
                        "minTasks": 1,
                        "maxTasks": 1,
                        "spot": False,
                    },
                    "worker": {"cpu": 512, "memory": 2048, "maxTasks": 2, "spot": False},
                },
                {
                    "web": {
                        "cpu": 2048,
                        "memory": 4096,
                        "minTasks": 2,
                        "maxTasks": 4,
                        "spot": True,
                    },
                    "worker": {"cpu": 1024, "memory": 4096, "maxTasks": 3, "spot": True},
                },
            ),
            "prod": ({"worker": {"scaleOn": "backlog"}}, {"worker": {"scaleOn": "cpu"}}),
        },
    ),
    Change(
        "`postgres.minAcu`, `maxAcu`",
        "in place, no downtime",
        {
            "prod": (
                {"postgres": {"minAcu": 0.5, "maxAcu": 8}},
                {"postgres": {"minAcu": 2, "maxAcu": 4}},
            )
        },
    ),
    Change(
        "`postgres.instances`",
        "readers come or go; no downtime",
        {"prod": ({"postgres": {"instances": 2}}, {"postgres": {"instances": 1}})},
    ),
    Change(
        "`postgres.instanceClass`",
        "RDS restarts: minutes of downtime",
        {
            "dev": (
                {"postgres": {"instanceClass": "db.t4g.micro"}},
                {"postgres": {"instanceClass": "db.t4g.small"}},
            )
        },
    ),
    Change(
        "`postgres.connectionLimit`, `connectTimeoutSeconds`",
        "new tasks beside the old ones; no downtime. The timeout migrates again, which finds "
        "nothing to do",
        {
            "dev": (
                {"postgres": {"connectionLimit": 10, "connectTimeoutSeconds": 5}},
                {"postgres": {"connectionLimit": 5, "connectTimeoutSeconds": 20}},
            )
        },
    ),
    Change(
        "`postgres.mode`",
        "refused: it would be another database, empty",
        tried_in="test_replacement_guard.py",
    ),
    Change(
        "`redis.nodeType`, `replicas`",
        "in place; connections break for seconds",
        {
            "dev": (
                {"redis": {"nodeType": "cache.t4g.micro", "replicas": 0}},
                {"redis": {"nodeType": "cache.t4g.small", "replicas": 1}},
            ),
            "prod": (
                {"redis": {"nodeType": "cache.t4g.medium", "replicas": 1}},
                {"redis": {"nodeType": "cache.r7g.large", "replicas": 2}},
            ),
        },
    ),
    Change(
        "`clickhouse.instanceType`",
        "the instance is replaced: [see there](#replacing-the-clickhouse-instance)",
        {
            "prod": (
                {"clickhouse": {"instanceType": "r7g.large"}},
                {"clickhouse": {"instanceType": "r7g.xlarge"}},
            )
        },
    ),
    Change(
        "`clickhouse.volumeGib`",
        "grows in place, and is refused to shrink: [see there](#growing-the-clickhouse-volume)",
        tried_in="test_replacement_guard.py",
    ),
    Change(
        "`clickhouse.replicas`, any `mode` to or from `external`",
        "refused: [see there](#clickhouse-with-three-servers)",
        tried_in="test_replacement_guard.py",
    ),
    Change(
        "`network.zones` raised",
        "subnets and their routes are added; none moves. Lowered, it is refused: stores lie in the "
        "subnets",
        tried_in="test_replacement_guard.py",
    ),
    Change(
        "`network.cidr`, `network.vpcId`",
        "refused: it would be another VPC, and no store can follow. Make another stack",
        tried_in="test_replacement_guard.py",
    ),
    Change(
        "`network.egress` to or from `none`",
        "tasks and the ClickHouse instance move between public and private subnets and are "
        "replaced, after there is a way out; the volume and the stores stay",
        tried_in="test_egress.py",
    ),
    Change(
        "`network.egress` among the others",
        "each default route gets another target, once that works: connections break, nothing is "
        "replaced, and the tasks' public address is another one. To `endpoints` the routes go, "
        "once the endpoints are there. One `up`, whichever to whichever",
        tried_in="test_egress.py",
    ),
    Change(
        "`network.flowLogs`",
        "logs come or go; no downtime",
        {"dev": ({"network": {"flowLogs": False}}, {"network": {"flowLogs": True}})},
    ),
    Change(
        "`aws:defaultTags`",
        "in place; the NAT instance is [replaced](#nat-instance), and so is the ClickHouse "
        "instance, since EC2 tags it, its disk and its network interface at launch: "
        "[see there](#replacing-the-clickhouse-instance)",
        tried_in="test_egress.py",
    ),
    Change(
        "`ingress.kind`, `ingress.internal`, `web.platform`",
        "the new way in and a new web service come beside the old ones; the domain's record "
        "follows once web serves there, and the old ones go last. Clients that still have the old "
        "address fail for up to a minute, on the way to App Runner until its certificate is "
        "issued. Without a domain the URL changes. A load balancer that is protected: "
        "[see there](#a-load-balancer-that-aws-protects)",
        tried_in="test_ingress_changes.py",
    ),
    Change(
        "`ingress.allowedCidrs`, `waf`, `rateLimit`, `burstLimit`",
        "in place, no downtime",
        {
            "dev": (
                {"ingress": {"rateLimit": 50, "burstLimit": 100}},
                {"ingress": {"rateLimit": 10, "burstLimit": 20}},
            ),
            "prod": (
                {"ingress": {"allowedCidrs": ["10.0.0.0/8", "11.0.0.0/8"], "waf": {}}},
                {"ingress": {"allowedCidrs": ["11.0.0.0/8"]}},
            ),
        },
    ),
    Change(
        "`domain`, `ingress.hostedZone`, `certificateArn`",
        "in one update; the old name ends with it. The new one must "
        "[have no record](#before-the-first-up) that the stack did not make",
        {
            "prod": (
                {"domain": "langfuse.example.com"},
                {"domain": "traces.example.com"},
            )
        },
    ),
    Change(
        "`web.policyArns`, `worker.policyArns`, `permissionsBoundary`",
        "in place, for the tasks that run too; no downtime",
        {
            "dev": (
                {
                    "web": {"policyArns": ["arn:aws:iam::123456789012:policy/evaluators"]},
                    "permissionsBoundary": "arn:aws:iam::123456789012:policy/boundary",
                },
                {
                    "web": {"policyArns": []},
                    "worker": {"policyArns": ["arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"]},
                },
            ),
            "prod": (
                {"permissionsBoundary": "arn:aws:iam::123456789012:policy/boundary"},
                {"permissionsBoundary": "arn:aws:iam::123456789012:policy/other"},
            ),
        },
    ),
    Change(
        "`trustedCertificates`",
        "new tasks beside the old ones, after another migration, which finds nothing to do; no "
        "downtime",
        {"dev": ({}, {"trustedCertificates": of_databases()["eu-west-1"]})},
    ),
    Change(
        "`grafana`",
        "made or deleted. ClickHouse starts anew for its reader, three servers one after another; "
        "with one, [stop the worker first](#replacing-the-clickhouse-instance), or what it writes "
        "meanwhile is dropped",
        {"dev": ({}, {"grafana": {"enabled": True}})},
    ),
    Change(
        "`bootstrap.keyVersion`, `alarms`, `logs`, `backups`, `storage`",
        "in place, or made and deleted; no downtime. With or without `storage.eventsRetentionDays` "
        "there are new tasks beside the old ones",
        {
            "dev": (
                {"logs": {"retentionDays": 7}},
                {
                    "alarms": {"email": "ops@example.com", "monthlyBudgetUsd": 300},
                    "logs": {"retentionDays": 30},
                    "backups": {"dailyRetentionDays": 14, "hourlyRetentionDays": 2},
                    "storage": {"versioningDays": 14, "eventsRetentionDays": 90},
                },
            )
        },
    ),
)


def change_table() -> str:
    """What happens when a setting of a running stack changes."""
    rows = [f"| {each.settings} | {each.what_happens} |" for each in CHANGES]
    return "\n".join(["| Change | What happens |", "| --- | --- |", *rows])
