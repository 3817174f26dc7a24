"""The secret keys of the stack file: a row for each, which all that knows of secret keys reads.

What a row cannot say, such as which variables Langfuse has, is checked where that is known. Each is
a top-level key: a secret inside an object reads back as plain text
(https://github.com/pulumi/pulumi/issues/6531).
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, cast

from pydantic import TypeAdapter, ValidationError

from langfuse_aws.settings import sealed
from langfuse_aws.settings.how_to_set import HowToSet
from langfuse_aws.settings.section import Form
from langfuse_aws.settings.sign_in import PROVIDERS
from langfuse_aws.settings.wording import nearest

_TEXTS: Final = TypeAdapter(dict[str, str])


@dataclass(frozen=True)
class SecretKey:
    """What a secret key holds, and when."""

    value: str
    """What it must be, as a cell of a table."""
    meaning: str
    """As the description of a field."""
    needed_with: Mapping[str, str] = field(default_factory=dict[str, str])
    """Values of plain keys with which it is needed, all of them, and without which it is refused.
    Empty: nothing of the kind, or `names` tells."""
    form: Form | None = None
    argument: str = "VALUE"
    """What stands for it in a command."""
    stand_in: str = "{}"
    """Something of that form, to be formatted with letters and `-`."""
    names: Callable[[Mapping[str, Any]], Sequence[str]] | None = None
    """For a JSON object of texts by name: those that the stack's plain keys ask for."""
    section: str = ""
    """Where it would be if it were not secret, and may be put by mistake."""
    key_there: str = ""
    """Pattern of what its key would be there."""

    @property
    def by_name(self) -> bool:
        """Whether it is a JSON object of texts."""
        return self.names is not None

    def standing_in(self, text: str, given: Mapping[str, Any]) -> str | None:
        """What the program takes in its place beside these plain keys; None: it needs none."""
        if self.names is None:
            return self.stand_in.format(text)
        names = self.names(given)
        return json.dumps(dict.fromkeys(names, text)) if names else None

    def texts(self, value: Any) -> Mapping[str, str | None]:
        """What is in a JSON object, or in a mapping that has None for what is not known yet.

        SEALED is not known either. Raises `pydantic.ValidationError` if that is not what it is;
        None is an empty one.
        """
        if value is None:
            return {}
        if not isinstance(value, Mapping):
            return _TEXTS.validate_json(value)
        parts = cast("Mapping[str, Any]", value)
        known = {key: each for key, each in parts.items() if each not in (None, sealed.SEALED)}
        return {**dict.fromkeys(parts), **_TEXTS.validate_python(known)}


def auth_providers(given: Mapping[str, Any]) -> list[str]:
    """The providers of sign-in that were written, right or wrong."""
    sections = _part(_part(given, "auth"), "providers")
    return [name for name, section in sections.items() if section is not None]


def _part(given: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = given.get(key)
    return cast("Mapping[str, Any]", found) if isinstance(found, Mapping) else {}


ENVIRONMENT_KEY: Final = "secretEnvironment"
PROVIDERS_KEY: Final = "authSecrets"
SMTP_KEY: Final = "smtpUrl"
GRAFANA_PASSWORD_KEY: Final = "grafanaClickhousePassword"  # noqa: S105 -- a name
"""The password of the user that Grafana reads an external ClickHouse as."""

PASSWORD_KEYS: Final[Mapping[str, str]] = {
    "clickhouse": "clickhousePassword",
    "postgres": "postgresPassword",
    "redis": "redisPassword",
}
"""The secret key of each store that may be external."""


def _password(store: str, of: str, form: Form | None = None) -> SecretKey:
    return SecretKey(
        value="letters, digits and `._~-`" if form else "text",
        meaning=f"Password of {of}",
        needed_with={f"{store}.mode": "external"},
        form=form,
        section=store,
        key_there="password",
    )


def _url_safe(store: str) -> Form:
    return Form(
        r"^[A-Za-z0-9._~-]+$",
        "may have letters, digits and ._~- only, because Langfuse's images put it into a URL as it "
        "is",
        f"give {store}.user such a password",
    )


_ENCODED: Final = r"([^\s:@/?#%]|%[0-9A-Fa-f]{2})"
_PORT: Final = r"(6553[0-5]|655[0-2]\d|65[0-4]\d\d|6[0-4]\d{3}|[1-5]\d{4}|[1-9]\d{0,3})"
_SMTP_URL: Final = Form(
    rf"(?a:^smtps?://({_ENCODED}+:{_ENCODED}+@)?[\w-]+(\.[\w-]+)*(:{_PORT})?/?(\?[^\s#]*)?$)",
    "must be smtp://USER:PASSWORD@HOST:PORT, or smtps://… for TLS from the start",
    "write it so, with what is not a letter or digit in user and password percent-encoded",
)
"""What nodemailer takes apart: user and password percent-encoded, options after `?`."""

SECRET_KEYS: Final[Mapping[str, SecretKey]] = {
    ENVIRONMENT_KEY: SecretKey(
        value="JSON object of names and texts",
        meaning="Langfuse variables for both containers that are secrets, kept in Secrets Manager",
        argument="JSON",
        names=lambda _: [],
    ),
    PASSWORD_KEYS["clickhouse"]: _password(
        "clickhouse", "`clickhouse.user`", _url_safe("clickhouse")
    ),
    PASSWORD_KEYS["postgres"]: _password("postgres", "`postgres.user`", _url_safe("postgres")),
    PASSWORD_KEYS["redis"]: _password("redis", "the Redis"),
    GRAFANA_PASSWORD_KEY: SecretKey(
        value="text",
        meaning="Password of `grafana.clickhouseUser`",
        needed_with={"grafana.enabled": "true", "clickhouse.mode": "external"},
        section="grafana",
        key_there="password",
    ),
    PROVIDERS_KEY: SecretKey(
        value="JSON object of providers and texts",
        meaning="Client secret of each of `auth.providers`",
        argument="JSON",
        names=auth_providers,
        section="auth.providers",
        key_there="(?i).*secret.*",
    ),
    SMTP_KEY: SecretKey(
        value="`smtp://` or `smtps://`",
        meaning="SMTP server, with user and password",
        needed_with={"smtp.mode": "smtp"},
        form=_SMTP_URL,
        argument="URL",
        stand_in="smtps://{}",
        section="smtp",
        key_there="url",
    ),
}
"""By name, in the order of the tables."""


def client_secret_problems(
    given: Mapping[str, Any], values: Mapping[str, Any], how: HowToSet
) -> Iterator[str]:
    """Find what is wrong with the client secrets of `authSecrets`, a line each; none has one."""
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
