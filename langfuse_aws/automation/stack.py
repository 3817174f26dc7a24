"""`LangfuseStack`: deploy this repository's program from other Python programs.

It runs the program that `pulumi up` runs, through Pulumi's Automation API. Any number of stacks can
be worked on in one process at once, each with one operation at a time. Nothing here prints.
"""

import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime, timezone
from functools import cached_property, partial
from pathlib import Path
from types import TracebackType
from typing import Any, Final, TypeVar, cast
from weakref import WeakSet

from pulumi import automation as auto
from pulumi.automation.events import DiagnosticEvent

from langfuse_aws.automation.engine import image_repositories
from langfuse_aws.automation.engine.destruction import Destruction
from langfuse_aws.automation.engine.events import counted
from langfuse_aws.automation.engine.folders import PROGRAM
from langfuse_aws.automation.engine.given_settings import checked, full_key
from langfuse_aws.automation.engine.offline_workspace import (
    SECRETS_PROVIDER,
    alone,
    check_name,
    file_of,
    own_name,
    prepare,
    read_project,
    read_stack,
)
from langfuse_aws.automation.engine.operation import Command, OnEvent, Operation
from langfuse_aws.automation.engine.redaction import Redaction
from langfuse_aws.automation.engine.region import region_of
from langfuse_aws.automation.engine.results import Result
from langfuse_aws.automation.engine.stack_file import ESC, InvalidSettingsError, check_stack_file
from langfuse_aws.automation.engine.target import Target, region_and_account
from langfuse_aws.automation.engine.update_plan import (
    Origin,
    Refusals,
    UpdatePlan,
    program_digest,
    settings_digest,
    write,
)
from langfuse_aws.automation.engine.workspace import Workspace, offline_place, place
from langfuse_aws.automation.errors import UserError, no_place_for, no_such_stack
from langfuse_aws.graph.model import ResourceGraph
from langfuse_aws.graph.preview import Preview
from langfuse_aws.review.property_changes import planned
from langfuse_aws.settings import regions
from langfuse_aws.settings.how_to_set import IN_SETTINGS
from langfuse_aws.settings.loading import SettingsError
from langfuse_aws.settings.messages import NAMESPACE

Value = TypeVar("Value")


class NoStackError(UserError):
    """There is no such stack."""


NEW_STACK: Final = (
    "stack {}: this backend has no such stack. It is previewed as a new one, in state that is "
    "forgotten afterwards; nothing is made."
)


NOTHING_TO_PLAN: Final = (
    "stack {}: is not up, and a plan is of a change to what is there: most of what a first update "
    "makes only the update itself can tell. Run up, which shows a preview and asks."
)


