"""Proves with boto3 alone that the gaps of `gaps.py` are the simulation's."""

import io
import uuid
import zipfile

import pytest

from langfuse_aws.settings.versions import LAMBDA_PYTHON
from tests.provider.aws import client


@pytest.fixture
def name() -> str:
    return f"gap-{uuid.uuid4().hex[:8]}"


def test_the_simulations_cache_nodes_forget_how_strictly_they_ask_for_tls(name: str) -> None:
    cache = client("elasticache")
    cache.create_replication_group(
        ReplicationGroupId=name,
        ReplicationGroupDescription=name,
        Engine="valkey",
        TransitEncryptionEnabled=True,
        TransitEncryptionMode="required",
    )
    (group,) = cache.describe_replication_groups(ReplicationGroupId=name)["ReplicationGroups"]
    assert group["TransitEncryptionMode"] == "required"
    node = group["MemberClusters"][0]
    (found,) = cache.describe_cache_clusters(CacheClusterId=node)["CacheClusters"]
    assert "TransitEncryptionMode" not in found, "the provider reads it off the first node"


def test_the_simulation_knows_nothing_of_performance_insights(name: str) -> None:
    rds = client("rds")
    rds.create_db_instance(
        DBInstanceIdentifier=name,
        DBInstanceClass="db.t4g.micro",
        Engine="postgres",
        AllocatedStorage=20,
        MasterUsername="langfuse",
        MasterUserPassword="gap-Password-1",
        EnablePerformanceInsights=True,
    )
    (found,) = rds.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"]
    assert not found.get("PerformanceInsightsEnabled")


def test_the_simulation_forgets_how_a_group_replaces_instances(name: str) -> None:
    ec2, scaling = client("ec2"), client("autoscaling")
    image = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
    scaling.create_launch_configuration(
        LaunchConfigurationName=name, ImageId=image, InstanceType="t4g.nano"
    )
    scaling.create_auto_scaling_group(
        AutoScalingGroupName=name,
        LaunchConfigurationName=name,
        MinSize=0,
        MaxSize=0,
        AvailabilityZones=["us-east-1a"],
        InstanceMaintenancePolicy={"MinHealthyPercentage": 0, "MaxHealthyPercentage": 100},
    )
    (found,) = scaling.describe_auto_scaling_groups(AutoScalingGroupNames=[name])[
        "AutoScalingGroups"
    ]
    assert "InstanceMaintenancePolicy" not in found


def test_the_simulation_forgets_the_tags_of_scaling_targets(name: str) -> None:
    scaling = client("application-autoscaling")
    scaling.register_scalable_target(
        ServiceNamespace="dynamodb",
        ResourceId=f"table/{name}",
        ScalableDimension="dynamodb:table:ReadCapacityUnits",
        MinCapacity=1,
        MaxCapacity=2,
        Tags={"Project": "gap"},
    )
    found = scaling.describe_scalable_targets(
        ServiceNamespace="dynamodb", ResourceIds=[f"table/{name}"]
    )["ScalableTargets"]
    arn = found[0].get("ScalableTargetARN")
    assert arn is None or scaling.list_tags_for_resource(ResourceARN=arn)["Tags"] == {}


def test_the_simulation_forgets_where_a_services_tasks_may_be_placed(name: str) -> None:
    ecs = client("ecs")
    ecs.create_cluster(clusterName=name)
    ecs.register_task_definition(
        family=name, containerDefinitions=[{"name": "one", "image": "one", "memory": 128}]
    )
    ecs.create_service(
        cluster=name,
        serviceName=name,
        taskDefinition=name,
        desiredCount=0,
        placementConstraints=[{"type": "distinctInstance"}],
    )
    (found,) = ecs.describe_services(cluster=name, services=[name])["services"]
    assert not found.get("placementConstraints")


