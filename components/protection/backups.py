"""Creates the snapshots of the ClickHouse volumes: a vault of AWS Backup, its plans and its lock.

With a second region, daily snapshots go there too, and PostgreSQL's with them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import pulumi
import pulumi_aws as aws

from langfuse_aws.components.shared import iam
from langfuse_aws.components.shared.location import Location
from langfuse_aws.components.shared.metrics import Dimensions, MetricDimensions
from langfuse_aws.settings.hours import DAY_MINUTES
from langfuse_aws.settings.model import Backups as BackupSettings

HOURLY: Final = "cron(15 * ? * * *)"
DAILY_MINUTE: Final = 105
"""Of the day in UTC: before ClickHouse's own backup, which keeps the volumes busy."""

STEP_MINUTES: Final = 30

BEFORE_WINDOW_MINUTES: Final = 60
"""For how long before a window of RDS's AWS Backup begins no job."""

VOLUMES: Final = "EBS"
"""AWS Backup's name of their type."""

START_WINDOW_MINUTES: Final = 60
COMPLETION_WINDOW_MINUTES: Final = 180


@dataclass(frozen=True)
class BackedUpDatabase:
    """A database as AWS Backup knows it."""

    arn: pulumi.Output[str]
    resource_type: Literal["Aurora", "RDS"]
    windows: Sequence[pulumi.Output[str]] = ()
    """When RDS lets no backup begin, in UTC: `hh:mm-hh:mm`, or `ddd:hh:mm-ddd:hh:mm`."""


@dataclass(frozen=True)
class BackupsArgs:
    """What the backups are made from."""

    settings: BackupSettings
    location: Location
    volume_arns: Sequence[pulumi.Output[str]]
    database: BackedUpDatabase | None
    """What goes to the second region besides."""
    protected: bool


