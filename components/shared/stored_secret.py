"""Creates one Secrets Manager secret that holds several values as JSON."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_aws as aws
import pulumi_random as random

RECOVERY_DAYS: Final = 30
"""Secrets Manager's longest recovery window; without protection a secret goes at once."""


class RotatedPassword(random.RandomPassword):
    """A generated password that no data depends on: any other would do, so nothing guards it."""


@dataclass(frozen=True)
class SecretReference:
    """One value of a secret, as a task definition names it."""

    secret_arn: pulumi.Output[str]
    key: str

    @property
    def value_from(self) -> pulumi.Output[str]:
        """Build `arn:…:secret:name-AbCdEf:key::`, the form of `secrets[].valueFrom`."""
        return pulumi.Output.concat(self.secret_arn, ":", self.key, "::")


@dataclass(frozen=True)
class StoredSecretArgs:
    """What a stored secret is made from."""

    description: str
    values: Mapping[str, pulumi.Input[str]]
    protected: bool
    renewable: bool = False
    """Whether the values may change and go: they are the user's own, or any others would do."""


class StoredSecret(pulumi.ComponentResource):
    """A secret and its current version."""

    arn: pulumi.Output[str]
    """ARN of the secret, known once it has a value."""

    def __init__(
        self, name: str, args: StoredSecretArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("langfuse:index:StoredSecret", name, None, opts)
        secret = aws.secretsmanager.Secret(
            name,
            description=args.description,
            recovery_window_in_days=RECOVERY_DAYS if args.protected else 0,
            opts=pulumi.ResourceOptions(parent=self, protect=args.protected and not args.renewable),
        )
        version = aws.secretsmanager.SecretVersion(
            name,
            secret_id=secret.id,
            secret_string=pulumi.Output.json_dumps(dict(args.values)),
            # A new value is a new version, and Secrets Manager keeps the one before.
            opts=pulumi.ResourceOptions(parent=self),
        )
        # Not the version's own id: a new value has an unknown one until it is stored, and then a
        # preview would show every task that reads the secret as changed.
        known = pulumi.Output.all(secret.arn, version.secret_id)
        self.arn = known.apply(lambda values: values[0])
        self.register_outputs({"arn": self.arn})

    def reference(self, key: str) -> SecretReference:
        """One value, to be handed to a container."""
        return SecretReference(self.arn, key)


def external_password(
    name: str,
    key: str,
    password: pulumi.Output[str] | None,
    protected: bool,
    opts: pulumi.ResourceOptions,
) -> SecretReference:
    """Store the password of an external store below `key`; settings have seen that there is one."""
    if password is None:
        raise ValueError(f"{name}: settings promise a password for an external store")
    args = StoredSecretArgs(
        "Password of an external store", {key: password}, protected, renewable=True
    )
    return StoredSecret(f"{name}-credentials", args, opts).reference(key)
