"""The one place that reads Pulumi's configuration."""

from dataclasses import dataclass, field

import pulumi
from pulumi.runtime import is_config_secret
from pulumi.runtime.config import CONFIG, get_config_env, get_config_secret_keys_env

from langfuse_aws.settings import default_tags, regions
from langfuse_aws.settings.how_to_set import IN_CONFIGURATION
from langfuse_aws.settings.loading import SettingsError, load, of_namespace, secret_environment
from langfuse_aws.settings.messages import (
    GRAFANA_PASSWORD_KEY,
    NAMESPACE,
    PASSWORD_KEYS,
    SECRET_KEYS,
)
from langfuse_aws.settings.model import Settings
from langfuse_aws.settings.sign_in_secrets import SMTP_KEY, client_secrets


@dataclass(frozen=True)
class Secrets:
    """The secret keys of the stack file; values are secret outputs."""

    environment: dict[str, pulumi.Output[str]]
    """Variables for the containers, from `langfuse:secretEnvironment`."""
    passwords: dict[str, pulumi.Output[str]]
    """Passwords of external stores, by `clickhouse`, `postgres` and `redis`; and, by `grafana`, of
    the user that reads an external ClickHouse."""
    providers: dict[str, pulumi.Output[str]] = field(default_factory=dict[str, pulumi.Output[str]])
    """Client secrets by provider, from `langfuse:authSecrets`."""
    smtp_url: pulumi.Output[str] | None = None
    """`langfuse:smtpUrl`."""


def read() -> tuple[Settings, Secrets]:
    """The current stack's settings and secrets.

    Raises `pulumi.RunError`, which Pulumi prints without a traceback, with every error there is.
    """
    config = {**get_config_env(), **CONFIG.get()}
    values = of_namespace(config)
    problems = [_in_the_clear(key) for key in SECRET_KEYS if key in values and not _is_secret(key)]
    region = config.get(regions.KEY)
    if region is not None and (line := regions.line(region)):
        problems.append(line)
    problems += default_tags.faults(config.get(default_tags.KEY))
    try:
        settings = load(values)
    except SettingsError as error:
        problems += error.problems
    else:
        if not problems:
            environment = {
                name: pulumi.Output.secret(value)
                for name, value in sorted(secret_environment(values).items())
            }
            passwords = {
                store: pulumi.Output.secret(values[key])
                for store, key in {**PASSWORD_KEYS, "grafana": GRAFANA_PASSWORD_KEY}.items()
                if key in values
            }
            providers = {
                provider: pulumi.Output.secret(secret)
                for provider, secret in sorted(client_secrets(values).items())
            }
            smtp_url = pulumi.Output.secret(values[SMTP_KEY]) if SMTP_KEY in values else None
            return settings, Secrets(environment, passwords, providers, smtp_url)
    raise pulumi.RunError(str(SettingsError(problems)))


def _is_secret(key: str) -> bool:
    full = f"{NAMESPACE}:{key}"
    return is_config_secret(full) or full in get_config_secret_keys_env()


def _in_the_clear(key: str) -> str:
    full = f"{NAMESPACE}:{key}"
    return (
        f"{full}: is stored in the clear, and must be a secret. "
        f"Set it {IN_CONFIGURATION.secretly(key)}."
    )
