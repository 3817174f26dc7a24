"""Writes the tables of the stack file's keys, from the fields of `settings/`.

Types, bounds, defaults and meanings are those of the fields; `CHECKED_BY_CODE` has the bounds that
only validators know. It does not check that validators hold them, and it writes no file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from itertools import chain
from typing import Any, Final, cast

from pydantic import BaseModel

from langfuse_aws.review.markdown import ABSENT, table
from langfuse_aws.settings.capacity import AURORA_STEP_ACU, FARGATE_MEMORY_MIB
from langfuse_aws.settings.loading import load
from langfuse_aws.settings.messages import DISCRIMINATORS, NAMESPACE, VARIANTS
from langfuse_aws.settings.model import RETENTION_DAYS, Settings
from langfuse_aws.settings.secret_keys import SECRET_KEYS
from langfuse_aws.settings.section import Section
from langfuse_aws.settings.sign_in import PROVIDERS
from langfuse_aws.settings.sizing import SIZING
from langfuse_aws.settings.stores import CLICKHOUSE_MINIMUM_MEMORY_GIB
from langfuse_aws.settings.versions import LANGFUSE_MINIMUM

EXAMPLE_DOMAIN: Final = "langfuse.example.com"
"""Stands for the domain in stacks that need one."""

OTHERWISE_TOLD: Final = {
    "domain": ABSENT,
    "release": "[`LANGFUSE`](../langfuse_aws/settings/versions.py)",
}
"""What a size stands for at a key, where the value itself would say too much: the example's domain,
and a release that the next patch makes wrong."""

TELLING: Final = (
    "deletionProtection",
    "network.egress",
    "ingress.kind",
    "web.minTasks",
    "web.maxTasks",
    "worker.minTasks",
    "worker.maxTasks",
    "clickhouse.instanceType",
    "clickhouse.volumeGib",
    "postgres.mode",
    "postgres.instances",
    "redis.nodeType",
    "redis.replicas",
    "backups.dailyRetentionDays",
)
"""The keys by which a size is chosen."""

_CPU_SIZES: Final = ", ".join(str(size) for size in FARGATE_MEMORY_MIB)
_NAME: Final = "a letter or `_`, then also digits and `.-`"
CHECKED_BY_CODE: Final[Mapping[str, str]] = {
    "alarms.runbookUrl": "address of a page, from `https://` on, at most 700 characters",
    "release": f"`X.Y.Z`, {'.'.join(map(str, LANGFUSE_MINIMUM))} or later",
    "domain": "host name",
    "allowReplace": "list of names of resources",
    "encryption": "`customerKey`, or ARN of a KMS key",
    "hours.days": "days or ranges of them, two days or more",
    "hours.from": "time of day",
    "hours.to": "time of day",
    "hours.timezone": "canonical name of a time zone",
    "adopted": "list of `postgres`, `redis` and `storage`",
    "bootstrap.organization": "1 to 60 characters",
    "bootstrap.project": "1 to 60 characters",
    "network.cidr": "IPv4 block, /16 to /24",
    "network.endpoints": "list of ends of names of endpoint services",
    "network.vpcId": "VPC ID",
    "network.privateSubnetIds": "list of subnet IDs, 2 or more",
    "network.publicSubnetIds": "list of subnet IDs, 2 or more",
    "ingress.certificateArn": "ARN of an ACM certificate",
    "ingress.allowedCidrs": "list of IPv4 blocks, 1 or more",
    "ingress.waf": "section",
    "ingress.waf.countedRules": "list of names of rules",
    "images.githubSecretArn": "ARN of a Secrets Manager secret",
    "images.dockerHubSecretArn": "ARN of a Secrets Manager secret",
    "web.cpu": f"one of {_CPU_SIZES}",
    "web.memory": "MiB that Fargate sells with `cpu`",
    "worker.cpu": f"one of {_CPU_SIZES}",
    "worker.memory": "MiB that Fargate sells with `cpu`",
    "trustedCertificates": "PEM, at most 32 KiB",
    "permissionsBoundary": "ARN of a managed policy",
    "web.policyArns": "list of ARNs of managed policies",
    "worker.policyArns": "list of ARNs of managed policies",
    "web.environment": "names and texts",
    "worker.environment": "names and texts",
    "clickhouse.replicas": "1, or 3 with three zones",
    "clickhouse.instanceType": f"Graviton, {CLICKHOUSE_MINIMUM_MEMORY_GIB:.0f} GiB or more",
    "clickhouse.snapshotId": "ID of an EBS snapshot",
    "clickhouse.url": "`https://HOST:PORT`",
    "clickhouse.migrationUrl": "`clickhouse://HOST:PORT`",
    "clickhouse.user": _NAME,
    "postgres.instanceClass": "`db.FAMILY.SIZE`",
    "postgres.snapshotIdentifier": "name or ARN of an RDS snapshot",
    "postgres.host": "host name or IPv4 address",
    "postgres.user": _NAME,
    "postgres.database": _NAME,
    "postgres.minAcu": f"0 to 256 in steps of {AURORA_STEP_ACU}",
    "postgres.maxAcu": f"1 to 256 in steps of {AURORA_STEP_ACU}, minAcu or more",
    "grafana.clickhouseUser": _NAME,
    "redis.nodeType": "`cache.FAMILY.SIZE`",
    "redis.host": "host name or IPv4 address",
    "backups.copyRegion": "AWS region",
    "auth.enforceSsoDomains": "list of domains",
    "auth.providers": f"{', '.join(f'`{provider}`' for provider in PROVIDERS)}",
    "auth.providers.NAME.clientId": "any text without spaces",
    "auth.providers.NAME.allowedDomains": "list of domains",
    "auth.providers.NAME.issuer": "`https://HOST/PATH`",
    "auth.providers.NAME.tenantId": "ID of a tenant, or a domain",
    "auth.providers.NAME.name": "any text",
    "auth.providers.NAME.scope": "any text",
    "smtp.from": "email address, without a name",
    "smtp.resourceArns": "list of ARNs",
    "logs.retentionDays": f"one of {', '.join(map(str, RETENTION_DAYS))}",
}
"""Bounds that validators know and the fields do not, or that the fields tell as a pattern."""

_KIND: Final = re.compile(r" \(kind \w+\)$")
"""What a description says of its shape, which the table says for all keys alike."""


@dataclass(frozen=True)
class Key:
    """One key of the stack file, with its section, and the shapes of the section that have it."""

    path: str
    bounds: str
    meaning: str
    default: str
    schema: Mapping[str, Any]
    """JSON schema of its value."""
    required: bool
    """Whether its section cannot be without it."""
    variants: tuple[str, ...] = ()
    """The shapes that have it; none if the section has one shape, or all of its shapes do."""


def all_keys() -> list[Key]:
    """Every key but the secret ones, in the order of the model."""
    return list(chain.from_iterable(_keys_of(name) for name in Settings.model_fields))


def _keys_of(name: str) -> Iterator[Key]:
    path = _alias(Settings, name)
    if path in VARIANTS:
        yield from _keys_of_variants(path, VARIANTS[path])
        return
    section = top_section(name)
    if section is None:
        yield _key(path, Settings, path)
        return
    for key in _properties(section):
        yield _key(f"{path}.{key}", section, key)
        if f"{path}.{key}" == "auth.providers":
            yield from _keys_of_variants("auth.providers.NAME", PROVIDERS)


def _keys_of_variants(path: str, variants: Mapping[str, type[BaseModel]]) -> Iterator[Key]:
    for name in dict.fromkeys(chain.from_iterable(map(_properties, variants.values()))):
        having = {tag: model for tag, model in variants.items() if name in _properties(model)}
        first = next(iter(having.values()))
        for key in _with_nested(f"{path}.{name}", first, name):
            if name == DISCRIMINATORS.get(path):
                key = replace(
                    key,
                    bounds=_either(f"`{tag}`" for tag in variants),
                    schema={"enum": list(variants)},
                )
            yield key if len(having) == len(variants) else replace(key, variants=tuple(having))


def _with_nested(path: str, model: type[BaseModel], name: str) -> Iterator[Key]:
    """A key, and if it holds a section, the keys of that."""
    yield _key(path, model, name)
    (annotation,) = [
        field.annotation
        for key, field in model.model_fields.items()
        if (field.alias or key) == name
    ]
    section = _section_in(annotation)
    if section:
        yield from (_key(f"{path}.{key}", section, key) for key in _properties(section))


def _key(path: str, model: type[BaseModel], name: str) -> Key:
    schema = _properties(model)[name]
    bounds = CHECKED_BY_CODE.get(path) or _bounds(schema)
    required = (
        name in _schema(model).get("required", [])
        and "const" not in schema
        and path not in sized_paths()
    )
    if required:
        bounds = f"{bounds}; required"
    meaning = _KIND.sub("", str(schema.get("description", "")))
    return Key(path, bounds, meaning, _cell(schema.get("default")), schema, required)


def _bounds(schema: Mapping[str, Any]) -> str:
    """Words for a JSON schema's type and limits."""
    if "anyOf" in schema:
        others = [_bounds(each) for each in schema["anyOf"] if each.get("type") != "null"]
        return " or ".join(others)
    if "const" in schema:
        return f"`{schema['const']}`"
    if "enum" in schema:
        return _either(f"`{each}`" for each in schema["enum"])
    kind = str(schema["type"])
    if kind == "array":
        least = f", {schema['minItems']} or more" if "minItems" in schema else ""
        return f"list of {_bounds(schema['items'])}{least}"
    if "minimum" in schema and "maximum" in schema:
        return f"{kind}, {schema['minimum']:,} to {schema['maximum']:,}"
    if "minimum" in schema:
        return f"{kind}, {schema['minimum']:,} or more"
    if "exclusiveMinimum" in schema:
        return f"{kind} above {schema['exclusiveMinimum']}"
    return {"boolean": "`true` or `false`", "string": str(schema.get("format", "text"))}.get(
        kind, kind
    )


