"""The VPC, its way out and its adoption: what is registered. Routes in a real VPC are not tried."""

import re
from collections.abc import Mapping
from functools import cache
from itertools import permutations, product
from typing import Any, Final

import pulumi
import pulumi_awsx as awsx
import pytest

from development.recorded_graph import on_mocks, recorded
from langfuse_aws.components.network.network import (
    Network,
    NetworkArgs,
    first_zones,
    within,
    without_addresses,
)
from langfuse_aws.components.protection.replacement_guard import ReplacementGuard
from langfuse_aws.components.shared.location import Location
from langfuse_aws.cost.bill import bill
from langfuse_aws.offline import invokes
from langfuse_aws.offline.facts import DEFAULT_REGION
from langfuse_aws.offline.invokes import EXISTING_VPC_ID
from langfuse_aws.settings.closed_network import endpoint_services
from langfuse_aws.settings.loading import SettingsError, load
from langfuse_aws.settings.network import CreatedNetwork
from langfuse_aws.settings.partitions import missing_services
from langfuse_aws.settings.sizing import SIZING
from langfuse_aws.settings.zones import UNFIT_ZONES, VPC_LINK_ZONES
from tests.image_lock import locked
from tests.unit.components.test_app_runner import APP_RUNNER
from tests.unit.settings.test_external_stores import EXTERNAL
from tests.unit.stack_graph import ROOT, Graph, build, shipped, unshared
from tests.unit.stacks_of_all import STACKS, graphs

ROUTE = "aws:ec2/route:Route"
EGRESS_RULE = "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"
EGRESS = ("none", "natInstance", "natGateway", "natGatewayPerZone", "endpoints")
WITHOUT_ROUTE = ("none", "endpoints")
GATEWAY = "aws:ec2/natGateway:NatGateway"


DOMAIN = "langfuse.example.com"


def dev(network: dict[str, Any]) -> dict[str, Any]:
    return {"size": "dev", "network": network}


SHIPPED = {"none": "dev", "natInstance": "staging", "natGatewayPerZone": "prod"}


def with_egress(egress: str) -> Graph:
    if egress in SHIPPED:
        return shipped(SHIPPED[egress])
    if egress == "endpoints":
        return graphs()["closed"]
    return build("dev", dev({"egress": egress, "zones": 4}))


@pytest.mark.parametrize(
    ("egress", "gateways"),
    [("none", 0), ("natInstance", 0), ("natGateway", 1), ("natGatewayPerZone", 3)],
)
def test_each_way_out_has_its_number_of_nat_gateways(egress: str, gateways: int) -> None:
    graph = with_egress(egress)
    vpc = graph.one("awsx:ec2:Vpc")
    assert len(graph.of_type(GATEWAY)) == gateways, (
        "a flag that is read the wrong way round once made three gateways of one "
        "(langfuse-terraform-aws vpc.tf:24)"
    )
    assert vpc.inputs["natGateways"] == {"strategy": "None"}, "awsx would add routes of its own"
    assert vpc.inputs["subnetStrategy"] == "Auto", "awsx's default changes with its next major"


@cache
def default_routes(egress: str, zones: int) -> dict[tuple[str, str], tuple[str, str]]:
    """The URN and the target of every default route of a network, by its table and destination."""

    def program() -> None:
        settings = CreatedNetwork.model_validate(
            {**SIZING["dev"]["network"], "egress": egress, "zones": zones}
        )
        guard = ReplacementGuard("network", ())
        args = NetworkArgs(settings, Location.current(), 30, guard)
        Network("network", args, guard.options(None))

    run = on_mocks("dev", DEFAULT_REGION, program)
    urns = {each.name: urn for urn, each in run.monitor.requests.items() if each.type == ROUTE}
    routes: dict[tuple[str, str], tuple[str, str]] = {}
    for route in run.mocks.of_type(ROUTE):
        given = dict(route.inputs)
        key = given.pop("routeTableId"), given.pop("destinationCidrBlock")
        assert key not in routes, f"AWS refuses a second route: RouteAlreadyExists, {key}"
        (target,) = [value for name, value in given.items() if name != "region"]
        routes[key] = urns[route.name], target
    return routes


