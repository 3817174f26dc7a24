"""`smoke`: sends a trace through every part of a Langfuse, and names the part that fails."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import httpx
import typer
from rich.table import Table
from rich.text import Text

from langfuse_aws.automation.engine.deployed import Deployed, open_stack
from langfuse_aws.automation.engine.waiting import waits
from langfuse_aws.automation.errors import CommandLineError, UserError
from langfuse_aws.automation.hours.asleep import Asleep, seen_asleep
from langfuse_aws.automation.smoke.api import Target
from langfuse_aws.automation.smoke.checks import Report, run
from langfuse_aws.automation.smoke.lag import lag_seconds
from langfuse_aws.automation.terminal import console, error_console, one_line_errors, tell

URL_OUTPUT: Final = "url"
PUBLIC_KEY_OUTPUT: Final = "public_key"
KEY_ARN_OUTPUT: Final = "secret_key_secret_arn"
"""A secret of Secrets Manager: a JSON object with `secret_key`."""
HTTP_API: Final = "aws:apigatewayv2/api:Api"
NOTHING_CHECKED: Final = 2
"""Exit code."""
KEYS: Final = "LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY in the environment"
"""An option's value would stand in the list of processes."""
INSTEAD: Final = f"Pass --url, with {KEYS}, instead of --stack."


def smoke(
    context: typer.Context,
    stack: str | None,
    folder: Path,
    url: str | None,
    public_key: str | None,
    secret_key: str | None,
    old_trace: str | None,
    timeout: float,
    as_json: bool,
) -> None:
    """Send a trace to a running Langfuse, read it back, and name the part that fails."""
    deployed: Deployed | None = None
    asleep: Asleep | None = None
    with one_line_errors(NOTHING_CHECKED):
        if stack is not None:
            given = [
                name
                for name in ("url", "public_key", "secret_key")
                if _typed(context, name) is not None
            ]
            if given:
                raise CommandLineError(
                    f"--stack says the URL and the keys: leave out {_options(given)}."
                )
            deployed = open_stack(stack, folder)
            asleep = _asleep(deployed)
            target = _of_stack(deployed) if asleep is None else None
        else:
            target = _given({"url": url, "public_key": public_key, "secret_key": secret_key})
    if target is None:
        _show_asleep(str(asleep), as_json=as_json)
        raise typer.Exit(1)
    with waits.silent(as_json), waits("asking Langfuse") as update:
        report = run(target, timeout, update, old_trace)
        lag = lag_seconds(deployed) if deployed else None
    _show_json(report, lag) if as_json else _show(report, target, lag)
    if not report.ok:
        raise typer.Exit(1)


def smoke_deployed(deployed: Deployed, timeout: float) -> None:
    """Test a stack that is open, and show it. UserError if a check failed."""
    if asleep := _asleep(deployed):
        raise UserError(f"smoke: {asleep}")
    target = _of_stack(deployed)
    with waits("asking Langfuse") as update:
        report = run(target, timeout, update)
        lag = lag_seconds(deployed)
    _show(report, target, lag)
    if not report.ok:
        raise UserError(f"smoke: {report.blame} is to blame.")


def _asleep(deployed: Deployed) -> Asleep | None:
    return seen_asleep(deployed.name, deployed.state, deployed.aws)


def _of_stack(deployed: Deployed) -> Target:
    outputs = deployed.pulumi.outputs()
    wanted = (URL_OUTPUT, PUBLIC_KEY_OUTPUT, KEY_ARN_OUTPUT)
    missing = [name for name in wanted if name not in outputs]
    if missing:
        raise UserError(f"stack {deployed.name}: has no output {', '.join(missing)}. {INSTEAD}")
    address, public_key, arn = (str(outputs[name].value) for name in wanted)
    by_http_api = any(each.type == HTTP_API for each in deployed.state)
    return Target(_checked_url(address), public_key, _secret(deployed, arn), by_http_api)


def _secret(deployed: Deployed, arn: str) -> str:
    answer = deployed.aws("secretsmanager").get_secret_value(SecretId=arn)
    try:
        key: Any = json.loads(answer["SecretString"])["secret_key"]
    except (KeyError, TypeError, ValueError):
        key = None
    if not key or not isinstance(key, str):
        # From nothing: the cause's message could show what was found.
        raise UserError(f"{arn}: is not a JSON object with secret_key. {INSTEAD}") from None
    return key


def _given(values: Mapping[str, str | None]) -> Target:
    missing = [name for name, value in values.items() if not value]
    if len(missing) == len(values):
        raise UserError(f"either --stack, or --url with {KEYS}, is needed.")
    if missing:
        raise UserError(
            f"missing: {_options(missing)}. Pass --url, with {KEYS}; or --stack, instead of all "
            "three."
        )
    address, public_key, secret_key = (value or "" for value in values.values())
    return Target(_checked_url(address), public_key, secret_key)


def _checked_url(address: str) -> str:
    try:
        url = httpx.URL(address)
    except httpx.InvalidURL:
        url = httpx.URL("")
    # Not shown: it may have a key in it.
    if url.scheme not in ("http", "https") or not url.host or url.userinfo:
        raise CommandLineError(
            "--url: is not of the form https://langfuse.example.com, without keys."
        )
    return address.rstrip("/")


def _show(report: Report, target: Target, lag: float | None) -> None:
    table = Table("Step", "", "Result", box=None, pad_edge=False)
    table.add_column("Seconds", justify="right")
    for step in report.steps:
        verdict = Text("ok", "green") if step.ok else Text("failed", "red")
        table.add_row(step.what, verdict, Text(step.result), f"{step.seconds:.2f}")
    console.print(table)
    if report.ok:
        line = f"All is well at {target.url}. A trace was visible {report.seconds_to_visible:.1f} s"
        console.print(Text(f"{line} after it was sent."))
        if report.closed:
            closed = ", ".join(report.closed)
            console.print(Text(f"Closed in its write mode, {report.write_mode}: {closed}."))
    if lag is not None:
        console.print(Text(f"The oldest event in the queues has waited {lag:.0f} s."))
    if not report.ok:
        error_console.print(Text(f"error: {report.blame}: {report.message}"))


def _show_asleep(said: str, *, as_json: bool) -> None:
    """Say it; no part of the stack is to blame, so none is asked."""
    if as_json:
        _show_json(Report(blame="asleep", message=said), None)
    else:
        tell([said])


def _show_json(report: Report, lag: float | None) -> None:
    typer.echo(json.dumps({**asdict(report), "lag_seconds": lag}, indent=2))


def _typed(context: typer.Context, name: str) -> str | None:
    """Give what was typed, not what is in the environment."""
    source = context.get_parameter_source(name)
    return context.params[name] if source is not None and source.name == "COMMANDLINE" else None


def _options(names: list[str]) -> str:
    return ", ".join(f"--{name.replace('_', '-')}" for name in names)
