"""Generates a password of which there can be another: the current one, and the one before.

Each version has a resource and a key of the secret of its own, so a task that starts with an older
definition finds what it was made for, and another version is another definition, which ECS and App
Runner roll. A secret's value under the same key would reach no task that runs.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_random as random

from langfuse_aws.components.shared.stored_secret import RotatedPassword


@dataclass(frozen=True)
class VersionedPassword:
    """A password by its versions."""

    values: Mapping[str, pulumi.Output[str]]
    """For its secret: this version, and the one before if there is one."""
    key: str
    """Where this version is in there."""

    @property
    def current(self) -> pulumi.Output[str]:
        """This version."""
        return self.values[self.key]


def versioned_password(
    name: str, key: str, version: int, length: int, opts: pulumi.ResourceOptions
) -> VersionedPassword:
    """Make it of letters and digits: Langfuse's entrypoints put it into a URL as it is.

    `opts` are the first version's, which a protected stack keeps. The later ones may go: the next
    version takes their place.
    """
    child = pulumi.ResourceOptions(parent=opts.parent)

    def made(number: int) -> pulumi.Output[str]:
        if number == 1:
            return random.RandomPassword(name, length=length, special=False, opts=opts).result
        other = RotatedPassword(f"{name}-{number}", length=length, special=False, opts=child)
        return other.result

    def key_of(number: int) -> str:
        return key if number == 1 else f"{key}_{number}"

    numbers = range(max(1, version - 1), version + 1)
    return VersionedPassword({key_of(number): made(number) for number in numbers}, key_of(version))
