"""What the stack file says of one rotation, and how that is changed.

The file alone decides where a rotation goes on: whatever was done before may be done again.
"""

from dataclasses import dataclass
from typing import Final

from langfuse_aws.automation.cli.words import Target
from langfuse_aws.automation.engine.deployed import Deployed
from langfuse_aws.settings.rotation import Rotated, Step

DEPLOYED_TOO: Final = "Every other change that waits in the stack file is deployed with it."


@dataclass(frozen=True)
class Counter:
    """The keys of one rotation."""

    deployed: Deployed
    target: Target

    @property
    def rotated(self) -> Rotated:
        """What the file said when the stack was opened."""
        return getattr(self.deployed.settings.rotation, self.target)

    @property
    def next(self) -> int:
        """The version that the rotation leads to."""
        return self.rotated.version + 1

    @property
    def key(self) -> str:
        """What its keys in the stack file begin with."""
        return f"langfuse:rotation.{self.target}"

    def write(self, step: Step, version: int | None = None) -> None:
        """Say how far it is, and by the same stroke which version counts."""
        values = {"Step": step, **({} if version is None else {"Version": str(version)})}
        self.deployed.configure_all(
            {f"rotation.{self.target}{key}": value for key, value in values.items()}
        )

    def finish(self) -> None:
        """Say that it is through."""
        self.deployed.unset(f"rotation.{self.target}Step")

    def found(self, what: str) -> list[str]:
        """What to say first of a plan."""
        return [
            f"Stack {self.deployed.name} in {self.deployed.region}.",
            f"{what}, version {self.rotated.version}."
            if self.rotated.step is None
            else f"{what}: a rotation has begun ({self.key}Step is {self.rotated.step}), and goes "
            "on from there.",
            DEPLOYED_TOO,
        ]
