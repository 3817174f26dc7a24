"""What a stack file may not say, and what its author is told.

Proves that each fault is refused, that all of a file's faults come at once, and that every line
names the key, the value, what is allowed and what to do. Lines are compared whole, since they are
what a user reads; half of their words are pydantic's, whose version is pinned. It does not prove
that AWS would accept what is not refused here.
"""

import asyncio
import json
from datetime import date
from pathlib import Path
from typing import Any, Final

import pulumi
import pytest

from langfuse_aws.offline import text_rules
from langfuse_aws.settings import messages, provider_keys
from langfuse_aws.settings.loading import SettingsError, load
from langfuse_aws.settings.model import RETENTION_DAYS
from langfuse_aws.settings.sealed import SEALED
from langfuse_aws.settings.stack import read
from langfuse_aws.settings.versions import LANGFUSE, LANGFUSE_3
from tests.releases import READ
from tests.unit.stack_graph import shipped

DOMAIN: Final = "langfuse.example.com"
CERTIFICATE: Final = "arn:aws:acm:us-east-1:123456789012:certificate/0a1b2c3d"
SUBNETS: Final = ["subnet-0000000a", "subnet-0000000b"]
RELEASE_BOUND: Final = "must be an exact Langfuse release, 3.125.0 or later, of major 3 or 4"
RELEASE_REMEDY: Final = (
    f'"{LANGFUSE}" is the default; floating tags have pointed at other majors before'
)


RELEASES: Final = pytest.mark.parametrize("release", [LANGFUSE_3, LANGFUSE])


def problems(size: str = "dev", /, **keys: Any) -> list[str]:
    """The lines a stack file is refused with."""
    with pytest.raises(SettingsError) as caught:
        load({"size": size, **keys})
    return caught.value.problems


def set_it(path: str) -> str:
    return f"Set it with pulumi config set --path 'langfuse:{path}' VALUE."


def test_all_errors_of_a_stack_file_are_told_at_once_each_in_a_line_of_its_own() -> None:
    with pytest.raises(SettingsError) as caught:
        load(
            {
                "size": "dev",
                "release": "latest",
                "network": {"zones": 7},
                "ingress": {"internal": True},
                "web": {"cpu": 1024, "memory": 512, "minTasks": 3, "maxTasks": 2, "spott": False},
                "clickhouse": {"replicas": 2, "volumeGib": 10},
                "backups": {"copyRegion": "eu"},
                "redisPassword": "x",
                "alarms": {"email": "nobody", "monthlyBudgetUsd": 0},
                "workers": {},
            }
        )
    heading, *lines = str(caught.value).splitlines()
    assert heading == "13 errors in the stack's configuration; nothing was changed:", (
        "the user has to know that no resource was touched"
    )
    assert lines == [f"  {problem}" for problem in caught.value.problems], "one line each, indented"
    assert [problem.split(": ")[0] for problem in caught.value.problems] == [
        "langfuse:release",
        "langfuse:network.zones",
        "langfuse:ingress.internal",
        "langfuse:web.memory",
        "langfuse:web.maxTasks",
        "langfuse:web.spott",
        "langfuse:clickhouse.replicas",
        "langfuse:clickhouse.volumeGib",
        "langfuse:backups.copyRegion",
        "langfuse:alarms.email",
        "langfuse:alarms.monthlyBudgetUsd",
        "langfuse:workers",
        "langfuse:redisPassword",
    ], "an error that hides behind another costs one more run"


def test_a_single_error_is_counted_as_one() -> None:
    with pytest.raises(SettingsError) as caught:
        load({})
    assert str(caught.value) == (
        "1 error in the stack's configuration; nothing was changed:\n"
        f"  langfuse:size: is not set, and must be. {set_it('size')}"
    ), "size has no default: a stack must not become a dev stack by omission"


def test_an_unknown_size_does_not_hide_the_other_errors() -> None:
    assert problems("production", web={"cpu": 3}) == [
        f"langfuse:size: \"production\": must be 'dev', 'staging' or 'prod'. {set_it('size')}",
        "langfuse:web.cpu: 3: must be a Fargate CPU size: 256, 512, 1024, 2048, 4096, 8192, 16384. "
        "1024 is one vCPU.",
    ], "the rest of the file is checked on dev's row"


@pytest.mark.parametrize(
    ("keys", "path", "value", "nearest"),
    [
        ({"webb": 1}, "webb", "1", "web"),
        ({"Release": "3.200.1"}, "Release", '"3.200.1"', "release"),
        pytest.param(
            {"deletion_protection": True},
            "deletion_protection",
            "true",
            "deletionProtection",
        ),
        ({"web": {"enviroment": {}}}, "web.enviroment", "{}", "environment"),
        pytest.param({"worker": {"min_tasks": 1}}, "worker.min_tasks", "1", "minTasks"),
        ({"clickhouse": {"volumeGB": 50}}, "clickhouse.volumeGB", "50", "volumeGib"),
        ({"postgres": {"maxACUs": 4}}, "postgres.maxACUs", "4", "maxAcu"),
        ({"network": {"cdir": "10.0.0.0/16"}}, "network.cdir", '"10.0.0.0/16"', "cidr"),
        ({"logs": {"retention": 7}}, "logs.retention", "7", "retentionDays"),
        ({"allowReplaced": []}, "allowReplaced", "[]", "allowReplace"),
        ({"backup": {}}, "backup", "{}", "backups"),
        ({"backups": {"region": 1}}, "backups.region", "1", "copyRegion"),
        ({"v4": {"writemode": "dual"}}, "v4.writemode", '"dual"', "writeMode"),
        ({"clickhouse": {"snapshot": 1}}, "clickhouse.snapshot", "1", "snapshotId"),
        ({"redis": {"nodetype": 1}}, "redis.nodetype", "1", "nodeType"),
    ],
)
def test_an_unknown_key_is_refused_with_the_nearest_known_one(
    keys: dict[str, Any], path: str, value: str, nearest: str
) -> None:
    assert problems(**keys) == [
        f"langfuse:{path}: {value}: unknown key; the nearest known one is {nearest}. "
        "Remove it, or correct its spelling."
    ], "a misspelt key that is ignored leaves the default in place, unnoticed"


def test_a_date_of_yaml_is_shown_as_it_was_written() -> None:
    (line,) = problems(domain=date(2026, 1, 2))
    assert line == 'langfuse:domain: "2026-01-02": must be a text. Write it in quotes.'


@pytest.mark.parametrize(
    ("key", "nearest"),
    [
        ("secretEnviroment", "secretEnvironment"),
        ("clickhousePasword", "clickhousePassword"),
        ("postgres_password", "postgresPassword"),
        ("authSecret", "authSecrets"),
        ("smtpURL", "smtpUrl"),
        ("RedisPassword", "redisPassword"),
    ],
)
def test_a_misspelt_secret_key_is_refused_without_showing_the_secret(
    key: str, nearest: str
) -> None:
    assert problems(**{key: "hunter2"}) == [
        f"langfuse:{key}: unknown key; the nearest known one is {nearest}. "
        "Remove it, or correct its spelling."
    ], "it was set with --secret, and must not get into the terminal's log"


@pytest.mark.parametrize("key", ["Password", "redisPassword", "passwords"])
def test_a_password_under_a_wrong_name_within_a_section_is_not_shown(key: str) -> None:
    (line,) = problems(redis={key: "hunter2"})
    assert line.startswith(f"langfuse:redis.{key}: unknown key"), "the key is enough to find it by"


@pytest.mark.parametrize("store", ["clickhouse", "postgres", "redis"])
def test_a_password_in_a_stores_section_is_refused_and_sent_to_its_secret_key(store: str) -> None:
    assert problems(**{store: {"password": "hunter2"}}) == [
        f"langfuse:{store}.password: is a secret, and stored in the clear here. Remove it, and set "
        f"it with pulumi config set --secret langfuse:{store}Password VALUE."
    ], "it belongs to the section, and a section cannot hold a secret"


def test_an_unknown_key_that_resembles_nothing_gets_no_guess() -> None:
    assert problems(kubernetes={"a": 1}) == [
        'langfuse:kubernetes: {"a": 1}: unknown key. Remove it, or correct its spelling.'
    ], "a wild guess is worse than none"


@pytest.mark.parametrize(
    ("namespace", "key", "example"),
    [("langfuse", "size", "langfuse:size"), ("aws", "region", "aws:region")],
)
def test_a_namespace_that_is_written_as_a_section_is_told_to_be_one(
    namespace: str, key: str, example: str
) -> None:
    assert problems(**{namespace: {key: "x"}}) == [
        f'langfuse:{namespace}: {{"{key}": "x"}}: is a namespace, and no section. Write each of '
        f"its keys as {namespace}:KEY, such as {example}."
    ]


@pytest.mark.parametrize(
    "value",
    [
        {"postgresPassword": "hush"},
        {"postgresPasword": "hush"},
        {"secretEnvironment": {"A": "hush"}},
        {"postgres": {"password": "hush"}},
        {"accessKey": "AKIA", "secretKey": "hush"},
        {"MY_TOKEN": "hush"},
        [{"token": "hush"}],
    ],
    ids=str,
)
@pytest.mark.parametrize("key", ["langfuse", "aws", "kubernetes", "domain", "web"])
def test_what_is_in_the_wrong_place_is_not_shown_if_it_has_secrets(key: str, value: Any) -> None:
    lines = problems(**{key: value})
    assert lines
    assert not [line for line in lines if "hush" in line]


def test_a_misspelt_key_of_an_optional_section_is_told_along_with_what_is_missing() -> None:
    assert problems(alarms={"emial": "ops@example.com", "monthlyBudgetUsd": 5}) == [
        f"langfuse:alarms.email: is not set, and must be. {set_it('alarms.email')}",
        'langfuse:alarms.emial: "ops@example.com": unknown key; the nearest known one is email. '
        "Remove it, or correct its spelling.",
    ], "the two lines explain each other"


SNAKE_CASE: Final = [
    ("auth", "disable_signup", True, "disableSignup"),
    ("storage", "events_retention_days", 30, "eventsRetentionDays"),
    ("ingress", "rate_limit", 1, "rateLimit"),
]


@pytest.mark.parametrize(("section", "key", "value", "_nearest"), SNAKE_CASE)
def test_a_snake_case_key_is_refused_in_a_stack_file(
    section: str, key: str, value: object, _nearest: str
) -> None:
    (line,) = problems(**{section: {key: value}})
    assert line.startswith(f"langfuse:{section}."), "one spelling of a key, in every section"


