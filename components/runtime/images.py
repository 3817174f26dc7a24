"""Creates the stack's ECR repositories, and tells what containers pull.

Before AWS makes anything it refuses images that are not locked, or not in ECR, for their CPU.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pulumi
import pulumi_aws as aws

from langfuse_aws.components.shared import iam
from langfuse_aws.components.shared.location import Location
from langfuse_aws.settings.image_lock import LOCK_FILE, Lock, problem, read_lock
from langfuse_aws.settings.images import DOCKER_HUB, GITHUB
from langfuse_aws.settings.installation import COMMAND, PROJECT
from langfuse_aws.settings.model import Settings
from langfuse_aws.settings.stack_images import Image, Name, images_of

KEPT_RELEASES: Final = 10
"""Tags that a repository keeps beside the deployed one."""

UPSTREAMS: Final[Mapping[str, tuple[str, str]]] = {
    GITHUB: ("ghcr", "ghcr.io"),
    DOCKER_HUB: ("hub", "registry-1.docker.io"),
}
"""What repositories of a registry begin with after the stack's prefix, at most 30 characters
together, and where ECR finds it.
https://docs.aws.amazon.com/AmazonECR/latest/userguide/pull-through-cache-creating-rule.html"""

MIRROR: Final = f"Run {COMMAND} images mirror --stack {{}}, and commit {LOCK_FILE}."


@dataclass(frozen=True)
class ContainerImage:
    """What a container pulls, and what it takes to pull it."""

    reference: str
    """`HOST/NAME:TAG`, with `@DIGEST` if the image is locked."""
    statements: Sequence[iam.Statement] = ()
    """What whoever pulls may do, beside what everybody may."""
    after: Sequence[pulumi.Resource] = field(default_factory=tuple[pulumi.Resource, ...])
    """What must be there before it can be pulled."""
    repository_arn: pulumi.Output[str] | None = None
    """Its repository, if that is in ECR."""


@dataclass(frozen=True)
class ImagesArgs:
    """What the images are made from."""

    settings: Settings
    location: Location
    folder: Path = PROJECT
    """Where the lock is."""
    to_be_filled: bool = False
    """Make the repositories alone, which `images mirror` then copies into."""


