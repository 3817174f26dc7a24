"""A preview, update, refresh or destroy while it runs: its events, its result, its cancellation."""

import os
import queue
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from copy import copy
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

from pulumi import automation as auto
from pulumi.automation.errors import create_command_error

from langfuse_aws.automation.engine.events import DiagnosticEvent, Event, read
from langfuse_aws.automation.engine.redaction import Redaction
from langfuse_aws.automation.plan import NOT_LOGGED_IN, UserError, is_logged_out

Result = TypeVar("Result")
OnEvent = Callable[[auto.EngineEvent], None]

ERRORS_QUOTED = 8
ENDED: Final = re.compile(r"program exited with non-zero exit code: \d+\W*$", re.IGNORECASE)
"""What the engine says after a program has said why."""
STOPPING = "stopping: nothing was changed."
CANCELLING = "cancelling: the engine finishes what it is doing with resources, then stops."
STILL_CANCELLING = "still cancelling: the engine is not done with what it had begun."

CHANGING = frozenset({"up", "refresh", "destroy", "import", "state"})
"""Subcommands of `pulumi` that must finish what they have begun."""
ENGINE_SECONDS = 0.8
"""How long an engine that changes nothing has to end by itself."""


class OperationError(UserError):
    """The engine gave up. The message quotes what it said; `errors` has all of it."""

    def __init__(self, message: str, errors: tuple[str, ...] = ()) -> None:
        """Take the message and the engine's own errors."""
        super().__init__(message)
        self.errors = errors

    @property
    def messages(self) -> Sequence[str]:
        """One, which quotes the engine: line by line, if it said more than a line."""
        title, *quoted = str(self).splitlines()
        if len(quoted) == 1:
            return [f"{title} {quoted[0].removeprefix('error: ')}"]
        return [str(self)]


class CancelledError(OperationError):
    """The operation was cancelled. What it had begun is finished, and the stack is unlocked."""


