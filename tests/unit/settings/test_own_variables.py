"""What a stack file may give the containers itself, and what reaches them.

Proves that unknown names are refused up to the releases that the table was read off, that each
class of variables is refused with its reason in both containers and as a secret, that what all must
share reaches all, and that a heap fits the task. It does not prove that the classes are right: that
is the table's business (test_variables.py).
"""

import json
from typing import Any, Final

import pytest

from langfuse_aws.components import environment
from langfuse_aws.contract import node_options
from langfuse_aws.contract.variables import known, table
from langfuse_aws.settings.loading import SettingsError, load
from langfuse_aws.settings.versions import LANGFUSE, LANGFUSE_3, version_of
from tests.releases import READ, later
from tests.unit.components.test_environment import CREDENTIALS, ENDPOINTS, EXTERNAL, environment_of

PROVEN: Final = (LANGFUSE_3, LANGFUSE)
LATER: Final = [
    found
    for release in READ.values()
    for found in (later(release, patch=1), later(release, minor=80))
]
EACH_RELEASE: Final = pytest.mark.parametrize("release", PROVEN)
EACH_SERVICE: Final = pytest.mark.parametrize("service", ["web", "worker"])


def problems(release: str = READ[4], /, **keys: Any) -> list[str]:
    try:
        load({"size": "dev", "release": release, **keys})
    except SettingsError as error:
        return error.problems
    return []


def own(service: str, **variables: str) -> dict[str, Any]:
    return {service: {"environment": variables}}


def secrets(**variables: str) -> dict[str, str]:
    return {"secretEnvironment": json.dumps(variables)}


# --- names


@pytest.mark.parametrize("release", ["3.125.0", READ[3], "4.0.0", READ[4]])
@EACH_SERVICE
def test_an_unknown_name_is_refused_up_to_the_release_that_the_table_was_read_off(
    service: str, release: str
) -> None:
    spelt_wrong = {"LANGFUSE_LOG_LEVL": "info"}
    fault = (
        f"Langfuse {release} reads no such variable; the nearest known one is LANGFUSE_LOG_LEVEL. "
        "Check its spelling and that this container reads it."
    )
    assert problems(release, **own(service, **spelt_wrong), **secrets(**spelt_wrong)) == [
        f"langfuse:secretEnvironment.LANGFUSE_LOG_LEVL: {fault}",
        f'langfuse:{service}.environment.LANGFUSE_LOG_LEVL: "info": {fault}',
    ], "Langfuse would ignore it without a word"


@pytest.mark.parametrize("release", LATER)
def test_a_name_that_a_later_release_may_have_passes(release: str) -> None:
    keys = {**own("web", LANGFUSE_NEW="x"), **secrets(LANGFUSE_NEWER="x")}
    assert problems(release, **keys) == [], "the table cannot say what does not exist there"


@pytest.mark.parametrize("release", LATER)
def test_a_later_release_does_not_open_what_is_refused(release: str) -> None:
    keys = own("web", LANGFUSE_USE_AZURE_BLOB="true", LANGFUSE_LOG_LEVEL="loud", REDIS_HOST="x")
    assert [line.split(":")[1] for line in problems(release, **keys)] == [
        "web.environment.LANGFUSE_USE_AZURE_BLOB",
        "web.environment.LANGFUSE_LOG_LEVEL",
        "web.environment.REDIS_HOST",
    ], "what the table knows holds on"


@pytest.mark.parametrize(
    ("name", "service", "three", "four"),
    [
        ("LANGFUSE_AWS_BEDROCK_MODEL", "worker", False, True),
        ("LANGFUSE_OBSERVATION_FIELD_OVERFLOW_ENABLED", "web", False, False),
        ("LANGFUSE_MAX_OBSERVATIONS_PER_TRACE", "web", False, True),
        ("LANGFUSE_QUEUE_METRICS_SAMPLE_RATE", "worker", True, False),
        ("no_proxy", "worker", False, True),
        ("OTEL_RESOURCE_ATTRIBUTES", "web", True, True),
    ],
)
def test_a_name_is_asked_of_the_release_and_of_the_container(
    name: str, service: str, three: bool, four: bool
) -> None:
    values = {"LANGFUSE_MAX_OBSERVATIONS_PER_TRACE": "1", "LANGFUSE_QUEUE_METRICS_SAMPLE_RATE": "1"}
    keys = own(service, **{name: values.get(name, "true")})
    assert [not problems(release, **keys) for release in READ.values()] == [three, four]


# --- what cannot be honoured

