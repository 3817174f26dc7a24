"""The settings that a stack file loads to.

Proves what the sizing table stands for, that a stack file's own keys win over it, that every form
Pulumi hands values over in loads the same, that settings cannot change, how a VPC is divided, and
what of the secret keys reaches the program. What is refused, and in which words, is in
`test_settings_errors`; what the settings make AWS do is in the tests of the graph.
"""

import asyncio
import ipaddress
import itertools
import json
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Final, TypeVar, cast, get_args

import pulumi
import pytest
from pydantic import BaseModel, ValidationError

from langfuse_aws.settings.external_stores import (
    ExternalClickHouse,
    ExternalPostgres,
    ExternalRedis,
)
from langfuse_aws.settings.loading import load
from langfuse_aws.settings.messages import DISCRIMINATORS, VARIANTS
from langfuse_aws.settings.model import Settings
from langfuse_aws.settings.network import ZONE_SLOTS, CreatedNetwork, ExistingNetwork
from langfuse_aws.settings.section import Section
from langfuse_aws.settings.services import ApiGatewayIngress, LoadBalancerIngress
from langfuse_aws.settings.sizing import SIZING
from langfuse_aws.settings.stack import Secrets, read
from langfuse_aws.settings.stores import (
    AuroraPostgres,
    ClickHouseOnEc2,
    ElastiCacheRedis,
    PostgresInstance,
)
from langfuse_aws.settings.versions import LANGFUSE, LANGFUSE_3

Result = TypeVar("Result")

DOMAIN: Final = "langfuse.example.com"
CERTIFICATE: Final = "arn:aws:acm:us-east-1:123456789012:certificate/0a1b2c3d"
ADOPTED: Final = {
    "vpcId": "vpc-0123456789abcdef0",
    "privateSubnetIds": ["subnet-0000000a", "subnet-0000000b"],
    "publicSubnetIds": ["subnet-0000000c", "subnet-0000000d"],
}

# The sizing table, written down a second time: a change of a row has to be meant.
TABLE: Final[Mapping[str, Mapping[str, Any]]] = {
    "dev": {
        "deletion_protection": False,
        "network": {"cidr": "10.0.0.0/16", "zones": 2, "egress": "none", "flow_logs": False},
        "ingress": {"kind": "apiGateway"},
        "web": {"cpu": 1024, "memory": 2048, "min_tasks": 1, "max_tasks": 1, "spot": True},
        "worker": {
            "cpu": 512,
            "memory": 2048,
            "min_tasks": 1,
            "max_tasks": 2,
            "spot": True,
        },
        "clickhouse": {
            "mode": "ec2",
            "replicas": 1,
            "instance_type": "t4g.medium",
            "volume_gib": 20,
            "backup_retention_days": 7,
            "snapshot_id": None,
        },
        "postgres": {
            "mode": "instance",
            "instance_class": "db.t4g.micro",
            "backup_retention_days": 7,
            "snapshot_identifier": None,
        },
        "redis": {"mode": "elasticache", "node_type": "cache.t4g.micro", "replicas": 0},
        "storage": {"events_retention_days": None, "versioning_days": None, "kms": False},
        "backups": {
            "hourly_retention_days": 0,
            "daily_retention_days": 7,
            "copy_region": None,
            "vault_lock": False,
        },
        "logs": {"retention_days": 7},
    },
    "staging": {
        "deletion_protection": False,
        "network": {"cidr": "10.0.0.0/16", "zones": 2, "egress": "natInstance", "flow_logs": False},
        "ingress": {"kind": "alb"},
        "web": {"cpu": 1024, "memory": 2048, "min_tasks": 1, "max_tasks": 1, "spot": True},
        "worker": {
            "cpu": 1024,
            "memory": 4096,
            "min_tasks": 1,
            "max_tasks": 4,
            "spot": True,
        },
        "clickhouse": {
            "mode": "ec2",
            "replicas": 1,
            "instance_type": "t4g.large",
            "volume_gib": 50,
            "backup_retention_days": 7,
            "snapshot_id": None,
        },
        "postgres": {
            "mode": "auroraServerless",
            "min_acu": 0.5,
            "max_acu": 2,
            "instances": 1,
            "backup_retention_days": 7,
            "snapshot_identifier": None,
        },
        "redis": {"mode": "elasticache", "node_type": "cache.t4g.small", "replicas": 0},
        "storage": {"events_retention_days": None, "versioning_days": None, "kms": False},
        "backups": {
            "hourly_retention_days": 0,
            "daily_retention_days": 14,
            "copy_region": None,
            "vault_lock": False,
        },
        "logs": {"retention_days": 30},
    },
    "prod": {
        "deletion_protection": True,
        "network": {
            "cidr": "10.0.0.0/16",
            "zones": 3,
            "egress": "natGatewayPerZone",
            "flow_logs": True,
        },
        "ingress": {"kind": "alb"},
        "web": {"cpu": 2048, "memory": 4096, "min_tasks": 2, "max_tasks": 3, "spot": False},
        "worker": {
            "cpu": 2048,
            "memory": 4096,
            "min_tasks": 2,
            "max_tasks": 8,
            "spot": False,
        },
        "clickhouse": {
            "mode": "ec2",
            "replicas": 1,
            "instance_type": "r7g.large",
            "volume_gib": 100,
            "backup_retention_days": 28,
            "snapshot_id": None,
        },
        "postgres": {
            "mode": "auroraServerless",
            "min_acu": 0.5,
            "max_acu": 8,
            "instances": 2,
            "backup_retention_days": 14,
            "snapshot_identifier": None,
        },
        "redis": {"mode": "elasticache", "node_type": "cache.t4g.medium", "replicas": 1},
        "storage": {"events_retention_days": None, "versioning_days": 14, "kms": False},
        "backups": {
            "hourly_retention_days": 2,
            "daily_retention_days": 35,
            "copy_region": None,
            "vault_lock": False,
        },
        "logs": {"retention_days": 90},
    },
}


