"""Real registries on this machine, a way to hold them back, and what else runs here."""

import json
import os
import random
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

import httpx

from langfuse_aws.automation.images.registry import Login
from tests.free_port import free_port
from tests.registry.published import INDEX, MANIFEST, Pushed, Pusher

LOGIN: Final = Login("AWS", "hush-hush-4711")
HASHED: Final = "$2y$05$abcdefghijklmnopqrstuu51d7dAI.2hrotR9iZALuXUlHoUWZ7w6"
"""The password as htpasswd has it."""

SECONDS: Final = 20


@dataclass
class Registry:
    """A `docker-registry` on loopback, with its files and its log."""

    folder: Path
    login: Login | None = None
    host: str = ""
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @contextmanager
    def running(self) -> Generator["Registry"]:
        """Serve until the end of the block."""
        self.folder.mkdir()
        self.host = f"127.0.0.1:{free_port()}"
        config: dict[str, Any] = {
            "version": "0.1",
            "log": {"level": "warn"},
            "storage": {
                "filesystem": {"rootdirectory": str(self.folder / "data")},
                "delete": {"enabled": True},
            },
            "http": {"addr": self.host},
        }
        if self.login:
            users = self.folder / "users"
            users.write_text(f"{self.login.username}:{HASHED}\n")
            config["auth"] = {"htpasswd": {"realm": "test", "path": str(users)}}
        (self.folder / "config.yml").write_text(json.dumps(config))
        with (self.folder / "log").open("wb") as log:
            command = ["docker-registry", "serve", str(self.folder / "config.yml")]
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            wait_until(self._answers)
            yield self
        finally:
            self.process.kill()
            self.process.wait()

    def _answers(self) -> bool:
        try:
            return httpx.get(f"http://{self.host}/v2/").status_code in (200, 401)
        except httpx.TransportError:
            return False

    @property
    def client(self) -> httpx.Client:
        """Make a client that may do everything."""
        login = (self.login.username, self.login.password) if self.login else None
        return httpx.Client(base_url=f"http://{self.host}/v2", auth=login)

    def requests(self, method: str, what: str = "") -> list[str]:
        """Paths of the requests that it has answered well, from its access log."""
        lines = (self.folder / "log").read_text().splitlines()
        words = [line.split() for line in lines if f'"{method} ' in line]
        # 127.0.0.1 - - [day:time zone] "PUT /path HTTP/1.1" 201 0 "" "skopeo/1.9.3"
        good = [each[6] for each in words if each[8].startswith("2")]
        return [path for path in good if what in path]

    def stored(self, digest: str) -> Path:
        """The file that holds the bytes of a digest."""
        value = digest.removeprefix("sha256:")
        return self.folder / f"data/docker/registry/v2/blobs/sha256/{value[:2]}/{value}/data"

    def bytes_of(self, repository: str, version: str) -> bytes | None:
        """The manifest as it is served; None if it is not there."""
        headers = {"Accept": f"{INDEX}, {MANIFEST}"}
        with self.client as client:
            answer = client.get(f"/{repository}/manifests/{version}", headers=headers)
        return answer.content if answer.status_code == 200 else None

    def push(self, repository: str, tag: str, *cpus: str, seed: int = 1) -> Pushed:
        """Put an image there: for several CPUs an index with attestations, for one the image."""
        with self.client as client:
            return Pusher(client, f"/{repository}", random.Random(seed)).image(tag, cpus)  # noqa: S311


class Gate:
    """Stands before a registry, and can hold a blob back when half of it has gone through."""

    def __init__(self, registry: Registry) -> None:
        self.held: set[str] = set()
        """Digests."""
        self.reached = threading.Event()
        """A blob is being held."""
        gate, behind = self, registry

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                answer = httpx.get(f"http://{behind.host}{self.path}", headers=asked(self))
                self._head(answer)
                half = len(answer.content) // 2
                self.wfile.write(answer.content[:half])
                if self.path.rpartition("/")[2] in gate.held:
                    self.wfile.flush()
                    gate.reached.set()
                    while self.path.rpartition("/")[2] in gate.held:
                        time.sleep(0.02)
                self.wfile.write(answer.content[half:])

            def do_HEAD(self) -> None:
                self._head(httpx.head(f"http://{behind.host}{self.path}", headers=asked(self)))

            def _head(self, answer: httpx.Response) -> None:
                self.send_response(answer.status_code)
                for name in ("Content-Type", "Content-Length", "Docker-Content-Digest"):
                    if name in answer.headers:
                        self.send_header(name, answer.headers[name])
                self.end_headers()

            def handle(self) -> None:
                with suppress(ConnectionError):  # whoever asked was stopped
                    super().handle()

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                pass

        def asked(handler: BaseHTTPRequestHandler) -> dict[str, str]:
            accepted = handler.headers.get_all("Accept")
            return {"Accept": ", ".join(accepted)} if accepted else {}

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.host = f"127.0.0.1:{self._server.server_port}"

    @contextmanager
    def open(self) -> Generator["Gate"]:
        """Serve until the end of the block."""
        thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self.held.clear()
            self._server.shutdown()
            self._server.server_close()


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait for something that must come. AssertionError if it does not."""
    end = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < end, f"not within {SECONDS} s: {condition}"
        time.sleep(0.02)


def processes_with(text: str) -> list[int]:
    """Which programs of this machine have a text on their command line."""
    found: list[int] = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and int(entry.name) != os.getpid():
            try:
                line = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if text.encode() in line:
                found.append(int(entry.name))
    return found


def kill(process: int) -> None:
    os.kill(process, signal.SIGKILL)


def only(tool: Path, folder: Path) -> str:
    """A PATH with one program."""
    folder.mkdir(exist_ok=True)
    (folder / tool.name).symlink_to(tool)
    return str(folder)


def which(name: str) -> Path | None:
    """Find a program on PATH."""
    found = shutil.which(name)
    return Path(found) if found else None
