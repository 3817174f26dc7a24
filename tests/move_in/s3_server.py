"""As much of S3 over HTTP as `move-in` uses: ListObjectsV2 in pages, Get, Put, Copy and Head.

Buckets are there from the beginning. An access key may be denied a bucket. Requests that would
change a bucket are noted.
"""

import threading
from collections.abc import Generator
from contextlib import contextmanager
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import parse_qs, quote, unquote, urlsplit
from xml.sax.saxutils import escape

PAGE: Final = 7
"""Keys of a page, so that few objects are several pages."""


class S3:
    """A server with two buckets."""

    def __init__(self, *buckets: str) -> None:
        self.objects: dict[str, dict[str, tuple[bytes, datetime, str]]] = {
            each: {} for each in buckets
        }
        """By bucket and key: content, time, content type."""
        self.written: list[tuple[str, str]] = []
        self.read: list[tuple[str, str]] = []
        self.denied: set[str] = set()
        """Access keys that may do nothing."""
        self.url = ""

    def put(self, bucket: str, key: str, content: bytes, kind: str = "text/plain") -> None:
        """Keep an object."""
        self.objects[bucket][key] = (content, datetime.now(timezone.utc), kind)

    @contextmanager
    def serving(self) -> Generator["S3"]:
        """Serve it."""
        s3 = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = 1 << 16  # head and body at once, or each waits for an acknowledgement

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                """Say nothing."""

            def do_GET(self) -> None:
                self._answer()

            def do_HEAD(self) -> None:
                self._answer()

            def do_PUT(self) -> None:
                self._answer()

            def do_POST(self) -> None:
                self._answer()

            def do_DELETE(self) -> None:
                self._answer()

            def _answer(self) -> None:
                body = self._body()
                address = urlsplit(self.path)
                bucket, _, key = unquote(address.path).lstrip("/").partition("/")
                query = {name: found[0] for name, found in parse_qs(address.query).items()}
                who = self.headers.get("Authorization", "").partition("Credential=")[2]
                if who.split("/")[0] in s3.denied:
                    return self._error(403, "AccessDenied", "Access Denied")
                if bucket not in s3.objects:
                    return self._error(404, "NoSuchBucket", "The bucket does not exist")
                if self.command == "PUT":
                    s3.written.append((bucket, key))
                    s3.put(bucket, key, body, self.headers.get("Content-Type", ""))
                    return self._send(200, b"", {"ETag": '"1"'})
                if self.command in ("POST", "DELETE"):
                    s3.written.append((bucket, key))
                    return self._error(501, "NotImplemented", "not of this stand-in")
                if "list-type" in query:
                    return self._send(200, s3.page(bucket, query), {})
                if key not in s3.objects[bucket]:
                    return self._error(404, "NoSuchKey", "There is none")
                content, _, kind = s3.objects[bucket][key]
                s3.read.append((bucket, key))
                return self._send(200, content, {"Content-Type": kind})

            def _body(self) -> bytes:
                if self.headers.get("Expect") == "100-continue":
                    self.send_response_only(100)
                    self.end_headers()
                    self.wfile.flush()
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                if "aws-chunked" not in self.headers.get("Content-Encoding", ""):
                    return body
                content = b""
                while body:
                    line, _, body = body.partition(b"\r\n")
                    size = int(line.partition(b";")[0], 16)
                    if not size:
                        break
                    content, body = content + body[:size], body[size + 2 :]
                return content

            def _error(self, status: int, code: str, message: str) -> None:
                text = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
                self._send(status, text.encode(), {"Content-Type": "application/xml"})

            def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request: Any, client_address: Any) -> None:
                """Clients that are killed are what tests are about."""

        server = Server(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        self.url = f"http://127.0.0.1:{server.server_address[1]}"
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()

    def page(self, bucket: str, query: dict[str, str]) -> bytes:
        """A page of a list."""
        after = query.get("continuation-token", "")
        keys = sorted(
            (
                key
                for key in self.objects[bucket]
                if key.startswith(query.get("prefix", "")) and key > after
            ),
            key=str.encode,
        )
        shown = keys[: min(PAGE, int(query.get("max-keys", PAGE)))]
        more = len(keys) > len(shown)
        entries = "".join(
            f"<Contents><Key>{quote(key, safe='/')}</Key><Size>{len(found[0])}</Size>"
            f"<LastModified>{found[1]:%Y-%m-%dT%H:%M:%S.%fZ}</LastModified></Contents>"
            for key in shown
            if (found := self.objects[bucket][key])
        )
        token = (
            f"<NextContinuationToken>{escape(shown[-1])}</NextContinuationToken>" if more else ""
        )
        return (
            f"<ListBucketResult><IsTruncated>{str(more).lower()}</IsTruncated>"
            f"<EncodingType>url</EncodingType>{token}{entries}</ListBucketResult>"
        ).encode()
