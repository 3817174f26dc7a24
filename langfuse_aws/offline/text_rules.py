"""Which texts AWS refuses for their characters or their length.

Pure. AWS's own service models, which botocore brings along, have most bounds: `text_rules.csv` says
which operation makes a type, or which shape a property has. Where a model has none, as for all of
EC2, the row has the pattern and the length itself, and the page that states them.
A text that is not known yet breaks no rule.
"""

import csv
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Final, cast

from botocore.loaders import Loader

from langfuse_aws.offline.unknown import UNKNOWN

# https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html
TAG_KEY_LONGEST: Final = 128
TAG_VALUE_LONGEST: Final = 256
MOST_TAGS: Final = 50

_RULES: Final = Path(__file__).with_suffix(".csv")
_TAGS: Final = re.compile(r"(^|\.)(tags|tagsAll)(\.|\[\]\.(key|value)$)")
_TAG_CHARACTERS: Final = r"[\p{L}\p{Z}\p{N}_.:/=+\-@]*"

# Java's classes of characters, which Python's patterns lack: their ASCII characters, and the one
# that stands for all others.
_CLASSES: Final = {
    "L": "a-zA-Z", "N": "0-9", "Z": " ", "S": "$+<=>^`|~", "M": "\u0301",
    "P": r"!\"#%&'()*,\-./:;?@\[\\\]_{}",
}  # fmt: skip
_SAMPLES: Final = {"L": "a", "N": "0", "Z": " ", "S": "+", "P": ".", "M": "\u0301"}


@dataclass(frozen=True)
class Bound:
    """What a text must be: all of it matches the pattern; lengths are in characters."""

    pattern: str = ""
    shortest: int = 0
    longest: int | None = None
    values: frozenset[str] = frozenset()
    """Those that AWS lists, if it does; a text may be a newer one, so it is no fault."""

    def fault(self, text: str) -> str:
        """Why AWS refuses the text, or nothing."""
        if len(text) < self.shortest:
            return f"{len(text)} characters, at least {self.shortest}"
        if self.longest is not None and len(text) > self.longest:
            return f"{len(text)} characters, at most {self.longest}"
        if self.pattern and not matches(self.pattern, text):
            return f"does not match {self.pattern}"
        return ""


def faults(token: str, inputs: Mapping[str, Any]) -> list[str]:
    """A sentence for each text of a resource that AWS would refuse, with its property."""
    return [
        f"{path} {text!r}: {fault}"
        for path, text in texts(inputs)
        if (bound := bound_of(token, path)) and (fault := bound.fault(text))
    ] + [f"{path}: {fault}" for path, fault in _tag_faults(inputs)]


