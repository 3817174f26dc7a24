"""Deploys a stack's base and then its head, offline, to learn what the change does.

The engine itself tells what is created, updated and replaced. Its protection, AWS's own and the
replacement guard are lifted in the scratch stack, because a reviewer wants to see above all what
they refuse.
"""

import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal, cast

from langfuse_aws.automation.engine.offline_workspace import read_stack, stacks, write_yaml
from langfuse_aws.automation.engine.waiting import waits
from langfuse_aws.automation.errors import MistakesError, UserError
from langfuse_aws.automation.stack import LangfuseStack
from langfuse_aws.components.protection.replacement_guard import REPLACEMENT_INPUTS
from langfuse_aws.cost.bill import IdleCost, idle_cost, region_of
from langfuse_aws.graph.model import Resource, ResourceGraph, has_unknown
from langfuse_aws.graph.preview import Preview, Step
from langfuse_aws.graph.resource_types import TASK_DEFINITION
from langfuse_aws.offline.serving import shared_aws
from langfuse_aws.review.difference import Difference, difference
from langfuse_aws.settings.versions import version_of

ALLOW_REPLACE: Final = "langfuse:allowReplace"
RELEASE: Final = "langfuse:release"
DEFAULT_RELEASE: Final = re.compile(r'^LANGFUSE: Final = "(\d+\.\d+\.\d+)"$', re.MULTILINE)
"""In one of a program's VERSIONS."""
VERSIONS: Final = ("langfuse_aws/settings/versions.py", "langfuse_aws/settings/releases.py")
"""The second in commits before December 2026."""
DOCUMENTS: Final[Mapping[str, str]] = {
    TASK_DEFINITION: "containerDefinitions",
    "aws:iam/rolePolicy:RolePolicy": "policy",
    "aws:s3/bucketPolicy:BucketPolicy": "policy",
}
"""Inputs that are told in detail, and that a preview may not know yet."""


FINAL_NAMES: Final = frozenset({"finalSnapshotIdentifier"})
"""Inputs that `protection.snapshots` names anew while a store may be replaced."""


@dataclass(frozen=True)
class Sources:
    """The two programs."""

    base: Path
    head: Path

    def stacks(self) -> list[str]:
        """Every stack that has a file on one side or the other."""
        return sorted({*stacks(self.base), *stacks(self.head)})

    def has(self, side: Literal["base", "head"], name: str) -> bool:
        """Whether a side has the stack."""
        folder: Path = getattr(self, side)
        return (folder / f"Pulumi.{name}.yaml").is_file()


def compare(name: str, sources: Sources) -> Difference:
    """Work out what the change does to a stack. Raises UserError naming the side that failed."""
    with tempfile.TemporaryDirectory(prefix="langfuse-diff-") as folder:
        scratch = Path(folder)
        base = ResourceGraph(())
        if sources.has("base", name):
            base = _base(name, sources.base, scratch)
        # The stack file without the guard: nothing else is changed in it.
        allowed, lifted = _lifted(sources.head, name, base, scratch / "lifted")
        try:
            with LangfuseStack(
                name,
                stack_file=lifted,
                project=sources.head,
                work_dir=scratch / "stack",
                offline=True,
            ) as stack:
                with waits(f"stack {name}, offline: the change is previewed"):
                    preview = stack.preview()
                head = preview.graph
                if _not_told(preview):
                    with waits(f"stack {name}, offline: the change is deployed"):
                        stack.up()
                        head = stack.deployed()
        except UserError as error:
            raise MistakesError([f"head: {each}" for each in error.messages]) from error
    steps = _without_lifting(preview.steps)
    before = _allowed(_config(sources.base, name)) if sources.has("base", name) else []
    found = difference(name, base, head, steps, _bears_data(base), allowed, cost_of, before)
    return replace(found, by_default=_another_major_by_default(name, sources))