@pytest.mark.parametrize(("section", "key", "value", "nearest"), SNAKE_CASE)
def test_a_snake_case_key_is_unknown_and_told_as_it_was_written(
    section: str, key: str, value: object, nearest: str
) -> None:
    assert problems(**{section: {key: value}}) == [
        f"langfuse:{section}.{key}: {json.dumps(value)}: unknown key; the nearest known one is "
        f"{nearest}. Remove it, or correct its spelling."
    ], "a line about a key that is not in the file sends its author on a hunt"


def test_a_snake_case_key_of_an_adopted_vpc_is_told_with_what_the_vpc_needs() -> None:
    missing = ["vpcId", "privateSubnetIds", "publicSubnetIds"]
    assert problems(network={"vpc_id": "vpc-00000001"}) == [
        *(
            f"langfuse:network.{key}: is not set, and must be. {set_it(f'network.{key}')}"
            for key in missing
        ),
        'langfuse:network.vpc_id: "vpc-00000001": unknown key; the nearest known one is vpcId. '
        "Remove it, or correct its spelling.",
    ]


@pytest.mark.parametrize("source", ["upstream", "mirror"])
def test_a_registrys_secret_is_for_pulling_through_only(source: str) -> None:
    secret = "arn:aws:secretsmanager:us-east-1:123456789012:secret:ecr-pullthroughcache/a-AbCdEf"
    assert problems(images={"source": source, "githubSecretArn": secret})[0].endswith(
        ": exists only for images.source pullThrough. Remove it, or choose pullThrough."
    )


# --- release


@pytest.mark.parametrize(
    "release",
    [
        "latest",
        "3",
        "3.225",
        "v3.200.1",
        "3.200.1-rc.1",
        "3.225.x",
        "3.200.1.1",
        " 3.200.1",
        "3..4",
        "٣.225.4",
        "03.200.1",
        "3.0225.4",
        "3.225.04",
        "3.200.1\n",
        "",
    ],
)
def test_a_release_that_is_not_an_exact_one_is_refused(release: str) -> None:
    assert problems(release=release) == [
        f"langfuse:release: {json.dumps(release)}: {RELEASE_BOUND}. {RELEASE_REMEDY}."
    ], "a floating tag may be another major tomorrow; a tag with a leading zero does not exist"


@pytest.mark.parametrize("release", ["2.95.11", "3.0.0", "3.124.0", "3.124.99", "5.0.0", "30.0.0"])
def test_a_release_that_this_program_does_not_know_is_refused(release: str) -> None:
    assert problems(release=release) == [
        f'langfuse:release: "{release}": {RELEASE_BOUND}. {RELEASE_REMEDY}.'
    ], "before 3.125 today's SDKs are refused; after 4 the environment is unknown"


@pytest.mark.parametrize("release", [3, 3.225])
def test_a_release_that_yaml_read_as_a_number_is_refused(release: float) -> None:
    assert problems(release=release) == [
        f"langfuse:release: {release}: must be a text. Write it in quotes."
    ], "3.10 would already have become 3.1"


# --- services


@pytest.mark.parametrize("service", ["web", "worker"])
@pytest.mark.parametrize(("least", "most"), [(3, 2), (100, 99)])
def test_fewer_tasks_at_the_most_than_at_the_least_are_refused(
    service: str, least: int, most: int
) -> None:
    assert problems(**{service: {"minTasks": least, "maxTasks": most}}) == [
        f"langfuse:{service}.maxTasks: {most}: must be at least minTasks, which is {least}. "
        "Raise it, or lower minTasks."
    ], "the autoscaling could never be satisfied"


@pytest.mark.parametrize("service", ["web", "worker"])
def test_a_least_above_the_most_of_the_sizing_row_is_refused_too(service: str) -> None:
    (line,) = problems(**{service: {"minTasks": 5}})
    assert line.startswith(f"langfuse:{service}.maxTasks: "), "the row's maxTasks is the other half"
    assert "must be at least minTasks, which is 5. " in line, "5 is what the user wrote"


@pytest.mark.parametrize(
    ("key", "value", "bound"),
    [
        ("minTasks", 0, "1 or more"),
        ("minTasks", 101, "100 at the most"),
        ("maxTasks", 101, "100 at the most"),
    ],
)
def test_a_number_of_tasks_out_of_bounds_is_refused(key: str, value: int, bound: str) -> None:
    keys = {"minTasks": 1, "maxTasks": 100, key: value}
    large = {"mode": "auroraServerless", "minAcu": 1, "maxAcu": 64}
    assert problems(web=keys, postgres=large) == [
        f"langfuse:web.{key}: {value}: must be {bound}. {set_it(f'web.{key}')}"
    ], "0 tasks serve nobody, 101 are a typing error"


@pytest.mark.parametrize(("value", "bound"), [(9, "10 or more"), (3601, "3600 at the most")])
def test_a_lag_out_of_bounds_is_refused(value: int, bound: str) -> None:
    assert problems(worker={"maxLagSeconds": value}) == [
        f"langfuse:worker.maxLagSeconds: {value}: must be {bound}. {set_it('worker.maxLagSeconds')}"
    ], "the probe looks every 10 s"


def test_the_key_of_before_is_refused_with_the_one_that_took_its_place() -> None:
    assert problems(worker={"backlogPerTask": 500}) == [
        "langfuse:worker.backlogPerTask: 500: is no key any more: worker.maxLagSeconds took its "
        "place. Remove it, and set worker.maxLagSeconds if need be."
    ], "jobs for a task say nothing of seconds"


def test_something_else_to_scale_on_is_refused() -> None:
    assert problems(worker={"scaleOn": "memory"}) == [
        "langfuse:worker.scaleOn: \"memory\": must be 'cpu' or 'backlog'. "
        f"{set_it('worker.scaleOn')}"
    ]


# --- stores


@pytest.mark.parametrize(
    ("size", "network", "zones"),
    [
        ("dev", {}, 2),
        ("prod", {"zones": 2}, 2),
        (
            "prod",
            {
                "vpcId": "vpc-00000001",
                "privateSubnetIds": SUBNETS,
                "publicSubnetIds": ["subnet-00000003", "subnet-00000004", "subnet-00000005"],
            },
            2,
        ),
    ],
    ids=["row", "two zones", "adopted"],
)
def test_three_clickhouse_replicas_are_refused_in_fewer_than_three_zones(
    size: str, network: dict[str, Any], zones: int
) -> None:
    assert problems(size, domain=DOMAIN, network=network, clickhouse={"replicas": 3}) == [
        "langfuse:clickhouse.replicas: 3: every server has a zone of its own, and the network has "
        f"{zones}. Set langfuse:network.zones to 3, or list three subnets of an adopted VPC."
    ], "of two servers in one zone the quorum goes with the zone"


def test_a_wrong_network_does_not_bring_an_error_of_the_replicas_along() -> None:
    (line,) = problems(network={"zones": 9}, clickhouse={"replicas": 3})
    assert line.startswith("langfuse:network.zones: 9: "), "how many zones there are, nobody knows"


def test_an_endpoint_that_is_named_twice_is_refused() -> None:
    assert problems(network={"egress": "endpoints", "endpoints": ["lambda", "lambda"]})[0] == (
        'langfuse:network.endpoints: ["lambda", "lambda"]: has a service twice. '
        "Name each service once."
    ), "AWS refuses a second endpoint with the same private name"


@pytest.mark.parametrize("replicas", [0, 2, 4, 5])
def test_a_number_of_clickhouse_replicas_other_than_1_or_3_is_refused(replicas: int) -> None:
    assert problems(clickhouse={"replicas": replicas}) == [
        f"langfuse:clickhouse.replicas: {replicas}: must be 1 or 3. {set_it('clickhouse.replicas')}"
    ], "a Keeper quorum needs an odd number"


@pytest.mark.parametrize(
    ("volume", "bound"),
    [
        (0, "20 or more"),
        (19, "20 or more"),
        (16_385, "16384 at the most"),
    ],
)
def test_a_clickhouse_volume_below_20_gib_or_above_gp3s_most_is_refused(
    volume: int, bound: str
) -> None:
    assert problems(clickhouse={"volumeGib": volume}) == [
        f"langfuse:clickhouse.volumeGib: {volume}: must be {bound}. "
        f"{set_it('clickhouse.volumeGib')}"
    ], "a gp3 volume has 16,384 GiB at the most, and a small one fills up within days"


@pytest.mark.parametrize(
    ("section", "keys", "line"),
    [
        ("redis", {"replicas": 6}, "redis.replicas: 6: must be 5 at the most."),
        (
            "storage",
            {"eventsRetentionDays": 6},
            "storage.eventsRetentionDays: 6: must be 7 or more.",
        ),
        (
            "postgres",
            {"backupRetentionDays": 36},
            "postgres.backupRetentionDays: 36: must be 35 at the most.",
        ),
        (
            "postgres",
            {"backupRetentionDays": 0},
            "postgres.backupRetentionDays: 0: must be 1 or more.",
        ),
        (
            "clickhouse",
            {"mode": "cloud"},
            "clickhouse.mode: \"cloud\": must be 'ec2' or 'external'.",
        ),
        (
            "redis",
            {"mode": "memorydb"},
            "redis.mode: \"memorydb\": must be 'elasticache' or 'external'.",
        ),
        (
            "clickhouse",
            {"backupRetentionDays": 0},
            "clickhouse.backupRetentionDays: 0: must be 1 or more.",
        ),
        (
            "clickhouse",
            {"backupRetentionDays": 366},
            "clickhouse.backupRetentionDays: 366: must be 365 at the most.",
        ),
        (
            "storage",
            {"versioningDays": 0},
            "storage.versioningDays: 0: must be 1 or more.",
        ),
        (
            "backups",
            {"hourlyRetentionDays": 36},
            "backups.hourlyRetentionDays: 36: must be 35 at the most.",
        ),
        (
            "backups",
            {"hourlyRetentionDays": -1},
            "backups.hourlyRetentionDays: -1: must be 0 or more.",
        ),
        (
            "backups",
            {"dailyRetentionDays": 0},
            "backups.dailyRetentionDays: 0: must be 1 or more.",
        ),
        (
            "backups",
            {"dailyRetentionDays": 3651},
            "backups.dailyRetentionDays: 3651: must be 3650 at the most.",
        ),
        (
            "v4",
            {"writeMode": "both"},
            "v4.writeMode: \"both\": must be 'legacy', 'dual' or 'events_only'.",
        ),
        (
            "v4",
            {"historicBackfill": "later"},
            'v4.historicBackfill: "later": must be true or false.',
        ),
    ],
)
def test_a_stores_value_out_of_bounds_is_refused(
    section: str, keys: dict[str, Any], line: str
) -> None:
    (key,) = keys
    assert problems(**{section: keys}) == [f"langfuse:{line} {set_it(f'{section}.{key}')}"], (
        "AWS's limits, found out before anything is made"
    )