def _either(words: Iterable[str]) -> str:
    *most, last = list(words)
    return f"{', '.join(most)} or {last}" if most else last


@cache
def _schema(model: type[BaseModel]) -> dict[str, Any]:
    return model.model_json_schema(by_alias=True)


def _properties(model: type[BaseModel]) -> dict[str, dict[str, Any]]:
    return dict(_schema(model)["properties"])


def _alias(model: type[BaseModel], name: str) -> str:
    return model.model_fields[name].alias or name


def top_section(name: str) -> type[BaseModel] | None:
    """The model of a field of Settings that is a section of one shape."""
    return _section_in(Settings.model_fields[name].annotation)


def _section_in(annotation: Any) -> type[BaseModel] | None:
    for candidate in (annotation, *getattr(annotation, "__args__", ())):
        if isinstance(candidate, type) and issubclass(candidate, Section):
            return candidate
    return None


@cache
def of_size(size: str) -> Settings:
    """The settings of a stack that sets nothing but its size, and a domain where it must."""
    return load({"size": size, "domain": EXAMPLE_DOMAIN})


def value(size: str, path: str, *, other_mode: bool = False) -> str:
    """What a size stands for at a key, in a cell; in parentheses, if only in an `other_mode`."""
    found = _at(of_size(size).model_dump(by_alias=True, exclude_none=True), path)
    if found is None and other_mode and (cell := _cell(_at(SIZING[size], path))):
        return f"({cell})"
    return OTHERWISE_TOLD.get(path) or _cell(found) or ABSENT