def stack_file(size: str, **keys: Any) -> dict[str, Any]:
    """The least stack file of a size, with more keys."""
    return {"size": size, **({} if size == "dev" else {"domain": DOMAIN}), **keys}


def part(model: BaseModel, like: Mapping[str, Any]) -> dict[str, Any]:
    """What a section has under the keys of `like`."""
    return {key: getattr(model, key) for key in like}


@pytest.mark.parametrize(
    ("size", "section"), [(size, section) for size, row in TABLE.items() for section in row]
)
def test_a_size_stands_for_its_row_of_the_sizing_table(size: str, section: str) -> None:
    expected = TABLE[size][section]
    loaded = getattr(load(stack_file(size)), section)
    actual = part(loaded, expected) if isinstance(loaded, BaseModel) else loaded
    assert actual == expected, f"{size} promises these values of {section} to whoever picks it"


def test_all_rows_set_the_same_keys_so_that_no_default_decides_silently() -> None:
    sections = {size: set(row) for size, row in SIZING.items()}
    assert sections["dev"] == sections["staging"] == sections["prod"], "a row leaves a section out"
    for section in sections["dev"] - {"deletionProtection"}:
        keys = {size: set(row[section]) for size, row in SIZING.items()}
        assert keys["dev"] == keys["staging"] == keys["prod"], (
            f"a row leaves a key of {section} to its default, which belongs to no size"
        )


SHAPES: Final = [
    (section, shape)
    for section, field in Settings.model_fields.items()
    if isinstance(field.annotation, type) and issubclass(field.annotation, Section)
    for shape in [field.annotation]
] + [(section, shape) for section in VARIANTS for shape in VARIANTS[section].values()]
"""Sections that are always there, and the models that each may have."""


@pytest.mark.parametrize(("section", "shape"), SHAPES)
def test_a_key_has_its_default_in_every_row_or_in_the_model_and_never_in_both(
    section: str, shape: type[BaseModel]
) -> None:
    row = cast(Mapping[str, Any], SIZING["dev"].get(section, {}))
    in_both = [
        field.alias or name
        for name, field in shape.model_fields.items()
        if not field.is_required() and (field.alias or name) in row
    ]
    assert not in_both, "the one that is in the model decides wherever a row leaves the key out"
    tag = DISCRIMINATORS.get(section)
    external = shape.__name__.startswith(("External", "Existing")) or section == "smtp"
    in_neither = [
        field.alias or name
        for name, field in shape.model_fields.items()
        if field.is_required() and (field.alias or name) not in {*row, tag}
    ]
    assert external or not in_neither, "a size does not tell it, and has to"


@pytest.mark.parametrize("size", SIZING)
@pytest.mark.parametrize("mode", ["auroraServerless", "instance"])
def test_another_mode_than_the_rows_takes_its_values_from_the_row(size: str, mode: str) -> None:
    row = SIZING[size]["postgres"]
    postgres = load(stack_file(size, postgres={"mode": mode})).postgres
    found = postgres.model_dump(by_alias=True)
    assert {key: found[key] for key in row if key in found} == {
        **{key: row[key] for key in row if key in found},
        "mode": mode,
    }
    of_no_size = {"connectTimeoutSeconds", "connectionLimit", "snapshotIdentifier"}
    assert set(found) - set(row) == of_no_size, "nothing of a size comes from elsewhere"


def test_a_stack_without_a_release_runs_langfuse_4_on_its_new_tables_alone() -> None:
    settings = load({"size": "dev"})
    assert (settings.release, settings.major) == (LANGFUSE, 4)
    assert settings.write_mode == "events_only"


@pytest.mark.parametrize(
    ("release", "major"),
    [("3.125.0", 3), ("3.125.1", 3), (LANGFUSE_3, 3), ("4.0.0", 4), (LANGFUSE, 4)],
)
def test_an_exact_release_from_3_125_0_on_is_accepted(release: str, major: int) -> None:
    settings = load({"size": "dev", "release": release})
    assert (settings.release, settings.major) == (release, major), "3.125.0 is the first allowed"


