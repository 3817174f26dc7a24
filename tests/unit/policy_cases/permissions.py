"""Permissions."""

from typing import Any, Final

from langfuse_aws.graph.model import UNKNOWN, Resource
from langfuse_aws.policy.permissions import DOCUMENTS, NOTHING_NARROWER, ROLE
from tests.unit.policy_cases import Case, broken, document, kept, made

ROLE_POLICY: Final = "aws:iam/rolePolicy:RolePolicy"
ATTACHMENT: Final = "aws:iam/rolePolicyAttachment:RolePolicyAttachment"
ALLOW: Final = {"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": "arn:aws:s3:::a/*"}


def allowing(token: str = ROLE_POLICY, **change: Any) -> Resource:
    return made(token, {"policy": document({**ALLOW, **change})})


def attached(name: str) -> Resource:
    return made(ATTACHMENT, {"policyArn": f"arn:aws:iam::aws:policy/{name}"})


CASES: Final[tuple[Case, ...]] = (
    broken("no-wildcard-action", "it allows *", allowing(Action="*")),
    broken("no-wildcard-action", "it allows s3:*", allowing(Action=["s3:GetObject", "s3:*"])),
    *(
        case
        for token in DOCUMENTS
        if token != ROLE
        for case in (
            broken("no-wildcard-action", "it allows s3:*", allowing(token, Action="s3:*")),
            broken(
                "no-wildcard-resource",
                "it allows s3:GetObject on every resource",
                allowing(token, Resource="*"),
            ),
        )
    ),
    broken(
        "no-wildcard-action",
        "it allows *",
        made(
            ROLE_POLICY,
            {"policy": document({"Effect": "Allow", "NotAction": "iam:*", "Resource": "arn:a"})},
        ),
    ),
    broken(
        "no-wildcard-action",
        "it allows s3:*",
        made(ROLE, {"inlinePolicies": [{"policy": document({**ALLOW, "Action": "s3:*"})}]}),
    ),
    broken(
        "no-wildcard-resource",
        "it allows s3:GetObject on every resource",
        made(ROLE, {"inlinePolicies": [{"policy": document({**ALLOW, "Resource": "*"})}]}),
    ),
    kept("no-wildcard-action", allowing()),
    kept("no-wildcard-action", allowing(Action="s3:Get*")),
    kept("no-wildcard-action", allowing(Effect="Deny", Action="*")),
    kept("no-wildcard-action", made(ROLE_POLICY, {"policy": UNKNOWN})),
    broken(
        "no-wildcard-resource",
        "it allows s3:GetObject, s3:PutObject on every resource",
        allowing(Action=["cloudwatch:PutMetricData", "s3:GetObject", "s3:PutObject"], Resource="*"),
    ),
    broken(
        "no-wildcard-resource",
        "it allows s3:GetObject on every resource",
        allowing(Resource=["arn:aws:s3:::a", "*"]),
    ),
    kept("no-wildcard-resource", allowing()),
    kept("no-wildcard-resource", allowing(Effect="Deny", Resource="*")),
    *(
        kept("no-wildcard-resource", allowing(Action=[action], Resource=["*"]))
        for action in NOTHING_NARROWER
    ),
    *(
        broken(
            "no-broad-managed-policy",
            f"{name} grants more than any part of the stack needs",
            attached(name),
        )
        for name in ("AdministratorAccess", "PowerUserAccess", "AmazonS3FullAccess")
    ),
    broken(
        "no-broad-managed-policy",
        "SecretsManagerFullAccess grants more than any part of the stack needs",
        made(
            ROLE,
            {"managedPolicyArns": ["arn:aws:iam::aws:policy/SecretsManagerFullAccess"]},
        ),
    ),
    kept("no-broad-managed-policy", attached("AmazonSSMManagedInstanceCore")),
    kept("no-broad-managed-policy", made(ATTACHMENT, {"policyArn": UNKNOWN})),
    broken(
        "no-access-key",
        "it signs in with keys that do not expire",
        made("aws:iam/accessKey:AccessKey"),
    ),
    broken("no-access-key", "it signs in with keys that do not expire", made("aws:iam/user:User")),
)
