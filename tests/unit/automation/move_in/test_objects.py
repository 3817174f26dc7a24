"""How objects go from bucket to bucket on AWS, on moto: by S3 itself, or through this process.

moto asks nobody for rights and encrypts nothing: refusals are put in, and of encryption it is seen
that the request says nothing. What S3 then does is https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html.
"""

from collections.abc import Generator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, Final

import pytest
from botocore.awsrequest import AWSResponse
from moto import mock_aws

from langfuse_aws.automation.move_in import objects
from langfuse_aws.automation.move_in.display import rows
from langfuse_aws.automation.move_in.objects import Prefix, Total, copied_by_s3, copy
from langfuse_aws.automation.move_in.source import ObjectStore
from langfuse_aws.settings.versions import LANGFUSE
from tests.unit.aws_account import session

DENIED: Final = b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
KEPT: Final = {
    "ContentType": "image/png",
    "Metadata": {"project": "p1"},
    "CacheControl": "max-age=60",
    "ContentDisposition": "attachment",
    "ContentEncoding": "gzip",
    "ContentLanguage": "de",
}


class Buckets:
    """A source's bucket and a target's, and what of S3 was asked by whom."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        """Who and what, such as `target CopyObject`."""
        self.headers: list[dict[str, Any]] = []
        """Of each CopyObject."""
        self.denied: set[tuple[str, str]] = set()
        self.source = Prefix(self.client("source"), "old", "events/", "source", of_aws=True)
        self.target = Prefix(self.client("target"), "new", "e/", "target", of_aws=True)
        self.source.s3.create_bucket(Bucket="old")
        self.target.s3.create_bucket(Bucket="new")
        for number in range(20):
            key = f"events/ä {number}+.json"
            self.source.s3.put_object(Bucket="old", Key=key, Body=str(number).encode(), **KEPT)
        self.asked.clear()

    def client(self, who: str, region: str = "us-east-1") -> Any:
        """A client whose calls are noted, and refused where a test says so."""
        client = session().client(
            "s3", region_name=region, aws_access_key_id=who, aws_secret_access_key="x"
        )

        def before(request: Any, event_name: str, **_: Any) -> AWSResponse | None:
            operation = event_name.rsplit(".", 1)[1]
            self.asked.append((who, operation))
            if operation == "CopyObject":
                self.headers.append(dict(request.headers))
            if (who, operation) not in self.denied:
                return None
            raw: Any = SimpleNamespace(stream=lambda *_, **__: iter([DENIED]))  # pyright: ignore[reportUnknownLambdaType]
            return AWSResponse(request.url, 403, {"content-type": "application/xml"}, raw)

        client.meta.events.register_first("before-send.s3", before)
        return client

    def arrived(self) -> dict[str, Any]:
        """What the target has of an object, besides its content."""
        head = self.target.s3.head_object(Bucket="new", Key="e/ä 7+.json")
        return {name: head.get(name) for name in KEPT}

    def of(self, operation: str) -> set[str]:
        """Who asked for it."""
        return {who for who, each in self.asked if each == operation}


@pytest.fixture
def buckets() -> Generator[Buckets]:
    """Serve S3 by moto."""
    with mock_aws():
        yield Buckets()


def silent(*_: int) -> None:
    """Say nothing of the progress."""


def test_s3_copies_by_itself_and_keeps_what_objects_have(buckets: Buckets) -> None:
    assert copied_by_s3(buckets.source, buckets.target) is True
    buckets.asked.clear()
    copied, by_s3 = copy(buckets.source, buckets.target, silent, by_s3=True)
    assert (copied.objects, by_s3) == (20, True)
    # No byte comes through here, and no request more than one an object.
    assert buckets.of("GetObject") == buckets.of("HeadObject") == buckets.of("PutObject") == set()
    assert buckets.asked.count(("target", "CopyObject")) == 20
    assert buckets.arrived() == KEPT
    assert objects.differing(buckets.source, buckets.target) == (20, [])
    for headers in buckets.headers:
        named = [name for name in headers if "encryption" in name.lower()]
        assert named == [], "the default of the target's bucket is written over"
    assert copy(buckets.source, buckets.target, silent, by_s3=True)[0] == Total(0, 0)


def test_a_large_object_is_copied_in_parts_and_keeps_what_it_has(
    buckets: Buckets, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(objects, "MOST_BYTES_AT_ONCE", 8 * 2**20)
    large = bytes(9 * 2**20)
    buckets.source.s3.put_object(Bucket="old", Key="events/ä 7+.json", Body=large, **KEPT)
    buckets.asked.clear()
    copy(buckets.source, buckets.target, silent, by_s3=True)
    assert buckets.asked.count(("target", "UploadPartCopy")) == 2
    assert buckets.of("GetObject") == set()
    assert buckets.arrived() == KEPT
    assert buckets.source.total() == buckets.target.total()


def test_a_source_that_the_targets_user_may_not_read_goes_through_this_process(
    buckets: Buckets,
) -> None:
    buckets.denied.add(("target", "GetObject"))
    assert copied_by_s3(buckets.source, buckets.target) is False
    copied, by_s3 = copy(buckets.source, buckets.target, silent, by_s3=False)
    assert (copied.objects, by_s3) == (20, False)
    assert buckets.of("CopyObject") == set()
    assert buckets.of("GetObject") == {"source", "target"}
    assert buckets.arrived() == KEPT


def test_what_s3_refuses_to_copy_goes_through_this_process(buckets: Buckets) -> None:
    buckets.denied.add(("target", "CopyObject"))
    assert copied_by_s3(buckets.source, buckets.target) is True
    copied, by_s3 = copy(buckets.source, buckets.target, silent, by_s3=True)
    assert (copied.objects, by_s3) == (20, False)
    # Those that were under way are asked once each, and none after them.
    assert buckets.asked.count(("target", "CopyObject")) <= objects.AT_ONCE
    assert buckets.arrived() == KEPT
    assert buckets.source.total() == buckets.target.total()


PLACES: Final = (
    # Endpoint, region, and whether S3 may copy by itself.
    (None, "eu-west-1", True),
    ("https://s3.eu-west-1.amazonaws.com", "eu-west-1", True),
    ("https://s3.amazonaws.com", None, True),
    (None, "cn-north-1", False),
    ("https://s3.cn-north-1.amazonaws.com.cn", "cn-north-1", False),
    ("https://minio.example.com", "eu-west-1", False),
    ("https://s3.example.com", "eu-west-1", False),
    ("https://s3.amazonaws.com.example.com", "eu-west-1", False),
)


def test_only_buckets_of_one_partition_of_aws_are_copied_by_s3(
    buckets: Buckets, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With keys of their own, too: whether those of the target may read them is found out."""
    monkeypatch.setattr(objects, "boto3", SimpleNamespace(Session=session))

    def own(_: str | None) -> Any:
        raise AssertionError("it has keys of its own")

    for endpoint, region, by_s3 in PLACES:
        store = ObjectStore("old", "events/", endpoint, region, "key", "hush")
        (source,) = objects.source_prefixes({"events": store}, own).values()
        mine = replace(buckets.source, s3=source.s3, of_aws=source.of_aws)
        assert copied_by_s3(mine, buckets.target) is by_s3, (endpoint, region)


def test_the_plan_says_which_way_they_go(buckets: Buckets) -> None:
    for way, by_s3 in (("by S3 itself", True), ("through this machine", False)):
        sides: Any = SimpleNamespace(
            source_release=LANGFUSE,
            target=SimpleNamespace(
                release=LANGFUSE,
                postgres=Store(),
                clickhouse=Store(),
                objects={"events": buckets.target},
                secrets={},
            ),
            postgres=Store(),
            clickhouse=Store(),
            common_tables={},
            objects={"events": buckets.source},
            source=SimpleNamespace(environment={}),
            progress=SimpleNamespace(items=dict),
            by_s3={"events": by_s3},
        )
        rates: Any = SimpleNamespace(of=lambda _: None, postgres=None, clickhouse=None)  # pyright: ignore[reportUnknownLambdaType]
        assert [each.how for each in rows(sides, rates) if each.what == "Objects events"] == [way]


class Store:
    """Answers what a plan asks of a database."""

    def size(self) -> int:
        """Bytes."""
        return 0

    def major(self) -> int:
        """Of PostgreSQL."""
        return 15

    def version(self) -> str:
        """Of ClickHouse."""
        return "25.12"
