"""The table of variables, and what the rendered environment of every container makes of it.

Proves that the table knows the names of 3.225.4 and 4.16.0 with their readers, that every row is
classified with its reason and source, that values are judged as zod 4 judges them, and that each
container gets what it reads and no less than the others get. It does not prove that the rows agree
with Langfuse's sources: they were read off them, with the names counted.
"""

import csv
import re
from collections.abc import Iterator, Mapping
from itertools import product
from pathlib import Path
from typing import Any, Final, get_args

import pytest

from langfuse_aws.components import environment
from langfuse_aws.components.data_plane.bootstrap import first_start
from langfuse_aws.components.environment import Environment
from langfuse_aws.contract import variables
from langfuse_aws.contract.variables import (
    READ_OFF,
    REFUSALS,
    Container,
    Use,
    Variable,
    known,
    table,
)
from langfuse_aws.settings.loading import load
from langfuse_aws.settings.model import Settings
from langfuse_aws.settings.versions import LANGFUSE, LANGFUSE_3, LANGFUSE_MAJORS, version_of
from tests.unit.components.test_environment import CREDENTIALS, ENDPOINTS, VARIATIONS

ALL: Final[tuple[Container, ...]] = ("web", "worker", "migration")
EACH_MAJOR: Final = pytest.mark.parametrize("major", READ_OFF)

NEW_IN_4: Final[dict[str, str]] = {
    "AWS_PROFILE": "worker",
    "CLICKHOUSE_BILLING_METRICS_API_KEY": "web",
    "CLICKHOUSE_DISABLE_TOP_K_THROUGH_JOIN": "web worker",
    "LANGFUSE_CLOUD_BILLING_CHB_CUTOFF_DATE": "web worker",
    "LANGFUSE_CUSTOM_SSO_IMAGE_CLAIM": "web worker",
    "LANGFUSE_EVENT_PROPAGATION_MAX_INSERT_THREADS": "worker",
    "LANGFUSE_FEEDBACK_INTAKE_SLACK_WEBHOOK": "web",
    "LANGFUSE_FORCE_V3_EXPERIENCE": "web worker",
    "LANGFUSE_IN_APP_AGENT_DLQ_RETRY_INTERVAL_MS": "worker",
    "LANGFUSE_IN_APP_AGENT_ENABLED": "web worker",
    "LANGFUSE_IN_APP_AGENT_INTEGRITY_RUNNER_ENABLED": "worker",
    "LANGFUSE_IN_APP_AGENT_INTEGRITY_RUNNER_INTERVAL_MS": "worker",
    "LANGFUSE_IN_APP_AGENT_MAX_ACTIVE_RUNS_PER_ORG": "web",
    "LANGFUSE_IN_APP_AGENT_MAX_ACTIVE_RUNS_PER_USER": "web",
    "LANGFUSE_IN_APP_AGENT_RUN_QUEUE_PROCESSING_CONCURRENCY": "worker",
    "LANGFUSE_MIGRATION_V4_OTEL_DIRECT_WRITE_ORG_CREATED_CUTOFF": "worker",
    "LANGFUSE_MIXPANEL_TIMEOUT_MS": "worker",
    "LANGFUSE_OBSERVATION_FIELD_SIZE_LIMIT_BYTES": "worker",
    "LANGFUSE_POSTHOG_FLUSH_DELAY_MS": "worker",
    "LANGFUSE_UI_INSTANCE_LINKS": "web",
    "NEXT_PUBLIC_LANGFUSE_ANALYTICS_EXPORTER_CUTOFF": "web worker",
    "NEXT_PUBLIC_LANGFUSE_MARKDOWN_RENDER_CHARACTER_LIMIT": "web",
    "NEXT_PUBLIC_PREVIEW_DEMO_AUTO_SIGN_IN": "web",
    "NEXT_PUBLIC_PREVIEW_LAST_UPDATED": "web",
    "NEXT_PUBLIC_PREVIEW_PR_AUTHOR": "web",
    "NEXT_PUBLIC_PREVIEW_PR_URL": "web",
    "QUEUE_CONSUMER_IN_APP_AGENT_RUN_QUEUE_IS_ENABLED": "worker",
    "QUEUE_CONSUMER_V4_LEGACY_API_USAGE_QUEUE_IS_ENABLED": "worker",
    "VERCEL_URL": "web worker",
    "no_proxy": "web worker",
}

