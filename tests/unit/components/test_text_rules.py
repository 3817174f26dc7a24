"""Texts that AWS bounds by their characters or length: descriptions, names, tags, documents.

Proves that no text of any stack breaks a bound that AWS's models or pages state, also at the
extremes of what users may write, and that no property is without a bound or a reason. It does not
prove that AWS's pages say all that AWS refuses.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, cast

import pytest
from botocore import loaders
from botocore.model import ServiceModel

from langfuse_aws.components.shared.names import PREFIX_LIMIT
from langfuse_aws.offline import naming, text_rules
from langfuse_aws.offline.text_rules import bound_of, faults, matches, texts
from langfuse_aws.offline.unknown import UNKNOWN
from tests.unit.stack_graph import Graph, build, build_locked, shipped_config, varied
from tests.unit.stacks_of_all import graphs

GROUP: Final = "aws:ec2/securityGroup:SecurityGroup"
ROLE: Final = "aws:iam/role:Role"
BUCKET: Final = "aws:s3/bucket:Bucket"
SERVICE: Final = "aws:ecs/service:Service"
ALARM: Final = "aws:cloudwatch/metricAlarm:MetricAlarm"

LONGEST_DOMAIN: Final = f"{'a' * 52}.example.com"
UNICODE: Final = "Zoë & Söhne's <Ünïcode> 株式会社"

EVERYTHING: Final[Mapping[str, Any]] = {
    "size": "prod",
    "domain": LONGEST_DOMAIN,
    "clickhouse": {"replicas": 3},
    "ingress": {"kind": "alb", "waf": {"rateLimitPerFiveMinutes": 2000}},
    "alarms": {"email": f"{'o' * 64}@example.com", "monthlyBudgetUsd": 999_999},
    "backups": {"copyRegion": "eu-west-1", "vaultLock": True},
    "bootstrap": {
        "organization": UNICODE,
        "project": UNICODE,
        "userEmail": "ada@example.com",
    },
    "grafana": {"enabled": True},
    "storage": {"kms": True},
    "network": {"egress": "natGatewayPerZone", "zones": 3, "flowLogs": True},
}
APP_RUNNER: Final[Mapping[str, Any]] = {
    "size": "dev",
    "domain": LONGEST_DOMAIN,
    "network": {"egress": "natInstance"},
    "images": {"source": "mirror"},
    "web": {"platform": "appRunner"},
}
LONG: Final = "An.unusually_LONG-name.of-a-stack" * 3
"""Pulumi allows 100 characters: letters, digits, hyphens, underscores, periods."""

OTHERS: Final = ("encrypted", "asleep", "mirror", "closed", "external")
"""Stacks of `stacks_of_all`."""
NAMES: Final = (
    "dev", "staging", "prod", "varied", "everything", "app runner", "long", "long, everything",
    *OTHERS,
)  # fmt: skip


def stack(name: str) -> Graph:
    if name in OTHERS:
        return graphs()[name]
    if name == "varied":
        return varied()
    if name == "app runner":
        return build_locked(LONG, APP_RUNNER)
    if name == "long":
        return build(LONG, {"size": "dev"})
    if "everything" in name:
        return build(LONG if "long" in name else "prod", EVERYTHING)
    return build(name, shipped_config(name))


def made(graph: Graph) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """The resources of AWS: type, name, and inputs with automatic names."""
    for each in graph.registrations:
        if each.type.startswith("aws:"):
            yield each.type, each.name, naming.named(each.type, each.name, each.inputs)


@pytest.mark.parametrize("name", NAMES)
def test_aws_takes_every_text_of_a_stack(name: str) -> None:
    found = [
        f"{token} {resource}: {fault}"
        for token, resource, inputs in made(stack(name))
        for fault in faults(token, inputs)
    ]
    assert found == []


def test_what_aws_lists_the_values_of_has_one_of_them() -> None:
    asked, others = set[str](), set[str]()
    for label, graph in graphs().items():
        for token, name, inputs in made(graph):
            for path, text in texts(inputs):
                bound = bound_of(token, path)
                if bound and bound.values:
                    asked.add(f"{token} {path}")
                    if text not in bound.values:
                        others.add(f"{label}: {token} {name}: {path} {text!r}")
    assert len(asked) > 50
    assert others == set()


WORDS_OF_PYTHON: Final = re.compile(r"\b(None|True|False)\b|Output\[|<\w+(\.\w+)* (object )?at 0x")
"""What a value becomes in a text that was not meant for it."""

PROGRAMS: Final = ("command", "entryPoint")
"""What of a container is a program, some in Python."""


def leaves(value: Any) -> Iterator[str]:
    """Every text within a value, JSON in texts included."""
    match value:
        case str() if value[:1] in ("{", "["):
            try:
                yield from leaves(json.loads(value))
            except ValueError:
                yield value
        case str():
            yield value
        case Mapping():
            for key, each in cast("Mapping[str, Any]", value).items():
                if key not in PROGRAMS:
                    yield from (key, *leaves(each))
        case list():
            for each in cast("list[Any]", value):
                yield from leaves(each)
        case _:
            pass


def test_no_text_tells_what_only_python_says() -> None:
    said, read = set[str](), 0
    for label, graph in graphs().items():
        for token, name, inputs in made(graph):
            for text in leaves(inputs):
                read += 1
                if WORDS_OF_PYTHON.search(text):
                    said.add(f"{label}: {token} {name}: {text[:80]}")
    assert said == set()
    assert read > 10_000


OTHERWISE: Final = {
    "AccountId": "",  # the provider knows it
    "BackupPlanId": "planId",
    "DBClusterIdentifier": "clusterIdentifier",
    "DBInstanceClass": "instanceClass",
    "DBInstanceIdentifier": "identifier",
    "ReplicationGroupDescription": "description",
    "ResourceIds": "vpcId",
    "ResourceType": "vpcId",
    "filterPattern": "pattern",
    "metricTransformations": "metricTransformation",
}
"""What the provider calls it that AWS's models call so, beside `name` for the resource's name."""


def test_what_aws_requires_is_there() -> None:
    """The provider requires less, since some of it may come from elsewhere."""
    loader: Any = loaders.create_loader()  # pyright: ignore[reportUnknownMemberType]
    asked, missing = set[str](), set[str]()
    for (kind, path), row in text_rules.rows().items():
        service, _, operation = row["api"].partition(".")
        operation, _, wrapper = operation.partition(".")
        model: Any = None if path else ServiceModel(loader.load_service_model(service, "service-2"))
        if model is None or operation not in model.operation_names:
            continue
        for graph in graphs().values():
            for token, name, inputs in made(graph):
                if token.split(":")[1] != kind:
                    continue
                there = {key.lower() for key, value in inputs.items() if value is not None}
                for member in model.operation_model(operation).input_shape.required_members:
                    asked.add(f"{kind} {member}")
                    known = str(OTHERWISE.get(member, member)).lower()
                    named = member.endswith("Name") and "name" in there
                    if known and member != wrapper and known not in there and not named:
                        missing.add(f"{kind} {member}: {name}")
    assert missing == set()
    assert len(asked) > 80


SAY_IT: Final = (
    "aws:cloudwatch/alarmMuteRule:AlarmMuteRule description",
    "aws:cloudwatch/metricAlarm:MetricAlarm alarmDescription",
    "aws:ec2/securityGroup:SecurityGroup description",
    "aws:elasticache/replicationGroup:ReplicationGroup description",
    "aws:kms/key:Key description",
    "aws:scheduler/schedule:Schedule description",
    "aws:secretsmanager/secret:Secret description",
    "aws:servicediscovery/privateDnsNamespace:PrivateDnsNamespace description",
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule description",
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule description",
)
"""What whoever reads AWS's console meets by itself, without the resources around it."""


