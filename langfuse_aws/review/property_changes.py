"""What differs in a resource's properties: structurally, also inside of JSON, and without secrets.

The engine says which properties differ, and whether that replaces the resource. What a secret is,
the engine says as well; in a document that it takes for plain text, names tell.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from langfuse_aws.graph.model import SECRET, UNKNOWN
from langfuse_aws.graph.preview import Step

LATER: Final = "known after the update"
_PATH_PART: Final = re.compile(r'\["([^"]*)"\]|\[(\d+)\]|([^.\[\]]+)')
_NAME: Final = re.compile(
    r"[\w.-]*(pass_?(word|wd|phrase)|secret|token|salt|credential"
    r"|(private|api|access|licen[cs]e|encryption)_?key)[\w.-]*$",
    re.IGNORECASE,
)
"""Of a variable or key that is a secret."""
_NO_SECRET: Final = re.compile(r"arn:|(true|false)?$", re.IGNORECASE)
"""Values that tell nothing, whatever they are called."""
_REFERS: Final = re.compile(r"(arn|id|ids|name|version)$", re.IGNORECASE)
"""Names of what only says which secret is meant."""
_PASSWORD_OF_A_URL: Final = re.compile(r"(://[^/\s:@]*:)[^/\s@]+(?=@)")


@dataclass(frozen=True)
class PropertyChange:
    """One property that differs, with its values as text; None where there is none."""

    path: str
    old: str | None
    new: str | None
    replaces: bool


@dataclass(frozen=True)
class PlannedStep:
    """What is done to one resource, to be shown and stored."""

    operation: str
    """In Pulumi's words."""
    urn: str
    changed: Mapping[str, str]
    """How each changed property differs, by its path, in Pulumi's words."""
    properties: tuple[PropertyChange, ...]

    @property
    def type(self) -> str:
        """The type token."""
        return self.urn.split("::")[2].rpartition("$")[2]

    @property
    def name(self) -> str:
        """The last part of the URN."""
        return self.urn.rpartition("::")[2]


def planned(steps: Iterable[Step]) -> list[PlannedStep]:
    """The steps of a preview without its states."""
    return [
        PlannedStep(each.operation, each.urn, each.changed, tuple(property_changes(each)))
        for each in steps
    ]


def property_changes(step: Step, new: Mapping[str, Any] | None = None) -> list[PropertyChange]:
    """What a step changes; `new` are its inputs, if more is known of them than the step has."""
    before = step.old
    if step.operation in ("create", "delete") or before is None:
        return []
    nothing: Mapping[str, Any] = {}
    after = new if new is not None else step.new.inputs if step.new else nothing
    found = [
        change
        for path, kind in sorted(step.changed.items())
        for change in _changes(
            path,
            kind.endswith("-replace"),
            (_at(before.inputs, path), _at(before.outputs, path)),
            _at(after, path),
            told=path in step.compared_with_outputs,
        )
    ]
    # The provider has each tag twice; alone it is there if the default tags have changed.
    twice = {f"tagsAll{each.path.removeprefix('tags')}" for each in found if _is_tag(each)}
    return [each for each in found if each.path not in twice]


def shortened(text: str, most: int, start: int = 0) -> str:
    """A value in one line and at most so many characters, which are those from `start` on."""
    line = "".join(" " if each.isspace() or not each.isprintable() else each for each in text)
    if len(line) <= most:
        return line
    if start <= 1:
        return f"{line[: most - 1]}…"
    if start > len(line) - most:
        return f"…{line[1 - most :]}"
    return f"…{line[start : start + most - 2]}…"


def first_difference(old: str, new: str) -> int:
    """The place at which two texts begin to differ."""
    pairs = zip(old, new, strict=False)
    return next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(old), len(new)))


def _is_tag(change: PropertyChange) -> bool:
    return re.match(r"tags\b", change.path) is not None