@pytest.mark.parametrize("days", [0, 2, 8, 732])
def test_a_log_retention_that_cloudwatch_does_not_have_is_refused_with_those_it_has(
    days: int,
) -> None:
    assert problems(logs={"retentionDays": days}) == [
        f"langfuse:logs.retentionDays: {days}: CloudWatch Logs keeps events for one of "
        f"{', '.join(str(each) for each in RETENTION_DAYS)} days. 30 is a month."
    ], "CloudWatch takes these numbers only"


@pytest.mark.parametrize(
    ("size", "keys", "key", "value", "mode"),
    [
        ("dev", {"minAcu": 1}, "minAcu", "1", "auroraServerless"),
        ("dev", {"instances": 2}, "instances", "2", "auroraServerless"),
        ("prod", {"mode": "instance", "maxAcu": 4}, "maxAcu", "4", "auroraServerless"),
        ("prod", {"instanceClass": "db.t4g.micro"}, "instanceClass", '"db.t4g.micro"', "instance"),
    ],
)
def test_a_key_of_the_other_shape_of_postgres_names_the_shape_that_has_it(
    size: str, keys: dict[str, Any], key: str, value: str, mode: str
) -> None:
    assert problems(size, domain=DOMAIN, postgres=keys) == [
        f"langfuse:postgres.{key}: {value}: exists only for postgres.mode {mode}. "
        f"Remove it, or choose postgres.mode {mode}."
    ], "what the user wrote must not be dropped with the row's keys"


def test_a_node_type_with_data_tiering_is_refused() -> None:
    with pytest.raises(SettingsError) as caught:
        load({"size": "dev", "redis": {"nodeType": "cache.r6gd.xlarge"}})
    (problem,) = caught.value.problems
    assert "must not be a node type with data tiering" in problem
    assert "cache.r6g.xlarge has the same memory" in problem


@pytest.mark.parametrize("key", ["backupRetentionDays", "snapshotIdentifier"])
def test_a_key_of_several_other_shapes_names_them_all(key: str) -> None:
    keys = {"mode": "external", "host": "db.example.com", key: "1"}
    shapes = "postgres.mode auroraServerless or instance"
    assert problems(postgres=keys, postgresPassword="x") == [
        f'langfuse:postgres.{key}: "1": exists only for {shapes}. Remove it, or choose {shapes}.'
    ], "of three shapes two have it, and neither is the only way out"


def test_a_value_of_the_row_that_contradicts_the_stack_file_is_told() -> None:
    assert problems(postgres={"mode": "auroraServerless", "minAcu": 8}) == [
        "langfuse:postgres.maxAcu: 2: must be at least minAcu, which is 8.0. "
        "Raise it, or lower minAcu."
    ], "maxAcu is checked, though nobody wrote it"


@pytest.mark.parametrize(
    ("section", "key", "value", "allowed"),
    [
        ("postgres", "mode", "aurora", "'auroraServerless', 'instance' or 'external'"),
        ("ingress", "kind", "nlb", "'alb', 'apiGateway' or 'appRunner'"),
    ],
)
def test_an_unknown_shape_of_a_section_is_refused_under_the_key_that_chooses_it(
    section: str, key: str, value: str, allowed: str
) -> None:
    assert problems(**{section: {key: value}}) == [
        f'langfuse:{section}.{key}: "{value}": must be {allowed}. {set_it(f"{section}.{key}")}'
    ], "key and value as the user wrote them"


# --- snapshots, copies, replacements


@pytest.mark.parametrize(
    ("section", "key", "value", "told"),
    [
        *[
            ("clickhouse", "snapshotId", value, "must be the ID of an EBS snapshot, such as snap-")
            for value in ("snap-1", "vol-0123456789abcdef0", "snap-0123456G", "")
        ],
        *[
            ("postgres", "snapshotIdentifier", value, "must be the name or the ARN of an RDS")
            for value in ("1-before", "before 4", "")
        ],
        *[
            ("backups", "copyRegion", value, "is no region of AWS")
            for value in ("eu", "eu-wst-1", "EU-WEST-1", "eu-west-1a", "eu-west-1\n", "")
        ],
    ],
)
def test_what_names_no_snapshot_or_region_is_refused(
    section: str, key: str, value: str, told: str
) -> None:
    (line,) = problems(**{section: {key: value}})
    assert line.startswith(f"langfuse:{section}.{key}: {json.dumps(value)}: {told}"), (
        "AWS would find out halfway through an update"
    )


def test_what_names_no_resource_cannot_be_replaced() -> None:
    told = (
        "must be the name of a resource, such as langfuse-prod-redis. "
        "Take it from the error that asked for it."
    )
    urn = "urn:pulumi:dev::langfuse"
    assert problems(allowReplace=["langfuse-dev", urn, 7, "*"]) == [
        f'langfuse:allowReplace[1]: "{urn}": {told}',
        "langfuse:allowReplace[2]: 7: must be a text. Write it in quotes.",
        f'langfuse:allowReplace[3]: "*": {told}',
    ], "a name that fits nothing would allow nothing; a pattern must not allow everything"


def test_one_name_alone_is_no_list_of_names() -> None:
    assert problems(allowReplace="langfuse-dev") == [
        'langfuse:allowReplace: "langfuse-dev": must be a list. '
        "Remove it with pulumi config rm --path 'langfuse:allowReplace', then set each of it with "
        "pulumi config set --path 'langfuse:allowReplace[0]' VALUE."
    ], "nor are its letters the names"


# --- stores that exist already

CLICKHOUSE: Final = {
    "mode": "external",
    "url": "https://abc.clickhouse.cloud:8443",
    "migrationUrl": "clickhouse://abc.clickhouse.cloud:9440",
}
POSTGRES: Final = {"mode": "external", "host": "db.example.com"}
REDIS: Final = {"mode": "external", "host": "redis.example.com"}
EXTERNAL: Final = {"clickhouse": CLICKHOUSE, "postgres": POSTGRES, "redis": REDIS}


@pytest.mark.parametrize("size", ["dev", "staging", "prod"])
@pytest.mark.parametrize(
    ("store", "missing"),
    [("clickhouse", ["url", "migrationUrl"]), ("postgres", ["host"]), ("redis", ["host"])],
)
def test_an_external_store_needs_an_address_and_nothing_of_its_row(
    size: str, store: str, missing: list[str]
) -> None:
    keys = {store: {"mode": "external"}, f"{store}Password": "x"}
    assert problems(size, domain=DOMAIN, **keys) == [
        f"langfuse:{store}.{key}: is not set, and must be. {set_it(f'{store}.{key}')}"
        for key in missing
    ], "a line about the row's instanceType would be about a key that is not in the file"


@pytest.mark.parametrize(
    ("store", "key", "value", "shape"),
    [
        ("clickhouse", "volumeGib", 50, "clickhouse.mode ec2"),
        ("clickhouse", "snapshotId", "snap-01234567", "clickhouse.mode ec2"),
        ("postgres", "instanceClass", "db.t4g.micro", "postgres.mode instance"),
        ("redis", "replicas", 1, "redis.mode elasticache"),
    ],
)
def test_an_external_store_takes_no_key_of_one_that_is_made(
    store: str, key: str, value: object, shape: str
) -> None:
    keys = {store: {**EXTERNAL[store], key: value}, f"{store}Password": "x"}
    assert problems(**keys) == [
        f"langfuse:{store}.{key}: {json.dumps(value)}: exists only for {shape}. "
        f"Remove it, or choose {shape}."
    ], "what the user wrote must not be dropped with the row's keys"


@pytest.mark.parametrize(
    ("store", "key", "value"),
    [
        ("clickhouse", "cluster", True),
        ("clickhouse", "user", "default"),
        ("postgres", "host", "db.example.com"),
        ("redis", "tls", False),
    ],
)
def test_a_store_that_is_made_takes_no_key_of_an_external_one(
    store: str, key: str, value: object
) -> None:
    shape = f"{store}.mode external"
    assert problems(**{store: {key: value}}) == [
        f"langfuse:{store}.{key}: {json.dumps(value)}: exists only for {shape}. "
        f"Remove it, or choose {shape}."
    ], "the stack would make a store beside the one that was meant"


@pytest.mark.parametrize(
    ("key", "scheme", "example"),
    [
        ("url", "https", "https://abc.clickhouse.cloud:8443"),
        ("migrationUrl", "clickhouse", "clickhouse://abc.clickhouse.cloud:9440"),
    ],
)
@pytest.mark.parametrize(
    ("form", "shown"),
    [
        ("http://h.example.com:8123", ""),
        ("tcp://h.example.com:9000", ""),
        ("h.example.com:8443", ""),
        ("SCHEME://h.example.com", ""),
        ("SCHEME://h.example.com:", ""),
        ("SCHEME://h.example.com:0", ""),
        ("SCHEME://h.example.com:65536", ""),
        ("SCHEME://h.example.com:08443", ""),
        ("SCHEME://h.example.com:٣", ""),
        ("SCHEME://:8443", ""),
        ("SCHEME://h.example.com:8443/default", ""),
        ("SCHEME://h.example.com:8443#x", ""),
        ("SCHEME://h example.com:8443", ""),
        ("SCHEME://h,g:8443", ""),
        ("SCHEME://[::1]:8443", ""),
        (" SCHEME://h.example.com:8443", ""),
        ("SCHEME://h.example.com:8443\n", ""),
        ("SCHEME://default:hunter2@h.example.com:8443", "SCHEME://…"),
        ("SCHEME://default:hun/ter?2@h.example.com:8443", "SCHEME://…"),
        ("SCHEME://h.example.com:8443?username=default&password=hunter2", "SCHEME://…"),
        ("", ""),
    ],
)
def test_a_clickhouse_url_is_scheme_host_and_port_and_nothing_more(
    key: str, scheme: str, example: str, form: str, shown: str
) -> None:
    value = form.replace("SCHEME", scheme)
    told = f'"{shown}"'.replace("SCHEME", scheme) if shown else json.dumps(value)
    assert problems(clickhouse={**CLICKHOUSE, key: value}, clickhousePassword="x") == [
        f"langfuse:clickhouse.{key}: {told}: must be {scheme}://HOST:PORT and nothing more. "
        f"Write it as {example}; user and password have keys of their own, and TLS is a must."
    ], "the password goes to Secrets Manager, and never into a line"


def test_the_two_urls_of_a_clickhouse_cannot_be_swapped() -> None:
    swapped = {"url": CLICKHOUSE["migrationUrl"], "migrationUrl": CLICKHOUSE["url"]}
    lines = problems(clickhouse={"mode": "external", **swapped}, clickhousePassword="x")
    assert [line.split(": ")[0] for line in lines] == [
        "langfuse:clickhouse.url",
        "langfuse:clickhouse.migrationUrl",
    ], "two protocols, two ports"


