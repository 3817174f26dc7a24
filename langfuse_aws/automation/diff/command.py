"""`diff`: what a change does to every stack, as Markdown for a comment on a pull request."""

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Final

import typer

from langfuse_aws.automation.diff.checkout import checked_out, merge_base
from langfuse_aws.automation.diff.comparison import Sources, compare
from langfuse_aws.automation.engine.engines import engines_ended
from langfuse_aws.automation.engine.offline_workspace import check_there
from langfuse_aws.automation.engine.stack_file import check_stack_file
from langfuse_aws.automation.engine.waiting import waits
from langfuse_aws.automation.errors import CommandLineError, MistakesError, UserError
from langfuse_aws.automation.terminal import need_folder_of, one_line_errors
from langfuse_aws.review.difference import Difference
from langfuse_aws.review.gates import Gate, GateError, parse, tripped
from langfuse_aws.review.markdown import code
from langfuse_aws.review.report import report

STOPPED: Final = 3
"""Exit code if a gate trips; 1 is an error."""
AT_ONCE: Final = 2
"""Stacks that are deployed at once; each keeps a core busy."""


def diff(
    base: str,
    head: str,
    stack: list[str] | None,
    output: Path | None,
    as_json: bool,
    fail_on: str,
    folder: Path,
) -> None:
    """Show what a change does to each stack: data at risk, ports, permissions, resources, cost."""
    with waits.silent(as_json), one_line_errors(), ExitStack() as checkouts:
        gates = _gates(fail_on)
        if not base:
            raise CommandLineError("--base: is empty. Name a commit, a branch or a tag.")
        need_folder_of("--output", output)
        with waits("git"):
            begin = merge_base(base, head or "HEAD", folder)
            before = checkouts.enter_context(checked_out(begin, folder))
            after = checkouts.enter_context(checked_out(head, folder)) if head else folder
        sources = Sources(before, after)
        chosen = _chosen(sources, stack or [], folder)
        compared = [name for name in chosen if sources.has("head", name)]
        new = [name for name in chosen if not sources.has("base", name)]
        gone = [name for name in chosen if name not in compared]
        _check(compared, after)
        differences = _compared(compared, sources)
        stops = tripped(gates, differences)
        text = report(differences, stops, _notes(new, gone))
        if output:
            output.write_text(text, encoding="utf-8")
    typer.echo(_json(differences, stops, new, gone) if as_json else text)
    if stops:
        raise typer.Exit(STOPPED)


def _gates(text: str) -> list[Gate]:
    try:
        return parse(text)
    except GateError as error:
        raise CommandLineError(str(error)) from error


def _chosen(sources: Sources, wanted: Sequence[str], folder: Path) -> list[str]:
    """The stacks that are asked for, each of them on one side at least."""
    known = sources.stacks()
    if not known:
        raise CommandLineError(
            f"--dir: {folder} has no Pulumi.STACK.yaml, nor had it one before: there is nothing to "
            "compare."
        )
    strangers = [name for name in wanted if name not in known]
    if strangers:
        check_there(strangers[0], folder / f"Pulumi.{strangers[0]}.yaml", folder)
        raise CommandLineError(
            f"--stack {strangers[0]}: neither side has a Pulumi.{strangers[0]}.yaml. Stacks are "
            f"{', '.join(known)}."
        )
    return list(wanted) or known


def _notes(new: Sequence[str], gone: Sequence[str]) -> list[str]:
    """What to say of stacks that are on one side only."""
    return [
        *(f"{code(name)} is a new stack." for name in new),
        *(
            f"{code(name)} has no stack file any more. What is deployed stays until `pulumi "
            "destroy`."
            for name in gone
        ),
    ]


def _compared(names: Sequence[str], sources: Sources) -> list[Difference]:
    """Compare them side by side. The first error or signal ends all: their stacks are scratch."""
    workers = ThreadPoolExecutor(AT_ONCE)
    try:
        return list(workers.map(partial(compare, sources=sources), names))
    except BaseException:
        with engines_ended():
            workers.shutdown(cancel_futures=True)
        raise
    finally:
        workers.shutdown()


def _check(names: Sequence[str], folder: Path) -> None:
    """Tell the mistakes of every stack before anything is deployed."""
    mistakes: list[str] = []
    for name in names:
        try:
            check_stack_file(name, folder / f"Pulumi.{name}.yaml", folder)
        except UserError as error:
            mistakes += error.messages
    if mistakes:
        raise MistakesError(mistakes)


def _json(
    differences: Sequence[Difference],
    stops: Sequence[tuple[str, str]],
    new: Sequence[str],
    gone: Sequence[str],
) -> str:
    found = {
        "new": new,
        "gone": gone,
        "stopped": [{"gate": gate, "stack": name} for gate, name in stops],
        "stacks": [asdict(each) for each in differences],
    }
    return json.dumps(found, indent=2)
