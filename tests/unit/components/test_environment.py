"""What Langfuse's containers get, held against the table of what they validate at start.

Proves, for Langfuse 3.225.4 and 4.16.0 and for web and worker: every variable exists in the table
for that container, every value in the clear holds its constraint, nothing that validation requires
is missing, and that the faults found in other people's stacks are not made here. It does not prove
that the table itself agrees with Langfuse's sources, that the rules of Langfuse's worker are still
what they were, that the secrets' values are right (only their names are seen here), or that the
task definitions carry all this: that is the graph's business.
"""

import itertools
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final, Literal, get_args

import pytest

from langfuse_aws.components import environment
from langfuse_aws.components.data_plane.data_plane import ENCRYPTION_KEY_BYTES
from langfuse_aws.components.environment import Credentials, Endpoints, Environment
from langfuse_aws.contract import ports_and_health, start_and_stop
from langfuse_aws.contract.timeouts import LOAD_BALANCER_IDLE_SECONDS
from langfuse_aws.contract.variables import Kind, Variable, known, table
from langfuse_aws.settings.capacity import FARGATE_MEMORY_MIB
from langfuse_aws.settings.external_stores import ExternalClickHouse
from langfuse_aws.settings.loading import load
from langfuse_aws.settings.model import Settings
from langfuse_aws.settings.versions import LANGFUSE, LANGFUSE_3
from tests.releases import READ, later

DATABASE_ARGS: Final = "sslmode=require&connection_limit=10&connect_timeout=5&pool_timeout=10"

RELEASES: Final = (LANGFUSE_3, LANGFUSE)
Container = Literal["web", "worker"]
CONTAINERS: Final[tuple[Container, ...]] = ("web", "worker")
BOTH: Final = pytest.mark.parametrize("container", CONTAINERS)
EACH_RELEASE: Final = pytest.mark.parametrize("release", RELEASES)

ENDPOINTS: Final = Endpoints[str](
    url="https://langfuse.example.com",
    region="us-east-1",
    database_host="langfuse-dev.cluster-abc.us-east-1.rds.amazonaws.com",
    database_owner="langfuse",
    database_user="langfuse",
    database_name="langfuse",
    redis_host="master.langfuse-dev.abc.use1.cache.amazonaws.com",
    redis_port=6379,
    redis_tls=True,
    clickhouse_url="http://clickhouse.langfuse-dev.internal:8123",
    clickhouse_migration_url="clickhouse://clickhouse.langfuse-dev.internal:9000",
    clickhouse_user="langfuse",
    bucket="langfuse-dev-storage-1a2b3c4",
)

CREDENTIALS: Final = Credentials[str](
    database_password="arn:database:password::",
    redis_password="arn:redis:password::",
    clickhouse_password="arn:clickhouse:password::",
    salt="arn:keys:SALT::",
    encryption_key="arn:keys:ENCRYPTION_KEY::",
    nextauth_secret="arn:keys:NEXTAUTH_SECRET::",
    environment={},
)

# What zod has no default for, and what Langfuse's code fails without.
REQUIRED_BY_BOTH: Final = frozenset(
    {
        "CLICKHOUSE_PASSWORD",
        "CLICKHOUSE_URL",
        "CLICKHOUSE_USER",
        "DATABASE_HOST",
        "DATABASE_NAME",
        "DATABASE_PASSWORD",
        "DATABASE_USERNAME",
        "ENCRYPTION_KEY",
        "LANGFUSE_S3_EVENT_UPLOAD_BUCKET",
        "NEXTAUTH_URL",
        "REDIS_AUTH",
        "REDIS_HOST",
        "SALT",
    }
)
REQUIRED: Final[dict[Container, frozenset[str]]] = {
    "web": REQUIRED_BY_BOTH | {"NEXTAUTH_SECRET"},
    "worker": REQUIRED_BY_BOTH,
}

# Everything that may only arrive by reference.
SECRET: Final = REQUIRED_BY_BOTH & {
    "CLICKHOUSE_PASSWORD",
    "DATABASE_PASSWORD",
    "ENCRYPTION_KEY",
    "REDIS_AUTH",
    "SALT",
} | {"NEXTAUTH_SECRET"}

EXTERNAL: Final[dict[str, Any]] = {
    "clickhouse": {
        "mode": "external",
        "url": "https://abc.clickhouse.cloud:8443",
        "migrationUrl": "clickhouse://abc.clickhouse.cloud:9440",
    },
    "clickhousePassword": "x",
    "postgres": {"mode": "external", "host": "db.example.com"},
    "postgresPassword": "x",
    "redis": {"mode": "external", "host": "redis.example.com", "tls": False},
    "redisPassword": "x",
}
THREE_SERVERS: Final[dict[str, Any]] = {"network": {"zones": 3}, "clickhouse": {"replicas": 3}}

GOOGLE: Final[dict[str, Any]] = {"google": {"clientId": "abc", "allowedDomains": ["example.com"]}}
CLOSED: Final[dict[str, Any]] = {
    "auth": {
        "disableSignup": True,
        "disablePassword": True,
        "existingAccounts": True,
        "providers": GOOGLE,
    },
    "authSecrets": '{"google": "x"}',
}

# Settings that change what the containers get.
VARIATIONS: Final[dict[str, dict[str, Any]]] = {
    "dev": {"size": "dev"},
    "prod": {"size": "prod", "domain": "langfuse.example.com"},
    "closed": {"size": "dev", **CLOSED},
    "forgetful": {"size": "dev", "storage": {"eventsRetentionDays": 30, "kms": True}},
    "external": EXTERNAL,
    "three servers": THREE_SERVERS,
    "dual": {"v4": {"writeMode": "dual"}},
    "cpu": {"worker": {"scaleOn": "cpu"}},
    "mailing": {"smtp": {"mode": "ses", "from": "no-reply@example.com"}},
}