def test_what_is_within_a_component_has_a_urn_of_its_types_and_its_name() -> None:
    found: list[str] = []

    def program() -> pulumi.Output[None]:
        network = pulumi.ComponentResource("langfuse:index:Network", "network")
        return within(network, "awsx:ec2:Vpc", "aws:ec2/vpc:Vpc").apply(found.append)

    on_mocks("dev", DEFAULT_REGION, program)
    # Mocks name the stack among the types.
    above = "urn:pulumi:dev::langfuse::pulumi:pulumi:Stack$langfuse:index:Network"
    assert found == [f"{above}$awsx:ec2:Vpc$aws:ec2/vpc:Vpc::network"]


def test_a_subnet_keeps_its_options_when_it_gives_out_no_addresses() -> None:
    options = pulumi.ResourceOptions(protect=True)
    args = pulumi.ResourceTransformArgs(
        custom=True,
        type_="aws:ec2/subnet:Subnet",
        name="network-public-1",
        props={"cidrBlock": "10.0.0.0/20", "mapPublicIpOnLaunch": True},
        opts=options,
    )
    found = without_addresses(args)
    assert found is not None
    assert found.props == {"cidrBlock": "10.0.0.0/20", "mapPublicIpOnLaunch": False}
    assert found.opts is options
    role = pulumi.ResourceTransformArgs(True, "aws:iam/role:Role", "role", {}, options)
    assert without_addresses(role) is None


def test_a_vpc_has_its_subnets_give_out_no_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Mocks run no transform."""
    asked: list[pulumi.ResourceOptions] = []
    vpc = awsx.ec2.Vpc

    def heard(*args: Any, opts: pulumi.ResourceOptions, **inputs: Any) -> awsx.ec2.Vpc:
        asked.append(opts)
        return vpc(*args, opts=opts, **inputs)

    monkeypatch.setattr(awsx.ec2, "Vpc", heard)
    default_routes.__wrapped__("natGateway", 2)
    assert [each.transforms for each in asked] == [[without_addresses]]


def test_each_private_subnet_has_a_route_out_of_its_own() -> None:
    for egress, zones in product(EGRESS, (2, 4)):
        routes = default_routes(egress, zones)
        assert len(routes) == (0 if egress in WITHOUT_ROUTE else zones), (egress, zones)
        assert len({urn for urn, _ in routes.values()}) == len(routes), (egress, zones)


def test_a_change_of_the_way_out_gives_each_route_another_target_and_makes_none_anew() -> None:
    changes = product(permutations(EGRESS, 2), ((2, 2), (2, 4), (4, 2)))
    for (before, after), (zones, then) in changes:
        old, new = default_routes(before, zones), default_routes(after, then)
        for key in old.keys() & new.keys():
            assert old[key][0] == new[key][0], (
                f"{before} to {after}: {key} would be made before the old one is deleted"
            )
        if not {before, after} & {*WITHOUT_ROUTE}:
            assert len(old.keys() & new.keys()) == min(zones, then), (before, after)


def test_private_subnets_lead_to_their_own_zones_gateway_or_to_the_only_one() -> None:
    for egress, gateways in (("natGateway", 1), ("natGatewayPerZone", 4)):
        graph = build("dev", dev({"egress": egress, "zones": 4}))
        found = sorted(graph.of_type(GATEWAY), key=lambda gateway: gateway.name)
        made = [gateway.id for gateway in found]
        routes = sorted(graph.of_type(ROUTE), key=lambda route: route.name)
        assert [route.inputs["natGatewayId"] for route in routes] == (made * 4)[:4]
        subnets = graph.one("awsx:ec2:Vpc").outputs["publicSubnetIds"]
        assert [each.inputs["subnetId"] for each in found] == subnets[:gateways]
        addresses = graph.of_type("aws:ec2/eip:Eip")
        named = {address.id for address in addresses}
        assert {each.inputs["allocationId"] for each in found} == named, "one each"
        assert {each.inputs["domain"] for each in addresses} == {"vpc"}


def test_only_egress_none_puts_tasks_in_public_subnets() -> None:
    for egress in EGRESS:
        graph = with_egress(egress)
        subnets = graph.one("awsx:ec2:Vpc").outputs
        for service in graph.of_type("aws:ecs/service:Service"):
            network = service.inputs["networkConfiguration"]
            wanted = subnets["publicSubnetIds" if egress == "none" else "privateSubnetIds"]
            assert set(network["subnets"]) <= set(wanted), f"{service.name} with egress {egress}"
            if "assignPublicIp" in network:
                assert network["assignPublicIp"] is (egress == "none"), service.name


def test_stores_are_in_private_subnets_whatever_the_way_out() -> None:
    for egress in EGRESS:
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


def test_an_old_zone_is_not_used() -> None:
    zones = (
        build("dev", dev({"egress": "natGateway", "zones": 4}))
        .one("awsx:ec2:Vpc")
        .inputs["availabilityZoneNames"]
    )
    assert zones == ["us-east-1a", "us-east-1b", "us-east-1d", "us-east-1e"], "c is use1-az3 here"
    tokyo: list[str] = []

    def program() -> None:
        network = pulumi.ComponentResource("langfuse:index:Network", "network")
        tokyo.extend(zone.name for zone in first_zones(3, network))

    on_mocks("dev", "ap-northeast-1", program)
    assert tokyo == [
        "ap-northeast-1a",
        "ap-northeast-1c",
        "ap-northeast-1d",
    ], "fixed letters such as us-east-1a to c do not exist everywhere (tubone24 variables.tf:19)"


def test_a_zone_without_fargate_is_not_used() -> None:
    """A task's subnet there is refused: Beijing's third zone has none, and its others do."""
    with pytest.raises(pulumi.RunError, match=r"this region has 2 .*\(cn-north-1a, cn-north-1b\)"):
        build("dev", dev({"zones": 3}), region="cn-north-1")


VPC_LINK: Final = "aws:apigatewayv2/vpcLink:VpcLink"
OF_PARIS: Final = ["eu-west-3a", "eu-west-3b", "eu-west-3c"]


def link_zones(graph: Graph, *, public: bool) -> list[str]:
    """The zones of the VPC link's subnets, which are subnets of tasks."""
    vpc = graph.one("awsx:ec2:Vpc")
    subnets = vpc.outputs["publicSubnetIds" if public else "privateSubnetIds"]
    linked = graph.one(VPC_LINK).inputs["subnetIds"]
    assert set(linked) <= set(subnets)
    names = vpc.inputs["availabilityZoneNames"]
    return [name for name, subnet in zip(names, subnets, strict=True) if subnet in linked]