def texts(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Every known text of the inputs with its path, such as `rules[].name`."""
    if isinstance(value, str) and value != UNKNOWN:
        yield path, value
    elif isinstance(value, Mapping):
        for key, inner in cast("Mapping[str, Any]", value).items():
            if not key.startswith("__"):
                yield from texts(inner, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for inner in cast("list[Any]", value):
            yield from texts(inner, f"{path}[]")


@cache
def bound_of(token: str, path: str) -> Bound | None:
    """The bound of a property, if AWS states one."""
    if found := _TAGS.search(path):
        key = found.group(4) == "key"
        return Bound(_TAG_CHARACTERS, int(key), TAG_KEY_LONGEST if key else TAG_VALUE_LONGEST)
    kind = token.partition(":")[2].partition(":")[0]
    row = rows().get((kind, path))
    if row is None:
        whole = rows().get((kind, ""))
        return _of_operation(whole["api"], path) if whole else None
    if row["api"]:
        service, _, shape = row["api"].partition(".")
        found = _of_shape(shape, _model(service)["shapes"][shape])
        return replace(found, longest=int(row["longest"])) if found and row["longest"] else found
    return Bound(row["pattern"], longest=int(row["longest"]) if row["longest"] else None)


@cache
def matches(pattern: str, text: str) -> bool:
    r"""Whether all of a text matches a pattern of AWS's, in which `\p{L}` is any letter."""
    pattern = pattern.replace(r"\uD800\uDC00-\uDBFF\uDFFF", r"\U00010000-\U0010FFFF")
    pattern = (
        pattern.replace("(?i)", "")
        .replace(r"\p{Print}", r"[^\x00-\x1f\x7f]")
        .replace(r"\p{ASCII}", r"\x00-\x7f")
    )
    for kind in set(re.findall(r"\\p\{(\w)s?\}", pattern)):
        pattern = re.sub(rf"\\p\{{{kind}s?\}}", lambda _, kind=kind: _CLASSES[kind], pattern)
        text = "".join(
            _SAMPLES[kind] if not c.isascii() and unicodedata.category(c)[0] == kind else c
            for c in text
        )
    return re.fullmatch(pattern, text, re.ASCII) is not None


def _tag_faults(inputs: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    bound = Bound(f"(?!aws:){_TAG_CHARACTERS}", 1, TAG_KEY_LONGEST)
    for property_name in ("tags", "tagsAll"):
        given = inputs.get(property_name)
        if not isinstance(given, Mapping):
            continue
        tags = cast("Mapping[str, Any]", given)
        if len(tags) > MOST_TAGS:
            yield property_name, f"{len(tags)} tags, at most {MOST_TAGS}"
        for key in tags:
            if fault := bound.fault(key):
                yield f"{property_name} {key!r}", fault


@cache
def rows() -> dict[tuple[str, str], dict[str, str]]:
    """The rows of `text_rules.csv`, by type and property; the property of a whole type is empty."""
    with _RULES.open(encoding="utf-8", newline="") as file:
        return {(row["type"], row["property"]): row for row in csv.DictReader(file)}


@cache
def _model(service: str) -> dict[str, Any]:
    return cast("dict[str, Any]", Loader().load_service_model(service, "service-2"))  # pyright: ignore[reportUnknownMemberType]


def _of_operation(api: str, path: str) -> Bound | None:
    """The bound of the operation's member at the path; of one within a member, if it is named."""
    service, operation, *within = api.split(".")
    model = _model(service)
    name = model["operations"][operation]["input"]["shape"]
    for part in [*within, *re.findall(r"\[\]|[^.\[]+", path)]:
        found = _inside(model, model["shapes"][name], part)
        if found is None:
            return None
        name = found["shape"]
    return _of_shape(name, model["shapes"][name])


def _inside(
    model: Mapping[str, Any], shape: Mapping[str, Any], part: str
) -> Mapping[str, Any] | None:
    """What is below a part of a path: `[]` in a list, a key in a map, a member in a structure."""
    kind = shape["type"]
    if kind == "map":
        return shape["value"]
    if kind == "list":
        # Pulumi has one where AWS has a list of one, and a map where AWS has names and values.
        element = model["shapes"][shape["member"]["shape"]]
        return shape["member"] if part == "[]" else _inside(model, element, part) or _value(element)
    members = {key.lower(): value for key, value in shape.get("members", {}).items()}
    part = part.lower()
    spellings = (part, part.removesuffix("s"), f"{part}s")
    return next((members[key] for key in spellings if key in members), None)


def _value(pair: Mapping[str, Any]) -> Mapping[str, Any] | None:
    members = pair.get("members", {})
    return members.get("Value") if {*members} == {"Name", "Value"} else None


def _of_shape(name: str, shape: Mapping[str, Any]) -> Bound | None:
    if shape["type"] != "string":
        return None
    # API Gateway's model says it in the name.
    said = re.fullmatch(r".*WithLengthBetween(\d+)And(\d+)", name)
    shortest, longest = map(int, said.groups()) if said else (shape.get("min", 0), shape.get("max"))
    bound = Bound(shape.get("pattern", ""), shortest, longest, frozenset(shape.get("enum", ())))
    return None if bound == Bound() else bound
