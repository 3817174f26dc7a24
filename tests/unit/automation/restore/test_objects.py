"""`restore objects`.

It proves, on a bucket in memory, that only delete markers go, and of those only the ones on the
newest version of their key, below the prefix and not older than asked for. It does not prove that
S3 shows an object again when its delete marker is gone: its documentation says so.
"""

import json
from datetime import datetime, timedelta, timezone
from typing import Any, Final

import pytest

from langfuse_aws.automation.restore import objects as restore_objects
from tests.unit.automation.restore.test_restore import NOON, Answer, World, refusal, resource, run

BUCKET: Final = "langfuse-prod-storage-3c4d5e6"
HOUR: Final = timedelta(hours=1)


class Bucket:
    """A bucket's versions, newest first for each key, given in pages of two keys."""

    def __init__(self, *entries: tuple[str, str, datetime, bool]) -> None:
        self.entries = list(entries)
        """Key, version, time, whether it is a delete marker."""
        self.sizes: list[int] = []

    def list(self, parameters: dict[str, Any]) -> dict[str, Any]:
        """List versions, as S3 does."""
        assert parameters["Bucket"] == BUCKET
        keys = sorted({key for key, *_ in self.entries if key.startswith(parameters["Prefix"])})
        rest = [key for key in keys if key > parameters.get("KeyMarker", "")]
        page = [entry for entry in self.entries if entry[0] in rest[:2]]
        more = {"NextKeyMarker": rest[1]} if len(rest) > 2 else {}
        return {
            "DeleteMarkers": [self._described(entry) for entry in page if entry[3]],
            "Versions": [self._described(entry) for entry in page if not entry[3]],
            "IsTruncated": bool(more),
            **more,
        }

    def _described(self, entry: tuple[str, str, datetime, bool]) -> dict[str, Any]:
        key, version, time, _ = entry
        newest = max(each[2] for each in self.entries if each[0] == key)
        return {"Key": key, "VersionId": version, "LastModified": time, "IsLatest": time == newest}

    def delete(self, parameters: dict[str, Any]) -> dict[str, Any]:
        """Delete versions, and nothing but delete markers."""
        objects = parameters["Delete"]["Objects"]
        self.sizes.append(len(objects))
        wanted = {(each["Key"], each["VersionId"]) for each in objects}
        found = {entry[:2]: entry[3] for entry in self.entries}
        assert all(found[each] for each in wanted), "an object was deleted"
        self.entries = [entry for entry in self.entries if entry[:2] not in wanted]
        return {}


ENTRIES: Final = (
    ("events/1", "e1", NOON - HOUR, False),
    ("events/1", "e2", NOON, True),
    ("media/again", "m1", NOON - 3 * HOUR, False),
    ("media/again", "m2", NOON, True),
    ("media/again", "m3", NOON + HOUR, False),
    ("media/early", "m1", NOON - 3 * HOUR, False),
    ("media/early", "m2", NOON - timedelta(seconds=1), True),
    ("media/kept", "m1", NOON, False),
    ("media/now", "m1", NOON - 2 * HOUR, False),
    ("media/now", "m2", NOON, True),
    ("media/twice", "m5", NOON + 2 * HOUR, True),
    ("media/twice", "m4", NOON + HOUR, True),
    ("media/twice", "m3", NOON - HOUR, False),
    ("media/twice", "m2", NOON - 2 * HOUR, True),
    ("media/twice", "m1", NOON - 3 * HOUR, False),
)
GONE: Final = {("media/now", "m2"), ("media/twice", "m4"), ("media/twice", "m5")}


def world(bucket: Bucket, **answers: Answer | list[Answer]) -> World:
    return World(
        [resource("aws:s3/bucket:Bucket", "langfuse-prod-storage", outputs={"bucket": BUCKET})],
        {"langfuse:storage": {"versioningDays": 30}},
        {
            "GetBucketVersioning": {"Status": "Enabled"},
            "ListObjectVersions": bucket.list,
            "DeleteObjects": bucket.delete,
            **answers,
        },
    )


def bring_back(found: World, since: str = "2026-11-20T12:00:00Z") -> Any:
    return run(found, "objects", "--prefix", "media/", "--since", since, "--yes")


@pytest.mark.parametrize("since", ["2026-11-20T12:00:00Z", "2026-11-20T14:00:00+0200"])
def test_only_the_newest_delete_markers_below_the_prefix_and_since_then_go(since: str) -> None:
    bucket = Bucket(*ENTRIES)
    result = bring_back(world(bucket), since)
    assert result.exit_code == 0, result.output
    assert {entry[:2] for entry in ENTRIES} - {entry[:2] for entry in bucket.entries} == GONE
    assert (
        f"2 objects of s3://{BUCKET}/media/ were deleted since 2026-11-20 12:00:00 UTC, and not "
        "written again."
    ) in result.stdout
    assert "after 30 days" in result.stdout


