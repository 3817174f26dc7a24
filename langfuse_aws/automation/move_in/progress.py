# ruff: noqa: S608 -- names and texts are quoted where they are put in
"""What has been moved already, kept in the target: in PostgreSQL's schema `move_in`.

There it outlives the machine that the move runs on, and cannot be told otherwise than the target
is. It has no secret in it. `move-in finish` takes it away.
"""

from dataclasses import dataclass

from langfuse_aws.automation.move_in.postgres import Postgres, literal


@dataclass(frozen=True)
class Progress:
    """Items that are done, each with a fingerprint of what it was copied from."""

    postgres: Postgres

    def begun(self) -> bool:
        """Whether a move has written anything."""
        return self.postgres.one("SELECT to_regclass('move_in.items') IS NOT NULL") == "t"

    def begin(self, source: str) -> None:
        """Note which source is moved in."""
        self.postgres.run(
            "SET client_min_messages = warning; CREATE SCHEMA IF NOT EXISTS move_in; "
            "CREATE TABLE IF NOT EXISTS move_in.items (item text PRIMARY KEY, "
            "fingerprint text NOT NULL, done timestamptz NOT NULL DEFAULT now()); "
            + self.statement("source", source)
        )

    def items(self) -> dict[str, str]:
        """Give the fingerprint of each item; none before the beginning."""
        if not self.begun():
            return {}
        return {
            row[0]: row[1]
            for row in self.postgres.rows("SELECT item, fingerprint FROM move_in.items")
        }

    def note(self, item: str, fingerprint: str) -> None:
        """Note that it is done."""
        self.postgres.run(self.statement(item, fingerprint))

    @staticmethod
    def statement(item: str, fingerprint: str) -> str:
        """The statement that notes it, for a transaction of something else."""
        return (
            f"INSERT INTO move_in.items (item, fingerprint) VALUES ({literal(item)}, "
            f"{literal(fingerprint)}) ON CONFLICT (item) DO UPDATE "
            "SET fingerprint = excluded.fingerprint, done = now()"
        )

    def forget(self, item: str) -> None:
        """Note that it is not done any more."""
        self.postgres.run(f"DELETE FROM move_in.items WHERE item = {literal(item)}")

    def end(self) -> None:
        """Take all of it away: from now on the target is no move's."""
        self.postgres.run("DROP SCHEMA IF EXISTS move_in CASCADE")