MOVED_IN_4: Final[dict[str, tuple[str, str]]] = {
    "LANGFUSE_AWS_BEDROCK_MODEL": ("web", "web worker"),
    "LANGFUSE_BACKGROUND_MIGRATION_V4_DROP_PID_TID_SORTING_TABLES": ("worker", "web worker"),
    "LANGFUSE_BACKGROUND_MIGRATION_V4_ENABLE_HISTORIC_BACKFILL": ("worker", "web worker"),
    "LANGFUSE_IN_APP_AGENT_AWS_PROFILE": ("web worker", "worker"),
    "LANGFUSE_IN_APP_AGENT_SANDBOX_AWS_LAMBDA_MICROVM_REGION": ("web", "worker"),
    "LANGFUSE_IN_APP_AGENT_SANDBOX_PROVIDER": ("web", "worker"),
    "LANGFUSE_OBSERVATION_FIELD_OVERFLOW_ENABLED": ("", "worker"),
    "LANGFUSE_S3_BATCH_EXPORT_BUCKET": ("worker", "web worker"),
    "LANGFUSE_S3_BATCH_EXPORT_ENABLED": ("worker", "worker"),
    "LANGFUSE_S3_BATCH_EXPORT_PREFIX": ("worker", "worker"),
    "LANGFUSE_S3_BATCH_EXPORT_REGION": ("worker", "web worker"),
    "LANGFUSE_S3_BATCH_EXPORT_SSE": ("worker", "worker"),
    "LANGFUSE_S3_BATCH_EXPORT_SSE_KMS_KEY_ID": ("worker", "worker"),
    "NEXT_PUBLIC_BASE_PATH": ("web worker", "web worker"),
}

# --- A10: who reads what


def readers(name: str, major: int) -> str:
    return " ".join(each for each in ALL if name in known(each, major))


def test_the_table_knows_what_langfuse_4_added_and_who_reads_it() -> None:
    assert {name: readers(name, 4) for name in NEW_IN_4} == NEW_IN_4, "its env.ts, env.mjs"
    in_three = {name: readers(name, 3) for name in NEW_IN_4 if readers(name, 3)}
    assert in_three == {"AWS_PROFILE": "web"}, "3 has none of the others"


def test_the_table_was_read_off_a_release_of_each_major_up_to_the_default() -> None:
    own = {version[0]: version for version in map(version_of, (LANGFUSE_3, LANGFUSE))}
    assert list(READ_OFF) == [*LANGFUSE_MAJORS] == list(own)
    assert all(READ_OFF[major] <= own[major] for major in own), (
        "an older default lacks names of the table, which it would be given"
    )


def test_the_table_knows_whose_reader_changed_with_langfuse_4() -> None:
    found = {name: (readers(name, 3), readers(name, 4)) for name in MOVED_IN_4}
    assert found == MOVED_IN_4, "a variable that is given to the other container is read by nothing"


@pytest.mark.parametrize(
    ("major", "counts"),
    [
        (3, {"web": 416, "worker": 342, "migration": 17}),
        (4, {"web": 437, "worker": 370, "migration": 17}),
    ],
)
def test_each_container_has_as_many_variables_as_its_schemas_and_entrypoints(
    major: int, counts: dict[str, int]
) -> None:
    assert {each: len(known(each, major)) for each in ALL} == counts, (
        "of 3, 397 names are in web's schemas and 333 in the worker's, of 4 419 and 361; the "
        "rest is read by entrypoints, Node.js, Next.js and libraries"
    )


# --- A2: the rendered environment of every container


def rendered(settings: Settings) -> dict[Container, Environment[str, str]]:
    first = None
    if settings.bootstrap is not None:
        first = first_start(settings.bootstrap, "langfuse", "pk", "arn:sk", "arn:password")
    return {
        "web": environment.web(settings, ENDPOINTS, CREDENTIALS),
        "worker": environment.worker(settings, ENDPOINTS, CREDENTIALS),
        "migration": environment.migration(settings, ENDPOINTS, CREDENTIALS, first),
    }


def starts_web(container: Container, settings: Settings) -> bool:
    return container == "migration" and settings.bootstrap is not None


MODES: Final[dict[str, dict[str, Any]]] = {
    "unset": {},
    "legacy": {"v4": {"writeMode": "legacy"}},
    "dual": {"v4": {"writeMode": "dual"}},
    "events_only": {"v4": {"writeMode": "events_only"}},
    "no backfill": {"v4": {"writeMode": "dual", "historicBackfill": False}},
}


