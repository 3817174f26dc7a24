"""Refuses a stack that nobody can sign in to, by Langfuse's own rules.

Accounts are bootstrap's, which has a password; those of people who sign up; and those that are in
the database already. A provider that states the address of an account which is not linked to it is
refused, unless it may link: then it gets in.
https://github.com/langfuse/langfuse/blob/v4.16.0/web/src/server/auth.ts
https://github.com/langfuse/langfuse/blob/v4.16.0/web/src/initialize.ts
https://github.com/langfuse/langfuse/blob/v4.16.0/web/src/features/auth-credentials/server/signupApiHandler.ts
The same in 3.225.4. A code that is mailed to reset a password opens a session too; nobody is meant
to live on that, and it does not count.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any, Final, NamedTuple

from langfuse_aws.settings.external_stores import ExternalPostgres
from langfuse_aws.settings.model import Settings
from langfuse_aws.settings.sign_in import PROVIDERS, Google, Provider, Providers
from langfuse_aws.settings.sign_in_variables import ENFORCED_DOMAINS
from langfuse_aws.settings.wording import shown

SIGN_UP: Final = "AUTH_DISABLE_SIGNUP"
PASSWORD: Final = "AUTH_DISABLE_USERNAME_PASSWORD"  # noqa: S105 -- a name
_CLIENT_ID: Final = re.compile(r"AUTH_(\w+)_CLIENT_ID")

Own = Mapping[str, str | None]
"""The stack file's secret variables by name; None: a value that is not known."""

_OUTSIDE: Final = (
    "Set allowAccountLinking of a provider that vouches for the address, or remove it; "
    "auth.existingAccounts says that other people have accounts."
)


class _Decision(NamedTuple):
    """A switch as web has it, by its section or by a variable that wins over it."""

    where: str
    """The key that decides, and its value unless it is a secret: how a line begins."""
    value: Any


class _Provider(NamedTuple):
    linking: bool
    domains: tuple[str, ...]
    """Whose users may sign in; empty: everybody's."""

    @classmethod
    def of(cls, section: Provider) -> "_Provider":
        domains = section.allowed_domains if isinstance(section, Google) else ()
        return cls(section.allow_account_linking, tuple(domains))

    @classmethod
    def by_hand(cls, name: str, own: Own) -> "_Provider":
        linking = own.get(f"AUTH_{name}_ALLOW_ACCOUNT_LINKING", "false")
        return cls(
            linking in ("true", None),
            tuple(_domains(own.get(f"AUTH_{name}_ALLOWED_DOMAINS") or "")),
        )

    def admits(self, domain: str) -> bool:
        return self.linking and (not self.domains or domain in self.domains)


class _Access(NamedTuple):
    """What decides who gets in."""

    settings: Settings
    secrets: Own

    @property
    def own(self) -> Mapping[str, str]:
        return self.settings.web.environment

    def sign_up_closed(self) -> _Decision:
        key, value = "auth.disableSignup", self.settings.signup_disabled
        return self._decision(SIGN_UP, key, value, lambda text: text == "true")

    def password_closed(self) -> _Decision:
        key, value = "auth.disablePassword", self.settings.auth.disable_password
        return self._decision(PASSWORD, key, value, lambda text: text == "true")

    def enforced(self) -> _Decision:
        key, value = "auth.enforceSsoDomains", self.settings.auth.enforce_sso_domains
        return self._decision(ENFORCED_DOMAINS, key, value, _domains)

    def _decision(
        self, variable: str, key: str, value: Any, read: Callable[[str], Any]
    ) -> _Decision:
        if variable in self.secrets:
            where = f"langfuse:secretEnvironment.{variable}:"
            return _Decision(where, read(self.secrets[variable] or ""))
        if (text := self.own.get(variable)) is not None:
            return _Decision(f"langfuse:web.environment.{variable}: {shown(text)}:", read(text))
        return _Decision(f"langfuse:{key}: {shown(value)}:", value)

    def providers(self) -> list[_Provider]:
        own = {**self.own, **self.secrets}
        by_hand = [
            found[1]
            for variable in own
            if (found := _CLIENT_ID.fullmatch(variable)) and f"AUTH_{found[1]}_CLIENT_SECRET" in own
        ]
        providers = self.settings.auth.providers
        sections = [getattr(providers, name) for name in Providers.model_fields]
        return [
            *(_Provider.of(section) for section in sections if section is not None),
            *(_Provider.by_hand(name, own) for name in by_hand),
        ]

    def linked(self) -> bool:
        """Whether a provider may be linked to the account of bootstrap's user."""
        return any(provider.admits(self.domain()) for provider in self.providers())

    def domain(self) -> str:
        bootstrap = self.settings.bootstrap
        return bootstrap.user_email.rpartition("@")[2].lower() if bootstrap else ""

    def may_have_accounts(self) -> bool:
        """Whether the database has, or may have, accounts that were made before."""
        postgres = self.settings.postgres
        return (
            self.settings.auth.existing_accounts
            or isinstance(postgres, ExternalPostgres)
            or postgres.snapshot_identifier is not None
            or "postgres" in self.settings.adopted
        )


