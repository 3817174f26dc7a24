"""Stacks in China and in GovCloud: every service is there, or refused before the first resource.

It proves that AWS has the services, by botocore's endpoints, and that nothing names another
partition or another region's things. It does not prove that a service has every feature there:
`preflight` asks for instance types, zones and quotas.
"""

import json
import re
from collections.abc import Mapping
from functools import cache
from typing import Any

import boto3
import pulumi
import pytest

from langfuse_aws.automation.aws.answers import NewStack
from langfuse_aws.automation.preflight.account import check_partition
from langfuse_aws.components.shared.location import Location, refuse_location
from langfuse_aws.graph.resource_types import RESOURCE_TYPES
from langfuse_aws.offline.facts import ACCOUNT
from langfuse_aws.settings.app_runner import HOSTED_ZONES
from langfuse_aws.settings.loading import load
from langfuse_aws.settings.partitions import missing_services
from tests.unit.components.test_alarms import copied
from tests.unit.stack_graph import VARIED, Graph, build, shipped, shipped_config, varied

REGIONS = {"aws": "us-east-1", "aws-cn": "cn-northwest-1", "aws-us-gov": "us-gov-west-1"}
SECOND = {"aws-cn": "cn-north-1", "aws-us-gov": "us-gov-east-1"}
ROLE = "aws:iam/role:Role"
each_partition = pytest.mark.parametrize("partition", REGIONS)

SERVICES: Mapping[str, str] = {
    "acm": "acm",
    "apigatewayv2": "apigatewayv2",
    "appautoscaling": "application-autoscaling",
    "apprunner": "apprunner",
    "autoscaling": "autoscaling",
    "backup": "backup",
    "budgets": "budgets",
    "cloudwatch": "cloudwatch",
    "cloudwatch/logGroup": "logs",
    "cloudwatch/logMetricFilter": "logs",
    "ebs": "ec2",
    "ec2": "ec2",
    "ecr": "ecr",
    "ecs": "ecs",
    "elasticache": "elasticache",
    "iam": "iam",
    "kms": "kms",
    "lambda": "lambda",
    "lb": "elbv2",
    "rds": "rds",
    "route53": "route53",
    "s3": "s3",
    "scheduler": "scheduler",
    "secretsmanager": "secretsmanager",
    "servicediscovery": "servicediscovery",
    "sns": "sns",
    "vpc": "ec2",
    "wafv2": "wafv2",
}
"""botocore's service of a module of the AWS provider, or of one of its types."""

GLOBAL_NAMES: Mapping[str, str] = {
    "aws:budgets/budget:Budget": "name",
    "aws:cloudwatch/dashboard:Dashboard": "dashboardName",
    "aws:iam/instanceProfile:InstanceProfile": "name",
    "aws:iam/policy:Policy": "name",
    "aws:iam/role:Role": "name",
    "aws:iam/user:User": "name",
    "aws:s3/bucket:Bucket": "bucket",
}
"""What has one name in an account, or in the world, whatever its region."""


def config(name: str, partition: str) -> dict[str, Any]:
    """A configuration that the partition takes."""
    if name == "staging":
        return {**shipped_config(name), "alarms": alarms(partition)}
    if name == "large":
        return {
            "size": "prod",
            "domain": "langfuse.example.com",
            "clickhouse": {"replicas": 3},
            "ingress": {"waf": {}},
            "storage": {"kms": True},
            "backups": {"copyRegion": SECOND[partition], "vaultLock": True},
            "alarms": alarms(partition),
        }
    secret = f"arn:{partition}:secretsmanager:{REGIONS[partition]}:123456789012:secret:ecr-pull"
    return {
        **VARIED,
        "alarms": alarms(partition),
        "smtp": {"mode": "smtp", "from": "no-reply@example.com"},
        "smtpUrl": "smtps://mail.example.com",
        "images": {
            "source": "pullThrough",
            "githubSecretArn": f"{secret}throughcache/github-AbCdEf",
            "dockerHubSecretArn": f"{secret}throughcache/docker-hub-AbCdEf",
        },
    }


def alarms(partition: str) -> dict[str, Any]:
    budget = {} if partition == "aws-us-gov" else {"monthlyBudgetUsd": 300}
    return {"email": "ops@example.com", **budget}


