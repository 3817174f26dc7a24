"""A stack as it was last deployed: Pulumi's state and configuration, and clients of its AWS."""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Final, cast

import typer
from botocore.config import Config
from pulumi import automation as auto

from langfuse_aws.automation.engine.offline_workspace import (
    check_there,
    file_of,
    mapping,
    own_name,
    read_yaml,
)
from langfuse_aws.automation.engine.operation import Command
from langfuse_aws.automation.engine.sessions import session_of
from langfuse_aws.automation.engine.stack_file import InvalidSettingsError
from langfuse_aws.automation.engine.waiting import waits
from langfuse_aws.automation.engine.workspace import Workspace
from langfuse_aws.automation.errors import UserError, no_such_stack
from langfuse_aws.components.shared.names import resource_prefix
from langfuse_aws.graph.model import Resource
from langfuse_aws.settings import regions
from langfuse_aws.settings.loading import SettingsError, load, of_namespace
from langfuse_aws.settings.messages import NAMESPACE
from langfuse_aws.settings.model import Settings

CLUSTER: Final = "aws:ecs/cluster:Cluster"
ALLOW_REPLACE: Final = f"{NAMESPACE}:allowReplace"


@dataclass(frozen=True)
class Deployed:
    """A stack, to look at and to change."""

    name: str
    prefix: str
    """What the names of its resources begin with."""
    pulumi: auto.Stack
    aws: Callable[[str], Any]
    """Makes a client of a service."""
    region: str

    @cached_property
    def settings(self) -> Settings:
        """The settings that the next `pulumi up` deploys."""
        try:
            return load(of_namespace(self._config()))
        except SettingsError as error:
            raise InvalidSettingsError(self.name, error.problems) from error

    @cached_property
    def state(self) -> Sequence[Resource]:
        """The resources as they were when they were first asked for."""
        exported = cast("dict[str, Any]", self.pulumi.export_stack().deployment)
        entries = cast("list[dict[str, Any]]", exported.get("resources") or [])
        found = [Resource.of(each) for each in entries]
        if not found:
            raise UserError(f"stack {self.name}: nothing is deployed. pulumi up first.")
        if (region := _home(found).get("region", self.region)) != self.region:
            raise UserError(
                f"stack {self.name}: it is in {region}, and was looked for in {self.region}. Set "
                f"the region: pulumi config set {regions.KEY} {region} --stack {self.name}."
            )
        return found

    def refuse_another_account(self, account: str) -> None:
        """Raise UserError if the stack is in an account that is not that of the credentials."""
        if (own := _home(self.state).get("account", account)) != account:
            raise UserError(
                f"stack {self.name}: it is in account {own}, and the credentials are of {account}. "
                "Take those of the stack's account (AWS_PROFILE)."
            )

    def now(self) -> "Deployed":
        """The same stack with the state of now."""
        return replace(self)

    def resource(self, kind: str, name: str) -> Resource:
        """Find one resource that must be there."""
        found = [
            each
            for each in self.state
            if (each.type, each.name) == (kind, name) and not each.replaced
        ]
        if not found:
            raise UserError(
                f"stack {self.name}: has no {kind} {name}, though its configuration asks for it. "
                "pulumi up first."
            )
        return found[0]

    def outgoing(self, kind: str, name: str, *, replaced: bool) -> list[Resource]:
        """List what goes for good when the store is replaced, or already `replaced`."""
        found = [each for each in self.state if (each.type, each.name) == (kind, name)]
        return [each for each in found if each.replaced or not replaced]

    def configure(self, key: str, value: str) -> None:
        """Set a key below `langfuse:` in the stack file."""
        config = auto.ConfigValue(value)
        self.pulumi.set_config(f"{NAMESPACE}:{key}", config, path=True)

    def configure_all(self, values: Mapping[str, str]) -> None:
        """Set several keys below `langfuse:` in the stack file at once."""
        config = {f"{NAMESPACE}:{key}": auto.ConfigValue(each) for key, each in values.items()}
        self.pulumi.set_all_config(config, path=True)

    def unset(self, key: str) -> None:
        """Take a key below `langfuse:` out of the stack file."""
        self.pulumi.remove_config(f"{NAMESPACE}:{key}", path=True)

    def allow_replacement(self, name: str) -> None:
        """Name a store in `langfuse:allowReplace`."""
        allowed = self._allowed()
        if name not in allowed:
            self.configure(f"allowReplace[{len(allowed)}]", name)

    def forbid_replacement(self, name: str) -> None:
        """Take a store out of `langfuse:allowReplace`, and leave the others."""
        allowed = self._allowed()
        if name not in allowed:
            return
        self.pulumi.remove_config(ALLOW_REPLACE)
        for index, other in enumerate(each for each in allowed if each != name):
            self.configure(f"allowReplace[{index}]", other)

    def up(self, *, but: Sequence[Resource] = ()) -> None:
        """Run `pulumi up`, without some resources and what depends on them.

        The old one of a replaced resource is not deleted then: the next whole `up` does that.
        """
        try:
            self.pulumi.up(
                exclude=[each.urn for each in but] or None,
                exclude_dependents=bool(but) or None,
                on_output=typer.echo,
                on_error=lambda line: typer.echo(line, err=True),
                show_secrets=False,
            )
        except auto.errors.ConcurrentUpdateError as error:
            raise UserError(
                f"stack {self.name} is locked by another update. Wait for its end; if it is dead: "
                f"pulumi cancel --stack {self.name}."
            ) from error
        except auto.errors.CommandError as error:
            raise UserError("pulumi up failed; its output is above.") from error

    def _allowed(self) -> list[str]:
        return cast("list[str]", json.loads(self._config().get(ALLOW_REPLACE, "[]")))

    def _config(self) -> dict[str, str]:
        return {key: config.value for key, config in self.pulumi.get_all_config().items()}


def _home(resources: Sequence[Resource]) -> Mapping[str, str]:
    """Where the state says that a stack is: its `region` and `account`, by its ECS cluster."""
    for each in resources:
        if each.type == CLUSTER and not each.replaced:
            _, _, _, region, account, _ = each.outputs["arn"].split(":", 5)
            return {"region": region, "account": account}
    return {}


_RETRIES: Any = {"mode": "standard", "total_max_attempts": 10}
PATIENT: Final = Config(retries=_RETRIES)
"""Of clients whose work must not fail for a moment's trouble."""


def open_stack(name: str, folder: Path, clients: Config = PATIENT) -> Deployed:
    """Find a stack of the project in a folder. `clients`: how its clients of AWS wait and retry."""
    file = file_of(name, folder)
    if file.is_file():
        mapping(read_yaml(file).get("config"), file)
    try:
        with waits(f"stack {name} in the backend"):
            stack = auto.Stack.select(name, Workspace(str(folder), pulumi_command=Command()))
    except auto.errors.StackNotFoundError as error:
        check_there(name, file, folder)
        raise UserError(no_such_stack(name)) from error
    with waits(f"the configuration of stack {name}"):
        config = {key: each.value for key, each in stack.get_all_config().items()}
    session = session_of(config.get(regions.KEY) or os.environ.get("AWS_REGION"), config)
    if not session.region_name:
        (missing,) = regions.missing({}, {})
        raise UserError(f"stack {name}: {missing}")
    return Deployed(
        name=own_name(name),
        prefix=resource_prefix(stack.workspace.project_settings().name, own_name(name)),
        pulumi=stack,
        aws=lambda service: session.client(service, config=clients),
        region=session.region_name,
    )
