"""What resources and components are called in a picture: AWS's own words."""

import re
from typing import Final

from langfuse_aws.graph.model import Resource
from langfuse_aws.graph.resource_types import RESOURCE_TYPES

_COMPONENTS: Final = {
    "ClickHouse": "ClickHouse",
    "ClickHouseBackup": "ClickHouse backup",
    "ClickHouseHost": "ClickHouse host",
    "NatInstance": "NAT instance",
    "Postgres": "PostgreSQL",
    "Redis": "Valkey",
    "Storage": "Object storage",
    "Vpc": "VPC",
    "WebAcl": "Web application firewall",
}
"""Classes whose names, taken apart, would read wrong."""

_WORDS: Final = {
    "acl": "ACL",
    "cors": "CORS",
    "dns": "DNS",
    "eip": "Elastic IP",
    "nat": "NAT",
    "vpc": "VPC",
}


def component_title(component: Resource) -> str:
    """What a component is called: `PostgreSQL`, `Langfuse web`."""
    name = component.type.rsplit(":", 1)[-1]
    return _COMPONENTS.get(name) or _words(name)


def term(token: str) -> str:
    """What AWS calls a type: `IAM role policy`, `ECS task definition`."""
    if token in RESOURCE_TYPES:
        return RESOURCE_TYPES[token].title
    package, module, name = token.split(":")
    service = module.split("/")[0] if package == "aws" else package
    words = _words(name)
    named = words.startswith(tuple(_WORDS.values()))
    return f"{service.capitalize()} {words if named else words[0].lower() + words[1:]}"


def _words(name: str) -> str:
    """Take a class name apart: `NatGateway` is `NAT gateway`."""
    parts = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name).lower().split(" ")
    text = " ".join(_WORDS.get(part, part) for part in parts)
    return f"{text[0].upper()}{text[1:]}"