def every() -> Iterator[tuple[str, Settings, dict[Container, Environment[str, str]]]]:
    """Each variation of the settings, and what the containers get."""
    for release, name, label in product((LANGFUSE_3, LANGFUSE), VARIATIONS, MODES):
        if not (MODES[label] and "v4" in VARIATIONS[name]):
            keys = {"size": "dev", "release": release, **VARIATIONS[name], **MODES[label]}
            settings = load(keys)
            yield f"{release} {name} {label}", settings, rendered(settings)


MEANT_FOR_ONE: Final[dict[str, str]] = {
    **dict.fromkeys(environment.NO_MIGRATIONS, "the migration's task is there to migrate"),
    **dict.fromkeys(
        ("CLICKHOUSE_MIGRATION_SSL", "CLICKHOUSE_MIGRATION_URL"), "web does not migrate"
    ),
    "ENABLE_AWS_CLOUDWATCH_METRIC_PUBLISHING": "a second publisher would double what is paid",
}


def test_every_container_gets_only_what_it_reads() -> None:
    for label, settings, containers in every():
        unread = {
            container: sorted(
                {*given.plain, *given.secret}
                - {*known(container, settings.major)}
                - ({*environment.NO_MIGRATIONS} if container == "worker" else set())
                # With bootstrap it starts web once, to make the first project.
                - ({*known("web", settings.major)} if starts_web(container, settings) else set())
            )
            for container, given in containers.items()
        }
        wanted = {each: list[str]() for each in ALL}
        assert unread == wanted, f"{label}: it would be read by nothing there"


def test_what_several_containers_read_all_of_them_get_with_one_value() -> None:
    for label, settings, containers in every():
        given = {name: {**each.plain, **each.secret} for name, each in containers.items()}
        names = {name for each in given.values() for name in each}
        values = {
            name: {
                container: given[container].get(name)
                for container in ALL
                if name in known(container, settings.major)
            }
            for name in names - {*MEANT_FOR_ONE, "NODE_OPTIONS"}
        }
        differing = {name: each for name, each in values.items() if len({*each.values()}) > 1}
        assert differing == {}, (
            f"{label}: one side would go by Langfuse's default, or by another value"
        )


# --- C2: what may be set


