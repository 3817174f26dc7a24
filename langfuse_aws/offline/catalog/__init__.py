"""What the model knows about AWS's resource types, one entry per type."""

from dataclasses import replace

from langfuse_aws.offline.catalog import compute, databases, delivery, network, operations, storage
from langfuse_aws.offline.catalog.other import described_by_sdk
from langfuse_aws.offline.catalog.resource_type import EVERYTHING, Naming, ResourceType
from langfuse_aws.offline.rules import replaced_by


def _with_rules(token: str, entry: ResourceType) -> ResourceType:
    return replace(entry, replaced_by=entry.replaced_by | replaced_by(token))


TYPES: dict[str, ResourceType] = {
    token: _with_rules(token, entry)
    for each in (network, compute, databases, storage, delivery, operations)
    for token, entry in each.TYPES.items()
}

__all__ = ["EVERYTHING", "TYPES", "Naming", "ResourceType", "resource_type"]


def resource_type(token: str) -> ResourceType:
    """The entry of a type, or what the SDK tells about a type without one."""
    return TYPES.get(token) or _with_rules(token, described_by_sdk(token))
