"""What destroying a stack would take, and what forbids it. Reads the state; destroys nothing."""

from collections.abc import Sequence
from dataclasses import dataclass

from langfuse_aws.automation.errors import UserError
from langfuse_aws.components.protection.replacement_guard import REPLACEMENT_INPUTS
from langfuse_aws.graph.model import Resource, ResourceGraph


class ProtectedError(UserError):
    """The stack is protected against being destroyed. The message says the way out."""


@dataclass(frozen=True)
class Destruction:
    """What would go with a stack."""

    resources: Sequence[Resource]
    """All there are, components included."""
    lost: Sequence[Resource]
    """What bears data and is deleted."""
    kept: Sequence[Resource]
    """What Pulumi only forgets: it stays in AWS, and is billed."""

    @classmethod
    def of(cls, name: str, deployed: ResourceGraph) -> "Destruction":
        """Work it out. Raises ProtectedError."""
        protected = [each for each in deployed.resources if each.protect]
        if protected:
            # The engine finds this out while it deletes others, unless it previews first.
            raise ProtectedError(
                f"stack {name}: is protected, and nothing was destroyed: Pulumi may not delete "
                f"{len(protected)} of its resources, such as {protected[-1].name}. To destroy it "
                "all the same, keep the snapshots you want, set langfuse:deletionProtection: false "
                f"in Pulumi.{name}.yaml, up, and destroy again (README.md, Destroy)."
            )
        bearing = [
            each
            for each in deployed.resources
            if each.type in REPLACEMENT_INPUTS and not each.type.startswith("random:")
        ]
        return cls(
            resources=deployed.resources,
            lost=[each for each in bearing if not each.retain_on_delete],
            kept=[each for each in deployed.resources if each.retain_on_delete],
        )
