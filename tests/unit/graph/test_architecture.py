"""The architecture picture of a stack: its nodes, frames and arrows, its Mermaid and its DOT text.

It proves what is shown of the shipped stacks, and that the order in which resources are reported
does not matter. That an engine's preview gives the same picture is shown by the engine tests; that
Mermaid's own parser takes the text is not tried, that Graphviz does is in `test_graph_command`.
"""

import random
import re
from typing import Any

import pytest

from development import architecture_parts
from development.architecture_parts import BY_API, EVERY_PORT, open_ports_table
from development.recorded_graph import recorded, shipped_config
from langfuse_aws.graph.architecture import architecture
from langfuse_aws.graph.dot import dot
from langfuse_aws.graph.grouping import Detail, term
from langfuse_aws.graph.main_resources import main_resources
from langfuse_aws.graph.mermaid import mermaid
from langfuse_aws.graph.model import UNKNOWN, ResourceGraph
from langfuse_aws.graph.open_ports import SECURITY_GROUP
from langfuse_aws.graph.picture import (
    PLAIN,
    STORES,
    Arrow,
    Frame,
    Item,
    Node,
    Picture,
    colours_of,
    nodes_of,
)
from langfuse_aws.settings.versions import POSTGRES_MAJOR, VALKEY
from tests.unit import stacks_of_all
from tests.unit.stack_graph import ROOT, VARIED, build
from tests.unit.stack_graph import shipped_config as config_of

SIZES = ("dev", "staging", "prod")


def picture_of(stack: str, **more: Any) -> Picture:
    return architecture(recorded(stack, {**shipped_config(stack), **more}))


def shown(picture: Picture) -> dict[str, tuple[str, ...]]:
    """The text of each node by its ID."""
    return {node.id: (node.title, *node.details) for node in nodes_of(picture.children)}


def arrows(picture: Picture) -> set[tuple[str, str, str]]:
    """Arrows by the titles of their ends."""
    title = {node.id: node.title for node in nodes_of(picture.children)}
    return {(title[each.source], title[each.target], each.label) for each in picture.arrows}


def test_the_nodes_of_prod_are_its_main_resources_in_the_words_of_aws() -> None:
    assert set(shown(picture_of("prod")).values()) == {
        ("Internet", "0.0.0.0/0"),
        ("Ingress", "Application Load Balancer", "internet-facing"),
        ("Langfuse web", "ECS service on Fargate", "2 to 3 tasks of 2 vCPU, 4 GiB"),
        ("Langfuse worker", "ECS service on Fargate", "2 to 8 tasks of 2 vCPU, 4 GiB"),
        ("Migration", "ECS task on Fargate", "1 vCPU, 2 GiB, run by Lambda"),
        (
            "PostgreSQL",
            f"Aurora PostgreSQL {POSTGRES_MAJOR}",
            "Serverless v2, 0.5 to 8 ACU",
            "2 instances",
        ),
        ("Valkey", f"ElastiCache for Valkey {VALKEY}", "cache.t4g.medium, 2 nodes"),
        ("Object storage", "S3 bucket"),
        ("ClickHouse", "ECS service on EC2", "r7g.large, 100 GiB gp3"),
        ("ClickHouse backup", "ECS task on Fargate", "0.25 vCPU, 0.5 GiB, on a schedule"),
        ("Access logs", "S3 bucket"),
        ("Backups", "S3 bucket"),
        ("Backups", "AWS Backup vault", "daily, kept 35 days", "hourly, kept 2 days"),
        ("Network", "VPC", "10.0.0.0/16, 3 zones", "3 NAT gateways"),
        ("Cluster", "ECS cluster", "Cloud Map: langfuse-prod.internal"),
        ("Dashboard", "CloudWatch dashboard"),
    }


