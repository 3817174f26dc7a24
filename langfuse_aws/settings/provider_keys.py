"""The AWS provider's own keys, which a stack file has beside those of `langfuse:`."""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any, Final, cast

from langfuse_aws.settings import regions, sealed
from langfuse_aws.settings.loading import parsed
from langfuse_aws.settings.wording import nearest, shown

NAMESPACE: Final = "aws:"
TAGS_KEY: Final = "aws:defaultTags"
ROLES_KEY: Final = "aws:assumeRoles"
SECRETS: Final = frozenset({"aws:secretKey", "aws:token"})
"""Those that must be secrets: https://www.pulumi.com/registry/packages/aws/api-docs/provider/"""
ACCOUNT_KEYS: Final = ("aws:allowedAccountIds", "aws:forbiddenAccountIds")

_ANY: Final = frozenset[str]()
KEYS: Final[Mapping[str, frozenset[str]]] = {
    "accessKey": _ANY,
    "allowedAccountIds": _ANY,
    "assumeRoleWithWebIdentity": frozenset(
        {
            "duration",
            "policy",
            "policyArns",
            "roleArn",
            "sessionName",
            "webIdentityToken",
            "webIdentityTokenFile",
        }
    ),
    "assumeRoles": frozenset(
        {
            "duration",
            "externalId",
            "policy",
            "policyArns",
            "roleArn",
            "sessionName",
            "sourceIdentity",
            "tags",
            "transitiveTagKeys",
        }
    ),
    "customCaBundle": _ANY,
    "defaultTags": _ANY,
    "ec2MetadataServiceEndpoint": _ANY,
    "ec2MetadataServiceEndpointMode": _ANY,
    "endpoints": _ANY,
    "forbiddenAccountIds": _ANY,
    "httpProxy": _ANY,
    "httpsProxy": _ANY,
    "ignoreTags": frozenset({"keyPrefixes", "keys"}),
    "insecure": _ANY,
    "maxRetries": _ANY,
    "noProxy": _ANY,
    "profile": _ANY,
    "region": _ANY,
    "retryMode": _ANY,
    "s3UsEast1RegionalEndpoint": _ANY,
    "s3UsePathStyle": _ANY,
    "secretKey": _ANY,
    "sharedConfigFiles": _ANY,
    "sharedCredentialsFiles": _ANY,
    "skipCredentialsValidation": _ANY,
    "skipMetadataApiCheck": _ANY,
    "skipRegionValidation": _ANY,
    "skipRequestingAccountId": _ANY,
    "stsRegion": _ANY,
    "tagPolicyCompliance": _ANY,
    "token": _ANY,
    "tokenBucketRateLimiterCapacity": _ANY,
    "useDualstackEndpoint": _ANY,
    "useFipsEndpoint": _ANY,
    "userAgents": _ANY,
}
"""The provider's keys, as pulumi_aws.config has them; of an object, the keys in it; _ANY: not asked
for here. The default provider refuses all others, before the first resource of AWS:
https://github.com/pulumi/pulumi-aws/issues/3360"""

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
    if isinstance(tags, list):
        lines.append(
            f"{TAGS_KEY}.tags: {shown(cast('list[Any]', tags))}: must have a name and a value of "
            "each tag. Write NAME: VALUE, without -."
        )
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
    """A message for each problem of the `aws:` keys that the provider refuses.

    Keys of `config` have their namespaces; values are YAML's own, or the text that Pulumi hands to
    a program.
    """
    region = config.get(regions.KEY)
    line = regions.message(str(region)) if region and not sealed.holds(region) else None
    return [
        *([line] if line else []),
        *tag_problems(config.get(TAGS_KEY)),
        *(line for key in ACCOUNT_KEYS for line in _of_accounts(key, config.get(key))),
        *(line for key in config if key.startswith(NAMESPACE) for line in _unknown(key, config)),
    ]


def _of_accounts(key: str, value: Any) -> Iterator[str]:
    """A line for what is no list, or no account's ID: YAML takes 012345678901 for a number."""
    given = parsed(value)
    if given in (None, "") or sealed.holds(given):
        return
    if not isinstance(given, list):
        yield f"{key}: {shown(given)}: must be a list of accounts. Write - before each."
        return
    for number, each in enumerate(cast("list[Any]", given)):
        if not (sealed.holds(each) or re.fullmatch(r"[0-9]{12}", str(each))):
            yield (
                f"{key}[{number}]: {shown(each)}: is no ID of an account, which has 12 digits. "
                'Write it in quotes, such as "012345678901".'
            )


def _unknown(key: str, config: Mapping[str, Any]) -> Iterator[str]:
    """A line for a key that the provider does not have, and for each such key in its object.

    Values are not shown: who misspells aws:secretKey has written a secret behind it.
    """
    name = key.removeprefix(NAMESPACE)
    if name == "assumeRole":
        yield (
            f"{key}: is {ROLES_KEY} since version 7 of pulumi-aws, and a list. Remove it, and "
            f"write its role into {ROLES_KEY}."
        )
    elif re.split(r"[.\[]", name)[0] in KEYS.keys() - {name}:
        yield (
            f"{key}: is one key with a dot or a bracket in its name. Remove it with pulumi config "
            f"rm '{key}', and set it with pulumi config set --path."
        )
    elif name not in KEYS and ":" not in name:
        yield (
            f"{key}: unknown key{nearest(name, KEYS)}. Remove it, or correct its spelling; keys "
            "that are not the provider's need another namespace."
        )
    elif known := KEYS.get(name):
        given = parsed(config[key])
        listed = isinstance(given, list)
        if key == ROLES_KEY and isinstance(given, Mapping):
            yield f"{key}: must be a list of roles. Write - before its first key."
        for number, each in enumerate(cast("list[Any]", given if listed else [given])):
            place = f"{key}[{number}]" if listed else key
            if isinstance(each, Mapping):
                for inner in sorted(cast("Mapping[str, Any]", each).keys() - known):
                    yield (
                        f"{place}.{inner}: unknown key{nearest(inner, known)}. Remove it, or "
                        "correct its spelling."
                    )


def assumed_roles(config: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The roles that the provider assumes, each by means of the one before; the last one's rights.

    Keys of `config` have their namespaces; values are YAML's own, or Pulumi's JSON text. What is
    encrypted is passed over.
    """
    given = parsed(config.get(ROLES_KEY) or [])
    for each in cast("list[Any]", given if isinstance(given, list) else []):
        if isinstance(each, Mapping) and isinstance(each.get("roleArn"), str):  # pyright: ignore[reportUnknownMemberType]
            yield cast("Mapping[str, Any]", each)
