"""Releases of Langfuse that tests are about, beside the program's own in `settings/versions.py`."""

from typing import Final

from langfuse_aws.contract.variables import READ_OFF

READ: Final = {major: ".".join(map(str, numbers)) for major, numbers in READ_OFF.items()}
"""By major: the release whose variables are known, so that an unknown name is a wrong one. The
program's own may be a later one."""


def later(release: str, *, minor: int = 0, patch: int = 0) -> str:
    """A release of the same major, some minor releases later, or some patches."""
    first, second, third = map(int, release.split("."))
    return f"{first}.{second + minor}.{third + patch}"