def _changes(
    path: str, replaces: bool, stored: tuple[Any, Any], after: Any, *, told: bool
) -> Iterator[PropertyChange]:
    given, found = stored
    # Old values are outputs, unless the engine says otherwise, and new ones are inputs:
    # https://github.com/pulumi/pulumi/blob/v3.250.0/pkg/engine/detailedDiff.go
    # AWS writes a document in a form of its own, which differs in more than what was changed.
    document = _parts(given) is not None and given != after
    before = given if not told or found is None or document else found
    parts = _parts(before), _parts(after)
    names = _names(path)
    if None in parts:
        yield PropertyChange(path, _text(names, before), _text(names, after), replaces)
        return
    joint = ": " if isinstance(after, str) else "."
    for inner, one, other in _differing(*parts):
        told_of = (*names, *inner)
        yield PropertyChange(
            joint.join((path, ".".join(inner))) if inner else path,
            _text(told_of, one),
            _text(told_of, other),
            replaces,
        )


def _parts(value: Any) -> Any:
    """What an object, a list or a JSON document holds; None for anything else."""
    if isinstance(value, str) and value[:1] in ("{", "["):
        try:
            return json.loads(value)
        except ValueError:
            return None
    return cast("Any", value) if isinstance(value, dict | list) else None


def _differing(
    old: Any, new: Any, inside: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], Any, Any]]:
    """Where two documents differ, and how, as deep as they can be told apart."""
    before, after = _members(old), _members(new)
    if before is not None and after is not None:
        for key in dict.fromkeys([*before, *after]):
            yield from _differing(before.get(key), after.get(key), (*inside, key))
    elif old != new:
        yield inside, old, new


def _members(value: Any) -> Mapping[str, Any] | None:
    """What an object or a list holds, by name where its items have one; None for plain values."""
    if isinstance(value, dict):
        return cast("dict[str, Any]", value)
    if isinstance(value, list):
        items = cast("list[Any]", value)
        objects = [cast("dict[str, Any]", each) for each in items if isinstance(each, dict)]
        named = {str(each["name"]): each for each in objects if "name" in each}
        return named if len(named) == len(items) else {str(i): each for i, each in enumerate(items)}
    return None


def _names(path: str) -> tuple[str, ...]:
    """The names of a path as Pulumi writes it, such as `tags["a.b"]` or `rules[0].id`."""
    return tuple(quoted or index or key for quoted, index, key in _PATH_PART.findall(path))


def _at(value: Any, path: str) -> Any:
    """What lies at a path."""
    for name in _names(path):
        if isinstance(value, list) and name.isdigit():
            items = cast("list[Any]", value)
            value = items[int(name)] if int(name) < len(items) else None
        elif isinstance(value, Mapping):
            value = cast("Mapping[str, Any]", value).get(name)
        else:
            return None
    return value


def _text(names: Sequence[str], value: Any) -> str | None:
    if value is None:
        return None
    hidden = _without_secrets(names, value)
    text = hidden if isinstance(hidden, str) else json.dumps(hidden, sort_keys=True)
    return LATER if UNKNOWN in text else text


def _without_secrets(names: Sequence[str], value: Any) -> Any:
    """The value with SECRET for all that is one by its name, at any depth, also in its text."""
    if isinstance(value, dict):
        items = cast("dict[str, Any]", value)
        # An item of a list of names and values, as ECS has its variables.
        own = [str(items["name"])] if "name" in items else []
        return {key: _without_secrets([*own, key], item) for key, item in items.items()}
    if isinstance(value, list):
        return [_without_secrets(names, item) for item in cast("list[Any]", value)]
    if not isinstance(value, str):
        return value
    inside = _parts(value)
    if inside is not None:
        return json.dumps(_without_secrets(names, inside))
    named = any(_NAME.match(each) and not _REFERS.search(each) for each in names[-2:])
    if named and not _NO_SECRET.match(value) and names[-1:] != ["name"]:
        return SECRET
    return _PASSWORD_OF_A_URL.sub(rf"\1{SECRET}", value)
