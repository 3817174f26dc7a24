"""Checks all that a stack's configuration says, as text or as YAML's values; pure.

The program reads what Pulumi hands it, the commands read the file: both check it here.
"""

import difflib
import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from langfuse_aws.settings import provider_keys, regions
from langfuse_aws.settings.how_to_set import IN_CONFIGURATION
from langfuse_aws.settings.loading import SettingsError, load, of_namespace
from langfuse_aws.settings.messages import NAMESPACE
from langfuse_aws.settings.model import Settings

_NAMESPACES: Final = (NAMESPACE, provider_keys.NAMESPACE.rstrip(":"))
_NEAR: Final = 0.87
"""How like ours one that is misspelt is, at the least; awsx, another's, is 0.86 like aws."""


def checked(
    config: Mapping[str, Any],
    in_the_clear: Iterable[str],
    environment: Mapping[str, str] = os.environ,
    *,
    sealed_environment: bool = False,
) -> Settings:
    """The settings of a configuration. Raises SettingsError with every error there is.

    Keys have their namespaces. `in_the_clear` are the secret keys that are not stored as secrets,
    ours without the namespace, and `environment` may say the region. With `sealed_environment`,
    nobody here can decrypt `secretEnvironment`, and nothing is said about it.
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
    return [
        *map(_in_the_clear, in_the_clear),
        *provider_keys.problems(config),
        *misspelt_namespaces(config),
    ]


def misspelt_namespaces(config: Iterable[str]) -> Iterator[str]:
    """A line for each key that nobody reads, as its namespace is almost one of ours.

    One that is longer than ours is another's, such as that of a project langfuse-eu.
    """
    for key in config:
        written, colon, _ = key.partition(":")
        near = difflib.get_close_matches(written.casefold(), _NAMESPACES, n=1, cutoff=_NEAR)
        if colon and near and written != near[0] and len(written) <= len(near[0]):
            yield (
                f"{key}: {written} is no namespace of this program; the nearest known one is "
                f"{near[0]}. Correct its spelling, or what it is for goes unheard."
            )


def _in_the_clear(key: str) -> str:
    how = IN_CONFIGURATION.secretly(key)
    if key in provider_keys.SECRETS:
        how = f"with pulumi config set --secret {key} VALUE"
    else:
        key = f"{NAMESPACE}:{key}"
    return f"{key}: is stored in the clear, and must be a secret. Set it {how}."
