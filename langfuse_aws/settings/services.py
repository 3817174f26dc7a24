"""The sections of what runs Langfuse itself: `web`, `worker` and `ingress`."""

import ipaddress
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, cast

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from langfuse_aws.contract.ports_and_health import EVENT_PROPAGATION_CHECK, QUEUE_CONSUMPTION_CHECK
from langfuse_aws.settings.capacity import FARGATE_MEMORY_MIB, fargate_memory_range
from langfuse_aws.settings.firewall import DEFAULT_RATE_LIMIT, Waf
from langfuse_aws.settings.hours import DAY_MINUTES
from langfuse_aws.settings.managed_policies import PolicyArns
from langfuse_aws.settings.scaling import (
    DEFAULT_MAX_LAG_SECONDS,
    LONGEST_LAG_SECONDS,
    SHORTEST_LAG_SECONDS,
)
from langfuse_aws.settings.section import Form, Section, invalid

MAXIMUM_TASKS: Final = 100
"""A guard against typing errors; AWS's own quota is far above."""


INGRESS_KIND: Final = (
    "Load balancer, HTTP API (30 s a request, no prompts in folders: README.md has its limits), or "
    "what `web.platform` `appRunner` brings by itself"
)

CertificateArn = Annotated[
    Annotated[
        str,
        Form(
            r"^arn:[^:]+:acm:[^:]+:[0-9]{12}:certificate/.+$",
            "must be the ARN of an ACM certificate",
            "see aws acm list-certificates, which shows the ARNs",
        ),
    ]
    | None,
    Field(
        description="An ACM certificate of this region; without it one is made and validated "
        "in the hosted zone",
    ),
]

HostedZone = Annotated[
    str | None,
    Field(
        description="Route 53 public hosted zone of the domain; default: the domain without its "
        "first label, or no record at all when certificateArn is given",
    ),
]


LOAD_BALANCER_PORTS: Final = (80, 443)
"""Plain http, which is redirected, and https. Each is a rule for each allowed network."""

RULES_PER_GROUP: Final = 60
"""Inbound rules of a security group, unless AWS has raised the quota.
https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html"""


def _ipv4_block(value: str) -> str:
    problem = "its form is address/bits, the bits in decimal without a zero before them"
    try:
        # EC2 and the provider take no mask and no bare address, which Python does.
        if value == str(ipaddress.IPv4Network(value)):
            return value
    except ValueError as error:
        problem = str(error)
    raise invalid(
        f"is not an IPv4 network: {problem}",
        "write it as 203.0.113.0/24, or 203.0.113.7/32 for one address",
    )


Ipv4Block = Annotated[str, AfterValidator(_ipv4_block)]


class Service(Section):
    """A Fargate service."""

    cpu: int = Field(description="CPU units of a task (1024 = 1 vCPU)")
    memory: int = Field(description="Memory of a task, MiB; Node.js gets 75 % as its heap")
    min_tasks: int = Field(ge=1, le=MAXIMUM_TASKS, description="Tasks at the least")
    max_tasks: int = Field(ge=1, le=MAXIMUM_TASKS, description="Tasks at the most")
    spot: bool = Field(description="Run on Fargate Spot: about 70 % cheaper, 2 min notice")
    architecture: Literal["arm64", "x86_64"] = Field(
        "arm64",
        description="CPU architecture; arm64 (Graviton) is a fifth cheaper, and App Runner has "
        "x86_64 only",
    )
    environment: dict[str, str] = Field(
        {},
        description=(
            "More variables for Langfuse, in the clear: those in "
            "langfuse_aws/contract/variables.csv"
        ),
    )
    policy_arns: PolicyArns = Field(
        [],
        description="More managed policies of the container's role, 10 at the most: for "
        "evaluators on Lambda, Bedrock without keys, exports to another bucket",
    )

    @field_validator("cpu")
    @classmethod
    def _cpu(cls, value: int) -> int:
        if value not in FARGATE_MEMORY_MIB:
            sizes = ", ".join(str(size) for size in FARGATE_MEMORY_MIB)
            raise invalid(f"must be a Fargate CPU size: {sizes}", "1024 is one vCPU")
        return value

    @field_validator("memory")
    @classmethod
    def _memory(cls, value: int, info: ValidationInfo) -> int:
        cpu = info.data.get("cpu")
        if cpu is not None and value not in FARGATE_MEMORY_MIB[cpu]:
            raise invalid(
                f"Fargate sells {fargate_memory_range(cpu)} with cpu {cpu}",
                "choose one of these sizes, or another cpu",
            )
        return value

    @field_validator("max_tasks")
    @classmethod
    def _max_tasks(cls, value: int, info: ValidationInfo) -> int:
        least = info.data.get("min_tasks")
        if least is not None and value < least:
            raise invalid(
                f"must be at least minTasks, which is {least}", "raise it, or lower minTasks"
            )
        return value