def test_smaller_stacks_say_what_is_different_in_them() -> None:
    dev, staging = (set(shown(picture_of(stack)).values()) for stack in ("dev", "staging"))
    assert dev >= {
        ("Ingress", "API Gateway HTTP API"),
        ("Langfuse web", "ECS service on Fargate Spot", "1 task of 1 vCPU, 2 GiB"),
        ("PostgreSQL", f"RDS for PostgreSQL {POSTGRES_MAJOR}", "db.t4g.micro, 20 GiB gp3"),
        ("Valkey", f"ElastiCache for Valkey {VALKEY}", "cache.t4g.micro, 1 node"),
        ("Network", "VPC", "10.0.0.0/16, 2 zones"),
    }
    assert staging >= {
        ("NAT instance", "EC2 instance", "t4g.nano"),
        ("VPC", "10.0.0.0/16, 2 zones"),
        ("The VPC", "10.0.0.0/16"),
    }


def test_what_may_be_added_is_shown() -> None:
    graph = recorded("dev", VARIED)
    # That of the lag adds tasks, and mails nobody.
    mails = [each for each in build("dev", VARIED).of_type(ALARM) if "-alarms-" in each.name]
    assert set(shown(architecture(graph)).values()) >= {
        ("Grafana", "ECS service on Fargate", "1 task of 0.5 vCPU, 1 GiB"),
        ("Budget", "AWS Budget"),
        ("Alarms", "SNS topic", f"of {len(mails)} CloudWatch alarms"),
    }
    every = architecture(recorded("every-port", EVERY_PORT))
    assert ("ClickHouse", "ECS service on EC2", "3 × t4g.large, 50 GiB gp3") in set(  # noqa: RUF001
        shown(every).values()
    )


ALARM = "aws:cloudwatch/metricAlarm:MetricAlarm"


def test_the_arrows_of_prod_are_its_open_ports_its_rights_and_its_backups() -> None:
    assert arrows(picture_of("prod")) == {
        ("Internet", "Ingress", "80, 443"),
        ("Ingress", "Langfuse web", "3000"),
        *((who, "PostgreSQL", "5432") for who in ("Langfuse web", "Langfuse worker", "Migration")),
        *((who, "Valkey", "6379") for who in ("Langfuse web", "Langfuse worker")),
        *((who, "ClickHouse", "8123") for who in ("Langfuse web", "Langfuse worker")),
        *((who, "ClickHouse", "9000") for who in ("Migration", "ClickHouse backup")),
        *((who, "Object storage", "IAM") for who in ("Langfuse web", "Langfuse worker")),
        ("ClickHouse", "Backups", "IAM"),
        ("Backups", "ClickHouse", "snapshots"),
    }


def test_snapshots_come_from_the_vault_that_they_go_to_first_and_a_copy_has_no_arrow() -> None:
    backups = {"copyRegion": "eu-west-1", "vaultLock": True}
    copied = {"clickhouse": {"replicas": 3}, "backups": backups}
    picture = picture_of("prod", **copied)
    vaults = {text for text in shown(picture).values() if "AWS Backup vault" in text}
    assert vaults == {
        ("Backups", "AWS Backup vault", "daily, kept 35 days", "hourly, kept 2 days"),
        ("Copy", "AWS Backup vault"),
    }
    assert {each for each in arrows(picture) if each[2] == "snapshots"} == {
        ("Backups", "ClickHouse", "snapshots"),
        ("Backups", "PostgreSQL", "snapshots"),
    }


def test_what_holds_data_is_a_store_in_either_detail() -> None:
    def stores(detail: Detail) -> set[str]:
        picture = architecture(recorded("prod", shipped_config("prod")), detail)
        return {node.title for node in nodes_of(picture.children) if node.kind == "store"}

    expected = {"Access logs", "Backups", "ClickHouse", "Object storage", "PostgreSQL", "Valkey"}
    assert stores("components") == stores("resources") == expected


def test_a_right_within_one_node_is_no_arrow() -> None:
    everything = architecture(recorded("prod", shipped_config("prod")), "resources")
    rights = {each for each in arrows(everything) if each[2] == "IAM"}
    assert rights == {("Container service", "Object storage", "IAM")}