# A falsy value is the one that a careless merge (`given or row`) would lose.
@pytest.mark.parametrize(
    ("size", "section", "key", "value", "name"),
    [
        ("dev", "web", "spot", False, "spot"),
        ("dev", "worker", "spot", False, "spot"),
        ("prod", "network", "flowLogs", False, "flow_logs"),
        ("prod", "redis", "replicas", 0, "replicas"),
        ("prod", "postgres", "minAcu", 0, "min_acu"),
        ("dev", "logs", "retentionDays", 731, "retention_days"),
        ("prod", "backups", "hourlyRetentionDays", 0, "hourly_retention_days"),
        ("prod", "storage", "versioningDays", None, "versioning_days"),
        ("dev", "backups", "vaultLock", True, "vault_lock"),
        ("dev", "clickhouse", "snapshotId", "snap-0123456789abcdef0", "snapshot_id"),
        ("prod", "web", "minTasks", 1, "min_tasks"),
    ],
)
def test_a_value_of_the_stack_file_survives_the_sizing_row_even_if_it_is_false_or_0(
    size: str, section: str, key: str, value: object, name: str
) -> None:
    row = TABLE[size][section]
    assert row[name] != value, "this test needs a value that differs from the row's"
    loaded = getattr(load(stack_file(size, **{section: {key: value}})), section)
    assert part(loaded, row) == {**row, name: value}, "the one key changes, its neighbours stay"


@pytest.mark.parametrize("value", [False, "false"])
def test_protection_that_the_stack_file_switches_off_stays_off_in_prod(value: object) -> None:
    settings = load(stack_file("prod", deletionProtection=value))
    assert settings.deletion_protection is False, "or a stack could never be destroyed"


@pytest.mark.parametrize("size", ["staging", "prod"])
def test_choosing_a_postgres_instance_drops_the_rows_aurora_keys(size: str) -> None:
    postgres = load(stack_file(size, postgres={"mode": "instance"})).postgres
    assert postgres == PostgresInstance.model_validate(
        {
            "mode": "instance",
            "instanceClass": "db.t4g.micro",
            "backupRetentionDays": TABLE[size]["postgres"]["backup_retention_days"],
        }
    ), "minAcu and the like are the row's, not the user's; what both shapes have is kept"


def test_choosing_aurora_drops_the_rows_instance_class() -> None:
    postgres = load({"size": "dev", "postgres": {"mode": "auroraServerless", "maxAcu": 2}}).postgres
    assert postgres == AuroraPostgres.model_validate(
        {
            "mode": "auroraServerless",
            "minAcu": 0.5,
            "maxAcu": 2,
            "instances": 1,
            "backupRetentionDays": 7,
        }
    ), "instanceClass is the row's, not the user's"


def test_choosing_the_other_ingress_needs_no_more_than_its_kind() -> None:
    alb = load({"size": "dev", "domain": DOMAIN, "ingress": {"kind": "alb"}}).ingress
    gateway = load({"size": "prod", "ingress": {"kind": "apiGateway"}}).ingress
    assert alb == LoadBalancerIngress.model_validate(
        {"kind": "alb", "internal": False, "allowedCidrs": ["0.0.0.0/0"]}
    ), "open to the world, as Langfuse's own clouds are, until the user narrows it"
    assert gateway == ApiGatewayIngress.model_validate(
        {"kind": "apiGateway", "rateLimit": 500, "burstLimit": 1000}
    ), "API Gateway has a name of its own, so prod without a domain is fine with it"


CLICKHOUSE: Final = {
    "mode": "external",
    "url": "https://abc.clickhouse.cloud:8443",
    "migrationUrl": "clickhouse://abc.clickhouse.cloud:9440",
}
POSTGRES: Final = {"mode": "external", "host": "db.example.com"}
REDIS: Final = {"mode": "external", "host": "10.0.0.1"}
EXTERNAL: Final[Mapping[str, Mapping[str, Any]]] = {
    "clickhouse": CLICKHOUSE,
    "postgres": POSTGRES,
    "redis": REDIS,
}
PASSWORDS: Final = {
    "clickhouse": {"clickhousePassword": "click-house_1.~"},
    "postgres": {"postgresPassword": "post-gres_1.~"},
    "redis": {"redisPassword": '{"r@d": "1/?"}'},
}


def with_external(*stores: str) -> dict[str, Any]:
    """The keys that make these stores external ones, and their passwords."""
    return {
        **{store: EXTERNAL[store] for store in stores},
        **{key: value for store in stores for key, value in PASSWORDS[store].items()},
    }


