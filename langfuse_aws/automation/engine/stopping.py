"""Ends the command line at the first Ctrl-C, SIGTERM or end of the terminal, and says so.

A signal unwinds what the command does: temporary folders go, and what it started ends. What has not
unwound in time is ended from outside, unless an engine is changing something; that is waited for.
Commands that follow an update have a way of their own, `langfuse_aws.automation.engine.following`.
"""

import atexit
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Final

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
STOPPED: Final = 130
"""Exit code, as a shell has it for a command that Ctrl-C ends."""
UNWINDING_SECONDS: Final = 1.5
"""After that the process ends, whatever its threads wait for."""


class Interrupted(SystemExit):
    """A signal asked this process to end. No prompt takes it for its own, as KeyboardInterrupt."""

    def __init__(self, number: int) -> None:
        """Take the signal's number."""
        super().__init__(STOPPED)
        self._name = signal.Signals(number).name

    def __str__(self) -> str:
        """Say it, for people."""
        return f"stopped by {self._name}."


def handled() -> list[signal.Signals]:
    """SIGNALS without the end of the terminal where nohup has had it ignored."""
    return [
        number
        for number in SIGNALS
        if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN
    ]


@contextmanager
def stopped_by_signals(
    wait_for: Callable[[], bool], end_all: Callable[[], None]
) -> Generator[None]:
    """Have the first of SIGNALS end the block, and then the process. Works in the main thread only.

    While `wait_for()` holds, the block is given all the time it takes. `end_all` ends what the
    process has started.
    """
    told: list[Interrupted] = []
    said = threading.Event()

    def handle(number: int, _frame: FrameType | None) -> None:
        if told:
            return
        told.append(Interrupted(number))
        threading.Thread(target=give_up, daemon=True).start()
        raise told[0]

    def give_up() -> None:
        time.sleep(UNWINDING_SECONDS)
        if wait_for():
            _say(f"{told[0]} The engine finishes what it is doing with resources.")
            said.set()
        while wait_for():
            time.sleep(UNWINDING_SECONDS)
        end_all()
        say_once()
        atexit._run_exitfuncs()  # pyright: ignore[reportPrivateUsage] -- temporary folders, servers
        os._exit(STOPPED)

    def say_once() -> None:
        if not said.is_set():
            said.set()
            _say(str(told[0]))

    before = {number: signal.signal(number, handle) for number in handled()}
    try:
        yield
    except Interrupted:
        say_once()
        raise
    finally:
        said.set()
        for number, handler in before.items():
            # From here on nothing but the end comes.
            signal.signal(number, signal.SIG_IGN if told else handler)


def _say(text: str) -> None:
    with suppress(OSError):  # nobody may be left to be told
        os.write(sys.stderr.fileno(), f"error: {text}\n".encode())
