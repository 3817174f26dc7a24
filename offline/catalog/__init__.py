"""What the model knows about AWS's resource types, one entry per type."""

from offline.catalog import compute, databases, delivery, network, operations, storage
from offline.catalog.other import described_by_sdk
from offline.catalog.resource_type import EVERYTHING, Naming, ResourceType

TYPES: dict[str, ResourceType] = {
    **network.TYPES,
    **compute.TYPES,
    **databases.TYPES,
    **storage.TYPES,
    **delivery.TYPES,
    **operations.TYPES,
}

__all__ = ["EVERYTHING", "TYPES", "Naming", "ResourceType", "resource_type"]


def resource_type(token: str) -> ResourceType:
    """The entry of a type, or what the SDK tells about a type without one."""
    return TYPES.get(token) or described_by_sdk(token)
