"""The keys of the AWS provider: what it refuses is refused before it is asked.

Known keys are held against pulumi-aws's own types. What a provider says of an unknown one:
https://github.com/pulumi/pulumi-aws/issues/3360
"""

import json
from typing import Any

import pulumi_aws as aws
import pytest
from pulumi._types import input_type_py_to_pulumi_names

from langfuse_aws.settings import provider_keys
from langfuse_aws.settings.sealed import SEALED

ROLE = "arn:aws:iam::123456789012:role/deploy"
NEED_ANOTHER = "keys that are not the provider's need another namespace."


def names(args: Any) -> frozenset[str]:
    return frozenset(input_type_py_to_pulumi_names(args).values())


def test_the_known_keys_are_those_of_the_provider() -> None:
    assert provider_keys.KEYS.keys() == names(aws.ProviderArgs)
    assert {key: inner for key, inner in provider_keys.KEYS.items() if inner} == {
        "assumeRoleWithWebIdentity": names(aws.ProviderAssumeRoleWithWebIdentityArgs),
        "assumeRoles": names(aws.ProviderAssumeRoleArgs),
        "ignoreTags": names(aws.ProviderIgnoreTagsArgs),
    }


@pytest.mark.parametrize(
    ("key", "value", "lines"),
    [
        (
            "aws:reigon",
            "eu-west-1",
            [
                "aws:reigon: unknown key; the nearest known one is region. Remove it, or correct "
                f"its spelling; {NEED_ANOTHER}"
            ],
        ),
        (
            "aws:zzz",
            {"a": 1},
            [f"aws:zzz: unknown key. Remove it, or correct its spelling; {NEED_ANOTHER}"],
        ),
        (
            "aws:assumeRole",
            {"roleArn": ROLE},
            [
                "aws:assumeRole: is aws:assumeRoles since version 7 of pulumi-aws, and a list. "
                "Remove it, and write its role into aws:assumeRoles."
            ],
        ),
        (
            "aws:assumeRoles",
            {"roleArn": ROLE},
            ["aws:assumeRoles: must be a list of roles. Write - before its first key."],
        ),
        (
            "aws:assumeRoles",
            [{"roleArn": ROLE}, {"roleAnr": ROLE, "x": 1}],
            [
                "aws:assumeRoles[1].roleAnr: unknown key; the nearest known one is roleArn. Remove "
                "it, or correct its spelling.",
                "aws:assumeRoles[1].x: unknown key. Remove it, or correct its spelling.",
            ],
        ),
        (
            "aws:ignoreTags",
            {"key": ["Owner"]},
            [
                "aws:ignoreTags.key: unknown key; the nearest known one is keys. Remove it, or "
                "correct its spelling."
            ],
        ),
        (
            "aws:assumeRoles[0].roleArn",
            ROLE,
            [
                "aws:assumeRoles[0].roleArn: is one key with a dot or a bracket in its name. "
                "Remove it with pulumi config rm 'aws:assumeRoles[0].roleArn', and set it with "
                "pulumi config set --path."
            ],
        ),
        (
            "aws:allowedAccountIds",
            [12345678901.0, "123456789012", 123456789012],
            [
                "aws:allowedAccountIds[0]: 12345678901.0: is no ID of an account, which has 12 "
                'digits. Write it in quotes, such as "012345678901".'
            ],
        ),
        (
            "aws:forbiddenAccountIds",
            {"0": "123456789012"},
            [
                'aws:forbiddenAccountIds: {"0": "123456789012"}: must be a list of accounts. '
                "Write - before each."
            ],
        ),
        (
            "aws:forbiddenAccountIds",
            "123456789012",
            [
                'aws:forbiddenAccountIds: "123456789012": must be a list of accounts. Write - '
                "before each."
            ],
        ),
        (
            "aws:defaultTags",
            {"tags": ["Owner"]},
            [
                'aws:defaultTags.tags: ["Owner"]: must have a name and a value of each tag. Write '
                "NAME: VALUE, without -."
            ],
        ),
        ("aws:a:b", 1, []),  # no key of Pulumi's, which is said of all namespaces
    ],
)
def test_a_key_that_the_provider_does_not_have_is_told(
    key: str, value: Any, lines: list[str]
) -> None:
    assert provider_keys.problems({key: value}) == lines
    if not isinstance(value, str):
        assert provider_keys.problems({key: json.dumps(value)}) == lines, "as Pulumi hands it over"


def test_no_value_behind_a_misspelt_key_is_shown() -> None:
    (line,) = provider_keys.problems({"aws:secretAccessKey": "wJalrXUtnFEMI"})
    assert "the nearest known one is secretKey" in line
    assert "wJalr" not in line


@pytest.mark.parametrize("value", [None, SEALED, "text", [], ["text"], [None], {}])
def test_what_is_no_object_is_left_to_the_provider(value: Any) -> None:
    lines = provider_keys.problems({"aws:assumeRoles": value, "aws:ignoreTags": value})
    assert lines == (
        ["aws:assumeRoles: must be a list of roles. Write - before its first key."]
        if value == {}
        else []
    )


def test_keys_of_other_namespaces_are_not_asked_about() -> None:
    assert provider_keys.problems({"random:x": 1, "langfuse:reigon": 1, "awsx:y": 2}) == []