@pytest.mark.parametrize("egress", ["none", "natGateway"])
def test_a_vpc_link_is_in_no_zone_that_takes_none(egress: str) -> None:
    graph = build("dev", dev({"egress": egress, "zones": 3}), region="eu-west-3")
    assert graph.one("awsx:ec2:Vpc").inputs["availabilityZoneNames"] == OF_PARIS
    assert link_zones(graph, public=egress == "none") == ["eu-west-3a", "eu-west-3c"], (
        "b is euw3-az2: API Gateway refuses a subnet there"
    )


def test_another_ingress_moves_no_subnet() -> None:
    config = {**dev({"egress": "none", "zones": 2}), "domain": "langfuse.example.com"}
    for kind in ("alb", "apiGateway"):
        graph = build("dev", {**config, "ingress": {"kind": kind}}, region="eu-west-3")
        assert graph.one("awsx:ec2:Vpc").inputs["availabilityZoneNames"] == OF_PARIS[:2], kind


@pytest.mark.parametrize("region", ["us-east-1", "mx-central-1"])
def test_a_vpc_link_is_in_every_zone_that_may_take_one(region: str) -> None:
    graph = build("dev", dev({"egress": "none", "zones": 3}), region=region)
    names = graph.one("awsx:ec2:Vpc").inputs["availabilityZoneNames"]
    assert link_zones(graph, public=True) == names


def adopted(*numbers: int) -> dict[str, Any]:
    """Subnets of an adopted network; the last digit says the zone."""
    ids = [f"subnet-0123456{number}" for number in numbers]
    subnets = {"privateSubnetIds": ids, "publicSubnetIds": ids}
    return dev({"vpcId": EXISTING_VPC_ID, **subnets})


def test_a_vpc_link_is_in_those_adopted_subnets_that_may_take_one() -> None:
    graph = build("dev", adopted(0, 1), region="eu-west-3")
    assert graph.one(VPC_LINK).inputs["subnetIds"] == ["subnet-01234560"]


