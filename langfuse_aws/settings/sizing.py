"""The sizing table: what `langfuse:size` stands for, in the keys of the stack file.

A stack picks a row; any key that the stack file sets itself wins over the row. A row has every key
that a size decides, also those of another `mode` than its own, for a stack file that chooses that.
Units are those of `langfuse_aws.settings.model`: CPU units, MiB, GiB, ACU, days.
"""

from collections.abc import Mapping
from typing import Any, Final

Row = Mapping[str, Any]

DEV: Final[Row] = {
    "deletionProtection": False,
    "network": {"cidr": "10.0.0.0/16", "zones": 2, "egress": "none", "flowLogs": False},
    "ingress": {"kind": "apiGateway"},
    "web": {"cpu": 1024, "memory": 2048, "minTasks": 1, "maxTasks": 1, "spot": True},
    "worker": {
        "cpu": 512,
        "memory": 2048,
        "minTasks": 1,
        "maxTasks": 2,
        "spot": True,
    },
    "clickhouse": {
        "mode": "ec2",
        "instanceType": "t4g.medium",
        "volumeGib": 20,
        "backupRetentionDays": 7,
    },
    "postgres": {
        "mode": "instance",
        "instanceClass": "db.t4g.micro",
        "minAcu": 0.5,
        "maxAcu": 2,
        "instances": 1,
        "backupRetentionDays": 7,
    },
    "redis": {"mode": "elasticache", "nodeType": "cache.t4g.micro", "replicas": 0},
    "storage": {"versioningDays": None},
    "backups": {"hourlyRetentionDays": 0, "dailyRetentionDays": 7},
    "logs": {"retentionDays": 7},
}

STAGING: Final[Row] = {
    "deletionProtection": False,
    "network": {"cidr": "10.0.0.0/16", "zones": 2, "egress": "natInstance", "flowLogs": False},
    "ingress": {"kind": "alb"},
    "web": {"cpu": 1024, "memory": 2048, "minTasks": 1, "maxTasks": 1, "spot": True},
    "worker": {
        "cpu": 1024,
        "memory": 4096,
        "minTasks": 1,
        "maxTasks": 4,
        "spot": True,
    },
    "clickhouse": {
        "mode": "ec2",
        "instanceType": "t4g.large",
        "volumeGib": 50,
        "backupRetentionDays": 7,
    },
    "postgres": {
        "mode": "auroraServerless",
        "instanceClass": "db.t4g.micro",
        "minAcu": 0.5,
        "maxAcu": 2,
        "instances": 1,
        "backupRetentionDays": 7,
    },
    "redis": {"mode": "elasticache", "nodeType": "cache.t4g.small", "replicas": 0},
    "storage": {"versioningDays": None},
    "backups": {"hourlyRetentionDays": 0, "dailyRetentionDays": 14},
    "logs": {"retentionDays": 30},
}

PROD: Final[Row] = {
    "deletionProtection": True,
    "network": {
        "cidr": "10.0.0.0/16",
        "zones": 3,
        "egress": "natGatewayPerZone",
        "flowLogs": True,
    },
    "ingress": {"kind": "alb"},
    "web": {"cpu": 2048, "memory": 4096, "minTasks": 2, "maxTasks": 3, "spot": False},
    "worker": {
        "cpu": 2048,
        "memory": 4096,
        "minTasks": 2,
        "maxTasks": 8,
        "spot": False,
    },
    "clickhouse": {
        "mode": "ec2",
        "instanceType": "r7g.large",
        "volumeGib": 100,
        "backupRetentionDays": 28,
    },
    "postgres": {
        "mode": "auroraServerless",
        "instanceClass": "db.t4g.micro",
        "minAcu": 0.5,
        "maxAcu": 8,
        "instances": 2,
        "backupRetentionDays": 14,
    },
    "redis": {"mode": "elasticache", "nodeType": "cache.t4g.medium", "replicas": 1},
    "storage": {"versioningDays": 14},
    "backups": {"hourlyRetentionDays": 2, "dailyRetentionDays": 35},
    "logs": {"retentionDays": 90},
}

SIZING: Final[Mapping[str, Row]] = {"dev": DEV, "staging": STAGING, "prod": PROD}

_ON_APP_RUNNER: Final[Row] = {
    "ingress": {"kind": "appRunner"},
    "web": {"spot": False, "architecture": "x86_64"},
}


def row_of(size: str, platform: str) -> Row:
    """What a size stands for where `platform` runs web; an unknown size is told about elsewhere."""
    row = SIZING.get(size, DEV)
    if platform != "appRunner":
        return row
    return {**row, "ingress": _ON_APP_RUNNER["ingress"], "web": row["web"] | _ON_APP_RUNNER["web"]}
