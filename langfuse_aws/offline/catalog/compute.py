"""Machines, containers, and the roles and logs they use."""

from typing import Any

from langfuse_aws.offline.catalog.network import private_address, private_dns, public_address
from langfuse_aws.offline.catalog.resource_type import Naming, ResourceType
from langfuse_aws.offline.facts import CREATED, Facts, digest

_EC2 = "arn:{partition}:ec2:{region}:{account}:"
_ECS = "arn:{partition}:ecs:{region}:{account}:"
_IAM = "arn:{partition}:iam::{account}:"
_LAMBDA_ARN = "arn:{partition}:lambda:{region}:{account}:function:{name}"
_REVISIONS = 9973
_NOT_IN_A_REVISION = ("tags", "tagsAll", "skipDestroy", "trackLatest")


def _latest_version(facts: Facts) -> int:
    return int(facts.old.get("latestVersion", 0)) + 1


def _default_version(facts: Facts) -> int:
    if facts.get("updateDefaultVersion", False):
        return _latest_version(facts)
    return int(facts.old.get("defaultVersion", 1))


def _revision(facts: Facts) -> int:
    """A number that tells one content from another, as there is no counter without state."""
    content = {key: value for key, value in facts.inputs.items() if key not in _NOT_IN_A_REVISION}
    return int(facts.old.get("revision", 0)) or int(digest(content)[:8], 16) % _REVISIONS + 1


def _task_definition_arn(facts: Facts) -> str:
    return facts.arn("ecs", f"task-definition/{{family}}:{_revision(facts)}")


def _service_arn(facts: Facts) -> str:
    cluster = str(facts.get("cluster", "default")).rsplit("/", 1)[-1]
    return facts.arn("ecs", f"service/{cluster}/{{name}}")


def _zone(facts: Facts) -> Any:
    return f"{facts.region}a"