def graph(name: str, partition: str) -> Graph:
    if partition == "aws":
        return {"staging": lambda: shipped(name), "large": copied, "varied": varied}[name]()
    return build("dev", config(name, partition), region=REGIONS[partition])


each_stack = pytest.mark.parametrize("name", ["staging", "large", "varied"])
"""All three sizes: the large one is of size prod, the varied one of size dev."""


def service_of(token: str) -> str:
    """The service of a type such as `aws:ecs/service:Service`, as botocore calls it."""
    kind = token.split(":")[1]
    return SERVICES.get(kind) or SERVICES[kind.partition("/")[0]]


@cache
def is_there(service: str, region: str) -> bool:
    """Whether botocore knows an endpoint of the service in a region, or one of its partition."""
    session: Any = boto3.Session()
    partition = session.get_partition_for_region(region)
    regional = session.get_available_regions(service, partition)
    return region in regional or (
        not regional and f"{partition}-global" in every_endpoint(service, partition)
    )


@cache
def every_endpoint(service: str, partition: str) -> list[str]:
    session: Any = boto3.Session()
    return session.get_available_regions(service, partition, allow_non_regional=True)


@each_partition
@each_stack
def test_every_service_of_a_stack_is_in_its_region(name: str, partition: str) -> None:
    tokens = {each.type for each in graph(name, partition).registrations}
    services = {service_of(token) for token in tokens if token.startswith("aws:")}
    assert len(services) > 10
    missing = {each for each in services if not is_there(each, REGIONS[partition])}
    assert missing == set()


def test_what_is_missing_somewhere_would_be_found() -> None:
    assert not is_there("apprunner", "us-gov-west-1")
    assert not is_there("apprunner", "cn-north-1")
    assert not is_there("budgets", "us-gov-west-1")
    assert is_there("budgets", "eu-west-1")
    assert is_there("iam", "cn-north-1")


def test_the_table_has_every_module_of_a_type() -> None:
    modules = {token.split(":")[1] for token in RESOURCE_TYPES if token.startswith("aws:")}
    assert {each for each in modules if not service_of(f"aws:{each}")} == set()


@pytest.mark.parametrize("partition", ["aws-cn", "aws-us-gov"])
@each_stack
def test_nothing_names_another_partition(name: str, partition: str) -> None:
    for each in graph(name, partition).registrations:
        text = json.dumps([each.inputs, each.outputs], default=str)
        assert re.findall(r"arn:aws:[^\"\\ ]*", text) == [], each.name


@each_stack
def test_in_china_hosts_have_chinas_suffix(name: str) -> None:
    # Principals of services are no hosts.
    for each in graph(name, "aws-cn").registrations:
        text = json.dumps([each.inputs, each.outputs], default=str)
        text = re.sub(r'\\"Service\\": \\"[^"]*"', "", text)
        assert re.findall(r"[\w*-]+\.[\w.*-]+\.amazonaws\.com(?!\.cn)\b", text) == [], each.name


@each_partition
@each_stack
def test_ec2_takes_roles_by_the_name_that_it_has_in_the_partition(
    name: str, partition: str
) -> None:
    """IAM has refused the other one in China, and EC2 gives no instance such a role.

    https://github.com/kubernetes/kops/issues/27
    https://github.com/hashicorp/terraform-provider-aws/issues/46209
    """
    ec2 = "ec2.amazonaws.com.cn" if partition == "aws-cn" else "ec2.amazonaws.com"
    trusts = [each.inputs["assumeRolePolicy"] for each in graph(name, partition).of_type(ROLE)]
    services = [
        statement["Principal"]["Service"]
        for each in trusts
        for statement in json.loads(each)["Statement"]
    ]
    assert ec2 in services
    chinese = {each for each in services if each.endswith(".cn")}
    assert chinese == ({ec2} if partition == "aws-cn" else set()), "the others have one name"


@pytest.mark.parametrize("partition", ["aws-cn", "aws-us-gov"])
def test_app_runner_is_in_no_region_outside_of_the_partition_aws(partition: str) -> None:
    session: Any = boto3.Session()
    assert not set(HOSTED_ZONES) & set(session.get_available_regions("ec2", partition))


