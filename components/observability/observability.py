"""Creates what tells how the stack is: the dashboard, and the alarms if somebody wants their mail.

Made after the replacement guard is closed: nothing of it bears data.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi

from langfuse_aws.components.observability.alarms import Alarms, AlarmsArgs
from langfuse_aws.components.observability.budget import Budget, BudgetArgs
from langfuse_aws.components.observability.dashboard import Dashboard, DashboardArgs
from langfuse_aws.components.shared.location import Location
from langfuse_aws.components.shared.metrics import MetricDimensions
from langfuse_aws.settings.model import Settings


@dataclass(frozen=True)
class ObservabilityArgs:
    """What the dashboard and the alarms are made from."""

    settings: Settings
    location: Location
    metric_dimensions: MetricDimensions
    """What CloudWatch calls the stack's things."""


class Observability(pulumi.ComponentResource):
    """The dashboard and the alarms."""

    dashboard_url: pulumi.Output[str]
    """Where the console shows the dashboard."""

    def __init__(
        self, name: str, args: ObservabilityArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("langfuse:index:Observability", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        alarm_arns: Sequence[pulumi.Output[str]] = []
        if (settings := args.settings.alarms) is not None:
            alarms = Alarms(
                f"{name}-alarms",
                AlarmsArgs(
                    settings=args.settings,
                    location=args.location,
                    stack=name,
                    email=settings.email,
                    runbook_url=settings.runbook_url,
                    metric_dimensions=args.metric_dimensions,
                ),
                child,
            )
            alarm_arns = alarms.arns
            if settings.monthly_budget_usd is not None:
                Budget(name, BudgetArgs(settings.email, settings.monthly_budget_usd), child)
        self.dashboard_url = Dashboard(
            f"{name}-dashboard",
            DashboardArgs(args.location, name, args.metric_dimensions, alarm_arns),
            child,
        ).url
        self.register_outputs({"dashboardUrl": self.dashboard_url})
