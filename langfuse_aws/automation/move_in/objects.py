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

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from langfuse_aws.automation.errors import UserError
from langfuse_aws.automation.move_in.source import ObjectStore, Use

AT_ONCE: Final = 16
SAMPLE: Final = 32
"""Objects whose content is compared after a copy."""
BLOCK: Final = 1 << 20
MOST_WAITING: Final = 10 * AT_ONCE
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
    """Whether its bucket is in S3 itself and opened by the credentials of the target."""

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
    if store.endpoint is None and store.access_key is None:
        return Prefix(own(store.region), store.bucket, store.prefix, "source", others, of_aws=True)
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
    return Prefix(client, store.bucket, store.prefix, "source", others)


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


def copy(source: Prefix, target: Prefix, progress: Callable[[int, int], None]) -> Total:
    """Copy what is missing; `progress` gets objects and bytes done."""
    done = size = 0
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
                    running[pool.submit(_copy, source, target, each)] = each
            finished, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in finished:
                each = running.pop(future)
                future.result()
                done, size = done + 1, size + each.size
            progress(done, size)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
    return Total(done, size)


def _copy(source: Prefix, target: Prefix, found: Found) -> None:
    key, new = source.prefix + found.key, target.prefix + found.key
    try:
        if source.of_aws:
            # S3 copies by itself, in parts if it is large.
            target.s3.copy(
                {"Bucket": source.bucket, "Key": key}, target.bucket, new, SourceClient=source.s3
            )
            return
        answer = source.s3.get_object(Bucket=source.bucket, Key=key)
        kept = {
            name: answer[name]
            for name in ("ContentType", "ContentEncoding", "Metadata")
            if answer.get(name)
        }
        target.s3.upload_fileobj(answer["Body"], target.bucket, new, ExtraArgs=kept)
    except (ClientError, BotoCoreError) as error:
        raise UserError(f"object s3://{source.bucket}/{key}: {error}") from error


def differing(source: Prefix, target: Prefix, seed: int = 0) -> tuple[int, list[str]]:
    """Compare the content of a sample of objects: how many were looked at, and what differs.

    Each object of the source is as likely to be in it as any other.
    """
    # Which ones, no secret hangs on.
    chance = random.Random(seed)  # noqa: S311
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
