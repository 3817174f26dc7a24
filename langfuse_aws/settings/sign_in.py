"""The settings of sign-in by other accounts, `auth.providers`, and of mail, `smtp`.

A stack adds a provider as docs/sign-in.md says: any of OpenID Connect is `custom`, without code.
One with a name of its own is a class here, a field of `Providers` and a row of `PROVIDERS`;
sign_in_variables.py names its variables `AUTH_<PROVIDER>_<FIELD>`.
Client secrets and the SMTP URL are secret keys, which settings/secret_keys.py checks.
"""

import re
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field

from langfuse_aws.settings.host_names import DOMAIN, LABEL, Domain
from langfuse_aws.settings.section import Form, Section, invalid

SES_SINCE: Final = (3, 176, 0)
"""No earlier release can have the SES transport: 3.175.0 is of 2026-05-21, and the change was
merged the day after (https://github.com/langfuse/langfuse/pull/13670)."""

DISCOVERY_PATH: Final = "/.well-known/openid-configuration"
"""Langfuse appends it to an issuer."""

Word = Annotated[str, Form(r"^\S+$", "must be a text without spaces", "copy it from the provider")]


def _issuer(value: str) -> str:
    host = rf"(?i:{LABEL}(\.{LABEL})*)"
    if not re.fullmatch(rf"https://{host}(:[1-9]\d{{0,4}})?(/[\w.~%-]+)*/?", value, re.ASCII):
        raise invalid(
            "must be an https URL without user, query or fragment",
            "write it as https://HOST/PATH, as the provider states it",
        )
    if value.rstrip("/").endswith(DISCOVERY_PATH):
        raise invalid("is the discovery document, not the issuer", f"leave out {DISCOVERY_PATH}")
    return value.rstrip("/")


Issuer = Annotated[str, AfterValidator(_issuer)]


def _tenant(value: str) -> str:
    if not re.fullmatch(rf"(?i:[0-9a-f]{{8}}(-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}}|{DOMAIN})", value):
        raise invalid(
            "must be the ID of one tenant, or a domain of it",
            "`common` and `organizations` would let the users of every tenant in",
        )
    return value


Tenant = Annotated[str, AfterValidator(_tenant)]


class Provider(Section):
    """What every provider has. Its fields name variables: sign_in_variables.py."""

    client_id: Word = Field(description="Client ID of Langfuse at the provider")
    allow_account_linking: bool = Field(
        False,
        description="Let its users into existing accounts of the same email address: only if the "
        "provider verifies addresses, or whoever claims one takes the account over",
    )


class WithIssuer(Provider):
    """A provider that is found by its issuer."""

    issuer: Issuer = Field(description="Issuer of the provider's tokens")


class Google(Provider):
    """Google accounts."""

    allowed_domains: list[Domain] = Field(
        [], description="Google Workspace domains whose users may sign in; none: every Google user"
    )


class GitHub(Provider):
    """GitHub accounts: every GitHub user, of whatever organisation."""


class AzureAd(Provider):
    """Microsoft Entra ID, one tenant of it."""

    tenant_id: Tenant = Field(description="Microsoft Entra tenant: its ID, or a domain of it")


class Okta(WithIssuer):
    """Okta."""


class Cognito(WithIssuer):
    """An Amazon Cognito user pool."""


class Keycloak(WithIssuer):
    """A realm of Keycloak."""


class Custom(WithIssuer):
    """Any other provider of OpenID Connect."""

    name: str = Field(min_length=1, description="What the button on the sign-in page says")
    scope: str | None = Field(
        None, min_length=1, description="Scopes to ask for; not set: `openid email profile`"
    )


class Providers(Section):
    """Ways to sign in, each by the provider's name."""

    google: Google | None = None
    github: GitHub | None = None
    okta: Okta | None = None
    azure_ad: AzureAd | None = None
    cognito: Cognito | None = None
    keycloak: Keycloak | None = None
    custom: Custom | None = None


PROVIDERS: Final[dict[str, type[Provider]]] = {
    "google": Google,
    "github": GitHub,
    "okta": Okta,
    "azureAd": AzureAd,
    "cognito": Cognito,
    "keycloak": Keycloak,
    "custom": Custom,
}
"""The sections of `auth.providers`, by their keys."""


def _address(value: str) -> str:
    """Check an address; its domain becomes lower-case, as it is in SES's identities."""
    name, _, domain = value.rpartition("@")
    if not re.fullmatch(r"[A-Za-z0-9._%+=-]{1,64}", name) or not re.fullmatch(
        DOMAIN, domain.lower()
    ):
        raise invalid(
            "must be an address alone, such as no-reply@example.com",
            "leave a name out: Langfuse puts its own before the address",
        )
    return f"{name}@{domain.lower()}"


Address = Annotated[str, AfterValidator(_address)]


class Mail(Section):
    """What both ways to send mail have."""

    from_address: Address = Field(alias="from", description="Address that mails come from")


class SmtpMail(Mail):
    """Mail through an SMTP server, whose URL is the secret key `smtpUrl`."""

    mode: Literal["smtp"] = Field(description="What sends mail")


class SesMail(Mail):
    """Mail through Amazon SES in the stack's region, by the task roles, without a password."""

    mode: Literal["ses"] = Field(description="What sends mail")
    resource_arns: list[
        Annotated[
            str,
            Form(
                r"^arn:[^:]+:ses:[^:*?]+:[0-9]{12}:(identity|configuration-set)/[^*?]+$",
                "must be the ARN of an SES identity or configuration set, without wildcards",
                "write arn:aws:ses:REGION:ACCOUNT:identity/NAME",
            ),
        ]
    ] = Field(
        [],
        description="ARNs of SES identities and configuration sets that mail may use; none: the "
        "identities of the address and of its domain",
    )

    @property
    def identities(self) -> list[str]:
        """Names of the SES identities that the address may be verified by."""
        return [self.from_address.rpartition("@")[2], self.from_address]


Smtp = Annotated[SesMail | SmtpMail, Field(discriminator="mode")]
