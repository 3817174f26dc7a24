"""The two roles of an ECS task: the agent's, which starts it, and the container's own."""

from collections.abc import Sequence

import pulumi

from langfuse_aws.components.runtime.images import ContainerImage
from langfuse_aws.components.shared import iam
from langfuse_aws.components.shared.stored_secret import SecretReference

PRINCIPAL = "ecs-tasks.amazonaws.com"


def execution_role(
    name: str,
    log_group_arn: pulumi.Output[str],
    secrets: Sequence[SecretReference],
    image: ContainerImage,
    opts: pulumi.ResourceOptions,
) -> iam.ServiceRole:
    """Make the agent's role: write this log group, read exactly these secrets, pull this image."""
    statements = [iam.write_logs(log_group_arn)]
    if secrets:
        statements.append(read_secrets(secrets))
    statements += image.statements
    return iam.service_role(f"{name}-execution", PRINCIPAL, statements, opts=opts)


def task_role(
    name: str, statements: Sequence[iam.Statement], opts: pulumi.ResourceOptions
) -> iam.ServiceRole:
    """Make the container's own role."""
    return iam.service_role(f"{name}-task", PRINCIPAL, statements, opts=opts)


def read_secrets(secrets: Sequence[SecretReference]) -> iam.Statement:
    """Build what it takes to read exactly these secrets."""
    arns = pulumi.Output.all(*(secret.secret_arn for secret in secrets)).apply(
        lambda found: sorted(set(found))
    )
    return {**iam.allow(["secretsmanager:GetSecretValue"], []), "Resource": arns}
