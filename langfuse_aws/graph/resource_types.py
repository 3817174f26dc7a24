"""What is plainly so of each type of resource that a stack has: one row a type, and nowhere else.

The bill, the guard, pictures, progress and the policies read it. What a fact is not plain enough
for stays with its code: a pricer in `cost/types.py`, and in `preflight/permissions.csv` the IAM
actions, of which several types share a line. A test names a type without a row.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

Minutes = tuple[int, int]
"""The shortest and the longest, whole."""


@dataclass(frozen=True)
class TypeFacts:
    """The facts of one type. Names of inputs are the wire's, unless it says otherwise."""

    title: str
    """What AWS calls it."""
    cost: Literal["priced", "free", "by use"]
    """`priced`: by the hour or month, or by use that is estimated; a pricer says how much. `free`:
    AWS does not charge it. `by use`: that nobody can foresee, or that comes to cents."""
    bears: Literal["nothing", "data", "key"]
    """What its loss loses: data, or a key or password that data needs."""
    cost_note: str = ""
    """Why it costs what it does, where that is not plain."""
    replaced_by: frozenset[str] = frozenset()
    """Of what the program keeps: the inputs whose change replaces it, from the provider's schemas,
    in Python's spelling. What it begins with is not in it."""
    begins_with: tuple[str, ...] = ()
    """Inputs that count when it is made, and never again, unless its replacement is allowed."""
    protected_by: Mapping[str, bool] = field(default_factory=dict[str, bool])
    """Whether an input must be set or not, by which AWS protects it from deletion."""
    encrypted_by: str = ""
    """The input that switches its encryption on."""
    minutes_to_create: Minutes | None = None
    """How long AWS usually takes, for the slow ones, as public logs of `terraform apply` and
    `terraform destroy` on AWS show ("Creation complete after …"), found in November 2026: 3 to 9
    logs a type, 2 for Aurora and for the deletion of RDS. Typical; they promise nothing."""
    minutes_to_delete: Minutes | None = None
    """As `minutes_to_create`."""


AUTO_SCALING_GROUP: Final = "aws:autoscaling/group:Group"
DB_CLUSTER: Final = "aws:rds/cluster:Cluster"
DB_INSTANCE: Final = "aws:rds/instance:Instance"
EBS_VOLUME: Final = "aws:ebs/volume:Volume"
LAUNCH_TEMPLATE: Final = "aws:ec2/launchTemplate:LaunchTemplate"
S3_BUCKET: Final = "aws:s3/bucket:Bucket"
ECS_SERVICE: Final = "aws:ecs/service:Service"
TASK_DEFINITION: Final = "aws:ecs/taskDefinition:TaskDefinition"
APP_RUNNER_SERVICE: Final = "aws:apprunner/service:Service"
"""Types that several readers of a graph ask for."""

