"""Creates NAT gateways with their addresses: one for all zones, or one in each."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws


@dataclass(frozen=True)
class NatGatewaysArgs:
    """What NAT gateways are made from."""

    subnet_ids: Sequence[pulumi.Input[str]]
    """A public subnet for each gateway."""
    formerly_in: pulumi.Input[str]
    """URN of what gateways and addresses were within while awsx made them."""


class NatGateways(pulumi.ComponentResource):
    """The NAT gateways of a VPC."""

    ids: list[pulumi.Output[str]]
    """IDs of the gateways, in the order of their subnets."""

    def __init__(
        self, name: str, args: NatGatewaysArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("langfuse:index:NatGateways", name, None, opts)
        child = pulumi.ResourceOptions(parent=self, aliases=[pulumi.Alias(parent=args.formerly_in)])
        self.ids = []
        for number, subnet_id in enumerate(args.subnet_ids, start=1):
            label = f"{name}-{number}"
            address = aws.ec2.Eip(label, domain="vpc", tags={"Name": label}, opts=child)
            gateway = aws.ec2.NatGateway(
                label,
                allocation_id=address.id,
                subnet_id=subnet_id,
                tags={"Name": label},
                opts=child,
            )
            self.ids.append(gateway.id)
        self.register_outputs({})
