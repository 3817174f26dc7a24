"""Plans of updates: saved by a preview, and the only thing that an update of one may do.

The plan is the engine's own (https://www.pulumi.com/docs/iac/guides/basics/update-plans/), which
Pulumi calls experimental. It has secrets as the state has them, encrypted by the stack's secrets
provider. A record beside it, which the engine passes over, says what it is a plan of: a plan that
is of something else by now is refused before an engine starts.

The engine refuses what a plan does not have only when it comes to it. So an update of a plan begins
with a preview that is held against the plan, and changes nothing if that fails.
"""

import hashlib
import importlib.metadata
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, cast

import yaml

from langfuse_aws.automation.engine.folders import REPOSITORY
from langfuse_aws.automation.errors import UserError
from langfuse_aws.review.property_changes import PlannedStep, PropertyChange

RECORD: Final = "langfuse"
"""The key of a plan that the engine does not know."""
PROGRAM: Final = ("components", "contract", "cost", "graph", "settings")
"""The packages of `langfuse_aws` that say which resources there are."""
PACKAGES: Final = ("pulumi", "pulumi_aws", "pulumi_awsx", "pulumi_random")
OWNER_ONLY: Final = 0o600

_REFUSED: Final = re.compile(
    r"(?:resource (?P<urn>\S+) )?(?:resource )?violates plan: (?P<why>[\w ]+)(?P<rest>.*)"
    r"|(?P<step>[\w-]+) is not allowed by the plan: (?P<bound>.*)"
    r"|expected resource operations for (?P<missing>\S+) but none were seen",
    re.DOTALL,
)
"""https://github.com/pulumi/pulumi/tree/v3.250.0/pkg/resource/deploy: step_generator.go,
step_executor.go and deployment_executor.go. `rest` has values, secret ones too."""
_PROPERTY: Final = re.compile(r"[+~=-]{2}(\w+)")


class PlanError(UserError):
    """A plan cannot be carried out; the message says what has changed since it was saved."""

    @property
    def messages(self) -> Sequence[str]:
        """The message as it is: what does not fit has lines of its own."""
        return [str(self)]


@dataclass(frozen=True)
class Origin:
    """What a plan is of: nothing of it may have changed when the plan is carried out."""

    stack: str
    backend: str
    settings: str
    """Digest of the stack file, or of the settings that were given instead."""
    program: str
    """Digest of the program's sources and of the versions of Pulumi's packages."""
    engine: str
    """Version of the Pulumi CLI."""


@dataclass(frozen=True)
class UpdatePlan:
    """A plan that was saved."""

    path: Path
    origin: Origin
    saved: str
    """When, in UTC."""
    steps: Sequence[PlannedStep]
    """What it would do; values without secrets."""
    changes: Mapping[str, int]
    resources: Mapping[str, frozenset[str]]
    """The properties that the plan knows of each resource, by URN."""

    @classmethod
    def read(cls, path: Path) -> "UpdatePlan":
        """Read a file of `write`. Raises PlanError."""
        try:
            plan = json.loads(path.read_text(encoding="utf-8"))
            record = plan[RECORD]
            steps = [_step(each) for each in record["steps"]]
            origin = Origin(**record["origin"])
            resources = {urn: _properties(each) for urn, each in plan["resourcePlans"].items()}
            return cls(path, origin, record["saved"], steps, record["changes"], resources)
        except OSError as error:
            raise PlanError(f"{path}: cannot be read: {error.strerror}.") from None
        except (ValueError, LookupError, TypeError, AttributeError):
            raise PlanError(
                f"{path}: is no plan. preview --save {path} writes one; a plan of pulumi preview "
                "--save-plan is for pulumi up --plan."
            ) from None

    def check(self, now: Origin) -> None:
        """Raise PlanError unless it is a plan of what is there now."""
        saved, again = self.origin, f"preview --stack {now.stack} --save {self.path}"
        if (saved.stack, saved.backend) != (now.stack, now.backend):
            raise PlanError(
                f"{self.path}: is a plan of stack {saved.stack} in {saved.backend}, not of stack "
                f"{now.stack} in {now.backend}. Nothing was changed. Save one of this stack: "
                f"{again}"
            )
        changed = [
            words
            for words, before, after in (
                ("the settings", saved.settings, now.settings),
                ("the program", saved.program, now.program),
                (f"the Pulumi CLI ({saved.engine}, now {now.engine})", saved.engine, now.engine),
            )
            if before != after
        ]
        if changed:
            raise PlanError(
                f"{self.path}: {' and '.join(changed)} changed since it was saved, "
                f"{self.saved}. Nothing was changed. Look at what would be done now, and save "
                f"that: {again}"
            )


