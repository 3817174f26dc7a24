"""The table of known traps: every row is whole, has a source, and comes in its order.

It does not prove that the rows agree with Langfuse's pages: they were read off them.
"""

from langfuse_aws.automation.upgrade.upgrade_path import CONCERNS
from langfuse_aws.contract.release_traps import between, dotted, table
from langfuse_aws.settings.versions import LANGFUSE, LANGFUSE_3, version_of


def test_every_row_says_what_to_do_and_where_it_comes_from() -> None:
    assert table()
    for row in table():
        assert row.trap.endswith("."), row
        assert row.remedy.endswith("."), row
        assert row.source.startswith("https://"), row
        assert row.concerns in CONCERNS
    assert [row.release for row in table()] == sorted(row.release for row in table())


def test_the_release_that_this_program_knows_of_3_may_go_to_4() -> None:
    known = version_of(LANGFUSE_3)
    assert all(row.runs_first <= known < row.release for row in table() if row.runs_first)


def test_traps_are_those_that_are_reached_or_passed() -> None:
    old, new = version_of(LANGFUSE_3), version_of(LANGFUSE)
    assert {dotted(row.release) for row in between(old, new)} == {"4.0.0"}
    assert list(between((4, 0, 0), new)) == []
    assert list(between(old, (4, 0, 0))) == list(between(old, new))
    assert list(between(old, old)) == []
