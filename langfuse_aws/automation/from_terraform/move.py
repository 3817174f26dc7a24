"""What a move from Terraform consists of: what is imported, configured, left and done first."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from langfuse_aws.automation.from_terraform.terraform_resources import Treatment


class Left(NamedTuple):
    """What Pulumi does not adopt."""

    treatment: Treatment
    address: str


@dataclass
class Move:
    """How an installation moves in."""

    module: str
    imports: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    """The `resources` of the file for `pulumi import`."""
    adopted: list[str] = field(default_factory=list[str])
    """Addresses of what is imported."""
    config: dict[str, Any] = field(default_factory=dict[str, Any])
    """The stack file's `config`, without secrets."""
    secrets: dict[str, str] = field(default_factory=dict[str, str], repr=False)
    """Variables for `langfuse:secretEnvironment`."""
    first: list[str] = field(default_factory=list[str])
    """What is to be done before the import."""
    left: list[Left] = field(default_factory=list[Left])

    @property
    def forgotten(self) -> list[str]:
        """Addresses that `terraform destroy` must not find."""
        return [
            *self.adopted,
            *(each.address for each in self.left if each.treatment.what == "kept"),
        ]
