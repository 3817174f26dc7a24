"""`import`: what a Langfuse of tubone24/langfuse-v3-terraform needs to move into a stack.

It writes the file for `pulumi import` and prints the rest; with --configure, it sets the stack's
configuration. It imports nothing, and asks neither AWS nor Terraform. What is secret in the state
goes nowhere but, encrypted, into the stack's configuration.
"""

import json
import os
from collections.abc import Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any, Final, cast

import yaml
from pulumi import automation as auto

from langfuse_aws.automation.engine.offline_workspace import (
    check_project,
    own_name,
    read_project,
)
from langfuse_aws.automation.engine.operation import Command
from langfuse_aws.automation.engine.workspace import search_path
from langfuse_aws.automation.from_terraform.move import Move
from langfuse_aws.automation.from_terraform.plan import move_in
from langfuse_aws.automation.from_terraform.terraform_resources import GUIDE
from langfuse_aws.automation.from_terraform.terraform_state import read_terraform_state
from langfuse_aws.automation.terminal import console, one_line_errors
from langfuse_aws.components.shared.names import resource_prefix
from langfuse_aws.settings.messages import NAMESPACE
from langfuse_aws.settings.secret_keys import ENVIRONMENT_KEY

FILE: Final = "langfuse-import.json"
SECRETS: Final = f"{NAMESPACE}:{ENVIRONMENT_KEY}"
_ORDER: Final = ("moved", "kept", "made anew")


def import_stores(state: Path, stack: str, to: Path, configure: bool, folder: Path) -> None:
    """Write what adopts the stores of a Langfuse of tubone24/langfuse-v3-terraform."""
    with one_line_errors():
        check_project(folder)
        prefix = resource_prefix(read_project(folder)["name"], own_name(stack))
        move = move_in(read_terraform_state(state), prefix)
        file = to / FILE
        file.write_text(json.dumps({"resources": move.imports}, indent=2) + "\n", encoding="utf-8")
        if configure:
            _configure(move, stack, folder)
        _show(move, stack, file, configured=configure)


def _configure(move: Move, stack: str, folder: Path) -> None:
    command = Command()

    def pulumi(*arguments: str, given: str | None = None) -> str:
        told = {**os.environ, "PATH": search_path()}
        whole = ["config", *arguments, "--stack", stack]
        return command.run(whole, str(folder), told, given=given).stdout

    plain = [f"--plaintext={key}={value}" for key, value in _paths(move.config)]
    pulumi("set-all", "--path", *plain)
    try:
        held: dict[str, str] = json.loads(pulumi("get", SECRETS))
    except auto.errors.CommandError:
        held = {}
    # On standard input: a command line can be seen by every user of the machine.
    pulumi("set", "--secret", SECRETS, given=json.dumps({**held, **move.secrets}))


def _paths(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Pulumi's paths of a configuration, and what is there."""
    if isinstance(value, Mapping):
        for key, part in cast("Mapping[str, Any]", value).items():
            yield from _paths(part, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for index, part in enumerate(cast("list[Any]", value)):
            yield from _paths(part, f"{path}[{index}]")
    else:
        yield path, value


def _show(move: Move, stack: str, file: Path, *, configured: bool) -> None:
    done = "set in" if configured else "for"
    titles = {
        f"Adopted by pulumi import, {file}": move.adopted,
        f"Configuration, {done} Pulumi.{own_name(stack)}.yaml": yaml.safe_dump(
            {"config": move.config}, sort_keys=False
        ).splitlines(),
        f"Secrets, {'encrypted in' if configured else 'for'} {SECRETS}": [
            f"{', '.join(move.secrets) or 'none found'}; "
            + ("never printed." if configured else "never printed: --configure sets them.")
        ],
        "First": move.first or ["Nothing."],
        "Not adopted": list(_not_adopted(move)),
        "Before any terraform destroy, and only when all is moved": [
            *(f"terraform state rm '{address}'" for address in move.forgotten),
            *([f"terraform destroy -target='{move.module}'"] if move.module else []),
        ],
        "Next": [f"{GUIDE}, from step 3 on."],
    }
    for title, lines in titles.items():
        console.print(title, style="bold", markup=False)
        for line in lines:
            console.print(f"  {line}", markup=False)


def _not_adopted(move: Move) -> Iterator[str]:
    """One line for all that goes the same way."""
    ordered = sorted(move.left, key=lambda each: (_ORDER.index(each.treatment.what), *each))
    for treatment, same in groupby(ordered, key=lambda each: each.treatment):
        yield f"{treatment.what}: {treatment.way}"
        yield from (f"    {each.address}" for each in same)
