"""`preflight` on interface endpoints, against a region whose offers are made up.

It proves what is said of a service that the region, or one of its zones, does not have. It does
not prove which regions have which.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import pytest

from langfuse_aws.automation.aws.answers import NewStack, Result
from langfuse_aws.automation.preflight import command
from langfuse_aws.automation.preflight.endpoints import SERVICES, check_endpoints
from langfuse_aws.settings.closed_network import endpoint_services
from langfuse_aws.settings.zones import Zone
from tests.unit.aws_account import DEPLOYER, NO_DNS, Account

ZONES: Final = ["eu-west-1a", "eu-west-1b"]


class Region:
    """EC2 as it tells its endpoint services."""

    def __init__(self, offers: Mapping[str, list[str]]) -> None:
        self.offers = offers

    def describe_vpc_endpoint_services(self, Filters: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803
        """Those that were asked for, and S3's gateway of the same name as an interface."""
        (names,) = Filters
        return {
            "ServiceDetails": [
                {
                    "ServiceName": f"com.amazonaws.eu-west-1.{service}",
                    "ServiceType": [{"ServiceType": "Interface"}],
                    "AvailabilityZones": zones,
                }
                for service, zones in self.offers.items()
                if f"com.amazonaws.eu-west-1.{service}" in names["Values"]
            ]
        }


def two_zones(_: NewStack) -> list[Zone]:
    return [Zone(name, name) for name in ZONES]


def test_each_endpoint_is_looked_for_in_the_region_and_in_the_zones_of_the_stack(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = {"egress": "endpoints", "endpoints": ["bedrock-runtime", "lambda"]}
    stack = account.stack("eu-west-1", network=network, images={"source": "mirror"})
    monkeypatch.setattr(
        "langfuse_aws.automation.preflight.endpoints.stack_zones",
        two_zones,
    )
    offers = dict.fromkeys(endpoint_services(stack.settings), ZONES)

    def said(offers: Mapping[str, list[str]]) -> list[Result]:
        def client(*_: str) -> Region:
            return Region(offers)

        return list(check_endpoints(replace(stack, aws=client)))

    assert said(offers) == [
        Result("endpoint services", "ok", "eu-west-1 has all 13, in eu-west-1a, eu-west-1b")
    ]
    lacking = {**offers, "monitoring": ["eu-west-1a"], "lambda": ["eu-west-1b"]}
    del lacking["ecs-agent"], lacking["bedrock-runtime"]
    assert said(lacking) == [
        Result(
            "endpoint services",
            "failed",
            "langfuse:network.endpoints: eu-west-1 has no interface endpoint of bedrock-runtime.",
            "Take bedrock-runtime out of langfuse:network.endpoints.",
        ),
        Result(
            "endpoint services",
            "failed",
            "langfuse:network.egress: eu-west-1 has no interface endpoint of ecs-agent.",
            "Choose another langfuse:network.egress, or another region.",
        ),
        Result(
            "endpoint services",
            "failed",
            "langfuse:network.endpoints: lambda has no interface endpoint in eu-west-1a, where the "
            "stack has a subnet.",
            "Lower langfuse:network.zones, which are 2, or: take lambda out of "
            "langfuse:network.endpoints.",
        ),
        Result(
            "endpoint services",
            "failed",
            "langfuse:network.egress: monitoring has no interface endpoint in eu-west-1b, where "
            "the stack has a subnet.",
            "Lower langfuse:network.zones, which are 2, or: choose another "
            "langfuse:network.egress, or another region.",
        ),
    ]


def test_only_a_closed_network_is_asked_about(account: Account) -> None:
    mirrored: dict[str, Any] = {"images": {"source": "mirror"}}
    for egress, asked in (("endpoints", True), ("natGateway", False), ("none", False)):
        stack = account.stack(network={"egress": egress}, **mirrored)
        checks = command.checks_of_account(stack, DEPLOYER, NO_DNS)
        names = {each.name for each in checks}
        assert (SERVICES in names) is asked, egress
