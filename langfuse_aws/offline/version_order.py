"""The order of versions of database engines."""

from typing import Any

from langfuse_aws.offline.unknown import UNKNOWN


def parts(version: Any) -> tuple[int, ...]:
    """The numbers of a version; none of one that is absent or unknown."""
    if version is None or version == UNKNOWN:
        return ()
    return tuple(int(part) for part in str(version).split(".") if part.isdigit())


def is_older(version: Any, than: Any) -> bool:
    """Whether a version is older, as far as both say: 16 is not older than 16.4."""
    one, other = parts(version), parts(than)
    length = min(len(one), len(other))
    return one[:length] < other[:length]
