"""The prefix of resource names.

Proves its length, its alphabet and that different stacks get different prefixes, the latter for
names that only differ after the cut. It does not prove that AWS accepts what Pulumi appends: the
offline engine's names are the business of `tests/engine`.
"""

import random
import re
import string
from typing import Final

import pytest

from langfuse_aws.components.shared.names import PREFIX_LIMIT, resource_prefix

# https://www.pulumi.com/docs/iac/concepts/stacks/: letters, digits, `-`, `_` and `.`.
STACK_ALPHABET: Final = f"{string.ascii_letters}{string.digits}-_."

SHAPE: Final = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
"""What every AWS name allows; neither a double hyphen nor one at an end, which RDS refuses."""


@pytest.mark.parametrize("stack", ["dev", "staging", "prod", "eu-2", "a23456789-1234x"])
def test_a_short_plain_stack_name_is_kept_as_it_is(stack: str) -> None:
    assert resource_prefix("langfuse", stack) == f"langfuse-{stack}", (
        "people have to recognise their stack in AWS's console"
    )


def test_the_longest_kept_name_has_exactly_the_limit() -> None:
    kept = resource_prefix("langfuse", "a" * 15)
    cut = resource_prefix("langfuse", "a" * 16)
    assert kept == f"langfuse-{'a' * 15}", "24 characters still fit"
    assert len(kept) == len(cut) == PREFIX_LIMIT == 24, (
        "32 characters of a load balancer's name less the 8 that Pulumi appends"
    )
    assert re.fullmatch(r"langfuse-a{9}-[0-9a-f]{5}", cut), "a cut name ends in a hash"


@pytest.mark.parametrize(
    "stack",
    ["Dev", "dev.", "dev_1", "dev-", "-dev", "dev--1", "___", "a" * 100, "x" * 8 + "-and-more"],
)
def test_an_unusual_name_becomes_one_that_aws_allows_and_gets_a_hash(stack: str) -> None:
    prefix = resource_prefix("langfuse", stack)
    assert SHAPE.fullmatch(prefix), f"{prefix!r} is lowercase, without a hyphen too many"
    assert len(prefix) <= PREFIX_LIMIT, "a load balancer's name would get too long"
    assert re.search(r"-[0-9a-f]{5}$", prefix), "without a hash it could be another stack's"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Dev", "dev"),
        ("dev.1", "dev-1"),
        ("dev_1", "dev.1"),
        ("dev-", "dev"),
        ("customer-with-a-long-name-a", "customer-with-a-long-name-b"),
        ("a" * 99, "a" * 100),
    ],
)
def test_two_stacks_that_look_alike_get_different_prefixes(one: str, other: str) -> None:
    assert resource_prefix("langfuse", one) != resource_prefix("langfuse", other), (
        f"{one} and {other} in one account would collide"
    )


def test_random_stack_names_keep_to_limit_and_alphabet_and_never_collide() -> None:
    numbers = random.Random(20251122)  # noqa: S311 - no secret; the same names in every run
    stacks = {
        "common-beginning-" + "".join(numbers.choices(STACK_ALPHABET, k=numbers.randint(1, 80)))
        for _ in range(200)
    }
    prefixes = {stack: resource_prefix("langfuse", stack) for stack in stacks}
    for stack, prefix in prefixes.items():
        assert len(prefix) <= PREFIX_LIMIT, f"{stack} makes {prefix}"
        assert SHAPE.fullmatch(prefix), f"{stack} makes {prefix}"
    assert len(set(prefixes.values())) == len(stacks), (
        "names that agree in all that is kept differ in the hash alone"
    )


def test_the_project_takes_part_in_the_prefix_and_in_its_hash() -> None:
    stack = "a-very-long-stack-name"
    assert resource_prefix("langfuse-a", stack) != resource_prefix("langfuse-b", stack), (
        "two projects may have stacks of the same name in one account"
    )


@pytest.mark.parametrize(
    ("stack", "readable"), [("Dev", "langfuse-dev"), ("dev_1", "langfuse-dev-1")]
)
def test_an_unusual_name_stays_readable_before_its_hash(stack: str, readable: str) -> None:
    assert resource_prefix("langfuse", stack)[:-6] == readable, (
        "people have to recognise their stack in AWS's console"
    )


def test_the_hash_is_the_beginning_of_the_whole_names_sha_256() -> None:
    # printf %s langfuse-a-very-long-stack-name | sha256sum | cut -c1-5
    assert resource_prefix("langfuse", "a-very-long-stack-name") == "langfuse-a-very-lo-48098", (
        "another name in the next run, or in the next version, would replace every resource"
    )