def settings_of(release: str = LANGFUSE, /, **keys: Any) -> Settings:
    return load({"size": "dev", "release": release, **keys})


def environment_of(
    container: Container, settings: Settings, credentials: Credentials[str] = CREDENTIALS
) -> Environment[str, str]:
    make = environment.web if container == "web" else environment.worker
    return make(settings, ENDPOINTS, credentials)


def plain(container: Container, release: str = LANGFUSE, /, **keys: Any) -> dict[str, str]:
    return dict(environment_of(container, settings_of(release, **keys)).plain)


def names(given: Environment[str, str]) -> list[str]:
    return sorted([*given.plain, *given.secret])


def variations(container: Container) -> Iterator[tuple[str, int, Environment[str, str]]]:
    """What it gets of each release in each variation, with the release's major."""
    for release, variation in itertools.product(RELEASES, VARIATIONS):
        settings = settings_of(release, **VARIATIONS[variation])
        yield f"{release} {variation}", settings.major, environment_of(container, settings)


# --- the contract


@BOTH
def test_every_variable_of_a_container_is_one_that_it_reads(container: Container) -> None:
    """Peer fault: ENCRIPTION_KEY misspelt, so that the worker had no key (tubone24 ecs.tf:177)."""
    for label, major, given in variations(container):
        variables = {*known(container, major), *environment.NO_MIGRATIONS}
        unknown = [name for name in names(given) if name not in variables]
        assert unknown == [], f"{label}: Langfuse would ignore them without a word"


@BOTH
def test_every_value_in_the_clear_holds_the_constraint_of_its_variable(
    container: Container,
) -> None:
    for label, major, given in variations(container):
        of_web = known("web", major)
        variables = known(container, major) | {
            name: of_web[name] for name in environment.NO_MIGRATIONS
        }
        faults = {
            name: fault
            for name, value in given.plain.items()
            if (fault := variables[name].problem(value))
        }
        assert faults == {}, f"{label}: Langfuse would refuse to start"


@BOTH
def test_nothing_that_validation_requires_is_missing(container: Container) -> None:
    for label, _, given in variations(container):
        empty = {name for name, value in {**given.plain, **given.secret}.items() if not value}
        missing = REQUIRED[container] - set(names(given)) | empty
        assert sorted(missing) == [], f"{label}: Langfuse would not start"


@EACH_RELEASE
@BOTH
def test_every_required_variable_is_in_the_table(container: Container, release: str) -> None:
    major = int(release.split(".")[0])
    assert sorted(REQUIRED[container] - set(known(container, major))) == [], (
        "this test's list or the table is misspelt"
    )


@EACH_RELEASE
@BOTH
def test_every_endpoint_arrives_under_the_name_langfuse_reads(
    container: Container, release: str
) -> None:
    found = plain(container, release)
    expected = {
        "AWS_REGION": ENDPOINTS.region,
        "CLICKHOUSE_URL": ENDPOINTS.clickhouse_url,
        "CLICKHOUSE_USER": ENDPOINTS.clickhouse_user,
        "DATABASE_HOST": ENDPOINTS.database_host,
        "DATABASE_NAME": ENDPOINTS.database_name,
        "DATABASE_USERNAME": ENDPOINTS.database_user,
        "LANGFUSE_S3_EVENT_UPLOAD_BUCKET": ENDPOINTS.bucket,
        "LANGFUSE_S3_MEDIA_UPLOAD_BUCKET": ENDPOINTS.bucket,
        "NEXTAUTH_URL": ENDPOINTS.url,
        "REDIS_HOST": ENDPOINTS.redis_host,
        "REDIS_PORT": "6379",
    }
    assert {name: found.get(name) for name in expected} == expected, (
        "two endpoints swapped would still satisfy every constraint"
    )


@EACH_RELEASE
def test_only_web_gets_what_sign_in_needs(release: str) -> None:
    web = environment_of("web", settings_of(release))
    worker = environment_of("worker", settings_of(release))
    assert web.secret["NEXTAUTH_SECRET"] == CREDENTIALS.nextauth_secret, "web signs sessions"
    assert "NEXTAUTH_SECRET" not in names(worker), "a secret that is not needed is not given"


@EACH_RELEASE
def test_services_do_not_migrate_and_the_migration_can(release: str) -> None:
    settings = settings_of(release, web={"environment": {"CLICKHOUSE_DB": "default"}})
    for container in CONTAINERS:
        plain = environment_of(container, settings).plain
        assert "CLICKHOUSE_MIGRATION_URL" not in plain
        assert plain["LANGFUSE_AUTO_POSTGRES_MIGRATION_DISABLED"] == "true"
        assert plain["LANGFUSE_AUTO_CLICKHOUSE_MIGRATION_DISABLED"] == "true", container
    found = environment.migration(settings, ENDPOINTS, CREDENTIALS)
    assert not [name for name in found.plain if name.endswith("_DISABLED")]
    assert dict(found.plain) == {
        "CLICKHOUSE_CLUSTER_ENABLED": "false",
        "CLICKHOUSE_DB": "default",
        "CLICKHOUSE_MIGRATION_URL": ENDPOINTS.clickhouse_migration_url,
        "CLICKHOUSE_URL": ENDPOINTS.clickhouse_url,
        "CLICKHOUSE_USER": ENDPOINTS.clickhouse_user,
        "DATABASE_ARGS": DATABASE_ARGS.replace("&", "&sslaccept=strict&", 1),
        "DATABASE_HOST": ENDPOINTS.database_host,
        "DATABASE_NAME": ENDPOINTS.database_name,
        "DATABASE_USERNAME": ENDPOINTS.database_user,
    }
    assert dict(found.secret) == {
        "CLICKHOUSE_PASSWORD": CREDENTIALS.clickhouse_password,
        "DATABASE_PASSWORD": CREDENTIALS.database_password,
    }


