"""What chance and counting put into names: of no interest to who reviews a change."""

import re
from typing import Final

_BY_CHANCE: Final = re.compile(r"(?<=[a-z0-9])-[0-9a-f]{7}(?:-[0-9A-Za-z]{6})?(?![0-9A-Za-z])")
"""Pulumi ends a name with seven hexadecimal digits, and Secrets Manager an ARN with six characters.
https://www.pulumi.com/docs/iac/concepts/resources/names/#autonaming
https://docs.aws.amazon.com/secretsmanager/latest/userguide/whats-in-a-secret.html"""
_REVISION: Final = re.compile(r"(:task-definition/[\w-]+):\d+")


def without_chance(text: str) -> str:
    """The text without random ends of names and revisions of task definitions."""
    return _REVISION.sub(r"\1", _BY_CHANCE.sub("", text))