class Command(auto.PulumiCommand):
    """The `pulumi` command of one stack, which can be interrupted.

    It runs in a session of its own: a Ctrl-C reaches it through `interrupt` only, and the process
    that serves its providers is there until it has ended.
    """

    def __init__(self) -> None:
        """Find it on PATH. Raises UserError."""
        try:
            super().__init__()
        except FileNotFoundError as error:
            raise UserError(
                "pulumi: not found on PATH. Install it: https://www.pulumi.com/docs/install/."
            ) from error
        except auto.errors.InvalidVersionError as error:
            raise UserError(f"pulumi: {error}") from error
        self._begin()

    def _begin(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._interrupted = False

    def another(self) -> "Command":
        """The same command for another operation, which is interrupted by itself."""
        found = copy(self)
        found._begin()
        return found

    def run(
        self,
        args: list[str],
        cwd: str,
        additional_env: Mapping[str, str],
        on_output: Callable[[str], Any] | None = None,
        on_error: Callable[[str], Any] | None = None,
        given: str | None = None,
    ) -> auto.CommandResult:
        """Run to the end, with `given` on standard input. Raises auto.CommandError."""
        command = [self.command, "--non-interactive", *args]
        env = {**os.environ, **additional_env, "PULUMI_AUTOMATION_API": "true"}
        with self._lock:
            if self._interrupted or _RUNNING.ending:
                raise auto.errors.CommandError(auto.CommandResult("", "cancelled", 1))
            self._process = process = subprocess.Popen(  # noqa: S603
                command,
                cwd=cwd,
                env=env,
                stdin=subprocess.DEVNULL if given is None else subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                encoding="utf-8",
                start_new_session=True,
            )
            _RUNNING.add(process, changes=args[0] in CHANGING)
        with process:
            try:
                stdout, stderr = process.communicate(given)
            except BaseException:
                _RUNNING.stop(process)
                process.communicate()
                raise
            finally:
                _RUNNING.remove(process)
        for text, callback in ((stdout, on_output), (stderr, on_error)):
            if callback:
                for line in text.splitlines():
                    callback(line)
        done = auto.CommandResult(stdout, stderr, process.returncode)
        if done.code:
            raise create_command_error(done)
        return done

    def interrupt(self) -> None:
        """Have what runs stop; an engine first finishes what it is doing with resources."""
        with self._lock:
            self._interrupted = True
            if self._process:
                _RUNNING.stop(self._process)


class _Running:
    """The `pulumi` processes of this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._changes: dict[subprocess.Popen[str], bool] = {}
        self._timers: dict[subprocess.Popen[str], threading.Timer] = {}
        self.ending = False

    def add(self, process: "subprocess.Popen[str]", *, changes: bool) -> None:
        with self._lock:
            self._changes[process] = changes

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


_RUNNING = _Running()


def engines_change() -> bool:
    """Whether an engine of this process is changing something, and must not be left."""
    return _RUNNING.any_changes()


def end_engines() -> None:
    """End every `pulumi` of this process at once."""
    _RUNNING.end()


@contextmanager
def engines_ended() -> Generator[None]:
    """End them, whatever they do, and have none begin until the block ends."""
    _RUNNING.ending = True
    try:
        _RUNNING.end()
        yield
    finally:
        _RUNNING.ending = False


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


class Operation(Generic[Result]):
    """Runs beside the caller. Iterate over it for the events, then ask for the result."""

    def __init__(
        self,
        title: str,
        work: Callable[[Command, OnEvent], Result],
        command: Command,
        redaction: Redaction,
        unlock: str = "pulumi cancel",
        *,
        changes: bool = True,
    ) -> None:
        """Start it. `unlock` is what to do if a dead process holds the stack.

        One that `changes` nothing is over at once when it is cancelled.
        """
        self._changes = changes
        self._title = title
        self._work = work
        self._command = command.another()
        self._redaction = redaction
        self._unlock = unlock
        self._begin = time.monotonic()
        self._events: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        self._errors: list[str] = []
        self._cancelled = False
        self._result: Result | None = None
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name=title, daemon=True)
        self._done = threading.Event()
        self._thread.start()

    def __iter__(self) -> Iterator[Event]:
        """Every event, as it comes; ends with the operation. They can be had once."""
        while (event := self._events.get()) is not None:
            yield event

    def result(self) -> Result:
        """Wait for the end. Raises OperationError or CancelledError.

        What a signal's handler raises meanwhile cancels, waits for that, and goes on.
        """
        # Not the thread's join, which takes it for ended once a signal has interrupted it:
        # https://github.com/python/cpython/issues/90882
        try:
            self._done.wait()
        except BaseException:  # a signal's
            self.cancel()
            self._done.wait()
            raise
        if self._failure:
            raise self._failure
        return self._result  # pyright: ignore[reportReturnType] -- set unless there is a failure

    def cancel(self) -> None:
        """Ask the engine to stop; `result` then raises CancelledError, unless it was done.

        Each call is reported as a warning, and only the first one reaches the engine: at a second
        one it would leave what it is doing with resources. May be called in a signal's handler.
        """
        again, self._cancelled = self._cancelled, True
        message = CANCELLING if self._changes else STOPPING
        if again and self._changes:
            message = STILL_CANCELLING
        seconds = time.monotonic() - self._begin
        self._events.put(
            DiagnosticEvent(seconds=seconds, severity="warning", message=message, urn="")
        )
        if not again:
            self._command.interrupt()

    def _run(self) -> None:
        try:
            self._result = self._work(self._command, self._take)
        except auto.errors.CommandError as error:
            self._failure = self._explained(error)
        except BaseException as error:
            self._failure = error
        finally:
            self._events.put(None)
            self._done.set()

    def _take(self, found: auto.EngineEvent) -> None:
        event = read(found, time.monotonic() - self._begin, self._redaction.text)
        if isinstance(event, DiagnosticEvent) and event.severity == "error":
            self._errors.append(event.message)
        if event:
            self._events.put(event)

    def _explained(self, error: auto.errors.CommandError) -> OperationError:
        if self._cancelled and not self._changes:
            return CancelledError(f"{self._title}: stopped; nothing was changed.")
        if self._cancelled:
            return CancelledError(f"{self._title}: cancelled; run it again to go on from here.")
        if isinstance(error, auto.errors.ConcurrentUpdateError):
            return OperationError(
                f"{self._title}: another update holds the stack, or was killed while it did. Wait "
                f"for its end; if it is dead: {self._unlock}."
            )
        if is_logged_out(error):
            return OperationError(NOT_LOGGED_IN)
        said = self._redaction.text(str(error).rpartition("stderr: ")[2].strip())
        lines = tuple(self._errors) or tuple(said.splitlines()) or (f"exit code {error}",)
        lines = tuple(line for line in lines if not ENDED.search(line)) or lines
        quoted = "\n".join(lines[:ERRORS_QUOTED])
        more = len(lines) - ERRORS_QUOTED
        rest = f"\n… and {more} more errors." if more > 0 else ""
        return OperationError(f"{self._title} failed:\n{quoted}{rest}", lines)
