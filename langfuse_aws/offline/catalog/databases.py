"""Databases and caches, with host names as AWS gives them, made up of names and a digest."""

from collections.abc import Callable, Mapping
from typing import Any, cast

from langfuse_aws.offline.catalog.resource_type import Naming, ResourceType
from langfuse_aws.offline.facts import Facts, digest

_RDS = "arn:{partition}:rds:{region}:{account}:"
_CACHE = "arn:{partition}:elasticache:{region}:{account}:"
_PORTS = {"mysql": 3306, "mariadb": 3306, "postgres": 5432, "postgresql": 5432}


_FAMILY_DEFAULTS = {
    "postgres": {"rds.force_ssl": "1", "timezone": "UTC"},
    "aurora-postgresql": {"timezone": "UTC"},
}
"""Values that a parameter of a family has before anybody sets it, by the engine; from PostgreSQL 15
on, and of Aurora until 16. Only parameters that a program is likely to set.
https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/PostgreSQL.Concepts.General.SSL.html"""


def _parameters(facts: Facts) -> Any:
    """Parameters as RDS tells them: what has the family's value is as if nobody had set it.

    Then its method is `pending-reboot`, and not what the provider asked for.
    """
    given: Any = facts.get("parameters", [])
    if not isinstance(given, list):
        return given
    usual = _FAMILY_DEFAULTS.get(str(facts.get("family")).rstrip("0123456789"), {})
    return [
        {**each, "applyMethod": "pending-reboot"}
        if usual.get(str(each.get("name"))) == each.get("value")
        else each
        for each in cast("list[Mapping[str, Any]]", given)
    ]


def _host_part(facts: Facts, length: int) -> str:
    """The part of host names that is the same for an account in a region."""
    return digest(facts.region, "host")[:length]


def _rds_host(prefix: str) -> Callable[[Facts], str]:
    """The host name of a database or of an endpoint of a cluster."""
    return lambda facts: facts.fill(
        f"{{id}}.{prefix}{_host_part(facts, 12)}.{{region}}.rds.{{suffix}}"
    )


def _resource_id(prefix: str, facts: Facts) -> str:
    """The id that RDS gives to a database and that no renaming changes."""
    return prefix + facts.fill("{hex26}").upper()


def _instance_host(facts: Facts) -> str:
    return facts.fill(f"{{identifier}}.{_host_part(facts, 12)}.{{region}}.rds.{{suffix}}")


def _database_port(facts: Facts) -> int:
    engine = str(facts.get("engine")).removeprefix("aurora-")
    return int(facts.get("port", _PORTS.get(engine, 5432)))


def _managed_secret(facts: Facts) -> list[dict[str, str]]:
    if not facts.get("manageMasterUserPassword", False):
        return []
    arn = facts.arn("secretsmanager", "secret:rds!{hex32}")
    return [{"secretArn": arn, "secretStatus": "active", "kmsKeyId": facts.arn("kms", "key/{id}")}]


def _cache_host(prefix: str) -> Callable[[Facts], str]:
    return lambda facts: facts.fill(
        f"{prefix}.{{id}}.{_host_part(facts, 6)}.{_zone_code(facts.region)}.cache.{{suffix}}"
    )


def _zone_code(region: str) -> str:
    """`us-east-1` is `use1`."""
    parts = region.split("-")
    return parts[0] + "".join(part[0] for part in parts[1:])


def _is_clustered(facts: Facts) -> bool:
    return bool(facts.get("clusterMode") == "enabled" or facts.get("numNodeGroups", 1) > 1)


def _cache_members(facts: Facts) -> list[str]:
    if not _is_clustered(facts):
        count = int(facts.get("numCacheClusters", facts.get("replicasPerNodeGroup", 0) + 1))
        return [f"{facts.id}-{number:03}" for number in range(1, count + 1)]
    replicas = int(facts.get("replicasPerNodeGroup", 0)) + 1
    groups = range(1, int(facts.get("numNodeGroups", 1)) + 1)
    return [
        f"{facts.id}-{group:04}-{number:03}"
        for group in groups
        for number in range(1, replicas + 1)
    ]


def _parameter_group(service: str, kind: str) -> ResourceType:
    """A parameter group, which is replaced for everything but its parameters."""
    return ResourceType(
        "{name}",
        {"arn": f"{service}{kind}:{{name}}"},
        defaults={"description": "Managed by Pulumi"},
        naming=Naming(lowercase=True),
        decided={"parameters": _parameters} if service == _RDS else {},
    )


