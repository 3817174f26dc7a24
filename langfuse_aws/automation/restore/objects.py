"""Brings deleted objects back: it takes their delete markers away, and deletes nothing else."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timezone
from typing import Any, Final

from rich.progress import track

from langfuse_aws.automation.engine.deployed import Deployed
from langfuse_aws.automation.errors import UserError
from langfuse_aws.automation.plan import Plan, Step
from langfuse_aws.automation.terminal import console
from langfuse_aws.graph.resource_types import S3_BUCKET

EVER: Final = datetime.min.replace(tzinfo=timezone.utc)
BATCH: Final = 1000
"""https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html"""


@dataclass(frozen=True)
class Marker:
    """A delete marker of an object that is deleted."""

    key: str
    version_id: str
    time: datetime


Markers = Sequence[Marker]
"""All that lie on the newest version of one object, newest first.

Each deletion of an object that is deleted already makes one more:
https://docs.aws.amazon.com/AmazonS3/latest/userguide/DeleteMarker.html
"""


@dataclass(frozen=True)
class ObjectsRestore:
    """What to do, and with what."""

    s3: Any
    bucket: str
    markers: Sequence[Marker]

    def take_away(self) -> None:
        """Delete the markers."""
        starts = range(0, len(self.markers), BATCH)
        for start in track(starts, "Markers, by 1,000", console=console):
            answer = self.s3.delete_objects(
                Bucket=self.bucket,
                Delete={
                    "Objects": [
                        {"Key": each.key, "VersionId": each.version_id}
                        for each in self.markers[start : start + BATCH]
                    ],
                    "Quiet": True,
                },
            )
            failed = answer.get("Errors", [])
            if failed:
                raise UserError(
                    f"S3 left {len(failed)} delete markers, such as the one of {failed[0]['Key']}: "
                    f"{failed[0].get('Code')}: {failed[0].get('Message')}."
                )


@dataclass(frozen=True)
class Deleted:
    """Objects of one folder that were deleted on one day."""

    prefix: str
    """What `--prefix` takes."""
    since: datetime
    """What `--since` takes: when the first of them was deleted."""
    until: datetime
    """When the last was."""
    count: int


def deleted(deployed: Deployed, prefix: str) -> Sequence[Deleted]:
    """List what can come back, newest first: by folder and day, in UTC. UserError."""
    s3, bucket = _versioned(deployed)
    groups: dict[tuple[str, date], list[datetime]] = defaultdict(list)
    for markers in _deleted_objects(s3, bucket, prefix, EVER):
        first = markers[-1]
        folder, slash, _ = first.key.partition("/")
        time = first.time.astimezone(timezone.utc)
        groups[f"{folder}{slash}", time.date()].append(time)
    found = [Deleted(key, min(times), max(times), len(times)) for (key, _), times in groups.items()]
    return sorted(found, key=lambda each: each.until, reverse=True)


def _versioned(deployed: Deployed) -> tuple[Any, str]:
    """A client and the bucket's name. UserError if it keeps no versions."""
    name = f"{deployed.prefix}-storage"
    bucket = deployed.resource(S3_BUCKET, name).outputs["bucket"]
    s3 = deployed.aws("s3")
    if "Status" not in s3.get_bucket_versioning(Bucket=bucket):
        raise UserError(
            f"s3://{bucket}: keeps no versions, so what is deleted is gone. "
            "langfuse:storage.versioningDays keeps them from now on."
        )
    return s3, bucket


def plan(deployed: Deployed, prefix: str, since: datetime) -> Plan:
    """Work out what to bring back, or refuse it."""
    s3, bucket = _versioned(deployed)
    objects = _deleted_objects(s3, bucket, prefix, since)
    markers = [marker for each in objects for marker in each]
    time = f"{since.astimezone(timezone.utc):%Y-%m-%d %H:%M:%S} UTC"
    if not markers:
        raise UserError(
            f"s3://{bucket}/{prefix}: no object there was deleted since {time}. Take an earlier "
            "--since or a shorter --prefix."
        )
    days = deployed.settings.storage.versioning_days
    restore = ObjectsRestore(s3, bucket, markers)
    return Plan(
        found=[
            f"Stack {deployed.name} in {deployed.region}.",
            f"{len(objects):,} objects of s3://{bucket}/{prefix} were deleted since {time}, and "
            "not written again.",
            f"S3 drops the content of a deleted object after {days or 'some'} days "
            "(langfuse:storage.versioningDays): what it dropped does not come back.",
        ],
        lost=[],
        steps=[
            Step(
                f"Take away the {len(markers):,} delete markers.",
                restore.take_away,
                "Some of the objects may be back; nothing else was changed.",
            )
        ],
    )


def _deleted_objects(s3: Any, bucket: str, prefix: str, since: datetime) -> Sequence[Markers]:
    """Those that were there until `since` at the least, and were not written again."""
    markers: dict[str, list[Marker]] = {}
    written: dict[str, datetime] = {}
    # S3 lists a key's versions newest first.
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix):
        for each in page.get("DeleteMarkers", []):
            key = each["Key"]
            if each["IsLatest"] or key in markers:
                marker = Marker(key, each["VersionId"], each["LastModified"])
                markers.setdefault(key, []).append(marker)
        for each in page.get("Versions", []):
            if each["Key"] in markers:
                written.setdefault(each["Key"], each["LastModified"])
    found = [
        [marker for marker in each if marker.time >= written.get(key, EVER)]
        for key, each in markers.items()
    ]
    return [each for each in found if each[-1].time >= since]
