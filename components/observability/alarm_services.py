"""The alarms on the way of an event, from the ingress to the worker. Pure."""

from typing import Final

from langfuse_aws.components.observability.alarm_row import FIVE_MINUTES, HOUR, MINUTE, AlarmRow
from langfuse_aws.components.shared import metrics
from langfuse_aws.components.shared.metrics import DAY, Metric
from langfuse_aws.settings.model import Settings
from langfuse_aws.settings.services import Service

FEW_ERRORS: Final = 10
SLOW_SECONDS: Final = 5
CPU_PERCENT: Final = 85
MEMORY_PERCENT: Final = 90
LATE_SECONDS: Final = 300
RENEWAL_DAYS: Final = 45
"""How long before its end ACM renews a public certificate, which is valid for 198 days since
February 2026 (395 before, and then renewed 60 days ahead).
https://nottinfra.co.uk/signals/aws-acm-certificate-validity-period-update"""

CERTIFICATE_DAYS: Final = 30


def service_alarms(settings: Settings, stack: str) -> list[AlarmRow]:
    """Build the alarms of each ingress, web, queues and worker. `stack`: prefix of its names."""
    return [
        *(_errors(*each) for each in _ERRORS),
        _slow("balancer-latency", metrics.BALANCER_LATENCY, SLOW_SECONDS, f"{SLOW_SECONDS} s"),
        _slow("api-latency", metrics.API_LATENCY, 1000 * SLOW_SECONDS, f"{SLOW_SECONDS} s"),
        _slow(
            "app-runner-latency",
            metrics.APP_RUNNER_LATENCY,
            1000 * SLOW_SECONDS,
            f"{SLOW_SECONDS} s",
        ),
        AlarmRow(
            label="unhealthy-targets",
            metric=metrics.UNHEALTHY,
            comparison=">",
            threshold=0,
            period=MINUTE,
            periods=5,
            summary="A web task fails the load balancer's health check.",
            why="ECS replaces such a task; five minutes on, it has not helped",
            runbook="Unhealthy targets",
        ),
        AlarmRow(
            label="certificate",
            metric=metrics.CERTIFICATE_DAYS,
            comparison="<",
            threshold=CERTIFICATE_DAYS,
            period=DAY,
            periods=1,
            summary="The certificate expires soon, and was not renewed.",
            why=f"ACM renews {RENEWAL_DAYS} days ahead, and has failed for a third of them",
            runbook="Certificate expires",
            # The metric ends with the certificate.
            missing="ignore",
        ),
        *_of_service("web", settings.web),
        *_of_app_runner(),
        *_of_service("worker", settings.worker),
        AlarmRow(
            label="worker-schedules",
            metric=metrics.schedules_run(f"{stack}-worker"),
            comparison="<",
            threshold=1,
            period=HOUR,
            periods=2,
            summary="No worker has run a scheduled job for two hours: queues are not consumed.",
            why="Langfuse schedules one every 20 minutes, before 3.170 every hour, whether there "
            "is work or not; it needs no queue metrics, and sees releases whose health says "
            "nothing of queues",
            runbook="No scheduled jobs",
            missing="breaching",
        ),
        AlarmRow(
            label="dropped-rows",
            metric=metrics.dropped_rows(f"{stack}-worker"),
            comparison=">",
            threshold=0,
            period=FIVE_MINUTES,
            periods=1,
            summary="A worker has given up rows for ClickHouse: they are missing there.",
            why="a batch is tried three times, a second apart; its jobs are done, so nobody tries "
            "again, and neither the lag nor dead letters tell",
            runbook="Dropped rows",
        ),
        AlarmRow(
            label="ingestion-lag",
            metric=metrics.OLDEST_JOB_AGE,
            comparison=">=",
            threshold=LATE_SECONDS,
            bound=f"{LATE_SECONDS // MINUTE} min",
            period=MINUTE,
            periods=10,
            summary="Events wait for minutes before they are written, or no probe says how long.",
            why="autoscaling ends a spike's lag in this time; what lasts has another cause",
            runbook="Queue lag",
            missing="breaching",
        ),
        AlarmRow(
            label="other-lag",
            metric=metrics.OTHER_OLDEST_JOB_AGE,
            comparison=">=",
            threshold=HOUR,
            bound="1 h",
            period=FIVE_MINUTES,
            periods=3,
            summary="A job of evaluations, exports or deletions waits for an hour.",
            why="they may wait for minutes, and nobody sees it when they wait for ever",
            runbook="Queue lag",
        ),
        AlarmRow(
            label="dead-letters",
            metric=metrics.FAILED_JOBS,
            comparison=">",
            threshold=0,
            growth=True,
            period=FIVE_MINUTES,
            periods=1,
            summary="Jobs of ingestion have failed for good: their events are not in ClickHouse.",
            why="growth, since what has failed stays in the queue until somebody removes it",
            runbook="Dead letters",
        ),
    ]


