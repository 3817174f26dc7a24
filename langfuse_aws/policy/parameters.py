"""Finds a parameter of a database or a cache in the parameter group that it uses."""

from collections.abc import Iterator
from typing import Final

from langfuse_aws.graph.model import UNKNOWN, Resource
from langfuse_aws.policy.inputs import is_known, parts
from langfuse_aws.policy.rule import JudgedStack

_GROUPS: Final = {
    "aws:rds/cluster:Cluster": (
        "dbClusterParameterGroupName",
        "aws:rds/clusterParameterGroup:ClusterParameterGroup",
    ),
    "aws:rds/instance:Instance": (
        "parameterGroupName",
        "aws:rds/parameterGroup:ParameterGroup",
    ),
    "aws:elasticache/replicationGroup:ReplicationGroup": (
        "parameterGroupName",
        "aws:elasticache/parameterGroup:ParameterGroup",
    ),
    "aws:elasticache/cluster:Cluster": (
        "parameterGroupName",
        "aws:elasticache/parameterGroup:ParameterGroup",
    ),
}


def wrong_parameter(resource: Resource, stack: JudgedStack, name: str, value: str) -> Iterator[str]:
    """Say that the resource's parameter group does not set a parameter to a value.

    Of a group that is not the stack's own nothing can be said, unless it is AWS's default.
    """
    property_name, token = _GROUPS[resource.type]
    groups = stack.graph.origins(resource, property_name, token)
    given = resource.inputs.get(property_name)
    if not groups and (not given or (is_known(given) and str(given).startswith("default."))):
        yield f"it uses AWS's default parameter group, in which {name} is not {value}"
    for group in groups:
        found = {each.get("name"): each.get("value") for each in parts(group.inputs, "parameters")}
        if UNKNOWN not in found and found.get(name) not in (value, UNKNOWN):
            yield f"parameter group {group.name} does not set {name} to {value}"