def test_an_api_without_a_zone_for_its_vpc_link_is_one_clear_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("langfuse_aws.settings.zones.VPC_LINK_ZONES", {"eu-west-3": "euw3-az3"})
    monkeypatch.setattr(
        "langfuse_aws.components.network.network.VPC_LINK_ZONES", {"eu-west-3": "euw3-az3"}
    )
    with unshared(), pytest.raises(pulumi.RunError) as refused:
        build("dev", adopted(0, 1), region="eu-west-3")
    assert str(refused.value) == (
        "langfuse:ingress.kind: apiGateway: API Gateway has no VPC links in eu-west-3a (euw3-az1), "
        "eu-west-3b (euw3-az2), but in euw3-az3. List a subnet of one of these, or set "
        "ingress.kind to alb, with a domain."
    )


def test_no_old_zone_takes_vpc_links() -> None:
    listed = {each for found in VPC_LINK_ZONES.values() for each in found.split()}
    assert not listed & {*UNFIT_ZONES}


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
    vpc = shipped(stack).one("awsx:ec2:Vpc").outputs["vpcId"]
    name = f"langfuse-{stack}-default-closed"
    assert group == {"vpcId": vpc, "ingress": [], "egress": [], "tags": {"Name": name}}


@pytest.mark.parametrize("stack", ["dev", "staging", "prod"])
def test_a_group_can_be_deleted_whoever_has_added_rules_to_it(stack: str) -> None:
    groups = shipped(stack).of_type("aws:ec2/securityGroup:SecurityGroup")
    assert groups
    for group in groups:
        assert group.inputs["revokeRulesOnDelete"] is True, (
            f"{group.name}: AWS deletes no group that another one's rule names, so a rule that "
            "somebody added would end a destroy half-way: https://registry.terraform.io/providers/"
            "hashicorp/aws/latest/docs/resources/emr_cluster"
        )


def test_a_vpc_is_of_the_networks_own_block_and_resolves_names() -> None:
    config = {"size": "dev", "network": {"cidr": "10.9.0.0/16"}}
    inputs = build("dev", config).one("awsx:ec2:Vpc").inputs
    assert inputs == {
        "cidrBlock": "10.9.0.0/16",
        "availabilityZoneNames": ["us-east-1a", "us-east-1b"],
        "enableDnsHostnames": True,
        "enableDnsSupport": True,
        "natGateways": {"strategy": "None"},
        "subnetStrategy": "Auto",
        "subnetSpecs": [
            {"type": "Public", "cidrBlocks": ["10.9.32.0/19", "10.9.96.0/19"]},
            {"type": "Private", "cidrBlocks": ["10.9.0.0/19", "10.9.64.0/19"]},
        ],
    }


def test_flow_logs_are_made_only_when_asked_for() -> None:
    logged = shipped("prod").one("aws:ec2/flowLog:FlowLog")
    assert logged.inputs["vpcId"] == shipped("prod").one("awsx:ec2:Vpc").outputs["vpcId"]
    role = shipped("prod").one("aws:iam/role:Role", logged.name)
    assert logged.inputs["trafficType"] == "ALL"
    assert logged.inputs["iamRoleArn"] == role.outputs["arn"], "it writes to no log without one"
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


@pytest.mark.parametrize("missing", ["enableDnsHostnames", "enableDnsSupport"])
def test_a_vpc_in_which_clickhouse_s_name_would_not_resolve_is_refused(missing: str) -> None:
    usual = invokes.DATA_SOURCES["aws:ec2/getVpc"]

    def without(arguments: Mapping[str, Any], region: str) -> dict[str, Any]:
        return {**usual(arguments, region), missing: False}

    with pytest.MonkeyPatch.context() as patch, unshared():
        patch.setitem(invokes.DATA_SOURCES, "aws:ec2/getVpc", without)
        with pytest.raises(pulumi.RunError, match=f"{VPC_ID} has {missing} off, and ClickHouse"):
            build("dev", dev(ADOPTED))
        external = {"clickhouse": EXTERNAL["clickhouse"], "clickhousePassword": "x"}
        build("dev", {**dev(ADOPTED), **external})


