"""Checks of `preflight` on the managed policies of the stack file: is each of them there."""

from collections.abc import Iterator

from botocore.exceptions import ClientError

from langfuse_aws.automation.aws.answers import Caller, NewStack, Result, error_code, failed, ok
from langfuse_aws.settings.managed_policies import account_of

POLICIES = "policies"


def check_policies(stack: NewStack, caller: Caller) -> Iterator[Result]:
    """Whether a role of this account can have them: IAM refuses what it does not know."""
    iam = stack.aws("iam")
    fine: list[str] = []
    for key, arn in stack.settings.policies:
        if account_of(arn) not in ("aws", caller.account):
            yield failed(
                POLICIES,
                f"langfuse:{key}: {arn} is not of account {caller.account}, and a role takes "
                "policies of its own account and of AWS only.",
                "Make the policy in this account, and name it here.",
            )
            continue
        try:
            iam.get_policy(PolicyArn=arn)
        except ClientError as error:
            if error_code(error) != "NoSuchEntity":
                raise
            yield failed(
                POLICIES,
                f"langfuse:{key}: there is no policy {arn}.",
                "Make it, or correct the ARN: aws iam list-policies shows what there is.",
            )
            continue
        fine.append(arn)
    if fine:
        yield ok(POLICIES, f"{', '.join(dict.fromkeys(fine))} can be attached")
