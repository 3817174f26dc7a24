"""Compares what other public ways to run Langfuse on AWS cost with what this one does.

Their bills were worked out by hand from their sources: us-east-1, on demand, 730 h, idle, in the
configuration that they ship. Nobody deployed them for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from development.cost_tables import bill_of
from langfuse_aws.review.markdown import ABSENT, table

Ours = Literal["dev", "staging", "prod", "prod, three ClickHouse servers"]


@dataclass(frozen=True)
class Peer:
    """One of them."""

    repository: str
    """On GitHub."""
    what: str
    itemised: str
    """USD a month, where the money goes."""
    usd: int
    ours: Ours
    """What it is nearest to here."""


PEERS: Final = (
    Peer(
        "mazyu36/langfuse-with-aws-cdk",
        "dev: ClickHouse on Spot and EFS, Aurora pauses",
        "Spot tasks, NAT instance, Aurora at 0 ACU; 44 more if the worker's queries keep it awake",
        81,
        "dev",
    ),
    Peer("mazyu36/langfuse-with-aws-cdk", "staging", "", 208, "staging"),
    Peer("mazyu36/langfuse-with-aws-cdk", "prod", "", 389, "prod"),
    Peer(
        "tubone24/langfuse-v3-terraform",
        "App Runner, ClickHouse on Fargate and EFS",
        "worker 57.67, ClickHouse 44.43, Aurora 43.80, web 10.22, Grafana 10.22, Valkey 9.93, "
        "Container Insights 8, KMS, secrets, DNS 3.40; its network is the user's",
        188,
        "staging",
    ),
    Peer(
        "myui/terraform-aws-langfuse-ecs",
        "Fargate, RDS, interface endpoints",
        "endpoints 58.40, load balancer 16.43, RDS 11.68, Redis 11.68, three Fargate tasks",
        234,
        "staging",
    ),
    Peer(
        "geoffrey-peng/terraform-aws-langfuse-ecs-fargate",
        "one task of three containers",
        "",
        282,
        "staging",
    ),
    Peer(
        "aws-samples/deploy-langfuse-on-ecs-with-fargate",
        "Langfuse 2: no ClickHouse, no worker",
        "two Aurora r6g.large 379.60, three NAT gateways 98.55, Fargate 36.04, addresses 21.90, "
        "load balancer 16.43, secret 0.40",
        553,
        "prod",
    ),
    Peer(
        "aws-samples/amazon-bedrock-samples",
        "CDK in TypeScript, ClickHouse on Fargate",
        "two Aurora r6g.large 379.60, three NAT gateways 98.55, Fargate, two t3.small caches",
        759,
        "prod",
    ),
    Peer(
        "niklas-palm/Langfuse-on-ecs",
        "CloudFormation, ClickHouse on Fargate",
        "two Aurora r6g.large, three NAT gateways, Fargate, t3.small cache; an estimate",
        740,
        "prod",
    ),
    Peer(
        "langfuse/langfuse-terraform-aws",
        "the official one: EKS, three ClickHouse replicas on Fargate and EFS",
        "ClickHouse 264.91, web and worker 150.66, ZooKeeper 117.85, Aurora 87.60, EKS 73.00, "
        "Redis 46.72, controllers 36.00, NAT 32.85, endpoint 21.90, load balancer 16.43, "
        "addresses 14.60, storage and DNS 2.00; without what EFS charges for I/O",
        865,
        "prod, three ClickHouse servers",
    ),
)


def peer_table() -> str:
    """Theirs and ours."""
    lines = [
        (
            f"[{each.repository}](https://github.com/{each.repository})",
            each.what,
            each.itemised or ABSENT,
            each.ours,
            f"{each.usd:,}",
            f"{_ours(each.ours):,.0f}",
        )
        for each in PEERS
    ]
    head = ("Project", "What it makes", "Of which", "Nearest here", "Theirs, USD", "Ours, USD")
    return table(head, lines, right=2)


def _ours(size: Ours) -> float:
    name, _, rest = size.partition(",")
    return bill_of(name, servers=3 if rest else 1).sums.configured
