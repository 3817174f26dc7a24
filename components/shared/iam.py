"""IAM documents as pure functions, and the roles made of them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pulumi
import pulumi_aws as aws

from langfuse_aws.components.shared.location import Location
from langfuse_aws.settings.managed_policies import label_of
from langfuse_aws.settings.partitions import service_principal

Statement = Mapping[str, Any]


def allow(
    actions: Sequence[str],
    resources: Sequence[Any],
    conditions: Mapping[str, Mapping[str, Any]] | None = None,
) -> Statement:
    """One Allow statement. Actions are sorted, so that documents compare equal."""
    statement: dict[str, Any] = {
        "Effect": "Allow",
        "Action": sorted(actions),
        "Resource": list(resources),
    }
    return {**statement, "Condition": conditions} if conditions else statement


def document(statements: Sequence[Statement]) -> dict[str, Any]:
    """Build a policy document of statements."""
    return {"Version": "2012-10-17", "Statement": list(statements)}


SOURCES: Final[Mapping[str, str]] = {
    # https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/flow-logs-iam-role.html
    "vpc-flow-logs.amazonaws.com": "ec2",
    # https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-iam-roles.html
    "ecs-tasks.amazonaws.com": "ecs",
    # https://docs.aws.amazon.com/scheduler/latest/UserGuide/cross-service-confused-deputy-prevention.html
    "scheduler.amazonaws.com": "scheduler",
}
"""Services whose pages say that they tell for whom they take a role, and the service in the ARN
that they tell it by."""

SAY_NOTHING: Final[Mapping[str, str]] = {
    "ec2.amazonaws.com": (
        "EC2 takes a role for an instance profile of the same account, and says no source: "
        "https://github.com/prowler-cloud/prowler/issues/2810"
    ),
    "backup.amazonaws.com": "AWS documents a source for topics alone",
    "build.apprunner.amazonaws.com": "AWS documents no source of App Runner's",
    "lambda.amazonaws.com": "AWS documents no source of an execution role's",
    "tasks.apprunner.amazonaws.com": "AWS documents no source of App Runner's",
}
"""Services that may tell no source, so that none could take a role whose trust asked for it, and a
first `up` would fail; and why. Passing them a role of another account is refused all the same.
https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_passrole.html"""


def trust(service: str, location: Location, *, tells: bool = True) -> str:
    """Build the trust policy that lets an AWS service, such as `ecs-tasks.amazonaws.com`, in.

    Only for this account's own resources, where the service `tells` for whom it acts: otherwise it
    could be talked into acting for somebody else's. KeyError if nobody knows whether it does.
    https://docs.aws.amazon.com/IAM/latest/UserGuide/confused-deputy.html
    """
    statement: dict[str, Any] = {
        "Effect": "Allow",
        "Action": "sts:AssumeRole",
        "Principal": {"Service": service_principal(service, location.partition)},
    }
    if service not in SAY_NOTHING:
        source = SOURCES[service]
        arn = f"arn:{location.partition}:{source}:{location.region}:{location.account}:*"
        if tells:
            statement["Condition"] = {
                "ArnLike": {"aws:SourceArn": arn},
                "StringEquals": {"aws:SourceAccount": location.account},
            }
    return json.dumps(document([statement]), sort_keys=True)


def managed_policy(partition: str, path: str) -> str:
    """ARN of a policy that AWS manages."""
    return f"arn:{partition}:iam::aws:policy/{path}"


def write_logs(log_group_arn: pulumi.Input[str]) -> Statement:
    """Build what it takes to write to a log group's streams."""
    actions = ["logs:CreateLogStream", "logs:PutLogEvents"]
    return allow(actions, [pulumi.Output.concat(log_group_arn, ":*")])


def pull_image(repository_arn: pulumi.Input[str], *, through: bool) -> list[Statement]:
    """Build what it takes to pull from an ECR repository; `through` it, ECR may have to fetch.

    https://docs.aws.amazon.com/AmazonECR/latest/userguide/pull-through-cache-iam.html
    """
    pull = [
        "ecr:BatchCheckLayerAvailability",
        "ecr:BatchGetImage",
        "ecr:GetDownloadUrlForLayer",
        *(["ecr:BatchImportUpstreamImage"] if through else []),
    ]
    # A token is for all of the registry; what it lets its bearer do, the other statement says.
    return [allow(["ecr:GetAuthorizationToken"], ["*"]), allow(pull, [repository_arn])]