class Web(Service):
    """The web container's service."""

    platform: Literal["fargate", "appRunner"] = Field(
        "fargate",
        description="What runs the web container; `appRunner` is for accounts that used it before "
        "2026-04-30, see docs/app-runner.md",
    )


class Worker(Service):
    """The worker container's service."""

    scale_on: Literal["cpu", "backlog"] = Field(
        "backlog",
        description="What the autoscaling follows: CPU, or how long jobs wait and CPU. `backlog` "
        "has a queue probe in each task, and CloudWatch charges for four metrics",
    )
    max_lag_seconds: int = Field(
        DEFAULT_MAX_LAG_SECONDS,
        ge=SHORTEST_LAG_SECONDS,
        le=LONGEST_LAG_SECONDS,
        description="Seconds that the oldest waiting job may have waited before tasks are added, "
        "with `scaleOn` `backlog`",
    )
    queue_consumption_stuck_minutes: int = Field(
        60,
        ge=30,
        le=DAY_MINUTES,
        description="Minutes after which a worker that has begun and ended no job is replaced "
        "(Langfuse 4). Its shortest schedule is 20 minutes, for one of the workers; raise it for "
        "several idle ones with `v4.writeMode` `legacy`, where a minute's schedule is missing",
    )
    event_propagation_stuck_minutes: int = Field(
        15,
        ge=11,
        le=DAY_MINUTES,
        description="Minutes after which workers are replaced if none has begun to fill the new "
        "tables (3.203.2 or later, `v4.writeMode` other than `legacy`); one insert may take 10",
    )

    @property
    def stuck_minutes(self) -> Mapping[str, int]:
        """The thresholds of what the worker's health is asked for, by the query's parameter."""
        return {
            QUEUE_CONSUMPTION_CHECK: self.queue_consumption_stuck_minutes,
            EVENT_PROPAGATION_CHECK: self.event_propagation_stuck_minutes,
        }


class LoadBalancerIngress(Section):
    """An Application Load Balancer: own domain, private or restricted access, streaming."""

    kind: Literal["alb"] = Field(description=INGRESS_KIND)
    certificate_arn: CertificateArn = None
    hosted_zone: HostedZone = None
    internal: bool = Field(False, description="Reachable from inside the VPC only (kind alb)")
    allowed_cidrs: list[Ipv4Block] = Field(
        ["0.0.0.0/0"],
        min_length=1,
        description="IPv4 networks that may connect, 30 at the most (kind alb)",
    )
    waf: Waf | None = Field(
        None, description="A web application firewall; `{}` makes one with its defaults (kind alb)"
    )

    @field_validator("allowed_cidrs")
    @classmethod
    def _allowed_cidrs(cls, value: list[str]) -> list[str]:
        twice = [block for block in dict.fromkeys(value) if value.count(block) > 1]
        if twice:
            raise invalid(
                f"has {', '.join(twice)} twice, and EC2 refuses a rule that is there already",
                "name each network once",
            )
        most = RULES_PER_GROUP // len(LOAD_BALANCER_PORTS)
        if len(value) > most:
            raise invalid(
                f"may have {most} networks at the most: a security group has {RULES_PER_GROUP} "
                f"rules, and each takes {len(LOAD_BALANCER_PORTS)}",
                "join neighbours into larger networks",
            )
        return value

    @field_validator("waf", mode="before")
    @classmethod
    def _waf(cls, value: Any) -> Any:
        if value is None or isinstance(value, (Mapping, Waf)):
            return cast("Mapping[str, Any] | Waf | None", value)
        raise invalid(
            "is a section of its own",
            f"write waf: {{}}, or set waf.rateLimitPerFiveMinutes to {DEFAULT_RATE_LIMIT}",
        )


class ApiGatewayIngress(Section):
    """An API Gateway HTTP API: https without a domain, no fixed cost.

    AWS's limits: 30 s a request, 10 MB a body, 10,240 bytes of request line and headers, no
    streaming. It cannot be restricted to addresses, made internal, or put behind a WAF. It decodes
    `%2F` in paths, so prompts in folders are not found.
    https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html
    https://github.com/langfuse/langfuse/issues/12720
    """

    kind: Literal["apiGateway"] = Field(description=INGRESS_KIND)
    certificate_arn: CertificateArn = None
    hosted_zone: HostedZone = None
    rate_limit: int = Field(
        500, ge=1, le=10_000, description="Requests a second before HTTP 429 (kind apiGateway)"
    )
    burst_limit: int = Field(
        1000, ge=1, le=5_000, description="Requests at once before HTTP 429 (kind apiGateway)"
    )


class AppRunnerIngress(Section):
    """App Runner's own way in: https under a domain of Route 53, with a certificate of its own."""

    kind: Literal["appRunner"] = Field(description=INGRESS_KIND)
    hosted_zone: HostedZone = None

    @property
    def certificate_arn(self) -> None:
        """None: App Runner makes the certificate, and takes no other."""
        return


Ingress = Annotated[
    LoadBalancerIngress | ApiGatewayIngress | AppRunnerIngress, Field(discriminator="kind")
]
