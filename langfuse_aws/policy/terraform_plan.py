"""A resource graph in the form of a Terraform plan, which scanners such as checkov read.

The form is that of `terraform show -json`
(https://developer.hashicorp.com/terraform/internals/json-format). Only what scanners look at is
there: values, which of them are unknown, and which resources a value refers to. pulumi-aws is
generated from Terraform's provider, so a type's and a property's name differ in spelling, but for
the tables below; its lists have the plural of a block's name, and a block that comes once is an
object (https://www.pulumi.com/docs/iac/guides/building-extending/providers/pulumi-provider-from-terraform/).
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from langfuse_aws.graph.model import UNKNOWN, Resource, ResourceGraph

_TYPES: Final[Mapping[str, str]] = {
    "aws:lb/loadBalancer:LoadBalancer": "aws_lb",
    "aws:rds/clusterInstance:ClusterInstance": "aws_rds_cluster_instance",
    "aws:rds/instance:Instance": "aws_db_instance",
    "aws:rds/parameterGroup:ParameterGroup": "aws_db_parameter_group",
    "aws:rds/subnetGroup:SubnetGroup": "aws_db_subnet_group",
    "aws:servicediscovery/service:Service": "aws_service_discovery_service",
    "aws:servicediscovery/privateDnsNamespace:PrivateDnsNamespace": (
        "aws_service_discovery_private_dns_namespace"
    ),
}
"""Types whose name is not that of their module and their own."""
_WITHOUT_MODULE: Final = frozenset({"ec2"})
"""Modules that Terraform's names do not have."""
_SINGULAR: Final[Mapping[str, str]] = {
    "aliases": "alias",
    "blockDeviceMappings": "block_device_mappings",
    "capacityProviderStrategies": "capacity_provider_strategy",
    "corsRules": "cors_rule",
    "defaultActions": "default_action",
    "dnsRecords": "dns_records",
    "loadBalancers": "load_balancer",
    "networkInterfaces": "network_interfaces",
    "parameters": "parameter",
    "placementConstraints": "placement_constraints",
    "rules": "rule",
    "settings": "setting",
    "stepAdjustments": "step_adjustment",
    "tagSpecifications": "tag_specifications",
    "tags": "tags",
    "volumes": "volume",
}
"""Lists of objects, by Pulumi's name: what Terraform calls the block."""
_MAPS: Final = frozenset({"tags", "tagsAll", "triggers", "variables"})
"""Objects that are no blocks: their keys are the user's."""


@dataclass(frozen=True)
class TerraformPlan:
    """A plan, and whose its addresses are."""

    document: Mapping[str, Any]
    addresses: Mapping[str, Resource]


def type_of(token: str) -> str:
    """Terraform's name of one of pulumi-aws's types."""
    if token in _TYPES:
        return _TYPES[token]
    _, module, name = token.split(":")
    module = module.split("/")[0]
    parts = ["aws", *([] if module in _WITHOUT_MODULE | {"vpc"} else [module]), _snake(name)]
    if module == "vpc":
        parts.insert(1, "vpc")
    return "_".join(parts)


def terraform_plan(graph: ResourceGraph) -> TerraformPlan:
    """Convert the resources of AWS's provider; others no scanner knows."""
    addresses: dict[str, Resource] = {}
    meant: dict[str, str] = {}
    for each in graph.resources:
        if each.custom and each.type.startswith("aws:"):
            address = f"{type_of(each.type)}.{re.sub(r'[^A-Za-z0-9_]', '_', each.name)}"
            while address in addresses:
                address += "_"
            addresses[address] = each
            meant[each.urn] = address
            if each.id:
                meant[each.id] = address
    planned = {
        "format_version": "1.2",
        "terraform_version": "1.9.0",
        "planned_values": {
            "root_module": {
                "resources": [
                    {**_named(address), "values": _values(each)}
                    for address, each in addresses.items()
                ]
            }
        },
        "resource_changes": [
            {
                **_named(address),
                "change": {
                    "actions": ["create"],
                    "before": None,
                    "after": _values(each),
                    "after_unknown": {
                        _block(key, value): True
                        for key, value in each.inputs.items()
                        if value == UNKNOWN
                    },
                },
            }
            for address, each in addresses.items()
        ],
        "configuration": {
            "root_module": {
                "resources": [
                    {**_named(address), "expressions": _expressions(each, meant, graph)}
                    for address, each in addresses.items()
                ]
            }
        },
    }
    return TerraformPlan(planned, addresses)


def _named(address: str) -> dict[str, str]:
    kind, name = address.split(".")
    return {"address": address, "mode": "managed", "type": kind, "name": name}


def _values(resource: Resource) -> dict[str, Any]:
    return {
        _block(key, value): _value(key, value)
        for key, value in resource.inputs.items()
        if value != UNKNOWN and not key.startswith("__")
    }


def _expressions(
    resource: Resource, addresses: Mapping[str, str], graph: ResourceGraph
) -> dict[str, Any]:
    """Which resources each value comes from, as Terraform's references.

    A component's outputs name no resource as their origin, so an ID that is known tells it too.
    """
    found: dict[str, Any] = {}
    for key, value in resource.inputs.items():
        origins = list(resource.origins.get(key) or ())
        names = [*origins, *_texts(value), *_within(origins, key, graph)]
        named = dict.fromkeys(addresses[name] for name in names if name in addresses)
        if named:
            references = [text for each in named for text in (f"{each}.id", each)]
            found[_block(key, value)] = {"references": references}
    return found


def _within(origins: Sequence[str], key: str, graph: ResourceGraph) -> Iterator[str]:
    """What an input means of another package's component: what it has of the type it is called by.

    So `vpcId` means the VPC of the component that it comes from, in a preview too.
    """
    components = {urn for urn in origins if urn in graph and not graph[urn].custom}
    if components:
        kind = re.sub(r"(Ids|Id|s)$", "", key).lower()
        for each in graph.resources:
            around = {component.urn for component in graph.components(each)}
            if each.type.rpartition(":")[2].lower() == kind and components & around:
                yield each.urn


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from _texts(list(cast("dict[str, Any]", value).values()))
    elif isinstance(value, list):
        for each in cast("list[Any]", value):
            yield from _texts(each)


def _value(key: str, value: Any) -> Any:
    if isinstance(value, dict):
        items = cast("dict[str, Any]", value)
        if key in _MAPS:
            return items
        return [{_block(inner, each): _value(inner, each) for inner, each in items.items()}]
    if isinstance(value, list):
        return [
            _value(key, each)[0] if isinstance(each, dict) and key not in _MAPS else each
            for each in cast("list[Any]", value)
        ]
    return value


def _block(key: str, value: Any) -> str:
    return _SINGULAR[key] if _has_objects(value) and key in _SINGULAR else _snake(key)


def _has_objects(value: Any) -> bool:
    many = cast("list[Any]", value) if isinstance(value, list) else []
    return any(isinstance(each, dict) for each in many)


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name[0].lower() + name[1:]).lower()
