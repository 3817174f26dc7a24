"""Reads the arguments of the component: into settings and secrets, or into all of their errors.

Arguments have the names and the shapes of the `langfuse:` configuration, and `settings.loading`
checks them. Here is what differs: secrets may be outputs, and nothing else may.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final, cast

import pulumi
from pulumi.errors import InputPropertiesError

from langfuse_aws.settings.how_to_set import HowToSet
from langfuse_aws.settings.loading import SettingsError, load
from langfuse_aws.settings.messages import NAMESPACE
from langfuse_aws.settings.model import Settings
from langfuse_aws.settings.secret_keys import SECRET_KEYS
from langfuse_aws.settings.stack import Secrets

STAND_IN: Final = "stand-in"
"""In what passes for a secret until its value is known."""

MIRROR: Final = (
    "images.source: 'mirror': copies are made for stacks of this repository alone. Take "
    "pullThrough, with which ECR copies by itself, or upstream."
)

NO_APP_RUNNER: Final = (
    "web.platform: 'appRunner': needs images.source mirror, and copies are made for stacks of this "
    "repository alone. Take fargate."
)

IN_ARGUMENTS: Final = "in the component's arguments"
HOW_TO_SET: Final = HowToSet(plain=IN_ARGUMENTS, for_secrets=IN_ARGUMENTS)


def read(arguments: Mapping[str, Any]) -> tuple[Settings, Secrets]:
    """What the arguments stand for. Raises InputPropertiesError with every error there is.

    What is wrong with a secret that is not known yet is found when it is; Pulumi then fails with
    the same kind of error.
    """
    plain = {key: value for key, value in arguments.items() if value is not None}
    secret = {key: _as_written(plain.pop(key)) for key in SECRET_KEYS if key in plain}
    if problems := [*_outputs("", plain), *_misshapen(secret)]:
        raise refused(str(SettingsError(problems)))
    values: dict[str, Any] = {**_as_written(plain)}
    values |= {key: _passable(key, value) for key, value in secret.items()}
    found: list[str] = []
    if _value(values, "web", "platform") == "appRunner":
        found.append(NO_APP_RUNNER)
        values["web"] = {**values["web"], "platform": "fargate"}
    elif _value(values, "images", "source") == "mirror":
        found.append(MIRROR)
    try:
        settings = load(values, HOW_TO_SET)
    except SettingsError as error:
        raise refused(str(SettingsError([*found, *error.problems]))) from None
    if found:
        raise refused(str(SettingsError(found)))

    def checked(key: str) -> pulumi.Output[Any]:
        def check(value: Any) -> Any:
            try:
                load({**values, key: value}, HOW_TO_SET)
            except SettingsError as error:
                # By now other resources may be there.
                raise refused(str(error).replace("; nothing was changed", "")) from None
            return value

        return pulumi.Output.secret(secret[key]).apply(check)

    def each_of(key: str) -> dict[str, pulumi.Output[str]]:
        if key not in secret:
            return {}
        found = checked(key)
        return {name: found.apply(lambda all_, name=name: all_[name]) for name in secret[key]}

    return settings, Secrets.of(lambda key: checked(key) if key in secret else None, each_of)


def refused(text: str) -> InputPropertiesError:
    """The error that Pulumi shows as it is: one message, in the words of arguments."""
    text = text.replace("in the stack's configuration", IN_ARGUMENTS)
    text = text.replace(f"{NAMESPACE}:", "")
    return InputPropertiesError(text, [])  # without a list, the SDK fails at showing the error


def _value(values: Mapping[str, Any], section: str, key: str) -> Any:
    found = values.get(section)
    return cast("Mapping[str, Any]", found).get(key) if isinstance(found, Mapping) else None


def _outputs(path: str, value: Any) -> Iterator[str]:
    """A line for each value that is not plain: an output, or one that is not known yet."""
    if isinstance(value, Mapping):
        for key, each in cast("Mapping[str, Any]", value).items():
            yield from _outputs(f"{path}.{key}".lstrip("."), each)
    elif isinstance(value, list):
        for index, each in enumerate(cast("list[Any]", value)):
            yield from _outputs(f"{path}[{index}]", each)
    elif not isinstance(value, str | int | float | None):
        yield (
            f"{path}: is an output or a secret, and must be a plain value, because it decides "
            "which resources there are. Take it from the program's configuration."
        )


def _misshapen(secret: Mapping[str, Any]) -> Iterator[str]:
    """A line for each secret that is neither a text nor an output, or no mapping of such."""
    for key, value in secret.items():
        found = {key: value}
        if SECRET_KEYS[key].by_name:
            if not isinstance(value, Mapping):
                yield (
                    f"{key}: must be a mapping whose names are known. Make each of its values a "
                    "secret, not the whole."
                )
                continue
            each = cast("Mapping[str, Any]", value).items()
            found = {f"{key}.{name}": below for name, below in each}
        for path, below in found.items():
            if isinstance(below, int | float | list | Mapping):
                yield f"{path}: must be a text. Write it in quotes."


def _passable(key: str, value: Any) -> Any:
    """The value of a secret as `load` takes it, with stand-ins or None for outputs."""
    if not isinstance(value, Mapping):
        return value if isinstance(value, str) else SECRET_KEYS[key].stand_in.format(STAND_IN)
    each = cast("Mapping[str, Any]", value).items()
    return {name: secret if isinstance(secret, str) else None for name, secret in each}


def _as_written(value: Any) -> Any:
    """Undo what the wire does: integers become floats, and mappings lose their order."""
    if isinstance(value, Mapping):
        each = sorted(cast("Mapping[str, Any]", value).items())
        return {key: _as_written(below) for key, below in each}
    if isinstance(value, list):
        return [_as_written(below) for below in cast("list[Any]", value)]
    return int(value) if isinstance(value, float) and value.is_integer() else value
