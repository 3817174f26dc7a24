"""Bounds of AWS's on what a stack file may say: no setting is looser.

The rows of `offline/rules.csv` that bound a property are the list; each is held by a setting here,
or by what a user cannot reach. It does not prove that AWS has no other bound.
"""

import csv
import json
from pathlib import Path
from typing import Any, Final

import pytest

from development.recorded_graph import on_mocks
from langfuse_aws.components.observability.budget import Budget, BudgetArgs
from langfuse_aws.contract.variables import known
from langfuse_aws.offline.facts import DEFAULT_REGION
from langfuse_aws.settings.byte_limits import (
    OWN_ENVIRONMENT_BYTES,
    REFERENCE_BYTES,
    SECRET_BYTES,
)
from langfuse_aws.settings.loading import SettingsError, load
from langfuse_aws.settings.model import Settings
from langfuse_aws.settings.versions import LANGFUSE, LANGFUSE_3
from tests.unit.certificates import issue
from tests.unit.stack_graph import ROOT, VARIED, build, unshared, varied
from tests.unit.stacks_of_all import graphs

DOMAIN: Final = "langfuse.example.com"
ALARMS: Final = {"email": "ops@example.com"}
CPU_MEMORY: Final = ("cpu", "memory")
"""Fargate sells a list of pairs."""
TASK: Final = "aws:ecs/taskDefinition:TaskDefinition"


def refused(**keys: Any) -> list[str]:
    try:
        load({"size": "dev", "release": LANGFUSE_3, **keys})
    except SettingsError as error:
        return error.problems
    return []


@pytest.mark.parametrize(
    ("section", "key", "least", "most"),
    [
        ("postgres", "connectionLimit", 1, 500),
        ("postgres", "connectTimeoutSeconds", 1, 300),
        ("ingress", "burstLimit", 1, 5_000),
        ("ingress", "rateLimit", 1, 10_000),
    ],
)
def test_a_number_may_be_its_bounds_and_nothing_beyond(
    section: str, key: str, least: int, most: int
) -> None:
    def problems(value: int) -> list[str]:
        return [line for line in refused(**{section: {key: value}}) if f"{section}.{key}: " in line]

    assert [bool(problems(value)) for value in (least - 1, least, most, most + 1)] == [
        True,
        False,
        False,
        True,
    ]


