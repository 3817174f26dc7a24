"""Says on stderr what a command waits for: at once on a terminal, elsewhere after two seconds."""

import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Final

from rich.status import Status
from rich.text import Text

from langfuse_aws.automation.terminal import clock_time, error_console

QUIET_SECONDS: Final = 2
"""How long a wait may last before a line tells of it."""
AGAIN_SECONDS: Final = 30
"""After which another line does."""

Update = Callable[[str], None]


class _Waits:
    """What is waited for now, in all threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._now: dict[object, str] = {}
        self._status: Status | None = None
        self._silent = False

    @contextmanager
    def silent(self, silent: bool) -> Generator[None]:
        """Say nothing until the block ends, if `silent`: tools read along."""
        before, self._silent = self._silent, silent
        try:
            yield
        finally:
            self._silent = before

    @contextmanager
    def __call__(self, what: str) -> Generator[Update]:
        """Wait in the block; gives what tells that it is something else now."""
        key, ended = object(), threading.Event()

        def update(text: str) -> None:
            with self._lock:
                self._now[key] = text
                self._show()

        def tell() -> None:
            begin = last = time.monotonic()
            told = ""
            while not ended.wait(QUIET_SECONDS):
                text, now = self._now.get(key, ""), time.monotonic()
                if text and (text != told or now - last >= AGAIN_SECONDS):
                    error_console.print(Text(f"waiting: {text} ({clock_time(now - begin)})"))
                    told, last = text, now

        if self._silent:
            yield lambda _text: None
            return
        update(what)
        teller = threading.Thread(target=tell, daemon=True)
        if not error_console.is_terminal:
            teller.start()
        try:
            yield update
        finally:
            ended.set()
            with self._lock:
                del self._now[key]
                self._show()
            if teller.ident:
                teller.join()

    def _show(self) -> None:
        if not error_console.is_terminal:
            return
        text = Text("; ".join(self._now.values()))
        if self._now and self._status is None:
            self._status = Status(text, console=error_console)
            self._status.start()
        elif self._now and self._status:
            self._status.update(text)
        elif self._status:
            self._status.stop()
            self._status = None


waits = _Waits()
"""`with waits("asking AWS"):` in whatever may last."""
