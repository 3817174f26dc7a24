"""Checks the client secrets of `authSecrets` beside the providers of sign-in.

No line has a secret in it.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from langfuse_aws.settings.how_to_set import HowToSet
from langfuse_aws.settings.secret_keys import PROVIDERS_KEY, SECRET_KEYS, auth_providers
from langfuse_aws.settings.sign_in import PROVIDERS
from langfuse_aws.settings.wording import nearest


def problems(given: Mapping[str, Any], values: Mapping[str, Any], how: HowToSet) -> Iterator[str]:
    """Find what is wrong with them, a line each."""
    providers = auth_providers(given)
    set_it = how.secretly(PROVIDERS_KEY, SECRET_KEYS[PROVIDERS_KEY].argument)
    example = f'Set it {set_it}, an object such as {{"google": "…"}}.'
    try:
        secrets = SECRET_KEYS[PROVIDERS_KEY].texts(values.get(PROVIDERS_KEY))
    except ValidationError:
        yield f"langfuse:{PROVIDERS_KEY}: must be a JSON object of strings. {example}"
        return
    for provider in providers:
        if provider in PROVIDERS and secrets.get(provider, "") == "":
            key = f"langfuse:{PROVIDERS_KEY}.{provider}"
            yield f"{key}: is not set, and auth.providers.{provider} needs it. {example}"
    for provider in secrets:
        key = f"langfuse:{PROVIDERS_KEY}.{provider}"
        if provider not in PROVIDERS:
            hint = nearest(provider, PROVIDERS)
            yield f"{key}: unknown provider{hint}. Remove it, or correct its spelling."
        elif provider not in providers:
            section = f"auth.providers.{provider}"
            yield f"{key}: is for {section}, which is not set. Remove it, or set {section}."