WHY: Final[dict[str, dict[str, tuple[float, float | None]]]] = {
    "API Gateway gives a region of an account 10,000 a second and 5,000 at once: "
    "https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html": {
        "ApiGatewayIngress.rateLimit": (1, 10_000),
        "ApiGatewayIngress.burstLimit": (1, 5_000),
    },
    "a cluster has a writer and 15 readers, its capacity ends at 256 ACU, begins with 0, which "
    "pauses it, and grows to 1 at the least: https://docs.aws.amazon.com/AmazonRDS/latest/"
    "AuroraUserGuide/aurora-serverless-v2.setting-capacity.html": {
        "AuroraPostgres.instances": (1, 16),
        "AuroraPostgres.minAcu": (0, 256),
        "AuroraPostgres.maxAcu": (1, 256),
    },
    "RDS keeps automated backups for 35 days, and without any there is no way back to a point in "
    "time: https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/"
    "USER_WorkingWithAutomatedBackups.BackupRetention.html": {
        "AuroraPostgres.backupRetentionDays": (1, 35),
        "PostgresInstance.backupRetentionDays": (1, 35),
    },
    "a primary has up to 5 replicas: "
    "https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/Replication.html": {
        "ElastiCacheRedis.replicas": (0, 5),
    },
    "gp3 ends at 16 TiB, and images and logs of ClickHouse need room: "
    "https://docs.aws.amazon.com/ebs/latest/userguide/general-purpose.html": {
        "ClickHouseOnEc2.volumeGib": (20, 16 * 1024),
    },
    "a number of 32 bits in S3, and a week to read what has arrived: "
    "https://docs.aws.amazon.com/AmazonS3/latest/API/API_LifecycleExpiration.html": {
        "Storage.eventsRetentionDays": (7, 2**31 - 1),
        "Storage.versioningDays": (1, 2**31 - 1),
    },
    "WAF counts from 10 to two thousand million: "
    "https://docs.aws.amazon.com/waf/latest/APIReference/API_RateBasedStatement.html": {
        "Waf.rateLimitPerFiveMinutes": (10, 2_000_000_000),
    },
    "a load balancer and a cluster of databases need two zones; a VPC has room for four": {
        "CreatedNetwork.zones": (2, 4),
    },
    "TCP has no other ports": {
        "ExternalPostgres.port": (1, 65_535),
        "ExternalRedis.port": (1, 65_535),
    },
    "a guard against typing errors: hourly for at most a month, daily for at most ten years": {
        "Backups.hourlyRetentionDays": (0, 35),
        "Backups.dailyRetentionDays": (1, 10 * 365),
        "ClickHouseOnEc2.backupRetentionDays": (1, 365),
    },
    "a guard against typing errors; with 0 there would be no task, and no connection": {
        **{
            f"{service}.{key}": (1, 100)
            for service in ("Web", "Worker")
            for key in ("minTasks", "maxTasks")
        },
        **{
            f"{mode}.{key}": (1, most)
            for mode in ("AuroraPostgres", "PostgresInstance", "ExternalPostgres")
            for key, most in (("connectionLimit", 500), ("connectTimeoutSeconds", 300))
        },
        "Alarms.monthlyBudgetUsd": (0, 10**9),
    },
    "the lag is a metric of 10 s; whoever lets jobs wait for more than an hour needs no scaling": {
        "Worker.maxLagSeconds": (10, 3600),
    },
    "a worker that is well may begin nothing for 20 minutes, and fill the new tables for 10; a "
    "day has 1440": {
        "Worker.queueConsumptionStuckMinutes": (30, 1440),
        "Worker.eventPropagationStuckMinutes": (11, 1440),
    },
    "they begin with 1, and `rotate` raises them as often as anybody likes": {
        "Bootstrap.keyVersion": (1, None),
        "Rotation.databaseVersion": (1, None),
        "Rotation.redisVersion": (1, None),
        "Rotation.nextauthVersion": (1, None),
    },
}
"""Least and most of each number of a stack file, by the reason."""


def test_every_number_has_its_bounds_for_a_reason() -> None:
    found: dict[str, tuple[float, float | None]] = {}
    for model, definition in Settings.model_json_schema()["$defs"].items():
        for key, each in definition["properties"].items():
            for shape in each.get("anyOf", [each]):
                least = shape.get("minimum", shape.get("exclusiveMinimum"))
                if shape.get("type") in ("integer", "number") and "enum" not in shape:
                    found[f"{model}.{key}"] = (least, shape.get("maximum"))
    of_a_list = {"Logs.retentionDays", *(f"{a}.{b}" for a in ("Web", "Worker") for b in CPU_MEMORY)}
    assert {key for key, (least, _) in found.items() if least is None} == of_a_list
    reasons = {key: bounds for each in WHY.values() for key, bounds in each.items()}
    assert {key: bounds for key, bounds in found.items() if key not in of_a_list} == reasons


def test_logs_are_kept_for_a_time_that_cloudwatch_takes() -> None:
    # https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html
    days = {1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731}
    taken = {day for day in range(1, 732) if not refused(logs={"retentionDays": day})}
    assert taken == days


# --- networks


@pytest.mark.parametrize("cidr", ["10.0.0.0/255.255.0.0", "10.0.0.0/0.0.255.255", "10.0.0.0/016"])
def test_a_vpcs_network_has_the_one_form_that_ec2_takes(cidr: str) -> None:
    (line,) = refused(network={"cidr": cidr})
    assert line.startswith(f'langfuse:network.cidr: "{cidr}": must be an IPv4 network of /16 to ')