def _another_major_by_default(name: str, sources: Sources) -> tuple[str, str] | None:
    """The releases before and after, where the guard of the head would ask for a name."""
    if not sources.has("base", name):
        return None
    named = _release_named(sources.head, name)
    before = _release_named(sources.base, name) or _default_release(sources.base)
    after = _default_release(sources.head)
    if named or not before or not after or version_of(before)[0] == version_of(after)[0]:
        return None
    return before, after


def _release_named(project: Path, name: str) -> str | None:
    return _config(project, name).get(RELEASE)


def _default_release(project: Path) -> str | None:
    """The release of a stack that names none; None for a program that is told in another way."""
    files = (project / each for each in VERSIONS)
    texts = (each.read_text(encoding="utf-8") for each in files if each.is_file())
    found = map(DEFAULT_RELEASE.search, texts)
    return next((each[1] for each in found if each), None)


def cost_of(graph: ResourceGraph) -> IdleCost:
    """What a stack costs; nothing, if there is none."""
    if not graph.resources:
        return IdleCost(usd=0)
    region = region_of(graph)
    if region is None:
        return IdleCost(missing=("its resources do not say their region.",))
    return idle_cost(graph, region)


def _base(name: str, project: Path, scratch: Path) -> ResourceGraph:
    try:
        with LangfuseStack(
            name, project=project, work_dir=scratch / "stack", offline=True
        ) as stack:
            with waits(f"stack {name}, offline: the base is deployed"):
                stack.up()
                made = stack.deployed()
            stack.unprotect()
            shared_aws().unprotect({str(each.outputs.get("arn")) for each in made.resources})
            return made
    except UserError as error:
        raise MistakesError([f"base: {each}" for each in error.messages]) from error


def _lifted(project: Path, name: str, base: ResourceGraph, folder: Path) -> tuple[list[str], Path]:
    """What the stack file allows, and a copy that allows all: each replacement, each release."""
    stack_file = project / f"Pulumi.{name}.yaml"
    settings = read_stack(stack_file, project)
    config: dict[str, Any] = settings["config"]
    allowed = _allowed(config)
    config[ALLOW_REPLACE] = sorted({each.name for each in base.resources if _guarded(each)})
    if default := _default_release(project):
        config.setdefault(RELEASE, default)
    folder.mkdir()
    copy = folder / stack_file.name
    write_yaml(copy, settings)
    return allowed, copy


def _config(project: Path, name: str) -> dict[str, Any]:
    """The keys of a side's stack file."""
    return read_stack(project / f"Pulumi.{name}.yaml", project)["config"]


def _allowed(config: Mapping[str, Any]) -> list[str]:
    """What a stack file lets be replaced."""
    return [str(each) for each in cast("list[Any]", config.get(ALLOW_REPLACE) or [])]


def _without_lifting(steps: Sequence[Step]) -> list[Step]:
    """Leave out what only the lifted guard changes: how the final snapshots would be called."""
    told = (
        replace(step, changed={path: step.changed[path] for path in {*step.changed} - FINAL_NAMES})
        for step in steps
        if not (step.changed and step.resource.type == "random:index/randomId:RandomId")
    )
    return [step for step in told if step.changed or step.operation != "update"]


def _guarded(resource: Resource) -> bool:
    return resource.type in REPLACEMENT_INPUTS or resource.type == "langfuse:index:Network"


def _bears_data(base: ResourceGraph) -> Callable[[Resource], bool]:
    """Tell what the base's guard watches; a program without a guard has no stashes."""
    stashes = {each.name for each in base.of_type("pulumi:index:Stash")}

    def bears(resource: Resource) -> bool:
        label = f"{resource.name}-{resource.type.rsplit(':', 1)[-1].lower()}"
        return resource.type in REPLACEMENT_INPUTS and (label in stashes or not stashes)

    return bears


def _not_told(preview: Preview) -> bool:
    """Whether only an update will tell what the report tells."""
    return any(
        has_unknown(step.resource.inputs.get(DOCUMENTS.get(step.resource.type, "")))
        for step in preview.steps
    )
