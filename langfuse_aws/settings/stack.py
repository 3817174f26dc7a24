"""The one place that reads Pulumi's configuration."""

from collections.abc import Callable
from dataclasses import dataclass

import pulumi
from pulumi.runtime import is_config_secret
from pulumi.runtime.config import CONFIG, get_config_env, get_config_secret_keys_env

from langfuse_aws.settings import provider_keys
from langfuse_aws.settings.configuration import checked
from langfuse_aws.settings.loading import SettingsError, of_namespace
from langfuse_aws.settings.messages import NAMESPACE
from langfuse_aws.settings.model import Settings
from langfuse_aws.settings.secret_keys import (
    ENVIRONMENT_KEY,
    GRAFANA_PASSWORD_KEY,
    PASSWORD_KEYS,
    PROVIDERS_KEY,
    SECRET_KEYS,
    SMTP_KEY,
)


@dataclass(frozen=True)
class Secrets:
    """The secret keys of the stack file; values are secret outputs."""

    environment: dict[str, pulumi.Output[str]]
    """Variables for the containers, from `langfuse:secretEnvironment`."""
    passwords: dict[str, pulumi.Output[str]]
    """Passwords of external stores, by `clickhouse`, `postgres` and `redis`; and, by `grafana`, of
    the user that reads an external ClickHouse."""
    providers: dict[str, pulumi.Output[str]]
    """Client secrets by provider, from `langfuse:authSecrets`."""
    smtp_url: pulumi.Output[str] | None = None
    """`langfuse:smtpUrl`."""

    @classmethod
    def of(
        cls,
        text: Callable[[str], pulumi.Output[str] | None],
        texts: Callable[[str], dict[str, pulumi.Output[str]]],
    ) -> "Secrets":
        """Those that `text` gives for a secret key, and `texts` for one that is a JSON object."""
        keys = {**PASSWORD_KEYS, "grafana": GRAFANA_PASSWORD_KEY}
        passwords = {user: text(key) for user, key in keys.items()}
        return cls(
            environment=texts(ENVIRONMENT_KEY),
            passwords={user: found for user, found in passwords.items() if found is not None},
            providers=texts(PROVIDERS_KEY),
            smtp_url=text(SMTP_KEY),
        )


def read() -> tuple[Settings, Secrets]:
    """The current stack's settings and secrets.

    Raises `pulumi.RunError`, which Pulumi prints without a traceback, with every error there is.
    """
    config = {**get_config_env(), **CONFIG.get()}
    values = of_namespace(config)
    plain = [key for key in SECRET_KEYS if key in values and not _is_secret(f"{NAMESPACE}:{key}")]
    plain += [key for key in provider_keys.SECRETS if key in config and not _is_secret(key)]
    try:
        settings = checked(config, plain)
    except SettingsError as error:
        raise pulumi.RunError(str(error)) from None
    return settings, Secrets.of(
        lambda key: pulumi.Output.secret(values[key]) if key in values else None,
        lambda key: {
            name: pulumi.Output.secret(text)
            for name, text in sorted(SECRET_KEYS[key].texts(values.get(key)).items())
            if text is not None
        },
    )


def _is_secret(key: str) -> bool:
    return is_config_secret(key) or key in get_config_secret_keys_env()
