"""What a stack is at each step of a rotation: who connects as whom, with which secret.

Without the section nothing is other than it was, which tests/unit/golden holds. That one step
becomes the next, and what is left, is tried with the engine in tests/engine/test_rotation.py; that
no client is refused, with real servers in tests/queues/test_rotation.py.
"""

import json
import re
from typing import Any, Final

import pytest

from langfuse_aws.components.data_plane.data_plane import superseded_passwords
from langfuse_aws.components.protection.snapshots import ROTATION_USER, USER
from langfuse_aws.settings.loading import SettingsError, load_without_secrets
from tests.unit.components.test_app_runner import APP_RUNNER
from tests.unit.settings.test_external_stores import EXTERNAL
from tests.unit.stack_graph import Graph, build, build_locked

PASSWORD: Final = "random:index/randomPassword:RandomPassword"
VERSION: Final = "aws:secretsmanager/secretVersion:SecretVersion"
CACHE: Final = "aws:elasticache/replicationGroup:ReplicationGroup"
READERS: Final = {
    "DATABASE_PASSWORD": ["web", "worker", "migration"],
    "REDIS_AUTH": ["web", "worker", "queue-probe"],
    "NEXTAUTH_SECRET": ["web", "migration"],
}
STEPS: Final[list[dict[str, Any]]] = [
    {},
    {
        "databaseStep": "begun",
        "redisVersion": 2,
        "redisStep": "begun",
        "nextauthVersion": 2,
        "nextauthStep": "begun",
    },
    {
        "databaseVersion": 2,
        "databaseStep": "ending",
        "redisVersion": 2,
        "redisStep": "ending",
        "nextauthVersion": 2,
    },
    {"databaseVersion": 3, "redisVersion": 3, "nextauthVersion": 3},
]


def graph(step: int, size: str = "prod") -> Graph:
    mail = {"bootstrap": {"userEmail": "you@example.com"}, "domain": "langfuse.example.com"}
    return build(size, {"size": size, **mail, "rotation": STEPS[step]})


@pytest.mark.parametrize("step", range(1, len(STEPS)))
def test_a_later_password_is_as_long_as_the_first_and_of_letters_and_digits(step: int) -> None:
    first = {each.name: each.inputs for each in graph(0).of_type(PASSWORD)}
    later = [each for each in graph(step).of_type(PASSWORD) if each.name not in first]
    assert len(later) >= 2
    for each in later:
        assert each.inputs == first[each.name.rpartition("-")[0]], each.name
    for name in first:
        versions = [
            each.name
            for each in graph(step).of_type(PASSWORD)
            if re.fullmatch(rf"{name}(-\d)?", each.name)
        ]
        assert len(versions) <= 2, "the one in use, and the one before"


def stored(found: Graph, secret: str) -> dict[str, str]:
    """The values of a secret, each by the name of the password that it is."""
    text = found.one(VERSION, secret).inputs["secretString"]
    values = json.loads(text if isinstance(text, str) else text["value"])
    names = {each.outputs["result"]: each.name for each in found.of_type(PASSWORD)}
    return {key: names[value] for key, value in values.items() if value in names}


def read(found: Graph, variable: str) -> set[str]:
    """The keys that a variable's containers read; all of one secret."""
    references = {found.secrets(container)[variable] for container in READERS[variable]}
    assert len({each.rsplit(":", 3)[0] for each in references}) == 1
    return {each.rsplit(":", 3)[1] for each in references}


@pytest.mark.parametrize(
    ("step", "user", "number", "values"),
    [
        (0, USER, "", {"": ""}),
        (1, ROTATION_USER, "", {"": ""}),
        (2, USER, "2", {"": "", "_2": "-2"}),
        (3, USER, "3", {"_2": "-2", "_3": "-3"}),
    ],
)
def test_the_owner_alone_migrates_and_a_secret_keeps_the_password_before(
    step: int, user: str, number: str, values: dict[str, str]
) -> None:
    found = graph(step)
    name = "langfuse-prod-postgres-password"
    assert found.environment("web")["DATABASE_USERNAME"] == user
    assert found.environment("worker")["DATABASE_USERNAME"] == user
    assert found.environment("migration")["DATABASE_USERNAME"] == USER
    assert stored(found, "langfuse-prod-postgres-credentials") == {
        f"password{key}": f"{name}{suffix}" for key, suffix in values.items()
    }
    assert read(found, "DATABASE_PASSWORD") == {f"password_{number}" if number else "password"}
    (cluster,) = found.of_type("aws:rds/cluster:Cluster")
    current = found.one(PASSWORD, f"{name}-{number}" if number else name)
    assert cluster.inputs["masterPassword"] == current.outputs["result"]