@pytest.mark.parametrize("redis", [(), ("redis",)])
@pytest.mark.parametrize("postgres", [(), ("postgres",)])
@pytest.mark.parametrize("clickhouse", [(), ("clickhouse",)])
@pytest.mark.parametrize("size", ["dev", "staging", "prod"])
def test_any_store_may_be_external_beside_any_other(
    size: str, clickhouse: tuple[str, ...], postgres: tuple[str, ...], redis: tuple[str, ...]
) -> None:
    stores = [*clickhouse, *postgres, *redis]
    settings = load(stack_file(size, **with_external(*stores)))
    bare = load(stack_file(size))
    assert [store for store in EXTERNAL if getattr(settings, store).mode == "external"] == stores
    for store in set(EXTERNAL) - set(stores):
        assert getattr(settings, store) == getattr(bare, store), f"{store} is the row's, untouched"


@pytest.mark.parametrize("size", ["dev", "staging", "prod"])
def test_an_external_store_drops_the_keys_that_its_row_has_for_another_shape(size: str) -> None:
    settings = load(stack_file(size, **with_external(*EXTERNAL)))
    assert settings.clickhouse == ExternalClickHouse.model_validate(
        {**CLICKHOUSE, "user": "default", "cluster": False}
    ), "instanceType and the like are the row's, not the user's"
    assert settings.postgres == ExternalPostgres.model_validate(
        {**POSTGRES, "port": 5432, "user": "langfuse", "database": "langfuse"}
    ), "a PostgreSQL of our own has these names, too"
    assert settings.redis == ExternalRedis.model_validate({**REDIS, "port": 6379, "tls": True}), (
        "in the clear only if the user says so"
    )


def test_an_external_store_takes_each_of_its_keys() -> None:
    settings = load(
        {
            "size": "dev",
            **with_external("clickhouse", "postgres", "redis"),
            "clickhouse": {**CLICKHOUSE, "user": "lang.fuse-1", "cluster": True},
            "postgres": {**POSTGRES, "port": 6432, "user": "_lf", "database": "traces"},
            "redis": {**REDIS, "port": 6380, "tls": False},
        }
    )
    assert isinstance(settings.clickhouse, ExternalClickHouse), "mode is external"
    assert isinstance(settings.postgres, ExternalPostgres), "mode is external"
    assert isinstance(settings.redis, ExternalRedis), "mode is external"
    assert (settings.clickhouse.user, settings.clickhouse.clustered) == ("lang.fuse-1", True)
    assert settings.postgres.model_dump() == {
        "mode": "external",
        "host": "db.example.com",
        "port": 6432,
        "user": "_lf",
        "database": "traces",
        "connection_limit": 10,
        "connect_timeout_seconds": None,
    }
    assert (settings.redis.port, settings.redis.tls) == (6380, False)


@pytest.mark.parametrize(
    ("given", "normal"),
    [
        ("https://ABC.clickhouse.cloud:8443/", "https://abc.clickhouse.cloud:8443"),
        ("https://10.0.0.7:8443", "https://10.0.0.7:8443"),
        ("https://clickhouse:65535", "https://clickhouse:65535"),
        ("HTTPS://x:1", "https://x:1"),
    ],
)
def test_a_clickhouse_url_is_normal_once_it_is_loaded(given: str, normal: str) -> None:
    settings = load(
        {"size": "dev", **with_external("clickhouse"), "clickhouse": {**CLICKHOUSE, "url": given}}
    )
    assert isinstance(settings.clickhouse, ExternalClickHouse), "mode is external"
    assert settings.clickhouse.url == normal, "another spelling is no other ClickHouse"


@pytest.mark.parametrize(
    "host",
    ["10.0.0.1", "redis", "a.b", "master.x-1.abc.use1.cache.amazonaws.com", "1.example.com"],
)
def test_an_external_store_is_found_by_a_host_name_or_an_address(host: str) -> None:
    settings = load({"size": "dev", **with_external("redis"), "redis": {**REDIS, "host": host}})
    assert settings.redis == ExternalRedis.model_validate({"mode": "external", "host": host})


def test_the_words_that_choose_the_stores_of_the_stack_are_accepted_too() -> None:
    settings = load(
        {"size": "dev", "clickhouse": {"mode": "ec2"}, "redis": {"mode": "elasticache"}}
    )
    assert settings == load({"size": "dev"}), "they are the row's"
    assert isinstance(settings.clickhouse, ClickHouseOnEc2), "mode is ec2"
    assert isinstance(settings.redis, ElastiCacheRedis), "mode is elasticache"


THREE_SUBNETS: Final = ["subnet-0000000a", "subnet-0000000b", "subnet-0000000c"]


@pytest.mark.parametrize(
    "keys",
    [
        {"size": "dev", "network": {"zones": 3}},
        {"size": "dev", "network": {"zones": 4}},
        {"size": "prod", "domain": DOMAIN},
        {"size": "dev", "network": {**ADOPTED, "privateSubnetIds": THREE_SUBNETS}},
    ],
    ids=["three zones", "four zones", "prod", "adopted"],
)
def test_three_clickhouse_servers_are_accepted_where_there_are_three_zones(
    keys: dict[str, Any],
) -> None:
    clickhouse = load({**keys, "clickhouse": {"replicas": 3}}).clickhouse
    assert isinstance(clickhouse, ClickHouseOnEc2), "mode is ec2"
    assert (clickhouse.replicas, clickhouse.clustered) == (3, True), "a cluster, with a quorum"