def _subnet_group(service: str, kind: str) -> ResourceType:
    return ResourceType(
        "{name}",
        {
            "arn": f"{service}{kind}:{{name}}",
            "vpcId": lambda facts: f"vpc-{digest(facts.get('subnetIds'))[:17]}",
        },
        defaults={"description": "Managed by Pulumi"},
        naming=Naming(lowercase=True),
    )


TYPES: dict[str, ResourceType] = {
    "aws:rds/subnetGroup:SubnetGroup": _subnet_group(_RDS, "subgrp"),
    "aws:rds/parameterGroup:ParameterGroup": _parameter_group(_RDS, "pg"),
    "aws:rds/clusterParameterGroup:ClusterParameterGroup": _parameter_group(_RDS, "cluster-pg"),
    "aws:rds/cluster:Cluster": ResourceType(
        "{clusterIdentifier}",
        {
            "arn": f"{_RDS}cluster:{{id}}",
            "availabilityZones": lambda facts: [f"{facts.region}{letter}" for letter in "abc"],
            "clusterMembers": lambda _facts: list[str](),
            "clusterResourceId": lambda facts: _resource_id("cluster-", facts),
            "endpoint": _rds_host("cluster-"),
            "engineVersionActual": lambda facts: facts.get("engineVersion"),
            "hostedZoneId": "Z2R2ITUGPM61AM",
            "masterUserSecrets": _managed_secret,
            "port": _database_port,
            "readerEndpoint": _rds_host("cluster-ro-"),
        },
        defaults={"engineMode": "provisioned", "backupRetentionPeriod": 1},
        naming=Naming("clusterIdentifier", 63, lowercase=True),
    ),
    "aws:rds/clusterInstance:ClusterInstance": ResourceType(
        "{identifier}",
        {
            "arn": f"{_RDS}db:{{id}}",
            "availabilityZone": "{region}a",
            "dbiResourceId": lambda facts: _resource_id("db-", facts),
            "endpoint": _rds_host(""),
            "engineVersionActual": lambda facts: facts.get("engineVersion"),
            "port": _database_port,
            "storageEncrypted": lambda _facts: True,
            "writer": lambda _facts: True,
        },
        defaults={"promotionTier": 0, "monitoringInterval": 0},
        naming=Naming("identifier", 63, lowercase=True),
    ),
    "aws:rds/instance:Instance": ResourceType(
        lambda facts: _resource_id("db-", facts),
        {
            "address": _instance_host,
            "arn": f"{_RDS}db:{{identifier}}",
            "availabilityZone": "{region}a",
            # Two that AWS may choose in us-east-1.
            "backupWindow": "03:00-03:30",
            "maintenanceWindow": "sun:03:40-sun:04:10",
            "endpoint": lambda facts: f"{_instance_host(facts)}:{_database_port(facts)}",
            "engineVersionActual": lambda facts: facts.get("engineVersion"),
            "hostedZoneId": "Z2R2ITUGPM61AM",
            "masterUserSecrets": _managed_secret,
            "port": _database_port,
            "resourceId": "{id}",
            "status": "available",
        },
        defaults={"storageEncrypted": False, "multiAz": False, "publiclyAccessible": False},
        naming=Naming("identifier", 63, lowercase=True, separator=""),
    ),
    "aws:elasticache/subnetGroup:SubnetGroup": _subnet_group(_CACHE, "subnetgroup"),
    "aws:elasticache/parameterGroup:ParameterGroup": _parameter_group(_CACHE, "parametergroup"),
    "aws:elasticache/replicationGroup:ReplicationGroup": ResourceType(
        "{replicationGroupId}",
        {
            "arn": f"{_CACHE}replicationgroup:{{id}}",
            "clusterEnabled": _is_clustered,
            "configurationEndpointAddress": lambda facts: (
                _cache_host("clustercfg")(facts) if _is_clustered(facts) else ""
            ),
            "engineVersionActual": lambda facts: facts.get("engineVersion"),
            "memberClusters": _cache_members,
            "primaryEndpointAddress": lambda facts: (
                "" if _is_clustered(facts) else _cache_host("master")(facts)
            ),
            "readerEndpointAddress": lambda facts: (
                "" if _is_clustered(facts) else _cache_host("replica")(facts)
            ),
        },
        defaults={
            "engine": "redis",
            "port": 6379,
            "automaticFailoverEnabled": False,
            "multiAzEnabled": False,
        },
        naming=Naming("replicationGroupId", 40, lowercase=True),
    ),
}
