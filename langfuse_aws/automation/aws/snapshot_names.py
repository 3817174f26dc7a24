"""The label of snapshots that are taken together, and the names and tags that they get."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from langfuse_aws.automation.errors import CommandLineError

LABEL: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")

STACK_TAG: Final = "langfuse-stack"
"""Its value is what the names of the stack's resources begin with, such as `langfuse-prod`."""
LABEL_TAG: Final = "langfuse-label"


def checked_label(label: str) -> str:
    """The label. Raises CommandLineError unless a tag and the rest of a name can have it."""
    if not LABEL.fullmatch(label):
        raise CommandLineError(
            f"--label {label!r}: must be 1 to 63 letters, digits, dots, hyphens and underscores, "
            "and begin and end with a letter or digit. For example: --label before-4.17."
        )
    return label


def snapshot_name(prefix: str, label: str, moment: datetime, most: int) -> str:
    """`langfuse-prod-before-4-17-20261129015000`: letters, digits and single hyphens.

    Of a label that does not fit, as much as does; the tag has all of it. `prefix` has 24 characters
    at the most.
    """
    time = f"{moment:%Y%m%d%H%M%S}"
    room = most - len(prefix) - len(time) - 2
    part = re.sub(r"[^a-z0-9]+", "-", label.lower())[: max(room, 0)].strip("-")
    return "-".join(filter(None, (prefix, part, time)))


def tags(prefix: str, label: str) -> Mapping[str, str]:
    """What tells the stack and the label of a snapshot."""
    return {STACK_TAG: prefix, LABEL_TAG: label}
