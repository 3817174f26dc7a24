"""What the sections of a stack file must be to each other.

Each check is about one fault, and reads no more than that needs: where a value is wrong by itself,
its attribute is missing (`settings.known_part`), and the checks that read it say nothing.
"""

from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from typing import Final

from langfuse_aws.settings import app_runner, closed_network, lockout, messages, own_region, totals
from langfuse_aws.settings.app_runner import APP_RUNNER, CHOOSE_FARGATE
from langfuse_aws.settings.external_stores import (
    ExternalClickHouse,
    ExternalPostgres,
    ExternalRedis,
)
from langfuse_aws.settings.images import Images
from langfuse_aws.settings.model import Settings
from langfuse_aws.settings.rotation import NEVER, Rotated
from langfuse_aws.settings.section import Conflict
from langfuse_aws.settings.sign_in import SES_SINCE, SesMail
from langfuse_aws.settings.stores import ClickHouseOnEc2
from langfuse_aws.settings.versions import version_of

EXTRA_CERTIFICATES: Final = "NODE_EXTRA_CA_CERTS"
"""Node.js's variable for a file with more authorities."""

CERTIFICATE_NAME_LENGTH: Final = 64
"""Of the first name of a certificate that ACM makes, in characters.
https://docs.aws.amazon.com/acm/latest/APIReference/API_RequestCertificate.html"""


def doubts(settings: Settings, secrets: lockout.Own) -> list[str]:
    """What may not be meant, or not work, a line each; `secrets` are the secret variables."""
    return [
        *lockout.first_user_shut_out(settings, secrets),
        *(
            messages.conflict_message(conflict, settings)
            for conflict in totals.while_rolling(settings)
        ),
    ]


def conflicts(settings: Settings, *, complete: bool, region: str | None = None) -> list[Conflict]:
    """Everything that does not go together; without `complete`, of what of `settings` is right.

    Without a `region`, nothing is said about what is of one.
    """
    of_region = [partial(each, region=region) for each in own_region.CHECKS] if region else []
    found: dict[Conflict, None] = {}
    for check in (*CHECKS, *of_region):
        with suppress(*(() if complete else (AttributeError,))):
            found |= dict.fromkeys(check(settings))
    return list(found)


def _ingress_without_a_domain(settings: Settings) -> Iterator[Conflict]:
    kind = settings.ingress.kind
    if settings.domain is not None:
        return
    if kind == "alb":
        yield Conflict(
            "ingress.kind",
            "ingress.kind alb serves https and so needs a domain",
            "set langfuse:domain, or set ingress.kind to apiGateway, which has a name of its own",
        )
    elif kind == APP_RUNNER:
        yield Conflict(
            "ingress.kind",
            "App Runner tells its own name only once web runs, and web must know its URL before, "
            "so it needs a domain",
            f"set langfuse:domain, in a public hosted zone of Route 53, or {CHOOSE_FARGATE}",
        )
    elif settings.ingress.certificate_arn:
        yield Conflict(
            "ingress.certificateArn",
            "a certificate is for a domain, and none is set",
            "set langfuse:domain",
        )


def _zone_without_a_domain(settings: Settings) -> Iterator[Conflict]:
    zone = settings.ingress.hosted_zone
    if settings.domain is None and settings.ingress.kind == "apiGateway" and zone is not None:
        yield Conflict(
            "ingress.hostedZone",
            "the records in a zone are the domain's, and none is set",
            "set langfuse:domain, or remove it",
        )


def _name_of_the_certificate(settings: Settings) -> Iterator[Conflict]:
    domain = settings.domain
    if not domain or settings.ingress.kind == APP_RUNNER or settings.ingress.certificate_arn:
        return
    if len(domain) > CERTIFICATE_NAME_LENGTH:
        yield Conflict(
            "ingress.certificateArn",
            f"is not set, and ACM makes certificates for names of at most "
            f"{CERTIFICATE_NAME_LENGTH} characters: the domain {domain} has {len(domain)}",
            "choose a shorter langfuse:domain, or name a wildcard certificate that covers it",
        )


