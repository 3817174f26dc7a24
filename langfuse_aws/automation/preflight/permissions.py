"""Checks of `preflight` on permissions: may the caller do what the first `up` does.

IAM's simulator says; nothing is called for real. It knows the policies of a user or role, its
boundary and the organization's policies. It does not know a session's own policies, nor conditions
whose keys only a real call has.
https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_testing-policies.html
"""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple

from botocore.exceptions import ClientError

from langfuse_aws.automation.aws.answers import (
    DENIED,
    Caller,
    NewStack,
    Result,
    error_code,
    failed,
    ok,
    unknown,
)
from langfuse_aws.automation.errors import UserError
from langfuse_aws.automation.preflight.account import home_region
from langfuse_aws.automation.preflight.actions import rows_for
from langfuse_aws.automation.preflight.domain import public_zones
from langfuse_aws.graph.resource_types import APP_RUNNER_SERVICE
from langfuse_aws.settings.model import Settings
from langfuse_aws.settings.partitions import dns_suffix, service_principal

Verdict = Literal["allowed", "conditional", "organization", "boundary", "denied", "missing"]


@dataclass(frozen=True)
class Decision:
    """What the simulator says of one action."""

    action: str
    verdict: Verdict
    """Allowed; allowed under conditions at the most; or what forbids it: the organization, the
    boundary, a statement that denies, or that no statement allows."""
    details: tuple[str, ...] = ()
    """The keys of the conditions, or the policies that deny."""


class NotSimulatedError(UserError):
    """The simulator knows no policies of this caller."""


def principal_of(iam: Any, caller: Caller) -> str:
    """ARN of the user or role whose policies the caller has. NotSimulatedError if there is none.

    An assumed role's ARN lacks the path of its role, which only IAM knows.
    """
    kind, _, rest = caller.arn.split(":", 5)[5].partition("/")
    if kind == "user":
        return caller.arn
    if kind == "root":
        raise NotSimulatedError(
            "IAM does not simulate the root user, which may do all that the organization allows. "
            "Use a role instead."
        )
    if kind != "assumed-role":
        raise NotSimulatedError(f"IAM simulates users and roles only, not {caller.arn}.")
    role = rest.split("/", 1)[0]
    try:
        return iam.get_role(RoleName=role)["Role"]["Arn"]
    except ClientError as error:
        if error_code(error) not in DENIED:
            raise
    return f"arn:{caller.partition}:iam::{caller.account}:role/{role}"


def simulate(
    iam: Any,
    principal: str,
    actions: Sequence[str],
    resource: str,
    context: Mapping[str, str],
) -> Iterator[Decision]:
    """Have the actions simulated on one resource, with the values of condition keys."""
    pages = iam.get_paginator("simulate_principal_policy").paginate(
        PolicySourceArn=principal,
        ActionNames=list(actions),
        ResourceArns=[resource],
        ContextEntries=[
            {"ContextKeyName": key, "ContextKeyValues": [value], "ContextKeyType": "string"}
            for key, value in context.items()
        ],
    )
    for page in pages:
        for result in page["EvaluationResults"]:
            yield _decision(result)


def _decision(result: Mapping[str, Any]) -> Decision:
    action, decision = result["EvalActionName"], result["EvalDecision"]
    organization = result.get("OrganizationsDecisionDetail", {}).get("AllowedByOrganizations")
    boundary = result.get("PermissionsBoundaryDecisionDetail", {}).get(
        "AllowedByPermissionsBoundary"
    )
    if decision == "allowed":
        return Decision(action, "allowed")
    if organization is False:
        return Decision(action, "organization")
    if boundary is False:
        return Decision(action, "boundary")
    if decision == "explicitDeny":
        policies = {each.get("SourcePolicyId", "") for each in result.get("MatchedStatements", [])}
        return Decision(action, "denied", tuple(sorted(policies - {""})))
    keys = tuple(sorted(result.get("MissingContextValues", [])))
    return Decision(action, "conditional" if keys else "missing", keys)


PERMISSIONS: Final = "permissions"
SERVICE_ROLES: Final = "service-linked roles"

GLOBAL_SERVICES: Final = ("budgets", "iam", "route53")
"""Whose calls go to the partition's home region."""

SIMULATIONS_AT_ONCE: Final = 4
"""IAM slows down who asks for more."""


