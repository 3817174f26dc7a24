"""The bill of a stack: what every resource of its graph costs a month."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from langfuse_aws.cost.charge import Charge, Context
from langfuse_aws.cost.prices import (
    REMEMBERED,
    SOURCE_CLASSES,
    MissingPriceError,
    SourceClass,
    UnknownRegionError,
    price_list,
    weakest,
)
from langfuse_aws.cost.types import PRICED, is_known
from langfuse_aws.cost.usage import IDLE, Usage
from langfuse_aws.graph.model import Resource, ResourceGraph

GROUPING: Final = frozenset({"langfuse:index:DataPlane", "langfuse:index:Observability"})
"""Components that say less than the one inside of them."""
SECRETS: Final = frozenset({"langfuse:index:StoredSecret", "langfuse:index:GeneratedSecret"})
"""Components that say less than the one around them."""


@dataclass(frozen=True)
class Line:
    """A charge of a resource, USD a month."""

    urn: str
    name: str
    type: str
    component: str
    """Class of the component that it belongs to, such as `Postgres`."""
    what: str
    arithmetic: str
    """Of `on_demand`."""
    on_demand: float
    configured: float
    """With Spot where the stack uses it."""
    savings_plan: float
    """With Spot, and a Compute Savings Plan on the other tasks and instances."""
    usage_based: bool
    known_from: SourceClass
    """The weakest source of its prices. What runs on Spot is no better than remembered: AWS names
    no price of it."""


@dataclass(frozen=True)
class Sums:
    """What lines come to, USD a month."""

    on_demand: float
    configured: float
    savings_plan: float
    by_source: Mapping[SourceClass, float]
    """Parts of `configured`, by what is known of their prices; the best first."""

    @property
    def known_from(self) -> SourceClass:
        """The weakest source in the sum."""
        return weakest(self.by_source)

    @classmethod
    def of(cls, lines: Iterable[Line]) -> "Sums":
        """Add them up."""
        found = list(lines)
        return cls(
            sum(line.on_demand for line in found),
            sum(line.configured for line in found),
            sum(line.savings_plan for line in found),
            {
                each: sum(line.configured for line in found if line.known_from == each)
                for each in SOURCE_CLASSES
                if any(line.known_from == each for line in found)
            },
        )


@dataclass(frozen=True)
class Bill:
    """What a stack costs a month in a region."""

    region: str
    usage: Usage
    lines: tuple[Line, ...]
    unpriced: tuple[str, ...]
    """What is not in it, a sentence each: without these the sums would be larger."""

    @property
    def sums(self) -> Sums:
        """The whole."""
        return Sums.of(self.lines)

    def by_component(self) -> dict[str, Sums]:
        """What each component costs, the dearest first."""
        names = dict.fromkeys(line.component for line in self.lines)
        sums = {
            name: Sums.of(line for line in self.lines if line.component == name) for name in names
        }
        return dict(sorted(sums.items(), key=lambda item: -item[1].configured))


@dataclass(frozen=True)
class IdleCost:
    """What a stack costs without traffic, with Spot where it uses it."""

    usd: float | None = None
    """A month; None if the region has no prices, or one is missing."""
    known_from: SourceClass | None = None
    """The weakest source of its prices."""
    missing: tuple[str, ...] = ()
    """Why it is not known, a sentence each."""


def bill(graph: ResourceGraph, region: str, usage: Usage = IDLE) -> Bill:
    """Price every resource of a graph. Raises UnknownRegionError."""
    context = Context(graph, price_list(region), usage)
    lines: list[Line] = []
    unpriced: list[str] = []
    for resource in graph.resources:
        if not is_known(resource):
            unpriced.append(
                f"{resource.name}: langfuse_aws/graph/resource_types.py does not know "
                f"{resource.type}."
            )
        elif resource.type in PRICED:
            try:
                charges = list(PRICED[resource.type](resource, context))
            except MissingPriceError as error:
                unpriced.append(f"{resource.name}: {error}")
            else:
                component = component_of(resource, graph)
                lines += [_line(resource, component, charge, context) for charge in charges]
    return Bill(region, usage, tuple(lines), tuple(unpriced))


def idle_cost(graph: ResourceGraph, region: str) -> IdleCost:
    """Price a graph without traffic."""
    try:
        found = bill(graph, region)
    except UnknownRegionError as error:
        return IdleCost(missing=(str(error),))
    if found.unpriced:
        return IdleCost(missing=found.unpriced)
    return IdleCost(found.sums.configured, found.sums.known_from)


def component_of(resource: Resource, graph: ResourceGraph) -> str:
    """Name the part of Langfuse that a resource belongs to: a class, or "" for none."""
    around = [each.type for each in graph.components(resource)]
    if len(around) > 1 and around[0] in GROUPING and around[1] not in SECRETS:
        around = around[1:]
    return around[0].rpartition(":")[2] if around else ""


def region_of(graph: ResourceGraph) -> str | None:
    """The region of most of a graph's resources; None if it does not say."""
    regions = Counter(
        each.inputs["region"] for each in graph.resources if each.inputs.get("region")
    )
    return regions.most_common(1)[0][0] if regions else None


def _line(resource: Resource, component: str, charge: Charge, context: Context) -> Line:
    classes: list[SourceClass] = [context.prices.known_from[price] for price in charge.prices]
    if charge.spot:
        classes.append(REMEMBERED)
    return Line(
        resource.urn,
        resource.name,
        resource.type,
        component,
        charge.what,
        charge.arithmetic,
        charge.on_demand,
        charge.configured,
        charge.savings_plan,
        charge.usage_based,
        weakest(classes),
    )
