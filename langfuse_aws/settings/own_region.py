"""What a stack file names of one region, beside the region that the stack is in. Pure.

A service takes certificates, keys, secrets and snapshots of its own region alone, and AWS says so
when it makes what uses them, after much else.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from langfuse_aws.settings.section import Conflict
from langfuse_aws.settings.sign_in import SesMail
from langfuse_aws.settings.stores import AuroraPostgres, PostgresInstance

if TYPE_CHECKING:
    from langfuse_aws.settings.model import Settings


def _copies(settings: Settings, region: str) -> Iterator[Conflict]:
    if settings.backups.copy_region == region:
        bound = "is the region of the stack itself"
        yield Conflict("backups.copyRegion", bound, "name another one")


# https://docs.aws.amazon.com/kms/latest/developerguide/services-s3.html
def _key(settings: Settings, region: str) -> Iterator[Conflict]:
    yield from _elsewhere("encryption", region, settings.encryption, "a KMS key")


# https://docs.aws.amazon.com/acm/latest/userguide/acm-regions.html
def _certificate(settings: Settings, region: str) -> Iterator[Conflict]:
    arn = settings.ingress.certificate_arn
    yield from _elsewhere("ingress.certificateArn", region, arn, "a certificate")


# https://docs.aws.amazon.com/AmazonECR/latest/userguide/pull-through-cache-creating-secret.html
def _secret_of_github(settings: Settings, region: str) -> Iterator[Conflict]:
    arn = settings.images.github_secret_arn
    yield from _elsewhere("images.githubSecretArn", region, arn, "a secret")


def _secret_of_docker_hub(settings: Settings, region: str) -> Iterator[Conflict]:
    arn = settings.images.docker_hub_secret_arn
    yield from _elsewhere("images.dockerHubSecretArn", region, arn, "a secret")


# https://docs.aws.amazon.com/ses/latest/dg/regions.html
def _mail(settings: Settings, region: str) -> Iterator[Conflict]:
    if isinstance(settings.smtp, SesMail):
        for arn in settings.smtp.resource_arns:
            yield from _elsewhere("smtp.resourceArns", region, arn, "an identity")


# https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_CopySnapshot.html
def _snapshot(settings: Settings, region: str) -> Iterator[Conflict]:
    postgres = settings.postgres
    if isinstance(postgres, AuroraPostgres | PostgresInstance):
        name = postgres.snapshot_identifier
        yield from _elsewhere("postgres.snapshotIdentifier", region, name, "a snapshot")


def _elsewhere(path: str, region: str, name: str | None, what: str) -> Iterator[Conflict]:
    prefix, *parts = (name or "").split(":", 4)
    if prefix == "arn" and len(parts) > 3 and parts[2] != region:
        yield Conflict(
            path,
            f"is of {parts[2]}, the stack is in {region}, and {what} serves its own region alone",
            f"name one of {region}",
        )


CHECKS: Final = (
    _copies,
    _key,
    _certificate,
    _secret_of_github,
    _secret_of_docker_hub,
    _mail,
    _snapshot,
)
"""Each is about one fault, as those of `settings.agreement`."""