class LangfuseStack:
    """One stack of Langfuse: preview, deploy, refresh and destroy it.

    Settings are either `settings`, keys of `langfuse:`, with their namespace or without, and YAML's
    values, in which a key of another namespace, such as `aws:region`, is taken as it is; or the
    file `stack_file`, by default the project's own `Pulumi.<name>.yaml`. Secret keys
    (`postgresPassword` and the like) are given in `secrets`, and never written in clear; those that
    are JSON objects are mappings, or JSON.

    `backend` (a URL of `pulumi login`) and `secrets_provider` (of `pulumi stack init`) default to
    what the environment and the project say. `work_dir` keeps what is written for `settings`, and,
    offline, the state; by default it is a temporary folder, which is removed by `close`. With
    `offline`, AWS exists in memory only, and no account is needed.

    `up` makes the stack in the backend, if it has none of that name; `preview` makes nothing, and
    previews such a stack in temporary state.

    Raises InvalidSettingsError, before anything is written, and UserError.
    """

    def __init__(
        self,
        name: str,
        settings: Mapping[str, Any] | None = None,
        *,
        stack_file: Path | str | None = None,
        secrets: Mapping[str, str | Mapping[str, str]] | None = None,
        backend: str | None = None,
        secrets_provider: str | None = None,
        work_dir: Path | str | None = None,
        project: Path | str = PROGRAM,
        environment: Mapping[str, str] | None = None,
        offline: bool = False,
    ) -> None:
        if settings is not None and stack_file is not None:
            raise UserError(f"stack {name}: settings and stack_file exclude each other.")
        if settings is not None:
            check_name(name)
        # In memory there is one organization, which is nobody's.
        self.name = name = own_name(name) if offline else name
        self.offline = offline
        try:
            given = checked(settings, secrets or {})
        except SettingsError as error:
            raise InvalidSettingsError(name, error.problems) from error
        self._secrets = given.secrets
        self._own_dir = None
        if work_dir is None:
            self._own_dir = tempfile.TemporaryDirectory(prefix="langfuse-stack-")
            work_dir = self._own_dir.name
        work_dir, project = Path(work_dir).absolute(), Path(project).absolute()
        stack_file = None if stack_file is None else Path(stack_file)
        work_dir.mkdir(parents=True, exist_ok=True)
        prepared = (offline_place if offline else place)(
            name, work_dir, project, stack_file, given.config
        )
        self._origin = project, stack_file, given.config
        self._disposable = offline and self._own_dir is not None
        self._prepared, self._stack_file = prepared.folder, prepared.stack_file
        self._placeholders = prepared.placeholders
        self.replaced_secrets = prepared.replaced_secrets
        """Offline: settings that only the stack file's owner can decrypt. They are left out, or
        hold a placeholder."""
        self._unlock = f"delete {work_dir}" if offline else "pulumi cancel"
        self._secrets_provider = secrets_provider or prepared.secrets_provider
        self._given_environment = environment or {}
        self._environment = {**prepared.environment, **self._given_environment}
        if backend:
            self._environment["PULUMI_BACKEND_URL"] = backend
        # One that runs is held by its thread.
        self._operations: WeakSet[Operation[Any]] = WeakSet()
        self.redaction = Redaction(_leaves(self._secrets.values()))
        """Give it to the handlers of a log: `handler.addFilter(stack.redaction)`."""

    def __enter__(self) -> "LangfuseStack":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close it; what runs is cancelled if the block has failed."""
        if error is not None:
            for operation in self._operations:
                operation.cancel()
        self.close()

    def close(self) -> None:
        """Wait for what runs, and remove the temporary folder, if there is one.

        What is deployed stays. Whatever is asked of the stack then raises UserError.
        """
        for operation in self._operations:
            with suppress(Exception):  # whoever asks for the result hears of it
                operation.result()
        if self._own_dir:
            self._own_dir.cleanup()

    def preview(self) -> Preview:
        """What `up` would do, and the resources as they would be."""
        return self.start_preview().result()

    def up(self) -> Result:
        """Deploy."""
        return self.start_up().result()

    def refresh(self) -> Result:
        """Read into the state what AWS has."""
        return self.start_refresh().result()

    def destroy(self, *, remove: bool = False) -> Result:
        """Destroy every resource; with `remove`, forget the stack, its settings and history too.

        Raises ProtectedError, with nothing destroyed, if one of them is protected.
        """
        return self.start_destroy(remove=remove).result()

    def planned(self) -> ResourceGraph:
        """The resources as `up` would make them."""
        return self.preview().graph

    def check(self) -> None:
        """Check the stack file as the program would, before an engine starts.

        Raises InvalidSettingsError. Of settings that a caller gave, what is known already was
        checked: all but whether anything says the region.
        """
        project, stack_file, config = self._origin
        if self._folder and not self._stack_file.is_file():
            raise UserError(
                f"stack {self.name}: its settings are gone: destroy removes them with the stack, "
                "where it is told to. Make another LangfuseStack."
            )
        # The region that an offline stack gets otherwise is nobody's choice.
        environment = {**os.environ, **self._given_environment}
        if config is None:
            name = own_name(self.name)
            file = stack_file or file_of(name, project)
            keys = {key.removeprefix(f"{NAMESPACE}:") for key in self._secrets}
            check_stack_file(name, file, project, keys, environment)
        elif missing := regions.missing(config, environment, IN_SETTINGS):
            raise InvalidSettingsError(self.name, missing)

    def start_preview(self, save: Path | str | None = None) -> Operation[Preview]:
        """Begin a preview beside the caller, and save its plan if `save` says where.

        Raises InvalidSettingsError, and UserError where no plan can be written.
        """
        self.check()
        if save is not None and (why := no_place_for(Path(save))):
            raise UserError(f"{save}: {why}")

        def work(command: Command, on_event: OnEvent) -> Preview:
            begin = time.monotonic()
            origin = None if save is None else self._origin_of_plan(command)
            with (
                self._to_preview(command, on_event) as (stack, settings, before),
                tempfile.TemporaryDirectory(prefix="langfuse-plan-") as folder,
            ):
                engines = Path(folder) / "plan.json"
                done = stack.preview(
                    # Secret inputs are masked in what --json prints.
                    json=True,
                    on_event=on_event,
                    config_file=settings,
                    plan=None if save is None else str(engines),
                )
                seconds = time.monotonic() - begin
                found = Preview.of(json.loads(done.stdout), seconds, before())
                if save is not None and origin is not None:
                    saved = datetime.now(timezone.utc).isoformat(timespec="seconds")
                    write(Path(save), engines, origin, saved, planned(found.steps), found.changes)
            return found

        return self._start("preview", work, changes=False)

    def start_up(self, plan: UpdatePlan | None = None) -> Operation[Result]:
        """Begin to deploy beside the caller; of a `plan`, what it has, and nothing else.

        Raises InvalidSettingsError. The operation raises PlanError if the engine refuses the plan.
        """
        self.check()
        if plan is not None:
            return self._start("up", self._measured(partial(self._carry_out, plan)))

        def work(command: Command, on_event: OnEvent) -> None:
            self._ready(command).up(on_event=on_event, show_secrets=False)

        return self._start("up", self._measured(work))

    def read_plan(self, path: Path | str) -> UpdatePlan:
        """Read a plan that a preview of this stack has saved. Raises PlanError."""
        plan = UpdatePlan.read(Path(path))
        plan.check(self._origin_of_plan(self._command))
        return plan

    def target(self) -> Target:
        """Where `up` and `destroy` change something. Asks STS for the account."""
        region, account = region_and_account(self.name, self._file(), offline=self.offline)
        return Target(self.name, region, account, self.backend())

    @property
    def sleeps(self) -> bool:
        """Whether its stack file has `hours`, or may have them from Pulumi ESC."""
        file = self._file()
        return bool(file.get(ESC)) or full_key("hours") in file["config"]

    def clients(self) -> Callable[..., Any]:
        """Give what makes a client of a service of AWS, with the credentials of its stack file.

        Raises UserError without a region.
        """
        # It loads boto3, and few ask.
        from langfuse_aws.automation.aws.clients import Clients

        config = self._file()["config"]
        profile = config.get(regions.PROFILE_KEY)
        return Clients(region_of(self.name, config.get(regions.KEY), profile), config)

    def _file(self) -> dict[str, Any]:
        """Its stack file, with the keys of `config` as the program gets them."""
        return read_stack(self._stack_file, self._folder)

    def start_refresh(self) -> Operation[Result]:
        """Begin a refresh beside the caller."""

        def work(command: Command, on_event: OnEvent) -> None:
            self._existing(command).refresh(on_event=on_event, show_secrets=False)

        return self._start("refresh", self._measured(work))

    def start_destroy(self, *, remove: bool = False) -> Operation[Result]:
        """Begin to destroy beside the caller."""

        def work(command: Command, on_event: OnEvent) -> None:
            stack, deployed = self._existing(command), self.deployed()
            Destruction.of(self.name, deployed)
            if not self.offline:
                self._start_clusters(deployed)
            stack.destroy(on_event=on_event, show_secrets=False, remove=remove)

        return self._start("destroy", self._measured(work, gone=remove))

    def start_image_repositories(self) -> Operation[Result]:
        """Begin to make the ECR repositories of `images.source` mirror, and nothing else."""

        def work(command: Command, on_event: OnEvent) -> None:
            stack = self._existing(command)
            self._set_secrets()
            settings = image_repositories.settings_for_mirror(self.name, stack)
            names = stack.workspace.project_settings().name, own_name(self.name)
            stack.up(
                program=image_repositories.program(*names, settings, self.outputs()),
                target=image_repositories.targets(*names, settings),
                on_event=on_event,
                show_secrets=False,
            )

        return self._start("image repositories", self._measured(work))

    def exists(self) -> bool:
        """Whether the backend has the stack."""
        try:
            self._pulumi("stack", "--show-name")
        except auto.errors.StackNotFoundError:
            return False
        return True

    def backend(self) -> str:
        """The URL of the state backend."""
        done = self._command.run(["whoami", "--json"], str(self._folder), self._environment)
        return json.loads(done.stdout)["url"]

    def outputs(self) -> dict[str, Any]:
        """The outputs of what is deployed; `url` is the first that a caller wants.

        README.md lists them. None is a secret: secrets are in Secrets Manager, and outputs name
        their ARNs.
        """
        return json.loads(self._query("stack", "output", "--json"))

    def deployed(self) -> ResourceGraph:
        """The resources in the stack's state. Needs no AWS credentials."""
        exported = json.loads(self._query("stack", "export"))
        return ResourceGraph.of_state(exported["deployment"])

    def configure(self, key: str, value: str) -> None:
        """Set a plain key in the stack file, whose comments stay.

        It counts when the stack is opened again. UserError for a stack that was given `settings`.
        """
        project, stack_file, config = self._origin
        if config is not None:
            raise UserError(f"stack {self.name}: has settings, and no stack file to set {key} in.")
        file = (stack_file or file_of(self.name, project)).resolve()
        to = ["--path", full_key(key), value, "--config-file", str(file)]
        self._pulumi("config", "set", *to)

    def unprotect(self) -> None:
        """Take Pulumi's protection off every resource in the state, until the next `up`."""
        self._query("state", "unprotect", "--all", "--yes")

    @property
    def _folder(self) -> Path:
        """Where Pulumi is called. Raises UserError after `close`."""
        if self._own_dir and not self._prepared.exists():
            raise UserError(
                f"stack {self.name}: is closed, and what was written for its settings is gone. Do "
                "all within the with block, or make another LangfuseStack."
            )
        return self._prepared

    @cached_property
    def _command(self) -> Command:
        return Command()

    def _workspace(self, command: Command) -> Workspace:
        return Workspace(
            work_dir=str(self._folder),
            env_vars=self._environment,
            secrets_provider=self._secrets_provider,
            pulumi_command=command,
        )

    def _start_clusters(self, deployed: ResourceGraph) -> None:
        """Start what AWS deletes only while it runs. Raises UserError."""
        from langfuse_aws.automation.hours.before_destroy import start_clusters, stopped_clusters

        try:
            stopped = stopped_clusters(deployed, self.clients)
        except UserError:  # nobody but Pulumi ESC knows the region
            return
        start_clusters(stopped, lambda _: None)

    def _existing(self, command: Command) -> auto.Stack:
        """The stack, which must be there."""
        try:
            return auto.Stack.select(self.name, self._workspace(command))
        except auto.errors.StackNotFoundError as error:
            raise NoStackError(no_such_stack(self.name)) from error

    def _ready(self, command: Command) -> auto.Stack:
        """The stack with its secrets; it is made if it is not there."""
        stack = auto.Stack.create_or_select(self.name, self._workspace(command))
        self._set_secrets()
        return stack

    def _carry_out(self, plan: UpdatePlan, command: Command, on_event: OnEvent) -> None:
        """Do what a plan has, once a preview of the engine's own was held against it."""
        stack = self._existing(command)
        self._set_secrets()
        refusals = Refusals(plan)
        begun: list[bool] = []

        def take(event: auto.EngineEvent) -> None:
            if event.prelude_event:
                begun.append(True)
            said = event.diagnostic_event
            if said and (line := refusals.reworded(said.message, said.urn or "")):
                said.message = line
            checking = len(begun) < 2
            if not checking or (said and said.severity == "error"):
                on_event(event)

        command.previews_first = True
        try:
            stack.up(plan=str(plan.path), on_event=take, show_secrets=False)
        except auto.errors.CommandError:
            if refusals.lines:
                raise refusals.error(self.name, begun=len(begun) > 1) from None
            raise

    def _origin_of_plan(self, command: Command) -> Origin:
        """What a plan of now is of. Raises UserError where none can be saved."""
        if not self.exists() or not self.deployed().resources:
            raise UserError(NOTHING_TO_PLAN.format(self.name))
        project, stack_file, config = self._origin
        own = stack_file or file_of(self.name, project)
        main = (project / str(read_project(project).get("main", "."))).resolve()
        return Origin(
            stack=self.name,
            backend=self.backend(),
            settings=settings_digest(own if config is None else None, config),
            program=program_digest(main),
            engine=str(command.version),
        )

    def _set_secrets(self) -> None:
        """Write them into the stack file, encrypted, once."""
        for key, value in {**self._placeholders, **self._secrets}.items():
            self._pulumi("config", "set", "--secret", full_key(key), given=value)
        self._placeholders, self._secrets = dict[str, str](), dict[str, str]()

    @contextmanager
    def _to_preview(
        self, command: Command, on_event: OnEvent
    ) -> Generator[tuple[auto.Stack, str, Callable[[], ResourceGraph]]]:
        """The stack, a copy of its file with its secrets, and how to ask what is deployed.

        Neither the backend nor the stack file is written: a stack that is not there exists in a
        temporary folder as long as the block lasts.
        """
        if self._disposable:
            yield self._ready(command), str(self._stack_file), self.deployed
            return
        with tempfile.TemporaryDirectory(prefix="langfuse-preview-") as folder:
            scratch = Path(folder)
            copy = scratch / self._stack_file.name
            secrets = {**self._placeholders, **self._secrets}
            try:
                stack, before = self._existing(command), self.deployed
                shutil.copyfile(self._stack_file, copy)
            except NoStackError:
                on_event(_warning(NEW_STACK.format(self.name)))
                stack, placeholders = self._imagined(command, scratch)
                before = _nothing
                secrets = {**placeholders, **self._secrets}
                copy = Path(stack.workspace.work_dir) / copy.name
            workspace = stack.workspace
            for key, value in secrets.items():
                to = ["--stack", self.name, "--config-file", str(copy)]
                set_secret = ["config", "set", "--secret", full_key(key), *to]
                command.run(set_secret, workspace.work_dir, workspace.env_vars, given=value)
            yield stack, str(copy), before

    def _imagined(self, command: Command, scratch: Path) -> tuple[auto.Stack, Mapping[str, str]]:
        """The stack in a backend of its own, and the secrets that only its owner can decrypt."""
        project, stack_file, config = self._origin
        found = prepare(self.name, scratch, project, stack_file=stack_file, config=config)
        workspace = Workspace(
            work_dir=str(found.folder),
            env_vars={**self._environment, **alone(scratch / "backend")},
            secrets_provider=SECRETS_PROVIDER,
            pulumi_command=command,
        )
        return auto.Stack.create(self.name, workspace), found.placeholders

    def _start(
        self, verb: str, work: Callable[[Command, OnEvent], Value], *, changes: bool = True
    ) -> Operation[Value]:
        title = f"{verb} of stack {self.name}"
        command, unlock = self._command, self._unlock
        started = Operation(title, work, command, self.redaction, unlock, changes=changes)
        self._operations.add(started)
        return started

    def _measured(
        self, work: Callable[[Command, OnEvent], None], *, gone: bool = False
    ) -> Callable[[Command, OnEvent], Result]:
        """The work with what it changed and how long it took."""

        def measured(command: Command, on_event: OnEvent) -> Result:
            begin = time.monotonic()
            changes: dict[str, int] = {}

            def count(event: auto.EngineEvent) -> None:
                changes.update(counted(event))
                on_event(event)

            work(command, count)
            seconds = time.monotonic() - begin
            return Result(changes, {} if gone else self.outputs(), seconds)

        return measured

    def _query(self, *arguments: str) -> str:
        try:
            return self._pulumi(*arguments)
        except auto.errors.StackNotFoundError as error:
            raise NoStackError(no_such_stack(self.name)) from error

    def _pulumi(self, *arguments: str, given: str | None = None) -> str:
        # A value on standard input: a command line can be seen by every user of the machine.
        command = [*arguments, "--stack", self.name]
        done = self._command.run(command, str(self._folder), self._environment, given=given)
        return done.stdout


def _nothing() -> ResourceGraph:
    return ResourceGraph(())


def _warning(message: str) -> auto.EngineEvent:
    said = DiagnosticEvent(message=message, color="never", severity="warning")
    return auto.EngineEvent(sequence=0, timestamp=0, diagnostic_event=said)


def _leaves(values: Iterable[str]) -> Iterator[str]:
    """The secrets, and those inside of one that is a JSON object."""
    for value in values:
        yield value
        try:
            inside = json.loads(value)
        except ValueError:
            continue
        if isinstance(inside, dict):
            yield from (str(each) for each in cast("dict[str, Any]", inside).values())
