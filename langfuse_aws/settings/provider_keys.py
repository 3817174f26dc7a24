"""The AWS provider's own keys, which a stack file has beside those of `langfuse:`."""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any, Final, cast

from langfuse_aws.settings import regions, sealed
from langfuse_aws.settings.loading import parsed
from langfuse_aws.settings.wording import shown

TAGS_KEY: Final = "aws:defaultTags"
ROLE_KEYS: Final = ("aws:assumeRoles", "aws:assumeRole")

# https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html
LONGEST_KEY: Final = 128
LONGEST_VALUE: Final = 256
MOST_TAGS: Final = 50
OWN_TAGS: Final = 1
"""Of the program's own on a resource, at the most: Name, or Image of a task definition."""
_PUNCTUATION: Final = "_.:/=+-@"
_CHARACTERS: Final = f"letters, digits, spaces and {_PUNCTUATION}"


def tag_problems(value: Any) -> list[str]:
    """A line for each tag that AWS or its provider refuses; `value` is YAML's, or Pulumi's JSON.

    https://github.com/pulumi/pulumi-aws/issues/2663 has what the provider says.
    """
    given = parsed(value)  # of a text that is no JSON, the provider says so itself
    if not isinstance(given, Mapping):
        return []
    section = cast("Mapping[str, Any]", given)
    lines = [
        f"{TAGS_KEY}.{name}: {shown(text)}: stands beside tags, and the provider refuses it. Write "
        f"it as {TAGS_KEY}.tags.{name}."
        for name, text in section.items()
        if name != "tags"
    ]
    tags = section.get("tags")
    if not isinstance(tags, Mapping):
        return lines
    given_tags = cast("Mapping[str, Any]", tags)
    lines += [line for name, text in given_tags.items() for line in _of(name, text)]
    if (over := len(given_tags) + OWN_TAGS - MOST_TAGS) > 0:
        lines.append(
            f"{TAGS_KEY}.tags: has {len(given_tags)} tags, and AWS takes {MOST_TAGS} on a "
            f"resource, of which the program writes one itself. Leave out {over}."
        )
    return lines


def _of(name: str, value: Any) -> Iterator[str]:
    path, text = f"{TAGS_KEY}.tags.{name}: {shown(value)}", str(value)
    if re.match(r"aws:", name, re.IGNORECASE):
        yield f"{path}: a tag's name begins with aws: if AWS itself has made it. Name it otherwise."
    elif not 1 <= len(name) <= LONGEST_KEY or not _is_taken(name):
        yield (
            f"{path}: a tag's name has 1 to {LONGEST_KEY} {_CHARACTERS}, or IAM, for one, refuses "
            "it. Name it otherwise."
        )
    if len(text) > LONGEST_VALUE or not _is_taken(text):
        yield (
            f"{path}: a tag's value has at most {LONGEST_VALUE} {_CHARACTERS}, or IAM, for one, "
            "refuses it. Write it otherwise."
        )


def _is_taken(text: str) -> bool:
    return all(each in _PUNCTUATION or unicodedata.category(each)[0] in "LNZ" for each in text)


def problems(config: Mapping[str, Any]) -> list[str]:
    """A message for each problem of `aws:region` and `aws:defaultTags`.

    Keys of `config` have their namespaces; values are YAML's own, or the text that Pulumi hands to
    a program.
    """
    region = config.get(regions.KEY)
    line = regions.message(str(region)) if region and not sealed.holds(region) else None
    return [*([line] if line else []), *tag_problems(config.get(TAGS_KEY))]


def assumed_roles(config: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The roles that the provider assumes, each by means of the one before; the last one's rights.

    Keys of `config` have their namespaces; values are YAML's own, or Pulumi's JSON text. What is
    encrypted is passed over.
    """
    for key in ROLE_KEYS:
        given = parsed(config.get(key) or [])
        for each in cast("list[Any]", given if isinstance(given, list) else [given]):
            if isinstance(each, Mapping) and isinstance(each.get("roleArn"), str):  # pyright: ignore[reportUnknownMemberType]
                yield cast("Mapping[str, Any]", each)