def _domains(text: str) -> list[str]:
    return [each for each in (part.strip().lower() for part in text.split(",")) if each]


def _nobody_without_a_provider(access: _Access) -> Iterator[str]:
    if access.providers():
        return
    first = access.settings.bootstrap is not None and access.sign_up_closed().value
    linking = ", one with allowAccountLinking for bootstrap's user" if first else ""
    remedy = f"since there is no provider. Set langfuse:auth.providers{linking}, or remove it."
    if (closed := access.password_closed()).value:
        yield f"{closed.where} nobody could sign in, {remedy}"
    if (enforced := access.enforced()).value:
        yield f"{enforced.where} their users could not sign in, {remedy}"


def _nobody_makes_the_first(access: _Access) -> Iterator[str]:
    closed = access.sign_up_closed()
    if closed.value and access.settings.bootstrap is None and not access.may_have_accounts():
        yield (
            f"{closed.where} nobody could sign in: nobody has an account, and nobody could make "
            "one. Set langfuse:bootstrap, which makes the first, or remove it until somebody has "
            "signed up; then auth.existingAccounts says so."
        )


def _first_without_a_password(access: _Access) -> Iterator[str]:
    closed = access.password_closed()
    if closed.value and (alone := _first_is_alone(access)):
        yield f"{closed.where} {alone}"


def _first_of_an_enforced_domain(access: _Access) -> Iterator[str]:
    enforced = access.enforced()
    if access.domain() in enforced.value and (alone := _first_is_alone(access)):
        yield f"{enforced.where} {alone}"


def _first_is_alone(access: _Access) -> str:
    """Say that nobody gets in where bootstrap's user does not by password; empty: somebody may."""
    bootstrap = access.settings.bootstrap
    if bootstrap is None or not access.sign_up_closed().value or not access.providers():
        return ""
    if access.linked() or access.may_have_accounts():
        return ""
    by_hand = access.settings.auth.disable_signup or SIGN_UP in {**access.own, **access.secrets}
    closed = "nobody may sign up" if by_hand else "bootstrap closes the sign-up"
    return (
        f"nobody could sign in: the only account, {bootstrap.user_email}, has a password, no "
        f"provider is let into it, and {closed}. {_OUTSIDE}"
    )


CHECKS: Final = (
    _nobody_without_a_provider,
    _nobody_makes_the_first,
    _first_without_a_password,
    _first_of_an_enforced_domain,
)


def problems(
    settings: Settings, providers: Iterable[str], secrets: Own, *, complete: bool
) -> list[str]:
    """Find what shuts everybody out, a line each; without `complete`, of what is right.

    `providers` are those that were written: a misspelt one was meant to be one.
    """
    if not PROVIDERS.keys() >= set(providers):
        return []
    access = _Access(settings, secrets)
    found: list[str] = []
    for check in CHECKS:
        with suppress(*(() if complete else (AttributeError,))):
            found += check(access)
    return found


def first_user_shut_out(settings: Settings, secrets: Own) -> Iterator[str]:
    """A line if bootstrap's user cannot sign in, though others may."""
    bootstrap, access = settings.bootstrap, _Access(settings, secrets)
    by_password = (
        not access.password_closed().value and access.domain() not in access.enforced().value
    )
    if bootstrap is None or by_password or access.linked() or settings.auth.existing_accounts:
        return
    yield (
        f"langfuse:bootstrap.userEmail: {shown(bootstrap.user_email)}: its account has a password, "
        "which the settings of auth take no more, and no provider is let into it: whoever else "
        "signs in is no member of its organization. Set allowAccountLinking of a provider that "
        "vouches for the address, until it has signed in once."
    )
