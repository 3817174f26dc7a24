"""The `resources` of a file for `pulumi import --file`: adopted stores as the program names them.

https://www.pulumi.com/docs/reference/cli/pulumi_import/. IDs are in it, and no secret.
"""

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

from langfuse_aws.automation.moving_in.terraform_state import Managed
from langfuse_aws.components.protection.adoption import ADOPTABLE
from langfuse_aws.settings.model import AdoptedStore


def import_specs(
    prefix: str, adopted: Mapping[AdoptedStore, Sequence[Managed]]
) -> list[dict[str, Any]]:
    """Write the imports into a stack whose resources' names begin with `prefix`.

    Each store's first resource bears its data, the others belong to it. The components come first,
    since a resource's URN has its parents' types in it.
    """
    specs = [_component("DataPlane", prefix)]
    for store, (source, *others) in adopted.items():
        name = f"{prefix}-{store}"
        token, beside = ADOPTABLE[store]
        specs.append({**_component(store.capitalize(), name), "parent": prefix})
        specs.append(_resource(token, name, source, name))
        specs += [
            _resource(beside or token, f"{name}-{number}", each, name)
            for number, each in enumerate(others, start=1)
        ]
    return specs


def _component(kind: str, name: str) -> dict[str, Any]:
    return {"type": f"langfuse:index:{kind}", "name": name, "component": True}


def _resource(token: str, name: str, source: Managed, parent: str) -> dict[str, Any]:
    return {
        "type": token,
        # A name of the file's own: the parent has the resource's.
        "name": source.address,
        "logicalName": name,
        "id": source.attributes["id"],
        "parent": parent,
        "version": version("pulumi-aws"),
    }
