"""Creates a secret with values by chance, which nobody misses when they are gone.

Stores and Langfuse keep what is encrypted or opened with theirs; whoever uses these learns other
ones at the next start. So neither protection nor the replacement guard holds them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import pulumi

from langfuse_aws.components.shared.stored_secret import (
    RotatedPassword,
    SecretReference,
    StoredSecret,
    StoredSecretArgs,
)

LENGTH: Final = 32


@dataclass(frozen=True)
class GeneratedSecretArgs:
    """What a generated secret is made from."""

    description: str
    keys: Sequence[str]
    """Names of its values."""


class GeneratedSecret(pulumi.ComponentResource):
    """Values of letters and digits, and the secret that holds them."""

    arn: pulumi.Output[str]
    """ARN of the secret, known once it has its values."""

    def __init__(
        self, name: str, args: GeneratedSecretArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("langfuse:index:GeneratedSecret", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        values = {
            key: RotatedPassword(f"{name}-{key}", length=LENGTH, special=False, opts=child).result
            for key in args.keys
        }
        secret = StoredSecret(name, StoredSecretArgs(args.description, values, False), child)
        self.arn = secret.arn
        self.register_outputs({"arn": self.arn})

    def reference(self, key: str) -> SecretReference:
        """One value, to be handed to a container."""
        return SecretReference(self.arn, key)
