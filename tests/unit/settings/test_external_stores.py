"""Stores that exist already: the program makes nothing of them but a secret, in any combination."""

import itertools
import json
from functools import cache
from typing import Any

import pytest

from langfuse_aws.offline.mocks import Registration
from tests.unit.components.test_environment import DATABASE_ARGS
from tests.unit.stack_graph import Graph, build, shipped

SECRET = "aws:secretsmanager/secret:Secret"
VERSION = "aws:secretsmanager/secretVersion:SecretVersion"
INVOCATION = "aws:lambda/invocation:Invocation"
VAULT = "aws:backup/vault:Vault"
PLAN = "aws:backup/plan:Plan"
CONTAINERS = ["web", "worker", "migration"]

EXTERNAL: dict[str, dict[str, Any]] = {
    "clickhouse": {
        "mode": "external",
        "url": "https://abc.clickhouse.cloud:8443",
        "migrationUrl": "clickhouse://abc.clickhouse.cloud:9440",
        "user": "reader",
    },
    "postgres": {
        "mode": "external",
        "host": "db.example.com",
        "port": 5433,
        "user": "owner",
        "database": "traces",
    },
    "redis": {"mode": "external", "host": "cache.example.com", "port": 6380, "tls": False},
}
PORTS = {"clickhouse": {8123, 9000}, "postgres": {5432}, "redis": {6379}}
KEYS = {"clickhouse": "password", "postgres": "password", "redis": "token"}
VARIABLES = {
    "clickhouse": "CLICKHOUSE_PASSWORD",
    "postgres": "DATABASE_PASSWORD",
    "redis": "REDIS_AUTH",
}
COMPONENTS = {"clickhouse": "ClickHouse", "postgres": "Postgres", "redis": "Redis"}
NONE: frozenset[str] = frozenset()
COMBINATIONS = [
    frozenset(chosen)
    for count in range(1, len(EXTERNAL) + 1)
    for chosen in itertools.combinations(EXTERNAL, count)
]
"""All but NONE."""
each_combination = pytest.mark.parametrize(
    "external", COMBINATIONS, ids=lambda stores: "+".join(sorted(stores))
)


def password(store: str) -> str:
    return f"the-{store}-password"


@cache
def stack(external: frozenset[str]) -> Graph:
    """A protected stack with copies in a second region and external stores; without, `dev`."""
    if not external:
        return shipped("dev")
    config: dict[str, Any] = {
        "size": "dev",
        "deletionProtection": True,
        "backups": {"copyRegion": "eu-west-1"},
    }
    for store in sorted(external):
        config |= {store: EXTERNAL[store], f"{store}Password": password(store)}
    return build("dev", config)


def of_store(graph: Graph, store: str) -> dict[tuple[str, str], Registration]:
    """What is named after a store."""
    name = f"langfuse-dev-{store}"
    return {
        (each.type, each.name): each
        for each in graph.registrations
        if each.name == name or each.name.startswith(f"{name}-")
    }


def with_all_external() -> Graph:
    return stack(frozenset(EXTERNAL))


@each_combination
def test_nothing_is_made_of_an_external_store_but_a_secret_with_its_password(
    external: frozenset[str],
) -> None:
    graph = stack(external)
    for store, component in COMPONENTS.items():
        name = f"langfuse-dev-{store}"
        if store in external:
            assert set(of_store(graph, store)) == {
                (f"langfuse:index:{component}", name),
                ("langfuse:index:StoredSecret", f"{name}-credentials"),
                (SECRET, f"{name}-credentials"),
                (VERSION, f"{name}-credentials"),
            }
        else:
            assert set(of_store(graph, store)) == set(of_store(stack(NONE), store)), (
                "what one store is made of does not depend on where the others are"
            )


@each_combination
def test_what_belongs_to_no_store_is_the_same_wherever_they_are(external: frozenset[str]) -> None:
    def rest(graph: Graph) -> set[tuple[str, str]]:
        stores = {key for store in EXTERNAL for key in of_store(graph, store)}
        ways = {key for key in graph.urns if any(f"-to-{store}" in key[1] for store in EXTERNAL)}
        snapshots = {key for key in graph.urns if "langfuse-dev-backups" in key[1]}
        return set(graph.urns) - stores - ways - snapshots

    assert rest(stack(external)) == rest(stack(NONE))


@each_combination
def test_no_rule_opens_anything_for_an_external_store(external: frozenset[str]) -> None:
    found = stack(external).open_ports()
    opened = {store for store, ports in PORTS.items() if ports & {port for _, _, port in found}}
    assert opened == set(EXTERNAL) - external
    for port in [port for store in opened for port in PORTS[store]]:
        here = {each for each in found if each[2] == port}
        assert here == {each for each in stack(NONE).open_ports() if each[2] == port}