@pytest.mark.parametrize("variation", VARIATIONS)
@EACH_RELEASE
def test_every_variable_of_the_migration_is_one_of_webs_and_holds_its_constraint(
    release: str, variation: str
) -> None:
    settings = settings_of(release, **VARIATIONS[variation])
    found = environment.migration(settings, ENDPOINTS, CREDENTIALS)
    variables = known("web", settings.major)
    assert set(names(found)) <= set(variables), "it is web's image that reads them"
    faults = {name: variables[name].problem(value) for name, value in found.plain.items()}
    assert {name: fault for name, fault in faults.items() if fault} == {}, "or no service starts"
    services = environment_of("web", settings)
    assert {name for name, value in found.plain.items() if services.plain.get(name) != value} <= {
        "CLICKHOUSE_MIGRATION_URL",
        "CLICKHOUSE_MIGRATION_SSL",
    }, "what is migrated is what web and worker use"
    assert found.secret.items() <= services.secret.items(), "with the same passwords"


@EACH_RELEASE
def test_a_migration_speaks_tls_to_an_external_clickhouse_and_to_no_other(release: str) -> None:
    ssl = {
        name: environment.migration(settings_of(release, **keys), ENDPOINTS, CREDENTIALS).plain.get(
            "CLICKHOUSE_MIGRATION_SSL"
        )
        for name, keys in VARIATIONS.items()
    }
    assert ssl == {**dict.fromkeys(VARIATIONS), "external": "true"}, (
        "the native protocol has no scheme that says so; our own servers have no certificate"
    )


@pytest.mark.parametrize("host", ["abc.clickhouse.cloud", "10.0.0.7", "clickhouse"])
@EACH_RELEASE
def test_the_urls_of_an_external_clickhouse_are_ones_that_langfuse_takes(
    release: str, host: str
) -> None:
    urls = {"url": f"https://{host}:8443/", "migrationUrl": f"clickhouse://{host}:9440"}
    keys = {**EXTERNAL, "clickhouse": {"mode": "external", **urls}}
    clickhouse = settings_of(release, **keys).clickhouse
    assert isinstance(clickhouse, ExternalClickHouse), "mode is external"
    variables = known("web", int(release.split(".")[0]))
    assert variables["CLICKHOUSE_URL"].problem(clickhouse.url) is None, "what settings accept"
    assert variables["CLICKHOUSE_MIGRATION_URL"].problem(clickhouse.migration_url) is None, (
        "as well"
    )


@EACH_RELEASE
def test_only_what_the_migrations_read_of_the_own_variables_reaches_them(release: str) -> None:
    own = {
        "CLICKHOUSE_DB": "default",
        "CLICKHOUSE_CLUSTER_NAME": "default",
        "LANGFUSE_LOG_LEVEL": "info",
    }
    settings = settings_of(release, worker={"environment": own})
    bare = environment.migration(settings_of(release), ENDPOINTS, CREDENTIALS)
    found = environment.migration(settings, ENDPOINTS, CREDENTIALS)
    assert found.plain == {
        **bare.plain,
        "CLICKHOUSE_DB": "default",
        "CLICKHOUSE_CLUSTER_NAME": "default",
    }, "another log level must not migrate again"
    assert found.secret == bare.secret, "and no secret comes along"


@EACH_RELEASE
def test_a_database_that_is_named_in_a_secret_is_the_one_that_is_migrated(release: str) -> None:
    own = replace(CREDENTIALS, environment=own_secrets("CLICKHOUSE_DB", "LANGFUSE_EE_LICENSE_KEY"))
    settings = settings_of(release, web={"environment": {"CLICKHOUSE_DB": "default"}})
    bare = environment.migration(settings_of(release), ENDPOINTS, CREDENTIALS)
    found = environment.migration(settings, ENDPOINTS, own)
    assert found.secret == {**bare.secret, **own_secrets("CLICKHOUSE_DB")}, "web has it so, too"
    assert found.plain == bare.plain, "ECS refuses a name that is in both"


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("disableSignup", "AUTH_DISABLE_SIGNUP"),
        ("disablePassword", "AUTH_DISABLE_USERNAME_PASSWORD"),
    ],
)
@pytest.mark.parametrize(("switch", "word"), [(True, "true"), (False, "false")])
def test_sign_in_switches_reach_web_in_langfuses_own_words(
    key: str, name: str, switch: bool, word: str
) -> None:
    """Peer fault: booleans written as `True`, which Langfuse does not take for `true`."""
    keys = {**CLOSED, "auth": {"providers": GOOGLE, "existingAccounts": True, key: switch}}
    assert plain("web", **keys)[name] == word, "the key and its variable say the same"


@EACH_RELEASE
@BOTH
def test_no_value_is_a_python_boolean_written_out(container: Container, release: str) -> None:
    """Peer fault: booleans written as `True`."""
    found = plain(container, release, **VARIATIONS["closed"])
    assert [name for name, value in found.items() if value in ("True", "False", "None")] == [], (
        "zod compares with the words `true` and `false`"
    )


# --- faults of others


@EACH_RELEASE
def test_the_worker_has_the_encryption_key_under_its_right_name(release: str) -> None:
    """Peer fault: ENCRIPTION_KEY misspelt, so that the worker had no key (tubone24 ecs.tf:177)."""
    secret = environment_of("worker", settings_of(release)).secret
    assert secret.get("ENCRYPTION_KEY") == CREDENTIALS.encryption_key, (
        "a worker without it cannot decrypt the keys of model providers"
    )


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("name", ["SALT", "ENCRYPTION_KEY"])
def test_web_and_worker_share_their_salt_and_encryption_key(name: str, release: str) -> None:
    """Peer fault: SALT and ENCRYPTION_KEY differing between web and worker."""
    settings = settings_of(release)
    web = environment_of("web", settings).secret[name]
    worker = environment_of("worker", settings).secret[name]
    assert web == worker == f"arn:keys:{name}::", (
        "what one of them encrypts or hashes, the other has to recognise"
    )


