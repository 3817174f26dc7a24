"""Turns a stack file's `langfuse:` keys into `Settings`, or into all of their errors at once."""

import json
from collections.abc import Mapping
from typing import Any, Final, cast

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from settings.model import Settings
from settings.nearest import nearest
from settings.network import AdoptedNetwork, CreatedNetwork, network_kind
from settings.services import ApiGatewayIngress, LoadBalancerIngress
from settings.sizing import DEV, SIZING, Row
from settings.stores import AuroraPostgres, PostgresInstance

NAMESPACE: Final = "langfuse"

SECRET_KEYS: Final = ("secretEnvironment",)
"""Top-level keys that hold secrets: a secret inside an object reads back as plain text
(https://github.com/pulumi/pulumi/issues/6531)."""

PLANNED: Final = ("bootstrap", "grafana", "images", "smtp")
"""Keys of the design that no version implements yet."""

VARIANTS: Final[Mapping[str, Mapping[str, type[BaseModel]]]] = {
    "network": {"created": CreatedNetwork, "adopted": AdoptedNetwork},
    "ingress": {"alb": LoadBalancerIngress, "apiGateway": ApiGatewayIngress},
    "postgres": {"auroraServerless": AuroraPostgres, "instance": PostgresInstance},
}
"""Sections that come in several shapes, and the word that tells them apart."""

_DISCRIMINATORS: Final = {"ingress": "kind", "postgres": "mode"}


class SettingsError(ValueError):
    """A stack file's errors, one line each."""

    def __init__(self, problems: list[str]) -> None:
        """Take the lines."""
        self.problems = problems
        count = "1 error" if len(problems) == 1 else f"{len(problems)} errors"
        lines = "\n".join(f"  {problem}" for problem in problems)
        super().__init__(f"{count} in the stack's configuration; nothing was changed:\n{lines}")


def load(values: Mapping[str, Any]) -> Settings:
    """The settings that `values` (keys without the namespace) stand for.

    Values are YAML's own, or the text that Pulumi hands to a program. Raises SettingsError.
    """
    given = {key: _parsed(value) for key, value in values.items() if key not in SECRET_KEYS}
    row = SIZING.get(str(given.get("size")), DEV)
    merged = {**row, **given}
    for key, part in row.items():
        own = given.get(key)
        if isinstance(part, Mapping) and isinstance(own, Mapping):
            merged[key] = _over_row(key, cast(Row, part), cast(Row, own))
    try:
        return Settings.model_validate(merged)
    except ValidationError as error:
        raise SettingsError([_message(detail) for detail in error.errors()]) from None


def _parsed(value: Any) -> Any:
    """Pulumi hands objects and lists to programs as JSON text."""
    if isinstance(value, str) and value[:1] in ("{", "["):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


def _over_row(section: str, row: Row, given: Mapping[str, Any]) -> dict[str, Any]:
    """The row's values under the given ones, without those of another shape of the section."""
    variant = _variant(section, {**row, **given} if section != "network" else given)
    if variant is None:
        return {**row, **given}
    keys = _keys(variant)
    return {key: value for key, value in row.items() if key in keys} | dict(given)


def _variant(section: str, merged: Mapping[str, Any]) -> type[BaseModel] | None:
    if section not in VARIANTS:
        return None
    tag = network_kind(merged) if section == "network" else merged.get(_DISCRIMINATORS[section])
    return VARIANTS[section].get(str(tag))


def _keys(model: type[BaseModel]) -> set[str]:
    return {field.alias or name for name, field in model.model_fields.items()}


def _message(error: ErrorDetails) -> str:
    """One line: the key, its value, what is allowed, what to do."""
    location = list(error["loc"])
    if location[0] in VARIANTS and len(location) > 1:
        del location[1]
    context: dict[str, Any] = error.get("ctx") or {}
    value = error["input"]
    if context.get("key"):
        for part in str(context["key"]).split("."):
            value = _attribute(value, part)
        location += str(context["key"]).split(".")
    path = ".".join(str(part) for part in location)
    bound, remedy = _bound_and_remedy(error, path, context)
    shown = "" if error["type"] == "missing" else f" {_shown(value)}:"
    return f"{NAMESPACE}:{path}:{shown} {bound}. {remedy[:1].upper()}{remedy[1:]}."


def _attribute(value: Any, key: str) -> Any:
    if isinstance(value, Mapping):
        return value.get(key)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    return getattr(value, key, None)


def _shown(value: Any) -> str:
    text = json.dumps(value, default=str)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _bound_and_remedy(error: ErrorDetails, path: str, context: dict[str, Any]) -> tuple[str, str]:
    command = f"pulumi config set --path '{NAMESPACE}:{path}'"
    match error["type"]:
        case "refused":
            return context["bound"], context["remedy"]
        case "extra_forbidden":
            return _unknown_key(path)
        case "missing":
            return "is not set, and must be", f"set it with {command} VALUE"
        case "literal_error" | "union_tag_invalid" | "union_tag_not_found":
            allowed = context.get("expected") or context.get("expected_tags") or "given"
            return f"must be {allowed}", f"set it with {command} VALUE"
        case _:
            text = error["msg"]
            return text[:1].lower() + text[1:], f"set it with {command} VALUE"


def _unknown_key(path: str) -> tuple[str, str]:
    section, _, key = path.rpartition(".")
    if not section:
        if key in PLANNED:
            return "is planned, and not in this version", f"remove {key}"
        known = _keys(Settings) | set(SECRET_KEYS)
        return f"unknown key{nearest(key, known)}", "remove it, or correct its spelling"
    for tag, model in VARIANTS.get(section, {}).items():
        if key in _keys(model):
            kind = {"network": "an adopted VPC" if tag == "adopted" else "a VPC of the stack"}.get(
                section, f"{section}.{_DISCRIMINATORS.get(section)} {tag}"
            )
            return f"exists only for {kind}", f"remove it, or choose {kind}"
    models = VARIANTS.get(section, {}).values() or [_section_model(section)]
    known = {each for model in models for each in _keys(model)}
    return f"unknown key{nearest(key, known)}", "remove it, or correct its spelling"


def _section_model(section: str) -> type[BaseModel]:
    for name, field in Settings.model_fields.items():
        annotation = field.annotation
        candidates = [annotation, *getattr(annotation, "__args__", ())]
        if (field.alias or name) == section:
            for candidate in candidates:
                if isinstance(candidate, type) and issubclass(candidate, BaseModel):
                    return candidate
    return Settings
