"""Writes the architecture's pictures and the table of who may talk to whom, from resource graphs.

The graphs are recorded without an engine. The reasons in the table are written here; an open
port without a reason, and a reason without an open port, is an error.
"""

from collections.abc import Mapping
from typing import Any, Final

from development.recorded_graph import recorded, shipped_config
from langfuse_aws.graph.architecture import architecture
from langfuse_aws.graph.mermaid import mermaid
from langfuse_aws.graph.model import ResourceGraph
from langfuse_aws.graph.open_ports import SECURITY_GROUP, open_ports
from langfuse_aws.review.markdown import ABSENT, table

BY_API: Final[Mapping[str, Any]] = {"size": "dev", "grafana": {"enabled": True}}
EVERY_PORT: Final[Mapping[str, Any]] = {
    "size": "staging",
    "domain": "langfuse.example.com",
    "network": {"zones": 3},
    "clickhouse": {"replicas": 3},
    "grafana": {"enabled": True},
}
"""With BY_API, every port that the program opens but that of `egress: endpoints`, whose images must
be locked: the page has a sentence of it."""

WHY: Final[Mapping[tuple[str, str], str]] = {
    ("Load balancer", "80"): "redirected to https; `ingress.allowedCidrs` narrows it",
    ("Load balancer", "443"): "https; `ingress.allowedCidrs` narrows it",
    ("Langfuse web", "3000"): "requests",
    ("Grafana", "3000"): "requests below `/grafana`, if there is a Grafana",
    ("PostgreSQL", "5432"): "TLS, enforced",
    ("Valkey", "6379"): "TLS, enforced",
    ("ClickHouse server", "8123"): "HTTP, queries and inserts, in the clear within the VPC; "
    "Grafana's user may only read",
    ("ClickHouse server", "9000"): "native protocol, in the clear within the VPC",
    ("ClickHouse server", "9009"): "three servers only: parts",
    ("ClickHouse server", "9181"): "three servers only: Keeper",
    ("ClickHouse server", "9234"): "three servers only: raft",
    ("NAT instance", "all"): "the VPC's traffic, to be forwarded",
}
"""By the group that is entered and the port."""
NOBODY: Final = "a shell goes through SSM, which the instance itself connects to"


def flowchart(stack: str) -> str:
    """The picture of a shipped stack."""
    graph = recorded(stack, shipped_config(stack))
    return f"```mermaid\n{mermaid(architecture(graph))}\n```"


def open_ports_table() -> str:
    """Who may talk to whom, in these two stacks. Raises LookupError."""
    sources: dict[tuple[str, str], set[str]] = {}
    closed: set[str] = set()
    for graph in (recorded("by-api", BY_API), recorded("every-port", EVERY_PORT)):
        opened = open_ports(graph)
        for each in opened:
            key = (_name(graph, each.target), each.ports)
            sources.setdefault(key, set()).add(_name(graph, each.source))
        groups = {each.urn for each in graph.of_type(SECURITY_GROUP)}
        closed |= {_name(graph, each) for each in groups - {each.target for each in opened}}
    if different := set(sources) ^ set(WHY):
        raise LookupError(f"WHY and the security groups differ in {sorted(different)}")
    rows = [(", ".join(sorted(sources[key])), *key, why) for key, why in WHY.items()]
    rows.append(("nobody", ", ".join(sorted(closed)), ABSENT, NOBODY))
    return table(("From", "To", "Port", "Why"), rows)


def _name(graph: ResourceGraph, source: str) -> str:
    """The description of a group, or the block that it is."""
    return str(graph[source].inputs["description"]) if source in graph else source
