"""Says how long AWS usually takes for the slow types of resources."""

from langfuse_aws.graph.resource_types import RESOURCE_TYPES


def usual(operation: str, token: str) -> str:
    """Say how long an operation on a resource of a type usually takes; empty if unknown."""
    facts = RESOURCE_TYPES.get(token)
    if facts is None:
        return ""
    minutes = {
        "create": facts.minutes_to_create,
        "create-replacement": facts.minutes_to_create,
        "delete": facts.minutes_to_delete,
        "delete-replaced": facts.minutes_to_delete,
    }.get(operation)
    if minutes is None:
        return ""
    least, most = minutes
    return f"usually {most} min" if least == most else f"usually {least} to {most} min"
