"""Asks IAM's simulator what a caller may do.

It knows the policies of a user or role, its boundary and the organization's policies. It does not
know a session's own policies, nor conditions whose keys only a real call has.
https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_testing-policies.html
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from botocore.exceptions import ClientError

from langfuse_aws.automation.aws.answers import DENIED, Caller, error_code
from langfuse_aws.automation.errors import UserError

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
