"""What one resource is charged for, and what a charge is worked out from."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from langfuse_aws.cost.prices import HOURS, SPOT_SHARE, PriceList
from langfuse_aws.cost.usage import Usage
from langfuse_aws.graph.model import Resource, ResourceGraph


@dataclass(frozen=True)
class Charge:
    """One line of the bill of one resource, USD a month."""

    what: str
    arithmetic: str
    """On demand, without Spot."""
    on_demand: float
    prices: tuple[str, ...]
    """Names of the prices that it is worked out from."""
    spot: float = 0
    """Part of it that runs on Spot, 0 to 1."""
    plan_discount: float = 0
    """What a Savings Plan takes off, 0 to 1; 0 where none applies."""
    usage_based: bool = False

    @property
    def configured(self) -> float:
        """With Spot where the stack uses it."""
        return self.on_demand * (1 - self.spot * (1 - SPOT_SHARE))

    @property
    def savings_plan(self) -> float:
        """With Spot, and a Savings Plan on the rest: plans do not apply to Spot."""
        rest = (1 - self.spot) * (1 - self.plan_discount)
        return self.on_demand * (self.spot * SPOT_SHARE + rest)


@dataclass(frozen=True)
class Context:
    """What pricing a resource may need besides the resource."""

    graph: ResourceGraph
    prices: PriceList
    usage: Usage

    def by_hour(
        self,
        what: str,
        price: str,
        count: int = 1,
        *,
        hours: float = HOURS,
        discount: float = 0,
    ) -> Charge:
        """So many things that are charged by the hour; `hours` of a month."""
        usd = self.prices[price]
        return Charge(
            what,
            f"{count} × {usd:g} × {hours:.4g} h",  # noqa: RUF001
            count * usd * hours,
            (price,),
            plan_discount=discount,
        )

    def by_month(self, what: str, price: str, count: float, unit: str = "") -> Charge:
        """So much of what is charged by the month."""
        usd = self.prices[price]
        return Charge(what, f"{count:g}{unit} × {usd:g}", count * usd, (price,))  # noqa: RUF001

    def by_use(self, what: str, price: str, amount: float, unit: str) -> list[Charge]:
        """What traffic costs; nothing if there is none."""
        if not amount:
            return []
        usd = self.prices[price]
        arithmetic = f"{amount:,.6g} {unit} × {usd:g}"  # noqa: RUF001
        return [Charge(what, arithmetic, amount * usd, (price,), usage_based=True)]

    def addresses(self, count: int, hours: float = HOURS) -> Charge:
        """Public IPv4 addresses."""
        return self.by_hour("Public IPv4 addresses", "Public IPv4 address", count, hours=hours)


Pricer = Callable[[Resource, Context], Iterable[Charge]]