@each_combination
def test_containers_get_the_password_by_reference_only(external: frozenset[str]) -> None:
    graph = stack(external)
    for store in external:
        name = f"langfuse-dev-{store}-credentials"
        version = graph.one(VERSION, name)
        assert json.loads(version.inputs["secretString"]) == {KEYS[store]: password(store)}
        assert version.secrets == {"secretString"}, "it would be in the state in the clear"
        reference = f"{graph.one(SECRET, name).id}:{KEYS[store]}::"
        for container in CONTAINERS:
            if (container, store) != ("migration", "redis"):
                assert graph.secrets(container)[VARIABLES[store]] == reference, container
        for each in graph.registrations:
            if each.type != VERSION:
                assert password(store) not in json.dumps(each.inputs), each.name


@each_combination
def test_a_password_that_is_given_can_change_or_go_and_a_generated_one_stays(
    external: frozenset[str],
) -> None:
    graph = stack(external)
    for store in EXTERNAL:
        name = f"langfuse-dev-{store}-credentials"
        secret = graph.options_of(graph.one(SECRET, name))
        assert secret.protect is (store not in external), store
        assert not graph.options_of(graph.one(VERSION, name)).protect


@each_combination
def test_snapshots_are_taken_of_what_the_stack_has(external: frozenset[str]) -> None:
    graph = stack(external)
    plans = {
        f"langfuse-dev-backups-{label}"
        for label, store in (("volumes", "clickhouse"), ("database", "postgres"))
        if store not in external
    }
    assert {each.name for each in graph.of_type(PLAN)} == plans
    assert bool(graph.of_type(VAULT)) is bool(plans), "nobody needs an empty vault"


@each_combination
def test_every_store_is_where_the_settings_say(external: frozenset[str]) -> None:
    for store, container in itertools.product(EXTERNAL, CONTAINERS):
        expected = stack(frozenset(EXTERNAL) if store in external else NONE)
        found = about(store, stack(external), container)
        assert found == about(store, expected, container), (store, container)


def about(store: str, graph: Graph, container: str) -> dict[str, str]:
    """What a container is told about a store."""
    prefix = {"clickhouse": "CLICKHOUSE_", "postgres": "DATABASE_", "redis": "REDIS_"}[store]
    plain = graph.environment(container)
    return {name: plain[name] for name in plain if name.startswith(prefix)}


def test_containers_get_the_hosts_and_users_of_external_stores() -> None:
    graph = with_all_external()
    for container in ("web", "worker"):
        plain = graph.environment(container)
        told = {**about("postgres", graph, container), **about("redis", graph, container)}
        assert told == {
            "DATABASE_ARGS": DATABASE_ARGS,
            "DATABASE_HOST": "db.example.com:5433",
            "DATABASE_NAME": "traces",
            "DATABASE_USERNAME": "owner",
            "REDIS_HOST": "cache.example.com",
            "REDIS_PORT": "6380",
            "REDIS_TLS_ENABLED": "false",
        }, container
        assert plain["CLICKHOUSE_URL"] == "https://abc.clickhouse.cloud:8443"
        assert plain["CLICKHOUSE_USER"] == "reader"
        assert "CLICKHOUSE_MAX_BYTES_BEFORE_EXTERNAL_GROUP_BY" not in plain, "its memory is unknown"


def test_the_migration_reaches_external_databases_by_tls() -> None:
    assert with_all_external().environment("migration") == {
        "CLICKHOUSE_CLUSTER_ENABLED": "false",
        "CLICKHOUSE_MIGRATION_SSL": "true",
        "CLICKHOUSE_MIGRATION_URL": "clickhouse://abc.clickhouse.cloud:9440",
        "CLICKHOUSE_URL": "https://abc.clickhouse.cloud:8443",
        "CLICKHOUSE_USER": "reader",
        "DATABASE_ARGS": DATABASE_ARGS,
        "DATABASE_HOST": "db.example.com:5433",
        "DATABASE_NAME": "traces",
        "DATABASE_USERNAME": "owner",
    }


def test_another_external_database_is_migrated_again() -> None:
    assert with_all_external().one(INVOCATION).inputs["triggers"] == {
        "clickhouse": "https://abc.clickhouse.cloud:8443",
        "postgres": "db.example.com:5433",
    }


@pytest.mark.parametrize("store", EXTERNAL)
def test_the_way_out_to_an_external_store_is_open(store: str) -> None:
    graph = stack(frozenset({store}))
    token = "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"
    for container in CONTAINERS:
        way = graph.one(token, f"langfuse-dev-{container}-egress").inputs
        assert (way["cidrIpv4"], way["ipProtocol"]) == ("0.0.0.0/0", "-1")