@pytest.mark.parametrize("store", ["postgres", "redis"])
@pytest.mark.parametrize(
    "host",
    ["db.example.com:5432", "https://db.example.com", "DB.example.com", "-db", "db-.a", "a b", ""],
)
def test_a_host_is_a_name_or_an_address_and_nothing_more(store: str, host: str) -> None:
    keys = {store: {"mode": "external", "host": host}, f"{store}Password": "x"}
    (line,) = problems(**keys)
    assert line.startswith(f'langfuse:{store}.host: "{host}": ')
    assert "must be a host name" in line or "capital letters" in line, (
        "the port has a key of its own"
    )


@pytest.mark.parametrize("store", ["postgres", "redis"])
@pytest.mark.parametrize(
    ("port", "bound"),
    [(0, "1 or more"), (65_536, "65535 at the most")],
)
def test_a_port_that_does_not_exist_is_refused(store: str, port: int, bound: str) -> None:
    keys = {store: {**EXTERNAL[store], "port": port}, f"{store}Password": "x"}
    assert problems(**keys) == [
        f"langfuse:{store}.port: {port}: must be {bound}. {set_it(f'{store}.port')}"
    ], "TCP has 16 bits for it"


@pytest.mark.parametrize(
    ("store", "key"), [("clickhouse", "user"), ("postgres", "user"), ("postgres", "database")]
)
@pytest.mark.parametrize("name", ["a b", "a@b", "a/b", "1a", "a?sslmode=disable", ""])
def test_a_name_that_would_break_a_connection_url_is_refused(
    store: str, key: str, name: str
) -> None:
    keys = {store: {**EXTERNAL[store], key: name}, f"{store}Password": "x"}
    assert problems(**keys) == [
        f'langfuse:{store}.{key}: "{name}": may have letters, digits and _.- only, and begins with '
        "a letter or _: it becomes part of a URL. Choose such a name."
    ], "Langfuse's images put it into a URL as it is"


@pytest.mark.parametrize("store", EXTERNAL)
@pytest.mark.parametrize("given", [{}, {"": ""}], ids=["not set", "empty"])
def test_an_external_store_without_its_password_is_refused(
    store: str, given: dict[str, str]
) -> None:
    key = f"langfuse:{store}Password"
    password = {f"{store}Password": value for value in given.values()}
    assert problems(**{store: EXTERNAL[store]}, **password) == [
        f"{key}: is not set, and {store}.mode external needs it. "
        f"Set it with pulumi config set --secret {key} VALUE."
    ], "without --secret it would be in the stack file, and so in git"


@pytest.mark.parametrize("store", EXTERNAL)
@pytest.mark.parametrize("password", ["hunter2", ""])
@pytest.mark.parametrize("size", ["dev", "prod"])
def test_a_password_of_a_store_that_is_made_is_refused(
    size: str, store: str, password: str
) -> None:
    shape = f"{store}.mode external"
    assert problems(size, domain=DOMAIN, **{f"{store}Password": password}) == [
        f"langfuse:{store}Password: exists only for {shape}. Remove it, or choose {shape}."
    ], "the program makes passwords of its own, so this one would be for nothing"


@pytest.mark.parametrize("store", ["clickhouse", "postgres"])
@pytest.mark.parametrize(
    "password",
    [
        "hun@ter2",
        "hunter/2",
        "hun:ter2",
        "hunter2?",
        "hunter#2",
        "hunter%2",
        "hünter2",
        "hunter2\n",
    ],
)
def test_a_password_that_would_break_a_connection_url_is_refused_without_showing_it(
    store: str, password: str
) -> None:
    keys = {store: {**EXTERNAL[store], "user": "alice"}, f"{store}Password": password}
    assert problems(**keys) == [
        f"langfuse:{store}Password: may have letters, digits and ._~- only, because Langfuse's "
        f"images put it into a URL as it is. Give {store}.user such a password."
    ], "migrations would look for another host, or cut the password off"


@pytest.mark.parametrize("store", EXTERNAL)
def test_a_misspelt_mode_does_not_bring_an_error_of_the_password_along(store: str) -> None:
    (line,) = problems(**{store: {"mode": "externall"}, f"{store}Password": "x"})
    assert line.startswith(f'langfuse:{store}.mode: "externall": must be ')


def test_a_misspelt_way_of_mail_does_not_bring_an_error_of_its_url_along() -> None:
    (line,) = problems(smtp={"mode": "smpt", "from": "a@example.com"}, smtpUrl="smtp://h")
    assert line.startswith('langfuse:smtp.mode: "smpt": must be ')


def test_a_password_that_is_no_text_is_refused_and_not_crashed_on() -> None:
    (line,) = problems(clickhouse=CLICKHOUSE, clickhousePassword={"secure": "hunter2"})
    assert line.startswith("langfuse:clickhousePassword: must be one text"), "of YAML's own"
    assert "hunter2" not in line, "not even encrypted"


def test_all_faults_of_the_passwords_are_told_at_once_and_after_all_others() -> None:
    lines = problems(
        clickhouse={**CLICKHOUSE, "url": "http://abc:8123"},
        clickhousePassword="hun@ter2",
        postgres=POSTGRES,
        redisPassword="hunter2",
        web={"environment": {"PORT": "1"}},
    )
    assert [line.split(": ")[0] for line in lines] == [
        "langfuse:clickhouse.url",
        "langfuse:web.environment.PORT",
        "langfuse:clickhousePassword",
        "langfuse:postgresPassword",
        "langfuse:redisPassword",
    ], "an error that hides behind another costs one more run"
    assert "hunter2" not in "".join(lines), "none of them shows a password"


# --- network


@pytest.mark.parametrize("cidr", ["10.0.0.0/8", "10.0.0.0/15", "10.0.0.0/25", "10.0.0.0/32"])
def test_a_vpc_larger_than_16_or_smaller_than_24_is_refused(cidr: str) -> None:
    assert problems(network={"cidr": cidr}) == [
        f'langfuse:network.cidr: "{cidr}": must be an IPv4 network of /16 to /24, such as '
        "10.0.0.0/16. A /16 leaves the most room; it costs nothing."
    ], "AWS makes no larger VPC, and a smaller one has no room for four zones"


@pytest.mark.parametrize(
    ("cidr", "fault"),
    [
        ("10.0.0.1/16", "10.0.0.1/16 has host bits set"),
        ("10.0.0/16", "Expected 4 octets in '10.0.0'"),
        ("10.0.0.0/x", "'x' is not a valid netmask"),
        ("fd00::/16", "Expected 4 octets in 'fd00::'"),
    ],
)
def test_what_is_not_an_ipv4_network_is_refused_with_what_is_wrong_about_it(
    cidr: str, fault: str
) -> None:
    assert problems(network={"cidr": cidr}) == [
        f'langfuse:network.cidr: "{cidr}": must be an IPv4 network of /16 to /24, such as '
        f"10.0.0.0/16 ({fault}). Use the network's first address."
    ], "the general rule, and this value's own fault"


@pytest.mark.parametrize(
    ("zones", "bound"),
    [(1, "2 or more"), (5, "4 at the most")],
)
def test_a_number_of_zones_without_enough_subnets_is_refused(zones: int, bound: str) -> None:
    assert problems(network={"zones": zones}) == [
        f"langfuse:network.zones: {zones}: must be {bound}. {set_it('network.zones')}"
    ], "a balancer and Aurora need two zones; a VPC is divided into four"


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        ({"vpcId": "vpc-00000001"}, ["privateSubnetIds", "publicSubnetIds"]),
        ({"privateSubnetIds": SUBNETS}, ["vpcId", "publicSubnetIds"]),
        ({"publicSubnetIds": SUBNETS}, ["vpcId", "privateSubnetIds"]),
        ({"vpcId": "vpc-00000001", "publicSubnetIds": SUBNETS}, ["privateSubnetIds"]),
    ],
)
def test_adopting_a_vpc_needs_its_id_and_both_lists_of_subnets(
    given: dict[str, Any], missing: list[str]
) -> None:
    assert problems(network=given) == [
        f"langfuse:network.{key}: is not set, and must be. {set_it(f'network.{key}')}"
        for key in missing
    ], "a third of an adoption must not become a new VPC"


@pytest.mark.parametrize("key", ["privateSubnetIds", "publicSubnetIds"])
@pytest.mark.parametrize(
    ("subnets", "shown"),
    [
        ([], "[]"),
        (["subnet-0000000a"], '["subnet-0000000a"]'),
        (["subnet-0000000a"] * 2, '["subnet-0000000a", "subnet-0000000a"]'),
        (
            [*SUBNETS, "subnet-0000000a"],
            '["subnet-0000000a", "subnet-0000000b", "subnet-0000000a"]',
        ),
    ],
)
def test_adopted_subnets_have_to_be_two_or_more_different_ones(
    key: str, subnets: list[str], shown: str
) -> None:
    network = {
        "vpcId": "vpc-00000001",
        "privateSubnetIds": ["subnet-00000001", "subnet-00000002"],
        "publicSubnetIds": ["subnet-00000003", "subnet-00000004"],
        key: subnets,
    }
    kind = key.removesuffix("SubnetIds")
    shown = shown if len(shown) <= 60 else f"{shown[:57]}..."
    assert problems(network=network) == [
        f"langfuse:network.{key}: {shown}: needs two or more different subnets, in two or more "
        f"availability zones. List the VPC's {kind} subnets."
    ], "Aurora's subnet group and the balancer both need two zones"


def test_an_adopted_vpc_takes_no_key_of_a_created_one() -> None:
    network = {
        "vpcId": "vpc-1",
        "privateSubnetIds": ["eth0", *SUBNETS],
        "publicSubnetIds": ["subnet-00000003", "subnet-00000004"],
        "zones": 3,
    }
    assert problems(network=network) == [
        'langfuse:network.vpcId: "vpc-1": must be the ID of a VPC, such as vpc-0123456789abcdef0. '
        "See aws ec2 describe-vpcs, which shows the IDs.",
        'langfuse:network.privateSubnetIds[0]: "eth0": must be the ID of a subnet, such as '
        "subnet-0123456789abcdef0. See aws ec2 describe-subnets, which shows the IDs.",
        "langfuse:network.zones: 3: exists only for a VPC of the stack. "
        "Remove it, or choose a VPC of the stack.",
    ], "the zones of an adopted VPC are its owner's"


# --- ingress


def waf_problems(waf: object) -> list[str]:
    return problems("prod", domain=DOMAIN, ingress={"waf": waf})


@pytest.mark.parametrize("value", [9, 2_000_000_001])
def test_a_rate_limit_that_aws_refuses_is_refused_with_its_path(value: int) -> None:
    (line,) = waf_problems({"rateLimitPerFiveMinutes": value})
    assert line.startswith(f"langfuse:ingress.waf.rateLimitPerFiveMinutes: {value}: "), (
        "the path has the section within the section, and not the kind"
    )
    assert ("10" if value == 9 else "2000000000") in line


