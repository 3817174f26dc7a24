"""Writes the table of known traps of releases, from where the program keeps them."""

from __future__ import annotations

from langfuse_aws.contract.release_traps import Trap, dotted
from langfuse_aws.contract.release_traps import table as traps
from langfuse_aws.review.markdown import table


def trap_table() -> str:
    """Each release's traps, whom they concern, and what to do."""
    rows = [
        (dotted(row.release), _concerns(row), row.trap, row.remedy, f"[source]({row.source})")
        for row in traps()
    ]
    return table(("From", "Concerns", "Trap", "What to do", "Source"), rows)


def _concerns(row: Trap) -> str:
    if row.runs_first:
        return f"an older {row.runs_first[0]}.x than must run first, which is refused"
    return {
        "all": "every stack",
        "backfill": "a backfill of old events",
        "events_only": "`v4.writeMode: events_only`",
        "external store": "an external store",
        "queue metrics": "`ENABLE_AWS_CLOUDWATCH_METRIC_PUBLISHING` in `worker.environment`",
    }[row.concerns]