def _zone_of_the_domain(settings: Settings) -> Iterator[Conflict]:
    domain, zone = settings.domain, settings.ingress.hosted_zone
    if domain and zone and not f".{domain}".endswith(f".{zone}"):
        yield Conflict(
            "ingress.hostedZone",
            f"the domain {domain} is not in this zone",
            "name the public hosted zone that holds the domain",
        )


def _release_of_ses(settings: Settings) -> Iterator[Conflict]:
    if isinstance(settings.smtp, SesMail) and version_of(settings.release) < SES_SINCE:
        yield Conflict(
            "smtp.mode",
            f"Langfuse {settings.release} cannot send through SES",
            f"choose release {'.'.join(map(str, SES_SINCE))} or later, or smtp.mode smtp",
        )


def _adopted(settings: Settings, store: str, mode: str, adoptable: str) -> Iterator[Conflict]:
    if store in settings.adopted and mode != adoptable:
        yield Conflict(
            f"{store}.mode",
            f"langfuse:adopted names it, and only {adoptable} can be adopted",
            f"choose {adoptable}, or take {store} off langfuse:adopted",
        )


def _adopted_postgres(settings: Settings) -> Iterator[Conflict]:
    return _adopted(settings, "postgres", settings.postgres.mode, "auroraServerless")


def _adopted_redis(settings: Settings) -> Iterator[Conflict]:
    return _adopted(settings, "redis", settings.redis.mode, "elasticache")


def _zones_of_clickhouse(settings: Settings) -> Iterator[Conflict]:
    clickhouse = settings.clickhouse
    if isinstance(clickhouse, ClickHouseOnEc2):
        zones = settings.network.zone_count
        if zones < clickhouse.replicas:
            yield Conflict(
                "clickhouse.replicas",
                f"every server has a zone of its own, and the network has {zones}",
                "set langfuse:network.zones to 3, or list three subnets of an adopted VPC",
            )


def _reader_without_grafana(settings: Settings) -> Iterator[Conflict]:
    if settings.grafana.clickhouse_user is not None and not settings.grafana.enabled:
        yield _reader_without_a_use()


def _reader_of_its_own_clickhouse(settings: Settings) -> Iterator[Conflict]:
    external = isinstance(settings.clickhouse, ExternalClickHouse)
    if settings.grafana.clickhouse_user is not None and not external:
        yield _reader_without_a_use()


def _reader_without_a_use() -> Conflict:
    return Conflict(
        "grafana.clickhouseUser",
        "exists only for grafana.enabled true with clickhouse.mode external",
        "remove it; the stack's own ClickHouse gets a user by itself",
    )


def _reader_of_clickhouse(settings: Settings) -> Iterator[Conflict]:
    clickhouse = settings.clickhouse
    if not (settings.grafana.enabled and isinstance(clickhouse, ExternalClickHouse)):
        return
    user = settings.grafana.clickhouse_user
    if user is None:
        yield Conflict(
            "grafana.clickhouseUser",
            "an external ClickHouse needs a user that may only read",
            "make one as docs/grafana.md says, and name it here",
        )
    elif user == clickhouse.user:
        yield Conflict(
            "grafana.clickhouseUser",
            "this is Langfuse's own user, which may write",
            "name one that may only read; docs/grafana.md has the SQL",
        )


# ECR takes nothing from these registries without a user of theirs.
# https://docs.aws.amazon.com/AmazonECR/latest/userguide/pull-through-cache.html
def _secret_of_github(settings: Settings) -> Iterator[Conflict]:
    if settings.images.source == "pullThrough" and settings.images.github_secret_arn is None:
        yield _missing_secret("githubSecretArn")


def _secret_of_docker_hub_for_clickhouse(settings: Settings) -> Iterator[Conflict]:
    if _lacks_docker_hub(settings.images) and isinstance(settings.clickhouse, ClickHouseOnEc2):
        yield _missing_secret("dockerHubSecretArn")


