"""`pause` and `resume`: put a stack to sleep and wake it at once, as its schedules do.

Exit code 0: it sleeps, or it is awake. 1: not, and a line says why; the same command goes on.
"""

import json
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import typer
from rich.text import Text

from langfuse_aws.automation.engine.deployed import Deployed, open_stack
from langfuse_aws.automation.engine.stopping import Interrupted
from langfuse_aws.automation.engine.waiting import waits
from langfuse_aws.automation.errors import MistakesError, UserError, is_expected, one_line
from langfuse_aws.automation.hours import clock
from langfuse_aws.automation.hours.acts import Act, Look, act
from langfuse_aws.automation.hours.asleep import Asleep
from langfuse_aws.automation.hours.muting import Muting
from langfuse_aws.automation.hours.performing import perform
from langfuse_aws.automation.hours.schedules import End, Schedules
from langfuse_aws.automation.terminal import console, error_console, one_line_errors
from langfuse_aws.settings.hours import SLEEPS_AFTER, Hours
from langfuse_aws.settings.installation import COMMAND

URL_OUTPUT: Final = "url"
BEFORE_WAKING: Final = 60
"""Minutes before `from` in which nothing is put to sleep: it takes half of them, and the schedules
begin to wake it then."""
BEFORE_SLEEPING: Final = 30
"""Minutes before `to` in which nothing is woken: it takes as long."""


def pause(stack: str, folder: Path, as_json: bool) -> None:
    """Put a stack to sleep."""
    with one_line_errors(), waits.silent(as_json):
        deployed = open_stack(stack, folder)
        schedules = schedules_of(deployed)
        hours, now = schedules.hours, clock.now()
        if clock.within(hours, hours.begins.later(-BEFORE_WAKING), hours.begins, now):
            by = clock.when(hours.next_time(hours.begins, now), hours)
            raise UserError(
                f"stack {deployed.name}: its schedule wakes it by {by}, in less than "
                f"{BEFORE_WAKING} minutes, and would find it half asleep. Run pause after that."
            )
        if muting := _muting(deployed):
            with waits("muting the alarms"):
                muting.begin(hours, now)
        parts = _do(deployed, schedules, "sleep", as_json=as_json)
        asleep = Asleep(deployed.name, hours, clock.now())
        if as_json:
            _print(deployed, "asleep", asleep.to_json(), parts)
        else:
            console.print(Text(f"S{str(asleep)[1:]}"))


def resume(stack: str, folder: Path, as_json: bool) -> None:
    """Wake a stack."""
    with one_line_errors(), waits.silent(as_json):
        deployed = open_stack(stack, folder)
        schedules = schedules_of(deployed)
        hours, now = schedules.hours, clock.now()
        asleep_by = hours.ends.later(max(SLEEPS_AFTER.values()))
        if clock.within(hours, hours.ends.later(-BEFORE_SLEEPING), asleep_by, now):
            by = clock.when(hours.next_time(asleep_by, now), hours)
            raise UserError(
                f"stack {deployed.name}: its schedule puts it to sleep by {by}, and would find it "
                "half awake. Run resume after that."
            )
        parts = _do(deployed, schedules, "wake", as_json=as_json)
        _tell_awake(deployed, hours, parts, as_json=as_json)
        if muting := _muting(deployed):
            muting.end(clock.now())


def schedules_of(deployed: Deployed) -> Schedules:
    """The schedules that AWS has. UserError, with what to do, if there are none."""
    found = Schedules.of(deployed.state)
    if found is not None:
        return found
    settings = deployed.settings
    if settings.hours is not None:
        raise UserError(
            f"stack {deployed.name}: its file has langfuse:hours, and AWS has no schedules of them "
            "yet. pulumi up first."
        )
    if settings.deletion_protection:
        raise UserError(
            f"stack {deployed.name}: is protected (langfuse:deletionProtection), and has no "
            "langfuse:hours: what is sent to a stack that sleeps is lost. It cannot be paused."
        )
    raise UserError(
        f"stack {deployed.name}: has no langfuse:hours, and never sleeps. To give it some: pulumi "
        f"config set --path langfuse:hours.from 08:00 --stack {deployed.name}, likewise hours.to "
        "19:00 and hours.timezone Europe/Berlin, then pulumi up (docs/hours.md)."
    )


def _muting(deployed: Deployed) -> Muting | None:
    return Muting.of(deployed.prefix, deployed.state, deployed.aws("cloudwatch"))


def _do(deployed: Deployed, schedules: Schedules, end: End, *, as_json: bool) -> dict[str, str]:
    """Perform the schedules of one end; gives what has become of each part."""
    word, style = {"sleep": ("stopped", "cyan"), "wake": ("running", "green")}[end]
    parts: dict[str, str] = {}

    def ended(each: Act, look: Look) -> None:
        parts[each.part] = look.text
        if not as_json:
            console.print(Text.assemble((f"{word:8}", style), f" {each.subject}: {look.text}"))

    stages = [
        [act(each, deployed.name, deployed.aws) for each in stage]
        for stage in schedules.stages(end)
    ]
    with _goes_on("pause" if end == "sleep" else "resume", deployed), waits("asking AWS") as update:
        perform(stages, ended, update)
    return parts


@contextmanager
def _goes_on(command: str, deployed: Deployed) -> Generator[None]:
    """Say, wherever it ends, that nothing is lost by running it again."""
    again = f"{COMMAND} {command} --stack {deployed.name} goes on from there."
    try:
        yield
    except (KeyboardInterrupt, Interrupted):
        error_console.print(Text(f"AWS goes on with what it was asked for. {again}"))
        raise
    except Exception as error:
        if not is_expected(error):
            raise
        raise MistakesError([one_line(error), f"What was done stays. {again}"]) from error


def _tell_awake(deployed: Deployed, hours: Hours, parts: dict[str, str], *, as_json: bool) -> None:
    now = clock.now()
    until = hours.next_time(hours.ends, now)
    found = deployed.pulumi.outputs().get(URL_OUTPUT)
    url = str(found.value) if found else ""
    if as_json:
        told = {"until": until.isoformat(), "timezone": hours.timezone}
        _print(deployed, "awake", {**told, URL_OUTPUT: url}, parts)
        return
    console.print(
        Text(f"Stack {deployed.name} is awake until {clock.when(until, hours)}. {url}".strip())
    )


def _print(deployed: Deployed, state: str, told: dict[str, str], parts: dict[str, str]) -> None:
    typer.echo(json.dumps({"stack": deployed.name, "state": state, **told, "parts": parts}))
