"""The variables of sign-in and mail, after which the settings of `settings/sign_in.py` are named.

A field of a provider is a variable: `azure_ad.tenant_id` is AUTH_AZURE_AD_TENANT_ID.
"""

from collections.abc import Mapping
from typing import Any, Final, TypeVar, cast

from pydantic.alias_generators import to_snake

from langfuse_aws.settings.model import Auth
from langfuse_aws.settings.sign_in import PROVIDERS, Provider, SesMail, Smtp

Reference = TypeVar("Reference")

FROM: Final = "EMAIL_FROM_ADDRESS"
SMTP_URL: Final = "SMTP_CONNECTION_URL"
ENFORCED_DOMAINS: Final = "AUTH_DOMAINS_WITH_SSO_ENFORCEMENT"


def of_auth(auth: Auth) -> dict[str, str]:
    """Build web's variables in the clear."""
    variables = {
        _variable(provider, field): _text(value)
        for provider in PROVIDERS
        if (section := _section(auth, provider))
        for field, value in section.model_dump().items()
        if value not in (None, [])
    }
    if auth.enforce_sso_domains:
        variables[ENFORCED_DOMAINS] = _text(auth.enforce_sso_domains)
    return variables


def client_secrets(references: Mapping[str, Reference]) -> dict[str, Reference]:
    """Build web's secret variables of references by provider."""
    return {
        _variable(provider, "client_secret"): reference
        for provider, reference in references.items()
    }


def of_mail(smtp: Smtp | None, region: str) -> dict[str, str]:
    """Build the variables of mail that are no secret, for both containers."""
    if smtp is None:
        return {}
    by_role = {SMTP_URL: f"ses://{region}"} if isinstance(smtp, SesMail) else {}
    return {FROM: smtp.from_address, **by_role}


def wired(config: Mapping[str, Any]) -> dict[str, str]:
    """Variables that a stack file's own sections set, with the key of the section.

    `config` may have faults: whatever is no section sets nothing.
    """
    auth = _mapping(config.get("auth"))
    found = {
        _variable(provider, field): f"auth.providers.{provider}"
        for provider, section in _mapping(auth.get("providers")).items()
        if provider in PROVIDERS and section is not None
        for field in (*PROVIDERS[provider].model_fields, "client_secret")
    }
    if auth.get("enforceSsoDomains"):
        found[ENFORCED_DOMAINS] = "auth.enforceSsoDomains"
    if config.get("smtp") is not None:
        found |= {FROM: "smtp", SMTP_URL: "smtp"}
    return found


def _section(auth: Auth, provider: str) -> Provider | None:
    return getattr(auth.providers, to_snake(provider))


def _variable(provider: str, field: str) -> str:
    return f"AUTH_{to_snake(provider)}_{field}".upper()


def _text(value: bool | str | list[str]) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else ",".join(value)


def _mapping(value: Any) -> Mapping[str, Any]:
    return cast(Mapping[str, Any], value) if isinstance(value, Mapping) else {}
