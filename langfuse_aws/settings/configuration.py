"""Checks all that a stack's configuration says, as text or as YAML's values; pure.

The program reads what Pulumi hands it, the commands read the file: both check it here.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from langfuse_aws.settings import provider_keys
from langfuse_aws.settings.how_to_set import IN_CONFIGURATION
from langfuse_aws.settings.loading import SettingsError, load, of_namespace
from langfuse_aws.settings.messages import NAMESPACE
from langfuse_aws.settings.model import Settings


def checked(
    config: Mapping[str, Any], in_the_clear: Iterable[str], *, sealed: bool = False
) -> Settings:
    """The settings of a configuration. Raises SettingsError with every error there is.

    Keys have their namespaces. `in_the_clear` are the secret keys that are not stored as secrets;
    with `sealed`, nobody here can decrypt `secretEnvironment`, and nothing is said about it.
    """
    problems = [_in_the_clear(key) for key in in_the_clear]
    problems += provider_keys.problems(config)
    try:
        settings = load(of_namespace(config), sealed=sealed)
    except SettingsError as error:
        raise SettingsError([*problems, *error.problems]) from None
    if problems:
        raise SettingsError(problems)
    return settings


def _in_the_clear(key: str) -> str:
    return (
        f"{NAMESPACE}:{key}: is stored in the clear, and must be a secret. "
        f"Set it {IN_CONFIGURATION.secretly(key)}."
    )