@EACH_RELEASE
def test_web_and_worker_agree_on_all_that_both_get(release: str) -> None:
    """Peer fault: SALT and ENCRYPTION_KEY, or endpoints, differing between web and worker."""
    settings = settings_of(release, web={"memory": 4096})
    web, worker = environment_of("web", settings), environment_of("worker", settings)
    differing = {
        name
        for name in {*web.plain, *web.secret} & {*worker.plain, *worker.secret}
        if (web.plain.get(name), web.secret.get(name))
        != (worker.plain.get(name), worker.secret.get(name))
    }
    assert differing == {"NODE_OPTIONS"}, "only the heap follows from the container's own size"


@pytest.mark.parametrize("cpu", FARGATE_MEMORY_MIB)
@BOTH
def test_the_heap_is_three_quarters_of_the_containers_own_memory(
    container: Container, cpu: int
) -> None:
    """Peer fault: a heap as large as the container, which is killed instead (ecs.tf:237-238)."""
    other: Container = "worker" if container == "web" else "web"
    for memory in FARGATE_MEMORY_MIB[cpu]:
        sizes = {container: {"cpu": cpu, "memory": memory}, other: {"cpu": 1024, "memory": 8192}}
        assert plain(container, **sizes)["NODE_OPTIONS"] == (
            f"--max-old-space-size={memory * 3 // 4}"
        ), f"of {memory} MiB, buffers and native code need the other quarter"


@EACH_RELEASE
@BOTH
def test_passwords_and_keys_arrive_by_reference_and_never_in_the_clear(
    container: Container, release: str
) -> None:
    """Peer fault: passwords in plain environment (app_runner.tf:21-37, SAM template :1026)."""
    given = environment_of(container, settings_of(release))
    assert set(given.secret) == SECRET & REQUIRED[container], "these, and no others"
    assert SECRET & set(given.plain) == set(), "a task definition can be read by many"
    references = set(given.secret.values())
    assert [name for name, value in given.plain.items() if value in references] == [], (
        "a reference in the clear would be taken for the password itself"
    )


@EACH_RELEASE
@BOTH
def test_no_connection_string_carries_a_password(container: Container, release: str) -> None:
    """Peer fault: passwords in plain environment, as a part of DATABASE_URL."""
    found = plain(container, release)
    composed = {"DATABASE_URL", "DIRECT_URL", "REDIS_CONNECTION_STRING", "REDIS_CLUSTER_NODES"}
    assert composed & set(found) == set(), "they would hold the password; the parts do not"
    with_user = [name for name, value in found.items() if re.search(r"://[^/]*@", value)]
    assert with_user == [], "a URL's userinfo is a password in the clear"


@EACH_RELEASE
@BOTH
def test_every_use_of_the_bucket_has_its_region_and_a_prefix_of_its_own(
    container: Container, release: str
) -> None:
    """Peer fault: no region for media and batch exports (terraform-aws-langfuse-ecs main.tf)."""
    found = plain(container, release)
    s3 = {name: value for name, value in found.items() if name.startswith("LANGFUSE_S3_")}
    prefixes = {"EVENT_UPLOAD": "events/", "MEDIA_UPLOAD": "media/"}
    if container == "worker":
        prefixes["BATCH_EXPORT"] = "exports/"
    expected = {
        f"LANGFUSE_S3_{use}_{what}": value
        for use, prefix in prefixes.items()
        for what, value in (
            ("BUCKET", ENDPOINTS.bucket),
            ("PREFIX", prefix),
            ("REGION", ENDPOINTS.region),
        )
    }
    if container == "worker":
        expected["LANGFUSE_S3_BATCH_EXPORT_ENABLED"] = "true"
    elif release == LANGFUSE:  # its web signs links of exports again, and knows their whole keys
        expected["LANGFUSE_S3_BATCH_EXPORT_BUCKET"] = ENDPOINTS.bucket
        expected["LANGFUSE_S3_BATCH_EXPORT_REGION"] = ENDPOINTS.region
    assert s3 == expected, (
        "without a region the SDK signs for `auto`; with one prefix the lifecycle rule for events "
        "would delete media; nothing else about S3 is Langfuse's to know"
    )


@pytest.mark.parametrize("kms", [True, False])
@EACH_RELEASE
@BOTH
def test_langfuse_is_told_nothing_about_encryption_at_rest(
    container: Container, release: str, kms: bool
) -> None:
    """Peer fault: LANGFUSE_S3_MEDIA_UPLOAD_SSE set, which breaks presigned uploads."""
    given = environment_of(container, settings_of(release, storage={"kms": kms}))
    assert [name for name in names(given) if "_SSE" in name] == [], (
        "the header would become part of the signature, and browsers do not send it; the bucket's "
        "own default encrypts"
    )


@EACH_RELEASE
@BOTH
def test_there_are_no_static_s3_keys(container: Container, release: str) -> None:
    """Peer fault: static S3 keys instead of the task's role."""
    given = environment_of(container, settings_of(release))
    keys = [name for name in names(given) if re.search("ACCESS_KEY|SECRET_KEY|AWS_PROFILE", name)]
    assert keys == [], "the SDK takes the task's role, whose keys change every few hours"


@pytest.mark.parametrize(("tls", "word"), [(True, "true"), (False, "false")])
@EACH_RELEASE
@BOTH
def test_redis_is_spoken_to_over_tls_if_it_speaks_tls(
    container: Container, release: str, tls: bool, word: str
) -> None:
    """Peer fault: REDIS without the TLS flag, so that the client hangs on an encrypted port."""
    make = environment.web if container == "web" else environment.worker
    endpoints = replace(ENDPOINTS, redis_tls=tls)
    found = make(settings_of(release), endpoints, CREDENTIALS).plain
    assert found.get("REDIS_TLS_ENABLED") == word, "ElastiCache does; an external one may not"
    assert "REDIS_TLS_REJECT_UNAUTHORIZED" not in found, "and its certificate is a public one"