def test_a_resource_that_is_met_by_itself_says_what_it_is_for() -> None:
    found = {
        each: {
            (stack, resource.name): resource.inputs.get(each.split()[1])
            for stack, graph in graphs().items()
            for resource in graph.of_type(each.split()[0])
        }
        for each in SAY_IT
    }
    assert [each for each, said in found.items() if not said] == []
    silent = {name for said in found.values() for name, text in said.items() if not text}
    assert silent == set()
    default = {
        name for said in found.values() for name, text in said.items() if "Pulumi" in str(text)
    }
    assert default == set(), "AWS's provider says so where the program says nothing"


NAMED_BY_TAG: Final = {
    "aws:ebs/volume:Volume",
    "aws:ec2/eip:Eip",
    "aws:ec2/natGateway:NatGateway",
    "aws:ec2/networkInterface:NetworkInterface",
    "aws:ec2/securityGroup:SecurityGroup",
    "aws:ec2/vpcEndpoint:VpcEndpoint",
}
"""EC2's console shows this tag as their name, and an ID where there is none."""


def test_what_ec2_knows_by_an_id_has_its_name_in_a_tag() -> None:
    found = [
        (each.type, each.name, cast("dict[str, str]", each.inputs.get("tags") or {}).get("Name"))
        for graph in graphs().values()
        for each in graph.registrations
        if each.type in NAMED_BY_TAG
    ]
    assert {token for token, _, _ in found} == NAMED_BY_TAG
    assert {each for each in found if each[1] != each[2]} == set()


def test_the_longest_names_are_tried() -> None:
    names = [name for _, name, _ in made(stack("long, everything"))]
    prefixes = [name for name in names if name.startswith("langfuse-an-unusua")]
    assert len(prefixes) > 100, "or nothing is as long as it can be"
    assert max(map(len, names)) > PREFIX_LIMIT


