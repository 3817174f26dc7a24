"""`preflight` on the managed policies of the stack file, on an account in memory.

It proves that one that is missing, or of another account, is told by its key. It does not prove
that a policy allows what is needed.
"""

import json

from langfuse_aws.automation.aws.answers import Result
from langfuse_aws.automation.preflight.policies import check_policies
from tests.unit.aws_account import ACCOUNT, DEPLOYER, Account, aws

DOCUMENT = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": "*"}],
}


def test_each_policy_is_there_and_of_this_account_or_of_aws(account: Account) -> None:
    iam = aws("iam")
    made = iam.create_policy(PolicyName="there", PolicyDocument=json.dumps(DOCUMENT))
    there, missing = made["Policy"]["Arn"], f"arn:aws:iam::{ACCOUNT}:policy/missing"
    foreign = "arn:aws:iam::999999999999:policy/there"
    stack = account.stack(
        web={"policyArns": [there, foreign]},
        worker={"policyArns": [there]},
        permissionsBoundary=missing,
    )
    assert list(check_policies(stack, DEPLOYER)) == [
        Result(
            "policies",
            "failed",
            f"langfuse:web.policyArns: {foreign} is not of account {ACCOUNT}, and a role takes "
            "policies of its own account and of AWS only.",
            "Make the policy in this account, and name it here.",
        ),
        Result(
            "policies",
            "failed",
            f"langfuse:permissionsBoundary: there is no policy {missing}.",
            "Make it, or correct the ARN: aws iam list-policies shows what there is.",
        ),
        Result("policies", "ok", f"{there} can be attached"),
    ]