@EACH_RELEASE
@BOTH
def test_postgres_is_spoken_to_over_tls_with_a_bounded_pool(
    container: Container, release: str
) -> None:
    arguments = plain(container, release)["DATABASE_ARGS"].split("&")
    assert arguments == [
        "sslmode=require",
        "sslaccept=strict",
        "connection_limit=10",
        "connect_timeout=5",
        "pool_timeout=10",
    ], "RDS forces TLS, and a micro instance has about 80 connections for all tasks"


def database_arguments(found: Environment[str, str]) -> dict[str, str]:
    pairs = (each.split("=") for each in found.plain["DATABASE_ARGS"].split("&"))
    return {name: value for name, value in pairs if not name.startswith("ssl")}


def test_pool_and_patience_are_those_of_the_stack_file_and_a_pause_is_waited_out() -> None:
    """Prisma's pool_timeout bounds the whole of a check-out, the connection's start included.

    https://github.com/prisma/prisma-engines/blob/main/quaint/src/pooled.rs (check_out)
    """
    aurora = {"mode": "auroraServerless", "minAcu": 0, "maxAcu": 4}
    cases: list[tuple[Mapping[str, Any], tuple[str, str, str]]] = [
        ({"mode": "instance"}, ("10", "5", "10")),
        ({"mode": "instance", "connectionLimit": 4}, ("4", "5", "10")),
        ({"mode": "instance", "connectTimeoutSeconds": 20}, ("10", "20", "25")),
        ({**aurora, "minAcu": 0.5}, ("10", "5", "10")),
        (aurora, ("10", "60", "65")),
        ({**aurora, "connectTimeoutSeconds": 30, "connectionLimit": 25}, ("25", "30", "35")),
    ]
    for postgres, (limit, connect, pool) in cases:
        patience = {"connect_timeout": connect, "pool_timeout": pool}
        settings = settings_of(LANGFUSE, postgres=postgres)
        for container in CONTAINERS:
            found = database_arguments(environment_of(container, settings))
            assert found == {**patience, "connection_limit": limit}, (postgres, container)
        migration = database_arguments(environment.migration(settings, ENDPOINTS, CREDENTIALS))
        assert migration == {**patience, "connection_limit": "10"}, (
            "another pool is no reason to migrate again"
        )


@EACH_RELEASE
@BOTH
def test_the_server_listens_on_all_addresses(container: Container, release: str) -> None:
    """Peer fault: HOSTNAME not 0.0.0.0, so that the health check at 127.0.0.1 fails."""
    assert plain(container, release)["HOSTNAME"] == "0.0.0.0", (  # noqa: S104
        "ECS sets HOSTNAME to the task's name, and Next.js binds to what it finds there"
    )


@EACH_RELEASE
def test_web_keeps_connections_longer_than_the_load_balancer(release: str) -> None:
    """Peer fault: KEEP_ALIVE_TIMEOUT not above the balancer's 60 s, which makes HTTP 502."""
    milliseconds = int(plain("web", release)["KEEP_ALIVE_TIMEOUT"])
    assert milliseconds >= 1000 * (LOAD_BALANCER_IDLE_SECONDS + 5), (
        "in milliseconds; the side that opened the connection has to be the one that closes it"
    )


@pytest.mark.parametrize(
    ("keys", "word"),
    [
        ({}, "false"),
        (THREE_SERVERS, "true"),
        (EXTERNAL, "false"),
        ({**EXTERNAL, "clickhouse": {**EXTERNAL["clickhouse"], "cluster": True}}, "true"),
    ],
    ids=["one", "three", "external", "external cluster"],
)
@EACH_RELEASE
def test_a_single_clickhouse_server_is_not_taken_for_a_cluster_nor_a_cluster_for_one(
    release: str, keys: dict[str, Any], word: str
) -> None:
    """Fargate fault: CLICKHOUSE_CLUSTER_ENABLED left at true for a single node."""
    settings = settings_of(release, **keys)
    migration = environment.migration(settings, ENDPOINTS, CREDENTIALS)
    containers = [environment_of(container, settings) for container in CONTAINERS]
    assert [each.plain["CLICKHOUSE_CLUSTER_ENABLED"] for each in (migration, *containers)] == (
        [word] * 3
    ), "the default, true, makes replicated tables, which need a Keeper; all three must agree"


@pytest.mark.parametrize(
    ("instance_type", "spill"),
    [("t4g.medium", 2**30), ("t4g.large", 2 * 2**30), ("r7g.large", 4 * 2**30)],
)
@EACH_RELEASE
@BOTH
def test_a_group_by_spills_to_disk_at_a_quarter_of_clickhouses_memory(
    container: Container, release: str, instance_type: str, spill: int
) -> None:
    found = plain(container, release, clickhouse={"instanceType": instance_type})
    assert found["CLICKHOUSE_MAX_BYTES_BEFORE_EXTERNAL_GROUP_BY"] == str(spill), (
        "Langfuse's default is 32 GB, so the server would be killed instead of spilling"
    )


@EACH_RELEASE
@BOTH
def test_when_an_external_clickhouse_spills_is_its_owners_business(
    container: Container, release: str
) -> None:
    assert "CLICKHOUSE_MAX_BYTES_BEFORE_EXTERNAL_GROUP_BY" not in plain(
        container, release, **EXTERNAL
    ), "nobody here knows its memory"


