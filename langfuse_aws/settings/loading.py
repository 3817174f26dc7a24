"""Turns a stack file's `langfuse:` keys into `Settings`, or into all of their errors at once."""

import json
import re
from collections.abc import Mapping
from typing import Any, cast

from pydantic import TypeAdapter, ValidationError

from langfuse_aws.settings import (
    agreement,
    byte_limits,
    known_part,
    messages,
    own_environment,
    sign_in_secrets,
    way_in,
)
from langfuse_aws.settings.how_to_set import IN_CONFIGURATION, HowToSet
from langfuse_aws.settings.messages import (
    GRAFANA_PASSWORD_KEY,
    NAMESPACE,
    PASSWORD_KEYS,
    SECRET_KEYS,
    VARIANTS,
)
from langfuse_aws.settings.model import Settings
from langfuse_aws.settings.releases import LANGFUSE, LANGFUSE_MAJORS, version_of
from langfuse_aws.settings.sizing import Row, row_of

_STRINGS = TypeAdapter(dict[str, str])
_URL_SAFE = re.compile(r"[A-Za-z0-9._~-]+")


class SettingsError(ValueError):
    """A stack file's errors, one line each."""

    def __init__(self, problems: list[str]) -> None:
        """Take the lines."""
        self.problems = problems
        count = "1 error" if len(problems) == 1 else f"{len(problems)} errors"
        lines = "\n".join(f"  {problem}" for problem in problems)
        super().__init__(f"{count} in the stack's configuration; nothing was changed:\n{lines}")


def of_namespace(config: Mapping[str, Any]) -> dict[str, Any]:
    """Give the `langfuse:` keys of a configuration, without the namespace."""
    prefix = f"{NAMESPACE}:"
    return {
        key.removeprefix(prefix): value for key, value in config.items() if key.startswith(prefix)
    }


def load(values: Mapping[str, Any], how: HowToSet = IN_CONFIGURATION) -> Settings:
    """The settings that `values` (keys without the namespace) stand for.

    Values are YAML's own, or the text that Pulumi hands to a program. `secretEnvironment` may also
    be a mapping, in which None stands for a value that is not known yet. `how` is what the errors
    say of setting a value. Raises SettingsError.
    """
    given, merged = _merged(values)
    settings, problems = _of_sections(merged, how)
    complete = not problems
    secrets: Mapping[str, str | None] = {}
    readable = True
    try:
        own = values.get("secretEnvironment")
        secrets = (
            cast(Mapping[str, str | None], own)
            if isinstance(own, Mapping)
            else secret_environment(values, how)
        )
    except SettingsError as error:
        problems += error.problems
        readable = False
    problems += own_environment.problems(merged, secrets, _release(given))
    secret_values = {key: values[key] for key in SECRET_KEYS if key in values}
    problems += byte_limits.problems(given, secret_values, secrets)
    problems += _password_problems(merged, values, how)
    problems += sign_in_secrets.problems(given, values, how)
    if readable:
        problems += way_in.problems(settings, _providers(given), secrets, complete=complete)
    problems += _reader_password_problems(merged, values, how)
    if problems:
        raise SettingsError(problems)
    return settings


def load_without_secrets(values: Mapping[str, Any]) -> Settings:
    """The settings for a caller who cannot decrypt: as `load`, with nothing said about secrets."""
    settings, problems = _of_sections(_merged(values)[1], IN_CONFIGURATION)
    if problems:
        raise SettingsError(problems)
    return settings


def _of_sections(merged: Mapping[str, Any], how: HowToSet) -> tuple[Settings, list[str]]:
    """The settings, or what of them is right; and a line for each fault of or between sections."""
    lines: list[str] = []
    try:
        settings = Settings.model_validate(merged)
    except ValidationError as error:
        details = error.errors()
        lines = [messages.line(detail, how) for detail in details]
        settings = known_part.of(merged, [detail["loc"] for detail in details])
    faults = agreement.faults(settings, complete=not lines)
    lines += [messages.line_of(fault, settings) for fault in faults]
    return settings, sorted(lines, key=messages.place)