def resolving(*servers: str, options: str = "dopt-1") -> Graph:
    """A stack in a VPC whose DHCP options name these servers."""
    usual = invokes.DATA_SOURCES["aws:ec2/getVpc"]

    def vpc(arguments: Mapping[str, Any], region: str) -> dict[str, Any]:
        return {**usual(arguments, region), "dhcpOptionsId": options}

    def dhcp(arguments: Mapping[str, Any], region: str) -> dict[str, Any]:  # noqa: ARG001
        assert arguments == {"dhcpOptionsId": options}
        return {"id": options, "dhcpOptionsId": options, "domainNameServers": [*servers]}

    with pytest.MonkeyPatch.context() as patch, unshared():
        patch.setitem(invokes.DATA_SOURCES, "aws:ec2/getVpc", vpc)
        patch.setitem(invokes.DATA_SOURCES, "aws:ec2/getVpcDhcpOptions", dhcp)
        return build("dev", dev(ADOPTED))


def test_clickhouse_may_ask_the_name_servers_of_an_adopted_vpc() -> None:
    """A security group holds back what is for them, and nothing that is for Amazon's own.

    https://docs.aws.amazon.com/vpc/latest/userguide/vpc-security-groups.html
    """
    graph = resolving("10.9.0.53", "10.9.1.53", "fd00::53")
    service = graph.one("aws:ecs/service:Service", "langfuse-dev-clickhouse").inputs
    (group,) = service["networkConfiguration"]["securityGroups"]
    asked = {
        (rule.inputs["ipProtocol"], rule.inputs["cidrIpv4"])
        for rule in graph.of_type(EGRESS_RULE)
        if rule.inputs["securityGroupId"] == group and rule.inputs["fromPort"] == 53
    }
    assert asked == {
        (protocol, f"{server}/32")
        for protocol in ("tcp", "udp")
        for server in ("10.9.0.53", "10.9.1.53")
    }


def test_amazons_name_servers_need_no_rule() -> None:
    for graph in (resolving("AmazonProvidedDNS"), resolving(options="default")):
        ports = {rule.inputs.get("fromPort") for rule in graph.of_type(EGRESS_RULE)}
        assert 53 not in ports


ENDPOINT: Final = "aws:ec2/vpcEndpoint:VpcEndpoint"
CALLED_AS: Final = {"cloudwatch": "monitoring"}
"""Commands of AWS's CLI whose service has another name among endpoints."""


def interface_endpoints(graph: Graph) -> dict[str, dict[str, Any]]:
    """The inputs of each, by how its service's name ends."""
    prefix = "com.amazonaws.us-east-1."
    return {
        each.inputs["serviceName"].removeprefix(prefix): each.inputs
        for each in graph.of_type(ENDPOINT)
        if each.inputs["vpcEndpointType"] == "Interface"
    }


def test_a_closed_network_has_an_endpoint_in_each_private_subnet_and_no_other_way_out() -> None:
    graph = graphs()["closed"]
    subnets = graph.one("awsx:ec2:Vpc").outputs["privateSubnetIds"]
    group = graph.one("aws:ec2/securityGroup:SecurityGroup", "langfuse-platform-endpoints")
    for service, inputs in interface_endpoints(graph).items():
        assert inputs["subnetIds"] == subnets, service
        assert inputs["securityGroupIds"] == [group.id], service
        assert inputs["privateDnsEnabled"] is True, "or the SDKs would look for the public address"
    # Both, or it is not: https://docs.aws.amazon.com/vpc/latest/privatelink/interface-endpoints.html
    vpc = graph.one("awsx:ec2:Vpc").inputs
    assert (vpc["enableDnsSupport"], vpc["enableDnsHostnames"]) == (True, True)
    for token in (ROUTE, GATEWAY, "aws:ec2/eip:Eip", "aws:ec2/networkInterface:NetworkInterface"):
        assert graph.of_type(token) == [], token
    assert len(graph.of_type(ENDPOINT)) == len(interface_endpoints(graph)) + 1, "S3 has a gateway"


def test_endpoints_let_the_vpc_in_at_one_port_and_connect_to_nobody() -> None:
    graph = graphs()["closed"]
    entering = {each for each in graph.open_ports() if each[1] == "langfuse-platform-endpoints"}
    assert entering == {("10.0.0.0/16", "langfuse-platform-endpoints", 443)}
    group = graph.one("aws:ec2/securityGroup:SecurityGroup", "langfuse-platform-endpoints")
    leaving = graph.of_type("aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule")
    assert [each.name for each in leaving if each.inputs["securityGroupId"] == group.id] == []