@pytest.mark.parametrize(("days", "value"), [(None, None), (30, "false")])
@BOTH
def test_the_log_of_stored_files_is_off_once_files_expire_by_themselves(
    container: Container, days: int | None, value: str | None
) -> None:
    found = plain(container, storage={"eventsRetentionDays": days})
    assert found.get("LANGFUSE_ENABLE_BLOB_STORAGE_FILE_LOG") == value, (
        "Langfuse would look for files that the lifecycle rule has deleted"
    )


READ_SKIP: Final = "LANGFUSE_SKIP_INGESTION_CLICKHOUSE_READ_MIN_PROJECT_CREATE_DATE"


@pytest.mark.parametrize(("days", "value"), [(None, "2025-01-01"), (30, None)])
@EACH_RELEASE
def test_the_worker_reads_what_it_updates_once_files_expire_by_themselves(
    release: str, days: int | None, value: str | None
) -> None:
    """It merges an update with what S3 has of the entity, and with ClickHouse's row unless told."""
    found = plain("worker", release, storage={"eventsRetentionDays": days})
    assert found.get(READ_SKIP) == value, (
        "an update after the first file has expired would replace the row by its own few fields"
    )


# --- the tables of Langfuse 4

WRITE_MODE: Final = "LANGFUSE_MIGRATION_V4_WRITE_MODE"
PREVIEW: Final = "LANGFUSE_MIGRATION_V4_ALLOW_PREVIEW_OPT_IN"
OTEL: Final = "LANGFUSE_MIGRATION_V4_NATIVE_OTEL_BEHAVIOUR"
BACKFILL: Final = "LANGFUSE_BACKGROUND_MIGRATION_V4_ENABLE_HISTORIC_BACKFILL"
OF_WEB: Final = {3: {WRITE_MODE, PREVIEW}, 4: {WRITE_MODE, PREVIEW, BACKFILL}}
OF_WORKER: Final = {WRITE_MODE, PREVIEW, OTEL, BACKFILL}

# By Langfuse 3 alone, when nothing is set (worker/src/env.ts of 3.225.4).
UNSET: Final = {WRITE_MODE: "legacy", OTEL: "dual_write", PREVIEW: "false", BACKFILL: "false"}


def contradictions(found: dict[str, str]) -> list[str]:
    """Why Langfuse 4.16.0's worker refuses to start (worker/src/env.ts, validateV4Flags)."""
    mode, otel, preview = found[WRITE_MODE], found[OTEL], found[PREVIEW]
    rules = {
        "legacy does not read what direct writes": mode == "legacy" and otel == "direct",
        "events_only does not write twice": mode == "events_only" and otel == "dual_write",
        "web reads old tables": mode == "events_only" and preview != "true",
    }
    return [rule for rule, broken in rules.items() if broken]


@pytest.mark.parametrize("backfill", [None, True, False])
@pytest.mark.parametrize("mode", [None, "legacy", "dual", "events_only"])
@EACH_RELEASE
def test_the_variables_of_the_write_mode_never_contradict_each_other(
    release: str, mode: str | None, backfill: bool | None
) -> None:
    given = {"writeMode": mode, "historicBackfill": backfill}
    settings = settings_of(
        release, v4={key: each for key, each in given.items() if each is not None}
    )
    web, worker = (dict(environment_of(each, settings).plain) for each in CONTAINERS)
    untouched = settings.major == 3 and mode is None and backfill is None
    of_web = OF_WEB[settings.major]
    assert OF_WORKER & set(web) == (set() if untouched else of_web), "all that web reads, or none"
    assert OF_WORKER & set(worker) == (set() if untouched else OF_WORKER), "all four, or none"
    assert {name: web.get(name) for name in of_web} == {name: worker.get(name) for name in of_web}
    assert set(known("web", settings.major)) >= of_web, "web reads them"
    assert set(known("worker", settings.major)) >= OF_WORKER, "the worker reads them"
    effective = {name: worker.get(name, value) for name, value in UNSET.items()}
    assert contradictions(effective) == [], "the worker would not start"
    expected = mode or {3: "legacy", 4: "events_only"}[settings.major]
    assert effective[WRITE_MODE] == expected, "the mode that was asked for, or Langfuse's own"
    filled = expected != "legacy" if backfill is None else backfill
    assert effective[BACKFILL] == ("true" if filled else "false"), "as asked for, or as Langfuse 4"


@pytest.mark.parametrize(
    ("found", "broken"),
    [
        ({}, 0),
        ({OTEL: "direct"}, 1),
        ({WRITE_MODE: "events_only"}, 2),
        ({WRITE_MODE: "events_only", OTEL: "direct"}, 1),
        ({WRITE_MODE: "events_only", OTEL: "direct", PREVIEW: "true"}, 0),
        ({WRITE_MODE: "dual", OTEL: "direct"}, 0),
    ],
)
def test_this_files_copy_of_the_workers_rules_finds_contradictions(
    found: dict[str, str], broken: int
) -> None:
    assert len(contradictions({**UNSET, **found})) == broken, (
        "a rule that finds nothing proves none"
    )


def settable() -> set[str]:
    return {row.name for row in table() if row.refusal is None}


def test_what_is_decided_together_cannot_be_set_alone() -> None:
    merge_dimensions = {*environment.NO_MIGRATIONS, *OF_WORKER, "CLICKHOUSE_MIGRATION_SSL"}
    assert merge_dimensions & settable() == set(), "an own variable would win over the program's"


# --- what the stack file adds


@BOTH
def test_an_own_variable_wins_over_the_programs(container: Container) -> None:
    own = {
        container: {"environment": {"LANGFUSE_LOG_FORMAT": "text", "LANGFUSE_LOG_LEVEL": "info"}}
    }
    found = plain(container, **own)
    assert (found["LANGFUSE_LOG_FORMAT"], found["LANGFUSE_LOG_LEVEL"]) == ("text", "info"), (
        "the user's word is the last one, where it is allowed at all"
    )