_ERRORS: Final = (
    ("balancer-5xx", metrics.BALANCER_5XX, "The load balancer answers with 5xx: web does not."),
    ("web-5xx", metrics.TARGET_5XX, "Web answers with 5xx."),
    ("api-5xx", metrics.API_5XX, "The HTTP API answers with 5xx."),
    ("app-runner-5xx", metrics.APP_RUNNER_5XX, "Web answers with 5xx on App Runner."),
)


def _errors(label: str, metric: Metric, summary: str) -> AlarmRow:
    return AlarmRow(
        label=label,
        metric=metric,
        comparison=">",
        threshold=FEW_ERRORS,
        period=FIVE_MINUTES,
        periods=3,
        breaching=2,
        summary=summary,
        why="SDKs send again, so a few errors lose nothing; a rate would alarm at night",
        runbook="5xx answers",
    )


def _slow(label: str, metric: Metric, threshold: float, bound: str) -> AlarmRow:
    return AlarmRow(
        label=label,
        metric=metric,
        comparison=">",
        threshold=threshold,
        bound=bound,
        period=FIVE_MINUTES,
        periods=3,
        summary="One request in twenty is slow.",
        why="events are taken in well below a second, and the HTTP API gives up after 30 s",
        runbook="Slow answers",
    )


def _of_service(name: str, service: Service) -> list[AlarmRow]:
    return [
        AlarmRow(
            label=f"{name}-tasks",
            metric=metrics.running_tasks(name),
            comparison="<",
            threshold=service.min_tasks,
            bound=f"{name}.minTasks",
            period=MINUTE,
            periods=5,
            summary=f"{name.capitalize()} runs fewer tasks than it should.",
            why="deployments stop no task before another one serves; five minutes are a start",
            runbook="Too few tasks",
            missing="breaching",
        ),
        _busy(
            name,
            metrics.service(name, "CPUUtilization", "Average", f"{name} CPU, %"),
            f"{name.capitalize()} needs more CPU than autoscaling may give it.",
            "autoscaling aims at 50 %, so there are no more tasks to be had",
        ),
        _full(
            name,
            metrics.service(name, "MemoryUtilization", "Maximum", f"{name} memory, %"),
            f"A task of {name}",
        ),
    ]


def _of_app_runner() -> list[AlarmRow]:
    return [
        _busy(
            "app-runner",
            metrics.APP_RUNNER_CPU,
            "Web needs more CPU than its App Runner instances have.",
            "App Runner adds instances by requests, and does not look at CPU",
        ),
        _full("app-runner", metrics.APP_RUNNER_MEMORY, "An App Runner instance of web"),
    ]


def _busy(name: str, metric: Metric, summary: str, why: str) -> AlarmRow:
    return AlarmRow(
        label=f"{name}-cpu",
        metric=metric,
        comparison=">",
        threshold=CPU_PERCENT,
        period=FIVE_MINUTES,
        periods=3,
        summary=summary,
        why=why,
        runbook="CPU of web or worker",
    )


def _full(name: str, metric: Metric, what: str) -> AlarmRow:
    return AlarmRow(
        label=f"{name}-memory",
        metric=metric,
        comparison=">",
        threshold=MEMORY_PERCENT,
        period=FIVE_MINUTES,
        periods=3,
        summary=f"{what} is about to run out of memory.",
        why="Node.js has 75 % of the memory; above 90 % it is killed soon",
        runbook="Memory of web or worker",
    )
