"""`move-in`: configure, plan, run, check and finish, from a Langfuse that runs elsewhere.

Exit code 0: done. 1: refused or failed, and the lines say why. 2: a wrong command line.
"""

import json
import os
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import typer

from langfuse_aws.automation.engine.deployed import Deployed, open_stack
from langfuse_aws.automation.engine.waiting import waits
from langfuse_aws.automation.errors import CommandLineError, MistakesError, UserError
from langfuse_aws.automation.move_in import copying, display, old_trace, verification
from langfuse_aws.automation.move_in.clickhouse import ClickHouse
from langfuse_aws.automation.move_in.configuration import configuration_of, configure
from langfuse_aws.automation.move_in.measuring import Rates, measure
from langfuse_aws.automation.move_in.objects import source_prefixes
from langfuse_aws.automation.move_in.postgres import Postgres
from langfuse_aws.automation.move_in.progress import Progress
from langfuse_aws.automation.move_in.reading import read_source
from langfuse_aws.automation.move_in.refusals import refusals
from langfuse_aws.automation.move_in.sides import RELEASE, Keys, Sides
from langfuse_aws.automation.move_in.source import Source
from langfuse_aws.automation.move_in.stack_target import opened
from langfuse_aws.automation.plan import Plan, Step, ask, carry_out
from langfuse_aws.automation.terminal import console, need_terminal, one_line_errors
from langfuse_aws.settings.versions import version_of

GUIDE: Final = "docs/move-in.md"
PUBLIC_KEYS: Final = ("LANGFUSE_PUBLIC_KEY", "LANGFUSE_INIT_PROJECT_PUBLIC_KEY")
SECRET_KEYS: Final = ("LANGFUSE_SECRET_KEY", "LANGFUSE_INIT_PROJECT_SECRET_KEY")
NO_RATES: Final = Rates(None, None, None)


def move_in_configure(stack: str, sources: Sequence[Path], folder: Path, yes: bool) -> None:
    """Set what must be the source's in the stack's configuration."""
    with one_line_errors():
        source = read_source(sources, os.environ, reached=False)
        deployed = open_stack(stack, folder)
        found = configuration_of(source, version_of(deployed.settings.release)[0])
        console.print(f"From {source.name}, for Pulumi.{deployed.name}.yaml", style="bold")
        for key, value in found.plain.items():
            console.print(f"  langfuse:{key}: {value}", markup=False)
        for key, names in (
            ("secretEnvironment", found.environment),
            ("authSecrets", found.providers),
            ("smtpUrl", ["the URL"] if found.smtp_url else []),
        ):
            if names:
                console.print(f"  langfuse:{key}, encrypted: {', '.join(names)}", markup=False)
        if found.left:
            console.print("Not set, look at them yourself", style="bold")
            console.print(f"  {', '.join(found.left)}", markup=False)
        if not yes:
            need_terminal()
            ask()
        configure(found, stack, folder)
        console.print(f"Set. Next: pulumi up --stack {stack}.", markup=False)


def move_in_plan(
    stack: str,
    sources: Sequence[Path],
    folder: Path,
    release: str | None,
    direct: bool,
    as_json: bool,
) -> None:
    """Read both sides, show what would be copied, and refuse what must not begin."""
    with (
        one_line_errors(),
        waits.silent(as_json),
        _opened(stack, sources, folder, release, direct) as (sides, _),
    ):
        refused, table, rates = look(sides)
        if as_json:
            typer.echo(json.dumps(display.as_json(sides, table, rates, refused), indent=2))
            if refused:
                raise typer.Exit(1)
            return
        if table:
            display.show(
                table,
                rates,
                {"Lost": list(display.lost(sides)), "Needs": list(display.needs())},
            )
        if refused:
            raise MistakesError([*refused, "nothing was changed."])


def look(sides: Sides) -> tuple[Sequence[str], Sequence[display.Row], Rates]:
    """Find what is against it, and the table; none if a side cannot be read."""
    with waits("looking at both sides"):
        refused = refusals(sides)
        try:
            rates = measure(sides)
            return refused, list(display.rows(sides, rates)), rates
        except UserError as error:
            return refused or list(error.messages), [], NO_RATES


def move_in_run(
    stack: str,
    sources: Sequence[Path],
    folder: Path,
    release: str | None,
    direct: bool,
    yes: bool,
) -> None:
    """Copy everything that is new, count both sides, and start the target again."""
    with one_line_errors(), _opened(stack, sources, folder, release, direct) as (sides, deployed):
        with waits("looking at both sides"):
            refused = refusals(sides)
        if refused:
            raise MistakesError([*refused, "nothing was changed."])
        url = str(deployed.pulumi.outputs()["url"].value)
        carry_out(plan(sides, url), yes=yes)