def test_a_misspelt_key_of_the_waf_is_told_the_nearest_of_the_waf() -> None:
    assert waf_problems({"countRules": []}) == [
        "langfuse:ingress.waf.countRules: []: unknown key; the nearest known one is countedRules. "
        "Remove it, or correct its spelling."
    ]


def test_a_rule_that_no_group_has_is_refused_with_the_nearest() -> None:
    assert waf_problems({"countedRules": ["SizeRestrictions_BODY", "GenericLFI_Body"]}) == [
        'langfuse:ingress.waf.countedRules[1]: "GenericLFI_Body": is no rule of the managed rule '
        "groups; the nearest known one is GenericLFI_BODY. Take the name from a sampled request "
        "or the log, without the group's."
    ], "labels are spelt otherwise, and AWS refuses an unknown name in the middle of an update"


@pytest.mark.parametrize("value", [True, "on", 2000])
def test_a_waf_that_is_no_section_is_told_what_to_write(value: object) -> None:
    assert waf_problems(value) == [
        f"langfuse:ingress.waf: {json.dumps(value)}: is a section of its own. Write waf: {{}}, or "
        "set waf.rateLimitPerFiveMinutes to 10000."
    ]


def test_an_http_api_with_a_waf_is_refused_in_one_line() -> None:
    assert problems(ingress={"waf": {"rateLimitPerFiveMinutes": 1}}) == [
        'langfuse:ingress.waf: {"rateLimitPerFiveMinutes": 1}: exists only for ingress.kind alb. '
        "Remove it, or choose ingress.kind alb."
    ], "AWS WAF cannot stand before an HTTP API"


@pytest.mark.parametrize(
    ("size", "keys"), [("prod", {}), ("staging", {}), ("dev", {"kind": "alb"})]
)
def test_a_load_balancer_without_a_domain_is_refused(size: str, keys: dict[str, Any]) -> None:
    assert problems(size, ingress=keys) == [
        'langfuse:ingress.kind: "alb": ingress.kind alb serves https and so needs a domain. '
        "Set langfuse:domain, or set ingress.kind to apiGateway, which has a name of its own."
    ], "a certificate is for a name"


@pytest.mark.parametrize(
    ("key", "value", "shown"),
    [
        ("allowedCidrs", ["10.0.0.0/8"], '["10.0.0.0/8"]'),
        ("internal", True, "true"),
        ("waf", True, "true"),
    ],
)
def test_asking_api_gateway_to_be_closed_to_some_names_the_load_balancer(
    key: str, value: object, shown: str
) -> None:
    (line,) = problems(ingress={key: value})
    assert line.startswith(f"langfuse:ingress.{key}: {shown}: "), "key and value"
    assert "ingress.kind alb" in line, (
        "an HTTP API cannot be restricted, so ignoring the key would leave the door open"
    )


@pytest.mark.parametrize(("key", "value"), [("allowedCidrs", ["10.0.0.0/8"]), ("internal", False)])
def test_what_api_gateway_cannot_do_exists_only_for_the_load_balancer(
    key: str, value: object
) -> None:
    (line,) = problems("prod", domain=DOMAIN, ingress={"kind": "apiGateway", key: value})
    assert line.endswith(
        ": exists only for ingress.kind alb. Remove it, or choose ingress.kind alb."
    ), "the two ways out, even if what is asked for is what API Gateway does"


@pytest.mark.parametrize("key", ["rateLimit", "burstLimit"])
def test_a_load_balancer_takes_no_limit_that_only_api_gateway_has(key: str) -> None:
    assert problems(domain=DOMAIN, ingress={"kind": "alb", key: 10}) == [
        f"langfuse:ingress.{key}: 10: exists only for ingress.kind apiGateway. "
        "Remove it, or choose ingress.kind apiGateway."
    ], "a limit that nobody enforces is worse than none"


@pytest.mark.parametrize(
    ("block", "fault"),
    [
        ("203.0.113.7/24", "203.0.113.7/24 has host bits set"),
        ("203.0.113.0/33", "'33' is not a valid netmask"),
        ("office", "Expected 4 octets in 'office'"),
    ],
)
def test_an_allowed_network_that_is_none_is_refused(block: str, fault: str) -> None:
    ingress = {"kind": "alb", "allowedCidrs": ["198.51.100.0/24", block]}
    assert problems(domain=DOMAIN, ingress=ingress) == [
        f'langfuse:ingress.allowedCidrs[1]: "{block}": is not an IPv4 network: {fault}. '
        "Write it as 203.0.113.0/24, or 203.0.113.7/32 for one address."
    ], "the line names the one that is wrong, by its index"


def test_of_several_allowed_networks_each_wrong_one_is_told_under_its_index() -> None:
    ingress = {"kind": "alb", "allowedCidrs": ["office", "10.0.0.0/8", "home", 7]}
    *lines, last = problems(domain=DOMAIN, ingress=ingress)
    assert lines == [
        f'langfuse:ingress.allowedCidrs[{index}]: "{block}": is not an IPv4 network: '
        f"Expected 4 octets in '{block}'. "
        "Write it as 203.0.113.0/24, or 203.0.113.7/32 for one address."
        for index, block in ((0, "office"), (2, "home"))
    ], "all errors of a stack file at once, and the right one between them is left alone"
    assert last == ("langfuse:ingress.allowedCidrs[3]: 7: must be a text. Write it in quotes."), (
        "what is no text at all is told in the same way"
    )


@pytest.mark.parametrize(
    "block", ["203.0.113.7", "10.0.0.0/255.0.0.0", "10.0.0.0/0.255.255.255", "10.0.0.0/08", "10/8"]
)
def test_an_allowed_network_has_the_one_form_that_ec2_and_the_provider_take(block: str) -> None:
    ingress = {"kind": "alb", "allowedCidrs": [block]}
    (line,) = problems(domain=DOMAIN, ingress=ingress)
    assert line.startswith(f'langfuse:ingress.allowedCidrs[0]: "{block}": is not an IPv4 network: ')
    assert line.endswith("Write it as 203.0.113.0/24, or 203.0.113.7/32 for one address.")


def test_a_network_that_is_allowed_twice_is_refused_with_its_name() -> None:
    blocks = ["10.0.0.0/8", "203.0.113.7/32", "10.0.0.0/8", "203.0.113.7/32"]
    (line,) = problems(domain=DOMAIN, ingress={"kind": "alb", "allowedCidrs": blocks})
    assert line.startswith("langfuse:ingress.allowedCidrs: ")
    assert line.endswith(
        ": has 10.0.0.0/8, 203.0.113.7/32 twice, and EC2 refuses a rule that is there already. "
        "Name each network once."
    )


def test_more_networks_than_a_security_group_has_rules_for_are_refused() -> None:
    blocks = [f"10.0.{number}.0/24" for number in range(31)]
    assert load(
        {"size": "dev", "domain": DOMAIN, "ingress": {"kind": "alb", "allowedCidrs": blocks[:30]}}
    ), "30 networks are 60 rules"
    (line,) = problems(domain=DOMAIN, ingress={"kind": "alb", "allowedCidrs": blocks})
    assert line.startswith("langfuse:ingress.allowedCidrs: ")
    assert "30 networks at the most: a security group has 60 rules, and each takes 2" in line
    assert line.endswith("Join neighbours into larger networks.")


LONG_DOMAIN: Final = f"{'l' * 53}.example.com"


@pytest.mark.parametrize("kind", ["alb", "apiGateway"])
def test_a_domain_that_acm_makes_no_certificate_for_is_refused(kind: str) -> None:
    (line,) = problems(domain=LONG_DOMAIN, ingress={"kind": kind})
    assert line == (
        "langfuse:ingress.certificateArn: null: is not set, and ACM makes certificates for names "
        f"of at most 64 characters: the domain {LONG_DOMAIN} has 65. Choose a shorter "
        "langfuse:domain, or name a wildcard certificate that covers it."
    )
    own = {"kind": kind, "certificateArn": CERTIFICATE}
    assert load({"size": "dev", "domain": LONG_DOMAIN, "ingress": own}).domain == LONG_DOMAIN
    assert load({"size": "dev", "domain": LONG_DOMAIN[1:], "ingress": {"kind": kind}})


def test_an_empty_list_of_allowed_networks_is_refused() -> None:
    (line,) = problems(domain=DOMAIN, ingress={"kind": "alb", "allowedCidrs": []})
    assert line.startswith("langfuse:ingress.allowedCidrs: []: "), "nobody could connect"


def test_a_hosted_zone_without_a_domain_is_refused() -> None:
    assert problems(ingress={"kind": "apiGateway", "hostedZone": "example.com"}) == [
        'langfuse:ingress.hostedZone: "example.com": the records in a zone are the domain\'s, and '
        "none is set. Set langfuse:domain, or remove it."
    ]


def test_a_certificate_without_a_domain_is_refused() -> None:
    (line,) = problems(ingress={"certificateArn": CERTIFICATE})
    assert line == (
        f'langfuse:ingress.certificateArn: "{CERTIFICATE}": '
        "a certificate is for a domain, and none is set. Set langfuse:domain."
    ), "API Gateway's own name has a certificate"


@pytest.mark.parametrize("zone", ["example.org", "xample.com", "a.langfuse.example.com"])
@pytest.mark.parametrize("kind", ["alb", "apiGateway"])
def test_a_hosted_zone_that_does_not_hold_the_domain_is_refused(kind: str, zone: str) -> None:
    assert problems(domain=DOMAIN, ingress={"kind": kind, "hostedZone": zone}) == [
        f'langfuse:ingress.hostedZone: "{zone}": the domain {DOMAIN} is not in this zone. '
        "Name the public hosted zone that holds the domain."
    ], "the certificate would wait for its validation for an hour"


@pytest.mark.parametrize(
    "domain",
    ["localhost", "example.com", "https://a.example.com", "A.example.com", "a_b.example.com", ""],
)
def test_what_is_not_a_host_name_below_a_zone_is_refused_as_a_domain(domain: str) -> None:
    (line,) = problems(domain=domain)
    assert line.startswith(f'langfuse:domain: "{domain}": '), (
        "a zone's own name has no first label to cut off"
    )


# --- alarms


@pytest.mark.parametrize("email", ["nobody", "a@", "@example.com", "a b@example.com", ""])
def test_an_alarm_address_that_is_no_e_mail_address_is_refused(email: str) -> None:
    (line,) = problems(alarms={"email": email, "monthlyBudgetUsd": 1})
    assert line.startswith(f'langfuse:alarms.email: "{email}": is no email address: '), (
        "AWS would accept some of them, and nobody would be told"
    )
    assert line.endswith(set_it("alarms.email")), "and what to do"


