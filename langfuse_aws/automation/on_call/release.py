"""Finding on the release: the one that the last `up` deployed, and the one that the stack asks for.

Web's migration task has web's image on every platform, so it tells the release.
"""

from collections.abc import Iterator
from functools import partial

from langfuse_aws.automation.on_call import images
from langfuse_aws.automation.on_call.ecs_services import SECTION
from langfuse_aws.automation.on_call.findings import Finding, Reading
from langfuse_aws.automation.on_call.running_stack import RunningStack
from langfuse_aws.graph.resource_types import TASK_DEFINITION


def release_reading(stack: RunningStack) -> Iterator[Reading]:
    """One, which asks nobody but the state and the settings."""
    yield Reading(SECTION, "release", partial(_release, stack))


def _release(stack: RunningStack) -> Iterator[Finding]:
    definition = stack.by_part(TASK_DEFINITION).get("migration")
    deployed = images.wanted(definition, "migration").release
    asked = stack.deployed.settings.release
    text = f"Langfuse {deployed}"
    if deployed != asked:
        text += f"; the stack asks for {asked}, which the next pulumi up deploys"
    facts = {"deployed": deployed, "asked": asked}
    yield Finding(SECTION, "release", "ok", text, facts=facts)
