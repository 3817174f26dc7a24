"""Checks what a caller of the library gives as the program does, before anything is written."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from langfuse_aws.settings import provider_keys, regions
from langfuse_aws.settings.configuration import misspelt_namespaces
from langfuse_aws.settings.how_to_set import IN_SETTINGS
from langfuse_aws.settings.loading import SettingsError, load
from langfuse_aws.settings.messages import NAMESPACE
from langfuse_aws.settings.secret_keys import SECRET_KEYS

_NAMESPACES: Final = (f"{NAMESPACE}:config:", f"{NAMESPACE}:")
"""Two ways to write one: Pulumi takes `langfuse:config:size` for `langfuse:size`."""


@dataclass(frozen=True)
class Given:
    """What may be written. Keys have their namespaces."""

    config: dict[str, Any] | None
    """A stack file's `config`; None where the settings are a stack file."""
    secrets: dict[str, str]


def checked(settings: Mapping[str, Any] | None, secrets: Mapping[str, Any]) -> Given:
    """Check both. Raises SettingsError with every mistake at once, and no secret in it."""
    given, problems = _by_name(settings or {})
    hidden, more = _by_name(secrets)
    problems += [
        f"{full_key(name)}: is a secret: give it in secrets, not in settings."
        for name in given
        if _is_secret(name)
    ]
    problems += more
    texts: dict[str, str] = {}
    for name, value in hidden.items():
        text, problem = _text(name, value)
        texts[name] = text
        problems += problem
    for name, value in given.items():
        given[name], problem = _as_yaml(name, value)
        problems += problem
    misplaced = bool(problems)
    problems += provider_keys.problems(given)
    problems += misspelt_namespaces(name for name in given if not _is_secret(name))
    own = {name: value for name, value in given.items() if ":" not in name}
    if settings is not None and not misplaced:
        passed = {name: text for name, text in texts.items() if ":" not in name}
        try:
            region = regions.known(given, {}) if regions.KEY in given else None
            load({**own, **passed}, IN_SETTINGS, region=region)
        except SettingsError as error:
            problems += error.problems
    if problems:
        raise SettingsError(problems)
    config = None if settings is None else {full_key(name): value for name, value in given.items()}
    return Given(config, {full_key(name): text for name, text in texts.items()})


def _by_name(values: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Values without our namespace, and a line for each that is given more than once."""
    found: dict[str, Any] = {}
    twice: list[str] = []
    for given, value in values.items():
        key = str(given)
        prefix = next((each for each in _NAMESPACES if key.startswith(each)), "")
        name = key.removeprefix(prefix)
        if name in found:
            twice.append(
                f"{full_key(name)}: is given with its namespace and without: give it once."
            )
        found[name] = value
    return found, twice


def _as_yaml(name: str, value: Any) -> tuple[Any, list[str]]:
    """A value as a stack file has it, or a line that says why none can."""
    try:
        return json.loads(json.dumps(value)), []
    except (TypeError, ValueError, RecursionError) as error:
        deep = not isinstance(error, TypeError)
        why = "it has parts within parts without end" if deep else error
        return None, [
            f"{full_key(name)}: is nothing that a stack file can hold: {why}. Give text, numbers, "
            "true or false, and lists and mappings of them."
        ]


def _is_secret(name: str) -> bool:
    """Whether a name is a secret key's, part of one, or one in a namespace that is misspelled."""
    key = re.split(r"[.\[]", name.rpartition(":")[2], maxsplit=1)[0]
    return key in SECRET_KEYS or name in provider_keys.SECRETS


def _text(name: str, value: Any) -> tuple[str, list[str]]:
    """A secret as Pulumi stores it, or a line that says why it cannot be."""
    full = full_key(name)
    ours = ":" not in name
    if (ours and name not in SECRET_KEYS) or (not ours and name.rpartition(":")[2] in SECRET_KEYS):
        return "", [f"{full}: is not a secret key. Secret keys are {', '.join(SECRET_KEYS)}."]
    by_name = name in SECRET_KEYS and SECRET_KEYS[name].by_name
    if by_name and isinstance(value, Mapping):
        items = cast("Mapping[Any, Any]", value)
        if all(isinstance(each, str) for pair in items.items() for each in pair):
            return json.dumps(dict(items)), []
    if isinstance(value, str):
        return value, []
    if by_name:
        return "", [f"{full}: must be a mapping of text to text, or that as JSON."]
    return "", [f"{full}: must be text."]


def full_key(name: str) -> str:
    """A key with its namespace, which is ours where none is written."""
    return name if ":" in name else f"{NAMESPACE}:{name}"
