"""The VPC, its way out and its adoption: what is registered. Routes in a real VPC are not tried."""

from typing import Any

import pulumi
import pytest

from components.network import zone_names
from development.recorded_graph import on_mocks
from tests.unit.graph import Graph, build, shipped

ROUTE = "aws:ec2/route:Route"
NAT_STRATEGIES = {
    "none": "None",
    "natInstance": "None",
    "natGateway": "Single",
    "natGatewayPerZone": "OnePerAz",
}


def dev(network: dict[str, Any]) -> dict[str, Any]:
    return {"size": "dev", "network": network}


SHIPPED = {"none": "dev", "natInstance": "staging", "natGatewayPerZone": "prod"}


def with_egress(egress: str) -> Graph:
    if egress in SHIPPED:
        return shipped(SHIPPED[egress])
    return build("dev", dev({"egress": egress, "zones": 4}))


@pytest.mark.parametrize(("egress", "strategy"), NAT_STRATEGIES.items())
def test_each_way_out_asks_awsx_for_its_number_of_nat_gateways(egress: str, strategy: str) -> None:
    vpc = with_egress(egress).one("awsx:ec2:Vpc")
    assert vpc.inputs["natGateways"] == {"strategy": strategy}, (
        "a flag that is read the wrong way round once made three gateways of one "
        "(langfuse-terraform-aws vpc.tf:24)"
    )
    assert vpc.inputs["subnetStrategy"] == "Auto", "awsx's default changes with its next major"


def test_only_egress_none_puts_tasks_in_public_subnets() -> None:
    for egress in NAT_STRATEGIES:
        graph = with_egress(egress)
        subnets = graph.one("awsx:ec2:Vpc").outputs
        for service in graph.of_type("aws:ecs/service:Service"):
            network = service.inputs["networkConfiguration"]
            wanted = subnets["publicSubnetIds" if egress == "none" else "privateSubnetIds"]
            assert set(network["subnets"]) <= set(wanted), f"{service.name} with egress {egress}"
            if "assignPublicIp" in network:
                assert network["assignPublicIp"] is (egress == "none"), service.name


def test_stores_are_in_private_subnets_whatever_the_way_out() -> None:
    for egress in NAT_STRATEGIES:
        graph = with_egress(egress)
        private = graph.one("awsx:ec2:Vpc").outputs["privateSubnetIds"]
        for token in ("aws:rds/subnetGroup:SubnetGroup", "aws:elasticache/subnetGroup:SubnetGroup"):
            assert graph.one(token).inputs["subnetIds"] == private, f"{token} with egress {egress}"


def test_the_subnets_of_a_zone_stay_when_zones_are_added() -> None:
    def blocks(graph: Graph) -> list[list[str]]:
        return [spec["cidrBlocks"] for spec in graph.one("awsx:ec2:Vpc").inputs["subnetSpecs"]]

    four = with_egress("natGateway")
    assert [len(each) for each in blocks(shipped("dev"))] == [2, 2]
    for fewer, more in zip(blocks(shipped("dev")), blocks(four), strict=True):
        assert more[:2] == fewer, "a moved subnet would replace the database's subnet group"


def test_a_zone_without_vpc_links_is_not_used() -> None:
    zones = (
        build("dev", dev({"egress": "natGateway", "zones": 4}))
        .one("awsx:ec2:Vpc")
        .inputs["availabilityZoneNames"]
    )
    assert zones == ["us-east-1a", "us-east-1b", "us-east-1d", "us-east-1e"], "c is use1-az3 here"
    tokyo: list[str] = []

    def program() -> None:
        tokyo.extend(zone_names(3, pulumi.ComponentResource("langfuse:index:Network", "network")))

    on_mocks("dev", "ap-northeast-1", program)
    assert tokyo == [
        "ap-northeast-1a",
        "ap-northeast-1c",
        "ap-northeast-1d",
    ], "fixed letters such as us-east-1a to c do not exist everywhere (tubone24 variables.tf:19)"


def test_too_few_zones_in_the_region_is_one_clear_error() -> None:
    with pytest.raises(pulumi.RunError, match=r"langfuse:network.zones: 4: this region has 3"):
        build("dev", dev({"zones": 4}), region="ap-northeast-1")


