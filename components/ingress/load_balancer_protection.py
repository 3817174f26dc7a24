"""Refuses, already in the preview, an update that would delete a load balancer that AWS protects.

AWS deletes no protected load balancer, the provider takes no protection off before it deletes, and
one that has left the program gets no update: such an `up` would fail at its very end. A stash
remembers which load balancer there is and whether it is protected, in stacks without one too.
https://docs.aws.amazon.com/elasticloadbalancing/latest/application/edit-load-balancer-attributes.html
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import pulumi

from langfuse_aws.settings.services import ApiGatewayIngress, AppRunnerIngress, LoadBalancerIngress

NONE: Final = "none"


@dataclass(frozen=True)
class LoadBalancerProtection:
    """Whether a stack's load balancer is protected, and what is said of one that is."""

    name: str
    """By which `langfuse:allowReplace` names the load balancer."""
    protected: bool
    how_to_allow: str
    """Has `{}` where the name belongs: see `ReplacementGuard`."""

    @classmethod
    def of(
        cls, name: str, deletion_protection: bool, allowed: Sequence[str], how_to_allow: str
    ) -> "LoadBalancerProtection":
        """Protect the load balancer of the ingress `name`, unless its removal is allowed."""
        own = f"{name}-alb"
        return cls(own, deletion_protection and own not in allowed, how_to_allow)

    def remember(
        self,
        settings: LoadBalancerIngress | ApiGatewayIngress | AppRunnerIngress,
        parent: pulumi.Resource,
    ) -> pulumi.Resource:
        """Compare with what was remembered last; the ingress must depend on what is returned."""
        scheme = NONE
        if isinstance(settings, LoadBalancerIngress):
            scheme = "internal" if settings.internal else "internet-facing"
        hook = pulumi.ResourceHook(
            f"{self.name}-protection", self._check, pulumi.ResourceHookOptions(on_dry_run=True)
        )
        return pulumi.Stash(
            f"{self.name}-protection",
            input={"scheme": scheme, "protected": self.protected and scheme != NONE},
            opts=pulumi.ResourceOptions(
                parent=parent, hooks=pulumi.ResourceHookBinding(before_update=[hook])
            ),
        )

    def _check(self, args: pulumi.ResourceHookArgs) -> None:
        old: dict[str, Any] = (args.old_inputs or {}).get("input") or {}
        new: dict[str, Any] = (args.new_inputs or {}).get("input") or {}
        if not old.get("protected") or old.get("scheme") == new.get("scheme"):
            return
        change = (
            "deleted: this configuration no longer has it"
            if new.get("scheme") == NONE
            else f"replaced: it is {old['scheme']}, and this configuration has one that is "
            f"{new['scheme']}"
        )
        raise pulumi.RunError(
            f"{self.name} (the load balancer) would be {change}. AWS protects it from being "
            "deleted, and only an update that keeps it takes the protection off. Take the change "
            "back; or, if you mean it, allow it by name and run pulumi up, and only then make the "
            f"change: {self.how_to_allow.format(self.name)}"
        )
