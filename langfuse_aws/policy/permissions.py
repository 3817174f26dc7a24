"""Rules on IAM: no statement grants more than its holder needs."""

from collections.abc import Iterator
from typing import Any, Final

from langfuse_aws.graph.model import Resource
from langfuse_aws.policy.inputs import Statement, is_known, parts, several, statements
from langfuse_aws.policy.rule import ResourceRule, Rule

ROLE: Final = "aws:iam/role:Role"
DOCUMENTS: Final = (
    "aws:iam/policy:Policy",
    "aws:iam/rolePolicy:RolePolicy",
    "aws:iam/groupPolicy:GroupPolicy",
    "aws:iam/userPolicy:UserPolicy",
    ROLE,
)
"""Types that hold a policy document."""

NOTHING_NARROWER: Final = {
    "cloudwatch:PutMetricData": "metrics have no ARN; the namespace is a condition",
    "cloudwatch:GetMetricData": "metrics have no ARN",
    "cloudwatch:GetMetricStatistics": "metrics have no ARN",
    "cloudwatch:ListMetrics": "metrics have no ARN",
    "cloudwatch:DescribeAlarms": "a list of all alarms, which names no alarm",
    "ec2:DescribeInstances": "a list of all instances, which names none",
    "route53:CreateHealthCheck": "a health check has no ARN before it is made",
    "route53:ListHostedZonesByName": "a list of all zones, which names none",
    "ecs:ListTasks": "a list has no ARN; the cluster is a condition",
    "ecr:GetAuthorizationToken": "a token is for the whole registry",
    **dict.fromkeys(
        (
            "ssmmessages:CreateControlChannel",
            "ssmmessages:CreateDataChannel",
            "ssmmessages:OpenControlChannel",
            "ssmmessages:OpenDataChannel",
        ),
        "a channel of Session Manager has no ARN",
    ),
}
"""Actions that may have `Resource: "*"`, and why.
https://docs.aws.amazon.com/service-authorization/latest/reference/reference.html"""

BROAD: Final = ("AdministratorAccess", "PowerUserAccess", "FullAccess")
"""How the names of AWS's own policies end that grant a whole service, or everything."""


def _grants(resource: Resource) -> Iterator[Statement]:
    inputs = resource.inputs
    documents: list[Any] = [inputs.get("policy")]
    documents += [each.get("policy") for each in parts(inputs, "inlinePolicies")]
    for document in documents:
        yield from (each for each in statements(document) if each.allows)


def _wildcard_action(resource: Resource) -> Iterator[str]:
    for statement in _grants(resource):
        for action in statement.actions:
            if action == "*" or action.endswith(":*"):
                yield f"it allows {action}"


def _wildcard_resource(resource: Resource) -> Iterator[str]:
    for statement in _grants(resource):
        wide = [action for action in statement.actions if action not in NOTHING_NARROWER]
        if "*" in statement.resources and wide:
            yield f"it allows {', '.join(wide)} on every resource"


def _broad_policy(resource: Resource) -> Iterator[str]:
    for key in ("policyArn", "managedPolicyArns"):
        for arn in several(resource.inputs.get(key)):
            if is_known(arn) and arn.endswith(BROAD):
                yield f"{arn.rpartition('/')[2]} grants more than any part of the stack needs"


def _long_lived_key(resource: Resource) -> Iterator[str]:
    yield f"{resource.name} signs in with keys that do not expire"


RULES: Final[tuple[Rule, ...]] = (
    ResourceRule(
        id="no-wildcard-action",
        what="No policy allows every action of a service.",
        why="Three other projects grant `s3:*` and `secretsmanager:*`: whoever breaks into a task "
        "reads every secret and deletes every bucket.",
        remedy="Name the actions",
        types=DOCUMENTS,
        check=_wildcard_action,
    ),
    ResourceRule(
        id="no-wildcard-resource",
        what="No policy allows an action on every resource, if the action has anything narrower.",
        why="A task of one stack could read the secrets and buckets of every other one.",
        remedy=(
            "Name the ARNs, or list the action in langfuse_aws/policy/permissions.py with a reason"
        ),
        types=DOCUMENTS,
        check=_wildcard_resource,
    ),
    ResourceRule(
        id="no-broad-managed-policy",
        what="No role has a policy of AWS's that grants a whole service.",
        why="It grants what nobody reads, and AWS adds to it.",
        remedy="Write a policy with the actions that are needed",
        types=(ROLE, "aws:iam/rolePolicyAttachment:RolePolicyAttachment"),
        check=_broad_policy,
    ),
    ResourceRule(
        id="no-access-key",
        what="The stack makes no IAM users and no access keys.",
        why="A key for S3, as langfuse-k8s's examples have it, works from anywhere and for ever.",
        remedy="Use the task's role",
        types=("aws:iam/user:User", "aws:iam/accessKey:AccessKey"),
        check=_long_lived_key,
    ),
)
