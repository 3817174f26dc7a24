"""ClickHouse's HTTP interface before chDB, ClickHouse's engine in a process; one query a time.

Speaks what `move-in` speaks: `?query=&database=`, X-ClickHouse-User and -Key, SELECT in any format,
INSERT … FORMAT Native with data in the body, and GET that may only read. chDB has no users: here
each has a password, and a pattern of the statements that it has no right to.

    python clickhouse_server.py PORT FOLDER USERS
"""

import json
import re
import sys
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import chdb

FORMAT: Final = re.compile(r"\sFORMAT\s+(\w+)\s*$")
INSERT: Final = re.compile(r"(INSERT INTO .*) FORMAT Native", re.DOTALL)
DENIED: Final = "Code: 497. DB::Exception: {}: Not enough privileges. (ACCESS_DENIED)"
READONLY: Final = "Code: 164. DB::Exception: Cannot execute query in readonly mode. (READONLY)"


class Handler(BaseHTTPRequestHandler):
    """One connection of a client."""

    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16  # head and body at once, or each waits for an acknowledgement
    connection_to_engine: Any
    lock = threading.Lock()
    users: dict[str, tuple[str, str]]
    """By name: password, and pattern of what is denied."""

    def do_GET(self) -> None:
        """Answer what only reads."""
        self._answer()

    def do_POST(self) -> None:
        """Answer anything."""
        self._answer()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say nothing."""

    def _answer(self) -> None:
        data = self._body()
        given = {name: found[0] for name, found in parse_qs(urlsplit(self.path).query).items()}
        query, user = given["query"], self.headers["X-ClickHouse-User"]
        password, denied = self.users.get(user, ("", ""))
        if user not in self.users or self.headers["X-ClickHouse-Key"] != password:
            return self._send(403, b"Code: 516. DB::Exception: Authentication failed")
        if denied and re.search(denied, query):
            return self._send(403, DENIED.format(user).encode())
        if self.command == "GET" and not re.match(r"\s*SELECT", query):
            return self._send(500, READONLY.encode())
        try:
            with self.lock:
                self.connection_to_engine.query(f"USE `{given['database']}`", "Null")
                self._send(200, self._run(query, data))
        except Exception as error:
            self._send(500, str(error).encode())

    def _run(self, query: str, data: bytes) -> bytes:
        if found := INSERT.fullmatch(query):
            with tempfile.NamedTemporaryFile(suffix=".native") as file:
                file.write(data)
                file.flush()
                self.connection_to_engine.query(
                    f"{found[1]} SELECT * FROM file('{file.name}', 'Native')",  # noqa: S608
                    "Null",
                )
            return b""
        form = FORMAT.search(query)
        result = self.connection_to_engine.query(FORMAT.sub("", query), form[1] if form else "Null")
        return bytes(result.bytes() or b"")

    def _body(self) -> bytes:
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        chunks: list[bytes] = []
        while line := self.rfile.readline():
            size = int(line, 16)
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
            if not size:
                return b"".join(chunks)
        # Who sent it is gone: what came is not all.
        raise ConnectionError("the body has no end")

    def _send(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Server(ThreadingHTTPServer):
    """Says nothing of clients that are killed."""

    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """They are what tests are about."""


if __name__ == "__main__":
    port, folder, users = sys.argv[1:]
    Handler.connection_to_engine = chdb.connect(folder)
    Handler.users = {name: (found[0], found[1]) for name, found in json.loads(users).items()}
    Server(("127.0.0.1", int(port)), Handler).serve_forever()