def test_there_is_an_endpoint_of_every_service_that_the_instance_s_boot_script_calls() -> None:
    script = (ROOT / "components/clickhouse/user_data.sh").read_text("utf-8")
    called = set(re.findall(r"\baws ([a-z0-9-]+) [a-z]+-", script))
    assert called >= {"ec2", "cloudwatch", "logs", "servicediscovery"}, "the script names them"
    three = {"clickhouse": {"replicas": 3}, "network": {"egress": "endpoints", "zones": 3}}
    settings = load({"size": "prod", "domain": DOMAIN, "images": {"source": "mirror"}, **three})
    served = {*endpoint_services(settings)}
    assert {CALLED_AS.get(name, name) for name in called} - served == set()


def test_endpoints_follow_from_what_runs_in_the_vpc() -> None:
    of_tasks = {"ecr.api", "ecr.dkr", "logs", "secretsmanager"}
    of_instance = {"ec2", "ecs", "ecs-agent", "ecs-telemetry", "monitoring", "ssm", "ssmmessages"}
    external = {"mode": "external", "url": "https://h:8443", "migrationUrl": "clickhouse://h:9440"}
    without = {"clickhouse": external, "clickhousePassword": "x"}
    publishing = {"environment": {"ENABLE_AWS_CLOUDWATCH_METRIC_PUBLISHING": "true"}}
    cases: list[tuple[dict[str, Any], set[str]]] = [
        ({}, of_tasks | of_instance),
        (without, of_tasks),
        ({**without, "exec": True}, of_tasks | {"ssmmessages"}),
        ({**without, "worker": publishing}, of_tasks | {"monitoring"}),
        (
            {"clickhouse": {"replicas": 3}, "network": {"egress": "endpoints", "zones": 3}},
            of_tasks | of_instance | {"servicediscovery"},
        ),
        (
            {**without, "network": {"egress": "endpoints", "endpoints": ["lambda"]}},
            of_tasks | {"lambda"},
        ),
    ]
    for keys, services in cases:
        given = {"network": {"egress": "endpoints"}, "images": {"source": "mirror"}, **keys}
        assert endpoint_services(load({"size": "dev", **given})) == sorted(services), keys
    assert endpoint_services(load({"size": "dev"})) == []


def test_what_cannot_be_in_a_closed_network_is_told_in_one_line_each() -> None:
    with pytest.raises(SettingsError) as caught:
        load({"size": "dev", "network": {"egress": "endpoints"}, "grafana": {"enabled": True}})
    assert caught.value.problems == [
        "langfuse:grafana.enabled: true: Grafana gets its plugin for ClickHouse from grafana.com "
        "when it starts, and network.egress endpoints does not lead there. Remove it, or choose "
        "another network.egress.",
        'langfuse:images.source: "upstream": network.egress endpoints leads to no registry but '
        "ECR, which pulls nothing through for a VPC without a way out. Set it to mirror, or choose "
        "another network.egress.",
    ]
    with pytest.raises(SettingsError) as caught:
        load({"size": "dev", "network": {"endpoints": ["lambda"]}})
    assert caught.value.problems == [
        'langfuse:network.endpoints: ["lambda"]: exists only for network.egress endpoints. Remove '
        "it: any other way out leads to all of AWS."
    ]


def test_china_s_endpoints_are_refused() -> None:
    keys = {"network": {"egress": "endpoints"}, "images": {"source": "mirror"}}
    settings = load({"size": "dev", **keys})
    (line,) = missing_services(settings, "aws-cn")
    assert line[0].startswith("langfuse:network.egress: the endpoints of aws-cn have names of two")
    assert [*missing_services(settings, "aws-us-gov")] == []


def test_an_endpoint_costs_by_the_hour_and_zone_and_the_gateway_of_s3_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        "langfuse_aws.components.runtime.images.read_lock",
        lambda _: locked(APP_RUNNER),  # pyright: ignore
    )
    found = bill(recorded(*STACKS["closed"]), "us-east-1")
    lines = [line for line in found.lines if line.what == "Interface endpoint"]
    assert len(lines) == 12, "four of tasks, seven of the instance, and one of the user's"
    assert {line.arithmetic for line in lines} == {"2 × 0.01 × 730 h"}  # noqa: RUF001
    assert found.unpriced == ()