def test_an_instance_of_rds_gets_the_new_password_too() -> None:
    found = graph(2, "dev")
    (instance,) = found.of_type("aws:rds/instance:Instance")
    current = found.one(PASSWORD, "langfuse-dev-postgres-password-2")
    assert instance.inputs["password"] == current.outputs["result"]


@pytest.mark.parametrize(
    ("step", "strategy", "key", "name"),
    [
        (0, None, "token", "langfuse-prod-redis-token"),
        (1, "ROTATE", "token_2", "langfuse-prod-redis-token-2"),
        (2, "SET", "token_2", "langfuse-prod-redis-token-2"),
        (3, "SET", "token_3", "langfuse-prod-redis-token-3"),
    ],
)
def test_valkey_takes_the_token_before_until_the_rotation_ends(
    step: int, strategy: str | None, key: str, name: str
) -> None:
    found = graph(step)
    cache = found.one(CACHE).inputs
    assert cache.get("authTokenUpdateStrategy") == strategy
    assert cache["authToken"] == found.one(PASSWORD, name).outputs["result"]
    assert read(found, "REDIS_AUTH") == {key}
    assert stored(found, "langfuse-prod-redis-credentials")[key] == name


def test_another_secret_of_sessions_reaches_web_and_leaves_the_worker_and_other_keys() -> None:
    before, after = graph(0), graph(2)
    assert read(before, "NEXTAUTH_SECRET") == {"NEXTAUTH_SECRET"}
    assert read(after, "NEXTAUTH_SECRET") == {"NEXTAUTH_SECRET_2"}
    for container in ("web", "worker"):
        for variable in ("SALT", "ENCRYPTION_KEY"):
            assert after.secrets(container)[variable] == before.secrets(container)[variable]
    keys = stored(after, "langfuse-prod-keys")
    assert {each for each in keys if each.startswith("NEXTAUTH")} == {
        "NEXTAUTH_SECRET",
        "NEXTAUTH_SECRET_2",
    }


def test_app_runner_reads_the_new_values_by_new_references() -> None:
    found = build_locked("platform", {**APP_RUNNER, "rotation": STEPS[2]})
    (service,) = found.of_type("aws:apprunner/service:Service")
    configuration = service.inputs["sourceConfiguration"]["imageRepository"]["imageConfiguration"]
    secrets = configuration["runtimeEnvironmentSecrets"]
    keys = {name: secrets[name].rsplit(":", 3)[1] for name in READERS}
    assert keys == {
        "DATABASE_PASSWORD": "password_2",
        "REDIS_AUTH": "token_2",
        "NEXTAUTH_SECRET": "NEXTAUTH_SECRET_2",
    }


def test_what_another_password_takes_the_place_of_is_protected_no_more() -> None:
    names = ["postgres-password", "redis-token", "nextauth-secret"]
    for step, protected in ((0, True), (2, False)):
        found = graph(step)
        for name in names:
            password = found.one(PASSWORD, f"langfuse-prod-{name}")
            assert found.options_of(password).protect is protected, (step, name)
    for name in names:
        other = graph(2).one(PASSWORD, f"langfuse-prod-{name}-2")
        assert not graph(2).options_of(other).protect
    settings = load_without_secrets({"size": "dev", "rotation": {"redisVersion": 2}})
    assert superseded_passwords("langfuse-dev", settings) == ["langfuse-dev-redis-token"]


@pytest.mark.parametrize(
    ("target", "store", "rotated"),
    [
        ("database", "postgres", {"databaseVersion": 2}),
        ("database", "postgres", {"databaseStep": "begun"}),
        ("redis", "redis", {"redisVersion": 2}),
    ],
)
def test_an_external_store_has_no_password_to_rotate(
    target: str, store: str, rotated: dict[str, Any]
) -> None:
    config = {"size": "dev", store: EXTERNAL[store], "rotation": rotated}
    with pytest.raises(SettingsError) as caught:
        load_without_secrets(config)
    assert caught.value.problems == [
        f"langfuse:rotation.{target}Version: {rotated.get(f'{target}Version', 1)}: the password of "
        f"an external store is not the stack's, and {store}.mode is external. Remove "
        f"rotation.{target}Version and rotation.{target}Step."
    ]
