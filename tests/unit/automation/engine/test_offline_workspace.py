"""The scratch copy of a stack file: what is kept, what is replaced, and what the program reads.

Proves it of written files and of `settings.stack.read`, which the engine feeds with them, and that
both of those who run `pulumi` ask it to set what is left out and needed; no engine runs, so that
Pulumi itself accepts the copy is shown by the engine's tests.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast
from unittest.mock import Mock

import pulumi
import pytest
import yaml

from langfuse_aws.automation.engine import workspace
from langfuse_aws.automation.engine.offline_workspace import (
    PLACEHOLDER,
    OfflineStack,
    OfflineStackError,
    prepare,
)
from langfuse_aws.automation.engine.operation import OperationError
from langfuse_aws.automation.stack import LangfuseStack
from langfuse_aws.settings import provider_keys
from langfuse_aws.settings import stack as stack_settings
from langfuse_aws.settings.secret_keys import PASSWORD_KEYS, SECRET_KEYS
from tests import deployment

FOREIGN = {"secure": "v1:bm9ib2R5:c29tZWJvZHkgZWxzZSdz"}
SALT = "v1:c2FsdA==:v1:bm9uY2U=:Y2hlY2s="


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    folder.mkdir()
    (folder / "Pulumi.yaml").write_text("name: langfuse\nruntime: python\n")
    return folder


def prepared(repository: Path, **file: Any) -> tuple[OfflineStack, dict[str, Any]]:
    """Prepare a stack with this settings file; return it and its copy of the file."""
    (repository / "Pulumi.dev.yaml").write_text(yaml.safe_dump(file))
    stack = prepare("dev", repository.parent / "scratch", repository)
    copy: Any = yaml.safe_load((stack.folder / "Pulumi.dev.yaml").read_text())
    return stack, cast("dict[str, Any]", copy)


def read_by_the_program(
    config: dict[str, Any], monkeypatch: pytest.MonkeyPatch, secret: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Give the program the settings as the engine does; return its secrets."""
    texts = {
        key: value if isinstance(value, str) else json.dumps(value) for key, value in config.items()
    }
    for variable in ("PULUMI_CONFIG", "PULUMI_CONFIG_SECRET_KEYS"):
        monkeypatch.delenv(variable, raising=False)

    async def run() -> dict[str, Any]:
        pulumi.runtime.set_all_config({"aws:region": "eu-west-1", **texts}, list(secret))
        _, secrets = stack_settings.read()
        found = {**secrets.environment, **secrets.passwords, **secrets.providers}
        if secrets.smtp_url is not None:
            found["smtp"] = secrets.smtp_url
        return {name: await value.future() for name, value in found.items()}

    return asyncio.get_event_loop().run_until_complete(run())


