"""Container definitions in the form that ECS gives them back, so that no preview shows a change.

Keys and lists are sorted and AWS's defaults are written out
(https://github.com/pulumi/pulumi-aws/issues/4576).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pulumi

from langfuse_aws.components.shared.stored_secret import SecretReference
from langfuse_aws.contract.runtime import START_LIMIT_SECONDS, STOP_TIMEOUT_SECONDS


@dataclass(frozen=True)
class HealthCheck:
    """A container health check; times in seconds, within ECS's bounds.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_HealthCheck.html
    """

    command: Sequence[str]
    interval: int = 30
    timeout: int = 10
    retries: int = 3
    start_period: int = START_LIMIT_SECONDS

    @property
    def patience(self) -> int:
        """Seconds after which a container that never answers is unhealthy."""
        return self.start_period + self.retries * self.interval


@dataclass(frozen=True)
class ContainerDefinition:
    """One container of a task."""

    name: str
    image: str
    ports: Sequence[int]
    health_check: HealthCheck | None
    """None for a task that ends by itself."""
    log_group: pulumi.Input[str]
    region: str
    plain: Mapping[str, pulumi.Input[str]] = field(default_factory=dict[str, pulumi.Input[str]])
    secret: Mapping[str, SecretReference] = field(default_factory=dict[str, SecretReference])
    stop_timeout: int = STOP_TIMEOUT_SECONDS
    """Seconds between SIGTERM and SIGKILL."""
    more: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Further keys of the definition, in ECS's own terms."""

    def definition(self) -> dict[str, Any]:
        """Build one of the task definition's `containerDefinitions`."""
        return {
            "name": self.name,
            "image": self.image,
            "essential": True,
            "cpu": 0,
            "portMappings": [
                {"containerPort": port, "hostPort": port, "protocol": "tcp"} for port in self.ports
            ],
            "environment": [
                {"name": name, "value": self.plain[name]} for name in sorted(self.plain)
            ],
            "secrets": [
                {"name": name, "valueFrom": self.secret[name].value_from}
                for name in sorted(self.secret)
            ],
            **self._health_check(),
            "stopTimeout": self.stop_timeout,
            "logConfiguration": {
                "logDriver": "awslogs",
                "options": {
                    "awslogs-group": self.log_group,
                    "awslogs-region": self.region,
                    "awslogs-stream-prefix": self.name,
                    # A container must not stop because CloudWatch does.
                    "mode": "non-blocking",
                    "max-buffer-size": "25m",
                },
            },
            "mountPoints": [],
            "systemControls": [],
            "volumesFrom": [],
            **self.more,
        }

    def _health_check(self) -> dict[str, Any]:
        check = self.health_check
        if check is None:
            return {}
        return {
            "healthCheck": {
                "command": list(check.command),
                "interval": check.interval,
                "timeout": check.timeout,
                "retries": check.retries,
                "startPeriod": check.start_period,
            }
        }


def to_json(containers: Sequence[ContainerDefinition]) -> pulumi.Output[str]:
    """Build the task definition's `containerDefinitions`."""
    return pulumi.Output.json_dumps([each.definition() for each in containers], sort_keys=True)
