"""For every rule of `policy/`: resources that break it, the exact faults, resources that keep it.

Resources are made by hand; what the program makes of its own is in `policy/test_stacks.py`.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from langfuse_aws.graph.model import Resource


@dataclass(frozen=True)
class Case:
    """A resource, those beside it, and what a rule says of it."""

    rule: str
    subject: Resource
    others: tuple[Resource, ...]
    problems: tuple[str, ...]
    protected: bool


def broken(
    rule: str, problems: str | Sequence[str], *resources: Resource, protected: bool = False
) -> Case:
    """A case whose first resource has these faults."""
    told = (problems,) if isinstance(problems, str) else tuple(problems)
    return Case(rule, resources[0], resources[1:], told, protected)


def kept(rule: str, *resources: Resource, protected: bool = False) -> Case:
    """A case whose first resource keeps the rule."""
    return Case(rule, resources[0], resources[1:], (), protected)


def made(
    token: str,
    inputs: Mapping[str, Any] | None = None,
    *,
    name: str = "it",
    protect: bool = False,
    parent: Resource | None = None,
    **origins: Resource,
) -> Resource:
    """A resource. `origins` are the resources that some of its inputs come from."""
    return Resource(
        urn=f"urn:pulumi:dev::langfuse::{token}::{name}",
        type=token,
        parent=parent.urn if parent else "",
        inputs=inputs or {},
        protect=protect,
        origins={key: [origin.urn] for key, origin in origins.items()},
    )


def document(*statements: Mapping[str, Any]) -> str:
    """A policy document."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def task(*containers: Mapping[str, Any], name: str = "it", **inputs: Any) -> Resource:
    """A task definition."""
    definitions = [{"name": "web", "image": "langfuse:1", **each} for each in containers]
    return made(
        "aws:ecs/taskDefinition:TaskDefinition",
        {"containerDefinitions": json.dumps(definitions), **inputs},
        name=name,
    )


def service(of: Resource, *, name: str = "it", **inputs: Any) -> Resource:
    """An ECS service of a task definition."""
    return made("aws:ecs/service:Service", inputs, name=name, taskDefinition=of)


def app_runner(*, name: str = "it", **image: Any) -> Resource:
    """An App Runner service; `image` is its image repository, over one that keeps the rules."""
    repository = {"imageIdentifier": "1.dkr.ecr.eu-west-1.amazonaws.com/a/langfuse:3.1.2", **image}
    return made(
        "aws:apprunner/service:Service",
        {
            "sourceConfiguration": {"imageRepository": repository},
            "instanceConfiguration": {"memory": "2048"},
            "healthCheckConfiguration": {"protocol": "HTTP"},
        },
        name=name,
    )
