"""Objects of S3 on both sides of a move: compared by their keys' order, copied, looked at again.

Both lists are read side by side, a page at a time, so no list is kept. What is there with the same
size, and is not older than the source's, is not copied again.
"""

import hashlib
import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from langfuse_aws.automation.errors import UserError
from langfuse_aws.automation.move_in.source import ObjectStore, Use
from langfuse_aws.automation.smoke.checks import S3_HOST

AT_ONCE: Final = 16
SAMPLE: Final = 32
"""Objects whose content is compared after a copy."""
BLOCK: Final = 1 << 20
MOST_WAITING: Final = 10 * AT_ONCE
MOST_BYTES_AT_ONCE: Final = 5 * 2**30
"""What CopyObject copies; a larger one is copied in parts.
https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html"""
KEPT: Final = (
    "CacheControl",
    "ContentDisposition",
    "ContentEncoding",
    "ContentLanguage",
    "ContentType",
    "Metadata",
)
"""Of an object besides its content; S3 keeps them by itself."""
REFUSED: Final = ("AccessDenied", "403")
_RETRIES: Any = {"mode": "standard", "total_max_attempts": 5}


@dataclass(frozen=True)
class Found:
    """An object, by its key without the prefix."""

    key: str
    size: int
    modified: datetime


@dataclass(frozen=True)
class Total:
    """Of a prefix."""

    objects: int
    bytes: int


@dataclass(frozen=True)
class Prefix:
    """A prefix of a bucket, and the client that opens it."""

    s3: Any
    bucket: str
    prefix: str
    side: str
    """`source` or `target`, for messages."""
    others: tuple[str, ...] = ()
    """Prefixes below this one that are of another use."""
    of_aws: bool = False
    """Whether its bucket is in S3 itself."""

    def objects(self) -> Iterator[Found]:
        """List them in the order of their keys."""
        try:
            pages = self.s3.get_paginator("list_objects_v2").paginate(
                Bucket=self.bucket, Prefix=self.prefix
            )
            for page in pages:
                for each in page.get("Contents", []):
                    key: str = each["Key"]
                    if not key.startswith(self.others or "\0"):
                        yield Found(key[len(self.prefix) :], each["Size"], each["LastModified"])
        except (ClientError, BotoCoreError) as error:
            raise UserError(f"objects of the {self.side}, {self}: {error}") from error

    def total(self) -> Total:
        """Count them."""
        objects = size = 0
        for each in self.objects():
            objects, size = objects + 1, size + each.size
        return Total(objects, size)

    def checksum(self, key: str) -> str:
        """SHA-256 of an object's content."""
        digest = hashlib.sha256()
        body = self.s3.get_object(Bucket=self.bucket, Key=self.prefix + key)["Body"]
        for block in iter(lambda: body.read(BLOCK), b""):
            digest.update(block)
        return digest.hexdigest()

    def readable(self) -> str | None:
        """Try what a copy does; gives what S3 said against it."""
        try:
            page = self.s3.list_objects_v2(Bucket=self.bucket, Prefix=self.prefix, MaxKeys=1)
            for each in page.get("Contents", []):
                self.s3.get_object(Bucket=self.bucket, Key=each["Key"])["Body"].close()
        except (ClientError, BotoCoreError) as error:
            return str(error)
        return None

    def __str__(self) -> str:
        """Say it."""
        return f"s3://{self.bucket}/{self.prefix}"


def source_prefixes(
    stores: Mapping[Use, ObjectStore], own: Callable[[str | None], Any]
) -> dict[Use, Prefix]:
    """Open a source's. `own`: makes a client with the operator's credentials for a region."""
    return {use: _open(store, _below(store, stores.values()), own) for use, store in stores.items()}


def _below(store: ObjectStore, all_of_them: Iterable[ObjectStore]) -> tuple[str, ...]:
    return tuple(
        each.prefix
        for each in all_of_them
        if (each.endpoint, each.bucket) == (store.endpoint, store.bucket)
        and each.prefix != store.prefix
        and each.prefix.startswith(store.prefix)
    )


def _open(store: ObjectStore, others: tuple[str, ...], own: Callable[[str | None], Any]) -> Prefix:
    of_aws = store.endpoint is None or _of_s3(store.endpoint)
    if of_aws and store.access_key is None:
        return Prefix(own(store.region), store.bucket, store.prefix, "source", others, of_aws)
    session: Any = boto3.Session()
    client = session.client(
        "s3",
        region_name=store.region or "us-east-1",
        endpoint_url=store.endpoint,
        aws_access_key_id=store.access_key,
        aws_secret_access_key=store.secret_key,
        config=Config(
            retries=_RETRIES,
            max_pool_connections=2 * AT_ONCE,
            s3={"addressing_style": "path" if store.path_style else "auto"},
        ),
    )
    return Prefix(client, store.bucket, store.prefix, "source", others, of_aws)


