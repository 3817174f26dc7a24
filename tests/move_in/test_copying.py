"""A whole move between real stores: PostgreSQL, ClickHouse's engine, and S3's stand-in.

Proves: what arrives is what the source has, counted on both sides, with objects found where rows
say; a second run copies what is new and nothing else; the source is as it was, and nothing secret
is noted. Does not prove: how a network in between behaves, and a cluster of ClickHouse.
"""

from langfuse_aws.automation.move_in import verification
from langfuse_aws.automation.move_in.copying import (
    copy_clickhouse,
    copy_objects,
    copy_postgres,
    to_copy,
)
from langfuse_aws.automation.move_in.refusals import refusals
from langfuse_aws.automation.move_in.sides import Sides
from tests.move_in.installation import DAYS, KEYS, OWN_BUCKET, ROWS_A_DAY, SECRETS, Pair


def move(sides: Sides) -> list[str]:
    """Copy everything; gives what was said."""
    said: list[str] = []
    sides.progress.begin(sides.source.identity)
    copy_objects(sides, said.append)
    copy_clickhouse(sides, said.append)
    copy_postgres(sides, said.append)
    return said


def test_everything_arrives_and_the_source_stays_as_it_was_and_nothing_secret_is_noted(
    pair: Pair,
) -> None:
    source, target = pair.clickhouse(0), pair.clickhouse(1)
    before = {name: source.partitions(name) for name in source.tables()}
    rows_before, objects_before = pair.postgres(0).counts(), dict(pair.s3.objects["langfuse"])
    sides = pair.sides(keys=KEYS)
    assert refusals(sides) == []
    said = move(sides)
    noted = str(pair.postgres(1).rows("SELECT * FROM move_in.items"))
    assert "clickhouse/traces/202601" in noted
    for text in (noted, str(said), repr(sides.source), repr(sides.target), repr(sides)):
        assert not [each for each in SECRETS if each in text]
    compared = list(verification.compare(sides))
    assert [each for each in compared if not each.same] == []
    rows = {each.what: each.source for each in compared}
    count = DAYS * ROWS_A_DAY
    # Newer versions take the place of older ones, and deleted rows are none.
    assert rows["ClickHouse traces"] == count - count // 100
    assert rows["ClickHouse events_core"] == count
    assert rows["PostgreSQL users"] == 30
    assert rows["Objects events"] == 30
    # Whatever merged meanwhile, no materialized view has doubled its rows.
    assert target.one("SELECT count() FROM events_core") == str(count)
    assert target.rows("SELECT name FROM traces FINAL WHERE id = 'trace-10'") == [["newer"]]
    assert target.rows("SELECT DISTINCT bucket_name FROM blob_storage_file_log") == [[OWN_BUCKET]]
    assert not [name for name in target.tables() if name not in source.tables()]
    assert {name: source.partitions(name) for name in source.tables()} == before
    assert pair.postgres(0).counts() == rows_before
    assert pair.s3.objects["langfuse"] == objects_before
    assert {bucket for bucket, _ in pair.s3.written} == {OWN_BUCKET}


def test_objects_are_found_where_the_rows_say_under_another_prefix(pair: Pair) -> None:
    objects = pair.s3.objects["langfuse"]
    for key in list(objects):
        objects[f"old/{key}"] = objects.pop(key)
    pair.postgres(0).run("UPDATE media SET bucket_path = 'old/' || bucket_path;")
    pair.clickhouse(0).execute("TRUNCATE TABLE blob_storage_file_log")
    pair.clickhouse(0).execute(
        "INSERT INTO blob_storage_file_log SELECT 'log', 'p', 'langfuse', "
        "'old/events/project-1/trace/1.json', now(), now(), 0"
    )
    sides = pair.sides(
        LANGFUSE_S3_EVENT_UPLOAD_PREFIX="old/events/", LANGFUSE_S3_MEDIA_UPLOAD_PREFIX="old/media/"
    )
    move(sides)
    named = pair.postgres(1).rows("SELECT bucket_name, bucket_path FROM media")
    logged = pair.clickhouse(1).rows("SELECT bucket_name, bucket_path FROM blob_storage_file_log")
    assert len(named) == 2
    for bucket, path in [*named, *logged]:
        assert path in pair.s3.objects[bucket], f"no object where a row says: {path}"


