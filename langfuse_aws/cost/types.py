"""Who prices the types of resources that `graph/resource_types.py` says have a price."""

from collections.abc import Mapping
from typing import Final

from langfuse_aws.cost import compute, hours, network, stores, watching
from langfuse_aws.cost.charge import Pricer
from langfuse_aws.graph.model import Resource
from langfuse_aws.graph.resource_types import RESOURCE_TYPES

PRICED: Final[Mapping[str, Pricer]] = {
    "aws:apigatewayv2/api:Api": network.http_api,
    "aws:apprunner/service:Service": compute.app_runner,
    "aws:appautoscaling/policy:Policy": watching.scaling_policy,
    "aws:autoscaling/group:Group": compute.group,
    "aws:backup/vault:Vault": stores.vault,
    "aws:cloudwatch/logGroup:LogGroup": watching.log_group,
    "aws:cloudwatch/logMetricFilter:LogMetricFilter": watching.log_metric,
    "aws:cloudwatch/metricAlarm:MetricAlarm": watching.alarm,
    "aws:ebs/volume:Volume": compute.volume,
    "aws:ec2/eip:Eip": network.address,
    "aws:ec2/natGateway:NatGateway": network.nat_gateway,
    "aws:ec2/vpcEndpoint:VpcEndpoint": network.endpoint,
    "aws:ecs/service:Service": compute.service,
    "aws:elasticache/replicationGroup:ReplicationGroup": stores.cache,
    "aws:kms/key:Key": watching.key,
    "aws:lb/loadBalancer:LoadBalancer": network.load_balancer,
    "aws:rds/clusterInstance:ClusterInstance": stores.cluster_instance,
    "aws:rds/instance:Instance": stores.database,
    "aws:s3/bucket:Bucket": stores.bucket,
    "aws:secretsmanager/secret:Secret": watching.secret,
    "aws:servicediscovery/privateDnsNamespace:PrivateDnsNamespace": network.hosted_zone,
    "aws:wafv2/webAcl:WebAcl": network.web_acl,
}
"""By type token."""

READ: Final = frozenset(
    {
        compute.APP_RUNNER_SCALING,
        hours.OF_DATABASES,
        hours.OF_GROUPS,
        hours.OF_SERVICES,
        hours.SCALING_TARGET,
        compute.TASK_DEFINITION,
        compute.LAUNCH_TEMPLATE,
        stores.DB_CLUSTER,
        network.VPC,
    }
)
"""Types whose inputs the pricers of others read."""

FREE_MODULES: Final = ("aws:acm/", "aws:iam/", "pulumi:", "random:index/")
"""Modules of which no type costs anything, whatever else a program makes of them."""


def is_known(resource: Resource) -> bool:
    """Whether somebody has said what a resource costs; a component is nothing but its children."""
    token = resource.type
    return not resource.custom or token in RESOURCE_TYPES or token.startswith(FREE_MODULES)
