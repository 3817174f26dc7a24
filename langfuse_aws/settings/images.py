"""The `images` section: where the containers' images are pulled from."""

from typing import Annotated, Final, Literal

from pydantic import Field, ValidationInfo, field_validator

from langfuse_aws.settings.section import Form, Section, invalid

DOCKER_HUB: Final = "docker.io"
GITHUB: Final = "ghcr.io"

SecretArn = Annotated[
    str,
    # ECR asks for this prefix of the secret's name.
    # https://docs.aws.amazon.com/AmazonECR/latest/userguide/pull-through-cache-creating-secret.html
    Form(
        r"^arn:[^:]+:secretsmanager:[^:]+:[0-9]{12}:secret:ecr-pullthroughcache/.+$",
        "must be the ARN of a secret of Secrets Manager whose name begins with "
        "ecr-pullthroughcache/",
        "see aws secretsmanager list-secrets, which shows the ARNs",
    ),
]


class Images(Section):
    """Where the containers' images are pulled from."""

    source: Literal["upstream", "mirror", "pullThrough"] = Field(
        "upstream",
        description="`upstream`: Docker Hub and GHCR; `mirror`: copies in ECR, made by "
        "`python3 -m automation images mirror`; `pullThrough`: ECR fetches what is asked for. See "
        "docs/images.md",
    )
    github_secret_arn: SecretArn | None = Field(
        None,
        description="Secret `ecr-pullthroughcache/…` with a GitHub user's `username` and "
        "`accessToken`, for Langfuse's images (source pullThrough)",
    )
    docker_hub_secret_arn: SecretArn | None = Field(
        None,
        description="The same of a Docker Hub user, for ClickHouse's and Grafana's images (source "
        "pullThrough)",
    )

    @field_validator("github_secret_arn", "docker_hub_secret_arn")
    @classmethod
    def _only_to_pull_through(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is not None and info.data.get("source") in ("upstream", "mirror"):
            raise invalid(
                "exists only for images.source pullThrough", "remove it, or choose pullThrough"
            )
        return value

    @property
    def secret_arns(self) -> dict[str, str | None]:
        """The secret of each registry that is pulled through."""
        return {GITHUB: self.github_secret_arn, DOCKER_HUB: self.docker_hub_secret_arn}
