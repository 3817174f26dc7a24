"""What the tests of Langfuse's queues need: Redis, a bucket, and Node.js with BullMQ."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

import pytest

from development.node_packages import installed
from tests.queues.bucket import Bucket

NEEDED: Final = "redis-server"
REQUIRED: Final = "QUEUE_TESTS"
"""The variable that, as `required`, makes a missing program a failure."""

VERSIONS: Final = {
    "@aws-sdk/client-s3": "3.1074.0",
    "bullmq": "5.76.3",
    "ioredis": "5.10.1",
    "zod": "4.3.6",
}
"""https://github.com/langfuse/langfuse/blob/v4.16.0/pnpm-lock.yaml"""

PASSWORD: Final = "hush-hush-4711"
SECONDS: Final = 30


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip everything where there is no Redis to be had; not in CI."""
    if not shutil.which(NEEDED) and os.environ.get(REQUIRED) != "required":
        for item in items:
            item.add_marker(pytest.mark.skip(reason=f"{NEEDED} not on PATH: apt-get install it"))


class Redis:
    """A server of this test's own."""

    def __init__(self, port: int) -> None:
        self.environment = {
            "REDIS_HOST": "127.0.0.1",
            "REDIS_PORT": str(port),
            "REDIS_AUTH": PASSWORD,
        }

    def keys(self, pattern: str) -> list[str]:
        """List the keys of a pattern."""
        with socket.create_connection(("127.0.0.1", int(self.environment["REDIS_PORT"]))) as found:
            stream = found.makefile("rw", newline="\r\n")
            stream.write(f"AUTH {PASSWORD}\r\nKEYS {pattern}\r\n")
            stream.flush()
            assert stream.readline() == "+OK\r\n"
            count = int(stream.readline()[1:])
            lines = [stream.readline().rstrip("\r\n") for _ in range(2 * count)]
        return sorted(lines[1::2])


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[Redis]:
    """Serve an empty Redis that evicts nothing, as BullMQ wants it."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = int(found.getsockname()[1])
    options = {"port": str(port), "requirepass": PASSWORD, "maxmemory-policy": "noeviction"}
    words = [word for name, value in options.items() for word in (f"--{name}", value)]
    process = subprocess.Popen(
        [NEEDED, "--bind", "127.0.0.1", "--save", "", "--dir", str(tmp_path), *words],
        stdout=subprocess.DEVNULL,
    )
    try:
        wait_for(port)
        yield Redis(port)
    finally:
        process.kill()
        process.wait()


def wait_for(port: int) -> None:
    """Wait until somebody listens."""
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.02)
    raise AssertionError(f"nothing listens on {port} after {SECONDS} s")


@pytest.fixture
def bucket() -> Iterator[Bucket]:
    """Serve an empty bucket."""
    with Bucket().serving() as found:
        yield found


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Lay out a folder as the worker's image has `/app`, as far as the script looks at it.

    https://github.com/langfuse/langfuse/blob/v4.16.0/worker/Dockerfile
    """
    name = "langfuse-queues-" + "-".join(VERSIONS.values())
    packages = installed(name, VERSIONS)
    app = tmp_path_factory.mktemp("app")
    modules = app / "worker" / "node_modules"
    shared = modules / ".pnpm" / "shared" / "node_modules"
    own = shared / "@langfuse" / "shared"
    code = own / "dist" / "src" / "server"
    code.mkdir(parents=True)
    (app / "worker" / "package.json").write_text('{"name": "worker"}')
    exports = '{"./src/server": {"require": "./dist/src/server/index.js"}}'
    (own / "package.json").write_text(f'{{"name": "@langfuse/shared", "exports": {exports}}}')
    here = Path(__file__).parent
    (code / "index.js").write_text((here / "langfuse_shared.js").read_text("utf-8"))
    # As pnpm has it: what the shared package needs is beside it, and not beside the worker.
    (shared / "@aws-sdk").symlink_to(packages / "@aws-sdk")
    for package in ("bullmq", "ioredis"):
        (shared / package).symlink_to(packages / package)
    # The worker's own dependency, in 3.125.0 as well.
    (modules / "ioredis").symlink_to(packages / "ioredis")
    (modules / "@langfuse").mkdir()
    (modules / "@langfuse" / "shared").symlink_to(own)
    for script in ("consumer.js", "fill.js"):
        (app / script).write_text((here / script).read_text("utf-8"))
    (app / "node_modules").symlink_to(packages)
    return app
