"""Writes the arguments of the component for other languages: `plugin/arguments.py`.

They are the keys of `settings/`, as TypedDicts that Pulumi makes a schema from. What a value must
be, beyond its type, is told in words only: `langfuse_aws.settings.loading` checks it.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Final, cast

from pydantic.alias_generators import to_pascal, to_snake

from development.configuration_tables import (
    Key,
    all_keys,
    bounds_and_default,
    meaning_of,
    meaning_of_secret,
    top_section,
)
from langfuse_aws.settings.messages import VARIANTS
from langfuse_aws.settings.secret_keys import SECRET_KEYS

HEAD: Final = '''"""What a Langfuse of another program is made from; written by `make docs`.

Keys are those of the `langfuse:` configuration. Values are plain, because they decide which
resources there are; secrets alone may be outputs.
"""
# ruff: noqa: E501

from enum import Enum
from typing import TypedDict

import pulumi
from typing_extensions import NotRequired

'''

PLAIN_TYPES: Final = {"boolean": "bool", "integer": "int", "number": "float", "string": "str"}

ROOT: Final = (
    "Everything that a Langfuse is made from. What is not set comes from `size`; "
    "docs/configuration.md has the values."
)

ENTRIES: Final = {"auth.providers": "AuthProvider"}
"""Mappings whose keys the user chooses, as `NAME` in a path, and the class of their values."""

SAID_BY_TYPE: Final = ("`true` or `false`", "section", "text")
"""Bounds that say no more than a type does."""

Node = dict[str, Any]
"""The keys of a section: each a Key, or another Node."""


def source() -> str:
    """The whole file."""
    root: Node = {}
    for key in all_keys():
        *sections, last = key.path.split(".")
        node = root
        for section in sections:
            if not isinstance(node.get(section), dict):  # or a key that stands for the section
                node[section] = {}
            node = cast(Node, node[section])
        node[last] = key
    classes = _section("LangfuseArgs", "", root)
    return f"{HEAD}\n{(chr(10) * 3).join(classes)}\n"


def _section(name: str, path: str, node: Node) -> Iterator[str]:
    """The class of a section, after those that it needs."""
    lines: list[str] = []
    for key, below in node.items():
        full = f"{path}.{key}".lstrip(".")
        own_class = to_pascal(to_snake(full.replace(".", "_")))
        needed = False
        if isinstance(below, Key):
            words = _words(below.schema)
            kind = own_class if words else _kind(below.schema)
            needed = below.required and not below.variants
            if words:
                yield _enumeration(own_class, full, words)
        elif full in ENTRIES:
            yield from _section(ENTRIES[full], f"{full}.NAME", cast(Node, below)["NAME"])
            kind = f"dict[str, {ENTRIES[full]}]"
        else:
            kind = own_class
            yield from _section(kind, full, cast(Node, below))
        lines.append(_attribute(key, kind, _about(full), needed=needed))
    if not path:
        lines += [_secret(key) for key in SECRET_KEYS]
    about = _about(path) if path else ROOT
    yield "\n".join([f"class {name}(TypedDict):", f'    """{about}"""', "", *lines])


def _attribute(key: str, kind: str, about: str, *, needed: bool) -> str:
    name = f"{key}_" if key == "from" else key  # Pulumi takes the underscore away
    return f'    {name}: {kind if needed else f"NotRequired[{kind}]"}\n    """{about}"""'


def _secret(key: str) -> str:
    secret, meaning = SECRET_KEYS[key], meaning_of_secret(key)
    kind = "pulumi.Input[str]"
    if secret.by_name:
        return _attribute(key, f"dict[str, {kind}]", f"{meaning}, by name.", needed=False)
    return _attribute(key, kind, f"{meaning}. Value: {secret.value}.", needed=False)


def _enumeration(name: str, path: str, words: list[str]) -> str:
    members = [f'    {to_snake(word).upper()} = "{word}"' for word in words]
    return "\n".join([f"class {name}(Enum):", f'    """What `{path}` may be."""', "", *members])


def _words(schema: Mapping[str, Any]) -> list[str]:
    """The words that a value may be; none if it may be anything else."""
    for each in schema.get("anyOf", [schema]):
        words = each.get("enum") or [each.get("const")]
        if isinstance(words[0], str):
            return words
    return []


def _kind(schema: Mapping[str, Any]) -> str:
    """The Python type of a JSON schema."""
    given = next(each for each in schema.get("anyOf", [schema]) if each.get("type") != "null")
    match given["type"]:
        case "array":
            return f"list[{_kind(given['items'])}]"
        case "object":
            return f"dict[str, {_kind(given['additionalProperties'])}]"
        case plain:
            return PLAIN_TYPES[plain]


def _about(path: str) -> str:
    """What a key or a section means."""
    if key := _by_path().get(path):
        there = "; required there" if key.variants else ""
        bounds = bounds_and_default(key).replace("; required", there)
        return f"{meaning_of(key)}." + ("" if bounds in SAID_BY_TYPE else f" Value: {bounds}.")
    if path.endswith(".NAME"):
        return "A way to sign in."
    section = top_section(path)
    models = VARIANTS[path].values() if path in VARIANTS else [section] if section else []
    return " Or: ".join((model.__doc__ or "").partition("\n")[0] for model in models)


@cache
def _by_path() -> dict[str, Key]:
    return {key.path: key for key in all_keys()}
