"""`upgrade`: takes a stack to another release of Langfuse, with everything that belongs to it.

It can be run again after whatever: what is locked, snapshotted or deployed already is not done
twice. Exit code 0: done, or with --dry-run nothing stands in the way. 1: not, and a line says why.
2: the command line is wrong. 130: stopped.
"""

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Final

from langfuse_aws.automation.cli.display import TerminalDisplay
from langfuse_aws.automation.engine.deployed import Deployed, open_stack
from langfuse_aws.automation.engine.folders import STATE_FOLDER
from langfuse_aws.automation.engine.operation import CancelledError
from langfuse_aws.automation.engine.stack_file import StackFile, read_stack_file
from langfuse_aws.automation.engine.waiting import waits
from langfuse_aws.automation.errors import MistakesError, is_expected, one_line
from langfuse_aws.automation.hours.asleep import need_awake
from langfuse_aws.automation.images.command import lock_images, mirror_images
from langfuse_aws.automation.images.display import ImagesForPeople
from langfuse_aws.automation.plan import Plan, Step, carry_out, show
from langfuse_aws.automation.restore import postgres, volume
from langfuse_aws.automation.restore.points import RestorePoint
from langfuse_aws.automation.smoke.command import smoke_deployed
from langfuse_aws.automation.snapshot import command as snapshot
from langfuse_aws.automation.stack import LangfuseStack
from langfuse_aws.automation.terminal import console, one_line_errors
from langfuse_aws.automation.upgrade import databases
from langfuse_aws.automation.upgrade.planned_file import planned_file
from langfuse_aws.automation.upgrade.upgrade_path import Running, checked_release, traps
from langfuse_aws.contract.release_traps import dotted
from langfuse_aws.settings.external_stores import ExternalClickHouse, ExternalPostgres
from langfuse_aws.settings.installation import COMMAND

FRESH: Final = timedelta(hours=24)
"""Snapshots of this upgrade that are younger are not taken again."""
SMOKE_SECONDS: Final = 90
NO_AWS: Final = (
    "Offline: AWS is in memory. No registry and no database is asked, and there is nothing to "
    "snapshot or to send a trace to."
)

NO_KEYS: Final = (
    "No smoke test at the end: without langfuse:bootstrap nobody here knows keys. Afterwards: "
    f"{COMMAND} smoke --url URL."
)


def upgrade(
    release: str,
    stack: str,
    folder: Path,
    offline: bool,
    yes: bool,
    dry_run: bool,
    force: bool,
) -> None:
    """Check, lock, snapshot, preview, ask, deploy, test."""
    with one_line_errors():
        checked_release(release)
        before = read_stack_file(stack, folder)
        with planned_file(before.name, folder, release) as copy:
            after = read_stack_file(stack, copy.parent)
            run = Upgrade(stack, folder, offline, before, after, copy)
            plan, faults = run.plan(force=force)
            if dry_run or faults:
                show(plan)
                if faults:
                    raise MistakesError(
                        [*faults, "Nothing was changed. --force goes on in spite of that."]
                    )
                return
            carry_out(plan, yes=yes)


