"""The rules in the form of pulumi-policy, without an engine.

It proves what the pack makes of a rule and of what the engine would send. That the engine takes it
is shown by the engine's test of the same name.
"""

import json
from typing import Any

import pytest
from pulumi_policy import (
    EnforcementLevel,
    PolicyCustomTimeouts,
    PolicyResource,
    PolicyResourceOptions,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    StackValidationArgs,
    StackValidationPolicy,
)
from pulumi_policy.deserialize import deserialize_properties
from pulumi_policy.proxy import UNKNOWN_BOOLEAN_VALUE, unknown_checking_proxy

from langfuse_aws.graph.model import UNKNOWN
from langfuse_aws.policy.pack import deletion_protection, graph_of, policies
from langfuse_aws.policy.rule import StackRule
from langfuse_aws.policy.rules import RULES

BUCKET = "aws:s3/bucket:Bucket"
BLOCK = "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock"
VOLUME = "aws:ebs/volume:Volume"
LAMBDA = "aws:lambda/function:Function"
POLICIES = {each.name: each for each in policies()}


def options(*, protect: bool = False) -> PolicyResourceOptions:
    return PolicyResourceOptions(protect, [], None, [], PolicyCustomTimeouts(0, 0, 0), [])


def sent(properties: dict[str, Any]) -> Any:
    """Properties as pulumi-policy hands them on: unknown ones raise when they are read."""
    return unknown_checking_proxy(deserialize_properties(properties))


def urn(token: str) -> str:
    return f"urn:pulumi:dev::langfuse::{token}::it"


def told_of_resource(rule: str, token: str, properties: dict[str, Any]) -> list[str]:
    """What a resource policy reports."""
    policy = POLICIES[rule]
    assert isinstance(policy, ResourceValidationPolicy)
    found: list[str] = []
    arguments = ResourceValidationArgs(
        token, sent(properties), urn(token), "it", options(), provider=None
    )
    policy.validate(  # pyright: ignore[reportUnknownMemberType]
        arguments, lambda message, _=None: found.append(message)
    )
    return found


def told_of_stack(rule: str, *resources: PolicyResource) -> list[tuple[str, str | None]]:
    """What a stack policy reports, and of which resource."""
    policy = POLICIES[rule]
    assert isinstance(policy, StackValidationPolicy)
    found: list[tuple[str, str | None]] = []
    policy.validate(  # pyright: ignore[reportUnknownMemberType]
        StackValidationArgs(list(resources)),
        lambda message, where=None: found.append((message, where)),
    )
    return found


def resource(
    token: str,
    properties: dict[str, Any] | None = None,
    *,
    protect: bool = False,
    parent: PolicyResource | None = None,
    **origins: PolicyResource,
) -> PolicyResource:
    return PolicyResource(
        token,
        sent(properties or {}),
        urn(token),
        "it",
        options(protect=protect),
        provider=None,
        parent=parent,
        dependencies=list(origins.values()),
        property_dependencies={name: [origin] for name, origin in origins.items()},
    )


def test_every_rule_is_a_policy_with_its_words_and_level() -> None:
    assert list(POLICIES) == [rule.id for rule in RULES]
    for rule in RULES:
        policy = POLICIES[rule.id]
        assert policy.description == rule.what
        assert policy.remediation_steps == rule.remedy
        assert policy.enforcement_level == EnforcementLevel(rule.level)
        assert isinstance(policy, StackValidationPolicy) is isinstance(rule, StackRule), rule.id


def test_a_resource_policy_reports_fault_and_remedy_of_its_types_alone() -> None:
    assert told_of_resource("store-encrypted", VOLUME, {"encrypted": False}) == [
        "encrypted is not true. Switch it on before the store is made"
    ]
    assert told_of_resource("store-encrypted", BUCKET, {"encrypted": False}) == []
    assert told_of_resource("tagged", BUCKET, {"tagsAll": {}}) != [], "a rule on every type"


@pytest.mark.parametrize("unknown", [UNKNOWN, UNKNOWN_BOOLEAN_VALUE])
def test_an_unknown_value_of_any_kind_is_no_violation(unknown: str) -> None:
    assert told_of_resource("store-encrypted", VOLUME, {"encrypted": unknown}) == []


def test_files_and_secrets_among_the_properties_do_no_harm() -> None:
    signature = "4dabf18193072939515e22adb298388d"
    code = {signature: "c44067f5952c0a294b673a41bacd8c17", "path": "migrate.py"}
    variables = {signature: "1b47061264138c4ac30d75fd1eb44270", "value": {"SALT": "pepper"}}
    properties = {"code": code, "environment": {"variables": variables}}
    assert told_of_resource("no-secret-in-environment", LAMBDA, properties) == [
        "SALT in its environment looks like a secret. Put it into Secrets Manager and refer to it "
        "by secrets[].valueFrom"
    ]


def test_a_stack_policy_sees_the_others_and_names_the_resource() -> None:
    bucket = resource(BUCKET)
    switches = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
    on: dict[str, Any] = dict.fromkeys(switches, True)
    rule = "bucket-blocks-public-access"
    assert told_of_stack(rule, bucket, resource(BLOCK, on, bucket=bucket)) == []
    assert told_of_stack(rule, bucket) == [
        (
            "the bucket has no public access block. Give the bucket a BucketPublicAccessBlock with "
            "all four switches true",
            urn(BUCKET),
        )
    ]


def test_the_stack_s_graph_has_parents_origins_and_protection() -> None:
    parent = resource("langfuse:index:Storage")
    bucket = resource(BUCKET, {"bucket": "a"}, protect=True, parent=parent)
    graph = graph_of([parent, bucket, resource(BLOCK, {"bucket": UNKNOWN}, bucket=bucket)])
    (found,) = graph.of_type(BUCKET)
    assert (found.parent, found.protect, found.inputs) == (parent.urn, True, {"bucket": "a"})
    (block,) = graph.of_type(BLOCK)
    assert block.inputs == {"bucket": UNKNOWN}
    assert graph.origins(block, "bucket", BUCKET) == [found]


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"langfuse:size": "dev"}, False),
        ({"langfuse:size": "dev", "langfuse:deletionProtection": "true"}, True),
        ({"langfuse:size": "prod", "langfuse:domain": "langfuse.example.com"}, True),
        ({"langfuse:size": "huge"}, None),
        ({}, None),
    ],
)
def test_deletion_protection_is_read_from_the_stack_s_settings(
    config: dict[str, str], expected: bool | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PULUMI_CONFIG", json.dumps(config))
    assert deletion_protection() is expected


def test_the_setting_decides_whether_an_unprotected_store_is_a_violation(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PULUMI_CONFIG", json.dumps({"langfuse:size": "dev"}))
    assert told_of_stack("data-protected", resource(VOLUME)) == []
    prod = {"langfuse:size": "prod", "langfuse:domain": "langfuse.example.com"}
    monkeypatch.setenv("PULUMI_CONFIG", json.dumps(prod))
    ((message, where),) = told_of_stack("data-protected", resource(VOLUME))
    assert message.startswith("protect is not set, with langfuse:deletionProtection. ")
    assert where == urn(VOLUME)
