"""What becomes of a source's variables in a stack file, and that no secret is printed.

Pulumi's CLI is a stand-in that takes what it is given.
"""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import pytest
import yaml
from pulumi import automation as auto
from typer.testing import CliRunner

from langfuse_aws.automation.__main__ import app
from langfuse_aws.automation.move_in import command, configuration
from langfuse_aws.automation.move_in.configuration import configuration_of
from langfuse_aws.automation.move_in.source import source_of
from langfuse_aws.settings.loading import load
from tests.unit.automation.restore.test_restore import always

VARIABLES: Final = {
    "DATABASE_URL": "postgresql://me:hush-1@db/langfuse",
    "CLICKHOUSE_URL": "http://clickhouse:8123",
    "CLICKHOUSE_USER": "clickhouse",
    "CLICKHOUSE_PASSWORD": "hush-2",
    "LANGFUSE_S3_EVENT_UPLOAD_BUCKET": "langfuse",
    "SALT": "hush-3",
    "ENCRYPTION_KEY": "ab" * 32,
    "NEXTAUTH_SECRET": "hush-4",
    "AUTH_GOOGLE_CLIENT_ID": "google-id",
    "AUTH_GOOGLE_CLIENT_SECRET": "hush-5",
    "AUTH_GOOGLE_ALLOWED_DOMAINS": "example.com, example.org",
    "AUTH_AZURE_AD_CLIENT_ID": "azure-id",
    "AUTH_AZURE_AD_CLIENT_SECRET": "hush-6",
    "AUTH_AZURE_AD_TENANT_ID": "contoso.example.com",
    "AUTH_AZURE_AD_ALLOW_ACCOUNT_LINKING": "true",
    "AUTH_OKTA_CLIENT_ID": "without a secret",
    "EMAIL_FROM_ADDRESS": "no-reply@example.com",
    "SMTP_CONNECTION_URL": "smtps://me:hush-7@smtp.example.com:465",
    "LANGFUSE_EE_LICENSE_KEY": "hush-8",
    "TELEMETRY_ENABLED": "false",
    "POSTGRES_VERSION": "15",
}


def test_sign_in_mail_and_keys_become_settings_that_the_program_takes() -> None:
    found = configuration_of(source_of("my.env", VARIABLES), 3)
    nested: dict[str, Any] = {"size": "prod", "domain": "langfuse.example.com"}
    for path, value in found.plain.items():
        part = nested
        *parents, last = path.split(".")
        for each in parents:
            part = part.setdefault(each, {})
        if last.endswith("]"):
            part.setdefault(last.partition("[")[0], []).append(value)
        else:
            part[last] = value
    secrets = {
        "secretEnvironment": json.dumps(dict(found.environment)),
        "authSecrets": json.dumps(dict(found.providers)),
        "smtpUrl": found.smtp_url,
    }
    settings = load({**nested, **secrets})
    assert settings.auth.providers.google
    assert settings.auth.providers.google.allowed_domains == ["example.com", "example.org"]
    assert settings.auth.providers.azure_ad
    assert settings.auth.providers.azure_ad.allow_account_linking is True
    assert found.environment == {
        name: VARIABLES[name] for name in ("SALT", "ENCRYPTION_KEY", "NEXTAUTH_SECRET")
    }
    assert found.left == ("AUTH_OKTA_CLIENT_ID", "LANGFUSE_EE_LICENSE_KEY", "TELEMETRY_ENABLED")
    assert "hush" not in repr(found)


def test_secrets_go_to_pulumi_on_standard_input_beside_those_that_are_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[list[str], str | None]] = []

    class Command:
        def run(self, arguments: list[str], *_: Any, given: str | None = None) -> Any:
            asked.append((arguments, given))
            if arguments[1] == "get" and arguments[-1].endswith("authSecrets"):
                raise auto.errors.CommandError(SimpleNamespace(stdout="", stderr=""))  # type: ignore
            return SimpleNamespace(stdout='{"OTHER": "mine", "SALT": "before"}')

    deployed = SimpleNamespace(name="prod", settings=SimpleNamespace(release="3.224.0"))
    monkeypatch.setattr(configuration, "Command", Command)
    monkeypatch.setattr(command, "open_stack", always(deployed))
    path = tmp_path / "my.env"
    path.write_text("".join(f"{name}='{value}'\n" for name, value in VARIABLES.items()))
    arguments = ["move-in", "configure", "--stack", "prod", "--from", str(path), "--yes"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert "hush" not in result.output
    assert "langfuse:secretEnvironment, encrypted: SALT, ENCRYPTION_KEY" in result.output
    assert "AUTH_OKTA_CLIENT_ID, LANGFUSE_EE_LICENSE_KEY" in result.output
    assert "hush" not in str([words for words, _ in asked])
    given = {words[-1]: text for words, text in asked if text is not None}
    held = yaml.safe_load(given["langfuse:secretEnvironment"] or "")
    assert held["OTHER"] == "mine"
    assert held["SALT"] == "hush-3"
    assert json.loads(given["langfuse:authSecrets"] or "") == {
        "google": "hush-5",
        "azureAd": "hush-6",
    }
    plain = [words for words, _ in asked if "--plaintext" in words]
    assert plain[-2][:6] == ["config", "set", "--stack", "prod", "--path", "langfuse:smtp.mode"]
