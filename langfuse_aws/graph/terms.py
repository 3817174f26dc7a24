"""What resources and components are called in a picture: AWS's own words, from type tokens."""

import re
from typing import Final

from langfuse_aws.graph.model import Resource

_COMPONENTS: Final = {
    "ClickHouse": "ClickHouse",
    "ClickHouseBackup": "ClickHouse backup",
    "ClickHouseHost": "ClickHouse host",
    "NatInstance": "NAT instance",
    "Postgres": "PostgreSQL",
    "Redis": "Valkey",
    "Storage": "Object storage",
    "Vpc": "VPC",
    "WebAcl": "Web application firewall",
}
"""Classes whose names, taken apart, would read wrong."""

_SERVICES: Final = {
    "acm": "ACM",
    "apigatewayv2": "API Gateway",
    "apprunner": "App Runner",
    "appautoscaling": "Application Auto Scaling",
    "autoscaling": "EC2 Auto Scaling",
    "backup": "AWS Backup",
    "budgets": "AWS Budgets",
    "cloudwatch": "CloudWatch",
    "ebs": "EBS",
    "ec2": "EC2",
    "ecs": "ECS",
    "elasticache": "ElastiCache",
    "iam": "IAM",
    "kms": "KMS",
    "lambda": "Lambda",
    "lb": "ELB",
    "rds": "RDS",
    "route53": "Route 53",
    "s3": "S3",
    "scheduler": "EventBridge Scheduler",
    "secretsmanager": "Secrets Manager",
    "servicediscovery": "Cloud Map",
    "sns": "SNS",
    "vpc": "VPC",
    "wafv2": "WAF",
}
"""What AWS calls the modules of Pulumi's provider."""

_WORDS: Final = {
    "acl": "ACL",
    "cors": "CORS",
    "dns": "DNS",
    "eip": "Elastic IP",
    "nat": "NAT",
    "vpc": "VPC",
}


def component_title(component: Resource) -> str:
    """What a component is called: `PostgreSQL`, `Langfuse web`."""
    name = component.type.rsplit(":", 1)[-1]
    return _COMPONENTS.get(name) or _words(name)


def term(token: str) -> str:
    """What AWS calls a type: `IAM role policy`, `ECS task definition`."""
    package, module, name = token.split(":")
    words = _words(name)
    service = module.split("/")[0] if package == "aws" else package
    service = _SERVICES.get(service, service.capitalize())
    if words.split(" ")[0] == service:
        return words
    named = words.startswith(tuple(_WORDS.values()))
    return f"{service} {words if named else words[0].lower() + words[1:]}"


def _words(name: str) -> str:
    """Take a class name apart: `NatGateway` is `NAT gateway`."""
    parts = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name).lower().split(" ")
    text = " ".join(_WORDS.get(part, part) for part in parts)
    return f"{text[0].upper()}{text[1:]}"
