"""The `pulumi` processes that this process has started, and how they end."""

import os
import signal
import subprocess
import threading
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

CHANGING = frozenset({"up", "refresh", "destroy", "import", "state"})
"""Subcommands of `pulumi` that must finish what they have begun."""
PREVIEW_ONLY = "--preview-only"
"""With it, they change nothing."""
ENGINE_SECONDS = 0.8
"""How long an engine that changes nothing has to end by itself."""


class _Running:
    """The `pulumi` processes of this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._changes: dict[subprocess.Popen[str], bool] = {}
        self._timers: dict[subprocess.Popen[str], threading.Timer] = {}
        self.ending = False

    def add(self, process: "subprocess.Popen[str]", arguments: Sequence[str]) -> None:
        """Take one that has begun with these arguments."""
        with self._lock:
            self._changes[process] = arguments[0] in CHANGING and PREVIEW_ONLY not in arguments

    def remove(self, process: "subprocess.Popen[str]") -> None:
        """Forget one that has ended, and end what is left of one that was to stop at once."""
        with self._lock:
            self._changes.pop(process, None)
            timer = self._timers.pop(process, None)
        if timer:
            timer.cancel()
            _end_session(process)

    def any_changes(self) -> bool:
        """Whether one of them is changing something."""
        with self._lock:
            return any(self._changes.values())

    def stop(self, process: "subprocess.Popen[str]") -> None:
        """Ask it to stop; one that changes nothing is ended if it does not do so soon."""
        with self._lock:
            changes = self._changes.get(process)
            if changes is None or process in self._timers:
                return
            process.send_signal(signal.SIGINT)
            if not changes:
                timer = threading.Timer(ENGINE_SECONDS, _end_session, [process])
                timer.daemon = True
                self._timers[process] = timer
                timer.start()

    def end(self) -> None:
        """End all of them at once, whatever they do."""
        with self._lock:
            there = list(self._changes)
            self._changes = dict.fromkeys(there, False)
        for process in there:
            _end_session(process)


RUNNING = _Running()


def engines_change() -> bool:
    """Whether an engine of this process is changing something, and must not be left."""
    return RUNNING.any_changes()


def end_engines() -> None:
    """End every `pulumi` of this process at once."""
    RUNNING.end()


@contextmanager
def engines_ended() -> Generator[None]:
    """End them, whatever they do, and have none begin until the block ends."""
    RUNNING.ending = True
    try:
        RUNNING.end()
        yield
    finally:
        RUNNING.ending = False


def _end_session(process: "subprocess.Popen[str]") -> None:
    """Kill it with all of its session: plugins and programs are in process groups of their own."""
    for pid in _processes():
        with suppress(ProcessLookupError, PermissionError):
            if os.getsid(pid) == process.pid:
                os.kill(pid, signal.SIGKILL)


def _processes() -> list[int]:
    """Every process of the machine that can be seen."""
    proc = Path("/proc")
    if proc.is_dir():
        return [int(each.name) for each in proc.iterdir() if each.name.isdigit()]
    listed = subprocess.run(["ps", "-A", "-o", "pid="], capture_output=True, text=True, check=False)  # noqa: S607
    return [int(each) for each in listed.stdout.split()]
