"""What of a source's variables becomes a stack's configuration, so that what is moved in works.

Secrets are given to pulumi on standard input, and encrypted by it; they are never printed.
"""

import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from pulumi import automation as auto
from pydantic.alias_generators import to_camel, to_snake

from langfuse_aws.automation.engine.operation import Command
from langfuse_aws.automation.engine.workspace import search_path
from langfuse_aws.automation.move_in.refusals import SECRETS
from langfuse_aws.automation.move_in.source import Source
from langfuse_aws.contract.variables import known
from langfuse_aws.settings.messages import NAMESPACE
from langfuse_aws.settings.secret_keys import ENVIRONMENT_KEY, PROVIDERS_KEY, SMTP_KEY
from langfuse_aws.settings.sign_in import PROVIDERS
from langfuse_aws.settings.sign_in_variables import FROM, SMTP_URL

LISTS: Final = ("allowed_domains",)
FLAGS: Final = ("allow_account_linking",)


@dataclass(frozen=True)
class Configuration:
    """What to set."""

    plain: Mapping[str, Any]
    """By key below `langfuse:`, with dots."""
    environment: Mapping[str, str] = field(repr=False)
    """Of `secretEnvironment`."""
    providers: Mapping[str, str] = field(repr=False)
    """Of `authSecrets`."""
    smtp_url: str | None = field(default=None, repr=False)
    left: tuple[str, ...] = ()
    """Variables of the source that a stack file may set, and that this does not: by name."""


def configuration_of(source: Source, major: int) -> Configuration:
    """Work it out."""
    given = source.environment
    plain: dict[str, Any] = {}
    clients: dict[str, str] = {}
    used: set[str] = set(SECRETS)
    for provider, section in PROVIDERS.items():
        prefix = f"AUTH_{to_snake(provider)}_".upper()
        secret = given.get(f"{prefix}CLIENT_SECRET")
        if secret is None or f"{prefix}CLIENT_ID" not in given:
            continue
        clients[provider] = secret
        used.add(f"{prefix}CLIENT_SECRET")
        for name in section.model_fields:
            variable = f"{prefix}{name.upper()}"
            if variable in given:
                used.add(variable)
                for path, value in _values(name, given[variable]):
                    plain[f"auth.providers.{provider}.{path}"] = value
    if given.get(SMTP_URL, "").startswith(("smtp://", "smtps://")) and FROM in given:
        plain |= {"smtp.mode": "smtp", "smtp.from": given[FROM]}
        used |= {FROM, SMTP_URL}
    return Configuration(
        plain,
        {name: given[name] for name in SECRETS if name in given},
        clients,
        given[SMTP_URL] if SMTP_URL in used else None,
        tuple(sorted(_left(given, used, major))),
    )


def _values(name: str, text: str) -> Iterator[tuple[str, Any]]:
    key = to_camel(name)
    if name in LISTS:
        for index, each in enumerate(filter(None, (part.strip() for part in text.split(",")))):
            yield f"{key}[{index}]", each
    else:
        yield key, text == "true" if name in FLAGS else text


def _left(given: Mapping[str, str], used: set[str], major: int) -> Iterator[str]:
    rows = {**known("worker", major), **known("web", major)}
    stores = ("CLICKHOUSE_", "DATABASE_", "REDIS_", "LANGFUSE_S3_", "LANGFUSE_INIT_")
    for name in given:
        row = rows.get(name)
        settable = row is not None and row.use in ("own", "shared")
        if settable and name not in used and not name.startswith(stores):
            yield name


def configure(configuration: Configuration, stack: str, folder: Path) -> None:
    """Set it in the stack's file; what it has there already of secret texts stays."""
    pulumi = _pulumi(stack, folder)
    for key, value in configuration.plain.items():
        text = json.dumps(value) if isinstance(value, bool) else str(value)
        pulumi("set", "--path", f"{NAMESPACE}:{key}", "--plaintext", "--", text, given=None)
    for key, texts in (
        (ENVIRONMENT_KEY, configuration.environment),
        (PROVIDERS_KEY, configuration.providers),
    ):
        if texts:
            there = _held(pulumi, key)
            pulumi("set", "--secret", f"{NAMESPACE}:{key}", given=json.dumps({**there, **texts}))
    if configuration.smtp_url:
        pulumi("set", "--secret", f"{NAMESPACE}:{SMTP_KEY}", given=configuration.smtp_url)


def _pulumi(stack: str, folder: Path) -> Callable[..., str]:
    command = Command()

    def pulumi(*arguments: str, given: str | None) -> str:
        told = {**os.environ, "PATH": search_path()}
        whole = ["config", *arguments[:1], "--stack", stack, *arguments[1:]]
        # On standard input: a command line can be seen by every user of the machine.
        return command.run(whole, str(folder), told, given=given).stdout

    return pulumi


def _held(pulumi: Callable[..., str], key: str) -> dict[str, str]:
    try:
        return json.loads(pulumi("get", f"{NAMESPACE}:{key}", given=None))
    except auto.errors.CommandError:
        return {}