TYPES: dict[str, ResourceType] = {
    "aws:ec2/instance:Instance": ResourceType(
        "i-{hex17}",
        {
            "arn": f"{_EC2}instance/{{id}}",
            "availabilityZone": _zone,
            "instanceState": "running",
            "primaryNetworkInterfaceId": "eni-{hex17}",
            "privateDns": private_dns,
            "privateIp": private_address,
            "publicDns": "",
            "publicIp": lambda facts: (
                public_address(facts) if facts.get("associatePublicIpAddress", False) else ""
            ),
        },
        defaults={"sourceDestCheck": True, "tenancy": "default", "monitoring": False},
    ),
    "aws:ec2/launchTemplate:LaunchTemplate": ResourceType(
        "lt-{hex17}",
        {
            "arn": f"{_EC2}launch-template/{{id}}",
            "latestVersion": _latest_version,
            "defaultVersion": _default_version,
        },
        naming=Naming(longest=125),
        restated=frozenset({"latestVersion", "defaultVersion"}),
    ),
    "aws:autoscaling/group:Group": ResourceType(
        "{name}",
        {
            "arn": "arn:{partition}:autoscaling:{region}:{account}:autoScalingGroup:{hex32}"
            ":autoScalingGroupName/{name}",
            "desiredCapacity": lambda facts: facts.get("minSize", 0),
            "availabilityZones": lambda facts: [_zone(facts)],
        },
        defaults={"healthCheckGracePeriod": 300, "defaultCooldown": 300},
        naming=Naming(),
        tagged=False,
    ),
    "aws:autoscaling/schedule:Schedule": ResourceType(
        "{scheduledActionName}",
        {
            "arn": "arn:{partition}:autoscaling:{region}:{account}:scheduledUpdateGroupAction"
            ":{hex32}:autoScalingGroupName/{autoscalingGroupName}"
            ":scheduledActionName/{scheduledActionName}",
        },
        tagged=False,
    ),
    "aws:ebs/volume:Volume": ResourceType(
        "vol-{hex17}",
        {"arn": f"{_EC2}volume/{{id}}", "createTime": CREATED},
        defaults={"type": "gp2", "encrypted": False},
    ),
    "aws:ecs/cluster:Cluster": ResourceType(
        f"{_ECS}cluster/{{name}}",
        {"arn": "{id}"},
        naming=Naming(),
    ),
    "aws:ecs/clusterCapacityProviders:ClusterCapacityProviders": ResourceType(
        "{clusterName}", tagged=False
    ),
    "aws:ecs/taskDefinition:TaskDefinition": ResourceType(
        "{family}",
        {
            "arn": _task_definition_arn,
            "arnWithoutRevision": f"{_ECS}task-definition/{{family}}",
            "revision": _revision,
        },
    ),
    "aws:ecs/service:Service": ResourceType(
        _service_arn,
        {"arn": "{id}", "platformVersion": "LATEST"},
        defaults={
            "deploymentMaximumPercent": 200,
            "deploymentMinimumHealthyPercent": 100,
            "schedulingStrategy": "REPLICA",
        },
        naming=Naming(),
    ),
    "aws:appautoscaling/target:Target": ResourceType(
        "{resourceId}",
        {
            "arn": "arn:{partition}:application-autoscaling:{region}:{account}"
            ":scalable-target/{hex32}"
        },
    ),
    "aws:appautoscaling/policy:Policy": ResourceType(
        "{name}",
        {
            "arn": "arn:{partition}:autoscaling:{region}:{account}:scalingPolicy:{hex32}"
            ":resource/{serviceNamespace}/{resourceId}:policyName/{name}",
            "alarmArns": lambda _facts: list[str](),
        },
        naming=Naming(),
        tagged=False,
    ),
    "aws:appautoscaling/scheduledAction:ScheduledAction": ResourceType(
        "{name}-{serviceNamespace}-{resourceId}",
        {
            "arn": "arn:{partition}:autoscaling:{region}:{account}:scheduledAction:{hex32}"
            ":resource/{serviceNamespace}/{resourceId}:scheduledActionName/{name}",
        },
        defaults={"timezone": "UTC"},
        naming=Naming(),
        tagged=False,
    ),
    "aws:iam/role:Role": ResourceType(
        "{name}",
        {
            "arn": f"{_IAM}role{{path}}{{name}}",
            "createDate": CREATED,
            "uniqueId": lambda facts: facts.fill("AROA{hex17}").upper(),
        },
        defaults={"path": "/", "maxSessionDuration": 3600, "forceDetachPolicies": False},
        naming=Naming(longest=64),
        regional=False,
    ),
    "aws:iam/rolePolicy:RolePolicy": ResourceType(
        "{role}:{name}",
        naming=Naming(longest=128),
        tagged=False,
        regional=False,
    ),
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment": ResourceType(
        "{role}/{policyArn}", tagged=False, regional=False
    ),
    "aws:iam/instanceProfile:InstanceProfile": ResourceType(
        "{name}",
        {
            "arn": f"{_IAM}instance-profile{{path}}{{name}}",
            "createDate": CREATED,
            "uniqueId": lambda facts: facts.fill("AIPA{hex17}").upper(),
        },
        defaults={"path": "/"},
        naming=Naming(longest=128),
        regional=False,
    ),
    "aws:lambda/function:Function": ResourceType(
        "{name}",
        {
            "arn": _LAMBDA_ARN,
            "invokeArn": "arn:{partition}:apigateway:{region}:lambda:path/2015-03-31/functions/"
            f"{_LAMBDA_ARN}/invocations",
            "lastModified": CREATED,
            "qualifiedArn": f"{_LAMBDA_ARN}:$LATEST",
            "version": "$LATEST",
        },
        defaults={"memorySize": 128, "timeout": 3, "packageType": "Zip"},
        naming=Naming(longest=64),
    ),
    "aws:lambda/invocation:Invocation": ResourceType(
        "{functionName}_{hex32}",
        {"result": "{{}}"},
        defaults={"lifecycleScope": "CREATE_ONLY", "qualifier": "$LATEST"},
        tagged=False,
    ),
}