@pytest.mark.parametrize(
    "cidr",
    [
        "0.0.0.0/16",
        "0.1.0.0/24",
        "127.0.0.0/16",
        "127.255.0.0/24",
        "169.254.0.0/16",
        "169.254.7.0/24",
        "224.0.0.0/16",
        "239.1.0.0/20",
    ],
)
def test_a_network_that_aws_makes_no_vpc_of_is_refused(cidr: str) -> None:
    (line,) = refused(network={"cidr": cidr})
    assert line == (
        f'langfuse:network.cidr: "{cidr}": is in a range that EC2 makes no VPC of: 0.0.0.0/8, '
        "127.0.0.0/8, 169.254.0.0/16 and 224.0.0.0/4. Choose a private one, such as 10.0.0.0/16."
    )


@pytest.mark.parametrize(
    "cidr", ["10.1.0.0/16", "172.31.0.0/20", "192.168.0.0/24", "100.64.0.0/16"]
)
def test_a_network_that_aws_takes_is_taken(cidr: str) -> None:
    assert refused(network={"cidr": cidr}) == []


# --- the budget


@pytest.mark.parametrize("budget", [0.004, 0.001, 300.555, 0.019])
def test_a_budget_has_cents_at_the_most(budget: float) -> None:
    (line,) = refused(alarms={**ALARMS, "monthlyBudgetUsd": budget})
    assert line == (
        f"langfuse:alarms.monthlyBudgetUsd: {budget}: has more than the two decimals of a cent. "
        "Round it: AWS Budgets would compare with another amount."
    )


def test_a_budget_beyond_all_reason_is_refused() -> None:
    (line,) = refused(alarms={**ALARMS, "monthlyBudgetUsd": 1e300})
    assert line.startswith("langfuse:alarms.monthlyBudgetUsd: 1e+300: must be 1000000000 at ")


@pytest.mark.parametrize(
    ("budget", "amount"),
    [(0.01, "0.01"), (0.04, "0.04"), (300, "300.0"), (500.5, "500.5"), (99.99, "99.99")],
)
def test_the_budget_of_aws_is_the_budget_of_the_stack_file(budget: float, amount: str) -> None:
    def program() -> None:
        Budget("budget", BudgetArgs("ops@example.com", budget))

    made = on_mocks("dev", DEFAULT_REGION, program).mocks.one("aws:budgets/budget:Budget")
    assert made.inputs["limitAmount"] == amount, "0.04 was 0.0, which AWS refuses"


def test_a_stack_has_the_budget_of_its_file() -> None:
    made = varied().one("aws:budgets/budget:Budget").inputs["limitAmount"]
    assert made == f"{VARIED['alarms']['monthlyBudgetUsd']}.0"


# --- addresses, days, names


@pytest.mark.parametrize("email", ["jürgen@example.com", "ops@exämple.com"])
def test_an_address_that_sns_and_langfuse_do_not_take_is_refused(email: str) -> None:
    for key, keys in {
        "alarms.email": {"alarms": {"email": email}},
        "bootstrap.userEmail": {"bootstrap": {"userEmail": email}},
    }.items():
        (line,) = refused(**keys)
        assert line.startswith(f"langfuse:{key}: ")
        assert "may have ASCII characters only" in line
        assert line.endswith("Write the domain as xn--…, and have an address without others.")


@pytest.mark.parametrize("key", ["eventsRetentionDays", "versioningDays"])
def test_days_have_the_32_bits_of_s3(key: str) -> None:
    assert refused(storage={key: 2_147_483_647}) == []
    (line,) = refused(storage={key: 2_147_483_648})
    assert line.startswith(f"langfuse:storage.{key}: 2147483648: must be 2147483647 at the most")


