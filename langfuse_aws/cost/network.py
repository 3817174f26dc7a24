"""Prices ways in and out: NAT gateways, addresses, load balancers, HTTP APIs, web ACLs."""

from collections.abc import Iterator
from typing import Any, Final

from langfuse_aws.cost.charge import Charge, Context
from langfuse_aws.graph.model import Resource

VPC: Final = "awsx:ec2:Vpc"
SUBNET: Final = "aws:ec2/subnet:Subnet"
NAT_GATEWAY: Final = "aws:ec2/natGateway:NatGateway"
CONNECTIONS_PER_UNIT: Final = 25 * 3600
"""New connections of an hour that one capacity unit has room for, beside 1 GB.
https://aws.amazon.com/elasticloadbalancing/pricing/"""


def nat_gateway(_: Resource, context: Context) -> Iterator[Charge]:
    """One gateway, and its share of what passes."""
    yield context.by_hour("NAT gateway", "NAT gateway")
    # S3 has an endpoint of its own; what web and worker log goes this way.
    gigabytes = 2 * context.usage.log_gb / len(context.graph.of_type(NAT_GATEWAY))
    yield from context.by_use("NAT gateway, data", "NAT gateway data", gigabytes, "GB")


def endpoint(resource: Resource, context: Context) -> Iterator[Charge]:
    """An interface endpoint, by the zones that it is in; a gateway is free.

    What passes is not in it: nobody knows how much of it goes to which endpoint.
    """
    if resource.inputs.get("vpcEndpointType") == "Interface":
        zones = subnets_of(resource, "subnetIds", context)
        yield context.by_hour("Interface endpoint", "Interface endpoint", zones)


def address(_: Resource, context: Context) -> Iterator[Charge]:
    """An Elastic IP."""
    yield context.addresses(1)


def load_balancer(resource: Resource, context: Context) -> Iterator[Charge]:
    """A load balancer, its addresses if it faces the internet, and its capacity units."""
    yield context.by_hour("Application Load Balancer", "Application Load Balancer")
    if not resource.inputs.get("internal"):
        yield context.addresses(zones_of(resource, context))
    usage = context.usage
    units = max(usage.received_gb, usage.requests / CONNECTIONS_PER_UNIT)
    yield from context.by_use("Capacity units", "Load balancer capacity unit", units, "LCU-hours")


def zones_of(resource: Resource, context: Context) -> int:
    """Count a load balancer's subnets: it has an address in each."""
    return subnets_of(resource, "subnets", context)


def subnets_of(resource: Resource, key: str, context: Context) -> int:
    """Count the subnets that a property has, which may be those of the stack's own VPC."""
    subnets: Any = resource.inputs.get(key)
    if isinstance(subnets, list):
        return len(subnets)  # pyright: ignore[reportUnknownArgumentType]
    if known := context.graph.origins(resource, key, SUBNET):
        return len(known)
    (made,) = context.graph.origins(resource, key, VPC)
    return len(made.inputs["availabilityZoneNames"])


def http_api(_: Resource, context: Context) -> Iterator[Charge]:
    """Requests to an HTTP API; one is metered by 512 KB."""
    requests = context.usage.requests / 1e6
    yield from context.by_use("HTTP API requests", "HTTP API requests", requests, "million")


def web_acl(resource: Resource, context: Context) -> Iterator[Charge]:
    """A web ACL, its rules, a group of AWS's being one, and the requests that it looks at."""
    rules = len(resource.inputs.get("rules") or [])
    prices = "WAF web ACL", "WAF rule"
    acl, rule = (context.prices[price] for price in prices)
    arithmetic = f"{acl:g} + {rules} rules × {rule:g}"  # noqa: RUF001
    yield Charge("WAF", arithmetic, acl + rules * rule, prices)
    requests = context.usage.requests / 1e6
    yield from context.by_use("WAF requests", "WAF requests", requests, "million")


def hosted_zone(_: Resource, context: Context) -> Iterator[Charge]:
    """The private zone of a Cloud Map namespace."""
    yield context.by_month("Private DNS zone", "Cloud Map private zone", 1)