def test_one_clickhouse_server_is_no_cluster() -> None:
    assert not load({"size": "dev"}).clickhouse.clustered, "its tables are not replicated ones"


@pytest.mark.parametrize(
    "region", ["eu-west-1", "us-gov-west-1", "ap-southeast-4", "us-iso-east-1"]
)
def test_a_second_region_is_one_of_any_partition(region: str) -> None:
    assert load({"size": "dev", "backups": {"copyRegion": region}}).backups.copy_region == region


@pytest.mark.parametrize("snapshot", ["snap-01234567", "snap-0123456789abcdef0"])
def test_a_clickhouse_volume_may_begin_with_an_ebs_snapshot(snapshot: str) -> None:
    clickhouse = load({"size": "dev", "clickhouse": {"snapshotId": snapshot}}).clickhouse
    assert isinstance(clickhouse, ClickHouseOnEc2), "mode is ec2"
    assert clickhouse.snapshot_id == snapshot, "old IDs are short"


@pytest.mark.parametrize("size", ["dev", "staging"])
@pytest.mark.parametrize(
    "snapshot",
    [
        "before-4",
        "rds:langfuse-dev-2026-01-01-00-00",
        "awsbackup:job-0a1b2c3d-0000-1111-2222-333344445555",
        "arn:aws:rds:us-east-1:123456789012:cluster-snapshot:awsbackup:job-0a1b2c3d",
    ],
)
def test_a_database_may_begin_with_a_snapshot_of_any_origin(size: str, snapshot: str) -> None:
    postgres = load(stack_file(size, postgres={"snapshotIdentifier": snapshot})).postgres
    assert not isinstance(postgres, ExternalPostgres), "the row makes a database"
    assert postgres.snapshot_identifier == snapshot, "one's own, RDS's or AWS Backup's, or its ARN"


def test_the_stores_that_may_be_replaced_are_named_one_by_one() -> None:
    names = ["langfuse-dev", "langfuse-dev-clickhouse-1"]
    assert load({"size": "dev"}).allow_replace == [], "none, unless it is said"
    assert load({"size": "dev", "allowReplace": names}).allow_replace == names
    assert load({"size": "dev", "allowReplace": json.dumps(names)}).allow_replace == names, (
        "Pulumi hands lists over as text"
    )


@pytest.mark.parametrize(
    ("release", "given", "mode"),
    [
        (LANGFUSE_3, None, "legacy"),
        (LANGFUSE_3, "dual", "dual"),
        (LANGFUSE, None, "events_only"),
        (LANGFUSE, "legacy", "legacy"),
    ],
)
def test_the_write_mode_is_langfuses_own_unless_it_is_given(
    release: str, given: str | None, mode: str
) -> None:
    v4 = {} if given is None else {"writeMode": given}
    assert load({"size": "dev", "release": release, "v4": v4}).write_mode == mode


@pytest.mark.parametrize("size", ["dev", "staging", "prod"])
def test_adopting_a_vpc_drops_the_rows_keys_of_a_created_one(size: str) -> None:
    network = load(stack_file(size, network=ADOPTED)).network
    assert network == ExistingNetwork.model_validate(ADOPTED), (
        "cidr, zones and egress are the row's, not the user's"
    )
    assert not network.public_tasks, "an adopted VPC's tasks go to its private subnets"


IDENTITY: Final = "arn:aws:ses:us-east-1:123456789012:identity/example.com"
NATIVE: Final[dict[str, Any]] = {
    "size": "prod",
    "release": LANGFUSE_3,
    "domain": DOMAIN,
    "deletionProtection": False,
    "network": {"cidr": "10.1.0.0/20", "zones": 4, "egress": "natGateway", "flowLogs": False},
    "ingress": {"kind": "alb", "internal": True, "allowedCidrs": ["10.0.0.0/8"]},
    "web": {"cpu": 4096, "memory": 8192, "environment": {"LANGFUSE_LOG_LEVEL": "debug"}},
    "postgres": {"mode": "auroraServerless", "minAcu": 0, "maxAcu": 16.5},
    "storage": {"eventsRetentionDays": 90, "versioningDays": 3, "kms": True},
    "backups": {
        "hourlyRetentionDays": 1,
        "dailyRetentionDays": 30,
        "copyRegion": "eu-west-1",
        "vaultLock": True,
    },
    "allowReplace": ["langfuse-prod"],
    "v4": {"writeMode": "dual", "historicBackfill": False},
    "bootstrap": {"userEmail": "ada@example.com", "keyVersion": 2},
    "auth": {
        "disableSignup": True,
        "existingAccounts": True,
        "enforceSsoDomains": ["example.com"],
        "providers": {"okta": {"clientId": "0oa1", "issuer": "https://example.okta.com/"}},
    },
    "authSecrets": '{"okta": "x"}',
    "smtp": {"mode": "ses", "from": "No-Reply@Example.com", "resourceArns": [IDENTITY]},
    "alarms": {"email": "ops@example.com", "monthlyBudgetUsd": 500.5},
}


