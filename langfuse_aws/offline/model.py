"""What AWS would answer when a resource is created or updated.

Pure and without state: no Pulumi runtime, no gRPC, no record of what exists. Inputs and outputs
are plain dicts in camelCase, as the engine sends them. It does not validate inputs.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

from langfuse_aws.offline.catalog import TYPES, resource_type
from langfuse_aws.offline.catalog.resource_type import ResourceType
from langfuse_aws.offline.facts import Facts, Value, value_of
from langfuse_aws.offline.unknown import UNKNOWN, any_unknown

COMPUTED: dict[str, frozenset[str]] = {
    token: frozenset(entry.computed) for token, entry in TYPES.items()
}
"""The outputs of each type that AWS tells only after creation, unless they are given."""

Properties = dict[str, Any]


def create(token: str, name: str, inputs: Properties, region: str) -> tuple[str, Properties]:
    """(id, outputs) of a new resource."""
    entry = resource_type(token)
    facts = _facts(entry, token, name, inputs, region)
    resource_id = str(value_of(entry.identity, facts))
    return resource_id, _outputs(entry, replace(facts, id=resource_id, seed=resource_id))


def preview_create(token: str, name: str, inputs: Properties, region: str) -> Properties:
    """The outputs of a new resource as far as they are known before it is created."""
    entry = resource_type(token)
    facts = _facts(entry, token, name, inputs, region)
    return _outputs(entry, facts, dict.fromkeys(entry.computed, UNKNOWN))


def update(
    token: str, name: str, resource_id: str, old: Properties, inputs: Properties, region: str
) -> Properties:
    """The outputs of a resource after its inputs have changed."""
    entry = resource_type(token)
    facts = _facts(entry, token, name, inputs, region)
    return _outputs(entry, replace(facts, id=resource_id, seed=resource_id, old=old))


def preview_update(
    token: str, name: str, resource_id: str, old: Properties, inputs: Properties, region: str
) -> Properties:
    """The outputs after an update, as far as they are known before it."""
    entry = resource_type(token)
    facts = replace(
        _facts(entry, token, name, inputs, region), id=resource_id, seed=resource_id, old=old
    )
    known: dict[str, Value | str] = dict.fromkeys(entry.restated, UNKNOWN)
    if any_unknown(inputs):
        for key in entry.computed:
            known.setdefault(key, _at(old, key, UNKNOWN))
    return _outputs(entry, facts, known)


def _facts(entry: ResourceType, token: str, name: str, inputs: Properties, region: str) -> Facts:
    plain = {key: value for key, value in inputs.items() if not key.startswith("__")}
    region = str(plain.get("region") or region)
    seed = json.dumps([name, plain], sort_keys=True)
    return Facts(token, name, {**entry.defaults, **plain}, region, seed)


def _outputs(
    entry: ResourceType, facts: Facts, known: Mapping[str, Any] | None = None
) -> Properties:
    """Inputs, defaults, decided and computed outputs; `known` replaces the working out of some."""
    outputs = {**facts.inputs, **{key: tell(facts) for key, tell in entry.decided.items()}}
    if entry.tagged:
        outputs.setdefault("tagsAll", facts.get("tags", {}))
    if entry.regional:
        outputs.setdefault("region", facts.region)
    for key, value in entry.computed.items():
        if _at(outputs, key, None) is None:
            worked_out = known[key] if known and key in known else value_of(value, facts, key)
            outputs = _with(outputs, key, worked_out)
    return outputs


def _at(properties: Mapping[str, Any], path: str, default: Any) -> Any:
    """What lies at a dotted path."""
    found: Any = properties
    for part in path.split("."):
        if not isinstance(found, Mapping):
            return default
        found = cast("Mapping[str, Any]", found).get(part)
    return default if found is None else found


def _with(properties: Properties, path: str, value: Any) -> Properties:
    """The properties with a value at a dotted path."""
    first, _, rest = path.partition(".")
    if not rest:
        return {**properties, first: value}
    inner = properties.get(first)
    if not isinstance(inner, dict):
        return properties if inner is not None else {**properties, first: _with({}, rest, value)}
    return {**properties, first: _with(cast("Properties", inner), rest, value)}
