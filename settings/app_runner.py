"""What App Runner offers to the web container, and what it does not get on with. Pure.

App Runner takes no new customers since 2026-04-30.
https://docs.aws.amazon.com/apprunner/latest/dg/apprunner-availability-change.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from settings.network import Network
    from settings.services import Ingress, Web

APP_RUNNER: Final = "appRunner"

HOSTED_ZONES: Final[Mapping[str, str]] = {
    "ap-northeast-1": "Z08491812XW6IPYLR6CCA",
    "ap-south-1": "Z00855883LBHKTIC4ODF2",
    "ap-southeast-1": "Z09819469CZ3KQ8PWMCL",
    "ap-southeast-2": "Z03657752RA8799S0TI5I",
    "eu-central-1": "Z0334911C2FDI2Q9M4FZ",
    "eu-west-1": "Z087551914Z2PCAU0QHMW",
    "eu-west-2": "Z098228427VC6B3IX76ON",
    "eu-west-3": "Z087117439MBKHYM69QS6",
    "us-east-1": "Z01915732ZBZKC8D32TPT",
    "us-east-2": "Z0224347AD7KVHMLOX31",
    "us-west-2": "Z02243383FTQ64HJ5772Q",
}
"""The regions that have App Runner, and the Route 53 zone of its names there, for alias records.
https://docs.aws.amazon.com/general/latest/gr/apprunner.html"""

# https://docs.aws.amazon.com/apprunner/latest/dg/architecture.html#architecture.vcpu-memory
MEMORY_MIB: Final[Mapping[int, tuple[int, ...]]] = {
    256: (512, 1024),
    512: (1024,),
    1024: (2048, 3072, 4096),
    2048: (4096, 6144),
    4096: (8192, 10240, 12288),
}
"""CPU units (1024 = one vCPU) → the memory sizes (MiB) that an instance has with them."""

MAXIMUM_INSTANCES: Final = 25
"""Of a service. https://docs.aws.amazon.com/apprunner/latest/api/API_CreateAutoScalingConfiguration.html
and, for the most, https://docs.aws.amazon.com/general/latest/gr/apprunner.html"""

FARGATE: Final = "choose web.platform fargate"

Fault = tuple[str, str, str]
"""The key within `web`, what is wrong with it, and what to do."""


def web_fault(web: Web, ingress: Ingress | None, network: Network | None) -> Fault | None:
    """Find what App Runner cannot do of what is asked; None for Fargate, or if it can.

    An ingress or a network that is wrong by itself is None.
    """
    if web.platform != APP_RUNNER:
        if ingress is not None and ingress.kind == APP_RUNNER:
            remedy = f"set web.platform to {APP_RUNNER}, or remove ingress.kind"
            return "platform", f"must be {APP_RUNNER} where ingress.kind is", remedy
        return None
    if ingress is not None and ingress.kind != APP_RUNNER:
        bound = f"App Runner is a way in by itself, and ingress.kind is {ingress.kind}"
        return "platform", bound, f"remove ingress.kind, or {FARGATE}"
    if network is not None and network.public_tasks:
        bound = (
            "what App Runner runs has no public address, and so needs a way out for model "
            "providers, sign-in and mail; network.egress is none"
        )
        return "platform", bound, f"set network.egress to natInstance, for one, or {FARGATE}"
    if web.cpu not in MEMORY_MIB:
        sizes = ", ".join(str(size) for size in MEMORY_MIB)
        return "cpu", f"App Runner has instances of {sizes} CPU units", f"choose one, or {FARGATE}"
    if web.memory not in MEMORY_MIB[web.cpu]:
        sizes = " or ".join(str(size) for size in MEMORY_MIB[web.cpu])
        bound = f"App Runner has {sizes} MiB with cpu {web.cpu}"
        return "memory", bound, f"choose one of these sizes, another cpu, or {FARGATE}"
    return _other_fault(web)


def _other_fault(web: Web) -> Fault | None:
    if web.max_tasks > MAXIMUM_INSTANCES:
        bound = f"App Runner runs {MAXIMUM_INSTANCES} instances of a service at the most"
        return "maxTasks", bound, f"lower it, or {FARGATE}"
    if web.spot:
        return "spot", "App Runner has no Spot", f"remove it, or {FARGATE}"
    if web.architecture != "x86_64":
        bound = "App Runner runs x86_64 only, and the migration runs the same image"
        return "architecture", bound, f"remove it, or {FARGATE}"
    return None


def missing_region(region: str) -> str | None:
    """Say that a region has no App Runner; None if it has."""
    if region in HOSTED_ZONES:
        return None
    return (
        f"langfuse:web.platform: App Runner is not in {region}. Choose fargate, or one of "
        f"{', '.join(sorted(HOSTED_ZONES))} as aws:region."
    )
