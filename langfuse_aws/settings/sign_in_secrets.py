"""Checks the secret keys of sign-in and mail, `authSecrets` and `smtpUrl`, beside their sections.

No line has a secret in it.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, cast

from pydantic import TypeAdapter, ValidationError

from langfuse_aws.settings.how_to_set import HowToSet
from langfuse_aws.settings.sign_in import PROVIDERS
from langfuse_aws.settings.wording import nearest

PROVIDERS_KEY: Final = "authSecrets"
SMTP_KEY: Final = "smtpUrl"

_STRINGS: Final = TypeAdapter(dict[str, str])

_ENCODED: Final = r"([^\s:@/?#%]|%[0-9A-Fa-f]{2})"
_SMTP_URL: Final = re.compile(
    rf"smtps?://({_ENCODED}+:{_ENCODED}+@)?[\w-]+(\.[\w-]+)*(:(?P<port>[1-9]\d{{0,4}}))?/?(\?[^\s#]*)?",
    re.ASCII,
)
"""What nodemailer takes apart: user and password percent-encoded, options after `?`."""


def client_secrets(values: Mapping[str, Any]) -> dict[str, str]:
    """The client secrets by provider. ValueError if they are no JSON object of strings."""
    return _STRINGS.validate_json(values.get(PROVIDERS_KEY, "{}"))


def problems(given: Mapping[str, Any], values: Mapping[str, Any], how: HowToSet) -> list[str]:
    """Find what is wrong with the secrets, a line each."""
    sections = _mapping(_mapping(given.get("auth")).get("providers"))
    providers = [name for name, section in sections.items() if section is not None]
    return [*_provider_problems(providers, values, how), *_smtp_problems(given, values, how)]


def _provider_problems(
    providers: list[str], values: Mapping[str, Any], how: HowToSet
) -> Iterator[str]:
    set_it = how.secretly(PROVIDERS_KEY, "JSON")
    example = f'Set it {set_it}, an object such as {{"google": "…"}}.'
    try:
        secrets = client_secrets(values)
    except ValidationError:
        yield f"langfuse:{PROVIDERS_KEY}: must be a JSON object of strings. {example}"
        return
    for provider in providers:
        if provider in PROVIDERS and not secrets.get(provider):
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


def _smtp_problems(
    given: Mapping[str, Any], values: Mapping[str, Any], how: HowToSet
) -> Iterator[str]:
    key, shape = f"langfuse:{SMTP_KEY}", "smtp.mode smtp"
    url, mode = values.get(SMTP_KEY), _mapping(given.get("smtp")).get("mode")
    if mode not in (None, "ses", "smtp"):
        return  # whether it takes a URL, nobody knows
    if mode != "smtp":
        if url is not None:
            yield f"{key}: exists only for {shape}. Remove it, or choose {shape}."
    elif not url:
        yield f"{key}: is not set, and {shape} needs it. Set it {how.secretly(SMTP_KEY, 'URL')}."
    elif not (found := _SMTP_URL.fullmatch(str(url))) or int(found["port"] or 0) > 65_535:
        yield (
            f"{key}: must be smtp://USER:PASSWORD@HOST:PORT, or smtps://… for TLS from the start. "
            "Write it so, with what is not a letter or digit in user and password percent-encoded."
        )


def _mapping(value: Any) -> Mapping[str, Any]:
    return cast(Mapping[str, Any], value) if isinstance(value, Mapping) else {}