def test_a_rule_is_counted_once() -> None:
    waf = {"countedRules": ["GenericLFI_BODY", "GenericLFI_BODY"]}
    (line,) = refused(domain=DOMAIN, ingress={"kind": "alb", "waf": waf})
    assert line.startswith("langfuse:ingress.waf.countedRules: ")
    assert line.endswith(": has GenericLFI_BODY twice, and AWS WAF refuses that. Name each once.")


# --- bytes


def a_variable(container: str) -> str:
    """The name of one that takes any text."""
    names = sorted(known(container, 3))  # pyright: ignore[reportArgumentType]
    return next(
        name for name in names if not refused(**{container: {"environment": {name: "x" * 500}}})
    )


def entry(name: str, value: str) -> int:
    """Bytes of a variable in a container definition."""
    return len(json.dumps({"name": name, "value": value}, separators=(",", ":")).encode()) + 1


@pytest.mark.parametrize("container", ["web", "worker"])
def test_variables_that_no_task_definition_holds_are_refused(container: str) -> None:
    name = a_variable(container)
    room = OWN_ENVIRONMENT_BYTES - entry(name, "")
    assert refused(**{container: {"environment": {name: "x" * room}}}) == []
    (line,) = refused(**{container: {"environment": {name: "x" * (room + 1)}}})
    assert line == (
        f"langfuse:{container}.environment: takes {OWN_ENVIRONMENT_BYTES + 1} bytes with the "
        f"references to secretEnvironment and trustedCertificates, and a task definition of 64 KiB "
        "has room for "
        f"{OWN_ENVIRONMENT_BYTES}. Shorten them, or bake long values into a file of an image."
    )
    (line,) = refused(**{container: {"environment": {name: "ü" * (room // 2)}}})
    assert "bytes" in line, "JSON writes each of them with six"


def test_references_to_secrets_count_too() -> None:
    own = {f"LANGFUSE_{number:05}": "x" for number in range(400)}
    lines = refused(release=LANGFUSE, secretEnvironment=json.dumps(own))
    assert [line.split(":")[1] for line in lines if "task definition" in line] == [
        "web.environment",
        "worker.environment",
    ]


def test_what_goes_into_both_definitions_leaves_that_much_less_room() -> None:
    name, trusted = a_variable("web"), issue("ca.example.com", authority=True).pem
    secrets = {"LANGFUSE_A": "x", "LANGFUSE_LONGER": "x"}
    room = OWN_ENVIRONMENT_BYTES - entry(name, "")
    room -= len(json.dumps(trusted))
    room -= sum(REFERENCE_BYTES + 2 * len(each) for each in secrets)

    def with_length(length: int) -> list[str]:
        found = refused(
            web={"environment": {name: "x" * length}},
            trustedCertificates=trusted,
            secretEnvironment=json.dumps(secrets),
        )
        return [line for line in found if "task definition" in line]

    assert with_length(room) == []
    assert len(with_length(room + 1)) == 1


def test_no_reference_to_a_secret_takes_more_than_is_kept_for_it() -> None:
    for stack, graph in graphs().items():
        for task in graph.of_type(TASK):
            for container in json.loads(task.inputs["containerDefinitions"]):
                for secret in container.get("secrets", []):
                    size = len(json.dumps(secret, separators=(",", ":"))) + 1
                    assert size <= REFERENCE_BYTES + 2 * len(secret["name"]), (stack, secret)


def test_the_largest_that_is_taken_fits_into_a_task_definition() -> None:
    def largest(container: str) -> dict[str, Any]:
        name = a_variable(container)
        return {"environment": {name: "x" * (OWN_ENVIRONMENT_BYTES - entry(name, ""))}}

    config = {
        "size": "prod",
        "release": LANGFUSE_3,
        "domain": DOMAIN,
        "bootstrap": {"userEmail": "ada@example.com"},
        "smtp": {"mode": "ses", "from": "no-reply@example.com"},
        "web": largest("web"),
        "worker": largest("worker"),
    }
    with unshared():
        graph = build("dev", config)
    for container in ("web", "worker"):
        task = graph.one(TASK, f"langfuse-dev-{container}")
        size = len(task.inputs["containerDefinitions"].encode())
        assert OWN_ENVIRONMENT_BYTES < size <= 65_536, container


@pytest.mark.parametrize(
    ("key", "value", "keys"),
    [
        ("secretEnvironment", json.dumps({"SALT": "x" * SECRET_BYTES}), {}),
        (
            "authSecrets",
            json.dumps({"github": "x" * SECRET_BYTES}),
            {"auth": {"providers": {"github": {"clientId": "x"}}}},
        ),
        (
            "smtpUrl",
            f"smtp://h/?{'x' * SECRET_BYTES}",
            {"smtp": {"mode": "smtp", "from": "a@example.com"}},
        ),
        (
            "redisPassword",
            "x" * SECRET_BYTES,
            {"redis": {"mode": "external", "host": "redis.example.com"}},
        ),
    ],
)
def test_a_secret_that_secrets_manager_does_not_hold_is_refused_unseen(
    key: str, value: str, keys: dict[str, Any]
) -> None:
    lines = refused(**keys, **{key: value})
    (line,) = [each for each in lines if "Secrets Manager" in each]
    assert line.startswith(f"langfuse:{key}: takes ")
    assert line.endswith(
        f" bytes, and a secret of Secrets Manager holds {SECRET_BYTES}. Shorten it."
    )
    assert "xxx" not in line


@pytest.mark.parametrize("beyond", [0, 1])
def test_secrets_by_name_are_stored_as_they_are_given(beyond: int) -> None:
    frame = '{"github":""}'
    given = frame.replace('""', f'"{"x" * (SECRET_BYTES - len(frame) + beyond)}"')
    assert len(given) == SECRET_BYTES + beyond
    providers = {"auth": {"providers": {"github": {"clientId": "x"}}}}
    lines = [line for line in refused(**providers, authSecrets=given) if "Secrets Manager" in line]
    assert [line.partition(" bytes")[0] for line in lines] == [
        f"langfuse:authSecrets: takes {SECRET_BYTES + 1}"
    ] * beyond


# --- the list

# By the property that a row of langfuse_aws/offline/rules.csv bounds: what holds it.
HELD: Final = {
    "aws:apigatewayv2/stage:Stage accessLogSettings": "all stacks of an account share it",
    "aws:budgets/budget:Budget limitAmount": "alarms.monthlyBudgetUsd, above",
    "aws:ec2/eip:Eip region": "preflight asks for the quota",
    "aws:ec2/securityGroup:SecurityGroup description": "the program's own text",
    "aws:ec2/subnet:Subnet cidrBlock": "follows from network.cidr",
    "aws:ec2/vpc:Vpc cidrBlock": "network.cidr, above",
    "aws:ecs/taskDefinition:TaskDefinition containerDefinitions": "the environments, above",
    "aws:elasticache/replicationGroup:ReplicationGroup nodeType": "redis.nodeType",
    "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration rules.expiration.days "
    "rules.noncurrentVersionExpiration.noncurrentDays": "storage, above",
    "aws:secretsmanager/secretVersion:SecretVersion secretString": "the secret keys, above",
    "aws:sns/topicSubscription:TopicSubscription endpoint": "alarms.email, above",
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule cidrIpv4": "the program's own",
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule securityGroupId": "one to four each",
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule cidrIpv4": "ingress.allowedCidrs",
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule securityGroupId": "the same, 30",
}


def test_every_bound_that_is_known_is_held() -> None:
    with (Path(ROOT) / "langfuse_aws/offline/rules.csv").open(
        newline="", encoding="utf-8"
    ) as lines:
        rows = list(csv.DictReader(lines))
    bounds = {f"{row['type']} {row['property']}" for row in rows if row["rule"] == "bound"}
    assert bounds == set(HELD), "a bound that no setting knows is found out in the middle of an up"