def test_what_was_deleted_is_listed_by_folder_and_day_newest_first_and_restores_by_it() -> None:
    entries = (*ENTRIES, ("media/old", "m1", NOON - timedelta(days=2), True))
    found = world(Bucket(*entries))
    listed = json.loads(run(found, "objects", "--list", "--json").stdout)
    assert listed == {
        "stack": "prod",
        "deleted": [
            {
                "prefix": "media/",
                "since": "2026-11-20T11:59:59+0000",
                "until": "2026-11-20T13:00:00+0000",
                "objects": 3,
            },
            {
                "prefix": "events/",
                "since": "2026-11-20T12:00:00+0000",
                "until": "2026-11-20T12:00:00+0000",
                "objects": 1,
            },
            {
                "prefix": "media/",
                "since": "2026-11-18T12:00:00+0000",
                "until": "2026-11-18T12:00:00+0000",
                "objects": 1,
            },
        ],
    }
    assert found.changes() == []
    heading, first, *_ = run(found, "objects", "--list").stdout.splitlines()
    assert heading.startswith("For --prefix  For --since")
    assert first.split()[:4] == ["media/", "2026-11-20T11:59:59+0000", "2026-11-20", "13:00"]
    only = json.loads(run(found, "objects", "--list", "--prefix", "events/", "--json").stdout)
    assert [each["prefix"] for each in only["deleted"]] == ["events/"]
    result = bring_back(found, listed["deleted"][0]["since"])
    assert "3 objects of s3://" in result.stdout


def test_a_list_without_anything_is_one_line() -> None:
    result = run(world(Bucket()), "objects", "--list")
    assert (result.exit_code, result.stderr) == (
        1,
        "error: stack prod: has no deleted object that could come back.\n",
    )


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ((), "either --list or --since is needed, not both."),
        (("--list", "--since", "2026-11-20T12:00:00Z"), "either --list or --since is needed"),
        (("--since", "2026-11-20T12:00:00Z"), "--prefix: is missing, such as media/."),
        (("--since", "2026-11-20T12:00:00Z", "--json"), "--json is for --list."),
    ],
)
def test_a_list_or_a_time_with_a_prefix_is_wanted(options: tuple[str, ...], words: str) -> None:
    found = world(Bucket(*ENTRIES))
    result = run(found, "objects", *options)
    assert (result.exit_code, found.calls) == (2, [])
    assert words in result.stderr


def test_what_was_deleted_before_and_again_since_then_stays_deleted() -> None:
    found = world(Bucket(*ENTRIES))
    late = NOON + timedelta(minutes=90)
    line = refusal(lambda: restore_objects.plan(found.deployed, "media/twice", late))
    assert "no object there was deleted since 2026-11-20 13:30:00 UTC" in line


def test_versions_of_one_object_may_be_on_two_pages() -> None:
    bucket = Bucket(*(entry for entry in ENTRIES if entry[0] == "media/twice"))
    whole = bucket.list({"Bucket": BUCKET, "Prefix": ""})
    markers = whole["DeleteMarkers"]
    pages: list[Answer] = [
        {"DeleteMarkers": markers[:1], "IsTruncated": True, "NextKeyMarker": "media/twice"},
        {"DeleteMarkers": markers[1:], "Versions": whole["Versions"], "IsTruncated": False},
    ]
    result = bring_back(world(bucket, ListObjectVersions=pages))
    assert result.exit_code == 0, result.output
    assert [entry[1] for entry in bucket.entries] == ["m3", "m2", "m1"]


def test_planning_deletes_nothing() -> None:
    found = world(Bucket(*ENTRIES))
    restore_objects.plan(found.deployed, "", NOON)
    assert found.changes() == []


def test_many_markers_go_by_the_thousand() -> None:
    keys = [f"media/{number:04}" for number in range(2001)]
    bucket = Bucket(*((key, "m", NOON, True) for key in keys))
    everything = {
        "DeleteMarkers": [
            {"Key": key, "VersionId": "m", "LastModified": NOON, "IsLatest": True} for key in keys
        ]
    }
    result = bring_back(world(bucket, ListObjectVersions=everything))
    assert result.exit_code == 0, result.output
    assert (bucket.sizes, bucket.entries) == ([1000, 1000, 1], [])


def test_a_bucket_without_versions_is_one_line() -> None:
    found = world(Bucket(*ENTRIES), GetBucketVersioning={})
    result = bring_back(found)
    assert result.exit_code == 1
    assert result.stderr == (
        f"error: s3://{BUCKET}: keeps no versions, so what is deleted is gone. "
        "langfuse:storage.versioningDays keeps them from now on.\n"
    )
    assert found.changes() == []


def test_nothing_to_bring_back_is_one_line() -> None:
    line = refusal(
        lambda: restore_objects.plan(
            world(Bucket(*ENTRIES)).deployed, "exports/", datetime(2026, 1, 1, tzinfo=timezone.utc)
        )
    )
    assert line == (
        f"s3://{BUCKET}/exports/: no object there was deleted since 2026-01-01 00:00:00 UTC. Take "
        "an earlier --since or a shorter --prefix."
    )


def test_markers_that_s3_keeps_are_told() -> None:
    errors = {"Errors": [{"Key": "media/now", "Code": "AccessDenied", "Message": "Access Denied"}]}
    result = bring_back(world(Bucket(*ENTRIES), DeleteObjects=errors))
    assert result.exit_code == 1
    assert result.stderr.splitlines()[:2] == [
        "error: Step 1 of 1 failed: S3 left 1 delete markers, such as the one of media/now: "
        "AccessDenied: Access Denied.",
        "Some of the objects may be back; nothing else was changed.",
    ]


@pytest.mark.parametrize("since", ["yesterday", "2026-11-20T12:00:00"])
def test_a_time_without_its_zone_is_refused(since: str) -> None:
    found = world(Bucket(*ENTRIES))
    assert bring_back(found, since).exit_code != 0
    assert found.calls == []