def test_a_bucket_without_prefixes_is_copied_use_by_use(pair: Pair) -> None:
    objects = pair.s3.objects["langfuse"]
    for key in [each for each in objects if each.startswith("events/")]:
        objects[key.removeprefix("events/")] = objects.pop(key)
    sides = pair.sides(LANGFUSE_S3_EVENT_UPLOAD_PREFIX="")
    copy_objects(sides, lambda _: None)
    arrived = pair.s3.objects[OWN_BUCKET]
    assert sum(each.startswith("events/project-1/trace/") for each in arrived) == 30
    assert not [each for each in arrived if each.startswith(("events/media/", "events/exports/"))]
    assert arrived["media/project-1/m1.png"][2] == "image/png"


def test_a_second_run_copies_what_is_new_and_nothing_else(pair: Pair) -> None:
    move(pair.sides())
    assert to_copy(pair.sides()) == []
    pair.s3.written.clear()
    source = pair.clickhouse(0)
    source.execute(
        "INSERT INTO traces (id, timestamp, project_id, event_ts, is_deleted) "
        "VALUES ('late', '2026-02-18 12:00:00', 'project-1', now(), 0)"
    )
    source.execute("ALTER TABLE scores DROP PARTITION 202601")
    pair.s3.put("langfuse", "events/project-1/trace/31.json", b"late")
    pair.s3.put("langfuse", "events/project-1/trace/1.json", b"other")
    pair.postgres(0).run("INSERT INTO users VALUES ('late', 'late@example.com');")
    sides = pair.sides()
    assert [each.item for each in to_copy(sides)] == ["clickhouse/traces/202602"]
    said = move(sides)
    assert sorted(key for _, key in pair.s3.written) == [
        "events/project-1/trace/1.json",
        "events/project-1/trace/31.json",
    ]
    assert "ClickHouse, observations: nothing new" in said
    assert [each for each in verification.compare(sides) if not each.same] == []


def test_rows_that_have_expired_come_along_and_are_no_difference(pair: Pair) -> None:
    """Langfuse 4 keeps observations on their way in a table whose rows go after 48 hours."""
    source, target = pair.clickhouse(0), pair.clickhouse(1)
    expiring = "toDateTime(seen) + INTERVAL 48 HOUR"
    for each, clause in ((source, ""), (target, f"TTL {expiring}")):
        each.execute(
            "CREATE TABLE staging (id String, seen DateTime64(3), event_ts DateTime64(3), "
            "is_deleted UInt8) ENGINE = ReplacingMergeTree(event_ts, is_deleted) "
            f"PARTITION BY toStartOfInterval(seen, INTERVAL 3 MINUTE) ORDER BY id {clause} "
            "SETTINGS ttl_only_drop_parts = 1"
        )
    source.execute(
        "INSERT INTO staging SELECT 'old-' || number, now() - INTERVAL 50 HOUR, now(), 0 "
        "FROM numbers(10)"
    )
    source.execute("INSERT INTO staging SELECT 'new', now(), now(), 0")
    # What has expired goes at some time after; on the source, it has not gone yet.
    source.execute("SYSTEM STOP TTL MERGES")
    source.execute(
        f"ALTER TABLE staging MODIFY TTL {expiring} SETTINGS materialize_ttl_after_modify = 0"
    )
    sides = pair.sides()
    said = move(sides)
    assert [each for each in said if "staging: 2 partitions, 11 rows" in each], "\n".join(said)
    target.execute("OPTIMIZE TABLE staging FINAL")
    assert target.rows("SELECT id FROM staging") == [["new"]]
    assert "TTL" in target.tables()["staging"].definition
    compared = {each.what: each for each in verification.compare(sides)}["ClickHouse staging"]
    assert (compared.source, compared.target, compared.remark) == (11, 1, "rows expire")
    assert compared.same
    source.execute("SYSTEM START TTL MERGES")


def test_what_differs_is_named_with_its_day(pair: Pair) -> None:
    sides = pair.sides()
    move(sides)
    target = pair.clickhouse(1)
    target.execute("ALTER TABLE scores DROP PARTITION 202602")
    target.execute(
        "INSERT INTO observations (id, start_time, project_id) VALUES ('x', '2026-01-11', 'p')"
    )
    pair.postgres(1).run("DELETE FROM users WHERE id = 'user-7';")
    pair.s3.put(OWN_BUCKET, "media/project-1/m1.png", b"x" * 1000)
    differing = {each.what: each for each in verification.compare(sides) if not each.same}
    assert set(differing) == {
        "PostgreSQL users",
        "ClickHouse scores",
        "ClickHouse observations",
        "Objects media",
    }
    assert differing["ClickHouse observations"].differing == ("2026-01-11: 25 and 26",)
    assert differing["Objects media"].differing == ("project-1/m1.png: another content",)
