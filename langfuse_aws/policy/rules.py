"""All rules, by theme, and what of a graph breaks them, without an engine."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from langfuse_aws.graph.model import Resource, ResourceGraph
from langfuse_aws.policy import (
    containers,
    data_safety,
    encryption,
    exposure,
    operation,
    permissions,
    secret_values,
    transport,
)
from langfuse_aws.policy.rule import JudgedStack, Rule

THEMES: Final[Mapping[str, tuple[Rule, ...]]] = {
    "Exposure": exposure.RULES,
    "Data on its way": transport.RULES,
    "Data at rest": encryption.RULES,
    "Secrets": secret_values.RULES,
    "Permissions": permissions.RULES,
    "Tasks and services": containers.RULES,
    "Losing data": data_safety.RULES,
    "Operation": operation.RULES,
}

RULES: Final = tuple(rule for rules in THEMES.values() for rule in rules)


@dataclass(frozen=True)
class Violation:
    """A resource that breaks a rule."""

    rule: Rule
    resource: Resource
    problem: str

    def __str__(self) -> str:
        """One line: level, rule, resource, problem, remedy."""
        where = f"{self.resource.type} {self.resource.name}"
        return f"[{self.rule.level}] {self.rule.id}: {where}: {self.rule.message(self.problem)}"


def violations(
    graph: ResourceGraph, *, protected: bool | None = None, rules: Sequence[Rule] = RULES
) -> list[Violation]:
    """Find what breaks a rule.

    `protected` is `langfuse:deletionProtection`. Without it a graph counts as protected if anything
    in it is.
    """
    return list(_violations(JudgedStack.of(graph, protected), rules))


def _violations(stack: JudgedStack, rules: Sequence[Rule]) -> Iterator[Violation]:
    for rule in rules:
        for resource in stack.graph.resources:
            if rule.looks_at(resource.type):
                for problem in rule.problems(resource, stack):
                    yield Violation(rule, resource, problem)
