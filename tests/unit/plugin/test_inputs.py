"""How the component for other languages reads its arguments.

It proves that they become the same settings as a stack file's, or one message in the words of
arguments, and that secrets may be outputs. How the engine shows the message is proven by
tests/engine/test_plugin.py.
"""

import asyncio
import json
from collections.abc import Iterator, Mapping
from typing import Any, cast

import pulumi
import pytest
from pulumi.errors import InputPropertiesError

from development.recorded_graph import end
from langfuse_aws.settings.loading import load
from langfuse_aws.settings.secret_keys import SMTP_KEY
from plugin.inputs import read
from tests.releases import READ

Tree = Mapping[str, Any]


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """The loop of the outputs that a test makes; what none of them waits for ends with it."""
    found = asyncio.get_event_loop()
    yield found
    end(found)


with_outputs = pytest.mark.usefixtures("loop")


def problems(given: Tree) -> list[str]:
    """The lines of the one message."""
    with pytest.raises(InputPropertiesError) as caught:
        read(given)
    assert caught.value.errors == [], "Pulumi would show a property's value, secret or not"
    first, *lines = caught.value.message.splitlines()
    count = "1 error" if len(lines) == 1 else f"{len(lines)} errors"
    assert first == f"{count} in the component's arguments; nothing was changed:"
    return [line.strip() for line in lines]


def test_arguments_become_the_settings_of_a_stack_file() -> None:
    given = {
        "size": "prod",
        "domain": "langfuse.example.com",
        "clickhouse": {"replicas": 3},
        "postgres": {"minAcu": 0.5, "maxAcu": 4},
        "smtp": {"mode": "ses", "from": "no-reply@example.com"},
    }
    as_floats = json.loads(json.dumps(given), parse_int=float)
    assert read({**as_floats, "release": None})[0] == load(given)


def test_a_component_has_no_mirror() -> None:
    (line,) = problems({"size": "dev", "images": {"source": "mirror"}})
    assert line.startswith("images.source: 'mirror': copies are made for stacks of this repository")


@pytest.mark.parametrize("source", ["upstream", "mirror"])
def test_a_component_has_no_app_runner(source: str) -> None:
    web, images = {"platform": "appRunner"}, {"source": source}
    assert problems({"size": "dev", "web": web, "images": images}) == [
        "web.platform: 'appRunner': needs images.source mirror, and copies are made for stacks of "
        "this repository alone. Take fargate."
    ]


@pytest.mark.parametrize(
    ("own", "first"),
    [
        ({"web": {"platform": "appRunner", "cpu": 3}}, "web.platform: 'appRunner': needs "),
        ({"web": {"cpu": 3}, "images": {"source": "mirror"}}, "images.source: 'mirror': copies "),
    ],
)
def test_what_a_component_has_not_hides_no_other_error(own: dict[str, Any], first: str) -> None:
    lines = problems({"size": "dev", "logs": {"retentionDays": 2}, **own})
    assert lines[0].startswith(first)
    assert [line.split(": ")[0] for line in lines[1:]] == ["web.cpu", "logs.retentionDays"]


@with_outputs
def test_every_error_is_in_one_message_in_the_words_of_arguments() -> None:
    lines = problems(
        {
            "size": "prod",
            "release": READ[3],
            "domian": "langfuse.example.com",
            "web": {"cpu": 99.0},
            "postgresPassword": "x",
            "smtpUrl": pulumi.Output.secret("x"),
            "secretEnvironment": {"SALTY": pulumi.Output.secret("x")},
        }
    )
    assert lines == [
        'ingress.kind: "alb": ingress.kind alb serves https and so needs a domain. Set domain, or '
        "set ingress.kind to apiGateway, which has a name of its own.",
        "web.cpu: 99: must be a Fargate CPU size: 256, 512, 1024, 2048, 4096, 8192, 16384. "
        "1024 is one vCPU.",
        'domian: "langfuse.example.com": unknown key; the nearest known one is domain. Remove it, '
        "or correct its spelling.",
        f"secretEnvironment.SALTY: Langfuse {READ[3]} reads no such variable; the nearest known "
        "one is SALT. Check its spelling and that this container reads it.",
        "postgresPassword: exists only for postgres.mode external. Remove it, or choose "
        "postgres.mode external.",
        "smtpUrl: exists only for smtp.mode smtp. Remove it, or choose smtp.mode smtp.",
    ]


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"size": "dev", "postgres": {"mode": "external", "host": "db.example.com"}},
        {"size": "dev", "smtp": {"mode": "smtp", "from": "a@example.com"}},
        {"size": "dev", "auth": {"providers": {"google": {"clientId": "g"}}}},
        {"size": "dev", "postgres": {"password": "x"}},
    ],
)
def test_no_message_names_a_command_that_sets_configuration(given: Tree) -> None:
    text = " ".join(problems(given))
    assert "in the component's arguments" in text
    assert "pulumi config" not in text
    assert "langfuse:" not in text