@dataclass(frozen=True)
class Upgrade:
    """What to upgrade, and to what."""

    name: str
    folder: Path
    offline: bool
    before: StackFile
    after: StackFile
    """With the release."""
    planned: Path
    """The file that `after` was read from."""

    @property
    def release(self) -> str:
        """Where it goes."""
        return self.after.settings.release

    @property
    def label(self) -> str:
        """Of the snapshots."""
        return f"before-{self.release}"

    def plan(self, *, force: bool) -> tuple[Plan, Sequence[str]]:
        """Work out the steps, and what stands in the way. UserError if there is no way at all."""
        with self._opened() as stack, waits(f"the state of stack {self.name}"):
            running = Running.of(self.before.name, self.before.prefix, stack.deployed())
        known = traps(self.name, running, self.after.settings)
        deployed = None if self.offline else open_stack(self.name, self.folder)
        if deployed is not None:
            need_awake(deployed)
        there = running.finished and running.release == self.after.settings.version
        found = [
            f"Stack {self.name} {'runs' if running.finished else 'has begun to go to'} Langfuse "
            f"{dotted(running.release)}; its file names "
            f"{self.before.settings.release if self._named() else 'none'}.",
            *(["It is there already: what is left is deployed, and tested."] if there else []),
            *(f"Known trap of {each}" for each in known),
            "What is no known trap is in https://github.com/langfuse/langfuse/releases.",
        ]
        if deployed is not None and self.after.settings.bootstrap is None:
            found.append(NO_KEYS)
        faults: list[str] = []
        if deployed is None:
            found.append(NO_AWS)
        elif not there:
            answers = self._asked(deployed)
            found += answers.found()
            faults = list(answers.faults(backfill=self._begins_backfill(running)))
            if force:
                found += [f"In spite of: {each}" for each in faults]
                faults = []
        steps = self._steps(deployed, dotted(running.release), there=there)
        return Plan(found, self._lost(there=there), steps), faults

    def _asked(self, deployed: Deployed) -> databases.Answers:
        with waits("a task that asks the databases"):
            try:
                return databases.ask(deployed)
            except Exception as error:
                if not is_expected(error):
                    raise
                return databases.Answers(
                    errors=(f"the databases could not be asked: {one_line(error)}",)
                )

    def _begins_backfill(self, running: Running) -> bool:
        after = self.after.settings
        ran = running.release[0] == after.major and self.before.settings.backfills
        return after.backfills and not ran

    @staticmethod
    def _lost(*, there: bool) -> list[str]:
        if there:
            return []
        return [
            "The way back, once pulumi up has begun to migrate: no older Langfuse starts on "
            "migrated databases. Then both are restored from the snapshots, and what came in after "
            "them is gone but for the events, which replay loads from S3.",
        ]

    def _steps(self, deployed: Deployed | None, old: str, *, there: bool) -> list[Step]:
        runs_on = f"Langfuse {old} runs on, and its databases are as they were."
        file = f"Pulumi.{self.before.name}.yaml"
        unset = f"pulumi config set langfuse:release {old} --stack {self.name}"
        steps: list[Step] = []
        if not there and deployed is not None:
            steps += [
                Step(
                    f"{self._image_words()} of {self.release}.",
                    self._images,
                    f"{runs_on} What is locked or copied stays, and does no harm.",
                    back="git checkout images.lock.json. Nothing that runs was touched.",
                ),
                Step(
                    f"Snapshot every store, with the label {self.label}.",
                    lambda: self._snapshot(deployed),
                    f"{runs_on} Snapshots that are complete stay, and are billed.",
                    back="nothing to take back. Snapshots stay until you delete them.",
                ),
            ]
        if not there or self.before.settings.release != self.release:
            steps += [
                Step("Preview.", self._preview, runs_on, back="nothing to take back."),
                Step(
                    f"Set langfuse:release {self.release} in {file}.",
                    self._set_release,
                    f"{runs_on} If {file} names {self.release} already: {unset}.",
                    back=f"{unset}. Nothing that runs was touched.",
                    question=f"Deploy Langfuse {self.release} on stack {self.name}?",
                ),
            ]
        steps.append(
            Step(
                "pulumi up: a task migrates the databases, then web and worker move.",
                self._up,
                "If the migration has not begun, "
                f"{unset}, and pulumi up, go back. If it has, correct the cause and go on: web and "
                "worker move only once it has succeeded (docs/upgrade.md, Within a major).",
                back="none but a restore of both databases: restore postgres --list and restore "
                f"clickhouse-volume --list show the snapshots {self.label}.",
            )
        )
        if deployed is not None and self.after.settings.bootstrap is not None:
            steps.append(
                Step(
                    "Smoke: send a trace, and read it back.",
                    lambda: smoke_deployed(deployed.now(), SMOKE_SECONDS),
                    f"Langfuse {self.release} is deployed, and a part does not work: smoke names "
                    "it.",
                )
            )
        return steps

    def _image_words(self) -> str:
        if self.after.settings.images.source == "mirror":
            return "Copy to ECR and lock the images"
        return "Lock the images"

    def _images(self) -> None:
        display = ImagesForPeople()
        if self.after.settings.images.source != "mirror":
            lock_images(self.after.settings, self.folder, display)
            return
        missing, cancelled = mirror_images(self.after, self.name, self.folder, display)
        if cancelled:
            raise CancelledError("images mirror: cancelled.")
        if missing:
            raise MistakesError(missing)

    def _snapshot(self, deployed: Deployed) -> None:
        with waits("asking AWS"):
            there = self._taken(deployed)
        if there:
            for store, identifier in there.items():
                console.print(
                    f"{store}: {identifier} is there, and younger than a day.", markup=False
                )
            return
        snapshot.take(deployed, self.label)

    def _taken(self, deployed: Deployed) -> Mapping[str, str]:
        """The snapshots of an earlier try, if there is one of each database."""
        settings, since = deployed.settings, datetime.now(timezone.utc) - FRESH
        listed: dict[str, Callable[[Deployed], Sequence[RestorePoint]]] = {}
        if not isinstance(settings.postgres, ExternalPostgres):
            listed["PostgreSQL"] = postgres.points
        if not isinstance(settings.clickhouse, ExternalClickHouse):
            if settings.clickhouse.clustered:
                return {}  # ClickHouse's own backups have no label
            listed["ClickHouse"] = volume.points
        found: dict[str, str] = {}
        for store, points in listed.items():
            fresh = [
                each.identifier
                for each in points(deployed)
                if each.complete and each.label == self.label and each.taken and each.taken > since
            ]
            if not fresh:
                return {}
            found[store] = fresh[0]
        return found

    def _preview(self) -> None:
        with self._opened(self.planned) as stack:
            TerminalDisplay().preview(stack.start_preview, alone=False)

    def _set_release(self) -> None:
        if self.before.settings.release == self.release and self._named():
            return
        with self._opened() as stack:
            stack.configure("release", self.release)

    def _named(self) -> bool:
        return "release" in self.before.settings.model_fields_set

    def _up(self) -> None:
        with self._opened() as stack:
            display = TerminalDisplay()
            display.done(display.change(stack.start_up))

    @contextmanager
    def _opened(self, file: Path | None = None) -> Generator[LangfuseStack]:
        work_dir = self.folder / STATE_FOLDER.name if self.offline else None
        with LangfuseStack(
            self.name,
            stack_file=file,
            project=self.folder,
            work_dir=work_dir,
            offline=self.offline,
        ) as stack:
            yield stack