REFUSED: Final[dict[str, tuple[str, str]]] = {
    "NEXT_PUBLIC_BASE_PATH": ("/langfuse", "is decided when Langfuse's image is built"),
    "LANGFUSE_CSP_ENFORCE_HTTPS": ("true", "is decided when Langfuse's image is built"),
    "NEXT_PUBLIC_LANGFUSE_CLOUD_REGION": ("EU", "does something on Langfuse Cloud alone"),
    "STRIPE_SECRET_KEY": ("sk", "does something on Langfuse Cloud alone"),
    "LANGFUSE_USE_GOOGLE_CLOUD_STORAGE": ("true", "is for another storage than S3"),
    "LANGFUSE_GOOGLE_CLOUD_STORAGE_CREDENTIALS": ("{}", "is for another storage than S3"),
    "NODE_ENV": ("development", "is decided when Langfuse's image is built"),
    "SEED_SECRET_KEY": ("x", "is for the development and the tests of Langfuse"),
    "AWS_ACCESS_KEY_ID": ("AKIA", "is not supported: the task's role has the permissions"),
    "REDIS_CLUSTER_ENABLED": ("true", "is not supported: the Redis must not be in cluster mode"),
    "REDIS_SENTINEL_PASSWORD": ("x", "is not supported: the program connects to one host"),
    "REDIS_CONNECTION_STRING": ("redis://x", "is not supported: the program gives its parts"),
    "LANGFUSE_S3_EVENT_UPLOAD_ENDPOINT": ("http://minio:9000", "is not supported: the stack's"),
    "LANGFUSE_S3_MEDIA_UPLOAD_SSE": ("AES256", "is not supported: the bucket encrypts by itself"),
    "PORT": ("80", "is not supported: the load balancer and the health checks ask at the port"),
    "REDIS_HOST": ("elsewhere", "the program sets this itself. Remove it."),
}


@pytest.mark.parametrize("name", REFUSED)
@EACH_RELEASE
def test_what_cannot_be_honoured_is_refused_with_the_reason_wherever_it_is_set(
    release: str, name: str
) -> None:
    value, reason = REFUSED[name]
    places = [("web", own("web", **{name: value})), ("worker", own("worker", **{name: value}))]
    for place, keys in [*places, ("secret", secrets(**{name: value}))]:
        (line,) = problems(release, **keys)
        key = "secretEnvironment" if place == "secret" else f"{place}.environment"
        assert line.startswith(f"langfuse:{key}.{name}: "), "the key"
        assert f" {reason}" in line, f"in {place}, with the reason"
        assert line.endswith("Remove it."), "and the remedy"
        assert "stored in the clear" not in line, "to move it would be one more round"


@EACH_RELEASE
def test_every_variable_that_is_not_to_be_set_is_refused_with_its_own_reason(release: str) -> None:
    major = version_of(release)[0]
    closed = {row.name: row.refusal for row in table() if row.refusal and major in row.majors}
    told = problems(release, **own("web", **dict.fromkeys(closed, "x")))
    silent = [
        line for line, reason in zip(told, closed.values(), strict=True) if f"{reason}" not in line
    ]
    assert silent == [], "a refusal without its reason reads like a whim"


def test_a_switch_of_the_build_that_a_setting_has_is_sent_there() -> None:
    (line,) = problems(**own("web", NEXT_PUBLIC_SIGN_UP_DISABLED="true"))
    assert line.endswith("Use langfuse:auth.disableSignup. Remove it.")


# --- what all must share


@pytest.mark.parametrize("service", ["web", "worker"])
@EACH_RELEASE
def test_what_all_must_share_reaches_all_that_read_it_whoever_has_it(
    release: str, service: str
) -> None:
    values = {
        "REDIS_KEY_PREFIX": "acme",
        "LANGFUSE_INGESTION_QUEUE_SHARD_COUNT": "4",
        "LANGFUSE_OTEL_INGESTION_QUEUE_SHARD_COUNT": "2",
        "LANGFUSE_S3_EVENT_KEY_MAX_SEGMENT_BYTES": "255",
        "LANGFUSE_ENABLE_BLOB_STORAGE_FILE_LOG": "false",
        "LANGFUSE_INGESTION_MASKING_CALLBACK_URL": "https://mask.example.com",
        "REDIS_USERNAME": "acme",
        "CLICKHOUSE_DB": "default",
    }
    settings = load({"size": "dev", "release": release, **own(service, **values)})
    given = {
        "web": environment.web(settings, ENDPOINTS, CREDENTIALS),
        "worker": environment.worker(settings, ENDPOINTS, CREDENTIALS),
        "migration": environment.migration(settings, ENDPOINTS, CREDENTIALS),
    }
    for container, found in given.items():
        read = {name: value for name, value in values.items() if name in known(container, 4)}
        assert read.items() <= found.plain.items(), f"{container} would wait at other queues"
    assert {*given["migration"].plain} & {*values} == {"CLICKHOUSE_DB"}, "it reads no other"


