"""Checks of `preflight` on interface endpoints: does the region have each, in the stack's zones."""

from collections.abc import Iterator
from typing import Any, Final

from langfuse_aws.automation.aws.answers import NewStack, Result, failed, ok
from langfuse_aws.automation.preflight.zones import stack_zones
from langfuse_aws.settings.closed_network import endpoint_services
from langfuse_aws.settings.messages import sentence
from langfuse_aws.settings.network import CreatedNetwork

SERVICES: Final = "endpoint services"


def check_endpoints(stack: NewStack) -> Iterator[Result]:
    """Whether an endpoint of each service can be made in every private subnet."""
    prefix = f"com.amazonaws.{stack.region}."
    wanted = endpoint_services(stack.settings)
    names = {"Name": "service-name", "Values": [prefix + service for service in wanted]}
    found: list[dict[str, Any]] = stack.aws("ec2").describe_vpc_endpoint_services(Filters=[names])[
        "ServiceDetails"
    ]
    there = {
        each["ServiceName"].removeprefix(prefix): set(each["AvailabilityZones"])
        for each in found
        if any(kind["ServiceType"] == "Interface" for kind in each["ServiceType"])
    }
    zones = [zone.name for zone in stack_zones(stack)]
    missing = [service for service in wanted if service not in there]
    for service in missing:
        yield failed(
            SERVICES,
            f"{_key(stack, service)}: {stack.region} has no interface endpoint of {service}.",
            sentence(_remedy(stack, service)),
        )
    for service in sorted(there):
        lacking = [zone for zone in zones if zone not in there[service]]
        if lacking:
            yield failed(
                SERVICES,
                f"{_key(stack, service)}: {service} has no interface endpoint in "
                f"{', '.join(lacking)}, where the stack has a subnet.",
                f"Lower langfuse:network.zones, which are {len(zones)}, or: "
                f"{_remedy(stack, service)}",
            )
            missing.append(service)
    if not missing:
        yield ok(SERVICES, f"{stack.region} has all {len(wanted)}, in {', '.join(zones)}")


def _is_own(stack: NewStack, service: str) -> bool:
    network = stack.settings.network
    return isinstance(network, CreatedNetwork) and service in network.endpoints


def _key(stack: NewStack, service: str) -> str:
    return f"langfuse:network.{'endpoints' if _is_own(stack, service) else 'egress'}"


def _remedy(stack: NewStack, service: str) -> str:
    if _is_own(stack, service):
        return f"take {service} out of langfuse:network.endpoints."
    return "choose another langfuse:network.egress, or another region."