def test_servers_that_talk_to_each_other_have_an_arrow_to_themselves() -> None:
    found = arrows(architecture(recorded("every-port", EVERY_PORT)))
    assert ("ClickHouse", "ClickHouse", "9000, 9009, 9181, 9234") in found
    assert ("Ingress", "Grafana", "3000") in found
    assert ("The VPC", "NAT instance", "all") in found


def test_an_http_api_is_open_to_the_internet_though_no_security_group_says_so() -> None:
    found = arrows(picture_of("dev"))
    assert {("Internet", "Ingress", "443"), ("Ingress", "Langfuse web", "3000")} <= found


def test_blocks_that_may_do_the_same_are_one_node() -> None:
    graph = recorded("every-port", EVERY_PORT)
    blocks = ("10.1.0.0/16", "10.2.0.0/16")
    rules = [
        {
            "urn": f"{each.urn}-{number}",
            "type": each.type,
            "custom": True,
            "inputs": {**each.inputs, "cidrIpv4": block},
            "propertyDependencies": each.origins,
        }
        for each in graph.resources
        if each.inputs.get("cidrIpv4") == "0.0.0.0/0" and each.inputs.get("fromPort")
        for number, block in enumerate(blocks)
    ]
    more = ResourceGraph.of_state({"resources": rules}).resources
    rest = [each for each in graph.resources if each.inputs.get("cidrIpv4") != "0.0.0.0/0"]
    picture = architecture(ResourceGraph((*rest, *more)))
    assert shown(picture)["from_10_1_0_0_16"] == ("Outside", *blocks)
    assert ("Outside", "Ingress", "80, 443") in arrows(picture)


def test_components_nest_as_they_do_in_the_graph_where_there_is_more_than_one_node() -> None:
    def tree(items: tuple[Item, ...]) -> dict[str, Any]:
        return {
            item.title: tree(item.children)
            for item in items
            if isinstance(item, Frame)
        }  # fmt: skip

    assert tree(picture_of("prod").children) == {"ClickHouse": {}, "Data plane": {}}
    assert tree(picture_of("staging").children) == {
        "ClickHouse": {},
        "Data plane": {},
        "Network": {},
    }
    everything = architecture(recorded("prod", shipped_config("prod")), "resources")
    assert tree(everything.children) == {
        "ClickHouse": {},
        "Data plane": {"PostgreSQL": {}, "Valkey": {}},
        "Ingress": {},
        "Langfuse web": {},
        "Langfuse worker": {},
        "Network": {},
        "Observability": {},
    }


@pytest.mark.parametrize("stack", SIZES)
def test_every_resource_is_named_once_when_all_are_asked_for(stack: str) -> None:
    graph = recorded(stack, shipped_config(stack))
    lines = [line for node in nodes_of(architecture(graph, "resources").children)
             for line in node.lines]  # fmt: skip
    main = main_resources(graph)
    counted: dict[str, int] = {}
    for line in lines:
        what, colon, names = line.partition(": ")
        if colon and not line.startswith("ECS cluster, "):
            counted[what] = counted.get(what, 0) + names.count(", ") + 1
    expected: dict[str, int] = {}
    for each in graph.resources:
        if each.custom and each not in main and each.type != "pulumi:pulumi:Stack":
            expected[term(each.type)] = expected.get(term(each.type), 0) + 1
    assert counted == expected
    assert len(lines) > 40


def test_a_picture_does_not_depend_on_the_order_in_which_resources_are_reported() -> None:
    graph = recorded("prod", shipped_config("prod"))
    resources = list(graph.resources)
    random.Random(7).shuffle(resources)  # noqa: S311
    shuffled = ResourceGraph(tuple(resources))
    for detail in ("components", "resources"):
        one, other = (architecture(each, detail) for each in (graph, shuffled))
        assert one == other
        assert dot(one) == dot(other)
        assert mermaid(one) == mermaid(other)


