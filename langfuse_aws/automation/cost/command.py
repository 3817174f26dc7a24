"""`cost`: what a stack costs a month, by its resources."""

from pathlib import Path

import typer
from botocore.exceptions import BotoCoreError, ClientError

from langfuse_aws.automation.aws.clients import Clients
from langfuse_aws.automation.cost.price_refresh import ENDPOINT as PRICES_REGION
from langfuse_aws.automation.cost.price_refresh import refresh
from langfuse_aws.automation.cost.report import By, as_json, show
from langfuse_aws.automation.engine.waiting import waits
from langfuse_aws.automation.errors import CommandLineError, UserError
from langfuse_aws.automation.stack import LangfuseStack
from langfuse_aws.automation.terminal import one_line_errors
from langfuse_aws.cost.bill import Bill, bill, region_of
from langfuse_aws.cost.prices import UnknownRegionError, price_list
from langfuse_aws.cost.usage import Usage
from langfuse_aws.graph.model import ResourceGraph
from langfuse_aws.settings.installation import CLONE


def cost(
    stack: str,
    events_per_month: float,
    assume: list[str] | None,
    region: str | None,
    by: By,
    deployed: bool,
    folder: Path,
    json_wanted: bool,
    refresh_prices: bool,
) -> None:
    """Work out what a stack costs a month, by its resources."""
    if refresh_prices:
        _refresh()
        return
    with one_line_errors():
        usage = _usage(events_per_month, assume or [])
        if region is not None:
            _check(region, CommandLineError)
        with waits.silent(json_wanted), waits(_reading(stack, deployed=deployed)):
            graph = graph_of(stack, folder, deployed=deployed)
        found = price(graph, region, usage)
    if json_wanted:
        typer.echo(as_json(found, stack))
    else:
        show(found, stack, by)


def _refresh() -> None:
    with one_line_errors():
        if CLONE is None:
            raise CommandLineError(
                "--refresh-prices: changes a file of the repository, and this program is installed."
                " Run it in a clone; a later release has later prices."
            )
        try:
            with waits("asking AWS for every price"):
                found = refresh(Clients(PRICES_REGION, {})("pricing"))
        except (BotoCoreError, ClientError) as error:
            raise UserError(
                f"AWS's Price List API: {error}. It needs credentials that may call "
                "pricing:GetProducts; langfuse_aws/cost/prices.csv is as it was."
            ) from error
    for line in found.changed:
        typer.echo(f"changed: {line}")
    for line in found.not_found:
        typer.echo(f"not found, stays as it is: {line}")
    typer.echo(
        f"langfuse_aws/cost/prices.csv: {found.same} prices confirmed, {len(found.changed)} "
        f"changed, "
        f"{len(found.not_found)} not found. Look at git diff langfuse_aws/cost/prices.csv, "
        f"then run make docs."
    )


def _reading(stack: str, *, deployed: bool) -> str:
    return f"the state of stack {stack}" if deployed else f"an offline preview of stack {stack}"


def graph_of(stack: str, folder: Path, *, deployed: bool) -> ResourceGraph:
    """The resources of a stack: as its file plans them, or as they are deployed."""
    with LangfuseStack(stack, project=folder, offline=not deployed) as found:
        return found.deployed() if deployed else found.planned()


def price(graph: ResourceGraph, region: str | None, usage: Usage) -> Bill:
    """Price a graph in a region, by default its own. Raises UserError."""
    wanted = region or region_of(graph)
    if wanted is None:
        raise UserError("the resources do not say their region: give --region.")
    _check(wanted)
    return bill(graph, wanted, usage)


def _check(region: str, kind: type[UserError] = UserError) -> None:
    try:
        price_list(region)
    except UnknownRegionError as error:
        raise kind(f"{error} Give --region, or add rows.") from error


def _usage(events_per_month: float, assumed: list[str]) -> Usage:
    given = {"events_per_month": events_per_month}
    for each in assumed:
        name, _, number = each.partition("=")
        try:
            given[name] = float(number)
        except ValueError:
            raise CommandLineError(
                f"--assume {each}: is not FIGURE=NUMBER, such as event_kb=20."
            ) from None
    try:
        return Usage().with_figures(given)
    except KeyError as error:
        raise CommandLineError(
            f"--assume {error.args[0]}: is no figure. docs/cost.md, Traffic, lists them."
        ) from None
    except ValueError as error:
        raise CommandLineError(f"{error}. Give another.") from None
