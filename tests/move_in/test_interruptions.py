"""A move whose process is ended in the middle of each stage, by Ctrl-C and by a kill, goes on.

Proves: what was there before is whole, what was done is not done again, and at the end nothing is
twice or missing. Does not prove what a broken network does to a tunnel.
"""

import multiprocessing
import os
import signal
import time
from typing import Final

from langfuse_aws.automation.move_in import verification
from tests.move_in.installation import OWN_BUCKET, Pair
from tests.move_in.interrupted import STAGES, until_halfway
from tests.move_in.test_copying import move

SECONDS: Final = 60


def interrupt(pair: Pair, stage: str, how: signal.Signals) -> None:
    """Begin a move in a process of its own, and end that in the stage."""
    forked = multiprocessing.get_context("fork")
    reached = forked.Event()
    process = forked.Process(target=until_halfway, args=(stage, pair, reached))
    process.start()
    try:
        assert reached.wait(SECONDS), f"{stage} was not reached"
        os.kill(process.pid or 0, how)
        process.join(SECONDS)
        assert process.exitcode, "it has not been interrupted"
    finally:
        process.kill()
        process.join()


CASES: Final = {
    "objects": [signal.SIGINT],
    "a partition under way": [signal.SIGKILL],
    "a partition that is ready": [signal.SIGINT],
    "PostgreSQL": [signal.SIGKILL, signal.SIGINT],
}


def test_a_move_goes_on_after_an_interruption_in_each_stage(pair: Pair) -> None:
    assert set(CASES) == set(STAGES)
    target = pair.postgres(1)
    for stage, how in ((stage, how) for stage, signals in CASES.items() for how in signals):
        interrupt(pair, stage, how)
        # Nothing half: PostgreSQL is as it was before.
        _wait_for_end_of_loading(pair)
        assert target.one("SELECT count(*) FROM users") == "0", stage
        assert target.one("SELECT count(*) FROM models") == "1", stage
    done = len(pair.s3.written)
    sides = pair.sides()
    said = move(sides)
    assert len(pair.s3.written) == done, "objects were copied again"
    assert len(pair.s3.objects[OWN_BUCKET]) == len(pair.s3.objects["langfuse"])
    again = [each for each in said if each.startswith("ClickHouse") and "nothing new" not in each]
    # Those that PostgreSQL's stage came after are done.
    assert again == [], "partitions were copied again"
    assert [each for each in verification.compare(sides) if not each.same] == []
    assert "_move_in" not in str(pair.clickhouse(1).rows("SHOW TABLES"))


def _wait_for_end_of_loading(pair: Pair) -> None:
    """A server sees only after a moment that its client is gone."""
    end = time.monotonic() + SECONDS
    query = (
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'langfuse-move-in' "
        "AND datname = current_database() AND pid <> pg_backend_pid()"
    )
    while pair.postgres(1).one(query) != "0":
        assert time.monotonic() < end, "the loading transaction is still open"
        time.sleep(0.05)