def as_pulumi_hands_it_over(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def test_json_text_and_native_values_load_the_same() -> None:
    handed_over = {key: as_pulumi_hands_it_over(value) for key, value in NATIVE.items()}
    assert handed_over["deletionProtection"] == "false", "Pulumi hands everything over as text"
    assert load(handed_over) == load(NATIVE), "the same stack file, read by two readers"


def test_every_camel_case_key_arrives_under_its_snake_case_name() -> None:
    settings = load(NATIVE)
    assert isinstance(settings.network, CreatedNetwork), "no key of an adopted VPC is set"
    assert isinstance(settings.ingress, LoadBalancerIngress), "kind is alb"
    assert isinstance(settings.postgres, AuroraPostgres), "mode is auroraServerless"
    assert settings.alarms is not None, "alarms is set"
    assert {
        "flowLogs": settings.network.flow_logs,
        "allowedCidrs": settings.ingress.allowed_cidrs,
        "maxAcu": settings.postgres.max_acu,
        "eventsRetentionDays": settings.storage.events_retention_days,
        "bootstrap": settings.bootstrap and settings.bootstrap.model_dump(),
        "auth": settings.auth.model_dump(exclude_none=True),
        "smtp": settings.smtp and settings.smtp.model_dump(),
        "monthlyBudgetUsd": settings.alarms.monthly_budget_usd,
        "deletionProtection": settings.deletion_protection,
        "versioningDays": settings.storage.versioning_days,
        "backups": settings.backups.model_dump(),
        "allowReplace": settings.allow_replace,
        "v4": settings.v4.model_dump(),
    } == {
        "flowLogs": False,
        "allowedCidrs": ["10.0.0.0/8"],
        "maxAcu": 16.5,
        "eventsRetentionDays": 90,
        "bootstrap": {
            "user_email": "ada@example.com",
            "organization": "Langfuse",
            "project": "Default",
            "key_version": 2,
        },
        "auth": {
            "disable_signup": True,
            "disable_password": False,
            "enforce_sso_domains": ["example.com"],
            "existing_accounts": True,
            "providers": {
                "okta": {
                    "client_id": "0oa1",
                    "allow_account_linking": False,
                    "issuer": "https://example.okta.com",
                }
            },
        },
        "smtp": {
            "mode": "ses",
            "from_address": "No-Reply@example.com",
            "resource_arns": [IDENTITY],
        },
        "monthlyBudgetUsd": 500.5,
        "deletionProtection": False,
        "versioningDays": 3,
        "backups": {
            "hourly_retention_days": 1,
            "daily_retention_days": 30,
            "copy_region": "eu-west-1",
            "vault_lock": True,
        },
        "allowReplace": ["langfuse-prod"],
        "v4": {"write_mode": "dual", "historic_backfill": False},
    }, "a key that arrives nowhere would be a switch without a wire"


def every_model(model: type[BaseModel]) -> set[type[BaseModel]]:
    found = {model}
    pending: list[Any] = [field.annotation for field in model.model_fields.values()]
    while pending:
        annotation = pending.pop()
        pending += getattr(annotation, "__args__", ())
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            found |= every_model(annotation)
    return found


def name_of(model: type[BaseModel]) -> str:
    return model.__name__


MODELS: Final = sorted(every_model(Settings), key=name_of)


@pytest.mark.parametrize("model", MODELS, ids=name_of)
def test_every_section_is_frozen_and_forbids_what_it_does_not_know(model: type[BaseModel]) -> None:
    assert issubclass(model, Section), "the base is where both are decided"
    config = model.model_config
    assert config.get("validate_default") is True, "what the program itself sets is checked too"
    assert (config.get("frozen"), config.get("extra")) == (True, "forbid"), (
        f"{model.__name__} overrides its base"
    )


def test_the_walk_over_the_models_finds_every_section_and_every_shape_of_one() -> None:
    assert [name_of(model) for model in MODELS] == [
        "Alarms",
        "ApiGatewayIngress",
        "AppRunnerIngress",
        "AuroraPostgres",
        "Auth",
        "AzureAd",
        "Backups",
        "Bootstrap",
        "ClickHouseOnEc2",
        "Cognito",
        "CreatedNetwork",
        "Custom",
        "ElastiCacheRedis",
        "ExistingNetwork",
        "ExternalClickHouse",
        "ExternalPostgres",
        "ExternalRedis",
        "GitHub",
        "Google",
        "Grafana",
        "Hours",
        "Images",
        "Keycloak",
        "LoadBalancerIngress",
        "Logs",
        "Okta",
        "PostgresInstance",
        "Providers",
        "Rotation",
        "SesMail",
        "Settings",
        "SmtpMail",
        "Storage",
        "V4",
        "Waf",
        "Web",
        "Worker",
    ], "a section that the walk misses would go unchecked"


@pytest.mark.parametrize("model", MODELS, ids=name_of)
def test_every_key_is_described_and_what_has_no_value_may_have_none(model: type[BaseModel]) -> None:
    for name, field in model.model_fields.items():
        below = every_model(model) - {model}
        sections = [each for each in below if each.__name__ in str(field.annotation)]
        assert field.description or sections, f"{model.__name__}.{name}"
        if field.default is None:
            assert type(None) in get_args(field.annotation), f"{model.__name__}.{name}"


@pytest.mark.parametrize(("section", "key"), [("", "release"), ("web", "cpu"), ("alarms", "email")])
def test_settings_cannot_be_changed_after_they_were_checked(section: str, key: str) -> None:
    settings = load(NATIVE)
    owner = getattr(settings, section) if section else settings
    with pytest.raises(ValidationError, match="Instance is frozen"):
        setattr(owner, key, "changed")


def created(cidr: str, zones: int) -> CreatedNetwork:
    row = SIZING["dev"]["network"]
    return CreatedNetwork.model_validate({**row, "cidr": cidr, "zones": zones})


def blocks(network: CreatedNetwork) -> list[ipaddress.IPv4Network]:
    public, private = network.subnet_blocks()
    return [ipaddress.IPv4Network(block) for block in [*public, *private]]


CIDRS: Final = [f"10.64.0.0/{prefix}" for prefix in range(16, 25)]


@pytest.mark.parametrize("cidr", CIDRS)
def test_a_zones_blocks_stay_the_same_when_zones_are_added(cidr: str) -> None:
    layouts = [created(cidr, zones).subnet_blocks() for zones in range(2, ZONE_SLOTS + 1)]
    for (public, private), (more_public, more_private) in itertools.pairwise(layouts):
        assert more_public[:-1] == public, "a public subnet would be replaced, balancer and all"
        assert more_private[:-1] == private, "a private subnet would be replaced, stores and all"


@pytest.mark.parametrize("cidr", CIDRS)
@pytest.mark.parametrize("zones", range(2, ZONE_SLOTS + 1))
def test_subnets_lie_in_the_vpc_never_overlap_and_are_large_enough(cidr: str, zones: int) -> None:
    found = blocks(created(cidr, zones))
    assert len(found) == 2 * zones, "one public and one private subnet in each zone"
    for block in found:
        assert block.subnet_of(ipaddress.IPv4Network(cidr)), f"{block} is outside of {cidr}"
        assert block.prefixlen <= 27, f"{block} is too small for a load balancer, which needs a /27"
    overlapping = [
        (str(one), str(other))
        for index, one in enumerate(found)
        for other in found[index + 1 :]
        if one.overlaps(other)
    ]
    assert overlapping == [], "AWS refuses overlapping subnets"


def test_the_blocks_of_the_default_vpc_are_what_they_always_were() -> None:
    assert created("10.0.0.0/16", 3).subnet_blocks() == (
        ["10.0.32.0/19", "10.0.96.0/19", "10.0.160.0/19"],
        ["10.0.0.0/19", "10.0.64.0/19", "10.0.128.0/19"],
    ), "other blocks would replace every subnet of every stack there is"


@pytest.mark.parametrize(
    ("egress", "public"),
    [
        ("none", True),
        ("natInstance", False),
        ("natGateway", False),
        ("natGatewayPerZone", False),
        ("endpoints", False),
    ],
)
def test_tasks_are_in_public_subnets_only_when_there_is_no_other_way_out(
    egress: str, public: bool
) -> None:
    keys = {"network": {"egress": egress}, "images": {"source": "mirror"}}
    network = load({"size": "dev", **keys}).network
    assert network.public_tasks is public, "a task without a way out cannot pull its image"


@pytest.mark.parametrize(
    ("keys", "zone"),
    [
        ({}, None),
        ({"domain": DOMAIN}, "example.com"),
        ({"domain": "a.b.example.com"}, "b.example.com"),
        ({"domain": DOMAIN, "ingress": {"hostedZone": DOMAIN}}, DOMAIN),
        ({"domain": "a.b.example.com", "ingress": {"hostedZone": "example.com"}}, "example.com"),
        ({"domain": DOMAIN, "ingress": {"certificateArn": CERTIFICATE}}, None),
        (
            {
                "domain": DOMAIN,
                "ingress": {"certificateArn": CERTIFICATE, "hostedZone": "example.com"},
            },
            "example.com",
        ),
    ],
)
def test_the_zone_that_gets_records_follows_from_domain_certificate_and_zone(
    keys: dict[str, Any], zone: str | None
) -> None:
    assert load({"size": "dev", **keys}).hosted_zone == zone, (
        "the domain less its first label, unless the user names a zone or brings a certificate"
    )


def in_a_loop(make: Callable[[], Coroutine[Any, Any, Result]]) -> Result:
    """Run a coroutine in a loop and a context of its own: configuration does not leak out."""
    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(make())
    finally:
        loop.close()


def environment_of(secrets: Secrets) -> Mapping[str, pulumi.Output[str]]:
    return secrets.environment


def passwords_of(secrets: Secrets) -> Mapping[str, pulumi.Output[str]]:
    return secrets.passwords


def read_stack(
    config: dict[str, str],
    secret_keys: list[str],
    which: Callable[[Secrets], Mapping[str, pulumi.Output[str]]] = environment_of,
) -> tuple[Settings, dict[str, tuple[str, bool]]]:
    """Settings, and some secrets as values and whether they are secret."""

    async def run() -> tuple[Settings, dict[str, tuple[str, bool]]]:
        pulumi.runtime.set_all_config({"aws:region": "eu-west-1", **config}, secret_keys)
        settings, secrets = read()
        return settings, {
            name: (str(await value.future()), await value.is_secret())
            for name, value in which(secrets).items()
        }

    return in_a_loop(run)


def providers_of(secrets: Secrets) -> Mapping[str, pulumi.Output[str]]:
    assert secrets.smtp_url is not None, "smtpUrl is set"
    return {**secrets.providers, "smtp": secrets.smtp_url}


SECRETS: Final = '{"LANGFUSE_EE_LICENSE_KEY": "langfuse_ee_x", "ADMIN_API_KEY": "y"}'


def test_the_secret_environment_arrives_as_secret_outputs_in_order_of_names() -> None:
    _, environment = read_stack(
        {"langfuse:size": "dev", "langfuse:secretEnvironment": SECRETS},
        ["langfuse:secretEnvironment"],
    )
    assert list(environment.items()) == [
        ("ADMIN_API_KEY", ("y", True)),
        ("LANGFUSE_EE_LICENSE_KEY", ("langfuse_ee_x", True)),
    ], "an output that is not marked as secret is stored in the state in the clear"


def test_configuration_that_the_engine_hands_over_in_the_process_environment_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = {
        "langfuse:size": "dev",
        "langfuse:secretEnvironment": SECRETS,
        "aws:region": "eu-west-1",
    }
    monkeypatch.setenv("PULUMI_CONFIG", json.dumps(config))
    monkeypatch.setenv("PULUMI_CONFIG_SECRET_KEYS", '["langfuse:secretEnvironment"]')
    settings, environment = read_stack({}, [])
    assert settings == load({"size": "dev"}), "other namespaces' keys are not Langfuse's"
    assert environment["ADMIN_API_KEY"] == ("y", True), "secret keys come by the same way"


def test_a_stack_without_secret_environment_has_an_empty_one() -> None:
    settings, environment = read_stack({"langfuse:size": "dev"}, [])
    assert (settings.size, environment) == ("dev", {}), "size is the only key that must be set"


@pytest.mark.parametrize("stores", [(), ("redis",), ("clickhouse", "postgres", "redis")])
def test_the_passwords_of_external_stores_arrive_as_secret_outputs_under_the_stores_names(
    stores: tuple[str, ...],
) -> None:
    keys = {f"langfuse:{key}": value for key, value in with_external(*stores).items()}
    config = {"langfuse:size": "dev", **keys}
    secret = [key for key in config if key.endswith("Password")]
    settings, passwords = read_stack(
        {key: as_pulumi_hands_it_over(value) for key, value in config.items()}, secret, passwords_of
    )
    assert passwords == {
        store: (value, True) for store in stores for value in PASSWORDS[store].values()
    }, "as they are, each at its store, and never in the state in the clear"
    assert settings == load({"size": "dev", **with_external(*stores)}), "and nowhere else"


def test_client_secrets_and_the_smtp_url_arrive_as_secret_outputs() -> None:
    url = "smtps://user:pass%40word@smtp.example.com:465"
    okta = {"clientId": "0oa1", "issuer": "https://example.okta.com"}
    keys = {
        "size": "dev",
        "auth": {"providers": {"okta": okta, "github": {"clientId": "Iv1"}}},
        "authSecrets": {"okta": "o", "github": "g"},
        "smtp": {"mode": "smtp", "from": "no-reply@example.com"},
        "smtpUrl": url,
    }
    config = {f"langfuse:{key}": as_pulumi_hands_it_over(value) for key, value in keys.items()}
    secret = ["langfuse:authSecrets", "langfuse:smtpUrl"]
    _, found = read_stack(config, secret, providers_of)
    assert list(found.items()) == [
        ("github", ("g", True)),
        ("okta", ("o", True)),
        ("smtp", (url, True)),
    ], "an output that is not marked as secret is stored in the state in the clear"
