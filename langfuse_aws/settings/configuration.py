"""Checks all that a stack's configuration says, as text or as YAML's values; pure.

The program reads what Pulumi hands it, the commands read the file: both check it here.
"""

import os
from collections.abc import Iterable, Mapping
from typing import Any

from langfuse_aws.settings import provider_keys, regions
from langfuse_aws.settings.how_to_set import IN_CONFIGURATION
from langfuse_aws.settings.loading import SettingsError, load, of_namespace
from langfuse_aws.settings.messages import NAMESPACE
from langfuse_aws.settings.model import Settings


def checked(
    config: Mapping[str, Any],
    in_the_clear: Iterable[str],
    environment: Mapping[str, str] = os.environ,
    *,
    sealed_environment: bool = False,
) -> Settings:
    """The settings of a configuration. Raises SettingsError with every error there is.

    Keys have their namespaces. `in_the_clear` are the secret keys that are not stored as secrets,
    and `environment` may say the region. With `sealed_environment`, nobody here can decrypt
    `secretEnvironment`, and nothing is said about it.
    """
    problems = without_settings(config, in_the_clear)
    problems += regions.missing(config, environment)
    try:
        settings = load(
            of_namespace(config),
            region=regions.known(config, environment),
            sealed_environment=sealed_environment,
        )
    except SettingsError as error:
        raise SettingsError([*problems, *error.problems]) from None
    if problems:
        raise SettingsError(problems)
    return settings


def without_settings(config: Mapping[str, Any], in_the_clear: Iterable[str]) -> list[str]:
    """A line for each error that can be seen where not all keys are there."""
    return [*map(_in_the_clear, in_the_clear), *provider_keys.problems(config)]


def _in_the_clear(key: str) -> str:
    return (
        f"{NAMESPACE}:{key}: is stored in the clear, and must be a secret. "
        f"Set it {IN_CONFIGURATION.secretly(key)}."
    )
