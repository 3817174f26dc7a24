"""The runbook of a cut-over looks for jobs wherever Langfuse's queues may have one."""

import fnmatch
import re
from pathlib import Path

from langfuse_aws.contract.queues import EVENT_PROPAGATION, INGESTION

PAGE = Path(__file__).parents[4] / "docs/move-in.md"


def looked_for(key: str) -> bool:
    patterns = re.findall(r"bull:[^`\s']+", PAGE.read_text(encoding="utf-8"))
    return any(fnmatch.fnmatchcase(key, each) for each in patterns)


def test_every_job_of_ingestion_is_waited_for() -> None:
    """Batches of the old API are all delayed at first, and what is tried again is delayed too."""
    states = ("wait", "active", "prioritized", "delayed")
    keys = [
        f"bull:{queue}{shard}:{state}"
        for queue in INGESTION
        for shard in ("", "-1")
        for state in states
    ]
    assert [each for each in keys if not looked_for(each)] == []


def test_a_schedule_that_never_ends_is_not_waited_for() -> None:
    assert not looked_for(f"bull:{EVENT_PROPAGATION}:delayed")
