"""Takes snapshots together: begins all at once, and waits until the last has ended."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, Literal

from botocore.exceptions import BotoCoreError, ClientError

from langfuse_aws.automation.errors import UserError, one_line
from langfuse_aws.automation.snapshot.stores import Snapshot

POLL_SECONDS: Final = 15
REFUSED_LOOKS: Final = 4
"""So many in a row that a snapshot is given up: a minute."""
LONGEST_SECONDS: Final = 12 * 3600
"""As long as ClickHouse's own backup may take."""
REFUSALS: Final = (BotoCoreError, ClientError, UserError)


@dataclass
class Taken:
    """One of them, and what has become of it."""

    snapshot: Snapshot
    identifier: str = ""
    """Empty: it did not begin."""
    state: Literal["taking", "complete", "failed"] = "taking"
    message: str = ""
    refused: int = 0
    """Looks in a row that AWS has not answered."""

    @property
    def restore(self) -> str:
        """The command that puts the store back with it; empty if nothing can be restored."""
        return self.snapshot.restore(self.identifier) if self.state == "complete" else ""


def begin(snapshots: Sequence[Snapshot]) -> list[Taken]:
    """Begin all of them in parallel. One that AWS refuses stops no other."""

    def start(snapshot: Snapshot) -> Taken:
        try:
            return Taken(snapshot, snapshot.start())
        except REFUSALS as error:
            return Taken(snapshot, state="failed", message=one_line(error))

    with ThreadPoolExecutor(max(len(snapshots), 1)) as pool:
        return list(pool.map(start, snapshots))


def wait(
    taken: Sequence[Taken], ended: Callable[[Taken], None], update: Callable[[str], None]
) -> None:
    """Wait for those that are being taken. `ended` gets each as it ends, `update` how far it is."""
    deadline = time.monotonic() + LONGEST_SECONDS
    while running := [each for each in taken if each.state == "taking"]:
        for each in running:
            _look(each)
            if each.state != "taking":
                ended(each)
        update("; ".join(_progress(each) for each in taken if each.state == "taking"))
        if time.monotonic() > deadline:
            return
        if any(each.state == "taking" for each in taken):
            time.sleep(POLL_SECONDS)


def _look(taken: Taken) -> None:
    try:
        look = taken.snapshot.look(taken.identifier)
    except REFUSALS as error:
        taken.refused += 1
        if taken.refused < REFUSED_LOOKS:
            return  # EC2 does not know a new snapshot at once, and networks fail for a moment
        taken.state = "failed"
        taken.message = f"it has begun, and AWS does not say how far it is: {one_line(error)}"
        return
    taken.refused = 0
    taken.state, taken.message = look.state, look.message
    taken.identifier = look.identifier or taken.identifier


def _progress(taken: Taken) -> str:
    return f"{taken.snapshot.store} {taken.message or 'being taken'}"
