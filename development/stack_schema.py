"""Writes the JSON Schema of stack files, from the fields of `settings/`.

Of draft 7, which yaml-language-server takes (https://www.npmjs.com/package/yaml-language-server:
"JSON Schema 7 and below"). It has what one key may be, and which keys a section of each shape has;
what sections must be to each other, and what only a validator knows, `validate` alone says. Texts
that stand for numbers and truth values are right, since `pulumi config set` writes such.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Final, cast

from pydantic import BaseModel

from development.configuration_tables import (
    Key,
    all_keys,
    bounds_and_default,
    meaning_of,
    meaning_of_secret,
    sized_paths,
    top_section,
    value,
)
from langfuse_aws.contract.variables import known
from langfuse_aws.review.markdown import ABSENT
from langfuse_aws.settings.capacity import FARGATE_MEMORY_MIB
from langfuse_aws.settings.loading import LANGFUSE_MAJORS
from langfuse_aws.settings.managed_policies import POLICIES_PER_ROLE
from langfuse_aws.settings.messages import DISCRIMINATORS, NAMESPACE, VARIANTS, keys
from langfuse_aws.settings.model import RETENTION_DAYS, Settings
from langfuse_aws.settings.provider_keys import LONGEST_KEY, LONGEST_VALUE
from langfuse_aws.settings.secret_keys import SECRET_KEYS
from langfuse_aws.settings.sizing import SIZING

Schema = dict[str, Any]

REGION: Final = r"^[a-z]{2,4}(-[a-z]+)+-[0-9]+$"
ADDRESS: Final = r"^[^@\s]+@[^@\s]+$"
ADOPTING: Final = ("vpcId", "privateSubnetIds", "publicSubnetIds")
"""Of `network`: any of them makes it an adopted one."""
VALIDATED: Final[Mapping[str, Schema]] = {
    **{
        f"{service}.policyArns": {"maxItems": POLICIES_PER_ROLE, "uniqueItems": True}
        for service in ("web", "worker")
    },
    "trustedCertificates": {"pattern": "-----BEGIN CERTIFICATE-----"},
    "web.cpu": {"enum": [*FARGATE_MEMORY_MIB]},
    "worker.cpu": {"enum": [*FARGATE_MEMORY_MIB]},
    "logs.retentionDays": {"enum": [*RETENTION_DAYS]},
    "release": {
        "pattern": rf"^[{''.join(map(str, LANGFUSE_MAJORS))}](\.(0|[1-9][0-9]*)){{2}}$",
    },
    "alarms.runbookUrl": {"pattern": r"^https?://[!-~]+$"},
    "network.privateSubnetIds": {"minItems": 2, "uniqueItems": True},
    "network.publicSubnetIds": {"minItems": 2, "uniqueItems": True},
    "network.endpoints": {"uniqueItems": True},
    "network.cidr": {"pattern": r"^[0-9]+(\.[0-9]+){3}/(1[6-9]|2[0-4])$"},
    "ingress.allowedCidrs": {"maxItems": 30, "uniqueItems": True},
    "backups.copyRegion": {"pattern": REGION},
    "clickhouse.instanceType": {"pattern": r"^[a-z0-9-]+\.[a-z0-9]+$"},
    "smtp.from": {"pattern": ADDRESS},
}
"""What validators hold, and a schema can say too."""

SECRET: Final[Schema] = {
    "type": "object",
    "properties": {"secure": {"type": "string"}},
    "required": ["secure"],
    "additionalProperties": False,
}
"""A value that `pulumi config set --secret` has written."""
_PROVIDER: Final = re.compile(r"^auth\.providers\.\w+\.")
_BOUNDS: Final = ("minimum", "maximum", "exclusiveMinimum", "minLength", "maxLength", "minItems")
_TEXTS: Final[Mapping[str, str]] = {
    "integer": r"^-?[0-9]{1,10}$",
    "number": r"^-?[0-9]{1,10}(\.[0-9]+)?$",
    "boolean": r"^(true|false)$",
}
"""What a text must be to stand for one."""
_JSON: Final[Mapping[str, str]] = {"object": r"^\{", "array": r"^\["}


@cache
def source() -> str:
    """The schema, as a file has it."""
    return json.dumps(stack_file(), indent=2, ensure_ascii=False) + "\n"


def stack_file() -> Schema:
    """What a stack file may say."""
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Pulumi.STACK.yaml of Langfuse on AWS",
        "description": "Written by make docs. docs/configuration.md has every key.",
        "type": "object",
        "properties": {
            "config": _config(),
            "environment": {"description": "Environments of Pulumi ESC, or their definition."},
            "secretsprovider": {"type": "string"},
            "encryptedkey": {"type": "string"},
            "encryptionsalt": {"type": "string"},
        },
        "patternProperties": {f"^({NAMESPACE}|aws):": False},
        "if": {"required": ["environment"]},
        "else": {
            "required": ["config"],
            "properties": {"config": {"required": [f"{NAMESPACE}:size"]}},
        },
    }


def _config() -> Schema:
    ours = {f"{NAMESPACE}:{key}": each for key, each in _own_keys().items()}
    names = "|".join(key.removeprefix(f"{NAMESPACE}:") for key in ours)
    return {
        "type": "object",
        "description": "Keys of this program, `langfuse:`, and of Pulumi's providers.",
        "properties": {**ours, **_of_the_provider()},
        "patternProperties": {f"^{NAMESPACE}:(?!(config:)?({names})$)": False},
        "propertyNames": {"pattern": "^([^:]*:(config:)?)?[^:]*$"},
        "allOf": [*_by_size()],
    }


def _of_the_provider() -> dict[str, Schema]:
    return {
        "aws:region": {
            "description": "AWS region of the stack. Without it AWS_REGION counts.",
            "type": "string",
            "pattern": REGION,
            "patternErrorMessage": "Must be: AWS region",
            "examples": ["us-east-1", "eu-west-1"],
        },
        "aws:profile": {"description": "Profile of the AWS SDK.", "type": "string"},
        "aws:defaultTags": {
            "description": "Tags of nearly every resource.",
            "type": "object",
            "properties": {
                "tags": {
                    "type": "object",
                    "propertyNames": {
                        "pattern": r"^(?![aA][wW][sS]:)",
                        "minLength": 1,
                        "maxLength": LONGEST_KEY,
                    },
                    "additionalProperties": {
                        "type": ["string", "number", "boolean"],
                        "maxLength": LONGEST_VALUE,
                    },
                }
            },
        },
    }


def _own_keys() -> dict[str, Schema]:
    found = {
        path: _section(path) if path in _sections() else _value(path, _schema(Settings, path))
        for path in (field.alias or name for name, field in Settings.model_fields.items())
    }
    found["release"].pop("default")  # the next patch makes it wrong
    plain = {path: _at_top(schema) for path, schema in found.items()}
    return {**plain, **{key: _secret(key) for key in SECRET_KEYS}}


def _at_top(schema: Schema) -> Schema:
    """A key of the top level: never null, which Pulumi makes an empty text; or JSON as a text."""
    kind = schema["type"]
    if isinstance(kind, list):
        kinds = [each for each in cast("list[str]", kind) if each != "null"]
        return {**schema, "type": kinds[0] if len(kinds) == 1 else kinds}
    json_text = {"type": [kind, "string"], "pattern": _JSON.get(str(kind))}
    return {**schema, **json_text} if kind in _JSON else schema


def _secret(key: str) -> Schema:
    kinds = [SECRET]
    if SECRET_KEYS[key].by_name:
        texts: Schema = {"type": ["string", "object"], "if": {"type": "object"}, "then": SECRET}
        kinds.append(
            {
                "type": "object",
                "not": {"required": ["secure"]},
                "minProperties": 1,
                "additionalProperties": texts,
            }
        )
    return {
        "title": f"{NAMESPACE}:{key}",
        "description": f"{meaning_of_secret(key)}. A secret: pulumi config set --secret.",
        **(SECRET if len(kinds) == 1 else {"anyOf": kinds}),
    }


def _sections() -> dict[str, Mapping[str, type[BaseModel]]]:
    """The models of each top-level section, by the word that tells its shapes apart."""
    found: dict[str, Mapping[str, type[BaseModel]]] = {}
    for name, field in Settings.model_fields.items():
        path = field.alias or name
        if path in VARIANTS:
            found[path] = VARIANTS[path]
        elif section := top_section(name):
            found[path] = {"": section}
    return found


def _section(path: str) -> Schema:
    """A section with the keys of all of its shapes, and the rules of each."""
    variants = _sections()[path]
    properties: dict[str, Schema] = {}
    for model in variants.values():
        for key in keys(model):
            properties.setdefault(key, _value(f"{path}.{key}", _schema(model, key)))
    tag = DISCRIMINATORS.get(path)
    if tag:
        properties[tag] = {**properties[tag], "type": "string", "enum": [*variants]}
        properties[tag].pop("const", None)
    return {
        "title": f"{NAMESPACE}:{path}",
        "description": " Or: ".join(_summary(model) for model in variants.values()),
        "type": "object",
        "properties": {key: properties[key] for key in sorted(properties)},
        "additionalProperties": False,
        **_shape_rules(path, variants),
    }


def _shape_rules(path: str, variants: Mapping[str, type[BaseModel]]) -> Schema:
    if path == "network":
        adopting = {"anyOf": [{"required": [key]} for key in ADOPTING]}
        adopted, created = variants["adopted"], variants["created"]
        return {"if": adopting, "then": _shape(path, adopted), "else": _shape(path, created)}
    tag = DISCRIMINATORS.get(path)
    if tag is None:
        (model,) = variants.values()
        return {"required": needed} if (needed := _needed(path, model)) else {}
    rules = [
        {
            "if": {"properties": {tag: {"const": word}}, "required": [tag]},
            "then": _shape(path, model),
        }
        for word, model in variants.items()
    ]
    return {"allOf": rules, **({} if path in SIZING["dev"] else {"required": [tag]})}


def _shape(path: str, model: type[BaseModel]) -> Schema:
    """The rules of one shape: which keys there are, and which there must be."""
    found: Schema = {"propertyNames": {"enum": sorted(keys(model))}}
    needed = _needed(path, model)
    return {**found, "required": needed} if needed else found


def _needed(path: str, model: type[BaseModel]) -> list[str]:
    """The keys that no size decides, and that have no default."""
    required = cast("list[str]", model.model_json_schema(by_alias=True).get("required", []))
    sized = sized_paths()
    tag = DISCRIMINATORS.get(path)
    return [key for key in required if f"{path}.{key}" not in sized and key != tag]


def _by_size() -> Iterator[Schema]:
    """The shape that a section has where it does not say its own: that of the size's row."""
    for size, row in SIZING.items():
        shapes: dict[str, Schema] = {}
        for path, tag in DISCRIMINATORS.items():
            if path in row:
                model = VARIANTS[path][row[path][tag]]
                shapes[f"{NAMESPACE}:{path}"] = {
                    "if": {"type": "object", "not": {"required": [tag]}},
                    "then": {"propertyNames": {"enum": sorted(keys(model))}},
                }
        on_app_runner = {"properties": {"platform": {"const": "appRunner"}}}
        yield {
            "if": {
                "properties": {
                    f"{NAMESPACE}:size": {"const": size},
                    f"{NAMESPACE}:web": {"not": {"required": ["platform"], **on_app_runner}},
                },
                "required": [f"{NAMESPACE}:size"],
            },
            "then": {"properties": shapes},
        }


