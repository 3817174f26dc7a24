"""The prefix of a stack's resource names."""

import hashlib
import re
from typing import Final

PREFIX_LIMIT: Final = 24
"""A load balancer's name has 32 characters at the most, of which Pulumi's auto-naming takes 8.
https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateLoadBalancer.html"""

DATABASE_SNAPSHOT_LIMIT: Final = 63
"""Characters of a cluster snapshot's name; an instance's may have 255.
https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBClusterSnapshot.html"""
CACHE_SNAPSHOT_LIMIT: Final = 40
"""https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/backups-manual.html"""

_HASH_LENGTH: Final = 5


def resource_prefix(project: str, stack: str) -> str:
    """`langfuse`, `dev` → `langfuse-dev`: lowercase, at most PREFIX_LIMIT characters.

    A longer or unusual name is cut and gets a hash of the whole, so that two stacks differ.
    """
    full = f"{project}-{stack}"
    prefix = re.sub(r"[^a-z0-9]+", "-", full.lower()).strip("-")
    if prefix == full and len(prefix) <= PREFIX_LIMIT:
        return prefix
    digest = hashlib.sha256(full.encode()).hexdigest()[:_HASH_LENGTH]
    return f"{prefix[: PREFIX_LIMIT - _HASH_LENGTH - 1].rstrip('-')}-{digest}"