class Images(pulumi.ComponentResource):
    """The repositories, one for each image, and the rules by which ECR fills them itself."""

    def __init__(
        self, name: str, args: ImagesArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("langfuse:index:Images", name, None, opts)
        self._prefix, self._source = name, args.settings.images.source
        self._images = {image.name: image for image in images_of(args.settings)}
        self._lock: Lock = {} if args.to_be_filled else self._checked_lock(args.folder)
        self._repositories: dict[str, aws.ecr.Repository] = {}
        self._rules: dict[str, aws.ecr.PullThroughCacheRule] = {}
        if self._source != "upstream":
            self._host = _registry_host(args.location, self)
            if self._source == "mirror" and not args.to_be_filled:
                self._check_ecr()
            self._make(args)
        self.register_outputs({})

    def __getitem__(self, name: Name) -> ContainerImage:
        """The image of a container. KeyError if the settings have no use for it."""
        image = self._images[name]
        locked = self._lock.get(image.reference)
        digest = locked.digest if locked else image.digest
        pinned = f":{image.tag}@{digest}" if digest else f":{image.tag}"
        if self._source == "upstream":
            return ContainerImage(f"{image.registry}/{image.repository}{pinned}")
        repository = self._repositories[name]
        rules = [self._rules[image.registry]] if self._rules else []
        return ContainerImage(
            f"{self._host}/{self._repository(image)}{pinned}",
            iam.pull_image(repository.arn, through=bool(rules)),
            [repository, *rules],
            repository.arn,
        )

    def _repository(self, image: Image) -> str:
        """Name the image's repository: it is the stack's own, so that a stack can be destroyed."""
        if self._source == "mirror":
            return mirror_repository(self._prefix, image)
        return f"{self._prefix}/{UPSTREAMS[image.registry][0]}/{image.repository}"

    def _checked_lock(self, folder: Path) -> Lock:
        try:
            lock = read_lock(folder / LOCK_FILE)
        except ValueError as error:
            raise pulumi.RunError(str(error)) from None
        problems = [found for each in self._images.values() if (found := problem(each, lock))]
        if self._source == "mirror":
            unlocked = [each for each in self._images.values() if each.reference not in lock]
            problems += [
                f"{each.reference}: is needed for {' and '.join(each.services)}, and not in "
                f"{LOCK_FILE}. {MIRROR.format(pulumi.get_stack())}"
                for each in unlocked
            ]
        _refuse(problems)
        return lock

    def _check_ecr(self) -> None:
        """Ask ECR for what the tasks' CPUs will pull: the index, and the image it leads to."""
        problems: list[str] = []
        for image in self._images.values():
            locked = self._lock[image.reference]
            wanted = {locked.digest: "the index", locked.platforms[image.architecture]: "the image"}
            for digest, what in wanted.items():
                repository = self._repository(image)
                try:
                    aws.ecr.get_image(
                        repository_name=repository,
                        image_digest=digest,
                        opts=pulumi.InvokeOptions(parent=self),
                    )
                except Exception as error:  # the SDK has no narrower one
                    said = " ".join(str(error).split()).rpartition("aws:ecr/getImage:getImage: ")[2]
                    problems.append(
                        f"{image.reference}: ECR has not got {what} for {image.architecture}, "
                        f"{digest}, in {repository} ({said}). {MIRROR.format(pulumi.get_stack())}"
                    )
                    break
        _refuse(problems)

    def _make(self, args: ImagesArgs) -> None:
        child = pulumi.ResourceOptions(parent=self)
        protected = args.settings.deletion_protection
        for name, image in self._images.items():
            self._repositories[name] = repository = aws.ecr.Repository(
                f"{self._prefix}-{name}",
                name=self._repository(image),
                image_tag_mutability="IMMUTABLE",
                image_scanning_configuration={"scan_on_push": True},
                encryption_configurations=[{"encryption_type": "AES256"}],
                force_delete=not protected,
                opts=pulumi.ResourceOptions(parent=self, protect=protected),
            )
            # What runs must not expire because the next release is being mirrored.
            if not args.to_be_filled:
                aws.ecr.LifecyclePolicy(
                    f"{self._prefix}-{name}",
                    repository=repository.name,
                    policy=json.dumps(lifecycle(image.tag), sort_keys=True),
                    opts=child,
                )
        if self._source == "pullThrough":
            secrets = args.settings.images.secret_arns
            for registry in sorted({image.registry for image in self._images.values()}):
                prefix, url = UPSTREAMS[registry]
                self._rules[registry] = aws.ecr.PullThroughCacheRule(
                    f"{self._prefix}-{prefix}",
                    ecr_repository_prefix=f"{self._prefix}/{prefix}",
                    upstream_registry_url=url,
                    credential_arn=secrets[registry],
                    opts=child,
                )


def mirror_repository(prefix: str, image: Image) -> str:
    """Name the ECR repository that holds the mirror of an image."""
    return f"{prefix}/{image.repository.rpartition('/')[2]}"


def lifecycle(deployed: str) -> dict[str, object]:
    """Build the policy that keeps the deployed tag and the last KEPT_RELEASES others.

    An image that one rule matches, no rule of lower priority expires; nor does ECR expire what an
    index refers to. https://docs.aws.amazon.com/AmazonECR/latest/userguide/lifecycle_policy_parameters.html
    """

    def rule(priority: int, description: str, pattern: str, kept: int) -> dict[str, object]:
        return {
            "rulePriority": priority,
            "description": description,
            "selection": {
                "tagStatus": "tagged",
                "tagPatternList": [pattern],
                "countType": "imageCountMoreThan",
                "countNumber": kept,
            },
            "action": {"type": "expire"},
        }

    return {
        "rules": [
            rule(1, "Keep the deployed release", deployed, 1),
            rule(2, f"Keep the last {KEPT_RELEASES} others", "*", KEPT_RELEASES),
        ]
    }


def _registry_host(location: Location, parent: pulumi.Resource) -> str:
    invoke_opts = pulumi.InvokeOptions(parent=parent)
    account = aws.get_caller_identity(opts=invoke_opts).account_id
    suffix = aws.get_partition(opts=invoke_opts).dns_suffix
    return f"{account}.dkr.ecr.{location.region}.{suffix}"


def _refuse(problems: Sequence[str]) -> None:
    if problems:
        lines = "\n".join(f"  {problem}" for problem in problems)
        raise pulumi.RunError(f"langfuse:images: nothing was changed:\n{lines}")