def test_ids_do_not_depend_on_the_stack_and_are_ids_of_mermaid() -> None:
    ids = {stack: {node.id for node in nodes_of(picture_of(stack).children)} for stack in SIZES}
    assert [
        each for stack in SIZES for each in ids[stack] if not re.fullmatch(r"[a-z]\w+", each)
    ] == []
    assert ids["prod"] <= ids["staging"]


def test_a_group_that_nobody_carries_and_a_source_that_is_not_known_yet_are_nodes() -> None:
    stack = "urn:pulumi:dev::langfuse::pulumi:pulumi:Stack::langfuse-dev"
    group = f"urn:pulumi:dev::langfuse::{SECURITY_GROUP}::alone"
    rule = {"protocol": "tcp", "fromPort": 1, "toPort": 1, "cidrBlocks": [UNKNOWN]}
    graph = ResourceGraph.of_state(
        {
            "resources": [
                {"urn": stack, "type": "pulumi:pulumi:Stack"},
                {
                    "urn": group,
                    "type": SECURITY_GROUP,
                    "custom": True,
                    "inputs": {"description": "Nobody's", "ingress": [rule]},
                },
            ]
        }
    )
    picture = architecture(graph)
    assert set(shown(picture).values()) == {
        ("Outside", "known after the update"),
        ("Nobody's", "security group", "alone"),
    }
    assert arrows(picture) == {("Outside", "Nobody's", "1")}


@pytest.mark.parametrize(
    ("token", "words"),
    [
        ("aws:ec2/natGateway:NatGateway", "EC2 NAT gateway"),
        ("aws:ec2/eip:Eip", "EC2 Elastic IP"),
        ("aws:iam/rolePolicy:RolePolicy", "IAM role policy"),
        ("aws:kinesis/stream:Stream", "Kinesis stream"),
        ("aws:wafregional/webAcl:WebAcl", "Wafregional web ACL"),
        ("aws:directconnect/vpcLink:VpcLink", "Directconnect VPC link"),
        ("random:index/randomPassword:RandomPassword", "Random password"),
        ("pulumi:index:Stash", "Pulumi stash"),
    ],
)
def test_a_type_is_called_what_aws_calls_it(token: str, words: str) -> None:
    assert term(token) == words


BY_HAND = Picture(
    'a "stack"',
    (
        Frame(
            "f",
            "A <frame>",
            (
                Node("db", "PostgreSQL", ("Aurora",), "store"),
                Node("alone", "Alone"),
                Frame("inner", "Inner", (Node("deep", "Deep"),)),
            ),
        ),
        Frame("g", "Idle", (Node("idle", "Idle"),)),
        Node("net", "Internet", ("0.0.0.0/0",), "outside"),
        Node("unused", "Unused", (), "store"),
        Node("web", 'The "web" <#1>'),
        Node("worker", "Worker"),
    ),
    (
        Arrow("net", "web", "80, 443"),
        Arrow("web", "db", "5432"),
        Arrow("web", "db", "IAM", "grant"),
        Arrow("worker", "db", "5432"),
    ),
)


def test_mermaid_has_a_line_for_each_node_frame_and_port_and_a_colour_for_each_store() -> None:
    assert mermaid(BY_HAND).splitlines() == [
        "flowchart LR",
        '    net(["Internet<br/>0.0.0.0/0"])',
        '    worker["Worker"]',
        '    subgraph f["A #lt;frame#gt;"]',
        '        db[("PostgreSQL<br/>Aurora")]',
        '        alone["Alone"]',
        '        subgraph inner["Inner"]',
        '            deep["Deep"]',
        "        end",
        "    end",
        '    web["The #quot;web#quot; #lt;#35;1#gt;"]',
        '    subgraph g["Idle"]',
        '        idle["Idle"]',
        "    end",
        '    unused[("Unused")]',
        '    web & worker -->|"5432"| db',
        '    web -.->|"IAM"| db',
        '    net -->|"80, 443"| web',
        f"    style db stroke:{STORES[0]},stroke-width:2px",
        f"    linkStyle 0,1,2 stroke:{STORES[0]}",
    ]


