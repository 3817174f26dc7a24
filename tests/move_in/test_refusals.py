"""What a move refuses before anything is written, between real stores: a line for each reason.

Does not prove what a server with users of its own says to one without rights: ClickHouse's stand-in
has patterns for them. PostgreSQL's users are real.
"""
# ruff: noqa: S608 -- texts of this file alone

import pytest

from langfuse_aws.automation.errors import MistakesError
from langfuse_aws.automation.move_in import clickhouse
from langfuse_aws.automation.move_in.refusals import refusals
from langfuse_aws.automation.move_in.sides import Keys, Sides
from langfuse_aws.automation.move_in.source import source_of
from tests.move_in.installation import KEYS, OWN_BUCKET, SECRETS, Pair
from tests.move_in.servers import PASSWORD

GIB = 2**30


def written(pair: Pair) -> object:
    """All that a move could have written."""
    target = pair.clickhouse(1)
    return (
        pair.postgres(1).rows(
            "SELECT nspname, relname FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace "
            "WHERE nspname NOT LIKE 'pg_%' ORDER BY 1, 2"
        ),
        pair.postgres(1).counts(),
        target.rows(
            "SELECT name, total_rows FROM system.tables WHERE database = currentDatabase()"
        ),
        list(pair.s3.written),
    )


def refused(pair: Pair, sides: Sides) -> list[str]:
    """The lines; nothing was written, and none has a secret."""
    before = written(pair)
    lines = refusals(sides)
    assert written(pair) == before, "something was written"
    for line in lines:
        assert "\n" not in line
        assert not [each for each in SECRETS if each in line]
    return lines


def test_nothing_is_refused_of_a_good_pair(pair: Pair) -> None:
    assert refused(pair, pair.sides(keys=KEYS)) == []


def test_every_reason_is_told_at_once(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    pair.postgres(0).run(
        "INSERT INTO _prisma_migrations (id, checksum, finished_at, migration_name) "
        "VALUES ('new', 'x', now(), '20270101_newer'); "
        f"CREATE ROLE guest{pair.number} LOGIN PASSWORD '{PASSWORD}'; "
        f"GRANT SELECT ON _prisma_migrations, api_keys, llm_api_keys TO guest{pair.number};"
    )
    pair.postgres(1).run("INSERT INTO users VALUES ('somebody', 'a@example.com');")
    pair.clickhouse(1).execute(
        "INSERT INTO traces (id, timestamp, project_id) VALUES ('mine', now(), 'p')"
    )

    def full(_: clickhouse.ClickHouse) -> clickhouse.Disk:
        return clickhouse.Disk(GIB, 100 * GIB)

    monkeypatch.setattr(clickhouse.ClickHouse, "disk", full)
    address = pair.address(0, user=f"guest{pair.number}")
    sides = pair.sides(
        release="3.200.0",
        keys=Keys(KEYS.public, "sk-lf-another"),
        SALT="another salt",
        ENCRYPTION_KEY="cd" * 32,
        CLICKHOUSE_USER="guest",
        DATABASE_URL=f"postgresql://{address.user}:{PASSWORD}@{address.host}:{address.port}"
        f"/{address.database}",
    )
    lines = refused(pair, sides)
    for expected in (
        "release: the source is 3.224.0, newer than the target's 3.200.0. Set langfuse:release",
        "1 migrations that the target's 3.200.0 does not know, the last 20270101_newer",
        "SALT: the target's is not the source's, so no API key would open the target",
        "ENCRYPTION_KEY: the target's is not the source's, so no stored credential",
        f"SALT: that of here.env does not make the hash of {KEYS.public}",
        f"PostgreSQL of the source: user guest{pair.number} may not read media, models, "
        "organizations and 3 more",
        "ClickHouse of the source: user guest may not read observations, scores",
        "ClickHouse's disk of the target: 1.0 GiB are free of 100.0 GiB",
        "PostgreSQL of the target: is not empty: 1 users",
        "ClickHouse of the target: is not empty: 1 rows of traces",
    ):
        assert [each for each in lines if expected in each], f"{expected}\n" + "\n".join(lines)
    assert len(lines) == 10
    pair.postgres(0).run(f"DROP OWNED BY guest{pair.number}; DROP ROLE guest{pair.number};")


def test_stores_that_do_not_answer_are_told_together(pair: Pair) -> None:
    pair.s3.denied.add("minio")
    sides = pair.sides(
        DATABASE_URL="postgresql://postgres:hush-hush-4711@127.0.0.1:1/postgres",
        CLICKHOUSE_PASSWORD="wrong",
    )
    lines = refused(pair, sides)
    starts = (
        "PostgreSQL of the source, postgresql://127.0.0.1:1/postgres: ",
        "ClickHouse of the source, http://127.0.0.1:",
        "objects of the source, events, s3://langfuse/events/: ",
        "objects of the source, media, s3://langfuse/media/: ",
        "objects of the source, exports, s3://langfuse/exports/: ",
    )
    assert [each.startswith(start) for each, start in zip(lines, starts, strict=True)] == [True] * 5


def test_majors_are_not_crossed_and_an_unknown_release_is_asked_for(pair: Pair) -> None:
    (line,) = refused(pair, pair.sides(release="4.15.0"))
    assert line.startswith("release: the source is 3.224.0 and the target 4.15.0: a move goes")
    sides = pair.sides()
    object.__setattr__(sides, "told_release", None)
    (line,) = refused(pair, sides)
    assert "its release is unknown" in line
    assert "--release X.Y.Z" in line


def test_a_target_of_another_move_is_refused_and_of_this_one_gone_on_with(pair: Pair) -> None:
    sides = pair.sides()
    sides.progress.begin("postgresql://elsewhere:5432/postgres")
    (line,) = refused(pair, sides)
    assert "another source is being moved in, postgresql://elsewhere:5432/postgres" in line
    sides.progress.begin(sides.source.identity)
    pair.postgres(1).run("INSERT INTO users VALUES ('moved', 'moved@example.com');")
    assert refused(pair, sides) == []


def test_a_database_that_may_not_grow_is_refused(pair: Pair) -> None:
    sides = pair.sides()
    object.__setattr__(sides.target, "postgres_room", 1000)
    (line,) = refused(pair, sides)
    assert line.startswith("PostgreSQL's storage of the target: it may have 1000 B, and ")


def test_a_source_is_incomplete_with_all_that_it_lacks(pair: Pair) -> None:
    environment = pair.environment(ENCRYPTION_KEY="short", LANGFUSE_USE_AZURE_BLOB="true")
    for name in (
        "SALT",
        "CLICKHOUSE_URL",
        "CLICKHOUSE_PASSWORD",
        "LANGFUSE_S3_EVENT_UPLOAD_BUCKET",
    ):
        del environment[name]
    with pytest.raises(MistakesError) as caught:
        source_of("my.env", environment)
    names = [each.split(" ")[1] for each in caught.value.messages]
    assert names == [
        "CLICKHOUSE_URL",
        "CLICKHOUSE_PASSWORD",
        "LANGFUSE_USE_AZURE_BLOB",
        "LANGFUSE_S3_EVENT_UPLOAD_BUCKET",
        "SALT",
        "ENCRYPTION_KEY",
    ]
    assert OWN_BUCKET not in str(caught.value)
