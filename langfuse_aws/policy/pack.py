"""Hands the rules to Pulumi's engine, in the form of pulumi-policy.

Rules over one resource become resource policies, and those that compare resources stack policies.
There are no rules here: `langfuse_aws/policy/rules.py` has them all.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, cast

from pulumi.runtime.config import get_config_env
from pulumi_policy import (
    EnforcementLevel,
    Policy,
    PolicyResource,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    StackValidationArgs,
    StackValidationPolicy,
    proxy,
)
from pulumi_policy.deserialize import serialize_properties

from langfuse_aws.graph.model import UNKNOWN, Resource, ResourceGraph
from langfuse_aws.policy.rule import JudgedStack, ResourceRule, Rule
from langfuse_aws.policy.rules import RULES
from langfuse_aws.settings.loading import SettingsError, load, of_namespace

TYPED_MARKS: Final = frozenset(
    value for name, value in vars(proxy).items() if name.startswith("UNKNOWN_")
)
"""Pulumi's marks of unknown values: one for each type, of which UNKNOWN is that of texts."""


def policies() -> Iterator[Policy]:
    """Every rule in pulumi-policy's form."""
    for rule in RULES:
        about: dict[str, Any] = {
            "name": rule.id,
            "description": rule.what,
            "enforcement_level": EnforcementLevel(rule.level),
            "remediation_steps": rule.remedy,
        }
        if isinstance(rule, ResourceRule):
            yield ResourceValidationPolicy(validate=_of_resource(rule), **about)
        else:
            yield StackValidationPolicy(validate=_of_stack(rule), **about)


def _of_resource(rule: Rule) -> Any:
    def validate(args: ResourceValidationArgs, report: ReportViolation) -> None:
        if rule.looks_at(args.resource_type):
            resource = Resource(args.urn, args.resource_type, inputs=plain(args.props))
            for problem in rule.problems(resource, JudgedStack(ResourceGraph((resource,)), False)):
                report(rule.message(problem), None)

    return validate


def _of_stack(rule: Rule) -> Any:
    def validate(args: StackValidationArgs, report: ReportViolation) -> None:
        stack = JudgedStack.of(graph_of(args.resources), deletion_protection())
        for resource in stack.graph.resources:
            if rule.looks_at(resource.type):
                for problem in rule.problems(resource, stack):
                    report(rule.message(problem), resource.urn)

    return validate


def graph_of(resources: Sequence[PolicyResource]) -> ResourceGraph:
    """The stack's graph; a stack policy sees outputs, which have the inputs among them."""
    return ResourceGraph(
        tuple(
            Resource(
                each.urn,
                each.resource_type,
                parent=each.parent.urn if each.parent else "",
                inputs=plain(each.props),
                protect=each.opts.protect,
                origins={
                    name: [origin.urn for origin in origins]
                    for name, origins in each.property_dependencies.items()
                },
            )
            for each in resources
        )
    )


def plain(properties: Mapping[str, Any]) -> Mapping[str, Any]:
    """Properties as the graph has them: unknown values can be looked at."""
    return cast("Mapping[str, Any]", _known_marks(serialize_properties(properties)))


def _known_marks(value: Any) -> Any:
    if isinstance(value, Mapping):
        items = cast("Mapping[str, Any]", value).items()
        return {key: _known_marks(item) for key, item in items}
    if isinstance(value, list):
        return [_known_marks(item) for item in cast("list[Any]", value)]
    return UNKNOWN if value in TYPED_MARKS else value


def deletion_protection() -> bool | None:
    """The stack's setting; None where the settings are refused, as the program will say."""
    try:
        return load(of_namespace(get_config_env())).deletion_protection
    except SettingsError:
        return None
