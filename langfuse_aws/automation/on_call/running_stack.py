"""A stack that runs: the resources of its state, by what they are of, and clients of its AWS."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, cast

from langfuse_aws.automation.aws.clients import one_of_each
from langfuse_aws.automation.engine.deployed import Deployed
from langfuse_aws.automation.hours.asleep import Asleep, seen_asleep
from langfuse_aws.graph.model import Resource


@dataclass(frozen=True)
class RunningStack:
    """The stack, as its state has it at one moment."""

    deployed: Deployed
    asleep: Asleep | None = None
    """Once `look` has looked."""

    @classmethod
    def of(cls, deployed: Deployed) -> "RunningStack":
        """Take a stack that has just been opened."""
        return cls(replace(deployed, aws=one_of_each(deployed.aws)))

    def later(self) -> "RunningStack":
        """The same stack with the state of now, and the clients of before."""
        return RunningStack(self.deployed.now())

    def look(self) -> "RunningStack":
        """The same, and whether it is asleep. Asks AWS once, if the stack has hours."""
        deployed = self.deployed
        return replace(self, asleep=seen_asleep(deployed.name, self.resources, deployed.aws))

    def aws(self, service: str) -> Any:
        """Give the client of a service; safe in threads."""
        return self.deployed.aws(service)

    @property
    def prefix(self) -> str:
        """What the names of its resources begin with."""
        return self.deployed.prefix

    @cached_property
    def resources(self) -> Sequence[Resource]:
        """What is deployed, without what is about to be deleted."""
        return [each for each in self.deployed.state if not each.replaced]

    def of_type(self, token: str) -> list[Resource]:
        """Every resource of a type."""
        return [each for each in self.resources if each.type == token]

    def part(self, resource: Resource) -> str:
        """Name what a resource is of: `langfuse-prod-clickhouse-backup` is `clickhouse-backup`."""
        return resource.name.removeprefix(f"{self.prefix}-")

    def by_part(self, token: str) -> Mapping[str, Resource]:
        """Every resource of a type, by its part."""
        return {self.part(each): each for each in self.of_type(token)}


def container_images(definition: Resource) -> Mapping[str, str]:
    """The image of each container of a task definition; empty if the state does not tell."""
    text = definition.outputs.get("containerDefinitions")
    try:
        containers: Any = json.loads(text) if isinstance(text, str) else text
    except ValueError:
        return {}
    found = cast("list[dict[str, Any]]", containers) if isinstance(containers, list) else []
    return {each["name"]: each["image"] for each in found}
