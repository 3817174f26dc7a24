"""Copies images with skopeo.

It copies a whole image index, for every platform and with its attestations, and leaves the bytes of
its manifests as they are. It finds the user's own logins where it always does. The destination's
reaches it in a file that nobody else may read and that is gone afterwards, never on a command line.
"""

import json
import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from langfuse_aws.automation.engine.redaction import Redaction
from langfuse_aws.automation.errors import UserError
from langfuse_aws.automation.images.registry import Login, is_loopback

SECONDS_TO_STOP: Final = 5
QUOTED_LINES: Final = 3

NO_SKOPEO: Final = (
    "images: skopeo, which copies them, is not on PATH. Install it: apt-get install skopeo, dnf "
    "install skopeo, brew install skopeo, or "
    "https://github.com/containers/skopeo/blob/main/install.md."
)


class ToolError(UserError):
    """skopeo gave up, or was stopped."""


def find_skopeo() -> None:
    """Raise UserError, which says where to get it, unless it is on PATH."""
    if not shutil.which("skopeo"):
        raise UserError(NO_SKOPEO)


@contextmanager
def login_file(host: str, login: Login | None) -> Generator[Path]:
    """Write the login of the registry to copy to into a file, for as long as it takes."""
    auths = {host: {"auth": login.encoded}} if login else {}
    with TemporaryDirectory(prefix="langfuse-images-") as name:  # its mode is 0700
        path = Path(name) / "destination.json"
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump({"auths": auths}, file)
        yield path


def command(source: str, destination: str, logins: Path) -> Sequence[str]:
    """How to copy `HOST/NAME@DIGEST` to `HOST/NAME:TAG`, for which there is a file of logins."""
    plain = [
        f"--{side}-tls-verify=false"
        for side, image in (("src", source), ("dest", destination))
        if is_loopback(image.partition("/")[0])
    ]
    whole = ["--all", "--preserve-digests", "--retry-times", "3", "--dest-authfile", str(logins)]
    return ["skopeo", "copy", *whole, *plain, f"docker://{source}", f"docker://{destination}"]


class Copier:
    """Copies any number of images at once, until it is stopped."""

    def __init__(self, logins: Path, redaction: Redaction) -> None:
        """Take what `login_file` gives, and what must not be quoted."""
        self._logins = logins
        self._redaction = redaction
        self._running: set[subprocess.Popen[str]] = set()
        self._lock = threading.Lock()
        self._stopped = False

    def copy(self, source: str, destination: str) -> None:
        """Copy `HOST/NAME@DIGEST` to `HOST/NAME:TAG`. Raises ToolError, with what it said."""
        with self._lock:
            if self._stopped:
                raise ToolError("stopped before it began.")
            # A session of its own: Ctrl-C reaches it through `stop` only.
            process = subprocess.Popen(  # noqa: S603
                command(source, destination, self._logins),
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
            code = process.returncode
            ended = f"ended with exit code {code}" if code > 0 else f"was killed by signal {-code}"
            lines = [line.strip() for line in self._redaction.text(said).splitlines()]
            quoted = " ".join([line for line in lines if line][-QUOTED_LINES:])
            raise ToolError(f"skopeo {ended}{': ' if quoted else '.'}{quoted}")

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