class ServiceRole(NamedTuple):
    """A role that a service makes for itself on its first use, in the caller's name."""

    service: str
    name: str
    makers: tuple[str, ...]
    """The resource types of permissions.csv whose creation is such a use."""


SERVICE_LINKED_ROLES: Final = (
    ServiceRole("ecs.amazonaws.com", "AWSServiceRoleForECS", ("aws:ecs/cluster:Cluster",)),
    ServiceRole(
        "ecs.application-autoscaling.amazonaws.com",
        "AWSServiceRoleForApplicationAutoScaling_ECSService",
        ("aws:appautoscaling/target:Target",),
    ),
    ServiceRole(
        "autoscaling.amazonaws.com",
        "AWSServiceRoleForAutoScaling",
        ("aws:autoscaling/group:Group",),
    ),
    ServiceRole(
        "rds.amazonaws.com",
        "AWSServiceRoleForRDS",
        ("aws:rds/instance:Instance", "aws:rds/cluster:Cluster"),
    ),
    ServiceRole(
        "elasticache.amazonaws.com",
        "AWSServiceRoleForElastiCache",
        ("aws:elasticache/replicationGroup:ReplicationGroup",),
    ),
    ServiceRole(
        "elasticloadbalancing.amazonaws.com",
        "AWSServiceRoleForElasticLoadBalancing",
        ("aws:lb/loadBalancer:LoadBalancer",),
    ),
    ServiceRole(
        "ops.apigateway.amazonaws.com",
        "AWSServiceRoleForAPIGateway",
        ("aws:apigatewayv2/vpcLink:VpcLink",),
    ),
    ServiceRole("apprunner.amazonaws.com", "AWSServiceRoleForAppRunner", (APP_RUNNER_SERVICE,)),
    ServiceRole(
        "networking.apprunner.amazonaws.com",
        "AWSServiceRoleForAppRunnerNetworking",
        ("aws:apprunner/vpcConnector:VpcConnector",),
    ),
    # https://docs.aws.amazon.com/AmazonECR/latest/userguide/slr-pullthroughcache.html
    ServiceRole(
        "pullthroughcache.ecr.amazonaws.com",
        "AWSServiceRoleForECRPullThroughCache",
        ("aws:ecr/pullThroughCacheRule:PullThroughCacheRule",),
    ),
    # https://docs.aws.amazon.com/aws-backup/latest/devguide/using-service-linked-roles-AWSServiceRoleForBackup.html
    ServiceRole(
        "backup.amazonaws.com", "AWSServiceRoleForBackup", ("aws:backup/selection:Selection",)
    ),
)
"""Each service's own page says when it makes the role; all pages are linked from
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_aws-services-that-work-with-iam.html"""


def check_permissions(stack: NewStack, caller: Caller) -> Iterator[Result]:
    """Whether the caller may call every action of the stack's resource types."""
    iam = stack.aws("iam")
    try:
        principal = principal_of(iam, caller)
    except NotSimulatedError as error:
        yield unknown(PERMISSIONS, str(error))
        return
    zones = public_zones(stack, stack.settings.hosted_zone) if stack.settings.hosted_zone else []
    names = {
        "account": caller.account,
        "region": stack.region,
        "prefix": stack.prefix,
        "ec2": service_principal("ec2.amazonaws.com", caller.partition),
        "suffix": dns_suffix(caller.partition),
        "zone": zones[0] if zones else "Z0PREFLIGHT",
        "boundary": stack.settings.permissions_boundary or "",
    }
    own = [arn for key, arn in stack.settings.policies if key != "permissionsBoundary"]
    merge_dimensions: dict[tuple[str, str, bool], set[str]] = defaultdict(set)
    for row in rows_for(stack.settings):
        resource = row.resource.format_map(names)
        arn = resource if resource == "*" else f"arn:{caller.partition}:{resource}"
        for policy in own if "{policy}" in row.context else [""]:
            context = row.context.format_map({**names, "policy": policy})
            for action in row.actions:
                at_home = action.partition(":")[0] in GLOBAL_SERVICES
                merge_dimensions[arn, context, at_home].add(action)

    def ask(item: tuple[tuple[str, str, bool], set[str]]) -> list[Decision]:
        (arn, given, at_home), actions = item
        region = home_region(stack.region) if at_home else stack.region
        pairs = (each.partition("=") for each in given.split())
        context = {
            "aws:RequestedRegion": region,
            **{key: value for key, _, value in pairs if value},
        }
        return list(simulate(iam, principal, sorted(actions), arn, context))

    with ThreadPoolExecutor(SIMULATIONS_AT_ONCE) as pool:
        decisions = [each for found in pool.map(ask, merge_dimensions.items()) for each in found]
    refused = [each for each in decisions if each.verdict != "allowed"]
    if not refused:
        yield ok(PERMISSIONS, f"{principal} may call all {len(decisions)} actions")
    yield from _refusals(principal, refused)