def _secret_of_docker_hub_for_grafana(settings: Settings) -> Iterator[Conflict]:
    if _lacks_docker_hub(settings.images) and settings.grafana.enabled:
        yield _missing_secret("dockerHubSecretArn")


def _lacks_docker_hub(images: Images) -> bool:
    return images.source == "pullThrough" and images.docker_hub_secret_arn is None


def _missing_secret(key: str) -> Conflict:
    return Conflict(
        f"images.{key}",
        "is not set, and ECR pulls nothing through without a user of the registry",
        "make the secret as docs/images.md says, and put its ARN here",
    )


def _certificates_of_two(settings: Settings) -> Iterator[Conflict]:
    if settings.trusted_certificates is None:
        return
    for container in ("web", "worker"):
        if EXTRA_CERTIFICATES in getattr(settings, container).environment:
            yield Conflict(
                "trustedCertificates",
                f"{container}.environment has {EXTRA_CERTIFICATES} too, and Node.js reads one file",
                "remove one of them",
            )


def _hours_of_a_protected_stack(settings: Settings) -> Iterator[Conflict]:
    """A protected stack's senders count on it at night, too."""
    if settings.hours is not None and settings.deletion_protection:
        yield Conflict(
            "deletionProtection",
            "a stack that is protected does not sleep: what is sent at night is lost",
            "set it to false, or remove langfuse:hours",
        )


def _hours_of_app_runner(settings: Settings) -> Iterator[Conflict]:
    """App Runner has no schedule, and is charged by requests."""
    if settings.hours is not None and settings.web.platform == APP_RUNNER:
        yield Conflict(
            "web.platform",
            "App Runner cannot be put to sleep by a schedule",
            "set it to fargate, or remove langfuse:hours",
        )


def _hours_of_a_stack_with_copies(settings: Settings) -> Iterator[Conflict]:
    """AWS Backup copies a database at night, and cannot while it is stopped."""
    if settings.hours is not None and settings.backups.copy_region is not None:
        yield Conflict(
            "backups.copyRegion",
            "a stack with hours has no copies in a second region: AWS Backup takes them at night, "
            "from a database that runs",
            "remove it, or remove langfuse:hours",
        )


def _rotation_of_postgres(settings: Settings) -> Iterator[Conflict]:
    if isinstance(settings.postgres, ExternalPostgres):
        yield from _rotation_elsewhere("database", settings.rotation.database, "postgres")


def _rotation_of_redis(settings: Settings) -> Iterator[Conflict]:
    if isinstance(settings.redis, ExternalRedis):
        yield from _rotation_elsewhere("redis", settings.rotation.redis, "redis")


def _rotation_elsewhere(target: str, rotated: Rotated, store: str) -> Iterator[Conflict]:
    if rotated != NEVER:
        yield Conflict(
            f"rotation.{target}Version",
            f"the password of an external store is not the stack's, and {store}.mode is external",
            f"remove rotation.{target}Version and rotation.{target}Step",
        )


CHECKS: Final = (
    _ingress_without_a_domain,
    _zone_without_a_domain,
    _name_of_the_certificate,
    _zone_of_the_domain,
    *app_runner.CHECKS,
    *closed_network.CHECKS,
    _hours_of_a_protected_stack,
    _hours_of_app_runner,
    _hours_of_a_stack_with_copies,
    _zones_of_clickhouse,
    _adopted_postgres,
    _adopted_redis,
    _rotation_of_postgres,
    _rotation_of_redis,
    _release_of_ses,
    _reader_without_grafana,
    _reader_of_its_own_clickhouse,
    _reader_of_clickhouse,
    _secret_of_github,
    _secret_of_docker_hub_for_clickhouse,
    _secret_of_docker_hub_for_grafana,
    _certificates_of_two,
    *totals.CHECKS,
)
