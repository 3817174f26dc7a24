"""The resource graph of a stack that is recorded without an engine.

It proves what the rest of a test run relies on: that it is read as an engine's graph is, with what
awsx makes. That both are the same is shown by the engine tests.
"""

import pulumi
import pytest

from development.recorded_graph import recorded, shipped_config
from langfuse_aws.graph.model import SECRET, STACK_TYPE, ResourceGraph
from tests.unit.stack_graph import shipped

GROUP = "aws:ec2/securityGroup:SecurityGroup"


def prod() -> ResourceGraph:
    return recorded("prod", shipped_config("prod"))


def test_every_registration_is_there_and_what_awsx_makes_inside_of_the_vpc() -> None:
    graph = prod()
    inside = [each for each in graph.resources if "awsx:ec2:Vpc" in graph_types(graph, each.urn)]
    others = {(each.type, each.name) for each in graph.resources if each not in inside}
    registered = {(each.type, each.name) for each in shipped("prod").registrations}
    providers = {each for each in registered if each[0].startswith("pulumi:providers:")}
    assert others == registered - providers | {(STACK_TYPE, "langfuse-prod")}
    counted = {kind: sum(each.type == kind for each in inside) for kind in {e.type for e in inside}}
    assert counted["aws:ec2/routeTable:RouteTable"] == 6
    assert counted["aws:ec2/subnet:Subnet"] == 6


def test_subnets_are_as_the_programs_transform_has_them() -> None:
    subnets = prod().of_type("aws:ec2/subnet:Subnet")
    assert [each.inputs["mapPublicIpOnLaunch"] for each in subnets] == [False] * 6


def graph_types(graph: ResourceGraph, urn: str) -> list[str]:
    return [each.type for each in graph.components(graph[urn])]


def test_inputs_say_where_they_come_from_and_secrets_are_marked() -> None:
    graph = prod()
    (service,) = [e for e in graph.of_type("aws:ecs/service:Service") if e.name.endswith("-web")]
    groups = graph.origins(service, "networkConfiguration", GROUP)
    assert [each.name for each in groups] == ["langfuse-prod-web"]
    assert groups[0].outputs["id"].startswith("sg-")
    (cluster,) = graph.of_type("aws:rds/cluster:Cluster")
    assert cluster.inputs["masterPassword"] == SECRET
    assert cluster.protect


def test_a_wrong_configuration_is_what_the_program_says_it_is() -> None:
    with pytest.raises(pulumi.RunError, match='langfuse:size: "huge": must be'):
        recorded("dev", {"size": "huge"})
