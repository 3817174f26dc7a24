"""Performs acts in stages: those of a stage together, each waited for until it is really done."""

import time
from collections.abc import Callable, Sequence
from typing import Final

from langfuse_aws.automation.errors import UserError
from langfuse_aws.automation.hours.acts import Act, Look

POLL_SECONDS: Final = 5


def perform(
    stages: Sequence[Sequence[Act]],
    ended: Callable[[Act, Look], None],
    update: Callable[[str], None],
) -> None:
    """Do all of it. `ended` gets each act as it is done, `update` how far the others are.

    Raises UserError for one that takes longer than it may.
    """
    for stage in stages:
        begin = time.monotonic()
        waiting = list(stage)
        while waiting:
            looks = [(each, each.advance()) for each in waiting]
            for each, look in looks:
                if look.done:
                    ended(each, look)
            rest = [(each, look) for each, look in looks if not look.done]
            waiting = [each for each, _ in rest]
            minutes = (time.monotonic() - begin) / 60
            for each, look in rest:
                if minutes > each.minutes:
                    raise UserError(
                        f"{each.subject}: {look.text} after {each.minutes} minutes. {each.why} "
                        "says why."
                    )
            update("; ".join(f"{each.subject}, {look.text}" for each, look in rest))
            if waiting:
                time.sleep(POLL_SECONDS)
