"""`snapshot`: a snapshot of every store of a stack, with one label, waited for.

Exit code 0: all are there. 1: not all, and a line for each says what is the matter.
"""

import json
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Final

import typer
from rich.text import Text

from langfuse_aws.automation.aws.snapshot_names import checked_label
from langfuse_aws.automation.cli.rows import print_rows
from langfuse_aws.automation.engine.deployed import Deployed, open_stack
from langfuse_aws.automation.engine.stopping import Interrupted
from langfuse_aws.automation.engine.waiting import waits
from langfuse_aws.automation.errors import MistakesError
from langfuse_aws.automation.hours.asleep import need_awake
from langfuse_aws.automation.snapshot.stores import NotTaken, Occasion, of_stack
from langfuse_aws.automation.snapshot.taking import Taken, begin, wait
from langfuse_aws.automation.terminal import console, error_console, one_line_errors


def snapshot(stack: str, label: str, folder: Path, as_json: bool) -> None:
    """Take a snapshot of every store, and wait for all of them."""
    with one_line_errors():
        checked_label(label)
        with waits.silent(as_json):
            take(open_stack(stack, folder), label, as_json=as_json)


def take(deployed: Deployed, label: str, *, as_json: bool = False) -> Sequence[Taken]:
    """Take them and show what came of it. MistakesError if one is not complete at the end."""
    occasion = Occasion(deployed, label, datetime.now(timezone.utc))
    with waits("asking AWS"):
        need_awake(deployed)
        snapshots, others = of_stack(occasion)
    with waits("beginning the snapshots"):
        taken = begin(snapshots)
    if not as_json:
        for each in taken:
            console.print(_line(each))
    try:
        with waits("the snapshots") as update:
            wait(taken, (lambda _: None) if as_json else _say, update)
    except (KeyboardInterrupt, Interrupted):
        begun = [each.identifier for each in taken if each.identifier]
        error_console.print(
            Text(f"AWS goes on with what has begun, and nothing deletes it: {', '.join(begun)}.")
        )
        raise
    if as_json:
        typer.echo(json.dumps(_as_json(occasion, taken, others), indent=2))
    else:
        _show(taken, others)
    missing = [each for each in taken if each.state != "complete"]
    if missing:
        raise MistakesError(_mistakes(taken, missing))
    return taken


def _mistakes(taken: Sequence[Taken], missing: Sequence[Taken]) -> list[str]:
    lines = [
        f"{each.snapshot.store}: "
        + (each.message if each.state == "failed" else f"{each.identifier} is still being taken.")
        for each in missing
    ]
    done = f"{len(taken) - len(missing)} of {len(taken)} snapshots are complete"
    return [
        *lines,
        f"{done}, and stay. Correct the cause and run the command again: it takes all of them "
        "anew, so that they are of one time.",
    ]


def _say(taken: Taken) -> None:
    console.print(_line(taken))


WORDS: Final = {
    "taking": ("begun", "cyan"),
    "complete": ("complete", "green"),
    "failed": ("failed", "red"),
}


def _line(taken: Taken) -> Text:
    word, style = WORDS[taken.state]
    line = Text.assemble((f"{word:9}", style), f" {taken.snapshot.store}")
    if taken.identifier:
        line.append(f" {taken.identifier}")
    return line.append(f": {taken.message}") if taken.state == "failed" else line


def _show(taken: Sequence[Taken], others: Sequence[NotTaken]) -> None:
    console.print()
    print_rows(
        ("Snapshot", "Store", "State"),
        [(each.identifier or "none", each.snapshot.store, each.state) for each in taken],
    )
    for other in others:
        console.print(Text.assemble((other.store, "bold"), f": {other.why}"))
    complete = [each for each in taken if each.restore]
    if complete:
        console.print("To restore", style="bold")
    for each in complete:
        console.print(Text.assemble("  ", (f"{each.snapshot.store}: ", "dim"), each.restore))
    console.print("Snapshots are billed until you delete them; no command here does.", style="dim")


def _as_json(occasion: Occasion, taken: Sequence[Taken], others: Sequence[NotTaken]) -> Any:
    return {
        "stack": occasion.deployed.name,
        "label": occasion.label,
        "taken": occasion.moment.isoformat(timespec="seconds"),
        "stores": [
            {
                "store": each.snapshot.store,
                "state": each.state,
                "identifier": each.identifier or None,
                "restore": each.restore or None,
                "message": each.message or None,
            }
            for each in taken
        ],
        "withoutSnapshot": [{"store": each.store, "message": each.why} for each in others],
    }
