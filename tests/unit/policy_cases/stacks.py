"""Changes of one input in a whole stack, each of which breaks one rule of `policy/`."""

import json
from collections.abc import Callable
from typing import Any

from langfuse_aws.graph.model import SECRET

Inputs = dict[str, Any]
Change = Callable[[Inputs], Inputs]


def to(**inputs: Any) -> Change:
    """Set inputs."""
    return lambda given: {**given, **inputs}


def without(*names: str) -> Change:
    """Remove inputs."""
    return lambda given: {key: value for key, value in given.items() if key not in names}


def in_containers(**values: Any) -> Change:
    """Set values of every container definition."""

    def change(given: Inputs) -> Inputs:
        found = [{**each, **values} for each in json.loads(given["containerDefinitions"])]
        return {**given, "containerDefinitions": json.dumps(found)}

    return change


def in_statements(key: str, **values: Any) -> Change:
    """Set values of every statement of a policy document."""

    def change(given: Inputs) -> Inputs:
        found = [{**each, **values} for each in json.loads(given[key])["Statement"]]
        return {**given, key: json.dumps({"Statement": found})}

    return change


def plain(name: str, value: str) -> Change:
    """Give every container this plain environment."""
    return in_containers(environment=[{"name": name, "value": value}])


CHANGES: list[tuple[str, str, str, str, Change]] = [
    ("database-not-public", "dev", "rds/instance", "", to(publiclyAccessible=True)),
    (
        "bucket-blocks-public-access",
        "prod",
        "s3/bucketPublicAccessBlock",
        "storage",
        to(restrictPublicBuckets=False),
    ),
    (
        "no-public-principal",
        "varied",
        "sns/topicPolicy",
        "",
        in_statements("policy", Effect="Allow", Principal="*"),
    ),
    (
        "no-open-ingress",
        "prod",
        "vpc/securityGroupIngressRule",
        "web-to-postgres",
        to(cidrIpv4="0.0.0.0/0"),
    ),
    (
        "no-open-ingress",
        "prod",
        "vpc/securityGroupIngressRule",
        "alb-80-0.0.0.0-0",
        to(toPort=8080),
    ),
    (
        "no-open-egress",
        "dev",
        "vpc/securityGroupEgressRule",
        "clickhouse-to-s3",
        to(cidrIpv4="0.0.0.0/0", ipProtocol="-1"),
    ),
    (
        "database-forces-tls",
        "dev",
        "rds/parameterGroup",
        "",
        to(parameters=[{"name": "timezone", "value": "UTC"}]),
    ),
    (
        "database-forces-tls",
        "prod",
        "rds/clusterParameterGroup",
        "",
        to(parameters=[{"name": "rds.force_ssl", "value": "0"}]),
    ),
    (
        "cache-forces-tls",
        "prod",
        "elasticache/replicationGroup",
        "",
        to(transitEncryptionMode="preferred"),
    ),
    (
        "bucket-refuses-plain-http",
        "dev",
        "s3/bucketPolicy",
        "storage",
        in_statements("policy", Condition={}),
    ),
    (
        "listener-uses-tls",
        "prod",
        "lb/listener",
        "https",
        to(sslPolicy="ELBSecurityPolicy-2016-08"),
    ),
    ("listener-uses-tls", "prod", "lb/listener", "http", to(defaultActions=[{"type": "forward"}])),
    (
        "api-domain-uses-tls-1-2",
        "varied",
        "apigatewayv2/domainName",
        "",
        to(domainNameConfiguration={"securityPolicy": "TLS_1_0"}),
    ),
    ("store-encrypted", "prod", "ebs/volume", "", to(encrypted=False)),
    ("store-encrypted", "prod", "rds/cluster", "", without("storageEncrypted")),
    ("disk-encrypted", "prod", "ec2/launchTemplate", "", without("blockDeviceMappings")),
    ("topic-encrypted", "varied", "sns/topic", "", without("kmsMasterKeyId")),
    ("key-rotates", "varied", "kms/key", "", to(enableKeyRotation=False)),
    ("no-secret-in-environment", "dev", "ecs/taskDefinition", "web", plain("SALT", "pepper")),
    (
        "no-secret-in-environment",
        "dev",
        "ecs/taskDefinition",
        "worker",
        to(containerDefinitions=SECRET),
    ),
    (
        "no-secret-in-environment",
        "dev",
        "lambda/function",
        "",
        to(environment={"variables": {"API_TOKEN": "hunter2"}}),
    ),
    (
        "services-share-keys",
        "dev",
        "ecs/taskDefinition",
        "worker",
        in_containers(secrets=[{"name": "ENCRIPTION_KEY", "valueFrom": "arn:a"}]),
    ),
    (
        "no-wildcard-action",
        "prod",
        "iam/rolePolicy",
        "web-task",
        in_statements("policy", Action="s3:*"),
    ),
    (
        "no-wildcard-resource",
        "prod",
        "iam/rolePolicy",
        "web-execution",
        in_statements("policy", Resource="*"),
    ),
    (
        "no-broad-managed-policy",
        "prod",
        "iam/rolePolicyAttachment",
        "",
        to(policyArn="arn:aws:iam::aws:policy/AmazonS3FullAccess"),
    ),
    ("image-pinned", "dev", "ecs/taskDefinition", "web", in_containers(image="a/langfuse:3")),
    ("container-unprivileged", "dev", "ecs/taskDefinition", "clickhouse", to(networkMode="host")),
    (
        "no-network-file-system",
        "dev",
        "ecs/taskDefinition",
        "clickhouse",
        to(volumes=[{"name": "data", "efsVolumeConfiguration": {"fileSystemId": "fs-1"}}]),
    ),
    ("container-drains", "dev", "ecs/taskDefinition", "worker", in_containers(stopTimeout=30)),
    ("heap-leaves-room", "dev", "ecs/taskDefinition", "worker", to(memory="1024")),
    ("no-shell-in-tasks", "prod", "ecs/service", "web", to(enableExecuteCommand=True)),
    ("deployment-rolls-back", "prod", "ecs/service", "", without("deploymentCircuitBreaker")),
    (
        "service-has-health-check",
        "dev",
        "ecs/taskDefinition",
        "web",
        in_containers(healthCheck=None),
    ),
    ("one-task-on-a-volume", "prod", "ecs/service", "clickhouse", to(deploymentMaximumPercent=200)),
    ("data-protected", "prod", "rds/cluster", "", to(skipFinalSnapshot=True)),
    ("data-protected", "prod", "s3/bucket", "", to(forceDestroy=True)),
    (
        "data-protected",
        "prod",
        "elasticache/replicationGroup",
        "",
        without("finalSnapshotIdentifier"),
    ),
    ("cache-never-evicts", "dev", "elasticache/parameterGroup", "", to(parameters=[])),
    ("database-backups-kept", "prod", "rds/cluster", "", to(backupRetentionPeriod=1)),
    ("old-versions-expire", "prod", "s3/bucketLifecycleConfiguration", "storage", to(rules=[])),
    ("log-retention", "prod", "cloudwatch/logGroup", "", without("retentionInDays")),
    (
        "instance-metadata-v2",
        "prod",
        "ec2/launchTemplate",
        "",
        to(metadataOptions={"httpTokens": "optional", "httpPutResponseHopLimit": 1}),
    ),
    ("target-health-path", "prod", "lb/targetGroup", "", to(healthCheck={"path": "/"})),
    (
        "s3-gateway-endpoint",
        "prod",
        "ec2/vpcEndpoint",
        "",
        to(serviceName="com.amazonaws.us-east-1.sts"),
    ),
]

"""The rule, the stack, the type without `aws:`, the end of the name, the change."""

REMOVALS = [
    ("bucket-blocks-public-access", "s3/bucketPublicAccessBlock"),
    ("bucket-refuses-plain-http", "s3/bucketPolicy"),
    ("bucket-encrypted", "s3/bucketServerSideEncryptionConfiguration"),
    ("volume-backed-up", "backup/selection"),
    ("old-versions-expire", "s3/bucketLifecycleConfiguration"),
    ("s3-gateway-endpoint", "ec2/vpcEndpoint"),
]
"""Types of which a stack must not lose one, and the rule that misses it."""
