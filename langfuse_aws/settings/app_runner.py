"""What App Runner offers to the web container, and what it does not get on with. Pure.

App Runner takes no new customers since 2026-04-30.
https://docs.aws.amazon.com/apprunner/latest/dg/apprunner-availability-change.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

from langfuse_aws.settings.section import Conflict

if TYPE_CHECKING:
    from langfuse_aws.settings.model import Settings

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

CHOOSE_FARGATE: Final = "choose web.platform fargate"


def faults_of_ingress(settings: Settings) -> Iterator[Conflict]:
    """App Runner is a way in by itself, and no other platform's."""
    runs, kind = settings.web.platform == APP_RUNNER, settings.ingress.kind
    if runs and kind != APP_RUNNER:
        bound = f"App Runner is a way in by itself, and ingress.kind is {kind}"
        yield Conflict("web.platform", bound, f"remove ingress.kind, or {CHOOSE_FARGATE}")
    if not runs and kind == APP_RUNNER:
        remedy = f"set web.platform to {APP_RUNNER}, or remove ingress.kind"
        yield Conflict("web.platform", f"must be {APP_RUNNER} where ingress.kind is", remedy)


def faults_of_network(settings: Settings) -> Iterator[Conflict]:
    """What App Runner runs needs a way out."""
    if settings.web.platform == APP_RUNNER and settings.network.public_tasks:
        yield Conflict(
            "web.platform",
            "what App Runner runs has no public address, and so needs a way out for model "
            "providers, sign-in and mail; network.egress is none",
            f"set network.egress to natInstance, for one, or {CHOOSE_FARGATE}",
        )


def faults_of_size(settings: Settings) -> Iterator[Conflict]:
    """App Runner has other sizes than Fargate."""
    web = settings.web
    if web.platform != APP_RUNNER:
        return
    if web.cpu not in MEMORY_MIB:
        bound = f"App Runner has instances of {', '.join(map(str, MEMORY_MIB))} CPU units"
        yield Conflict("web.cpu", bound, f"choose one, or {CHOOSE_FARGATE}")
    elif web.memory not in MEMORY_MIB[web.cpu]:
        bound = (
            f"App Runner has {' or '.join(map(str, MEMORY_MIB[web.cpu]))} MiB with cpu {web.cpu}"
        )
        remedy = f"choose one of these sizes, another cpu, or {CHOOSE_FARGATE}"
        yield Conflict("web.memory", bound, remedy)


def faults_of_tasks(settings: Settings) -> Iterator[Conflict]:
    """App Runner runs fewer at the most."""
    if settings.web.platform == APP_RUNNER and settings.web.max_tasks > MAXIMUM_INSTANCES:
        bound = f"App Runner runs {MAXIMUM_INSTANCES} instances of a service at the most"
        yield Conflict("web.maxTasks", bound, f"lower it, or {CHOOSE_FARGATE}")


def faults_of_spot(settings: Settings) -> Iterator[Conflict]:
    """App Runner has no Spot."""
    if settings.web.platform == APP_RUNNER and settings.web.spot:
        yield Conflict("web.spot", "App Runner has no Spot", f"remove it, or {CHOOSE_FARGATE}")


def faults_of_architecture(settings: Settings) -> Iterator[Conflict]:
    """App Runner has one CPU."""
    if settings.web.platform == APP_RUNNER and settings.web.architecture != "x86_64":
        bound = "App Runner runs x86_64 only, and the migration runs the same image"
        yield Conflict("web.architecture", bound, f"remove it, or {CHOOSE_FARGATE}")


def faults_of_grafana(settings: Settings) -> Iterator[Conflict]:
    """Grafana has no way in beside App Runner."""
    if settings.grafana.enabled and settings.web.platform == APP_RUNNER:
        bound = "Grafana is at a path of the ingress, and web.platform appRunner has none"
        yield Conflict("grafana.enabled", bound, f"remove it, or {CHOOSE_FARGATE}")


def faults_of_certificates(settings: Settings) -> Iterator[Conflict]:
    """App Runner runs one container."""
    if settings.trusted_certificates is not None and settings.web.platform == APP_RUNNER:
        bound = "App Runner runs one container, and has no volume that another could write them to"
        yield Conflict("trustedCertificates", bound, f"remove it, or {CHOOSE_FARGATE}")


def faults_of_images(settings: Settings) -> Iterator[Conflict]:
    """App Runner pulls nothing through."""
    if settings.images.source != "mirror" and settings.web.platform == APP_RUNNER:
        bound = "App Runner pulls from ECR only, and what is there before it starts"
        yield Conflict("images.source", bound, f"set images.source to mirror, or {CHOOSE_FARGATE}")


CHECKS: Final = (
    faults_of_ingress,
    faults_of_network,
    faults_of_size,
    faults_of_tasks,
    faults_of_spot,
    faults_of_architecture,
    faults_of_grafana,
    faults_of_certificates,
    faults_of_images,
)


def missing_region(region: str) -> str | None:
    """Say that a region has no App Runner; None if it has."""
    if region in HOSTED_ZONES:
        return None
    return (
        f"langfuse:web.platform: App Runner is not in {region}. Choose fargate, or one of "
        f"{', '.join(sorted(HOSTED_ZONES))} as aws:region."
    )
