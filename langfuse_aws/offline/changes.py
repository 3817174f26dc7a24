"""What differs between old and new inputs, and whether it takes a replacement.

Compares inputs with inputs, so that what AWS adds by itself is never a difference; but for the few
inputs that the provider reads back, and for those that a program begins to write: the provider
compares them with what AWS has, and plans nothing where it is the same.
https://github.com/pulumi/pulumi-terraform-bridge/blob/main/pkg/tfbridge/provider.go (Diff)
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, cast

from langfuse_aws.offline.catalog import EVERYTHING, resource_type
from langfuse_aws.offline.naming import is_automatic
from langfuse_aws.offline.rules import read_back, rules_of
from langfuse_aws.offline.version_order import is_older

_REGION = "region"


class Kind(Enum):
    """What happened to a property."""

    ADD = "ADD"
    DELETE = "DELETE"
    UPDATE = "UPDATE"


@dataclass(frozen=True)
class Change:
    """A property that differs."""

    path: str
    kind: Kind
    replaces: bool

    @property
    def property(self) -> str:
        """The top-level property that the change is in."""
        return re.split(r"[.\[]", self.path, maxsplit=1)[0]


@dataclass(frozen=True)
class Difference:
    """Everything that differs, and whether the old resource has to go before the new one comes."""

    changes: tuple[Change, ...]
    delete_first: bool = False

    @property
    def replaces(self) -> list[str]:
        """The properties that take a replacement."""
        return sorted({change.property for change in self.changes if change.replaces})


def compare(
    token: str,
    old: dict[str, Any],
    new: dict[str, Any],
    state: Mapping[str, Any] | None = None,
    ignored: Iterable[str] = (),
) -> Difference:
    """The difference for a resource of AWS.

    `state` is what the provider has read, which counts for some inputs. What is `ignored` is never
    a difference.
    """
    entry, left_out = resource_type(token), frozenset(ignored)
    read = {
        name: state[name]
        for name in read_back(token)
        if state and name in new and state.get(name) is not None
    }
    old = _with_what_is_there({**old, **read}, new, state or {})
    conditional = {
        name
        for rule in rules_of(token, "replaces")
        if rule.by in CONDITIONS and CONDITIONS[rule.by](old, new)
        for name in rule.properties
    }
    patterns = entry.replaced_by | conditional | {_REGION}
    found = (
        Change(path, kind, _forces_replacement(path, patterns))
        for path, kind in differences(old, new)
    )
    changes = tuple(change for change in found if change.property not in left_out)
    named_by_hand = (
        entry.naming is not None
        and not is_automatic(entry.naming.property, new)
        and new.get(entry.naming.property) == old.get(entry.naming.property) is not None
    )
    first = named_by_hand or bool(rules_of(token, "deletes first"))
    return Difference(changes, first and any(change.replaces for change in changes))


def compare_all_replacing(old: dict[str, Any], new: dict[str, Any]) -> Difference:
    """The difference for a resource that any change replaces, such as a random value."""
    return Difference(tuple(Change(path, kind, True) for path, kind in differences(old, new)))


def differences(old: Any, new: Any, path: str = "") -> list[tuple[str, Kind]]:
    """The paths at which two values differ."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        olds, news = cast("Mapping[str, Any]", old), cast("Mapping[str, Any]", new)
        keys = sorted(key for key in olds.keys() | news.keys() if not key.startswith("__"))
        pairs = [(_joined(path, key), olds.get(key), news.get(key)) for key in keys]
    elif isinstance(old, list) and isinstance(new, list):
        before, after = cast("list[Any]", old), cast("list[Any]", new)
        length = max(len(before), len(after))
        padded = (items + [None] * (length - len(items)) for items in (before, after))
        pairs = [
            (f"{path}[{index}]", *pair) for index, pair in enumerate(zip(*padded, strict=True))
        ]
    elif old == new:
        return []
    else:
        kind = Kind.ADD if old is None else Kind.DELETE if new is None else Kind.UPDATE
        return [(path, kind)]
    return [found for pair in pairs for found in differences(pair[1], pair[2], pair[0])]


def _with_what_is_there(old: Any, new: Any, state: Any) -> Any:
    """The old inputs, and those that AWS has just as the new ones begin to write them."""
    if all(isinstance(each, Mapping) for each in (old, new, state)):
        olds, news, there = (cast("Mapping[str, Any]", each) for each in (old, new, state))
        of_new = {
            key: _with_what_is_there(olds.get(key), value, there.get(key))
            for key, value in news.items()
        }
        return {**olds, **{key: value for key, value in of_new.items() if value is not None}}
    if all(isinstance(each, list) for each in (old, new, state)):
        before = cast("list[Any]", old)
        of_new = list(map(_with_what_is_there, before, new, state))
        return [*of_new, *before[len(of_new) :]]
    return state if old is None and state == new else old


def _joined(path: str, key: str) -> str:
    if not _PLAIN_KEY.fullmatch(key):
        return f'{path}["{key}"]'
    return f"{path}.{key}" if path else key


def _forces_replacement(path: str, patterns: frozenset[str]) -> bool:
    plain = _INDEX.sub("", path)
    if patterns >= EVERYTHING:
        return re.split(r"[.\[]", plain, maxsplit=1)[0] not in _TAGS
    return any(_overlaps(plain, pattern) for pattern in patterns)


def _overlaps(path: str, pattern: str) -> bool:
    """Whether one is the other or lies in it."""
    return path == pattern or path.startswith(f"{pattern}.") or pattern.startswith(f"{path}.")


Properties = Mapping[str, Any]

_TRANSIT_ENCRYPTION_CAN_CHANGE_FROM = "7.0.5"
_PEERS = ("cidrIpv4", "cidrIpv6", "prefixListId", "referencedSecurityGroupId")


def _lower_version(old: Properties, new: Properties) -> bool:
    return is_older(new.get("engineVersion"), old.get("engineVersion"))


def _not_to_valkey(old: Properties, new: Properties) -> bool:
    return (old.get("engine", "redis"), new.get("engine", "redis")) != ("redis", "valkey")


def _before_transit_changes(old: Properties, _new: Properties) -> bool:
    there = old.get("engineVersion")
    return is_older(there, _TRANSIT_ENCRYPTION_CAN_CHANGE_FROM)


def _replaced_on_user_data(_old: Properties, new: Properties) -> bool:
    return bool(new.get("userDataReplaceOnChange"))


def _not_an_interface(_old: Properties, new: Properties) -> bool:
    return new.get("vpcEndpointType", "Gateway") != "Interface"


def _another_kind_of_peer(old: Properties, new: Properties) -> bool:
    return {key for key in _PEERS if old.get(key)} != {key for key in _PEERS if new.get(key)}


def _not_aurora(_old: Properties, new: Properties) -> bool:
    return not str(new.get("engine", "aurora")).startswith("aurora")


CONDITIONS: Mapping[str, Callable[[Properties, Properties], bool]] = {
    "another_kind_of_peer": _another_kind_of_peer,
    "before_transit_changes": _before_transit_changes,
    "lower_version": _lower_version,
    "not_an_interface": _not_an_interface,
    "not_aurora": _not_aurora,
    "not_to_valkey": _not_to_valkey,
    "replaced_on_user_data": _replaced_on_user_data,
}


_TAGS = ("tags", "tagsAll")
_INDEX = re.compile(r"\[\d+\]")
_PLAIN_KEY = re.compile(r"[\w-]+")
