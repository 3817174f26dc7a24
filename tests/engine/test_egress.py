"""Changes of `network.egress` in a running stack, under the real engine: the network alone.

AWS is the in-memory one, which refuses a second route for a destination in a table, as EC2 does.
It proves that each way out can follow each other one in one `up`, in which order, and what a NAT
instance that never forwards leaves behind. It does not prove that anything is forwarded.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise, permutations
from pathlib import Path
from typing import Any, Final

import pytest

from langfuse_aws.offline.account import Existing
from langfuse_aws.offline.provider import AwsProvider
from langfuse_aws.offline.serving import providers
from langfuse_aws.offline.wire import from_struct
from tests.small_program import SmallProgram

pytestmark = pytest.mark.running

ROOT: Final = Path(__file__).resolve().parents[2]
PROJECT: Final = "name: net\nruntime: python\n"
EGRESS: Final = ("none", "natInstance", "natGateway", "natGatewayPerZone", "endpoints")
WITHOUT_ROUTE: Final = ("none", "endpoints")
ROUTE: Final = "aws:ec2/route:Route"
GROUP: Final = "aws:autoscaling/group:Group"
GATEWAY: Final = "aws:ec2/natGateway:NatGateway"
ADDRESS: Final = "aws:ec2/eip:Eip"
ENDPOINT: Final = "aws:ec2/vpcEndpoint:VpcEndpoint"
SERVICE: Final = "aws:ecs/service:Service"

PROGRAM: Final = """\
import json, os
import pulumi, pulumi_aws as aws, pulumi_awsx as awsx
from langfuse_aws.components.network import nat_instance
from langfuse_aws.components.shared.location import Location
from langfuse_aws.components.network.network import Network, NetworkArgs
from langfuse_aws.components.protection.replacement_guard import ReplacementGuard
from langfuse_aws.settings.network import CreatedNetwork
from langfuse_aws.settings.sizing import DEV

wanted = json.loads(os.environ["WANTED"])
nat_instance.SWAP_MIB = wanted.pop("swap", nat_instance.SWAP_MIB)
given = {k: v for k, v in wanted.items() if k != "before"}
settings = CreatedNetwork.model_validate(DEV["network"] | given)
name = "net-dev"


class Before(pulumi.ComponentResource):
    # The network as it was while awsx made NAT gateways and their routes.

    def __init__(self) -> None:
        super().__init__("langfuse:index:Network", name)
        child = pulumi.ResourceOptions(parent=self)
        public, private = settings.subnet_blocks()
        strategies = awsx.ec2.NatGatewayStrategy
        vpc = awsx.ec2.Vpc(
            name,
            cidr_block=settings.cidr,
            availability_zone_names=["us-east-1a", "us-east-1b"],
            enable_dns_hostnames=True,
            enable_dns_support=True,
            nat_gateways=awsx.ec2.NatGatewayConfigurationArgs(
                strategy={
                    "natGateway": strategies.SINGLE, "natGatewayPerZone": strategies.ONE_PER_AZ
                }.get(settings.egress, strategies.NONE)
            ),
            subnet_strategy=awsx.ec2.SubnetAllocationStrategy.AUTO,
            subnet_specs=[
                awsx.ec2.SubnetSpecArgs(type=awsx.ec2.SubnetType.PUBLIC, cidr_blocks=public),
                awsx.ec2.SubnetSpecArgs(type=awsx.ec2.SubnetType.PRIVATE, cidr_blocks=private),
            ],
            opts=child,
        )
        if settings.egress == "natInstance":
            nat = pulumi.ComponentResource(
                "langfuse:index:NatInstance", f"{name}-nat", None, child
            )
            below = pulumi.ResourceOptions(parent=nat)
            instance = aws.ec2.Instance(
                f"{name}-nat", instance_type="t4g.nano", ami="ami-1",
                subnet_id=vpc.public_subnet_ids[0], opts=below,
            )
            for number in (1, 2):
                table = aws.ec2.get_route_table_output(
                    subnet_id=vpc.private_subnet_ids[number - 1]
                )
                aws.ec2.Route(
                    f"{name}-nat-{number}",
                    route_table_id=table.route_table_id,
                    destination_cidr_block="0.0.0.0/0",
                    network_interface_id=instance.primary_network_interface_id,
                    opts=below,
                )


if "before" in wanted:
    Before()
