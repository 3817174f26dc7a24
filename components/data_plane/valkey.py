"""Creates the cache and queue: ElastiCache for Valkey, node-based, cluster mode off.

Its version is in `langfuse_aws/settings/versions.py`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_aws as aws

from langfuse_aws.components.protection.snapshots import final_snapshot_name
from langfuse_aws.components.shared.metrics import MetricDimensions
from langfuse_aws.components.shared.names import CACHE_SNAPSHOT_LIMIT
from langfuse_aws.components.shared.security_groups import IngressRule, security_group
from langfuse_aws.components.shared.stored_secret import (
    SecretReference,
    StoredSecret,
    StoredSecretArgs,
    external_password,
)
from langfuse_aws.components.shared.versioned_password import versioned_password
from langfuse_aws.contract.ports_and_health import REDIS_PORT
from langfuse_aws.settings.external_stores import ExternalRedis
from langfuse_aws.settings.rotation import Rotated
from langfuse_aws.settings.stores import ElastiCacheRedis
from langfuse_aws.settings.versions import VALKEY

TOKEN_LENGTH: Final = 64


@dataclass(frozen=True)
class RedisArgs:
    """What the cache is made from."""

    settings: ElastiCacheRedis | ExternalRedis
    vpc_id: pulumi.Input[str]
    subnet_ids: pulumi.Input[Sequence[str]]
    protected: bool
    replaceable: bool
    """Whether this update may replace the cache."""
    password: pulumi.Output[str] | None
    """Of an external cache."""
    rotation: Rotated


class Redis(pulumi.ComponentResource):
    """The replication group, its security group and its token."""

    host: pulumi.Output[str]
    """Name of the primary."""
    port: int
    tls: bool
    password: SecretReference
    """The AUTH token."""
    ingress_rules: dict[str, IngressRule]
    """Where consumers are let in."""
    metric_dimensions: MetricDimensions
    """What CloudWatch calls the nodes; nothing if the cache is external."""

    def __init__(
        self, name: str, args: RedisArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("langfuse:index:Redis", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        if isinstance(args.settings, ExternalRedis):
            self._adopt(name, args.settings, args, child)
        else:
            self._create(name, args.settings, args, child)
        self.register_outputs({"host": self.host})

    def _adopt(
        self, name: str, settings: ExternalRedis, args: RedisArgs, child: pulumi.ResourceOptions
    ) -> None:
        self.host = pulumi.Output.from_input(settings.host)
        self.port, self.tls, self.ingress_rules = settings.port, settings.tls, {}
        self.metric_dimensions = {}
        self.password = external_password(name, "token", args.password, args.protected, child)

    def _create(
        self,
        name: str,
        settings: ElastiCacheRedis,
        args: RedisArgs,
        child: pulumi.ResourceOptions,
    ) -> None:
        kept = pulumi.ResourceOptions(parent=self, protect=args.protected)
        group = security_group(name, "Valkey", args.vpc_id, opts=child)
        self.port, self.tls = REDIS_PORT, True
        self.ingress_rules = {"redis": IngressRule(group.id, REDIS_PORT)}
        token = versioned_password(
            f"{name}-token", "token", args.rotation.version, TOKEN_LENGTH, kept
        )
        secret = StoredSecret(
            f"{name}-credentials",
            StoredSecretArgs("Valkey", token.values, args.protected),
            child,
        )
        self.password = secret.reference(token.key)
        subnets = aws.elasticache.SubnetGroup(name, subnet_ids=args.subnet_ids, opts=child)
        parameters = aws.elasticache.ParameterGroup(
            name,
            family=f"valkey{VALKEY.partition('.')[0]}",
            # BullMQ loses jobs when keys are evicted; every default group of AWS's evicts.
            parameters=[{"name": "maxmemory-policy", "value": "noeviction"}],
            opts=child,
        )
        snapshot = final_snapshot_name(
            name, replaceable=args.replaceable, opts=child, longest=CACHE_SNAPSHOT_LIMIT
        )
        replicated = settings.replicas > 0
        cache = aws.elasticache.ReplicationGroup(
            name,
            description=f"Queue and cache of {name}",
            engine="valkey",
            engine_version=VALKEY,
            node_type=settings.node_type,
            num_cache_clusters=1 + settings.replicas,
            automatic_failover_enabled=replicated,
            multi_az_enabled=replicated,
            port=REDIS_PORT,
            parameter_group_name=parameters.name,
            subnet_group_name=subnets.name,
            security_group_ids=[group.id],
            at_rest_encryption_enabled=True,
            transit_encryption_enabled=True,
            transit_encryption_mode="required",
            auth_token=token.current,
            auth_token_update_strategy=_strategy(args.rotation),
            snapshot_retention_limit=1,
            final_snapshot_identifier=snapshot if args.protected else None,
            apply_immediately=True,
            opts=kept,
        )
        self.host = cache.primary_endpoint_address
        # AWS names a group's nodes so. The provider's own list is the old one while it changes.
        self.metric_dimensions = {
            "caches": [
                {"CacheClusterId": pulumi.Output.concat(cache.replication_group_id, f"-{node:03}")}
                for node in range(1, 2 + settings.replicas)
            ]
        }


def _strategy(rotation: Rotated) -> str | None:
    """Say whether ElastiCache takes the token before as well.

    Another strategy alone is sent as well, with the token that is there.
    https://github.com/hashicorp/terraform-provider-aws/blob/v6.58.0/internal/service/elasticache/replication_group.go
    https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/auth.html#auth-modifyng-token
    """
    if rotation.version == 1:
        return None
    return "ROTATE" if rotation.begun else "SET"