def check_service_linked_roles(stack: NewStack, caller: Caller) -> Iterator[Result]:
    """Whether the roles exist that services make on first use, or the caller may have them made."""
    iam = stack.aws("iam")
    pages = iam.get_paginator("list_roles").paginate(PathPrefix="/aws-service-role/")
    there = {role["RoleName"] for page in pages for role in page["Roles"]}
    missing = [
        role
        for role in SERVICE_LINKED_ROLES
        if role.name not in there and _needed(role, stack.settings)
    ]
    if not missing:
        yield ok(SERVICE_ROLES, "all are there")
        return
    try:
        principal = principal_of(iam, caller)
    except NotSimulatedError as error:
        yield unknown(SERVICE_ROLES, str(error), _make(missing))
        return
    fine: list[str] = []
    for role in missing:
        arn = (
            f"arn:{caller.partition}:iam::{caller.account}:role/aws-service-role/{role.service}/"
            f"{role.name}"
        )
        context = {
            "aws:RequestedRegion": home_region(stack.region),
            "iam:AWSServiceName": role.service,
        }
        actions = ["iam:CreateServiceLinkedRole"]
        for decision in simulate(iam, principal, actions, arn, context):
            if decision.verdict == "allowed":
                fine.append(role.name)
                continue
            line = f"{role.name} is not there, and {principal} {_reason(decision)}"
            if decision.verdict == "conditional":
                yield unknown(SERVICE_ROLES, f"{line}.", _make([role]))
            else:
                yield failed(SERVICE_ROLES, f"{line}.", _make([role]))
    if fine:
        yield ok(SERVICE_ROLES, f"the first up makes {', '.join(fine)}")


def _needed(role: ServiceRole, settings: Settings) -> bool:
    return any(token in role.makers for row in rows_for(settings) for token in row.types)


def _make(roles: Sequence[ServiceRole]) -> str:
    commands = [
        f"aws iam create-service-linked-role --aws-service-name {role.service}" for role in roles
    ]
    return f"Have an administrator run: {'; '.join(commands)}"


def _refusals(principal: str, refused: Iterable[Decision]) -> Iterator[Result]:
    """Put together what has the same service and the same reason."""
    groups: dict[tuple[str, Verdict, tuple[str, ...]], set[str]] = defaultdict(set)
    for each in refused:
        groups[each.action.partition(":")[0], each.verdict, each.details].add(each.action)
    for (service, verdict, details), actions in sorted(groups.items()):
        named = sorted(actions)
        line = f"{principal} {_reason(Decision(', '.join(named), verdict, details))}."
        remedy = REMEDIES[verdict](principal, named)
        made = unknown if verdict == "conditional" else failed
        yield made(f"{PERMISSIONS} {service}", line, remedy)


def _reason(decision: Decision) -> str:
    details = ", ".join(decision.details)
    said: Mapping[Verdict, str] = {
        "conditional": f"may call {decision.action} under conditions at the most ({details})",
        "organization": f"may not call {decision.action}: the organization forbids it",
        "boundary": f"may not call {decision.action}: its permissions boundary does not allow it",
        "denied": f"may not call {decision.action}: a policy denies it ({details})",
        "missing": f"may not call {decision.action}: no policy allows it",
    }
    return said[decision.verdict]


def _statement(principal: str, actions: Sequence[str]) -> str:
    statement: dict[str, Any] = {"Effect": "Allow", "Action": list(actions), "Resource": "*"}
    return f"Add to a policy of {principal}: {json.dumps(statement)}"


REMEDIES: Final[Mapping[Verdict, Callable[[str, Sequence[str]], str]]] = {
    "conditional": lambda principal, _: f"Look at the conditions in the policies of {principal}.",
    "organization": lambda _, __: (
        "Ask whoever runs the organization to allow them in its service control policies."
    ),
    "boundary": lambda principal, actions: (
        f"Extend the permissions boundary of {principal} by {', '.join(actions)}."
    ),
    "denied": lambda _, __: "Take them out of the statement that denies them.",
    "missing": _statement,
}
