"""Who may talk to whom, read from security groups' rules.

It proves each form of a rule on graphs made by hand, and that the ports of whole stacks are those
that the program registers. That AWS honours the rules is not tried.
"""

from typing import Any

import pytest

from development.architecture_parts import EVERY_PORT
from development.recorded_graph import recorded, shipped_config
from langfuse_aws.graph.model import UNKNOWN, ResourceGraph
from langfuse_aws.graph.open_ports import (
    DEFAULT_SECURITY_GROUP,
    INGRESS_RULE,
    RULE,
    SECURITY_GROUP,
    open_ports,
)
from tests.unit.stack_graph import VARIED, build

WEB, STORE = (f"urn:pulumi:dev::langfuse::{SECURITY_GROUP}::{name}" for name in ("web", "store"))
SUBJECT = "urn:pulumi:dev::langfuse::x::rule"


def entry(urn: str, kind: str, inputs: Any = None, **more: Any) -> dict[str, Any]:
    return {"urn": urn, "type": kind, "custom": True, "inputs": inputs or {}, **more}


def opened(*entries: dict[str, Any]) -> list[tuple[str, str, str]]:
    groups = [
        entry(WEB, SECURITY_GROUP, outputs={"id": "sg-web"}),
        entry(STORE, SECURITY_GROUP, outputs={"id": "sg-store"}),
    ]
    given = {each["urn"] for each in entries}
    resources = [*(each for each in groups if each["urn"] not in given), *entries]
    graph = ResourceGraph.of_state({"resources": resources})
    return [(each.source, each.target, each.ports) for each in open_ports(graph)]


def test_groups_that_only_the_update_will_tell_are_known_by_what_the_value_comes_from() -> None:
    rule = entry(
        SUBJECT,
        INGRESS_RULE,
        {
            "securityGroupId": UNKNOWN,
            "referencedSecurityGroupId": UNKNOWN,
            "ipProtocol": "tcp",
            "fromPort": 5432,
            "toPort": 5432,
        },
        propertyDependencies={"securityGroupId": [STORE], "referencedSecurityGroupId": [WEB]},
    )
    assert opened(rule) == [(WEB, STORE, "5432")]


def test_groups_are_known_by_their_ids_too_and_one_of_another_stack_stays_an_id() -> None:
    given = {"securityGroupId": "sg-store", "ipProtocol": "tcp", "fromPort": 1, "toPort": 1}
    own = {**given, "referencedSecurityGroupId": "sg-web"}
    other = {**given, "referencedSecurityGroupId": "sg-other"}
    assert opened(entry(SUBJECT, INGRESS_RULE, own)) == [(WEB, STORE, "1")]
    assert opened(entry(SUBJECT, INGRESS_RULE, other)) == [("sg-other", STORE, "1")]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ({"cidrIpv4": "0.0.0.0/0"}, "0.0.0.0/0"),
        ({"cidrIpv6": "::/0"}, "::/0"),
        ({"prefixListId": "pl-1"}, "pl-1"),
    ],
)
def test_blocks_and_prefix_lists_are_sources(source: dict[str, str], expected: str) -> None:
    given = {"securityGroupId": "sg-web", "ipProtocol": "tcp", "fromPort": 80, "toPort": 80}
    assert opened(entry(SUBJECT, INGRESS_RULE, {**given, **source})) == [(expected, WEB, "80")]


@pytest.mark.parametrize(
    ("given", "ports"),
    [
        ({"protocol": "-1"}, "all"),
        ({"protocol": "-1", "fromPort": 0, "toPort": 0}, "all"),
        ({"protocol": "tcp", "fromPort": 8000, "toPort": 8080}, "8000-8080"),
        ({"protocol": "udp", "fromPort": 53, "toPort": 53}, "53/udp"),
        ({"protocol": "icmp", "fromPort": -1, "toPort": -1}, "icmp"),
    ],
)
def test_ports_are_written_with_what_is_not_usual(given: dict[str, Any], ports: str) -> None:
    rule = {"type": "ingress", "securityGroupId": "sg-web", "cidrBlocks": ["10.0.0.0/8"], **given}
    assert opened(entry(SUBJECT, RULE, rule)) == [("10.0.0.0/8", WEB, ports)]


def test_a_rule_of_the_older_kind_has_every_source_that_it_names_and_egress_has_none() -> None:
    given = {
        "type": "ingress",
        "securityGroupId": "sg-web",
        "protocol": "tcp",
        "fromPort": 443,
        "toPort": 443,
        "cidrBlocks": ["10.0.0.0/8"],
        "ipv6CidrBlocks": ["fd00::/8"],
        "prefixListIds": ["pl-1"],
        "self": True,
    }
    assert opened(entry(SUBJECT, RULE, given)) == [
        ("10.0.0.0/8", WEB, "443"),
        ("fd00::/8", WEB, "443"),
        ("pl-1", WEB, "443"),
        (WEB, WEB, "443"),
    ]
    assert opened(entry(SUBJECT, RULE, {**given, "type": "egress"})) == []
    group = {"type": "ingress", "securityGroupId": "sg-web", "sourceSecurityGroupId": "sg-store"}
    rule = {**group, "protocol": "tcp", "fromPort": 1, "toPort": 1}
    assert opened(entry(SUBJECT, RULE, rule)) == [(STORE, WEB, "1")]


@pytest.mark.parametrize("key", ["cidrBlocks", "ipv6CidrBlocks", "prefixListIds"])
def test_blocks_that_only_the_update_will_tell_are_one_unknown_source(key: str) -> None:
    given = {"type": "ingress", "securityGroupId": "sg-web", "protocol": "-1", key: UNKNOWN}
    assert opened(entry(SUBJECT, RULE, given)) == [(UNKNOWN, WEB, "all")]


@pytest.mark.parametrize("kind", [SECURITY_GROUP, DEFAULT_SECURITY_GROUP])
def test_inline_rules_open_ports(kind: str) -> None:
    block = {"protocol": "tcp", "fromPort": 22, "toPort": 22}
    given = [
        {**block, "cidrBlocks": ["10.0.0.0/8"]},
        {**block, "securityGroups": ["sg-store"]},
        {**block, "self": True},
    ]
    assert opened(entry(WEB, kind, {"ingress": given})) == [
        ("10.0.0.0/8", WEB, "22"),
        (STORE, WEB, "22"),
        (WEB, WEB, "22"),
    ]
    unknown = [{**block, "securityGroups": [UNKNOWN]}]
    told = {"propertyDependencies": {"ingress": [STORE]}}
    assert opened(entry(WEB, kind, {"ingress": unknown}, **told)) == [(STORE, WEB, "22")]
    assert opened(entry(WEB, kind, {"ingress": unknown})) == [(UNKNOWN, WEB, "22")]
    assert opened(entry(WEB, kind, {"ingress": UNKNOWN, "egress": given})) == []


@pytest.mark.parametrize(
    ("stack", "config"),
    [
        *((name, shipped_config(name)) for name in ("dev", "staging", "prod")),
        ("dev", VARIED),
        ("every-port", EVERY_PORT),
    ],
)
def test_the_open_ports_of_a_stack_are_the_rules_that_the_program_registers(
    stack: str, config: dict[str, Any]
) -> None:
    graph = recorded(stack, config)

    def name(source: str) -> str:
        return graph[source].name if source in graph else source

    found = {
        (name(each.source), name(each.target), -1 if each.ports == "all" else int(each.ports))
        for each in open_ports(graph)
    }
    assert found == build(stack, config).open_ports()
    assert len(found) >= 9