else:
    services = ["ecr.api", "logs"] if settings.egress == "endpoints" else []
    network = Network(
        name, NetworkArgs(settings, Location.current(), 7, ReplacementGuard("net", []), services)
    )
    aws.ecs.Service(
        "service",
        task_definition="task:1",
        network_configuration={"subnets": network.task_subnet_ids},
    )
"""


class NotingAws(AwsProvider):
    """Notes what is done, and tells a subnet's route table by what associates the two."""

    def __init__(self) -> None:
        super().__init__()
        self.done: list[tuple[str, str, str]] = []

    def Create(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Create."""
        if not request.preview:
            self._note("create", request)
        return super().Create(request, context)

    def Update(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Update."""
        if not request.preview:
            self._note("update", request)
        return super().Update(request, context)

    def Delete(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Delete."""
        self._note("delete", request)
        return super().Delete(request, context)

    def Invoke(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Answer a data source."""
        answer = super().Invoke(request, context)
        if request.tok == "aws:ec2/getRouteTable:getRouteTable":
            subnet = from_struct(request.args)["subnetId"]
            (table,) = [
                each.get("routeTableId")
                for each in self.there("aws:ec2/routeTableAssociation:RouteTableAssociation")
                if each.get("subnetId") == subnet
            ]
            getattr(answer, "return")["routeTableId"] = table
        return answer

    def _note(self, how: str, request: Any) -> None:
        """Remember it, but for awsx's routes of public subnets, which stay as they are."""
        if not (request.type == ROUTE and "-public-" in request.name):
            self.done.append((how, request.type, request.name))

    def there(self, token: str) -> list[Existing]:
        """What there is of a type."""
        return [each for account in self._accounts.values() for each in account.of_type(token)]

    def of(self, token: str) -> Counter[str]:
        """How often what was done with resources of a type since the last `up` began."""
        return Counter(how for how, kind, _ in self.done if kind == token)

    def at(self, how: str, token: str) -> int:
        """When something was done the first time, in the order of all."""
        return next(i for i, done in enumerate(self.done) if done[:2] == (how, token))


@dataclass(frozen=True)
class DeployedNetwork:
    """The network, in an AWS of its own."""

    aws: NotingAws
    program: SmallProgram

    def up(self, egress: str, **more: Any) -> None:
        """Bring it to a way out."""
        self.aws.done.clear()
        self.program.up(egress=egress, **more)

    def refused(self, egress: str, **more: Any) -> str:
        """What an `up` says that must fail."""
        self.aws.done.clear()
        return self.program.refused("up", egress=egress, **more)


@pytest.fixture
def network(tmp_path: Path, engine_path: str) -> Iterator[DeployedNetwork]:
    aws = NotingAws()
    text = f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{PROGRAM}"
    with providers(aws=aws) as served:
        environment = {**served, "PATH": engine_path}
        yield DeployedNetwork(aws, SmallProgram.of(tmp_path, text, environment, PROJECT))


WALK: Final = (0, 1, 0, 2, 0, 3, 1, 2, 1, 3, 2, 3, 0, 4, 1, 4, 2, 4, 3, 4, 0)
"""Every ordered pair of ways out, one after the other."""


def test_each_way_out_follows_each_other_one_in_one_up(network: DeployedNetwork) -> None:
    steps = [EGRESS[index] for index in WALK]
    assert sorted(pairwise(steps)) == sorted(permutations(EGRESS, 2)), "all pairs, once"
    network.up(steps[0])
    for before, after in pairwise(steps):
        network.up(after)
        done = network.aws.of(ROUTE)
        begins, ends = before in WITHOUT_ROUTE, after in WITHOUT_ROUTE
        if begins and ends:
            assert not done
        elif begins or ends:
            assert done == {"create" if begins else "delete": 2}, (before, after)
        else:
            same = "Gateway" in before and "Gateway" in after  # in the first zone
            assert done == {"update": 1 if same else 2}, f"{before}, {after}: never without a route"
        assert len(network.aws.there(ROUTE)) == (2 if ends else 4), "one in each table"
        route = None if ends else network.aws.at("create" if begins else "update", ROUTE)
        for made in (GROUP, GATEWAY):
            created, deleted = network.aws.of(made)["create"], network.aws.of(made)["delete"]
            if created and route is not None:
                assert network.aws.at("create", made) < route, "a route needs a target that works"
            if deleted and route is not None:
                assert network.aws.at("delete", made) > route, "which is not taken away before"
        if "endpoints" in (before, after):
            made = "create" if after == "endpoints" else "delete"
            assert network.aws.of(ENDPOINT) == {made: 2}, "one of each service; S3's stays"
            assert len(network.aws.there(ENDPOINT)) == (3 if made == "create" else 1)
            if made == "create" and done:
                assert network.aws.at("delete", ROUTE) > network.aws.at("create", ENDPOINT), (
                    "never without a way to AWS"
                )
            elif done:
                assert network.aws.at("create", ROUTE) < network.aws.at("delete", ENDPOINT)
        else:
            assert not network.aws.of(ENDPOINT)
        service = network.aws.of(SERVICE)
        if "none" in (before, after):
            assert service == {"update": 1}, "tasks move between public and private subnets"
            way_out = network.aws.at("create", ENDPOINT) if after == "endpoints" else route
            if way_out is not None:
                assert network.aws.at("update", SERVICE) > way_out, "once there is a way out"
        else:
            assert not service, "tasks stay where they are"
    network.program.run("destroy", "--yes", "--skip-preview", egress=steps[-1])


@pytest.mark.parametrize("egress", ["natInstance", "natGatewayPerZone"])
def test_zones_come_with_their_routes_and_do_not_go(network: DeployedNetwork, egress: str) -> None:
    network.up(egress, zones=2)
    network.up(egress, zones=4)
    assert network.aws.of(ROUTE) == {"create": 2}, "those that were there stay"
    per_zone = {"create": 2} if egress == "natGatewayPerZone" else {}
    assert network.aws.of(GATEWAY) == per_zone
    assert not network.aws.of(GROUP), "the NAT instance is in the first zone"
    said = network.refused(egress, zones=2)
    assert "network.zones changes from 4 to 2" in said, "stores lie in the subnets"
    assert not network.aws.of(ROUTE)


def test_a_nat_instance_that_never_forwards_ends_the_up_by_name_and_the_next_makes_it_anew(
    network: DeployedNetwork,
) -> None:
    network.aws.fails_to_launch["net-dev-nat"] = (
        "timeout while waiting for state to become 'ok': want at least 1 healthy instance"
    )
    said = network.refused("natInstance")
    assert "aws:autoscaling:Group (net-dev-nat)" in said
    assert "want at least 1 healthy instance" in said
    assert not network.aws.of(ROUTE), "nothing is led to it"
    assert not network.aws.of(SERVICE), "and nothing starts that would wait for a way out"
    again = network.refused("natInstance")
    assert "want at least 1 healthy instance" in again, "it is not taken for a good one"
    network.aws.fails_to_launch.clear()
    network.up("natInstance")
    assert network.aws.of(GROUP) == {"delete": 1, "create": 1}
    assert network.aws.at("delete", GROUP) < network.aws.at("create", GROUP), "it has the interface"
    assert (network.aws.of(ROUTE), network.aws.of(SERVICE)) == ({"create": 2}, {"create": 1})


def test_a_changed_boot_script_replaces_the_group_and_nothing_else(
    network: DeployedNetwork,
) -> None:
    network.up("natInstance")
    network.up("natInstance")
    assert network.aws.done == [], "a second `up` has nothing to do"
    network.up("natInstance", swap=512)
    template = "aws:ec2/launchTemplate:LaunchTemplate"
    name = "net-dev-nat"
    assert network.aws.done == [
        ("delete", GROUP, name),
        ("update", template, name),
        ("create", GROUP, name),
    ] or network.aws.done == [
        ("update", template, name),
        ("delete", GROUP, name),
        ("create", GROUP, name),
    ], "the interface, its address and the routes stay; `up` waits for the new instance"


@pytest.mark.parametrize("egress", ["natInstance", "natGatewayPerZone"])
def test_a_network_of_before_keeps_its_gateways_addresses_and_routes(
    network: DeployedNetwork, egress: str
) -> None:
    network.up(egress, before=True)
    network.up(egress)
    assert not network.aws.of(GATEWAY), "a new one has another address"
    assert network.aws.of(ADDRESS) == ({"create": 1} if egress == "natInstance" else {})
    assert network.aws.of(ROUTE) == ({"update": 2} if egress == "natInstance" else {}), (
        "a second one would be refused"
    )
    if egress == "natInstance":
        instance = "aws:ec2/instance:Instance"
        assert network.aws.at("update", ROUTE) < network.aws.at("delete", instance)