def _merged(values: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What was given but for the secrets, and the same over the row of the size."""
    given = {key: parsed(value) for key, value in values.items() if key not in SECRET_KEYS}
    web = given.get("web")
    platform = cast(Mapping[str, Any], web).get("platform") if isinstance(web, Mapping) else None
    row = row_of(str(given.get("size")), str(platform))
    merged = {**row, **given}
    for key, part in row.items():
        own = given.get(key)
        if isinstance(part, Mapping) and isinstance(own, Mapping):
            merged[key] = _over_row(key, cast(Row, part), cast(Row, own))
    return given, merged


def secret_environment(
    values: Mapping[str, Any], how: HowToSet = IN_CONFIGURATION
) -> dict[str, str]:
    """The variables of `langfuse:secretEnvironment`, by name. Raises SettingsError."""
    try:
        return _STRINGS.validate_json(values.get("secretEnvironment", "{}"))
    except ValidationError:
        key = f"{NAMESPACE}:secretEnvironment"
        example = '{"LANGFUSE_EE_LICENSE_KEY": "…"}'
        raise SettingsError(
            [
                f"{key}: must be a JSON object of strings, such as {example}. "
                f"Set it {how.secretly('secretEnvironment', 'JSON')}."
            ]
        ) from None


def _providers(given: Mapping[str, Any]) -> list[str]:
    """The providers that were written, right or wrong."""
    auth = given.get("auth")
    providers = (
        cast(Mapping[str, Any], auth).get("providers") if isinstance(auth, Mapping) else None
    )
    return list(cast(Mapping[str, Any], providers)) if isinstance(providers, Mapping) else []


def _password_problems(
    merged: Mapping[str, Any], values: Mapping[str, Any], how: HowToSet
) -> list[str]:
    """Find passwords that are missing, or too many; no line has a password in it."""
    problems: list[str] = []
    for store, key in PASSWORD_KEYS.items():
        section = merged.get(store)
        mode = cast(Mapping[str, Any], section).get("mode") if isinstance(section, Mapping) else ""
        if str(mode) not in VARIANTS[store]:
            continue  # which password it takes, nobody knows
        full = f"{NAMESPACE}:{key}"
        remedy = f"Set it {how.secretly(key)}."
        password = values.get(key)
        if mode != "external":
            if password is not None:
                shape = f"{store}.mode external"
                problems.append(f"{full}: exists only for {shape}. Remove it, or choose {shape}.")
        elif not password:
            problems.append(f"{full}: is not set, and {store}.mode external needs it. {remedy}")
        elif store != "redis" and not _URL_SAFE.fullmatch(str(password)):
            problems.append(
                f"{full}: may have letters, digits and ._~- only, because Langfuse's images put it "
                f"into a URL as it is. Give the user {merged[store].get('user', 'of the store')} "
                "such a password."
            )
    return problems


def _reader_password_problems(
    merged: Mapping[str, Any], values: Mapping[str, Any], how: HowToSet
) -> list[str]:
    """Find a password of Grafana's ClickHouse user that is missing, or that nobody uses."""

    def value(section: str, key: str) -> Any:
        found = merged.get(section)
        return cast(Mapping[str, Any], found).get(key) if isinstance(found, Mapping) else None

    enabled = str(value("grafana", "enabled")).lower() == "true"
    needed = enabled and value("clickhouse", "mode") == "external"
    full = f"{NAMESPACE}:{GRAFANA_PASSWORD_KEY}"
    if not needed and GRAFANA_PASSWORD_KEY in values:
        return [
            f"{full}: exists only for grafana.enabled true with clickhouse.mode external. Remove "
            "it; the stack's own ClickHouse gets a user by itself."
        ]
    if needed and not values.get(GRAFANA_PASSWORD_KEY):
        return [
            f"{full}: is not set, and an external ClickHouse needs it for grafana.clickhouseUser. "
            f"Set it {how.secretly(GRAFANA_PASSWORD_KEY)}."
        ]
    return []


def _release(given: Mapping[str, Any]) -> str:
    """The release whose variables are meant; a wrong one has a line of its own."""
    release = str(given.get("release", LANGFUSE))
    try:
        known = version_of(release)[0] in LANGFUSE_MAJORS
    except ValueError:
        known = False
    return release if known else LANGFUSE


def parsed(value: Any) -> Any:
    """Pulumi hands objects and lists to programs as JSON text."""
    if isinstance(value, str) and value[:1] in ("{", "["):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


def _over_row(section: str, row: Row, given: Mapping[str, Any]) -> dict[str, Any]:
    """The row's values under the given ones, without those of another shape of the section."""
    variant = messages.variant(section, {**row, **given} if section != "network" else given)
    if variant is None:
        return {**row, **given}
    keys = messages.keys(variant)
    return {key: value for key, value in row.items() if key in keys} | dict(given)
