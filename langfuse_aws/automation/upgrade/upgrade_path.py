"""Upgrade paths: whether a stack can go from its release to another, and the traps between them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from langfuse_aws.automation.errors import CommandLineError, UserError
from langfuse_aws.contract.metrics import publishes
from langfuse_aws.contract.release_traps import Concern, Trap, Version, between, dotted
from langfuse_aws.graph.model import Resource, ResourceGraph
from langfuse_aws.graph.resource_types import ECS_SERVICE, TASK_DEFINITION
from langfuse_aws.settings.installation import COMMAND
from langfuse_aws.settings.model import Settings
from langfuse_aws.settings.versions import version_of

CONCERNS: Final[Mapping[Concern, Callable[[Settings], bool]]] = {
    "all": lambda _: True,
    "backfill": lambda settings: settings.backfills,
    "events_only": lambda settings: settings.write_mode == "events_only",
    "external store": lambda settings: any(
        each.mode == "external" for each in (settings.clickhouse, settings.postgres, settings.redis)
    ),
    "queue metrics": lambda settings: publishes(settings.worker.environment),
}
"""Which settings each kind of trap is about."""


@dataclass(frozen=True)
class Running:
    """What a stack runs, by its state."""

    release: Version
    """Of the worker."""
    migrated: Version
    """Whose migrations the databases have had, or may have had if they were cut off."""
    finished: bool = True
    """Whether the worker's service takes its tasks from that definition: an update that failed at
    the migration has made the definition, and left the service with the one before."""

    @classmethod
    def of(cls, name: str, prefix: str, graph: ResourceGraph) -> "Running":
        """Read the images of the task definitions. UserError if there is no worker."""
        definitions = {each.name: each for each in graph.of_type(TASK_DEFINITION)}
        images = {
            part: _image(definitions.get(f"{prefix}-{part}")) for part in ("worker", "migration")
        }
        if not images["worker"]:
            raise UserError(f"stack {name}: no worker is deployed: pulumi up first.")
        worker = _release(images["worker"])
        migration = images["migration"]
        migrated = max(worker, _release(migration)) if migration else worker
        service = next(
            (each for each in graph.of_type(ECS_SERVICE) if each.name == f"{prefix}-worker"), None
        )
        made = definitions[f"{prefix}-worker"].outputs.get("arn")
        finished = service is None or service.outputs.get("taskDefinition") == made
        return cls(worker, migrated, finished)


def checked_release(release: str) -> Version:
    """Its numbers. CommandLineError if it is not an exact release."""
    try:
        return version_of(release)
    except ValueError:
        raise CommandLineError(
            f"{release}: is not an exact release, as 4.17.0 is. "
            "https://github.com/langfuse/langfuse/releases has them."
        ) from None


def traps(name: str, running: Running, settings: Settings) -> Sequence[Trap]:
    """The traps on the way to the settings' release. UserError if there is no way."""
    target = settings.version
    if target < running.migrated:
        raise UserError(
            f"stack {name}: its databases have had migrations of Langfuse "
            f"{dotted(running.migrated)}, and an older one does not start on them. Go forward, or "
            f"restore both databases first (docs/upgrade.md, Never back); nothing goes back to "
            f"{dotted(target)} otherwise."
        )
    found = [each for each in between(running.release, target) if CONCERNS[each.concerns](settings)]
    for each in found:
        if each.runs_first and running.release < each.runs_first:
            first = dotted(each.runs_first)
            raise UserError(
                f"stack {name}: runs Langfuse {dotted(running.release)}, and {first} or later must "
                f"run before {dotted(each.release)}. {each.trap} {each.remedy} Now: {COMMAND} "
                f"upgrade {first} --stack {name}. {each.source}"
            )
    return [each for each in found if each.runs_first is None]


def _image(definition: Resource | None) -> str:
    """The image that a task definition's tag tells; empty without one."""
    tags: Any = definition.inputs.get("tags") if definition else None
    return str(tags["Image"]) if tags else ""


def _release(image: str) -> Version:
    """The release of `HOST/NAME:TAG` or `HOST/NAME:TAG@DIGEST`."""
    return version_of(image.partition("@")[0].rpartition(":")[2])
