"""The one place that reads Pulumi's configuration."""

from dataclasses import dataclass

import pulumi
from pulumi.runtime import is_config_secret
from pulumi.runtime.config import CONFIG, get_config_env, get_config_secret_keys_env
from pydantic import TypeAdapter, ValidationError

from settings.loading import NAMESPACE, SettingsError, load
from settings.model import Settings

_STRINGS = TypeAdapter(dict[str, str])


@dataclass(frozen=True)
class Secrets:
    """The secret keys of the stack file; values are secret outputs."""

    environment: dict[str, pulumi.Output[str]]
    """Variables for both containers, from `langfuse:secretEnvironment`."""


def read() -> tuple[Settings, Secrets]:
    """The current stack's settings and secrets.

    Raises `pulumi.RunError`, which Pulumi prints without a traceback, with every error there is.
    """
    prefix = f"{NAMESPACE}:"
    values = {
        key.removeprefix(prefix): value
        for key, value in {**get_config_env(), **CONFIG.get()}.items()
        if key.startswith(prefix)
    }
    problems: list[str] = []
    try:
        secrets = Secrets(_secret_environment(values.get("secretEnvironment", "{}")))
    except SettingsError as error:
        secrets, problems = None, error.problems
    try:
        settings = load(values)
    except SettingsError as error:
        settings, problems = None, error.problems + problems
    if settings is None or secrets is None:
        raise pulumi.RunError(str(SettingsError(problems)))
    return settings, secrets


def _secret_environment(text: str) -> dict[str, pulumi.Output[str]]:
    key = f"{NAMESPACE}:secretEnvironment"
    command = f"Set it with pulumi config set --secret {key} JSON."
    try:
        values = _STRINGS.validate_json(text)
    except ValidationError:
        example = '{"LANGFUSE_EE_LICENSE_KEY": "…"}'
        bound = f"must be a JSON object of strings, such as {example}"
        raise SettingsError([f"{key}: {bound}. {command}"]) from None
    if values and not (is_config_secret(key) or key in get_config_secret_keys_env()):
        raise SettingsError([f"{key}: is stored in the clear, and must be a secret. {command}"])
    return {name: pulumi.Output.secret(value) for name, value in sorted(values.items())}
