"""Real registries on this machine, a way to slow them down, and images to put into them."""

import gzip
import hashlib
import io
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import tarfile
import threading
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

import httpx

from automation.registry import Login

LOGIN: Final = Login("AWS", "hush-hush-4711")
HASHED: Final = "$2y$05$abcdefghijklmnopqrstuu51d7dAI.2hrotR9iZALuXUlHoUWZ7w6"
"""The password as htpasswd has it."""

INDEX: Final = "application/vnd.oci.image.index.v1+json"
MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
CONFIG: Final = "application/vnd.oci.image.config.v1+json"
LAYER: Final = "application/vnd.oci.image.layer.v1.tar+gzip"
ATTESTATION: Final = "application/vnd.in-toto+json"
LAYER_BYTES: Final = 400_000
LAYERS: Final = 3
SECONDS: Final = 20

Descriptor = dict[str, Any]


def digest_of(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


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

    def push(self, repository: str, tag: str, *cpus: str, seed: int = 1) -> "Pushed":
        """Put an image there: for several CPUs an index with attestations, for one the image."""
        with self.client as client:
            return Pusher(client, f"/{repository}", random.Random(seed)).image(tag, cpus)  # noqa: S311


@dataclass(frozen=True)
class Pushed:
    """What was put into a registry."""

    digest: str
    platforms: Mapping[str, str]
    manifests: Mapping[str, bytes]
    """Every one by its digest, the index included."""
    layers: Sequence[str]
    size: int
    """Bytes of all configurations and layers."""


class Pusher:
    """Uploads an image, blob by blob."""

    def __init__(self, client: httpx.Client, base: str, chance: random.Random) -> None:
        self._client, self._base, self._chance = client, base, chance
        self._manifests: dict[str, bytes] = {}
        self._layers: list[str] = []
        self._sizes: dict[str, int] = {}

    def image(self, tag: str, cpus: Sequence[str]) -> Pushed:
        """Upload it; for one CPU it has no index."""
        if len(cpus) == 1:
            top = self._one(cpus[0], tag)
            platforms = {cpus[0]: top["digest"]}
        else:
            found: list[Descriptor] = []
            platforms = {}
            for cpu in cpus:
                each = self._one(cpu)
                platforms[cpu] = each["digest"]
                found.append({**each, "platform": {"os": "linux", "architecture": cpu}})
                unknown = {"os": "unknown", "architecture": "unknown"}
                found.append({**self._attestation(each["digest"]), "platform": unknown})
            top = self._manifest({"mediaType": INDEX, "manifests": found}, tag)
        size = sum(self._sizes.values())
        return Pushed(top["digest"], platforms, self._manifests, self._layers, size)

    def _one(self, cpu: str, tag: str = "") -> Descriptor:
        layers: list[Descriptor] = []
        unpacked: list[str] = []
        for number in range(LAYERS):
            raw = self._archive(f"layer-{number}")
            unpacked.append(digest_of(raw))
            layers.append(self._blob(gzip.compress(raw, 1, mtime=0), LAYER))
        self._layers += [each["digest"] for each in layers]
        config = {
            "os": "linux",
            "architecture": cpu,
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": unpacked},
        }
        return self._manifest(
            {
                "mediaType": MANIFEST,
                "config": self._blob(json.dumps(config).encode(), CONFIG),
                "layers": layers,
            },
            tag,
        )

    def _attestation(self, subject: str) -> Descriptor:
        statement = self._blob(json.dumps({"subject": subject}).encode(), ATTESTATION)
        nothing = {"os": "unknown", "rootfs": {"type": "layers", "diff_ids": [statement["digest"]]}}
        config = self._blob(json.dumps(nothing).encode(), CONFIG)
        return self._manifest({"mediaType": MANIFEST, "config": config, "layers": [statement]})

    def _archive(self, name: str) -> bytes:
        data = self._chance.randbytes(LAYER_BYTES)
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as archive:
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
        return packed.getvalue()

    def _blob(self, data: bytes, kind: str) -> Descriptor:
        digest = digest_of(data)
        begun = self._client.post(f"{self._base}/blobs/uploads/")
        place = httpx.URL(begun.headers["Location"]).copy_merge_params({"digest": digest})
        assert self._client.put(place, content=data).status_code == 201
        self._sizes[digest] = len(data)
        return {"mediaType": kind, "digest": digest, "size": len(data)}

    def _manifest(self, content: Mapping[str, Any], tag: str = "") -> Descriptor:
        data = json.dumps({"schemaVersion": 2, **content}, indent=1).encode()
        digest, kind = digest_of(data), str(content["mediaType"])
        place = f"{self._base}/manifests/{tag or digest}"
        answer = self._client.put(place, content=data, headers={"Content-Type": kind})
        assert answer.status_code == 201, answer.text
        self._manifests[digest] = data
        return {"mediaType": kind, "digest": digest, "size": len(data)}


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


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


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
