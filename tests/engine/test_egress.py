"""Changes of `network.egress` in a running stack, under the real engine: the network alone.

AWS is the in-memory one, made to refuse a second route for a destination in a table, as EC2 does.
It proves that each way out can follow each other one in one `up`, in which order, and what a NAT
instance that never forwards leaves behind. It does not prove that anything is forwarded.
"""

import json
import subprocess
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise, permutations
from pathlib import Path
from typing import Any, Final

import grpc
import pytest
from google.protobuf import any_pb2
from pulumi.runtime.proto import provider_pb2, status_pb2

from development import pulumi_cli
from langfuse_aws.offline import model
from langfuse_aws.offline.provider import AwsProvider
from langfuse_aws.offline.serving import providers
from langfuse_aws.offline.wire import from_struct, to_struct

pytestmark = pytest.mark.running

ROOT: Final = Path(__file__).resolve().parents[2]
EGRESS: Final = ("none", "natInstance", "natGateway", "natGatewayPerZone")
ROUTE: Final = "aws:ec2/route:Route"
GROUP: Final = "aws:autoscaling/group:Group"
GATEWAY: Final = "aws:ec2/natGateway:NatGateway"
ADDRESS: Final = "aws:ec2/eip:Eip"
SERVICE: Final = "aws:ecs/service:Service"

PROGRAM: Final = """\
import json, os
import pulumi, pulumi_aws as aws, pulumi_awsx as awsx
from components import nat_instance
from components.location import Location
from components.network import Network, NetworkArgs
from components.replacement_guard import ReplacementGuard
from settings.network import CreatedNetwork
from settings.sizing import DEV

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
    network = Network(
        name, NetworkArgs(settings, Location.current(), 7, ReplacementGuard("net", []))
    )
    aws.ecs.Service(
        "service",
        task_definition="task:1",
        network_configuration={"subnets": network.task_subnet_ids},
    )
"""


