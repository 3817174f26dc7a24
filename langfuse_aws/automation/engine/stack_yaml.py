"""YAML as Pulumi reads it, and the lines of a stack file that its keys stand on."""

import re
from collections.abc import Hashable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, cast

import yaml

from langfuse_aws.settings.messages import NAMESPACE, ONE_KEY

_SCALARS: Final = {
    "bool": ("tTfF", r"true|True|TRUE|false|False|FALSE"),
    "int": (
        "-+0123456789",
        r"[-+]?(0b_*[01][01_]*|0[0-7_]*|0o_*[0-7][0-7_]*|[1-9][0-9_]*|0x_*[0-9a-fA-F][0-9a-fA-F_]*)",
    ),
    "float": (
        "-+0123456789.",
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?"
        r"|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
    ),
}
"""First characters and patterns of what is no text. PyYAML has those of YAML 1.1, in which `no`,
`1:30` and `2026-01-02` are none either; for Pulumi they are texts."""
_READ_OTHERWISE: Final = {f"tag:yaml.org,2002:{kind}" for kind in (*_SCALARS, "timestamp")}
_Found = tuple[str, int]
_STEP: Final = re.compile(r"(\.[^.\[]+|\[\d+\])$")


class Loader(yaml.SafeLoader):
    """Reads what Pulumi would, and refuses what Pulumi does.

    That is a key that is there twice, a value that is not what its tag says, an anchor within
    itself, and half of a character.
    """

    def __init__(self, stream: str) -> None:
        """Make each part complete before what it is in, which finds an anchor within itself."""
        super().__init__(stream)
        self.deep_construct = True

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """Say where the value stands that SafeLoader makes nothing of."""
        if node in self.recursive_objects:
            raise yaml.constructor.ConstructorError(
                problem="the anchor is within itself", problem_mark=node.start_mark
            )
        try:
            return super().construct_object(node, deep)  # pyright: ignore
        except (ValueError, KeyError, AttributeError):
            kind = node.tag.rpartition(":")[2]
            raise yaml.constructor.ConstructorError(
                problem=f"that is no {kind}", problem_mark=node.start_mark
            ) from None

    def construct_scalar(self, node: yaml.ScalarNode | yaml.MappingNode) -> Any:
        """Check that it is text."""
        found: Any = super().construct_scalar(node)  # pyright: ignore
        if not str(found).isascii() and re.search("[\ud800-\udfff]", found):
            raise yaml.constructor.ConstructorError(
                problem="half of a character, by \\u or \\U", problem_mark=node.start_mark
            )
        return found

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """Check the keys first."""
        lines: dict[tuple[str, Any], int] = {}
        for key, _ in node.value:
            name = (key.tag, key.value if isinstance(key.value, str) else id(key))
            if name in lines:
                raise yaml.constructor.ConstructorError(
                    problem=f"the key {key.value} is in line {lines[name]} already",
                    problem_mark=key.start_mark,
                )
            lines[name] = key.start_mark.line + 1
        return super().construct_mapping(node, deep=deep)


Loader.yaml_implicit_resolvers = {
    first: [(tag, form) for tag, form in resolvers if tag not in _READ_OTHERWISE]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
for _kind, (_first, _form) in _SCALARS.items():
    Loader.add_implicit_resolver(  # pyright: ignore[reportUnknownMemberType]
        f"tag:yaml.org,2002:{_kind}", re.compile(rf"^(?:{_form})$"), list(_first)
    )


def lines_of_keys(path: Path) -> dict[str, list[int]]:
    """The lines of each key of a stack file's `config`, by the key as the lines of errors name it.

    `langfuse:web.cpu` and `langfuse:allowReplace[0]`, and what stands beside `config`. One that is
    there as a path and as one key with dots too has the path's line first. Empty if nothing can be
    read.
    """
    try:
        text = path.read_text(encoding="utf-8")
        root = cast("yaml.Node | None", yaml.compose(text, Loader=Loader))  # pyright: ignore
    except (OSError, ValueError, yaml.YAMLError):
        return {}
    beside, top, nested = list[_Found](), list[_Found](), list[_Found]()
    for name, line, value in _children(root):
        beside.append((name, line))
        for written, at, below in _children(value) if name == "config" else ():
            key = _as_named(written)
            top.append((key, at))
            nested += _below(key, below, frozenset())
    found: dict[str, list[int]] = {}
    for key, line in (*nested, *top, *beside):
        found.setdefault(key, []).append(line)
    return found


def place(problem: str, lines: Mapping[str, Sequence[int]]) -> tuple[str, int | None]:
    """The key that a line of an error begins with, and the line of the file that it stands on.

    Of a key that is not there, it is the line of the section; None if that is not there either.
    """
    written = [key for key in lines if problem.startswith(f"{key}:")]
    key = max(written, key=len, default=problem.partition(": ")[0])
    above = key
    while above not in lines and _STEP.search(above):
        above = _STEP.sub("", above)
    found = lines.get(above)
    return key, found[-1 if ONE_KEY in problem else 0] if found else None


def _as_named(key: str) -> str:
    """A key of `config` with its namespace, which is the project's where none is written."""
    return key.replace(":config:", ":") if ":" in key else f"{NAMESPACE}:{key}"


def _below(above: str, node: yaml.Node, seen: frozenset[int]) -> Iterator[_Found]:
    if id(node) in seen:  # an alias of what it is in
        return
    for name, line, value in _children(node):
        key = f"{above}{name}" if isinstance(node, yaml.SequenceNode) else f"{above}.{name}"
        yield key, line
        yield from _below(key, value, seen | {id(node)})


def _children(node: yaml.Node | None) -> Iterator[tuple[str, int, yaml.Node]]:
    """The name, line and value of each part."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield str(key.value), key.start_mark.line + 1, value
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            yield f"[{index}]", value.start_mark.line + 1, value