def test_dot_has_clusters_shapes_colours_and_one_line_for_what_shares_a_port() -> None:
    given = [line.strip() for line in dot(BY_HAND).splitlines()]
    blue, plain = (f'color="{each}" fontcolor="{each}"' for each in (STORES[0], PLAIN))
    assert given[0] == 'digraph "a \\"stack\\"" {'
    assert given.count("}") == 4, "the graph and three clusters"
    begin, end = given.index("subgraph cluster_f {"), given.index("subgraph cluster_g {")
    assert "label=<<b>A &lt;frame&gt;</b>>" in given[begin:end]
    (db,) = [line for line in given[begin:end] if line.startswith("db [")]
    assert db.startswith("db [label=<<b>PostgreSQL</b>")
    assert "<br/>Aurora<" in db
    assert db.endswith(f'shape=cylinder labelloc=b style=filled penwidth=2 color="{STORES[0]}"]')
    assert "{ rank=same; db; alone; deep }" in given[begin:end], "nothing else holds them there"
    assert not [line for line in given[end:] if "rank=same" in line]
    assert 'web [label=<<b>The "web" &lt;#1&gt;</b>>]' in given
    assert [line for line in given if "->" in line] == [
        f'{{ web; worker }} -> "db 5432 port" [dir=none {blue}]',
        f'"db 5432 port" -> db [label="5432" {blue}]',
        f'web -> db [label="IAM" {blue} style=dashed]',
        f'net -> web [label="80, 443" {plain}]',
    ]


def test_each_store_of_prod_that_is_reached_has_a_colour_of_its_own() -> None:
    colours = colours_of(picture_of("prod"))
    assert len(colours) == len(set(colours.values())) == 5
    assert "backup_vault_backups" not in colours, "no arrow leads to it"


def test_a_port_without_a_reason_and_a_reason_without_a_port_are_errors(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    key, *others = architecture_parts.WHY
    for reasons in (dict.fromkeys(others, "why"), dict.fromkeys([key, *others, ("x", "1")], "why")):
        monkeypatch.setattr(architecture_parts, "WHY", reasons)
        with pytest.raises(LookupError, match="WHY and the security groups differ in"):
            open_ports_table()


def test_the_table_of_open_ports_has_every_port_of_every_stack_and_no_other() -> None:
    head, _, *rows = open_ports_table().splitlines()
    assert head == "| From | To | Port | Why |"
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    listed = {
        (source, target, port)
        for sources, target, port, _ in cells
        for source in sources.split(", ")
        if sources != "nobody"
    }
    registered: set[tuple[str, str, str]] = set()
    for stack, config in [
        *((stack, config_of(stack)) for stack in SIZES),
        ("dev", VARIED),
        ("by-api", BY_API),
        ("every-port", EVERY_PORT),
    ]:
        graph = build(stack, config)
        called = {
            group.name: group.inputs["description"] for group in graph.of_type(SECURITY_GROUP)
        }
        registered |= {
            (called.get(source, source), called[target], "all" if port == -1 else str(port))
            for source, target, port in graph.open_ports()
        }
    assert listed == registered
    (nobody,) = [row for row in cells if row[0] == "nobody"]
    assert not set(nobody[1].split(", ")) & {target for _, target, _ in registered}


def test_the_page_names_every_security_group_that_any_stack_has() -> None:
    page = (ROOT / "docs/network.md").read_text(encoding="utf-8")
    descriptions = {
        group.inputs["description"]
        for graph in stacks_of_all.graphs().values()
        for group in graph.of_type(SECURITY_GROUP)
    }
    assert len(descriptions) > 10
    assert {each for each in descriptions if each not in page} == set()
