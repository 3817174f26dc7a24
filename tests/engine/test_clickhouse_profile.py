"""What Langfuse's user begins with on the stack's own servers, in a real ClickHouse engine.

The engine is the one of test_clickhouse_engine.py, and its docstring says what that is.

Proves: a time that Langfuse writes as a bare integer is stored as it was meant by a user with our
profile, and by one without it is not; and a profile that names a setting which the engine does not
know keeps it from starting, so ours may not name one that is younger than the servers. And what
`preflight` asks of an external ClickHouse tells the two apart.

Does not prove that the image gives Langfuse's user the profile `default`: its docker/server/
entrypoint.sh does.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from langfuse_aws.automation.preflight.stores import CLUSTER_RIGHT, RIGHTS, TIME, TIME_QUERY
from langfuse_aws.components.clickhouse.config import profile_config
from tests.engine.test_grafana_clickhouse import ask

# Langfuse's columns of times, and how it writes them: traces of 3.x, events_full of 4.x.
# packages/shared/clickhouse/migrations/unclustered: 0001 and 0037.
COLUMNS: Final[Mapping[str, tuple[str, int, str]]] = {
    "traces": ("DateTime64(3, 'UTC')", 1_795_341_600_123, "2026-11-22 10:00:00.123"),
    "events_full": ("DateTime64(6, 'UTC')", 1_795_341_600_123_456, "2026-11-22 10:00:00.123456"),
}
MEANT: Final = {table: text for table, (_, _, text) in COLUMNS.items()}


def stored_times(root: Path, users: Mapping[str, Any]) -> dict[str, str]:
    """What becomes of a number in each column, for the user `default` of that file.

    A time, or nothing, as in a table that has no row.
    """
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
    assert [answer.text for answer in answers[::3] if not answer.done] == [], "the tables are made"
    return {table: answers[3 * n + 2].text.strip() for n, table in enumerate(COLUMNS)}


def test_a_time_that_is_written_as_a_number_is_stored_as_it_was_meant(tmp_path: Path) -> None:
    assert stored_times(tmp_path, json.loads(profile_config())) == MEANT


def test_without_the_profile_it_is_not(tmp_path: Path) -> None:
    assert stored_times(tmp_path, {"profiles": {"default": ""}}) == {
        "traces": "9999-12-31 23:59:59.000",
        "events_full": "",
    }, "as 3.x and 4.x do on this engine: in the year 9999, and nowhere"


def test_a_server_that_does_not_know_a_setting_of_its_profile_does_not_start(
    tmp_path: Path,
) -> None:
    younger = {"profiles": {"default": {"setting_of_a_later_release": 1}}}
    with pytest.raises(AssertionError, match="setting_of_a_later_release"):
        ask(tmp_path, ["SELECT 1"], younger)


@pytest.mark.parametrize(("profile", "right"), [(profile_config(), True), ("{}", False)])
def test_preflight_tells_how_a_time_is_read(tmp_path: Path, profile: str, right: bool) -> None:
    users = json.loads(profile) or {"profiles": {"default": ""}}
    (answer,) = ask(tmp_path, [TIME_QUERY], users)
    assert answer.done, answer.text
    (row,) = json.loads(answer.text)["data"]
    assert (row["time"] == TIME) is right, row["time"]
    assert row["timezone"] in ("UTC", "Etc/UTC")
    assert re.match(r"\d+\.\d+\.", row["version"])


def test_preflight_asks_for_rights_that_clickhouse_knows(tmp_path: Path) -> None:
    asked = [f"CHECK GRANT {rights}" for rights in (RIGHTS, RIGHTS + CLUSTER_RIGHT)]
    for answer in ask(tmp_path, asked):
        assert answer.text.strip() == "1", "the engine's only user may do everything"
