"""Starts and stops the parts of a stack at the times of `hours`, by schedules that AWS keeps.

docs/adr/0021-sleep-by-aws-own-schedules.md has the reasons. What a schedule has changed is not
taken back by an update: the numbers that it sets are left out of what the program compares.
"""

from collections.abc import Sequence
from typing import Final, Literal

import pulumi
import pulumi_aws as aws

from langfuse_aws.components.shared import iam
from langfuse_aws.components.shared.location import Location
from langfuse_aws.settings.hours import RETRY_MINUTES, Hours, Part
from langfuse_aws.settings.installation import COMMAND

SLEEP: Final = "sleep"
WAKE: Final = "wake"
"""Ends of the names of what stops a part, and of what starts it."""

TARGET_NUMBERS: Final = ("minCapacity", "maxCapacity")
GROUP_NUMBERS: Final = ("minSize", "maxSize", "desiredCapacity")
SERVICE_NUMBERS: Final = ("desiredCount",)

RETRIES: Final = 10


def left_alone(hours: Hours | None, numbers: Sequence[str]) -> pulumi.ResourceOptions:
    """Give the options of what a schedule sets numbers of: no update sets them back.

    A refresh reads what the night has set.
    https://github.com/terraform-aws-modules/terraform-aws-ecs/issues/422
    """
    return pulumi.ResourceOptions(ignore_changes=[*numbers] if hours else None)


def schedule_service(
    name: str,
    service: aws.ecs.Service,
    cluster_name: pulumi.Output[str],
    hours: Hours | None,
    part: Part,
    count: int,
    opts: pulumi.ResourceOptions,
) -> None:
    """Have a service run `count` tasks while it is awake, and none while it sleeps."""
    if hours is None:
        return
    target = aws.appautoscaling.Target(
        name,
        service_namespace="ecs",
        scalable_dimension="ecs:service:DesiredCount",
        resource_id=pulumi.Output.concat("service/", cluster_name, "/", service.name),
        min_capacity=count,
        max_capacity=count,
        opts=pulumi.ResourceOptions.merge(opts, left_alone(hours, TARGET_NUMBERS)),
    )
    schedule_tasks(name, target, hours, part, (count, count), [], opts)


def schedule_tasks(
    name: str,
    target: aws.appautoscaling.Target,
    hours: Hours | None,
    part: Part,
    awake: tuple[int, int],
    after: Sequence[pulumi.Resource],
    opts: pulumi.ResourceOptions,
) -> None:
    """Have a service scale between the numbers of `awake`, or run no task while it sleeps.

    `after` are what else writes to the target: AWS refuses two writes at once.
    """
    if hours is None:
        return
    moments = {SLEEP: (hours.sleeps(part), (0, 0)), WAKE: (hours.wakes(part), awake)}
    before = [*after]
    for label, (weekly, (least, most)) in moments.items():
        action = aws.appautoscaling.ScheduledAction(
            f"{name}-{label}",
            service_namespace=target.service_namespace,
            scalable_dimension=target.scalable_dimension,
            resource_id=target.resource_id,
            schedule=weekly.cron,
            timezone=hours.timezone,
            scalable_target_action={"min_capacity": least, "max_capacity": most},
            opts=pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(depends_on=before)),
        )
        before = [action]


def schedule_group(
    name: str,
    group: aws.autoscaling.Group,
    hours: Hours | None,
    part: Part,
    count: int,
    opts: pulumi.ResourceOptions,
) -> None:
    """Have an Auto Scaling group run `count` instances while it is awake, and none otherwise.

    A change makes another schedule of the same name: an update would send the start time that AWS
    has worked out for the old one, which is refused once it is past.
    https://github.com/hashicorp/terraform-provider-aws/issues/38983
    """
    if hours is None:
        return
    anew = pulumi.ResourceOptions(replace_on_changes=["*"], delete_before_replace=True)
    moments = {SLEEP: (hours.sleeps(part), 0), WAKE: (hours.wakes(part), count)}
    for label, (weekly, size) in moments.items():
        aws.autoscaling.Schedule(
            f"{name}-{label}",
            autoscaling_group_name=group.name,
            scheduled_action_name=f"{name}-{label}",
            recurrence=weekly.unix_cron,
            time_zone=hours.timezone,
            min_size=size,
            max_size=size,
            desired_capacity=size,
            opts=pulumi.ResourceOptions.merge(opts, anew),
        )


def schedule_database(
    name: str,
    kind: Literal["DBInstance", "DBCluster"],
    identifier: pulumi.Output[str],
    arn: pulumi.Output[str],
    hours: Hours | None,
    location: Location,
    opts: pulumi.ResourceOptions,
) -> None:
    """Have RDS stop a database, and start it. A database that is busy is asked again.

    https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-targets-universal.html
    """
    if hours is None:
        return
    label = f"{name}-hours"
    role = iam.service_role(
        label,
        "scheduler.amazonaws.com",
        [iam.allow([f"rds:Start{kind}", f"rds:Stop{kind}"], [arn])],
        location,
        opts=opts,
    )
    moments = {
        SLEEP: ("stop", hours.sleeps("database")),
        WAKE: ("start", hours.wakes("database")),
    }
    # The spelling of the Java SDK, which Scheduler calls with.
    parameter = kind.replace("DB", "Db") + "Identifier"
    for end, (action, weekly) in moments.items():
        aws.scheduler.Schedule(
            f"{name}-{end}",
            description=f"{action.capitalize()} {name}",
            schedule_expression=weekly.cron,
            schedule_expression_timezone=hours.timezone,
            flexible_time_window={"mode": "OFF"},
            target={
                "arn": f"arn:{location.partition}:scheduler:::aws-sdk:rds:{action}{kind}",
                "role_arn": role.arn,
                "input": pulumi.Output.json_dumps({parameter: identifier}),
                "retry_policy": {
                    "maximum_event_age_in_seconds": RETRY_MINUTES * 60,
                    "maximum_retry_attempts": RETRIES,
                },
            },
            opts=opts,
        )


def only_awake(
    name: str, service: aws.ecs.Service | None, hours: Hours | None
) -> pulumi.ResourceHookBinding | None:
    """Give the hooks of what runs once, when it is made, and needs the stores.

    `service` is ClickHouse's; None: it is not the stack's, and never sleeps. A preview does not
    ask: that of a pull request may well be made at night.
    """
    if hours is None or service is None:
        return None

    async def refuse(_: pulumi.ResourceHookArgs) -> None:
        found = await aws.ecs.get_service_output(
            cluster_arn=service.cluster,
            service_name=service.name,
            opts=pulumi.InvokeOutputOptions(parent=service),
        ).future()
        if found is not None and found.desired_count == 0:
            raise pulumi.RunError(
                f"{name}: the stack is asleep, and a migration needs its databases. Run {COMMAND} "
                "resume, then pulumi up again; what it has changed until here stays."
            )

    hook = pulumi.ResourceHook(f"{name}-awake", refuse)
    return pulumi.ResourceHookBinding(before_create=[hook], before_update=[hook])
