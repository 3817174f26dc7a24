"""What AWS's tables say that actions depend on, and this program's do not, each with its reason."""

from collections.abc import Iterable, Mapping
from typing import Final

from tests.unit.service_authorization import covers

UNNEEDED: Final[Mapping[tuple[str, str], str]] = {
    ("budgets:ModifyBudget", "iam:CreateServiceLinkedRole"): (
        "for another account's billing view: "
        "https://docs.aws.amazon.com/cost-management/latest/userguide/budgets-SLR.html"
    ),
    ("budgets:ViewBudget", "billing:GetBillingViewData"): "the budget has no billing view",
    ("ec2:CreateFlowLogs", "ecs:List*"): "for the fields of ECS, which the format does not have",
    ("elasticache:CreateReplicationGroup", "ec2:*NetworkInterface*"): (
        "the service-linked role has them; AWS's policy AmazonElastiCacheFullAccess has not"
    ),
    ("elasticache:CreateReplicationGroup", "s3:GetObject"): "for a snapshot in S3 to begin with",
    ("kms:CreateKey", "iam:CreateServiceLinkedRole"): "for keys of several regions",
    ("lambda:CreateFunction", "lambda:PassCapacityProvider"): "for functions on own instances",
    ("rds:CreateDB*", "kms:*"): (
        "the key is AWS's own, and its policy lets in whoever comes through RDS: "
        "https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/Overview.Encryption.Keys.html"
    ),
    ("rds:CreateDBInstance", "rds:CreateTenantDatabase"): "for Oracle",
    **{
        (f"wafv2:{call}WebACL*", f"{service}:*"): "for other things than load balancers"
        for call in ("Associate", "Get")
        for service in ("amplify", "apprunner", "appsync", "cognito-idp", "ec2")
    },
    ("wafv2:AssociateWebACL", "apigateway:SetWebACL"): "for other things than load balancers",
    ("wafv2:AssociateWebACL", "wafv2:*PermissionPolicy"): "for rule groups of other accounts",
    ("wafv2:PutLoggingConfiguration", "iam:CreateServiceLinkedRole"): (
        "for Firehose: "
        "https://docs.aws.amazon.com/waf/latest/APIReference/API_PutLoggingConfiguration.html"
    ),
}
"""Actions and dependent actions, both with wildcards, and why."""


def excepted(table: Iterable[tuple[str, str]], left: str, right: str) -> list[tuple[str, str]]:
    """The rows of a table of exceptions that a pair falls under."""
    return [each for each in table if covers(each[0], left) and covers(each[1], right)]
