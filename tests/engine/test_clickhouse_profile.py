"""What Langfuse's user begins with on the stack's own servers, in a real ClickHouse engine.

The engine is the one of test_clickhouse_engine.py, and its docstring says what that is.

Proves: a time that Langfuse writes as a bare integer is stored as it was meant by a user with our
profile, and by one without it is not; and a profile that names a setting which the engine does not
know keeps it from starting, so ours may not name one that is younger than the servers.

Does not prove that the image gives Langfuse's user the profile `default`: its docker/server/
entrypoint.sh does.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from components.clickhouse_config import profile_config
from tests.engine.test_grafana_clickhouse import ask

# Langfuse's columns of times, and how it writes them: traces of 3.x, events_full of 4.x.
# packages/shared/clickhouse/migrations/unclustered: 0001 and 0037.
COLUMNS: Final[Mapping[str, tuple[str, int, str]]] = {
    "traces": ("DateTime64(3, 'UTC')", 1_795_341_600_123, "2026-11-22 10:00:00.123"),
    "events_full": ("DateTime64(6, 'UTC')", 1_795_341_600_123_456, "2026-11-22 10:00:00.123456"),
}
MEANT: Final = {table: text for table, (_, _, text) in COLUMNS.items()}


def stored_times(root: Path, users: Mapping[str, Any]) -> dict[str, str]:
    """What becomes of a number in each column, for the user `default` of that file."""
    statements = [
        statement
        for table, (kind, number, _) in COLUMNS.items()
        for statement in (
            f"CREATE TABLE default.{table} (t {kind}) ENGINE = Memory",
            f'INSERT INTO default.{table} FORMAT JSONEachRow {{"t": {number}}}',
            f"SELECT t FROM default.{table}",  # noqa: S608 -- this is the test
        )
    ]
    answers = ask(root, statements, users)
    assert [answer.text for answer in answers if not answer.done] == []
    return {table: answers[3 * n + 2].text.strip() for n, table in enumerate(COLUMNS)}


def test_a_time_that_is_written_as_a_number_is_stored_as_it_was_meant(tmp_path: Path) -> None:
    assert stored_times(tmp_path, json.loads(profile_config())) == MEANT


def test_without_the_profile_it_is_not(tmp_path: Path) -> None:
    found = stored_times(tmp_path, {"profiles": {"default": ""}})
    assert {table for table in COLUMNS if found[table] == MEANT[table]} == set(), (
        f"so the test above can fail: {found}"
    )


def test_a_server_that_does_not_know_a_setting_of_its_profile_does_not_start(
    tmp_path: Path,
) -> None:
    younger = {"profiles": {"default": {"setting_of_a_later_release": 1}}}
    with pytest.raises(AssertionError, match="setting_of_a_later_release"):
        ask(tmp_path, ["SELECT 1"], younger)
