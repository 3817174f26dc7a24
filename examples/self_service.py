"""A Langfuse for each team: what a platform team could put behind a form.

    python -m examples.self_service create team-a --owner ada@example.com
    python -m examples.self_service resize team-a --clickhouse-gib 50 --worker-tasks 4
    python -m examples.self_service remove team-a

Each team has a stack of its own, in a folder of its own below --teams, where its request is kept.
State goes where PULUMI_BACKEND_URL says. --offline tries it without an AWS account. A licence key
of Langfuse in LANGFUSE_EE_LICENSE_KEY is given to every team, and shown to nobody.

It leaves out who may ask for what, and approvals.
"""

import json
import logging
import os
import re
import shutil
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from pydantic import BaseModel

from langfuse_aws.automation.engine.events import DiagnosticEvent, Event, ResourceEvent
from langfuse_aws.automation.engine.following import follow
from langfuse_aws.automation.errors import UserError
from langfuse_aws.automation.stack import LangfuseStack
from langfuse_aws.automation.terminal import ask_for, one_line_errors
from langfuse_aws.graph.preview import UNCHANGED

TEAM: Final = re.compile(r"[a-z][a-z0-9-]{0,30}")
HANDED_OUT: Final = ("url", "public_key", "secret_key_secret_arn")
LICENCE: Final = "LANGFUSE_EE_LICENSE_KEY"

log = logging.getLogger("self_service")
app = typer.Typer(no_args_is_help=True, help="Create, resize and remove a Langfuse per team.")

Team = Annotated[str, typer.Argument(help="Small letters, digits and hyphens.")]
Teams = Annotated[Path, typer.Option("--teams", help="Where the requests are kept.")]
Offline = Annotated[bool, typer.Option("--offline", help="On an AWS in memory.")]


class Request(BaseModel):
    """What a team has asked for."""

    owner: str
    size: str
    region: str
    clickhouse_gib: int | None = None
    worker_tasks: int | None = None

    def settings(self, team: str) -> dict[str, Any]:
        """The keys of a stack file; the program checks them."""
        settings: dict[str, Any] = {
            "aws:region": self.region,
            "aws:defaultTags": {"tags": {"Team": team, "Owner": self.owner}},
            "size": self.size,
            "bootstrap": {"userEmail": self.owner},
        }
        if self.clickhouse_gib is not None:
            settings["clickhouse"] = {"volumeGib": self.clickhouse_gib}
        if self.worker_tasks is not None:
            settings["worker"] = {"maxTasks": self.worker_tasks}
        return settings


@app.command()
def create(
    team: Team,
    owner: Annotated[str, typer.Option(help="Mail address of the first user; also a tag.")],
    size: Annotated[str, typer.Option(help="dev, staging or prod.")] = "dev",
    region: str = "eu-west-1",
    teams: Teams = Path("teams"),
    offline: Offline = False,
) -> None:
    """Make a Langfuse, and print where it is and with what keys."""
    with one_line_errors():
        if (_folder(teams, team) / "request.json").exists():
            raise UserError(f"{team}: has a Langfuse already. Resize it, or remove it first.")
        _deploy(team, Request(owner=owner, size=size, region=region), teams, offline)


@app.command()
def resize(
    team: Team,
    clickhouse_gib: Annotated[int | None, typer.Option(help="GiB of ClickHouse's volume.")] = None,
    worker_tasks: Annotated[int | None, typer.Option(help="Most tasks of the worker.")] = None,
    teams: Teams = Path("teams"),
    offline: Offline = False,
) -> None:
    """Change its size. Without an option it goes on with what failed before."""
    with one_line_errors():
        asked = {"clickhouse_gib": clickhouse_gib, "worker_tasks": worker_tasks}
        given = {name: value for name, value in asked.items() if value is not None}
        _deploy(team, _request(teams, team).model_copy(update=given), teams, offline)


@app.command()
def remove(
    team: Team,
    teams: Teams = Path("teams"),
    offline: Offline = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Destroy it, with all of its data."""
    with one_line_errors():
        request = _request(teams, team)
        if not yes:
            ask_for(team, "to destroy its Langfuse with all traces")
        with _stack(team, request, teams, offline) as stack:
            follow(lambda: stack.start_destroy(remove=True), _log)
        shutil.rmtree(_folder(teams, team))


def _deploy(team: str, request: Request, teams: Path, offline: bool) -> None:
    with _stack(team, request, teams, offline) as stack:  # refuses what is wrong in the request
        written = _folder(teams, team) / "request.json"
        written.write_text(request.model_dump_json(), encoding="utf-8")
        result = follow(stack.start_up, _log)
    log.info("%s: %d resources changed in %.0f s", team, result.changed, result.seconds)
    typer.echo(json.dumps({name: result.outputs[name] for name in HANDED_OUT}, indent=2))


def _stack(team: str, request: Request, teams: Path, offline: bool) -> LangfuseStack:
    licence = os.environ.get(LICENCE)
    stack = LangfuseStack(
        team,
        request.settings(team),
        secrets={"secretEnvironment": {LICENCE: licence}} if licence else {},
        work_dir=_folder(teams, team),
        offline=offline,
    )
    log.filters[:] = [stack.redaction]
    return stack


def _log(event: Event) -> None:
    if isinstance(event, ResourceEvent):
        if event.state != "started" and event.operation not in UNCHANGED:
            log.info("%s %s %s %s", event.state, event.operation, event.type, event.name)
    elif isinstance(event, DiagnosticEvent) and event.severity in ("warning", "error"):
        log.warning("%s", event.message)


def _request(teams: Path, team: str) -> Request:
    try:
        text = (_folder(teams, team) / "request.json").read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise UserError(f"{team}: has no Langfuse. Create it first.") from error
    return Request.model_validate_json(text)


def _folder(teams: Path, team: str) -> Path:
    if not TEAM.fullmatch(team):
        raise UserError(
            f"{team}: is no team's name: 1 to 31 small letters, digits and hyphens, a letter first."
        )
    return (teams / team).resolve()


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    app(prog_name="python -m examples.self_service")