def plan(sides: Sides, url: str) -> Plan:
    """Work out the steps. Each goes on where it was interrupted."""
    say = console.print
    target = sides.target
    half = "What is copied stays, and PostgreSQL is as it was. The target's worker is stopped."

    def begin() -> None:
        target.stop()
        sides.progress.begin(sides.source.identity)

    steps = [
        Step("Stop the target's worker, and note the source.", begin, "Nothing was copied."),
        Step(
            "Copy the objects that its bucket lacks.",
            lambda: copying.copy_objects(sides, say),
            half,
        ),
        Step(
            "Copy ClickHouse's partitions that are new or have changed.",
            lambda: copying.copy_clickhouse(sides, say),
            half,
        ),
        Step(
            "Put the source's PostgreSQL in the place of the target's, in one transaction.",
            lambda: copying.copy_postgres(sides, say),
            half,
        ),
        Step("Count both sides.", lambda: count(sides), "The target's worker is stopped."),
        Step(
            f"Migrate to {target.release}, and start the worker.",
            lambda: _serve(sides),
            "Everything is copied and counted; the worker is stopped.",
        ),
    ]
    if sides.keys is not None:
        keys = sides.keys
        steps.append(
            Step(
                f"Read a trace of the old time at {url}.",
                lambda: _read_back(sides, url, keys),
                "Everything is copied and counted, and the target serves it.",
            )
        )
    return Plan(
        found=[f"Source {sides.source.identity}.", f"Stack {target.name}, {url}."],
        lost=list(display.lost(sides)),
        steps=steps,
        go_on="Correct the cause and run the same command again: what is done is not done again.",
    )


def count(sides: Sides) -> None:
    """Compare, show, and raise MistakesError for what differs."""
    with waits("counting both sides"):
        compared = list(verification.compare(sides))
    display.show_comparisons(compared)
    differing = [each for each in compared if not each.same]
    if differing:
        raise MistakesError(
            [
                f"{each.what}: the source has {each.source:,} {each.unit}, the target "
                f"{each.target:,}; {'; '.join(each.differing[:5]) or 'the sums differ'}."
                for each in differing
            ]
        )


def _serve(sides: Sides) -> None:
    sides.target.migrate()
    sides.target.start()


def _read_back(sides: Sides, url: str, keys: Keys) -> None:
    for line in old_trace.proof(sides, url, keys):
        console.print(line, markup=False, soft_wrap=True)


def move_in_finish(stack: str, folder: Path, direct: bool, yes: bool) -> None:
    """Forget what was moved: a run into this stack is refused from then on."""
    with one_line_errors():
        deployed = open_stack(stack, folder)
        with opened(deployed, direct=direct) as target:
            progress = Progress(target.postgres)
            if not progress.begun():
                raise UserError(f"stack {stack}: no move is under way.")
            console.print(
                f"Moved in from {progress.items()['source']}. After this no run goes into the "
                "stack any more; its data stay.",
                markup=False,
            )
            if not yes:
                need_terminal()
                ask()
            progress.end()


@contextmanager
def _opened(
    stack: str, sources: Sequence[Path], folder: Path, release: str | None, direct: bool
) -> Generator[tuple[Sides, Deployed]]:
    if release is not None and not RELEASE.fullmatch(release):
        raise CommandLineError(f"--release {release}: must be X.Y.Z, such as 3.225.4.")
    source = read_source(sources, os.environ)
    deployed = open_stack(stack, folder)
    with opened(deployed, direct=direct) as target:
        objects = {use: each for use, each in target.objects.items() if use in source.objects}
        sides = Sides(
            source,
            Postgres(source.postgres, "source", read_only=True),
            ClickHouse(source.clickhouse, "source", read_only=True),
            source_prefixes(source.objects, lambda _: deployed.aws("s3")),
            replace(target, objects=objects),
            release,
            keys_of(source, os.environ),
        )
        try:
            yield sides, deployed
        finally:
            sides.close()


def keys_of(source: Source, around: Mapping[str, str]) -> Keys | None:
    """Find a key pair: of this process's environment, or of what the source made first."""
    given: Mapping[str, Any] = {**source.environment, **around}
    for public, secret in zip(PUBLIC_KEYS, SECRET_KEYS, strict=True):
        if given.get(public) and given.get(secret):
            return Keys(str(given[public]), str(given[secret]))
    return None
