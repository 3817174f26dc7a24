"""Creates the managed stores, PostgreSQL, Valkey and S3, and Langfuse's own secrets."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import pulumi
import pulumi_random as random

from langfuse_aws.components.data_plane.bootstrap import Bootstrap, BootstrapArgs
from langfuse_aws.components.data_plane.postgres import Postgres, PostgresArgs
from langfuse_aws.components.data_plane.storage import Storage, StorageArgs
from langfuse_aws.components.data_plane.valkey import Redis, RedisArgs
from langfuse_aws.components.shared.location import Location
from langfuse_aws.components.shared.metrics import MetricDimensions
from langfuse_aws.components.shared.security_groups import IngressRule
from langfuse_aws.components.shared.stored_secret import (
    SecretReference,
    StoredSecret,
    StoredSecretArgs,
)
from langfuse_aws.components.shared.versioned_password import versioned_password
from langfuse_aws.settings.model import Settings
from langfuse_aws.settings.rotation import Rotated
from langfuse_aws.settings.secret_keys import ENVIRONMENT_KEY, PROVIDERS_KEY, SMTP_KEY
from langfuse_aws.settings.stack import Secrets

ENCRYPTION_KEY_BYTES: Final = 32
"""Langfuse wants 64 hexadecimal digits: AES-256."""

NEXTAUTH_LENGTH: Final = 43


@dataclass(frozen=True)
class DataPlaneArgs:
    """What the data plane is made from."""

    settings: Settings
    location: Location
    vpc_id: pulumi.Input[str]
    subnet_ids: pulumi.Input[Sequence[str]]
    origin: pulumi.Input[str]
    """Origin of Langfuse's user interface."""
    secrets: Secrets
    access_logs: pulumi.Output[str]
    """Name of the bucket that is told of each request to Langfuse's."""


class DataPlane(pulumi.ComponentResource):
    """The stores, and references to every secret a container needs."""

    postgres: Postgres
    """The database."""
    redis: Redis
    """The cache and queue."""
    storage: Storage
    """The bucket."""
    salt: SecretReference
    """Hashes API keys; must never change."""
    encryption_key: SecretReference
    """Encrypts model providers' keys; must never change."""
    nextauth_secret: SecretReference
    """Signs sessions."""
    environment: Mapping[str, SecretReference]
    """The stack file's own secret variables."""
    bootstrap: Bootstrap | None
    """The first API keys and the first user's password."""
    providers: Mapping[str, SecretReference]
    """Client secrets of `auth.providers`."""
    smtp_url: SecretReference | None
    """URL of the SMTP server."""

    def __init__(
        self, name: str, args: DataPlaneArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("langfuse:index:DataPlane", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        settings, protected = args.settings, args.settings.deletion_protection
        self.postgres = Postgres(
            f"{name}-postgres",
            PostgresArgs(
                settings=settings.postgres,
                vpc_id=args.vpc_id,
                subnet_ids=args.subnet_ids,
                protected=protected,
                replaceable=f"{name}-postgres" in settings.allow_replace,
                password=args.secrets.passwords.get("postgres"),
                location=args.location,
                hours=settings.hours,
                rotation=settings.rotation.database,
            ),
            child,
        )
        self.redis = Redis(
            f"{name}-redis",
            RedisArgs(
                settings=settings.redis,
                vpc_id=args.vpc_id,
                subnet_ids=args.subnet_ids,
                protected=protected,
                replaceable=f"{name}-redis" in settings.allow_replace,
                password=args.secrets.passwords.get("redis"),
                rotation=settings.rotation.redis,
            ),
            child,
        )
        self.storage = Storage(
            f"{name}-storage",
            StorageArgs(
                settings=settings.storage,
                origin=args.origin,
                protected=protected,
                access_logs=args.access_logs,
            ),
            child,
        )
        self._make_keys(name, protected, settings.rotation.nextauth, child)
        given, store = args.secrets, partial(_store, name, protected, child)
        self.environment = store("environment", ENVIRONMENT_KEY, given.environment)
        self.providers = store("auth", PROVIDERS_KEY, given.providers)
        url = {} if given.smtp_url is None else {"url": given.smtp_url}
        self.smtp_url = store("smtp", SMTP_KEY, url).get("url")
        self.bootstrap = None
        if settings.bootstrap is not None:
            self.bootstrap = Bootstrap(
                f"{name}-bootstrap", BootstrapArgs(settings.bootstrap, name, protected), child
            )
        self.register_outputs({})

    @property
    def ingress_rules(self) -> dict[str, IngressRule]:
        """Where consumers of the stores are let in."""
        return {**self.postgres.ingress_rules, **self.redis.ingress_rules}

    @property
    def metric_dimensions(self) -> MetricDimensions:
        """What CloudWatch calls the stores."""
        return {
            **self.postgres.metric_dimensions,
            **self.redis.metric_dimensions,
            **self.storage.metric_dimensions,
        }

    def _make_keys(
        self, name: str, protected: bool, rotation: Rotated, child: pulumi.ResourceOptions
    ) -> None:
        kept = pulumi.ResourceOptions(parent=self, protect=protected)
        sessions = versioned_password(
            f"{name}-nextauth-secret", "NEXTAUTH_SECRET", rotation.version, NEXTAUTH_LENGTH, kept
        )
        values = {
            "SALT": random.RandomPassword(
                f"{name}-salt", length=43, special=False, opts=kept
            ).result,
            "ENCRYPTION_KEY": random.RandomBytes(
                f"{name}-encryption-key", length=ENCRYPTION_KEY_BYTES, opts=kept
            ).hex,
            **sessions.values,
        }
        secret = StoredSecret(
            f"{name}-keys", StoredSecretArgs("Langfuse's own keys", values, protected), child
        )
        self.salt = secret.reference("SALT")
        self.encryption_key = secret.reference("ENCRYPTION_KEY")
        self.nextauth_secret = secret.reference(sessions.key)


def superseded_passwords(name: str, settings: Settings) -> list[str]:
    """Name the passwords of which there is another by now: what was guarded may go."""
    rotation = settings.rotation
    of = {
        f"{name}-postgres-password": rotation.database,
        f"{name}-redis-token": rotation.redis,
        f"{name}-nextauth-secret": rotation.nextauth,
    }
    return [password for password, rotated in of.items() if rotated.version > 1]


def _store(
    name: str,
    protected: bool,
    opts: pulumi.ResourceOptions,
    label: str,
    key: str,
    values: Mapping[str, pulumi.Output[str]],
) -> dict[str, SecretReference]:
    """Store what the secret key `key` of the stack file holds, if it holds anything."""
    if not values:
        return {}
    args = StoredSecretArgs(f"langfuse:{key}", values, protected, renewable=True)
    secret = StoredSecret(f"{name}-{label}", args, opts)
    return {value: secret.reference(value) for value in values}
