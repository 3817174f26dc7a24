"""What the simulated AWS forgets, so that the AWS provider sees changes that nobody made.

Each gap is probed with boto3 alone in `test_gaps.py`: it is the simulation's, not the program's.
The lifecycle test asks for exactly these and no other change, so a gap that is mended is noticed.
"""

from typing import Final

CACHE: Final = "aws:elasticache/replicationGroup:ReplicationGroup"
SCALING_TARGET: Final = "aws:appautoscaling/target:Target"
DATABASE: Final = "aws:rds/instance:Instance"
PARAMETERS: Final = "aws:rds/parameterGroup:ParameterGroup"
SERVICE: Final = "aws:ecs/service:Service"
GROUP: Final = "aws:autoscaling/group:Group"
INGRESS_RULE: Final = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
EGRESS_RULE: Final = "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"

FUNCTION: Final = "aws:lambda/function:Function"
WEB_ACL: Final = "aws:wafv2/webAcl:WebAcl"

SEEN_BY_PREVIEW: Final = frozenset(
    {
        (CACHE, "transitEncryptionMode"),
        (SCALING_TARGET, "tagsAll"),
        (FUNCTION, "loggingConfig"),
    }
)

SEEN_OF_A_NAT_INSTANCE: Final = frozenset({(GROUP, "instanceMaintenancePolicy")})
"""By a preview and by a refresh."""

SEEN_BY_REFRESH: Final = SEEN_BY_PREVIEW | {
    (SERVICE, "capacityProviderStrategies"),
    (SERVICE, "placementConstraints"),
    (INGRESS_RULE, "description"),
    (EGRESS_RULE, "description"),
}

SEEN_BY_PREVIEW_OF_RDS: Final = frozenset(
    {
        (DATABASE, "performanceInsightsEnabled"),
        (DATABASE, "performanceInsightsKmsKeyId"),
        (DATABASE, "performanceInsightsRetentionPeriod"),
    }
)
"""With one RDS instance instead of Aurora; the key only where there is one."""

SEEN_BY_REFRESH_OF_RDS: Final = SEEN_BY_REFRESH | {
    (DATABASE, "performanceInsightsEnabled"),
    (DATABASE, "performanceInsightsRetentionPeriod"),
    (PARAMETERS, "parameters"),
}
"""With one RDS instance instead of Aurora."""

SEEN_BY_REFRESH_OF_A_WEB_ACL: Final = frozenset({(WEB_ACL, "dataProtectionConfig")})

SEEN_BY_PREVIEW_OF_A_WEB_ACL: Final = SEEN_BY_REFRESH_OF_A_WEB_ACL | {(WEB_ACL, "rules")}
"""The rules are the same: once anything of a web ACL changes, the provider lists all of them."""
