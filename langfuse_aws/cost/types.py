"""What every type of resource costs: it has a pricer, is free, or is charged by use alone."""

from collections.abc import Mapping
from typing import Final

from langfuse_aws.cost import compute, network, stores, watching
from langfuse_aws.cost.charge import Pricer

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
"""Types that cost by the hour or month, or by use that is estimated."""

READ: Final = frozenset(
    {
        compute.APP_RUNNER_SCALING,
        compute.SCALING_TARGET,
        compute.TASK,
        compute.TEMPLATE,
        stores.CLUSTER,
        network.VPC,
    }
)
"""Types whose inputs the pricers of others read."""

FREE_MODULES: Final = ("aws:acm/", "aws:iam/", "langfuse:index:", "pulumi:", "random:index/")
"""Whole modules that cost nothing: certificates, permissions, what is not in AWS."""

FREE: Final = frozenset(
    {
        "aws:apigatewayv2/apiMapping:ApiMapping",
        "aws:apigatewayv2/domainName:DomainName",
        "aws:apigatewayv2/integration:Integration",
        "aws:apigatewayv2/route:Route",
        "aws:apigatewayv2/stage:Stage",
        "aws:apigatewayv2/vpcLink:VpcLink",  # of an HTTP API; a REST API's is not
        "aws:appautoscaling/target:Target",
        "aws:apprunner/autoScalingConfigurationVersion:AutoScalingConfigurationVersion",
        "aws:apprunner/customDomainAssociation:CustomDomainAssociation",
        "aws:apprunner/vpcConnector:VpcConnector",
        "aws:backup/plan:Plan",
        "aws:backup/selection:Selection",
        "aws:backup/vaultLockConfiguration:VaultLockConfiguration",
        "aws:budgets/budget:Budget",
        "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup",
        "aws:ec2/internetGateway:InternetGateway",
        "aws:ec2/launchTemplate:LaunchTemplate",
        "aws:ec2/networkInterface:NetworkInterface",  # its address costs
        "aws:ec2/route:Route",
        "aws:ec2/routeTable:RouteTable",
        "aws:ec2/routeTableAssociation:RouteTableAssociation",
        "aws:ec2/securityGroup:SecurityGroup",
        "aws:ec2/subnet:Subnet",
        "aws:ec2/vpc:Vpc",
        "aws:ec2/vpcEndpoint:VpcEndpoint",  # of the type Gateway, for S3
        "aws:ecr/lifecyclePolicy:LifecyclePolicy",
        "aws:ecr/pullThroughCacheRule:PullThroughCacheRule",
        "aws:ecs/cluster:Cluster",  # without Container Insights
        "aws:ecs/clusterCapacityProviders:ClusterCapacityProviders",
        "aws:ecs/taskDefinition:TaskDefinition",  # tasks cost
        "aws:elasticache/parameterGroup:ParameterGroup",
        "aws:elasticache/subnetGroup:SubnetGroup",
        "aws:lb/listener:Listener",
        "aws:lb/listenerRule:ListenerRule",
        "aws:lb/targetGroup:TargetGroup",
        "aws:rds/clusterParameterGroup:ClusterParameterGroup",
        "aws:rds/parameterGroup:ParameterGroup",
        "aws:rds/subnetGroup:SubnetGroup",
        "aws:s3/bucketCorsConfiguration:BucketCorsConfiguration",
        "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
        "aws:s3/bucketOwnershipControls:BucketOwnershipControls",
        "aws:s3/bucketPolicy:BucketPolicy",
        "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
        "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
        "aws:s3/bucketVersioning:BucketVersioning",
        "aws:secretsmanager/secretVersion:SecretVersion",  # the secret costs
        "aws:sns/topicPolicy:TopicPolicy",
        "aws:sns/topicSubscription:TopicSubscription",
        "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule",
        "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",
        "aws:wafv2/webAclAssociation:WebAclAssociation",
        "aws:wafv2/webAclLoggingConfiguration:WebAclLoggingConfiguration",
        "awsx:ec2:Vpc",  # without NAT gateways
    }
)
"""Types that AWS does not charge."""

BY_USE: Final[Mapping[str, str]] = {
    "aws:cloudwatch/dashboard:Dashboard": "an account has three for nothing; a fourth costs 3.00",
    "aws:ec2/flowLog:FlowLog": "by the GB of log, which the number of connections decides",
    "aws:ecr/repository:Repository": "0.10 a GB and month of images; pulls in the region are free",
    "aws:lambda/function:Function": "runs when a release or a database changes: cents a year",
    "aws:lambda/invocation:Invocation": "the function's run, and its task: cents a release",
    "aws:rds/cluster:Cluster": "storage and I/O of PostgreSQL, which events hardly fill; its "
    "instances are priced",
    "aws:route53/record:Record": "queries; aliases of load balancers and HTTP APIs are free",
    "aws:scheduler/schedule:Schedule": "30 runs a month are free; the task that it starts: cents",
    "aws:servicediscovery/service:Service": "ECS registers tasks; the zone is priced",
    "aws:sns/topic:Topic": "mails: the first thousand a month are free",
}
"""Types that are charged by use that nobody can foresee or that comes to cents, and why."""


def is_known(token: str) -> bool:
    """Whether somebody has said what a type costs."""
    return token in PRICED or token in FREE or token in BY_USE or token.startswith(FREE_MODULES)