REFUSED = {
    "aws-us-gov": (
        {"alarms": {"email": "ops@example.com", "monthlyBudgetUsd": 5}},
        "langfuse:alarms.monthlyBudgetUsd: AWS Budgets is not in aws-us-gov. Remove the key, and "
        "make the budget in the account that is billed for this one.",
    ),
    "aws-cn": (
        {"smtp": {"mode": "ses", "from": "no-reply@example.com"}},
        "langfuse:smtp.mode: Amazon SES is not in aws-cn. Set it to smtp, with the server's URL as "
        "the secret smtpUrl.",
    ),
}


@pytest.mark.parametrize("partition", REFUSED)
def test_what_a_partition_has_not_is_refused_in_one_line(partition: str) -> None:
    keys, said = REFUSED[partition]
    settings = load({"size": "dev", **keys})
    with pytest.raises(pulumi.RunError) as caught:
        refuse_location(settings, Location(REGIONS[partition], partition, ACCOUNT))
    assert str(caught.value) == said
    others = [each for each in REGIONS if each != partition]
    for other in others:
        assert [*missing_services(settings, other)] == []


def test_policies_are_of_the_partition_of_the_stack() -> None:
    arn = "arn:aws-cn:iam::123456789012:policy/evaluators"
    keys = {"web": {"policyArns": [arn]}, "worker": {"policyArns": [arn]}}
    settings = load({"size": "dev", "permissionsBoundary": arn, **keys})
    assert [*missing_services(settings, "aws-cn")] == []
    assert [" ".join(each) for each in missing_services(settings, "aws")] == [
        f"langfuse:{key}: {arn} is a policy of the partition aws-cn, and the stack is in aws. Name "
        "one of aws: aws iam list-policies shows the ARNs."
        for key in ("web.policyArns", "worker.policyArns", "permissionsBoundary")
    ]


@pytest.mark.parametrize("partition", REFUSED)
def test_it_is_refused_before_the_first_resource(partition: str) -> None:
    keys, said = REFUSED[partition]
    with pytest.raises(pulumi.RunError, match=re.escape(said.split(".")[0])):
        build("dev", {"size": "dev", **keys}, region=REGIONS[partition])


@pytest.mark.parametrize("partition", REFUSED)
def test_preflight_says_it_too(partition: str) -> None:
    keys, said = REFUSED[partition]
    stack = NewStack("dev", "x", REGIONS[partition], load({"size": "dev", **keys}), lambda: None)
    (result,) = check_partition(stack)
    assert result.status == "failed"
    assert f"{result.message} {result.remedy}" == said
    (fine,) = check_partition(NewStack("dev", "x", "eu-west-1", stack.settings, lambda: None))
    assert fine.status == "ok"


def test_without_a_budget_there_are_alarms_and_no_budget() -> None:
    found = graph("large", "aws-us-gov")
    assert found.of_type("aws:budgets/budget:Budget") == []
    assert len(found.of_type("aws:cloudwatch/metricAlarm:MetricAlarm")) > 30


@each_stack
def test_the_same_stack_in_two_regions_has_no_global_name_twice(name: str) -> None:
    here, there = (global_names(graph(name, each)) for each in ("aws-cn", "aws-us-gov"))
    assert here, "the dashboard's, at least"
    assert here & there == set(), "the second stack would overwrite the first one's"


def global_names(found: Graph) -> set[tuple[str, str]]:
    """The names that the program gives; others get a random ending from Pulumi."""
    return {
        (each.type, each.inputs[GLOBAL_NAMES[each.type]])
        for each in found.registrations
        if each.inputs.get(GLOBAL_NAMES.get(each.type, ""))
    }


def test_every_type_without_a_region_is_looked_at_for_names() -> None:
    import pulumi_aws as aws

    found = {each.type for name in ("varied", "large") for each in graph(name, "aws").registrations}
    tokens = {token for token in found if token.startswith(("aws:iam/", "aws:budgets/", "aws:s3/"))}
    nameless = {
        token
        for token in tokens - set(GLOBAL_NAMES)
        if "name" in named_inputs(aws, token) or "bucketName" in named_inputs(aws, token)
    }
    assert nameless <= {"aws:iam/rolePolicy:RolePolicy"}, "a policy's name is its role's own"


def named_inputs(aws: Any, token: str) -> set[str]:
    """The inputs of a type, in the SDK's spelling."""
    _, module, kind = token.split(":")
    made = getattr(getattr(aws, module.partition("/")[0]), kind)
    return set(made._internal_init.__code__.co_varnames)
