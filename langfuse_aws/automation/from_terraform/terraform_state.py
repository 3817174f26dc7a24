"""Reads a Terraform state file, version 4, as `terraform state pull` prints it.

It holds passwords and keys in the clear: no error here quotes a value.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, cast

from pydantic import BaseModel, ValidationError

from langfuse_aws.automation.errors import UserError

VERSION: Final = 4
"""What Terraform 0.12 and later write, and OpenTofu, unless it encrypts."""

PULL: Final = "terraform state pull > terraform.tfstate prints the file that is needed"


class Attributes(dict[str, Any]):
    """A resource's attributes; one that is asked for must have a value."""

    def __init__(self, address: str, values: Mapping[str, Any]) -> None:
        """Take the resource's address, for the error, and the attributes."""
        super().__init__(values)
        self._address = address

    def __getitem__(self, key: str) -> Any:
        """Give the value. Raises UserError if there is none."""
        value = self.get(key)
        if value is None:
            raise UserError(
                f"{self._address}: the state has no value of {key}. terraform apply -refresh-only "
                "writes it."
            )
        return value


@dataclass(frozen=True)
class Managed:
    """A resource that Terraform manages."""

    address: str
    """What `terraform state rm` takes."""
    module: str
    """Address of its module; empty: the root."""
    type: str
    name: str
    attributes: Attributes = field(repr=False)

    @property
    def kind(self) -> str:
        """`aws_s3_bucket.langfuse_blob`: its address without module and index."""
        return f"{self.type}.{self.name}"


class _Instance(BaseModel):
    index_key: int | str | None = None
    deposed: str | None = None
    attributes: dict[str, Any] = {}


class _Resource(BaseModel):
    module: str = ""
    mode: Literal["managed", "data"]
    type: str
    name: str
    instances: list[_Instance]


class _State(BaseModel):
    resources: list[_Resource]


def read_terraform_state(path: Path) -> list[Managed]:
    """Read what the state manages; neither data sources nor what is about to be deleted.

    Raises UserError for another file, another version, or no file.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}. {PULL}.") from None
    except ValueError:
        raise UserError(f"{path}: is not JSON, so no Terraform state. {PULL}.") from None
    head = cast("dict[str, Any]", found) if isinstance(found, dict) else {}
    if "format_version" in head:
        raise UserError(f"{path}: is what terraform show -json prints. {PULL}.")
    if head.get("version") != VERSION:
        version = head.get("version")
        said = f"has version {version}" if isinstance(version, int) else "names no version"
        raise UserError(
            f"{path}: {said}, and a Terraform state of version {VERSION} is needed, which "
            f"Terraform 0.12 and later write. {PULL}."
        )
    try:
        state = _State.model_validate(head)
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise UserError(f"{path}: {where}: is not what Terraform writes. {PULL}.") from None
    return [
        _managed(resource, instance)
        for resource in state.resources
        if resource.mode == "managed"
        for instance in resource.instances
        if instance.deposed is None
    ]


def _managed(resource: _Resource, instance: _Instance) -> Managed:
    module = f"{resource.module}." if resource.module else ""
    key = instance.index_key
    index = "" if key is None else f"[{json.dumps(key)}]"
    address = f"{module}{resource.type}.{resource.name}{index}"
    return Managed(
        address=address,
        module=resource.module,
        type=resource.type,
        name=resource.name,
        attributes=Attributes(address, instance.attributes),
    )
