"""What a rule is, and what it looks at.

A rule knows nothing of pulumi-policy: `langfuse_aws/policy/pack.py` hands it to the engine, and
`langfuse_aws/policy/rules.py` holds a graph against it that was read from a preview or a state.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from langfuse_aws.graph.model import Resource, ResourceGraph

Level = Literal["advisory", "mandatory"]
"""pulumi-policy's words: an advisory violation is shown, a mandatory one stops the update."""


@dataclass(frozen=True)
class JudgedStack:
    """The stack that the rules judge, with the resource among others."""

    graph: ResourceGraph
    protected: bool
    """Whether `langfuse:deletionProtection` is set."""

    @classmethod
    def of(cls, graph: ResourceGraph, protected: bool | None) -> "JudgedStack":
        """Take a stack whose setting is not known for protected if anything in it is."""
        if protected is None:
            protected = any(each.protect for each in graph.resources)
        return cls(graph, protected)

    def attached(self, resource: Resource, token: str, property_name: str) -> list[Resource]:
        """The resources of a type that name `resource` in a property, such as a bucket's policy."""
        return [
            each
            for each in self.graph.of_type(token)
            if resource.urn in (each.origins.get(property_name) or ())
        ]


@dataclass(frozen=True, kw_only=True)
class Rule(ABC):
    """A rule on some types of resources. What is unknown before an update violates no rule."""

    id: str
    what: str
    """What must hold, in one sentence."""
    why: str
    """The mistake that it prevents."""
    remedy: str
    types: Sequence[str]
    """The type tokens it looks at; none for all."""
    level: Level = "mandatory"

    def looks_at(self, token: str) -> bool:
        """Whether the rule is about a type."""
        return not self.types or token in self.types

    @abstractmethod
    def problems(self, resource: Resource, stack: JudgedStack) -> Iterable[str]:
        """What is wrong with a resource of `types`, one sentence each."""

    def message(self, problem: str) -> str:
        """A problem with its remedy."""
        return f"{problem}. {self.remedy}"


@dataclass(frozen=True, kw_only=True)
class ResourceRule(Rule):
    """A rule that a resource's inputs alone decide: it is told before the resource is made."""

    check: Callable[[Resource], Iterable[str]]

    def problems(self, resource: Resource, stack: JudgedStack) -> Iterable[str]:
        """Look at the resource alone."""
        del stack
        return self.check(resource)


@dataclass(frozen=True, kw_only=True)
class StackRule(Rule):
    """A rule that needs to see other resources too: it is told at the end of a preview."""

    check: Callable[[Resource, JudgedStack], Iterable[str]]

    def problems(self, resource: Resource, stack: JudgedStack) -> Iterable[str]:
        """Look at the resource among the others."""
        return self.check(resource, stack)
