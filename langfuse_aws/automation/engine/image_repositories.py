"""Makes a stack's ECR repositories before the rest of the stack, for `images mirror` to fill.

They are the stack's own: the program that makes them registers the same component as the stack's
program, under the same URNs, and Pulumi touches nothing else. `destroy` takes them with the stack.
"""

from collections.abc import Callable, Mapping
from typing import Any

import pulumi
from pulumi import automation as auto

from langfuse_aws.automation.engine.stack_file import InvalidSettingsError
from langfuse_aws.automation.errors import UserError
from langfuse_aws.components.runtime.images import Images, ImagesArgs
from langfuse_aws.components.shared.location import Location
from langfuse_aws.components.shared.names import resource_prefix
from langfuse_aws.settings.loading import SettingsError, load, of_namespace
from langfuse_aws.settings.model import Settings
from langfuse_aws.settings.stack_images import images_of

Program = Callable[[], None]

COMPONENT = "langfuse:index:Images"
REPOSITORY = "aws:ecr/repository:Repository"


def settings_for_mirror(name: str, stack: auto.Stack) -> Settings:
    """Read the stack's settings. Raises UserError unless they ask for the mirror."""
    values = {key: each.value for key, each in stack.get_all_config().items()}
    try:
        settings = load(of_namespace(values))
    except SettingsError as error:
        raise InvalidSettingsError(name, error.problems) from error
    check_source(name, settings)
    return settings


def check_source(name: str, settings: Settings) -> None:
    """Raise UserError unless the settings ask for the mirror."""
    if settings.images.source != "mirror":
        raise UserError(
            f"stack {name}: langfuse:images.source is {settings.images.source}: nothing is "
            "mirrored. pulumi config set --path langfuse:images.source mirror "
            f"--stack {name}, then run the command again."
        )


def program(project: str, stack: str, settings: Settings, outputs: Mapping[str, Any]) -> Program:
    """The program that makes them, and exports again what the stack exports already."""

    def make() -> None:
        args = ImagesArgs(settings, Location.current(), to_be_filled=True)
        Images(resource_prefix(project, stack), args)
        for name, value in outputs.items():
            pulumi.export(name, value)

    return make


def targets(project: str, stack: str, settings: Settings) -> list[str]:
    """URNs of what it makes. What else there is, is neither changed nor deleted."""
    prefix, begin = resource_prefix(project, stack), f"urn:pulumi:{stack}::{project}::{COMPONENT}"
    repositories = [f"{begin}${REPOSITORY}::{prefix}-{image.name}" for image in images_of(settings)]
    return [f"{begin}::{prefix}", *repositories]
