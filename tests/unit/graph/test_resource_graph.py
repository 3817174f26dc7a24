"""The resource graph as it is read from previews and states.

It proves the reading with entries made by hand; that the engine writes such entries is shown by the
engine tests.
"""

from typing import Any

from langfuse_aws.graph.model import SECRET, UNKNOWN, ResourceGraph, has_unknown

STACK = "urn:pulumi:dev::langfuse::pulumi:pulumi:Stack::langfuse-dev"
OUTER = "urn:pulumi:dev::langfuse::langfuse:index:DataPlane::langfuse-dev"
INNER = "urn:pulumi:dev::langfuse::langfuse:index:DataPlane$langfuse:index:Postgres::postgres"
GROUP = "urn:pulumi:dev::langfuse::x$aws:ec2/securityGroup:SecurityGroup::postgres"
RULE = "urn:pulumi:dev::langfuse::x$aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule::in"
VPC = "urn:pulumi:dev::langfuse::awsx:ec2:Vpc$aws:ec2/vpc:Vpc::vpc"
SUBNET = "urn:pulumi:dev::langfuse::awsx:ec2:Vpc$aws:ec2/vpc:Vpc$aws:ec2/subnet:Subnet::subnet"
PROVIDER = "urn:pulumi:dev::langfuse::pulumi:providers:aws::default"
SEALED = {
    "4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270",
    "ciphertext": "v1:abc",
}


def entry(urn: str, kind: str, parent: str = "", **more: Any) -> dict[str, Any]:
    return {"urn": urn, "type": kind, "parent": parent, **more}


ENTRIES = [
    entry(STACK, "pulumi:pulumi:Stack"),
    entry(OUTER, "langfuse:index:DataPlane", STACK),
    entry(INNER, "langfuse:index:Postgres", OUTER),
    entry(GROUP, "aws:ec2/securityGroup:SecurityGroup", INNER, custom=True, protect=True),
    entry(
        RULE,
        "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",
        INNER,
        custom=True,
        inputs={"securityGroupId": UNKNOWN, "tags": {"a": [SEALED]}},
        propertyDependencies={"securityGroupId": [GROUP, INNER, "urn:gone"], "tags": []},
    ),
    entry(VPC, "aws:ec2/vpc:Vpc", OUTER, custom=True),
    entry(SUBNET, "aws:ec2/subnet:Subnet", VPC, custom=True),
    entry(PROVIDER, "pulumi:providers:aws", custom=True),
]
GRAPH = ResourceGraph.of_state({"resources": ENTRIES})


def names(resources: Any) -> list[str]:
    return [each.urn for each in resources]


def test_a_state_is_read_without_providers_and_without_what_is_about_to_be_deleted() -> None:
    outgoing = entry(GROUP, "aws:ec2/securityGroup:SecurityGroup", delete=True, protect=False)
    graph = ResourceGraph.of_state({"resources": [*ENTRIES, outgoing]})
    assert names(graph.resources) == [STACK, OUTER, INNER, GROUP, RULE, VPC, SUBNET]
    assert graph[GROUP].protect
    assert GROUP in graph
    assert PROVIDER not in graph


def test_a_state_without_resources_is_an_empty_graph() -> None:
    assert ResourceGraph.of_state({"manifest": {}}).resources == ()


def test_a_preview_is_read_as_the_resources_will_be() -> None:
    old, new = entry(GROUP, "g", inputs={"a": 1}), entry(GROUP, "g", inputs={"a": 2})
    steps = [
        {"op": "replace", "urn": GROUP, "oldState": old, "newState": new},
        {"op": "create-replacement", "urn": GROUP, "newState": new},
        {"op": "delete", "urn": VPC, "oldState": entry(VPC, "aws:ec2/vpc:Vpc")},
    ]
    graph = ResourceGraph.of_preview({"steps": steps})
    assert [(each.urn, each.inputs) for each in graph.resources] == [(GROUP, {"a": 2})]
    over = ResourceGraph.of_preview({"steps": steps}, GRAPH)
    assert names(over.resources) == [STACK, OUTER, INNER, GROUP, RULE, SUBNET], "the VPC goes"
    assert over[GROUP].inputs == {"a": 2}, "what stays is known from before"


def test_secrets_are_marked_wherever_they_are_and_unknown_values_are_found() -> None:
    assert GRAPH[RULE].inputs["tags"] == {"a": [SECRET]}
    assert has_unknown(GRAPH[RULE].inputs)
    assert has_unknown(f'{{"arn": "{UNKNOWN}"}}'), "a JSON document may hold the mark"
    assert not has_unknown(GRAPH[RULE].inputs["tags"])


def test_components_are_found_through_custom_parents() -> None:
    assert names(GRAPH.components(GRAPH[RULE])) == [OUTER, INNER]
    assert names(GRAPH.components(GRAPH[SUBNET])) == [OUTER]
    assert GRAPH.component(GRAPH[OUTER]) is None
    assert names(GRAPH.children(GRAPH[OUTER])) == [INNER, VPC]
    assert GRAPH[SUBNET].name == "subnet"


def test_an_input_leads_to_the_resources_that_its_value_comes_from() -> None:
    token = "aws:ec2/securityGroup:SecurityGroup"
    assert names(GRAPH.origins(GRAPH[RULE], "securityGroupId", token)) == [GROUP]
    assert GRAPH.origins(GRAPH[RULE], "tags", token) == []
    assert GRAPH.origins(GRAPH[RULE], "fromPort", token) == []
