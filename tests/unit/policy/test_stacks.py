"""The rules of `policy/` over whole stacks: the shipped ones keep all, and one input breaks one.

It proves that each rule sees what the program registers, by breaking it there. The values are those
after an update; what a preview does not know yet, no rule can judge.
"""

import dataclasses
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, cast

import pytest

from langfuse_aws.graph.model import SECRET, UNKNOWN, Resource, ResourceGraph
from langfuse_aws.policy.rules import RULES, violations
from tests.unit.policy_cases.stacks import CHANGES, REMOVALS, Change, without
from tests.unit.stack_graph import shipped, varied
from tests.unit.state import as_state, shipped_tags

STACKS = ("dev", "staging", "prod", "varied")

ELSEWHERE = {
    "no-access-key": "the program has no such type",
    "stores-in-private-subnets": "subnets are children of awsx's VPC, which the mocks do not make",
    "tagged": "default tags are the engine's; see the test of the tags",
}
"""Rules that no change of an input can break here."""


@cache
def state(stack: str) -> ResourceGraph:
    """The state of a shipped stack, or of the varied one."""
    if stack == "varied":
        return as_state(varied(), shipped_tags("dev"))
    return as_state(shipped(stack), shipped_tags(stack))


def fired(graph: ResourceGraph) -> set[str]:
    return {each.rule.id for each in violations(graph)}


def full(token: str) -> str:
    """The token of a type that is written without its provider and its class."""
    kind = token.rpartition("/")[2]
    return token if ":" in token else f"aws:{token}:{kind[0].upper()}{kind[1:]}"


def changed(
    graph: ResourceGraph, token: str, name: str, change: Callable[[Resource], Resource | None]
) -> ResourceGraph:
    """The graph with the first resource of a type and an end of its name changed or removed."""
    target = next(each for each in graph.of_type(full(token)) if each.name.endswith(name))
    new = [change(each) if each is target else each for each in graph.resources]
    return ResourceGraph(tuple(each for each in new if each is not None))


@pytest.mark.parametrize("stack", STACKS)
def test_a_stack_keeps_every_rule(stack: str) -> None:
    assert [str(each) for each in violations(state(stack))] == []


def test_every_rule_looks_at_something_in_some_stack() -> None:
    types = {each.type for stack in STACKS for each in state(stack).resources}
    idle = {rule.id for rule in RULES if not any(map(rule.looks_at, types))}
    assert idle == {"no-access-key"}


@pytest.mark.parametrize(
    ("rule", "stack", "token", "name", "change"),
    CHANGES,
    ids=[f"{rule}-{token}" for rule, _, token, _, _ in CHANGES],
)
def test_one_input_changed_breaks_one_rule(
    rule: str, stack: str, token: str, name: str, change: Change
) -> None:
    def edited(resource: Resource) -> Resource:
        return dataclasses.replace(resource, inputs=change(dict(resource.inputs)))

    assert fired(changed(state(stack), token, name, edited)) == {rule}


@pytest.mark.parametrize(("rule", "token"), REMOVALS)
def test_a_guard_that_is_gone_breaks_one_rule(rule: str, token: str) -> None:
    assert fired(changed(state("prod"), token, "", lambda _: None)) == {rule}


def test_every_rule_is_broken_in_some_stack() -> None:
    broken = {rule for rule, *_ in CHANGES} | {rule for rule, _ in REMOVALS}
    assert {rule.id for rule in RULES} - broken == set(ELSEWHERE)


def test_a_protected_stack_with_one_store_unprotected_breaks_the_rule() -> None:
    graph = state("prod")
    for token in ("ebs/volume", "random:index/randomBytes:RandomBytes"):
        bare = changed(graph, token, "", lambda each: dataclasses.replace(each, protect=False))
        assert fired(bare) == {"data-protected"}


def test_a_stack_without_protection_is_refused_only_where_the_setting_asks_for_it() -> None:
    graph = state("dev")
    assert violations(graph, protected=False) == []
    found = violations(graph, protected=True)
    assert {each.rule.id for each in found} == {"data-protected"}
    assert {each.resource.name for each in found} == {
        "langfuse-dev-access-logs",
        "langfuse-dev-backups",
        "langfuse-dev-clickhouse",
        "langfuse-dev-clickhouse-backups",
        "langfuse-dev-encryption-key",
        "langfuse-dev-keys",
        "langfuse-dev-postgres",
        "langfuse-dev-redis",
        "langfuse-dev-storage",
    }


def test_a_stack_file_without_default_tags_breaks_the_rule_on_tags() -> None:
    found = violations(as_state(shipped("prod"), {"Project": "langfuse"}))
    assert {each.rule.id for each in found} == {"tagged"}
    assert {each.problem for each in found} == {"it lacks the tag Stack"}
    assert len(found) > 50, "roles, groups, buckets: whatever has tags"


def all_unknown(value: Any, depth: int) -> Any:
    """The value with everything unknown below a depth."""
    if depth == 0 or not isinstance(value, (Mapping, list)):
        return UNKNOWN if depth == 0 else value
    if isinstance(value, Mapping):
        items = cast("Mapping[str, Any]", value).items()
        return {key: all_unknown(item, depth - 1) for key, item in items}
    return [all_unknown(item, depth) for item in cast("list[Any]", value)]


@pytest.mark.parametrize("stack", STACKS)
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_what_is_unknown_before_an_update_breaks_no_rule(stack: str, depth: int) -> None:
    unknown = tuple(
        dataclasses.replace(each, inputs=all_unknown(each.inputs, depth))
        for each in state(stack).resources
    )
    assert [str(each) for each in violations(ResourceGraph(unknown))] == []


def test_a_violation_is_one_line_with_level_rule_resource_fault_and_remedy() -> None:
    bare = changed(
        state("dev"),
        "cloudwatch/logGroup",
        "langfuse-dev-web",
        lambda each: dataclasses.replace(
            each, inputs=without("retentionInDays")(dict(each.inputs))
        ),
    )
    assert [str(each) for each in violations(bare)] == [
        "[mandatory] log-retention: aws:cloudwatch/logGroup:LogGroup langfuse-dev-web: "
        "retentionInDays is not set. Set retentionInDays to langfuse:logs.retentionDays"
    ]


def test_the_graphs_have_origins_secrets_and_tags_as_a_state_has() -> None:
    graph = state("prod")
    (cache,) = graph.of_type("aws:elasticache/replicationGroup:ReplicationGroup")
    assert cache.inputs["authToken"] == SECRET
    tags: Mapping[str, str] = cache.inputs["tagsAll"]
    assert tags == {"Project": "langfuse", "Stack": "prod"}
    groups = graph.origins(cache, "securityGroupIds", "aws:ec2/securityGroup:SecurityGroup")
    assert [each.name for each in groups] == ["langfuse-prod-redis"]