@with_outputs
def test_an_output_is_refused_by_its_path_wherever_a_plain_value_belongs() -> None:
    later = pulumi.Output.from_input("later")
    why = (
        "is an output or a secret, and must be a plain value, because it decides which resources "
        "there are. Take it from the program's configuration."
    )
    given = {"size": later, "network": {"privateSubnetIds": ["subnet-1", later]}, "web": later}
    assert problems(given) == [
        f"size: {why}",
        f"network.privateSubnetIds[1]: {why}",
        f"web: {why}",
    ]


@with_outputs
@pytest.mark.parametrize("key", ["secretEnvironment", "authSecrets"])
def test_the_names_of_secrets_must_be_known(key: str) -> None:
    whole = pulumi.Output.secret({"google": "x"})
    assert problems({"size": "dev", key: whole}) == [
        f"{key}: must be a mapping whose names are known. Make each of its values a secret, not "
        "the whole."
    ]


def test_a_secret_is_a_text() -> None:
    given = {"secretEnvironment": {"SALT": 5.0}, "authSecrets": {"okta": ["x"]}, "smtpUrl": True}
    found = problems({"size": "dev", **given})
    assert set(found) == {
        f"{path}: must be a text. Write it in quotes."
        for path in ("secretEnvironment.SALT", "authSecrets.okta", "smtpUrl")
    }


SECRETS: dict[str, Any] = {
    "secretEnvironment": {"SALT": "1", "ENCRYPTION_KEY": "0" * 64, "NEXTAUTH_SECRET": "2"},
    "clickhousePassword": "the-events",
    "postgresPassword": "the-password",
    "redisPassword": "the-queue",
    "grafanaClickhousePassword": "the-reader",
    "authSecrets": {"google": "the-client", "okta": "the-other-client"},
    "smtpUrl": "smtp://me:the-mail@mail.example.com",
}
WITH_SECRETS: dict[str, Any] = {
    "size": "dev",
    "postgres": {"mode": "external", "host": "db.example.com"},
    "redis": {"mode": "external", "host": "cache.example.com"},
    "clickhouse": {
        "mode": "external",
        "url": "https://abc.clickhouse.cloud:8443",
        "migrationUrl": "clickhouse://abc.clickhouse.cloud:9440",
    },
    "grafana": {"enabled": True, "clickhouseUser": "onlooker"},
    "auth": {
        "providers": {
            "google": {"clientId": "g"},
            "okta": {"clientId": "o", "issuer": "https://example.okta.com"},
        }
    },
    "smtp": {"mode": "smtp", "from": "a@example.com"},
}


def as_outputs(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: as_outputs(each) for key, each in cast("dict[str, Any]", value).items()}
    return pulumi.Output.from_input(value)


@pytest.mark.parametrize("outputs", [False, True])
def test_secrets_reach_their_places_and_are_secret(
    outputs: bool, loop: asyncio.AbstractEventLoop
) -> None:
    given = as_outputs(SECRETS) if outputs else SECRETS
    _, secrets = read({**WITH_SECRETS, **given})
    found = {
        "secretEnvironment": secrets.environment,
        "clickhousePassword": secrets.passwords["clickhouse"],
        "postgresPassword": secrets.passwords["postgres"],
        "redisPassword": secrets.passwords["redis"],
        "grafanaClickhousePassword": secrets.passwords["grafana"],
        "authSecrets": secrets.providers,
        "smtpUrl": secrets.smtp_url,
    }

    async def values(value: Any) -> Any:
        if isinstance(value, Mapping):
            each = cast("Mapping[str, Any]", value)
            return {name: await values(below) for name, below in each.items()}
        assert await cast("pulumi.Output[str]", value).is_secret()
        return await cast("pulumi.Output[str]", value).future()

    assert loop.run_until_complete(values(found)) == SECRETS
    assert list(secrets.environment) == sorted(SECRETS["secretEnvironment"]), (
        "the wire has no order, and JSON in another one is another secret"
    )


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("postgresPassword", "a/b", "postgresPassword: may have letters, digits and ._~- only"),
        (SMTP_KEY, "mail.example.com", "smtpUrl: must be smtp://USER:PASSWORD@HOST:PORT"),
        (
            "secretEnvironment",
            {"ENCRYPTION_KEY": "too-short"},
            "secretEnvironment.ENCRYPTION_KEY: Langfuse refuses this value",
        ),
        (
            "authSecrets",
            {"google": "", "okta": "x"},
            "authSecrets.google: is not set, and auth.providers.google needs it",
        ),
    ],
)
def test_a_secret_that_becomes_known_is_checked_then(
    key: str, value: Any, words: str, loop: asyncio.AbstractEventLoop
) -> None:
    given = {**WITH_SECRETS, **SECRETS, key: as_outputs(value)}
    _, secrets = read(given)
    found = {
        "postgresPassword": secrets.passwords["postgres"],
        SMTP_KEY: secrets.smtp_url,
        "secretEnvironment": next(iter(secrets.environment.values()), None),
        "authSecrets": secrets.providers["google"],
    }[key]
    assert found is not None
    with pytest.raises(InputPropertiesError) as caught:
        loop.run_until_complete(found.future())
    first, line = caught.value.message.splitlines()
    assert first == "1 error in the component's arguments:", "something may have been made"
    assert line.strip().startswith(words)
    assert "too-short" not in line
    assert "a/b" not in line