def test_an_own_variable_of_one_container_does_not_reach_the_other() -> None:
    web = plain("web", worker={"environment": {"LANGFUSE_LOG_LEVEL": "info"}})
    assert "LANGFUSE_LOG_LEVEL" not in web, "web.environment and worker.environment are two keys"


def own_secrets(*names: str) -> dict[str, str]:
    """A secret environment: each variable as a reference to a secret of its own."""
    return {name: f"arn:own:{name}::" for name in names}


@EACH_RELEASE
@BOTH
def test_a_secret_variable_reaches_both_containers_by_reference_only(
    container: Container, release: str
) -> None:
    own = own_secrets(
        "LANGFUSE_EE_LICENSE_KEY", "LANGFUSE_LOG_FORMAT", "LANGFUSE_LOG_LEVEL", "REDIS_KEY_PREFIX"
    )
    in_the_clear = {container: {"environment": {"LANGFUSE_LOG_LEVEL": "info"}}}
    settings = settings_of(release, **in_the_clear)
    bare = environment_of(container, settings)
    given = environment_of(container, settings, replace(CREDENTIALS, environment=own))
    assert given.secret == {**bare.secret, **own}, "beside the program's own, which stay"
    assert given.plain == {name: each for name, each in bare.plain.items() if name not in own}, (
        "ECS refuses a name that is in both, the program's as well as the user's"
    )


@pytest.mark.parametrize(
    ("release", "web", "worker"),
    [
        (
            LANGFUSE_3,
            {"ADMIN_API_KEY", "AUTH_GOOGLE_CLIENT_SECRET", "SMTP_CONNECTION_URL"},
            {
                "BATCH_EXPORT_PAGE_SIZE",
                "LANGFUSE_QUEUE_METRICS_SAMPLE_RATE",
                "LANGFUSE_S3_BATCH_EXPORT_ENABLED",
                "SMTP_CONNECTION_URL",
            },
        ),
        (
            later(READ[4], minor=1),
            {
                "ADMIN_API_KEY",
                "AUTH_GOOGLE_CLIENT_SECRET",
                "LANGFUSE_NEW_IN_A_LATER_ONE",
                "SMTP_CONNECTION_URL",
            },
            {
                "BATCH_EXPORT_PAGE_SIZE",
                "LANGFUSE_NEW_IN_A_LATER_ONE",
                "LANGFUSE_S3_BATCH_EXPORT_ENABLED",
                "SMTP_CONNECTION_URL",
            },
        ),
    ],
)
def test_each_container_gets_only_the_secret_variables_that_it_reads(
    release: str, web: set[str], worker: set[str]
) -> None:
    credentials = replace(CREDENTIALS, environment=own_secrets(*web, *worker))
    settings = settings_of(release)
    got = {
        container: set(environment_of(container, settings, credentials).secret)
        - set(environment_of(container, settings).secret)
        for container in CONTAINERS
    }
    assert got == {"web": web, "worker": worker}, (
        "the worker has no use for what signs in; what neither's table has is for both to judge"
    )


def test_a_secret_variable_of_web_alone_takes_nothing_in_the_clear_from_the_worker() -> None:
    own = replace(CREDENTIALS, environment=own_secrets("KEEP_ALIVE_TIMEOUT", "NODE_OPTIONS"))
    bare, given = (environment_of("worker", settings_of(), each) for each in (CREDENTIALS, own))
    assert "KEEP_ALIVE_TIMEOUT" in environment_of("web", settings_of(), own).secret, "web reads it"
    assert given.secret == {**bare.secret, **own_secrets("NODE_OPTIONS")}, "the worker does not"
    assert set(bare.plain) - set(given.plain) == {"NODE_OPTIONS"}, "only what it now has as secret"


@EACH_RELEASE
@BOTH
def test_no_own_variable_can_replace_one_that_holds_an_endpoint_or_a_credential(
    container: Container, release: str
) -> None:
    endpoints = {str(value) for value in vars(ENDPOINTS).values()}
    given = environment_of(container, settings_of(release))
    own_keys = {"SALT", "ENCRYPTION_KEY", "NEXTAUTH_SECRET"}
    wired = {name for name, value in given.plain.items() if value in endpoints} | set(given.secret)
    assert wired >= REQUIRED[container], "this test finds at least what validation requires"
    assert wired & settable() == own_keys & wired, (
        "a stack file could point the container at something else than what the stack made; an "
        "installation that moves here brings keys of its own"
    )


# --- facts about the images


@pytest.mark.parametrize(
    ("port", "path"),
    [
        (ports_and_health.WEB_PORT, ports_and_health.WEB_HEALTH_PATH),
        (ports_and_health.WORKER_PORT, ports_and_health.WORKER_HEALTH_PATH),
    ],
)
def test_a_health_check_uses_what_the_image_has(port: int, path: str) -> None:
    assert ports_and_health.health_command(port, path) == [
        "CMD-SHELL",
        f"wget -q -O /dev/null http://127.0.0.1:{port}{path} || exit 1",
    ], "there is no curl, and `localhost` may be ::1, where nothing listens"


def test_web_and_worker_answer_where_langfuse_documents_it() -> None:
    web = (ports_and_health.WEB_PORT, ports_and_health.WEB_HEALTH_PATH)
    worker = (ports_and_health.WORKER_PORT, ports_and_health.WORKER_HEALTH_PATH)
    assert web == (3000, "/api/public/health")
    assert worker == (3030, "/api/health")


def test_web_drains_before_fargate_kills_it() -> None:
    assert start_and_stop.WEB_DRAIN_SECONDS < start_and_stop.STOP_TIMEOUT_SECONDS <= 120, (
        "120 s is Fargate's most; web goes on serving for 110 s after SIGTERM"
    )