class Backups(pulumi.ComponentResource):
    """The vault, and what is put into it."""

    metric_dimensions: MetricDimensions
    """What CloudWatch calls the vault."""

    def __init__(
        self, name: str, args: BackupsArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("langfuse:index:Backups", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        settings = args.settings
        vault = self._vault(name, args, None, child)
        copy = None
        if settings.copy_region is not None:
            copy = self._vault(f"{name}-copy", args, settings.copy_region, child)
        role = iam.service_role(
            name,
            "backup.amazonaws.com",
            [],
            args.location,
            managed={
                "backup": iam.managed_policy(
                    args.location.partition,
                    "service-role/AWSBackupServiceRolePolicyForBackup",
                ),
            },
            opts=child,
        )
        daily = _rule("daily", DAILY, settings.daily_retention_days, vault, copy)
        rules = [daily]
        if settings.hourly_retention_days:
            rules.append(_rule("hourly", HOURLY, settings.hourly_retention_days, vault, None))
        if args.volume_arns:
            self._plan(f"{name}-volumes", rules, args.volume_arns, role, child)
        if copy is not None and args.database is not None:
            schedule = pulumi.Output.all(*args.database.windows).apply(clear_of)
            rule = {**daily, "schedule": schedule}
            self._plan(f"{name}-database", [rule], [args.database.arn], role, child)
        self.metric_dimensions = _dimensions(vault, args, copied=copy is not None)
        self.register_outputs({})

    @staticmethod
    def _vault(
        name: str, args: BackupsArgs, region: str | None, child: pulumi.ResourceOptions
    ) -> aws.backup.Vault:
        vault = aws.backup.Vault(
            name,
            force_destroy=not args.protected,
            region=region,
            opts=pulumi.ResourceOptions(parent=child.parent, protect=args.protected),
        )
        if args.settings.vault_lock:
            days = [args.settings.daily_retention_days, args.settings.hourly_retention_days]
            aws.backup.VaultLockConfiguration(
                name,
                backup_vault_name=vault.name,
                min_retention_days=min(day for day in days if day),
                max_retention_days=max(days),
                region=region,
                # Every change replaces it, and deleting the old one afterwards would unlock.
                opts=pulumi.ResourceOptions(parent=child.parent, delete_before_replace=True),
            )
        return vault

    @staticmethod
    def _plan(
        name: str,
        rules: Sequence[dict[str, Any]],
        arns: Sequence[pulumi.Output[str]],
        role: iam.ServiceRole,
        child: pulumi.ResourceOptions,
    ) -> None:
        plan = aws.backup.Plan(
            name,
            rules=[aws.backup.PlanRuleArgs(**rule) for rule in rules],
            opts=child,
        )
        aws.backup.Selection(
            name, plan_id=plan.id, iam_role_arn=role.arn, resources=list(arns), opts=child
        )


def _cron(minute: int) -> str:
    return f"cron({minute % 60} {minute // 60} ? * * *)"


DAILY: Final = _cron(DAILY_MINUTE)
"""As AWS Backup writes it."""


def clear_of(windows: Sequence[str]) -> str:
    """Give the first time of day from DAILY on, by half hours, at which a job may begin every day.

    A job fails that begins in an instance's window for maintenance or backups, or in the hour
    before, and it begins at some time of its start window. AWS chooses both windows, by the
    region's nights. If no time is clear, it is DAILY. Aurora has no such times.
    https://docs.aws.amazon.com/aws-backup/latest/devguide/plan-options-and-configuration.html
    """
    closed: list[tuple[int, int]] = []
    for window in windows:
        begin, end = (_minute(each) for each in window.split("-"))
        closed.append((begin - BEFORE_WINDOW_MINUTES, (end - begin) % DAY_MINUTES))
    for later in range(0, DAY_MINUTES, STEP_MINUTES):
        minute = (DAILY_MINUTE + later) % DAY_MINUTES
        if all(
            (begin - minute) % DAY_MINUTES > START_WINDOW_MINUTES
            and (minute - begin) % DAY_MINUTES > BEFORE_WINDOW_MINUTES + minutes
            for begin, minutes in closed
        ):
            return _cron(minute)
    return DAILY


def _minute(text: str) -> int:
    """The minute of the day of `hh:mm`, behind a weekday or not."""
    hours, minutes = text.split(":")[-2:]
    return int(hours) * 60 + int(minutes)


def _dimensions(vault: aws.backup.Vault, args: BackupsArgs, *, copied: bool) -> MetricDimensions:
    """Name the vault, and in it what each plan backs up. A copy's job is where its source is."""
    here: Dimensions = {"BackupVaultName": vault.name}
    types: dict[str, str] = {}
    if args.volume_arns:
        types["volume"] = VOLUMES
    if copied and args.database is not None:
        types["database"] = args.database.resource_type
    metric_dimensions: dict[str, Sequence[Dimensions]] = {"vault": [here]}
    if copied:
        metric_dimensions["copied-vault"] = [here]
    for each, resource_type in types.items():
        of_type: Dimensions = {**here, "ResourceType": resource_type}
        metric_dimensions[f"{each}-snapshots"] = [of_type]
        if copied:
            metric_dimensions[f"{each}-copies"] = [of_type]
    return metric_dimensions


def _rule(
    label: str,
    schedule: str,
    days: int,
    vault: aws.backup.Vault,
    copy: aws.backup.Vault | None,
) -> dict[str, Any]:
    rule: dict[str, Any] = {
        "rule_name": label,
        "schedule": schedule,
        "schedule_expression_timezone": "Etc/UTC",
        "target_vault_name": vault.name,
        "start_window": START_WINDOW_MINUTES,
        "completion_window": COMPLETION_WINDOW_MINUTES,
        "lifecycle": {"delete_after": days},
    }
    if copy is not None:
        rule["copy_actions"] = [
            {"destination_vault_arn": copy.arn, "lifecycle": {"delete_after": days}}
        ]
    return rule