def write(
    path: Path,
    engines: Path,
    origin: Origin,
    saved: str,
    steps: Sequence[PlannedStep],
    changes: Mapping[str, int],
) -> None:
    """Write what the engine has written with the record, for its owner alone."""
    plan = json.loads(engines.read_text(encoding="utf-8"))
    plan[RECORD] = {
        "origin": asdict(origin),
        "saved": saved,
        "steps": [asdict(each) for each in steps],
        "changes": changes,
    }
    new = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY), "w") as file:
            json.dump(plan, file, indent=2)
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)


class Refusals:
    """What the engine refuses of an update with a plan, in words without values."""

    def __init__(self, plan: UpdatePlan) -> None:
        """Know what the plan is of."""
        self._plan = plan
        self.lines: list[str] = []

    def reworded(self, message: str, urn: str) -> str | None:
        """The message in our words, which is kept; None for one of another kind."""
        found = _REFUSED.search(message)
        if found is None:
            return None
        urn = found["urn"] or found["missing"] or urn
        name = f"{_name(urn)}: " if urn else ""
        if found["step"]:
            line = f"{name}{found['step']} now, which is not in the plan"
        elif found["missing"]:
            line = f"{name}nothing now, though the plan has something"
        else:
            known = self._plan.resources.get(urn, frozenset())
            named = [each for each in _PROPERTY.findall(found["rest"]) if each in known]
            which = f" ({', '.join(dict.fromkeys(named))})" if named else ""
            line = f"{name}{found['why'].strip()}{which}"
        if line not in self.lines:
            self.lines.append(line)
        return line

    def error(self, stack: str, *, begun: bool) -> PlanError:
        """What to raise; `begun`: the update itself was stopped, after its own preview."""
        what = (
            "no longer fits, and the update stopped on its way: what was done stays"
            if begun
            else "no longer fits, and nothing was changed"
        )
        lines = "".join(f"\n  {each}" for each in self.lines)
        return PlanError(
            f"{self._plan.path}: {what}.{lines}\n"
            f"Since it was saved, {self._plan.saved}, something changed: in AWS, in the state, or "
            "in a secret. Look at what would be done now, and save that: "
            f"preview --stack {stack} --save {self._plan.path}"
        )


def settings_digest(file: Path | None, config: Mapping[str, Any] | None) -> str:
    """Tell settings apart, by what they say: a file's comments and order do not count."""
    given = config if file is None else yaml.safe_load(file.read_text(encoding="utf-8"))
    return hashlib.sha256(json.dumps(given, sort_keys=True, default=str).encode()).hexdigest()


def program_digest(program: Path) -> str:
    """Tell programs apart, by their sources and by the packages that are installed."""
    found = hashlib.sha256()
    for path in _sources(program):
        found.update(f"{path.name}\0".encode() + path.read_bytes())
    for package in PACKAGES:
        found.update(f"{package}\0{importlib.metadata.version(package)}".encode())
    return found.hexdigest()


def _sources(program: Path) -> Iterator[Path]:
    yield from sorted(
        each for each in program.iterdir() if each.is_file() and each.suffix in (".py", ".json")
    )
    for package in PROGRAM:
        for folder, inside, names in os.walk(REPOSITORY / "langfuse_aws" / package):
            inside[:] = sorted(each for each in inside if each != "__pycache__")
            yield from (Path(folder, each) for each in sorted(names))


def _step(told: Mapping[str, Any]) -> PlannedStep:
    properties = tuple(PropertyChange(**each) for each in told["properties"])
    return PlannedStep(told["operation"], told["urn"], told["changed"], properties)


def _properties(planned: Mapping[str, Any]) -> frozenset[str]:
    goal = cast("Mapping[str, Any]", planned.get("goal") or {})
    changed = cast("Mapping[str, Any]", goal.get("inputDiff") or {})
    names = [key for kind in ("adds", "updates", "deletes") for key in changed.get(kind) or ()]
    return frozenset([*names, *(planned.get("state") or {})])


def _name(urn: str) -> str:
    *_, token, name = urn.split("::")
    return f"{name} ({token.rpartition('$')[2]})"