def _summary(model: type[BaseModel]) -> str:
    return (model.__doc__ or "").strip().split("\n\n")[0].replace("\n    ", " ")


def _schema(model: type[BaseModel], key: str) -> Schema:
    """The schema of a field, with what it refers to in its place."""
    whole = model.model_json_schema(by_alias=True)
    definitions = cast("dict[str, Schema]", whole.get("$defs", {}))

    def inlined(part: Any) -> Any:
        if isinstance(part, list):
            return [inlined(each) for each in cast("list[Any]", part)]
        if not isinstance(part, dict):
            return part
        found = cast("Schema", part)
        if "$ref" in found:
            name = str(found["$ref"]).rpartition("/")[2]
            beside = {key: each for key, each in found.items() if key != "$ref"}
            return {**inlined(definitions[name]), **inlined(beside)}
        return {key: inlined(each) for key, each in found.items()}

    return inlined(whole["properties"][key])


def _value(path: str, schema: Schema) -> Schema:
    """A value as a stack file may write it, with what the documentation says of it."""
    found = {**_adapted(path, schema), **VALIDATED.get(path, {})}
    if any(isinstance(each, int) for each in found.get("enum", ())):
        found["enum"] = [*found["enum"], *(str(each) for each in found["enum"] if each is not None)]
        found.pop("pattern", None)
    if path.endswith(".environment"):
        found["properties"] = _variables(path.partition(".")[0])
    key = _keys().get(_PROVIDER.sub("auth.providers.NAME.", path))
    described = _description(key) if key else schema.get("description", "")
    if key and "pattern" in found:
        # Of editors: yaml-language-server shows it in the pattern's place.
        found["patternErrorMessage"] = f"Must be: {key.bounds.removesuffix('; required')}"
    return {"title": f"{NAMESPACE}:{path}", "description": described, **found}


