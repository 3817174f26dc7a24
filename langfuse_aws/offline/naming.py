"""Names for resources that are given none, as pulumi-aws makes them.

A name is the logical name, or the prefix that was asked for, and seven hexadecimal digits. A
resource keeps the name it was given.
"""

import hashlib
import secrets
from typing import Any

from langfuse_aws.offline.catalog import resource_type
from langfuse_aws.offline.catalog.resource_type import Naming
from langfuse_aws.offline.unknown import UNKNOWN

DEFAULTS = "__defaults"
"""Where inputs say which of them were not given by the program."""

_DIGITS = 7


class NameTooLongError(ValueError):
    """A name that AWS would refuse."""

    def __init__(self, name: str, naming: Naming) -> None:
        super().__init__(
            f"{naming.property} {name!r} has {len(name)} characters, at most {naming.longest} "
            "are allowed"
        )
        self.property = naming.property


def named(
    token: str,
    name: str,
    inputs: dict[str, Any],
    old: dict[str, Any] | None = None,
    random_seed: bytes = b"",
) -> dict[str, Any]:
    """The inputs with a name; an automatic name in the old inputs is kept."""
    naming = resource_type(token).naming
    if naming is None:
        return inputs
    given = inputs.get(naming.property)
    if given is not None:
        _check(given, naming)
        return inputs
    prefix = inputs.get(f"{naming.property}Prefix")
    start = naming.begins(name) if prefix is None else prefix
    kept = _kept(naming.property, old or {})
    if kept is not None and (prefix is None or kept.startswith(prefix)):
        chosen = kept
    else:
        chosen = _chosen(start, naming, random_seed)
    _check(chosen, naming)
    return {**inputs, naming.property: chosen, DEFAULTS: [naming.property]}


def is_automatic(property_name: str, inputs: dict[str, Any]) -> bool:
    """Whether the property was named automatically."""
    return property_name in inputs.get(DEFAULTS, [])


def _kept(property_name: str, old: dict[str, Any]) -> str | None:
    return old.get(property_name) if is_automatic(property_name, old) else None


def _chosen(start: str, naming: Naming, random_seed: bytes) -> str:
    digits = hashlib.sha256(random_seed or secrets.token_bytes()).hexdigest()[:_DIGITS]
    chosen = f"{start}{digits}"
    return chosen.lower() if naming.lowercase else chosen


def _check(name: str, naming: Naming) -> None:
    if name != UNKNOWN and len(name) > naming.longest:
        raise NameTooLongError(name, naming)
