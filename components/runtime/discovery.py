"""Makes Cloud Map services: private names that ECS keeps up to date."""

from typing import Final, Literal

import pulumi
import pulumi_aws as aws

from langfuse_aws.components.runtime.cluster import Cluster

DNS_TTL_SECONDS: Final = 10


def discovery_service(
    name: str,
    label: str,
    record: Literal["A", "SRV"],
    cluster: Cluster,
    *,
    opts: pulumi.ResourceOptions,
) -> aws.servicediscovery.Service:
    """Make the name `label` in the cluster's namespace; an SRV record carries the port as well."""
    return aws.servicediscovery.Service(
        name,
        name=label,
        dns_config={
            "namespace_id": cluster.namespace_id,
            "dns_records": [{"type": record, "ttl": DNS_TTL_SECONDS}],
            "routing_policy": "MULTIVALUE",
        },
        health_check_custom_config={"failure_threshold": 1},
        force_destroy=True,
        opts=opts,
    )