def _variables(container: str) -> dict[str, Schema]:
    """The variables of Langfuse that a stack file may set, for completion."""
    majors = (known(container, major) for major in sorted(LANGFUSE_MAJORS))  # pyright: ignore
    rows = {name: row for each in majors for name, row in each.items() if row.refusal is None}
    return {name: {"type": "string"} for name in sorted(rows)}


@cache
def _keys() -> dict[str, Key]:
    return {key.path: key for key in all_keys()}


def _description(key: Key) -> str:
    """What the table of docs/configuration.md says of a key."""
    by_size = [(size, value(size, key.path)) for size in SIZING]
    told = ", ".join(f"{size}: {text}" for size, text in by_size if text != ABSENT)
    rest = f" By size: {told}." if told and key.path in sized_paths() else ""
    return f"{meaning_of(key)}. Value: {bounds_and_default(key)}.{rest}"


def _adapted(path: str, schema: Schema) -> Schema:
    """What draft 7 and `pulumi config set` make of pydantic's schema."""
    if "anyOf" in schema:
        kinds = [_adapted(path, each) for each in schema["anyOf"] if each.get("type") != "null"]
        (kind,) = kinds  # a field that may be null: there are no others
        return _or_null(kind)
    kind = schema.get("type")
    kept = {key: schema[key] for key in (*_BOUNDS, "enum", "const", "format") if key in schema}
    if schema.get("default") not in (None, [], {}):
        kept["default"] = schema["default"]
    if kind in _TEXTS:
        return {"type": [kind, "string"], "pattern": _TEXTS[str(kind)], **kept}
    if kind == "array":
        return {"type": "array", "items": _adapted(path, schema["items"]), **kept}
    if kind == "object" and "properties" in schema:
        below = cast("dict[str, Schema]", schema["properties"])
        needed: Schema = {"required": schema["required"]} if schema.get("required") else {}
        return {
            "type": "object",
            "properties": {name: _value(f"{path}.{name}", each) for name, each in below.items()},
            "additionalProperties": False,
            **needed,
        }
    if kind == "object":
        return {"type": "object", "additionalProperties": {"type": "string"}}
    pattern = ADDRESS if kept.get("format") == "email" else str(schema.get("pattern", ""))
    return {"type": kind, **kept, **({"pattern": pattern} if _is_portable(pattern) else {})}


def _or_null(schema: Schema) -> Schema:
    kind = schema["type"]
    kinds = cast("list[str]", kind if isinstance(kind, list) else [kind])
    enum: Schema = {"enum": [*schema["enum"], None]} if "enum" in schema else {}
    return {**schema, "type": [*kinds, "null"], **enum}


def _is_portable(pattern: str) -> bool:
    """Whether JavaScript reads a pattern as Python does: Python's flags are none of its."""
    return bool(pattern) and not any(flag in pattern for flag in ("(?i", "(?a", "(?P", r"\Z"))