@pytest.mark.parametrize("stack", ["dev", "staging", "prod"])
def test_the_s3_gateway_endpoint_serves_every_subnet(stack: str) -> None:
    graph = shipped(stack)
    endpoint = graph.one("aws:ec2/vpcEndpoint:VpcEndpoint").inputs
    subnets = graph.one("awsx:ec2:Vpc").outputs
    count = len(subnets["publicSubnetIds"]) + len(subnets["privateSubnetIds"])
    assert endpoint["vpcEndpointType"] == "Gateway"
    assert endpoint["serviceName"] == "com.amazonaws.us-east-1.s3"
    assert len(set(endpoint["routeTableIds"])) == count, (
        "without it every event and image pays for NAT (langfuse-with-aws-cdk stack.ts:65)"
    )


@pytest.mark.parametrize("stack", ["dev", "staging", "prod"])
def test_the_default_security_group_is_closed(stack: str) -> None:
    group = shipped(stack).one("aws:ec2/defaultSecurityGroup:DefaultSecurityGroup").inputs
    assert (group["ingress"], group["egress"]) == ([], [])


def test_the_nat_instance_routes_every_private_subnet_and_forwards() -> None:
    graph = shipped("staging")
    instance = graph.one("aws:ec2/instance:Instance")
    routes = graph.of_type(ROUTE)
    assert instance.inputs["sourceDestCheck"] is False, "AWS drops what it forwards otherwise"
    assert instance.inputs["metadataOptions"]["httpTokens"] == "required"
    assert instance.inputs["metadataOptions"]["httpPutResponseHopLimit"] == 1
    assert graph.options_of(instance).ignore_changes == {"ami"}
    assert len({route.inputs["routeTableId"] for route in routes}) == 2
    assert {route.inputs["networkInterfaceId"] for route in routes} == {
        instance.outputs["primaryNetworkInterfaceId"]
    }


def test_flow_logs_are_made_only_when_asked_for() -> None:
    assert shipped("prod").one("aws:ec2/flowLog:FlowLog").inputs["trafficType"] == "ALL"
    assert shipped("dev").of_type("aws:ec2/flowLog:FlowLog") == []


VPC_ID = "vpc-0123456789abcdef0"
ADOPTED: dict[str, Any] = {
    "vpcId": VPC_ID,
    "privateSubnetIds": ["subnet-00000000000000001", "subnet-00000000000000002"],
    "publicSubnetIds": ["subnet-00000000000000004", "subnet-00000000000000005"],
}


def test_an_adopted_vpc_is_used_and_nothing_of_it_is_made() -> None:
    graph = build("dev", dev(ADOPTED))
    for token in (
        "awsx:ec2:Vpc",
        "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup",
        "aws:ec2/vpcEndpoint:VpcEndpoint",
        ROUTE,
    ):
        assert graph.of_type(token) == [], f"{token} is the owner's business"
    service = graph.one("aws:ecs/service:Service", "langfuse-dev-web")
    network = service.inputs["networkConfiguration"]
    assert network["subnets"] == ADOPTED["privateSubnetIds"]
    assert network["assignPublicIp"] is False
    groups = graph.of_type("aws:ec2/securityGroup:SecurityGroup")
    assert {group.inputs["vpcId"] for group in groups} == {VPC_ID}
    volume = graph.one("aws:ebs/volume:Volume").inputs
    assert volume["availabilityZone"] == "us-east-1b", "the first private subnet's"
    stash = graph.one("pulumi:index:Stash", "langfuse-dev-network").inputs
    assert stash == {
        "input": {
            "network.vpcId": VPC_ID,
            "network.privateSubnetIds": sorted(ADOPTED["privateSubnetIds"]),
        }
    }, "stores cannot follow into another VPC, or into other subnets"


def test_adopted_subnets_of_one_zone_are_refused() -> None:
    one_zone = ["subnet-00000000000000001", "subnet-00000000000000004"]
    with pytest.raises(pulumi.RunError, match=r"langfuse:network.privateSubnetIds: all in us-e"):
        build("dev", dev({**ADOPTED, "privateSubnetIds": one_zone}))


def test_adopted_subnets_of_another_vpc_are_refused() -> None:
    with pytest.raises(pulumi.RunError, match=r"subnet-0\d+.* not in vpc-0fffffffffffffff0"):
        build("dev", dev({**ADOPTED, "vpcId": "vpc-0fffffffffffffff0"}))