def _at(values: Any, path: str) -> Any:
    for part in path.split("."):
        values = (
            cast("Mapping[str, Any]", values).get(part) if isinstance(values, Mapping) else None
        )
    return values


def _cell(found: Any) -> str:
    if found in (None, {}):
        return ""
    if isinstance(found, bool):
        return str(found).lower()
    if isinstance(found, list):
        return ", ".join(str(each) for each in cast("list[Any]", found))
    return f"{found:g}" if isinstance(found, float) else str(found)


def full_configuration() -> str:
    """Every key, its bounds, its value by size and its meaning; then the secret keys."""
    rows = [
        (
            f"`{key.path}`",
            bounds_and_default(key),
            *(value(size, key.path, other_mode=True) for size in SIZING),
            meaning_of(key),
        )
        for key in all_keys()
    ]
    secrets = [
        (f"`{key}`", secret.value, meaning_of_secret(key)) for key, secret in SECRET_KEYS.items()
    ]
    return "\n\n".join(
        [
            table(("Key", "Type and bounds", *SIZING, "Meaning"), rows),
            "Secret keys:",
            table(("Key", "Type", "Meaning"), secrets),
        ]
    )


def bounds_and_default(key: Key) -> str:
    """Its bounds; and its default, if a size has no value because its section has another shape."""
    told = ABSENT not in {value(size, key.path) for size in SIZING}
    return key.bounds if told or not key.default else f"{key.bounds}; default `{key.default}`"


def meaning_of(key: Key) -> str:
    """Its meaning, and the shapes of the section that alone have it."""
    section = key.path.partition(".")[0]
    only = _either(f"`{tag}`" for tag in key.variants) if key.variants else ""
    words = {"network": {"created": "a VPC of the stack", "adopted": "an adopted VPC"}}
    if key.variants and section in words:
        only = _either(words[section][tag] for tag in key.variants)
    return f"{key.meaning}. Only for {only}" if only else key.meaning


def meaning_of_secret(key: str) -> str:
    """Its meaning, and the settings that need it."""
    secret = SECRET_KEYS[key]
    needing = " and ".join(f"`{path}` `{word}`" for path, word in secret.needed_with.items())
    return f"{secret.meaning}. Needed with {needing}, and only there" if needing else secret.meaning


def short_configuration() -> str:
    """What tells the sizes apart."""
    rows = [(f"`{path}`", *(value(size, path) for size in SIZING)) for path in TELLING]
    return table((f"Key, below `{NAMESPACE}:`", *SIZING), rows)


def sized_paths() -> set[str]:
    """The keys that a size decides."""
    return {path for row in SIZING.values() for path in _paths(row)}


def _paths(row: Mapping[str, Any]) -> Iterator[str]:
    for key, part in row.items():
        if isinstance(part, Mapping):
            yield from (f"{key}.{name}" for name in cast("Mapping[str, Any]", part))
        else:
            yield key
