"""Works out what the stack costs a month while the program registers it: `monthly_cost_usd`.

It notes the inputs of what has a price and hands them to `cost`, which prices the graph that the
engine shows in the same way. It creates nothing, and asks nobody.
"""

import pulumi
from google.protobuf import json_format
from pulumi.resource import DependencyResource as Elsewhere
from pulumi.runtime import rpc

from langfuse_aws.cost.bill import idle_cost
from langfuse_aws.cost.rounding import about
from langfuse_aws.cost.types import PRICED, READ
from langfuse_aws.graph.model import Resource, ResourceGraph
from langfuse_aws.settings.installation import COMMAND


class MonthlyCost:
    """Watches what is made with its `options`, and all below that."""

    def __init__(self, region: str) -> None:
        self._region = region
        self._noted: list[pulumi.ResourceTransformationArgs] = []

    def options(self) -> pulumi.ResourceOptions:
        """Give the options of a component whose children are to be counted."""
        return pulumi.ResourceOptions(transformations=[self.note])

    def usd(self, budget: float | None = None) -> pulumi.Output[float | None]:
        """What the stack costs without traffic, with Spot where it uses it.

        Known in the preview. None if `cost/prices.csv` lacks a price, or the whole region. Warns of
        a budget (USD a month) that the stack alone is above, since that mails every month.
        """

        def check(usd: float | None) -> float | None:
            if budget is not None and usd is not None and usd > budget:
                pulumi.log.warn(
                    f"langfuse:alarms.monthlyBudgetUsd: {budget}: this stack alone costs about "
                    f"{about(usd)} USD a month without traffic, so the mail comes every month. "
                    f"Raise it, or choose less: {COMMAND} cost shows what costs how much."
                )
            return usd

        return pulumi.Output.from_input(self._priced()).apply(check)

    def note(self, args: pulumi.ResourceTransformationArgs) -> None:
        """Note a resource: a transformation, which changes nothing."""
        # What awsx has made comes back as references, which have a URN before they are registered.
        if not args.opts.urn and (args.type_ in PRICED or args.type_ in READ):
            self._noted.append(args)

    async def _priced(self) -> float | None:
        graph = ResourceGraph(tuple([await _read(args) for args in self._noted]))
        usd = idle_cost(graph, self._region).usd
        return None if usd is None else round(usd, 2)


async def _read(args: pulumi.ResourceTransformationArgs) -> Resource:
    """The inputs as the engine gets them."""
    origins: dict[str, list[pulumi.Resource]] = {}
    inputs = await rpc.serialize_properties(args.props, origins, args.resource, _camel_case)
    return Resource.of(
        {
            "urn": _label(args.resource),
            "type": args.type_,
            "inputs": json_format.MessageToDict(inputs),
            "propertyDependencies": {
                key: sorted({_label(each) for each in found if not isinstance(each, Elsewhere)})
                for key, found in origins.items()
            },
        }
    )


def _camel_case(key: str) -> str:
    """Spell a property as the engine does; a transformation sees Python's spelling."""
    first, *others = key.split("_")
    return first + "".join(word[:1].upper() + word[1:] for word in others)


def _label(resource: pulumi.Resource) -> str:
    """Stands for a URN, which the engine would tell only after the resource is made."""
    return f"{resource.pulumi_resource_type}::{resource.pulumi_resource_name}"
