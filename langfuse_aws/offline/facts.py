"""What is known about one resource when its id or its outputs are worked out.

Pure: no Pulumi runtime, no gRPC. The same facts always give the same values.
"""

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

ACCOUNT = "123456789012"
DEFAULT_REGION = "us-east-1"
CREATED = "2024-01-01T00:00:00Z"

_PARTITIONS = {"cn-": ("aws-cn", "amazonaws.com.cn"), "us-gov-": ("aws-us-gov", "amazonaws.com")}
_HEX_FIELD = re.compile(r"hex(\d+)")


def digest(*parts: Any) -> str:
    """64 hexadecimal digits that depend on the parts alone."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def derived(prefix: str, *parts: Any) -> str:
    """An id as EC2 makes them, the same for the same parts."""
    return f"{prefix}{digest(*parts)[:17]}"


def partition(region: str) -> tuple[str, str]:
    """(partition, DNS suffix) of a region."""
    for prefix, found in _PARTITIONS.items():
        if region.startswith(prefix):
            return found
    return "aws", "amazonaws.com"


@dataclass(frozen=True)
class Facts:
    """One resource: its logical name, its inputs, and its id as soon as it has one.

    `seed` is what the made-up digits depend on: name and inputs for the id, the id for all else,
    so that an update changes nothing that AWS would keep.
    """

    token: str
    name: str
    inputs: Mapping[str, Any]
    region: str
    seed: str
    id: str = ""
    old: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def get(self, key: str, default: Any = "") -> Any:
        """An input, or the default where it is absent."""
        value = self.inputs.get(key)
        return default if value is None else value

    def fill(self, template: str, salt: str = "") -> str:
        """Fill in a template: `{id}`, `{region}`, `{hex8}`, or any input by its name."""
        return template.format_map(_Fields(self, salt))

    def arn(self, service: str, path: str) -> str:
        """A regional ARN."""
        return self.fill(f"arn:{{partition}}:{service}:{{region}}:{{account}}:{path}")


Value = str | Callable[[Facts], Any]
"""A template to fill in, or a function of the facts."""


def value_of(value: Value, facts: Facts, salt: str = "") -> Any:
    """What a template or a function gives for the facts."""
    return facts.fill(value, salt) if isinstance(value, str) else value(facts)


class _Fields(Mapping[str, str]):
    """The fields of a template; an input that is not set is the logical name."""

    def __init__(self, facts: Facts, salt: str) -> None:
        self._facts = facts
        self._salt = salt

    def __getitem__(self, key: str) -> str:
        facts = self._facts
        partition_name, suffix = partition(facts.region)
        known = {
            "id": facts.id,
            "region": facts.region,
            "account": ACCOUNT,
            "partition": partition_name,
            "suffix": suffix,
        }
        if key in known:
            return known[key]
        if found := _HEX_FIELD.fullmatch(key):
            return digest(facts.token, facts.seed, self._salt)[: int(found.group(1))]
        return str(facts.get(key, facts.name))

    def __iter__(self) -> Any:
        return iter(self._facts.inputs)

    def __len__(self) -> int:
        return len(self._facts.inputs)