def bucket_access(
    bucket_arn: pulumi.Input[str], key_arn: pulumi.Input[str] | None
) -> list[Statement]:
    """Build what Langfuse needs of its bucket.

    https://langfuse.com/self-hosting/deployment/infrastructure/blobstorage
    """
    objects = ["s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetObject", "s3:PutObject"]
    statements = [
        allow(["s3:ListBucket"], [bucket_arn]),
        allow(objects, [pulumi.Output.concat(bucket_arn, "/*")]),
    ]
    if key_arn is not None:
        statements.append(allow(["kms:Decrypt", "kms:GenerateDataKey"], [key_arn]))
    return statements


def metric_publishing(namespace: str) -> Statement:
    """Build what a publisher of CloudWatch metrics needs; the API has no resource to name.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/iam-cw-condition-keys-namespace.html
    """
    return allow(
        ["cloudwatch:PutMetricData"], ["*"], {"StringEquals": {"cloudwatch:namespace": namespace}}
    )


def exec_agent() -> Statement:
    """Build what ECS Exec's agent needs inside of a task; the API has no resource to name.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-iam-roles.html
    https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonsessionmanagermessagegatewayservice.html
    """
    actions = ["CreateControlChannel", "CreateDataChannel", "OpenControlChannel", "OpenDataChannel"]
    return allow([f"ssmmessages:{action}" for action in actions], ["*"])


def mail_identities(location: Location, names: Sequence[str]) -> list[str]:
    """ARNs of SES identities of the stack's account and region."""
    prefix = f"arn:{location.partition}:ses:{location.region}:{location.account}:identity"
    return [f"{prefix}/{name}" for name in names]


def mail_access(from_address: str, arns: Sequence[str]) -> Statement:
    """Build what Langfuse needs to send mail through SES as one address.

    Langfuse calls SESv2's SendEmail with a raw message, which SES checks as `ses:SendRawEmail`
    (https://github.com/nodemailer/nodemailer/issues/1734); Langfuse's own page has `ses:SendEmail`.
    """
    return allow(
        ["ses:SendEmail", "ses:SendRawEmail"],
        arns,
        {"StringEquals": {"ses:FromAddress": from_address}},
    )


@dataclass(frozen=True)
class ServiceRole:
    """A role of an AWS service. Name and ARN are known once the program's policies are in place."""

    name: pulumi.Output[str]
    arn: pulumi.Output[str]
    attached: Sequence[pulumi.Resource] = ()
    """The operator's policies, which must be there before the role is used. They come and go
    without a change of what uses it."""


def service_role(
    name: str,
    service: str,
    statements: Sequence[Statement],
    location: Location,
    *,
    opts: pulumi.ResourceOptions,
    managed: Mapping[str, str] | None = None,
    policy_arns: Sequence[str] = (),
    tells: bool = True,
) -> ServiceRole:
    """Make the role `name` for an AWS service, with one inline policy and managed ones by label.

    `policy_arns` are those that the stack file names. Unless the service `tells` for whom it takes
    this role, its trust does not ask.
    """
    policy = trust(service, location, tells=tells)
    # What others attach is in no state: SSM's Quick Setup does it to the roles of instances. The
    # provider reads this when it deletes, and nowhere else.
    role = aws.iam.Role(name, assume_role_policy=policy, force_detach_policies=True, opts=opts)
    policies: list[pulumi.CustomResource] = []
    if statements:
        policies.append(
            aws.iam.RolePolicy(
                name, role=role.id, policy=pulumi.Output.json_dumps(document(statements)), opts=opts
            )
        )
    for label, arn in (managed or {}).items():
        policies.append(
            aws.iam.RolePolicyAttachment(
                f"{name}-{label}", role=role.name, policy_arn=arn, opts=opts
            )
        )
    attached = [
        aws.iam.RolePolicyAttachment(
            f"{name}-{label_of(arn)}", role=role.name, policy_arn=arn, opts=opts
        )
        for arn in policy_arns
    ]
    ready = pulumi.Output.all(*(policy.id for policy in policies))
    return ServiceRole(
        name=pulumi.Output.all(role.name, ready).apply(lambda values: values[0]),
        arn=pulumi.Output.all(role.arn, ready).apply(lambda values: values[0]),
        attached=attached,
    )


def bounded(boundary: str | None) -> pulumi.ResourceOptions:
    """Give the options of a component below which every role has the permissions boundary.

    None: no role has one. `boundary` is the ARN of a managed policy.
    """

    def bound(
        args: pulumi.ResourceTransformationArgs,
    ) -> pulumi.ResourceTransformationResult | None:
        if args.type_ != "aws:iam/role:Role":
            return None
        props = {**args.props, "permissions_boundary": boundary}
        return pulumi.ResourceTransformationResult(props, args.opts)

    return pulumi.ResourceOptions(transformations=[bound] if boundary else [])
