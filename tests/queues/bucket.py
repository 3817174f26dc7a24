"""As much of S3 over HTTP as a reader uses: ListObjectsV2 in small pages, and GetObject.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html
Whatever else is asked of it is answered with 501, and noted.
"""

import threading
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

BUCKET: Final = "langfuse-dev-storage"
PAGE: Final = 3
"""Entries of a page, so that few objects are several pages."""


class Bucket:
    """A bucket whose objects are as old as the test says."""

    def __init__(self) -> None:
        self.objects: dict[str, tuple[str, str]] = {}
        """Time and content by key."""
        self.refused: list[str] = []
        """Requests that were more than reading."""
        self.listed: list[str] = []
        """Prefixes, in the order in which they were asked for."""
        self.page = PAGE
        bucket = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                address = urlsplit(self.path)
                query = {name: found[0] for name, found in parse_qs(address.query).items()}
                key = unquote(address.path).removeprefix(f"/{BUCKET}").removeprefix("/")
                if "list-type" in query:
                    self._answer(200, bucket.list(query))
                elif key in bucket.objects:
                    self._answer(200, bucket.objects[key][1])
                else:
                    error = "<Error><Code>NoSuchKey</Code><Message>There is none</Message></Error>"
                    self._answer(404, error)

            def _answer(self, status: int, body: str) -> None:
                content = body.encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/xml")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def do_PUT(self) -> None:
                self._refuse()

            def do_POST(self) -> None:
                self._refuse()

            def do_DELETE(self) -> None:
                self._refuse()

            def _refuse(self) -> None:
                bucket.refused.append(f"{self.command} {self.path}")
                self._answer(501, "")

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.environment = {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self._server.server_port}",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "LANGFUSE_S3_EVENT_UPLOAD_BUCKET": BUCKET,
            "LANGFUSE_S3_EVENT_UPLOAD_PREFIX": "events/",
            "LANGFUSE_S3_EVENT_UPLOAD_REGION": "eu-west-1",
        }

    @contextmanager
    def serving(self) -> Generator["Bucket"]:
        """Serve until the end of the block."""
        thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()

    def put(self, key: str, time: str, body: str = "[]") -> None:
        """Have an object that came in at a time of the tests' day, such as `10:00:00`."""
        self.objects[key] = f"2026-11-20T{time}.000Z", body

    def list(self, query: dict[str, str]) -> str:
        """Answer ListObjectsV2."""
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter")
        self.listed.append(prefix)
        after = query.get("continuation-token") or query.get("start-after", "")
        entries: dict[str, str] = {}
        for key in sorted(self.objects):
            rest = key.removeprefix(prefix)
            if not key.startswith(prefix):
                continue
            if delimiter and delimiter in rest:
                folder = f"{prefix}{rest.partition(delimiter)[0]}{delimiter}"
                entries[folder] = (
                    f"<CommonPrefixes><Prefix>{escape(folder)}</Prefix></CommonPrefixes>"
                )
            else:
                entries[key] = (
                    f"<Contents><Key>{escape(key)}</Key>"
                    f"<LastModified>{self.objects[key][0]}</LastModified></Contents>"
                )
        names = [name for name in entries if name > after]
        page = names[: self.page]
        more = len(names) > len(page)
        token = f"<NextContinuationToken>{escape(page[-1])}</NextContinuationToken>" if more else ""
        return (
            "<ListBucketResult>"
            f"<IsTruncated>{str(more).lower()}</IsTruncated>{token}"
            f"{''.join(entries[name] for name in page)}</ListBucketResult>"
        )
