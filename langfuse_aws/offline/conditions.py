"""Conditions under which a change replaces a resource, by the names that `rules.csv` has for them.

Each is asked with what there is and what is wanted.
"""

from collections.abc import Callable, Mapping
from typing import Any

from langfuse_aws.offline.versions import is_older

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
