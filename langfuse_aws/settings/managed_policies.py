"""Managed policies of IAM that a stack file names: those of tasks' roles, and the boundary. Pure.

Inline policies have no ARN, and cannot be named.
"""

from typing import Annotated, Final

from pydantic import AfterValidator

from langfuse_aws.settings.section import Form, invalid

POLICIES_PER_ROLE: Final = 10
"""Managed policies of a role, unless AWS has raised the quota. The program attaches none to the
roles that take the stack file's.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html"""

ROLE_OR_INLINE: Final = (
    "is the ARN of a {kind}, and only a managed policy can be named",
    "name a policy: aws iam list-policies shows the ARNs",
)


def _why(value: str) -> tuple[str, str] | None:
    parts = value.split(":", 5)
    kind = parts[5].partition("/")[0] if len(parts) > 5 and parts[2] == "iam" else "policy"
    bound, remedy = ROLE_OR_INLINE
    return None if kind == "policy" else (bound.format(kind=kind), remedy)


PolicyArn = Annotated[
    str,
    # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html
    Form(
        r"^arn:aws(-[a-z]+)*:iam::(aws|[0-9]{12}):policy/([!-~]*/)?[A-Za-z0-9_+=,.@-]{1,128}$",
        "must be the ARN of a managed policy, such as arn:aws:iam::123456789012:policy/NAME",
        "see aws iam list-policies, which shows the ARNs",
        _why,
    ),
]


def _attachable(value: list[str]) -> list[str]:
    twice = [arn for arn in dict.fromkeys(value) if value.count(arn) > 1]
    if twice:
        raise invalid(f"has {', '.join(twice)} twice", "name each policy once")
    if len(value) > POLICIES_PER_ROLE:
        raise invalid(
            f"has {len(value)} policies, and a role takes {POLICIES_PER_ROLE} managed ones at the "
            "most",
            "join some into one policy",
        )
    return value


PolicyArns = Annotated[list[PolicyArn], AfterValidator(_attachable)]


def partition_of(policy_arn: str) -> str:
    """`aws`, `aws-cn` or `aws-us-gov`."""
    return policy_arn.split(":")[1]


def account_of(policy_arn: str) -> str:
    """The account that has the policy; `aws` for a policy of AWS's."""
    return policy_arn.split(":")[4]


def label_of(policy_arn: str) -> str:
    """Account and name: an account has no two policies of one name, whatever their paths."""
    return f"{account_of(policy_arn)}-{policy_arn.rpartition('/')[2]}"