class StrictAws(AwsProvider):
    """Refuses a second route as EC2 does, and notes what is done; a group may fail to come up."""

    def __init__(self) -> None:
        super().__init__()
        self.done: list[tuple[str, str, str]] = []
        self.routes: dict[tuple[str, str], str] = {}
        self.tables: dict[str, str] = {}
        self.forwards = True

    def Create(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Create, unless EC2 or the group's wait for capacity would fail."""
        if request.preview:
            return super().Create(request, context)
        self._note("create", request)
        if request.type == ROUTE:
            given = from_struct(request.properties)
            key = (given["routeTableId"], given["destinationCidrBlock"])
            if key in self.routes:
                context.abort(grpc.StatusCode.UNKNOWN, f"RouteAlreadyExists: {key}")
            self.routes[key] = request.name
        if request.type == "aws:ec2/routeTableAssociation:RouteTableAssociation":
            given = from_struct(request.properties)
            self.tables[given["subnetId"]] = given["routeTableId"]
        if request.type == GROUP and not self.forwards:
            self._came_up_partly(request, context)
        return super().Create(request, context)

    def Invoke(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Answer a data source; a subnet's route table is the one that it is associated with."""
        answer = super().Invoke(request, context)
        if request.tok == "aws:ec2/getRouteTable:getRouteTable":
            table = self.tables[from_struct(request.args)["subnetId"]]
            getattr(answer, "return")["routeTableId"] = table
        return answer

    def _note(self, how: str, request: Any) -> None:
        """Remember it, but for awsx's routes of public subnets, which stay as they are."""
        if not (request.type == ROUTE and "-public-" in request.name):
            self.done.append((how, request.type, request.name))

    def _came_up_partly(self, request: Any, context: Any) -> None:
        """Fail as the provider does whose group has got no instance into service."""
        inputs = from_struct(request.properties)
        made, outputs = model.create(request.type, request.name, inputs, "us-east-1")
        reason = "timeout while waiting for state to become 'ok': want at least 1 healthy instance"
        failed = provider_pb2.ErrorResourceInitFailed(
            id=made, properties=to_struct(outputs), inputs=request.properties, reasons=[reason]
        )
        detail = any_pb2.Any()
        detail.Pack(failed)
        status = status_pb2.Status(code=2, message=reason, details=[detail])
        context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
        context.abort(grpc.StatusCode.UNKNOWN, reason)

    def Update(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Update."""
        if not request.preview:
            self._note("update", request)
        return super().Update(request, context)

    def Delete(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Delete."""
        self._note("delete", request)
        if request.type == ROUTE:
            given = from_struct(request.properties)
            del self.routes[given["routeTableId"], given["destinationCidrBlock"]]
        return super().Delete(request, context)

    def of(self, token: str) -> Counter[str]:
        """How often what was done with resources of a type since the last `clear`."""
        return Counter(how for how, kind, _ in self.done if kind == token)

    def at(self, how: str, token: str) -> int:
        """When something was done the first time, in the order of all."""
        return next(i for i, done in enumerate(self.done) if done[:2] == (how, token))


@dataclass
class Stack:
    """A stack of the network."""

    aws: StrictAws
    folder: Path
    environment: dict[str, str]

    def run(self, *arguments: str, status: int = 0, **wanted: Any) -> str:
        """Run the CLI; gives what it prints."""
        done = subprocess.run(
            ["pulumi", *arguments, "--non-interactive"],
            cwd=self.folder,
            env={**self.environment, "WANTED": json.dumps(wanted)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode != 0) is (status != 0), done.stdout + done.stderr
        return done.stdout + done.stderr

    def up(self, egress: str, *, status: int = 0, **more: Any) -> str:
        """Bring the network to a way out."""
        self.aws.done.clear()
        wanted = {"egress": egress, **more}
        return self.run("up", "--yes", "--skip-preview", status=status, **wanted)


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    program, state, home = (tmp_path / name for name in ("program", "state", "home"))
    for path in (program, state, home):
        path.mkdir()
    (program / "Pulumi.yaml").write_text("name: net\nruntime: python\n")
    (program / "__main__.py").write_text(
        f"import sys; sys.path.insert(0, {str(ROOT)!r})\n" + PROGRAM
    )
    aws = StrictAws()
    with providers(aws=aws) as served:
        path = pulumi_cli.search_path(pulumi_cli.ensure())
        places = {"PULUMI_BACKEND_URL": state.as_uri(), "PULUMI_HOME": str(home)}
        environment = {**served, **places, "PATH": path, "PULUMI_CONFIG_PASSPHRASE": "x"}
        made = Stack(aws, program, environment)
        made.run("stack", "init", "dev")
        yield made


WALK: Final = (0, 1, 0, 2, 0, 3, 1, 2, 1, 3, 2, 3, 0)
"""Every ordered pair of ways out, one after the other."""


def test_each_way_out_follows_each_other_one_in_one_up(stack: Stack) -> None:
    steps = [EGRESS[index] for index in WALK]
    assert sorted(pairwise(steps)) == sorted(permutations(EGRESS, 2)), "all pairs, once"
    stack.up(steps[0])
    for before, after in pairwise(steps):
        stack.up(after)
        done = stack.aws.of(ROUTE)
        if "none" in (before, after):
            assert done == {"create" if before == "none" else "delete": 2}, (before, after)
        else:
            same = "Gateway" in before and "Gateway" in after  # in the first zone
            assert done == {"update": 1 if same else 2}, f"{before}, {after}: never without a route"
        assert len(stack.aws.routes) == (2 if after == "none" else 4), "one in each table"
        route = (
            None
            if after == "none"
            else stack.aws.at("create" if before == "none" else "update", ROUTE)
        )
        for made in (GROUP, GATEWAY):
            created, deleted = stack.aws.of(made)["create"], stack.aws.of(made)["delete"]
            if created and route is not None:
                assert stack.aws.at("create", made) < route, "a route needs a target that works"
            if deleted and route is not None:
                assert stack.aws.at("delete", made) > route, "which is not taken away before"
        service = stack.aws.of(SERVICE)
        if "none" in (before, after):
            assert service == {"update": 1}, "tasks move between public and private subnets"
            if route is not None:
                assert stack.aws.at("update", SERVICE) > route, "once there is a way out"
        else:
            assert not service, "tasks stay where they are"
    stack.run("destroy", "--yes", "--skip-preview", egress=steps[-1])


@pytest.mark.parametrize("egress", ["natInstance", "natGatewayPerZone"])
def test_zones_come_with_their_routes_and_do_not_go(stack: Stack, egress: str) -> None:
    stack.up(egress, zones=2)
    stack.up(egress, zones=4)
    assert stack.aws.of(ROUTE) == {"create": 2}, "those that were there stay"
    per_zone = {"create": 2} if egress == "natGatewayPerZone" else {}
    assert stack.aws.of(GATEWAY) == per_zone
    assert not stack.aws.of(GROUP), "the NAT instance is in the first zone"
    said = stack.up(egress, zones=2, status=255)
    assert "network.zones changes from 4 to 2" in said, "stores lie in the subnets"
    assert not stack.aws.of(ROUTE)


def test_a_nat_instance_that_never_forwards_ends_the_up_by_name_and_the_next_makes_it_anew(
    stack: Stack,
) -> None:
    stack.aws.forwards = False
    said = stack.up("natInstance", status=255)
    assert "aws:autoscaling:Group (net-dev-nat)" in said
    assert "want at least 1 healthy instance" in said
    assert not stack.aws.of(ROUTE), "nothing is led to it"
    assert not stack.aws.of(SERVICE), "and nothing starts that would wait for a way out"
    again = stack.up("natInstance", status=255)
    assert "want at least 1 healthy instance" in again, "it is not taken for a good one"
    stack.aws.forwards = True
    stack.up("natInstance")
    assert stack.aws.of(GROUP) == {"delete": 1, "create": 1}
    assert stack.aws.at("delete", GROUP) < stack.aws.at("create", GROUP), "it has the interface"
    assert (stack.aws.of(ROUTE), stack.aws.of(SERVICE)) == ({"create": 2}, {"create": 1})


def test_a_changed_boot_script_replaces_the_group_and_nothing_else(stack: Stack) -> None:
    stack.up("natInstance")
    stack.up("natInstance")
    assert stack.aws.done == [], "a second `up` has nothing to do"
    stack.up("natInstance", swap=512)
    template = "aws:ec2/launchTemplate:LaunchTemplate"
    name = "net-dev-nat"
    assert stack.aws.done == [
        ("delete", GROUP, name),
        ("update", template, name),
        ("create", GROUP, name),
    ] or stack.aws.done == [
        ("update", template, name),
        ("delete", GROUP, name),
        ("create", GROUP, name),
    ], "the interface, its address and the routes stay; `up` waits for the new instance"


@pytest.mark.parametrize("egress", ["natInstance", "natGatewayPerZone"])
def test_a_network_of_before_keeps_its_gateways_addresses_and_routes(
    stack: Stack, egress: str
) -> None:
    stack.up(egress, before=True)
    stack.up(egress)
    assert not stack.aws.of(GATEWAY), "a new one has another address"
    assert stack.aws.of(ADDRESS) == ({"create": 1} if egress == "natInstance" else {})
    assert stack.aws.of(ROUTE) == ({"update": 2} if egress == "natInstance" else {}), (
        "a second one would be refused"
    )
    if egress == "natInstance":
        instance = "aws:ec2/instance:Instance"
        assert stack.aws.at("update", ROUTE) < stack.aws.at("delete", instance)
