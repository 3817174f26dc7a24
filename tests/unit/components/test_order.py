"""What must be complete before it is used: the rights of a role, the value of a secret, and more.

AWS has a role as soon as it is made, and refuses what it may not do yet. Proves by the engine's own
record of what an input comes from, in every stack, that what completes a resource comes first.
"""

from typing import Final

import pytest

from tests.unit.stack_graph import Graph
from tests.unit.stacks_of_all import graphs

TASK: Final = "aws:ecs/taskDefinition:TaskDefinition"
SERVICE: Final = "aws:ecs/service:Service"

COMPLETED_BY: Final = {
    "its task is refused its secrets": (
        (TASK, "executionRoleArn"),
        "aws:iam/role:Role",
        ("aws:iam/rolePolicy:RolePolicy", "role"),
    ),
    "its first requests are refused": (
        (TASK, "taskRoleArn"),
        "aws:iam/role:Role",
        ("aws:iam/rolePolicy:RolePolicy", "role"),
    ),
    "its instances do not join the cluster": (
        ("aws:iam/instanceProfile:InstanceProfile", "role"),
        "aws:iam/role:Role",
        ("aws:iam/rolePolicyAttachment:RolePolicyAttachment", "role"),
    ),
    "Lambda cannot write its log": (
        ("aws:lambda/function:Function", "role"),
        "aws:iam/role:Role",
        ("aws:iam/rolePolicy:RolePolicy", "role"),
    ),
    "its task does not start: the secret has no value": (
        (TASK, "containerDefinitions"),
        "aws:secretsmanager/secret:Secret",
        ("aws:secretsmanager/secretVersion:SecretVersion", "secretId"),
    ),
    "it would write objects with another key": (
        (TASK, "containerDefinitions"),
        "aws:s3/bucket:Bucket",
        (
            "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
            "bucket",
        ),
    ),
    "it could write before TLS is asked for": (
        (TASK, "containerDefinitions"),
        "aws:s3/bucket:Bucket",
        ("aws:s3/bucketPolicy:BucketPolicy", "bucket"),
    ),
    "S3 does not take a bucket for logs that it may not write to": (
        ("aws:s3/bucketLogging:BucketLogging", "targetBucket"),
        "aws:s3/bucket:Bucket",
        ("aws:s3/bucketPolicy:BucketPolicy", "bucket"),
    ),
    "the alarm would tell nobody": (
        ("aws:cloudwatch/metricAlarm:MetricAlarm", "alarmActions"),
        "aws:sns/topic:Topic",
        ("aws:sns/topicPolicy:TopicPolicy", "arn"),
    ),
    "a cluster without an instance answers nobody": (
        (TASK, "containerDefinitions"),
        "aws:rds/cluster:Cluster",
        ("aws:rds/clusterInstance:ClusterInstance", "clusterIdentifier"),
    ),
    "ECS refuses a provider that its cluster does not have": (
        (SERVICE, "cluster"),
        "aws:ecs/cluster:Cluster",
        ("aws:ecs/clusterCapacityProviders:ClusterCapacityProviders", "clusterName"),
    ),
}
"""By what would happen: the input that uses it, the resource, and the input that completes that."""

MEASURED: Final = "-grafana"
"""Grafana reads the metrics of PostgreSQL, and none of its data."""


def uses(
    graph: Graph, place: tuple[str, str], used: str, completion: tuple[str, str]
) -> tuple[set[str], set[str]]:
    """Every such use in a graph, and those that do not wait."""
    types = {urn: kind for (kind, _), urn in graph.urns.items()}
    completes = {
        urn: graph.options[key].origins[completion[1]]
        for key, urn in graph.urns.items()
        if key[0] == completion[0]
    }
    asked, early = set[str](), set[str]()
    for user in graph.of_type(place[0]):
        origins = set(graph.options_of(user).origins.get(place[1], ()))
        for resource in (each for each in origins if types.get(each) == used):
            for urn in (urn for urn, what in completes.items() if resource in what):
                asked.add(f"{user.name}: {urn}")
                if urn not in origins and not user.name.endswith(MEASURED):
                    early.add(f"{user.name}: {urn}")
    return asked, early


@pytest.mark.parametrize("otherwise", COMPLETED_BY)
def test_what_is_used_is_complete(otherwise: str) -> None:
    found = [uses(graph, *COMPLETED_BY[otherwise]) for graph in graphs().values()]
    assert any(asked for asked, _ in found)
    assert set[str]().union(*(early for _, early in found)) == set()