@pytest.mark.parametrize(
    "key", ["langfuse:secretEnvironment", "secretEnvironment", "langfuse:config:secretEnvironment"]
)
@pytest.mark.parametrize(
    "value", [FOREIGN, {"ADMIN_API_KEY": FOREIGN, "LANGFUSE_LOG_LEVEL": "info"}]
)
def test_a_foreign_secret_environment_is_left_out_and_named(
    repository: Path, key: str, value: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    stack, copy = prepared(repository, config={"langfuse:size": "dev", key: value})

    assert copy["config"] == {"langfuse:size": "dev"}
    assert stack.replaced_secrets == (key,)
    assert stack.placeholders == {}, "the program needs no variable of somebody else's"
    assert read_by_the_program(copy["config"], monkeypatch) == {}


EXTERNAL = {
    "langfuse:clickhouse": {
        "mode": "external",
        "url": "https://abc.clickhouse.cloud:8443",
        "migrationUrl": "clickhouse://abc.clickhouse.cloud:9440",
    },
    "langfuse:postgres": {"mode": "external", "host": "db.example.com"},
    "langfuse:redis": {"mode": "external", "host": "redis.example.com"},
}
PASSWORDS = tuple(f"langfuse:{key}" for key in PASSWORD_KEYS.values())
OF_SOMEBODY = {
    "langfuse:size": "dev",
    **EXTERNAL,
    **dict.fromkeys(PASSWORDS, FOREIGN),
    "langfuse:secretEnvironment": FOREIGN,
}


def test_foreign_passwords_are_left_out_and_named_as_needed(repository: Path) -> None:
    stack, copy = prepared(repository, config=OF_SOMEBODY)

    assert copy["config"] == {"langfuse:size": "dev", **EXTERNAL}
    assert stack.replaced_secrets == (*PASSWORDS, "langfuse:secretEnvironment")
    assert stack.placeholders == dict.fromkeys(PASSWORDS, PLACEHOLDER)


def test_a_password_is_named_as_the_stack_file_writes_it(repository: Path) -> None:
    stack, copy = prepared(repository, config={"redisPassword": FOREIGN})

    assert copy["config"] == {}
    assert stack.placeholders == {"redisPassword": PLACEHOLDER}


def test_a_password_in_clear_is_kept_for_the_program_to_refuse(repository: Path) -> None:
    config = {"langfuse:redisPassword": "hunter2"}

    stack, copy = prepared(repository, config=config)

    assert copy["config"] == config
    assert stack.placeholders == {}


NEEDS: dict[str, tuple[dict[str, Any], str]] = {
    **{
        key: ({store: EXTERNAL[f"langfuse:{store}"]}, f"{key}: is not set")
        for store, key in PASSWORD_KEYS.items()
    },
    "grafanaClickhousePassword": (
        {
            "clickhouse": EXTERNAL["langfuse:clickhouse"],
            "clickhousePassword": FOREIGN,
            "grafana": {"enabled": True, "clickhouseUser": "reader"},
        },
        "grafanaClickhousePassword: is not set",
    ),
    "authSecrets": (
        {
            "auth": {
                "providers": {
                    "google": {"clientId": "g-1"},
                    "okta": {"clientId": "o-1", "issuer": "https://acme.okta.com"},
                }
            }
        },
        "authSecrets.google: is not set",
    ),
    "smtpUrl": (
        {"smtp": {"mode": "smtp", "from": "no-reply@example.com"}},
        "smtpUrl: is not set",
    ),
    "secretEnvironment": ({}, ""),
}
"""For each secret key: a stack that needs it, and how the program asks for it."""


def as_text(settings: dict[str, Any]) -> dict[str, Any]:
    """As `pulumi config set` writes objects: JSON in a text."""
    return {
        key: json.dumps(value) if isinstance(value, dict) and value != FOREIGN else value
        for key, value in settings.items()
    }


@pytest.mark.parametrize("written", [dict[str, Any], as_text], ids=["YAML", "JSON in a text"])
@pytest.mark.parametrize("key", SECRET_KEYS)
def test_every_secret_of_somebody_else_gets_what_the_program_takes(
    repository: Path,
    monkeypatch: pytest.MonkeyPatch,
    key: str,
    written: Callable[[dict[str, Any]], dict[str, Any]],
) -> None:
    needing, asked = NEEDS[key]
    settings = written({"size": "dev", **needing})
    secret = f"langfuse:{key}"
    given = {f"langfuse:{name}": value for name, value in settings.items()}
    stack, copy = prepared(repository, config={**given, secret: FOREIGN})

    assert secret in stack.replaced_secrets
    secrets = tuple(stack.placeholders)
    read = read_by_the_program(copy["config"] | stack.placeholders, monkeypatch, secrets)
    assert bool(read) is bool(asked)
    assert all(PLACEHOLDER in value for value in read.values())
    if asked:
        with pytest.raises(pulumi.RunError, match=asked):
            read_by_the_program(copy["config"], monkeypatch)


def test_the_library_sets_the_passwords_as_secrets_where_nobody_sees_them(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared(repository, config=OF_SOMEBODY)
    folder = repository.parent / "bin"
    folder.mkdir()
    script = folder / "pulumi"
    script.write_text(
        '#!/bin/sh\n[ "$1" = version ] && { echo 3.250.0; exit; }\n'
        f'case "$*" in *"config set"*) echo "$* < $(cat)" >> {folder}/set;; esac\n'
        'case "$*" in *preview*) exit 255;; esac\n'
    )
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    monkeypatch.setattr(workspace, "shared_providers", dict[str, str])

    with LangfuseStack("dev", project=repository, offline=True) as stack:
        assert stack.replaced_secrets == (*PASSWORDS, "langfuse:secretEnvironment")
        with pytest.raises(OperationError):
            stack.preview()

    assert (folder / "set").read_text().splitlines() == [
        f"--non-interactive config set --secret {key} --stack dev < {PLACEHOLDER}"
        for key in PASSWORDS
    ]


@pytest.mark.parametrize(
    ("config", "passwords"), [(OF_SOMEBODY, PASSWORDS), ({"langfuse:size": "dev"}, ())]
)
def test_a_test_deployment_sets_the_passwords_after_its_stack_is_made(
    repository: Path,
    monkeypatch: pytest.MonkeyPatch,
    config: dict[str, Any],
    passwords: tuple[str, ...],
) -> None:
    stack, _ = prepared(repository, config=config)
    commands: list[list[str]] = []

    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        commands.append(command)
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(deployment, "prepare", Mock(return_value=stack))
    monkeypatch.setattr(deployment.pulumi_cli, "ensure", lambda: repository)
    monkeypatch.setattr(deployment.subprocess, "run", run)
    deployment.Deployment.of("dev", repository, {})

    assert [command[1:-1] for command in commands] == [
        ["stack", "init", "dev"],
        *(["config", "set", "--secret", key, PLACEHOLDER, "--stack", "dev"] for key in passwords),
    ]


def test_a_secret_environment_in_clear_is_kept_for_the_program_to_refuse(repository: Path) -> None:
    config = {"langfuse:secretEnvironment": '{"ADMIN_API_KEY": "x"}'}

    stack, copy = prepared(repository, config=config)

    assert copy["config"] == config
    assert stack.replaced_secrets == ()


def test_other_foreign_secrets_hold_a_placeholder_at_any_depth(repository: Path) -> None:
    stack, copy = prepared(
        repository,
        config={
            "aws:secretKey": FOREIGN,
            "aws:defaultTags": {"tags": {"Owner": FOREIGN, "Stack": "dev"}},
            "aws:allowedAccountIds": ["123456789012", FOREIGN],
        },
    )

    assert copy["config"] == {"aws:defaultTags": {"tags": {"Owner": PLACEHOLDER, "Stack": "dev"}}}
    assert set(stack.replaced_secrets) == {
        "aws:secretKey",
        "aws:defaultTags.tags.Owner",
        "aws:allowedAccountIds",
    }
    assert provider_keys.problems(copy["config"]) == [], "or the program would refuse the copy"


def test_what_ties_the_file_to_somebodys_key_is_left_out(repository: Path) -> None:
    _, copy = prepared(
        repository,
        secretsprovider="awskms://alias/somebody",
        encryptedkey="a2V5",
        encryptionsalt=SALT,
        environment=["somebody/dev"],
        config={"langfuse:size": "dev"},
    )

    assert copy == {"config": {"langfuse:size": "dev"}}


def test_the_salt_of_an_earlier_run_is_kept(repository: Path) -> None:
    stack, _ = prepared(repository, config={})
    (stack.folder / "Pulumi.dev.yaml").write_text(yaml.safe_dump({"encryptionsalt": SALT}))

    _, copy = prepared(repository, encryptionsalt="somebody else's", config={})

    assert copy == {"config": {}, "encryptionsalt": SALT}


def test_the_stack_file_itself_is_only_read(repository: Path) -> None:
    file = {"config": {"langfuse:secretEnvironment": FOREIGN}, "encryptionsalt": SALT}

    prepared(repository, **file)

    assert yaml.safe_load((repository / "Pulumi.dev.yaml").read_text()) == file


def test_an_unknown_stack_is_refused_with_the_known_ones(repository: Path) -> None:
    (repository / "Pulumi.prod.yaml").write_text("config: {}\n")

    with pytest.raises(OfflineStackError, match=r"--stack dve: .* has Pulumi\.prod\.yaml"):
        prepare("dve", repository.parent / "scratch", repository)