def test_the_simulation_forgets_the_capacity_providers_of_services(name: str) -> None:
    ecs = client("ecs")
    ecs.create_cluster(clusterName=name)
    ecs.register_task_definition(
        family=name, containerDefinitions=[{"name": "one", "image": "one", "memory": 128}]
    )
    ecs.create_service(
        cluster=name,
        serviceName=name,
        taskDefinition=name,
        desiredCount=0,
        capacityProviderStrategy=[{"capacityProvider": "FARGATE_SPOT", "weight": 1}],
    )
    (found,) = ecs.describe_services(cluster=name, services=[name])["services"]
    assert not found.get("capacityProviderStrategy")


def test_the_simulation_forgets_the_descriptions_of_rules_that_name_a_group(name: str) -> None:
    ec2 = client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.99.0.0/16")["Vpc"]["VpcId"]
    group = ec2.create_security_group(GroupName=name, Description=name, VpcId=vpc)["GroupId"]
    pair = {"GroupId": group, "Description": "a description"}
    permission = {"IpProtocol": "tcp", "FromPort": 1, "ToPort": 1, "UserIdGroupPairs": [pair]}
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[permission])
    rules = ec2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [group]}])
    found = [rule for rule in rules["SecurityGroupRules"] if not rule["IsEgress"]]
    assert [rule.get("Description") for rule in found] == [None]


def test_the_simulation_forgets_which_parameters_of_a_group_are_the_users(name: str) -> None:
    rds = client("rds")
    rds.create_db_parameter_group(
        DBParameterGroupName=name, DBParameterGroupFamily="postgres16", Description=name
    )
    rds.modify_db_parameter_group(
        DBParameterGroupName=name,
        Parameters=[
            {"ParameterName": "timezone", "ParameterValue": "UTC", "ApplyMethod": "immediate"}
        ],
    )
    (found,) = rds.describe_db_parameters(DBParameterGroupName=name)["Parameters"]
    assert "Source" not in found, "the provider keeps the parameters whose source is the user"


def test_the_simulation_forgets_where_functions_log(name: str) -> None:
    trust = '{"Version": "2012-10-17", "Statement": []}'
    role = client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=trust)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("one.py", "def handler(event, context): return {}")
    function = client("lambda")
    function.create_function(
        FunctionName=name,
        Runtime=f"python{LAMBDA_PYTHON}",
        Role=role["Role"]["Arn"],
        Handler="one.handler",
        Code={"ZipFile": file.getvalue()},
        LoggingConfig={"LogFormat": "Text", "LogGroup": name},
    )
    found = function.get_function(FunctionName=name)["Configuration"]
    assert found.get("LoggingConfig", {}).get("LogGroup") != name


def test_the_simulation_gives_every_database_of_a_region_the_same_resource_id(name: str) -> None:
    rds = client("rds")
    ids = [
        rds.create_db_instance(
            DBInstanceIdentifier=f"{name}-{number}",
            DBInstanceClass="db.t4g.micro",
            Engine="postgres",
            AllocatedStorage=20,
            MasterUsername="someone",
            MasterUserPassword="password",
        )["DBInstance"]["DbiResourceId"]
        for number in (1, 2)
    ]
    assert ids[0] == ids[1], "so that the provider cannot tell the databases of two stacks apart"


def test_the_simulation_forgets_which_headers_a_web_acl_hides(name: str) -> None:
    waf = client("wafv2")
    visibility = {
        "SampledRequestsEnabled": True,
        "CloudWatchMetricsEnabled": True,
        "MetricName": name,
    }
    field = {"FieldType": "SINGLE_HEADER", "FieldKeys": ["cookie"]}
    made = waf.create_web_acl(
        Name=name,
        Scope="REGIONAL",
        DefaultAction={"Allow": {}},
        VisibilityConfig=visibility,
        DataProtectionConfig={"DataProtections": [{"Field": field, "Action": "SUBSTITUTION"}]},
    )["Summary"]
    found = waf.get_web_acl(Name=name, Scope="REGIONAL", Id=made["Id"])
    assert "DataProtectionConfig" not in found["WebACL"]
    waf.delete_web_acl(Name=name, Scope="REGIONAL", Id=made["Id"], LockToken=found["LockToken"])