# --- what is a fault


@pytest.mark.parametrize(
    ("token", "inputs", "path"),
    [
        (GROUP, {"description": "API's VPC link"}, "description"),
        (GROUP, {"description": "Müller"}, "description"),
        (GROUP, {"description": "x" * 256}, "description"),
        (GROUP, {"name": "sg-mine"}, "name"),
        (GROUP, {"tags": {"Team": "R&D"}}, "tags.Team"),
        (GROUP, {"tagsAll": {"Team": "x" * 257}}, "tagsAll.Team"),
        (GROUP, {"tags": {"aws:mine": "x"}}, "tags 'aws:mine'"),
        (GROUP, {"tags": {"": "x"}}, "tags ''"),
        ("aws:autoscaling/group:Group", {"tags": [{"key": "A?", "value": ""}]}, "tags[].key"),
        ("aws:vpc/securityGroupIngressRule:x", {"description": "it's"}, "description"),
        ("aws:lb/loadBalancer:LoadBalancer", {"name": "x" * 33}, "name"),
        ("aws:lb/targetGroup:TargetGroup", {"name": "ends-with-"}, "name"),
        (ROLE, {"name": "x" * 65}, "name"),
        (ROLE, {"name": "a b"}, "name"),
        (BUCKET, {"bucket": "Upper"}, "bucket"),
        (BUCKET, {"bucket": "ab"}, "bucket"),
        ("aws:rds/cluster:Cluster", {"clusterIdentifier": "a--b"}, "clusterIdentifier"),
        ("aws:rds/instance:Instance", {"password": "with/slash"}, "password"),
        ("aws:lambda/function:Function", {"name": "x" * 65}, "name"),
        ("aws:backup/vault:Vault", {"name": "x" * 51}, "name"),
        ("aws:backup/plan:Plan", {"rules": [{"ruleName": "every hour"}]}, "rules[].ruleName"),
        ("aws:scheduler/schedule:Schedule", {"description": "x" * 513}, "description"),
        ("aws:apigatewayv2/vpcLink:VpcLink", {"name": "x" * 129}, "name"),
        (ALARM, {"dimensions": {"Queue": ""}}, "dimensions.Queue"),
        ("aws:acm/certificate:Certificate", {"domainName": f"a{LONGEST_DOMAIN}"}, "domainName"),
        ("aws:ec2/launchTemplate:LaunchTemplate", {"userData": "A" * 21_849}, "userData"),
    ],
)
def test_a_text_that_aws_refuses_is_named_with_its_property(
    token: str, inputs: dict[str, Any], path: str
) -> None:
    (fault,) = faults(token, inputs)
    assert fault.startswith(f"{path}"), fault
    assert any(word in fault for word in ("does not match", "at most", "at least"))


@pytest.mark.parametrize(
    ("token", "inputs"),
    [
        (
            GROUP,
            {"description": "to S3 (a-z): #1, @[x]+=&;{}!$*", "tags": {"Owner": "Zoë 株式会社"}},
        ),
        (GROUP, {"description": UNKNOWN, "tags": UNKNOWN, "tagsAll": {"a": UNKNOWN}}),
        (GROUP, {"description": "x" * 255, "tags": {"k" * 128: "v" * 256, "empty": ""}}),
        (ROLE, {"name": "x" * 64}),
        (SERVICE, {"launchType": "A_NEW_ONE"}),
        ("aws:cloudfront/keyGroup:KeyGroup", {"comment": "it's of no known type"}),
        ("aws:ec2/launchTemplate:LaunchTemplate", {"userData": "A" * 21_848}),
    ],
)
def test_a_text_that_aws_takes_is_no_fault(token: str, inputs: dict[str, Any]) -> None:
    assert faults(token, inputs) == []


@pytest.mark.parametrize(
    ("pattern", "text", "taken"),
    [
        (r"[\u0020-\uD7FF\uE000-\uFFFD\uD800\uDC00-\uDBFF\uDFFF\r\n\t]*", "🦜 é\n", True),
        (r"[\u0020-\uD7FF\uE000-\uFFFD\uD800\uDC00-\uDBFF\uDFFF\r\n\t]*", "\x07", False),
        (r"[\p{L}\p{N}]+", "é٣", True),
        (r"[\p{L}\p{N}]+", "é-", False),
        (r"[\w]+", "é", False),
        (r"\p{Print}+", "a\x7f", False),
        (r"(?!a|(?i).*x.*)b", "b", True),
        ("a|b", "ab", False),
    ],
)
def test_a_pattern_of_aws_is_read_as_java_reads_it(pattern: str, text: str, taken: bool) -> None:
    assert matches(pattern, text) is taken


