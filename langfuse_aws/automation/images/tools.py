"""The programs that copy images: skopeo, crane and `docker buildx imagetools`.

Each copies a whole image index, for every platform and with its attestations, and leaves the bytes
of its manifests as they are. Passwords reach them in files that nobody else may read and that are
gone afterwards, never on a command line.
"""

import json
import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from langfuse_aws.automation.engine.redaction import Redaction
from langfuse_aws.automation.images.registry import Login, is_loopback
from langfuse_aws.automation.images.registry_login import Logins, auths
from langfuse_aws.automation.plan import UserError

SECONDS_TO_STOP: Final = 5
QUOTED_LINES: Final = 3

SOURCES_FILE: Final = "sources.json"
DESTINATION_FILE: Final = "destination.json"
DOCKER_FILE: Final = "config.json"

NO_TOOL: Final = (
    "images: nothing on PATH can copy an image. Install one of skopeo (apt-get install skopeo, "
    "brew install skopeo), crane (https://github.com/google/go-containerregistry/releases) or "
    "docker with buildx (https://docs.docker.com/build/install-buildx/)."
)


class ToolError(UserError):
    """A tool gave up, or was stopped."""


@dataclass(frozen=True)
class Tool:
    """A program that copies images."""

    name: str
    arguments: Callable[[str, str, Path], Sequence[str]]
    """Of a copy: from `HOST/NAME@DIGEST` to `HOST/NAME:TAG`, with the logins of a folder."""
    environment: Callable[[Path], Mapping[str, str]]
    """What it must be told of the same folder."""


def _skopeo(source: str, destination: str, folder: Path) -> Sequence[str]:
    plain = [
        f"--{side}-tls-verify=false"
        for side, image in (("src", source), ("dest", destination))
        if is_loopback(image.partition("/")[0])
    ]
    logins = ["--src-authfile", str(folder / SOURCES_FILE)]
    logins += ["--dest-authfile", str(folder / DESTINATION_FILE)]
    whole = ["--all", "--preserve-digests", "--retry-times", "3"]
    images = [f"docker://{source}", f"docker://{destination}"]
    return ["skopeo", "copy", *whole, *plain, *logins, *images]


def _crane(source: str, destination: str, _folder: Path) -> Sequence[str]:
    return ["crane", "copy", source, destination]


def _buildx(source: str, destination: str, _folder: Path) -> Sequence[str]:
    return ["docker", "buildx", "imagetools", "create", "--tag", destination, source]


def _docker_config(folder: Path) -> Mapping[str, str]:
    return {"DOCKER_CONFIG": str(folder), "BUILDX_CONFIG": str(folder / "buildx")}


TOOLS: Final = (
    Tool("skopeo", _skopeo, lambda _: {}),
    Tool("crane", _crane, _docker_config),
    Tool("docker", _buildx, _docker_config),
)
"""The first that is there is taken."""


def find_tool() -> Tool:
    """Find one on PATH. Raises UserError, which says where to get one."""
    for tool in TOOLS:
        if shutil.which(tool.name) and (tool.name != "docker" or _has_buildx()):
            return tool
    raise UserError(NO_TOOL)


def _has_buildx() -> bool:
    asked = subprocess.run(["docker", "buildx", "version"], capture_output=True)  # noqa: S607
    return asked.returncode == 0


@contextmanager
def credentials(
    logins: Logins, sources: Iterable[str], host: str, login: Login | None
) -> Generator[Path]:
    """Write the logins that the tools need into a folder, for as long as it takes.

    `sources` are the hosts to copy from, `host` and `login` are the destination's.
    """
    own = {each: found for each in set(sources) if (found := logins.at(each))}
    with TemporaryDirectory(prefix="langfuse-images-") as name:  # its mode is 0700
        folder = Path(name)
        _write(folder / SOURCES_FILE, auths(own))
        _write(folder / DESTINATION_FILE, auths({host: login} if login else {}))
        _write(folder / DOCKER_FILE, logins.with_login(host, login))
        if logins.plugins and logins.plugins.is_dir():
            (folder / "cli-plugins").symlink_to(logins.plugins.resolve())
        yield folder


def _write(path: Path, content: Mapping[str, object]) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(content, file)


class Copier:
    """Copies images by a tool, any number at once, until it is stopped."""

    def __init__(self, tool: Tool, folder: Path, redaction: Redaction) -> None:
        """Take the folder of `credentials`, and what must not be quoted."""
        self._tool = tool
        self._folder = folder
        self._redaction = redaction
        self._running: set[subprocess.Popen[str]] = set()
        self._lock = threading.Lock()
        self._stopped = False

    def copy(self, source: str, destination: str) -> None:
        """Copy `HOST/NAME@DIGEST` to `HOST/NAME:TAG`. Raises ToolError, with what the tool said."""
        with self._lock:
            if self._stopped:
                raise ToolError("stopped before it began.")
            # A session of its own: Ctrl-C reaches it through `stop` only.
            process = subprocess.Popen(  # noqa: S603
                self._tool.arguments(source, destination, self._folder),
                env={**os.environ, **self._tool.environment(self._folder)},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
                errors="replace",
                start_new_session=True,
            )
            self._running.add(process)
        with process:
            _, said = process.communicate()
        with self._lock:
            self._running.discard(process)
        if process.returncode:
            code, name = process.returncode, self._tool.name
            ended = f"ended with exit code {code}" if code > 0 else f"was killed by signal {-code}"
            lines = [line.strip() for line in self._redaction.text(said).splitlines()]
            quoted = " ".join([line for line in lines if line][-QUOTED_LINES:])
            raise ToolError(f"{name} {ended}{': ' if quoted else '.'}{quoted}")

    def stop(self) -> None:
        """Begin no copy any more, and end those that run; `copy` returns soon afterwards.

        May be called in a signal's handler.
        """
        self._stopped = True
        self._signal(signal.SIGTERM)
        timer = threading.Timer(SECONDS_TO_STOP, self._signal, [signal.SIGKILL])
        timer.daemon = True
        timer.start()

    def _signal(self, number: signal.Signals) -> None:
        with self._lock:
            for process in self._running:
                if process.poll() is None:
                    with suppress(ProcessLookupError):
                        os.killpg(process.pid, number)