def rows() -> list[dict[str, str]]:
    with Path(variables.__file__).with_name("variables.csv").open(encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


def test_every_variable_is_classified_with_its_reason_and_source() -> None:
    uses = set(get_args(Use))
    lacking = [
        row["name"]
        for row in rows()
        if row["use"] not in uses
        or not row["source"]
        or bool(row["reason"]) != (row["use"] not in ("own", "shared", "program"))
    ]
    assert lacking == [], "a container that reads a variable need not let one set it"
    assert {row["use"] for row in rows()} == uses, "a class without a member is a leftover"
    assert uses - {"own", "shared", "fixed"} == set(REFUSALS), "each refusal has its words"


def test_what_is_shared_or_fixed_is_read_by_more_than_one() -> None:
    alone = [
        row.name
        for row in table()
        if 4 in row.majors and row.use in ("shared", "fixed") and len(row.read_by) < 2
    ]
    assert alone == [], "there is nobody to share it with"


def test_the_program_sets_what_it_says_that_it_sets_and_nothing_else_is_said_so() -> None:
    """Peer fault of this program: REDIS_CLUSTER_NODES, "the program sets this itself"."""
    stacks = [*VARIATIONS.values(), {"bootstrap": {"userEmail": "ops@example.com"}}]
    set_somewhere = {
        name
        for keys in stacks
        for release in (LANGFUSE_3, LANGFUSE)
        for given in rendered(load({"size": "dev", "release": release, **keys})).values()
        for name in (*given.plain, *given.secret)
    }
    said = {row.name for row in table() if row.use == "program"}
    assert said - set_somewhere == set(), "nothing sets it: it is not supported"


@pytest.mark.parametrize(
    ("name", "use"),
    [
        ("NEXT_PUBLIC_BASE_PATH", "build"),
        ("NEXT_PUBLIC_SIGN_UP_DISABLED", "build"),
        ("LANGFUSE_CSP_ENFORCE_HTTPS", "build"),
        ("NODE_ENV", "build"),
        ("NEXT_PUBLIC_LANGFUSE_CLOUD_REGION", "cloud"),
        ("STRIPE_SECRET_KEY", "cloud"),
        ("LANGFUSE_USE_AZURE_BLOB", "storage"),
        ("LANGFUSE_GOOGLE_CLOUD_STORAGE_CREDENTIALS", "storage"),
        ("SEED_SECRET_KEY", "development"),
        ("REDIS_CLUSTER_NODES", "unsupported"),
        ("REDIS_SENTINEL_ENABLED", "unsupported"),
        ("PORT", "unsupported"),
        ("REDIS_HOST", "program"),
        ("CLICKHOUSE_DB", "fixed"),
        ("REDIS_KEY_PREFIX", "shared"),
        ("LANGFUSE_INGESTION_QUEUE_SHARD_COUNT", "shared"),
        ("LANGFUSE_LOG_LEVEL", "own"),
    ],
)
def test_a_variable_has_the_class_that_langfuses_sources_give_it(name: str, use: str) -> None:
    assert {row.use for row in table() if row.name == name} == {use}


def test_all_that_next_js_inlines_is_refused() -> None:
    open_ones = {
        row.name for row in table() if row.name.startswith("NEXT_PUBLIC_") and row.refusal is None
    }
    assert open_ones == set(), "web/src/env.mjs: they are no run-time variables in Docker builds"


# --- values, as zod 4 judges them


def of(name: str, major: int = 4) -> Variable:
    return {**known("web", major), **known("worker", major)}[name]


JUDGED: Final[Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "ENCRYPTION_KEY": (("a" * 64, "A" * 64, "aB0" * 21 + "f"), ("g" * 64, "a" * 63, "a" * 65)),
    "SALT": (("x",), ("",)),
    "LANGFUSE_INGESTION_QUEUE_SHARD_COUNT": (
        ("4", " 4 ", "4.0", "0x10", "0b11", "0o7", "1e1", "+4", "5."),
        ("0", "-1", "four", "1_000", "Infinity", "NaN", "1e999", "0x", "-0x10"),
    ),
    "AUTH_SESSION_MAX_AGE": (("6", "6.0", "1e3"), ("5", "6.5", "1e16")),
    "REDIS_SOCKET_TIMEOUT_MS": (("0", "10000", "30000.0", "1e4"), ("9999", "1", "-1", "10000.5")),
    "LANGFUSE_UI_SUPPORT_HREF": (
        ("https://example.com/help me", " https://example.com ", "HTTPS://EXAMPLE.COM", "http:a.b"),
        ("example.com", "https://", "https://a b/", "/help"),
    ),
    "AUTH_OKTA_CHECKS": (("pkce,state", "pkce, state", "nonce", "none"), ("pkse", "pkce,", "")),
    "AUTH_OKTA_ID_TOKEN_SIGNED_RESPONSE_ALG": (("RS256", "HS512"), ("rs256", "none")),
    "AUTH_AUTHENTIK_ISSUER": (
        ("https://sso.example.com/application/o/langfuse", "https://a/application/o/b/"),
        ("https://sso.example.com", "http://a/application/o/b", "https://a/application/o/b/c"),
    ),
    "LANGFUSE_ALLOWED_ORGANIZATION_CREATORS": (
        ("a@example.com", "a@example.com,b.c+d@x.example.com"),
        ("a@example.com, b@example.com", "a@example", "a", "a..b@example.com", "a@example.com,"),
    ),
    "LANGFUSE_SKIP_INGESTION_CLICKHOUSE_READ_MIN_PROJECT_CREATE_DATE": (
        ("2025-01-01", "2024-02-29"),
        ("2025-02-29", "2025-13-01", "20250101", "2025-1-1", "2025-W01-1"),
    ),
    "NODE_OPTIONS": (
        (
            "--max-old-space-size=1024",
            "--enable-source-maps --max-old-space-size=1024",
            "--require /app/x.js",
            "--max_old_space_size=1024",
        ),
        ("1024", "max-old-space-size=1024", ""),
    ),
    "KEEP_ALIVE_TIMEOUT": (("360000",), ("0", "1e6", "0x10", "360000.5")),
    "NEXTAUTH_COOKIE_NAME_SUFFIX": (("pr-1",), (".pr", "")),
}


@EACH_MAJOR
@pytest.mark.parametrize("name", JUDGED)
def test_a_value_is_judged_as_langfuse_judges_it(name: str, major: int) -> None:
    accepted, refused = JUDGED[name]
    fault = of(name, major).problem
    assert [each for each in accepted if fault(each)] == [], "zod 4.3.6, or whoever parses it"
    assert [each for each in refused if not fault(each)] == []


def test_every_constraint_can_be_understood() -> None:
    bounds = re.compile(r"((>=|<=|>)\d+(\.\d+)?( |$))*(or \d+)?")
    wrong = [
        row.name
        for row in table()
        if (row.kind in ("integer", "number") and not bounds.fullmatch(row.constraint))
        or bool(row.constraint) < (row.kind in ("pattern", "one of", "list of"))
    ]
    assert wrong == [], "a bound that is not read is no bound"