@pytest.mark.parametrize("budget", [0, -1, -0.01])
def test_a_budget_of_nothing_is_refused(budget: float) -> None:
    assert problems(alarms={"email": "ops@example.com", "monthlyBudgetUsd": budget}) == [
        f"langfuse:alarms.monthlyBudgetUsd: {budget}: must be above 0. "
        f"{set_it('alarms.monthlyBudgetUsd')}"
    ], "AWS Budgets takes no such limit"


@pytest.mark.parametrize(
    ("budget", "shown"),
    [("inf", '"inf"'), (float("inf"), "Infinity"), (float("nan"), "NaN"), ("nan", '"nan"')],
)
def test_a_budget_without_a_limit_is_refused(budget: object, shown: str) -> None:
    assert problems(alarms={"email": "ops@example.com", "monthlyBudgetUsd": budget}) == [
        f"langfuse:alarms.monthlyBudgetUsd: {shown}: must be a finite number. "
        f"{set_it('alarms.monthlyBudgetUsd')}"
    ], "YAML's .inf is a number, too; AWS Budgets refuses it at apply"


# --- the containers' own environment

WIRED: Final = "the program sets this itself. Remove it."
OF_V4: Final = (
    "the program sets this itself. Use langfuse:v4, which sets all that go together. Remove it."
)
OF_BOOTSTRAP: Final = "the program sets this itself. Use langfuse:bootstrap. Remove it."
SECRET: Final = "rosebud"
IN_THE_CLEAR: Final = (
    "looks like a secret, and this environment is stored in the clear. "
    "Put it into the secret key langfuse:secretEnvironment."
)


def environment_problems(
    environment: dict[str, Any], *, service: str = "web", **keys: Any
) -> list[str]:
    return problems(**{service: {"environment": environment}}, **keys)


def told(environment: dict[str, str], fault: str, *, service: str = "web") -> list[str]:
    """The lines that tell one and the same fault of every variable; no secret is in them."""
    return [
        f"langfuse:{service}.environment.{name}:"
        + (f' "{without_password(value)}": {fault}' if value != SECRET else f" {fault}")
        for name, value in environment.items()
    ]


def without_password(value: str) -> str:
    """A URL with a password is cut after its scheme."""
    return f"{value.split('://')[0]}://…" if "://user:password@" in value else value


WIRED_VARIABLES: Final = {
    "AWS_REGION": "eu-west-1",
    "CLICKHOUSE_CLUSTER_ENABLED": "true",
    "CLICKHOUSE_MIGRATION_SSL": "false",
    "CLICKHOUSE_MIGRATION_URL": "clickhouse://elsewhere:9000",
    "CLICKHOUSE_PASSWORD": SECRET,
    "CLICKHOUSE_URL": "http://elsewhere:8123",
    "CLICKHOUSE_USER": "default",
    "DATABASE_HOST": "elsewhere",
    "DATABASE_PASSWORD": SECRET,
    "HOSTNAME": "localhost",
    "LANGFUSE_AUTO_CLICKHOUSE_MIGRATION_DISABLED": "false",
    "LANGFUSE_AUTO_POSTGRES_MIGRATION_DISABLED": "false",
    "LANGFUSE_S3_BATCH_EXPORT_REGION": "eu-west-1",
    "LANGFUSE_S3_EVENT_UPLOAD_BUCKET": "elsewhere",
    "LANGFUSE_S3_MEDIA_UPLOAD_PREFIX": "elsewhere/",
    "NEXTAUTH_URL": "http://localhost:3000",
    "REDIS_AUTH": SECRET,
    "REDIS_HOST": "elsewhere",
    "REDIS_TLS_ENABLED": "false",
}


@pytest.mark.parametrize("service", ["web", "worker"])
@RELEASES
def test_an_own_variable_cannot_replace_one_that_follows_from_the_resources(
    service: str, release: str
) -> None:
    """Peer faults: *_SSE set, which breaks presigned uploads; other stores than the stack's."""
    assert environment_problems(WIRED_VARIABLES, service=service, release=release) == told(
        WIRED_VARIABLES, WIRED, service=service
    ), "the container would talk to something else than what the stack made"


INIT_VARIABLES: Final = {
    "LANGFUSE_INIT_ORG_ID": "acme",
    "LANGFUSE_INIT_PROJECT_PUBLIC_KEY": SECRET,
    "LANGFUSE_INIT_PROJECT_SECRET_KEY": SECRET,
    "LANGFUSE_INIT_USER_PASSWORD": SECRET,
}


@RELEASES
def test_an_own_variable_of_the_first_start_is_refused_and_sent_to_the_section(
    release: str,
) -> None:
    assert environment_problems(INIT_VARIABLES, release=release) == told(
        INIT_VARIABLES, OF_BOOTSTRAP
    ), "another key than the stack's outputs name"


WRITE_MODE_VARIABLES: Final = {
    "LANGFUSE_MIGRATION_V4_WRITE_MODE": "legacy",
    "LANGFUSE_MIGRATION_V4_ALLOW_PREVIEW_OPT_IN": "false",
    "LANGFUSE_MIGRATION_V4_NATIVE_OTEL_BEHAVIOUR": "dual_write",
    "LANGFUSE_BACKGROUND_MIGRATION_V4_ENABLE_HISTORIC_BACKFILL": "false",
}


@pytest.mark.parametrize("service", ["web", "worker"])
@RELEASES
def test_an_own_variable_of_the_write_mode_is_refused_and_sent_to_the_key_that_sets_all(
    service: str, release: str
) -> None:
    assert environment_problems(WRITE_MODE_VARIABLES, service=service, release=release) == told(
        WRITE_MODE_VARIABLES, OF_V4, service=service
    ), "one of the four alone, or in one container alone, contradicts the others"


@pytest.mark.parametrize("service", ["web", "worker"])
def test_langfuses_own_metrics_are_the_users_own_choice(service: str) -> None:
    own = {"ENABLE_AWS_CLOUDWATCH_METRIC_PUBLISHING": "true"}
    settings = load({"size": "dev", service: {"environment": own}})
    assert getattr(settings, service).environment == own


@RELEASES
def test_a_secret_variable_of_the_write_mode_is_refused_too(release: str) -> None:
    secrets = json.dumps(WRITE_MODE_VARIABLES)
    assert problems(release=release, secretEnvironment=secrets) == [
        f"{SECRET_KEY}.{name}: {OF_V4}" for name in WRITE_MODE_VARIABLES
    ], "there is one place for them"


def test_the_variable_that_drops_the_old_tables_is_the_users_own() -> None:
    own = {"LANGFUSE_BACKGROUND_MIGRATION_V4_DROP_PID_TID_SORTING_TABLES": "true"}
    worker = load({"size": "dev", "worker": {"environment": own}}).worker
    assert worker.environment == own, "it does not have to agree with the other four"


@RELEASES
def test_a_secret_looking_variable_is_refused_in_the_clear_and_sent_to_the_secret_key(
    release: str,
) -> None:
    """Peer fault: passwords in plain environment (app_runner.tf:21-37, SAM template :1026)."""
    secrets = {
        "ADMIN_API_KEY": SECRET,
        "AUTH_GOOGLE_CLIENT_SECRET": SECRET,
        "ENCRIPTION_KEY": SECRET,
        "ENCRYPTION_KEY": SECRET,
        "LANGFUSE_EE_LICENSE_KEY": SECRET,
        "NEXTAUTH_SECRET": SECRET,
        "OTEL_EXPORTER_OTLP_HEADERS": SECRET,
        "SALT": SECRET,
        "SMTP_CONNECTION_URL": SECRET,
    }
    assert environment_problems(secrets, release=release) == told(secrets, IN_THE_CLEAR), (
        "whoever may describe a task definition would read it"
    )


def test_a_passphrase_is_a_secret_too() -> None:
    passphrase = {"REDIS_TLS_KEY_PASSPHRASE": SECRET}
    assert environment_problems(passphrase) == told(passphrase, IN_THE_CLEAR), (
        "it opens the client's private key"
    )


def test_a_variable_that_only_speaks_of_keys_or_tokens_is_not_taken_for_a_secret() -> None:
    web = {
        "AUTH_AUTH0_ID_TOKEN_SIGNED_RESPONSE_ALG": "RS256",
        "AUTH_CUSTOM_ID_TOKEN": "true",
        "AUTH_DISABLE_USERNAME_PASSWORD": "false",
        "LANGFUSE_CACHE_API_KEY_ENABLED": "false",
        "LANGFUSE_CACHE_API_KEY_TTL_SECONDS": "60",
        "LANGFUSE_S3_EVENT_KEY_MAX_SEGMENT_BYTES": "128",
        "REDIS_KEY_PREFIX": "langfuse",
        "REDIS_TLS_KEY_PATH": "/etc/redis.key",
    }
    worker = {"LANGFUSE_TOKEN_COUNT_WORKER_POOL_SIZE": "2"}
    settings = load({"size": "dev", "web": {"environment": web}, "worker": {"environment": worker}})
    assert (settings.web.environment, settings.worker.environment) == (web, worker), (
        "their values are no secrets at all"
    )


@pytest.mark.parametrize(
    ("service", "name", "guess"),
    [
        ("web", "LANGFUSE_LOG_LEVL", "; the nearest known one is LANGFUSE_LOG_LEVEL"),
        ("worker", "langfuse_log_level", "; the nearest known one is LANGFUSE_LOG_LEVEL"),
        ("worker", "AUTH_DISABLE_SIGNUP", ""),
        ("web", "FOO", ""),
    ],
)
def test_a_variable_that_the_container_does_not_read_is_refused_on_langfuse_3(
    service: str, name: str, guess: str
) -> None:
    assert environment_problems({name: "info"}, service=service, release=READ[3]) == [
        f'langfuse:{service}.environment.{name}: "info": '
        f"Langfuse {READ[3]} reads no such variable{guess}. "
        "Check its spelling and that this container reads it."
    ], "Langfuse would ignore it without a word"


WRONG_VALUES: Final = {
    "LANGFUSE_LOG_LEVEL": ("loud", "must be one of trace, debug, info, warn, error, fatal"),
    "LANGFUSE_LOG_FORMAT": ("JSON", "must be one of text, json"),
    "LANGFUSE_UI_SUPPORT_HREF": ("example.com", "must be a URL with a scheme"),
    "LANGFUSE_UI_FEEDBACK_HREF": ("http://[bad", "must be a URL with a scheme"),
    "REDIS_SOCKET_TIMEOUT_MS": ("5000", "must be >=10000 or 0"),
    "CLICKHOUSE_ASYNC_INSERT_BUSY_TIMEOUT_MIN_MS": ("49", "must be >=50"),
    "LANGFUSE_INIT_PROJECT_RETENTION": ("a", "must be an integer"),
    "KEEP_ALIVE_TIMEOUT": ("0", "must be an integer above 0"),
}