@EACH_RELEASE
def test_every_shared_variable_reaches_both_services(release: str) -> None:
    major = version_of(release)[0]
    shared = [
        row.name
        for row in table()
        if row.use == "shared" and major in row.majors and {"web", "worker"} <= row.read_by
    ]
    assert len(shared) > 50, "among them the shard counts, the prefix and the whitelists"
    settings = load({"size": "dev", "release": release}).model_copy(
        update={
            "worker": load({"size": "dev"}).worker.model_copy(
                update={"environment": dict.fromkeys(shared, "x")}
            )
        }
    )
    web = environment_of("web", settings).plain
    assert [name for name in shared if web.get(name) != "x"] == [], "only the worker would have it"


def test_two_values_for_what_all_must_share_contradict_each_other() -> None:
    keys = {**own("web", REDIS_KEY_PREFIX="a"), **own("worker", REDIS_KEY_PREFIX="b")}
    assert problems(**keys) == [
        'langfuse:web.environment.REDIS_KEY_PREFIX: "a": web and worker must agree on this, and '
        'worker.environment has "b". Write it once: both get it, whichever has it.'
    ], "jobs would wait where nobody takes them"
    keys["worker"] = keys["web"]
    assert problems(**keys) == [], "the same value twice is no contradiction"


def test_two_secrets_in_the_clear_are_not_shown_in_a_contradiction() -> None:
    keys = {**own("web", SALT="hunter2"), **own("worker", SALT="hunter3")}
    told = problems(**keys)
    assert [line.split(": ")[1] for line in told] == [
        "looks like a secret, and this environment is stored in the clear. Put it into the secret "
        "key langfuse:secretEnvironment."
    ] * 2, "and nothing more"


def test_a_variable_of_the_move_to_version_4_is_sent_to_its_setting() -> None:
    name = "LANGFUSE_BACKGROUND_MIGRATION_V4_ENABLE_HISTORIC_BACKFILL"
    for release in (READ[3], READ[4]):
        (line,) = problems(release, **own("worker", **{name: "true"}))
        assert "Use langfuse:v4, which sets all that go together." in line


def test_what_a_section_sets_is_not_set_again() -> None:
    google = {"clientId": "g-1", "allowedDomains": ["example.com"]}
    sections: dict[str, Any] = {
        "auth": {"providers": {"google": google}, "enforceSsoDomains": ["example.com"]},
        "authSecrets": {"google": "g-2"},
        "smtp": {"mode": "ses", "from": "no-reply@example.com"},
    }
    cases = {
        "AUTH_GOOGLE_CLIENT_ID": "auth.providers.google",
        "AUTH_GOOGLE_CLIENT_SECRET": "auth.providers.google",
        "AUTH_DOMAINS_WITH_SSO_ENFORCEMENT": "auth.enforceSsoDomains",
        "EMAIL_FROM_ADDRESS": "smtp",
    }
    for name, section in cases.items():
        (found,) = problems(**sections, **own("web", **{name: "x"}))
        assert f"langfuse:{section} sets this" in found


def test_a_misspelt_name_is_not_sent_to_one_that_is_refused() -> None:
    (line,) = problems(**own("web", REDIS_CLUSTER_NODE="x"))
    assert "REDIS_CLUSTER_NODES" not in line, "it would take one more round"


def test_a_secret_that_is_not_known_yet_is_checked_by_its_name_alone() -> None:
    unknown = dict.fromkeys(["NODE_OPTIONS", "CLICKHOUSE_DB", "ENCRYPTION_KEY", "PORT"])
    assert [line.split(": ")[0] for line in problems(secretEnvironment=unknown)] == [
        "langfuse:secretEnvironment.PORT"
    ], "the value is an output of another resource"


def test_what_each_container_may_have_for_itself_stays_there() -> None:
    settings = load({"size": "dev", **own("worker", LANGFUSE_LOG_LEVEL="debug")})
    assert "LANGFUSE_LOG_LEVEL" not in environment_of("web", settings).plain


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("CLICKHOUSE_DB", "traces", "the stack's own servers, Grafana and the documented queries"),
        ("CLICKHOUSE_CLUSTER_NAME", "blue", "the migrations say ON CLUSTER default"),
    ],
)
@pytest.mark.parametrize("stack", [{}, EXTERNAL], ids=["own servers", "external"])
@EACH_RELEASE
def test_another_database_or_cluster_of_clickhouse_is_refused(
    release: str, stack: dict[str, Any], name: str, value: str, reason: str
) -> None:
    for keys in (
        own("web", **{name: value}),
        own("worker", **{name: value}),
        secrets(**{name: value}),
    ):
        (line,) = problems(release, **stack, **keys)
        assert f"{name}: " in line
        assert f"must be default: {reason}" in line, (
            "tables would be made in one, and read in another"
        )
    assert problems(release, **stack, **own("worker", **{name: "default"})) == [], "as it is anyway"