def _of_s3(endpoint: str) -> bool:
    return S3_HOST.fullmatch(urlsplit(endpoint).hostname or "") is not None


def copied_by_s3(source: Prefix, target: Prefix) -> bool:
    """Whether S3 copies by itself: in one partition, if the target's user may read the source.

    Found out with the first object, by reading.
    """
    if not (source.of_aws and target.of_aws):
        return False
    if source.s3.meta.partition != target.s3.meta.partition:
        return False
    first = next(source.objects(), None)
    if first is None:
        return True
    try:
        key = source.prefix + first.key
        target.s3.get_object(Bucket=source.bucket, Key=key)["Body"].close()
    except (ClientError, BotoCoreError):
        return False
    return True


def missing(source: Prefix, target: Prefix) -> Iterator[Found]:
    """List what the target lacks, or has otherwise or older."""
    there = target.objects()
    other = next(there, None)
    for each in source.objects():
        while other is not None and _order(other.key) < _order(each.key):
            other = next(there, None)
        same = (
            other is not None
            and other.key == each.key
            and other.size == each.size
            and other.modified >= each.modified
        )
        if not same:
            yield each


def _order(key: str) -> bytes:
    # S3 lists by the bytes of UTF-8.
    return key.encode()


def copy(
    source: Prefix, target: Prefix, progress: Callable[[int, int], None], *, by_s3: bool
) -> tuple[Total, bool]:
    """Copy what is missing; gives what was, and whether S3 did all of it by itself.

    `progress` gets objects and bytes done. `by_s3`: begin so; what S3 refuses to copy, and all that
    comes after it, goes through this process.
    """
    done = size = 0
    way = _Way(source, target, by_s3)
    running: dict[Future[None], Found] = {}
    # Left to themselves, threads would go on after Ctrl-C until all that waits is done.
    pool = ThreadPoolExecutor(AT_ONCE)
    try:
        waiting = missing(source, target)
        ended = False
        while running or not ended:
            while not ended and len(running) < MOST_WAITING:
                each = next(waiting, None)
                if each is None:
                    ended = True
                else:
                    running[pool.submit(way.copy, each)] = each
            finished, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in finished:
                each = running.pop(future)
                future.result()
                done, size = done + 1, size + each.size
            progress(done, size)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
    return Total(done, size), way.by_s3


@dataclass
class _Way:
    """How objects go from one prefix to another."""

    source: Prefix
    target: Prefix
    by_s3: bool

    def copy(self, found: Found) -> None:
        """Copy one. UserError."""
        key, new = self.source.prefix + found.key, self.target.prefix + found.key
        try:
            if not (self.by_s3 and self._by_s3(key, new, found.size)):
                self._through(key, new)
        except (ClientError, BotoCoreError) as error:
            raise UserError(f"object s3://{self.source.bucket}/{key}: {error}") from error

    def _by_s3(self, key: str, new: str, size: int) -> bool:
        """Have S3 copy it; whether it did.

        Without a word on encryption: the copy gets what the target's bucket encrypts with by
        default (https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html).
        """
        origin = {"Bucket": self.source.bucket, "Key": key}
        client = self.target.s3
        try:
            if size <= MOST_BYTES_AT_ONCE:
                client.copy_object(CopySource=origin, Bucket=self.target.bucket, Key=new)
            else:
                head = self.source.s3.head_object(**origin)
                client.copy(origin, self.target.bucket, new, _kept(head), None, self.source.s3)
        except ClientError as error:
            details: Any = error.response
            if details["Error"]["Code"] not in REFUSED:
                raise
            self.by_s3 = False
            return False
        return True

    def _through(self, key: str, new: str) -> None:
        answer = self.source.s3.get_object(Bucket=self.source.bucket, Key=key)
        self.target.s3.upload_fileobj(
            answer["Body"], self.target.bucket, new, ExtraArgs=_kept(answer)
        )


def _kept(answer: Mapping[str, Any]) -> dict[str, Any]:
    return {name: answer[name] for name in KEPT if answer.get(name)}


def differing(source: Prefix, target: Prefix) -> tuple[int, list[str]]:
    """Compare the content of a sample of objects: how many were looked at, and what differs.

    Each object of the source is as likely to be in it as any other.
    """
    # Which ones, no secret hangs on; the same ones in each look.
    chance = random.Random(0)  # noqa: S311
    sample: list[Found] = []
    for number, each in enumerate(source.objects()):
        if len(sample) < SAMPLE:
            sample.append(each)
        elif (place := chance.randint(0, number)) < SAMPLE:
            sample[place] = each
    differ = [each.key for each in sample if _differs(source, target, each.key)]
    return len(sample), differ


def _differs(source: Prefix, target: Prefix, key: str) -> bool:
    try:
        return source.checksum(key) != target.checksum(key)
    except ClientError:
        return True
