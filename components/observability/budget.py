"""Creates the monthly budget, which mails when spending nears or is going to exceed it."""

from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_aws as aws

ACTUAL_PERCENT: Final = 80
FORECAST_PERCENT: Final = 100


def amount(usd: float) -> str:
    """Write an amount as AWS Budgets gives it back: `300.0`, `99.99`."""
    return f"{usd:.2f}".removesuffix("0")


@dataclass(frozen=True)
class BudgetArgs:
    """What the budget is made from."""

    email: str
    monthly_usd: float


class Budget(pulumi.ComponentResource):
    """An AWS Budget on the whole account's cost: AWS filters by tag only after activation."""

    def __init__(
        self, name: str, args: BudgetArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("langfuse:index:Budget", name, None, opts)
        thresholds = (("ACTUAL", ACTUAL_PERCENT), ("FORECASTED", FORECAST_PERCENT))
        aws.budgets.Budget(
            name,
            budget_type="COST",
            time_unit="MONTHLY",
            limit_amount=amount(args.monthly_usd),
            limit_unit="USD",
            notifications=[
                {
                    "comparison_operator": "GREATER_THAN",
                    "notification_type": kind,
                    "threshold": percent,
                    "threshold_type": "PERCENTAGE",
                    "subscriber_email_addresses": [args.email],
                }
                for kind, percent in thresholds
            ],
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({})