# --- values that Langfuse takes


@EACH_SERVICE
def test_further_flags_of_node_stand_beside_the_heap_of_the_task(service: str) -> None:
    settings = load({"size": "dev", **own(service, NODE_OPTIONS="--enable-source-maps")})
    memory = settings.web.memory if service == "web" else settings.worker.memory
    assert environment_of("web" if service == "web" else "worker", settings).plain[
        "NODE_OPTIONS"
    ] == (f"--max-old-space-size={memory * 3 // 4} --enable-source-maps"), (
        "a flag must not take the bound off the heap"
    )


def test_a_heap_of_ones_own_replaces_the_programs() -> None:
    flags = "--enable-source-maps --max-old-space-size=512"
    settings = load({"size": "dev", **own("web", NODE_OPTIONS=flags)})
    assert environment_of("web", settings).plain["NODE_OPTIONS"] == flags, "it has one heap"


@pytest.mark.parametrize(
    ("flags", "fault"),
    [
        ("--max-old-space-size=4096", "at most 1843 MiB: the task has 2048 MiB"),
        ("--max_old_space_size=2048", "at most 1843 MiB: the task has 2048 MiB"),
        ("--max-heap-size=99999 --trace-warnings", "at most 1843 MiB"),
        ("--max-old-space-size-percentage=100", "at most 1843 MiB"),
        ("--max-old-space-size=512 --max-old-space-size=4096", "at most 1843 MiB"),
        ("--max-old-space-size 512", "must give the heap as --max-old-space-size=MIB"),
        ("--max-old-space-size=2g", "must give the heap as --max-old-space-size=MIB"),
        ("--max-old-space-size=0", "must give the heap as --max-old-space-size=MIB"),
    ],
)
@EACH_SERVICE
def test_a_heap_that_does_not_fit_the_task_is_refused(service: str, flags: str, fault: str) -> None:
    size = {"cpu": 1024, "memory": 2048}
    keys = {service: {**size, "environment": {"NODE_OPTIONS": flags}}}
    (line,) = problems(**keys)
    assert line.startswith(f"langfuse:{service}.environment.NODE_OPTIONS: "), "where"
    assert fault in line, "ECS kills what takes more than the task's memory"
    assert f"langfuse:{service}.memory" in line, "the remedy"


def test_a_heap_in_the_secret_environment_has_to_fit_both_tasks() -> None:
    keys = {"web": {"cpu": 1024, "memory": 4096}, "worker": {"cpu": 1024, "memory": 2048}}
    (line,) = problems(**keys, **secrets(NODE_OPTIONS="--max-old-space-size=3000"))
    assert "the task has 2048 MiB" in line
    assert "langfuse:worker.memory" in line


@pytest.mark.parametrize(
    ("flags", "heaps"),
    [
        ("--max-old-space-size=1536", [1536]),
        ('"--max-old-space-size=1536"', [1536]),
        ("--max-old-space-size-percentage=50", [1024]),
        ("--max-semi-space-size=64 --expose-gc", []),
        ("--require ./max-old-space-size=9999.js", []),
    ],
)
def test_the_heap_is_found_among_the_flags(flags: str, heaps: list[float]) -> None:
    assert node_options.heaps_mib(flags, 2048) == heaps


@EACH_RELEASE
def test_values_that_langfuse_takes_are_accepted(release: str) -> None:
    web = {
        "NODE_OPTIONS": "--enable-source-maps --dns-result-order=ipv4first",
        "AUTH_SESSION_MAX_AGE": "1e3",
        "LANGFUSE_UI_SUPPORT_HREF": "HTTPS://example.com/help",
        "AUTH_OKTA_CHECKS": "pkce, state",
        "REDIS_SOCKET_TIMEOUT_MS": "3e4",
        "LANGFUSE_S3_MEDIA_MAX_CONTENT_LENGTH": "0x3B9ACA00",
    }
    keys = {**own("web", **web), **secrets(ENCRYPTION_KEY="ABCDEF01" * 8)}
    assert problems(release, **keys) == [], "zod coerces them"


def test_a_timeout_that_is_no_decimal_number_is_held_to_the_order_as_well() -> None:
    (line,) = problems(**own("web", LANGFUSE_FETCH_LLM_COMPLETION_TIMEOUT_MS="0x100000"))
    assert "must be less than 300000" in line, "1048576 ms"
