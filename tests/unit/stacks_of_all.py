"""Stacks that together have all that the program makes. Most are built by other tests as well."""

from collections.abc import Mapping
from functools import cache
from typing import Any, Final

import pytest

from tests.image_lock import locked
from tests.unit.components.test_app_runner import APP_RUNNER, FARGATE
from tests.unit.cost.test_cost import EVERYTHING
from tests.unit.settings.test_external_stores import EXTERNAL, password
from tests.unit.stack_graph import (
    ROOT,
    VARIED,
    Graph,
    build,
    shipped_config,
)

STACKS: Final[Mapping[str, tuple[str, Mapping[str, Any]]]] = {
    **{size: (size, shipped_config(size)) for size in ("dev", "staging", "prod")},
    "varied": ("dev", VARIED),
    "encrypted": ("dev", {**shipped_config("dev"), "encryption": "customerKey"}),
    "everything": ("everything", EVERYTHING),
    "mirror": ("platform", FARGATE),
    "App Runner": ("platform", APP_RUNNER),
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
    """Build them all; those named `platform` have every image locked, and so in the offline ECR.

    They refuse an image without a digest, and the repository's own lock has none. No other stack
    may be built so: other tests get the same graphs.
    """
    found = {label: build(*stack) for label, stack in STACKS.items() if stack[0] != LOCKED}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "langfuse_aws.components.runtime.images.read_lock",
            lambda _: locked(APP_RUNNER),  # pyright: ignore
        )
        found |= {label: build(*stack) for label, stack in STACKS.items() if stack[0] == LOCKED}
    return {label: found[label] for label in STACKS}


def of_vpc() -> set[str]:
    """The types that awsx makes a VPC of without NAT gateways, as the offline engine knows them."""
    source = (ROOT / "langfuse_aws/offline/vpc_component.py").read_text(encoding="utf-8")
    types = {part for part in source.split('"') if part.startswith("aws:ec2/")}
    return types - {"aws:ec2/eip:Eip", "aws:ec2/natGateway:NatGateway"}