RESOURCE_TYPES: Final[Mapping[str, TypeFacts]] = {
    "aws:acm/certificate:Certificate": TypeFacts("ACM certificate", "free", "nothing"),
    "aws:acm/certificateValidation:CertificateValidation": TypeFacts(
        "ACM certificate validation", "free", "nothing", minutes_to_create=(1, 9)
    ),
    "aws:apigatewayv2/api:Api": TypeFacts("API Gateway API", "priced", "nothing"),
    "aws:apigatewayv2/apiMapping:ApiMapping": TypeFacts(
        "API Gateway API mapping", "free", "nothing"
    ),
    "aws:apigatewayv2/domainName:DomainName": TypeFacts(
        "API Gateway domain name", "free", "nothing"
    ),
    "aws:apigatewayv2/integration:Integration": TypeFacts(
        "API Gateway integration", "free", "nothing"
    ),
    "aws:apigatewayv2/route:Route": TypeFacts("API Gateway route", "free", "nothing"),
    "aws:apigatewayv2/stage:Stage": TypeFacts("API Gateway stage", "free", "nothing"),
    "aws:apigatewayv2/vpcLink:VpcLink": TypeFacts(
        "API Gateway VPC link", "free", "nothing", cost_note="of an HTTP API; a REST API's is not"
    ),
    "aws:appautoscaling/policy:Policy": TypeFacts(
        "Application Auto Scaling policy", "priced", "nothing"
    ),
    "aws:appautoscaling/scheduledAction:ScheduledAction": TypeFacts(
        "Application Auto Scaling scheduled action", "free", "nothing"
    ),
    "aws:appautoscaling/target:Target": TypeFacts(
        "Application Auto Scaling target", "free", "nothing"
    ),
    "aws:apprunner/autoScalingConfigurationVersion:AutoScalingConfigurationVersion": TypeFacts(
        "App Runner auto scaling configuration version", "free", "nothing"
    ),
    "aws:apprunner/customDomainAssociation:CustomDomainAssociation": TypeFacts(
        "App Runner custom domain association", "free", "nothing"
    ),
    APP_RUNNER_SERVICE: TypeFacts("App Runner service", "priced", "nothing"),
    "aws:apprunner/vpcConnector:VpcConnector": TypeFacts(
        "App Runner VPC connector", "free", "nothing"
    ),
    AUTO_SCALING_GROUP: TypeFacts("EC2 Auto Scaling group", "priced", "nothing"),
    "aws:autoscaling/schedule:Schedule": TypeFacts(
        "EC2 Auto Scaling scheduled action", "free", "nothing"
    ),
    "aws:backup/plan:Plan": TypeFacts("AWS Backup plan", "free", "nothing"),
    "aws:backup/selection:Selection": TypeFacts("AWS Backup selection", "free", "nothing"),
    "aws:backup/vault:Vault": TypeFacts(
        "AWS Backup vault",
        "priced",
        "data",
        # Nothing else names a region.
        replaced_by=frozenset({"kms_key_arn", "name", "region"}),
        protected_by={"forceDestroy": False},
    ),
    "aws:backup/vaultLockConfiguration:VaultLockConfiguration": TypeFacts(
        "AWS Backup vault lock configuration", "free", "nothing"
    ),
    "aws:budgets/budget:Budget": TypeFacts("AWS Budgets budget", "free", "nothing"),
    "aws:cloudwatch/alarmMuteRule:AlarmMuteRule": TypeFacts(
        "CloudWatch alarm mute rule", "free", "nothing"
    ),
    "aws:cloudwatch/dashboard:Dashboard": TypeFacts(
        "CloudWatch dashboard",
        "by use",
        "nothing",
        cost_note="an account has three for nothing; a fourth costs 3.00",
    ),
    "aws:cloudwatch/logGroup:LogGroup": TypeFacts("CloudWatch log group", "priced", "nothing"),
    "aws:cloudwatch/logMetricFilter:LogMetricFilter": TypeFacts(
        "CloudWatch log metric filter", "priced", "nothing"
    ),
    "aws:cloudwatch/metricAlarm:MetricAlarm": TypeFacts(
        "CloudWatch metric alarm", "priced", "nothing"
    ),
    EBS_VOLUME: TypeFacts(
        "EBS volume",
        "priced",
        "data",
        replaced_by=frozenset(
            {"availability_zone", "encrypted", "kms_key_id", "multi_attach_enabled", "outpost_arn"}
        ),
        begins_with=("snapshotId",),
        encrypted_by="encrypted",
    ),
    "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup": TypeFacts(
        "EC2 default security group", "free", "nothing"
    ),
    "aws:ec2/eip:Eip": TypeFacts("EC2 Elastic IP", "priced", "nothing"),
    "aws:ec2/flowLog:FlowLog": TypeFacts(
        "EC2 flow log",
        "by use",
        "nothing",
        cost_note="by the GB of log, which the number of connections decides",
    ),
    "aws:ec2/internetGateway:InternetGateway": TypeFacts("EC2 internet gateway", "free", "nothing"),
    LAUNCH_TEMPLATE: TypeFacts("EC2 launch template", "free", "nothing"),
    "aws:ec2/natGateway:NatGateway": TypeFacts(
        "EC2 NAT gateway", "priced", "nothing", minutes_to_create=(1, 2), minutes_to_delete=(1, 1)
    ),
    "aws:ec2/networkInterface:NetworkInterface": TypeFacts(
        "EC2 network interface", "free", "nothing", cost_note="its address costs"
    ),
    "aws:ec2/route:Route": TypeFacts("EC2 route", "free", "nothing"),
    "aws:ec2/routeTable:RouteTable": TypeFacts("EC2 route table", "free", "nothing"),
    "aws:ec2/routeTableAssociation:RouteTableAssociation": TypeFacts(
        "EC2 route table association", "free", "nothing"
    ),
    "aws:ec2/securityGroup:SecurityGroup": TypeFacts("EC2 security group", "free", "nothing"),
    "aws:ec2/subnet:Subnet": TypeFacts("EC2 subnet", "free", "nothing"),
    "aws:ec2/vpc:Vpc": TypeFacts("EC2 VPC", "free", "nothing"),
    "aws:ec2/vpcEndpoint:VpcEndpoint": TypeFacts(
        "EC2 VPC endpoint", "priced", "nothing", cost_note="of the type Gateway it is free"
    ),
    "aws:ecr/lifecyclePolicy:LifecyclePolicy": TypeFacts("ECR lifecycle policy", "free", "nothing"),
    "aws:ecr/pullThroughCacheRule:PullThroughCacheRule": TypeFacts(
        "ECR pull through cache rule", "free", "nothing"
    ),
    # Copies; kept all the same.
    "aws:ecr/repository:Repository": TypeFacts(
        "ECR repository",
        "by use",
        "nothing",
        cost_note="0.10 a GB and month of images; pulls in the region are free",
    ),
    "aws:ecs/cluster:Cluster": TypeFacts(
        "ECS cluster", "free", "nothing", cost_note="without Container Insights"
    ),
    "aws:ecs/clusterCapacityProviders:ClusterCapacityProviders": TypeFacts(
        "ECS cluster capacity providers", "free", "nothing"
    ),
    ECS_SERVICE: TypeFacts("ECS service", "priced", "nothing"),
    TASK_DEFINITION: TypeFacts("ECS task definition", "free", "nothing", cost_note="tasks cost"),
    "aws:elasticache/parameterGroup:ParameterGroup": TypeFacts(
        "ElastiCache parameter group", "free", "nothing"
    ),
    "aws:elasticache/replicationGroup:ReplicationGroup": TypeFacts(
        "ElastiCache replication group",
        "priced",
        "data",
        replaced_by=frozenset(
            {
                "at_rest_encryption_enabled",
                "data_tiering_enabled",
                "durability",
                "engine",
                "global_replication_group_id",
                "kms_key_id",
                "network_type",
                "port",
                "replication_group_id",
                "security_group_names",
                "subnet_group_name",
                "transit_encryption_enabled",
            }
        ),
        # A lower version replaces it, and AWS raises versions by itself.
        begins_with=("engineVersion",),
        protected_by={"finalSnapshotIdentifier": True},
        encrypted_by="atRestEncryptionEnabled",
        minutes_to_create=(6, 9),
    ),
    "aws:elasticache/subnetGroup:SubnetGroup": TypeFacts(
        "ElastiCache subnet group", "free", "nothing"
    ),
    "aws:iam/instanceProfile:InstanceProfile": TypeFacts("IAM instance profile", "free", "nothing"),
    "aws:iam/role:Role": TypeFacts("IAM role", "free", "nothing"),
    "aws:iam/rolePolicy:RolePolicy": TypeFacts("IAM role policy", "free", "nothing"),
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment": TypeFacts(
        "IAM role policy attachment", "free", "nothing"
    ),
    "aws:kms/key:Key": TypeFacts(
        "KMS key",
        "priced",
        "key",
        replaced_by=frozenset(
            {
                "custom_key_store_id",
                "customer_master_key_spec",
                "key_usage",
                "multi_region",
                "xks_key_id",
            }
        ),
    ),
    "aws:lambda/function:Function": TypeFacts(
        "Lambda function",
        "by use",
        "nothing",
        cost_note="runs when a release or a database changes: cents a year",
    ),
    "aws:lambda/invocation:Invocation": TypeFacts(
        "Lambda invocation",
        "by use",
        "nothing",
        cost_note="the function's run, and its task: cents a release",
    ),
    "aws:lb/listener:Listener": TypeFacts("ELB listener", "free", "nothing"),
    "aws:lb/listenerRule:ListenerRule": TypeFacts("ELB listener rule", "free", "nothing"),
    "aws:lb/loadBalancer:LoadBalancer": TypeFacts(
        "ELB load balancer", "priced", "nothing", minutes_to_create=(2, 3)
    ),
    "aws:lb/targetGroup:TargetGroup": TypeFacts("ELB target group", "free", "nothing"),
    DB_CLUSTER: TypeFacts(
        "RDS cluster",
        "by use",
        "data",
        cost_note="storage and I/O of PostgreSQL, which events hardly fill; its instances are "
        "priced",
        replaced_by=frozenset(
            {
                "availability_zones",
                "cluster_identifier",
                "cluster_identifier_prefix",
                "cluster_scalability_type",
                "database_name",
                "db_subnet_group_name",
                "db_system_id",
                "engine",
                "engine_mode",
                "kms_key_id",
                "master_username",
                "source_region",
                "storage_encrypted",
            }
        ),
        begins_with=("engineVersion", "snapshotIdentifier"),
        protected_by={"deletionProtection": True, "skipFinalSnapshot": False},
        encrypted_by="storageEncrypted",
        minutes_to_create=(1, 1),
    ),
    # The cluster bears the data.
    "aws:rds/clusterInstance:ClusterInstance": TypeFacts(
        "RDS cluster instance",
        "priced",
        "nothing",
        replaced_by=frozenset(
            {
                "availability_zone",
                "cluster_identifier",
                "custom_iam_instance_profile",
                "db_subnet_group_name",
                "engine",
                "identifier",
                "identifier_prefix",
            }
        ),
        minutes_to_create=(6, 7),
    ),
    "aws:rds/clusterParameterGroup:ClusterParameterGroup": TypeFacts(
        "RDS cluster parameter group", "free", "nothing"
    ),
    DB_INSTANCE: TypeFacts(
        "RDS instance",
        "priced",
        "data",
        replaced_by=frozenset(
            {
                "availability_zone",
                "backup_target",
                "character_set_name",
                "custom_iam_instance_profile",
                "db_name",
                "engine",
                "kms_key_id",
                "nchar_character_set_name",
                "storage_encrypted",
                "timezone",
                "username",
            }
        ),
        # Its storage grows by itself.
        begins_with=("allocatedStorage", "engineVersion", "snapshotIdentifier"),
        protected_by={"deletionProtection": True, "skipFinalSnapshot": False},
        encrypted_by="storageEncrypted",
        minutes_to_create=(3, 6),
        minutes_to_delete=(4, 6),
    ),
    "aws:rds/parameterGroup:ParameterGroup": TypeFacts("RDS parameter group", "free", "nothing"),
    "aws:rds/subnetGroup:SubnetGroup": TypeFacts("RDS subnet group", "free", "nothing"),
    "aws:route53/record:Record": TypeFacts(
        "Route 53 record",
        "by use",
        "nothing",
        cost_note="queries; aliases of load balancers and HTTP APIs are free",
    ),
    S3_BUCKET: TypeFacts(
        "S3 bucket",
        "priced",
        "data",
        replaced_by=frozenset(
            {"bucket", "bucket_namespace", "bucket_prefix", "object_lock_enabled"}
        ),
        protected_by={"forceDestroy": False},
    ),
    "aws:s3/bucketCorsConfiguration:BucketCorsConfiguration": TypeFacts(
        "S3 bucket CORS configuration", "free", "nothing"
    ),
    "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration": TypeFacts(
        "S3 bucket lifecycle configuration", "free", "nothing"
    ),
    "aws:s3/bucketLogging:BucketLogging": TypeFacts(
        "S3 bucket logging",
        "free",
        "nothing",
        cost_note="what it writes is stored in the bucket of the access logs",
    ),
    "aws:s3/bucketOwnershipControls:BucketOwnershipControls": TypeFacts(
        "S3 bucket ownership controls", "free", "nothing"
    ),
    "aws:s3/bucketPolicy:BucketPolicy": TypeFacts("S3 bucket policy", "free", "nothing"),
    "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock": TypeFacts(
        "S3 bucket public access block", "free", "nothing"
    ),
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration": TypeFacts(  # noqa: E501
        "S3 bucket server side encryption configuration", "free", "nothing"
    ),
    "aws:s3/bucketVersioning:BucketVersioning": TypeFacts(
        "S3 bucket versioning", "free", "nothing"
    ),
    "aws:scheduler/schedule:Schedule": TypeFacts(
        "EventBridge Scheduler schedule",
        "by use",
        "nothing",
        cost_note="30 runs a month are free; the task that it starts: cents",
    ),
    # Its values are guarded where they are generated, and make the same secret again.
    "aws:secretsmanager/secret:Secret": TypeFacts("Secrets Manager secret", "priced", "key"),
    # The secret keeps the version before.
    "aws:secretsmanager/secretVersion:SecretVersion": TypeFacts(
        "Secrets Manager secret version", "free", "nothing", cost_note="the secret costs"
    ),
    "aws:servicediscovery/privateDnsNamespace:PrivateDnsNamespace": TypeFacts(
        "Cloud Map private DNS namespace", "priced", "nothing"
    ),
    "aws:servicediscovery/service:Service": TypeFacts(
        "Cloud Map service",
        "by use",
        "nothing",
        cost_note="ECS registers tasks; the zone is priced",
    ),
    "aws:sns/topic:Topic": TypeFacts(
        "SNS topic", "by use", "nothing", cost_note="mails: the first thousand a month are free"
    ),
    "aws:sns/topicPolicy:TopicPolicy": TypeFacts("SNS topic policy", "free", "nothing"),
    "aws:sns/topicSubscription:TopicSubscription": TypeFacts(
        "SNS topic subscription", "free", "nothing"
    ),
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": TypeFacts(
        "VPC security group egress rule", "free", "nothing"
    ),
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": TypeFacts(
        "VPC security group ingress rule", "free", "nothing"
    ),
    "aws:wafv2/webAcl:WebAcl": TypeFacts("WAF web ACL", "priced", "nothing"),
    "aws:wafv2/webAclAssociation:WebAclAssociation": TypeFacts(
        "WAF web ACL association", "free", "nothing"
    ),
    "aws:wafv2/webAclLoggingConfiguration:WebAclLoggingConfiguration": TypeFacts(
        "WAF web ACL logging configuration", "free", "nothing"
    ),
    "pulumi:index:Stash": TypeFacts("Pulumi stash", "free", "nothing"),
    "random:index/randomBytes:RandomBytes": TypeFacts(
        "Random bytes", "free", "key", replaced_by=frozenset({"keepers", "length"})
    ),
    # Part of a final snapshot's name.
    "random:index/randomId:RandomId": TypeFacts("Random ID", "free", "nothing"),
    "random:index/randomPassword:RandomPassword": TypeFacts(
        "Random password",
        "free",
        "key",
        replaced_by=frozenset(
            {
                "keepers",
                "length",
                "lower",
                "min_lower",
                "min_numeric",
                "min_special",
                "min_upper",
                "number",
                "numeric",
                "override_special",
                "special",
                "upper",
            }
        ),
    ),
    # Public.
    "random:index/randomUuid:RandomUuid": TypeFacts("Random UUID", "free", "nothing"),
}
"""By type token. Components are no types of resources: they only group others."""
