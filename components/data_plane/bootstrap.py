"""Creates the first API keys and the first user's password. Langfuse makes the rest of them."""

from dataclasses import dataclass
from typing import Final, TypeVar

import pulumi
import pulumi_random as random

from langfuse_aws.components.environment import Environment
from langfuse_aws.components.shared.stored_secret import (
    RotatedPassword,
    SecretReference,
    StoredSecret,
    StoredSecretArgs,
)
from langfuse_aws.settings.model import Bootstrap as BootstrapSettings

Value = TypeVar("Value")
Reference = TypeVar("Reference")

PUBLIC_KEY_PREFIX: Final = "pk-lf-"
SECRET_KEY_PREFIX: Final = "sk-lf-"  # noqa: S105 -- what every key begins with


def first_start(
    bootstrap: BootstrapSettings,
    identifier: str,
    public_key: Value,
    secret_key: Reference,
    user_password: Reference,
) -> Environment[Value, Reference]:
    """Build the variables of web's first start.

    Langfuse makes what is not there, by its ID, and changes nothing that is there; so the IDs are
    the stack's, whatever the names are. Keys with another public key are added to the project.
    https://langfuse.com/self-hosting/administration/headless-initialization

    `identifier` is the ID of the organization and of the project.
    """
    return Environment(
        plain={
            "LANGFUSE_INIT_ORG_ID": identifier,
            "LANGFUSE_INIT_ORG_NAME": bootstrap.organization,
            "LANGFUSE_INIT_PROJECT_ID": identifier,
            "LANGFUSE_INIT_PROJECT_NAME": bootstrap.project,
            "LANGFUSE_INIT_PROJECT_PUBLIC_KEY": public_key,
            "LANGFUSE_INIT_USER_EMAIL": bootstrap.user_email,
        },
        secret={
            "LANGFUSE_INIT_PROJECT_SECRET_KEY": secret_key,
            "LANGFUSE_INIT_USER_PASSWORD": user_password,
        },
    )


SECRET_KEY_CHARACTERS: Final = 40
PASSWORD_CHARACTERS: Final = 24

PASSWORD_SPECIALS: Final = "-_.!"  # noqa: S105 -- an alphabet
"""Langfuse's own form wants a special character; these need no quotes in a shell."""


@dataclass(frozen=True)
class BootstrapArgs:
    """What the keys and the password are made from."""

    settings: BootstrapSettings
    identifier: str
    """ID of the organization and of the project."""
    protected: bool


class Bootstrap(pulumi.ComponentResource):
    """A secret with the first keys and the first password.

    Nothing else depends on them, and Langfuse can make others: they may be replaced and deleted
    even in a protected stack, where Secrets Manager keeps a deleted secret for its recovery window.
    """

    identifier: str
    """ID of the organization and of the project."""
    public_key: pulumi.Output[str]
    """The project's public key, `pk-lf-` and a UUID."""
    secret_arn: pulumi.Output[str]
    """ARN of the secret: JSON with `public_key`, `secret_key` and `user_password`."""
    environment: Environment[pulumi.Input[str], SecretReference]
    """Variables of web that have Langfuse make all of it."""

    def __init__(
        self, name: str, args: BootstrapArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("langfuse:index:Bootstrap", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        version = {"keyVersion": str(args.settings.key_version)}
        public = random.RandomUuid(f"{name}-public-key", keepers=version, opts=child)
        key = RotatedPassword(
            f"{name}-secret-key",
            length=SECRET_KEY_CHARACTERS,
            special=False,
            keepers=version,
            opts=child,
        )
        password = RotatedPassword(
            f"{name}-user-password",
            length=PASSWORD_CHARACTERS,
            override_special=PASSWORD_SPECIALS,
            min_lower=1,
            min_upper=1,
            min_numeric=1,
            min_special=1,
            opts=child,
        )
        self.public_key = pulumi.Output.concat(PUBLIC_KEY_PREFIX, public.result)
        stored = StoredSecret(
            name,
            StoredSecretArgs(
                "Langfuse's first API keys, and the first user's password",
                {
                    "public_key": self.public_key,
                    "secret_key": pulumi.Output.concat(SECRET_KEY_PREFIX, key.result),
                    "user_password": password.result,
                },
                args.protected,
                renewable=True,
            ),
            child,
        )
        self.identifier, self.secret_arn = args.identifier, stored.arn
        self.environment = first_start(
            args.settings,
            args.identifier,
            self.public_key,
            stored.reference("secret_key"),
            stored.reference("user_password"),
        )
        self.register_outputs({"publicKey": self.public_key, "secretArn": self.secret_arn})
