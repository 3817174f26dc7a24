"""Turns a stack file's `langfuse:` keys into `Settings`, or into all of their errors at once."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, cast

from pydantic import ValidationError

from langfuse_aws.settings import (
    agreement,
    byte_limits,
    known_part,
    lockout,
    messages,
    own_environment,
    sealed,
)
from langfuse_aws.settings.how_to_set import IN_CONFIGURATION, HowToSet
from langfuse_aws.settings.messages import NAMESPACE, VARIANTS
from langfuse_aws.settings.model import Settings
from langfuse_aws.settings.secret_keys import (
    ENVIRONMENT_KEY,
    SECRET_KEYS,
    auth_providers,
    client_secret_problems,
)
from langfuse_aws.settings.sizing import Row, row_of
from langfuse_aws.settings.versions import LANGFUSE, LANGFUSE_MAJORS, version_of


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


def load(
    values: Mapping[str, Any],
    how: HowToSet = IN_CONFIGURATION,
    *,
    region: str | None = None,
    sealed_environment: bool = False,
) -> Settings:
    """The settings that `values` (keys without the namespace) stand for.

    Values are YAML's own, or the text that Pulumi hands to a program. A secret that is a JSON
    object may also be a mapping, in which None stands for a value that is not known yet. `how` is
    what the errors say of setting a value, `region` the stack's, if it is known.
    `sealed_environment`: there is a `secretEnvironment` that cannot be decrypted here. It is taken
    for right, as is SEALED in place of any plain value, whose attribute the settings then lack.
    Raises SettingsError.
    """
    given, merged = _merged(values)
    settings, problems, complete = _of_sections(merged, how, region)
    secrets, unreadable = _secret_environment(values, how)
    problems += unreadable
    given = sealed.without(given)
    problems += own_environment.problems(sealed.without(merged), secrets, _release(given))
    secret_values = {key: values[key] for key in SECRET_KEYS if key in values}
    problems += byte_limits.problems(given, secret_values, secrets)
    problems += _need_problems(merged, values, how)
    problems += client_secret_problems(given, values, how)
    if not unreadable and not sealed_environment:
        problems += lockout.problems(settings, auth_providers(given), secrets, complete=complete)
    if problems:
        raise SettingsError(problems)
    return settings


def load_without_secrets(values: Mapping[str, Any]) -> Settings:
    """The settings for a caller who cannot decrypt: as `load`, with nothing said about secrets."""
    settings, problems, _ = _of_sections(_merged(values)[1], IN_CONFIGURATION)
    if problems:
        raise SettingsError(problems)
    return settings


def _of_sections(
    merged: Mapping[str, Any], how: HowToSet, region: str | None = None
) -> tuple[Settings, list[str], bool]:
    """The settings, or what of them is right; a line for each problem; whether all is known."""
    lines: list[str] = []
    complete = True
    try:
        settings = Settings.model_validate(merged)
    except ValidationError as error:
        details = error.errors()
        complete = False
        lines = [messages.message(each, how) for each in details if not sealed.holds(each["input"])]
        settings = known_part.of(merged, [detail["loc"] for detail in details])
    conflicts = agreement.conflicts(settings, complete=complete, region=region)
    lines += [messages.conflict_message(conflict, settings) for conflict in conflicts]
    return settings, sorted(lines, key=messages.place), complete


def _merged(values: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What was given but for the secrets, and the same over the row of the size."""
    given = {key: parsed(value) for key, value in values.items() if key not in SECRET_KEYS}
    web = given.get("web")
    platform = cast(Mapping[str, Any], web).get("platform") if isinstance(web, Mapping) else None
    row = row_of(str(given.get("size")), str(platform))
    merged = {**row, **given}
    for key, part in row.items():
        own = given.get(key, {})
        if isinstance(part, Mapping) and isinstance(own, Mapping):
            merged[key] = _over_row(key, cast(Row, part), cast(Row, own))
    return given, merged


def _secret_environment(
    values: Mapping[str, Any], how: HowToSet
) -> tuple[Mapping[str, str | None], list[str]]:
    """The variables of `langfuse:secretEnvironment` by name, and a line if nobody can read them."""
    secret = SECRET_KEYS[ENVIRONMENT_KEY]
    try:
        return secret.texts(values.get(ENVIRONMENT_KEY)), []
    except ValidationError:
        example = '{"LANGFUSE_EE_LICENSE_KEY": "…"}'
        return {}, [
            f"{NAMESPACE}:{ENVIRONMENT_KEY}: must be a JSON object of strings, such as {example}. "
            f"Set it {how.secretly(ENVIRONMENT_KEY, secret.argument)}."
        ]


def _need_problems(
    merged: Mapping[str, Any], values: Mapping[str, Any], how: HowToSet
) -> Iterator[str]:
    """Find secrets that are missing, wrong, or too many; no line has a secret in it."""
    for key, secret in SECRET_KEYS.items():
        needed = [_has(merged, *each) for each in secret.needed_with.items()]
        if not needed or (None in needed and False not in needed):
            continue  # whether it is needed, nobody knows
        full, value = f"{NAMESPACE}:{key}", values.get(key)
        shape = " with ".join(map(" ".join, secret.needed_with.items()))
        if not all(needed):
            if value is not None:
                yield f"{full}: exists only for {shape}. Remove it, or choose {shape}."
        elif not value:
            set_it = how.secretly(key, secret.argument)
            yield f"{full}: is not set, and {shape} needs it. Set it {set_it}."
        elif isinstance(value, Mapping | list):
            set_it = how.secretly(key, secret.argument)
            yield f"{full}: must be one text, which is encrypted as a whole. Set it {set_it}."
        elif secret.form and not secret.form.fits(str(value)):
            yield f"{full}: {secret.form.bound}. {messages.sentence(secret.form.remedy)}."


def _has(merged: Mapping[str, Any], path: str, value: str) -> bool | None:
    """Whether a plain key has a value; None: it has one that it cannot have."""
    name, _, key = path.partition(".")
    section = merged.get(name)
    if not isinstance(section, Mapping):
        return None if section else False
    given = cast(Mapping[str, Any], section).get(key)
    if sealed.holds(given):
        return None
    found = str(given)
    if name in VARIANTS and found not in VARIANTS[name]:
        return None
    return found.lower() == value


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
        except (ValueError, RecursionError):
            return value
    return value


def _over_row(section: str, row: Row, given: Mapping[str, Any]) -> dict[str, Any]:
    """The row's values under the given ones, without those of another shape of the section."""
    variant = messages.variant(section, {**row, **given})
    if variant is None:
        return {**row, **given}
    keys = messages.keys(variant)
    return {key: value for key, value in row.items() if key in keys} | dict(given)