@RELEASES
def test_a_value_that_langfuse_would_refuse_at_start_is_refused_before(release: str) -> None:
    environment = {name: value for name, (value, _) in WRONG_VALUES.items()}
    assert environment_problems(environment, release=release) == [
        f'langfuse:web.environment.{name}: "{value}": Langfuse refuses this value: it {fault}. '
        "Correct it."
        for name, (value, fault) in WRONG_VALUES.items()
    ], "a container that refuses its environment restarts until the deployment fails"


@pytest.mark.parametrize("value", ["True", "False", "TRUE", "yes", "1", ""])
def test_a_boolean_variable_written_other_than_true_or_false_is_refused(value: str) -> None:
    """Peer fault: booleans written as `True`, which Langfuse does not take for `true`."""
    assert environment_problems({"AUTH_DISABLE_SIGNUP": value}) == [
        f'langfuse:web.environment.AUTH_DISABLE_SIGNUP: "{value}": '
        "Langfuse refuses this value: it must be the word true or false. Correct it."
    ], "zod compares with the two words"


def test_a_boolean_that_yaml_read_as_one_is_refused_as_a_variables_value() -> None:
    """Peer fault: booleans written as `True`, by way of Python's `str`."""
    assert environment_problems({"AUTH_DISABLE_SIGNUP": True}) == [
        "langfuse:web.environment.AUTH_DISABLE_SIGNUP: true: must be a text. Write it in quotes."
    ], "the user has to quote it"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("debug\n  langfuse:size: forged", r'"debug\n  langfuse:size: forged"'),
        ('"debug"', r'"\"debug\""'),
        ("x" * 100, f'"{"x" * 56}...'),
    ],
    ids=["line-break", "quoted", "long"],
)
def test_a_variables_value_is_shown_like_any_other_on_one_line_of_bearable_length(
    value: str, shown: str
) -> None:
    assert environment_problems({"LANGFUSE_LOG_LEVEL": value}) == [
        f"langfuse:web.environment.LANGFUSE_LOG_LEVEL: {shown}: Langfuse refuses this value: "
        "it must be one of trace, debug, info, warn, error, fatal. Correct it."
    ], "an error has one line, and a long value is cut"


def test_all_faults_of_the_own_environments_are_told_at_once_after_all_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("langfuse_aws.settings.loading.LANGFUSE", READ[4])
    assert problems(
        release="latest",
        web={
            "cpu": 3,
            "environment": {"FOO": "x", "REDIS_PORT": "x", "ADMIN_API_KEY": SECRET, "A": 1},
        },
        worker={"environment": {"LANGFUSE_LOG_LEVEL": "loud", "HOSTNAME": "x"}},
        secretEnvironment='{"REDIS_PORT": "hunter2", "ENCRIPTION_KEY": "hunter2"}',
    ) == [
        f'langfuse:release: "latest": {RELEASE_BOUND}. {RELEASE_REMEDY}.',
        "langfuse:web.cpu: 3: must be a Fargate CPU size: 256, 512, 1024, 2048, 4096, 8192, 16384. "
        "1024 is one vCPU.",
        "langfuse:web.environment.A: 1: must be a text. Write it in quotes.",
        f"langfuse:secretEnvironment.REDIS_PORT: {WIRED}",
        f"langfuse:secretEnvironment.ENCRIPTION_KEY: Langfuse {READ[4]} reads no such variable; "
        "the nearest known one is ENCRYPTION_KEY. Check its spelling and that this container reads "
        "it.",
        f'langfuse:web.environment.FOO: "x": Langfuse {READ[4]} reads no such variable. '
        "Check its spelling and that this container reads it.",
        f'langfuse:web.environment.REDIS_PORT: "x": {WIRED}',
        f"langfuse:web.environment.ADMIN_API_KEY: {IN_THE_CLEAR}",
        'langfuse:worker.environment.LANGFUSE_LOG_LEVEL: "loud": Langfuse refuses this value: '
        "it must be one of trace, debug, info, warn, error, fatal. Correct it.",
        f'langfuse:worker.environment.HOSTNAME: "x": {WIRED}',
    ], "an error that hides behind another costs one more run; a wrong release hides none either"


# --- what is not a value at all


@pytest.mark.parametrize(
    "section",
    ["web", "clickhouse", "network", "postgres", "redis", "ingress", "backups", "v4"],
)
@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("big", '"big": must be a section'),
        ("{cpu: 1", '"{cpu: 1": must be a section'),
        (None, "has no value, and must be a section"),
        ("[1]", "[1]: must be a section"),
    ],
)
def test_a_section_that_is_no_object_is_refused_and_not_crashed_on(
    section: str, value: object, told: str
) -> None:
    (line,) = problems(**{section: value})
    assert line.startswith(f"langfuse:{section}: {told}"), (
        "text that looks like JSON but is none is told as it is"
    )


def test_a_long_value_is_cut_so_that_the_line_stays_readable() -> None:
    (line,) = problems(release="x" * 100)
    assert line == f'langfuse:release: "{"x" * 56}...: {RELEASE_BOUND}. {RELEASE_REMEDY}.', (
        "60 characters are enough to recognise it by"
    )


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        (
            {"clickhouse": {"instanceType": "t3.nano"}},
            'langfuse:clickhouse.instanceType: "t3.nano": must be a Graviton instance type (t4g, '
            "c6g to c8g, m6g to m8g, r6g to r8g) with 4 GiB of memory or more. "
            "t4g.medium is the smallest, r7g.large has 16 GiB.",
        ),
        (
            {"alarms": {"email": "nobody", "monthlyBudgetUsd": 1}},
            'langfuse:alarms.email: "nobody": is no email address: An email address '
            f"must have an @-sign. {set_it('alarms.email')}",
        ),
    ],
)
def test_a_line_can_be_read_without_stumbling(keys: dict[str, Any], line: str) -> None:
    assert problems(**keys) == [line], (
        "there is no instance type T4g.medium, and one full stop is enough"
    )


# --- langfuse:secretEnvironment


def refusal_of_reading(config: dict[str, str], secret_keys: list[str]) -> str:
    """What `pulumi up` prints for a configuration."""

    async def run() -> str:
        pulumi.runtime.set_all_config({"aws:region": "eu-west-1", **config}, secret_keys)
        with pytest.raises(pulumi.RunError) as caught:
            read()
        return str(caught.value)

    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(run())
    finally:
        loop.close()


GITHUB: Final = {"clientId": "Iv1"}
SECRET_KEY: Final = "langfuse:secretEnvironment"
SET_SECRET: Final = f"Set it with pulumi config set --secret {SECRET_KEY} JSON."


@pytest.mark.parametrize("store", EXTERNAL)
def test_a_password_that_is_stored_in_the_clear_is_refused_without_showing_it(store: str) -> None:
    key = f"langfuse:{store}Password"
    config = {"langfuse:size": "dev", f"langfuse:{store}": json.dumps(EXTERNAL[store])}
    refused = refusal_of_reading({**config, key: "hunter2"}, [])
    assert refused.splitlines()[1:] == [
        f"  {key}: is stored in the clear, and must be a secret. "
        f"Set it with pulumi config set --secret {key} VALUE."
    ], "it is in the stack file, and so in git, but not in the terminal's log"


@pytest.mark.parametrize(
    ("key", "value", "sections"),
    [
        ("authSecrets", '{"github": "hunter2"}', {"auth": {"providers": {"github": GITHUB}}}),
        ("smtpUrl", "smtp://u:hunter2@h", {"smtp": {"mode": "smtp", "from": "a@b.com"}}),
    ],
)
def test_a_secret_of_sign_in_or_mail_that_is_stored_in_the_clear_is_refused_unseen(
    key: str, value: str, sections: dict[str, Any]
) -> None:
    config = {f"langfuse:{name}": json.dumps(each) for name, each in sections.items()}
    refused = refusal_of_reading({"langfuse:size": "dev", **config, f"langfuse:{key}": value}, [])
    assert refused.splitlines()[1:] == [
        f"  langfuse:{key}: is stored in the clear, and must be a secret. "
        f"Set it with pulumi config set --secret langfuse:{key} VALUE."
    ]


def test_a_wrong_password_in_the_clear_has_both_lines() -> None:
    config = {"langfuse:size": "dev", "langfuse:clickhousePassword": "hunter2"}
    lines = refusal_of_reading(config, []).splitlines()[1:]
    assert [line.split(". ")[0] for line in lines] == [
        "  langfuse:clickhousePassword: is stored in the clear, and must be a secret",
        "  langfuse:clickhousePassword: exists only for clickhouse.mode external",
    ], "both at once"


def test_a_secret_environment_that_is_stored_in_the_clear_is_refused() -> None:
    refused = refusal_of_reading(
        {"langfuse:size": "dev", SECRET_KEY: '{"ADMIN_API_KEY": "hunter2"}'}, []
    )
    assert refused.splitlines()[1:] == [
        f"  {SECRET_KEY}: is stored in the clear, and must be a secret. "
        f"Set it with pulumi config set --secret {SECRET_KEY} VALUE."
    ], "it is in the stack file, and so in git"
    assert "hunter2" not in refused, "and it must not get into the terminal's log as well"


@pytest.mark.parametrize("text", ["hunter2", '["hunter2"]', '{"A": {"B": "hunter2"}}', '{"A": 1}'])
def test_a_secret_environment_that_is_no_object_of_strings_is_refused_without_showing_it(
    text: str,
) -> None:
    refused = refusal_of_reading({"langfuse:size": "dev", SECRET_KEY: text}, [SECRET_KEY])
    assert refused.splitlines()[1:] == [
        f"  {SECRET_KEY}: must be a JSON object of strings, such as "
        f'{{"LANGFUSE_EE_LICENSE_KEY": "…"}}. {SET_SECRET}'
    ], "one line, without the value, which is a secret"


def test_errors_of_the_secrets_and_of_the_settings_are_told_at_once() -> None:
    refused = refusal_of_reading({"langfuse:size": "big", SECRET_KEY: "x"}, [SECRET_KEY])
    heading, *lines = refused.splitlines()
    assert heading.startswith("2 errors "), "both kinds are counted"
    assert [line.split(": ")[0] for line in lines] == ["  langfuse:size", f"  {SECRET_KEY}"], (
        "secrets are not checked last, when the settings are right"
    )


def test_a_secret_environment_that_cannot_be_read_does_not_hide_faults_of_the_plain_ones() -> None:
    assert environment_problems({"HOSTNAME": "x"}, secretEnvironment="x") == [
        f"{SECRET_KEY}: must be a JSON object of strings, such as "
        f'{{"LANGFUSE_EE_LICENSE_KEY": "…"}}. {SET_SECRET}',
        *told({"HOSTNAME": "x"}, WIRED),
    ], "all errors of a stack file at once"


