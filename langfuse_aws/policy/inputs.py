"""Reads inputs in their wire form, of which a preview does not know all."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from langfuse_aws.graph.model import SECRET, UNKNOWN, Resource, has_unknown
from langfuse_aws.graph.resource_types import APP_RUNNER_SERVICE

Values = Mapping[str, Any]


LANGFUSE_IMAGE: Final = re.compile(r".*/langfuse(-worker)?(:[^/]*)?(@[^/]*)?")
"""Langfuse's own images, wherever they are pulled from."""


def is_known(value: Any) -> bool:
    """Whether a value is there to be judged."""
    return value != SECRET and not has_unknown(value)


def is_off(values: Values, key: str) -> bool:
    """Whether a switch that must be on is not; some types of AWS have it as a text."""
    value = values.get(key)
    return is_known(value) and value not in (True, "true")


class _NothingKnown(Values):
    """An object of which an update will tell everything."""

    def __getitem__(self, key: str) -> Any:
        return UNKNOWN

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


def part(values: Values, key: str) -> Values:
    """A nested object: empty if it is absent; with unknown values alone if it is unknown."""
    value = values.get(key)
    if isinstance(value, Mapping):
        return cast("Values", value)
    return {} if is_known(value) else _NothingKnown()


def parts(values: Values, key: str) -> list[Values]:
    """The objects of a list, or the only one; one of unknown values if the list is unknown."""
    value = values.get(key)
    if value is None:
        return []
    many = cast("list[Any]", value) if isinstance(value, list) else [value]
    return [cast("Values", each) if isinstance(each, Mapping) else _NothingKnown() for each in many]


def several(value: Any) -> list[Any]:
    """One value or many, as IAM writes them, without those that are unknown."""
    many = cast("list[Any]", value) if isinstance(value, list) else [value]
    return [each for each in many if each is not None and is_known(each)]


@dataclass(frozen=True)
class Statement:
    """A statement of a policy document; one that says what it does not name has `*`."""

    allows: bool
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    principals: tuple[str, ...]
    conditions: Values


def statements(document: Any) -> Iterator[Statement]:
    """The statements of a policy document, which is JSON text."""
    if not isinstance(document, str) or not is_known(document):
        return
    for each in parts(json.loads(document), "Statement"):
        yield Statement(
            allows=each.get("Effect") == "Allow",
            actions=_named(each, "Action"),
            resources=_named(each, "Resource"),
            principals=_named(each, "Principal"),
            conditions=part(each, "Condition"),
        )


def _named(statement: Values, key: str) -> tuple[str, ...]:
    if f"Not{key}" in statement:
        return ("*",)
    value = statement.get(key)
    kinds = cast("Values", value).values() if isinstance(value, Mapping) else [value]
    return tuple(name for names in kinds for name in several(names))


def containers(task: Resource) -> list[Values]:
    """The container definitions of a task definition, which are JSON text; or App Runner's one."""
    if task.type == APP_RUNNER_SERVICE:
        return [_of_app_runner(task)]
    definitions = task.inputs.get("containerDefinitions")
    if not isinstance(definitions, str) or not is_known(definitions):
        return []
    return cast("list[Values]", json.loads(definitions))


def _of_app_runner(service: Resource) -> Values:
    """What an App Runner service runs, in the words of a container definition."""
    source = part(service.inputs, "sourceConfiguration")
    image = part(source, "imageRepository")
    given = part(image, "imageConfiguration")
    variables = part(given, "runtimeEnvironmentVariables")
    hidden = (
        service.inputs.get("sourceConfiguration"),
        source.get("imageRepository"),
        image.get("imageConfiguration"),
        given.get("runtimeEnvironmentVariables"),
    )
    known = {name: value for name, value in variables.items() if not has_unknown(value)}
    plain = {"sourceConfiguration": SECRET} if SECRET in hidden else known
    references = part(given, "runtimeEnvironmentSecrets")
    return {
        "name": "web",
        "image": image.get("imageIdentifier", ""),
        "memory": part(service.inputs, "instanceConfiguration").get("memory"),
        "environment": [{"name": name, "value": value} for name, value in plain.items()],
        "secrets": [{"name": name, "valueFrom": arn} for name, arn in references.items()],
    }


def named_values(container: Values, key: str) -> dict[str, str]:
    """The `environment` or the `secrets` of a container, by name."""
    value = "valueFrom" if key == "secrets" else "value"
    return {each["name"]: str(each.get(value, "")) for each in parts(container, key)}
