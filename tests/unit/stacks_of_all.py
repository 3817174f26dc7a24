"""Stacks that together have all that the program makes. Most are built by other tests as well."""

from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from tests.unit.components.test_app_runner import APP_RUNNER, FARGATE
from tests.unit.cost.test_cost import EVERYTHING
from tests.unit.settings.test_external_stores import EXTERNAL, password
from tests.unit.stack_graph import (
    ROOT,
    VARIED,
    Graph,
    build,
    build_locked,
    shipped_config,
)

STACKS: Final[Mapping[str, tuple[str, Mapping[str, Any]]]] = {
    **{size: (size, shipped_config(size)) for size in ("dev", "staging", "prod")},
    "varied": ("dev", VARIED),
    "encrypted": ("dev", {**shipped_config("dev"), "encryption": "customerKey"}),
    "asleep": (
        "dev",
        {
            **shipped_config("dev"),
            "hours": {"from": "08:00", "to": "19:00", "timezone": "Europe/Berlin"},
            "network": {"egress": "natInstance"},
            "alarms": {"email": "ops@example.com"},
        },
    ),
    "everything": ("everything", EVERYTHING),
    "mirror": ("platform", FARGATE),
    "App Runner": ("platform", APP_RUNNER),
    "closed": (
        "platform",
        {
            "size": "dev",
            "network": {"egress": "endpoints", "endpoints": ["bedrock-runtime"]},
            "images": {"source": "mirror"},
        },
    ),
    "external": (
        "dev",
        {
            "size": "dev",
            "deletionProtection": True,
            "backups": {"copyRegion": "eu-west-1"},
            **{
                key: value
                for store in sorted(EXTERNAL)
                for key, value in (
                    (store, EXTERNAL[store]),
                    (f"{store}Password", password(store)),
                )
            },
        },
    ),
}
"""Name and `langfuse:` configuration of each."""

LOCKED: Final = "platform"
"""The name of stacks whose images are locked."""


@cache
def graphs() -> Mapping[str, Graph]:
    """Build them all."""
    return {
        label: (build_locked if stack[0] == LOCKED else build)(*stack)
        for label, stack in STACKS.items()
    }


def of_vpc() -> set[str]:
    """The types that awsx makes a VPC of without NAT gateways, as the offline engine knows them."""
    source = (ROOT / "langfuse_aws/offline/vpc_component.py").read_text(encoding="utf-8")
    types = {part for part in source.split('"') if part.startswith("aws:ec2/")}
    return types - {"aws:ec2/eip:Eip", "aws:ec2/natGateway:NatGateway"}
