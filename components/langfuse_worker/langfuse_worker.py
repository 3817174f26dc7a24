"""Creates Langfuse's worker service, which drains the queues into ClickHouse.

Secrets reach it as variables: its container definition names a secret of Secrets Manager for each
(`secrets`, `valueFrom`), and ECS reads it with the execution role when a task starts
(runtime/task.py). Which variable has which secret: components/environment.py.
"""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from langfuse_aws.components import environment
from langfuse_aws.components.langfuse_worker.queue_probe import queue_probe
from langfuse_aws.components.migration.migration import Migration
from langfuse_aws.components.runtime.container_service import ContainerService, ContainerServiceArgs
from langfuse_aws.components.runtime.lag_scaling import LagScaling
from langfuse_aws.components.runtime.task import HealthCheck
from langfuse_aws.components.service_inputs import ServiceInputs
from langfuse_aws.components.shared.metrics import (
    Metric,
    MetricDimensions,
    dropped_rows,
    queue_dimensions,
    schedules_run,
)
from langfuse_aws.contract import metrics, queues
from langfuse_aws.contract.ports_and_health import WORKER_PORT, health_command, worker_health_path
from langfuse_aws.contract.start_and_stop import (
    WORKER_START_SECONDS,
    WORKER_STOP_SECONDS,
    start_seconds,
)
from langfuse_aws.settings.external_stores import ExternalRedis


@dataclass(frozen=True)
class LangfuseWorkerArgs:
    """What the worker service is made from."""

    parts: ServiceInputs
    migration: Migration
    """Comes first: no task runs on a database that is not its release's."""
    stack: str
    """Prefix of the stack's names."""


class LangfuseWorker(pulumi.ComponentResource):
    """The worker container. Nobody connects to it."""

    service_name: pulumi.Output[str]
    """Name of the ECS service, once it runs as it is configured."""
    log_group_name: pulumi.Output[str]
    """Name of its log group."""
    metric_dimensions: MetricDimensions
    """What CloudWatch calls the service, and its queues if they are probed."""

    def __init__(
        self, name: str, args: LangfuseWorkerArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("langfuse:index:LangfuseWorker", name, None, opts)
        parts, worker = args.parts, args.parts.settings.worker
        path = worker_health_path(parts.settings.version, parts.settings.write_mode)
        variables = environment.worker(parts.settings, parts.endpoints, parts.credentials)
        probes = parts.settings.probes_queues
        external = isinstance(parts.settings.redis, ExternalRedis)
        unserved = [queues.EVENT_PROPAGATION] if parts.settings.write_mode == "legacy" else []
        service = ContainerService(
            name,
            ContainerServiceArgs(
                container="worker",
                image=parts.images["worker"],
                port=WORKER_PORT,
                health_check=HealthCheck(
                    health_command(WORKER_PORT, path),
                    start_period=start_seconds(WORKER_START_SECONDS, worker.cpu),
                ),
                stop_timeout=WORKER_STOP_SECONDS,
                settings=worker,
                environment=variables,
                statements=parts.statements,
                ingress_rules=parts.ingress_rules,
                location=parts.location,
                network=parts.network,
                cluster=parts.cluster,
                log_retention_days=parts.settings.logs.retention_days,
                attachment={},
                after=[args.migration, *parts.before_services],
                execute_command=parts.settings.exec,
                authorities=parts.authorities,
                hours=parts.settings.hours,
                sidecars=(
                    [queue_probe(args.stack, variables, tells_memory=external, without=unserved)]
                    if probes
                    else []
                ),
                lag=LagScaling(args.stack, worker.max_lag_seconds) if probes else None,
            ),
            pulumi.ResourceOptions(parent=self),
        )
        self.service_name, self.log_group_name = service.service_name, service.log_group_name
        self.metric_dimensions = service.metric_dimensions
        if parts.settings.alarms is not None:
            # Langfuse 3 says nowhere else that its workers consume their queues, and no release
            # that rows are lost.
            if metrics.logs_schedules(worker.environment):
                self._count(name, f'"{metrics.SCHEDULE_LOG}"', schedules_run(name))
            if metrics.logs_dropped_rows(worker.environment):
                pattern = metrics.dropped_rows_pattern(parts.settings.write_mode)
                self._count(f"{name}-dropped", pattern, dropped_rows(name))
        if probes:
            dimensions = [queue_dimensions(args.stack)]
            of_redis = {"external-redis": dimensions} if external else {}
            self.metric_dimensions = {**self.metric_dimensions, "queues": dimensions, **of_redis}
        self.register_outputs({"serviceName": self.service_name})

    def _count(self, name: str, pattern: str, counted: Metric) -> None:
        """Count what workers say in their log."""
        aws.cloudwatch.LogMetricFilter(
            name,
            log_group_name=self.log_group_name,
            pattern=pattern,
            metric_transformation={
                "namespace": counted.namespace,
                "name": counted.name,
                "value": "1",
            },
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.metric_dimensions = {**self.metric_dimensions, counted.subject: [{}]}