def test_every_row_names_a_type_that_some_stack_has_and_a_source_for_its_own_bound() -> None:
    types = {token.split(":")[1] for name in NAMES for token, _, _ in made(stack(name))}
    rows = text_rules.rows()
    assert sorted({kind for kind, _ in rows} - types) == [], "a row that nothing needs"
    for key, row in rows.items():
        own = bool(row["pattern"] or row["longest"])
        assert own or row["api"], key
        assert bool(row["source"].startswith("https://")) is own, key
        assert bool(row["pattern"]) is not bool(row["api"]), key
        if row["api"] and key[1]:
            assert bound_of(f"aws:{key[0]}:x", key[1]), f"{key}: the model bounds nothing there"


# --- nothing is left out

REFERENCE: Final = re.compile(r"arn:.+|[a-z]+-[0-9a-f]{17}")
"""An ARN or ID, which AWS has made."""

WITHOUT: Final[Mapping[str, tuple[str, ...]]] = {
    "a word of a list, a number, or an address, whose characters are never in doubt": (
        "autoscaling/group waitForCapacityTimeout",
        "backup/plan rules[].scheduleExpressionTimezone",
        "backup/vault region",
        "backup/vaultLockConfiguration region",
        "ec2/launchTemplate imageId",
        "ecr/pullThroughCacheRule upstreamRegistryUrl",
        "ecs/clusterCapacityProviders capacityProviders[]",
        "ecs/service capacityProviderStrategies[].capacityProvider",
        "elasticache/parameterGroup parameters[].name",
        "elasticache/parameterGroup parameters[].value",
        "lb/listener defaultActions[].redirect.statusCode",
        "rds/clusterParameterGroup parameters[].name",
        "rds/clusterParameterGroup parameters[].value",
        "rds/parameterGroup parameters[].name",
        "rds/parameterGroup parameters[].value",
        "s3/bucketCorsConfiguration corsRules[].allowedHeaders[]",
        "s3/bucketCorsConfiguration corsRules[].exposeHeaders[]",
        "s3/bucketLifecycleConfiguration rules[].filter.prefix",
    ),
    "made of the domain, which has a bound": (
        "acm/certificateValidation validationRecordFqdns[]",
        "s3/bucketCorsConfiguration corsRules[].allowedOrigins[]",
    ),
    "the same words in all stacks": (
        "apigatewayv2/route routeKey",
        "cloudwatch/metricAlarm metricQueries[].label",
        "ecs/service loadBalancers[].containerName",
        "ecs/service serviceRegistries.containerName",
        "ecs/taskDefinition volumes[].hostPath",
        "elasticache/parameterGroup description",
        "elasticache/subnetGroup description",
        "lambda/function code.assets.migrate.py.path",
        "lb/loadBalancer accessLogs.prefix",
        "rds/clusterParameterGroup description",
        "rds/parameterGroup description",
        "rds/subnetGroup description",
        "wafv2/webAcl *.searchString",
    ),
    "of the stack's prefix alone; neither AWS nor its provider states a bound": (
        "elasticache/replicationGroup description",
    ),
    "an email address, which settings/ checks": ("sns/topicSubscription endpoint",),
    "JSON for a function or a dashboard, or never sent": (
        "cloudwatch/dashboard dashboardBody",
        "lambda/invocation input",
        "lambda/invocation triggers.clickhouse",
        "lambda/invocation triggers.postgres",
    ),
}
"""Properties without a bound, by the reason; `*.` stands for whatever they are in."""


def unbounded() -> dict[str, set[str]]:
    """Texts of properties for which there is no rule, unless they come from another resource."""
    found: dict[str, set[str]] = {}
    for name in NAMES:
        graph = stack(name)
        given = {text for each in graph.registrations for _, text in texts(each.outputs)}
        given -= {text for each in graph.registrations for _, text in texts(each.inputs)}
        given |= {each.id for each in graph.registrations}
        for token, _, inputs in made(graph):
            for path, text in texts(inputs):
                known = text in given or REFERENCE.fullmatch(text)
                if not known and bound_of(token, path) is None:
                    found.setdefault(f"{token.split(':')[1]} {path}", set()).add(text)
    return found


def stands_for(reason: str, found: str) -> bool:
    """Whether an entry of WITHOUT is about a property."""
    start, wild, end = reason.partition(" *.")
    return found.startswith(f"{start} ") and found.endswith(f".{end}") if wild else reason == found


def test_every_text_has_a_bound_or_a_reason() -> None:
    reasons = [each for group in WITHOUT.values() for each in group]
    found = unbounded()
    for property_name, values in found.items():
        assert any(stands_for(each, property_name) for each in reasons), (
            f"{property_name} {sorted(values)[:2]}: see langfuse_aws/offline/text_rules.csv"
        )
    idle = [each for each in reasons if not any(stands_for(each, name) for name in found)]
    assert idle == [], "a reason that nothing needs"
