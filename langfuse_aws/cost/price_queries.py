"""What AWS's Price List API calls each price of prices.csv: pure.

A usage type has a prefix in most regions (`USE1-`, `EU-`), which is not written here. Names are
those of the API's products; what it does not have by these names is not refreshed.
https://docs.aws.amazon.com/awsaccountbilling/latest/aboutv2/price-changes.html
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

HOME_REGION: Final = "us-east-1"
"""Whose prices stand for those that are the same in every region."""

_LINUX: Final = {
    "operatingSystem": "Linux",
    "tenancy": "Shared",
    "preInstalledSw": "NA",
    "capacitystatus": "Used",
}
_POSTGRES: Final = {"databaseEngine": "PostgreSQL", "deploymentOption": "Single-AZ"}
_PREFIX: Final = r"([A-Z0-9]+-|[a-z]{2}(-[a-z]+)+-\d-)?"


@dataclass(frozen=True)
class Query:
    """How a price is found."""

    service: str
    """Service code."""
    usage_type: str
    """Without the region's prefix."""
    unit: str
    """Of the API's price, in lower case; empty: it bills one thing, whatever it calls that."""
    times: float = 1
    """What the file's unit has of the API's."""
    attributes: Mapping[str, str] = field(default_factory=dict[str, str])
    """More that the product has."""
    everywhere: bool = False
    """Whether the product has no region."""

    def fits(self, usage_type: str) -> bool:
        """Whether a product's usage type is this one, in any region."""
        return re.fullmatch(_PREFIX + re.escape(self.usage_type), usage_type) is not None


_BY_NAME: Final[Mapping[str, Query]] = {
    "Public IPv4 address": Query("AmazonVPC", "PublicIPv4:InUseAddress", "hrs"),
    "Secrets Manager": Query("AWSSecretsManager", "AWSSecretsManager-Secrets", ""),
    "Cloud Map private zone": Query("AmazonRoute53", "HostedZone", "", everywhere=True),
    "CloudWatch custom metric": Query("AmazonCloudWatch", "CW:MetricMonitorUsage", "metrics"),
    "CloudWatch alarm": Query("AmazonCloudWatch", "CW:AlarmMonitorUsage", "alarms"),
    "CloudWatch high-resolution alarm": Query(
        "AmazonCloudWatch", "CW:HighResAlarmMonitorUsage", "alarms"
    ),
    "CloudWatch Logs": Query("AmazonCloudWatch", "DataProcessing-Bytes", "gb"),
    "WAF web ACL": Query("awswaf", "WebACLV2", ""),
    "WAF rule": Query("awswaf", "RuleV2", ""),
    "WAF requests": Query("awswaf", "RequestV2-Tier1", "", 1e6),
    "KMS key": Query("awskms", "KMS-Keys", "keys"),
    "Traffic between zones": Query("AWSDataTransfer", "DataTransfer-Regional-Bytes", "gb", 2),
    "Fargate ARM vCPU": Query("AmazonECS", "Fargate-ARM-vCPU-Hours:perCPU", "hours"),
    "Fargate ARM memory": Query("AmazonECS", "Fargate-ARM-GB-Hours", "hours"),
    "Fargate x86 vCPU": Query("AmazonECS", "Fargate-vCPU-Hours:perCPU", "hours"),
    "Fargate x86 memory": Query("AmazonECS", "Fargate-GB-Hours", "hours"),
    "App Runner vCPU": Query("AWSAppRunner", "AppRunner-vCPU-hours", ""),
    "App Runner memory": Query("AWSAppRunner", "AppRunner-GB-hours", ""),
    "EBS gp3": Query("AmazonEC2", "EBS:VolumeUsage.gp3", "gb-mo"),
    "EBS snapshot": Query("AmazonEC2", "EBS:SnapshotUsage", "gb-mo"),
    "RDS gp3": Query("AmazonRDS", "RDS:GP3-Storage", "gb-mo", attributes=_POSTGRES),
    "Aurora Serverless v2": Query(
        "AmazonRDS",
        "Aurora:ServerlessV2Usage",
        "acu-hr",
        attributes={"databaseEngine": "Aurora PostgreSQL"},
    ),
    "NAT gateway": Query("AmazonEC2", "NatGateway-Hours", "hrs"),
    "NAT gateway data": Query("AmazonEC2", "NatGateway-Bytes", "gb"),
    "Interface endpoint": Query("AmazonVPC", "VpcEndpoint-Hours", "hrs"),
    "Application Load Balancer": Query(
        "AWSELB", "LoadBalancerUsage", "hrs", attributes={"operation": "LoadBalancing:Application"}
    ),
    "Load balancer capacity unit": Query(
        "AWSELB", "LCUUsage", "lcu-hrs", attributes={"operation": "LoadBalancing:Application"}
    ),
    "HTTP API requests": Query("AmazonApiGateway", "ApiGatewayHttpRequest", "requests", 1e6),
    "S3 storage": Query("AmazonS3", "TimedStorage-ByteHrs", "gb-mo"),
    "S3 writes": Query("AmazonS3", "Requests-Tier1", "requests", 1000),
    "S3 reads": Query("AmazonS3", "Requests-Tier2", "requests", 1000),
}


def query(name: str) -> Query | None:
    """How the price of this name is found; None if nobody has said it."""
    kind, _, size = name.partition(" ")
    if kind == "EC2":
        return Query("AmazonEC2", f"BoxUsage:{size}", "hrs", attributes=_LINUX)
    if kind == "RDS" and size.startswith("db."):
        return Query("AmazonRDS", f"InstanceUsage:{size}", "hrs", attributes=_POSTGRES)
    if kind == "Valkey":
        usage = f"NodeUsage:{size}"
        return Query("AmazonElastiCache", usage, "hrs", attributes={"cacheEngine": "Valkey"})
    return _BY_NAME.get(name)