@EACH_RELEASE
def test_the_encryption_key_that_is_generated_has_the_length_langfuse_validates(
    release: str,
) -> None:
    variable = known("worker", int(release.split(".")[0]))["ENCRYPTION_KEY"]
    generated = bytes(range(ENCRYPTION_KEY_BYTES)).hex()
    assert variable.problem(generated) is None, "64 hexadecimal digits, as the message below says"
    assert variable.problem(generated[:-1]) == "must be 64 hexadecimal digits", "and not one fewer"


# --- the table


def test_the_table_is_sorted_and_says_one_thing_of_a_variable() -> None:
    rows = table()
    assert [row.name for row in rows] == sorted(row.name for row in rows), "for readable diffs"
    claims = [
        (row.name, container, major)
        for row in rows
        for container in row.read_by
        for major in row.majors
    ]
    doubled = [claim for claim, count in Counter(claims).items() if count > 1]
    assert doubled == [], "of two rows the last one would win, silently"


def test_every_row_of_the_table_is_well_formed() -> None:
    kinds = set(get_args(Kind))
    wrong: list[str] = []
    for row in table():
        well_formed = (
            re.fullmatch(r"[A-Z][A-Z0-9_]*|no_proxy", row.name)
            and row.kind in kinds
            and row.read_by
            and row.read_by <= {"web", "worker", "migration"}
            and row.majors
            and row.majors <= {3, 4}
        )
        if row.kind == "pattern":
            re.compile(row.constraint)
        if not well_formed:
            wrong.append(row.name)
    assert wrong == [], "a row that cannot be understood accepts everything"
    assert len(table()) == 607, "a row that got lost makes a variable unknown"


@pytest.mark.parametrize(
    ("name", "container", "major", "there"),
    [
        ("NEXTAUTH_SECRET", "web", 3, True),
        ("NEXTAUTH_SECRET", "worker", 3, False),
        ("LANGFUSE_S3_BATCH_EXPORT_BUCKET", "web", 3, False),
        ("LANGFUSE_S3_BATCH_EXPORT_BUCKET", "web", 4, True),
        ("LANGFUSE_S3_BATCH_EXPORT_BUCKET", "worker", 3, True),
        ("LANGFUSE_S3_BATCH_EXPORT_BUCKET", "worker", 4, True),
        ("LANGFUSE_QUEUE_METRICS_SAMPLE_RATE", "worker", 3, True),
        ("LANGFUSE_QUEUE_METRICS_SAMPLE_RATE", "worker", 4, False),
    ],
)
def test_the_table_is_asked_per_container_and_major(
    name: str, container: Container, major: int, there: bool
) -> None:
    assert (name in known(container, major)) is there, "neither may be ignored"


def variable(kind: Kind, constraint: str = "") -> Variable:
    return Variable("NAME", frozenset({"web"}), kind, constraint, frozenset({3}))


@pytest.mark.parametrize(
    ("kind", "constraint", "value", "fault"),
    [
        ("string", "", "", None),
        ("bool", "", "true", None),
        ("bool", "", "false", None),
        ("bool", "", "True", "must be the word true or false"),
        ("bool", "", "1", "must be the word true or false"),
        ("bool", "", "", "must be the word true or false"),
        ("url", "", "https://langfuse.example.com", None),
        ("url", "", "http://localhost:3000/path", None),
        ("url", "", "langfuse.example.com", "must be a URL with a scheme"),
        ("url", "", "https://", "must be a URL with a scheme"),
        ("url", "", "mailto:ops@example.com", None),
        ("url", "", "//langfuse.example.com", "must be a URL with a scheme"),
        ("url", "", "http://[bad", "must be a URL with a scheme"),
        ("url", "", "https:///", "must be a URL with a scheme"),
        ("url", "", "http://host:port", "must be a URL with a scheme"),
        ("url", "", "http://host:65536", "must be a URL with a scheme"),
        ("url", "", "http://a host", "must be a URL with a scheme"),
        ("one of", "text json", "json", None),
        ("one of", "text json", "text json", "must be one of text, json"),
        ("one of", "text json", "JSON", "must be one of text, json"),
        ("pattern", "[0-9a-f]{4}", "00ff", None),
        ("pattern", "[0-9a-f]{4}", "00ff0", "has another form than Langfuse takes"),
        ("pattern", "[0-9a-f]{4}", "00ff\n", "has another form than Langfuse takes"),
        ("integer", "", "-3", None),
        ("integer", ">0", "1", None),
        ("integer", ">0", "0", "must be >0"),
        ("integer", ">0", "1.5", "must be an integer"),
        ("integer", ">=64 <=2048", "64", None),
        ("integer", ">=64 <=2048", "2048", None),
        ("integer", ">=64 <=2048", "63", "must be >=64 <=2048"),
        ("integer", ">=64 <=2048", "2049", "must be >=64 <=2048"),
        ("number", ">=0 <=1", "0.25", None),
        ("number", ">=0 <=1", "1.01", "must be >=0 <=1"),
        ("number", "", "many", "must be a number"),
        ("number", "", "-0.5", None),
        ("number", ">0", "nan", "must be a number"),
        ("number", "", "nan", "must be a number"),
        ("number", ">0", "inf", "must be a number"),
        ("number", "", "1_000.5", "must be a number"),
        ("number", "", "٣", "must be a number"),
        ("integer", ">0", "1_000", "must be an integer"),
        ("integer", ">0", "٣", "must be an integer"),
        ("number", "", "1e6", None),
        ("number", "", ".5", None),
        ("integer", ">0", "1e3", None),
        ("integer", ">0", "5.0", None),
    ],
)
def test_a_value_is_held_to_the_constraint_of_its_row(
    kind: Kind, constraint: str, value: str, fault: str | None
) -> None:
    assert variable(kind, constraint).problem(value) == fault, (
        f"{kind} {constraint} has to judge {json.dumps(value)} as zod does"
    )