def test_wrong_names_in_the_secret_environment_are_told_without_their_values() -> None:
    """Peer fault: ENCRIPTION_KEY misspelt, so that the worker had no key (tubone24 ecs.tf:177)."""
    secrets = {"ENCRIPTION_KEY": "hunter2", "HOSTNAME": "hunter2", "FOO": "hunter2"}
    refused = refusal_of_reading(
        {
            "langfuse:size": "dev",
            "langfuse:release": READ[3],
            SECRET_KEY: json.dumps(secrets),
        },
        [SECRET_KEY],
    )
    check = "Check its spelling and that this container reads it."
    assert refused.splitlines()[1:] == [
        f"  {SECRET_KEY}.ENCRIPTION_KEY: Langfuse {READ[3]} reads no such variable; "
        f"the nearest known one is ENCRYPTION_KEY. {check}",
        f"  {SECRET_KEY}.HOSTNAME: {WIRED}",
        f"  {SECRET_KEY}.FOO: Langfuse {READ[3]} reads no such variable. {check}",
    ], "the same rules for both ways to set a variable, but a secret is never shown"


def test_wrong_names_are_told_without_their_values_even_if_they_are_stored_in_the_clear() -> None:
    refused = refusal_of_reading(
        {"langfuse:size": "dev", SECRET_KEY: '{"REDIS_AUTH": "hunter2"}'}, []
    )
    assert refused.splitlines()[1:] == [
        f"  {SECRET_KEY}: is stored in the clear, and must be a secret. "
        f"Set it with pulumi config set --secret {SECRET_KEY} VALUE.",
        f"  {SECRET_KEY}.REDIS_AUTH: {WIRED}",
    ], "both at once, and nothing of it in the terminal's log"


@RELEASES
def test_a_secret_variable_cannot_replace_one_that_follows_from_the_resources(release: str) -> None:
    assert problems(release=release, secretEnvironment=json.dumps(WIRED_VARIABLES)) == [
        f"{SECRET_KEY}.{name}: {WIRED}" for name in WIRED_VARIABLES
    ], "web and worker have to agree with the stores and with each other"


@RELEASES
def test_a_secret_variables_value_is_held_to_its_constraint_and_not_shown(release: str) -> None:
    secrets = {name: value for name, (value, _) in WRONG_VALUES.items()}
    assert problems(release=release, secretEnvironment=json.dumps(secrets)) == [
        f"{SECRET_KEY}.{name}: Langfuse refuses this value: it {fault}. Correct it."
        for name, (_, fault) in WRONG_VALUES.items()
    ], "a container that refuses its environment restarts until the deployment fails"


@pytest.mark.parametrize("name", ["AUTH_GOOGLE_CLIENT_SECRET", "BATCH_EXPORT_PAGE_SIZE"])
def test_a_secret_variable_that_only_one_container_reads_is_accepted(name: str) -> None:
    settings = load({"size": "dev", "secretEnvironment": json.dumps({name: "1"})})
    assert settings == load({"size": "dev"}), "there is one secret environment for both of them"


# --- aws:defaultTags


def test_default_tags_that_aws_refuses_are_named_with_all_other_errors() -> None:
    tags = {
        "Team": "R&D",
        "Owner?": "ada",
        "AWS:mine": "x",
        "Long": "x" * 257,
        "Project": "langfuse",
    }
    config = {"aws:defaultTags": json.dumps({"tags": tags}), "langfuse:size": "tiny"}
    lines = refusal_of_reading(config, []).splitlines()
    assert lines[0] == "5 errors in the stack's configuration; nothing was changed:"
    assert lines[1:4] == [
        '  aws:defaultTags.tags.Team: "R&D": a tag\'s value has at most 256 letters, digits, '
        "spaces and _.:/=+-@, or IAM, for one, refuses it. Write it otherwise.",
        '  aws:defaultTags.tags.Owner?: "ada": a tag\'s name has 1 to 128 letters, digits, '
        "spaces and _.:/=+-@, or IAM, for one, refuses it. Name it otherwise.",
        '  aws:defaultTags.tags.AWS:mine: "x": a tag\'s name begins with aws: if AWS itself '
        "has made it. Name it otherwise.",
    ]
    assert lines[4].startswith("  aws:defaultTags.tags.Long: ")


def test_as_many_default_tags_are_taken_as_leave_room_for_the_programs_own() -> None:
    tags = {f"Tag{number}": "x" for number in range(50)}
    assert text_rules.faults(
        "aws:ec2/securityGroup:SecurityGroup", {"tagsAll": {**tags, "Name": ""}}
    )
    assert provider_keys.tag_problems({"tags": tags}) == [
        "aws:defaultTags.tags: has 50 tags, and AWS takes 50 on a resource, of which the program "
        "writes one itself. Leave out 1."
    ]
    del tags["Tag0"]
    assert provider_keys.tag_problems({"tags": tags}) == []


def test_the_program_writes_one_tag_at_the_most_on_a_resource() -> None:
    for stack in ("dev", "staging", "prod"):
        for each in shipped(stack).registrations:
            tags: Any = each.inputs.get("tags") or {}
            of_group = each.type == "aws:autoscaling/group:Group"
            names: set[str] = {tag["key"] for tag in tags} if of_group else {*tags}
            assert len(names - {"Project", "Stack"}) <= provider_keys.OWN_TAGS, each.name


@pytest.mark.parametrize(
    "text", ["Zoë 株式会社", "a@b.example:/=+-_ 1", "", "R&D", "it's", "a,b", "\t"]
)
def test_a_default_tag_is_judged_as_the_in_memory_aws_judges_it(text: str) -> None:
    tags = {"Team": text}
    refused = bool(text_rules.faults("aws:sns/topic:Topic", {"tags": tags}))
    assert bool(provider_keys.tag_problems({"tags": tags})) is refused


@pytest.mark.parametrize(
    "value", [None, {}, {"tags": None}, "{}", "text", '{"tags": {"Stack": "dev"}}']
)
def test_default_tags_may_be_absent(value: Any) -> None:
    assert provider_keys.tag_problems(value) == []


@pytest.mark.parametrize("value", [{"Team": "a"}, '{"Team": "a"}', {"Team": "a", "tags": {"b": 1}}])
def test_a_tag_beside_tags_is_told_where_it_belongs(value: Any) -> None:
    assert provider_keys.tag_problems(value) == [
        'aws:defaultTags.Team: "a": stands beside tags, and the provider refuses it. Write it as '
        "aws:defaultTags.tags.Team."
    ]


def test_a_region_that_is_sealed_is_taken_for_right_and_another_one_is_not() -> None:
    assert provider_keys.problems({"aws:region": SEALED}) == []
    assert provider_keys.problems({}) == []
    (line,) = provider_keys.problems({"aws:region": "eu-central-11"})
    assert line.startswith('aws:region: "eu-central-11": is no region of AWS')


def test_the_first_page_shows_what_a_wrong_stack_file_prints() -> None:
    page = (Path(__file__).parents[3] / "README.md").read_text(encoding="utf-8")
    shown = page.partition("<!-- wrong:begin -->\n```text\n")[2].partition("\n```")[0]
    wrong = {"clickhouse": {"volumeGib": "300Gi"}, "network": {"zones": 7}}
    with pytest.raises(SettingsError) as refused:
        load({"size": "dev", **wrong})
    assert str(refused.value) == shown
    assert all(line in str(messages.__doc__) for line in shown.splitlines()[1:])


POLICY: Final = "arn:aws:iam::123456789012:policy/team/evaluators"
NO_POLICY: Final = (
    "must be the ARN of a managed policy, such as arn:aws:iam::123456789012:policy/NAME. See aws "
    "iam list-policies, which shows the ARNs."
)


def test_a_policy_is_named_by_the_arn_of_a_managed_one() -> None:
    others = {
        "evaluators": NO_POLICY,
        "": NO_POLICY,
        "arn:aws:iam::1234:policy/x": NO_POLICY,
        "arn:aws:s3:::policy/x": NO_POLICY,
        "arn:aws:iam::123456789012:policy/": NO_POLICY,
        "arn:aws:iam::123456789012:policy/a b": NO_POLICY,
        f"{POLICY}{'x' * 128}": NO_POLICY,
        "arn:aws:iam::123456789012:role/evaluators": (
            "is the ARN of a role, and only a managed policy can be named. Name a policy: aws iam "
            "list-policies shows the ARNs."
        ),
    }
    for arn, said in others.items():
        lines = problems(
            web={"policyArns": [arn]}, worker={"policyArns": [POLICY, arn]}, permissionsBoundary=arn
        )
        assert [line.endswith(f": {said}") for line in lines] == [True] * 3, (arn, lines)
        assert {line.split(":")[1] for line in lines} == {
            "web.policyArns[0]",
            "worker.policyArns[1]",
            "permissionsBoundary",
        }
    for arn in (POLICY, "arn:aws-us-gov:iam::aws:policy/service-role/X_y+=,.@-1"):
        load({"size": "dev", "permissionsBoundary": arn, "web": {"policyArns": [arn]}})


def test_a_role_has_ten_policies_at_the_most_and_none_twice() -> None:
    ten = [f"{POLICY}-{number}" for number in range(10)]
    load({"size": "dev", "worker": {"policyArns": ten}})
    (line,) = problems(worker={"policyArns": [*ten, POLICY]})
    assert line.startswith("langfuse:worker.policyArns: ")
    assert line.endswith(
        "has 11 policies, and a role takes 10 managed ones at the most. Join some into one policy."
    )
    (line,) = problems(web={"policyArns": [POLICY, POLICY]})
    assert line.endswith(f"has {POLICY} twice. Name each policy once.")


# --- What a YAML file can hold, and JSON cannot


@pytest.mark.parametrize(
    ("config", "line"),
    [
        (
            {"web": {"cpu": date(2026, 1, 1)}},
            'langfuse:web.cpu: "2026-01-01": must be an integer.',
        ),
        (
            {"web": {"environment": {"A": date(2026, 1, 1)}}},
            'langfuse:web.environment.A: "2026-01-01": must be a text.',
        ),
        (
            {"web.cpu": date(2026, 1, 1)},
            "pulumi config set --path 'langfuse:web.cpu' '\"2026-01-01\"'.",
        ),
    ],
)
def test_a_date_is_told_as_it_is_written(config: dict[str, Any], line: str) -> None:
    (found,) = problems(**config)
    assert line in found


def test_of_what_is_sealed_nothing_is_said_and_of_all_else_everything() -> None:
    (found,) = problems(web={"cpu": SEALED, "memory": "much"}, logs=SEALED)
    assert found.startswith('langfuse:web.memory: "much": ')
