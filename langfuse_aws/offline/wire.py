"""Property values on the wire: protobuf structs to plain dicts and back, and marks of secrets.

Unknown values stay the mark that they are on the wire. The providers get plain values for
secrets: the engine is told so, and marks what comes back by itself.
"""

from collections.abc import Iterable, Mapping
from typing import Any, cast

from google.protobuf.struct_pb2 import Struct, Value

Properties = dict[str, Any]

_SIGNATURE = "4dabf18193072939515e22adb298388d"
_SECRET = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105


def from_struct(struct: Struct) -> Properties:
    """A property map as a dict; properties that are null are left out."""
    decoded = {key: _decoded(value) for key, value in struct.fields.items()}
    return {key: value for key, value in decoded.items() if value is not None}


def to_struct(properties: Mapping[str, Any], secrets: Iterable[str] = ()) -> Struct:
    """A dict as a property map, in which the named properties are secret."""
    marked = {key: secret(properties[key]) for key in secrets if key in properties}
    struct = Struct()
    struct.update({**properties, **marked})
    return struct


def secret(value: Any) -> Properties:
    """The value, marked as a secret."""
    return {_SIGNATURE: _SECRET, "value": value}


def is_secret(value: Any) -> bool:
    """Whether the value is a secret or holds one."""
    if isinstance(value, dict):
        items = cast("Properties", value)
        return items.get(_SIGNATURE) == _SECRET or any(map(is_secret, items.values()))
    return isinstance(value, list) and any(map(is_secret, cast("list[Any]", value)))


def without_secrets(value: Any) -> Any:
    """The value without the marks of secrets."""
    if isinstance(value, dict):
        items = cast("Properties", value)
        if items.get(_SIGNATURE) == _SECRET:
            return without_secrets(items["value"])
        return {key: without_secrets(item) for key, item in items.items()}
    if isinstance(value, list):
        return [without_secrets(item) for item in cast("list[Any]", value)]
    return value


def _decoded(value: Value) -> Any:
    kind = value.WhichOneof("kind")
    if kind == "struct_value":
        return from_struct(value.struct_value)
    if kind == "list_value":
        return [_decoded(item) for item in value.list_value.values]
    if kind == "number_value":
        number = value.number_value
        return int(number) if number.is_integer() else number
    if kind in ("string_value", "bool_value"):
        return getattr(value, kind)
    return None
